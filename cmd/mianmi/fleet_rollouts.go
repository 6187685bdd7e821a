package main

import (
	"context"
	"errors"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/rollout"
	"github.com/mianmi/mianmi/terminal"
)

type fleetRolloutsCmd struct {
	asStaff
	All bool `help:"Those too that are finished or stopped." zh:"也列出已完成和已终止的。"`
}

// Run lists rollouts of settings and of programs, the newest of each first.
func (c *fleetRolloutsCmd) Run(ctx context.Context, a *app) error {
	return a.onFleet(ctx, &c.asStaff, func(ctx context.Context, w *fleetWork) error {
		s := merchant.New(w.db, a.clock, a.random)
		list, err := s.Rollouts(ctx, w.actor, merchant.RolloutQuery{Open: !c.All, Limit: fleetPageMax})
		if err != nil {
			return err
		}
		programs, err := w.terminals.Programs(ctx, w.actor, terminal.ProgramQuery{Open: !c.All, Limit: fleetPageMax})
		if err != nil && !errors.Is(err, mianmi.Denied) { // those of settings may be a merchant's own
			return err
		}
		if len(list)+len(programs) == 0 {
			return w.print(mianmi.Text{ZH: "没有分批推行。\n", EN: "There is no staged rollout.\n"})
		}
		for i := range list {
			if err := w.printRollout(&list[i]); err != nil {
				return err
			}
		}
		for i := range programs {
			if err := w.printProgram(&programs[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// staged is where a rollout stands.
type staged struct {
	id      mianmi.RolloutID
	of      mianmi.Text
	state   rollout.State
	stage   int // from 0
	plan    *rollout.Plan
	because rollout.Because
	since   time.Time
}

// printStaged is one line that tells that.
func (w *fleetWork) printStaged(r staged) error {
	lang := w.app.lang
	line := say("%s  %s  第 %d 批，共 %d 批  %s  %s 起", "%s  %s  stage %d of %d  %s since %s", r.id, r.of.In(lang), r.stage+1, len(r.plan.Stages),
		rolloutStates[r.state].In(lang), moment(r.since))
	if why := r.because.Words(r.plan); why != (mianmi.Text{}) {
		line.ZH, line.EN = line.ZH+"  "+why.ZH, line.EN+"  "+why.EN
	}
	return w.print(mianmi.Text{ZH: line.ZH + "\n", EN: line.EN + "\n"})
}

// printRollout is one line that tells where a setting's rollout stands.
func (w *fleetWork) printRollout(r *merchant.Rollout) error {
	scope := r.Scope.String()
	return w.printStaged(staged{r.ID, mianmi.Text{ZH: scope, EN: scope}, r.State, r.Stage, &r.Plan, r.Because, r.ChangedAt})
}

var rolloutStates = map[rollout.State]mianmi.Text{
	rollout.Running: {ZH: "推行中", EN: "running"}, rollout.Paused: {ZH: "已暂停", EN: "paused"},
	rollout.Stopped: {ZH: "已终止", EN: "stopped"}, rollout.Finished: {ZH: "已完成", EN: "finished"},
}

type fleetRolloutCmd struct {
	asStaff
	Rollout string `arg:"" placeholder:"ROLLOUT" help:"The rollout (ro…), as in mianmi fleet rollouts." zh:"分批推行的标识（ro…），见 mianmi fleet rollouts。"`
	Pause   bool   `xor:"act" help:"Keep it where it is." zh:"暂停在当前批次。"`
	Resume  bool   `xor:"act" help:"Let it go on after a pause." zh:"暂停后继续。"`
	Advance bool   `xor:"act" help:"Begin the next stage now." zh:"立即进入下一批。"`
	Stop    bool   `xor:"act" help:"End it: the former terms are back at every terminal, at once; of a program, nobody new gets it." zh:"终止：原条款立即对全部终端恢复；程序则不再发给任何终端。"`
	After   string `placeholder:"TERMINAL" help:"Go on after this terminal." zh:"从该终端之后继续。"`
}

// rolloutAct is one of the flags, and what it does.
type rolloutAct[T any] struct {
	asked bool
	do    func(context.Context, mianmi.Actor, mianmi.RolloutID) (T, error)
}

// Run changes a rollout, or shows how far it is and what it waits for.
func (c *fleetRolloutCmd) Run(ctx context.Context, a *app) error {
	return a.onFleet(ctx, &c.asStaff, func(ctx context.Context, w *fleetWork) error {
		s, id := merchant.New(w.db, a.clock, a.random), mianmi.RolloutID(c.Rollout)
		if c.Login == "" && (c.Resume || c.Advance) {
			return mianmi.InvalidField("login", "only a person can let more terminals be reached")
		}
		program, err := w.terminals.Program(ctx, w.actor, id)
		switch {
		case err == nil:
			return c.program(ctx, w, &program)
		case !errors.Is(err, mianmi.NotFound) && !errors.Is(err, mianmi.Denied): // it may be a setting's
			return err
		}
		for _, act := range []rolloutAct[merchant.Rollout]{{c.Pause, s.PauseRollout}, {c.Resume, s.ResumeRollout}, {c.Advance, s.AdvanceRollout}, {c.Stop, s.StopRollout}} {
			if !act.asked {
				continue
			}
			r, err := act.do(ctx, w.actor, id)
			if err != nil {
				return err
			}
			return w.printRollout(&r)
		}
		return c.show(ctx, w, s)
	})
}

func (c *fleetRolloutCmd) show(ctx context.Context, w *fleetWork, s *merchant.Service) error {
	r, err := s.Rollout(ctx, w.actor, mianmi.RolloutID(c.Rollout))
	if err != nil {
		return err
	}
	if err := w.printRollout(&r.Rollout); err != nil || !r.State.Open() {
		return err
	}
	f := &r.Figures
	err = w.print(say("已到终端 %d 台，范围内共 %d 台；已证实 %d 台，仅由主机执行 %d 台，尚待证实 %d 台\n这些终端自本批开始的付款 %d 笔，其中拒付 %d 笔，没有结果 %d 笔\n",
		"It has come to %d of %d terminals. Proved: %d; held by the host alone: %d; outstanding: %d.\nPayments there since the stage began: %d, of which declined %d, without a result %d.\n",
		f.Reached, f.Total, f.Attested, f.HostAlone, f.Outstanding(), f.Payments, f.Declined, f.Unknown))
	if err != nil {
		return err
	}
	reach := terminal.Reach{Scope: r.Scope.String(), Place: terminal.Place{Merchant: r.Merchant, Store: r.Store}, Epoch: r.Epoch, Has: r.Reaches}
	list, err := w.terminals.ReachOutstanding(ctx, w.actor, reach, mianmi.TerminalID(c.After), fleetPageMax)
	if err != nil {
		return err
	}
	for i := range list {
		why := list[i].Because(payer.Local)
		if err := w.print(say("%s  %s  %s\n", "%s  %s  %s\n", list[i].Terminal, list[i].Name, why.In(w.app.lang))); err != nil {
			return err
		}
	}
	return nil
}
