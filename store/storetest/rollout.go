package storetest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/rollout"
	"github.com/mianmi/mianmi/settings"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/terminal"
)

// Rollouts is the contract of staged rollouts: above all, no terminal that is
// not reached is decided by the looser terms, and after a stop none is (P1).
func Rollouts(t *testing.T, nodes func(*testing.T) Nodes) {
	tests := map[string]func(*testing.T, *rolloutWorld){
		"a rollout begins with two persons, at those it reaches":   rolloutBegins,
		"it goes on by itself once its terminals have proved it":   rolloutGoesOn,
		"it waits for a person when the plan says so":              rolloutWaitsForHand,
		"too few proofs in time pause it":                          fewProofsPause,
		"a stop brings the former terms back for everybody":        rolloutStops,
		"of two runners one takes each step":                       twoRunners,
		"a tightening in between holds for all, and it goes on":    tightenedBetween,
		"closing in between ends it":                               closedBetween,
		"nothing else loosens while it runs":                       nobodyJumpsTheQueue,
		"who may pause, resume, advance and stop":                  rolloutRights,
		"a plan that names others' things is refused":              foreignPlanIsRefused,
		"in any history nobody is looser than has come to him":     rolloutHistory,
		"a former policy that nobody had set is the default again": formerDefault,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newRolloutWorld(t, nodes(t)))
		})
	}
}

// rolloutWorld is a merchant with two stores. The first store has a machine
// that proves, and a terminal by the host's word; so has the second the latter.
type rolloutWorld struct {
	*fleetWorld
	other  *store.DB // another node
	second merchant.Store
	first  mianmi.TerminalID
	far    mianmi.TerminalID // in the second store
}

func newRolloutWorld(t *testing.T, nodes Nodes) *rolloutWorld {
	t.Helper()
	w := &rolloutWorld{fleetWorld: newFleetWorld(t, nodes), other: nodes()}
	w.first = w.terminal.ID
	w.second = must(w.merchants.CreateStore(t.Context(), w.operator, merchant.Store{Merchant: w.merchant.ID, Name: "二店"}))(t)
	w.far = w.newTerminal(t, w.second.ID).ID
	must(w.merchants.Close(t.Context(), w.admin, w.scope()))(t)
	return w
}

func (w *rolloutWorld) scope() merchant.Scope { return merchant.OfMerchant(w.merchant.ID) }

// plan reaches the first store, then everybody.
func (w *rolloutWorld) plan() rollout.Plan {
	return rollout.Usual(rollout.Stage{Stores: []mianmi.StoreID{w.store.ID}}, rollout.Stage{Permille: rollout.All})
}

// start rolls terms out, with both signatures.
func (w *rolloutWorld) start(t *testing.T, terms merchant.Terms, plan rollout.Plan) merchant.Rollout {
	t.Helper()
	w.clock.Add(time.Millisecond) // identifiers sort by it
	res := must(w.merchants.SetPolicy(t.Context(), w.admin, merchant.PolicyOrder{Scope: w.scope(), Terms: terms, Rollout: &plan}))(t)
	if res.Proposal == nil {
		t.Fatalf("no proposal: %+v", res)
	}
	must(w.merchants.Approve(t.Context(), w.operator, res.Proposal.ID))(t)
	return w.newest(t)
}

func (w *rolloutWorld) newest(t *testing.T) merchant.Rollout {
	t.Helper()
	list := must(w.merchants.Rollouts(t.Context(), w.admin, merchant.RolloutQuery{Limit: 1}))(t)
	if len(list) != 1 {
		t.Fatal("no rollout is known")
	}
	return list[0]
}

// passing fails unless the terminals take PIN-free payments as said, on both nodes.
func (w *rolloutWorld) passing(t *testing.T, when string, first, far bool) {
	t.Helper()
	for _, db := range []*store.DB{w.db, w.other} {
		if a, b := passes(t, db, w.first, 1, w.clock.Now()), passes(t, db, w.far, 1, w.clock.Now()); a != first || b != far {
			t.Errorf("%s: the first store passes %v, the second %v; want %v, %v", when, a, b, first, far)
		}
	}
}

func (w *rolloutWorld) watch(t *testing.T) merchant.Rollout {
	t.Helper()
	if err := w.merchants.WatchRollouts(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	return w.newest(t)
}

// stands fails unless the rollout stands as said.
func stands(t *testing.T, when string, r merchant.Rollout, state rollout.State, stage int, why rollout.Reason) {
	t.Helper()
	if r.State != state || r.Stage != stage || r.Because.Reason != why {
		t.Errorf("%s: %v at stage %d, %q; want %v at %d, %q", when, r.State, r.Stage, r.Because.Reason, state, stage, why)
	}
}

func rolloutBegins(t *testing.T, w *rolloutWorld) {
	ctx, plan, on := t.Context(), w.plan(), merchant.Terms{PinFree: true}
	before := must(w.merchants.Policy(ctx, w.admin, w.scope()))(t)
	mark := func(id mianmi.TerminalID) settings.Concern {
		site, _ := must(w.other.Settings(ctx))(t).Site(id)
		return site.Concern()
	}
	old := mark(w.far)
	res := must(w.merchants.SetPolicy(ctx, w.admin, merchant.PolicyOrder{Scope: w.scope(), Terms: on, Rollout: &plan}))(t)
	if res.Change != merchant.Loosening || res.Proposal == nil {
		t.Fatalf("%+v", res)
	}
	same(t, "the plan of the proposal", *must(w.merchants.Approval(ctx, w.operator, res.Proposal.ID))(t).Proposal.Rollout, plan)
	w.passing(t, "proposed", false, false)
	_, err := w.merchants.Approve(ctx, w.admin, res.Proposal.ID)
	wantKind(t, err, mianmi.Denied, "same_person")
	w.passing(t, "approved by the same person", false, false)
	must(w.merchants.Approve(ctx, w.operator, res.Proposal.ID))(t)
	w.passing(t, "approved", true, false)

	r := w.newest(t)
	stands(t, "begun", r, rollout.Running, 0, rollout.NoReason)
	if r.Version != before.Version+1 || r.Former.Version != before.Version || r.Approval != res.Proposal.ID || r.ProposedBy != w.admin.String() {
		t.Errorf("%+v", r)
	}
	site, _ := must(w.other.Settings(ctx))(t).Site(w.far)
	for _, l := range site.AppendLayers(nil, settings.Asked{Channel: "wallet", Method: pinfree.PaymentCode, Now: w.clock.Now()}) {
		if l.Kind == pinfree.LayerMerchant && (l.Version != before.Version || l.State != pinfree.Off) {
			t.Errorf("a terminal that is not reached is decided by %+v, want version %d", l, before.Version)
		}
	}
	if c := site.Config(w.clock.Now()); c.PinFree || c.Version != r.Epoch {
		t.Errorf("its config: PIN-free %v, version %d; want off, version %d", c.PinFree, c.Version, r.Epoch)
	}
	if now := mark(w.far); now.Version != r.Epoch || now.Tightened != old.Tightened {
		t.Errorf("marks %+v, were %+v", now, old)
	}
	got := must(w.merchants.Rollout(ctx, w.admin, r.ID))(t)
	same(t, "figures", got.Figures, rollout.Figures{Total: 3, Reached: 2, HostAlone: 1})
}

func rolloutGoesOn(t *testing.T, w *rolloutWorld) {
	ctx := t.Context()
	r := w.start(t, merchant.Terms{PinFree: true}, w.plan())
	stands(t, "nothing proved", w.watch(t), rollout.Running, 0, rollout.NoReason)
	left := must(w.fleet.ReachOutstanding(ctx, w.admin, reachOf(&r), "", 1))(t)
	if len(left) != 1 || left[0].Terminal != w.device.ID || left[0].Stage != terminal.StageWanted {
		t.Errorf("outstanding: %+v", left)
	}
	w.sync(t, w.device)
	if left := must(w.fleet.ReachOutstanding(ctx, w.admin, reachOf(&r), "", 0))(t); len(left) != 0 {
		t.Errorf("outstanding: %+v", left)
	}
	same(t, "figures", must(w.merchants.Rollout(ctx, w.admin, r.ID))(t).Figures, rollout.Figures{Total: 3, Reached: 2, HostAlone: 1, Attested: 1})
	w.clock.Add(30*time.Minute - 1)
	stands(t, "proved, not long enough", w.watch(t), rollout.Running, 0, rollout.NoReason)
	w.passing(t, "still the first stage", true, false)
	w.clock.Add(time.Microsecond)
	next := w.watch(t)
	stands(t, "long enough", next, rollout.Running, 1, rollout.NoReason)
	if next.Epoch <= r.Epoch || next.ChangedBy != mianmi.System("rollouts").String() {
		t.Errorf("the second stage: %+v", next)
	}
	w.passing(t, "everybody", true, true)
	w.sync(t, w.device)
	w.clock.Add(30 * time.Minute)
	w.sync(t, w.device)
	stands(t, "the end", w.watch(t), rollout.Finished, 1, rollout.NoReason)
	w.passing(t, "finished", true, true)
	p := must(w.merchants.Policy(ctx, w.admin, w.scope()))(t)
	if p.Rollout != nil || p.Version != r.Version || !p.Terms.PinFree {
		t.Errorf("the policy after it: %+v", p)
	}
	if f := must(w.merchants.Rollout(ctx, w.admin, r.ID))(t).Figures; f != (rollout.Figures{}) {
		t.Errorf("figures of what is over: %+v", f)
	}
	_, err := w.merchants.StopRollout(ctx, w.admin, r.ID)
	wantKind(t, err, mianmi.Conflict, "rollout_over")
}

func reachOf(r *merchant.Rollout) terminal.Reach {
	return terminal.Reach{Scope: r.Scope.String(), Place: terminal.Place{Merchant: r.Merchant, Store: r.Store}, Epoch: r.Epoch, Has: r.Reaches}
}

func rolloutWaitsForHand(t *testing.T, w *rolloutWorld) {
	plan := w.plan()
	plan.ByHand = true
	r := w.start(t, merchant.Terms{PinFree: true}, plan)
	w.sync(t, w.device)
	w.clock.Add(time.Hour)
	w.sync(t, w.device)
	stands(t, "by hand", w.watch(t), rollout.Running, 0, rollout.NoReason)
	must(w.merchants.AdvanceRollout(t.Context(), w.admin, r.ID))(t)
	w.passing(t, "advanced", true, true)
	w.sync(t, w.device)
	w.clock.Add(time.Hour)
	w.sync(t, w.device)
	stands(t, "the last stage ends by itself", w.watch(t), rollout.Finished, 1, rollout.NoReason)
}

func fewProofsPause(t *testing.T, w *rolloutWorld) {
	ctx := t.Context()
	r := w.start(t, merchant.Terms{PinFree: true}, w.plan())
	w.clock.Add(15*time.Minute - 1)
	stands(t, "in time yet", w.watch(t), rollout.Running, 0, rollout.NoReason)
	w.clock.Add(time.Microsecond)
	paused := w.watch(t)
	stands(t, "too late", paused, rollout.Paused, 0, rollout.FewAttested)
	if b := paused.Because; b.Count != 0 || b.Of != 1 {
		t.Errorf("because of %+v", b)
	}
	w.passing(t, "paused", true, false)
	_, err := w.merchants.AdvanceRollout(ctx, w.admin, r.ID)
	wantKind(t, err, mianmi.Conflict, "rollout_paused")
	w.sync(t, w.device)
	w.clock.Add(time.Hour)
	stands(t, "proved while it is paused", w.watch(t), rollout.Paused, 0, rollout.FewAttested)
	w.sync(t, w.device)
	resumed := must(w.merchants.ResumeRollout(ctx, w.admin, r.ID))(t)
	stands(t, "resumed", resumed, rollout.Running, 0, rollout.NoReason)
	stands(t, "judged anew from now", w.watch(t), rollout.Running, 0, rollout.NoReason)
	w.clock.Add(30 * time.Minute)
	w.sync(t, w.device)
	stands(t, "goes on", w.watch(t), rollout.Running, 1, rollout.NoReason)
}

func rolloutStops(t *testing.T, w *rolloutWorld) {
	ctx := t.Context()
	r := w.start(t, merchant.Terms{PinFree: true}, w.plan())
	must(w.merchants.AdvanceRollout(ctx, w.admin, r.ID))(t)
	w.passing(t, "everybody", true, true)
	stopped := must(w.merchants.StopRollout(ctx, w.support, r.ID))(t)
	stands(t, "stopped", stopped, rollout.Stopped, 1, rollout.ByPerson)
	w.passing(t, "stopped", false, false)
	p := must(w.merchants.Policy(ctx, w.admin, w.scope()))(t)
	if p.Rollout != nil || p.Version != r.Version+1 || p.Terms.PinFree || p.Actor != w.support.String() {
		t.Errorf("the policy after it: %+v", p)
	}
	off := w.off(t)
	if off.Scope != w.scope().String() || off.Outcome != "" || !off.At.Equal(w.clock.Now()) {
		t.Errorf("the OFF is not watched: %+v", off)
	}
	w.believed(t, "after the stop", w.device, pinfree.TerminalNeverProved)
	w.clock.Add(2 * time.Hour)
	stands(t, "nothing moves any more", w.watch(t), rollout.Stopped, 1, rollout.ByPerson)
	w.passing(t, "later", false, false)
	for name, do := range w.acts(t) {
		_, err := do(w.admin, r.ID)
		if mianmi.KindOf(err) != mianmi.Conflict {
			t.Errorf("%s of what is over: %v", name, err)
		}
	}
	again := w.start(t, merchant.Terms{PinFree: true}, w.plan())
	if again.ID == r.ID || again.Former.Version != p.Version {
		t.Errorf("another one: %+v", again)
	}
}

// acts are what one can do with a rollout.
func (w *rolloutWorld) acts(t *testing.T) map[string]func(mianmi.Actor, mianmi.RolloutID) (merchant.Rollout, error) {
	t.Helper()
	s := w.merchants
	out := map[string]func(mianmi.Actor, mianmi.RolloutID) (merchant.Rollout, error){}
	for name, act := range map[string]func(context.Context, mianmi.Actor, mianmi.RolloutID) (merchant.Rollout, error){
		"pause": s.PauseRollout, "resume": s.ResumeRollout, "advance": s.AdvanceRollout, "stop": s.StopRollout,
	} {
		out[name] = func(a mianmi.Actor, id mianmi.RolloutID) (merchant.Rollout, error) { return act(t.Context(), a, id) }
	}
	return out
}

func twoRunners(t *testing.T, w *rolloutWorld) {
	plan := rollout.Usual(rollout.Stage{Permille: 1}, rollout.Stage{Permille: 2}, rollout.Stage{Permille: 3}, rollout.Stage{Permille: rollout.All})
	plan.AttestedMin = 0
	r := w.start(t, merchant.Terms{PinFree: true}, plan)
	runners := []*merchant.Service{w.merchants, merchant.New(w.other, w.clock, w.random)}
	for stage := range 3 {
		w.clock.Add(30 * time.Minute)
		var all sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			all.Go(func() { errs[i] = runners[i%2].WatchRollouts(t.Context(), 0) })
		}
		all.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		stands(t, "eight runners", w.newest(t), rollout.Running, stage+1, rollout.NoReason)
	}
	if got := w.newest(t); got.Revision != r.Revision+3 {
		t.Errorf("%d changes, want 3", got.Revision-r.Revision)
	}
	if ok := must(w.db.ClaimRollout(t.Context(), r.ID, time.Hour))(t); !ok {
		t.Fatal("it was not claimed")
	}
	w.clock.Add(time.Hour)
	if err := runners[1].WatchRollouts(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	stands(t, "another has it", w.newest(t), rollout.Running, 3, rollout.NoReason)
	if err := w.db.RestRollout(t.Context(), r.ID, 0); err != nil {
		t.Fatal(err)
	}
	stands(t, "given back", w.watch(t), rollout.Finished, 3, rollout.NoReason)
}
