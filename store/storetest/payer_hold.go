package storetest

import (
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
)

var onRisk = payer.Basis{Method: payer.OnRiskCase, Ref: "R-1"}

// A hold is in force at once and over by itself, is made longer and never
// shorter, and leaves all else as it was: a cooling-off goes on, and what the
// payer had set is there when it ends (P8).
func holdUntilItsEnd(t *testing.T, nodes Nodes) {
	w, ctx := newPayerWorld(t, nodes, payer.Config{}), t.Context()
	who := w.payer(t, false)
	id := idOf(who)
	must(w.payers.SetLimits(ctx, who, id, payer.LimitsInput{Limits: payer.Limits{PerPayment: ptr(2000)}}))(t)
	must(w.payers.Reopen(ctx, who, id, risked()))(t)
	before := w.all(t, who)
	ends := w.clock.Now().Add(48 * time.Hour)
	order := func(by time.Duration) payer.HoldOrder {
		return payer.HoldOrder{Until: ends.Add(by), Because: payer.HoldUnusual}
	}
	for _, tt := range []struct {
		o     payer.HoldOrder
		field string
	}{
		{payer.HoldOrder{Until: w.clock.Now(), Because: payer.HoldUnusual}, "until"},
		{payer.HoldOrder{Until: w.clock.Now().Add(payer.HoldLifeMax + time.Second), Because: payer.HoldUnusual}, "until"},
		{payer.HoldOrder{Until: ends}, "because"},
		{payer.HoldOrder{Until: ends, Because: "Zhang San"}, "because"},
		{payer.HoldOrder{Until: ends, Because: payer.HoldCase, Basis: payer.Basis{Method: payer.ByVideo, Ref: "a b"}}, "basis.ref"},
	} {
		_, err := w.payers.Hold(ctx, w.risk, id, tt.o)
		wantKind(t, err, mianmi.Invalid, tt.field)
	}
	samePayer(t, "after bad input", w.all(t, who), before)

	held := must(w.node(t).payers.Hold(ctx, mianmi.System("risk"), id, order(0)))(t)
	if h := held.Hold; held.State != payer.CoolingOff || h == nil || !h.Until.Equal(ends) || h.By != "system" || !h.Answerable() {
		t.Fatalf("held: %+v", held)
	}
	same(t, "a shorter one", must(w.payers.Hold(ctx, mianmi.System("risk"), id, order(-time.Hour)))(t), held)
	taken := must(w.payers.Hold(ctx, w.risk, id, order(-time.Hour)))(t).Hold
	if !taken.Until.Equal(ends) || taken.By != "risk_analyst" || taken.Answerable() || !taken.Since.Equal(held.Hold.Since) {
		t.Errorf("a person takes it over: %+v", taken)
	}
	if longer := must(w.payers.Hold(ctx, mianmi.System("risk"), id, order(time.Hour)))(t).Hold; !longer.Until.Equal(ends.Add(time.Hour)) || longer.By != "risk_analyst" {
		t.Errorf("a rule makes it longer, and the person's it stays: %+v", longer)
	}
	_, err := w.payers.GrantAllowance(ctx, who, id, payer.AllowanceInput{Max: money.Of(100, "CNY"), Password: password})
	wantKind(t, err, mianmi.Conflict, "held")
	must(w.payers.IssueCode(ctx, who, id))(t)

	w.clock.Add(24 * time.Hour) // the cooling-off is over
	if v := w.status(t, who); v.State != payer.Held || !v.Settings.PinFree || *v.Settings.PerPayment != 2000 {
		t.Errorf("open, but for the hold: %+v", v)
	}
	w.clock.Add(25*time.Hour - time.Microsecond)
	if v := w.status(t, who); v.State != payer.Held {
		t.Errorf("a microsecond before its end: %+v", v)
	}
	w.clock.Add(time.Microsecond)
	if v := w.status(t, who); v.State != payer.Open || v.Hold != nil || !v.Since.Equal(before.Payer.Pending.At) {
		t.Errorf("at its end: %+v", v)
	}
	must(w.payers.SetLimits(ctx, who, id, payer.LimitsInput{Limits: payer.Limits{PerPayment: ptr(1000)}}))(t)
	if h := w.all(t, who).Payer.Hold; h != nil {
		t.Errorf("a hold that is over is kept: %+v", h)
	}
}

// Whoever lifts a hold says why; support has checked the identity, and the payer
// lifts only what a rule placed, with the password.
func holdIsLifted(t *testing.T, nodes Nodes) {
	w, ctx := newPayerWorld(t, nodes, payer.Config{}), t.Context()
	who, other := w.payer(t, true), w.payer(t, true)
	id := idOf(who)
	hold := func(by mianmi.Actor, why payer.HoldCause) payer.Status {
		return must(w.payers.Hold(ctx, by, id, payer.HoldOrder{Until: w.clock.Now().Add(time.Hour), Because: why}))(t)
	}
	refused := func(by mianmi.Actor, in payer.HoldLifting, kind mianmi.Kind, code string) {
		t.Helper()
		_, err := w.payers.LiftHold(ctx, by, id, in)
		wantKind(t, err, kind, code)
	}
	lifted := func(by mianmi.Actor, in payer.HoldLifting) {
		t.Helper()
		if v := must(w.payers.LiftHold(ctx, by, id, in))(t); v.State != payer.Open || v.Hold != nil {
			t.Errorf("%v lifted it: %+v", by.Role, v)
		}
	}
	secret := payer.HoldLifting{Password: password}
	if v := hold(mianmi.System("risk"), payer.HoldUnusual); v.State != payer.Held {
		t.Errorf("held: %+v", v)
	}
	for _, a := range []mianmi.Actor{other, w.client, w.admin, w.cashier, mianmi.System("risk")} {
		refused(a, secret, mianmi.Denied, "not_allowed")
	}
	for _, a := range []mianmi.Actor{other, w.admin, w.cashier} {
		_, err := w.payers.Hold(ctx, a, id, payer.HoldOrder{Until: w.clock.Now().Add(time.Hour), Because: payer.HoldCase})
		wantKind(t, err, mianmi.Denied, "not_allowed")
	}
	refused(who, payer.HoldLifting{Password: "111222"}, mianmi.Unauthenticated, "password_wrong")
	refused(who, payer.HoldLifting{Basis: checked}, mianmi.Invalid, "basis")
	refused(w.support, payer.HoldLifting{}, mianmi.Invalid, "basis")
	refused(w.support, payer.HoldLifting{Basis: onRisk}, mianmi.Invalid, "basis.method")
	refused(w.support, payer.HoldLifting{Basis: checked, Password: password}, mianmi.Invalid, "password")
	refused(w.risk, payer.HoldLifting{}, mianmi.Invalid, "basis")
	lifted(who, secret)
	version := w.status(t, who).Version
	lifted(who, secret) // there is none
	if v := w.status(t, who); v.Version != version {
		t.Errorf("lifting nothing made version %d of %d", v.Version, version)
	}
	for _, by := range []struct {
		placed mianmi.Actor
		why    payer.HoldCause
	}{{w.risk, payer.HoldUnusual}, {who, payer.HoldAsked}, {mianmi.System("restore"), payer.HoldRestored}} {
		hold(by.placed, by.why)
		refused(who, secret, mianmi.Denied, "not_allowed")
		lifted(w.support, payer.HoldLifting{Basis: checked})
	}
	hold(w.support, payer.HoldReported)
	lifted(w.risk, payer.HoldLifting{Basis: onRisk})
	hold(w.client, payer.HoldAsked)
	lifted(w.operator, payer.HoldLifting{Basis: onRisk})
}

// While a hold stands every payment asks, by code and card and in a dry run, also
// one that the payer has allowed in advance; the decision says who and until when.
// At its end the allowance is as good as before.
func holdAsks(t *testing.T, d *desk) {
	ctx, p := t.Context(), d.person(t, 1000_00)
	d.mustPay(t, p.Tap(d.Terminal, order(), 1_00), payment.Approved)
	must(d.a.Payers.GrantAllowance(ctx, p.Actor(), p.ID, payer.AllowanceInput{Max: money.Of(50_00, "CNY"), Life: time.Hour, Password: PaymentPassword}))(t)
	shown := must(d.a.Payers.IssueCode(ctx, p.Actor(), p.ID))(t)
	until := d.clock.Now().Add(30 * time.Minute)
	held := must(d.b.Payers.Hold(ctx, mianmi.System("risk"), p.ID, payer.HoldOrder{Until: until, Because: payer.HoldUnusual}))(t)
	want := pinfree.Why{Reason: pinfree.RiskStepUp, Layer: pinfree.LayerRisk, ID: "system", Version: held.Version, At: until.Unix(), Decided: d.clock.Now().Unix()}

	asks := func(what string, outcome pinfree.Outcome, reasons []pinfree.Why) {
		t.Helper()
		if outcome != pinfree.StepUp || len(reasons) == 0 || reasons[0] != want {
			t.Errorf("%s: %v %+v, want %+v", what, outcome, reasons, want)
		}
	}
	tapped := must(d.pay(t, p.Tap(d.Terminal, order(), 1_00)))(t)
	asks("a card", tapped.Outcome, tapped.Reasons)
	coded := must(d.pay(t, Code(d.Terminal, order(), 1_00, shown.Digits)))(t)
	asks("a code", coded.Outcome, coded.Reasons)
	wantState(t, must(d.a.Payments.Confirm(ctx, p.Actor(), coded.ID, PaymentPassword))(t), payment.Approved)
	dry := must(d.a.Payments.DryRun(ctx, p.Actor(), p.ID, p.Tap(d.Terminal, "", 1_00)))(t)
	asks("a dry run", dry.Decision.Outcome, dry.Decision.Reasons)

	must(d.a.Payers.Close(ctx, p.Actor(), p.ID, noBasis))(t)
	both := must(d.pay(t, p.Tap(d.Terminal, order(), 1_00)))(t)
	if len(both.Reasons) != 2 || both.Reasons[0].Reason != pinfree.PayerClosed || both.Reasons[1].Reason != pinfree.RiskStepUp {
		t.Errorf("closed and held: %+v", both.Reasons)
	}
	d.clock.Add(30*time.Minute - time.Second)
	d.mustPay(t, p.Tap(d.Terminal, order(), 1_00), payment.StepUpRequired)

	q := d.person(t, 1000_00)
	must(d.a.Payers.Close(ctx, q.Actor(), q.ID, noBasis))(t)
	must(d.a.Payers.GrantAllowance(ctx, q.Actor(), q.ID, payer.AllowanceInput{Max: money.Of(50_00, "CNY"), Life: time.Hour, Password: PaymentPassword}))(t)
	must(d.a.Payers.Hold(ctx, Operator, q.ID, payer.HoldOrder{Until: d.clock.Now().Add(time.Minute), Because: payer.HoldCase}))(t)
	d.mustPay(t, q.Tap(d.Terminal, order(), 1_00), payment.StepUpRequired)
	d.clock.Add(time.Minute)
	passed := must(d.pay(t, q.Tap(d.Terminal, order(), 1_00)))(t)
	if passed.Outcome != pinfree.PinFree || passed.Reasons[0].Reason != pinfree.OneOffAllowance {
		t.Errorf("at its end: %v %+v", passed.Outcome, passed.Reasons)
	}
}
