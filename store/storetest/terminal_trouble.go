package storetest

import (
	"testing"
	"time"

	"github.com/mianmi/mianmi/terminal"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// What a person at the terminal says is wrong is taken once, however often it
// is told; its alarm stands for a day and ends by itself.
func troubleIsTaken(t *testing.T, w *fleetWorld) {
	ctx, d := t.Context(), w.device
	must(d.Sync(ctx, w.fleet, false))(t)
	trouble := protocol.Trouble{ID: "0123456789abcdef", Kind: "no_pin_asked", OrderNo: "A1", At: w.clock.Now()}
	d.Change = func(r *protocol.Report) { r.Troubles = []protocol.Trouble{trouble} }
	for range 3 { // its receipt was lost
		must(d.Report(ctx, w.fleet))(t)
	}
	told := must(w.fleet.Checks(ctx, w.admin, d.ID, 10))(t)
	if len(told) != 1 || told[0].Kind != terminal.CheckTrouble || told[0].Method != trouble.Kind || told[0].Detail != "A1" {
		t.Errorf("%+v", told)
	}
	open := func() int {
		return len(must(w.fleet.Alarms(ctx, w.admin, terminal.AlarmQuery{Terminal: d.ID, Open: true}))(t))
	}
	d.Change = nil
	must(d.Report(ctx, w.fleet))(t)
	if n := open(); n != 1 {
		t.Errorf("%d alarms are open after the trouble", n)
	}
	w.clock.Add(24 * time.Hour)
	must(d.Report(ctx, w.fleet))(t)
	if n := open(); n != 0 {
		t.Errorf("%d alarms are open a day later", n)
	}
}

// What a terminal says of a program is shown, and one that it does not take is
// an alarm until it says otherwise.
func programIsRefused(t *testing.T, w *fleetWorld) {
	ctx, d := t.Context(), w.device
	w.sync(t, d)
	says := func(u *protocol.Update) *protocol.Update {
		d.Change = func(r *protocol.Report) { r.Update = u }
		must(d.Report(ctx, w.fleet))(t)
		return w.status(t, d).State.Said.Update
	}
	if got := says(&protocol.Update{State: "trial", Version: "1.4.0"}); got == nil || got.State != "trial" || got.Version != "1.4.0" {
		t.Errorf("on trial: %+v", got)
	}
	if got := says(&protocol.Update{State: "refused", Version: "1.4.0\x1b[31m", Reason: "not_attested"}); got == nil || got.Version != "1.4.0[31m" {
		t.Errorf("refused: %+v", got)
	}
	alarms := must(w.fleet.Alarms(ctx, w.admin, terminal.AlarmQuery{Terminal: d.ID, Open: true}))(t)
	if len(alarms) != 1 || alarms[0].Kind != terminal.AlarmUpdate || alarms[0].Detail != "1.4.0[31m not_attested" {
		t.Errorf("alarms: %+v", alarms)
	}
	if got := says(nil); got != nil {
		t.Errorf("nothing to say: %+v", got)
	}
	if alarms := must(w.fleet.Alarms(ctx, w.admin, terminal.AlarmQuery{Terminal: d.ID, Open: true}))(t); len(alarms) != 0 {
		t.Errorf("alarms: %+v", alarms)
	}
	w.believed(t, "whatever it says of programs", d)
}
