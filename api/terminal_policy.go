package api

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/terminal/posture"
)

func (s *Server) registerTerminalPolicy() {
	add(s, route{method: "GET", path: "/v1/terminal-policy", name: "terminalPolicy", tag: "terminals", may: only(readers...),
		summary: "Show the policy on terminals", about: "What a terminal and its network must be like for PIN-free payment, and how long its proof counts. Version 0: the policy that is shipped."},
		func(ctx context.Context, a mianmi.Actor, _ *struct{}) (*struct{ Body TerminalPolicy }, error) {
			p, err := s.Merchants.TerminalPolicy(ctx, a)
			if err != nil {
				return nil, err
			}
			return &struct{ Body TerminalPolicy }{showTerminalPolicy(&p)}, nil
		})
	add(s, route{method: "PUT", path: "/v1/terminal-policy", name: "setTerminalPolicy", tag: "terminals", may: only(ownPeople...),
		summary: "Set the policy on terminals",
		about: "It is given whole. What only asks for more is in force when it is answered: every terminal has to be judged by it anew. " +
			"Anything else waits, whole, for a second person. Conditions are CEL; the names are those of docs/terminal-settings.md."}, s.setTerminalPolicy)
}

// TerminalTerms are what a policy on terminals says.
type TerminalTerms struct {
	LeaseSeconds    int64          `json:"lease_seconds" doc:"How long a proof counts: 60 to 86400" example:"900"`
	ReportSeconds   int64          `json:"report_seconds" doc:"The longest time between two reports: at least 10, at most half of the lease" example:"300"`
	DeadlineSeconds int64          `json:"deadline_seconds" doc:"After which an OFF that a terminal has not proved is escalated: 60 to 604800" example:"1800"`
	KeypadAbove     []Amount       `json:"keypad_above" nullable:"false" doc:"For a currency each, up to what a PIN may be typed on a screen; above, and in others, on a physical keypad alone"`
	MenuLocked      bool           `json:"menu_locked" doc:"A terminal's own menu shows the setting and cannot change it"`
	AppMin          string         `json:"app_min" doc:"The oldest program that may take PIN-free payments; empty: any" example:"1.4.0"`
	Rules           []TerminalRule `json:"rules" nullable:"false" doc:"When a terminal is not safe enough"`
}

// TerminalRule is a condition under which a terminal is not safe.
type TerminalRule struct {
	ID     string `json:"id" example:"captive_portal"`
	Unsafe string `json:"unsafe" doc:"CEL: true, or not to be told, means unsafe" example:"network.portal"`
	Says   Text   `json:"says" doc:"What is wrong, as the end of a sentence"`
}

func (t *TerminalTerms) terms() posture.Terms {
	out := posture.Terms{LeaseSeconds: t.LeaseSeconds, ReportSeconds: t.ReportSeconds, DeadlineSeconds: t.DeadlineSeconds,
		MenuLocked: t.MenuLocked, AppMin: t.AppMin, KeypadAbove: []money.Amount{}, Rules: []posture.Rule{}}
	for _, a := range t.KeypadAbove {
		out.KeypadAbove = append(out.KeypadAbove, a.money())
	}
	for _, r := range t.Rules {
		out.Rules = append(out.Rules, posture.Rule{ID: r.ID, Unsafe: r.Unsafe, Says: mianmi.Text(r.Says)})
	}
	return out
}

func showTerminalTerms(t *posture.Terms) TerminalTerms {
	out := TerminalTerms{LeaseSeconds: t.LeaseSeconds, ReportSeconds: t.ReportSeconds, DeadlineSeconds: t.DeadlineSeconds,
		MenuLocked: t.MenuLocked, AppMin: t.AppMin, KeypadAbove: []Amount{}, Rules: []TerminalRule{}}
	for _, a := range t.KeypadAbove {
		out.KeypadAbove = append(out.KeypadAbove, amountOf(a))
	}
	for _, r := range t.Rules {
		out.Rules = append(out.Rules, TerminalRule{ID: r.ID, Unsafe: r.Unsafe, Says: textOf(r.Says)})
	}
	return out
}

// TerminalPolicy is the terms that are in force for terminals.
type TerminalPolicy struct {
	Terms   TerminalTerms `json:"terms"`
	Version int64         `json:"version"`
	Since   *time.Time    `json:"since,omitzero"`
	Actor   string        `json:"actor,omitzero" doc:"Who brought them into force"`
}

func showTerminalPolicy(p *posture.Policy) TerminalPolicy {
	return TerminalPolicy{Terms: showTerminalTerms(&p.Terms), Version: p.Version, Since: timeOrNone(p.Since), Actor: p.Actor}
}

// TerminalPolicyBody asks for terms.
type TerminalPolicyBody struct {
	TerminalTerms
	BasedOn *int64 `json:"based_on,omitzero" doc:"Version that was seen; a loosening based on another one is a conflict"`
}

// TerminalPolicyResult is what became of an order.
type TerminalPolicyResult struct {
	Policy   TerminalPolicy `json:"policy" doc:"In force now"`
	Change   string         `json:"change" enum:"same,tightening,loosening" doc:"How the order compared with what was in force"`
	Proposal *Approval      `json:"proposal,omitzero" doc:"Waits for a second person"`
}

func (s *Server) setTerminalPolicy(ctx context.Context, a mianmi.Actor, in *struct{ Body TerminalPolicyBody }) (*struct{ Body TerminalPolicyResult }, error) {
	r, err := s.Merchants.SetTerminalPolicy(ctx, a, merchant.TerminalsOrder{Terms: in.Body.terms(), BasedOn: in.Body.BasedOn})
	if err != nil {
		return nil, err
	}
	return &struct{ Body TerminalPolicyResult }{TerminalPolicyResult{Policy: showTerminalPolicy(&r.Policy), Change: changeNames[r.Change], Proposal: showProposal(r.Proposal)}}, nil
}
