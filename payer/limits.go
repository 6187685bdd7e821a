package payer

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/pinfree"
)

const (
	minutesOfDay = 24 * 60
	minorMax     = 1e12    // ten thousand million yuan: above it a typing error, and sums stay far from overflow
	countMax     = 100_000 // payments a day
)

// Limits are the payer's own, all of them: a nil limit is none.
type Limits struct {
	PerPayment *int64 // minor units
	DayAmount  *int64 // minor units
	DayCount   *int64
	QuietFrom  int // minute of the payer's day, 0 to 1439; equal to QuietTo: no quiet hours
	QuietTo    int // 0 to 1440; before QuietFrom: past midnight
}

func (l Limits) check() error {
	for _, f := range []struct {
		name string
		v    *int64
		max  int64
	}{{"per_payment", l.PerPayment, minorMax}, {"day_amount", l.DayAmount, minorMax}, {"day_count", l.DayCount, countMax}} {
		if f.v != nil && (*f.v < 0 || *f.v > f.max) {
			return mianmi.InvalidField(f.name, "want a number from 0, or none for no limit; this one is out of bounds")
		}
	}
	if l.QuietFrom < 0 || l.QuietFrom >= minutesOfDay {
		return mianmi.InvalidField("quiet_from", "want a minute of the day, 0 to 1439")
	}
	if l.QuietTo < 0 || l.QuietTo > minutesOfDay {
		return mianmi.InvalidField("quiet_to", "want a minute of the day, 0 to 1440")
	}
	return nil
}

// with returns the settings with these limits in place of theirs.
func (s Settings) with(l Limits) Settings {
	s.PerPayment, s.DayAmount, s.DayCount = clone(l.PerPayment), clone(l.DayAmount), clone(l.DayCount)
	s.QuietFrom, s.QuietTo = l.QuietFrom, l.QuietTo
	return s
}

func clone(n *int64) *int64 {
	if n == nil {
		return nil
	}
	v := *n
	return &v
}

// LimitsInput is a change of the own limits. Password and RiskVersion are
// needed when any limit loosens.
type LimitsInput struct {
	Limits      Limits
	Password    string
	RiskVersion string
}

// SetLimits replaces the own limits. What is tightened is in force at once;
// what is loosened waits for its cooling-off as a reopening does, and needs
// the password and the current risk text; without them it is Denied with the
// code "password_required". A mixed change does both, and until then the
// strictest of old and new holds.
func (s *Service) SetLimits(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, in LimitsInput) (Status, error) {
	if err := access.Allow(actor, access.PayerLoosen, target(id)); err != nil {
		return Status{}, err
	}
	if err := in.Limits.check(); err != nil {
		return Status{}, err
	}
	verified := in.Password != ""
	if verified {
		if err := accepts("risk_version", in.RiskVersion, s.cfg.Risk); err != nil {
			return Status{}, err
		}
		if err := s.Verify(ctx, id, in.Password); err != nil {
			return Status{}, err
		}
	}
	return s.change(ctx, id, func(c *Change, now time.Time) error {
		p := &c.Payer
		before, was := p.snapshot(), p.target()
		want := was.with(in.Limits)
		if equal(want, was) {
			return nil
		}
		detail := map[string]any{"loosened": looser(want, was)}
		switch {
		case !looser(want, was):
			p.narrow(want, now)
		case !verified:
			return &mianmi.Error{Kind: mianmi.Denied, Field: "password", Code: "password_required",
				Msg: "a higher limit or shorter quiet hours need the payment password and the risk text"}
		default:
			s.loosen(p, want, now)
		}
		return s.record(c, now, recordInput{Actor: actor, Type: "payer.limits.changed", Before: before, Detail: detail,
			Document: in.RiskVersion})
	})
}

// narrow takes a change that loosens nothing against what was agreed already:
// it is in force at once, and what still waits goes on waiting as long as before.
func (p *Payer) narrow(want Settings, now time.Time) {
	p.tighten(want, now)
	if p.Pending == nil {
		return
	}
	p.Pending = &Pending{Settings: want, At: p.Pending.At}
	if equal(p.Settings, want) {
		p.Pending = nil
	}
}

func equal(a, b Settings) bool { return a.Currency == b.Currency && !looser(a, b) && !looser(b, a) }

// looser reports whether a could let a payment pass PIN-free that b does not.
// Another currency is not comparable, so it counts as looser.
func looser(a, b Settings) bool {
	return (a.PinFree && !b.PinFree) || a.Currency != b.Currency ||
		above(a.PerPayment, b.PerPayment) || above(a.DayAmount, b.DayAmount) || above(a.DayCount, b.DayCount) ||
		!covers(a.quiet(), b.quiet())
}

// above reports whether limit a allows more than b; nil is no limit.
func above(a, b *int64) bool {
	if b == nil {
		return false
	}
	return a == nil || *a > *b
}

// strictest allows what both allow, and no more. Of two spans of quiet hours
// it takes the shortest single span around both.
func strictest(a, b Settings) Settings {
	s := a
	s.PinFree = a.PinFree && b.PinFree
	s.PerPayment, s.DayAmount, s.DayCount = lower(a.PerPayment, b.PerPayment), lower(a.DayAmount, b.DayAmount), lower(a.DayCount, b.DayCount)
	q := around(a.quiet(), b.quiet())
	s.QuietFrom, s.QuietTo = q.From, q.To
	return s
}

func lower(a, b *int64) *int64 {
	if above(a, b) {
		return clone(b)
	}
	return clone(a)
}

func (s Settings) quiet() pinfree.Quiet { return pinfree.Quiet{From: s.QuietFrom, To: s.QuietTo} }

// covers reports whether each minute of b is in a. It asks for every minute of
// the day: the plain way is right across midnight too.
func covers(a, b pinfree.Quiet) bool {
	for m := range minutesOfDay {
		if b.Contains(m) && !a.Contains(m) {
			return false
		}
	}
	return true
}

// around is the shortest span that covers both.
func around(a, b pinfree.Quiet) pinfree.Quiet {
	best := pinfree.Quiet{From: 0, To: minutesOfDay}
	for _, q := range []pinfree.Quiet{a, b, {From: a.From, To: b.To}, {From: b.From, To: a.To}} {
		if length(q) < length(best) && covers(q, a) && covers(q, b) {
			best = q
		}
	}
	return best
}

func length(q pinfree.Quiet) int {
	if q.From <= q.To {
		return q.To - q.From
	}
	return q.To - q.From + minutesOfDay
}
