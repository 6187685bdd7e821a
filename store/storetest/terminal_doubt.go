package storetest

import (
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/terminal"
	"github.com/mianmi/mianmi/terminal/protocol"
)

func fallingBack(t *testing.T, w *fleetWorld) {
	ctx, d := t.Context(), w.device
	w.sync(t, d)
	older, config := *d.Running, d.Config
	must(w.merchants.SetPolicy(ctx, w.admin, merchant.PolicyOrder{Scope: merchant.OfTerminal(d.ID), Terms: limited(100)}))(t)
	w.sync(t, d)
	newer, newest := *d.Running, d.Config
	w.believed(t, "proved", d)

	d.Running, d.Config = &older, config // an older image was started
	d.Reboot()
	r := must(d.Report(ctx, w.fleet))(t)
	if r.InForce || r.PinFree {
		t.Errorf("fell back: %+v", r)
	}
	st := w.believed(t, "fell back", d, pinfree.TerminalFellBack, pinfree.TerminalBehind)
	if st.State.Attested != older.Version || st.State.Floor != newer.Version {
		t.Errorf("state: %+v", st.State)
	}
	if a := must(w.fleet.Alarms(ctx, w.support, terminal.AlarmQuery{Open: true}))(t); len(a) != 1 || a[0].Kind != terminal.AlarmFellBack {
		t.Errorf("alarms: %+v", a)
	}
	d.Running, d.Config = &newer, newest
	must(d.Report(ctx, w.fleet))(t)
	w.believed(t, "back again", d)
	d.Running, d.Config = nil, nil // its disk was wiped
	d.Reboot()
	must(d.Report(ctx, w.fleet))(t)
	w.believed(t, "it runs nothing", d, pinfree.TerminalFellBack, pinfree.TerminalBehind, pinfree.TerminalClosedItself)
}

func driftIsNoticed(t *testing.T, w *fleetWorld) {
	ctx, d := t.Context(), w.device
	w.sync(t, d)
	good := *d.Running
	own := protocol.HashOf([]byte("what nobody asked for"))
	drifts := []struct {
		name, kind string
		change     func(*protocol.Report)
		reasons    []pinfree.Reason
	}{
		{"bytes that were never delivered", terminal.DriftUnknown, func(r *protocol.Report) { r.Running = &protocol.Setting{Version: good.Version, Hash: own} },
			[]pinfree.Reason{pinfree.TerminalDrifted}},
		{"a version of the future", terminal.DriftUnknown, func(r *protocol.Report) { r.Running = &protocol.Setting{Version: good.Version + 1000, Hash: good.Hash} },
			[]pinfree.Reason{pinfree.TerminalDrifted}},
		{"PIN-free although its own menu has it off", terminal.DriftLooser, func(r *protocol.Report) {
			r.PinFree, r.Local = true, &protocol.Local{ID: "0123456789abcdef", Version: 1}
		}, []pinfree.Reason{pinfree.TerminalDrifted}},
	}
	for _, tt := range drifts {
		since := w.clock.Now()
		d.Change = tt.change
		if r := must(d.Report(ctx, w.fleet))(t); r.InForce || r.PinFree {
			t.Errorf("%s: %+v", tt.name, r)
		}
		st := w.believed(t, tt.name, d, tt.reasons...)
		if st.State.Drift != tt.kind || !st.State.DriftSince.Equal(since) || st.State.Attested != 0 {
			t.Errorf("%s: %+v", tt.name, st.State)
		}
		w.clock.Add(time.Minute)
		must(d.Report(ctx, w.fleet))(t)
		if st := w.status(t, d); !st.State.DriftSince.Equal(since) {
			t.Errorf("%s: drift begins again at each report", tt.name)
		}
		if a := must(w.fleet.Alarms(ctx, w.admin, terminal.AlarmQuery{Merchant: w.merchant.ID, Open: true}))(t); len(a) != 1 || a[0].Kind != terminal.AlarmDrift {
			t.Errorf("%s: alarms %+v", tt.name, a)
		}
		d.Change = nil
		must(d.Report(ctx, w.fleet))(t)
		w.believed(t, "after "+tt.name, d)
		w.clock.Add(time.Minute)
	}
	// PIN-free on while the config that it runs has it off.
	must(w.merchants.Close(ctx, w.admin, merchant.OfTerminal(d.ID)))(t)
	w.sync(t, d)
	d.Change = func(r *protocol.Report) { r.PinFree = true }
	must(d.Report(ctx, w.fleet))(t)
	w.believed(t, "looser than its config", d, pinfree.TerminalDrifted)
}

func proofEnds(t *testing.T, w *fleetWorld) {
	ctx, d := t.Context(), w.device
	w.sync(t, d)
	until := w.status(t, d).State.LeaseUntil
	w.clock.Add(until.Sub(w.clock.Now()) - time.Microsecond)
	w.believed(t, "just before its end", d)
	kept := must(d.Sign())(t) // a report that somebody keeps back
	w.clock.Add(time.Microsecond)
	st := w.believed(t, "at its end", d, pinfree.TerminalLeaseOver)
	if !st.Doubts[0].At.Equal(until) {
		t.Errorf("over since %v, want %v", st.Doubts[0].At, until)
	}
	must(w.terminals.Rename(ctx, w.admin, d.ID, "二号"))(t)
	if !must(d.Fetch(ctx, w.fleet, false))(t) {
		t.Error("nothing to fetch")
	}
	w.believed(t, "a sign of life proves nothing", d, pinfree.TerminalLeaseOver)
	w.clock.Add(time.Hour)
	must(w.fleet.Report(ctx, d.ID, kept))(t)
	w.believed(t, "by a report of an hour ago", d, pinfree.TerminalLeaseOver, pinfree.PostureUnsafe)
	must(d.Report(ctx, w.fleet))(t)
	w.believed(t, "by a report of now", d)
	// The terminal's clock moves no lease.
	d.Change = func(r *protocol.Report) { r.At = r.At.Add(24 * time.Hour) }
	must(d.Report(ctx, w.fleet))(t)
	st = w.believed(t, "with a clock of tomorrow", d, pinfree.PostureUnsafe)
	if want := w.clock.Now().Add(15 * time.Minute); !st.State.LeaseUntil.Equal(want) || st.Doubts[0].Rule != "clock" {
		t.Errorf("lease until %v, want %v; %+v", st.State.LeaseUntil, want, st.Doubts)
	}
}

func settingIsRefused(t *testing.T, w *fleetWorld) {
	ctx, d := t.Context(), w.device
	w.sync(t, d)
	must(w.merchants.SetPolicy(ctx, w.admin, merchant.PolicyOrder{Scope: merchant.OfTerminal(d.ID), Terms: limited(100)}))(t)
	must(d.Fetch(ctx, w.fleet, false))(t)
	bad := *d.Saved
	d.Saved = nil
	d.Change = func(r *protocol.Report) { r.Refused = &protocol.Refusal{Setting: bad, Reason: "disk\x00 full\n"} }
	for range 2 {
		must(d.Report(ctx, w.fleet))(t)
	}
	st := w.believed(t, "refused", d, pinfree.TerminalBehind)
	if st.Newest == nil || st.Newest.Refused.IsZero() || st.Newest.RefusedReason != "disk full" || st.State.Refused != bad.Version {
		t.Errorf("refused: %+v, %+v", st.Newest, st.State)
	}
	if a := must(w.fleet.Alarms(ctx, w.admin, terminal.AlarmQuery{Terminal: d.ID}))(t); len(a) != 1 || a[0].Kind != terminal.AlarmRefused || a[0].Detail != "disk full" {
		t.Errorf("alarms: %+v", a)
	}
}

func postureCounts(t *testing.T, w *fleetWorld) {
	ctx, d := t.Context(), w.device
	w.sync(t, d)
	d.Network = protocol.Network{Kind: "wifi_open", DNS: true, TLS: true, Portal: true}
	r := must(d.Report(ctx, w.fleet))(t)
	if r.PinFree || !r.InForce || len(r.Because) != 2 {
		t.Errorf("on an unsafe network: %+v", r)
	}
	st := w.believed(t, "unsafe", d, pinfree.PostureUnsafe, pinfree.PostureUnsafe)
	if st.Doubts[0].Rule != "captive_portal" || st.Doubts[1].Rule != "open_wifi" {
		t.Errorf("%+v", st.Doubts)
	}
	d.Network = protocol.Network{Kind: "mobile", DNS: true, TLS: true}
	must(d.Report(ctx, w.fleet))(t)
	w.believed(t, "on another network", d)
	a := must(w.fleet.Alarms(ctx, w.admin, terminal.AlarmQuery{Terminal: d.ID}))(t)
	if len(a) != 1 || a[0].Kind != terminal.AlarmPosture || a[0].ClosedAt.IsZero() || a[0].Detail != "captive_portal,open_wifi" {
		t.Errorf("alarms: %+v", a)
	}
}

func revokedStartsAnew(t *testing.T, w *fleetWorld) {
	ctx, d := t.Context(), w.device
	w.sync(t, d)
	w.clock.Add(time.Second)
	at := w.clock.Now()
	wantKind(t, w.fleet.Revoke(ctx, w.cashier, d.ID), mianmi.Denied, "not_allowed")
	for range 2 {
		if err := w.fleet.Revoke(ctx, w.support, d.ID); err != nil {
			t.Fatal(err)
		}
		w.clock.Add(time.Second)
	}
	st := w.believed(t, "revoked", d, pinfree.TerminalRevoked)
	if st.Enrolled || st.InForce || !st.Doubts[0].At.Equal(at) {
		t.Errorf("revoked: %+v", st)
	}
	_, err := d.Report(ctx, w.fleet)
	wantKind(t, err, mianmi.Denied, "report_"+terminal.RefusedRevoked)
	_, _, err = w.fleet.Deliver(ctx, d.ID, 0)
	wantKind(t, err, mianmi.Denied, "terminal_revoked")
	wantKind(t, d.Enrol(ctx, w.db), mianmi.Conflict, "terminal_key_revoked")

	fresh := must(NewDevice(ctx, w.db, d.ID, w.clock))(t)
	w.believed(t, "another machine", d, pinfree.TerminalNeverProved)
	must(fresh.Sync(ctx, w.fleet, false))(t)
	w.believed(t, "which has proved", d)
	if got := must(w.fleet.InForceAt(ctx, w.admin, d.ID, at.Add(-time.Microsecond)))(t); !got.InForce {
		t.Errorf("before it was revoked: %+v", got)
	}
	if got := must(w.fleet.InForceAt(ctx, w.admin, d.ID, at.Add(time.Microsecond)))(t); got.InForce {
		t.Errorf("while it was revoked: %+v", got)
	}
}

func movedProvesAgain(t *testing.T, w *fleetWorld) {
	ctx, d := t.Context(), w.device
	w.sync(t, d)
	other := must(w.merchants.CreateStore(ctx, w.admin, merchant.Store{Merchant: w.merchant.ID, Name: "二店"}))(t)
	must(w.terminals.Move(ctx, w.admin, d.ID, other.ID))(t)
	w.believed(t, "moved", d, pinfree.TerminalBehind)
	w.sync(t, d)
	w.believed(t, "proved there", d)
}

func terminalRights(t *testing.T, w *fleetWorld) {
	ctx, d := t.Context(), w.device
	w.sync(t, d)
	stranger := mianmi.Actor{Role: mianmi.RoleMerchantAdmin, ID: "sf99", Merchant: w.newMerchant(t, "别家").ID}
	for _, a := range []mianmi.Actor{stranger, {Role: mianmi.RolePayer, ID: "py1"}, {Role: mianmi.RoleTerminal, ID: string(d.ID)}, {}} {
		_, err := w.fleet.Status(ctx, a, d.ID)
		wantKind(t, err, mianmi.Denied, "not_allowed")
		_, err = w.fleet.History(ctx, a, d.ID, 0, 0)
		wantKind(t, err, mianmi.Denied, "not_allowed")
		_, err = w.fleet.InForceAt(ctx, a, d.ID, w.clock.Now())
		wantKind(t, err, mianmi.Denied, "not_allowed")
		_, err = w.fleet.Refusals(ctx, a, d.ID, "", 0)
		wantKind(t, err, mianmi.Denied, "not_allowed")
		_, err = w.fleet.Checks(ctx, a, d.ID, 0)
		wantKind(t, err, mianmi.Denied, "not_allowed")
		_, err = w.fleet.Alarms(ctx, a, terminal.AlarmQuery{})
		wantKind(t, err, mianmi.Denied, "not_allowed")
		wantKind(t, w.fleet.Revoke(ctx, a, d.ID), mianmi.Denied, "not_allowed")
	}
	for _, a := range []mianmi.Actor{w.cashier, w.manager, w.admin, w.support} {
		must(w.fleet.Status(ctx, a, d.ID))(t)
	}
	_, err := w.fleet.Status(ctx, w.operator, "tm0")
	wantKind(t, err, mianmi.NotFound, "")
	_, _, err = w.fleet.Deliver(ctx, "tm0", 0)
	wantKind(t, err, mianmi.NotFound, "")
	_, err = w.fleet.Report(ctx, "tm0", []byte("{}"))
	wantKind(t, err, mianmi.NotFound, "")
}
