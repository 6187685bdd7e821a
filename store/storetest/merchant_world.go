// Package storetest is the contract of the store: what every engine must do,
// with concurrent clients. The engines' own tests pass it a way to open.
package storetest

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/terminal"
)

// Nodes opens one database from several processes: each call returns another
// handle of it, with memory of its own.
type Nodes func() *store.DB

// settable is a clock that a test moves.
type settable struct {
	mu  sync.Mutex
	now time.Time
}

func (c *settable) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *settable) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// repeatable gives every run the same identifiers: hashes of a counter.
type repeatable struct {
	mu sync.Mutex
	n  uint64
}

func (r *repeatable) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for done := 0; done < len(p); r.n++ {
		h := sha256.Sum256(binary.BigEndian.AppendUint64(nil, r.n))
		done += copy(p[done:], h[:])
	}
	return len(p), nil
}

// merchantWorld is one merchant with a store and a terminal, and people.
type merchantWorld struct {
	db        *store.DB
	clock     *settable
	random    *repeatable
	merchants *merchant.Service
	terminals *terminal.Service

	merchant merchant.Merchant
	store    merchant.Store
	model    terminal.Model
	terminal terminal.Terminal

	operator, operator2, risk, support mianmi.Actor
	admin, admin2, manager, cashier    mianmi.Actor
}

func newMerchantWorld(t *testing.T, db *store.DB) *merchantWorld {
	t.Helper()
	w := &merchantWorld{db: db, clock: &settable{now: time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC)},
		random: &repeatable{}}
	w.merchants = merchant.New(db, w.clock, w.random)
	w.terminals = terminal.New(db, w.clock, w.random)
	w.operator = mianmi.Actor{Role: mianmi.RoleOperator, ID: "sf1"}
	w.operator2 = mianmi.Actor{Role: mianmi.RoleOperator, ID: "sf2"}
	w.risk = mianmi.Actor{Role: mianmi.RoleRisk, ID: "sf3"}
	w.support = mianmi.Actor{Role: mianmi.RoleSupport, ID: "sf4"}
	w.merchant = w.newMerchant(t, "茶店")
	w.store = must(w.merchants.CreateStore(t.Context(), w.operator, merchant.Store{Merchant: w.merchant.ID, Name: "人民路店",
		Address: "人民路 1 号", Coordinates: &merchant.Coordinates{LatE6: 31_230_416, LonE6: 121_473_701}}))(t)
	w.model = must(w.terminals.CreateModel(t.Context(), w.operator, terminal.Model{Name: "P2", Keypad: true, Display: true, Reboot: true, Proof: terminal.ByHost,
		Methods: pinfree.Methods(0).Set(pinfree.PaymentCode).Set(pinfree.CardTap).Set(pinfree.DynamicQR)}))(t)
	w.terminal = w.newTerminal(t, w.store.ID)
	of := func(role mianmi.Role, id string, st mianmi.StoreID) mianmi.Actor {
		return mianmi.Actor{Role: role, ID: id, Merchant: w.merchant.ID, Store: st}
	}
	w.admin, w.admin2 = of(mianmi.RoleMerchantAdmin, "sf5", ""), of(mianmi.RoleMerchantAdmin, "sf6", "")
	w.manager, w.cashier = of(mianmi.RoleStoreManager, "sf7", w.store.ID), of(mianmi.RoleCashier, "sf8", w.store.ID)
	return w
}

func (w *merchantWorld) newMerchant(t *testing.T, name string) merchant.Merchant {
	t.Helper()
	return must(w.merchants.CreateMerchant(t.Context(), w.operator, merchant.Merchant{Name: name, Currency: "CNY",
		Facts: merchant.Facts{Country: "CN", MCC: 5812, NoPIN: true, Upgraded: true}}))(t)
}

func (w *merchantWorld) newTerminal(t *testing.T, st mianmi.StoreID) terminal.Terminal {
	t.Helper()
	return must(w.terminals.Create(t.Context(), w.operator, terminal.Terminal{Store: st, Model: w.model.ID, Name: "收银台"}))(t)
}

// open sets the terms of a scope with both signatures.
func (w *merchantWorld) open(t *testing.T, s merchant.Scope, terms merchant.Terms) {
	t.Helper()
	res := must(w.merchants.SetPolicy(t.Context(), w.operator, merchant.PolicyOrder{Scope: s, Terms: terms}))(t)
	if res.Proposal != nil {
		must(w.merchants.Approve(t.Context(), w.operator2, res.Proposal.ID))(t)
	}
}

// must fails the test on an error: must(f())(t).
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// wantKind fails unless err has the kind, and the code or the field.
func wantKind(t *testing.T, err error, kind mianmi.Kind, codeOrField string) {
	t.Helper()
	var e *mianmi.Error
	if !errors.As(err, &e) || e.Kind != kind || codeOrField != "" && e.Code != codeOrField && e.Field != codeOrField {
		t.Errorf("error = %v, want %v %s", err, kind, codeOrField)
	}
}

func (w *merchantWorld) terminalsOf(t *testing.T, st mianmi.StoreID) (ids []mianmi.TerminalID) {
	t.Helper()
	for _, x := range must(w.terminals.Terminals(t.Context(), w.operator, terminal.Query{Store: st}))(t) {
		ids = append(ids, x.ID)
	}
	return ids
}
