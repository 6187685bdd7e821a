package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/settings"
	"github.com/mianmi/mianmi/store"
)

// Settings is the contract of the settings snapshot: after any sequence of
// changes, a node that read all of them one by one, a node that read some of
// them at once, and a node that starts now say the same of every terminal.
func Settings(t *testing.T, nodes func(*testing.T) Nodes) {
	for seed := range 3 {
		t.Run(fmt.Sprint("history ", seed), func(t *testing.T) {
			t.Parallel()
			oneHistory(t, nodes(t), uint64(seed))
		})
	}
}

// dice throws what the seed says.
type dice struct{ from *repeatable }

func (d dice) throw(n int) int {
	var b [1]byte
	_, _ = d.from.Read(b[:]) // never fails
	return int(b[0]) % n
}

func oneHistory(t *testing.T, nodes Nodes, seed uint64) {
	w := newMerchantWorld(t, nodes())
	d := dice{&repeatable{n: seed << 32}}
	for range 2 {
		w.newTerminal(t, w.store.ID)
		st := must(w.merchants.CreateStore(t.Context(), w.operator, merchant.Store{Merchant: w.newMerchant(t, "别家").ID, Name: "店"}))(t)
		w.newTerminal(t, st.ID)
	}
	scopes := w.scopes(t)
	always, sometimes := nodes(), nodes()
	for step := range 60 {
		w.randomChange(t, d, scopes)
		must(always.Settings(t.Context()))(t)
		if d.throw(6) > 0 && step < 59 {
			continue
		}
		fresh := said(t, nodes(), w, scopes)
		if diff := cmp.Diff(fresh, said(t, always, w, scopes)); diff != "" {
			t.Fatalf("step %d: a fresh node and one that saw every change (-fresh +grown):\n%s", step, diff)
		}
		if diff := cmp.Diff(fresh, said(t, sometimes, w, scopes)); diff != "" {
			t.Fatalf("step %d: a fresh node and one that saw changes at once (-fresh +grown):\n%s", step, diff)
		}
	}
}

// scopes are all that the world has.
func (w *merchantWorld) scopes(t *testing.T) []merchant.Scope {
	out := []merchant.Scope{merchant.Everything(), merchant.OfChannel("wallet"), merchant.OfModel(w.model.ID)}
	for _, m := range must(w.merchants.Merchants(t.Context(), w.operator, "", 0))(t) {
		out = append(out, merchant.OfMerchant(m.ID))
		for _, s := range must(w.merchants.Stores(t.Context(), w.operator, merchant.StoreQuery{Merchant: m.ID}))(t) {
			out = append(out, merchant.OfStore(s.ID))
			for _, x := range w.terminalsOf(t, s.ID) {
				out = append(out, merchant.OfTerminal(x))
			}
		}
	}
	return out
}

func (w *merchantWorld) randomChange(t *testing.T, d dice, scopes []merchant.Scope) {
	t.Helper()
	scope := scopes[d.throw(len(scopes))]
	switch d.throw(6) {
	case 0:
		must(w.merchants.Place(t.Context(), w.risk, merchant.StopOrder{Scope: scope, Reason: "x", For: time.Duration(1+d.throw(3)) * time.Hour}))(t)
	case 1:
		live := must(w.merchants.Stops(t.Context(), w.risk, merchant.StopQuery{Live: w.clock.Now()}))(t)
		if len(live) > 0 {
			a := must(w.merchants.Lift(t.Context(), w.risk, live[d.throw(len(live))].ID))(t)
			must(w.merchants.Approve(t.Context(), w.operator, a.ID))(t)
		}
	case 2:
		w.clock.Add(time.Duration(d.throw(60)) * time.Minute)
	default:
		terms := merchant.Terms{PinFree: d.throw(3) > 0}
		if d.throw(2) == 0 {
			a := money.Of(int64(1+d.throw(5))*1000, "CNY")
			terms.PerPayment = &a
		}
		if d.throw(3) == 0 {
			m := pinfree.Methods(d.throw(8) << 1)
			terms.Methods = &m
		}
		w.open(t, scope, terms)
	}
}

// said is all that a node says of all terminals: what they are to run, and
// what it decides by for each method.
func said(t *testing.T, db *store.DB, w *merchantWorld, scopes []merchant.Scope) map[string]any {
	t.Helper()
	s := must(db.Settings(t.Context()))(t)
	out := map[string]any{}
	for _, scope := range scopes {
		if scope.Level != merchant.LevelTerminal {
			continue
		}
		site, ok := s.Site(mianmi.TerminalID(scope.Subject))
		if !ok {
			t.Fatalf("a node does not know %v", scope)
		}
		config := site.Config(w.clock.Now())
		out[fmt.Sprint(scope, " config")] = string(must(config.Encode())(t))
		out[fmt.Sprint(scope, " concern")] = site.Concern()
		for m := pinfree.PaymentCode; m <= pinfree.Cash; m++ {
			ask := settings.Asked{Channel: "wallet", Method: m, Now: w.clock.Now()}
			out[fmt.Sprint(scope, " ", m)] = site.AppendLayers(nil, ask)
		}
	}
	return out
}
