package merchant

import (
	"context"
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/rollout"
)

// PolicyOrder asks for terms of a scope.
type PolicyOrder struct {
	Scope Scope
	Terms Terms
	// BasedOn is the version that whoever asks has seen; nil: whatever is in
	// force. A loosening based on another version is a Conflict. A tightening
	// never is: it must not have to wait for a second look.
	BasedOn *int64
	// Rollout is how a loosening comes to the scope's terminals; nil: to all at
	// once. What tightens does so for all, whatever the plan.
	Rollout *rollout.Plan
}

// Result is what became of an order.
type Result struct {
	Policy   Policy    // in force now
	Change   Change    // how the order compared with what was in force
	Proposal *Approval // the part that waits for a second person; nil: none
}

// SetPolicy changes what a scope allows. A tightening is in force when the
// call returns. A loosening becomes a proposal. Of a mixed order the tight
// part is in force at once and the whole order is proposed on top of it.
func (s *Service) SetPolicy(ctx context.Context, actor mianmi.Actor, o PolicyOrder) (Result, error) {
	return s.changePolicy(ctx, actor, o, func(Terms) Terms { return o.Terms })
}

// Close switches PIN-free off in the scope and keeps its other terms.
func (s *Service) Close(ctx context.Context, actor mianmi.Actor, scope Scope) (Result, error) {
	return s.changePolicy(ctx, actor, PolicyOrder{Scope: scope}, func(t Terms) Terms {
		t.PinFree = false
		return t
	})
}

// Policy returns the terms of a scope: the default ones, version 0, when
// nobody has set any.
func (s *Service) Policy(ctx context.Context, actor mianmi.Actor, scope Scope) (Policy, error) {
	if err := scope.Validate(); err != nil {
		return Policy{}, err
	}
	place, err := s.records.ScopePlace(ctx, scope)
	if err != nil {
		return Policy{}, err
	}
	if err := check(actor, actSee, scope.Level, place); err != nil {
		return Policy{}, err
	}
	return s.records.Policy(ctx, scope)
}

func (s *Service) changePolicy(ctx context.Context, actor mianmi.Actor, o PolicyOrder, terms func(Terms) Terms) (Result, error) {
	if err := o.Scope.Validate(); err != nil {
		return Result{}, err
	}
	if err := s.checkPlan(ctx, o); err != nil {
		return Result{}, err
	}
	var res Result
	err := s.records.ChangeScope(ctx, o.Scope, func(h Held) (Outcome, error) {
		d := s.begin(actor, h)
		after := terms(h.Policy.Terms)
		if err := d.mayOrder(o, after); err != nil {
			return Outcome{}, err
		}
		res = d.orderPolicy(after, o.Rollout)
		return d.out, d.err
	})
	if err != nil {
		return Result{}, err
	}
	return res, nil
}

// decision is one change of a scope in the making: it fills an Outcome. After
// an error it does nothing more.
type decision struct {
	s     *Service
	actor mianmi.Actor
	now   time.Time
	held  Held
	out   Outcome
	err   error
}

func (s *Service) begin(actor mianmi.Actor, h Held) *decision {
	d := &decision{s: s, actor: actor, now: s.now(), held: h}
	d.out.At = d.now
	return d
}

func (d *decision) check(do act) error {
	return check(d.actor, do, d.held.Scope.Level, d.held.Place)
}

// checkPlan refuses a plan that names what is not there, or not of the scope's
// merchant; one terminal has no stages.
func (s *Service) checkPlan(ctx context.Context, o PolicyOrder) error {
	if o.Rollout == nil {
		return nil
	}
	if o.Scope.Level == LevelTerminal {
		return mianmi.InvalidField("rollout", "one terminal has no stages")
	}
	if err := o.Rollout.Validate(); err != nil {
		return err
	}
	if o.Rollout.RefusedMax != 0 {
		return mianmi.InvalidField("rollout.refused_permille_max", "is of programs: terminals do not refuse a policy")
	}
	owner, err := s.records.ScopePlace(ctx, o.Scope)
	if err != nil {
		return err
	}
	for i := range o.Rollout.Stages {
		stage := &o.Rollout.Stages[i]
		var list []Scope
		for _, id := range stage.Terminals {
			list = append(list, OfTerminal(id))
		}
		for _, id := range stage.Stores {
			list = append(list, OfStore(id))
		}
		for _, id := range stage.Models {
			list = append(list, OfModel(id))
		}
		for _, named := range list {
			at, err := s.records.ScopePlace(ctx, named)
			if err != nil && mianmi.KindOf(err) != mianmi.NotFound {
				return err
			}
			if err != nil || owner.Merchant != "" && at.Merchant != "" && at.Merchant != owner.Merchant {
				return mianmi.InvalidField(fmt.Sprintf("rollout.stages[%d].%ss", i, named.Level), "there is none of these here: "+named.Subject)
			}
		}
	}
	return nil
}

func (d *decision) mayOrder(o PolicyOrder, after Terms) error {
	tighten, propose := d.check(actTighten), d.check(actPropose)
	if tighten != nil && propose != nil {
		return tighten
	}
	if err := after.validate(d.held.currency()); err != nil {
		return err
	}
	switch Compare(d.held.Policy.Terms, after) {
	case Same, Tightening:
		return tighten
	case Mixed:
		if tighten != nil {
			return tighten
		}
	}
	// What closes is not refused for what comes with it.
	if closes := d.held.Policy.Terms.PinFree && !after.PinFree; !closes {
		if err := d.rolloutRuns(); err != nil {
			return err
		}
	}
	if o.BasedOn != nil && *o.BasedOn != d.held.Policy.Version {
		return mianmi.Conflicts("policy_changed", "the policy has changed since: look again")
	}
	return propose
}

// Types of entries about a policy.
const policyTightened = "merchant.policy.tightened"

func (d *decision) orderPolicy(after Terms, plan *rollout.Plan) Result {
	res := Result{Policy: d.held.Policy, Change: Compare(d.held.Policy.Terms, after)}
	if res.Change == Tightening || res.Change == Mixed {
		res.Policy = d.tighten(Meet(d.held.Policy.Terms, after))
	}
	if res.Change == Loosening || res.Change == Mixed {
		a := d.propose(Proposal{Terms: &after, Rollout: plan}, res.Policy.Version)
		d.record("merchant.policy.loosening_proposed", scopeNote{Before: res.Policy.Terms, After: after, Version: res.Policy.Version, Approval: a.ID, Plan: plan})
		res.Proposal = &a
	}
	return res
}

// putPolicy brings terms into force, for all or by a rollout; proposals based
// on the former ones lapse.
func (d *decision) putPolicy(t Terms, by *Rollout, fact string, a Approval) Policy {
	before := d.held.Policy
	p := Policy{Scope: before.Scope, Terms: t, Version: before.Version + 1, Since: d.now, Actor: d.actor.String(), Rollout: by}
	d.out.Policy = &p
	if c := Compare(before.Terms, t); c == Tightening || c == Mixed {
		d.out.Tightening = true
	}
	n := scopeNote{Before: before.Terms, After: t, Version: p.Version, Approval: a.ID, ProposedBy: a.ProposedBy}
	if by != nil {
		n.Rollout = &rolloutNote{by.ID, by.Kind, by.Plan, by.Former}
	}
	d.record(fact, n)
	d.lapse(a.ID, func(w Proposal) bool { return w.Terms != nil })
	return p
}

// propose makes a proposal that waits for a second person.
func (d *decision) propose(p Proposal, basedOn int64) Approval {
	waiting := 0
	for _, w := range d.held.Waiting {
		if w.At(d.now) == Waiting {
			waiting++
		}
	}
	if waiting >= waitingMax {
		d.fail(mianmi.Conflicts("too_many_proposals", "too many proposals wait here: decide those first"))
	}
	id, err := mianmi.NewID("ap", d.now, d.s.random)
	d.fail(err)
	a := Approval{ID: mianmi.ApprovalID(id), Scope: d.held.Scope, Merchant: d.held.Place.Merchant, Proposal: p, BasedOn: basedOn,
		ProposedBy: d.actor.String(), ProposedAt: d.now, ExpiresAt: d.now.Add(ApprovalLife), State: Waiting}
	d.out.Approvals = append(d.out.Approvals, a)
	return a
}

// lapse ends every other proposal of the kind: what it was based on changed.
func (d *decision) lapse(except mianmi.ApprovalID, kind func(Proposal) bool) {
	for _, w := range d.held.Waiting {
		if w.ID == except || !kind(w.Proposal) {
			continue
		}
		w.State, w.DecidedBy, w.DecidedAt = Lapsed, d.actor.String(), d.now
		d.out.Approvals = append(d.out.Approvals, w)
		d.record("merchant.approval.lapsed", scopeNote{Approval: w.ID, ProposedBy: w.ProposedBy})
	}
}

func (d *decision) record(fact string, n scopeNote) {
	n.Scope = d.held.Scope.String()
	e, err := d.s.entry(d.actor, d.now, note{Type: fact, Subject: d.held.Scope.evidenceSubject(), Body: n})
	d.fail(err)
	d.out.Entries = append(d.out.Entries, e)
}

func (d *decision) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}
