package compare

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
)

// Payment is one line of a log: a payment as it was, or an authentication apart
// from payments.
type Payment struct {
	ID    string    // as the log calls it, for examples
	At    time.Time // when it was decided
	Payer string    // whose counters it moves
	// Event is SCAOutOfBand or ToppedUpAuthenticated for a line that is no
	// payment. Then Subject and At are all that counts.
	Event pinfree.EventKind

	Amount  money.Amount
	Method  pinfree.Method
	Entry   pinfree.Entry
	CVM     pinfree.CVM // performed before anybody asked
	Card    pinfree.Card
	Place   pinfree.Place
	Facts   *pinfree.Facts
	Subject pinfree.Subject
	// Layers are those who have a say besides the packs, as they were. Payer,
	// merchant and terminal are taken to have PIN-free open when they are not there.
	Layers []pinfree.Layer
	Can    pinfree.StepUpMethods

	Result Result
	// ReversedAt is when an executed payment was undone; zero: it was not.
	ReversedAt time.Time
}

// Result is what became of a payment in reality. The zero Result is not known
// and counts as Executed: too high rather than too low.
type Result uint8

const (
	ResultUnknown Result = iota
	Executed
	// Declined: by the channel (no money, say); no rule would have changed that.
	Declined
	// Stopped: the rules of the time refused it, or asked for an authentication
	// that did not come. Rules that ask for nothing would have let it happen.
	Stopped
)

// ErrEnough ends a replay early, when the time for it is over: the report tells
// of the payments up to there and is marked as cut.
var ErrEnough = errors.New("enough")

// Options bound a replay. Zero values mean the defaults.
type Options struct {
	Examples int // of each kind of difference, default 5
	Payers   int // at most so many payers are followed, default 500,000: some 500 MB
}

const (
	examplesDefault = 5
	payersDefault   = 500_000
	// reversalsMax bounds the reversals of one payer that wait for their time. A
	// payment beyond it stays counted, which allows less, not more.
	reversalsMax = 32
)

// Replay decides every payment of a log by a and by b, each with counters of
// its own for each payer, and tells what differs. next returns the payments in
// order of time, and io.EOF or ErrEnough at their end; any other error ends the
// replay. A nil rule set has no packs.
//
// The counters of each side follow what would have happened under its rules:
//   - PIN-free: executed, unless the channel declined it in reality. A payment
//     that was stopped in reality is taken as executed.
//   - Step-up: executed and authenticated if it was executed in reality, for the
//     payer is taken to do what he is asked; else not executed.
//   - Refused: not executed.
func Replay(a, b *pinfree.RuleSet, next func() (Payment, error), o Options) (Report, error) {
	if o.Examples <= 0 {
		o.Examples = examplesDefault
	}
	if o.Payers <= 0 {
		o.Payers = payersDefault
	}
	r := replay{a: side{rules: a}, b: side{rules: b}, options: o, payers: map[string]*follower{},
		cells: map[outcomes]*cell{}}
	for {
		p, err := next()
		switch {
		case errors.Is(err, io.EOF):
			return r.report(), nil
		case errors.Is(err, ErrEnough):
			r.cut = true
			return r.report(), nil
		case err != nil:
			return r.report(), err
		}
		if err := r.one(&p); err != nil {
			return r.report(), err
		}
	}
}

// replay is one replay under way.
type replay struct {
	a, b    side
	options Options
	payers  map[string]*follower
	cells   map[outcomes]*cell

	payments, events int64
	from, to         time.Time
	cut              bool
}

// side is one rule set with room for the values of its counters.
type side struct {
	rules  *pinfree.RuleSet
	counts []pinfree.Count
}

// follower is what is kept of a payer between payments.
type follower struct {
	a, b    pinfree.Counters
	last    time.Time
	waiting []reversal // by time
}

// reversal gives an executed payment back, when its time has come.
type reversal struct {
	at   time.Time
	a, b pinfree.Event // Kind 0: it had not happened on that side
}

func (r *replay) one(p *Payment) error {
	f := r.payers[p.Payer]
	if f == nil {
		if len(r.payers) == r.options.Payers {
			return mianmi.InvalidField("payers", fmt.Sprintf("more than %d payers; replay a part of the log", r.options.Payers))
		}
		f = &follower{last: p.At}
		r.payers[p.Payer] = f
	}
	// Clocks of several nodes differ: time never runs back for a payer.
	if p.At.Before(f.last) {
		p.At = f.last
	}
	f.last = p.At
	f.reverse(r, p.At)
	if p.Event != 0 {
		r.events++
		ev := p.event(p.Event)
		f.a, f.b = r.a.rules.Record(f.a, ev), r.b.rules.Record(f.b, ev)
		return nil
	}
	layers := p.layers()
	da, db := r.a.decide(p, f.a, layers), r.b.decide(p, f.b, layers)
	if err := r.count(p, da, db); err != nil {
		return err
	}
	back := reversal{at: p.ReversedAt}
	f.a, back.a = r.a.settle(p, f.a, da)
	f.b, back.b = r.b.settle(p, f.b, db)
	if !p.ReversedAt.IsZero() && len(f.waiting) < reversalsMax {
		f.waiting = append(f.waiting, back)
		slices.SortStableFunc(f.waiting, func(x, y reversal) int { return x.at.Compare(y.at) })
	}
	return nil
}

// reverse gives back what was undone up to an instant.
func (f *follower) reverse(r *replay, at time.Time) {
	for len(f.waiting) > 0 && !f.waiting[0].at.After(at) {
		w := f.waiting[0]
		f.waiting = f.waiting[1:]
		if w.a.Kind != 0 {
			f.a = r.a.rules.Record(f.a, w.a)
		}
		if w.b.Kind != 0 {
			f.b = r.b.rules.Record(f.b, w.b)
		}
	}
}

// layers are those who must be there, with what the log says of them.
func (p *Payment) layers() []pinfree.Layer {
	out := slices.Clone(p.Layers)
	for _, k := range [...]pinfree.LayerKind{pinfree.LayerPayer, pinfree.LayerMerchant, pinfree.LayerTerminal} {
		if !slices.ContainsFunc(out, func(l pinfree.Layer) bool { return l.Kind == k }) {
			out = append(out, pinfree.Layer{Kind: k, State: pinfree.On, Limits: pinfree.NoLimits()})
		}
	}
	return out
}

func (s *side) decide(p *Payment, stored pinfree.Counters, layers []pinfree.Layer) pinfree.Decision {
	s.counts = s.rules.Roll(s.counts, stored, p.Subject, p.At)
	return pinfree.Decide(pinfree.Input{Amount: p.Amount, Method: p.Method, Entry: p.Entry, CVM: p.CVM, Card: p.Card, Place: p.Place,
		Facts: p.Facts, At: p.At, Minute: s.rules.LocalMinute(p.At), Layers: layers, Rules: s.rules, Counts: s.counts,
		Own: s.rules.Own(stored, p.At), Can: p.Can})
}

// settle records what would have happened under this side's decision. back is
// the event that would undo it; its Kind is 0 when nothing happened.
func (s *side) settle(p *Payment, stored pinfree.Counters, d pinfree.Decision) (after pinfree.Counters, back pinfree.Event) {
	var kind, undone pinfree.EventKind
	switch d.Outcome {
	case pinfree.PinFree:
		kind, undone = pinfree.ExecutedPinFree, pinfree.ReversedPinFree
	case pinfree.Authenticated:
		kind, undone = p.authenticated(), pinfree.ReversedAuthenticated
	case pinfree.StepUp:
		if p.Result == Stopped {
			return stored, back
		}
		kind, undone = p.authenticated(), pinfree.ReversedAuthenticated
	case pinfree.Refused:
		return stored, back
	}
	if p.Result == Declined {
		return stored, back
	}
	after = s.rules.Record(stored, p.event(kind))
	back = p.event(undone)
	back.At = p.ReversedAt
	return after, back
}

// authenticated is the event of a payment that was made with authentication.
func (p *Payment) authenticated() pinfree.EventKind {
	switch p.Method {
	case pinfree.Remote, pinfree.MandateDebit, pinfree.DeviceWallet:
		return pinfree.ExecutedRemote
	}
	return pinfree.ExecutedAuthenticated
}

func (p *Payment) event(kind pinfree.EventKind) pinfree.Event {
	return pinfree.Event{Kind: kind, Method: p.Method, Entry: p.Entry, Subject: p.Subject, Place: p.Place, Card: p.Card, Facts: p.Facts,
		Minor: p.Amount.Minor(), Currency: p.Amount.Currency(), Decided: p.At, At: p.At}
}
