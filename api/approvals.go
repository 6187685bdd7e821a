package api

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
)

func (s *Server) registerStops() {
	sees := only(readers...).and(mianmi.RoleMerchantAdmin).keys(mianmi.ScopeRead | mianmi.ScopeManage | mianmi.ScopeTighten)
	staffToo := sees.and(mianmi.RoleCashier, mianmi.RoleStoreManager)
	approves := only(mianmi.RoleMerchantAdmin, mianmi.RoleRisk, mianmi.RoleOperator)
	proposes := only(mianmi.RoleStoreManager, mianmi.RoleMerchantAdmin).and(ownPeople...).keys(mianmi.ScopeManage)
	add(s, route{method: "GET", path: "/v1/approvals", name: "approvals", tag: "policies", may: sees,
		summary: "List the proposals that wait for a second person", about: "A merchant's; everybody's, for mianmi's own people, when merchant is left out."}, s.approvals)
	add(s, route{method: "GET", path: "/v1/approvals/{approval}", name: "approval", tag: "policies", may: staffToo, summary: "Show a proposal", about: "With its state at this moment."}, s.approval)
	for _, d := range []struct {
		name, summary, about string
		may                  rule
		do                   func(context.Context, mianmi.Actor, mianmi.ApprovalID) (merchant.Approval, error)
	}{
		{"approve", "Approve a proposal", "By another person than the one who made it. It is in force when this is answered.", approves, s.Merchants.Approve},
		{"reject", "Reject a proposal", "By whoever may approve it.", approves, s.Merchants.Reject},
		{"withdraw", "Withdraw one's own proposal", "Only who made it can.", proposes, s.Merchants.Withdraw},
	} {
		add(s, route{method: "POST", path: "/v1/approvals/{approval}/" + d.name, name: d.name, tag: "policies", may: d.may, summary: d.summary, about: d.about},
			func(ctx context.Context, a mianmi.Actor, in *ApprovalInput) (*ApprovalOutput, error) {
				return oneApproval(d.do(ctx, a, mianmi.ApprovalID(in.Approval)))
			})
	}
	add(s, route{method: "POST", path: "/v1/emergency-stops", name: "placeStop", tag: "policies", status: 201,
		may: only(ownPeople...).and(shopPeople...).keys(mianmi.ScopeTighten), summary: "Stop PIN-free payment now",
		about: "For everything, a channel, merchant, store, model or terminal, for a minute to 30 days. In force when this is answered."}, s.placeStop)
	add(s, route{method: "GET", path: "/v1/emergency-stops", name: "stops", tag: "policies", may: staffToo,
		summary: "List emergency stops", about: "Of a scope; of all, for mianmi's own people, when scope is left out."}, s.stops)
	add(s, route{method: "POST", path: "/v1/emergency-stops/{stop}/lift", name: "liftStop", tag: "policies", may: proposes,
		summary: "Propose the early end of a stop", about: "A second person has to approve it. What mianmi's own people placed is lifted by them alone."}, s.liftStop)
}

// Approval is a proposal and what became of it.
type Approval struct {
	ID         string         `json:"id"`
	Scope      string         `json:"scope" example:"store:st…"`
	Merchant   string         `json:"merchant,omitzero"`
	State      string         `json:"state" enum:"waiting,approved,rejected,withdrawn,lapsed,expired"`
	Terms      *Terms         `json:"terms,omitzero" doc:"Proposed for the policy"`
	Rollout    *RolloutPlan   `json:"rollout,omitzero" doc:"How the terms come to terminals in stages; left out: to all at once"`
	Lift       string         `json:"lift,omitzero" doc:"The emergency stop to be lifted"`
	Facts      *Facts         `json:"facts,omitzero" doc:"Proposed for the merchant"`
	Terminals  *TerminalTerms `json:"terminals,omitzero" doc:"Proposed for the policy on terminals"`
	BasedOn    int64          `json:"based_on"`
	ProposedBy string         `json:"proposed_by"`
	ProposedAt time.Time      `json:"proposed_at"`
	ExpiresAt  time.Time      `json:"expires_at"`
	DecidedBy  string         `json:"decided_by,omitzero"`
	DecidedAt  *time.Time     `json:"decided_at,omitzero"`
}

// ApprovalOutput is one proposal.
type ApprovalOutput struct{ Body Approval }

func showApproval(p *merchant.Approval) Approval {
	out := Approval{ID: string(p.ID), Scope: p.Scope.String(), Merchant: string(p.Merchant), State: p.State.String(), Lift: string(p.Proposal.Lift),
		Facts: (*Facts)(p.Proposal.Facts), BasedOn: p.BasedOn, ProposedBy: p.ProposedBy, ProposedAt: p.ProposedAt.UTC(), ExpiresAt: p.ExpiresAt.UTC(),
		DecidedBy: p.DecidedBy, DecidedAt: timeOrNone(p.DecidedAt)}
	if p.Proposal.Terms != nil {
		t := showTerms(p.Proposal.Terms)
		out.Terms, out.Rollout = &t, showPlan(p.Proposal.Rollout)
	}
	if p.Proposal.Terminals != nil {
		t := showTerminalTerms(p.Proposal.Terminals)
		out.Terminals = &t
	}
	return out
}

// showProposal is showApproval for one that may not be there.
func showProposal(p *merchant.Approval) *Approval {
	if p == nil {
		return nil
	}
	out := showApproval(p)
	return &out
}

func oneApproval(p merchant.Approval, err error) (*ApprovalOutput, error) {
	if err != nil {
		return nil, err
	}
	return &ApprovalOutput{showApproval(&p)}, nil
}

type ApprovalInput struct {
	Approval string `path:"approval" doc:"ap…"`
}

func (s *Server) approvals(ctx context.Context, a mianmi.Actor, in *struct {
	Merchant string `query:"merchant"`
	PageInput
}) (*struct{ Body List[Approval] }, error) {
	list, err := s.Merchants.Waiting(ctx, a, merchant.ApprovalQuery{Merchant: mianmi.MerchantID(in.Merchant), After: mianmi.ApprovalID(in.After), Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	return listOf(list, in.Limit, showApproval, func(p *merchant.Approval) string { return string(p.ID) }), nil
}

func (s *Server) approval(ctx context.Context, a mianmi.Actor, in *ApprovalInput) (*ApprovalOutput, error) {
	return oneApproval(s.Merchants.Approval(ctx, a, mianmi.ApprovalID(in.Approval)))
}

// StopBody asks for an emergency stop.
type StopBody struct {
	Scope   string `json:"scope" doc:"everything, or channel, merchant, store, model or terminal, a colon and its identifier" example:"terminal:tm…"`
	Reason  string `json:"reason" doc:"For the record, shown to staff"`
	Seconds int64  `json:"seconds" minimum:"60" maximum:"2592000" doc:"How long: a minute to 30 days"`
}

// Stop is an emergency stop.
type Stop struct {
	ID       string     `json:"id"`
	Scope    string     `json:"scope"`
	Reason   string     `json:"reason"`
	Live     bool       `json:"live" doc:"In force at this moment"`
	PlacedBy string     `json:"placed_by"`
	PlacedAt time.Time  `json:"placed_at"`
	Until    time.Time  `json:"until"`
	LiftedBy string     `json:"lifted_by,omitzero"`
	LiftedAt *time.Time `json:"lifted_at,omitzero"`
}

func (s *Server) showStop(st *merchant.Stop) Stop {
	return Stop{ID: string(st.ID), Scope: st.Scope.String(), Reason: st.Reason, Live: st.Live(s.Clock.Now()), PlacedBy: st.PlacedBy,
		PlacedAt: st.PlacedAt.UTC(), Until: st.Until.UTC(), LiftedBy: st.LiftedBy, LiftedAt: timeOrNone(st.LiftedAt)}
}

func (s *Server) placeStop(ctx context.Context, a mianmi.Actor, in *struct{ Body StopBody }) (*struct{ Body Stop }, error) {
	scope, err := merchant.ParseScope(in.Body.Scope)
	if err != nil {
		return nil, err
	}
	st, err := s.Merchants.Place(ctx, a, merchant.StopOrder{Scope: scope, Reason: in.Body.Reason, For: time.Duration(in.Body.Seconds) * time.Second})
	if err != nil {
		return nil, err
	}
	return &struct{ Body Stop }{s.showStop(&st)}, nil
}

func (s *Server) stops(ctx context.Context, a mianmi.Actor, in *struct {
	Scope string `query:"scope" doc:"As in a stop"`
	Live  bool   `query:"live" doc:"Only those in force now"`
	PageInput
}) (*struct{ Body List[Stop] }, error) {
	q := merchant.StopQuery{After: mianmi.StopID(in.After), Limit: in.Limit}
	if in.Scope != "" {
		var err error
		if q.Scope, err = merchant.ParseScope(in.Scope); err != nil {
			return nil, err
		}
	}
	if in.Live {
		q.Live = s.Clock.Now()
	}
	list, err := s.Merchants.Stops(ctx, a, q)
	if err != nil {
		return nil, err
	}
	return listOf(list, in.Limit, s.showStop, func(st *merchant.Stop) string { return string(st.ID) }), nil
}

func (s *Server) liftStop(ctx context.Context, a mianmi.Actor, in *struct {
	Stop string `path:"stop" doc:"es…"`
}) (*ApprovalOutput, error) {
	return oneApproval(s.Merchants.Lift(ctx, a, mianmi.StopID(in.Stop)))
}
