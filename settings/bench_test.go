package settings_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/settings"
	"github.com/mianmi/mianmi/terminal"
)

// big is a world of n terminals, 20 to a store and 5 stores to a merchant.
func big(n int) settings.Changes {
	c := settings.Changes{Epoch: 1, Models: []terminal.Model{{ID: "md1", Keypad: true, Proof: terminal.ByHost, Methods: 1<<pinfree.PaymentCode | 1<<pinfree.CardTap}}}
	limit := money.Of(30000, "CNY")
	for i := range n {
		st, mc := i/20, i/100
		t := terminal.Terminal{ID: terminalID(i), Store: mianmi.StoreID(fmt.Sprintf("st%026d", st)), Model: "md1", Name: "till"}
		c.Terminals = append(c.Terminals, t)
		if i%20 == 0 {
			c.Stores = append(c.Stores, merchant.Store{ID: t.Store, Merchant: mianmi.MerchantID(fmt.Sprintf("mc%026d", mc)), Name: "store"})
		}
		if i%100 == 0 {
			id := mianmi.MerchantID(fmt.Sprintf("mc%026d", mc))
			c.Merchants = append(c.Merchants, merchant.Merchant{ID: id, Name: "merchant", Currency: "CNY"})
			c.Policies = append(c.Policies, merchant.Policy{Scope: merchant.OfMerchant(id), Version: 1,
				Terms: merchant.Terms{PinFree: true, PerPayment: &limit}})
		}
	}
	return c
}

func terminalID(i int) mianmi.TerminalID { return mianmi.TerminalID(fmt.Sprintf("tm%026d", i)) }

const many = 100_000

// What each payment pays for its settings.
func BenchmarkSite(b *testing.B) {
	s := new(settings.Snapshot).With(big(many))
	ids := make([]mianmi.TerminalID, 1<<12)
	for i := range ids {
		ids[i] = terminalID(i * 7919 % many)
	}
	ask := settings.Asked{Channel: "wallet", Method: pinfree.PaymentCode, Now: time.Unix(1_800_000_000, 0)}
	layers := make([]pinfree.Layer, 0, 2*settings.LayersMax)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		site, ok := s.Site(ids[i&(len(ids)-1)])
		if !ok {
			b.Fatal("no such terminal")
		}
		if layers = site.AppendLayers(layers[:0], ask); len(layers) != 5 {
			b.Fatal(len(layers))
		}
	}
}

// What one changed policy costs each node, at the level with the most rows.
func BenchmarkFlip(b *testing.B) {
	s := new(settings.Snapshot).With(big(many))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s = s.With(settings.Changes{Epoch: s.Epoch() + 1, Policies: []merchant.Policy{{
			Scope: merchant.OfTerminal(terminalID(i % many)), Version: s.Epoch(), Terms: merchant.Terms{PinFree: i&1 == 0}}}})
	}
}

// What a node pays once, when it starts.
func BenchmarkFirst(b *testing.B) {
	c := big(many)
	b.ReportAllocs()
	for b.Loop() {
		new(settings.Snapshot).With(c)
	}
}
