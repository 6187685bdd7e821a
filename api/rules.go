package api

import (
	"context"
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/rules"
)

// rulesBodyMax bounds packs in a request: several of the longest.
const rulesBodyMax = 2 << 20

func (s *Server) registerRules() {
	sees, approves := only(readers...), only(mianmi.RoleRisk, mianmi.RoleOperator)
	add(s, route{method: "GET", path: "/v1/rules", name: "rules", tag: "rules", may: only(allStaff...).and(mianmi.RolePayer).keys(allScopes),
		summary: "The rule packs in force", about: "Each with its text's edition, its limits and its sources. version is in every decision."}, s.rules)
	add(s, route{method: "GET", path: "/v1/rules/packs/{pack}", name: "rulePack", tag: "rules", may: sees,
		summary: "The history of a rule pack", about: "Every version that has been in force, with its text, newest first."}, s.rulePack)
	add(s, route{method: "POST", path: "/v1/rules/dry-run", name: "dryRunRules", tag: "rules", may: sees, bodyMax: rulesBodyMax,
		summary: "Say what a change of the rule packs would do", about: "Whether it is a tightening, why not, what differs, and how the newest payments (at most 10,000) would have been decided. Every fault of a pack that cannot be compiled is listed with its line and field. Nothing is written."}, s.dryRunRules)
	add(s, route{method: "POST", path: "/v1/rules/changes", name: "proposeRules", tag: "rules", may: approves, status: 201, bodyMax: rulesBodyMax,
		summary: "Change the rule packs in force", about: "As a whole or not at all. What provably lets nothing pass that did not pass before is in force when this is answered; everything else waits for a second person."}, s.proposeRules)
	add(s, route{method: "GET", path: "/v1/rules/changes", name: "ruleChanges", tag: "rules", may: sees,
		summary: "List changes of the rule packs", about: "Newest first, without the packs' texts."}, s.ruleChanges)
	add(s, route{method: "GET", path: "/v1/rules/changes/{change}", name: "ruleChange", tag: "rules", may: sees,
		summary: "Show a change of the rule packs", about: "With the packs' texts and its state at this moment."}, s.ruleChange)
	for _, d := range []struct {
		path, name, summary, about string
		do                         func(context.Context, mianmi.Actor, mianmi.RuleChangeID) (rules.Change, error)
	}{
		{"approve", "approveRules", "Approve a change of the rule packs", "By another person than the one who proposed it, and one who is independent of that person. It is in force when this is answered; other proposals lapse.", s.Rules.Approve},
		{"reject", "rejectRules", "Reject a change of the rule packs", "By whoever may approve it.", s.Rules.Reject},
		{"take-back", "takeBackRules", "Take one's own change of the rule packs back", "Only who proposed it can.", s.Rules.TakeBack},
	} {
		add(s, route{method: "POST", path: "/v1/rules/changes/{change}/" + d.path, name: d.name, tag: "rules", may: approves, summary: d.summary, about: d.about},
			func(ctx context.Context, a mianmi.Actor, in *RuleChangeInput) (*struct{ Body RuleChange }, error) {
				c, err := d.do(ctx, a, mianmi.RuleChangeID(in.Change))
				if err != nil {
					return nil, err
				}
				return &struct{ Body RuleChange }{showRuleChange(&c)}, nil
			})
	}
}

// RuleOrder is a change of the rule packs in force that somebody wants.
type RuleOrder struct {
	Packs    []string `json:"packs,omitzero" maxItems:"200" doc:"Packs to put in force, in YAML, each in place of the version that is"`
	Withdraw []string `json:"withdraw,omitzero" maxItems:"200" doc:"Identifiers of packs to take out of force"`
	Note     string   `json:"note,omitzero" maxLength:"500" doc:"For those who decide"`
}

func (o *RuleOrder) order() rules.Order {
	out := rules.Order{Withdraw: o.Withdraw, Note: o.Note}
	for i, text := range o.Packs {
		out.Put = append(out.Put, rules.Text{Name: fmt.Sprintf("packs[%d]", i), YAML: text, Source: rules.API})
	}
	return out
}

// RuleChange is a change of the rule packs in force and what became of it.
type RuleChange struct {
	ID         string        `json:"id" example:"rc…"`
	State      string        `json:"state" enum:"proposed,in_force,rejected,taken_back,lapsed,expired"`
	Tightening bool          `json:"tightening" doc:"It is proved that nothing passes by it that did not pass before"`
	Packs      []PackVersion `json:"packs"`
	BasedOn    string        `json:"based_on" doc:"Digest of the packs in force that it was compared with"`
	Note       string        `json:"note,omitzero"`
	ProposedBy string        `json:"proposed_by"`
	ProposedAt time.Time     `json:"proposed_at"`
	ExpiresAt  time.Time     `json:"expires_at"`
	DecidedBy  string        `json:"decided_by,omitzero"`
	DecidedAt  *time.Time    `json:"decided_at,omitzero"`
}

// PackVersion is a version of a pack, or its end, as a change brought it.
type PackVersion struct {
	Change     string     `json:"change"`
	Pack       string     `json:"pack" example:"cn-unionpay-2018"`
	Version    int64      `json:"version"`
	Withdraws  bool       `json:"withdraws" doc:"The change takes the pack out of force"`
	State      string     `json:"state,omitzero" doc:"in_force, replaced, withdrawn, or that of a change that did not come into force"`
	Source     string     `json:"source" enum:"shipped,folder,api"`
	Digest     string     `json:"digest" doc:"SHA-256 of the text"`
	From       *time.Time `json:"from,omitzero" doc:"In force from here"`
	Until      *time.Time `json:"until,omitzero" doc:"and until here"`
	FromEpoch  int64      `json:"from_epoch,omitzero" doc:"Settings epoch; a payment's decided_by names one"`
	UntilEpoch int64      `json:"until_epoch,omitzero"`
	YAML       string     `json:"yaml,omitzero"`
}

func showPackVersion(p *rules.Pack, change rules.State) PackVersion {
	return PackVersion{Change: string(p.Change), Pack: p.ID, Version: p.Version, Withdraws: p.Withdraws, State: p.State(change), Source: string(p.Source),
		Digest: p.Digest, From: timeOrNone(p.From), Until: timeOrNone(p.Until), FromEpoch: p.FromEpoch, UntilEpoch: p.UntilEpoch, YAML: p.YAML}
}

func showRuleChange(c *rules.Change) RuleChange {
	out := RuleChange{ID: string(c.ID), State: c.State.String(), Tightening: c.Tightening, Packs: []PackVersion{}, BasedOn: c.BasedOn, Note: c.Note,
		ProposedBy: c.ProposedBy, ProposedAt: c.ProposedAt.UTC(), ExpiresAt: c.ExpiresAt.UTC(), DecidedBy: c.DecidedBy, DecidedAt: timeOrNone(c.DecidedAt)}
	for i := range c.Packs {
		out.Packs = append(out.Packs, showPackVersion(&c.Packs[i], c.State))
	}
	return out
}

// RuleChangeInput names a change.
type RuleChangeInput struct {
	Change string `path:"change" doc:"rc…"`
}

func (s *Server) proposeRules(ctx context.Context, a mianmi.Actor, in *struct{ Body RuleOrder }) (*struct{ Body RuleChange }, error) {
	c, err := s.Rules.Propose(ctx, a, in.Body.order())
	if err != nil {
		return nil, err
	}
	return &struct{ Body RuleChange }{showRuleChange(&c)}, nil
}

func (s *Server) ruleChange(ctx context.Context, a mianmi.Actor, in *RuleChangeInput) (*struct{ Body RuleChange }, error) {
	c, err := s.Rules.Change(ctx, a, mianmi.RuleChangeID(in.Change))
	if err != nil {
		return nil, err
	}
	return &struct{ Body RuleChange }{showRuleChange(&c)}, nil
}

func (s *Server) ruleChanges(ctx context.Context, a mianmi.Actor, in *struct {
	Waiting bool   `query:"waiting" doc:"Only those that wait for a second person"`
	Before  string `query:"before" doc:"next of the page before"`
	Limit   int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}) (*struct{ Body List[RuleChange] }, error) {
	list, err := s.Rules.Changes(ctx, a, rules.ChangeQuery{Waiting: in.Waiting, Before: mianmi.RuleChangeID(in.Before), Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	return listOf(list, in.Limit, showRuleChange, func(c *rules.Change) string { return string(c.ID) }), nil
}

// RuleHistory is every version of a pack that has been in force.
type RuleHistory struct {
	Versions []PackVersion `json:"versions" doc:"Newest first"`
}

func (s *Server) rulePack(ctx context.Context, a mianmi.Actor, in *struct {
	Pack string `path:"pack" example:"cn-unionpay-2018"`
}) (*struct{ Body RuleHistory }, error) {
	list, err := s.Rules.History(ctx, a, in.Pack)
	if err != nil {
		return nil, err
	}
	out := RuleHistory{}
	for i := range list {
		out.Versions = append(out.Versions, showPackVersion(&list[i], rules.InForce))
	}
	return &struct{ Body RuleHistory }{out}, nil
}

// Rules are the packs in force.
type Rules struct {
	Version string `json:"version"`
	Closed  bool   `json:"closed" doc:"Some pack in force cannot be read by this server, so nothing goes without a PIN"`
	Packs   []Pack `json:"packs"`
}

// Pack is a set of rules of a regulator or a scheme.
type Pack struct {
	ID           string     `json:"id" example:"cn-unionpay-2018"`
	Version      int64      `json:"version" doc:"Of this encoding; a reason names it"`
	Title        Text       `json:"title"`
	Edition      string     `json:"edition"`
	Layer        string     `json:"layer" enum:"regulation,scheme,issuer"`
	Jurisdiction string     `json:"jurisdiction"`
	From         string     `json:"from,omitzero" doc:"First day"`
	To           string     `json:"to,omitzero" doc:"Last day"`
	Permits      bool       `json:"permits" doc:"It allows payments to go without a PIN; otherwise it only restricts"`
	Reading      string     `json:"reading,omitzero" doc:"Which reading of the text was taken"`
	Limits       []Limit    `json:"limits"`
	Sources      []Source   `json:"sources"`
	BroughtBy    string     `json:"brought_by,omitzero" enum:"shipped,folder,api" doc:"How it came into force"`
	Since        *time.Time `json:"since,omitzero" doc:"When this version came into force"`
}

// Limit is one bound of a pack.
type Limit struct {
	Rule  string `json:"rule" doc:"As in a reason" example:"cn-unionpay-2018/per-payment"`
	Title Text   `json:"title"`
	Above string `json:"above" enum:"step_up,refuse" doc:"What happens above it"`
	// Sources are those of Pack.Sources, by ID.
	Sources []string `json:"sources,omitzero" doc:"In which of the pack's sources it is written; none where the pack has only one"`
}

// Source is where a rule is written.
type Source struct {
	ID      string `json:"id,omitzero" doc:"By which limits name it"`
	Title   string `json:"title"`
	URL     string `json:"url"`
	Read    string `json:"read" doc:"Date on which it was read"`
	Quality string `json:"quality"`
}

func (s *Server) rules(ctx context.Context, _ mianmi.Actor, _ *struct{}) (*struct{ Body Rules }, error) {
	set, err := s.Rules.InForce(ctx)
	if err != nil {
		return nil, err
	}
	compiled := set.Rules()
	if !set.Known() {
		if compiled, err = s.Payments.RulesInForce(ctx); err != nil {
			return nil, err
		}
	}
	out := Rules{Version: compiled.Version(), Closed: set.Fault() != nil, Packs: []Pack{}}
	rows := map[string]rules.Pack{}
	for _, row := range set.Packs() {
		rows[row.ID] = row
	}
	for _, p := range compiled.Packs() {
		shown := showPack(&p)
		if row, ok := rows[p.ID]; ok && row.Version == p.Version {
			shown.BroughtBy, shown.Since = string(row.Source), timeOrNone(row.From)
		}
		out.Packs = append(out.Packs, shown)
	}
	return &struct{ Body Rules }{out}, nil
}

func showPack(p *pinfree.Pack) Pack {
	out := Pack{ID: p.ID, Version: p.Version, Title: textOf(p.Title), Edition: p.Edition, Layer: p.Layer, Jurisdiction: p.Jurisdiction,
		From: p.Effective.From, To: p.Effective.To, Permits: p.Permits, Reading: p.Reading, Limits: []Limit{}, Sources: []Source{}}
	for i := range p.Limits {
		l := &p.Limits[i]
		out.Limits = append(out.Limits, Limit{Rule: p.ID + "/" + l.ID, Title: textOf(l.Title), Above: l.Above, Sources: l.Sources})
	}
	for _, so := range p.Sources {
		out.Sources = append(out.Sources, Source(so))
	}
	return out
}
