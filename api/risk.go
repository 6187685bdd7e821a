package api

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/risk"
)

func (s *Server) registerRisk() {
	add(s, route{method: "GET", path: "/v1/risk/measures", name: "riskMeasures", tag: "risk", may: only(readers...), summary: "List measures of risk rules",
		about: "What live rules did about what they found, newest first, with what payers answered."}, s.riskMeasures)
	add(s, route{method: "POST", path: "/v1/risk/backtest", name: "backtestRiskRule", tag: "risk", may: only(readers...), bodyMax: 16 << 10, summary: "Try a rule on the past",
		about: "Says what the rule would have found in the last days. It writes nothing. It reads for eight seconds at most: cut says that it did not come to the end, and to how far it came; " +
			"mianmi risk backtest takes as long as it needs. One runs at a time on a server; another is a conflict (backtest_running)."}, s.backtestRiskRule)
}

// RiskMeasure is what a rule did about a finding.
type RiskMeasure struct {
	ID          string     `json:"id"`
	Measure     string     `json:"measure" enum:"ask,step_up,freeze"`
	State       string     `json:"state" enum:"waiting,taken,lapsed" doc:"lapsed: its end came before it could be taken"`
	Rule        string     `json:"rule"`
	RuleVersion int64      `json:"rule_version"`
	RuleDigest  string     `json:"rule_digest" doc:"Of the rule's text: the first 8 bytes of SHA-256"`
	Alarm       string     `json:"alarm"`
	Finding     string     `json:"finding" doc:"Entry of the evidence at which it was found"`
	Payer       string     `json:"payer,omitzero"`
	Terminal    string     `json:"terminal,omitzero"`
	Store       string     `json:"store,omitzero"`
	Merchant    string     `json:"merchant,omitzero"`
	Payment     string     `json:"payment,omitzero"`
	FoundAt     time.Time  `json:"found_at"`
	Until       time.Time  `json:"until"`
	TakenAt     *time.Time `json:"taken_at,omitzero"`
	DueAt       *time.Time `json:"due_at,omitzero" doc:"When it is tried, or an answer's time is over"`
	Tries       int64      `json:"tries" doc:"That failed"`
	Answer      string     `json:"answer,omitzero" enum:"yes,no,none,"`
	AnsweredAt  *time.Time `json:"answered_at,omitzero"`
}

func showMeasure(p *risk.Protection) RiskMeasure {
	return RiskMeasure{ID: string(p.ID), Measure: string(p.Measure), State: p.State.String(), Rule: p.Rule, RuleVersion: p.RuleVersion, RuleDigest: p.RuleDigest,
		Alarm: string(p.Alarm), Finding: string(p.Finding), Payer: string(p.Payer), Terminal: string(p.Terminal), Store: string(p.Store), Merchant: string(p.Merchant),
		Payment: string(p.Payment), FoundAt: p.FoundAt.UTC(), Until: p.Until.UTC(), TakenAt: timeOrNone(p.TakenAt), DueAt: timeOrNone(p.DueAt), Tries: p.Tries,
		Answer: p.Answer.String(), AnsweredAt: timeOrNone(p.AnsweredAt)}
}

func (s *Server) riskMeasures(ctx context.Context, a mianmi.Actor, in *struct {
	Alarm   string `query:"alarm" doc:"am…"`
	Payer   string `query:"payer" doc:"py…"`
	Measure string `query:"measure" enum:"ask,step_up,freeze"`
	State   string `query:"state" enum:"waiting,taken,lapsed"`
	Before  string `query:"before" doc:"next of the page before"`
	Limit   int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}) (*struct{ Body List[RiskMeasure] }, error) {
	list, err := s.Risk.Measures(ctx, a, risk.MeasureQuery{Alarm: mianmi.AlarmID(in.Alarm), Payer: mianmi.PayerID(in.Payer), Measure: risk.Measure(in.Measure),
		State: risk.ParseMeasureState(in.State), Before: mianmi.MeasureID(in.Before), Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	return listOf(list, in.Limit, showMeasure, func(p *risk.Protection) string { return string(p.ID) }), nil
}

// RiskBacktest is what a rule would have found.
type RiskBacktest struct {
	Rule     string           `json:"rule"`
	From     time.Time        `json:"from"`
	To       time.Time        `json:"to"`
	Cut      bool             `json:"cut" doc:"It took too long and stopped at to"`
	Entries  int64            `json:"entries" doc:"Of the log, that were read"`
	Events   int64            `json:"events"`
	Faults   int64            `json:"faults" doc:"Entries that could not be read"`
	Findings int64            `json:"findings"`
	Keys     int64            `json:"keys" doc:"Payers, terminals … that it would have found"`
	ByDay    map[string]int64 `json:"by_day"`
	Examples []RiskExample    `json:"examples" doc:"The first ten"`
}

// RiskExample is one finding of a backtest.
type RiskExample struct {
	At    time.Time `json:"at"`
	Key   string    `json:"key"`
	Entry string    `json:"entry"`
	Says  Text      `json:"says"`
}

// backtestMax bounds a backtest over HTTP: below what proxies wait for.
const backtestMax = 8 * time.Second

func (s *Server) backtestRiskRule(ctx context.Context, a mianmi.Actor, in *struct {
	Body struct {
		YAML string `json:"yaml" doc:"The rule, in the form of docs/risk.md"`
		Days int    `json:"days" minimum:"1" maximum:"31" doc:"How far back"`
	}
}) (*struct{ Body RiskBacktest }, error) {
	r, err := risk.Parse([]byte(in.Body.YAML))
	if err != nil {
		return nil, err
	}
	if !s.trying.CompareAndSwap(false, true) {
		return nil, mianmi.Conflicts("backtest_running", "another rule is being tried on this server; wait some seconds")
	}
	defer s.trying.Store(false)
	found, err := s.Risk.Backtest(ctx, a, risk.Backtest{Rules: []risk.Rule{r}, Days: in.Body.Days, Within: backtestMax})
	if err != nil {
		return nil, err
	}
	out := RiskBacktest{Rule: r.ID, From: found.From.UTC(), To: found.To.UTC(), Cut: found.Cut, Entries: found.Leaves, Events: found.Events, Faults: found.Faults,
		ByDay: map[string]int64{}, Examples: []RiskExample{}}
	for i := range found.Tried {
		t := &found.Tried[i]
		out.Findings, out.Keys, out.ByDay = t.Findings, t.Keys, t.ByDay
		for _, e := range t.Examples {
			out.Examples = append(out.Examples, RiskExample{At: e.At.UTC(), Key: e.Key, Entry: string(e.Entry), Says: textOf(e.Says)})
		}
	}
	return &struct{ Body RiskBacktest }{out}, nil
}
