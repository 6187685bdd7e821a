package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/risk"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/store"
)

type riskMeasuresCmd struct {
	State   string           `enum:",waiting,taken,lapsed" default:"" placeholder:"STATE" help:"Those in this state alone: waiting (not taken yet), taken, lapsed (their end came before they could be taken)." zh:"只列出该状态的：waiting（尚未采取）、taken（已采取）、lapsed（期限已过仍未采取）。"`
	Measure string           `enum:",ask,step_up,freeze" default:"" placeholder:"MEASURE" help:"Of this kind alone: ask, step_up or freeze." zh:"只列出该类措施：ask、step_up 或 freeze。"`
	Alarm   mianmi.AlarmID   `placeholder:"ALARM" help:"Of this alarm alone." zh:"只列出该告警的措施。"`
	Payer   mianmi.PayerID   `placeholder:"PAYER" help:"About this payer alone." zh:"只列出关于该付款人的措施。"`
	Before  mianmi.MeasureID `placeholder:"MEASURE" help:"Go on after the last one of the page before." zh:"从上一页最后一条之后继续。"`
	Limit   int              `default:"50" placeholder:"N" help:"How many, at most 200." zh:"条数，最多 200。"`
}

// Run lists measures.
func (c *riskMeasuresCmd) Run(ctx context.Context, a *app) error {
	return a.onRisk(ctx, func(s *risk.Service, _ *store.DB) error {
		list, err := s.Measures(ctx, commandLine, risk.MeasureQuery{State: risk.ParseMeasureState(c.State), Measure: risk.Measure(c.Measure), Alarm: c.Alarm, Payer: c.Payer,
			Before: c.Before, Limit: c.Limit})
		if err != nil {
			return err
		}
		now := a.clock.Now()
		for i := range list {
			if _, err := fmt.Fprintln(a.stdout, measureLine(&list[i], now, a.lang)); err != nil {
				return err
			}
		}
		return nil
	})
}

// measureLine is a measure on one line: what, about whom, until when, and why.
func measureLine(p *risk.Protection, now time.Time, lang mianmi.Lang) string {
	about := string(p.Payer)
	if about == "" {
		about = p.Scope().String()
	}
	var more []string
	note := func(zh, en string, figures ...any) {
		more = append(more, fmt.Sprintf(mianmi.Text{ZH: zh, EN: en}.In(lang), figures...))
	}
	switch {
	case p.State == risk.Waiting:
		note("已等待 %v", "waits for %v", now.Sub(p.FoundAt).Round(time.Second))
	case p.State == risk.Taken && !p.Until.After(now):
		note("已到期", "over")
	}
	if p.Tries > 0 {
		note("失败 %d 次", "%d tries failed", p.Tries)
	}
	if answer := p.Answer.String(); answer != "" {
		note("答复 %s", "answered %s", answer)
	}
	line := fmt.Sprintf("%s  %s  %-7s %-7s %s  %s  %s  %s", p.ID, p.FoundAt.Format(time.RFC3339), p.Measure, p.State, p.Until.Format(time.RFC3339), about, p.Rule, p.Alarm)
	if len(more) > 0 {
		line += "  (" + strings.Join(more, ", ") + ")"
	}
	return line
}

// measureMetrics are the figures of measures in the database: the same on each node.
type measureMetrics struct {
	s                  *risk.Service
	count, age, lapsed *prometheus.Desc
}

func newMeasureMetrics(s *risk.Service) *measureMetrics {
	return &measureMetrics{s: s,
		count:  prometheus.NewDesc("mianmi_risk_measures", "Measures of risk rules that were found in the last seven days, by kind and state; those that are taken until their end.", []string{"measure", "state"}, nil),
		age:    prometheus.NewDesc("mianmi_risk_measure_waiting_age_seconds", "Age of the measure that waits longest to be taken.", nil, nil),
		lapsed: prometheus.NewDesc("mianmi_risk_measures_lapsed_open", "Measures of the last seven days that were never taken, while their alarm is not resolved.", nil, nil)}
}

// Describe is part of prometheus.Collector.
func (m *measureMetrics) Describe(to chan<- *prometheus.Desc) {
	to <- m.count
	to <- m.age
	to <- m.lapsed
}

// Collect is part of prometheus.Collector. Without an answer of the database the
// figures are left out.
func (m *measureMetrics) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeMax)
	defer cancel()
	f, err := m.s.MeasureFigures(ctx)
	if err != nil {
		return
	}
	for _, kind := range risk.Acting() {
		for _, state := range []risk.MeasureState{risk.Waiting, risk.Taken, risk.Lapsed} {
			to <- prometheus.MustNewConstMetric(m.count, prometheus.GaugeValue, float64(f.Of(kind, state)), string(kind), state.String())
		}
	}
	age := 0.0
	if !f.Oldest.IsZero() {
		age = max(0, m.s.Clock.Now().Sub(f.Oldest).Seconds())
	}
	to <- prometheus.MustNewConstMetric(m.age, prometheus.GaugeValue, age)
	to <- prometheus.MustNewConstMetric(m.lapsed, prometheus.GaugeValue, float64(f.LapsedOpen))
}

// Bounds of how long a measure may wait to be taken, which takes some tenths of a
// second: the shortest one lasts ten minutes.
const (
	measureWarn = time.Minute
	measureFail = 10 * time.Minute
)

// examineMeasures looks at whether the measures of risk rules are in force.
func (a *app) examineMeasures(ctx context.Context, db *store.DB, keys *secret.Keys) []finding {
	s, err := risk.New(risk.Parts{Store: db, Keys: keys, Clock: a.clock, Random: a.random, Log: slog.New(slog.DiscardHandler)})
	var f risk.MeasureFigures
	var gone []risk.Protection
	if err == nil {
		f, err = s.MeasureFigures(ctx)
	}
	if err == nil {
		gone, err = s.Gone(ctx, commandLine)
	}
	if err != nil {
		return []finding{but(fail, "risk.measures", "无法读取风险措施", "the measures of risk rules cannot be read").then("检查数据库", "check the database")}
	}
	return checkMeasures(f, gone, a.clock.Now())
}

func checkMeasures(f risk.MeasureFigures, gone []risk.Protection, now time.Time) []finding {
	const inForce, waiting, lapsed = "risk.measures", "risk.measures.waiting", "risk.measures.lapsed"
	out := []finding{good(inForce, "已采取的 %d 项措施均有效", "the measures that were taken hold: %d", f.In(risk.Taken))}
	if len(gone) > 0 {
		p := &gone[0]
		about := string(p.Payer)
		if about == "" {
			about = p.Scope().String()
		}
		out[0] = but(fail, inForce, "有 %d 项措施应当有效却不存在，也无人解除，例如 %s（%s，%s）", "measures that should be in force and are not, though nobody lifted them: %d, such as %s (%s, %s)",
			len(gone), p.ID, p.Measure, about).
			then("多为数据库被回退或改动：对该对象手动暂停或紧急停用，并用 mianmi evidence check 核对日志", "the database was set back or changed: place a hold or an emergency stop there by hand, and check the log with mianmi evidence check")
	}
	age := max(0, now.Sub(f.Oldest)).Round(time.Second)
	switch {
	case f.Oldest.IsZero():
		out = append(out, good(waiting, "没有等待采取的措施", "no measure waits to be taken"))
	case age < measureWarn:
		out = append(out, good(waiting, "%d 项措施等待采取", "measures that wait to be taken: %d", f.In(risk.Waiting)))
	default:
		s := warn
		if age >= measureFail {
			s = fail
		}
		out = append(out, but(s, waiting, "%d 项措施等待采取，最早的已等 %v", "measures that wait to be taken: %d, the first for %v", f.In(risk.Waiting), age).
			then("用 mianmi risk measures --state=waiting 查看；看服务日志中 take measures 的错误，并确认有服务在运行", "see mianmi risk measures --state=waiting and the errors of \"take measures\" in the server's log; a server must run"))
	}
	if f.LapsedOpen > 0 {
		return append(out, but(warn, lapsed, "有 %d 项措施到期仍未采取，而告警尚未了结", "measures that were never taken before their end, while their alarm is not resolved: %d", f.LapsedOpen).
			then("用 mianmi risk measures --state=lapsed 查看，人工处理这些告警后了结", "see mianmi risk measures --state=lapsed, look after those alarms yourself, and resolve them"))
	}
	return append(out, good(lapsed, "没有未采取即到期的措施", "no measure has lapsed while its alarm is open"))
}
