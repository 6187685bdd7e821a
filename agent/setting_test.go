package agent_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mianmi/mianmi/agent"
	"github.com/mianmi/mianmi/agent/agenttest"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// A setting of the host goes its way, over MQTT and over long poll alike:
// what it forbids is forbidden at once, what it allows is allowed after the
// restart alone, and the reports say at each moment what runs.
func TestHostSettingTakesEffect(t *testing.T) {
	t.Parallel()
	for _, mqtt := range []bool{true, false} {
		t.Run(map[bool]string{true: "MQTT", false: "long poll"}[mqtt], func(t *testing.T) {
			t.Parallel()
			host := agenttest.New(t, agenttest.Options{MQTT: mqtt})
			m := on(t, host, "android_smart")
			m.waitHolds("PIN-free on, proved")

			off := host.Change(func(c *protocol.Config) { c.PinFree = false })
			r := host.WaitReport("saved and not running", func(r protocol.Report) bool { return r.Saved != nil && r.Saved.Version == off })
			if r.PinFree || r.Running.Version != 11 || r.Tightening != off {
				t.Errorf("before the restart: PIN-free %v, runs %d, tightening %d", r.PinFree, r.Running.Version, r.Tightening)
			}
			if s := m.Setting(); s.PinFree || !s.RestartNeeded() {
				t.Errorf("before the restart: %+v", s.Holds)
			}
			m.reboot()
			r = host.WaitReport("running", func(r protocol.Report) bool { return r.Running != nil && r.Running.Version == off })
			if r.Boot.Count != 2 || r.Saved != nil {
				t.Errorf("after the restart: boot %d, saved %v", r.Boot.Count, r.Saved)
			}

			open := host.Change(func(c *protocol.Config) { c.PinFree = true })
			r = host.WaitReport("the loosening is saved", func(r protocol.Report) bool { return r.Saved != nil && r.Saved.Version == open })
			if r.PinFree || m.Setting().PinFree {
				t.Error("a loosening took effect before the restart")
			}
			m.reboot()
			m.waitHolds("PIN-free on again")
			if _, refused := host.Reports(); len(refused) > 0 {
				t.Errorf("refused: %v", refused)
			}
		})
	}
}

// A model that needs no restart runs what is delivered at once.
func TestModelWithoutRestart(t *testing.T) {
	t.Parallel()
	host := agenttest.New(t, agenttest.Options{})
	m := on(t, host, "pinpad_ecr")
	m.waitHolds("PIN-free on, proved")
	off := host.Change(func(c *protocol.Config) { c.PinFree = false })
	r := host.WaitReport("running", func(r protocol.Report) bool { return r.Running != nil && r.Running.Version == off })
	if r.Boot.Count != 1 || r.PinFree {
		t.Errorf("boot %d, PIN-free %v", r.Boot.Count, r.PinFree)
	}
}

// The menu closes PIN-free: at once what is done, after the restart what runs;
// the host hears of it with author and version. Opening it again needs the
// host's consent, and a change of mind in between opens nothing.
func TestMenuProposes(t *testing.T) {
	t.Parallel()
	host := agenttest.New(t, agenttest.Options{})
	m := on(t, host, "android_smart")
	m.waitHolds("PIN-free on, proved")
	l, err := m.Propose(false, "operator 7")
	must(t, err)
	host.WaitReport("the proposal", func(r protocol.Report) bool {
		return len(r.Proposals) == 1 && r.Proposals[0].ID == l.ID && r.Proposals[0].Author == "operator 7" && r.Proposals[0].BasedOn == 11 && !r.PinFree
	})
	_, err = m.Propose(true, "operator 7")
	must(t, err)
	if s := m.Setting(); s.PinFree || s.Local == nil || s.Local.PinFree {
		t.Errorf("a change of mind opened it: %+v", s.Holds)
	}
	m.reboot()
	m.wait("the host's word on the loosening", func() bool { return m.Setting().Consent() == "waiting" })
	if s := m.Setting(); s.PinFree || s.RestartNeeded() {
		t.Errorf("without consent: %+v, restart %v", s.Holds, s.RestartNeeded())
	}
}

// A lock of the host's is a lock.
func TestMenuLocked(t *testing.T) {
	t.Parallel()
	host := agenttest.New(t, agenttest.Options{})
	host.Change(func(c *protocol.Config) { c.MenuLock = "host" })
	m := on(t, host, "pinpad_ecr")
	m.waitHolds("PIN-free on, proved")
	if _, err := m.Propose(false, "operator 7"); err == nil {
		t.Error("the menu changed what the host has locked")
	}
}

// A terminal that is cut off falls to step-up when its lease is over, by a
// clock that nobody sets, and keeps what happened for the host.
func TestCutOff(t *testing.T) {
	t.Parallel()
	host := agenttest.New(t, agenttest.Options{})
	m := on(t, host, "android_smart")
	m.waitHolds("PIN-free on, proved")
	host.Cut(true)
	m.clock.Move(16 * time.Minute)
	m.waitHolds("no PIN-free without a lease", agent.NoLease)
	must(t, m.Trouble("device", "", ""))
	_, err := m.Propose(false, "operator 7")
	must(t, err)
	m.reboot() // the queue is on the disk
	if s := m.Setting(); s.Waiting < 2 {
		t.Errorf("%d reports wait", s.Waiting)
	}
	host.Cut(false)
	host.WaitReport("the trouble", func(r protocol.Report) bool { return len(r.Troubles) == 1 })
	host.WaitReport("the menu's OFF, running", func(r protocol.Report) bool { return r.Local != nil && !r.Local.PinFree && r.Boot.Count == 2 })
	m.wait("nothing left to report", func() bool { return m.Setting().Waiting == 0 && m.TroublesWaiting() == 0 })
}

// A terminal that was switched on without a network says so in its first
// reports, and looks again as soon as the host answers.
func TestNetworkComesBack(t *testing.T) {
	t.Parallel()
	host := agenttest.New(t, agenttest.Options{})
	m := on(t, host, "pinpad_ecr")
	m.waitHolds("PIN-free on, proved")
	host.Cut(true)
	m.reboot()
	m.wait("the check", func() bool { return !m.Network().At.IsZero() && !m.Network().Verdict.Safe() })
	host.Cut(false)
	host.WaitReport("the network as it is", func(r protocol.Report) bool { return r.Boot.Count == 2 && r.Network.TLS && r.Network.DNS })
	m.waitHolds("PIN-free on again, proved")
}

// What the host says of the payment systems outside is shown as it grows older, and
// after five minutes it is not known any more. Neither silence nor that changes
// whether a payment may pass without a PIN, or the network's verdict.
func TestChannelsAreOnlyShown(t *testing.T) {
	t.Parallel()
	host := agenttest.New(t, agenttest.Options{})
	host.TellChannels(protocol.ChannelState{Channel: "wechatpay", State: protocol.ChannelSilent, AgeSeconds: 30, Since: time.Now().Add(-time.Hour)})
	m := on(t, host, "android_smart")
	m.waitHolds("PIN-free on, proved")
	m.wait("the channel is silent", func() bool {
		list := m.Channels()
		return len(list) == 1 && list[0].State == protocol.ChannelSilent && list[0].AgeSeconds >= 30
	})
	if set := m.Setting(); !set.PinFree || !m.Network().Verdict.Safe() {
		t.Errorf("PIN-free %v, the network %+v", set.PinFree, m.Network())
	}
	host.Cut(true)
	m.clock.Move(4*time.Minute + 40*time.Second)
	if list := m.Channels(); len(list) != 1 || list[0] != (protocol.ChannelState{Channel: "wechatpay", State: protocol.ChannelUnknown}) {
		t.Errorf("ten seconds after the five minutes: %+v", list)
	}
}

// A receipt of an old setting gives no lease; a config that is not understood,
// another terminal's or older than what runs closes PIN-free and is reported.
func TestRefusedConfig(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"of a later form":    `{"form":2,"terminal":"x","version":12,"lease_seconds":1,"report_seconds":1,"because":null,"methods":null}`,
		"another terminal's": `{"form":1,"terminal":"tm-other","version":12,"pin_free":true,"methods":[],"because":[],"lease_seconds":9,"report_seconds":9,"currency":"CNY","merchant_id":"m","merchant":"","store":"","name":""}`,
		"half of one":        `{"form":1,"ter`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := agenttest.New(t, agenttest.Options{})
			m := on(t, host, "android_smart")
			m.waitHolds("PIN-free on, proved")
			host.Bytes(12, []byte(text))
			r := host.WaitReport("the refusal", func(r protocol.Report) bool { return r.Refused != nil })
			if r.PinFree || r.Refused.Hash != protocol.HashOf([]byte(text)) || r.Running.Version != 11 {
				t.Errorf("%+v", r)
			}
			if m.Setting().PinFree {
				t.Error("PIN-free although the newest setting is not understood")
			}
			for range 10 { // a while in which the host is there and has the same
				m.CheckNetwork(t.Context())
			}
			if list, _ := host.Reports(); len(list) > 5 {
				t.Errorf("%d reports of one refusal", len(list))
			}
		})
	}
}

// A state that is missing or damaged means closed, here and in the report,
// with a boot count that the host takes for newer.
func TestDamagedState(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"removed", "overwritten", "emptied"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			host := agenttest.New(t, agenttest.Options{})
			m := on(t, host, "android_smart")
			m.waitHolds("PIN-free on, proved")
			m.off()
			path := filepath.Join(m.dir, "state")
			switch how {
			case "removed":
				must(t, os.Remove(path))
			case "overwritten":
				must(t, os.WriteFile(path, []byte(`{"pin_free":true}`), 0o600))
			case "emptied":
				must(t, os.Truncate(path, 0))
			}
			m.start()
			r := host.WaitReport("closed after the loss", func(r protocol.Report) bool { return r.Boot.Count > 1000 && r.Running != nil })
			if r.PinFree || len(r.Proposals) != 1 || r.Proposals[0].PinFree || m.Setting().PinFree {
				t.Errorf("after the loss: %+v", r)
			}
		})
	}
}

// The operator password has no default, is not guessed fast, and tries are not
// given back by switching off.
func TestOperatorPassword(t *testing.T) {
	t.Parallel()
	host := agenttest.New(t, agenttest.Options{})
	m := on(t, host, "qr_box")
	if m.PasswordSet() || m.SignIn("") == nil || m.SignIn("00000000") == nil {
		t.Error("there is a password before anybody has set one")
	}
	for _, weak := range []string{"", "1234", "88888888", "12345678", "98765432", "12121212", "12341234", "11112222", "abcdefgh", "12345678901234567"} {
		if m.SetPassword("", weak) == nil {
			t.Errorf("%q was taken", weak)
		}
	}
	must(t, m.SetPassword("", "40517263"))
	if m.SetPassword("40517264", "72635140") == nil {
		t.Error("changed without the old one")
	}
	must(t, m.SignIn("40517263"))
	for range 5 {
		if m.SignIn("11111111") == nil {
			t.Fatal("a wrong password was taken")
		}
	}
	m.reboot()
	if err := m.SignIn("40517263"); err == nil {
		t.Error("no lock after five wrong tries and a restart")
	}
}
