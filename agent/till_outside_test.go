package agent_test

import (
	"slices"
	"testing"

	"github.com/mianmi/mianmi/agent"
	"github.com/mianmi/mianmi/agent/agenttest"
)

const outside = "]Q3" + agenttest.CodeOutside

// A payment through another payment system is waited for through all its states:
// the till takes no other payment meanwhile, says what the host says, shows that
// system's QR code and asks for no PIN, and ends when the host has a clear word.
func TestOutsideStates(t *testing.T) {
	t.Parallel()
	host := agenttest.New(t, agenttest.Options{})
	m := on(t, host, "linux_countertop")
	m.waitHolds("PIN-free on, proved")
	v := m.pay(1200, "payment_code", outside)
	no := v.Order.No
	for _, state := range []string{"verifying", "unknown", "verifying"} {
		host.Outside(no, state, "")
		m.wait(state+" is shown", func() bool {
			v := m.Till.View()
			return v.Stage == agent.Waiting && v.Payment != nil && v.Payment.State == state && v.Payment.Sentence.EN != "" && v.QR == "" && !v.TakePIN
		})
	}
	if m.Till.Choose("cash") == nil {
		t.Error("another way to pay was taken while the outcome is open")
	}
	host.Outside(no, "step_up_required", "weixin://wxpay/bizpayurl?pr=1")
	m.wait("the QR code of the other payment system", func() bool {
		v := m.Till.View()
		return v.Stage == agent.Waiting && v.QR == "weixin://wxpay/bizpayurl?pr=1" && !v.TakePIN && v.Left > 0
	})
	host.Outside(no, "approved", "")
	if s := m.done(); s.State != "approved" || s.No != no {
		t.Errorf("%+v", s)
	}
	if asked, _ := host.Orders(); !slices.Equal(asked, []string{no}) {
		t.Errorf("orders %v", asked)
	}
}

// What is called off while the other payment system has not said anything is being
// undone until it has: the till is told so, and after a cut of the power as well.
func TestOutsideUndone(t *testing.T) {
	t.Parallel()
	host := agenttest.New(t, agenttest.Options{})
	m := on(t, host, "linux_countertop")
	m.waitHolds("PIN-free on, proved")
	no := m.pay(1200, "payment_code", outside).Order.No
	m.Till.Cancel()
	undoing := func() bool {
		_, all := host.Orders()
		return all[no].State == "undoing"
	}
	m.wait("the host has it undone", undoing)
	m.reboot()
	if s, ok := m.Till.Slip(no); ok {
		t.Errorf("ended before the payment system has said so: %+v", s)
	}
	host.Outside(no, "reversed", "")
	m.wait("the slip says that it was given back", func() bool {
		s, ok := m.Till.Slip(no)
		return ok && s.State == "reversed"
	})
}
