package payment

import (
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/payer"
)

// Task is what a channel is asked next. The numbers are stored: never renumber.
type Task uint8

const (
	Rest     Task = 0 // nothing
	Open     Task = 1 // ask for the QR code again; a code is charged once, by who read it
	Query    Task = 2
	Undo     Task = 3
	GiveBack Task = 4 // refund a payment that is to be undone and cannot be otherwise
	PayBack  Task = 5 // refund what a merchant asked for
)

// Call is how a channel that is asked over a network stands to a payment, or to
// one of its refunds: what is asked next, and when. The payment code is not in it.
type Call struct {
	Payment  mianmi.PaymentID
	Refund   mianmi.RefundID // empty: it is about the order
	Merchant mianmi.MerchantID
	Channel  string
	Way      channel.Way

	Task  Task
	Due   time.Time // zero: never
	Tries int       // answers in a row that settled nothing
	Asked bool      // of a refund: it was asked for before

	Began time.Time // when the order was decided
	Until time.Time // then an unpaid order is given up
	Busy  bool      // the channel said that the payer had not finished
	Taken bool      // the capture is in our books
	// Ending is how Undoing ends when nothing was paid.
	Ending State
	Ended  time.Time // without payment
	Late   int       // how many of the late queries are done

	// Counted says that a payer's counters hold the payment, and Allowance is the
	// one that it took: both are given back when nothing is paid in the end.
	Counted   bool
	Allowance *payer.Allowance

	Return      mianmi.RefundID // the number that GiveBack uses
	Refusals    int             // numbers under which the channel gave nothing back
	Transaction string          // the channel's number
	QR          string          // what the QR code holds
}

// ref names the order at the channel.
func (c *Call) ref() channel.Ref {
	return channel.Ref{Payment: c.Payment, Merchant: c.Merchant, Way: c.Way, Transaction: c.Transaction}
}

// Claim is which calls are to be claimed.
type Claim struct {
	Channel string
	Now     time.Time
	Until   time.Time // when others may have them
	Limit   int
}
