package storetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/terminal"
)

// Merchants is the contract of merchants, stores, models, terminals, policies,
// approvals and emergency stops. nodes opens an empty, migrated database.
func Merchants(t *testing.T, nodes func(*testing.T) Nodes) {
	tests := map[string]func(*testing.T, Nodes){
		"what is created is read back":                       createdIsReadBack,
		"pages follow each other without gap or repeat":      pagesFollow,
		"bad input names its field and writes nothing":       badInputWritesNothing,
		"a tightening is in force at once on every node":     tighteningAtOnce,
		"a loosening takes two persons":                      looseningTakesTwo,
		"two accounts of one person are not two persons":     twoAccountsAreOnePerson,
		"a chain of makers without end is not followed":      tooManyMakers,
		"a mixed order is half in force and half proposed":   mixedOrder,
		"a proposal lapses, expires, is rejected, withdrawn": proposalEnds,
		"an emergency stop holds until it is over":           stopHolds,
		"the acquirer's facts follow the same rule":          factsTakeTwo,
		"a terminal moves inside its merchant":               terminalMoves,
		"concurrent changes lose nothing":                    concurrentChanges,
		"every change is recorded with before and after":     everythingIsRecorded,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, nodes(t))
		})
	}
}

var amounts = cmp.AllowUnexported(money.Amount{})

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got, amounts); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func createdIsReadBack(t *testing.T, nodes Nodes) {
	w, ctx := newMerchantWorld(t, nodes()), t.Context()
	same(t, "merchant", must(w.merchants.Merchant(ctx, w.cashier, w.merchant.ID))(t), w.merchant)
	same(t, "store", must(w.merchants.Store(ctx, w.cashier, w.store.ID))(t), w.store)
	same(t, "model", must(w.terminals.Model(ctx, w.cashier, w.model.ID))(t), w.model)
	same(t, "terminal", must(w.terminals.Terminal(ctx, w.cashier, w.terminal.ID))(t), w.terminal)

	renamed := must(w.merchants.RenameMerchant(ctx, w.admin, w.merchant.ID, "茶店二"))(t)
	same(t, "renamed merchant", must(w.merchants.Merchant(ctx, w.admin, w.merchant.ID))(t), renamed)
	changed := must(w.merchants.ChangeStore(ctx, w.manager, merchant.Store{ID: w.store.ID, Name: "新店"}))(t)
	same(t, "changed store", must(w.merchants.Store(ctx, w.admin, w.store.ID))(t), changed)
	if changed.Coordinates != nil || changed.Name != "新店" || changed.Merchant != w.merchant.ID {
		t.Errorf("store = %+v", changed)
	}
	model := must(w.terminals.RenameModel(ctx, w.operator, w.model.ID, "P2 mini"))(t)
	same(t, "renamed model", must(w.terminals.Model(ctx, w.admin, w.model.ID))(t), model)
	till := must(w.terminals.Rename(ctx, w.manager, w.terminal.ID, "2 号"))(t)
	same(t, "renamed terminal", must(w.terminals.Terminal(ctx, w.manager, w.terminal.ID))(t), till)

	_, err := w.merchants.Store(ctx, w.operator, "st0")
	wantKind(t, err, mianmi.NotFound, "")
	_, err = w.merchants.Policy(ctx, w.operator, merchant.OfTerminal("tm0"))
	wantKind(t, err, mianmi.NotFound, "")
	_, err = w.merchants.Close(ctx, w.operator, merchant.OfStore("st0"))
	wantKind(t, err, mianmi.NotFound, "")
	other := w.newMerchant(t, "别家")
	_, err = w.merchants.Merchant(ctx, w.admin, other.ID)
	wantKind(t, err, mianmi.Denied, "not_allowed")
}

func pagesFollow(t *testing.T, nodes Nodes) {
	w, ctx := newMerchantWorld(t, nodes()), t.Context()
	second := must(w.merchants.CreateStore(ctx, w.admin, merchant.Store{Merchant: w.merchant.ID, Name: "二店"}))(t)
	want := []mianmi.TerminalID{w.terminal.ID}
	for range 4 {
		want = append(want, w.newTerminal(t, w.store.ID).ID, w.newTerminal(t, second.ID).ID)
		w.clock.Add(1e9) // identifiers sort by time
	}
	var got []mianmi.TerminalID
	q := terminal.Query{Merchant: w.merchant.ID, Limit: 2}
	for range len(want) {
		page := must(w.terminals.Terminals(ctx, w.admin, q))(t)
		if len(page) == 0 {
			break
		}
		for _, x := range page {
			got = append(got, x.ID)
			q.After = x.ID
		}
	}
	sorted := func(a, b mianmi.TerminalID) bool { return a < b }
	if d := cmp.Diff(asSet(want), asSet(got)); d != "" || len(got) != len(want) {
		t.Errorf("pages give %d terminals, want %d: %s", len(got), len(want), d)
	}
	for i := 1; i < len(got); i++ {
		if !sorted(got[i-1], got[i]) {
			t.Errorf("pages are out of order at %d", i)
		}
	}
	ofStore := must(w.terminals.Terminals(ctx, w.cashier, terminal.Query{}))(t)
	if len(ofStore) != 5 {
		t.Errorf("a cashier sees %d terminals, want the 5 of the own store", len(ofStore))
	}
	stores := must(w.merchants.Stores(ctx, w.admin, merchant.StoreQuery{Merchant: w.merchant.ID, Limit: 1}))(t)
	stores = append(stores, must(w.merchants.Stores(ctx, w.admin, merchant.StoreQuery{Merchant: w.merchant.ID, After: stores[0].ID}))(t)...)
	if len(stores) != 2 || stores[0].ID == stores[1].ID {
		t.Errorf("pages of stores = %v", stores)
	}
}

func asSet[K comparable](ks []K) map[K]bool {
	m := map[K]bool{}
	for _, k := range ks {
		m[k] = true
	}
	return m
}

func badInputWritesNothing(t *testing.T, nodes Nodes) {
	w, ctx := newMerchantWorld(t, nodes()), t.Context()
	before := must(w.db.Settings(ctx))(t).Epoch()
	good := w.merchant
	bad := func(field string, change func(*merchant.Merchant)) {
		m := good
		change(&m)
		_, err := w.merchants.CreateMerchant(ctx, w.operator, m)
		wantKind(t, err, mianmi.Invalid, field)
	}
	bad("name", func(m *merchant.Merchant) { m.Name = "" })
	bad("currency", func(m *merchant.Merchant) { m.Currency = "cny" })
	bad("country", func(m *merchant.Merchant) { m.Facts.Country = "CHN" })
	bad("mcc", func(m *merchant.Merchant) { m.Facts.MCC = 10000 })

	yen, unknown := money.Of(5000, "JPY"), pinfree.Methods(1<<15)
	for field, order := range map[string]merchant.PolicyOrder{
		"scope":                {Scope: merchant.Scope{Level: merchant.LevelStore}},
		"per_payment.currency": {Scope: merchant.OfStore(w.store.ID), Terms: merchant.Terms{PerPayment: &yen}},
		"methods":              {Scope: merchant.OfStore(w.store.ID), Terms: merchant.Terms{Methods: &unknown}},
	} {
		_, err := w.merchants.SetPolicy(ctx, w.operator, order)
		wantKind(t, err, mianmi.Invalid, field)
	}
	_, err := w.terminals.Create(ctx, w.operator, terminal.Terminal{Store: w.store.ID, Model: "md0", Name: "x"})
	wantKind(t, err, mianmi.Invalid, "model")
	_, err = w.terminals.Create(ctx, w.operator, terminal.Terminal{Store: "st0", Model: w.model.ID, Name: "x"})
	wantKind(t, err, mianmi.Invalid, "store")
	_, err = w.merchants.CreateStore(ctx, w.operator, merchant.Store{Merchant: "mc0", Name: "x"})
	wantKind(t, err, mianmi.Invalid, "merchant")
	_, err = w.merchants.Close(ctx, w.cashier, merchant.OfStore(w.store.ID))
	wantKind(t, err, mianmi.Denied, "not_allowed")
	_, err = w.merchants.Place(ctx, w.operator, merchant.StopOrder{Scope: merchant.Everything(), Reason: "x", For: merchant.StopLifeMax + 1})
	wantKind(t, err, mianmi.Invalid, "for")
	if now := must(w.db.Settings(ctx))(t).Epoch(); now != before {
		t.Errorf("refused input raised the epoch from %d to %d", before, now)
	}
}

func terminalMoves(t *testing.T, nodes Nodes) {
	w, ctx := newMerchantWorld(t, nodes()), t.Context()
	second := must(w.merchants.CreateStore(ctx, w.admin, merchant.Store{Merchant: w.merchant.ID, Name: "二店"}))(t)
	must(w.merchants.Close(ctx, w.cashier, merchant.OfTerminal(w.terminal.ID)))(t)
	_, err := w.terminals.Move(ctx, w.manager, w.terminal.ID, second.ID)
	wantKind(t, err, mianmi.Denied, "not_allowed")
	must(w.terminals.Move(ctx, w.admin, w.terminal.ID, second.ID))(t)
	site, ok := must(w.db.Settings(ctx))(t).Site(w.terminal.ID)
	if !ok || site.Store.ID != second.ID {
		t.Fatalf("after the move the terminal is at %+v", site.Store)
	}
	if p := must(w.merchants.Policy(ctx, w.admin, merchant.OfTerminal(w.terminal.ID)))(t); p.Terms.PinFree {
		t.Error("a terminal's own closing did not move with it")
	}
	other := w.newMerchant(t, "别家")
	theirs := must(w.merchants.CreateStore(ctx, w.operator, merchant.Store{Merchant: other.ID, Name: "别家店"}))(t)
	_, err = w.terminals.Move(ctx, w.operator, w.terminal.ID, theirs.ID)
	wantKind(t, err, mianmi.Invalid, "store")
}
