package storetest

import (
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/rollout"
)

// most is what the terminal takes PIN-free at most, in yuan: 0 to 9.
func (w *rolloutWorld) most(t *testing.T, id mianmi.TerminalID) (yuan int64) {
	t.Helper()
	for yuan = 0; yuan < 9; yuan++ {
		if !passes(t, w.other, id, (yuan+1)*100, w.clock.Now()) {
			break
		}
	}
	return yuan
}

func upTo(yuan int64) merchant.Terms { return limited(yuan * 100) }

func tightenedBetween(t *testing.T, w *rolloutWorld) {
	ctx := t.Context()
	w.open(t, w.scope(), upTo(3))
	r := w.start(t, upTo(8), w.plan())
	limits := func(when string, first, far int64) {
		t.Helper()
		if a, b := w.most(t, w.first), w.most(t, w.far); a != first || b != far {
			t.Errorf("%s: %d and %d yuan, want %d and %d", when, a, b, first, far)
		}
	}
	limits("begun", 8, 3)
	// Below what is rolled out, above the former terms: those stay, with their version.
	res := must(w.merchants.SetPolicy(ctx, w.admin, merchant.PolicyOrder{Scope: w.scope(), Terms: upTo(6)}))(t)
	limits("tightened to six", 6, 3)
	now := w.newest(t)
	if res.Change != merchant.Tightening || now.Version != res.Policy.Version || now.Former.Version != r.Former.Version || now.State != rollout.Running {
		t.Errorf("%+v, %+v", res, now)
	}
	// In one part only: the former terms become stricter there.
	six := upTo(6)
	taps := pinfree.Methods(0).Set(pinfree.PaymentCode)
	six.Methods = &taps
	must(w.merchants.SetPolicy(ctx, w.admin, merchant.PolicyOrder{Scope: w.scope(), Terms: six}))(t)
	now = w.newest(t)
	if now.Former.Version != now.Version || now.Former.Terms.Methods == nil || now.Former.Terms.PerPayment.Minor() != 300 {
		t.Errorf("the former terms: %+v", now.Former)
	}
	limits("one method", 6, 3)
	must(w.merchants.AdvanceRollout(ctx, w.admin, r.ID))(t)
	limits("advanced", 6, 6)
	// What loosens one part is refused as a whole, as one that nobody has looked at.
	_, err := w.merchants.SetPolicy(ctx, w.admin, merchant.PolicyOrder{Scope: w.scope(), Terms: upTo(2)})
	wantKind(t, err, mianmi.Conflict, "rollout_running")
	limits("a mixed order", 6, 6)
	two := upTo(2)
	two.Methods = &taps
	must(w.merchants.SetPolicy(ctx, w.admin, merchant.PolicyOrder{Scope: w.scope(), Terms: two}))(t)
	limits("nothing is left of it", 2, 2)
	stands(t, "nothing is left of it", w.newest(t), rollout.Stopped, 1, rollout.Overtaken)
}

func closedBetween(t *testing.T, w *rolloutWorld) {
	ctx := t.Context()
	w.open(t, w.scope(), upTo(3))
	w.start(t, upTo(8), w.plan())
	must(w.merchants.Close(ctx, w.cashierOf(), w.scope()))(t)
	w.passing(t, "closed", false, false)
	stands(t, "closed", w.newest(t), rollout.Stopped, 0, rollout.ClosedBetween)
	p := must(w.merchants.Policy(ctx, w.admin, w.scope()))(t)
	if p.Rollout != nil || p.Terms.PerPayment == nil || p.Terms.PerPayment.Minor() != 300 {
		t.Errorf("the looser maximum is left: %+v", p)
	}
	// An order that closes is not refused for what comes with it.
	w.open(t, w.scope(), upTo(3))
	w.start(t, upTo(8), w.plan())
	off := merchant.Terms{} // off, and no maximum
	res := must(w.merchants.SetPolicy(ctx, w.admin, merchant.PolicyOrder{Scope: w.scope(), Terms: off}))(t)
	if res.Change != merchant.Mixed || res.Policy.Terms.PinFree || res.Proposal == nil {
		t.Errorf("%+v", res)
	}
	w.passing(t, "closed again", false, false)
	stands(t, "closed again", w.newest(t), rollout.Stopped, 0, rollout.ClosedBetween)
	// What is as strict as the former terms leaves nothing to be rolled out.
	w.open(t, w.scope(), upTo(3))
	w.start(t, upTo(8), w.plan())
	must(w.merchants.SetPolicy(ctx, w.admin, merchant.PolicyOrder{Scope: w.scope(), Terms: upTo(2)}))(t)
	stands(t, "overtaken", w.newest(t), rollout.Stopped, 0, rollout.Overtaken)
	if a, b := w.most(t, w.first), w.most(t, w.far); a != 2 || b != 2 {
		t.Errorf("overtaken: %d and %d yuan, want 2 and 2", a, b)
	}
}

// cashierOf is whoever may close the scope and nothing else.
func (w *rolloutWorld) cashierOf() mianmi.Actor {
	return mianmi.Actor{Role: mianmi.RoleAPIClient, ID: "ak7", Merchant: w.merchant.ID, Scopes: mianmi.ScopeTighten}
}

func nobodyJumpsTheQueue(t *testing.T, w *rolloutWorld) {
	ctx := t.Context()
	waiting := must(w.merchants.SetPolicy(ctx, w.admin, merchant.PolicyOrder{Scope: w.scope(), Terms: merchant.Terms{PinFree: true}}))(t).Proposal
	w.start(t, upTo(5), w.plan())
	_, err := w.merchants.Approve(ctx, w.operator, waiting.ID)
	wantKind(t, err, mianmi.Conflict, "approval_lapsed")
	plan := w.plan()
	for _, o := range []merchant.PolicyOrder{
		{Scope: w.scope(), Terms: merchant.Terms{PinFree: true}},
		{Scope: w.scope(), Terms: upTo(6)},
		{Scope: w.scope(), Terms: upTo(6), Rollout: &plan},
	} {
		_, err := w.merchants.SetPolicy(ctx, w.admin, o)
		wantKind(t, err, mianmi.Conflict, "rollout_running")
	}
	mixed := merchant.Terms{PinFree: true}
	none := pinfree.Methods(0)
	mixed.Methods = &none
	_, err = w.merchants.SetPolicy(ctx, w.admin, merchant.PolicyOrder{Scope: w.scope(), Terms: mixed})
	wantKind(t, err, mianmi.Conflict, "rollout_running")
	w.passing(t, "refused", true, false)
	if a := w.most(t, w.first); a != 5 {
		t.Errorf("%d yuan, want 5", a)
	}
	// A narrower scope is its own business, and cannot be looser than this one.
	w.open(t, merchant.OfStore(w.second.ID), merchant.Terms{PinFree: true})
	w.passing(t, "a store", true, false)
}

func rolloutRights(t *testing.T, w *rolloutWorld) {
	ctx := t.Context()
	r := w.start(t, merchant.Terms{PinFree: true}, w.plan())
	acts := w.acts(t)
	tight := w.cashierOf()
	for _, who := range []mianmi.Actor{w.cashier, w.manager, w.stranger()} {
		for name, do := range acts {
			if _, err := do(who, r.ID); mianmi.KindOf(err) != mianmi.NotFound {
				t.Errorf("%s by %v: %v", name, who.Role, err)
			}
		}
		if _, err := w.merchants.Rollout(ctx, who, r.ID); mianmi.KindOf(err) != mianmi.NotFound {
			t.Errorf("shown to %v: %v", who.Role, err)
		}
	}
	must(acts["pause"](tight, r.ID))(t)
	_, err := acts["pause"](tight, r.ID)
	wantKind(t, err, mianmi.Conflict, "rollout_paused")
	_, err = acts["resume"](tight, r.ID)
	wantKind(t, err, mianmi.Denied, "not_allowed")
	must(acts["resume"](w.admin, r.ID))(t)
	_, err = acts["resume"](w.admin, r.ID)
	wantKind(t, err, mianmi.Conflict, "rollout_not_paused")
	_, err = acts["advance"](tight, r.ID)
	wantKind(t, err, mianmi.Denied, "not_allowed")
	w.passing(t, "refused", true, false)
	must(acts["stop"](tight, r.ID))(t)
	w.passing(t, "stopped", false, false)
	if list := must(w.merchants.Rollouts(ctx, w.support, merchant.RolloutQuery{Open: true}))(t); len(list) != 0 {
		t.Errorf("open: %+v", list)
	}
	if _, err := w.merchants.Rollouts(ctx, w.stranger(), merchant.RolloutQuery{Merchant: w.merchant.ID}); mianmi.KindOf(err) != mianmi.Denied {
		t.Errorf("listed to a stranger: %v", err)
	}
}

func foreignPlanIsRefused(t *testing.T, w *rolloutWorld) {
	foreign := must(w.merchants.CreateStore(t.Context(), w.operator, merchant.Store{Merchant: w.newMerchant(t, "别家").ID, Name: "店"}))(t)
	all := rollout.Stage{Permille: rollout.All}
	for field, stage := range map[string]rollout.Stage{
		"rollout.stages[0].stores":    {Stores: []mianmi.StoreID{foreign.ID}},
		"rollout.stages[0].terminals": {Terminals: []mianmi.TerminalID{"tm00000000000000000000000001"}},
		"rollout.stages[0].models":    {Models: []mianmi.ModelID{"md00000000000000000000000001"}},
		"rollout.stages[0]":           {},
	} {
		plan := rollout.Usual(stage, all)
		_, err := w.merchants.SetPolicy(t.Context(), w.admin, merchant.PolicyOrder{Scope: w.scope(), Terms: merchant.Terms{PinFree: true}, Rollout: &plan})
		wantKind(t, err, mianmi.Invalid, field)
	}
	plan := w.plan()
	plan.RefusedMax = 20
	_, err := w.merchants.SetPolicy(t.Context(), w.admin, merchant.PolicyOrder{Scope: w.scope(), Terms: merchant.Terms{PinFree: true}, Rollout: &plan})
	wantKind(t, err, mianmi.Invalid, "rollout.refused_permille_max")
	plan = w.plan()
	_, err = w.merchants.SetPolicy(t.Context(), w.admin, merchant.PolicyOrder{Scope: merchant.OfTerminal(w.first), Terms: merchant.Terms{PinFree: true}, Rollout: &plan})
	wantKind(t, err, mianmi.Invalid, "rollout")
}

func formerDefault(t *testing.T, w *rolloutWorld) {
	st := merchant.OfStore(w.second.ID)
	w.open(t, w.scope(), merchant.Terms{PinFree: true})
	m := w.newMerchant(t, "新店") // nobody has set anything: off
	far := w.newTerminal(t, must(w.merchants.CreateStore(t.Context(), w.operator, merchant.Store{Merchant: m.ID, Name: "店"}))(t).ID)
	plan := rollout.Usual(rollout.Stage{Terminals: []mianmi.TerminalID{far.ID}}, rollout.Stage{Permille: rollout.All})
	_, err := w.merchants.SetPolicy(t.Context(), w.operator, merchant.PolicyOrder{Scope: st, Terms: merchant.Terms{PinFree: true}, Rollout: &plan})
	wantKind(t, err, mianmi.Invalid, "rollout.stages[0].terminals")
	near := w.newTerminal(t, far.Store)
	res := must(w.merchants.SetPolicy(t.Context(), w.operator, merchant.PolicyOrder{Scope: merchant.OfMerchant(m.ID), Terms: merchant.Terms{PinFree: true}, Rollout: &plan}))(t)
	must(w.merchants.Approve(t.Context(), w.operator2, res.Proposal.ID))(t)
	if !passes(t, w.other, far.ID, 1, w.clock.Now()) || passes(t, w.other, near.ID, 1, w.clock.Now()) {
		t.Error("the one that is reached does not pass, or the other does")
	}
	list := must(w.merchants.Rollouts(t.Context(), w.operator, merchant.RolloutQuery{Merchant: m.ID}))(t)
	must(w.merchants.StopRollout(t.Context(), w.operator, list[0].ID))(t)
	if passes(t, w.other, far.ID, 1, w.clock.Now()) || passes(t, w.other, near.ID, 1, w.clock.Now()) {
		t.Error("after the stop somebody passes")
	}
}

// account is what may pass where, in yuan: strict for everybody, loose for
// whoever is reached.
type account struct{ strict, loose int64 }

// rolloutHistory does anything in any order, and keeps account of it.
func rolloutHistory(t *testing.T, w *rolloutWorld) {
	d := dice{&repeatable{n: 77}}
	ids := []mianmi.TerminalID{w.first, w.far}
	for range 4 {
		ids = append(ids, w.newTerminal(t, w.second.ID).ID)
	}
	var may account
	seen := map[rollout.State]int{}
	for step := range 70 {
		w.anything(t, d, &may)
		p := must(w.merchants.Policy(t.Context(), w.admin, w.scope()))(t)
		if p.Rollout != nil {
			seen[p.Rollout.State]++
		} else {
			seen[rollout.Finished]++
		}
		for _, id := range ids {
			at := rollout.Place{Terminal: id, Store: w.second.ID}
			if id == w.first {
				at.Store = w.store.ID
			}
			want := may.strict
			if r := p.Rollout; r != nil && r.Plan.Reaches(r.ID, r.Stage, at) {
				want = may.loose
			}
			if got := w.most(t, id); got != want {
				t.Fatalf("step %d: %s takes %d yuan PIN-free, want %d (%+v, %+v)", step, id, got, want, may, p.Rollout)
			}
		}
		w.clock.Add(time.Minute)
	}
	if seen[rollout.Running] < 10 || seen[rollout.Paused] < 2 || seen[rollout.Finished] < 5 {
		t.Errorf("states %v: too few to prove anything", seen)
	}
}

// anything is one step of the history.
func (w *rolloutWorld) anything(t *testing.T, d dice, may *account) {
	t.Helper()
	ctx := t.Context()
	r := must(w.merchants.Policy(ctx, w.admin, w.scope()))(t).Rollout
	switch what := d.throw(9); {
	case r != nil && what == 0:
		must(w.merchants.StopRollout(ctx, w.admin, r.ID))(t)
		may.loose = may.strict
	case r != nil && what < 4:
		if r.State == rollout.Paused {
			must(w.merchants.ResumeRollout(ctx, w.admin, r.ID))(t)
		}
		if got := must(w.merchants.AdvanceRollout(ctx, w.admin, r.ID))(t); got.State == rollout.Finished {
			may.strict = may.loose
		}
	case r != nil && what == 4 && r.State == rollout.Running:
		must(w.merchants.PauseRollout(ctx, w.admin, r.ID))(t)
	case what == 5:
		must(w.merchants.Close(ctx, w.admin, w.scope()))(t)
		*may = account{}
	default:
		w.anyOrder(t, d, may)
	}
}

func (w *rolloutWorld) anyOrder(t *testing.T, d dice, may *account) {
	t.Helper()
	yuan := int64(1 + d.throw(8))
	o := merchant.PolicyOrder{Scope: w.scope(), Terms: upTo(yuan)}
	if d.throw(3) > 0 {
		plan := rollout.Usual(rollout.Stage{Permille: 200}, rollout.Stage{Permille: 300, Stores: []mianmi.StoreID{w.store.ID}}, rollout.Stage{Permille: rollout.All})
		o.Rollout = &plan
	}
	res, err := w.merchants.SetPolicy(t.Context(), w.admin, o)
	if err != nil {
		wantKind(t, err, mianmi.Conflict, "rollout_running")
		return
	}
	if res.Change == merchant.Tightening {
		may.loose, may.strict = min(may.loose, yuan), min(may.strict, yuan)
		if res.Policy.Rollout == nil {
			may.loose = may.strict
		}
	}
	if res.Proposal == nil {
		return
	}
	must(w.merchants.Approve(t.Context(), w.operator, res.Proposal.ID))(t)
	if may.loose = yuan; o.Rollout == nil {
		may.strict = yuan
	}
}
