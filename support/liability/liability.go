// Package liability proposes who bears what of payments that a payer disputes:
// from what the log and the books say, and from what the rule packs in force
// promise. It decides nothing; a person does, in support/desk.
package liability

import (
	"maps"
	"slices"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
)

// Bearer is who is to bear an amount. The zero Bearer is not clear: a person has
// to find out.
type Bearer uint8

// The bearers.
const (
	Unclear  Bearer = iota
	Nobody          // no money is missing
	Payer           // the payer
	Cover           // the promise of a rule pack to holders of lost or stolen cards
	Merchant        // the merchant
	Platform        // whoever runs mianmi
)

var bearerNames = []string{"unclear", "nobody", "payer", "cover", "merchant", "platform"}

// String is the bearer's name in the API.
func (b Bearer) String() string { return bearerNames[min(int(b), len(bearerNames)-1)] }

// ParseBearer is the inverse of String; an unknown name is Unclear.
func ParseBearer(name string) Bearer {
	return Bearer(max(slices.Index(bearerNames, name), 0)) //nolint:gosec // a table index
}

var bearerWords = map[Bearer]mianmi.Text{
	Unclear:  {ZH: "尚不明确", EN: "not clear yet"},
	Nobody:   {ZH: "无损失", EN: "nobody"},
	Payer:    {ZH: "付款人", EN: "the payer"},
	Cover:    {ZH: "赔付承诺", EN: "the promise of a rule pack"},
	Merchant: {ZH: "商户", EN: "the merchant"},
	Platform: {ZH: "平台", EN: "the platform"},
}

// Words name the bearer, for people.
func (b Bearer) Words() mianmi.Text { return bearerWords[b] }

// Off is something that was off, in the scope of a payment, when it was decided.
type Off struct {
	Layer pinfree.LayerKind
	ID    string         // whose; empty for the payer's own
	Since time.Time      // acknowledged
	Entry mianmi.EntryID // that records it
}

// Fact is one payment that is disputed, with what was so when it was decided.
type Fact struct {
	Payment payment.Payment
	Offs    []Off
	// Proved: the terminal had proved a config, and which; AsOf could not be told
	// when Untold.
	Proved  bool
	RunFrom time.Time                 // since when it ran that config
	Hours   int64                     // from the payment to the report, rounded up; negative: after it
	Untold  bool                      // what was in force could not be rebuilt
	Rule    *pinfree.CompensationRule // what is promised for it; nil: nothing
}

// Facts are those of a case.
type Facts struct {
	Reported     time.Time                // when the payer told of it first
	Protected    time.Time                // since when nothing of the payer's passes PIN-free now; zero: it does. To be shown alone
	Confirmed    bool                     // the fraud has been confirmed
	PaidThisYear map[money.Currency]int64 // minor units; negative: not known
	Payments     []Fact
}

// Share is what one bears of a payment, and why.
type Share struct {
	Bearer Bearer
	Amount money.Amount
	Reason Reason
	Words  mianmi.Text
	Award  *pinfree.Award // of Cover
	Off    *Off           // of Platform: what was off
}

// Finding is a payment with the shares of what is still missing; they sum up to it.
type Finding struct {
	Payment mianmi.PaymentID
	At      time.Time
	Open    money.Amount              // captured, and not given back
	Rule    *pinfree.CompensationRule // what is promised for it; nil: nothing
	Shares  []Share
}

// Proposal is what the system proposes.
type Proposal struct {
	Findings []Finding
	Total    map[Bearer]int64 // minor units
	Currency money.Currency   // of Total; empty when the payments have several
}

// Propose says who is to bear what, payment after payment, oldest first: what one
// uses of a yearly cap, the next has no more.
func Propose(f Facts) Proposal {
	list := slices.Clone(f.Payments)
	slices.SortStableFunc(list, func(a, b Fact) int { return a.Payment.CreatedAt.Compare(b.Payment.CreatedAt) })
	out := Proposal{Total: map[Bearer]int64{}}
	f.PaidThisYear = maps.Clone(f.PaidThisYear)
	if f.PaidThisYear == nil {
		f.PaidThisYear = map[money.Currency]int64{}
	}
	for i := range list {
		one := f.finding(&list[i])
		for _, s := range one.Shares {
			out.Total[s.Bearer] += s.Amount.Minor()
			if s.Bearer == Cover {
				f.PaidThisYear[s.Amount.Currency()] += s.Amount.Minor()
			}
		}
		switch c := one.Open.Currency(); {
		case i == 0:
			out.Currency = c
		case out.Currency != c:
			out.Currency = ""
		}
		out.Findings = append(out.Findings, one)
	}
	return out
}

// missing is what was captured and not given back.
func missing(p *payment.Payment) money.Amount {
	switch p.State {
	case payment.Approved, payment.PartlyRefunded:
		return money.Of(p.Amount.Minor()-p.Refunded, p.Amount.Currency())
	case payment.Refused, payment.Declined, payment.Expired, payment.Reversed, payment.Refunded, payment.StepUpRequired:
	case payment.Verifying, payment.Unknown, payment.Undoing:
	}
	return money.Of(0, p.Amount.Currency())
}

func (f *Facts) finding(x *Fact) Finding {
	p := &x.Payment
	out := Finding{Payment: p.ID, At: p.CreatedAt, Open: missing(p), Rule: x.Rule}
	whole := func(b Bearer, r Reason) []Share {
		return []Share{{Bearer: b, Amount: out.Open, Reason: r, Words: r.words()}}
	}
	switch {
	case p.State == payment.Verifying || p.State == payment.Unknown || p.State == payment.Undoing:
		out.Shares = whole(Unclear, NotSettled)
	case !out.Open.Positive():
		out.Shares = whole(Nobody, NothingMissing)
	case p.Method == pinfree.Cash:
		out.Shares = whole(Unclear, PaidInCash)
	case !p.PinFree():
		out.Shares = whole(Payer, Authenticated)
	case x.Untold:
		out.Shares = whole(Unclear, NotRebuilt)
	case len(x.Offs) > 0:
		out.Shares = whole(Platform, PassedWhileOff)
		out.Shares[0].Off = &x.Offs[0]
	case !f.Reported.IsZero() && !p.CreatedAt.Before(f.Reported):
		out.Shares = whole(Platform, ReportedBefore)
	case !x.Proved:
		out.Shares = whole(Merchant, TerminalUnproved)
	case x.Rule == nil:
		out.Shares = whole(Unclear, NoPromise)
	default:
		out.Shares = f.covered(x, out.Open)
	}
	return out
}

// covered splits what is missing between the promise and the payer.
func (f *Facts) covered(x *Fact, open money.Amount) []Share {
	a := x.Rule.Award(pinfree.Claim{HoursBefore: x.Hours, Minor: open.Minor(), PaidThisYear: f.PaidThisYear[open.Currency()], Confirmed: f.Confirmed})
	var out []Share
	if a.Covered > 0 {
		out = append(out, Share{Bearer: Cover, Amount: money.Of(a.Covered, open.Currency()), Reason: Promised, Words: a.Words(), Award: &a})
	}
	if rest := open.Minor() - a.Covered; rest > 0 {
		bearer, reason, words := Payer, NotPromised, a.Words()
		if a.Reason == pinfree.ClaimUnknown || a.Reason == pinfree.NotConfirmed {
			bearer = Unclear // somebody has to find out first
		}
		out = append(out, Share{Bearer: bearer, Amount: money.Of(rest, open.Currency()), Reason: reason, Words: words, Award: &a})
	}
	return out
}
