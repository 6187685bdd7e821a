package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
)

// slot is one switch: of a person, of an agreement, a policy or the stops of a
// scope. It is thrown by one client alone.
type slot struct {
	kind Kind // the one that switches it off
	i    int
}

// on is the kind that switches it on again.
var on = map[Kind]Kind{PayerOff: PayerOn, AgreementOff: AgreementOn, PolicyOff: PolicyOn, StopPlaced: StopLifted}

// slots are all switches of a scene.
var slots = func() (list []slot) {
	for i := range peopleMax {
		list = append(list, slot{PayerOff, i}, slot{AgreementOff, i})
	}
	for i := range scopesMax {
		list = append(list, slot{PolicyOff, i}, slot{StopPlaced, i})
	}
	return list
}()

func (sl slot) act(k Kind) Act {
	if sl.kind == PayerOff || sl.kind == AgreementOff {
		return Act{Kind: k, Person: sl.i}
	}
	return Act{Kind: k, Scope: sl.i}
}

// concerns reports whether a payment can be concerned by the switch.
func (sl slot) concerns(pay Act) bool {
	switch sl.kind {
	case PayerOff, AgreementOff:
		return sl.i == pay.Person
	}
	return sl.i < fullOnly || !pay.Bare
}

// off is a span in which a switch was certainly off: from the answer to the
// first request that might end it.
type off struct {
	slot slot
	from time.Duration
	to   time.Duration // 0: it lasts
}

// throwing throws the switches of one client until the round is over. At most
// one of them is off at a time, so that many payments still pass PIN-free.
func (r *round) throwing(ctx context.Context, c int) {
	rnd := r.rand(payingClients + c)
	var mine []slot
	for i := c; i < len(slots); i += throwingClients {
		mine = append(mine, slots[i])
	}
	for i := 0; i < stepsMax && !r.over.Load() && ctx.Err() == nil && !r.verdict.failed(); i++ {
		sl, leave := mine[rnd.IntN(len(mine))], rnd.IntN(4) == 0
		if held := r.held(mine); held != nil {
			sl = *held
		} else {
			if !r.throw(ctx, rnd, payingClients+c, sl) {
				return
			}
			r.probe(ctx, rnd, payingClients+c, sl, fmt.Sprintf("r%dt%dn%d", r.rounds, c, i))
		}
		r.answered()
		if leave || !r.mayOpen(sl) {
			continue
		}
		if !r.open(ctx, rnd, payingClients+c, sl) {
			return
		}
		r.rest(ctx, rnd, payingClients+c, fmt.Sprintf("r%dt%dn%d", r.rounds, c, i))
	}
}

// rest pays for a while with all switches of this client on, so that others'
// payments pass PIN-free too.
func (r *round) rest(ctx context.Context, rnd *rand.Rand, c int, order string) {
	for i := range 5 + rnd.IntN(15) {
		if r.over.Load() || ctx.Err() != nil {
			return
		}
		r.buy(ctx, rnd, c, drawWish(rnd, fmt.Sprintf("%sr%d", order, i)))
		r.answered()
	}
}

// held is a switch that is off.
func (r *round) held(mine []slot) *slot {
	r.stage.mu.Lock()
	defer r.stage.mu.Unlock()
	for i := range mine {
		if r.state.isOff(mine[i]) {
			return &mine[i]
		}
	}
	return nil
}

// isOff says what is known of a switch.
func (s *switches) isOff(sl slot) bool {
	switch sl.kind {
	case PayerOff:
		return s.payerOff[sl.i]
	case AgreementOff:
		return s.agreementOff[sl.i]
	case PolicyOff:
		return s.policyOff[sl.i]
	}
	return s.stops[sl.i] > 0
}

// mayOpen keeps cooling-offs out of rounds in which a clock is wrong: they
// would outlast the round.
func (r *round) mayOpen(sl slot) bool { return sl.kind != PayerOff || r.plan.fault != Clock }

// probe pays where it is off: nothing may pass PIN-free, from the first
// request after the answer on.
func (r *round) probe(ctx context.Context, rnd *rand.Rand, c int, sl slot, order string) {
	for i := range 1 + rnd.IntN(3) {
		w := wish{order: fmt.Sprintf("%sp%d", order, i), person: rnd.IntN(peopleMax), method: "card_tap", minor: 1}
		if sl.kind == PayerOff || sl.kind == AgreementOff {
			w.person, w.bare = sl.i, rnd.IntN(2) == 0
		}
		r.buy(ctx, rnd, c, w)
	}
}

// throw switches something off.
func (r *round) throw(ctx context.Context, rnd *rand.Rand, c int, sl slot) bool {
	a := sl.act(sl.kind)
	var at asked
	var err error
	switch sl.kind {
	case PayerOff:
		who := []*caller{r.scene.people[sl.i].phone, r.scene.wallet}[rnd.IntN(2)]
		at, err = r.ask(ctx, rnd, ask{who: who, do: func(ctx context.Context, api *client.Client) error {
			st, err := api.ClosePinFree(ctx, r.scene.people[sl.i].id, nil)
			if err == nil && st.PinFree {
				r.verdict.broken(Off, "closing person %d is answered with %+v", sl.i, st)
			}
			return err
		}})
	case AgreementOff:
		p := r.scene.people[sl.i]
		at, err = r.ask(ctx, rnd, ask{who: p.phone, do: func(ctx context.Context, api *client.Client) error {
			_, err := api.CloseAgreement(ctx, client.Me, p.agreement)
			return err
		}})
	case PolicyOff:
		at, err = r.ask(ctx, rnd, ask{who: r.closer(rnd, sl.i), do: func(ctx context.Context, api *client.Client) error {
			_, err := api.CloseScope(ctx, r.scene.scopes[sl.i])
			return err
		}})
	case StopPlaced:
		at, err = r.place(ctx, rnd, sl.i, &a)
	}
	if err != nil {
		return r.failedTo(a, err)
	}
	r.tally.offs.Add(1)
	r.remember(c, a, false, at)
	r.stage.mu.Lock()
	r.offs = append(r.offs, off{slot: sl, from: at.end})
	r.stage.mu.Unlock()
	return true
}

// failedTo says what was answered; false ends the client.
func (r *round) failedTo(a Act, err error) bool {
	if !gaveUp(err) {
		r.verdict.broken(Answers, "%s is answered with %v", a, err)
	}
	return false
}

// closer is who closes a scope: the merchant's own software where it may.
func (r *round) closer(rnd *rand.Rand, scope int) *caller {
	own := scope == 2 || scope == 3 || scope == 5
	if own && rnd.IntN(2) == 0 {
		return r.scene.office
	}
	return r.scene.first
}

// stopFor outlasts every run of a round and every clock that is moved.
const stopFor = 24 * time.Hour

// place puts an emergency stop. An attempt that was not answered may have
// placed one more: the list of stops says so, which a second placing, on which
// later ones have to wait, has made complete.
func (r *round) place(ctx context.Context, rnd *rand.Rand, scope int, a *Act) (asked, error) {
	reason := fmt.Sprintf("torture %s %d-%d", r.scene.salt, r.rounds, rnd.Uint32())
	var placed []mianmi.StopID
	at, err := r.ask(ctx, rnd, ask{who: r.scene.first, patient: true, do: func(ctx context.Context, api *client.Client) error {
		st, err := api.PlaceStop(ctx, r.scene.scopes[scope], reason, stopFor)
		if err == nil {
			placed = append(placed, st.ID)
		}
		return err
	}})
	if err != nil {
		return at, err
	}
	if at.attempts > 1 {
		var list client.List[client.Stop]
		_, err := r.ask(ctx, rnd, ask{who: r.scene.first, do: func(ctx context.Context, api *client.Client) (err error) {
			list, err = api.Stops(ctx, r.scene.scopes[scope], true, client.Page{Limit: 200})
			return err
		}})
		if err != nil {
			return at, err
		}
		placed = nil
		for _, st := range list.Items {
			if st.Reason == reason {
				placed = append(placed, st.ID)
			}
		}
	}
	a.Stops = len(placed)
	r.verdict.check(Stands, len(placed) > 0, "the stop %q is acknowledged and not in the list", reason)
	r.stage.mu.Lock()
	for _, id := range placed {
		r.stops[id] = scope
	}
	r.stage.mu.Unlock()
	return at, nil
}

// opening marks that a switch may be on from now on.
func (s *stage) opening(sl slot) {
	now := time.Since(s.begun)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.offs) - 1; i >= 0; i-- {
		if s.offs[i].slot == sl && s.offs[i].to == 0 {
			s.offs[i].to = now
			return
		}
	}
}
