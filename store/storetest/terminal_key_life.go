package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/terminal"
	"github.com/mianmi/mianmi/terminal/protocol"
)

func lifeIsRecorded(t *testing.T, w *fleetWorld) {
	ctx, d := t.Context(), w.device
	seen := map[mianmi.EntryID]bool{}
	fresh := func() []string {
		var out []string
		for _, e := range record(t, w.merchantWorld, string(d.ID), seen) {
			if _, err := terminal.ReadEntry(e); err != nil && e.Type != "merchant.policy.tightened" {
				t.Error(err)
			}
			out = append(out, e.Type)
		}
		slices.Sort(out)
		return out
	}
	want := func(step string, types ...string) {
		t.Helper()
		if got := fresh(); !slices.Equal(got, types) {
			t.Errorf("%s: recorded %v, want %v", step, got, types)
		}
	}
	fresh()
	w.sync(t, d)
	want("attested", "terminal.setting.attested")
	for range 3 {
		w.clock.Add(time.Minute)
		must(d.Report(ctx, w.fleet))(t)
	}
	want("heartbeats")
	d.Network.TLS = false
	must(d.Report(ctx, w.fleet))(t)
	want("unsafe", "terminal.posture.changed")
	d.Network.TLS = true
	d.Change = func(r *protocol.Report) { r.Running = &protocol.Setting{Version: 1, Hash: protocol.Hash{1}} }
	must(d.Report(ctx, w.fleet))(t)
	want("drift", "terminal.drift.began", "terminal.posture.changed")
	d.Change = nil
	must(d.Report(ctx, w.fleet))(t)
	want("drift ended", "terminal.drift.ended", "terminal.setting.attested")
	for range 5 {
		if _, err := w.fleet.Report(ctx, d.ID, []byte("x")); err == nil {
			t.Error("taken")
		}
	}
	want("refused reports", "terminal.report.refused")
	off := protocol.Local{ID: "0123456789abcdef", Version: 1, At: w.clock.Now(), Author: "a"}
	d.Local, d.Menu = &off, []protocol.Local{off}
	must(d.Report(ctx, w.fleet))(t)
	must(d.Report(ctx, w.fleet))(t)
	want("a menu's OFF", "merchant.policy.tightened", "terminal.setting.proposed")
	if err := w.fleet.Revoke(ctx, w.support, d.ID); err != nil {
		t.Fatal(err)
	}
	want("revoked", "terminal.keys.revoked")
}

func keysAreRenewed(t *testing.T, w *fleetWorld) {
	ctx, d := t.Context(), w.device
	w.sync(t, d)
	other := w.machine(t, false)
	thief := *d
	thief.ID = other.ID
	wantKind(t, thief.Enrol(ctx, w.db), mianmi.Conflict, "terminal_key_in_use")
	w.believed(t, "its key was shown to be another's", d)

	renewed := must(NewDevice(ctx, w.db, other.ID, w.clock))(t) // a key to take
	must(renewed.Sync(ctx, w.fleet, false))(t)
	w.clock.Add(time.Second)
	if err := d.Renew(ctx, w.fleet); err != nil {
		t.Fatal(err)
	}
	w.believed(t, "renewed", d)
	must(d.Report(ctx, w.fleet))(t)
	w.believed(t, "by the new key", d)
	w.clock.Add(91 * 24 * time.Hour)
	_, err := d.Report(ctx, w.fleet)
	wantKind(t, err, mianmi.Denied, "report_"+terminal.RefusedExpired)
	wantKind(t, d.Renew(ctx, w.fleet), mianmi.Denied, "terminal_revoked")
}

func deliveredToEnrolled(t *testing.T, w *fleetWorld) {
	ctx, id := t.Context(), w.device.ID
	deliver := func(s *terminal.Service, have int64) (string, int64) {
		config, version, err := s.Deliver(ctx, id, have)
		if err != nil {
			t.Fatal(err)
		}
		return string(config), version
	}
	_, _, err := w.fleet.Deliver(ctx, w.newTerminal(t, w.store.ID).ID, 0)
	wantKind(t, err, mianmi.Denied, "terminal_revoked")
	first, version := deliver(w.fleet, 0)
	if again, _ := deliver(w.fleet, 0); again != first || first == "" {
		t.Error("a lost answer is not given again")
	}
	if got, newest := deliver(w.fleet, version); got != "" || newest != version {
		t.Errorf("nothing newer: %q, %d", got, newest)
	}
	if got, _ := deliver(terminal.New(w.nodes(), w.clock, w.random), 0); got != first {
		t.Error("another node delivers something else under the same version")
	}
}

func renamedIsDelivered(t *testing.T, w *fleetWorld) {
	ctx, d := t.Context(), w.device
	w.sync(t, d)
	must(w.terminals.Rename(ctx, w.admin, d.ID, "2 号台"))(t)
	st := w.believed(t, "renamed", d)
	if st.Version <= d.Running.Version {
		t.Errorf("version %d, runs %d", st.Version, d.Running.Version)
	}
	w.sync(t, d)
	if d.Config.Name != "2 号台" || d.Running.Version != st.Version {
		t.Errorf("runs %+v", d.Config)
	}
}

func hostModelNeedsNone(t *testing.T, w *fleetWorld) {
	st := must(w.fleet.Status(t.Context(), w.admin, w.terminal.ID))(t)
	if len(st.Doubts) != 0 || st.InForce || st.Enrolled || st.Model.Proof != terminal.ByHost {
		t.Errorf("a terminal that proves nothing: %+v", st)
	}
}

func liftedStopCounts(t *testing.T, w *fleetWorld) {
	ctx, d := t.Context(), w.device
	w.sync(t, d)
	stop := must(w.merchants.Place(ctx, w.support, merchant.StopOrder{Scope: merchant.OfMerchant(w.merchant.ID), Reason: "x", For: time.Hour}))(t)
	w.believed(t, "stopped", d, pinfree.TerminalBehind)
	a := must(w.merchants.Lift(ctx, w.operator, stop.ID))(t)
	must(w.merchants.Approve(ctx, w.operator2, a.ID))(t)
	w.believed(t, "lifted", d, pinfree.TerminalBehind)
	if st := must(terminal.New(w.nodes(), w.clock, w.random).Status(ctx, w.admin, d.ID))(t); len(st.Doubts) != 1 {
		t.Errorf("on a node that starts now: %+v", st.Doubts)
	}
	w.sync(t, d)
	w.believed(t, "passed", d)
}

// A machine that takes another's place counts its boots from the first: that
// the one before had counted far more is no drift of the new one.
func replacedCountsAnew(t *testing.T, w *fleetWorld) {
	ctx := t.Context()
	d := w.machine(t, true)
	for range 8 {
		d.Reboot()
	}
	must(d.Sync(ctx, w.fleet, true))(t)
	w.believed(t, "proved", d)

	fresh := must(NewDevice(ctx, w.db, d.ID, w.clock))(t)
	must(fresh.Fetch(ctx, w.fleet, false))(t)
	must(fresh.Report(ctx, w.fleet))(t)
	if st := w.believed(t, "saved by another machine", d, pinfree.TerminalNeverProved); st.Stage != terminal.StageSaved {
		t.Errorf("stage %v", st.Stage)
	}
	early := *fresh
	early.Running, early.Saved = early.Saved, nil
	early.Config = early.saved
	must(early.Report(ctx, w.fleet))(t)
	w.believed(t, "which runs it without a reboot", d, pinfree.TerminalDrifted)
	fresh.Number = early.Number
	fresh.Reboot()
	must(fresh.Report(ctx, w.fleet))(t)
	w.believed(t, "rebooted", d)
}
