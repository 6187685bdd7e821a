package payment_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"testing"
	"time"

	"crypto/rand"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel/wallet"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/settings"
	"github.com/mianmi/mianmi/store/storetest"
	"github.com/mianmi/mianmi/terminal"
)

// memory is a small ledger that works: what lanes do with it is under test.
// The real ones keep their contract in store/storetest.
type memory struct {
	onBegin  func(asks []payment.Ask) error
	onCommit func(asks []payment.Ask, commit func()) error // nil: commit

	mu       sync.Mutex
	cards    map[mianmi.InstrumentID]payment.Account
	orders   map[payment.Hash16]*payment.Payment
	digests  map[payment.Hash16]payment.Hash16
	snapshot *settings.Snapshot
	batches  [][]payment.Ask // every one that was begun
}

type memoryBatch struct {
	m        *memory
	asks     []payment.Ask
	facts    []payment.Facts
	accounts map[mianmi.InstrumentID]*payment.Account
}

func (m *memory) Begin(_ context.Context, asks []payment.Ask) (payment.Batch, error) {
	asks = append([]payment.Ask(nil), asks...)
	m.mu.Lock()
	m.batches = append(m.batches, asks)
	m.mu.Unlock()
	if m.onBegin != nil {
		if err := m.onBegin(asks); err != nil {
			return nil, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	b := &memoryBatch{m: m, asks: asks, facts: make([]payment.Facts, len(asks)), accounts: map[mianmi.InstrumentID]*payment.Account{}}
	for i, a := range asks {
		f := &b.facts[i]
		f.Prior, f.PriorDigest = m.orders[a.Key], m.digests[a.Key]
		account, ok := m.cards[a.Instrument]
		if !ok {
			continue
		}
		if b.accounts[a.Instrument] == nil {
			b.accounts[a.Instrument] = &account
		}
		f.Account = b.accounts[a.Instrument]
		f.Instrument = &payer.Instrument{ID: a.Instrument, Payer: f.Account.ID, Scheme: "unionpay", Kind: "debit", Domestic: true}
	}
	return b, nil
}

func (m *memory) Peek(context.Context, payment.Ask) (payment.Facts, *settings.Snapshot, error) {
	return payment.Facts{}, nil, mianmi.Missing("payer")
}

func (m *memory) OneBucket() bool { return false }

func (b *memoryBatch) Facts() []payment.Facts       { return b.facts }
func (b *memoryBatch) Settings() *settings.Snapshot { return b.m.snapshot }
func (b *memoryBatch) Rollback()                    {}

func (b *memoryBatch) Commit(_ context.Context, writes []payment.Write, _ evidence.Bundle) error {
	commit := func() {
		b.m.mu.Lock()
		defer b.m.mu.Unlock()
		for i, w := range writes {
			if w.Payment != nil {
				b.m.orders[b.asks[i].Key], b.m.digests[b.asks[i].Key] = w.Payment, b.asks[i].Digest
			}
		}
		for card, a := range b.accounts {
			b.m.cards[card] = *a
		}
	}
	if b.m.onCommit != nil {
		return b.m.onCommit(b.asks, commit)
	}
	commit()
	return nil
}

// paid copies what the ledger holds, by order number.
func (m *memory) paid() map[string]*payment.Payment {
	m.mu.Lock()
	defer m.mu.Unlock()
	byNo := map[string]*payment.Payment{}
	for _, p := range m.orders {
		byNo[p.OrderNo] = p
	}
	return byNo
}

// sizes are how many payments each batch had.
func (m *memory) sizes() (n []int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range m.batches {
		n = append(n, len(b))
	}
	return n
}

// counter is a place where payments are taken.
type counter struct {
	t     testing.TB
	m     *memory
	s     *payment.Service
	cards []mianmi.InstrumentID
}

var cashier = mianmi.Actor{Role: mianmi.RoleCashier, ID: "sf8", Merchant: "mc1", Store: "st1"}

const cardsMax = 8

type noPasswords struct{}

func (noPasswords) Verify(context.Context, mianmi.PayerID, string) error {
	return mianmi.Conflicts("password_missing", "none")
}

// noBooks has no payment; what lanes do does not ask it.
type noBooks struct{ payment.Books }

func (noBooks) Payment(context.Context, mianmi.PaymentID) (*payment.Payment, error) {
	return nil, mianmi.Missing("payment")
}

func newCounter(t testing.TB, cfg payment.Config) *counter {
	t.Helper()
	methods := pinfree.Methods(0).Set(pinfree.CardTap).Set(pinfree.PaymentCode)
	c := &counter{t: t, m: &memory{cards: map[mianmi.InstrumentID]payment.Account{}, orders: map[payment.Hash16]*payment.Payment{},
		digests: map[payment.Hash16]payment.Hash16{}}}
	c.m.snapshot = new(settings.Snapshot).With(settings.Changes{Epoch: 1,
		Merchants: []merchant.Merchant{{ID: "mc1", Name: "茶店", Currency: "CNY", Facts: merchant.Facts{Country: "CN", MCC: 5812, NoPIN: true, Upgraded: true}}},
		Stores:    []merchant.Store{{ID: "st1", Merchant: "mc1", Name: "店"}},
		Models:    []terminal.Model{{ID: "md1", Name: "P2", Keypad: true, Proof: terminal.ByHost, Methods: methods}},
		Terminals: []terminal.Terminal{{ID: "tm1", Store: "st1", Merchant: "mc1", Model: "md1", Name: "收银台"}},
		Policies:  []merchant.Policy{{Scope: merchant.OfMerchant("mc1"), Terms: merchant.Terms{PinFree: true}, Version: 1}}})
	since := time.Unix(0, 0)
	for i := range cardsMax {
		card := mianmi.InstrumentID(fmt.Sprintf("ci%026d%02x", i, i))
		c.cards = append(c.cards, card)
		c.m.cards[card] = payment.Account{Payer: payer.Payer{ID: mianmi.PayerID(fmt.Sprintf("py%026d", i)), Version: 1, VerifiableFrom: &since,
			Settings: payer.Settings{PinFree: true, Currency: "CNY"}, Balance: money.Of(1000_00, "CNY")}}
	}
	rules, err := storetest.Rules()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := secret.New(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.s, err = payment.New(t.Context(), payment.Deps{Ledger: c.m, Books: noBooks{}, Wallet: wallet.Wallet{}, Rules: rules, Keys: keys,
		Verifier: noPasswords{}, Clock: mianmi.ClockFunc(today), Random: rand.Reader, Log: slog.New(slog.DiscardHandler)}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// today is the bubble's time, which begins in 2000, in the days of the rules.
func today() time.Time { return time.Now().AddDate(26, 2, 0) }

func (c *counter) tap(card int, no string) payment.Request {
	return payment.Request{Terminal: "tm1", OrderNo: no, Amount: money.Of(1_00, "CNY"), Method: pinfree.CardTap, Instrument: c.cards[card]}
}

// outcome is what one caller got.
type outcome struct {
	p   *payment.Payment
	err error
}

// go1 asks in the background.
func (c *counter) go1(ctx context.Context, r payment.Request) <-chan outcome {
	ch := make(chan outcome, 1)
	go func() {
		p, err := c.s.Authorize(ctx, cashier, r)
		ch <- outcome{p, err}
	}()
	return ch
}

func (c *counter) balance(card int) int64 {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	return maps.Clone(c.m.cards)[c.cards[card]].Balance.Minor()
}
