package merchant

import (
	"time"

	"github.com/mianmi/mianmi"
)

// StopLifeMax is how long an emergency stop may last. Longer is a policy: a
// stop that everybody forgot is worse than one that is placed again.
const StopLifeMax = 30 * 24 * time.Hour

// StopVersion is the version of a stop in decisions: its terms never change.
const StopVersion = 1

// Stop is an emergency stop: no PIN-free payment in its scope while it lives.
type Stop struct {
	ID       mianmi.StopID
	Scope    Scope
	Reason   string
	PlacedBy string // mianmi.Actor.String()
	PlacedAt time.Time
	Until    time.Time
	LiftedBy string // empty: not lifted
	LiftedAt time.Time
}

// Live reports whether the stop is in force at now.
func (s Stop) Live(now time.Time) bool { return s.LiftedAt.IsZero() && now.Before(s.Until) }

// StopOrder asks for a stop.
type StopOrder struct {
	Scope  Scope
	Reason string        // for the record, shown to staff
	For    time.Duration // a minute to StopLifeMax
	// Measure is what a risk rule's order follows from; nil: a person's. With it the
	// order is carried out once, however often it is given.
	Measure *mianmi.Measure
}

// stopLifeMin keeps out stops that end before anybody sees them.
const stopLifeMin = time.Minute

// Validate returns an Invalid error that names the first field at fault.
func (o StopOrder) Validate() error {
	if err := o.Scope.Validate(); err != nil {
		return err
	}
	if err := checkText("reason", o.Reason, 1, reasonMax); err != nil {
		return err
	}
	if o.For < stopLifeMin || o.For > StopLifeMax {
		return mianmi.InvalidField("for", "want one minute to 30 days")
	}
	return nil
}
