package api

import (
	"context"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/rules"
)

// RuleReport is what a change of the rule packs would do.
type RuleReport struct {
	Tightening  bool             `json:"tightening" doc:"It would be in force at once, by one person"`
	Obstacles   []RuleObstacle   `json:"obstacles" doc:"Why it is not proved to be a tightening"`
	Packs       []PackVersion    `json:"packs"`
	Differences []RuleDifference `json:"differences" doc:"What differs from the packs in force, limit by limit"`
	BasedOn     string           `json:"based_on" doc:"Digest of the packs in force"`
	Replay      *RuleReplay      `json:"replay,omitzero" doc:"What would have become of stored payments"`
}

// RuleObstacle is a part of a change that may let more payments pass.
type RuleObstacle struct {
	Pack  string `json:"pack"`
	Field string `json:"field,omitzero" example:"limits[per-payment]"`
	Text  Text   `json:"text"`
}

// RuleDifference is a field in which packs differ.
type RuleDifference struct {
	Pack   string `json:"pack"`
	Limit  string `json:"limit,omitzero" doc:"Whose field it is; left out: the pack's own"`
	Field  string `json:"field,omitzero" example:"amount.at_most"`
	Before string `json:"before,omitzero" doc:"Left out: it was not there; of a whole pack its version"`
	After  string `json:"after,omitzero" doc:"Left out: it goes"`
}

// RuleReplay is how stored payments would have been decided.
type RuleReplay struct {
	Payments int64         `json:"payments" doc:"That were looked at"`
	Stricter int64         `json:"stricter" doc:"That would have needed more"`
	Looser   int64         `json:"looser" doc:"That would have needed less"`
	Examples []RuleExample `json:"examples"`
}

// RuleExample is a payment that would have been decided otherwise.
type RuleExample struct {
	Payment string `json:"payment"`
	Before  string `json:"before" enum:"refused,step_up,pin_free,authenticated"`
	After   string `json:"after" enum:"refused,step_up,pin_free,authenticated"`
	Rule    string `json:"rule,omitzero" doc:"That binds it afterwards"`
}

func (s *Server) dryRunRules(ctx context.Context, a mianmi.Actor, in *struct{ Body RuleOrder }) (*struct{ Body RuleReport }, error) {
	r, err := s.Rules.DryRun(ctx, a, in.Body.order())
	if err != nil {
		return nil, err
	}
	out := RuleReport{Tightening: r.Tightening, Obstacles: []RuleObstacle{}, Packs: []PackVersion{}, Differences: []RuleDifference{},
		BasedOn: r.BasedOn, Replay: showReplay(r.Replay)}
	for _, o := range r.Obstacles {
		out.Obstacles = append(out.Obstacles, RuleObstacle{Pack: o.Pack, Field: o.Field, Text: textOf(o.Text)})
	}
	for i := range r.Parts {
		v := showPackVersion(&r.Parts[i], 0)
		v.YAML = "" // the caller has it
		out.Packs = append(out.Packs, v)
	}
	for _, d := range r.Differences {
		out.Differences = append(out.Differences, RuleDifference(d))
	}
	return &struct{ Body RuleReport }{out}, nil
}

func showReplay(r *rules.Replay) *RuleReplay {
	if r == nil {
		return nil
	}
	out := &RuleReplay{Payments: r.Payments, Stricter: r.Stricter, Looser: r.Looser, Examples: []RuleExample{}}
	for _, e := range r.Examples {
		x := RuleExample{Payment: string(e.Payment), Before: e.Before.Outcome.String(), After: e.After.Outcome.String()}
		if len(e.After.Reasons) > 0 {
			x.Rule = e.After.Reasons[0].Rule
		}
		out.Examples = append(out.Examples, x)
	}
	return out
}
