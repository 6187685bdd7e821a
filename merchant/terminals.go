package merchant

import (
	"context"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/terminal/posture"
)

// TerminalsOrder asks for another policy on terminals.
type TerminalsOrder struct {
	Terms posture.Terms
	// BasedOn is the version that whoever asks has seen; nil: whatever is in
	// force. A loosening based on another version is a Conflict.
	BasedOn *int64
}

// TerminalsResult is what became of an order.
type TerminalsResult struct {
	Policy   posture.Policy // in force now
	Change   Change         // never Mixed: what is looser in one part waits as a whole
	Proposal *Approval      // waits for a second person; nil: nothing does
}

// TerminalPolicy returns the policy on terminals that is in force: the shipped
// one, version 0, when nobody has set another.
func (s *Service) TerminalPolicy(ctx context.Context, actor mianmi.Actor) (posture.Policy, error) {
	if err := check(actor, actSee, LevelEverything, Place{}); err != nil {
		return posture.Policy{}, err
	}
	return s.records.TerminalPolicy(ctx)
}

// SetTerminalPolicy changes what terminals must be like for PIN-free payment,
// and how long their proofs count. A change that only asks for more is in force
// when the call returns: verdicts by the former policy count no more. Any other
// waits for a second person, whole.
func (s *Service) SetTerminalPolicy(ctx context.Context, actor mianmi.Actor, o TerminalsOrder) (TerminalsResult, error) {
	var res TerminalsResult
	err := s.records.ChangeScope(ctx, Everything(), func(h Held) (Outcome, error) {
		d := s.begin(actor, h)
		change := compareTerminals(h.Terminals.Terms, o.Terms)
		if err := d.mayOrderTerminals(o, change); err != nil {
			return Outcome{}, err
		}
		res = TerminalsResult{Policy: h.Terminals, Change: change}
		switch change {
		case Tightening:
			res.Policy = d.putTerminals(o.Terms, "terminals.tightened", Approval{})
		case Loosening:
			a := d.propose(Proposal{Terminals: &o.Terms}, h.Terminals.Version)
			d.record("terminals.loosening_proposed", scopeNote{After: o.Terms, Version: h.Terminals.Version, Approval: a.ID})
			res.Proposal = &a
		}
		return d.out, d.err
	})
	if err != nil {
		return TerminalsResult{}, err
	}
	return res, nil
}

// compareTerminals says how terms compare; what cannot be told is looser.
func compareTerminals(before, after posture.Terms) Change {
	switch {
	case before.Same(after):
		return Same
	case posture.Tightens(before, after):
		return Tightening
	}
	return Loosening
}

func (d *decision) mayOrderTerminals(o TerminalsOrder, change Change) error {
	do := actTighten
	if change == Loosening {
		do = actPropose
	}
	if err := d.check(do); err != nil {
		return err
	}
	if err := o.Terms.Validate(); err != nil {
		return err
	}
	if change == Loosening && o.BasedOn != nil && *o.BasedOn != d.held.Terminals.Version {
		return mianmi.Conflicts("policy_changed", "the policy has changed since: look again")
	}
	return nil
}

// putTerminals brings terms into force; proposals based on the former ones lapse.
func (d *decision) putTerminals(t posture.Terms, fact string, by Approval) posture.Policy {
	before := d.held.Terminals
	p := posture.Policy{Version: before.Version + 1, Tightened: before.Tightened, Since: d.now, Actor: d.actor.String(), Terms: t}
	d.out.Terminals = &p
	// Only what asks for less everywhere leaves verdicts of before in force.
	d.out.Tightening = !posture.Tightens(t, before.Terms)
	d.record(fact, scopeNote{After: t, Version: p.Version, Approval: by.ID, ProposedBy: by.ProposedBy})
	d.lapse(by.ID, func(w Proposal) bool { return w.Terminals != nil })
	return p
}

func (d *decision) approveTerminals(a Approval) {
	if d.held.Terminals.Version != a.BasedOn {
		d.fail(mianmi.Conflicts("approval_lapsed", "the policy has changed since: propose it again"))
		return
	}
	d.fail(a.Proposal.Terminals.Validate())
	d.putTerminals(*a.Proposal.Terminals, "terminals.loosened", a)
}
