package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/risk"
)

// asks has a person spend until a rule asks whether that was them.
func (w *riskWorld) asks(t *testing.T, more ...risk.Measure) (risk.Protection, *payment.Payment) {
	t.Helper()
	w.own(t, func(r *risk.Rule) { r.Measures, r.For = append([]risk.Measure{risk.Ask}, more...), "24h" })
	paid := w.spend(t, w.p, 2)
	w.follow(t, w.a)
	w.protect(t)
	w.protect(t)
	list := must(w.b.Questions(t.Context(), w.p.Actor(), w.p.ID))(t)
	if len(list) != 1 || list[0].Payment != paid.ID || list[0].Answer != payer.NoAnswer || len(w.entries(t, string(w.p.ID), "payer.question.asked")) != 1 {
		t.Fatalf("asked: %+v", list)
	}
	return list[0], paid
}

func (w *riskWorld) status(t *testing.T) payer.Status {
	t.Helper()
	return must(w.node.Payers.Show(t.Context(), w.p.Actor(), w.p.ID))(t).Status
}

// No: PIN-free payment is on hold at once, for staff to lift; a case follows, again
// until there is one, and the alarm is raised.
func riskDenied(t *testing.T, w *riskWorld) {
	ctx := t.Context()
	q, _ := w.asks(t)
	if st := w.status(t); st.State != payer.Open {
		t.Errorf("to be asked alone holds nothing: %+v", st)
	}
	_, err := w.a.Answer(ctx, w.q.Actor(), w.p.ID, q.ID, risk.Reply{})
	wantCode(t, err, "not_allowed")
	if _, err = w.a.Answer(ctx, w.q.Actor(), w.q.ID, q.ID, risk.Reply{}); !errors.Is(err, mianmi.NotFound) {
		t.Errorf("another's question: %v", err)
	}
	_, err = w.a.Answer(ctx, w.p.Actor(), w.p.ID, q.ID, risk.Reply{Password: PaymentPassword})
	wantField(t, err, "password")
	var opened []mianmi.MeasureID
	for _, s := range []*risk.Service{w.a, w.b} {
		s.OpenCase = func(_ context.Context, p risk.Protection) error {
			if opened = append(opened, p.ID); len(opened) == 1 {
				return errors.New("the desk is away")
			}
			return nil
		}
	}
	for range 2 {
		if got := must(w.a.Answer(ctx, w.p.Actor(), w.p.ID, q.ID, risk.Reply{}))(t); got.Answer != payer.Denied || got.AnsweredAt.IsZero() {
			t.Errorf("answered: %+v", got)
		}
	}
	st := w.status(t)
	if st.State != payer.Held || st.Hold.Because != payer.HoldReported || st.Hold.Answerable() {
		t.Errorf("after no: %+v", st)
	}
	_, err = w.a.Answer(ctx, w.p.Actor(), w.p.ID, q.ID, risk.Reply{Yes: true, Password: PaymentPassword})
	wantCode(t, err, "question_answered")
	for range 2 {
		must(w.b.TakeMeasures(ctx))(t)
	}
	if !slices.Equal(opened, []mianmi.MeasureID{q.ID, q.ID}) {
		t.Errorf("cases: %v", opened)
	}
	a := w.alarms(t, risk.Query{Payer: w.p.ID})[0]
	if a.Severity != risk.High || a.EscalatedAt.IsZero() || a.State != risk.Open {
		t.Errorf("the alarm: %+v", a)
	}
	if n := len(w.entries(t, string(w.p.ID), "payer.question.denied")); n != 1 {
		t.Errorf("recorded %d times", n)
	}
}

// Yes: needs the password, lifts what the same rule stepped up, and resolves the
// alarm. A freeze and what a person placed stay.
func riskConfirmed(t *testing.T, w *riskWorld) {
	ctx := t.Context()
	q, _ := w.asks(t, risk.StepUp)
	yes := risk.Reply{Yes: true}
	_, err := w.a.Answer(ctx, w.p.Actor(), w.p.ID, q.ID, yes)
	wantField(t, err, "password")
	yes.Password = "000000"
	if _, err = w.a.Answer(ctx, w.p.Actor(), w.p.ID, q.ID, yes); mianmi.KindOf(err) != mianmi.Unauthenticated {
		t.Errorf("a wrong password: %v", err)
	}
	if st := w.status(t); st.State != payer.Held {
		t.Fatalf("without the password: %+v", st)
	}
	yes.Password = PaymentPassword
	if got := must(w.a.Answer(ctx, w.p.Actor(), w.p.ID, q.ID, yes))(t); got.Answer != payer.Confirmed {
		t.Errorf("answered: %+v", got)
	}
	if st := w.status(t); st.State != payer.Open {
		t.Errorf("after yes: %+v", st)
	}
	if a := w.alarms(t, risk.Query{Payer: w.p.ID})[0]; a.State != risk.Resolved || a.Verdict != "harmless" || a.ResolvedBy != w.p.Actor().String() {
		t.Errorf("the alarm: %+v", a)
	}
	// Found anew, and a person looks after it meanwhile.
	w.clock.Add(2 * time.Hour)
	w.spend(t, w.p, 2)
	w.follow(t, w.a)
	w.protect(t)
	must(w.node.Payers.Hold(ctx, Analyst, w.p.ID, payer.HoldOrder{Until: w.clock.Now().Add(time.Hour), Because: payer.HoldCase}))(t)
	again := must(w.b.Questions(ctx, w.p.Actor(), w.p.ID))(t)
	must(w.b.Answer(ctx, w.p.Actor(), w.p.ID, again[0].ID, yes))(t)
	if st := w.status(t); len(again) != 2 || st.State != payer.Held || st.Hold.Because != payer.HoldCase {
		t.Errorf("a person's hold after yes: %+v", st)
	}
}

// Silence: payments ask for as long again, the alarm is escalated, and a late yes
// with the password still ends it.
func riskSilence(t *testing.T, w *riskWorld) {
	ctx := t.Context()
	q, _ := w.asks(t)
	w.clock.Add(q.Until.Sub(w.clock.Now()) - time.Microsecond)
	w.protect(t)
	if st := w.status(t); st.State != payer.Open {
		t.Fatalf("before the time is over: %+v", st)
	}
	w.clock.Add(time.Microsecond)
	w.protect(t)
	w.protect(t)
	st := w.status(t)
	if st.State != payer.Held || !st.Hold.Answerable() || !st.Hold.Until.Equal(w.clock.Now().Add(q.Until.Sub(q.FoundAt))) || st.Hold.Rule != pairs.ID {
		t.Errorf("after silence: %+v", st)
	}
	if a := w.alarms(t, risk.Query{Payer: w.p.ID})[0]; a.EscalatedAt.IsZero() || a.State != risk.Open {
		t.Errorf("the alarm: %+v", a)
	}
	if n := len(w.entries(t, string(w.p.ID), "payer.question.unanswered")); n != 1 {
		t.Errorf("recorded %d times", n)
	}
	must(w.a.Answer(ctx, w.p.Actor(), w.p.ID, q.ID, risk.Reply{Yes: true, Password: PaymentPassword}))(t)
	if st := w.status(t); st.State != payer.Open {
		t.Errorf("a late yes: %+v", st)
	}
}
