package merchant

import (
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
)

// Terms are what a policy says. The zero Terms is off.
type Terms struct {
	PinFree    bool             `json:"pin_free"`
	PerPayment *money.Amount    `json:"per_payment,omitempty"` // nil: no maximum of this level
	Methods    *pinfree.Methods `json:"methods,omitempty"`     // accepted methods by bit; nil: all
}

// Policy is the terms of a scope that are in force.
type Policy struct {
	Scope   Scope
	Terms   Terms
	Version int64     // 0: nobody has set one yet, these are the default terms
	Since   time.Time // when the terms came into force
	Actor   string    // mianmi.Actor.String() of who brought them into force
	// Rollout is, while the terms come to terminals in stages, how far they are;
	// nil: they hold for all.
	Rollout *Rollout
}

// DefaultTerms are the terms of a scope for which nobody has set a policy: a
// merchant has PIN-free off (opening it is the first loosening, ADR 4), every
// other level says nothing and leaves it to the others.
func DefaultTerms(l Level) Terms { return Terms{PinFree: l != LevelMerchant && l != LevelNone} }

// Equal reports whether both say the same.
func (t Terms) Equal(o Terms) bool {
	return t.PinFree == o.PinFree && same(t.PerPayment, o.PerPayment) && same(t.Methods, o.Methods)
}

func same[T comparable](a, b *T) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// Change says how two terms compare.
type Change uint8

const (
	Same       Change = iota
	Tightening        // no payment passes that did not pass before
	Loosening         // something passes that did not pass before, nothing is forbidden anew
	Mixed             // both
)

// Compare says what a change from before to after does. Each part counts by
// itself: a higher maximum is a loosening although PIN-free is off, for it
// would come into force unseen with the next opening. Maxima in unlike
// currencies do not compare, so going from one to the other is a loosening.
func Compare(before, after Terms) Change {
	tight := Meet(before, after)
	switch {
	case before.Equal(after):
		return Same
	case tight.Equal(after):
		return Tightening
	case tight.Equal(before):
		return Loosening
	}
	return Mixed
}

// Meet is the strictest of both in every part: what one person may bring into
// force at once when the change asked for is mixed. For maxima in unlike
// currencies it is that of before.
func Meet(before, after Terms) Terms {
	return Terms{
		PinFree:    before.PinFree && after.PinFree,
		PerPayment: meetMax(before.PerPayment, after.PerPayment),
		Methods:    meetMethods(before.Methods, after.Methods),
	}
}

func meetMax(before, after *money.Amount) *money.Amount {
	switch {
	case before == nil:
		return after
	case after == nil, after.Currency() != before.Currency(), after.Minor() >= before.Minor():
		return before
	}
	return after
}

func meetMethods(before, after *pinfree.Methods) *pinfree.Methods {
	switch {
	case before == nil:
		return after
	case after == nil:
		return before
	}
	both := *before & *after
	return &both
}

// validate checks the terms of a scope. currency is that of the scope's
// merchant; empty where a scope spans merchants, and then a maximum holds for
// payments in its own currency, while others ask for a PIN.
func (t Terms) validate(currency money.Currency) error {
	if p := t.PerPayment; p != nil {
		if !p.Positive() {
			return mianmi.InvalidField("per_payment", "want more than nothing, in a currency; to allow nothing switch PIN-free off")
		}
		if currency != "" && p.Currency() != currency {
			return mianmi.InvalidField("per_payment.currency", "want the merchant's currency, "+string(currency))
		}
	}
	if t.Methods != nil && *t.Methods&^knownMethods() != 0 {
		return mianmi.InvalidField("methods", "holds a method that does not exist")
	}
	return nil
}

// methodBits is the width of a pinfree.Methods.
const methodBits = 16

func knownMethods() (all pinfree.Methods) {
	for m := pinfree.MethodUnknown + 1; m < methodBits; m++ {
		if m.String() != "" {
			all = all.Set(m)
		}
	}
	return all
}
