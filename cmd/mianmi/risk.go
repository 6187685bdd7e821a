package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/risk"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/support/desk"
)

// withRisk makes what looks for signals.
func (s *services) withRisk(a *app, db *store.DB, t *tuning) (err error) {
	s.risk, err = risk.New(risk.Parts{Store: db, Keys: s.keys, Clock: a.clock, Random: a.random, Log: a.log, Share: t.RiskShare,
		Payers: s.payers, Merchants: s.merchants, OpenCase: s.openDenied, OpenReported: s.openReported})
	return err
}

// openDenied opens the case of a payer who was asked and said no.
func (s *services) openDenied(ctx context.Context, p risk.Protection) error {
	_, err := s.cases.OpenDenied(ctx, desk.DeniedPayment{Payer: p.Payer, Payment: p.Payment, Alarm: p.Alarm, Finding: p.Finding})
	return err
}

// openReported opens the case of a payer who reported an own payment.
func (s *services) openReported(ctx context.Context, a mianmi.Actor, r risk.ReportedCase) (risk.CaseRef, error) {
	c, err := s.cases.OpenReported(ctx, a, desk.ReportedPayment{Kind: r.Kind, Payment: r.Payment, Alarm: r.Alarm, Text: r.Text})
	return risk.CaseRef{ID: c.ID, Number: c.Number}, err
}

// riskWorkers read the log for signals, and tell of alarms that nobody takes up.
func riskWorkers(s *services) []worker {
	return []worker{
		{"look for signals", 250 * time.Millisecond, s.risk.Follow},
		{"take measures", 250 * time.Millisecond, s.risk.TakeMeasures},
		{"escalate alarms", 5 * time.Second, func(ctx context.Context) (bool, error) {
			n, err := s.risk.Escalate(ctx)
			return n > 0, err
		}},
	}
}

// leaveRisk lets another node look for signals at once.
func (s *services) leaveRisk(a *app) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeMax)
	defer cancel()
	if err := s.risk.Leave(ctx); err != nil {
		a.log.WarnContext(ctx, "another server has to wait a little before it looks for signals", "error", err)
	}
}

// riskMetrics are the figures of this node's reading. How far the log was followed
// is known to the node that does.
func riskMetrics(s *risk.Service) []prometheus.Collector {
	counter := func(name, help string, of func(risk.Figures) int64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(of(s.Figures())) })
	}
	gauge := func(name, help string, of func(risk.Figures) int64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(of(s.Figures())) })
	}
	return []prometheus.Collector{
		counter("mianmi_risk_events_total", "Events that this node has read from the log for signals, again after a takeover.", func(f risk.Figures) int64 { return f.Events }),
		counter("mianmi_risk_findings_total", "Findings of risk rules that this node has written.", func(f risk.Figures) int64 { return f.Findings }),
		counter("mianmi_risk_unreadable_total", "Entries of the log of which no event could be made.", func(f risk.Figures) int64 { return f.Faults }),
		gauge("mianmi_risk_evicted_keys", "Keys that the rules' bounded memory has let go before their time, since this node follows.", func(f risk.Figures) int64 { return f.Evicted }),
		gauge("mianmi_risk_failed_conditions", "Conditions of rules that could not be told, since this node follows.", func(f risk.Figures) int64 { return f.Failed }),
		gauge("mianmi_risk_position", "Next entry of the log that is read for signals, as this node knows.", func(f risk.Figures) int64 { return f.Position }),
		gauge("mianmi_risk_following", "1: this node reads the log for signals.", func(f risk.Figures) int64 {
			if f.Follows {
				return 1
			}
			return 0
		}),
	}
}

// Bounds of how long entries of the log may wait to be looked at for signals: a
// takeover reads a week of the log again.
const (
	followWarn = time.Minute
	followFail = time.Hour
)

// examineFollower looks at whether somebody reads the log for signals.
func (a *app) examineFollower(ctx context.Context, db *store.DB, size int64) finding {
	const check = "risk.follower"
	next, err := db.FollowedTo(ctx)
	var at time.Time
	if err == nil && next >= 0 && next < size {
		at, err = db.LeafTime(ctx, next)
	}
	switch {
	case err != nil:
		return but(fail, check, "无法读取风险规则读到了哪里", "it cannot be read how far the log was looked at for signals").then("检查数据库", "check the database")
	case next < 0:
		return good(check, "尚未有服务开始查找风险", "no server has looked for signals yet")
	case at.IsZero():
		return good(check, "日志已全部按风险规则看过", "all of the log was looked at for signals")
	}
	late := max(0, a.clock.Now().Sub(at)).Round(time.Second)
	s := ok
	if late >= followWarn {
		s = warn
	}
	if late >= followFail {
		s = fail
	}
	f := but(s, check, "有 %d 条存证尚未按风险规则看过，最早的已等 %v", "%d entries of the log were not looked at for signals yet, the first for %v", size-next, late)
	if s == ok {
		return f
	}
	return f.then("看服务日志中 look for signals 的错误；接管后需要重读一周的日志，指标 mianmi_risk_position 会前进",
		"see the errors of \"look for signals\" in the server's log; after a takeover a week of the log is read again, and mianmi_risk_position moves on")
}
