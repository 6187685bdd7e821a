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

func menuIsAProposal(t *testing.T, w *fleetWorld) {
	ctx, d := t.Context(), w.device
	w.sync(t, d)
	scope := merchant.OfTerminal(d.ID)
	change := func(id string, version int64, on bool) protocol.Local {
		return protocol.Local{ID: id + "0123456789abcdef", Version: version, PinFree: on, Author: "收银 2", At: w.clock.Now(), BasedOn: d.Running.Version}
	}
	off := change("a", 1, false)
	d.Local, d.Menu = &off, []protocol.Local{off}
	for range 2 { // the answer may be lost
		r := must(d.Report(ctx, w.fleet))(t)
		if r.PinFree || len(r.Proposals) != 1 || r.Proposals[0] != (protocol.Decided{ID: off.ID, State: terminal.MenuInForce}) {
			t.Errorf("an OFF: %+v", r)
		}
	}
	p := must(w.merchants.Policy(ctx, w.admin, scope))(t)
	if p.Terms.PinFree || p.Version != 1 || p.Actor != "terminal:"+string(d.ID) {
		t.Errorf("the terminal's policy: %+v", p)
	}
	w.believed(t, "off by the menu", d, pinfree.TerminalBehind, pinfree.TerminalClosedItself)

	on := change("b", 2, true)
	d.Local, d.Menu = nil, []protocol.Local{on}
	r := must(d.Report(ctx, w.fleet))(t)
	if len(r.Proposals) != 1 || r.Proposals[0].State != terminal.MenuWaiting || r.PinFree {
		t.Fatalf("an ON: %+v", r)
	}
	waiting := must(w.merchants.Waiting(ctx, w.admin, merchant.ApprovalQuery{Merchant: w.merchant.ID}))(t)
	if len(waiting) != 1 || waiting[0].ProposedBy != "terminal:"+string(d.ID) {
		t.Fatalf("waiting: %+v", waiting)
	}
	_, err := w.merchants.Approve(ctx, w.admin, waiting[0].ID)
	wantKind(t, err, mianmi.Denied, "not_independent")
	must(w.merchants.Approve(ctx, w.operator, waiting[0].ID))(t)
	must(d.Fetch(ctx, w.fleet, true))(t)
	r = must(d.Report(ctx, w.fleet))(t)
	if len(r.Proposals) != 1 || r.Proposals[0].State != terminal.MenuInForce || !r.PinFree {
		t.Errorf("approved: %+v", r)
	}
	// OFF, ON, OFF while it was offline: what holds is OFF, and nothing waits.
	d.Menu = []protocol.Local{change("e", 5, false), change("c", 3, false), change("d", 4, true)}
	r = must(d.Report(ctx, w.fleet))(t)
	states := map[string]string{}
	for _, x := range r.Proposals {
		states[x.ID[:1]] = x.State
	}
	if states["c"] != terminal.MenuInForce || states["d"] != terminal.MenuLapsed || states["e"] != terminal.MenuInForce || r.PinFree {
		t.Errorf("three at once: %v, %+v", states, r)
	}
	on = change("f", 6, true)
	d.Menu = []protocol.Local{on}
	must(d.Report(ctx, w.fleet))(t)
	waiting = must(w.merchants.Waiting(ctx, w.admin, merchant.ApprovalQuery{Merchant: w.merchant.ID}))(t)
	must(w.merchants.Reject(ctx, w.operator, waiting[0].ID))(t)
	if r := must(d.Report(ctx, w.fleet))(t); len(r.Proposals) != 1 || r.Proposals[0].State != terminal.MenuRejected {
		t.Errorf("rejected: %+v", r)
	}
	if st := w.status(t, d); len(st.Menu) != 6 || st.Menu[0].ID != on.ID || st.Menu[0].Author != "收银 2" {
		t.Errorf("the menu's history: %+v", st.Menu)
	}
	// A terminal speaks for itself alone.
	_, err = w.merchants.Close(ctx, mianmi.Actor{Role: mianmi.RoleTerminal, ID: string(d.ID)}, merchant.OfStore(w.store.ID))
	wantKind(t, err, mianmi.Denied, "not_allowed")
}

func asOfIsKnown(t *testing.T, w *fleetWorld) {
	ctx, d := t.Context(), w.device
	begin := w.clock.Now()
	asOf := func(at time.Time) terminal.AsOf { return must(w.fleet.InForceAt(ctx, w.admin, d.ID, at))(t) }
	w.clock.Add(time.Minute)
	w.sync(t, d) // minute 1: on
	on := d.Running.Version
	w.clock.Add(5 * time.Minute)
	must(d.Report(ctx, w.fleet))(t) // minute 6: its lease goes on to minute 21
	w.clock.Add(30 * time.Minute)
	must(w.merchants.Close(ctx, w.admin, merchant.OfMerchant(w.merchant.ID)))(t)
	must(d.Report(ctx, w.fleet))(t) // minute 36: the same setting again, after a gap
	w.clock.Add(time.Minute)
	w.sync(t, d) // minute 37: off
	off := d.Running.Version
	w.clock.Add(time.Minute)
	tests := []struct {
		minute  int
		inForce bool
		version int64
	}{{0, false, 0}, {1, true, on}, {6, true, on}, {20, true, on}, {21, false, on}, {35, false, on}, {36, true, on}, {37, true, off}, {38, true, off}}
	for _, tt := range tests {
		got := asOf(begin.Add(time.Duration(tt.minute) * time.Minute))
		version := int64(0)
		if got.Run != nil {
			version = got.Run.Version
			if got.Setting == nil || got.Setting.Version != version || got.Setting.PinFree != (version == on) {
				t.Errorf("minute %d: setting %+v", tt.minute, got.Setting)
			}
		}
		if got.InForce != tt.inForce || version != tt.version {
			t.Errorf("minute %d: in force %v version %d, want %v %d", tt.minute, got.InForce, version, tt.inForce, tt.version)
		}
	}
	_, err := w.fleet.InForceAt(ctx, w.admin, d.ID, w.clock.Now().Add(time.Second))
	wantKind(t, err, mianmi.Invalid, "at")
}

func concurrentReports(t *testing.T, w *fleetWorld) {
	ctx := t.Context()
	second := terminal.New(w.nodes(), w.clock, w.random)
	devices := []*Device{w.device}
	for range 7 {
		devices = append(devices, w.machine(t, false))
	}
	taken := make([]int, len(devices))
	together(len(devices), func(i int) {
		d := devices[i]
		for range 4 {
			if _, err := d.Sync(ctx, w.fleet, false); err != nil {
				t.Error(err)
				return
			}
			signed, err := d.Sign()
			if err != nil {
				t.Error(err)
				return
			}
			// The same report over two nodes at once: one of them takes it.
			results := make([]error, 6)
			together(len(results), func(k int) {
				s := w.fleet
				if k%2 == 1 {
					s = second
				}
				_, results[k] = s.Report(ctx, d.ID, signed)
			})
			for _, err := range results {
				switch {
				case err == nil:
					taken[i]++
				case mianmi.KindOf(err) != mianmi.Conflict:
					t.Error(err)
				}
			}
		}
	})
	for i, d := range devices {
		if taken[i] != 4 {
			t.Errorf("of 4 reports sent 6 times each %d were taken", taken[i])
		}
		st := w.believed(t, "in the end", d)
		if st.State.Number != d.Number {
			t.Errorf("the newest is %d, want %d", st.State.Number, d.Number)
		}
	}
}
