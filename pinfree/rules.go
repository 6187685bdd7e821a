package pinfree

import "time"

// Subject names whose counters a payment moves.
type Subject struct {
	Instrument string // card token; empty for payment codes
	Funding    string // funding source ("balance", "card"); empty: balance
}

// Event is what happened to a payment, for the counters.
type Event struct {
	Kind    EventKind
	Method  Method
	Subject Subject
	Place   Place
	Card    Card
	Minor   int64
	Decided time.Time // when the payment was decided (a reversal gives back to that window)
	At      time.Time // now
}

// EventKind is what happened.
type EventKind uint8

const (
	ExecutedPinFree       EventKind = iota + 1 // approved without authentication
	ExecutedAuthenticated                      // approved after SCA, at a POS
	ReversedPinFree                            // an executed PIN-free payment was undone before settlement
	SCAOutOfBand                               // the payer authenticated elsewhere (issuer's app)
)

// Counters are a payer's stored counters, of all packs and the own day. They
// are kept as one short text in the payer's row; String and ParseCounters are
// inverse to each other.
type Counters struct{ entries []entry }

type entry struct {
	key   string // counter's id, with "@instrument" or "@funding" when it is not per payer
	since string // window: local date, or "" for counters that a reset empties
	count Count
}
