package storetest

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/asof"
	"github.com/mianmi/mianmi/channel/wallet"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/risk"
	cases "github.com/mianmi/mianmi/support/desk"
	"github.com/mianmi/mianmi/support/liability"
	"github.com/mianmi/mianmi/support/redress"
)

// told are alarms that a rule raised.
type toldAlarms []risk.Alarm

func (l toldAlarms) Alarms(_ context.Context, _ mianmi.Actor, q risk.Query) (out []risk.Alarm, err error) {
	for _, a := range l {
		if a.Rule == q.Rule && q.Before == "" {
			out = append(out, a)
		}
	}
	return out, nil
}

func (w *caseWorld) redresser(s *cases.Service, alarms ...risk.Alarm) *redress.Service {
	n := w.node
	past := asof.New(asof.Parts{Log: n.DB, Payments: n.Payments, Terminals: n.Terminals, Merchants: n.Merchants, Clock: w.clock, Channel: wallet.Wallet{}.Name()})
	bears := &liability.Service{Cases: s, Payments: n.Payments, Payers: n.Payers, AsOf: past, Terminals: n.Terminals, Clock: w.clock}
	return &redress.Service{Alarms: toldAlarms(alarms), Payments: n.Payments, Record: bears, Cases: s, Log: slog.New(slog.DiscardHandler)}
}

// passed are a payment of before the payer's OFF, and two that passed PIN-free after
// it: for the clock of the node that took them was an hour ahead.
func (w *caseWorld) passed(t *testing.T, p Person) (before *payment.Payment, after []*payment.Payment) {
	t.Helper()
	before = w.pay(t, p)
	w.clock.Add(time.Hour)
	after = append(after, w.pay(t, p))
	w.clock.Add(time.Second)
	after = append(after, w.pay(t, p))
	w.clock.Add(-30 * time.Minute)
	must(w.node.Payers.Close(t.Context(), p.Actor(), p.ID, payer.Basis{}))(t)
	w.clock.Add(2 * time.Hour)
	return before, after
}

// Payments that passed PIN-free after an OFF are given back once, whoever looks and
// however often, at the platform's cost, with a case that says so; one of before it
// is not. What a person has a case about is that person's until it is decided.
func breachMadeGood(t *testing.T, w *caseWorld) {
	ctx := t.Context()
	w.fund(t, 100_00)
	had := w.balance(t, w.p)
	before, after := w.passed(t, w.p)
	alarm := risk.Alarm{ID: "am01kbcx9v5q0000000000000001", Rule: "payer_used_after_closing", Payer: w.p.ID, Payment: after[1].ID, FirstAt: w.clock.Now()}
	sweep := func(n int, alarm risk.Alarm) {
		t.Helper()
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				if err := w.redresser([]*cases.Service{w.a, w.b}[i%2], alarm).Sweep(ctx); err != nil {
					t.Errorf("a sweep: %v", err)
				}
			})
		}
		all.Wait()
		for range 5 {
			must(w.a.PayDue(ctx))(t)
		}
	}
	sweep(6, alarm)
	sweep(2, alarm)
	list := must(w.a.Cases(ctx, w.agent, cases.Query{Payer: w.p.ID}))(t)
	if len(list) != 1 || list[0].Category != cases.UsedAfterClosing || list[0].State != cases.Decided || list[0].Verdict != cases.Upheld || list[0].Award != cny(24_00) {
		t.Fatalf("the payer's cases: %+v", list)
	}
	paid := must(w.a.Payouts(ctx, w.agent, list[0].ID))(t)
	if len(paid) != 2 || paid[0].State != cases.PayoutPaid || paid[1].State != cases.PayoutPaid || paid[0].Source != cases.FromPlatform || paid[0].Basis != cases.OnBreach {
		t.Fatalf("payouts: %+v", paid)
	}
	if got := w.balance(t, w.p); got != had-12_00 {
		t.Errorf("the payer has %d, want %d", got, had-12_00)
	}
	if got := w.guarantee(t); got != 76_00 {
		t.Errorf("the guarantee account holds %d", got)
	}
	if p := must(w.node.Payments.Payment(ctx, Support, before.ID))(t); p.Refunded != 0 || p.State != payment.Approved {
		t.Errorf("the payment of before the OFF: %v, %d given back", p.State, p.Refunded)
	}
	mine := must(w.a.Case(ctx, w.p.Actor(), list[0].ID))(t)
	if len(mine.Notes) < 2 {
		t.Errorf("the payer reads %+v", mine.Notes)
	}
	// What a person has a case about.
	_, after = w.passed(t, w.q)
	theirs := must(w.a.Open(ctx, w.agent, fraud(after[0])))(t)
	alarm = risk.Alarm{ID: "am01kbcx9v5q0000000000000002", Rule: "payer_used_after_closing", Payer: w.q.ID, FirstAt: w.clock.Now()}
	sweep(3, alarm)
	k := must(w.a.Case(ctx, w.agent, theirs.ID))(t)
	if k.State == cases.Decided || len(must(w.a.Payouts(ctx, w.agent, theirs.ID))(t)) != 0 || len(k.Payments()) != 2 {
		t.Fatalf("a person's case was decided for them: %v, %d payments", k.State, len(k.Payments()))
	}
	must(w.a.Decide(ctx, w.agent, theirs.ID, cases.Decision{Verdict: cases.Upheld, Award: cny(24_00), Text: "属实", Version: k.Version}))(t)
	sweep(3, alarm)
	if paid := must(w.a.Payouts(ctx, w.agent, theirs.ID))(t); len(paid) != 2 || paid[1].State != cases.PayoutPaid {
		t.Errorf("after the decision: %+v", paid)
	}
	if n := len(must(w.a.Case(ctx, w.agent, theirs.ID))(t).Notes); n > 8 {
		t.Errorf("each look adds a note: %d", n)
	}
	w.wantBooks(t)
}
