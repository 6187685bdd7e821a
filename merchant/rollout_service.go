package merchant

import (
	"context"
	"errors"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/rollout"
)

// Rollouts is what staged rollouts need of the store.
type Rollouts interface {
	Rollout(ctx context.Context, id mianmi.RolloutID) (Rollout, error)
	// RolloutList is newest first.
	RolloutList(ctx context.Context, q RolloutQuery) ([]Rollout, error)
	// RolloutFigures counts terminals and payments as they are now; For is left
	// to the caller.
	RolloutFigures(ctx context.Context, r Rollout) (rollout.Figures, error)
	// ClaimRollout takes a running rollout for this node and a time; false: it is
	// another node's, or not running. RestRollout gives it back after a rest.
	ClaimRollout(ctx context.Context, id mianmi.RolloutID, lease time.Duration) (bool, error)
	RestRollout(ctx context.Context, id mianmi.RolloutID, rest time.Duration) error
}

// RolloutQuery asks for a page of rollouts, newest first.
type RolloutQuery struct {
	Merchant mianmi.MerchantID // empty: everybody's
	Store    mianmi.StoreID
	Scope    Scope            // the zero Scope: any
	Open     bool             // only those that run or are paused
	Before   mianmi.RolloutID // the last one of the page before; empty: from the newest
	Limit    int
}

// RolledOut is a rollout and how far its stage is.
type RolledOut struct {
	Rollout
	Figures rollout.Figures // zero once it is over
}

// Rollout returns a rollout with its live count.
func (s *Service) Rollout(ctx context.Context, actor mianmi.Actor, id mianmi.RolloutID) (RolledOut, error) {
	r, err := s.seenRollout(ctx, actor, id)
	if err != nil {
		return RolledOut{}, err
	}
	f, err := s.figures(ctx, &r)
	return RolledOut{r, f}, err
}

func (s *Service) seenRollout(ctx context.Context, actor mianmi.Actor, id mianmi.RolloutID) (Rollout, error) {
	r, err := s.records.Rollout(ctx, id)
	if err == nil && !may(actor, actSee, r.Scope.Level, Place{Merchant: r.Merchant, Store: r.Store}) {
		err = mianmi.Missing("rollout")
	}
	return r, err
}

// figures counts what there is to be judged of an open rollout.
func (s *Service) figures(ctx context.Context, r *Rollout) (rollout.Figures, error) {
	if !r.State.Open() {
		return rollout.Figures{}, nil
	}
	f, err := s.records.RolloutFigures(ctx, *r)
	f.For = max(0, s.now().Sub(r.FromAt))
	return f, err
}

// Rollouts returns a page of rollouts, newest first, without counts: of a
// merchant or a store; of all, for mianmi's own people.
func (s *Service) Rollouts(ctx context.Context, actor mianmi.Actor, q RolloutQuery) ([]Rollout, error) {
	if actor.Merchant != "" && q.Merchant == "" {
		q.Merchant = actor.Merchant
	}
	if actor.Is(mianmi.RoleCashier, mianmi.RoleStoreManager) && q.Store == "" {
		q.Store = actor.Store
	}
	level, place := LevelEverything, Place{Merchant: q.Merchant, Store: q.Store}
	switch {
	case q.Store != "":
		p, err := s.records.ScopePlace(ctx, OfStore(q.Store))
		if err != nil {
			return nil, err
		}
		level, place, q.Merchant = LevelStore, p, p.Merchant
	case q.Merchant != "":
		level = LevelMerchant
	}
	if err := check(actor, actSee, level, place); err != nil {
		return nil, err
	}
	n, err := pageLimit(q.Limit)
	if err != nil {
		return nil, err
	}
	q.Limit = n
	return s.records.RolloutList(ctx, q)
}

// PauseRollout keeps a rollout where it is: nothing moves on, and what is
// reached stays. Whoever may tighten may pause.
func (s *Service) PauseRollout(ctx context.Context, actor mianmi.Actor, id mianmi.RolloutID) (Rollout, error) {
	return s.changeRollout(ctx, actor, id, func(d *decision, r *Rollout) {
		d.fail(d.check(actTighten))
		d.fail(r.Pause(rollout.Because{Reason: rollout.ByPerson}))
		d.putRollout(r, rollout.HasPaused, nil)
	})
}

// ResumeRollout lets a paused rollout go on; its stage is judged anew from now.
// Whoever may propose may resume: two persons have approved the plan. After a
// threshold's pause the record says which one.
func (s *Service) ResumeRollout(ctx context.Context, actor mianmi.Actor, id mianmi.RolloutID) (Rollout, error) {
	return s.changeRollout(ctx, actor, id, func(d *decision, r *Rollout) {
		d.fail(d.check(actPropose))
		why, err := r.Resume(d.now)
		d.fail(err)
		d.putRollout(r, rollout.HasResumed, &why)
	})
}

// AdvanceRollout begins the next stage without waiting for anything; after the
// last one the rollout is finished. Whoever may propose may advance. A paused
// one has to be resumed first.
func (s *Service) AdvanceRollout(ctx context.Context, actor mianmi.Actor, id mianmi.RolloutID) (Rollout, error) {
	return s.changeRollout(ctx, actor, id, func(d *decision, r *Rollout) {
		d.fail(d.check(actPropose))
		what, err := r.Advance(d.now)
		d.fail(err)
		d.putRollout(r, what, nil)
	})
}

// StopRollout brings the former terms back for everybody, at once: a tightening
// like any other. Whoever may tighten may stop.
func (s *Service) StopRollout(ctx context.Context, actor mianmi.Actor, id mianmi.RolloutID) (Rollout, error) {
	return s.changeRollout(ctx, actor, id, func(d *decision, r *Rollout) {
		d.fail(d.check(actTighten))
		d.putPolicy(Meet(r.Former.Terms, d.held.Policy.Terms), nil, policyTightened, Approval{})
		d.endRollout(r, rollout.Because{Reason: rollout.ByPerson})
	})
}

func (s *Service) changeRollout(ctx context.Context, actor mianmi.Actor, id mianmi.RolloutID, how func(*decision, *Rollout)) (Rollout, error) {
	known, err := s.seenRollout(ctx, actor, id)
	if err != nil {
		return Rollout{}, err
	}
	var after Rollout
	err = s.records.ChangeScope(ctx, known.Scope, func(h Held) (Outcome, error) {
		if h.Policy.Rollout == nil || h.Policy.Rollout.ID != id {
			return Outcome{}, mianmi.Conflicts("rollout_over", "the rollout is over: "+known.State.String())
		}
		after = *h.Policy.Rollout
		d := s.begin(actor, h)
		how(d, &after)
		return d.out, d.err
	})
	if err != nil {
		return Rollout{}, err
	}
	return after, nil
}

// rolloutLease is above what a look takes; a node that dies with it is followed
// by another after that.
const rolloutLease = time.Minute

// runner is who moves rollouts.
var runner = mianmi.System("rollouts")

// WatchRollouts judges the rollouts that run, and pauses, advances or finishes
// them. Several nodes may do it: each takes those that no other has, and leaves
// them for rest afterwards.
func (s *Service) WatchRollouts(ctx context.Context, rest time.Duration) error {
	return rollout.Each(func(before mianmi.RolloutID, limit int) ([]mianmi.RolloutID, error) {
		list, err := s.records.RolloutList(ctx, RolloutQuery{Open: true, Before: before, Limit: limit})
		ids := make([]mianmi.RolloutID, len(list))
		for i := range list {
			ids[i] = list[i].ID
		}
		return ids, err
	}, func(id mianmi.RolloutID) error { return s.lookAfter(ctx, id, rest) })
}

// lookAfter judges a rollout unless another node has it.
func (s *Service) lookAfter(ctx context.Context, id mianmi.RolloutID, rest time.Duration) error {
	mine, err := s.records.ClaimRollout(ctx, id, rolloutLease)
	if err != nil || !mine {
		return err
	}
	return errors.Join(s.watchRollout(ctx, id), s.records.RestRollout(ctx, id, rest))
}

func (s *Service) watchRollout(ctx context.Context, id mianmi.RolloutID) error {
	r, err := s.records.Rollout(ctx, id)
	if err != nil {
		return err
	}
	f, err := s.figures(ctx, &r)
	if err != nil {
		return err
	}
	j, moves := r.Judge(f)
	if !moves {
		return nil
	}
	_, err = s.changeRollout(ctx, runner, id, func(d *decision, now *Rollout) {
		what, err := now.Move(j, d.now)
		d.fail(err)
		d.putRollout(now, what, nil)
	})
	if rollout.Quicker(err) {
		return nil
	}
	return err
}
