package rules

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
)

// waitingMax bounds the changes that wait: whoever decides reads them all.
const waitingMax = 16

// Propose changes the packs in force. A tightening is in force when the call
// returns. Everything else becomes a proposal that waits for a second person.
// The error of packs that cannot be compiled lists every fault.
func (s *Service) Propose(ctx context.Context, actor mianmi.Actor, o Order) (Change, error) {
	if err := access.Allow(actor, access.RulesPropose, access.Target{}); err != nil {
		return Change{}, err
	}
	put, err := o.read()
	if err != nil {
		return Change{}, err
	}
	var c Change
	err = s.Records.ChangeRules(ctx, func(h Held) (Outcome, error) {
		d := s.begin(actor, h)
		p, err := stateOf(h.Live, h.Versions).plan(put, o.Withdraw)
		if err != nil {
			return Outcome{}, err
		}
		c = d.order(p, o.Note)
		return d.out, d.err
	})
	if err != nil {
		return Change{}, err
	}
	return c, nil
}

// Approve brings a proposal into force. It takes another person than the one
// who proposed it, and one whose account is not in that person's hands; a
// proposal whose basis has changed, or that nobody decided in time, is a
// Conflict.
func (s *Service) Approve(ctx context.Context, actor mianmi.Actor, id mianmi.RuleChangeID) (Change, error) {
	return s.decide(ctx, actor, id, func(d *decision, c *Change) error {
		if err := access.Allow(actor, access.RulesApprove, access.Target{}); err != nil {
			return err
		}
		if err := access.TwoPersons(d.held.Makers, actor, c.ProposedBy, true); err != nil {
			return err
		}
		if c.BasedOn != SetDigest(d.held.Live) {
			return mianmi.Conflicts("approval_lapsed", "the rule packs in force have changed since: propose it again")
		}
		// This program may know more, or less, than the one that took it.
		st := stateOf(d.held.Live, d.held.Versions)
		put, withdraw, err := c.order()
		if err != nil {
			return err
		}
		if _, err := st.plan(put, withdraw); err != nil {
			return err
		}
		d.apply(c)
		return nil
	})
}

// Reject ends a proposal; whoever may approve it may reject it.
func (s *Service) Reject(ctx context.Context, actor mianmi.Actor, id mianmi.RuleChangeID) (Change, error) {
	return s.decide(ctx, actor, id, func(d *decision, c *Change) error {
		if err := access.Allow(actor, access.RulesApprove, access.Target{}); err != nil {
			return err
		}
		d.end(c, Rejected, "rule.pack.rejected")
		return nil
	})
}

// TakeBack ends one's own proposal.
func (s *Service) TakeBack(ctx context.Context, actor mianmi.Actor, id mianmi.RuleChangeID) (Change, error) {
	return s.decide(ctx, actor, id, func(d *decision, c *Change) error {
		if !access.SamePerson(actor, c.ProposedBy) {
			return mianmi.Forbidden("not_allowed", "only who proposed it may take it back")
		}
		d.end(c, TakenBack, "rule.pack.taken_back")
		return nil
	})
}

func (s *Service) decide(ctx context.Context, actor mianmi.Actor, id mianmi.RuleChangeID, how func(*decision, *Change) error) (Change, error) {
	known, err := s.Change(ctx, actor, id)
	if err != nil {
		return Change{}, err
	}
	if err := known.open(s.now()); err != nil {
		return Change{}, err
	}
	var decided Change
	err = s.Records.ChangeRules(ctx, func(h Held) (Outcome, error) {
		d := s.begin(actor, h)
		for _, c := range h.Waiting {
			if c.ID != id {
				continue
			}
			if err := c.open(d.now); err != nil {
				return Outcome{}, err
			}
			d.fail(how(d, &c))
			decided = c
			return d.out, d.err
		}
		return Outcome{}, mianmi.Conflicts("approval_decided", "it was decided at this moment")
	})
	if err != nil {
		return Change{}, err
	}
	return decided, nil
}

// order is what a stored change asks for.
func (c *Change) order() (put []candidate, withdraw []string, err error) {
	var texts []Text
	for i := range c.Packs {
		if p := &c.Packs[i]; p.Withdraws {
			withdraw = append(withdraw, p.ID)
		} else {
			texts = append(texts, Text{Name: p.ID, YAML: p.YAML, Source: p.Source})
		}
	}
	put, err = readTexts(texts)
	return put, withdraw, err
}

// decision is one change of the packs in the making: it fills an Outcome.
// After an error it does nothing more.
type decision struct {
	s     *Service
	actor mianmi.Actor
	now   time.Time
	held  Held
	out   Outcome
	err   error
}

func (s *Service) begin(actor mianmi.Actor, h Held) *decision {
	return &decision{s: s, actor: actor, now: s.now(), held: h}
}

// order puts a tightening in force and makes a proposal of everything else.
func (d *decision) order(p *plan, note string) Change {
	c := d.change(p, note)
	if c.Tightening {
		d.apply(&c)
		return c
	}
	d.propose(&c)
	return c
}

func (d *decision) change(p *plan, note string) Change {
	id, err := mianmi.NewID("rc", d.now, d.s.Random)
	d.fail(err)
	c := Change{ID: mianmi.RuleChangeID(id), Packs: p.parts, Tightening: p.comparison.Tightening, BasedOn: SetDigest(d.held.Live), Note: note,
		State: Proposed, ProposedBy: d.actor.String(), ProposedAt: d.now, ExpiresAt: d.now.Add(ChangeLife)}
	for i := range c.Packs {
		c.Packs[i].Change = c.ID
	}
	return c
}

// propose makes a change wait for a second person.
func (d *decision) propose(c *Change) {
	waiting := 0
	for i := range d.held.Waiting {
		if d.held.Waiting[i].At(d.now) == Proposed {
			waiting++
		}
	}
	if waiting >= waitingMax {
		d.fail(mianmi.Conflicts("too_many_proposals", "too many proposals wait here: decide those first"))
	}
	d.out.Changes = append(d.out.Changes, *c)
	d.out.Packs = append(d.out.Packs, c.Packs...)
	d.record("rule.pack.proposed", c)
}

// apply brings a change into force. Every other proposal lapses: it was
// compared with packs that are not in force any more.
func (d *decision) apply(c *Change) {
	c.State, c.DecidedBy, c.DecidedAt = InForce, d.actor.String(), d.now
	d.out.Changes = append(d.out.Changes, *c)
	d.record("rule.pack.in_force", c)
	for i := range c.Packs {
		p := &c.Packs[i]
		p.From, p.FromEpoch = d.now, d.held.Epoch
		if was := d.live(p.ID); was != nil {
			over := *was
			over.Until, over.UntilEpoch, over.Withdrawn = d.now, d.held.Epoch, p.Withdraws
			d.out.Packs = append(d.out.Packs, over)
		}
		d.out.Packs = append(d.out.Packs, *p)
	}
	for _, w := range d.held.Waiting {
		if w.ID != c.ID {
			d.end(&w, Lapsed, "rule.pack.lapsed")
		}
	}
}

// end writes the end of a proposal that does not come into force.
func (d *decision) end(c *Change, state State, kind string) {
	c.State, c.DecidedBy, c.DecidedAt = state, d.actor.String(), d.now
	d.out.Changes = append(d.out.Changes, *c)
	d.record(kind, c)
}

func (d *decision) live(id string) *Pack {
	for i := range d.held.Live {
		if d.held.Live[i].ID == id {
			return &d.held.Live[i]
		}
	}
	return nil
}

// record notes what became of each pack of a change. One that goes has a name
// of its own when it is gone.
func (d *decision) record(kind string, c *Change) {
	for i := range c.Packs {
		f := fact{kind: kind, change: c, part: &c.Packs[i], before: d.live(c.Packs[i].ID)}
		if f.kind == "rule.pack.in_force" && f.part.Withdraws {
			f.kind = "rule.pack.withdrawn"
		}
		e, err := f.entry(d.actor, d.now, d.s.Random)
		d.fail(err)
		d.out.Entries = append(d.out.Entries, e)
	}
}

func (d *decision) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}
