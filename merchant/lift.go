package merchant

import (
	"context"
	"slices"
	"time"

	"github.com/mianmi/mianmi"
)

// liveMax bounds the stops that are live in one scope: decisions read them all.
const liveMax = 16

// Place puts an emergency stop on a scope. It is in force when the call returns.
func (s *Service) Place(ctx context.Context, actor mianmi.Actor, o StopOrder) (Stop, error) {
	if err := o.Validate(); err != nil {
		return Stop{}, err
	}
	if o.Measure != nil && (!actor.Is(mianmi.RoleSystem) || o.Measure.ID == "" || o.Measure.Rule == "") {
		return Stop{}, mianmi.InvalidField("measure", "is what a rule's own order says")
	}
	var stop Stop
	err := s.records.ChangeScope(ctx, o.Scope, func(h Held) (Outcome, error) {
		d := s.begin(actor, h)
		if err := d.check(actTighten); err != nil {
			return Outcome{}, err
		}
		if live(h.Stops, d.now) >= liveMax {
			return Outcome{}, mianmi.Conflicts("too_many_stops", "this is stopped many times over already")
		}
		id, err := mianmi.NewID("es", d.now, s.random)
		d.fail(err)
		stop = Stop{ID: mianmi.StopID(id), Scope: o.Scope, Reason: o.Reason, PlacedBy: actor.String(),
			PlacedAt: d.now, Until: d.now.Add(o.For).Truncate(time.Microsecond)}
		d.out.Stop, d.out.Tightening = &stop, true
		n := noteOf(stop)
		if n.Measure = o.Measure; n.Measure != nil {
			d.out.Measure = n.Measure.ID
		}
		d.record("merchant.stop.placed", n)
		return d.out, d.err
	})
	if err != nil {
		return Stop{}, err
	}
	return stop, nil
}

// Lift proposes the early end of a stop; a second person has to approve it. A
// stop that mianmi's own people placed is lifted by them alone. A stop that
// is over by itself or lifted is a Conflict.
func (s *Service) Lift(ctx context.Context, actor mianmi.Actor, id mianmi.StopID) (Approval, error) {
	known, err := s.records.Stop(ctx, id)
	if err != nil {
		return Approval{}, err
	}
	var a Approval
	err = s.records.ChangeScope(ctx, known.Scope, func(h Held) (Outcome, error) {
		d := s.begin(actor, h)
		if err := d.check(actPropose); err != nil {
			return Outcome{}, err
		}
		stop, err := d.liftable(id)
		if err != nil {
			return Outcome{}, err
		}
		a = d.propose(Proposal{Lift: id}, StopVersion)
		n := noteOf(stop)
		n.Approval = a.ID
		d.record("merchant.stop.lift_proposed", n)
		return d.out, d.err
	})
	if err != nil {
		return Approval{}, err
	}
	return a, nil
}

// Stops returns a page of stops of a scope; of all scopes, for mianmi's own
// people, when q.Scope is zero.
func (s *Service) Stops(ctx context.Context, actor mianmi.Actor, q StopQuery) ([]Stop, error) {
	level, place := LevelEverything, Place{}
	if q.Scope != (Scope{}) {
		if err := q.Scope.Validate(); err != nil {
			return nil, err
		}
		p, err := s.records.ScopePlace(ctx, q.Scope)
		if err != nil {
			return nil, err
		}
		level, place = q.Scope.Level, p
	}
	if err := check(actor, actSee, level, place); err != nil {
		return nil, err
	}
	n, err := pageLimit(q.Limit)
	if err != nil {
		return nil, err
	}
	q.Limit = n
	return s.records.Stops(ctx, q)
}

// liftable finds a live stop that the actor's side may lift.
func (d *decision) liftable(id mianmi.StopID) (Stop, error) {
	i := slices.IndexFunc(d.held.Stops, func(s Stop) bool { return s.ID == id })
	if i < 0 || !d.held.Stops[i].Live(d.now) {
		return Stop{}, mianmi.Conflicts("stop_over", "the stop is over already")
	}
	stop := d.held.Stops[i]
	if ownPeople(mianmi.ParseRole(mianmi.RecordedRole(stop.PlacedBy))) && !ownPeople(d.actor.Role) {
		return Stop{}, mianmi.Forbidden("not_allowed", "only who runs this system may lift this stop")
	}
	return stop, nil
}

func (d *decision) approveLift(a Approval) {
	stop, err := d.liftable(a.Proposal.Lift)
	if err != nil {
		d.fail(err)
		return
	}
	stop.LiftedBy, stop.LiftedAt = d.actor.String(), d.now
	d.out.Stop = &stop
	n := noteOf(stop)
	n.Approval, n.ProposedBy = a.ID, a.ProposedBy
	d.record("merchant.stop.lifted", n)
	d.lapse(a.ID, func(p Proposal) bool { return p.Lift == stop.ID })
}

func live(stops []Stop, now time.Time) (n int) {
	for _, s := range stops {
		if s.Live(now) {
			n++
		}
	}
	return n
}
