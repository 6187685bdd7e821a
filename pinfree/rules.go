package pinfree

import (
	"time"

	"github.com/mianmi/mianmi/money"
)

// Subject names whose counters a payment moves.
type Subject struct {
	Instrument string // card token; empty for payment codes
	Funding    string // funding source ("balance", "card"); empty: balance
	Account    string // account behind the card; empty with a card: unknown, without: the payer's wallet
}

// Event is what happened to a payment, for the counters.
type Event struct {
	Kind    EventKind
	Method  Method
	Entry   Entry
	Subject Subject
	Place   Place
	Card    Card
	Facts   *Facts
	Minor   int64 // minor units, of Currency
	// Currency of Minor. Left out, the payment counts in every pack that it
	// could belong to: too high rather than too low.
	Currency money.Currency
	Decided  time.Time // when the payment was decided (a reversal gives back to that window); zero: At
	At       time.Time // now
}

// EventKind is what happened.
type EventKind uint8

const (
	ExecutedPinFree       EventKind = iota + 1 // approved without authentication
	ExecutedAuthenticated                      // approved after SCA, at a POS
	ReversedPinFree                            // an executed PIN-free payment was undone before settlement
	SCAOutOfBand                               // the payer authenticated elsewhere (issuer's app)
	ExecutedRemote                             // approved after SCA, remotely: resets sca_any, not sca_non_remote
	ReversedAuthenticated                      // an authenticated payment was undone before settlement
	ToppedUpAuthenticated                      // money was added online, with authentication
)
