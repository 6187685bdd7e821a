package main

import (
	"context"
	"fmt"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/risk"
	"github.com/mianmi/mianmi/store"
)

type riskAlarmsCmd struct {
	All   bool `help:"Those that are resolved, too." zh:"同时列出已了结的。"`
	Limit int  `default:"50" placeholder:"N" help:"How many, at most 200." zh:"条数，最多 200。"`
}

// Run lists alarms.
func (c *riskAlarmsCmd) Run(ctx context.Context, a *app) error {
	return a.onRisk(ctx, func(s *risk.Service, _ *store.DB) error {
		list, err := s.Alarms(ctx, commandLine, risk.Query{Unsolved: !c.All, Limit: c.Limit})
		if err != nil {
			return err
		}
		for i := range list {
			if err := a.tellAlarm(&list[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// tellAlarm is an alarm on one line, with who reported it.
func (a *app) tellAlarm(l *risk.Alarm) error {
	says := mianmi.Text(l.Says).In(a.lang)
	if l.Reporter != "" {
		says += fmt.Sprintf(mianmi.Text{ZH: "（%s 报告）", EN: " (reported by %s)"}.In(a.lang), l.Reporter)
	}
	_, err := fmt.Fprintf(a.stdout, "%s  %s  %-8s %-12s %3d  %s  %s\n", l.ID, l.LastAt.Format("2006-01-02T15:04:05Z07:00"), l.Severity, l.State, l.Count, l.Rule, says)
	return err
}

type riskReportCmd struct {
	Kind     string            `arg:"" enum:"not_me,no_pin_asked,wrong_amount,device,display,other" placeholder:"KIND" help:"not_me, no_pin_asked (though PIN-free is off), wrong_amount, device (looks tampered with), display (shows something else) or other." zh:"not_me（非本人付款）、no_pin_asked（免密已关闭却未要求密码）、wrong_amount（金额不对）、device（终端像被动过手脚）、display（屏幕显示与实际不符）或 other（其他）。"`
	Note     string            `arg:"" optional:"" placeholder:"NOTE" help:"What is wrong, at most 500 characters." zh:"情况说明，最多 500 字。"`
	Payment  mianmi.PaymentID  `placeholder:"PAYMENT" help:"The payment that it is about." zh:"所涉及的付款。"`
	Terminal mianmi.TerminalID `placeholder:"TERMINAL" help:"The terminal that it is about." zh:"所涉及的终端。"`
	asStaff
}

// Run reports that something is wrong.
func (c *riskReportCmd) Run(ctx context.Context, a *app) error {
	return a.onRisk(ctx, func(s *risk.Service, db *store.DB) error {
		who, err := c.identify(ctx, a, db)
		if err != nil {
			return err
		}
		r, err := s.Report(ctx, who, risk.Report{Kind: c.Kind, Payment: c.Payment, Terminal: c.Terminal, Note: c.Note})
		if err != nil {
			return err
		}
		return a.tellAlarm(&r.Alarm)
	})
}

type riskAcknowledgeCmd struct {
	Alarm mianmi.AlarmID `arg:"" placeholder:"ALARM" help:"Identifier of the alarm." zh:"告警标识。"`
	asStaff
}

// Run takes an alarm up.
func (c *riskAcknowledgeCmd) Run(ctx context.Context, a *app) error {
	return a.onRisk(ctx, func(s *risk.Service, db *store.DB) error {
		who, err := c.identify(ctx, a, db)
		if err != nil {
			return err
		}
		return a.toldAlarm(s.Acknowledge(ctx, who, c.Alarm))
	})
}

type riskResolveCmd struct {
	Alarm   mianmi.AlarmID `arg:"" placeholder:"ALARM" help:"Identifier of the alarm." zh:"告警标识。"`
	Verdict string         `arg:"" enum:"fraud,fault,harmless,false_alarm,unclear" placeholder:"VERDICT" help:"What it was: fraud, fault, harmless, false_alarm or unclear." zh:"结论：fraud（欺诈）、fault（故障）、harmless（无害）、false_alarm（误报）或 unclear（不明）。"`
	Note    string         `arg:"" optional:"" placeholder:"NOTE" help:"Why, at most 1000 bytes; it stays in the database." zh:"说明，最多 1000 字节，只保存在数据库中。"`
	asStaff
}

// Run resolves an alarm.
func (c *riskResolveCmd) Run(ctx context.Context, a *app) error {
	return a.onRisk(ctx, func(s *risk.Service, db *store.DB) error {
		who, err := c.identify(ctx, a, db)
		if err != nil {
			return err
		}
		return a.toldAlarm(s.Resolve(ctx, who, c.Alarm, risk.Resolution{Verdict: c.Verdict, Note: c.Note}))
	})
}

func (a *app) toldAlarm(l risk.Alarm, err error) error {
	if err != nil {
		return err
	}
	return a.tellAlarm(&l)
}
