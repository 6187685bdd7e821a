package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/terminal"
)

// proofCounts: a payment passes PIN-free at a terminal that proves when its
// newest report, as it is inside the payment's transaction, says that it may.
func proofCounts(t *testing.T, d *desk) {
	ctx, p := t.Context(), d.person(t, 1_000_00)
	m := must(d.a.Terminals.CreateModel(ctx, Operator, terminal.Model{Name: "L1", Keypad: true, Methods: everyMethod &^ (1 << pinfree.DynamicQR)}))(t)
	x := must(d.a.Terminals.Create(ctx, Operator, terminal.Terminal{Store: d.Store, Model: m.ID, Name: "台"}))(t)
	// want pays over both services and compares outcome and binding reason.
	want := func(when string, outcome pinfree.Outcome, reason pinfree.Reason) {
		t.Helper()
		for _, n := range []*Node{d.a, d.b} {
			got := must(n.Payments.Authorize(ctx, d.Manager, p.Tap(x.ID, order(), 100)))(t)
			var why []pinfree.Reason
			for _, w := range got.Reasons {
				why = append(why, w.Reason)
			}
			if got.Outcome != outcome || !slices.Contains(why, reason) {
				t.Errorf("%s: %v for %v, want %v for %v", when, got.Outcome, why, outcome, reason)
			}
			read := must(n.Payments.Payment(ctx, d.Manager, got.ID))(t)
			if !slices.Equal(read.Reasons, got.Reasons) {
				t.Errorf("%s: reasons come back as %v, went as %v", when, read.Reasons, got.Reasons)
			}
		}
		dry := must(d.a.Payments.DryRun(ctx, Support, p.ID, p.Tap(x.ID, order(), 100)))(t)
		if dry.Decision.Outcome != outcome {
			t.Errorf("%s: a dry run says %v", when, dry.Decision.Outcome)
		}
	}
	want("never heard of", pinfree.StepUp, pinfree.TerminalNeverProved)
	device := must(NewDevice(ctx, d.a.DB, x.ID, d.clock))(t)
	must(device.Sync(ctx, d.a.Terminals, false))(t)
	want("proved", pinfree.PinFree, pinfree.WithinLimits)

	d.clock.Add(time.Minute)
	terms := limited(50_00)
	must(d.b.Merchants.SetPolicy(ctx, Operator, merchant.PolicyOrder{Scope: merchant.OfTerminal(x.ID), Terms: terms}))(t)
	want("behind", pinfree.StepUp, pinfree.TerminalBehind)
	must(device.Sync(ctx, d.b.Terminals, false))(t)
	want("proved again", pinfree.PinFree, pinfree.WithinLimits)

	device.Network.Portal = true
	must(device.Report(ctx, d.b.Terminals))(t)
	want("behind a login page", pinfree.StepUp, pinfree.PostureUnsafe)
	device.Network.Portal = false
	must(device.Report(ctx, d.b.Terminals))(t)
	d.clock.Add(15 * time.Minute)
	want("silent for a lease", pinfree.StepUp, pinfree.TerminalLeaseOver)
	must(device.Report(ctx, d.a.Terminals))(t)
	want("back", pinfree.PinFree, pinfree.WithinLimits)
	if err := d.a.Terminals.Revoke(ctx, Support, x.ID); err != nil {
		t.Fatal(err)
	}
	want("revoked", pinfree.StepUp, pinfree.TerminalRevoked)

	host := d.mustPay(t, p.Tap(d.Terminal, order(), 100), payment.Approved)
	if len(host.Reasons) != 2 || host.Reasons[1].Reason != pinfree.HostAlone || host.Reasons[1].ID != string(d.Terminal) {
		t.Errorf("at a terminal that proves nothing: %v", host.Reasons)
	}
}

// manyTerminals: in one batch every payment is decided by its own terminal's
// proof.
func manyTerminals(t *testing.T, d *desk) {
	ctx := t.Context()
	m := must(d.a.Terminals.CreateModel(ctx, Operator, terminal.Model{Name: "L1", Methods: everyMethod &^ (1 << pinfree.DynamicQR)}))(t)
	var reqs []payment.Request
	var proved []bool
	p := d.person(t, 1_000_00)
	for i := range 12 {
		x := must(d.a.Terminals.Create(ctx, Operator, terminal.Terminal{Store: d.Store, Model: m.ID, Name: "台"}))(t)
		if i%2 == 0 {
			device := must(NewDevice(ctx, d.a.DB, x.ID, d.clock))(t)
			must(device.Sync(ctx, d.a.Terminals, false))(t)
		}
		reqs, proved = append(reqs, p.Tap(x.ID, order(), 100)), append(proved, i%2 == 0)
	}
	for i, r := range must(d.a.Payments.AuthorizeMany(ctx, d.Manager, reqs))(t) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		if passed := r.Payment.Outcome == pinfree.PinFree; passed != proved[i] {
			t.Errorf("payment %d: %v, proved %v", i, r.Payment.Outcome, proved[i])
		}
	}
}

// judgedCheck is a test payment with the verdict that it is to have.
type judgedCheck struct {
	payment          mianmi.PaymentID
	verdict, because string
}

// testPaymentsAreLookedUp: a terminal's word on its test payment counts for
// nothing; the books say whether a PIN was asked and the money is back.
func testPaymentsAreLookedUp(t *testing.T, d *desk) {
	ctx, p := t.Context(), d.person(t, 1_000_00)
	m := must(d.a.Terminals.CreateModel(ctx, Operator, terminal.Model{Name: "L1", Keypad: true, Methods: everyMethod &^ (1 << pinfree.DynamicQR)}))(t)
	x := must(d.a.Terminals.Create(ctx, Operator, terminal.Terminal{Store: d.Store, Model: m.ID, Name: "台"}))(t)
	device := must(NewDevice(ctx, d.a.DB, x.ID, d.clock))(t)
	must(device.Sync(ctx, d.a.Terminals, false))(t)
	d.clock.Add(time.Minute)
	passed := must(d.a.Payments.Authorize(ctx, d.Manager, p.Tap(x.ID, order(), 1)))(t) // before the OFF
	must(d.a.Payments.Reverse(ctx, d.Manager, passed.ID))(t)
	must(d.a.Merchants.Close(ctx, Operator, merchant.OfTerminal(x.ID)))(t)
	early := must(d.a.Payments.Authorize(ctx, d.Manager, p.Tap(x.ID, order(), 1)))(t)
	must(d.a.Payments.Cancel(ctx, d.Manager, early.ID))(t)
	d.clock.Add(time.Second)
	must(device.Sync(ctx, d.a.Terminals, false))(t)
	d.clock.Add(time.Second)

	ask := func(minor int64) *payment.Payment {
		return must(d.a.Payments.Authorize(ctx, d.Manager, p.Tap(x.ID, order(), minor)))(t)
	}
	good, waits, much := ask(1), ask(1), ask(2)
	must(d.a.Payments.Cancel(ctx, d.Manager, good.ID))(t)
	must(d.a.Payments.Cancel(ctx, d.Manager, much.ID))(t)
	elsewhere := must(d.a.Payments.Authorize(ctx, d.Manager, p.Tap(d.Terminal, order(), 1)))(t)
	tests := []judgedCheck{{good.ID, terminal.CheckProved, ""}, {waits.ID, terminal.CheckPending, ""},
		{much.ID, terminal.CheckFailed, "another_amount"}, {elsewhere.ID, terminal.CheckFailed, "another_terminals"},
		{passed.ID, terminal.CheckFailed, "no_pin_was_asked"}, {early.ID, terminal.CheckFailed, "before_the_setting"},
		{"pm1", terminal.CheckPending, ""}}
	for i, tt := range tests {
		device.Checks = append(device.Checks, check(tt.payment, d.clock.Now().Add(time.Duration(i)*time.Microsecond)))
	}
	device.Checks = append(device.Checks, methodCheck(d.clock.Now()))
	for range 2 { // it tells of them until it is sure
		must(device.Report(ctx, d.a.Terminals))(t)
	}
	verify := func(want int) map[mianmi.PaymentID]terminal.Checked {
		t.Helper()
		if n := must(d.b.Terminals.VerifyChecks(ctx))(t); n != want {
			t.Errorf("%d checks were judged, want %d", n, want)
		}
		out := map[mianmi.PaymentID]terminal.Checked{}
		for _, c := range must(d.b.Terminals.Checks(ctx, d.Manager, x.ID, 0))(t) {
			out[c.Payment] = c
		}
		return out
	}
	got := verify(5)
	for _, tt := range tests {
		if c := got[tt.payment]; c.Verdict != tt.verdict || c.Because != tt.because {
			t.Errorf("%s: %s for %q, want %s for %q", tt.payment, c.Verdict, c.Because, tt.verdict, tt.because)
		}
	}
	if c := got[""]; c.Verdict != terminal.CheckClaimed || c.Method != "card_insert" || len(got) != len(tests)+1 {
		t.Errorf("the check of another method: %+v, of %d", c, len(got))
	}
	verify(0)
	must(d.a.Payments.Cancel(ctx, d.Manager, waits.ID))(t)
	if c := verify(1)[waits.ID]; c.Verdict != terminal.CheckProved {
		t.Errorf("after it was called off: %+v", c)
	}
	d.clock.Add(11 * time.Minute)
	if c := verify(1)["pm1"]; c.Verdict != terminal.CheckFailed || c.Because != "no_such_payment" {
		t.Errorf("a payment that nobody made: %+v", c)
	}
}
