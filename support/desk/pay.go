package desk

import (
	"context"
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
)

// Refunds is what this package asks of payment.Service.
type Refunds interface {
	Refund(ctx context.Context, a mianmi.Actor, id mianmi.PaymentID, r payment.RefundRequest) (*payment.Refund, error)
}

// NewPayout is a payout to be ordered.
type NewPayout struct {
	Key     string           // the caller's own; a repeat is harmless
	Payment mianmi.PaymentID // one that the case is linked to; empty: goodwill
	Source  Source
	Amount  money.Amount
	Basis   Basis
}

// payoutsMax bounds the payouts of a case.
const payoutsMax = 50

var (
	errPayoutKey   = mianmi.Conflicts("payout_conflict", "this key was used for another payout; use a new key")
	errPayoutsMax  = mianmi.Conflicts("too_many_payouts", "a case has at most 50 payouts")
	errUndecided   = mianmi.Conflicts("case_undecided", "the case has to be decided first")
	errAward       = mianmi.Conflicts("award_used_up", "more than is left of what the decision gives")
	errCaseMax     = mianmi.Conflicts("payout_case_max", "more than may be paid in one case")
	errGoodwillMax = mianmi.Conflicts("payout_goodwill_max", "more goodwill than may be paid in one case")
	errOverPayment = mianmi.Conflicts("payout_too_large", "more than is left of the payment, refunds and payouts of all cases counted")
	errPayoutOver  = mianmi.Conflicts("payout_over", "this payout does not wait for a second person")
)

// Order orders a payout of a decided case. One from the guarantee account is paid at
// once, a refund as soon as it is through, and above Limits.Alone another person has
// to approve it first. A repeat of the same key returns the first.
func (s *Service) Order(ctx context.Context, actor mianmi.Actor, id mianmi.CaseID, n NewPayout) (Payout, error) {
	if err := access.Allow(actor, access.CasePay, access.Target{}); err != nil {
		return Payout{}, err
	}
	return s.order(ctx, actor, id, n)
}

func (s *Service) order(ctx context.Context, actor mianmi.Actor, id mianmi.CaseID, n NewPayout) (Payout, error) {
	if err := n.check(); err != nil {
		return Payout{}, err
	}
	w, err := s.Store.Case(ctx, id)
	if err != nil {
		return Payout{}, err
	}
	pid, err := mianmi.NewID("po", s.Clock.Now(), s.Random)
	if err != nil {
		return Payout{}, err
	}
	var out Payout
	err = s.Store.Pay(ctx, n.lock(&w.Case), func(p *Paying) error {
		for i := range p.OfCase {
			if o := &p.OfCase[i]; o.Key == n.Key {
				out = *o
				if o.Payment != n.Payment || o.Source != n.Source || o.Amount != n.Amount || o.Basis != n.Basis || o.AskedBy != actor.String() {
					return errPayoutKey
				}
				return nil
			}
		}
		now := s.now()
		out = Payout{ID: mianmi.PayoutID(pid), Case: id, Key: n.Key, Payer: p.Case.Payer, Payment: n.Payment, Source: n.Source, State: PayoutWaiting,
			Amount: n.Amount, Basis: n.Basis, AskedBy: actor.String(), AskedAt: now}
		if err := s.entitled(p, &out); err != nil {
			return err
		}
		if len(p.OfCase) >= payoutsMax {
			return errPayoutsMax
		}
		p.Payout = &out
		if err := s.addPayout(p, actor, TypePayoutOrdered); err != nil {
			return err
		}
		day, _ := payer.Day(now)
		p.Spend = &Spend{Actor: actor.String(), Day: day, Amount: n.Amount, Max: s.Limits.Day}
		if actor.Role != mianmi.RoleSystem {
			alone := p.sum("", func(o *Payout) bool { return o.ApprovedBy == "" })
			if n.Amount.Minor() > s.Limits.Alone-alone {
				return nil // a second person
			}
		}
		return s.release(p, actor)
	})
	if err != nil {
		return Payout{}, err
	}
	return s.carryOut(ctx, out)
}

func (n *NewPayout) check() error {
	switch {
	case n.Key == "" || len(n.Key) > 64 || !token(n.Key):
		return mianmi.InvalidField("key", "1 to 64 letters, digits, _ and -")
	case !n.Amount.Positive():
		return mianmi.InvalidField("amount", "a positive amount")
	case n.Source == NoSource || n.Source > FromGuarantee:
		return mianmi.InvalidField("from", "want merchant, platform or guarantee")
	case n.Basis != OnBreach && n.Basis != OnPromise && n.Basis != OnFault && n.Basis != OnGoodwill:
		return mianmi.InvalidField("basis", "want breach, promise, fault or goodwill")
	case (n.Basis == OnGoodwill) != (n.Payment == ""):
		return mianmi.InvalidField("payment", "goodwill is of no payment, all else is of one")
	case n.Payment == "" && n.Source != FromGuarantee:
		return mianmi.InvalidField("from", "goodwill is paid from the guarantee account")
	}
	if n.Payment != "" {
		if _, err := n.Payment.Bucket(); err != nil {
			return mianmi.InvalidField("payment", "there is no such payment")
		}
	}
	return nil
}

func (n *NewPayout) lock(c *Case) Lock {
	l := Lock{Case: c.ID, Payment: n.Payment}
	if n.Source == FromGuarantee {
		l.Payer = c.Payer
	}
	return l
}

// entitled returns nil when the case gives this payout, with those that there are.
func (s *Service) entitled(p *Paying, o *Payout) error {
	c := &p.Case
	switch {
	case c.State != Decided && c.State != Closed || c.Verdict == NoVerdict:
		return errUndecided
	case c.Payer == "" && (o.Source == FromGuarantee || o.Payment == ""): // a refund goes back to where it came from
		return mianmi.Conflicts("no_payer", "the case is about no payer: link a payment first")
	case o.Payer != c.Payer:
		return mianmi.Conflicts("case_changed", "the case is about another payer now")
	case o.Amount.Minor() > s.Limits.Case-p.sum(o.ID, func(*Payout) bool { return true }):
		return errCaseMax
	}
	if o.Payment == "" {
		if o.Amount.Minor() > s.Limits.Goodwill-p.sum(o.ID, func(x *Payout) bool { return x.Payment == "" }) {
			return errGoodwillMax
		}
		return nil
	}
	switch paid := p.Payment; {
	case !linked(&p.Was, o.Payment):
		return mianmi.InvalidField("payment", "the case is not linked to this payment")
	case paid.Payer != c.Payer:
		return mianmi.InvalidField("payment", "the payment is of another payer")
	case paid.State != payment.Approved && paid.State != payment.PartlyRefunded:
		return mianmi.Conflicts("not_refundable", "only an approved payment that is not refunded in whole can be compensated")
	case o.Amount.Currency() != paid.Amount.Currency():
		return mianmi.InvalidField("amount.currency", "the payment's currency")
	case o.Amount.Currency() != c.Award.Currency(),
		o.Amount.Minor() > c.Award.Minor()-p.sum(o.ID, func(x *Payout) bool { return x.Payment != "" }):
		return errAward
	case o.Amount.Minor() > paid.Amount.Minor()-p.given(o.ID):
		return errOverPayment
	}
	return nil
}

func linked(w *Whole, id mianmi.PaymentID) bool {
	for _, have := range w.Payments() {
		if have == id {
			return true
		}
	}
	return false
}

// release lets a payout go out: from the guarantee account it is paid with this, a
// refund is due.
func (s *Service) release(p *Paying, actor mianmi.Actor) error {
	o, now := p.Payout, s.now()
	switch o.Source {
	case FromGuarantee:
		sum, err := p.Balance.Add(o.Amount)
		if err != nil {
			return mianmi.Conflicts("balance_refused", "the payer's account cannot take this amount in this currency")
		}
		p.Balance = sum
		p.Postings = append(p.Postings, channel.Posting{Kind: channel.Payout, Debit: channel.Guarantee, Credit: channel.OfPayer(o.Payer), Amount: o.Amount})
		return s.paid(p, actor)
	case FromPlatform:
		p.Postings = append(p.Postings, channel.Posting{Kind: channel.MakeGood, Debit: channel.Guarantee, Credit: channel.OfMerchant(p.Payment.Merchant), Amount: o.Amount})
	case NoSource, FromMerchant:
	}
	o.State, o.DueAt = PayoutDue, now
	return nil
}

// paid ends a payout, and tells the payer.
func (s *Service) paid(p *Paying, actor mianmi.Actor) error {
	o := p.Payout
	o.State, o.EndedAt, o.DueAt = PayoutPaid, s.now(), time.Time{}
	words := mianmi.Text{ZH: "已退款 %s。", EN: "%s was refunded."}
	if o.Source == FromGuarantee {
		words = mianmi.Text{ZH: "已赔付 %s，存入您的余额。", EN: "%s was paid to your balance."}
	}
	text := fmt.Sprintf(words.ZH+"\n"+words.EN, o.Amount, o.Amount)
	if len(p.Was.Notes)+len(p.Notes) < notesMax { // who wrote too much is paid nevertheless
		if err := p.note(Note{Key: string(o.ID), Audience: ForPayer, Actor: actor.String(), Text: text, At: o.EndedAt}); err != nil {
			return err
		}
	}
	if o.Refund != "" && len(p.Was.Links) < linksMax {
		p.Links = append(p.Links, Link{Kind: ToRefund, Ref: string(o.Refund), Actor: actor.String(), At: o.EndedAt})
	}
	return s.addPayout(p, actor, TypePayoutPaid)
}

// addPayout records a step of a payout.
func (s *Service) addPayout(p *Paying, actor mianmi.Actor, kind string) error {
	o := p.Payout
	return s.add(p.Change, actor, kind, func(r *Record) {
		r.Payout, r.Payment, r.Source, r.Basis, r.Failure = o.ID, o.Payment, o.Source.String(), string(o.Basis), o.Failure
		r.Amount, r.Currency = o.Amount.Minor(), string(o.Amount.Currency())
	})
}

// Approve is the second person's word: of somebody whose account is not in the hands
// of whoever ordered it, nor theirs in one hand (access.TwoPersons). It returns what became of the payout; a
// repeat by the same person returns that again.
func (s *Service) Approve(ctx context.Context, actor mianmi.Actor, id mianmi.PayoutID) (Payout, error) {
	out, err := s.judge(ctx, actor, id, func(p *Paying) error {
		o := p.Payout
		switch {
		case o.State != PayoutWaiting && o.ApprovedBy == actor.String():
			p.Payout = nil
			return nil
		case o.State != PayoutWaiting:
			return errPayoutOver
		}
		if err := access.TwoPersons(p.Makers, actor, o.AskedBy, true); err != nil {
			return err
		}
		if err := s.entitled(p, o); err != nil {
			return err
		}
		o.ApprovedBy, o.ApprovedAt = actor.String(), s.now()
		if err := s.addPayout(p, actor, TypePayoutApproved); err != nil {
			return err
		}
		return s.release(p, actor)
	})
	if err != nil {
		return Payout{}, err
	}
	return s.carryOut(ctx, out)
}

// Refuse ends a payout that waits; whoever ordered it may take it back.
func (s *Service) Refuse(ctx context.Context, actor mianmi.Actor, id mianmi.PayoutID) (Payout, error) {
	return s.judge(ctx, actor, id, func(p *Paying) error {
		o, why := p.Payout, "not_approved"
		if o.AskedBy == actor.String() {
			why = "withdrawn"
		}
		switch {
		case o.State == PayoutRefused && o.Failure == why:
			p.Payout = nil
			return nil
		case o.State != PayoutWaiting:
			return errPayoutOver
		}
		return s.refuse(p, actor, why)
	})
}

func (s *Service) refuse(p *Paying, actor mianmi.Actor, why string) error {
	o := p.Payout
	o.State, o.EndedAt, o.Failure, o.DueAt = PayoutRefused, s.now(), why, time.Time{}
	return s.addPayout(p, actor, TypePayoutRefused)
}

// judge runs fn on a payout under lock, for people who have the right.
func (s *Service) judge(ctx context.Context, actor mianmi.Actor, id mianmi.PayoutID, fn func(*Paying) error) (Payout, error) {
	if err := access.Allow(actor, access.CasePay, access.Target{}); err != nil {
		return Payout{}, err
	}
	return s.withPayout(ctx, id, fn)
}

// withPayout runs fn with the payout under lock; without p.Payout nothing is written.
func (s *Service) withPayout(ctx context.Context, id mianmi.PayoutID, fn func(*Paying) error) (Payout, error) {
	o, err := s.Store.Payout(ctx, id)
	if err != nil {
		return Payout{}, err
	}
	l := Lock{Case: o.Case, Payment: o.Payment}
	if o.Source == FromGuarantee {
		l.Payer = o.Payer
	}
	err = s.Store.Pay(ctx, l, func(p *Paying) error {
		for i := range p.OfCase {
			if p.OfCase[i].ID == id {
				o = p.OfCase[i]
			}
		}
		p.Payout = &o
		return fn(p)
	})
	return o, err
}

// Payouts are those of a case, oldest first, for mianmi's own people.
func (s *Service) Payouts(ctx context.Context, actor mianmi.Actor, id mianmi.CaseID) ([]Payout, error) {
	if err := access.Allow(actor, access.GuaranteeShow, access.Target{}); err != nil {
		return nil, err
	}
	if _, err := s.Case(ctx, actor, id); err != nil {
		return nil, err
	}
	return s.Store.Payouts(ctx, id)
}
