package main

import (
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mianmi/mianmi/agent/agenttest"
	"github.com/mianmi/mianmi/api/client"
)

// joins starts the real terminal program as a process of its own, enrolled at
// the running server.
func (f *fleetShop) joins(kind string, reboot bool) (*pos, client.Terminal) {
	t := f.t
	t.Helper()
	m := done[client.Model](t)(f.operator.CreateModel(t.Context(), client.NewModel{Name: kind, Keypad: true, Display: true, Reboot: reboot,
		Methods: []string{"payment_code", "card_tap", "card_insert", "dynamic_qr"}}))
	tm := done[client.Terminal](t)(f.operator.CreateTerminal(t.Context(), f.store.ID, client.NewTerminal{Name: "收银台 " + kind, Model: m.ID}))
	code := done[client.EnrolmentCode](t)(f.operator.IssueEnrolmentCode(t.Context(), tm.ID)).Code
	p := &pos{t: t, dir: t.TempDir(), kind: kind, url: "http://127.0.0.1:" + agenttest.Port(t), out: &syncBuffer{},
		http: &http.Client{Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	p.cmd = program(t, p.dir, "terminal", "--data", filepath.Join(p.dir, "till"), "--host", "https://"+f.at["serving terminals"], "--code", code,
		"--model", kind, "--listen", strings.TrimPrefix(p.url, "http://"))
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	return p, tm
}

// until waits for the terminal's status to be as wanted.
func (f *fleetShop) until(p *pos, tm client.Terminal, what string, ok func(client.TerminalStatus) bool) client.TerminalStatus {
	f.t.Helper()
	end := time.After(patience)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		st := done[client.TerminalStatus](f.t)(f.operator.TerminalStatus(f.t.Context(), tm.ID))
		if ok(st) {
			return st
		}
		select {
		case <-tick.C:
		case <-end:
			f.t.Fatalf("%s: never; %s, drift %q, doubts %v, %+v\n%s", what, st.Stage, st.Drift, st.Doubts, st.Network, p.out)
		}
	}
}

// The real terminal program, as a process, at a running server: it enrols with a
// code, proves what it runs, and is believed; an OFF is
// saved, waits for its restart, is counted when it has proved it after that; and
// when it goes away its proof runs out by itself.
func TestTerminalProgramAtARunningServer(t *testing.T) {
	t.Parallel()
	f := newFleetShop(t)
	p, tm := f.joins("android_smart", true)
	p.page("/setup", "operator password")
	p.post("/setup", "/setup", url.Values{"password": {"40517263"}, "again": {"40517263"}})
	st := f.until(p, tm, "believed", func(st client.TerminalStatus) bool { return st.InForce && st.Believed })
	if st.Network.Kind != "local" || !st.Network.TLS || st.Device.Model != "android_smart" {
		t.Errorf("what it reports: %+v, %+v", st.Device, st.Network)
	}
	p.page("/", "PIN-free payment is on")

	done[client.PolicyResult](t)(f.operator.CloseScope(t.Context(), client.OfStore(f.store.ID)))
	f.until(p, tm, "the OFF saved", func(st client.TerminalStatus) bool { return st.Stage == "saved" && !st.PinFree && !st.InForce })
	p.page("/", "PIN-free is stopped; it is in force after a restart")
	if o := f.off(); o.InForce != 0 || o.Outstanding != 1 || o.State != "watched" {
		t.Errorf("before the restart: %+v", o)
	}
	p.signIn()
	p.post("/menu/restart", "/menu/restart", url.Values{})
	st = f.until(p, tm, "the OFF proved", func(st client.TerminalStatus) bool { return st.InForce && st.Boot == 2 })
	if r := st.Running; r == nil || r.PinFree || r.SavedAt.IsZero() || r.RebootedAt.IsZero() || r.AttestedAt.Before(r.RebootedAt) {
		t.Errorf("the life of the OFF at the terminal: %+v", r)
	}
	p.page("/", "PIN-free is off")
	f.until(p, tm, "the OFF in force everywhere", func(client.TerminalStatus) bool { return f.off().State == "in_force" })
	if then := done[client.InForce](t)(f.operator.TerminalInForce(t.Context(), tm.ID, st.Running.AttestedAt)); !then.InForce || then.PinFree || then.Boot != 2 {
		t.Errorf("what was in force then: %+v", then)
	}

	p.kill() // and it is away
	f.clock.JumpTo(f.clock.Now().Add(20 * time.Minute))
	st = f.until(p, tm, "offline", func(st client.TerminalStatus) bool { return st.Offline && !st.InForce })
	if len(st.Doubts) == 0 || st.Doubts[0].Name != "terminal_lease_over" || st.Doubts[0].Words.Cashier.ZH == "" {
		t.Errorf("why it is not believed: %+v", st.Doubts)
	}
}
