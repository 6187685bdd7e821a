package api

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/risk"
)

func (s *Server) registerRiskRules() {
	manage := only(mianmi.RoleRisk, mianmi.RoleOperator)
	add(s, route{method: "GET", path: "/v1/risk-rules", name: "riskRules", tag: "risk", may: only(readers...), summary: "List the rules that look for signals",
		about: "The shipped ones and the operator's own, each with its stage, and what one in shadow has found."}, s.riskRules)
	add(s, route{method: "POST", path: "/v1/risk-rules", name: "addRiskRule", tag: "risk", may: manage, status: 201, bodyMax: 16 << 10, summary: "Add a rule, in shadow",
		about: "Its findings are counted, and nothing else comes of them until it is promoted. Try it on the past before: /v1/risk/backtest."}, s.addRiskRule)
	add(s, route{method: "POST", path: "/v1/risk-rules/{rule}/promotion", name: "promoteRiskRule", tag: "risk", may: manage, summary: "Let a rule raise alarms and take its measures",
		about: "A tightening: one person, at once."}, s.promoteRiskRule)
	add(s, route{method: "POST", path: "/v1/risk-rules/{rule}/withdrawal", name: "withdrawRiskRule", tag: "risk", may: manage, summary: "Take a rule away",
		about: "One in shadow goes at once. A live one is a loosening: the first person proposes it (proposed_by), the second one does it by the same request."}, s.withdrawRiskRule)
	add(s, route{method: "DELETE", path: "/v1/risk-rules/{rule}/withdrawal", name: "keepRiskRule", tag: "risk", may: manage, summary: "Keep a rule that somebody would withdraw",
		about: "Refuses the proposal, or takes one's own back."}, s.keepRiskRule)
}

// RiskRule is a rule that looks for signals.
type RiskRule struct {
	ID         string     `json:"id"`
	Title      Text       `json:"title"`
	Says       Text       `json:"says"`
	Severity   string     `json:"severity" enum:"low,medium,high,critical"`
	Key        []string   `json:"key" doc:"What it is about: payer, instrument, merchant, store, terminal, actor"`
	Measures   []string   `json:"measures" doc:"What is done about a finding: tell, ask, step_up, freeze"`
	For        string     `json:"for,omitzero" doc:"How long that holds" example:"24h"`
	Shipped    bool       `json:"shipped"`
	Stage      string     `json:"stage" enum:"shadow,live,withdrawn"`
	Version    int64      `json:"version" doc:"0: shipped, and nobody has changed anything"`
	Since      *time.Time `json:"since,omitzero"`
	By         string     `json:"by,omitzero"`
	ProposedBy string     `json:"proposed_by,omitzero" doc:"Who would withdraw it; a second person must, too"`
	ProposedAt *time.Time `json:"proposed_at,omitzero"`
	Found      int64      `json:"found" doc:"While in shadow"`
	LastAt     *time.Time `json:"last_at,omitzero" doc:"Of those"`
	Last       string     `json:"last,omitzero" doc:"Entry of the evidence of the last one"`
}

func showRiskRule(h *risk.Held) RiskRule {
	return RiskRule{ID: h.ID, Title: Text{ZH: h.Rule.Title.ZH, EN: h.Rule.Title.EN}, Says: Text{ZH: h.Rule.Says.ZH, EN: h.Rule.Says.EN},
		Severity: string(h.Rule.Severity), Key: h.Rule.Key, Measures: measureNames(h.Rule.Measures), For: h.Rule.For, Shipped: h.Shipped, Stage: h.Stage.String(), Version: h.Version, Since: timeOrNone(h.Since), By: h.By,
		ProposedBy: h.ProposedBy, ProposedAt: timeOrNone(h.ProposedAt), Found: h.Found, LastAt: timeOrNone(h.LastAt), Last: string(h.Last)}
}

func measureNames(list []risk.Measure) []string {
	out := make([]string, len(list))
	for i, m := range list {
		out[i] = string(m)
	}
	return out
}

func (s *Server) riskRules(ctx context.Context, a mianmi.Actor, _ *struct{}) (*struct{ Body List[RiskRule] }, error) {
	list, err := s.Risk.Rules(ctx, a)
	if err != nil {
		return nil, err
	}
	return listOf(list, len(list)+1, showRiskRule, func(h *risk.Held) string { return h.ID }), nil
}

func oneRiskRule(h risk.Held, err error) (*struct{ Body RiskRule }, error) {
	if err != nil {
		return nil, err
	}
	return &struct{ Body RiskRule }{showRiskRule(&h)}, nil
}

func (s *Server) addRiskRule(ctx context.Context, a mianmi.Actor, in *struct {
	Body struct {
		YAML string `json:"yaml" doc:"The rule, in the form of docs/risk.md"`
	}
}) (*struct{ Body RiskRule }, error) {
	r, err := risk.Parse([]byte(in.Body.YAML))
	if err != nil {
		return nil, err
	}
	return oneRiskRule(s.Risk.AddRule(ctx, a, r))
}

// RiskRuleInput names a rule.
type RiskRuleInput struct {
	Rule string `path:"rule"`
}

func (s *Server) promoteRiskRule(ctx context.Context, a mianmi.Actor, in *RiskRuleInput) (*struct{ Body RiskRule }, error) {
	return oneRiskRule(s.Risk.Promote(ctx, a, in.Rule))
}

func (s *Server) withdrawRiskRule(ctx context.Context, a mianmi.Actor, in *RiskRuleInput) (*struct{ Body RiskRule }, error) {
	return oneRiskRule(s.Risk.Withdraw(ctx, a, in.Rule))
}

func (s *Server) keepRiskRule(ctx context.Context, a mianmi.Actor, in *RiskRuleInput) (*struct{ Body RiskRule }, error) {
	return oneRiskRule(s.Risk.Keep(ctx, a, in.Rule))
}
