package merchant

import (
	"context"
	"slices"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/pinfree"
)

// meetFacts is the part of a change of facts that can only forbid. Country and
// category decide which rules apply, which may go either way, so they stay.
func meetFacts(before, after Facts) Facts {
	f := before
	f.NoPIN = before.NoPIN && after.NoPIN
	f.Upgraded = before.Upgraded && after.Upgraded
	f.AgreementRequired = before.AgreementRequired || after.AgreementRequired
	if riskLevel(after.Risk) >= riskLevel(before.Risk) {
		f.Risk = after.Risk
	}
	return f
}

// riskLevel orders ratings by what they forbid. An unknown one forbids all that
// a high one does.
func riskLevel(risk string) int {
	if risk == "" {
		return len(pinfree.Risks) - 1
	}
	return slices.Index(pinfree.Risks, risk)
}

// SetFacts changes what the acquirer says of a merchant. What can only forbid
// is in force when the call returns; the rest is proposed, and then the
// approval is not nil.
func (s *Service) SetFacts(ctx context.Context, actor mianmi.Actor, id mianmi.MerchantID, after Facts) (Merchant, *Approval, error) {
	if err := after.Validate(); err != nil {
		return Merchant{}, nil, err
	}
	var m Merchant
	var proposal *Approval
	err := s.records.ChangeScope(ctx, OfMerchant(id), func(h Held) (Outcome, error) {
		d := s.begin(actor, h)
		m, proposal = *h.Merchant, nil
		// These come from outside the merchant, so its own people cannot set them.
		if err := check(actor, actManage, LevelEverything, Place{}); err != nil {
			return Outcome{}, err
		}
		if tight := meetFacts(m.Facts, after); tight != m.Facts {
			m = d.putFacts(tight, "merchant.facts.tightened", Approval{})
		}
		if m.Facts != after {
			a := d.propose(Proposal{Facts: &after}, m.Version)
			d.record("merchant.facts.loosening_proposed", scopeNote{Before: m.Facts, After: after, Version: m.Version, Approval: a.ID})
			proposal = &a
		}
		return d.out, d.err
	})
	if err != nil {
		return Merchant{}, nil, err
	}
	return m, proposal, nil
}

func (d *decision) putFacts(f Facts, fact string, by Approval) Merchant {
	m := *d.held.Merchant
	before := m.Facts
	m.Facts = f
	m.Version++
	d.out.Merchant = &m
	d.record(fact, scopeNote{Before: before, After: f, Currency: m.Currency, Version: m.Version, Approval: by.ID, ProposedBy: by.ProposedBy})
	d.lapse(by.ID, func(p Proposal) bool { return p.Facts != nil })
	return m
}

func (d *decision) approveFacts(a Approval) {
	// Both persons are of whoever runs mianmi: the merchant cannot confirm itself.
	if err := check(d.actor, actManage, LevelEverything, Place{}); err != nil {
		d.fail(err)
		return
	}
	if d.held.Merchant.Version != a.BasedOn {
		d.fail(mianmi.Conflicts("approval_lapsed", "the merchant has changed since: propose it again"))
		return
	}
	d.putFacts(*a.Proposal.Facts, "merchant.facts.loosened", a)
}
