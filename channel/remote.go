package channel

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
)

// Remote is a payment system that is asked over a network (ADR 14). All methods
// are safe for concurrent use, may be repeated, and return when ctx ends. They
// give no error: whatever went wrong leaves the standing Unclear.
type Remote interface {
	// Name is the channel's name in payments and policies.
	Name() string
	// Takes reports whether a payment code read at a till is one of this system's.
	Takes(code string) bool
	Pace() Pace
	// Terms says how a merchant takes payments here; false: not at all, and then
	// nothing may be asked in its name.
	Terms(m mianmi.MerchantID) (Terms, bool)
	// Charge takes an order by a payment code, without a way to have a password
	// asked for. A repeat with the same Order.Payment is never charged twice.
	Charge(ctx context.Context, o Order, code string) Answer
	// Prepay opens an order that the payer confirms in the system's own app, from
	// the QR code in Answer.QR.
	Prepay(ctx context.Context, o Order) Answer
	Query(ctx context.Context, r Ref) Answer
	// Undo calls an order off: a charge is reversed, a QR closed. It ends Unpaid or
	// GivenBack; Paid says that it came too late to close, and must be refunded. An
	// order that never arrived ends Unpaid too, and its number takes no money later:
	// a channel that does not promise so by itself is made to by using the number up.
	Undo(ctx context.Context, r Ref) Answer
	// Refund gives back a part or all of a paid order; a repeat with the same
	// Refund is given back once.
	Refund(ctx context.Context, r RefundOrder) RefundAnswer
	QueryRefund(ctx context.Context, r RefundOrder) RefundAnswer
}

// Way says how an order is paid. The numbers are stored: never renumber.
type Way uint8

const (
	ByCode Way = 1 // a code that the till read
	ByQR   Way = 2 // a QR code that the till shows
)

// Ref names an order at a channel.
type Ref struct {
	Payment  mianmi.PaymentID // the order's number at the channel
	Merchant mianmi.MerchantID
	Way      Way
	// Transaction is the channel's own number; empty until it has said one.
	Transaction string
}

// Order is what a channel is asked to take.
type Order struct {
	Ref
	Store     mianmi.StoreID
	Terminal  mianmi.TerminalID
	OrderNo   string // the merchant's, for its own books
	Amount    money.Amount
	About     string    // what the payer reads; at most 120 bytes
	ExpiresAt time.Time // when an unpaid order ends
}

// Standing is what a channel says of an order. The zero Standing says nothing.
// The numbers are stored: never renumber.
type Standing uint8

const (
	// Unclear: no answer, or one that proves nothing. The money may have moved.
	Unclear Standing = 0
	// Waiting: the payer has not finished: types a password, or has not scanned yet.
	Waiting Standing = 1
	// Paid: the money moved.
	Paid Standing = 2
	// Unpaid: no money moved and none will for this order.
	Unpaid Standing = 3
	// GivenBack: the money moved and came back whole.
	GivenBack Standing = 4
)

var standingNames = [...]string{"unclear", "waiting", "paid", "unpaid", "given_back"}

// String is the standing's name in records.
func (s Standing) String() string {
	if int(s) < len(standingNames) {
		return standingNames[s]
	}
	return standingNames[Unclear]
}

// ParseStanding is the inverse of String; an unknown name is Unclear and false.
func ParseStanding(name string) (Standing, bool) {
	for i, n := range standingNames {
		if n == name {
			return Standing(i), true //nolint:gosec // a table index
		}
	}
	return Unclear, false
}

// Answer is what a channel said, or that it said nothing: the zero Answer.
type Answer struct {
	Standing    Standing
	Transaction string
	// Payer is who paid, as the channel names them towards this merchant.
	Payer  string
	Amount money.Amount // that was paid; zero unless Paid. Whoever knows the order compares it
	PaidAt time.Time
	// Failure is why not: final with Unpaid, a hint with Unclear.
	Failure Failure
	QR      string // of Prepay: what the QR code holds
	// Fault is for the log: one line without secrets, codes or personal data.
	Fault string
}

// RefundOrder asks for money back.
type RefundOrder struct {
	Ref
	Refund mianmi.RefundID // the refund's number at the channel
	Amount money.Amount
	Total  money.Amount // of the payment
	Reason string       // at most 80 characters
}

// RefundAnswer is what a channel said of a refund: Waiting is under way, Paid
// given back, Unpaid not given back and never will be under this number.
type RefundAnswer struct {
	Standing    Standing
	Transaction string // the channel's number of the refund
	At          time.Time
	Failure     Failure
	Fault       string
}

// Namer is a channel that can say who shows a payment code before anything is
// charged. It is safe for concurrent use and returns when ctx ends.
type Namer interface {
	// PayerOf is the name that Answer.Payer has after the charge; false: the channel
	// did not say. fault is for the log, as in Answer.
	PayerOf(ctx context.Context, m mianmi.MerchantID, code string) (name string, known bool, fault string)
}

// Terms is how a merchant takes payments through a channel.
type Terms struct {
	// Names: the channel is a Namer and can be asked in the merchant's name.
	Names bool
	// OwnRules: for a payer whom we do not know, the channel's own rules suffice.
	// Without it such a payment is stepped up.
	OwnRules bool
}

// Pace is when a channel may be asked.
type Pace struct {
	Answer     time.Duration // how long Charge and Prepay may take
	First      time.Duration // from an unclear answer to the first query
	Every      time.Duration // between queries while the payer is busy
	GiveUp     time.Duration // from the charge: then it is undone
	UndoFrom   time.Duration // from the charge: not undone before
	UndoWithin time.Duration // from the charge: later a refund
	// Late are the times, from an end without payment, of further queries.
	Late []time.Duration
}
