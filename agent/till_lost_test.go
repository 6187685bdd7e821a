package agent_test

import (
	"testing"
	"time"

	"github.com/mianmi/mianmi/agent"
	"github.com/mianmi/mianmi/agent/agenttest"
)

// passed is a payment that has passed PIN-free at a terminal that is closed.
func passed(t *testing.T, host *agenttest.Host) *machine {
	t.Helper()
	host.Ignore()
	m := on(t, host, "pinpad_ecr")
	m.waitHolds("PIN-free on, proved")
	_, err := m.Propose(false, "operator 1")
	must(t, err)
	m.begin(1200, "card_tap", string(agenttest.Card))
	return m
}

// undone says that it was undone in the end, and the host told of it once.
func (m *machine) undone() {
	m.t.Helper()
	if s := m.done(); s.State != "reversed" || !s.Undone || s.Undo {
		m.t.Errorf("%+v", s)
	}
	_, payments := m.host.Orders()
	for no, p := range payments {
		if p.State != "reversed" {
			m.t.Errorf("%s is %s", no, p.State)
		}
	}
	m.wait("the host knows", func() bool { return m.Setting().Waiting == 0 && m.TroublesWaiting() == 0 })
	seen := map[string]bool{}
	list, _ := m.host.Reports()
	for _, r := range list {
		for _, x := range r.Troubles {
			seen[x.ID] = true
		}
	}
	if len(seen) != 1 {
		m.t.Errorf("told %d times", len(seen))
	}
}

// What the second lock undoes is undone also when the network loses the
// reversal, or the answer to it.
func TestSecondLockAndALostReversal(t *testing.T) {
	t.Parallel()
	for what, taken := range map[string]bool{"the reversal": false, "its answer": true} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			host := agenttest.New(t, agenttest.Options{})
			host.LoseReversals(1, taken)
			passed(t, host).undone()
		})
	}
}

// It is undone also when power goes meanwhile.
func TestSecondLockAndPowerLoss(t *testing.T) {
	t.Parallel()
	host := agenttest.New(t, agenttest.Options{})
	host.LoseReversals(1<<30, false)
	m := passed(t, host)
	m.wait("a reversal that was lost", func() bool { return m.Till.View().Stage >= agent.Unknown })
	m.off()
	host.LoseReversals(0, false)
	m.start()
	m.undone()
}

// A test payment proves what it has seen also when the answer to its reversal
// was lost.
func TestTestPaymentAndALostReversal(t *testing.T) {
	t.Parallel()
	host := agenttest.New(t, agenttest.Options{})
	m := on(t, host, "pinpad_ecr")
	m.waitHolds("PIN-free on, proved")
	host.LoseReversals(1, true)
	must(t, m.Till.BeginTest())
	must(t, m.Till.Choose("payment_code"))
	must(t, m.Till.Read(scanned))
	if s := m.done(); s.State != "reversed" {
		t.Errorf("%+v", s)
	}
	if c := m.Setting().Checks; len(c) != 1 || !c[0].Passed || c[0].Detail != "pin_free" {
		t.Errorf("%+v", c)
	}
}

// A payment that passed PIN-free before the power went, or before a cut that
// the lease did not outlive, stands: it is judged by what the terminal has
// proved again, not by the moment between.
func TestPinFreeBeforeACut(t *testing.T) {
	t.Parallel()
	for what, between := range map[string]func(*machine){
		"power loss": (*machine).reboot,
		"power loss without a host": func(m *machine) {
			m.reboot()
			m.wait("a look at the network", func() bool { return !m.Network().At.IsZero() })
		},
		"the lease's end": func(m *machine) { m.clock.Move(16 * time.Minute) },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			host := agenttest.New(t, agenttest.Options{})
			m := on(t, host, "linux_countertop")
			m.waitHolds("PIN-free on, proved")
			host.CutAtAnswer()
			m.begin(1200, "payment_code", scanned)
			m.wait("the loss of the answer", func() bool { return m.Till.View().Stage == agent.Unknown })
			between(m)
			host.Cut(false)
			if s := m.done(); s.State != "approved" || s.Outcome != "pin_free" {
				t.Errorf("%+v", s)
			}
		})
	}
}
