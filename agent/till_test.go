package agent_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mianmi/mianmi/agent"
	"github.com/mianmi/mianmi/agent/agenttest"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/terminal/protocol"
)

const scanned = "]Q3" + agenttest.CodeRich

// Each way to pay ends with money or without, and the slip says why.
func TestMethods(t *testing.T) {
	t.Parallel()
	host := agenttest.New(t, agenttest.Options{})
	m := on(t, host, "linux_countertop")
	m.waitHolds("PIN-free on, proved")

	m.pay(1200, "payment_code", scanned)
	if s := m.done(); s.State != "approved" || s.Outcome != "pin_free" || s.Entry != "scanned" || len(s.Reasons) == 0 || s.Place[1] == "" {
		t.Errorf("a scanned code: %+v", s)
	}
	m.pay(1200, "cash", "")
	if s := m.done(); s.State != "approved" {
		t.Errorf("cash: %+v", s)
	}
	m.pay(1200, "card_tap", string(agenttest.Card)+" cdcvm")
	if s := m.done(); s.State != "approved" || s.CVM != "cdcvm" {
		t.Errorf("a phone that verified: %+v", s)
	}
	if v := m.pay(1200, "payment_code", agenttest.CodeRich); v.Stage != agent.Waiting || !v.TakePIN || v.Left <= 0 || v.QR == "" {
		t.Errorf("a typed code: %+v", v)
	}
	host.Confirm()
	if s := m.done(); s.State != "approved" || s.CVM != "phone_password" || s.Entry != "typed" {
		t.Errorf("confirmed on the phone: %+v", s)
	}
	if v := m.pay(1200, "dynamic_qr", ""); v.Stage != agent.ShowingQR || !strings.HasPrefix(v.QR, "mianmi:qr:") {
		t.Errorf("a QR order: %+v", v)
	}
	host.Confirm()
	if s := m.done(); s.State != "approved" || s.Method != "dynamic_qr" {
		t.Errorf("a QR order, paid: %+v", s)
	}
}

// The PIN goes to the host encrypted; a wrong one may be typed again.
func TestPIN(t *testing.T) {
	t.Parallel()
	host := agenttest.New(t, agenttest.Options{})
	m := on(t, host, "linux_countertop")
	m.waitHolds("PIN-free on, proved")
	m.pay(90000, "card_insert", string(agenttest.Card))
	typed := func(pin string) {
		for _, d := range []byte(pin) {
			m.Till.Digit(d)
		}
		m.Till.EnterPIN(t.Context(), "")
	}
	typed("111111")
	if v := m.Till.View(); v.Note.ZH == "" || v.PIN != 0 || v.Stage != agent.Waiting {
		t.Errorf("after a wrong PIN: %+v", v)
	}
	typed(agenttest.PIN)
	if s := m.done(); s.State != "approved" || s.CVM != "online_pin" {
		t.Errorf("after the right PIN: %+v", s)
	}
}

// A second press while a PIN is on its way sends nothing: one wrong PIN is one
// wrong try. Nor does it lose the first one, though a browser ends the first
// press's request with the second.
func TestPINPressedTwice(t *testing.T) {
	t.Parallel()
	host := agenttest.New(t, agenttest.Options{})
	host.StepUpFor(time.Hour)
	m := on(t, host, "linux_countertop")
	m.waitHolds("PIN-free on, proved")
	m.pay(90000, "card_insert", string(agenttest.Card))
	came, release := host.HoldPIN()
	first, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.Till.EnterPIN(first, "111111")
	}()
	<-came
	cancel()
	m.Till.EnterPIN(t.Context(), "111111")
	if n := host.WrongPINs(); n != 0 {
		t.Errorf("%d PINs were answered before the first", n)
	}
	close(release)
	<-ended
	if v := m.Till.View(); host.WrongPINs() != 1 || v.Note.ZH != "密码不对，请重新输入" {
		t.Errorf("%d wrong PINs; %+v", host.WrongPINs(), v)
	}
	m.Till.EnterPIN(t.Context(), agenttest.PIN)
	if s := m.done(); s.State != "approved" {
		t.Errorf("after the right PIN: %+v", s)
	}
}

// While a PIN is typed, another order that ends leaves what is typed alone.
func TestPINOutlivesOtherOrders(t *testing.T) {
	t.Parallel()
	host := agenttest.New(t, agenttest.Options{})
	host.StepUpFor(time.Hour)
	m := on(t, host, "linux_countertop")
	m.waitHolds("PIN-free on, proved")
	m.pay(1200, "payment_code", scanned)
	first := m.done()
	m.pay(90000, "card_insert", string(agenttest.Card))
	for _, d := range []byte(agenttest.PIN[:3]) {
		m.Till.Digit(d)
	}
	must(t, m.Till.Reverse(t.Context(), first.No))
	if n := m.Till.View().PIN; n != 3 {
		t.Errorf("%d digits are left of 3", n)
	}
}

// On glass no PIN is taken above the host's bound, and the QR code is there.
func TestLargeAmountsNeedKeys(t *testing.T) {
	t.Parallel()
	host := agenttest.New(t, agenttest.Options{})
	m := on(t, host, "android_smart")
	m.waitHolds("PIN-free on, proved")
	if v := m.pay(50000, "card_insert", string(agenttest.Card)); !v.TakePIN {
		t.Error("no PIN at the bound")
	}
	m.Till.Cancel()
	m.done()
	if v := m.pay(50001, "card_insert", string(agenttest.Card)); v.TakePIN || v.QR == "" {
		t.Errorf("above the bound: PIN %v, QR %q", v.TakePIN, v.QR)
	}
}

// After one method has failed another is offered for the same amount, with
// another order number that a person asked for.
func TestAnotherMethod(t *testing.T) {
	t.Parallel()
	host := agenttest.New(t, agenttest.Options{})
	m := on(t, host, "linux_countertop")
	m.waitHolds("PIN-free on, proved")
	m.pay(1200, "payment_code", agenttest.CodePoor)
	first := m.done()
	must(t, m.Till.Choose("cash"))
	if s := m.done(); s.No == first.No || s.Amount != first.Amount || s.State != "approved" {
		t.Errorf("cash after %+v: %+v", first, s)
	}
	if m.Till.Choose("cash") == nil {
		t.Error("paid twice")
	}
}

// A lost answer is asked for by its number: one order, whatever was lost.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	host := agenttest.New(t, agenttest.Options{})
	m := on(t, host, "linux_countertop")
	m.waitHolds("PIN-free on, proved")
	host.LoseAnswers(1)
	m.pay(1200, "payment_code", scanned)
	if s := m.done(); s.State != "approved" {
		t.Errorf("%+v", s)
	}
	if asked, _ := host.Orders(); len(asked) != 1 {
		t.Errorf("orders %v", asked)
	}
}

// Power goes in the middle of a payment: after the start the terminal shows
// what became of it, and asks for nothing new.
func TestPowerLossDuringPayment(t *testing.T) {
	t.Parallel()
	host := agenttest.New(t, agenttest.Options{})
	m := on(t, host, "android_smart")
	m.waitHolds("PIN-free on, proved")
	m.pay(90000, "payment_code", scanned)
	m.reboot()
	if v := m.Till.View(); !v.Resumed || v.Stage == agent.Idle {
		t.Fatalf("after the start: %+v", v)
	}
	m.wait("the payer is waited for again", func() bool { return m.Till.View().Stage == agent.Waiting })
	m.off()
	host.Confirm()
	m.start()
	if s := m.done(); s.State != "approved" || s.Amount != money.Of(90000, "CNY") {
		t.Errorf("%+v", s)
	}
	if asked, _ := host.Orders(); len(asked) != 1 {
		t.Errorf("orders %v", asked)
	}
}

// The second lock: what passes PIN-free although the terminal is closed is
// undone at once and reported.
func TestSecondLock(t *testing.T) {
	t.Parallel()
	host := agenttest.New(t, agenttest.Options{})
	host.Ignore()
	m := on(t, host, "pinpad_ecr")
	m.waitHolds("PIN-free on, proved")
	_, err := m.Propose(false, "operator 1")
	must(t, err)
	m.pay(1200, "card_tap", string(agenttest.Card))
	if s := m.done(); s.State != "reversed" || !s.Undone {
		t.Errorf("%+v", s)
	}
	host.WaitReport("the trouble", func(r protocol.Report) bool {
		return slices.ContainsFunc(r.Troubles, func(x protocol.Trouble) bool { return x.Kind == "no_pin_asked" && x.Payment != "" })
	})
}

// While the host has not heard of an OFF, a code is sent without saying how it
// was read: that always needs the password.
func TestOffBeforeTheHostKnows(t *testing.T) {
	t.Parallel()
	host := agenttest.New(t, agenttest.Options{})
	m := on(t, host, "pinpad_ecr")
	m.waitHolds("PIN-free on, proved")
	m.clock.Move(16 * time.Minute) // the lease is over
	host.SetLease(0)
	if v := m.pay(1200, "payment_code", scanned); v.Stage == agent.Done && v.Slip.State == "approved" {
		t.Errorf("passed without a lease: %+v", v.Slip)
	}
}

// A test payment proves what it says and takes nothing; the other methods are
// checked, and both are reported.
func TestTestPayment(t *testing.T) {
	t.Parallel()
	host := agenttest.New(t, agenttest.Options{})
	m := on(t, host, "pinpad_ecr")
	m.waitHolds("PIN-free on, proved")
	test := func() protocol.Check {
		must(t, m.Till.BeginTest())
		must(t, m.Till.Choose("payment_code"))
		must(t, m.Till.Read(scanned))
		m.done()
		c := m.Setting().Checks
		if len(c) != 1 {
			t.Fatalf("checks %+v", c)
		}
		return c[0]
	}
	if c := test(); !c.Passed || c.Detail != "pin_free" {
		t.Errorf("open: %+v", c)
	}
	_, err := m.Propose(false, "operator 1")
	must(t, err)
	m.wait("the host knows", func() bool { return m.Setting().Waiting == 0 })
	if c := test(); !c.Passed || c.Detail != "asked_for_password" {
		t.Errorf("closed: %+v", c)
	}
	_, payments := host.Orders()
	for no, p := range payments {
		if p.State == "approved" {
			t.Errorf("%s was not taken back: %s", no, p.State)
		}
	}
	list, err := m.CheckMethods(t.Context())
	must(t, err)
	for _, c := range list {
		if !c.Passed {
			t.Errorf("%+v", c)
		}
	}
	host.WaitReport("the checks", func(r protocol.Report) bool { return len(r.Checks) >= len(list) })
}

// A QR order that was called off may still be paid: then it is given back.
func TestQRPaidAfterCancel(t *testing.T) {
	t.Parallel()
	host := agenttest.New(t, agenttest.Options{})
	m := on(t, host, "qr_box")
	m.waitHolds("PIN-free on, proved")
	v := m.pay(1200, "dynamic_qr", "")
	m.Till.Cancel()
	m.wait("the screen is free", func() bool { return m.Till.View().Stage == agent.Idle })
	host.Confirm()
	m.reboot() // it is looked after across a restart, too
	m.wait("given back", func() bool {
		s, ok := m.Till.Slip(v.Order.No)
		return ok && s.State == "reversed"
	})
}
