package storetest

import (
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/settings"
	"github.com/mianmi/mianmi/store"
)

// passes reports whether a node's settings let a payment code of minor units
// pass without a PIN at the terminal. It asks the layers alone.
func passes(t *testing.T, db *store.DB, id mianmi.TerminalID, minor int64, now time.Time) bool {
	t.Helper()
	site, ok := must(db.Settings(t.Context()))(t).Site(id)
	if !ok {
		t.Fatalf("terminal %s is not known", id)
	}
	for _, l := range site.AppendLayers(nil, settings.Asked{Channel: "wallet", Method: pinfree.PaymentCode, Now: now}) {
		if l.State != pinfree.On || !l.Limits.PerPayment.Allows(minor) {
			return false
		}
	}
	return true
}

func tighteningAtOnce(t *testing.T, nodes Nodes) {
	w, ctx, other := newMerchantWorld(t, nodes()), t.Context(), nodes()
	now := w.clock.Now()
	if passes(t, other, w.terminal.ID, 1, now) {
		t.Error("a merchant without a policy allows PIN-free")
	}
	w.open(t, merchant.OfMerchant(w.merchant.ID), merchant.Terms{PinFree: true})
	for name, step := range map[string]struct {
		by    mianmi.Actor
		scope merchant.Scope
	}{
		"a cashier closes the terminal":   {w.cashier, merchant.OfTerminal(w.terminal.ID)},
		"a manager closes the store":      {w.manager, merchant.OfStore(w.store.ID)},
		"an admin closes the merchant":    {w.admin, merchant.OfMerchant(w.merchant.ID)},
		"support closes the model":        {w.support, merchant.OfModel(w.model.ID)},
		"risk closes the channel":         {w.risk, merchant.OfChannel("wallet")},
		"the operator closes everything":  {w.operator, merchant.Everything()},
		"support closes a whole merchant": {w.support, merchant.OfMerchant(w.merchant.ID)},
	} {
		if !passes(t, other, w.terminal.ID, 1, now) {
			t.Fatalf("%s: it was not open before", name)
		}
		res := must(w.merchants.Close(ctx, step.by, step.scope))(t)
		if res.Change != merchant.Tightening || res.Proposal != nil || res.Policy.Terms.PinFree {
			t.Errorf("%s: %+v", name, res)
		}
		if passes(t, other, w.terminal.ID, 1, now) {
			t.Errorf("%s: another node still allows PIN-free", name)
		}
		w.open(t, step.scope, merchant.Terms{PinFree: true})
	}
	_, err := w.merchants.Close(ctx, w.manager, merchant.OfMerchant(w.merchant.ID))
	wantKind(t, err, mianmi.Denied, "not_allowed")
}

func looseningTakesTwo(t *testing.T, nodes Nodes) {
	w, ctx, other := newMerchantWorld(t, nodes()), t.Context(), nodes()
	scope, max := merchant.OfMerchant(w.merchant.ID), money.Of(30000, "CNY")
	order := merchant.PolicyOrder{Scope: scope, Terms: merchant.Terms{PinFree: true, PerPayment: &max}}
	// A maximum where there was none tightens: that part is in force at once.
	res := must(w.merchants.SetPolicy(ctx, w.admin, order))(t)
	if res.Proposal == nil || res.Policy.Terms.PinFree || passes(t, other, w.terminal.ID, 1, w.clock.Now()) {
		t.Fatalf("one person opened a merchant: %+v", res)
	}
	id := res.Proposal.ID
	waiting := must(w.merchants.Waiting(ctx, w.admin2, merchant.ApprovalQuery{Merchant: w.merchant.ID}))(t)
	same(t, "waiting", waiting, []merchant.Approval{*res.Proposal})

	_, err := w.merchants.Approve(ctx, w.admin, id)
	wantKind(t, err, mianmi.Denied, "same_person")
	twoHats := w.admin
	twoHats.Role, twoHats.Merchant = mianmi.RoleOperator, ""
	_, err = w.merchants.Approve(ctx, twoHats, id)
	wantKind(t, err, mianmi.Denied, "same_person")
	for _, who := range []mianmi.Actor{w.manager, w.cashier, w.support} {
		_, err = w.merchants.Approve(ctx, who, id)
		wantKind(t, err, mianmi.Denied, "not_allowed")
	}
	done := must(w.merchants.Approve(ctx, w.admin2, id))(t)
	if done.State != merchant.Approved || !passes(t, other, w.terminal.ID, 30000, w.clock.Now()) || passes(t, other, w.terminal.ID, 30001, w.clock.Now()) {
		t.Errorf("approved is not in force: %+v", done)
	}
	_, err = w.merchants.Approve(ctx, w.operator, id)
	wantKind(t, err, mianmi.Conflict, "approval_decided")

	seen := int64(1)
	_, err = w.merchants.SetPolicy(ctx, w.admin, merchant.PolicyOrder{Scope: scope, Terms: merchant.Terms{PinFree: true}, BasedOn: &seen})
	wantKind(t, err, mianmi.Conflict, "policy_changed")
}

func mixedOrder(t *testing.T, nodes Nodes) {
	w, ctx := newMerchantWorld(t, nodes()), t.Context()
	scope := merchant.OfStore(w.store.ID)
	low, high := money.Of(10000, "CNY"), money.Of(50000, "CNY")
	codes, cards := pinfree.Methods(0).Set(pinfree.PaymentCode), pinfree.Methods(0).Set(pinfree.CardTap)
	w.open(t, scope, merchant.Terms{PinFree: true, PerPayment: &low, Methods: &codes})

	want := merchant.Terms{PinFree: false, PerPayment: &high, Methods: &cards}
	res := must(w.merchants.SetPolicy(ctx, w.manager, merchant.PolicyOrder{Scope: scope, Terms: want}))(t)
	none := pinfree.Methods(0)
	same(t, "in force", res.Policy.Terms, merchant.Terms{PinFree: false, PerPayment: &low, Methods: &none})
	if res.Change != merchant.Mixed || res.Proposal == nil {
		t.Fatalf("result = %+v", res)
	}
	// An admin makes the accounts of managers, so that would be one person.
	_, err := w.merchants.Approve(ctx, w.admin, res.Proposal.ID)
	wantKind(t, err, mianmi.Denied, "not_independent")
	must(w.merchants.Approve(ctx, w.operator, res.Proposal.ID))(t)
	same(t, "approved", must(w.merchants.Policy(ctx, w.admin, scope))(t).Terms, want)
}

func proposalEnds(t *testing.T, nodes Nodes) {
	w, ctx := newMerchantWorld(t, nodes()), t.Context()
	scope := merchant.OfMerchant(w.merchant.ID)
	propose := func() mianmi.ApprovalID {
		return must(w.merchants.SetPolicy(ctx, w.admin, merchant.PolicyOrder{Scope: scope, Terms: merchant.Terms{PinFree: true}}))(t).Proposal.ID
	}
	state := func(id mianmi.ApprovalID) merchant.ApprovalState {
		return must(w.merchants.Approval(ctx, w.admin, id))(t).State
	}
	two := [2]mianmi.ApprovalID{propose(), propose()}
	must(w.merchants.Approve(ctx, w.admin2, two[0]))(t)
	if s := state(two[1]); s != merchant.Lapsed {
		t.Errorf("after another was approved: %v, want lapsed", s)
	}
	_, err := w.merchants.Approve(ctx, w.admin2, two[1])
	wantKind(t, err, mianmi.Conflict, "approval_lapsed")

	must(w.merchants.Close(ctx, w.admin, scope))(t)
	late := propose()
	w.clock.Add(merchant.ApprovalLife)
	if s := state(late); s != merchant.Expired {
		t.Errorf("after seven days: %v, want expired", s)
	}
	_, err = w.merchants.Approve(ctx, w.admin2, late)
	wantKind(t, err, mianmi.Conflict, "approval_expired")
	if rest := must(w.merchants.Waiting(ctx, w.operator, merchant.ApprovalQuery{}))(t); len(rest) != 0 {
		t.Errorf("still waiting: %v", rest)
	}

	no, mine := propose(), propose()
	must(w.merchants.Reject(ctx, w.admin2, no))(t)
	_, err = w.merchants.Withdraw(ctx, w.admin2, mine)
	wantKind(t, err, mianmi.Denied, "not_allowed")
	must(w.merchants.Withdraw(ctx, w.admin, mine))(t)
	if a, b := state(no), state(mine); a != merchant.Rejected || b != merchant.Withdrawn {
		t.Errorf("states %v and %v, want rejected and withdrawn", a, b)
	}
}

func stopHolds(t *testing.T, nodes Nodes) {
	w, ctx, other := newMerchantWorld(t, nodes()), t.Context(), nodes()
	w.open(t, merchant.OfMerchant(w.merchant.ID), merchant.Terms{PinFree: true})
	open := func() bool { return passes(t, other, w.terminal.ID, 1, w.clock.Now()) }
	hour := func(by mianmi.Actor, s merchant.Scope) merchant.Stop {
		stop := must(w.merchants.Place(ctx, by, merchant.StopOrder{Scope: s, Reason: "盗刷", For: time.Hour}))(t)
		if open() {
			t.Errorf("a stop on %v does not hold", s)
		}
		return stop
	}
	for _, s := range []merchant.Scope{merchant.Everything(), merchant.OfChannel("wallet"), merchant.OfMerchant(w.merchant.ID),
		merchant.OfStore(w.store.ID), merchant.OfModel(w.model.ID), merchant.OfTerminal(w.terminal.ID)} {
		hour(w.support, s)
		w.clock.Add(time.Hour)
		if !open() {
			t.Errorf("the stop on %v did not end by itself", s)
		}
	}
	theirs := hour(w.risk, merchant.OfStore(w.store.ID))
	_, err := w.merchants.Lift(ctx, w.admin, theirs.ID)
	wantKind(t, err, mianmi.Denied, "not_allowed")
	lift := must(w.merchants.Lift(ctx, w.risk, theirs.ID))(t)
	_, err = w.merchants.Approve(ctx, w.risk, lift.ID)
	wantKind(t, err, mianmi.Denied, "same_person")
	_, err = w.merchants.Approve(ctx, w.admin, lift.ID)
	wantKind(t, err, mianmi.Denied, "not_allowed")
	if open() {
		t.Error("a proposal lifted the stop")
	}
	must(w.merchants.Approve(ctx, w.operator, lift.ID))(t)
	if !open() {
		t.Error("lifted by two and still closed")
	}
	_, err = w.merchants.Lift(ctx, w.risk, theirs.ID)
	wantKind(t, err, mianmi.Conflict, "stop_over")

	own := hour(w.cashier, merchant.OfTerminal(w.terminal.ID))
	live := must(w.merchants.Stops(ctx, w.support, merchant.StopQuery{Live: w.clock.Now()}))(t)
	same(t, "live stops", live, []merchant.Stop{own})
	all := must(w.merchants.Stops(ctx, w.cashier, merchant.StopQuery{Scope: merchant.OfTerminal(w.terminal.ID)}))(t)
	if len(all) != 2 {
		t.Errorf("%d stops of the terminal, want 2", len(all))
	}
}

func factsTakeTwo(t *testing.T, nodes Nodes) {
	w, ctx := newMerchantWorld(t, nodes()), t.Context()
	want := w.merchant.Facts
	want.NoPIN, want.AgreementRequired, want.MCC = false, true, 5411
	_, _, err := w.merchants.SetFacts(ctx, w.admin, w.merchant.ID, want)
	wantKind(t, err, mianmi.Denied, "not_allowed")
	m, wait, err := w.merchants.SetFacts(ctx, w.operator, w.merchant.ID, want)
	if err != nil || wait == nil {
		t.Fatalf("set facts: %v, %v", wait, err)
	}
	tight := w.merchant.Facts
	tight.NoPIN, tight.AgreementRequired = false, true
	same(t, "in force", m.Facts, tight)
	_, err = w.merchants.Approve(ctx, w.admin, wait.ID)
	wantKind(t, err, mianmi.Denied, "not_allowed")
	must(w.merchants.Approve(ctx, w.operator2, wait.ID))(t)
	same(t, "approved", must(w.merchants.Merchant(ctx, w.operator, w.merchant.ID))(t).Facts, want)

	// What is not known forbids as much as a high risk; less takes two.
	for _, step := range []struct {
		risk  string
		waits bool
		left  string
	}{
		{"low", true, "low"}, {"elevated", false, "elevated"}, {"low", true, "elevated"}, {"high", false, "high"}, {"", false, ""},
		{"high", false, "high"}, {"elevated", true, "high"},
	} {
		want.Risk = step.risk
		m, wait, err = w.merchants.SetFacts(ctx, w.operator, w.merchant.ID, want)
		if err != nil || (wait != nil) != step.waits {
			t.Errorf("risk %q waits: %v, %v", step.risk, wait, err)
		}
		if wait != nil && step.left == step.risk {
			must(w.merchants.Approve(ctx, w.operator2, wait.ID))(t)
		}
		same(t, "risk", must(w.merchants.Merchant(ctx, w.operator, w.merchant.ID))(t).Facts.Risk, step.left)
	}
	want.Risk = "none"
	_, _, err = w.merchants.SetFacts(ctx, w.operator, w.merchant.ID, want)
	wantKind(t, err, mianmi.Invalid, "risk")
}
