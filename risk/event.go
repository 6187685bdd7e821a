// Package risk finds what looks wrong in what has happened: it reads the
// transparency log, keeps windows of events, and asks rules that are data
// (docs/adr/0022).
//
// It decides no payment. What a live rule does about a finding (Measure) is a
// tightening like any other, that payer and merchant make: a hold, an emergency
// stop. Who is told is notice's business.
package risk

import (
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
)

// Kind is what an event is about. The names stand in rules: they never change.
type Kind string

// The kinds of events.
const (
	PinFree       Kind = "pin_free"      // decided so, whatever the channel said then
	SteppedUp     Kind = "step_up"       // the payer was to authenticate
	Refused       Kind = "refused"       // not in this way
	Authenticated Kind = "authenticated" // the payer had authenticated unasked
	CashTaken     Kind = "cash"

	Verified  Kind = "verified"  // a step-up that was done
	Cancelled Kind = "cancelled" // called off
	Expired   Kind = "expired"   // a step-up that nobody did
	Reversed  Kind = "reversed"
	Refunded  Kind = "refunded"
	TryFailed Kind = "try_failed" // a wrong password or PIN at a payment

	PasswordFailed  Kind = "password_failed" // anywhere, at payments too
	PasswordLocked  Kind = "password_locked"
	PasswordReset   Kind = "password_reset" // or changed
	PayerClosed     Kind = "payer_closed"   // no PIN-free payment any more: switched off, or a loss reported
	PayerOpened     Kind = "payer_opened"   // switched on, at once or after a cooling-off that begins
	PayerLoosened   Kind = "payer_loosened" // own limits raised, or asked to be
	AgreementOpened Kind = "agreement_opened"
	AgreementClosed Kind = "agreement_closed"

	PostureSafe   Kind = "posture_safe" // a terminal passes the policy's checks again
	PostureUnsafe Kind = "posture_unsafe"
	ProofGiven    Kind = "proof_given" // a terminal has proved a setting
	ProofLost     Kind = "proof_lost"  // and has it no more: lost, drifted, key taken back
	Trouble       Kind = "trouble"     // reported at the terminal by a person
)

// kinds are all of them.
var kinds = map[Kind]bool{PinFree: true, SteppedUp: true, Refused: true, Authenticated: true, CashTaken: true, Verified: true, Cancelled: true, Expired: true,
	Reversed: true, Refunded: true, TryFailed: true, PasswordFailed: true, PasswordLocked: true, PasswordReset: true, PayerClosed: true, PayerOpened: true,
	PayerLoosened: true, AgreementOpened: true, AgreementClosed: true, PostureSafe: true, PostureUnsafe: true, ProofGiven: true, ProofLost: true, Trouble: true}

// Event is one thing that happened, flat: what is not known of it is zero.
type Event struct {
	Kind  Kind
	At    time.Time
	Entry mianmi.EntryID // that tells it
	Leaf  int64          // its place in the log

	Payment    mianmi.PaymentID
	Payer      mianmi.PayerID
	Instrument mianmi.InstrumentID
	Merchant   mianmi.MerchantID
	Store      mianmi.StoreID
	Terminal   mianmi.TerminalID
	Actor      string // mianmi.Actor.String() of who did it: a cashier, a till's key
	Amount     money.Amount

	Method, Typed, State string   // of payments, by their names in the API; Typed is how a code was read
	Reasons              []string // of the decision, by their names, the binding one first
	// Limit is the tightest that a PIN-free payment stayed within, in minor units;
	// Left how far below it. Without such a limit both are 0.
	Limit, Left int64
	// Version is that of the payer's settings: read by a decision, left by a change.
	Version int64
	Tries   int64                 // wrong ones in a row
	Where   *merchant.Coordinates // of the store; nil: not known
}
