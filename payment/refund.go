package payment

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/settings"
)

// mayGiveBack says who may refund and reverse: the merchant's software with
// the refund scope, the store's and merchant's managers, support and operator, and mianmi
// itself, that carries out what a case gives.
func mayGiveBack(a mianmi.Actor) error {
	if a.Is(mianmi.RoleAPIClient) && a.Scopes.Has(mianmi.ScopeRefund) ||
		a.Is(mianmi.RoleStoreManager, mianmi.RoleMerchantAdmin, mianmi.RoleSupport, mianmi.RoleOperator, mianmi.RoleSystem) {
		return nil
	}
	return mianmi.Forbidden("not_allowed", "this caller may not give money back")
}

// Reverse undoes an approved payment as if it had not been, within
// Config.ReverseWithin: the whole amount goes back and the PIN-free counters
// are given back. A step-up that waits is cancelled. A repeat returns the
// payment again, and has a channel asked again that had fallen silent about it.
//
// A terminal undoes what it took itself, whoever stands before it: that is how
// its second lock works, and its test payments.
func (s *Service) Reverse(ctx context.Context, actor mianmi.Actor, id mianmi.PaymentID) (*Payment, error) {
	if err := mayGiveBack(actor); err != nil && !actor.Is(mianmi.RoleTerminal) {
		return nil, err
	}
	p, err := s.Payment(ctx, actor, id)
	if err != nil {
		return nil, err
	}
	if !p.State.Final() {
		return s.Cancel(ctx, actor, id)
	}
	var out *Payment
	err = s.Books.Change(ctx, id, func(c *Change) error {
		out = c.Payment
		if c.Payment.State == Reversed || c.Payment.State == Undoing {
			return nil
		}
		return s.reverse(ctx, c, actor)
	})
	if err != nil {
		return nil, err
	}
	s.watch.tell(out.Payer)
	return out, nil
}

func (s *Service) reverse(ctx context.Context, c *Change, actor mianmi.Actor) error {
	now, p := s.now(), c.Payment
	switch {
	case p.State != Approved:
		return errNotReversible
	case now.Sub(p.CreatedAt) > s.cfg.ReverseWithin:
		return errTooLateToReverse
	case c.apart() > 0:
		return errNotReversible
	case p.Outside():
		return s.reverseOutside(ctx, c, actor)
	}
	if c.Account != nil {
		if err := s.giveBack(c, channel.Reversal, p.Amount); err != nil {
			return err
		}
		kind := pinfree.ReversedAuthenticated
		if p.PinFree() {
			kind = pinfree.ReversedPinFree
		}
		c.Account.Counters = s.seen(ctx, c.Settings).Record(c.Account.Counters, c.event(kind, now))
	}
	p.State = Reversed
	return s.settle(now, c, fact{kind: TypeReversed, actor: actor})
}

var (
	errNotReversible    = mianmi.Conflicts("not_reversible", "only an approved payment without a refund can be reversed")
	errTooLateToReverse = mianmi.Conflicts("too_late_to_reverse", "the time for a reversal is over; refund the payment")
)

// giveBack moves money from the merchant to the payer's balance.
func (s *Service) giveBack(c *Change, k channel.Kind, amount money.Amount) error {
	posting, balance, failure := s.Wallet.GiveBack(k, c.Account.ID, c.Payment.Merchant, c.Account.Balance, amount)
	if failure != channel.NoFailure {
		return mianmi.Conflicts(failure.String(), "the payer's account cannot take the money back")
	}
	c.Account.Balance, c.Account.Dirty = balance, true
	c.Postings = append(c.Postings, posting)
	return nil
}

// RefundRequest asks for money back; RefundNo makes a repeat harmless.
type RefundRequest struct {
	RefundNo string // 1 to 32 of 0-9 A-Z a-z _ - *
	Amount   money.Amount
	Reason   string // at most 200 bytes; shown to the payer
}

const (
	reasonLenMax = 200
	// refundsMax bounds the refunds of one payment, as WeChat Pay does.
	refundsMax = 50
)

// Refund gives back a part or all of an approved payment; several refunds are
// possible until the amount is used up. PIN-free counters stay: the payment
// was executed (EBA Q&A 2018_4230). A repeat of the same number and amount
// returns the first refund, and has a channel asked again that had fallen silent
// about it; another amount is a Conflict.
func (s *Service) Refund(ctx context.Context, actor mianmi.Actor, id mianmi.PaymentID, r RefundRequest) (*Refund, error) {
	if err := mayGiveBack(actor); err != nil {
		return nil, err
	}
	switch {
	case !orderNo(r.RefundNo):
		return nil, mianmi.InvalidField("refund_no", "1 to 32 characters of 0-9, A-Z, a-z, _, - and *")
	case !r.Amount.Positive():
		return nil, mianmi.InvalidField("amount", "a positive amount")
	case len(r.Reason) > reasonLenMax || !printable(r.Reason):
		return nil, mianmi.InvalidField("reason", "at most 200 bytes of plain text")
	case payer.LooksLikeCard(r.Reason):
		return nil, mianmi.InvalidField("reason", "holds what looks like a card number, which must never be sent")
	}
	p, err := s.Payment(ctx, actor, id)
	if err != nil {
		return nil, err
	}
	bucket, err := id.Bucket()
	if err != nil {
		return nil, err
	}
	rid, err := mianmi.NewBucketID("rf", bucket, s.Clock.Now(), s.Random)
	if err != nil {
		return nil, err
	}
	var out Refund
	err = s.Books.Change(ctx, p.ID, func(c *Change) error {
		out = Refund{ID: mianmi.RefundID(rid), Payment: id, RefundNo: r.RefundNo, Amount: r.Amount, Reason: r.Reason,
			Actor: actor.String(), At: s.now(), State: RefundDone}
		return s.refund(c, &out, actor)
	})
	if err != nil {
		return nil, err
	}
	s.watch.tell(p.Payer)
	return &out, nil
}

func (s *Service) refund(c *Change, out *Refund, actor mianmi.Actor) error {
	for i := range c.Refunds {
		earlier := &c.Refunds[i]
		if earlier.RefundNo != out.RefundNo {
			continue
		}
		if earlier.Amount != out.Amount {
			return mianmi.Conflicts("refund_conflict", "this refund number was used with another amount; use a new number")
		}
		err := s.refundAgain(c, earlier, actor)
		*out = *earlier
		return err
	}
	p := c.Payment
	for _, x := range c.Compensation {
		if x.Number == out.RefundNo && !x.Due {
			return mianmi.Conflicts("payout_over", "the payout of a case that this refund belongs to is not due")
		}
	}
	switch {
	case p.State != Approved && p.State != PartlyRefunded:
		return mianmi.Conflicts("not_refundable", "only an approved payment can be refunded")
	case out.Amount.Currency() != p.Amount.Currency():
		return mianmi.InvalidField("amount.currency", "the payment's currency")
	case out.Amount.Minor() > p.Amount.Minor()-p.Refunded-pending(c.Refunds)-c.apart():
		return mianmi.Conflicts("refund_too_large", "more than what is left of the payment")
	case len(c.Refunds) >= refundsMax:
		return mianmi.Conflicts("too_many_refunds", "a payment has at most 50 refunds")
	}
	if p.Outside() {
		return s.refundOutside(c, out, actor)
	}
	if c.Account != nil {
		if err := s.giveBack(c, channel.Refund, out.Amount); err != nil {
			return err
		}
	}
	p.refunded(out.Amount)
	c.Refund = out
	return s.settle(out.At, c, fact{kind: TypeRefunded, actor: actor})
}

// apart is what cases gave for the payment without a refund, in minor units.
func (c *Change) apart() (minor int64) {
	for _, x := range c.Compensation {
		if x.Apart {
			minor += x.Amount.Minor()
		}
	}
	return minor
}

// refunded counts money that went back.
func (p *Payment) refunded(amount money.Amount) {
	p.Refunded += amount.Minor()
	p.State = PartlyRefunded
	if p.Refunded == p.Amount.Minor() {
		p.State = Refunded
	}
}

// TopUpRequest loads a payer's balance; Key makes a repeat harmless.
type TopUpRequest struct {
	Payer  mianmi.PayerID
	Key    string // 1 to 32 of the order number's characters
	Amount money.Amount
	// Authenticated says that the caller authenticated the payer for it, which
	// empties the counters of the rules that say so.
	Authenticated bool
}

// TopUp adds money from outside to the payer's balance. A repeat of the same
// key and amount returns the first answer; another amount is a Conflict.
func (s *Service) TopUp(ctx context.Context, actor mianmi.Actor, r TopUpRequest) (TopUp, error) {
	if !actor.Is(mianmi.RoleOperator, mianmi.RoleSystem) && !(actor.Is(mianmi.RoleAPIClient) && actor.Scopes.Has(mianmi.ScopePayers)) {
		return TopUp{}, mianmi.Forbidden("not_allowed", "this caller may not load balances")
	}
	if !orderNo(r.Key) {
		return TopUp{}, mianmi.InvalidField("key", "1 to 32 characters of 0-9, A-Z, a-z, _, - and *")
	}
	if !payerID(r.Payer) {
		return TopUp{}, mianmi.Missing("payer")
	}
	if !r.Amount.Positive() || r.Amount.Minor() > amountMax {
		return TopUp{}, mianmi.InvalidField("amount", "a positive amount of at most 1000000000000 minor units")
	}
	now := s.now()
	id, err := mianmi.NewID("tu", now, s.Random)
	if err != nil {
		return TopUp{}, err
	}
	t := TopUp{ID: id, Payer: r.Payer, Key: r.Key, Amount: r.Amount, Actor: actor.String(), At: now}
	got, err := s.Books.TopUp(ctx, t, func(a *Account, snap *settings.Snapshot) (TopUpWrite, error) {
		posting, balance, failure := s.Wallet.Load(a.ID, a.Balance, r.Amount)
		if failure != channel.NoFailure {
			return TopUpWrite{}, mianmi.Conflicts(failure.String(), "the payer's account cannot take this amount")
		}
		a.Balance, a.Dirty = balance, true
		said := ToppedUp{Form: changedVersion, Payer: a.ID, Amount: r.Amount}
		if r.Authenticated {
			rules := s.seen(ctx, snap)
			a.Counters = rules.Record(a.Counters, pinfree.Event{Kind: pinfree.ToppedUpAuthenticated, At: now})
			said.Authenticated, said.Rules, said.Epoch = true, rules.Version(), snap.Epoch()
		}
		e, err := s.toppedUp(t, actor, said)
		return TopUpWrite{posting, e}, err
	})
	if err == nil && got.Amount != r.Amount {
		return TopUp{}, mianmi.Conflicts("top_up_conflict", "this key was used with another amount; use a new key")
	}
	return got, err
}

func (s *Service) toppedUp(t TopUp, actor mianmi.Actor, said ToppedUp) (evidence.Entry, error) {
	e, err := s.entry(t.At, 1, actor)
	if err != nil {
		return evidence.Entry{}, err
	}
	e.Type, e.Subject = TypeToppedUp, t.ID
	if e.Body, err = json.Marshal(said); err != nil {
		return evidence.Entry{}, fmt.Errorf("encode a top-up: %w", err)
	}
	return e, nil
}
