package rollout_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/rollout"
)

// drawPlan draws a plan that is valid.
func drawPlan(t *rapid.T) rollout.Plan {
	var stages []rollout.Stage
	most := 0
	for i := range rapid.IntRange(0, 5).Draw(t, "stages") {
		s := rollout.Stage{Permille: rapid.IntRange(most, rollout.All).Draw(t, "permille")}
		most = s.Permille
		if s.Permille == 0 || rapid.Bool().Draw(t, "named") {
			s.Terminals = []mianmi.TerminalID{terminalID(rapid.IntRange(0, 50).Draw(t, "terminal"))}
			s.Stores = []mianmi.StoreID{mianmi.StoreID(fmt.Sprint("st", i))}
			s.Models = []mianmi.ModelID{mianmi.ModelID(fmt.Sprint("md", i))}
		}
		stages = append(stages, s)
	}
	return rollout.Usual(append(stages, rollout.Stage{Permille: rollout.All})...)
}

func terminalID(n int) mianmi.TerminalID { return mianmi.TerminalID(fmt.Sprint("tm", n)) }

// Whoever is reached by a stage is reached by every later one, the last stage
// reaches everybody, and beyond the plan nobody is reached.
func TestReachOnlyGrows(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t)
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		id := mianmi.RolloutID(fmt.Sprint("ro", rapid.Int().Draw(t, "id")))
		at := rollout.Place{Terminal: terminalID(rapid.IntRange(0, 1000).Draw(t, "n")), Store: mianmi.StoreID(fmt.Sprint("st", rapid.IntRange(0, 6).Draw(t, "store"))),
			Model: mianmi.ModelID(fmt.Sprint("md", rapid.IntRange(0, 6).Draw(t, "model")))}
		before := false
		for stage := range p.Stages {
			now := p.Reaches(id, stage, at)
			if before && !now {
				t.Fatalf("%+v was reached by stage %d and is not by %d", at, stage-1, stage)
			}
			before = now
		}
		if !before {
			t.Fatalf("the last stage does not reach %+v", at)
		}
		var none rollout.Plan
		if p.Reaches(id, -1, at) || p.Reaches(id, len(p.Stages), at) || none.Reaches(id, 0, at) || p.Reaches(id, len(p.Stages)-1, rollout.Place{}) {
			t.Fatal("a stage that there is not, or no terminal, is reached")
		}
	})
}

// A share reaches about that many terminals, and another part in each rollout.
func TestShareIsAShare(t *testing.T) {
	t.Parallel()
	const terminals = 10_000
	for _, permille := range []int{1, 10, 250, 500, 999} {
		p := rollout.Usual(rollout.Stage{Permille: permille}, rollout.Stage{Permille: rollout.All})
		reached, both := 0, 0
		for n := range terminals {
			one := p.Reaches("ro1", 0, rollout.Place{Terminal: terminalID(n)})
			two := p.Reaches("ro2", 0, rollout.Place{Terminal: terminalID(n)})
			if one {
				reached++
			}
			if one && two {
				both++
			}
		}
		want := terminals * permille / rollout.All
		if off := reached - want; off > 150 || off < -150 { // three standard deviations at the widest
			t.Errorf("%d thousandths reach %d of %d", permille, reached, terminals)
		}
		if permille == 500 && both > 2800 {
			t.Errorf("two rollouts begin with the same %d terminals", both)
		}
	}
}

// Lots are recorded by what they lead to: they never change.
func TestLotsAreFixed(t *testing.T) {
	t.Parallel()
	for terminal, want := range map[mianmi.TerminalID]int{"tm00000000000000000000000001": 40, "tm00000000000000000000000002": 731} {
		if got := rollout.Lot("ro00000000000000000000000000", terminal); got != want {
			t.Errorf("the lot of %s is %d, was %d", terminal, got, want)
		}
	}
}

// A plan that nobody can have meant is refused, with the field that is wrong.
func TestPlansAreChecked(t *testing.T) {
	t.Parallel()
	all := rollout.Stage{Permille: rollout.All}
	for name, tt := range map[string]struct {
		spoil func(*rollout.Plan)
		field string
	}{
		"no stage":               {func(p *rollout.Plan) { p.Stages = nil }, "rollout.stages"},
		"too many":               {func(p *rollout.Plan) { p.Stages = make([]rollout.Stage, 11) }, "rollout.stages"},
		"nobody":                 {func(p *rollout.Plan) { p.Stages[0] = rollout.Stage{} }, "rollout.stages[0]"},
		"above everybody":        {func(p *rollout.Plan) { p.Stages[0].Permille = 1001 }, "rollout.stages[0].permille"},
		"fewer than before":      {func(p *rollout.Plan) { p.Stages = []rollout.Stage{{Permille: 20}, {Permille: 10}, all} }, "rollout.stages[1].permille"},
		"not everybody":          {func(p *rollout.Plan) { p.Stages = p.Stages[:1] }, "rollout.stages"},
		"a store in its place":   {func(p *rollout.Plan) { p.Stages[0].Terminals = []mianmi.TerminalID{"st1"} }, "rollout.stages[0].terminals"},
		"too many names":         {func(p *rollout.Plan) { p.Stages[0].Stores = manyStores(201) }, "rollout.stages"},
		"more than all":          {func(p *rollout.Plan) { p.AttestedMin = 1001 }, "rollout.attested_permille_min"},
		"no time to prove":       {func(p *rollout.Plan) { p.AttestSeconds = 59 }, "rollout.attest_seconds"},
		"a soak without end":     {func(p *rollout.Plan) { p.SoakSeconds = 1 << 40 }, "rollout.soak_seconds"},
		"less than no payment":   {func(p *rollout.Plan) { p.DeclinedMax = -1 }, "rollout.declined_permille_max"},
		"more than all payments": {func(p *rollout.Plan) { p.UnknownMax = 1001 }, "rollout.unknown_permille_max"},
		"more than all refuse":   {func(p *rollout.Plan) { p.RefusedMax = 1001 }, "rollout.refused_permille_max"},
		"a share of nothing":     {func(p *rollout.Plan) { p.PaymentsMin = 0 }, "rollout.payments_min"},
	} {
		p := rollout.Usual(rollout.Stage{Permille: 10}, all)
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		tt.spoil(&p)
		var e *mianmi.Error
		if err := p.Validate(); !errors.As(err, &e) || e.Field != tt.field {
			t.Errorf("%s: %v, want the field %s", name, err, tt.field)
		}
	}
}

func manyStores(n int) (out []mianmi.StoreID) {
	for i := range n {
		out = append(out, mianmi.StoreID(fmt.Sprint("st", i)))
	}
	return out
}

// A stage goes on when it has lasted and enough terminals have proved it; it is
// paused by each threshold, and by none on a figure that says nothing.
func TestJudge(t *testing.T) {
	t.Parallel()
	p := rollout.Usual(rollout.Stage{Permille: rollout.All})
	good := rollout.Figures{For: time.Hour, Total: 100, Reached: 40, HostAlone: 20, Attested: 19, Payments: 50, Declined: 5, Unknown: 1}
	for name, tt := range map[string]struct {
		change  func(*rollout.Figures)
		step    rollout.Step
		because rollout.Because
	}{
		"all is well":             {func(*rollout.Figures) {}, rollout.GoOn, rollout.Because{}},
		"too early":               {func(f *rollout.Figures) { f.For = 30*time.Minute - 1 }, rollout.Wait, rollout.Because{}},
		"one is missing":          {func(f *rollout.Figures) { f.Attested = 18 }, rollout.Pause, rollout.Because{Reason: rollout.FewAttested, Count: 18, Of: 20}},
		"one is missing still":    {func(f *rollout.Figures) { f.Attested, f.For = 18, 15*time.Minute-1 }, rollout.Wait, rollout.Because{}},
		"nobody is reached":       {func(f *rollout.Figures) { *f = rollout.Figures{For: time.Hour, Total: 3} }, rollout.GoOn, rollout.Because{}},
		"nobody can prove":        {func(f *rollout.Figures) { f.HostAlone, f.Attested = 40, 0 }, rollout.GoOn, rollout.Because{}},
		"one declined too many":   {func(f *rollout.Figures) { f.Declined = 6 }, rollout.Pause, rollout.Because{Reason: rollout.ManyDeclined, Count: 6, Of: 50}},
		"one in doubt too many":   {func(f *rollout.Figures) { f.Unknown = 2 }, rollout.Pause, rollout.Because{Reason: rollout.ManyUnknown, Count: 2, Of: 50}},
		"in doubt at once":        {func(f *rollout.Figures) { f.Unknown, f.For = 2, 0 }, rollout.Pause, rollout.Because{Reason: rollout.ManyUnknown, Count: 2, Of: 50}},
		"one refuses":             {func(f *rollout.Figures) { f.Refused = 1 }, rollout.Pause, rollout.Because{Reason: rollout.ManyRefused, Count: 1, Of: 20}},
		"one refuses at once":     {func(f *rollout.Figures) { f.Refused, f.For = 1, 0 }, rollout.Pause, rollout.Because{Reason: rollout.ManyRefused, Count: 1, Of: 20}},
		"too few payments to say": {func(f *rollout.Figures) { f.Payments, f.Declined = 49, 49 }, rollout.GoOn, rollout.Because{}},
	} {
		f := good
		tt.change(&f)
		step, because := p.Judge(f)
		if step != tt.step || because != tt.because {
			t.Errorf("%s: %v %+v, want %v %+v", name, step, because, tt.step, tt.because)
		}
		if w := because.Words(&p); step == rollout.Pause && (w.ZH == "" || w.EN == "" || !because.Threshold()) {
			t.Errorf("%s: %+v has no words", name, because)
		}
	}
}

// More that speaks against a stage never makes it go on.
func TestWorseFiguresNeverGoOn(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t)
		p.AttestedMin, p.DeclinedMax = rapid.IntRange(0, 1000).Draw(t, "attested min"), rapid.IntRange(0, 1000).Draw(t, "declined max")
		reached := rapid.IntRange(0, 200).Draw(t, "reached")
		f := rollout.Figures{For: time.Duration(rapid.IntRange(0, 7200).Draw(t, "for")) * time.Second, Reached: reached,
			Attested: rapid.IntRange(0, reached).Draw(t, "attested"), Payments: rapid.IntRange(0, 300).Draw(t, "payments")}
		f.Declined = rapid.IntRange(0, f.Payments).Draw(t, "declined")
		f.Unknown = rapid.IntRange(0, f.Payments-f.Declined).Draw(t, "unknown")
		worse := f
		worse.Attested -= rapid.IntRange(0, f.Attested).Draw(t, "less proved")
		worse.Refused += rapid.IntRange(0, reached).Draw(t, "more refused")
		worse.Declined += rapid.IntRange(0, f.Payments-f.Declined).Draw(t, "more declined")
		a, _ := p.Judge(f)
		b, _ := p.Judge(worse)
		if a != rollout.GoOn && b == rollout.GoOn {
			t.Fatalf("%+v: %v, and worse figures %+v go on", f, a, worse)
		}
	})
}

// Names of states are the inverse of each other, and say what is open.
func TestStates(t *testing.T) {
	t.Parallel()
	for s := rollout.Running; s <= rollout.Finished; s++ {
		if s.String() == "" || rollout.ParseState(s.String()) != s || s.Open() != (s <= rollout.Paused) {
			t.Errorf("state %d is called %q", s, s)
		}
	}
	if rollout.ParseState("late") != 0 || rollout.State(9).Open() || rollout.State(0).Open() {
		t.Error("a state that there is not")
	}
}
