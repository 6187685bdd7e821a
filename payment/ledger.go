package payment

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/settings"
	"github.com/mianmi/mianmi/terminal"
)

// Ledger runs authorizations. Begin opens a transaction, locks the payers
// that the asks lead to, claims the order numbers, and reads what decisions
// need, all of one instant. The Batch must be ended by Commit or Rollback.
type Ledger interface {
	Begin(ctx context.Context, asks []Ask) (Batch, error)
	// OneBucket reports whether all asks of a batch must be of one bucket.
	OneBucket() bool
	// Peek reads the same without locks or claims, for a dry run.
	Peek(ctx context.Context, ask Ask) (Facts, *settings.Snapshot, error)
}

// Batch is an open transaction with what it read.
type Batch interface {
	// Facts has one element for each ask. Payers that occur twice share one Account.
	Facts() []Facts
	Settings() *settings.Snapshot
	// Commit writes, with the entry of what was decided, and returns when it is
	// durable. A Conflict error says that another transaction came between and
	// the batch is to be run again.
	Commit(ctx context.Context, w []Write, decided evidence.Bundle) error
	Rollback()
}

// Ask says what one payment needs to have read. Exactly one of Code,
// Instrument and Payer is set, or none for cash.
type Ask struct {
	Key, Digest Hash16 // of the order
	Payment     mianmi.PaymentID
	Bucket      mianmi.Bucket // of the payer
	Code        []byte        // keyed digest of the payment code
	Instrument  mianmi.InstrumentID
	Payer       mianmi.PayerID
	Merchant    mianmi.MerchantID
	Terminal    mianmi.TerminalID // whose proof is to be read
}

// Facts is what was read for an ask.
type Facts struct {
	// Prior is the payment that claimed the order number before, PriorDigest
	// the digest of its request; nil and zero when the number was free. Of a
	// number that was ended there is the digest of the end alone.
	Prior       *Payment
	PriorDigest Hash16
	// Payment is set when the same request has claimed the number before and
	// has no payment yet: this is the identifier to complete it under.
	Payment mianmi.PaymentID

	Account    *Account // nil: the ask leads to no payer
	Code       *Code    // of an ask by code
	Instrument *payer.Instrument
	Agreement  *payer.Agreement // of this payer with this merchant; nil: none
	// Proven is what the terminal has proved, of one that has to; nil: nothing.
	Proven *terminal.Proven
	// recorded is what a record says of it, when a decision is made again.
	recorded []pinfree.Layer
}

// Account is a payer as a batch sees it. Decisions of the batch change it one
// after the other; Commit writes what is left.
type Account struct {
	payer.Payer
	// Unreadable says that the counters or a setting could not be read: step-up.
	Unreadable bool
	Dirty      bool // Balance, Counters or Allowance changed
}

// Code is a payment code as a batch sees it; shared by asks with the same code.
type Code struct {
	ExpiresAt time.Time
	Used      bool
}

// Write is what one ask leads to. The zero Write gives the order number back
// and writes nothing: for a request that was an error.
type Write struct {
	Payment *Payment
	Posting *channel.Posting
	UseCode bool
	Call    *Call // of a channel that is asked over a network
}

// Books is the rest of what the service needs of the store.
type Books interface {
	// Change locks the payment and its payer, calls fn, and writes what it
	// left. When fn fails nothing is written. NotFound when there is no such payment.
	Change(ctx context.Context, id mianmi.PaymentID, fn func(*Change) error) error
	Payment(ctx context.Context, id mianmi.PaymentID) (*Payment, error)
	PaymentByOrder(ctx context.Context, key Hash16) (*Payment, error)
	// OrderClaim says who holds an order number; NotFound: nobody. EndOrder takes
	// it by the digest of an end when nobody has it, and says who holds it then.
	OrderClaim(ctx context.Context, key Hash16) (OrderClaim, error)
	EndOrder(ctx context.Context, key, digest Hash16) (OrderClaim, error)
	Payments(ctx context.Context, p mianmi.PayerID, before mianmi.PaymentID, limit int) ([]Payment, error)
	// FindPayments searches, newest first.
	FindPayments(ctx context.Context, f Find) ([]Payment, error)
	// OpenStepUps lists the payer's payments that wait for a step-up, newest first.
	OpenStepUps(ctx context.Context, p mianmi.PayerID, now time.Time, limit int) ([]Payment, error)
	// Overdue lists payments whose step-up ended before now.
	Overdue(ctx context.Context, now time.Time, limit int) ([]mianmi.PaymentID, error)
	Refunds(ctx context.Context, id mianmi.PaymentID) ([]Refund, error)
	// ClaimCalls takes calls that are due, the longest due first, and puts each off,
	// so that no other process has them meanwhile.
	ClaimCalls(ctx context.Context, of Claim) ([]Call, error)
	// Call is how a channel stands to a payment; NotFound when none was asked.
	Call(ctx context.Context, id mianmi.PaymentID) (Call, error)
	// NamedPayers are those whom a channel's name leads to, by its digest; no more
	// than two are told. LearnName notes whom it leads to, in the place of the payer's
	// name of before; of a payer who is erased it notes nothing.
	NamedPayers(ctx context.Context, digest []byte) ([]mianmi.PayerID, error)
	LearnName(ctx context.Context, n NameDigest) error
	// PaymentEntries says where the log tells of a payment.
	PaymentEntries(ctx context.Context, id mianmi.PaymentID) (Entries, error)
	// TopUp locks the payer and calls fn once for a new key, with settings as
	// new as the lock. For a key that was used it returns the first answer and
	// does not call fn.
	TopUp(ctx context.Context, t TopUp, fn func(*Account, *settings.Snapshot) (TopUpWrite, error)) (TopUp, error)
	AddQR(ctx context.Context, q QR) error
	QR(ctx context.Context, digest []byte) (*QR, error)
	SetQRPayment(ctx context.Context, digest []byte, id mianmi.PaymentID) error
	Settings(ctx context.Context) (*settings.Snapshot, error)
	// Prune removes what is of no use any more: codes, sessions, QR orders and
	// answers past their time. It returns how many rows went.
	Prune(ctx context.Context, now time.Time, limit int) (int, error)
}

// Entries are where the log tells of a payment.
type Entries struct {
	Decided mianmi.EntryID   // of the batch that decided it
	Index   int64            // which of the batch's records is the payment's
	Later   []mianmi.EntryID // what became of it, oldest first
}

// Change is a payment under change, with its payer's account (nil for cash).
type Change struct {
	Payment    *Payment
	Account    *Account
	Instrument *payer.Instrument // nil: none
	// Settings are as new as the payer's lock, when there is a payer: counters
	// are moved by the rules that are in force.
	Settings *settings.Snapshot
	Refunds  []Refund // those that exist; of a changed one its State is written
	Refund   *Refund  // one to add
	// Compensation is what cases of the support desk gave for the payment, or give;
	// of one that can be given back.
	Compensation []Compensation
	// Calls are those of a payment through a channel outside: its order, and its
	// refunds that were asked for. What is changed or added here is written.
	Calls    []Call
	Postings []channel.Posting
	Topic    Topic
	Entry    evidence.Entry // of the change
}

// Compensation is a payout of a case for a payment.
type Compensation struct {
	Number string // of the refund that it is, or is to be
	Amount money.Amount
	Due    bool // a refund under this number is awaited
	Apart  bool // it was paid without a refund, and leaves that much less to give back
}

// TopUp is money that a payer's balance got from outside, once for each key.
type TopUp struct {
	ID      string // "tu…"
	Payer   mianmi.PayerID
	Key     string
	Amount  money.Amount
	Balance money.Amount // after it; filled by the first answer only
	Actor   string
	At      time.Time
}

// TopUpWrite is what a new top-up leads to.
type TopUpWrite struct {
	Posting channel.Posting
	Entry   evidence.Entry
}

// QR is an order that a terminal shows as a dynamic QR. Only a digest of the
// token in the QR is kept.
type QR struct {
	Digest    []byte
	Merchant  mianmi.MerchantID
	Store     mianmi.StoreID
	Terminal  mianmi.TerminalID
	OrderNo   string
	Amount    money.Amount
	Actor     string
	CreatedAt time.Time
	ExpiresAt time.Time
	Payment   mianmi.PaymentID // empty until it is paid
}
