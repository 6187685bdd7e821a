package torture

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/store/storetest"
)

// check compares what the service says with the journal of the round.
func (r *round) check(ctx context.Context) error {
	for _, n := range r.nodes {
		if err := n.log.takePanics(); err != nil {
			r.verdict.broken(Answers, "node %d: %v", n.n, err)
		}
	}
	r.checkOffs()
	if err := r.checkHistory(); err != nil {
		return err
	}
	if r.verdict.failed() {
		return nil
	}
	if err := r.checkPayments(ctx); err != nil {
		return err
	}
	if err := r.checkBalances(ctx); err != nil {
		return err
	}
	if err := r.checkSwitches(ctx); err != nil {
		return err
	}
	r.stage.paid = append(r.stage.paid, r.paid...)
	// Looking at all rows takes longer with each round: now and then is enough.
	if bits.OnesCount(uint(r.rounds)) == 1 || r.rounds%100 == 0 { //nolint:gosec // positive
		if err := errors.Join(r.checkInside(ctx), r.checkLog(ctx)); err != nil {
			return err
		}
	}
	if r.plan.fault == Clock {
		return r.freshPeople(ctx)
	}
	return nil
}

// checkOffs is P1: no payment passed PIN-free that began and ended while a
// switch that concerns it was certainly off.
func (r *round) checkOffs() {
	for _, p := range r.free {
		for _, o := range r.offs {
			if o.slot.concerns(p.act) && p.call >= o.from && (o.to == 0 || p.end <= o.to) {
				r.verdict.broken(Off, "%s passed PIN-free from %v to %v, and %s was acknowledged as off at %v", p.act, p.call, p.end, o.slot.act(o.slot.kind), o.from)
			}
		}
	}
	r.verdict.ok(Off, len(r.free))
	var last []off
	for _, o := range r.offs {
		if o.to == 0 {
			last = append(last, o)
		}
	}
	r.offs = last
}

// checkHistory looks for one order of the round's payments and changes.
func (r *round) checkHistory() error {
	if !r.plan.fault.exact() || r.verdict.failed() {
		return nil
	}
	result, draw := r.history.check()
	if result == porcupine.Ok {
		r.verdict.ok(Linear, 1)
		return nil
	}
	file := filepath.Join(r.cfg.Dir, fmt.Sprintf("history-%d", r.rounds))
	err := errors.Join(os.WriteFile(file+".txt", []byte(r.history.text()), 0o600), draw(file+".html"))
	r.verdict.broken(Linear, "no order of %d steps explains what was answered (%s; %s): see %s.txt and, drawn, %s.html", len(r.history.ops), result, r.history.counted(), file, file)
	return err
}

// checkPayments asks for every payment of the round by its order number.
func (r *round) checkPayments(ctx context.Context) error {
	rnd := r.rand(1 << 14)
	for _, p := range r.paid {
		var got client.Payment
		_, err := r.ask(ctx, rnd, ask{who: r.scene.pos, do: func(ctx context.Context, api *client.Client) (err error) {
			got, err = api.PaymentByOrder(ctx, r.scene.merchant, p.order)
			return err
		}})
		if gaveUp(err) {
			return err
		}
		if p.id == "" {
			r.verdict.check(Once, client.Code(err) == "not_found", "%s was refused as a request and is %s %s, %v", p.order, got.ID, got.State, err)
			continue
		}
		var refunded int64
		if got.Refunded != nil {
			refunded = got.Refunded.Minor()
		}
		good := err == nil && got.ID == p.id && got.Amount == yuan(p.minor) && p.may(got.State) && refunded == p.refunded && (got.Outcome == "pin_free") == p.pinFree
		r.verdict.check(Once, good, "%s was acknowledged as %s %s over %d with %d refunded, and is %s %s %v with %d refunded, %v",
			p.order, p.id, p.state, p.minor, p.refunded, got.ID, got.State, got.Amount, refunded, err)
	}
	return nil
}

// may says whether a payment may be in a state now: what waited may have run
// out of time, or have ended with a password that was locked.
func (p *paid) may(state string) bool {
	if p.state == "step_up_required" || p.state == "expired" {
		return state == "step_up_required" || state == "expired" || state == "declined"
	}
	return state == p.state
}

// checkBalances compares what everybody has with the journal.
func (r *round) checkBalances(ctx context.Context) error {
	rnd := r.rand(1<<14 + 1)
	for _, p := range r.scene.people {
		var got client.Payer
		_, err := r.ask(ctx, rnd, ask{who: r.scene.wallet, do: func(ctx context.Context, api *client.Client) (err error) {
			got, err = api.Payer(ctx, p.id)
			return err
		}})
		if gaveUp(err) {
			return err
		}
		r.verdict.check(Balances, err == nil && got.Balance == yuan(p.has()), "person %d should have %d and has %v, %v", p.n, p.has(), got.Balance, err)
	}
	return nil
}

// checkSwitches reads every switch back.
func (r *round) checkSwitches(ctx context.Context) error {
	seen, err := r.readSwitches(ctx)
	if err != nil {
		return err
	}
	for _, sl := range slots {
		person := sl.kind == PayerOff || sl.kind == AgreementOff
		if person && r.plan.fault == Clock {
			continue // they are replaced
		}
		was, is := r.state.isOff(sl), seen.isOff(sl)
		// An off that was given up, and asked for again elsewhere, may have come
		// true after a later on: that is on the safe side.
		if safe := is && !was && !r.plan.fault.exact(); safe {
			r.state = r.state.after(sl.act(sl.kind))
			continue
		}
		r.verdict.check(Stands, was == is, "%s: off was acknowledged: %v; it is off: %v", sl.act(sl.kind), was, is)
	}
	return nil
}

func (r *round) readSwitches(ctx context.Context) (seen switches, err error) {
	rnd := r.rand(1<<14 + 2)
	read := func(who *caller, do func(context.Context, *client.Client) error) {
		if err == nil {
			_, err = r.ask(ctx, rnd, ask{who: who, do: do})
		}
	}
	for i, scope := range r.scene.scopes {
		read(r.scene.first, func(ctx context.Context, api *client.Client) error {
			p, err := api.Policy(ctx, scope)
			seen.policyOff[i] = !p.Terms.PinFree
			return err
		})
	}
	for i, p := range r.scene.people {
		read(p.phone, func(ctx context.Context, api *client.Client) error {
			me, err := api.Payer(ctx, client.Me)
			seen.payerOff[i] = me.Status.State != "open"
			return err
		})
		read(p.phone, func(ctx context.Context, api *client.Client) error {
			list, err := api.Agreements(ctx, client.Me)
			seen.agreementOff[i] = true
			for _, g := range list {
				if g.Merchant == r.scene.merchant && g.Open {
					seen.agreementOff[i] = false
				}
			}
			return err
		})
	}
	for i, scope := range r.scene.scopes {
		read(r.scene.first, func(ctx context.Context, api *client.Client) error {
			list, err := api.Stops(ctx, scope, true, client.Page{Limit: 200})
			seen.stops[i] = len(list.Items)
			return err
		})
	}
	if err != nil && !gaveUp(err) {
		r.verdict.broken(Answers, "reading the switches back: %v", err)
		err = nil
	}
	return seen, err
}

// freshPeople puts new people into the places of those who met a wrong clock:
// what they may do next depends on it.
func (r *round) freshPeople(ctx context.Context) error {
	api, _ := r.nodes[0].now()
	for i := range r.scene.people {
		if err := r.scene.replace(ctx, api, i); err != nil {
			return fmt.Errorf("replace person %d: %w", i, err)
		}
		r.state.payerOff[i], r.state.agreementOff[i] = false, false
	}
	var left []off
	for _, o := range r.offs {
		if o.slot.kind != PayerOff && o.slot.kind != AgreementOff {
			left = append(left, o)
		}
	}
	r.offs = left
	return nil
}

// insideMax bounds one look at all rows of a database.
const insideMax = 10 * time.Minute

// checkInside looks at the rows themselves, past the service.
func (s *stage) checkInside(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, insideMax)
	defer cancel()
	db, err := s.target.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	books, err := db.CheckBooks(ctx)
	if err != nil {
		return err
	}
	s.verdict.check(Books, books.OK(), "the books do not agree: %+v", books)
	rows, err := s.target.rows()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	return s.checkInvariants(ctx, rows)
}

func (s *stage) checkInvariants(ctx context.Context, rows *sql.DB) error {
	for _, c := range storetest.Invariants {
		n, err := count(ctx, rows, c.Query)
		if err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		p := Books
		if c.Name == "an order number was paid twice" {
			p = Orders
		}
		s.verdict.check(p, n == 0, "%s: %d rows", c.Name, n)
	}
	return nil
}

// checkAll looks at every payment of the run once more, at its end.
func (s *stage) checkAll(ctx context.Context) (err error) {
	db, err := s.target.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for _, p := range s.paid {
		if p.id == "" {
			continue
		}
		got, err := db.Payment(ctx, p.id)
		if err != nil {
			s.verdict.broken(Once, "%s was acknowledged as %s: %v", p.order, p.id, err)
			continue
		}
		s.verdict.check(Once, got.OrderNo == p.order && got.Amount == yuan(p.minor) && p.may(got.State.String()) && got.Refunded == p.refunded,
			"%s was acknowledged as %s %s and is %s %s at the end", p.order, p.id, p.state, got.OrderNo, got.State)
	}
	return s.checkInside(ctx)
}
