package desk

import (
	"context"
	"slices"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payment"
)

// Source is who bears a payout. The numbers are stored.
type Source uint8

// The sources. The zero Source is none.
const (
	NoSource      Source = iota
	FromMerchant         // the payment is refunded, as the merchant itself would
	FromPlatform         // it is refunded, and the guarantee account makes the merchant whole
	FromGuarantee        // the guarantee account pays the payer's balance
)

var sourceNames = []string{"", "merchant", "platform", "guarantee"}

// String is the source's name in the API.
func (s Source) String() string { return sourceNames[min(int(s), len(sourceNames)-1)] }

// ParseSource is the inverse of String; an unknown name is NoSource.
func ParseSource(name string) Source {
	return Source(max(slices.Index(sourceNames, name), 0)) //nolint:gosec // a table index
}

// Basis is why something is paid: a word that is stored.
type Basis string

// The bases.
const (
	OnBreach   Basis = "breach"   // the platform broke a promise of its own
	OnPromise  Basis = "promise"  // a rule pack in force promises it
	OnFault    Basis = "fault"    // the merchant's, or of its terminal
	OnGoodwill Basis = "goodwill" // nothing is owed; of no payment, and it alone
)

// PayoutState is how far a payout is. The numbers are stored.
type PayoutState uint8

// The states. The zero PayoutState is none.
const (
	NoPayoutState PayoutState = iota
	PayoutWaiting             // for a second person
	PayoutDue                 // a refund that is being carried out
	PayoutPaid
	PayoutRefused // by a person, or what was to be refunded could not be
)

var payoutStates = []string{"", "waiting", "due", "paid", "refused"}

// String is the state's name in the API.
func (s PayoutState) String() string { return payoutStates[min(int(s), len(payoutStates)-1)] }

// Payout is compensation that a case gives.
type Payout struct {
	ID         mianmi.PayoutID // also the number of the refund
	Case       mianmi.CaseID
	Key        string // of whoever ordered it; makes a repeat harmless
	Payer      mianmi.PayerID
	Payment    mianmi.PaymentID // empty: goodwill
	Source     Source
	State      PayoutState
	Amount     money.Amount
	Basis      Basis
	AskedBy    string // mianmi.Actor.String()
	AskedAt    time.Time
	ApprovedBy string    // empty: nobody had to, or nobody has yet
	ApprovedAt time.Time // zero: as ApprovedBy
	EndedAt    time.Time // paid or refused; zero: neither
	Failure    string    // of a refused one: a word
	Refund     mianmi.RefundID
	DueAt      time.Time // when a worker looks at it next; zero: never
}

// Limits bound what is paid, in minor units of whatever currency. The zero Limits
// allow nothing.
type Limits struct {
	Alone    int64 // of a case, without a second person
	Case     int64 // of a case in all
	Goodwill int64 // of a case, without a payment
	Day      int64 // that one member of staff orders in a day, Asia/Shanghai
}

// LimitsDefault are small: who needs more says so.
var LimitsDefault = Limits{Alone: 200_00, Case: 5_000_00, Goodwill: 50_00, Day: 20_000_00}

// Lock is what a payout is held against.
type Lock struct {
	Case    mianmi.CaseID
	Payment mianmi.PaymentID // empty: none
	Payer   mianmi.PayerID   // whose balance is paid; empty: nobody's
}

// Paying is a case that is locked with a payment and a balance. fn reads the first
// part and fills the second.
type Paying struct {
	*Change
	Payment   *payment.Payment // nil: none was asked for
	Refunds   []payment.Refund // of it
	OfPayment []Payout         // of all cases
	OfCase    []Payout
	Makers    access.Makers
	Balance   money.Amount // the payer's, when one was asked for; what fn leaves is written

	Payout   *Payout           // is written
	Postings []channel.Posting // under the payout's identifier
	Spend    *Spend
}

// Spend counts towards the bound of a person and day.
type Spend struct {
	Actor, Day string
	Amount     money.Amount
	Max        int64
}

// Funding is money that the platform put into the guarantee account.
type Funding struct {
	ID        string // "gf…"
	Reference string // of the transfer; makes a repeat harmless
	Amount    money.Amount
	Actor     string
	At        time.Time
}

// ErrNotCovered says that the guarantee account holds less than is to be paid: an
// operator has to fund it.
var ErrNotCovered = mianmi.Conflicts("guarantee_not_covered", "the guarantee account does not cover this: an operator has to fund it first")

// ErrDayMax says that a person has ordered as much as one may in a day.
var ErrDayMax = mianmi.Conflicts("payout_day_max", "more than one person may order in a day: ask a colleague")

// PayoutStore is where payouts are kept.
type PayoutStore interface {
	// Pay locks the case, the payer and the payment, in this order, lets fn say what
	// becomes of a payout and writes that; nothing when fn leaves no Payout. What the
	// guarantee account does not cover is ErrNotCovered, and more than Spend.Max ErrDayMax.
	Pay(ctx context.Context, l Lock, fn func(*Paying) error) error
	Payout(ctx context.Context, id mianmi.PayoutID) (Payout, error)
	// Payouts are those of a case, oldest first.
	Payouts(ctx context.Context, id mianmi.CaseID) ([]Payout, error)
	// ClaimPayouts takes refunds that are due and puts each off, so that no other node
	// has them meanwhile.
	ClaimPayouts(ctx context.Context, now, until time.Time, most int) ([]Payout, error)
	// FundGuarantee moves the money, unless the reference was used: then it returns what
	// was funded under it.
	FundGuarantee(ctx context.Context, f Funding, p channel.Posting, e evidence.Entry) (Funding, error)
	// Guarantees are the balances, by currency.
	Guarantees(ctx context.Context) ([]money.Amount, error)
}

// given is what of a payment went back or is to, but for one payout, in minor units.
func (p *Paying) given(but mianmi.PayoutID) (minor int64) {
	known := map[string]bool{string(but): true}
	for i := range p.Refunds {
		f := &p.Refunds[i]
		if f.State != payment.RefundFailed {
			minor += f.Amount.Minor()
		}
		known[f.RefundNo] = true
	}
	for i := range p.OfPayment {
		o := &p.OfPayment[i]
		if o.ID != but && o.State != PayoutRefused && (o.Source == FromGuarantee || !known[string(o.ID)]) {
			minor += o.Amount.Minor()
		}
	}
	return minor
}

// sum adds payouts of the case that were not refused, but for one, in minor units.
func (p *Paying) sum(but mianmi.PayoutID, which func(*Payout) bool) (minor int64) {
	for i := range p.OfCase {
		if o := &p.OfCase[i]; o.ID != but && o.State != PayoutRefused && which(o) {
			minor += o.Amount.Minor()
		}
	}
	return minor
}
