package main

import (
	"testing"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
)

// A policy is rolled out over the API, by two persons, and looked after on the
// command line: a payment at the terminal that is reached is PIN-free, one at the
// other is not until the next stage, and after a stop none is.
func TestFleetRollout(t *testing.T) {
	t.Parallel()
	f := newFleetShop(t)
	ctx, scope := t.Context(), client.OfMerchant(f.merchant.ID)
	near, far := f.machine("收银台 1"), f.machine("收银台 2")
	done[client.PolicyResult](t)(f.operator.CloseScope(ctx, scope))
	plan := client.RolloutPlan{Stages: []client.RolloutStage{{Terminals: []mianmi.TerminalID{near.device.ID}}, {Permille: 1000}}, ByHand: true}
	res := done[client.PolicyResult](t)(f.operator.SetPolicyInStages(ctx, scope, client.Terms{PinFree: true}, plan))
	if res.Change != "loosening" || res.Proposal == nil || res.Proposal.Rollout == nil || len(res.Proposal.Rollout.Stages) != 2 {
		t.Fatalf("%+v", res)
	}
	done[client.Approval](t)(f.second.Approve(ctx, res.Proposal.ID))
	list := done[client.List[client.Rollout]](t)(f.operator.Rollouts(ctx, f.merchant.ID, true, client.Page{}))
	if len(list.Items) != 1 {
		t.Fatalf("%+v", list)
	}
	id := list.Items[0].ID
	if p := done[client.Policy](t)(f.operator.Policy(ctx, scope)); p.Rollout != id {
		t.Errorf("%+v", p)
	}
	both := []*wire{near, far}
	prove := func() {
		for _, w := range both {
			w.fetch()
			w.report()
		}
	}
	prove()
	if p, why := f.pay(near, "R1"); p.Outcome != "pin_free" {
		t.Errorf("at the terminal that is reached: %s because of %v", p.Outcome, why)
	}
	f.asks(far, "R2", "merchant_closed")

	r := done[client.Rollout](t)(f.operator.Rollout(ctx, id))
	if r.Figures == nil || r.Figures.Reached != 1 || r.Figures.Attested != 1 || r.Figures.Payments != 1 || r.State != "running" || r.Stage != 1 {
		t.Errorf("%+v, %+v", r, r.Figures)
	}
	if left := done[client.List[client.OutstandingTerminal]](t)(f.operator.RolloutOutstanding(ctx, id, client.Page{})); len(left.Items) != 0 {
		t.Errorf("outstanding: %+v", left.Items)
	}
	if _, err := f.operator.SetPolicy(ctx, scope, client.Terms{PinFree: true, Methods: []string{"payment_code"}}, nil); err != nil {
		t.Errorf("a tightening in between: %v", err)
	}
	fleet := func(args ...string) result { return f.world.run(t, append([]string{"fleet"}, args...)...) }
	wantRun(t, "the list", fleet("rollouts"), exitOK, string(id), "stage 1 of 2", "running")
	wantRun(t, "one", fleet("rollout", string(id)), exitOK, "1 of 2 terminals", "Proved: 1;")
	wantRun(t, "advanced by nobody", fleet("rollout", string(id), "--advance"), exitFailed, "login")
	wantRun(t, "paused", fleet("rollout", string(id), "--pause"), exitOK, "paused", "by a person")
	done[client.Rollout](t)(f.operator.ResumeRollout(ctx, id))
	done[client.Rollout](t)(f.operator.AdvanceRollout(ctx, id))
	wantRun(t, "advanced", fleet("rollouts"), exitOK, "stage 2 of 2", "running")
	prove()
	if p, why := f.pay(far, "R3"); p.Outcome != "pin_free" {
		t.Errorf("at the other, advanced: %s because of %v", p.Outcome, why)
	}
	wantRun(t, "stopped", fleet("rollout", string(id), "--stop"), exitOK, "stopped")
	for i, w := range both {
		if p, _ := f.pay(w, "S"+string(rune('1'+i))); p.Outcome == "pin_free" {
			t.Error("PIN-free after the stop")
		}
	}
	if _, err := f.operator.AdvanceRollout(ctx, id); err == nil {
		t.Error("what is over goes on")
	}
	wantRun(t, "none is left", fleet("rollouts"), exitOK, "no staged rollout")
	wantRun(t, "but this one", fleet("rollouts", "--all"), exitOK, string(id), "stopped")
}
