package main

import (
	"context"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/terminal"
)

// fleetPageMax is what one call prints: more is asked for over the API.
const fleetPageMax = 200

type fleetOffsCmd struct {
	asStaff
	All bool `help:"Those too that are in force everywhere, or were taken back." zh:"也列出已在全部终端生效的和已撤回的。"`
}

// Run lists OFFs with their live counts.
func (c *fleetOffsCmd) Run(ctx context.Context, a *app) error {
	return a.onFleet(ctx, &c.asStaff, func(ctx context.Context, w *fleetWork) error {
		list, err := w.terminals.Offs(ctx, w.actor, terminal.OffQuery{Open: !c.All})
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return w.print(mianmi.Text{ZH: "没有等待终端证实的关闭。\n", EN: "No OFF waits for terminals.\n"})
		}
		for i := range list {
			s := list[i].Sentence(payer.Local)
			if err := w.print(say("%d  %s  %s\n", "%d  %s  %s\n", list[i].Epoch, list[i].Scope, s.In(a.lang))); err != nil {
				return err
			}
		}
		return nil
	})
}

type fleetOffCmd struct {
	asStaff
	Off   int64  `arg:"" placeholder:"NUMBER" help:"Number of the OFF, as in mianmi fleet offs." zh:"关闭的编号，见 mianmi fleet offs。"`
	After string `placeholder:"TERMINAL" help:"Go on after this terminal." zh:"从该终端之后继续。"`
}

// Run shows an OFF and the terminals that it waits for.
func (c *fleetOffCmd) Run(ctx context.Context, a *app) error {
	return a.onFleet(ctx, &c.asStaff, func(ctx context.Context, w *fleetWork) error {
		o, err := w.terminals.Off(ctx, w.actor, c.Off)
		if err != nil {
			return err
		}
		s := o.Sentence(payer.Local)
		if err := w.print(say("%s\n期限 %s\n", "%s\nThe deadline is %s.\n", s.In(a.lang), moment(o.Deadline))); err != nil {
			return err
		}
		list, err := w.terminals.OffOutstanding(ctx, w.actor, c.Off, mianmi.TerminalID(c.After), fleetPageMax)
		if err != nil {
			return err
		}
		for i := range list {
			why := list[i].Because(payer.Local)
			if err := w.print(say("%s  %s  %s\n", "%s  %s  %s\n", list[i].Terminal, list[i].Name, why.In(a.lang))); err != nil {
				return err
			}
		}
		return nil
	})
}

type fleetAlarmsCmd struct {
	asStaff
	All bool `help:"Those too that have ended." zh:"也列出已结束的。"`
}

// Run lists alarms about terminals.
func (c *fleetAlarmsCmd) Run(ctx context.Context, a *app) error {
	return a.onFleet(ctx, &c.asStaff, func(ctx context.Context, w *fleetWork) error {
		list, err := w.terminals.Alarms(ctx, w.actor, terminal.AlarmQuery{Open: !c.All, Limit: fleetPageMax})
		if err != nil {
			return err
		}
		for _, x := range list {
			if err := w.print(say("%s  %s  %s  %s\n", "%s  %s  %s  %s\n", moment(x.OpenedAt), x.Terminal, x.Kind, x.Detail)); err != nil {
				return err
			}
		}
		return nil
	})
}
