package api

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/rollout"
	"github.com/mianmi/mianmi/terminal"
)

func (s *Server) registerRollouts() {
	sees := only(readers...).and(shopPeople...).keys(mianmi.ScopeRead | mianmi.ScopeManage | mianmi.ScopeTighten)
	tightens := only(ownPeople...).and(mianmi.RoleStoreManager, mianmi.RoleMerchantAdmin).keys(mianmi.ScopeTighten)
	loosens := only(ownPeople...).and(mianmi.RoleStoreManager, mianmi.RoleMerchantAdmin).keys(mianmi.ScopeManage)
	add(s, route{method: "GET", path: "/v1/rollouts", name: "rollouts", tag: "policies", may: sees, summary: "List staged rollouts, newest first",
		about: "Loosened policies that come to terminals in stages: a merchant's, or a store's; everybody's, for mianmi's own people. Without live counts."}, s.rollouts)
	add(s, route{method: "GET", path: "/v1/rollouts/{rollout}", name: "rollout", tag: "policies", may: sees, summary: "Show a staged rollout with its live count",
		about: "How many terminals the present stage has come to, how many have proved the setting, and how payments there went since it began."}, s.rollout)
	add(s, route{method: "GET", path: "/v1/rollouts/{rollout}/outstanding", name: "rolloutOutstanding", tag: "policies", may: sees,
		summary: "List the terminals that the present stage waits for", about: "Each with what stands in the way, and since when it is offline."}, s.rolloutOutstanding)
	for _, d := range []struct {
		name, summary, about string
		may                  rule
		do                   func(context.Context, mianmi.Actor, mianmi.RolloutID) (merchant.Rollout, error)
	}{
		{"pause", "Pause a staged rollout", "By one person, at once: nothing moves on, and what is reached stays.", tightens, s.Merchants.PauseRollout},
		{"resume", "Resume a staged rollout", "The stage is judged anew from now.", loosens, s.Merchants.ResumeRollout},
		{"advance", "Begin the next stage now", "Without waiting for anything; after the last stage the rollout is finished.", loosens, s.Merchants.AdvanceRollout},
		{"stop", "Stop a staged rollout", "By one person, at once: the former terms are back at every terminal when this is answered, a tightening like any other.", tightens, s.Merchants.StopRollout},
	} {
		add(s, route{method: "POST", path: "/v1/rollouts/{rollout}/" + d.name, name: d.name + "Rollout", tag: "policies", may: d.may, summary: d.summary, about: d.about},
			func(ctx context.Context, a mianmi.Actor, in *RolloutInput) (*RolloutOutput, error) {
				r, err := d.do(ctx, a, mianmi.RolloutID(in.Rollout))
				if err != nil {
					return nil, err
				}
				return &RolloutOutput{showRollout(&r)}, nil
			})
	}
}

// RolloutPlan is how a loosening comes to the terminals of a scope, or a program
// to those of a family.
type RolloutPlan struct {
	Stages      []RolloutStage `json:"stages" minItems:"1" maxItems:"10" doc:"Each holds those before it; the last is everybody: permille 1000"`
	AttestedMin *int           `json:"attested_permille_min,omitzero" minimum:"0" maximum:"1000" doc:"Least share of the reached terminals that have proved in time that they run it; 950 when left out, of a program 900"`
	AttestSecs  *int64         `json:"attest_seconds,omitzero" minimum:"60" maximum:"604800" doc:"That time; 900 when left out, of a program 86400"`
	SoakSecs    *int64         `json:"soak_seconds,omitzero" minimum:"0" maximum:"604800" doc:"A stage lasts at least that long; 1800 when left out, of a program 14400"`
	DeclinedMax *int           `json:"declined_permille_max,omitzero" minimum:"0" maximum:"1000" doc:"Most of the payments there that are declined; 100 when left out"`
	UnknownMax  *int           `json:"unknown_permille_max,omitzero" minimum:"0" maximum:"1000" doc:"Most of the payments there that end without a result; 20 when left out"`
	RefusedMax  *int           `json:"refused_permille_max,omitzero" minimum:"0" maximum:"1000" doc:"Of a program: most of the reached terminals that do not take it, or go back from it; 20 when left out. A policy has none"`
	PaymentsMin *int           `json:"payments_min,omitzero" minimum:"1" maximum:"10000" doc:"Below so many payments their share says nothing; 50 when left out"`
	ByHand      bool           `json:"by_hand,omitzero" doc:"A person begins each further stage"`
}

// RolloutStage says whom a stage comes to.
type RolloutStage struct {
	Permille  int      `json:"permille,omitzero" minimum:"0" maximum:"1000" doc:"Thousandths of the scope's terminals"`
	Terminals []string `json:"terminals,omitzero" maxItems:"200"`
	Stores    []string `json:"stores,omitzero" maxItems:"200"`
	Models    []string `json:"models,omitzero" maxItems:"200"`
}

func (p *RolloutPlan) plan() *rollout.Plan {
	if p == nil {
		return nil
	}
	out := p.over(rollout.Usual())
	return &out
}

// over is the plan, with what it leaves out as usual.
func (p *RolloutPlan) over(out rollout.Plan) rollout.Plan {
	for i := range p.Stages {
		s := &p.Stages[i]
		out.Stages = append(out.Stages, rollout.Stage{Permille: s.Permille, Terminals: identifiersOf[mianmi.TerminalID](s.Terminals),
			Stores: identifiersOf[mianmi.StoreID](s.Stores), Models: identifiersOf[mianmi.ModelID](s.Models)})
	}
	or(&out.AttestedMin, p.AttestedMin)
	or(&out.AttestSeconds, p.AttestSecs)
	or(&out.SoakSeconds, p.SoakSecs)
	or(&out.DeclinedMax, p.DeclinedMax)
	or(&out.UnknownMax, p.UnknownMax)
	or(&out.RefusedMax, p.RefusedMax)
	or(&out.PaymentsMin, p.PaymentsMin)
	out.ByHand = p.ByHand
	return out
}

// or takes what was asked for in place of the usual.
func or[T any](usual, asked *T) {
	if asked != nil {
		*usual = *asked
	}
}

func identifiersOf[T, F ~string](list []F) []T {
	var out []T
	for _, id := range list {
		out = append(out, T(id))
	}
	return out
}

func showPlan(p *rollout.Plan) *RolloutPlan {
	if p == nil {
		return nil
	}
	out := &RolloutPlan{Stages: []RolloutStage{}, AttestedMin: &p.AttestedMin, AttestSecs: &p.AttestSeconds, SoakSecs: &p.SoakSeconds,
		DeclinedMax: &p.DeclinedMax, UnknownMax: &p.UnknownMax, PaymentsMin: &p.PaymentsMin, ByHand: p.ByHand}
	if p.RefusedMax > 0 {
		out.RefusedMax = &p.RefusedMax
	}
	for i := range p.Stages {
		s := &p.Stages[i]
		out.Stages = append(out.Stages, RolloutStage{Permille: s.Permille, Terminals: identifiersOf[string](s.Terminals),
			Stores: identifiersOf[string](s.Stores), Models: identifiersOf[string](s.Models)})
	}
	return out
}

// Rollout is a loosened policy that comes to terminals in stages.
type Rollout struct {
	ID         string          `json:"id"`
	Kind       string          `json:"kind" enum:"setting"`
	Scope      string          `json:"scope" example:"merchant:mc…"`
	State      string          `json:"state" enum:"running,paused,stopped,finished"`
	Stage      int             `json:"stage" doc:"From 1"`
	Stages     int             `json:"stages"`
	StageAt    time.Time       `json:"stage_at" doc:"When the stage began"`
	Terms      Terms           `json:"terms" doc:"For terminals that are reached"`
	Version    int64           `json:"version" doc:"Of the policy"`
	Former     Terms           `json:"former_terms" doc:"For all others"`
	FormerV    int64           `json:"former_version" doc:"Of the policy; 0: the default terms"`
	Plan       RolloutPlan     `json:"plan"`
	Because    *RolloutBecause `json:"because,omitzero" doc:"Why it does not run"`
	Figures    *RolloutFigures `json:"figures,omitzero" doc:"Live, while it is running or paused; of one rollout alone"`
	Approval   string          `json:"approval"`
	ProposedBy string          `json:"proposed_by"`
	StartedBy  string          `json:"started_by"`
	StartedAt  time.Time       `json:"started_at"`
	ChangedBy  string          `json:"changed_by" doc:"Of the state or the stage, last"`
	ChangedAt  time.Time       `json:"changed_at"`
}

// RolloutBecause is why a rollout does not run.
type RolloutBecause struct {
	Reason string `json:"reason" enum:"person,attested,refused,declined,unknown,closed,tightened"`
	Count  int    `json:"count,omitzero"`
	Of     int    `json:"of,omitzero"`
	Text   Text   `json:"text"`
}

// RolloutFigures are what the present stage has come to.
type RolloutFigures struct {
	Total       int   `json:"total" doc:"Terminals in scope"`
	Reached     int   `json:"reached" doc:"Of them, by this stage and those before it"`
	HostAlone   int   `json:"host_alone" doc:"Of the reached ones: of models that prove nothing"`
	Delivered   int   `json:"delivered" doc:"Have fetched the setting and not proved it"`
	Attested    int   `json:"attested" doc:"Have proved it"`
	Outstanding int   `json:"outstanding" doc:"Have to prove it"`
	Payments    int   `json:"payments" doc:"That have ended at reached terminals since the stage began or was resumed, cash apart; of the newest 10000 of all"`
	Declined    int   `json:"declined"`
	Unknown     int   `json:"unknown" doc:"Ended without a result"`
	Seconds     int64 `json:"seconds" doc:"Since the stage began or was resumed"`
}

// RolloutInput names a rollout.
type RolloutInput struct {
	Rollout string `path:"rollout" doc:"ro…"`
}

// RolloutOutput is one rollout.
type RolloutOutput struct{ Body Rollout }

func showRollout(r *merchant.Rollout) Rollout {
	out := Rollout{ID: string(r.ID), Kind: string(r.Kind), Scope: r.Scope.String(), State: r.State.String(), Stage: r.Stage + 1, Stages: len(r.Plan.Stages),
		StageAt: r.StageAt.UTC(), Terms: showTerms(&r.Terms), Version: r.Version, Former: showTerms(&r.Former.Terms), FormerV: r.Former.Version,
		Plan: *showPlan(&r.Plan), Approval: string(r.Approval), ProposedBy: r.ProposedBy, StartedBy: r.StartedBy, StartedAt: r.StartedAt.UTC(),
		ChangedBy: r.ChangedBy, ChangedAt: r.ChangedAt.UTC()}
	out.Because = showBecause(r.Because, &r.Plan)
	return out
}

func showBecause(b rollout.Because, p *rollout.Plan) *RolloutBecause {
	if b.Reason == rollout.NoReason {
		return nil
	}
	return &RolloutBecause{string(b.Reason), b.Count, b.Of, Text(b.Words(p))}
}

func (s *Server) rollouts(ctx context.Context, a mianmi.Actor, in *struct {
	Merchant string `query:"merchant" doc:"Of this merchant; mianmi's own people may leave it out"`
	Store    string `query:"store"`
	Scope    string `query:"scope" doc:"Of this very scope: merchant:mc…, store:st…, everything"`
	Open     bool   `query:"open" doc:"Only those that run or are paused"`
	PageInput
}) (*struct{ Body List[Rollout] }, error) {
	q := merchant.RolloutQuery{Merchant: mianmi.MerchantID(in.Merchant), Store: mianmi.StoreID(in.Store), Open: in.Open,
		Before: mianmi.RolloutID(in.After), Limit: in.Limit}
	if in.Scope != "" {
		var err error
		if q.Scope, err = merchant.ParseScope(in.Scope); err != nil {
			return nil, err
		}
	}
	list, err := s.Merchants.Rollouts(ctx, a, q)
	if err != nil {
		return nil, err
	}
	return listOf(list, in.Limit, showRollout, func(r *merchant.Rollout) string { return string(r.ID) }), nil
}

func (s *Server) rollout(ctx context.Context, a mianmi.Actor, in *RolloutInput) (*RolloutOutput, error) {
	r, err := s.Merchants.Rollout(ctx, a, mianmi.RolloutID(in.Rollout))
	if err != nil {
		return nil, err
	}
	out := showRollout(&r.Rollout)
	if f := &r.Figures; r.State.Open() {
		out.Figures = &RolloutFigures{Total: f.Total, Reached: f.Reached, HostAlone: f.HostAlone, Delivered: f.Delivered, Attested: f.Attested,
			Outstanding: f.Outstanding(), Payments: f.Payments, Declined: f.Declined, Unknown: f.Unknown, Seconds: int64(f.For / time.Second)}
	}
	return &RolloutOutput{out}, nil
}

func (s *Server) rolloutOutstanding(ctx context.Context, a mianmi.Actor, in *struct {
	RolloutInput
	PageInput
}) (*struct{ Body List[OutstandingTerminal] }, error) {
	r, err := s.Merchants.Rollout(ctx, a, mianmi.RolloutID(in.Rollout))
	if err != nil {
		return nil, err
	}
	var list []terminal.LeftOut
	if r.State.Open() {
		reach := terminal.Reach{Scope: r.Scope.String(), Place: terminal.Place{Merchant: r.Merchant, Store: r.Store}, Epoch: r.Epoch, Has: r.Reaches}
		if list, err = s.Terminals.ReachOutstanding(ctx, a, reach, mianmi.TerminalID(in.After), in.Limit); err != nil {
			return nil, err
		}
	}
	return listOf(list, in.Limit, showOutstanding, func(o *terminal.LeftOut) string { return string(o.Terminal) }), nil
}
