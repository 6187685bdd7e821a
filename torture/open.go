package torture

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
)

// open switches something on again. Who opens is patient: a request that was
// given up could otherwise come true after a later off.
func (r *round) open(ctx context.Context, rnd *rand.Rand, c int, sl slot) bool {
	r.opening(sl)
	a := sl.act(on[sl.kind])
	var at asked
	var err error
	switch sl.kind {
	case PayerOff:
		at, err = r.reopen(ctx, rnd, r.scene.people[sl.i])
	case AgreementOff:
		p := r.scene.people[sl.i]
		at, err = r.ask(ctx, rnd, ask{who: p.phone, payer: p.id, patient: true, do: func(ctx context.Context, api *client.Client) error {
			g, err := api.OpenAgreement(ctx, client.Me, r.scene.newAgreement())
			if err == nil {
				p.agreement = g.ID
			}
			return err
		}})
	case PolicyOff:
		at, err = r.openScope(ctx, rnd, r.scene.scopes[sl.i])
	case StopPlaced:
		return r.liftAll(ctx, rnd, c, sl.i)
	}
	if err != nil {
		return r.failedTo(a, err)
	}
	r.remember(c, a, false, at)
	return true
}

// reopen asks for it and waits until the cooling-off is over.
func (s *stage) reopen(ctx context.Context, rnd *rand.Rand, p *person) (asked, error) {
	at, err := s.ask(ctx, rnd, ask{who: p.phone, payer: p.id, patient: true, do: func(ctx context.Context, api *client.Client) error {
		_, err := api.ReopenPinFree(ctx, client.Me, paymentPassword, s.scene.texts.Risk.Version)
		return err
	}})
	for begun := time.Now(); err == nil; {
		var me client.Payer
		var seen asked
		seen, err = s.ask(ctx, rnd, ask{who: p.phone, do: func(ctx context.Context, api *client.Client) (err error) {
			me, err = api.Payer(ctx, client.Me)
			return err
		}})
		at.end = seen.end
		switch {
		case err != nil:
		case me.Status.State == "open":
			return at, nil
		case time.Since(begun) > comeBackMax:
			s.verdict.broken(Recovers, "person %d reopened and is %s after %v", p.n, me.Status.State, comeBackMax)
			err = errGaveUp
		case !pause(ctx, 100*time.Millisecond), s.verdict.failed():
			err = errGaveUp
		}
	}
	return at, err
}

// openScope lets one operator ask and the other agree. What another change
// came before is asked for anew.
func (s *stage) openScope(ctx context.Context, rnd *rand.Rand, scope client.Scope) (at asked, err error) {
	for range 5 {
		var res client.PolicyResult
		at, err = s.ask(ctx, rnd, ask{who: s.scene.first, patient: true, do: func(ctx context.Context, api *client.Client) (err error) {
			res, err = api.SetPolicy(ctx, scope, client.Terms{PinFree: true}, nil)
			return err
		}})
		if err != nil || res.Proposal == nil {
			return at, err
		}
		var done bool
		if at, done, err = s.approve(ctx, rnd, res.Proposal.ID); done || err != nil {
			return at, err
		}
	}
	return at, errors.New("every proposal lapsed")
}

// approve agrees to a proposal and says whether it is in force: an answer may
// have been lost, and then the second one is a conflict.
func (s *stage) approve(ctx context.Context, rnd *rand.Rand, id mianmi.ApprovalID) (at asked, done bool, err error) {
	at, err = s.ask(ctx, rnd, ask{who: s.scene.second, patient: true, do: func(ctx context.Context, api *client.Client) error {
		_, err := api.Approve(ctx, id)
		return err
	}})
	var p *client.Problem
	if err == nil || gaveUp(err) || !errors.As(err, &p) || p.Status != 409 {
		return at, err == nil, err
	}
	var now client.Approval
	seen, err := s.ask(ctx, rnd, ask{who: s.scene.second, do: func(ctx context.Context, api *client.Client) (err error) {
		now, err = api.Approval(ctx, id)
		return err
	}})
	at.end = seen.end
	return at, now.State == "approved", err
}

// liftAll lifts every stop of a scope, one after the other.
func (r *round) liftAll(ctx context.Context, rnd *rand.Rand, c, scope int) bool {
	r.stage.mu.Lock()
	var list []mianmi.StopID
	for id, of := range r.stops {
		if of == scope {
			list = append(list, id)
		}
	}
	r.stage.mu.Unlock()
	for _, id := range list {
		a := Act{Kind: StopLifted, Scope: scope, Stops: 1}
		at, err := r.lift(ctx, rnd, id)
		if err != nil {
			return r.failedTo(a, err)
		}
		r.remember(c, a, false, at)
		r.stage.mu.Lock()
		delete(r.stops, id)
		r.stage.mu.Unlock()
	}
	return true
}

func (s *stage) lift(ctx context.Context, rnd *rand.Rand, id mianmi.StopID) (at asked, err error) {
	for range 5 {
		var a client.Approval
		at, err = s.ask(ctx, rnd, ask{who: s.scene.first, patient: true, do: func(ctx context.Context, api *client.Client) (err error) {
			a, err = api.LiftStop(ctx, id)
			return err
		}})
		if err != nil {
			return at, err
		}
		var done bool
		if at, done, err = s.approve(ctx, rnd, a.ID); done || err != nil {
			return at, err
		}
	}
	return at, errors.New("every proposal lapsed")
}
