package storetest

import (
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/terminal"
)

// off returns the newest OFF that the admin sees.
func (w *fleetWorld) off(t *testing.T) terminal.Watched {
	t.Helper()
	list := must(w.fleet.Offs(t.Context(), w.admin, terminal.OffQuery{Limit: 1}))(t)
	if len(list) != 1 {
		t.Fatal("no OFF is known")
	}
	return list[0]
}

// counts fails unless the OFF's live count is as said.
func (w *fleetWorld) counts(t *testing.T, when string, want terminal.Coverage, outcome string) terminal.Watched {
	t.Helper()
	if _, err := w.fleet.WatchOffs(t.Context()); err != nil {
		t.Fatal(err)
	}
	o := w.off(t)
	if o.Coverage != want || o.Outcome != outcome {
		t.Errorf("%s: %+v, %q; want %+v, %q", when, o.Coverage, o.Outcome, want, outcome)
	}
	if s := o.Sentence(func(at time.Time) time.Time { return at }); s.ZH == "" || s.EN == "" {
		t.Errorf("%s: no sentence", when)
	}
	return o
}

// An OFF is watched from the change that makes it until every terminal in its
// scope has proved it: the count is live, those that it waits for are listed
// with the reason, models that prove nothing are told apart, and another
// merchant's people see none of it.
func offIsWatched(t *testing.T, w *fleetWorld) {
	ctx := t.Context()
	slow := w.machine(t, true) // reboots
	silent := must(w.terminals.Create(ctx, w.operator, terminal.Terminal{Store: w.store.ID, Model: w.status(t, w.device).Model.ID, Name: "柜台"}))(t)
	w.newTerminal(t, w.store.ID) // of a model that proves nothing
	for _, d := range []*Device{w.device, slow} {
		must(d.Sync(ctx, w.fleet, d == slow))(t)
	}
	must(w.merchants.Close(ctx, w.admin, merchant.OfStore(w.store.ID)))(t)
	host := w.counts(t, "after the OFF", terminal.Coverage{Total: w.off(t).Total, HostAlone: w.off(t).HostAlone}, "").HostAlone
	if host == 0 {
		t.Fatal("no terminal of a model that proves nothing")
	}
	total := 3 + host
	must(w.device.Sync(ctx, w.fleet, false))(t)
	must(slow.Fetch(ctx, w.fleet, false))(t)
	must(slow.Report(ctx, w.fleet))(t)
	o := w.counts(t, "one has proved it", terminal.Coverage{Total: total, InForce: 1, HostAlone: host}, "")
	left := must(w.fleet.OffOutstanding(ctx, w.admin, o.Epoch, "", 10))(t)
	stages := map[mianmi.TerminalID]terminal.Stage{}
	for i := range left {
		stages[left[i].Terminal] = left[i].Stage
		if b := left[i].Because(func(at time.Time) time.Time { return at }); b.ZH == "" || b.EN == "" {
			t.Errorf("%s: no reason in words", left[i].Terminal)
		}
	}
	if len(left) != 2 || stages[slow.ID] != terminal.StageSaved || stages[silent.ID] != terminal.StageNotEnrolled {
		t.Errorf("outstanding: %v", stages)
	}
	if _, err := w.fleet.Off(ctx, w.stranger(), o.Epoch); mianmi.KindOf(err) != mianmi.NotFound {
		t.Errorf("another merchant's admin sees the OFF: %v", err)
	}

	slow.Reboot()
	must(slow.Report(ctx, w.fleet))(t)
	d := must(NewDevice(ctx, w.db, silent.ID, w.clock))(t)
	must(d.Sync(ctx, w.fleet, false))(t)
	w.counts(t, "all have proved it", terminal.Coverage{Total: total, InForce: 3, HostAlone: host}, terminal.OffInForce)
	if list := must(w.fleet.Offs(ctx, w.admin, terminal.OffQuery{Open: true}))(t); len(list) > 0 {
		t.Errorf("still watched: %+v", list)
	}
}

// stranger is the admin of another merchant.
func (w *fleetWorld) stranger() mianmi.Actor {
	return mianmi.Actor{Role: mianmi.RoleMerchantAdmin, ID: "sf9", Merchant: "mc-another"}
}

// After the deadline each terminal that has not proved the OFF has an alarm,
// which ends when it proves it; the OFF itself is escalated once, and closed all
// the same when everybody has proved it in the end.
func lateOffIsEscalated(t *testing.T, w *fleetWorld) {
	ctx := t.Context()
	must(w.device.Sync(ctx, w.fleet, false))(t)
	must(w.merchants.Close(ctx, w.admin, merchant.OfStore(w.store.ID)))(t)
	o := w.off(t)
	alarms := func() []terminal.Alarm {
		return must(w.fleet.Alarms(ctx, w.admin, terminal.AlarmQuery{Terminal: w.device.ID, Open: true}))(t)
	}
	must(w.fleet.WatchOffs(ctx))(t)
	if list := alarms(); len(list) > 0 || w.off(t).Late {
		t.Errorf("late before the deadline: %+v", list)
	}
	w.clock.Add(o.Deadline.Sub(w.clock.Now()))
	if !w.off(t).Late {
		t.Error("not late after the deadline")
	}
	for range 3 { // again and again changes nothing
		must(w.fleet.WatchOffs(ctx))(t)
	}
	list := alarms()
	if len(list) != 1 || list[0].Kind != terminal.AlarmOverdue || list[0].Detail != terminal.StageWanted.String() {
		t.Errorf("alarms after the deadline: %+v", list)
	}
	if late := w.off(t); late.LateAt.IsZero() || late.Outcome != "" {
		t.Errorf("after the deadline: %+v", late)
	}
	must(w.device.Sync(ctx, w.fleet, false))(t)
	must(w.fleet.WatchOffs(ctx))(t)
	if list := alarms(); len(list) > 0 {
		t.Errorf("alarms after the proof: %+v", list)
	}
	if done := w.off(t); done.Outcome != terminal.OffInForce || done.Late {
		t.Errorf("after the proof: %+v", done)
	}
}

// What is taken back is watched no longer: a policy that is opened again, a stop
// that is lifted, a stop that runs out.
func offIsTakenBack(t *testing.T, w *fleetWorld) {
	ctx := t.Context()
	must(w.merchants.Close(ctx, w.admin, merchant.OfMerchant(w.merchant.ID)))(t)
	if o := w.off(t); o.Outcome != "" || o.Scope != "merchant:"+string(w.merchant.ID) {
		t.Errorf("%+v", o)
	}
	w.open(t, merchant.OfMerchant(w.merchant.ID), merchant.Terms{PinFree: true})
	if o := w.off(t); o.Outcome != terminal.OffReopened {
		t.Errorf("after opening again: %q", o.Outcome)
	}
	stop := merchant.StopOrder{Scope: merchant.OfTerminal(w.device.ID), Reason: "试", For: time.Hour}
	placed := must(w.merchants.Place(ctx, w.admin, stop))(t)
	if o := w.off(t); o.Stop != placed.ID || !o.Until.Equal(placed.Until) || o.Total != 1 {
		t.Errorf("a stop: %+v", o)
	}
	lift := must(w.merchants.Lift(ctx, w.admin, placed.ID))(t)
	must(w.merchants.Approve(ctx, w.operator, lift.ID))(t)
	if o := w.off(t); o.Outcome != terminal.OffLifted {
		t.Errorf("after lifting: %q", o.Outcome)
	}
	must(w.merchants.Place(ctx, w.admin, stop))(t)
	w.clock.Add(time.Hour)
	must(w.fleet.WatchOffs(ctx))(t)
	if o := w.off(t); o.Outcome != terminal.OffOver {
		t.Errorf("after the end: %q", o.Outcome)
	}
}
