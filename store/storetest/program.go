package storetest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/rollout"
	"github.com/mianmi/mianmi/terminal"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// Programs is the contract of staged rollouts of programs: above all, no terminal
// gets a version that has not come to it, and after a stop nobody does.
func Programs(t *testing.T, nodes func(*testing.T) Nodes) {
	for name, test := range map[string]func(*testing.T, *programWorld){
		"a version comes to those whom a stage reaches":        programReaches,
		"it goes on by itself once its terminals run it":       programGoesOn,
		"terminals that refuse it pause it":                    refusalsPause,
		"too few that run it in time pause it":                 fewRunPause,
		"after a stop nobody new gets it, for ever":            programStops,
		"of two runners one takes each step":                   twoProgramRunners,
		"a stop and steps at once end in a stop":               stopAgainstSteps,
		"of two beginnings one counts":                         twoBeginnings,
		"who may begin, pause, resume, advance, stop and look": programRights,
		"what nobody can have meant is refused":                badProgram,
		"each step stands in the log":                          programIsRecorded,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newProgramWorld(t, nodes(t)))
		})
	}
}

// programWorld has two machines of one family, and one of another; each has
// told the host what it is.
type programWorld struct {
	*fleetWorld
	other     *terminal.Service // on another node
	near, far *Device
	foreign   *Device // of another family
}

const (
	programFamily  = "linux_countertop"
	programVersion = "1.4.0"
)

func newProgramWorld(t *testing.T, nodes Nodes) *programWorld {
	t.Helper()
	w := &programWorld{fleetWorld: newFleetWorld(t, nodes)}
	w.other = terminal.New(nodes(), w.clock, w.random)
	w.near, w.far, w.foreign = w.device, w.machine(t, false), w.machine(t, false)
	w.foreign.Device.Model = "android_smart"
	for _, d := range []*Device{w.near, w.far, w.foreign} {
		must(d.Report(t.Context(), w.fleet))(t)
	}
	return w
}

// plan reaches the first machine, then everybody.
func (w *programWorld) plan() rollout.Plan {
	return rollout.UsualProgram(rollout.Stage{Terminals: []mianmi.TerminalID{w.near.ID}}, rollout.Stage{Permille: rollout.All})
}

func (w *programWorld) start(t *testing.T, plan rollout.Plan) terminal.ProgramRollout {
	t.Helper()
	return must(w.fleet.StartProgram(t.Context(), w.operator, terminal.NewProgram{Family: programFamily, Version: programVersion, Plan: plan}))(t)
}

// gives fails unless the machines get the version as said, from both nodes.
func (w *programWorld) gives(t *testing.T, when string, near, far bool) {
	t.Helper()
	for _, s := range []*terminal.Service{w.fleet, w.other} {
		a, b := w.takes(t, s, w.near.ID, programVersion), w.takes(t, s, w.far.ID, programVersion)
		if a != near || b != far {
			t.Errorf("%s: the first gets it %v, the second %v; want %v, %v", when, a, b, near, far)
		}
	}
}

func (w *programWorld) takes(t *testing.T, s *terminal.Service, id mianmi.TerminalID, version string) bool {
	t.Helper()
	return must(s.MayTake(t.Context(), id, programFamily, version))(t)
}

func (w *programWorld) watchPrograms(t *testing.T) terminal.ProgramRollout {
	t.Helper()
	if err := w.fleet.WatchPrograms(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	return must(w.fleet.Programs(t.Context(), w.operator, terminal.ProgramQuery{}))(t)[0]
}

// says has the machine report a program and how it stands with another.
func (w *programWorld) says(t *testing.T, d *Device, app string, u *protocol.Update) {
	t.Helper()
	d.Device.App = app
	d.Change = func(r *protocol.Report) { r.Update = u }
	must(d.Report(t.Context(), w.fleet))(t)
}

// wants fails unless the rollout stands as said.
func (w *programWorld) wants(t *testing.T, when string, r terminal.ProgramRollout, state rollout.State, stage int, why rollout.Reason) {
	t.Helper()
	if r.State != state || r.Stage != stage || r.Because.Reason != why {
		t.Errorf("%s: %v at stage %d, %q; want %v at %d, %q", when, r.State, r.Stage, r.Because.Reason, state, stage, why)
	}
}

func programReaches(t *testing.T, w *programWorld) {
	ctx := t.Context()
	w.gives(t, "without a rollout", true, true)
	r := w.start(t, w.plan())
	w.gives(t, "begun", true, false)
	for _, spelling := range []string{"1.4", "1.4.0.0", "01.4.00"} {
		if w.takes(t, w.other, w.far.ID, spelling) {
			t.Errorf("spelt %s it is given to whom it has not come to", spelling)
		}
	}
	if !w.takes(t, w.other, w.far.ID, "1.4.1") || !must(w.other.MayTake(ctx, w.far.ID, "android_smart", programVersion))(t) {
		t.Error("versions and families without a rollout are held back")
	}
	silent := w.machine(t, false)
	for name, id := range map[string]mianmi.TerminalID{"another family": w.foreign.ID, "one that has said nothing": silent.ID, "nobody": "tm0", "the empty one": ""} {
		if w.takes(t, w.other, id, programVersion) {
			t.Errorf("%s gets it", name)
		}
	}
	same(t, "figures", must(w.fleet.Program(ctx, w.operator, r.ID))(t).Figures, rollout.Figures{Total: 2, Reached: 1})
	must(w.fleet.AdvanceProgram(ctx, w.operator, r.ID))(t)
	w.gives(t, "the last stage", true, true)
	if w.takes(t, w.other, w.foreign.ID, programVersion) || w.takes(t, w.other, silent.ID, programVersion) {
		t.Error("the last stage gives it to machines that are not, or not known to be, of the family")
	}
	must(w.fleet.AdvanceProgram(ctx, w.operator, r.ID))(t)
	if !w.takes(t, w.other, silent.ID, programVersion) {
		t.Error("finished, and not everybody's")
	}
	if err := w.fleet.Revoke(ctx, w.operator, w.far.ID); err != nil {
		t.Fatal(err)
	}
	again := must(w.fleet.StartProgram(ctx, w.operator, terminal.NewProgram{Family: programFamily, Version: "1.5.0", Plan: w.plan()}))(t)
	if f := must(w.fleet.Program(ctx, w.operator, again.ID))(t).Figures; f.Total != 1 {
		t.Errorf("with one revoked %d are counted, want 1", f.Total)
	}
}

func programGoesOn(t *testing.T, w *programWorld) {
	ctx := t.Context()
	r := w.start(t, w.plan())
	w.wants(t, "nothing done", w.watchPrograms(t), rollout.Running, 0, rollout.NoReason)
	left := must(w.fleet.ProgramOutstanding(ctx, w.operator, r.ID, "", 0))(t)
	if len(left) != 1 || left[0].Terminal != w.near.ID || left[0].Doing != terminal.DoingNothing {
		t.Errorf("outstanding: %+v", left)
	}
	w.says(t, w.near, "0.4.0", &protocol.Update{State: "waiting", Version: programVersion})
	w.clock.Add(time.Minute)
	w.says(t, w.near, programVersion, &protocol.Update{State: "trial", Version: programVersion})
	f := must(w.fleet.Program(ctx, w.operator, r.ID))(t).Figures
	same(t, "on trial", f, rollout.Figures{For: time.Minute, Total: 2, Reached: 1, Delivered: 1})
	w.says(t, w.near, programVersion, nil)
	w.says(t, w.foreign, programVersion, nil)
	w.clock.Add(4*time.Hour - time.Minute - time.Microsecond)
	w.wants(t, "not long enough", w.watchPrograms(t), rollout.Running, 0, rollout.NoReason)
	w.clock.Add(time.Microsecond)
	next := w.watchPrograms(t)
	w.wants(t, "long enough", next, rollout.Running, 1, rollout.NoReason)
	if next.ChangedBy != mianmi.System("program-rollouts").String() {
		t.Errorf("by %s", next.ChangedBy)
	}
	w.gives(t, "everybody", true, true)
	w.says(t, w.far, "1.5.0", nil) // newer still
	w.clock.Add(4 * time.Hour)
	w.wants(t, "the end", w.watchPrograms(t), rollout.Finished, 1, rollout.NoReason)
	w.gives(t, "finished", true, true)
	_, err := w.fleet.StopProgram(ctx, w.operator, r.ID)
	wantKind(t, err, mianmi.Conflict, "rollout_over")
}

func refusalsPause(t *testing.T, w *programWorld) {
	ctx := t.Context()
	r := w.start(t, w.plan())
	w.says(t, w.near, "0.4.0", &protocol.Update{State: "refused", Version: programVersion, Reason: "unmet"})
	w.says(t, w.far, "0.4.0", &protocol.Update{State: "refused", Version: programVersion, Reason: "wrong_hash"})
	w.says(t, w.foreign, "0.4.0", &protocol.Update{State: "refused", Version: programVersion, Reason: "wrong_hash"})
	w.wants(t, "an older one comes first, and others say nothing", w.watchPrograms(t), rollout.Running, 0, rollout.NoReason)
	w.says(t, w.near, "0.4.0", &protocol.Update{State: "refused", Version: "1.3.0", Reason: "wrong_hash"})
	w.wants(t, "another version", w.watchPrograms(t), rollout.Running, 0, rollout.NoReason)
	w.says(t, w.near, "0.4.0", &protocol.Update{State: "refused", Version: "1.4", Reason: "not_attested"})
	paused := w.watchPrograms(t)
	w.wants(t, "it went back", paused, rollout.Paused, 0, rollout.ManyRefused)
	if b := paused.Because; b.Count != 1 || b.Of != 1 {
		t.Errorf("because of %+v", b)
	}
	w.gives(t, "paused", false, false)
	_, err := w.fleet.AdvanceProgram(ctx, w.operator, r.ID)
	wantKind(t, err, mianmi.Conflict, "rollout_paused")
	must(w.fleet.ResumeProgram(ctx, w.operator, r.ID))(t)
	w.wants(t, "what was looked at pauses no more", w.watchPrograms(t), rollout.Running, 0, rollout.NoReason)
	w.gives(t, "resumed", true, false)
	must(w.fleet.AdvanceProgram(ctx, w.operator, r.ID))(t)
	paused = w.watchPrograms(t)
	w.wants(t, "one more", paused, rollout.Paused, 1, rollout.ManyRefused)
	if b := paused.Because; b.Count != 1 || b.Of != 2 {
		t.Errorf("because of %+v", b)
	}
}

func fewRunPause(t *testing.T, w *programWorld) {
	w.start(t, w.plan())
	w.says(t, w.near, "0.4.0", &protocol.Update{State: "waiting", Version: programVersion})
	w.clock.Add(24*time.Hour - 1)
	w.wants(t, "in time yet", w.watchPrograms(t), rollout.Running, 0, rollout.NoReason)
	w.clock.Add(time.Microsecond)
	w.wants(t, "too late", w.watchPrograms(t), rollout.Paused, 0, rollout.FewAttested)
}

func programStops(t *testing.T, w *programWorld) {
	ctx := t.Context()
	r := w.start(t, w.plan())
	changed := must(w.db.ProgramsChanged(ctx))(t)
	must(w.fleet.PauseProgram(ctx, w.support, r.ID))(t)
	w.gives(t, "paused", false, false)
	stopped := must(w.fleet.StopProgram(ctx, w.support, r.ID))(t)
	w.wants(t, "stopped", stopped, rollout.Stopped, 0, rollout.ByPerson)
	w.gives(t, "stopped", false, false)
	if now := must(w.db.ProgramsChanged(ctx))(t); now != changed+2 {
		t.Errorf("the number of changes went from %d to %d", changed, now)
	}
	w.clock.Add(48 * time.Hour)
	w.wants(t, "nothing moves any more", w.watchPrograms(t), rollout.Stopped, 0, rollout.ByPerson)
	for name, do := range w.programActs(t) {
		if _, err := do(w.operator, r.ID); mianmi.KindOf(err) != mianmi.Conflict {
			t.Errorf("%s of what is over: %v", name, err)
		}
	}
	_, err := w.fleet.StartProgram(ctx, w.operator, terminal.NewProgram{Family: programFamily, Version: "1.4", Plan: w.plan()})
	wantKind(t, err, mianmi.Conflict, "program_rollout_exists")
	w.gives(t, "later", false, false)
	if !w.takes(t, w.other, w.far.ID, "1.4.1") {
		t.Error("the next version is held back")
	}
}

// programActs are what one can do with a rollout.
func (w *programWorld) programActs(t *testing.T) map[string]func(mianmi.Actor, mianmi.RolloutID) (terminal.ProgramRollout, error) {
	t.Helper()
	s, ctx := w.fleet, t.Context()
	return map[string]func(mianmi.Actor, mianmi.RolloutID) (terminal.ProgramRollout, error){
		"pause": func(a mianmi.Actor, id mianmi.RolloutID) (terminal.ProgramRollout, error) {
			return s.PauseProgram(ctx, a, id)
		},
		"resume": func(a mianmi.Actor, id mianmi.RolloutID) (terminal.ProgramRollout, error) {
			return s.ResumeProgram(ctx, a, id)
		},
		"advance": func(a mianmi.Actor, id mianmi.RolloutID) (terminal.ProgramRollout, error) {
			return s.AdvanceProgram(ctx, a, id)
		},
		"stop": func(a mianmi.Actor, id mianmi.RolloutID) (terminal.ProgramRollout, error) {
			return s.StopProgram(ctx, a, id)
		},
	}
}

func twoProgramRunners(t *testing.T, w *programWorld) {
	plan := rollout.UsualProgram(rollout.Stage{Permille: 1}, rollout.Stage{Permille: 2}, rollout.Stage{Permille: 3}, rollout.Stage{Permille: rollout.All})
	plan.AttestedMin = 0
	r := w.start(t, plan)
	runners := []*terminal.Service{w.fleet, w.other}
	for stage := range 3 {
		w.clock.Add(4 * time.Hour)
		var all sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			all.Go(func() { errs[i] = runners[i%2].WatchPrograms(t.Context(), 0) })
		}
		all.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		now := must(w.other.Program(t.Context(), w.operator, r.ID))(t)
		w.wants(t, "eight runners", now.ProgramRollout, rollout.Running, stage+1, rollout.NoReason)
	}
	if ok := must(w.db.ClaimProgramRollout(t.Context(), r.ID, time.Hour))(t); !ok {
		t.Fatal("it was not claimed")
	}
	w.clock.Add(4 * time.Hour)
	w.wants(t, "another has it", w.watchPrograms(t), rollout.Running, 3, rollout.NoReason)
	if err := w.db.RestProgramRollout(t.Context(), r.ID, 0); err != nil {
		t.Fatal(err)
	}
	w.wants(t, "given back", w.watchPrograms(t), rollout.Finished, 3, rollout.NoReason)
}

func stopAgainstSteps(t *testing.T, w *programWorld) {
	var stages []rollout.Stage
	for n := range 9 {
		stages = append(stages, rollout.Stage{Permille: n + 1})
	}
	r := w.start(t, rollout.UsualProgram(append(stages, rollout.Stage{Permille: rollout.All})...))
	var all sync.WaitGroup
	steps := [2]int{}
	var stopped error
	for i, s := range []*terminal.Service{w.fleet, w.other} {
		all.Go(func() {
			for range 4 {
				if _, err := s.AdvanceProgram(t.Context(), w.operator, r.ID); err == nil {
					steps[i]++
				} else if mianmi.KindOf(err) != mianmi.Conflict {
					t.Error(err)
				}
			}
		})
	}
	all.Go(func() { _, stopped = w.other.StopProgram(t.Context(), w.operator, r.ID) })
	all.Wait()
	if stopped != nil {
		t.Fatal(stopped)
	}
	now := must(w.fleet.Program(t.Context(), w.operator, r.ID))(t).ProgramRollout
	w.wants(t, "after both", now, rollout.Stopped, steps[0]+steps[1], rollout.ByPerson)
	if now.Revision != r.Revision+int64(now.Stage)+1 {
		t.Errorf("%d changes for %d stages and a stop", now.Revision-r.Revision, now.Stage)
	}
	w.gives(t, "stopped", false, false)
}

func twoBeginnings(t *testing.T, w *programWorld) {
	var all sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		s := []*terminal.Service{w.fleet, w.other}[i%2]
		all.Go(func() {
			_, errs[i] = s.StartProgram(t.Context(), w.operator, terminal.NewProgram{Family: programFamily, Version: []string{"1.4", "1.4.0"}[i/2], Plan: w.plan()})
		})
	}
	all.Wait()
	began := 0
	for _, err := range errs {
		if err == nil {
			began++
			continue
		}
		wantKind(t, err, mianmi.Conflict, "program_rollout_exists")
	}
	if list := must(w.fleet.Programs(t.Context(), w.operator, terminal.ProgramQuery{Open: true}))(t); began != 1 || len(list) != 1 {
		t.Errorf("%d began, %d are there", began, len(list))
	}
}
