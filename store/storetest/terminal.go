package storetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/terminal"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// Terminals is the contract of the life of a terminal's setting. nodes opens an
// empty, migrated database.
func Terminals(t *testing.T, nodes func(*testing.T) Nodes) {
	tests := map[string]func(*testing.T, *fleetWorld){
		"a setting goes from desired to attested":                 settingLives,
		"a model that needs a reboot proves after it":             rebootIsNeeded,
		"reports that are not the newest word are refused":        badReportsAreRefused,
		"only the newest refused reports are kept":                refusalsAreBounded,
		"falling back takes in force away":                        fallingBack,
		"what nobody asked for is drift":                          driftIsNoticed,
		"the lease counts by the host's clock":                    proofEnds,
		"a refused setting is not in force":                       settingIsRefused,
		"an unsafe terminal is not believed":                      postureCounts,
		"a revoked terminal is not believed, and starts anew":     revokedStartsAnew,
		"an OFF in the menu holds at once, an ON waits":           menuIsAProposal,
		"what was in force at an instant is known later":          asOfIsKnown,
		"of concurrent reports each is taken once":                concurrentReports,
		"a terminal that moves has to prove again":                movedProvesAgain,
		"who may see and revoke":                                  terminalRights,
		"everything that happens to a setting stands in the log":  lifeIsRecorded,
		"a key is one terminal's, and a renewal keeps the proof":  keysAreRenewed,
		"a machine that replaces another counts boots anew":       replacedCountsAnew,
		"a config is delivered to those alone who are enrolled":   deliveredToEnrolled,
		"a name that changes is a new version and no tightening":  renamedIsDelivered,
		"a host model is delivered to and needs no proof":         hostModelNeedsNone,
		"a lifted stop is a tightening that has to be passed yet": liftedStopCounts,
		"an OFF is watched until every terminal has proved it":    offIsWatched,
		"what people at a terminal say is wrong is taken once":    troubleIsTaken,
		"an OFF that is late is escalated":                        lateOffIsEscalated,
		"an OFF that is taken back is watched no longer":          offIsTakenBack,
		"a stricter policy on terminals is in force at once":      policyOnTerminalsTightens,
		"a looser policy on terminals waits for a second person":  policyOnTerminalsLoosens,
		"a program that a terminal refuses is an alarm":           programIsRefused,
		"a bad policy on terminals names the field":               badPolicyOnTerminals,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			open := nodes(t)
			test(t, newFleetWorld(t, open))
		})
	}
}

// fleetWorld is a merchant's world whose terminal is of a model that proves.
type fleetWorld struct {
	*merchantWorld
	nodes  Nodes
	fleet  *terminal.Service
	device *Device
}

func newFleetWorld(t *testing.T, nodes Nodes) *fleetWorld {
	t.Helper()
	w := &fleetWorld{merchantWorld: newMerchantWorld(t, nodes()), nodes: nodes}
	w.fleet = w.terminals.WithPolicies(w.merchants)
	w.open(t, merchant.OfMerchant(w.merchant.ID), merchant.Terms{PinFree: true})
	w.device = w.machine(t, false)
	return w
}

// machine adds a terminal of a model of its own, and its machine, enrolled.
func (w *fleetWorld) machine(t *testing.T, reboot bool) *Device {
	t.Helper()
	m := must(w.terminals.CreateModel(t.Context(), w.operator, terminal.Model{Name: "L1", Keypad: true, Reboot: reboot,
		Methods: pinfree.Methods(0).Set(pinfree.PaymentCode)}))(t)
	x := must(w.terminals.Create(t.Context(), w.operator, terminal.Terminal{Store: w.store.ID, Model: m.ID, Name: "收银台"}))(t)
	return must(NewDevice(t.Context(), w.db, x.ID, w.clock))(t)
}

func (w *fleetWorld) status(t *testing.T, d *Device) terminal.Status {
	t.Helper()
	return must(w.fleet.Status(t.Context(), w.admin, d.ID))(t)
}

// believed fails unless PIN-free is open at the terminal, as far as it depends
// on the terminal; reasons are those that it is not for.
func (w *fleetWorld) believed(t *testing.T, when string, d *Device, reasons ...pinfree.Reason) terminal.Status {
	t.Helper()
	st := w.status(t, d)
	var got []pinfree.Reason
	for i, x := range st.Doubts {
		got = append(got, x.Reason)
		if st.Words[i].Cashier.ZH == "" || st.Words[i].Payer.EN == "" {
			t.Errorf("%s: %v has no words", when, x.Reason)
		}
	}
	if !slices.Equal(got, reasons) {
		t.Errorf("%s: not believed for %v, want %v", when, got, reasons)
	}
	return st
}

func (w *fleetWorld) sync(t *testing.T, d *Device) protocol.Receipt {
	t.Helper()
	return must(d.Sync(t.Context(), w.fleet, false))(t)
}

func settingLives(t *testing.T, w *fleetWorld) {
	ctx, d := t.Context(), w.device
	w.believed(t, "enrolled", d, pinfree.TerminalNeverProved)
	if r := must(d.Report(ctx, w.fleet))(t); r.PinFree || r.InForce || len(r.Because) == 0 {
		t.Errorf("a terminal that runs nothing: %+v", r)
	}
	r := w.sync(t, d)
	if !r.InForce || !r.PinFree || r.Version != d.Running.Version || !r.LeaseUntil.Equal(w.clock.Now().Add(15*time.Minute)) {
		t.Errorf("after the first setting: %+v", r)
	}
	first := w.believed(t, "proved", d).Version

	w.clock.Add(time.Minute)
	closed := w.clock.Now()
	must(w.merchants.Close(ctx, w.manager, merchant.OfStore(w.store.ID)))(t)
	st := w.believed(t, "closed", d, pinfree.TerminalBehind)
	if st.InForce || st.Newest != nil || !st.Desired.Equal(closed) || !st.Doubts[0].At.Equal(closed) {
		t.Errorf("desired, not delivered: %+v", st)
	}
	w.clock.Add(time.Second)
	delivered := w.clock.Now()
	if !must(d.Fetch(ctx, w.fleet, false))(t) {
		t.Fatal("nothing newer was delivered")
	}
	w.clock.Add(time.Second)
	saved := w.clock.Now()
	if r := must(d.Report(ctx, w.fleet))(t); r.InForce || r.PinFree {
		t.Errorf("saved counts as in force: %+v", r)
	}
	w.clock.Add(time.Second)
	rebooted := w.clock.Now()
	d.Reboot()
	r = must(d.Report(ctx, w.fleet))(t)
	if !r.InForce || r.PinFree {
		t.Errorf("attested: %+v", r)
	}
	want := terminal.Setting{Terminal: d.ID, Version: d.Running.Version, Hash: d.Running.Hash, PinFree: false, Tightened: d.Running.Version,
		Desired: closed, Delivered: delivered, DeliveredBoot: 1, Saved: saved, SavedBoot: 1, Rebooted: rebooted, Attested: rebooted}
	history := must(w.fleet.History(ctx, w.admin, d.ID, 0, 0))(t)
	if len(history) != 2 {
		t.Fatalf("%d settings in the history, want 2", len(history))
	}
	if diff := cmp.Diff(want, history[0]); diff != "" {
		t.Errorf("the setting's life (-want +got):\n%s", diff)
	}
	if history[1].Version != first || !history[1].Superseded.Equal(rebooted) {
		t.Errorf("the one before: %+v", history[1])
	}
	if page := must(w.fleet.History(ctx, w.admin, d.ID, history[0].Version, 1))(t); len(page) != 1 || page[0].Version != first {
		t.Errorf("the page after it: %+v", page)
	}
	// It says itself that it takes no PIN-free payment: its config forbids it.
	w.believed(t, "in force", d, pinfree.TerminalClosedItself)
}

func rebootIsNeeded(t *testing.T, w *fleetWorld) {
	ctx := t.Context()
	d := w.machine(t, true)
	must(d.Sync(ctx, w.fleet, true))(t)
	w.believed(t, "rebooted", d)
	must(w.merchants.SetPolicy(ctx, w.admin, merchant.PolicyOrder{Scope: merchant.OfTerminal(d.ID), Terms: limited(100)}))(t)
	must(d.Fetch(ctx, w.fleet, false))(t)
	must(d.Report(ctx, w.fleet))(t)
	st := w.believed(t, "saved", d, pinfree.TerminalBehind)
	if st.Newest == nil || st.Newest.Saved.IsZero() || !st.Newest.Attested.IsZero() || !st.Newest.Rebooted.IsZero() {
		t.Errorf("saved and not rebooted: %+v", st.Newest)
	}
	d.Running, d.Config, d.Saved, d.saved = d.Saved, d.saved, nil, nil // runs it without the reboot
	must(d.Report(ctx, w.fleet))(t)
	w.believed(t, "it says that it runs what it cannot run yet", d, pinfree.TerminalDrifted)
	d.Reboot()
	must(d.Report(ctx, w.fleet))(t)
	if st := w.believed(t, "after the reboot", d); st.Newest.Rebooted.IsZero() || st.Newest.Attested.IsZero() {
		t.Errorf("rebooted: %+v", st.Newest)
	}
}

func badReportsAreRefused(t *testing.T, w *fleetWorld) {
	ctx, d := t.Context(), w.device
	w.sync(t, d)
	other := w.machine(t, false)
	w.sync(t, other)
	last := must(d.Sign())(t)
	must(w.fleet.Report(ctx, d.ID, last))(t)
	before := w.status(t, d)

	stranger := *d
	stranger.Key = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	old := *d
	old.Number -= 2
	clone := *d
	clone.Boot.ID = "ffffffffffffffff"
	foreign := *d
	foreign.ID = other.ID
	spoilt := slices.Clone(must(d.Sign())(t))
	spoilt[len(spoilt)/2] ^= 1
	d.Number--
	tests := []struct {
		name, reason string
		kind         mianmi.Kind
		report       []byte
	}{
		{"the same again", terminal.RefusedReplay, mianmi.Conflict, last},
		{"an older one", terminal.RefusedOlder, mianmi.Conflict, must(old.Sign())(t)},
		{"another boot with the same count", terminal.RefusedBoot, mianmi.Denied, must(clone.Sign())(t)},
		{"by a key that nobody knows", terminal.RefusedKey, mianmi.Denied, must(stranger.Sign())(t)},
		{"about another terminal", terminal.RefusedForeign, mianmi.Denied, must(foreign.Sign())(t)},
		{"not signed", terminal.RefusedForm, mianmi.Invalid, []byte(`{"form":1}`)},
	}
	for _, tt := range tests {
		_, err := w.fleet.Report(ctx, d.ID, tt.report)
		wantKind(t, err, tt.kind, "report_"+tt.reason)
		refused := must(w.fleet.Refusals(ctx, w.admin, d.ID, "", 1))(t)
		if len(refused) != 1 || refused[0].Reason != tt.reason || refused[0].Digest != protocol.HashOf(tt.report) {
			t.Errorf("%s: recorded %+v", tt.name, refused)
		}
		w.clock.Add(time.Millisecond)
	}
	if _, err := w.fleet.Report(ctx, d.ID, spoilt); err == nil {
		t.Error("a report that was changed on the way is taken")
	}
	// The other terminal's own report, over this one's connection.
	_, err := w.fleet.Report(ctx, d.ID, must(other.Sign())(t))
	wantKind(t, err, mianmi.Denied, "report_"+terminal.RefusedKey)
	after := w.status(t, d)
	after.State.Alarms, after.State.RefusalAt = before.State.Alarms, before.State.RefusalAt
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("refused reports changed something (-before +after):\n%s", diff)
	}
	alarms := must(w.fleet.Alarms(ctx, w.admin, terminal.AlarmQuery{Merchant: w.merchant.ID, Open: true}))(t)
	if len(alarms) != 1 || alarms[0].Kind != terminal.AlarmReport || alarms[0].Terminal != d.ID {
		t.Errorf("alarms: %+v", alarms)
	}
	must(d.Report(ctx, w.fleet))(t)
	if alarms := must(w.fleet.Alarms(ctx, w.admin, terminal.AlarmQuery{Terminal: d.ID, Open: true}))(t); len(alarms) != 0 {
		t.Errorf("after a good report: %+v", alarms)
	}
}

func refusalsAreBounded(t *testing.T, w *fleetWorld) {
	ctx, d := t.Context(), w.device
	for range 240 {
		if _, err := w.fleet.Report(ctx, d.ID, []byte("x")); !errors.Is(err, mianmi.Invalid) {
			t.Fatal(err)
		}
		w.clock.Add(time.Millisecond)
	}
	n := 0
	for before := ""; ; {
		page := must(w.fleet.Refusals(ctx, w.admin, d.ID, before, 200))(t)
		if len(page) == 0 {
			break
		}
		n, before = n+len(page), page[len(page)-1].ID
	}
	if n < 200 || n > 201 {
		t.Errorf("%d refused reports are kept, want the newest 200", n)
	}
}

func limited(minor int64) merchant.Terms {
	a := money.Of(minor, "CNY")
	return merchant.Terms{PinFree: true, PerPayment: &a}
}
