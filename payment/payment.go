// Package payment is the life of one payment: request, decision, step-up,
// capture, reversal, refund.
//
// Many payments share one transaction: Service keeps lanes, and callers that
// arrive while a lane's commit runs form its next batch. Every setting is read
// inside the transaction that decides; nothing is answered before it is
// durable. The decision itself is pinfree's, the money channel's, SQL store's.
package payment

import (
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
)

// State is where a payment stands. The numbers are stored: never renumber.
// The zero State is not a payment's.
type State uint8

const (
	StepUpRequired State = 2 // waits for the payer's password, PIN or confirmation
	Verifying      State = 3 // a channel over a network was asked, or the payer is busy there
	Approved       State = 4 // captured, or cash that was recorded
	Declined       State = 5 // the channel did not take it, or the step-up failed for good
	Expired        State = 6 // the step-up was not done in time
	Unknown        State = 7 // the channel gave no clear answer: it is asked again until there is one
	Undoing        State = 8 // called off or given up; ends by the channel's clear answer
	Refused        State = 9 // the decision was a refusal
	Reversed       State = 10
	Refunded       State = 11 // wholly
	PartlyRefunded State = 12
)

var stateNames = map[State]string{
	StepUpRequired: "step_up_required", Approved: "approved", Declined: "declined", Expired: "expired",
	Verifying: "verifying", Unknown: "unknown", Undoing: "undoing",
	Refused: "refused", Reversed: "reversed", Refunded: "refunded", PartlyRefunded: "partly_refunded",
}

// String is the state's name in the API.
func (s State) String() string { return stateNames[s] }

// ParseState is the inverse of String; an unknown name is 0 and false.
func ParseState(name string) (State, bool) {
	for s, n := range stateNames {
		if n == name {
			return s, true
		}
	}
	return 0, false
}

// Final reports whether only money given back can change the payment.
func (s State) Final() bool {
	return s != StepUpRequired && s != Verifying && s != Unknown && s != Undoing
}

// Payment is one payment as recorded.
type Payment struct {
	ID         mianmi.PaymentID
	Payer      mianmi.PayerID // empty for cash
	Merchant   mianmi.MerchantID
	Store      mianmi.StoreID
	Terminal   mianmi.TerminalID
	OrderNo    string // the merchant's
	Amount     money.Amount
	Method     pinfree.Method
	Entry      pinfree.Entry
	CVM        pinfree.CVM // performed in the end
	Instrument mianmi.InstrumentID
	Channel    string

	Outcome pinfree.Outcome // of the decision; meaningless for cash
	Reasons []pinfree.Why
	Rules   string // version of the rule set
	Epoch   int64  // of the settings that were read
	// PayerVersion is the version of the payer's settings that were read.
	PayerVersion int64

	State     State
	Failure   channel.Failure
	StepUp    pinfree.StepUpMethods // how the payer may authenticate
	Tries     int                   // failed step-up tries
	ExpiresAt time.Time             // of the step-up; zero otherwise
	Refunded  int64                 // minor units
	Actor     string
	CreatedAt time.Time
	StateAt   time.Time
	Version   int64 // raised by every change

	// QR and Transaction are the channel's, of a payment through one that is asked
	// over a network; only where one payment is asked for.
	QR          string
	Transaction string
}

// PinFree reports whether the payment was taken without authentication.
func (p *Payment) PinFree() bool {
	return p.Outcome == pinfree.PinFree && p.CVM == pinfree.NoCVM && p.Method != pinfree.Cash
}

// Unresolved reports whether the payment ended without anybody having said yes
// or no: nobody finished its step-up, or its state is one of a later version.
func (p *Payment) Unresolved() bool { return p.State == Expired || stateNames[p.State] == "" }

// Topic is what the outbox tells of the payment's present state.
func (p *Payment) Topic() Topic { return topicOf(p.State) }

// Refund is money given back for a payment.
type Refund struct {
	ID       mianmi.RefundID
	Payment  mianmi.PaymentID
	RefundNo string // the merchant's; unique within the payment
	Amount   money.Amount
	Reason   string
	Actor    string
	At       time.Time
	State    RefundState
	// Asked and Settled are the versions of the payment in which it began to be
	// pending and in which it was done or failed; 0: that has not been.
	Asked, Settled int64
}

// RefundState is where a refund stands. The numbers are stored: never renumber.
type RefundState uint8

const (
	RefundPending RefundState = 1 // the channel was asked
	RefundDone    RefundState = 2 // the wallet's always is
	RefundFailed  RefundState = 3 // the channel gave nothing back under this number, and never will
	RefundStalled RefundState = 4 // as pending, but the channel was silent for so long that it is asked again by hand alone
)

// Owed reports whether the money may still go back under this number.
func (s RefundState) Owed() bool { return s == RefundPending || s == RefundStalled }

// String is the state's name in the API.
func (s RefundState) String() string {
	switch s {
	case RefundDone:
		return "done"
	case RefundFailed:
		return "failed"
	case RefundStalled:
		return "stalled"
	}
	return "pending"
}

// Topic is what an outbox row tells. The numbers are stored.
type Topic uint8

const (
	TopicApproved Topic = 1 + iota
	TopicStepUp
	TopicRefused
	TopicDeclined
	TopicExpired
	TopicReversed
	TopicRefunded
	TopicToppedUp
	TopicVerifying
	TopicUnknown
	TopicUndoing
	TopicLate          // money came after the payment had ended without; it goes back by itself
	TopicRefundPending // the channel was asked
	TopicRefundFailed  // the channel gave nothing back, for good
	TopicKept          // money that was to go back has not: the channel refuses, or has not said so for a week
)

// topicOf is what a payment's new state tells.
func topicOf(s State) Topic {
	switch s {
	case Approved:
		return TopicApproved
	case StepUpRequired:
		return TopicStepUp
	case Refused:
		return TopicRefused
	case Declined:
		return TopicDeclined
	case Expired:
		return TopicExpired
	case Reversed:
		return TopicReversed
	case Verifying:
		return TopicVerifying
	case Unknown:
		return TopicUnknown
	case Undoing:
		return TopicUndoing
	}
	return TopicRefunded
}
