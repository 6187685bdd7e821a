package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/fleet"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/terminal"
	"github.com/mianmi/mianmi/terminal/protocol"
	"github.com/mianmi/mianmi/update"
)

// fleetCmd looks after terminals on the database itself, while servers run.
type fleetCmd struct {
	Enrol    fleetEnrolCmd    `cmd:"" help:"Make a code that enrols a terminal: shown once, for a quarter of an hour, good for one use." zh:"生成终端登记码：只显示一次，一刻钟内有效，只能用一次。"`
	Revoke   fleetRevokeCmd   `cmd:"" help:"Take a terminal's certificates back: a machine that was lost or stolen." zh:"吊销终端证书：机器丢失或被盗时使用。"`
	Offs     fleetOffsCmd     `cmd:"" help:"List OFFs with the number of terminals that have proved them." zh:"列出各次关闭及已证实生效的终端数。"`
	Off      fleetOffCmd      `cmd:"" help:"Show an OFF: how many terminals have proved it, which have not and why, until when." zh:"显示一次关闭：多少台终端已证实、哪些尚未证实及原因、期限。"`
	Alarms   fleetAlarmsCmd   `cmd:"" help:"List alarms about terminals." zh:"列出终端告警。"`
	Rollouts fleetRolloutsCmd `cmd:"" help:"List staged rollouts of loosened policies and of programs." zh:"列出放宽策略的分批推行和程序的分批下发。"`
	Rollout  fleetRolloutCmd  `cmd:"" help:"Show how far a staged rollout is; pause, resume, advance or stop it." zh:"显示分批推行的进度；可暂停、恢复、进入下一批或终止。"`
	Stage    fleetStageCmd    `cmd:"" help:"Bring a version of the terminals' program to a family of models in stages; best before it is published." zh:"将某个程序版本分批下发给一类机型的终端；宜在签发之前设置。"`
	Policy   fleetPolicyCmd   `cmd:"" help:"Print the policy on terminals, set it, or approve one that another person proposed." zh:"打印、设置终端策略，或复核他人提出的策略。"`
	NATS     fleetNATSCmd     `cmd:"" name:"nats" help:"Write what the servers of a NATS cluster need, or their next certificates." zh:"生成 NATS 集群各服务器所需的配置与证书，或为其续发证书。"`
	Show     fleetShowCmd     `cmd:"" help:"Show what a terminal is to run, what it has proved, and what stands in the way." zh:"显示终端应运行的设置、已证实的设置以及未生效的原因。"`
}

// fleetWork is a subcommand's way to terminals.
type fleetWork struct {
	app       *app
	db        *store.DB
	actor     mianmi.Actor
	terminals *terminal.Service
}

// onFleet opens the database, finds out who does it, runs fn and closes it.
func (a *app) onFleet(ctx context.Context, who *asStaff, fn func(context.Context, *fleetWork) error) (err error) {
	db, err := a.database(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	actor, err := who.identify(ctx, a, db)
	if err != nil {
		return err
	}
	return fn(ctx, &fleetWork{app: a, db: db, actor: actor, terminals: terminal.New(db, a.clock, a.random)})
}

func (w *fleetWork) print(t mianmi.Text) error {
	_, err := fmt.Fprint(w.app.stdout, t.In(w.app.lang))
	return err
}

type fleetEnrolCmd struct {
	asStaff
	Terminal string `arg:"" placeholder:"TERMINAL" help:"The terminal (tm…)." zh:"终端标识（tm…）。"`
}

// Run makes the code.
func (c *fleetEnrolCmd) Run(ctx context.Context, a *app) error {
	return a.onFleet(ctx, &c.asStaff, func(ctx context.Context, w *fleetWork) error {
		keys, err := a.keys(ctx, w.db)
		if err != nil {
			return err
		}
		ca, err := fleet.NewCA(keys.CASeed())
		if err != nil {
			return err
		}
		enrol := &terminal.Enrol{Records: w.db, Keys: keys, Clock: a.clock, Random: a.random}
		code, err := enrol.Issue(ctx, w.actor, mianmi.TerminalID(c.Terminal))
		if err != nil {
			return err
		}
		text := protocol.EnrolCode{Secret: code.Secret, CA: ca.Fingerprint()}.String()
		at := code.ExpiresAt.Local().Format(time.TimeOnly)
		return w.print(say("登记码：%s\n有效至 %s，只能用一次。\n", "code  %s\nGood until %s, for one use.\n", text, at))
	})
}

type fleetRevokeCmd struct {
	asStaff
	Terminal string `arg:"" placeholder:"TERMINAL" help:"The terminal (tm…)." zh:"终端标识（tm…）。"`
}

// Run takes the certificates back. Servers end the terminal's connections
// within a second.
func (c *fleetRevokeCmd) Run(ctx context.Context, a *app) error {
	return a.onFleet(ctx, &c.asStaff, func(ctx context.Context, w *fleetWork) error {
		if err := w.terminals.Revoke(ctx, w.actor, mianmi.TerminalID(c.Terminal)); err != nil {
			return err
		}
		return w.print(say("终端 %s 的证书已吊销，须重新登记。\n", "The certificates of terminal %s are revoked; it has to be enrolled anew.\n", c.Terminal))
	})
}

type fleetShowCmd struct {
	asStaff
	Terminal string `arg:"" placeholder:"TERMINAL" help:"The terminal (tm…)." zh:"终端标识（tm…）。"`
}

// Run shows where the terminal's setting stands.
func (c *fleetShowCmd) Run(ctx context.Context, a *app) error {
	return a.onFleet(ctx, &c.asStaff, func(ctx context.Context, w *fleetWork) error {
		st, err := w.terminals.Status(ctx, w.actor, mianmi.TerminalID(c.Terminal))
		if err != nil {
			return err
		}
		stage := st.Stage.Words()
		lines := []mianmi.Text{
			say("状态        %s", "stage         %s", stage.In(a.lang)),
			say("应运行      版本 %d（%s 起）", "to run        version %d, since %s", st.Version, moment(st.Desired)),
			say("已证实      版本 %d", "proved        version %d", st.State.Attested),
			say("证实有效至  %s", "proof holds   until %s", moment(st.State.LeaseUntil)),
			say("最近上报    %s，第 %d 次开机", "last report   %s, boot %d", moment(st.State.ReportedAt), st.State.Boot),
		}
		if said := &st.State.Said; said.Device.App != "" {
			lines = append(lines, say("程序        %s%s", "program       %s%s", said.Device.App, ofUpdate(said.Update).In(a.lang)))
		}
		for _, d := range st.Words {
			lines = append(lines, say("须验密      %s", "asks for PIN  %s", d.Support.In(a.lang)))
		}
		for _, l := range lines {
			if err := w.print(mianmi.Text{ZH: l.ZH + "\n", EN: l.EN + "\n"}); err != nil {
				return err
			}
		}
		return nil
	})
}

// ofUpdate is what follows the version of a terminal's program.
func ofUpdate(u *protocol.Update) mianmi.Text {
	switch {
	case u == nil:
		return mianmi.Text{}
	case u.State == "trial":
		return mianmi.Text{ZH: "，试运行中，主机尚未证实", EN: ", on trial until the host confirms it"}
	case u.State == "waiting":
		return say("，%s 待重启后运行", "; %s runs after the restart", u.Version)
	}
	words := update.Kind(u.Reason).Words()
	return mianmi.Text{ZH: "，" + u.Version + " 未被采用：" + words.ZH, EN: "; " + u.Version + " is not taken: " + words.EN}
}

// moment is a time for people; "–" when there was none.
func moment(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.Local().Format(time.DateTime)
}
