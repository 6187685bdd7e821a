package storetest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/rollout"
	"github.com/mianmi/mianmi/terminal"
	"github.com/mianmi/mianmi/terminal/protocol"
)

func programRights(t *testing.T, w *programWorld) {
	ctx := t.Context()
	auditor := mianmi.Actor{Role: mianmi.RoleAuditor, ID: "sf0"}
	key := mianmi.Actor{Role: mianmi.RoleAPIClient, ID: "ak0", Merchant: w.merchant.ID, Scopes: mianmi.ScopeManage | mianmi.ScopeRead | mianmi.ScopeTighten}
	device := mianmi.Actor{Role: mianmi.RoleTerminal, ID: string(w.near.ID), Merchant: w.merchant.ID, Store: w.store.ID}
	for _, a := range []mianmi.Actor{{}, w.admin, w.support, auditor, key, device, {Role: mianmi.RoleOperator}} {
		_, err := w.fleet.StartProgram(ctx, a, terminal.NewProgram{Family: programFamily, Version: programVersion, Plan: w.plan()})
		wantKind(t, err, mianmi.Denied, "not_allowed")
	}
	r := w.start(t, w.plan())
	for _, a := range []mianmi.Actor{{}, w.admin, key, device, auditor} {
		for name, do := range w.programActs(t) {
			if _, err := do(a, r.ID); mianmi.KindOf(err) != mianmi.Denied {
				t.Errorf("%s by %s: %v", name, a, err)
			}
		}
		_, err := w.fleet.Program(ctx, a, r.ID)
		_, listed := w.fleet.Programs(ctx, a, terminal.ProgramQuery{})
		_, left := w.fleet.ProgramOutstanding(ctx, a, r.ID, "", 0)
		for _, err := range []error{err, listed, left} {
			if may := a == auditor; (err == nil) != may {
				t.Errorf("%s looks: %v", a, err)
			}
		}
	}
	must(w.fleet.PauseProgram(ctx, w.support, r.ID))(t)
	_, err := w.fleet.ResumeProgram(ctx, w.support, r.ID)
	wantKind(t, err, mianmi.Denied, "not_allowed")
	_, err = w.fleet.PauseProgram(ctx, w.operator, r.ID)
	wantKind(t, err, mianmi.Conflict, "rollout_paused")
	must(w.fleet.ResumeProgram(ctx, w.operator, r.ID))(t)
	_, err = w.fleet.ResumeProgram(ctx, w.operator, r.ID)
	wantKind(t, err, mianmi.Conflict, "rollout_not_paused")
	_, err = w.fleet.AdvanceProgram(ctx, w.support, r.ID)
	wantKind(t, err, mianmi.Denied, "not_allowed")
	_, err = w.fleet.AdvanceProgram(ctx, w.operator, "ro0")
	wantKind(t, err, mianmi.NotFound, "")
}

func badProgram(t *testing.T, w *programWorld) {
	all := rollout.Stage{Permille: rollout.All}
	for _, tt := range []struct {
		family, version string
		plan            rollout.Plan
		field           string
	}{
		{"", programVersion, w.plan(), "family"}, {"Linux", programVersion, w.plan(), "family"}, {"a/b", programVersion, w.plan(), "family"},
		{programFamily, "", w.plan(), "version"}, {programFamily, "v1.4", w.plan(), "version"}, {programFamily, "1..4", w.plan(), "version"},
		{programFamily, "1.4-rc1", w.plan(), "version"}, {programFamily, "1.2.3.4.5", w.plan(), "version"},
		{programFamily, programVersion, rollout.Plan{}, "rollout.stages"},
		{programFamily, programVersion, rollout.UsualProgram(rollout.Stage{Terminals: []mianmi.TerminalID{"tm0"}}, all), "rollout.stages[0].terminals"},
		{programFamily, programVersion, rollout.UsualProgram(rollout.Stage{Stores: []mianmi.StoreID{"st0"}}, all), "rollout.stages[0].stores"},
		{programFamily, programVersion, rollout.UsualProgram(rollout.Stage{Models: []mianmi.ModelID{"md0"}}, all), "rollout.stages[0].models"},
	} {
		_, err := w.fleet.StartProgram(t.Context(), w.operator, terminal.NewProgram{Family: tt.family, Version: tt.version, Plan: tt.plan})
		wantKind(t, err, mianmi.Invalid, tt.field)
	}
	if list := must(w.fleet.Programs(t.Context(), w.operator, terminal.ProgramQuery{}))(t); len(list) != 0 {
		t.Errorf("written all the same: %+v", list)
	}
	_, err := w.fleet.MayTake(t.Context(), w.near.ID, programFamily, "..")
	wantKind(t, err, mianmi.Invalid, "version")
}

func programIsRecorded(t *testing.T, w *programWorld) {
	plan := w.plan()
	r := w.start(t, plan)
	w.clock.Add(time.Millisecond)
	w.says(t, w.near, "0.4.0", &protocol.Update{State: "refused", Version: programVersion, Reason: "not_started"})
	w.watchPrograms(t)
	for _, act := range []string{"resume", "advance", "advance"} {
		w.clock.Add(time.Millisecond) // identifiers sort by it
		must(w.programActs(t)[act](w.operator, r.ID))(t)
	}
	var steps []string
	for _, e := range record(t, w.merchantWorld, "program:"+programFamily+"/"+programVersion, map[mianmi.EntryID]bool{}) {
		steps = append(steps, e.Type+" by "+e.Actor)
		w.readsBack(t, &e, &r)
		var n struct {
			Plan   *rollout.Plan    `json:"plan"`
			Paused *rollout.Because `json:"paused"`
		}
		if err := json.Unmarshal(e.Body, &n); err != nil {
			t.Fatal(err)
		}
		if (n.Plan != nil) != (e.Type == "program.started") || (n.Paused != nil) != (e.Type == "program.resumed") {
			t.Errorf("%s: %s", e.Type, e.Body)
		}
	}
	operator, runner := w.operator.String(), mianmi.System("program-rollouts").String()
	same(t, "what stands in the log", steps, []string{"program.started by " + operator, "program.paused by " + runner, "program.resumed by " + operator,
		"program.advanced by " + operator, "program.finished by " + operator})
}

func (w *programWorld) readsBack(t *testing.T, e *evidence.Entry, r *terminal.ProgramRollout) {
	t.Helper()
	got := must(terminal.ReadEntry(*e))(t).Program
	if got == nil || got.Rollout != r.ID || got.Family != r.Family || got.Version != r.Version || got.Stages != 2 || "program."+got.State.String() == "program." {
		t.Errorf("%s reads as %+v", e.Type, got)
	}
}
