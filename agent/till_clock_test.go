package agent_test

import (
	"testing"
	"time"

	"github.com/mianmi/mianmi/agent"
	"github.com/mianmi/mianmi/agent/agenttest"
	"github.com/mianmi/mianmi/agent/disk"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// onClock is a machine whose clock may be set.
func onClock(t *testing.T, host *agenttest.Host, family string) (*machine, *clock) {
	t.Helper()
	wall := &clock{}
	m := &machine{t: t, host: host, dir: t.TempDir(), model: family, clock: &clock{}}
	m.change = func(p *agent.Parts, _ *disk.Folder) { p.Clock = wall }
	m.start()
	t.Cleanup(func() { m.off() })
	m.waitHolds("PIN-free on, proved")
	return m, wall
}

// A QR order lapses by the host's clock: one that is fast here must not end it
// while the customer can still pay.
func TestQRWithAFastClock(t *testing.T) {
	t.Parallel()
	host := agenttest.New(t, agenttest.Options{})
	host.StepUpFor(time.Hour)
	m, wall := onClock(t, host, "qr_box")
	wall.Move(2 * time.Hour)
	if v := m.pay(1200, "dynamic_qr", ""); v.Left < 30*time.Minute {
		t.Errorf("%v left", v.Left)
	}
	asked := host.Looked()
	m.wait("a look at the order", func() bool { return host.Looked() > asked+1 || m.Till.View().Stage == agent.Done })
	host.Confirm()
	if s := m.done(); s.State != "approved" {
		t.Errorf("%+v", s)
	}
}

// An emergency stop lasts until its end at the host, whatever the clock here
// is set to.
func TestStopWithAFastClock(t *testing.T) {
	t.Parallel()
	host := agenttest.New(t, agenttest.Options{})
	m, wall := onClock(t, host, "pinpad_ecr")
	host.Change(func(c *protocol.Config) { c.Stops = []protocol.Stop{{Until: time.Now().Add(time.Hour).UTC()}} })
	stopped := func() bool { h := m.Setting().Holds; return len(h) > 0 && h[0] == agent.Stopped }
	m.wait("the stop", stopped)
	wall.Move(2 * time.Hour)
	if !stopped() {
		t.Errorf("after the clock was set: %v", m.Setting().Holds)
	}
	m.wait("its end", func() bool {
		m.clock.Move(2 * time.Hour) // that much has passed, until the host says otherwise
		return !stopped()
	})
}
