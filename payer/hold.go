package payer

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
)

// HoldLifeMax is how far ahead a hold may end. What lasts longer is the payer's
// own switch, or a loss report: a hold that everybody forgot is worse than one
// that is extended.
const HoldLifeMax = 30 * 24 * time.Hour

// holdLifeMin keeps out holds that end before anybody sees them.
const holdLifeMin = time.Minute

// Hold is a protective measure on one payer: until its end every payment asks
// for authentication, whatever the payer's own switch says. It changes nothing
// else, so that at its end all is as the payer had set it.
type Hold struct {
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until"`
	By      string    `json:"by"` // mianmi.Role.String() of who placed it; who it was stands in the record
	Because HoldCause `json:"because"`
	Rule    string    `json:"rule,omitempty"` // of the risk rule that placed it
}

// HoldCause says why there is a hold, in one word as it stands in the API.
type HoldCause string

// The causes. A closed list: a free text could name somebody.
const (
	HoldUnusual  HoldCause = "unusual"  // payments do not look like the payer's
	HoldReported HoldCause = "reported" // somebody said that a payment was not the payer's
	HoldCase     HoldCause = "case"     // somebody looks into a case
	HoldAsked    HoldCause = "asked"    // the payer asked for it
	HoldRestored HoldCause = "restored" // stood in a database that a backup took the place of
	HoldSignal   HoldCause = "signal"   // a rule froze it: a person has to look before it ends early
)

var holdCauses = map[HoldCause]mianmi.Text{
	HoldUnusual:  {ZH: "付款情况异常", EN: "payments looked unusual"},
	HoldReported: {ZH: "有付款被反映并非本人所为", EN: "a payment was reported as not the payer's"},
	HoldCase:     {ZH: "正在核查", EN: "a case is being looked into"},
	HoldAsked:    {ZH: "应付款人要求", EN: "the payer asked for it"},
	HoldRestored: {ZH: "系统从备份恢复", EN: "the system was restored from a backup"},
	HoldSignal:   {ZH: "风险信号触发冻结", EN: "a risk signal froze it"},
}

// Words says why, as a part of a sentence.
func (c HoldCause) Words() mianmi.Text { return holdCauses[c] }

// Answerable reports whether the payer may lift the hold with the payment
// password: a rule placed it, and the password is the answer that it asks for.
// What a person placed is lifted by a person.
func (h Hold) Answerable() bool {
	return h.By == mianmi.RoleSystem.String() && h.Because == HoldUnusual
}

// Held is the hold that is in force at now; nil: none.
func (p *Payer) Held(now time.Time) *Hold {
	if p.Hold == nil || !now.Before(p.Hold.Until) {
		return nil
	}
	return p.Hold
}

// HoldOrder asks for a hold.
type HoldOrder struct {
	Until   time.Time // a minute to HoldLifeMax from now
	Because HoldCause
	Basis   Basis // may be empty
	// Measure is what a risk rule's order follows from; nil: a person's. With it the
	// order is carried out once, however often it is given.
	Measure *mianmi.Measure
}

func (o HoldOrder) check(now time.Time) error {
	if left := o.Until.Sub(now); left < holdLifeMin || left > HoldLifeMax {
		return mianmi.InvalidField("until", "want a time from one minute to 30 days ahead")
	}
	if o.Because.Words() == (mianmi.Text{}) {
		return mianmi.InvalidField("because", "want unusual, reported, case, asked or restored")
	}
	return o.Basis.check(false)
}

// ruled makes sure that a measure is of the system alone.
func (o HoldOrder) ruled(actor mianmi.Actor) error {
	if o.Measure != nil && (!actor.Is(mianmi.RoleSystem) || o.Measure.ID == "" || o.Measure.Rule == "") {
		return mianmi.InvalidField("measure", "is what a rule's own order says")
	}
	return nil
}

// Hold makes every payment of the payer ask for authentication until its end,
// in one step. Once it has returned, no payment that is decided before that end
// passes PIN-free. The switch, what waits for its cooling-off, limits,
// agreements, codes and the one-off allowance stay as they are. A hold that
// stands is made longer and never shorter, and what a person placed stays
// theirs; an order that adds nothing changes nothing. The order of a measure that
// was taken before is a Conflict with the code "measure_taken".
func (s *Service) Hold(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, o HoldOrder) (Status, error) {
	if err := access.Allow(actor, access.PayerTighten, target(id)); err != nil {
		return Status{}, err
	}
	o.Until = o.Until.UTC().Truncate(time.Microsecond)
	if err := o.ruled(actor); err != nil {
		return Status{}, err
	}
	if err := o.check(s.now()); err != nil {
		return Status{}, err
	}
	return s.change(ctx, id, func(c *Change, now time.Time) error {
		p := &c.Payer
		h := Hold{Since: now, Until: o.Until, By: actor.Role.String(), Because: o.Because}
		if m := o.Measure; m != nil {
			h.Rule, c.Measure, c.MeasureAt = m.Rule, m.ID, now
		}
		wanted := p.Held(now).with(h)
		if p.Hold != nil && wanted == *p.Hold {
			return nil
		}
		before := p.snapshot()
		p.Hold = &wanted
		return s.record(c, now, recordInput{Actor: actor, Type: "payer.hold.placed", Before: before, Basis: o.Basis, Measure: o.Measure})
	})
}

// with is the hold that two make together; h may be nil. It ends with the later
// one, and is whose it was unless the other is longer, or harder to lift.
func (h *Hold) with(o Hold) Hold {
	if h == nil {
		return o
	}
	sum := *h
	if h.Answerable() && !o.Answerable() || h.Answerable() == o.Answerable() && o.Until.After(h.Until) {
		sum.By, sum.Because, sum.Rule = o.By, o.Because, o.Rule
	}
	if o.Until.After(h.Until) {
		sum.Until = o.Until
	}
	return sum
}

// HoldLifting says on what ground a hold ends early.
type HoldLifting struct {
	Basis    Basis  // of staff
	Password string // of the payer
}

// LiftHold ends a hold before its time. Support does it after a check of the
// payer's identity that the basis names; risk and the operator name a basis
// too, for which a risk case is enough. The payer may lift what a rule placed,
// with the payment password (see Hold.Answerable). Without a hold it changes
// nothing.
func (s *Service) LiftHold(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, in HoldLifting) (Status, error) {
	if err := access.Allow(actor, access.PayerLiftHold, target(id)); err != nil {
		return Status{}, err
	}
	if err := s.mayLift(ctx, actor, id, in); err != nil {
		return Status{}, err
	}
	return s.change(ctx, id, func(c *Change, now time.Time) error {
		p := &c.Payer
		h := p.Held(now)
		if h == nil {
			return nil
		}
		if actor.Role == mianmi.RolePayer && !h.Answerable() {
			return mianmi.Forbidden("not_allowed", "support can lift this hold, after a check of your identity")
		}
		before := p.snapshot()
		p.Hold = nil
		return s.record(c, now, recordInput{Actor: actor, Type: "payer.hold.lifted", Before: before, Basis: in.Basis})
	})
}

func (s *Service) mayLift(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, in HoldLifting) error {
	switch {
	case actor.Role == mianmi.RolePayer && in.Basis != (Basis{}):
		return mianmi.InvalidField("basis", "a payer lifts a hold with the payment password")
	case actor.Role == mianmi.RolePayer:
		return s.Verify(ctx, id, in.Password)
	case in.Password != "":
		return mianmi.InvalidField("password", "is the payer's, and never asked for by staff")
	case in.Basis == (Basis{}):
		return mianmi.InvalidField("basis", "is missing; name why")
	}
	return in.Basis.check(actor.Role == mianmi.RoleSupport)
}

func errHeld() error {
	return mianmi.Conflicts("held", "PIN-free payment is on hold: every payment asks for the password until it ends")
}
