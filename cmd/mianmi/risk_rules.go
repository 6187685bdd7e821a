package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/risk"
	"github.com/mianmi/mianmi/store"
)

// riskCmd is "mianmi risk". It works on the database, without a server, like the
// subcommands of rule packs; servers ask the changed rules within a second.
type riskCmd struct {
	Rules    riskRulesCmd    `cmd:"" help:"List the rules that look for signals, or show one whole." zh:"列出查找风险的规则，或完整显示其中一条。"`
	Backtest riskBacktestCmd `cmd:"" help:"Say what rules would have found in the last days: counts, days, examples. Nothing is written." zh:"用最近若干天的日志回测规则：次数、按日分布、示例。不写入任何内容。"`
	Add      riskAddCmd      `cmd:"" help:"Add a rule of your own, in shadow: its findings are counted, and nothing else comes of them." zh:"增加自有规则，先在影子状态运行：只计次数，不产生告警。"`
	Promote  riskPromoteCmd  `cmd:"" help:"Let a rule raise alarms, at once; also one that was withdrawn and is shipped." zh:"让规则开始产生告警，立即生效；已撤下的内置规则也用此恢复。"`
	Withdraw riskWithdrawCmd `cmd:"" help:"Take a rule away: in shadow at once, a live one by a second person." zh:"撤下规则：影子状态的立即撤下，已启用的须由第二人确认。"`
	Keep     riskKeepCmd     `cmd:"" help:"Refuse a proposal to withdraw a rule, or take one's own back." zh:"否决撤下规则的提议，或收回自己的提议。"`
	Alarms   riskAlarmsCmd   `cmd:"" help:"List alarms, newest first." zh:"列出风险告警，从新到旧。"`
	Measures riskMeasuresCmd `cmd:"" help:"List what rules did about their findings, newest first, with what waits or has lapsed." zh:"列出规则采取的措施，从新到旧，含等待采取和到期未采取的。"`

	Report      riskReportCmd      `cmd:"" help:"Report that something is wrong: an alarm is raised at once." zh:"报告异常：立即产生告警。"`
	Acknowledge riskAcknowledgeCmd `cmd:"" help:"Take an alarm up." zh:"接手告警。"`
	Resolve     riskResolveCmd     `cmd:"" help:"Say what an alarm turned out to be." zh:"了结告警并说明结论。"`
}

// onRisk opens the database.
func (a *app) onRisk(ctx context.Context, do func(*risk.Service, *store.DB) error) (err error) {
	db, err := a.database(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	keys, err := a.keys(ctx, db)
	if err != nil {
		return err
	}
	s, err := risk.New(risk.Parts{Store: db, Keys: keys, Clock: a.clock, Random: a.random, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	return do(s, db)
}

// riskRuleFlag names a rule that is to be changed.
type riskRuleFlag struct {
	Rule string `arg:"" placeholder:"RULE" help:"Identifier of the rule." zh:"规则标识。"`
	asStaff
}

// change changes a rule and tells how it stands.
func (f *riskRuleFlag) change(ctx context.Context, a *app, do func(*risk.Service, mianmi.Actor) (risk.Held, error)) error {
	return a.onRisk(ctx, func(s *risk.Service, db *store.DB) error {
		who, err := f.identify(ctx, a, db)
		if err != nil {
			return err
		}
		h, err := do(s, who)
		if err != nil {
			return err
		}
		return a.tellRiskRule(&h)
	})
}

type riskPromoteCmd struct{ riskRuleFlag }

// Run promotes a rule.
func (c *riskPromoteCmd) Run(ctx context.Context, a *app) error {
	return c.change(ctx, a, func(s *risk.Service, who mianmi.Actor) (risk.Held, error) { return s.Promote(ctx, who, c.Rule) })
}

type riskWithdrawCmd struct{ riskRuleFlag }

// Run withdraws a rule, or proposes it.
func (c *riskWithdrawCmd) Run(ctx context.Context, a *app) error {
	return c.change(ctx, a, func(s *risk.Service, who mianmi.Actor) (risk.Held, error) { return s.Withdraw(ctx, who, c.Rule) })
}

type riskKeepCmd struct{ riskRuleFlag }

// Run keeps a rule.
func (c *riskKeepCmd) Run(ctx context.Context, a *app) error {
	return c.change(ctx, a, func(s *risk.Service, who mianmi.Actor) (risk.Held, error) { return s.Keep(ctx, who, c.Rule) })
}

type riskAddCmd struct {
	File string `arg:"" placeholder:"FILE" help:"The rule in YAML; see docs/risk.md." zh:"YAML 格式的规则；见 docs/risk.zh-CN.md。"`
	asStaff
}

// Run adds a rule in shadow.
func (c *riskAddCmd) Run(ctx context.Context, a *app) error {
	r, err := readRiskRule(c.File)
	if err != nil {
		return err
	}
	f := riskRuleFlag{asStaff: c.asStaff}
	return f.change(ctx, a, func(s *risk.Service, who mianmi.Actor) (risk.Held, error) { return s.AddRule(ctx, who, r) })
}

// riskFileMax bounds a file before it is read; risk.Parse has its own bound.
const riskFileMax = 64 << 10

func readRiskRule(name string) (r risk.Rule, err error) {
	f, err := os.Open(name) //nolint:gosec // the operator names the file
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	text, err := io.ReadAll(io.LimitReader(f, riskFileMax))
	if err != nil {
		return r, err
	}
	return risk.Parse(text)
}

type riskRulesCmd struct {
	Rule string `arg:"" optional:"" placeholder:"RULE" help:"Show this one whole." zh:"完整显示这一条。"`
}

// Run lists rules, or shows one.
func (c *riskRulesCmd) Run(ctx context.Context, a *app) error {
	return a.onRisk(ctx, func(s *risk.Service, _ *store.DB) error {
		list, err := s.Rules(ctx, commandLine)
		if err != nil {
			return err
		}
		if c.Rule == "" {
			for i := range list {
				if err := a.tellRiskRule(&list[i]); err != nil {
					return err
				}
			}
			return nil
		}
		i := slices.IndexFunc(list, func(h risk.Held) bool { return h.ID == c.Rule })
		if i < 0 {
			return mianmi.Missing("rule " + c.Rule)
		}
		enc := json.NewEncoder(a.stdout)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(list[i].Rule)
	})
}

// tellRiskRule is a rule on one line, with what it has found while in shadow.
func (a *app) tellRiskRule(h *risk.Held) error {
	title := mianmi.Text(h.Rule.Title).In(a.lang)
	line := fmt.Sprintf("%-30s %-9s %-8s %s", h.ID, h.Stage, h.Rule.Severity, title)
	if h.Stage == risk.Shadow {
		line += fmt.Sprintf(mianmi.Text{ZH: "（发现 %d 次）", EN: " (%d findings)"}.In(a.lang), h.Found)
	}
	if h.ProposedBy != "" {
		line += fmt.Sprintf(mianmi.Text{ZH: "（%s 提议撤下，待第二人确认）", EN: " (%s proposes to withdraw it: a second person must, too)"}.In(a.lang), h.ProposedBy)
	}
	_, err := fmt.Fprintln(a.stdout, line)
	return err
}

type riskBacktestCmd struct {
	Files []string `arg:"" name:"file" optional:"" placeholder:"FILE" help:"Rules in YAML; without any, the rules that are asked now." zh:"YAML 格式的规则；不给出时回测现有规则。"`
	Days  int      `default:"7" placeholder:"N" help:"How far back, 1 to 31 days." zh:"回测天数，1 至 31。"`
}

// Run tries rules on the log.
func (c *riskBacktestCmd) Run(ctx context.Context, a *app) error {
	return a.onRisk(ctx, func(s *risk.Service, _ *store.DB) error {
		b := risk.Backtest{Days: c.Days, Progress: a.progressOfBacktest()}
		for _, name := range c.Files {
			r, err := readRiskRule(name)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			b.Rules = append(b.Rules, r)
		}
		if len(c.Files) == 0 {
			list, err := s.Rules(ctx, commandLine)
			if err != nil {
				return err
			}
			for i := range list {
				if list[i].Stage != risk.Withdrawn {
					b.Rules = append(b.Rules, list[i].Rule)
				}
			}
		}
		r, err := s.Backtest(ctx, commandLine, b)
		if err != nil {
			return err
		}
		return a.tellBacktest(&r)
	})
}

// progressOfBacktest tells, not more often than every few seconds, how far it is.
func (a *app) progressOfBacktest() func(read, all int64) {
	next := a.clock.Now().Add(backtestTellEvery)
	return func(read, all int64) {
		if now := a.clock.Now(); !now.Before(next) && all > 0 {
			next = now.Add(backtestTellEvery)
			_, _ = fmt.Fprintf(a.stderr, "%d / %d (%d %%)\n", read, all, 100*read/all) // nobody needs it
		}
	}
}

const backtestTellEvery = 2 * time.Second

func (a *app) tellBacktest(r *risk.BacktestResult) error {
	var page strings.Builder
	line := func(zh, en string, figures ...any) {
		fmt.Fprintf(&page, mianmi.Text{ZH: zh, EN: en}.In(a.lang)+"\n", figures...)
	}
	line("%s 至 %s：%d 条存证，%d 个事件", "%s to %s: %d entries, %d events", r.From.Format(time.RFC3339), r.To.Format(time.RFC3339), r.Leaves, r.Events)
	if r.Faults > 0 {
		line("有 %d 条存证无法读取", "%d entries could not be read", r.Faults)
	}
	for i := range r.Tried {
		t := &r.Tried[i]
		line("%s：%d 次发现，%d 个对象", "%s: %d findings about %d keys", t.Rule, t.Findings, t.Keys)
		for _, day := range slices.Sorted(maps.Keys(t.ByDay)) {
			fmt.Fprintf(&page, "  %s  %d\n", day, t.ByDay[day])
		}
		for _, e := range t.Examples {
			fmt.Fprintf(&page, "  %s  %s  %s  %s\n", e.At.Format(time.RFC3339), e.Key, e.Entry, e.Says.In(a.lang))
		}
	}
	_, err := fmt.Fprint(a.stdout, page.String())
	return err
}
