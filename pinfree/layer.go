package pinfree

import "github.com/mianmi/mianmi/money"

// LayerKind says who has a say. The numbers are in the evidence: never
// renumber.
type LayerKind uint8

const (
	LayerNone       LayerKind = 0
	LayerRegulation LayerKind = 1 // rule pack of a regulator
	LayerScheme     LayerKind = 2 // rule pack of a scheme
	LayerChannel    LayerKind = 3
	LayerIssuer     LayerKind = 4
	LayerPayer      LayerKind = 5 // switch, own limits, quiet hours, loss report
	LayerAgreement  LayerKind = 6 // payer × merchant
	LayerStop       LayerKind = 7 // emergency stop
	LayerMerchant   LayerKind = 8
	LayerStore      LayerKind = 9
	LayerModel      LayerKind = 10
	LayerTerminal   LayerKind = 11
	LayerPosture    LayerKind = 12 // firmware, network, attestation, lease
	LayerRisk       LayerKind = 13
)

// State is a layer's word on PIN-free. The zero State is unknown, which means
// step-up, never PIN-free.
type State uint8

const (
	Unknown State = iota
	On
	Off
)

// Layer is one who has a say. The zero Layer allows nothing.
type Layer struct {
	Kind    LayerKind
	ID      string // whose setting; empty for the payer's own
	Version int64
	State   State
	// Because explains an Off or Unknown state more closely than the layer's
	// kind does (frozen by a loss report, cooling-off, no attestation …).
	Because Reason
	// Rule is which of several conditions Because is about ("posture/tls"), and At
	// the instant that it speaks of, in Unix seconds; empty and 0 for none.
	Rule string
	At   int64
	// Refuse makes an Off state a refusal in place of a step-up (a method that
	// the terminal may not take at all).
	Refuse bool
	Limits Limits
}

// Op compares an amount or number with a bound. The zero Op allows nothing.
type Op uint8

const (
	OpNothing   Op = iota // allows nothing
	OpAtMost              // <=
	OpBelow               // <
	OpUnbounded           // allows everything
)

// Bound is a limit with its operator. The zero Bound allows nothing.
type Bound struct {
	Op Op
	N  int64 // minor units or payments
}

// AtMost is the bound x <= n.
func AtMost(n int64) Bound { return Bound{OpAtMost, n} }

// Below is the bound x < n.
func Below(n int64) Bound { return Bound{OpBelow, n} }

// Unbounded allows everything.
func Unbounded() Bound { return Bound{Op: OpUnbounded} }

// Allows reports whether x is inside the bound.
func (b Bound) Allows(x int64) bool {
	switch b.Op {
	case OpAtMost:
		return x <= b.N
	case OpBelow:
		return x < b.N
	case OpUnbounded:
		return true
	}
	return false
}

// Quiet is a daily span in which PIN-free is off, in minutes of the payer's
// local day; it may cross midnight. The zero Quiet is never.
type Quiet struct{ From, To int }

// Contains reports whether the minute is inside; From == To is an empty span.
func (q Quiet) Contains(minute int) bool {
	if q.From <= q.To {
		return q.From <= minute && minute < q.To
	}
	return minute >= q.From || minute < q.To
}

// Limits are bounds on PIN-free payments. The zero Limits allows nothing.
type Limits struct {
	Currency   money.Currency // of amounts; a payment in another currency is not comparable and steps up
	PerPayment Bound          // this payment's amount
	DayAmount  Bound          // PIN-free amount of the payer's day, this payment included
	DayCount   Bound          // PIN-free payments of the payer's day, this one included
	Quiet      Quiet
}

// NoLimits allows everything: for layers that only switch.
func NoLimits() Limits {
	return Limits{PerPayment: Unbounded(), DayAmount: Unbounded(), DayCount: Unbounded()}
}
