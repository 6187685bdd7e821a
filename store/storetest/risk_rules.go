package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/risk"
)

// pairs is a rule of an operator's own: two PIN-free payments in an hour.
var pairs = risk.Rule{ID: "own_pairs", Title: risk.Text{ZH: "两笔", EN: "pairs"}, Says: risk.Text{ZH: "{n} 笔", EN: "{n} payments"}, Severity: risk.Low,
	Key: []string{"payer"}, On: []risk.Kind{risk.PinFree}, Windows: map[string]risk.Window{"n": {On: []risk.Kind{risk.PinFree}, Span: "1h", Measure: "count"}},
	When: "w.n.count >= 2", Quiet: "1h", Measures: []risk.Measure{risk.Tell}}

func riskOwnRules(t *testing.T, w *riskWorld) {
	ctx := t.Context()
	w.spend(t, w.p, 2) // before there is the rule: it is found all the same, by what the window remembers
	h := must(w.b.AddRule(ctx, Analyst, pairs))(t)
	if h.Stage != risk.Shadow || h.Version != 1 || h.By != Analyst.String() {
		t.Errorf("added: %+v", h)
	}
	_, err := w.b.AddRule(ctx, Analyst, pairs)
	wantCode(t, err, "risk_rule_exists")
	w.spend(t, w.p, 1)
	w.follow(t, w.a) // the other node takes the change up
	if got := w.rules(t); len(got) != 0 {
		t.Errorf("a rule in shadow raised %v", got)
	}
	if h = w.held(t, pairs.ID); h.Found != 1 || h.Last == "" || h.LastAt.IsZero() {
		t.Errorf("in shadow: %+v", h)
	}
	h = must(w.a.Promote(ctx, Analyst, pairs.ID))(t)
	if h.Stage != risk.Live || h.Rule.ID != pairs.ID {
		t.Errorf("promoted: %+v", h)
	}
	w.clock.Add(2 * time.Hour)
	w.spend(t, w.p, 2)
	w.follow(t, w.a)
	if got := w.rules(t); !slices.Equal(got, []string{pairs.ID}) {
		t.Errorf("live: %v", got)
	}
	list := must(w.node.DB.Entries(ctx, payer.EntryQuery{Bucket: mianmi.BucketOf("risk_rule:" + pairs.ID), Subject: "risk_rule:" + pairs.ID, Limit: 50}))(t)
	if len(list) != 2 || list[0].Type != risk.TypeRuleAdded || list[1].Type != risk.TypeRulePromoted {
		t.Errorf("recorded: %v", list)
	}
}

func (w *riskWorld) held(t *testing.T, id string) risk.Held {
	t.Helper()
	list := must(w.b.Rules(t.Context(), Analyst))(t)
	i := slices.IndexFunc(list, func(h risk.Held) bool { return h.ID == id })
	if i < 0 {
		t.Fatalf("no rule %s", id)
	}
	return list[i]
}

func riskWithdraw(t *testing.T, w *riskWorld) {
	ctx, second := t.Context(), mianmi.Actor{Role: mianmi.RoleRisk, ID: "sf6"}
	const id = "payer_burst" // a shipped one
	for range 2 {
		h, err := w.a.Withdraw(ctx, Analyst, id)
		if h.ProposedBy != "" && (h.Stage != risk.Live || h.ProposedBy != Analyst.String()) {
			t.Errorf("proposed: %+v", h)
		}
		if h.ProposedBy == "" {
			wantCode(t, err, "second_person") // oneself is none
		}
	}
	if h := must(w.b.Keep(ctx, second, id))(t); h.ProposedBy != "" || h.Stage != risk.Live {
		t.Errorf("kept: %+v", h)
	}
	must(w.a.Withdraw(ctx, second, id))(t)
	_, err := w.a.Withdraw(ctx, mianmi.System("command-line"), id)
	wantCode(t, err, "second_person") // whoever has the database is none
	if h := must(w.a.Withdraw(ctx, Analyst, id))(t); h.Stage != risk.Withdrawn {
		t.Errorf("withdrawn: %+v", h)
	}
	w.spend(t, w.p, 5)
	w.follow(t, w.a)
	if got := w.rules(t); len(got) != 0 {
		t.Errorf("alarms of a rule that was withdrawn: %v", got)
	}
	if h := must(w.a.Promote(ctx, Analyst, id))(t); h.Stage != risk.Live || !h.Shipped {
		t.Errorf("back: %+v", h)
	}
	must(w.a.AddRule(ctx, Analyst, pairs))(t)
	if h := must(w.a.Withdraw(ctx, Analyst, pairs.ID))(t); h.Stage != risk.Withdrawn { // it had no effect yet
		t.Errorf("from the shadow: %+v", h)
	}
	must(w.a.AddRule(ctx, Analyst, pairs))(t)
	if _, err := w.a.Promote(ctx, Support, pairs.ID); !errors.Is(err, mianmi.Denied) {
		t.Errorf("support promotes a rule: %v", err)
	}
	if _, err := w.a.Withdraw(ctx, Analyst, "no_such_rule"); !errors.Is(err, mianmi.NotFound) {
		t.Errorf("no such rule: %v", err)
	}
}

func riskBacktest(t *testing.T, w *riskWorld) {
	ctx := t.Context()
	for range 3 {
		w.spend(t, w.p, 2)
		w.clock.Add(24 * time.Hour)
	}
	w.follow(t, w.a)
	var read int64
	r := must(w.b.Backtest(ctx, Analyst, risk.Backtest{Rules: []risk.Rule{pairs}, Days: 3, Progress: func(n, all int64) {
		if read = n; n > all {
			t.Errorf("%d of %d", n, all)
		}
	}}))(t)
	if len(r.Tried) != 1 || r.Tried[0].Findings != 2 || r.Tried[0].Keys != 1 || len(r.Tried[0].ByDay) != 2 || len(r.Tried[0].Examples) != 2 || read == 0 || r.Faults != 0 {
		t.Errorf("tried: %+v", r)
	}
	if e := r.Tried[0].Examples[0]; e.Key != string(w.p.ID) || e.Entry == "" || e.Says.EN != "2 payments" {
		t.Errorf("example: %+v", e)
	}
	if got := w.rules(t); len(got) != 0 {
		t.Errorf("a backtest wrote %v", got)
	}
	_, err := w.b.Backtest(ctx, Analyst, risk.Backtest{Rules: []risk.Rule{pairs}, Days: 32})
	wantField(t, err, "days")
}
