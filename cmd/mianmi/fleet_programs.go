package main

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/agent/model"
	"github.com/mianmi/mianmi/rollout"
	"github.com/mianmi/mianmi/terminal"
	"github.com/mianmi/mianmi/update"
)

type fleetStageCmd struct {
	asStaff
	Family      string        `arg:"" placeholder:"FAMILY" help:"Family of the model." zh:"机型类别。"`
	Release     string        `arg:"" placeholder:"VERSION" help:"Version of the program, as it is or will be published." zh:"程序版本，与签发时一致。"`
	Stages      []string      `required:"" placeholder:"STAGE,…" help:"Stages, each a share (5%) or terminals, stores and models by name with + between (tm…+st…); everybody comes last." zh:"各批次：比例（如 5%），或以 + 连接的终端、门店、机型标识（tm…+st…）；最后一批为全部。"`
	RunMin      string        `placeholder:"SHARE" default:"90%" help:"Least share of the reached terminals that run it in time; fewer pause the rollout." zh:"已到终端中须按时运行新版本的最低比例，不足则暂停。"`
	RunWithin   time.Duration `placeholder:"TIME" default:"24h" help:"That time." zh:"上述时限。"`
	Soak        time.Duration `placeholder:"TIME" default:"4h" help:"How long a stage lasts at least." zh:"每批至少持续的时间。"`
	RefusedMost string        `placeholder:"SHARE" default:"2%" help:"Most of the reached terminals that do not take it or go back from it; more pause the rollout." zh:"未采用或已退回的终端占已到终端的最高比例，超过则暂停。"`
	ByHand      bool          `help:"A person begins each further stage." zh:"后续每一批均由人工开始。"`
}

// Run begins to bring a version to terminals in stages.
func (c *fleetStageCmd) Run(ctx context.Context, a *app) error {
	if !slices.Contains(model.Families(), c.Family) { // a slip of the pen would hold nothing back
		return mianmi.InvalidField("family", "want one of "+strings.Join(model.Families(), ", "))
	}
	plan, err := c.plan()
	if err != nil {
		return err
	}
	return a.onFleet(ctx, &c.asStaff, func(ctx context.Context, w *fleetWork) error {
		r, err := w.terminals.StartProgram(ctx, w.actor, terminal.NewProgram{Family: c.Family, Version: c.Release, Plan: plan})
		if err != nil {
			return err
		}
		return w.printProgram(&r)
	})
}

func (c *fleetStageCmd) plan() (rollout.Plan, error) {
	stages, err := parseStages("stages", c.Stages)
	if err != nil {
		return rollout.Plan{}, err
	}
	p := rollout.UsualProgram(stages...)
	if p.AttestedMin, err = parseShare("run-min", c.RunMin); err != nil {
		return p, err
	}
	if p.RefusedMax, err = parseShare("refused-most", c.RefusedMost); err != nil {
		return p, err
	}
	p.AttestSeconds, p.SoakSeconds, p.ByHand = int64(c.RunWithin/time.Second), int64(c.Soak/time.Second), c.ByHand
	return p, nil
}

// parseStages reads "tm…+st…,5%,25%". The last stage is everybody, said or not.
func parseStages(flag string, list []string) ([]rollout.Stage, error) {
	var out []rollout.Stage
	for _, text := range list {
		var s rollout.Stage
		if strings.HasSuffix(text, "%") {
			n, err := parseShare(flag, text)
			if err != nil {
				return nil, err
			}
			s.Permille = n
			out = append(out, s)
			continue
		}
		for _, name := range strings.Split(text, "+") {
			switch {
			case strings.HasPrefix(name, "tm"):
				s.Terminals = append(s.Terminals, mianmi.TerminalID(name))
			case strings.HasPrefix(name, "st"):
				s.Stores = append(s.Stores, mianmi.StoreID(name))
			case strings.HasPrefix(name, "md"):
				s.Models = append(s.Models, mianmi.ModelID(name))
			default:
				return nil, mianmi.InvalidField(flag, "want shares such as 5%, or identifiers of terminals, stores and models")
			}
		}
		out = append(out, s)
	}
	if n := len(out); n == 0 || out[n-1].Permille != rollout.All {
		out = append(out, rollout.Stage{Permille: rollout.All})
	}
	return out, nil
}

// parseShare reads "5%" or "2.5%" as thousandths.
func parseShare(flag, text string) (int, error) {
	whole, tenth, _ := strings.Cut(strings.TrimSuffix(text, "%"), ".")
	if tenth == "" {
		tenth = "0"
	}
	n, err := strconv.ParseUint(whole, 10, 8)
	t, tenthErr := strconv.ParseUint(tenth, 10, 8)
	permille := int(10*n + t) //nolint:gosec // two bytes
	if err != nil || tenthErr != nil || len(tenth) != 1 || !strings.HasSuffix(text, "%") || permille > rollout.All {
		return 0, mianmi.InvalidField(flag, "want a share in percent, such as 5% or 0.5%")
	}
	return permille, nil
}

// stageProgram begins the rollout of a version that is about to be published, and
// leaves one that runs as it is: publishing may have failed after it.
func (a *app) stageProgram(ctx context.Context, family, version string, stages []rollout.Stage) error {
	return a.onFleet(ctx, &asStaff{}, func(ctx context.Context, w *fleetWork) error {
		r, err := w.terminals.StartProgram(ctx, w.actor, terminal.NewProgram{Family: family, Version: version, Plan: rollout.UsualProgram(stages...)})
		if !errors.Is(err, mianmi.Conflict) {
			if err != nil {
				return err
			}
			return w.printProgram(&r)
		}
		list, listErr := w.terminals.Programs(ctx, w.actor, terminal.ProgramQuery{Family: family, Open: true, Limit: fleetPageMax})
		for i := range list {
			if update.Same(list[i].Version, version) {
				return w.printProgram(&list[i])
			}
		}
		return errors.Join(err, listErr)
	})
}

// printProgram is one line that tells where a program's rollout stands.
func (w *fleetWork) printProgram(r *terminal.ProgramRollout) error {
	return w.printStaged(staged{r.ID, say("程序 %s %s", "program %s %s", r.Family, r.Version), r.State, r.Stage, &r.Plan, r.Because, r.ChangedAt})
}

// programActs are what the flags of fleet rollout do with a program's.
func (c *fleetRolloutCmd) programActs(s *terminal.Service) []rolloutAct[terminal.ProgramRollout] {
	return []rolloutAct[terminal.ProgramRollout]{{c.Pause, s.PauseProgram}, {c.Resume, s.ResumeProgram}, {c.Advance, s.AdvanceProgram}, {c.Stop, s.StopProgram}}
}

// program changes a program's rollout, or shows it.
func (c *fleetRolloutCmd) program(ctx context.Context, w *fleetWork, r *terminal.ProgramRolledOut) error {
	for _, act := range c.programActs(w.terminals) {
		if act.asked {
			after, err := act.do(ctx, w.actor, r.ID)
			if err != nil {
				return err
			}
			return w.printProgram(&after)
		}
	}
	if err := w.printProgram(&r.ProgramRollout); err != nil || !r.State.Open() {
		return err
	}
	f := &r.Figures
	err := w.print(say("已到终端 %d 台，该机型共 %d 台；已运行 %d 台，等待重启或试运行 %d 台，未采用或已退回 %d 台，尚待运行 %d 台\n已运行的终端自本批开始的付款 %d 笔，其中拒付 %d 笔，没有结果 %d 笔\n",
		"It has come to %d of %d terminals. They run it: %d; wait for a restart or try it: %d; refused it: %d; outstanding: %d.\nPayments where it runs since the stage began: %d, of which declined %d, without a result %d.\n",
		f.Reached, f.Total, f.Attested, f.Delivered, f.Refused, f.Outstanding(), f.Payments, f.Declined, f.Unknown))
	if err != nil {
		return err
	}
	list, err := w.terminals.ProgramOutstanding(ctx, w.actor, r.ID, mianmi.TerminalID(c.After), fleetPageMax)
	for i := range list {
		d := &list[i]
		err = errors.Join(err, w.print(say("%s  %s  %s%s  最近联系 %s\n", "%s  %s  %s%s  last seen %s\n", d.Terminal, d.Name, d.App, ofUpdate(d.Update).In(w.app.lang),
			moment(d.SeenAt))))
	}
	return err
}
