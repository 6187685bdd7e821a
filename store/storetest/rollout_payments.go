package storetest

import (
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/rollout"
	"github.com/mianmi/mianmi/secret"
)

// RolloutPayments is the contract of staged rollouts with payments: who is
// decided by which version, and how payments pause a stage.
func RolloutPayments(t *testing.T, nodes func(*testing.T) Nodes) {
	for name, test := range map[string]func(*testing.T, *stagedShop){
		"a payment names the version that decided it":    paymentNamesVersion,
		"too many declined payments pause it":            declinedPause,
		"too many payments without a result pause it":    unresolvedPause,
		"payments elsewhere or before it say nothing":    othersSayNothing,
		"a program is judged by payments where it runs":  programPaymentsCount,
		"after a stop the next payment asks for the PIN": stoppedPaymentsAsk,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newStagedShop(t, nodes(t)))
		})
	}
}

// stagedShop is a shop of which a rollout has opened one of two terminals.
type stagedShop struct {
	Shop
	node   *Node
	clock  *Clock
	payer  Person
	orders int
	id     mianmi.RolloutID
	former int64 // version
}

func newStagedShop(t *testing.T, nodes Nodes) *stagedShop {
	t.Helper()
	ctx, s := t.Context(), &stagedShop{clock: NewClock()}
	s.node = must(NewNode(ctx, NodeConfig{DB: nodes(), Keys: must(secret.New(rand.Reader))(t), Clock: s.clock}))(t)
	t.Cleanup(s.node.Payments.Stop)
	s.Shop = must(s.node.NewShop(ctx, merchant.Facts{}))(t)
	s.payer = must(s.node.NewPerson(ctx, 100_00))(t)
	off := must(s.node.Merchants.Close(ctx, Operator, merchant.OfMerchant(s.Merchant)))(t)
	s.former = off.Policy.Version
	plan := rollout.Usual(rollout.Stage{Terminals: []mianmi.TerminalID{s.Terminal}}, rollout.Stage{Permille: rollout.All})
	plan.PaymentsMin = 4
	res := must(s.node.Merchants.SetPolicy(ctx, Operator, merchant.PolicyOrder{Scope: merchant.OfMerchant(s.Merchant), Terms: merchant.Terms{PinFree: true}, Rollout: &plan}))(t)
	must(s.node.Merchants.Approve(ctx, Operator2, res.Proposal.ID))(t)
	s.id = must(s.node.Merchants.Rollouts(ctx, Operator, merchant.RolloutQuery{}))(t)[0].ID
	s.clock.Add(time.Second)
	return s
}

func (s *stagedShop) pay(t *testing.T, who Person, at mianmi.TerminalID, minor int64) *payment.Payment {
	t.Helper()
	s.orders++
	return must(s.node.Payments.Authorize(t.Context(), s.Manager, who.Tap(at, fmt.Sprint("o", s.orders), minor)))(t)
}

func (s *stagedShop) watch(t *testing.T) merchant.Rollout {
	t.Helper()
	if err := s.node.Merchants.WatchRollouts(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	return must(s.node.Merchants.Rollout(t.Context(), Operator, s.id))(t).Rollout
}

func paymentNamesVersion(t *testing.T, s *stagedShop) {
	if p := s.pay(t, s.payer, s.Terminal, 1_00); p.Outcome != pinfree.PinFree {
		t.Errorf("at the terminal that is reached: %v %+v", p.Outcome, p.Reasons)
	}
	p := s.pay(t, s.payer, s.Bare, 1_00)
	if p.Outcome == pinfree.PinFree || p.Reasons[0].Reason != pinfree.MerchantClosed || p.Reasons[0].Version != s.former {
		t.Errorf("at the other: %v %+v, want version %d", p.Outcome, p.Reasons, s.former)
	}
}

func declinedPause(t *testing.T, s *stagedShop) {
	poor := must(s.node.NewPerson(t.Context(), 0))(t)
	for range 3 {
		s.pay(t, s.payer, s.Terminal, 1_00)
	}
	stands(t, "too few to say", s.watch(t), rollout.Running, 0, rollout.NoReason)
	if p := s.pay(t, poor, s.Terminal, 1_00); p.State != payment.Declined {
		t.Fatalf("a payer without money: %v", p.State)
	}
	r := s.watch(t)
	stands(t, "one of four", r, rollout.Paused, 0, rollout.ManyDeclined)
	if r.Because.Count != 1 || r.Because.Of != 4 {
		t.Errorf("%+v", r.Because)
	}
	// What was before the resumption is judged no more.
	s.clock.Add(time.Second)
	must(s.node.Merchants.ResumeRollout(t.Context(), Operator, s.id))(t)
	stands(t, "resumed", s.watch(t), rollout.Running, 0, rollout.NoReason)
}

func unresolvedPause(t *testing.T, s *stagedShop) {
	for range 3 {
		s.pay(t, s.payer, s.Terminal, 1_00)
	}
	p := s.pay(t, s.payer, s.Terminal, 1500_00)
	if p.State != payment.StepUpRequired {
		t.Fatalf("a large payment: %v", p.State)
	}
	stands(t, "it waits for the PIN", s.watch(t), rollout.Running, 0, rollout.NoReason)
	s.clock.Add(p.ExpiresAt.Sub(s.clock.Now()))
	must(s.node.Payments.ExpireOverdue(t.Context()))(t)
	stands(t, "nobody came", s.watch(t), rollout.Paused, 0, rollout.ManyUnknown)
}

func othersSayNothing(t *testing.T, s *stagedShop) {
	poor := must(s.node.NewPerson(t.Context(), 0))(t)
	other := must(s.node.NewShop(t.Context(), merchant.Facts{}))(t)
	for range 6 {
		s.orders++
		p := must(s.node.Payments.Authorize(t.Context(), other.Manager, poor.Tap(other.Terminal, fmt.Sprint("o", s.orders), 1_00)))(t)
		if p.State != payment.Declined {
			t.Fatalf("elsewhere: %v", p.State)
		}
	}
	r := s.watch(t)
	stands(t, "elsewhere", r, rollout.Running, 0, rollout.NoReason)
	f := must(s.node.Merchants.Rollout(t.Context(), Operator, s.id))(t).Figures
	if f.Payments != 0 || f.Declined != 0 || f.Reached != 1 || f.Total != 2 {
		t.Errorf("%+v", f)
	}
}

func stoppedPaymentsAsk(t *testing.T, s *stagedShop) {
	if p := s.pay(t, s.payer, s.Terminal, 1_00); p.Outcome != pinfree.PinFree {
		t.Fatalf("before: %v", p.Outcome)
	}
	must(s.node.Merchants.StopRollout(t.Context(), Support, s.id))(t)
	for _, at := range []mianmi.TerminalID{s.Terminal, s.Bare} {
		if p := s.pay(t, s.payer, at, 1_00); p.Outcome == pinfree.PinFree {
			t.Errorf("after the stop %s takes a PIN-free payment", at)
		}
	}
}

func programPaymentsCount(t *testing.T, s *stagedShop) {
	before := s.clock.Now()
	s.pay(t, must(s.node.NewPerson(t.Context(), 0))(t), s.Terminal, 1_00)
	s.pay(t, s.payer, s.Terminal, 1_00)
	for name, tt := range map[string]struct {
		since time.Time
		at    mianmi.TerminalID
		want  rollout.Figures
	}{
		"there":     {before, s.Terminal, rollout.Figures{Payments: 2, Declined: 1}},
		"elsewhere": {before, s.Bare, rollout.Figures{}},
		"later":     {before.Add(time.Hour), s.Terminal, rollout.Figures{}},
	} {
		var f rollout.Figures
		if err := s.node.DB.CountPayments(t.Context(), tt.since, map[mianmi.TerminalID]bool{tt.at: true}, &f); err != nil {
			t.Fatal(err)
		}
		same(t, name, f, tt.want)
	}
}
