package merchant

import (
	"context"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
)

// Approve brings a proposal into force. It takes another person than the one
// who proposed it, and one whose account is not in that person's hands; a
// proposal whose basis has changed, or that nobody decided in time, is a
// Conflict.
func (s *Service) Approve(ctx context.Context, actor mianmi.Actor, id mianmi.ApprovalID) (Approval, error) {
	return s.decide(ctx, actor, id, func(d *decision, a Approval) Approval {
		d.fail(d.check(actApprove))
		if d.err == nil {
			d.fail(d.twoPersons(a.ProposedBy))
		}
		if d.err != nil {
			return a
		}
		a = d.settle(a, Approved)
		switch p := a.Proposal; {
		case p.Terms != nil:
			d.approveTerms(a)
		case p.Lift != "":
			d.approveLift(a)
		case p.Facts != nil:
			d.approveFacts(a)
		case p.Terminals != nil:
			d.approveTerminals(a)
		default:
			d.fail(&mianmi.Error{Kind: mianmi.Internal, Msg: "a proposal of nothing"})
		}
		return a
	})
}

// Reject ends a proposal; whoever may approve it may reject it.
func (s *Service) Reject(ctx context.Context, actor mianmi.Actor, id mianmi.ApprovalID) (Approval, error) {
	return s.decide(ctx, actor, id, func(d *decision, a Approval) Approval {
		d.fail(d.check(actApprove))
		d.record("merchant.approval.rejected", scopeNote{Approval: a.ID, ProposedBy: a.ProposedBy})
		return d.settle(a, Rejected)
	})
}

// Withdraw ends one's own proposal.
func (s *Service) Withdraw(ctx context.Context, actor mianmi.Actor, id mianmi.ApprovalID) (Approval, error) {
	return s.decide(ctx, actor, id, func(d *decision, a Approval) Approval {
		if !access.SamePerson(actor, a.ProposedBy) {
			d.fail(mianmi.Forbidden("not_allowed", "only who proposed it may withdraw it"))
		}
		d.record("merchant.approval.withdrawn", scopeNote{Approval: a.ID, ProposedBy: a.ProposedBy})
		return d.settle(a, Withdrawn)
	})
}

// Approval returns a proposal, with its state at this moment.
func (s *Service) Approval(ctx context.Context, actor mianmi.Actor, id mianmi.ApprovalID) (Approval, error) {
	a, err := s.records.Approval(ctx, id)
	if err != nil {
		return Approval{}, err
	}
	place, err := s.records.ScopePlace(ctx, a.Scope)
	if err != nil {
		return Approval{}, err
	}
	if err := check(actor, actSee, a.Scope.Level, place); err != nil {
		return Approval{}, err
	}
	a.State = a.At(s.now())
	return a, nil
}

// Waiting returns a page of the proposals that wait for a second person: a
// merchant's, or everybody's for mianmi's own people (q.Merchant empty).
func (s *Service) Waiting(ctx context.Context, actor mianmi.Actor, q ApprovalQuery) ([]Approval, error) {
	level := LevelMerchant
	if q.Merchant == "" {
		level = LevelEverything
	}
	if err := check(actor, actSee, level, Place{Merchant: q.Merchant}); err != nil {
		return nil, err
	}
	n, err := pageLimit(q.Limit)
	if err != nil {
		return nil, err
	}
	q.Limit, q.Now = n, s.now()
	return s.records.Approvals(ctx, q)
}

func (s *Service) decide(ctx context.Context, actor mianmi.Actor, id mianmi.ApprovalID, how func(*decision, Approval) Approval) (Approval, error) {
	known, err := s.Approval(ctx, actor, id)
	if err != nil {
		return Approval{}, err
	}
	if err := known.open(s.now()); err != nil {
		return Approval{}, err
	}
	var decided Approval
	err = s.records.ChangeScope(ctx, known.Scope, func(h Held) (Outcome, error) {
		d := s.begin(actor, h)
		for _, a := range h.Waiting {
			if a.ID != id {
				continue
			}
			if err := a.open(d.now); err != nil {
				return Outcome{}, err
			}
			decided = how(d, a)
			return d.out, d.err
		}
		return Outcome{}, mianmi.Conflicts("approval_decided", "it was decided at this moment")
	})
	if err != nil {
		return Approval{}, err
	}
	return decided, nil
}

// settle writes the end of a proposal.
func (d *decision) settle(a Approval, state ApprovalState) Approval {
	a.State, a.DecidedBy, a.DecidedAt = state, d.actor.String(), d.now
	d.out.Approvals = append(d.out.Approvals, a)
	return a
}

func (d *decision) approveTerms(a Approval) {
	if d.held.Policy.Version != a.BasedOn {
		d.fail(mianmi.Conflicts("approval_lapsed", "the policy has changed since: propose it again"))
		return
	}
	d.fail(a.Proposal.Terms.validate(d.held.currency()))
	d.fail(d.rolloutRuns())
	if a.Proposal.Rollout != nil {
		d.startRollout(a)
		return
	}
	d.putPolicy(*a.Proposal.Terms, nil, "merchant.policy.loosened", a)
}

// twoPersons makes sure that whoever approves is neither who proposed it nor
// somebody whose account is in that person's hands. A merchant's admin makes
// the accounts of its store managers and its API keys, so what those propose is
// approved by mianmi's own people; of those, two are two only when neither made
// the other and nobody made both.
func (d *decision) twoPersons(proposedBy string) error {
	proposes := mianmi.ParseRole(mianmi.RecordedRole(proposedBy))
	own := ownPeople(d.actor.Role) || ownPeople(proposes)
	if !own && proposes != mianmi.RoleMerchantAdmin && !access.SamePerson(d.actor, proposedBy) {
		return mianmi.Forbidden("not_independent", "this proposal has to be approved by whoever runs this system")
	}
	return access.TwoPersons(d.held.Makers, d.actor, proposedBy, own)
}
