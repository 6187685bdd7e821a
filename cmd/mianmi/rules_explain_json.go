package main

import (
	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
)

// The JSON of rules explain. Names are those of packs and of the API.
type (
	explainJSON struct {
		Amount   money.Amount  `json:"amount"`
		Method   string        `json:"method"`
		At       string        `json:"at"`
		Rules    string        `json:"rules"` // version of the rule set
		Outcome  string        `json:"outcome"`
		By       []string      `json:"by,omitempty"`
		Reasons  []reasonJSON  `json:"reasons"`
		Packs    []traceJSON   `json:"packs"`
		Counters []counterJSON `json:"counters"`
	}
	reasonJSON struct {
		Reason   string                 `json:"reason"`
		Number   pinfree.Reason         `json:"number"`
		Layer    string                 `json:"layer,omitempty"`
		ID       string                 `json:"id,omitempty"`
		Rule     string                 `json:"rule,omitempty"`
		Version  int64                  `json:"version,omitempty"`
		Limit    int64                  `json:"limit,omitempty"`
		Actual   int64                  `json:"actual,omitempty"`
		Currency money.Currency         `json:"currency,omitempty"`
		Words    map[string]mianmi.Text `json:"words"`
		Sources  []pinfree.Source       `json:"sources,omitempty"` // where the rule is written
	}
	traceJSON struct {
		Pack    string           `json:"pack"`
		Version int64            `json:"version"`
		Applies string           `json:"applies"`
		InForce string           `json:"in_force"`
		When    []partJSON       `json:"when"`
		Covers  bool             `json:"covers"`
		Limits  []limitTraceJSON `json:"limits"`
	}
	partJSON struct {
		Field string `json:"field"`
		Want  string `json:"want"`
		Have  string `json:"have"`
		Is    string `json:"is"`
	}
	limitTraceJSON struct {
		Rule    string      `json:"rule"`
		Meant   string      `json:"meant"`
		When    []partJSON  `json:"when,omitempty"`
		Always  bool        `json:"always,omitempty"`
		Above   string      `json:"above"`
		Counter string      `json:"counter,omitempty"`
		Checks  []checkJSON `json:"checks,omitempty"`
		Stops   bool        `json:"stops"`
	}
	checkJSON struct {
		Reason   string         `json:"reason"`
		Bound    string         `json:"bound"` // at_most, below, none or nothing
		N        int64          `json:"n"`
		Figure   string         `json:"figure,omitempty"`
		Actual   int64          `json:"actual"` // negative: not known
		Currency money.Currency `json:"currency,omitempty"`
		Inside   bool           `json:"inside"`
	}
	counterJSON struct {
		Counter string `json:"counter"`
		Number  int64  `json:"number"` // negative: not known
		Minor   int64  `json:"minor"`
	}
)

var flagNames = [...]string{pinfree.NotKnown: "unknown", pinfree.No: "no", pinfree.Yes: "yes"}

var opNames = [...]string{pinfree.OpNothing: "nothing", pinfree.OpAtMost: "at_most", pinfree.OpBelow: "below", pinfree.OpUnbounded: "none"}

func (e *explanation) json() explainJSON {
	out := explainJSON{Amount: e.in.Amount, Method: e.in.Method.String(), At: e.in.At.UTC().Format("2006-01-02T15:04:05.000Z07:00"),
		Rules: e.rules.Version(), Outcome: e.decision.Outcome.String(), By: e.decision.By.Names(),
		Reasons: e.reasons(e.decision.Reasons), Packs: []traceJSON{}, Counters: []counterJSON{}}
	for i := range e.traces {
		out.Packs = append(out.Packs, traceOf(&e.traces[i]))
	}
	for i, key := range e.rules.CounterKeys() {
		out.Counters = append(out.Counters, counterJSON{key, e.in.Counts[i].Number, e.in.Counts[i].Minor})
	}
	out.Counters = append(out.Counters, counterJSON{"own", e.in.Own.Number, e.in.Own.Minor})
	return out
}

func (e *explanation) reasons(list []pinfree.Why) []reasonJSON {
	out := make([]reasonJSON, 0, len(list))
	for _, w := range list {
		r := reasonJSON{Reason: w.Reason.String(), Number: w.Reason, Layer: w.Layer.String(), ID: w.ID, Rule: w.Rule, Version: w.Version,
			Limit: w.Limit, Actual: w.Actual, Currency: w.Currency, Words: map[string]mianmi.Text{}, Sources: e.rules.RuleSources(w.Rule)}
		for _, a := range audiences {
			r.Words[a.name.EN] = e.words(w, a.audience)
		}
		out = append(out, r)
	}
	return out
}

func traceOf(t *pinfree.Trace) traceJSON {
	out := traceJSON{Pack: t.Pack, Version: t.Version, Applies: flagNames[t.Applies()], InForce: flagNames[t.InForce],
		When: partsOf(t.Parts), Covers: t.Covers, Limits: []limitTraceJSON{}}
	for i := range t.Limits {
		l := &t.Limits[i]
		one := limitTraceJSON{Rule: l.Rule, Meant: flagNames[l.Meant], When: partsOf(l.Parts), Always: l.Always, Above: "step_up",
			Counter: l.Counter, Stops: len(l.Stops) > 0}
		if l.Refuse {
			one.Above = "refuse"
		}
		for _, c := range l.Checks {
			one.Checks = append(one.Checks, checkJSON{Reason: c.Reason.String(), Bound: opNames[c.Bound.Op], N: c.Bound.N, Figure: c.Figure,
				Actual: c.Actual, Currency: c.Currency, Inside: c.Inside})
		}
		out.Limits = append(out.Limits, one)
	}
	return out
}

func partsOf(list []pinfree.Part) []partJSON {
	out := make([]partJSON, 0, len(list))
	for _, p := range list {
		out = append(out, partJSON{p.Field, p.Want, p.Have, flagNames[p.Is]})
	}
	return out
}
