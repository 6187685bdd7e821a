package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
)

// Payers is the contract of payers: switch, limits, loss report, agreements,
// payment password, payment codes. nodes opens an empty, migrated database.
func Payers(t *testing.T, nodes func(*testing.T) Nodes) {
	tests := map[string]func(*testing.T, Nodes){
		"a payer is read back, and a phone number has one":      payerIsReadBack,
		"bad input of a payer names its field":                  badPayerInput,
		"closing is one step and harms nothing else":            closingHarmsNothing,
		"reopening waits for its cooling-off":                   reopeningWaits,
		"a clock that goes back brings no loosening earlier":    clockGoesBack,
		"limits tighten at once and loosen slowly":              limitsChange,
		"a lost phone freezes, and is lifted with a new secret": lossAndLift,
		"a one-off allowance dies with any tightening":          allowanceDies,
		"a hold asks until its end and touches nothing else":    holdUntilItsEnd,
		"a hold is lifted by whom it concerns":                  holdIsLifted,
		"agreements open with consent and close in one step":    agreements,
		"five guesses are evaluated, however many come at once": fiveGuesses,
		"rules in force lock the password earlier, never later": rulesLockEarlier,
		"a guess that was never evaluated costs no try":         busyCostsNoTry,
		"a locked password has its ways out":                    unlocks,
		"a login tells nothing about the phone number":          loginTellsNothing,
		"payment codes are bounded and void after a loss":       paymentCodes,
		"rights on payers": payerRights,
		"each change is recorded once, without personal data": changesAreRecorded,
		"concurrent changes of one payer come one by one":     concurrentPayerChanges,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, nodes(t))
		})
	}
}

func payerIsReadBack(t *testing.T, nodes Nodes) {
	w, ctx := newPayerWorld(t, nodes, payer.Config{}), t.Context()
	n := payer.NewPayer{Phone: "+8613900000001", Name: "李四", Lang: mianmi.EN, Password: password}
	made := must(w.payers.Create(ctx, w.client, n))(t)
	id := made.Status.Payer
	who := mianmi.Actor{Role: mianmi.RolePayer, ID: string(id)}
	same(t, "as made", made, must(w.payers.Show(ctx, w.client, id))(t))
	shown := must(w.payers.Show(ctx, who, id))(t)
	if shown.Phone != n.Phone || made.Phone != "****0001" || shown.Status.State != payer.Closed || !shown.Status.HasPassword ||
		shown.Balance != money.Of(0, "CNY") {
		t.Errorf("payer sees %+v, the client %+v", shown, made)
	}
	same(t, "by phone", must(w.payers.FindByPhone(ctx, w.support, n.Phone))(t), id)
	same(t, "whole", w.all(t, who).Payer.Settings, payer.Settings{Currency: "CNY"})

	_, err := w.payers.Create(ctx, w.client, n)
	wantKind(t, err, mianmi.Conflict, "phone_taken")
	_, err = w.payers.FindByPhone(ctx, w.support, "+8613900000002")
	wantKind(t, err, mianmi.NotFound, "")
	_, err = w.payers.Show(ctx, w.support, "py00000000000000000000000000")
	wantKind(t, err, mianmi.NotFound, "")
	_, err = w.payers.Close(ctx, w.support, "py00000000000000000000000000", payer.Basis{})
	wantKind(t, err, mianmi.NotFound, "")

	open := must(w.payers.Create(ctx, w.client, payer.NewPayer{Phone: "+447700900123", Name: "Ann", Currency: "GBP",
		Password: password, PinFree: true, RiskVersion: payer.RiskText.Version}))(t)
	if open.Status.State != payer.Open || open.Balance.Currency() != "GBP" {
		t.Errorf("opened at registration: %+v", open)
	}
}

// P8: closing changes the switch, what waits and the allowance, and not one
// other stored thing.
func closingHarmsNothing(t *testing.T, nodes Nodes) {
	w, ctx := newPayerWorld(t, nodes, payer.Config{}), t.Context()
	who := w.payer(t, true)
	id := idOf(who)
	must(w.payers.SetLimits(ctx, who, id, payer.LimitsInput{Limits: payer.Limits{PerPayment: ptr(5000), QuietFrom: 1380, QuietTo: 360}}))(t)
	must(w.payers.OpenAgreement(ctx, who, id, payer.AgreementInput{Merchant: w.merchant.ID, Password: password, ConsentVersion: payer.ConsentText.Version}))(t)
	must(w.payers.AddInstrument(ctx, w.client, id, payer.NewInstrument{Scheme: "unionpay", Kind: "debit", Domestic: true, Issuer: "icbc", Last4: "1234"}))(t)
	must(w.payers.SetLimits(ctx, who, id, payer.LimitsInput{Limits: payer.Limits{PerPayment: ptr(9000)}, Password: password,
		RiskVersion: payer.RiskText.Version}))(t)
	must(w.payers.GrantAllowance(ctx, who, id, payer.AllowanceInput{Max: money.Of(8000, "CNY"), Password: password}))(t)
	before := w.all(t, who)
	if before.Payer.Pending == nil || before.Payer.Allowance == nil {
		t.Fatalf("nothing to void: %+v", before.Payer)
	}
	w.clock.Add(time.Minute)
	closed := must(w.payers.Close(ctx, who, id, payer.Basis{}))(t)
	want := before
	want.Payer.Settings.PinFree, want.Payer.Pending, want.Payer.Allowance = false, nil, nil
	want.Payer.Since, want.Payer.Version = w.clock.Now(), before.Payer.Version+1
	samePayer(t, "closed", w.all(t, who), want)
	if closed.State != payer.Closed || closed.Sentence.ZH == "" || closed.Sentence.EN == "" {
		t.Errorf("status %+v", closed)
	}
	// Again, on another node and later: nothing moves.
	w.clock.Add(time.Hour)
	again := must(w.node(t).payers.Close(ctx, w.support, id, checked))(t)
	samePayer(t, "closed twice", w.all(t, who), want)
	if again.Since != closed.Since || again.Version != closed.Version {
		t.Errorf("second close: %+v, first %+v", again, closed)
	}
}

func reopeningWaits(t *testing.T, nodes Nodes) {
	w, ctx := newPayerWorld(t, nodes, payer.Config{}), t.Context()
	who := w.payer(t, false)
	id := idOf(who)
	_, err := w.payers.Reopen(ctx, who, id, payer.ReopenInput{Password: password})
	wantKind(t, err, mianmi.Invalid, "risk_version")
	_, err = w.payers.Reopen(ctx, who, id, payer.ReopenInput{Password: password, RiskVersion: "risk-old"})
	wantKind(t, err, mianmi.Conflict, "text_changed")
	_, err = w.payers.Reopen(ctx, who, id, payer.ReopenInput{Password: "111111", RiskVersion: payer.RiskText.Version})
	wantKind(t, err, mianmi.Unauthenticated, "password_wrong")
	if v := w.status(t, who); v.Pending != nil || v.Version != 1 {
		t.Errorf("a refused reopening left %+v", v)
	}
	first := must(w.payers.Reopen(ctx, who, id, risked()))(t)
	if want := w.clock.Now().Add(24 * time.Hour); first.State != payer.CoolingOff || !first.Pending.At.Equal(want) || first.Settings.PinFree {
		t.Errorf("reopened: %+v, want to wait until %v", first, want)
	}
	w.clock.Add(23 * time.Hour)
	second := must(w.payers.Reopen(ctx, who, id, risked()))(t)
	same(t, "asked twice", second.Pending, first.Pending)
	w.clock.Add(time.Hour - time.Microsecond)
	if v := w.status(t, who); v.State != payer.CoolingOff {
		t.Errorf("a microsecond early: %+v", v)
	}
	w.clock.Add(time.Microsecond)
	if v := w.status(t, who); v.State != payer.Open || v.Pending != nil || !v.Since.Equal(first.Pending.At) {
		t.Errorf("when it is over: %+v", v)
	}
	// The next change finds the settings in force, and says since when.
	closed := must(w.payers.Close(ctx, who, id, payer.Basis{}))(t)
	want := []recorded{{"payer.created", 1}, {"payer.pin_free.reopened", 2}, {"payer.settings.in_force", 3}, {"payer.pin_free.closed", 4}}
	if d := cmp.Diff(want, w.history(t, who)); d != "" || closed.State != payer.Closed {
		t.Errorf("%+v; record (-want +got):\n%s", closed, d)
	}
	// Closing voids a reopening that waits: it never comes.
	must(w.payers.Reopen(ctx, who, id, risked()))(t)
	must(w.payers.Close(ctx, who, id, payer.Basis{}))(t)
	w.clock.Add(48 * time.Hour)
	if v := w.status(t, who); v.State != payer.Closed || v.Pending != nil {
		t.Errorf("a voided reopening came: %+v", v)
	}
	// Without a cooling-off, by configuration, it opens at once.
	w.config.NoCoolingOff = true
	if v := must(w.node(t).payers.Reopen(ctx, who, id, risked()))(t); v.State != payer.Open || v.Pending != nil {
		t.Errorf("without cooling-off: %+v", v)
	}
}

func clockGoesBack(t *testing.T, nodes Nodes) {
	w, ctx := newPayerWorld(t, nodes, payer.Config{}), t.Context()
	who := w.payer(t, true)
	id := idOf(who)
	must(w.payers.Close(ctx, who, id, payer.Basis{}))(t)
	real := w.clock.Now()
	w.clock.Add(-48 * time.Hour)
	v := must(w.payers.Reopen(ctx, who, id, risked()))(t)
	if v.Pending.At.Before(real.Add(24 * time.Hour)) {
		t.Errorf("reopens at %v, a day after %v at the earliest", v.Pending.At, real)
	}
	// What waits already is not brought forward by a second loosening.
	w.clock.Add(49 * time.Hour)
	at := must(w.payers.SetLimits(ctx, who, id, payer.LimitsInput{Limits: payer.Limits{PerPayment: ptr(1)}}))(t).Pending.At
	w.clock.Add(-49 * time.Hour)
	v = must(w.payers.SetLimits(ctx, who, id, payer.LimitsInput{Limits: payer.Limits{PerPayment: ptr(100)}, Password: password,
		RiskVersion: payer.RiskText.Version}))(t)
	if v.Pending.At.Before(at) {
		t.Errorf("brought forward from %v to %v", at, v.Pending.At)
	}
}

func limitsChange(t *testing.T, nodes Nodes) {
	w, ctx := newPayerWorld(t, nodes, payer.Config{}), t.Context()
	who := w.payer(t, true)
	id := idOf(who)
	set := func(l payer.Limits, with string) (payer.Status, error) {
		return w.payers.SetLimits(ctx, who, id, payer.LimitsInput{Limits: l, Password: with, RiskVersion: payer.RiskText.Version})
	}
	tight := must(set(payer.Limits{PerPayment: ptr(5000), DayAmount: ptr(20000), QuietFrom: 1320, QuietTo: 360}, ""))(t)
	want := payer.Settings{PinFree: true, Currency: "CNY", PerPayment: ptr(5000), DayAmount: ptr(20000), QuietFrom: 1320, QuietTo: 360}
	same(t, "tightened at once", tight.Settings, want)
	if tight.Pending != nil {
		t.Errorf("a tightening waits: %+v", tight.Pending)
	}
	_, err := set(payer.Limits{PerPayment: ptr(5001), DayAmount: ptr(20000), QuietFrom: 1320, QuietTo: 360}, "")
	wantKind(t, err, mianmi.Denied, "password_required")
	same(t, "after a refusal", w.status(t, who), tight)

	// Mixed: the count tightens now, the amount loosens later, quiet hours move.
	mixed := must(set(payer.Limits{PerPayment: ptr(9000), DayAmount: ptr(20000), DayCount: ptr(3), QuietFrom: 1380, QuietTo: 420}, password))(t)
	want.DayCount, want.QuietTo = ptr(3), 420
	same(t, "the strictest in between", mixed.Settings, want)
	later := payer.Settings{PinFree: true, Currency: "CNY", PerPayment: ptr(9000), DayAmount: ptr(20000), DayCount: ptr(3), QuietFrom: 1380, QuietTo: 420}
	same(t, "what waits", mixed.Pending, &payer.Pending{Settings: later, At: w.clock.Now().Add(24 * time.Hour)})

	// A step back towards what is in force waits no longer than before, and
	// needs no password.
	w.clock.Add(time.Hour)
	back := must(set(payer.Limits{PerPayment: ptr(7000), DayAmount: ptr(20000), DayCount: ptr(3), QuietFrom: 1380, QuietTo: 420}, ""))(t)
	later.PerPayment = ptr(7000)
	same(t, "a smaller loosening", back.Pending, &payer.Pending{Settings: later, At: mixed.Pending.At})
	w.clock.Add(23 * time.Hour)
	v := w.status(t, who)
	same(t, "in force", v.Settings, later)
	if v.Pending != nil {
		t.Errorf("still waits: %+v", v.Pending)
	}
}
