package desk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
)

const (
	// payoutAgain is when a refund that is due is looked at again.
	payoutAgain = 30 * time.Second
	// payoutsAtOnce bounds a round of refunds.
	payoutsAtOnce = 50
)

// carrier is who carries payouts out.
var carrier = mianmi.System("cases")

// PayDue goes on with refunds that are due, and returns how many it looked at.
func (s *Service) PayDue(ctx context.Context) (int, error) {
	now := s.now()
	list, err := s.Store.ClaimPayouts(ctx, now, now.Add(payoutAgain), payoutsAtOnce)
	if err != nil {
		return 0, err
	}
	var faults error
	for _, o := range list {
		_, err := s.refund(ctx, o)
		faults = errors.Join(faults, err)
	}
	return len(list), faults
}

// carryOut refunds what is due now. What does not work now a worker goes on with.
func (s *Service) carryOut(ctx context.Context, o Payout) (Payout, error) {
	if o.State != PayoutDue || s.Refunds == nil {
		return o, nil
	}
	done, err := s.refund(ctx, o)
	if err != nil {
		s.Log.WarnContext(ctx, "a refund of a case is not through yet; it is tried again", "payout", string(o.ID), "error", err)
		return o, nil
	}
	return done, nil
}

// refund carries a payout out. Its identifier is the refund's number, so that
// there is one refund however often it is asked for.
func (s *Service) refund(ctx context.Context, o Payout) (Payout, error) {
	f, err := s.Refunds.Refund(ctx, carrier, o.Payment, payment.RefundRequest{RefundNo: string(o.ID), Amount: o.Amount, Reason: "客诉赔付 compensation"})
	why := "refund_refused"
	switch kind := mianmi.KindOf(err); {
	case err != nil && kind != mianmi.Conflict && kind != mianmi.Invalid && kind != mianmi.NotFound:
		return o, fmt.Errorf("refund payout %s: %w", o.ID, err)
	case err != nil:
		var e *mianmi.Error
		if errors.As(err, &e) && e.Code != "" {
			why = e.Code
		}
	case f.State.Owed():
		return o, nil // its channel has not said yet
	}
	return s.withPayout(ctx, o.ID, func(p *Paying) error { return s.refunded(p, why) })
}

// refunded writes what became of a refund, as the payment has it under its lock.
func (s *Service) refunded(p *Paying, why string) error {
	o := p.Payout
	if o.State != PayoutDue {
		p.Payout = nil
		return nil
	}
	for i := range p.Refunds {
		f := &p.Refunds[i]
		if f.RefundNo != string(o.ID) {
			continue
		}
		switch {
		case f.State.Owed():
			p.Payout = nil
			return nil
		case f.State == payment.RefundDone:
			o.Refund = f.ID
			return s.paid(p, carrier)
		}
	}
	if o.Source == FromPlatform {
		p.Postings = append(p.Postings, channel.Posting{Kind: channel.TakenBack, Debit: channel.OfMerchant(p.Payment.Merchant), Credit: channel.Guarantee, Amount: o.Amount})
	}
	return s.refuse(p, carrier, why)
}

// Fund records money that the platform put into the guarantee account. The
// reference is that of the transfer, and makes a repeat harmless.
func (s *Service) Fund(ctx context.Context, actor mianmi.Actor, reference string, amount money.Amount) (Funding, error) {
	if err := access.Allow(actor, access.GuaranteeFund, access.Target{}); err != nil {
		return Funding{}, err
	}
	switch {
	case reference == "" || len(reference) > 64 || !token(reference):
		return Funding{}, mianmi.InvalidField("reference", "1 to 64 letters, digits, _ and -")
	case payer.LooksLikeCard(reference):
		return Funding{}, mianmi.InvalidField("reference", "holds what looks like a card number, which must never be sent")
	case !amount.Positive() || amount.Minor() > fundingMax:
		return Funding{}, mianmi.InvalidField("amount", "a positive amount of at most 1000000000000 minor units")
	}
	now := s.now()
	id, err := mianmi.NewID("gf", now, s.Random)
	if err != nil {
		return Funding{}, err
	}
	f := Funding{ID: id, Reference: reference, Amount: amount, Actor: actor.String(), At: now}
	text, err := json.Marshal(FundingRecord{Version: 1, Reference: reference, Amount: amount.Minor(), Currency: amount.Currency()})
	if err != nil {
		return Funding{}, fmt.Errorf("encode %s: %w", TypeGuaranteeFunded, err)
	}
	en, err := mianmi.NewID("en", now, s.Random)
	if err != nil {
		return Funding{}, err
	}
	got, err := s.Store.FundGuarantee(ctx, f, channel.Posting{Kind: channel.Guaranteed, Debit: channel.Platform, Credit: channel.Guarantee, Amount: amount},
		evidence.Entry{ID: mianmi.EntryID(en), At: now, Type: TypeGuaranteeFunded, Subject: id, Actor: actor.String(), Body: text})
	if err == nil && got.Amount != amount {
		return Funding{}, mianmi.Conflicts("funding_conflict", "this reference was used with another amount")
	}
	return got, err
}

// fundingMax is the most at once, minor units.
const fundingMax = 1_000_000_000_000

// FundingRecord is the body of TypeGuaranteeFunded.
type FundingRecord struct {
	Version   int64          `json:"version"`
	Reference string         `json:"reference"`
	Amount    int64          `json:"amount"` // minor units
	Currency  money.Currency `json:"currency"`
}

// Guarantees are the balances of the guarantee accounts, by currency.
func (s *Service) Guarantees(ctx context.Context, actor mianmi.Actor) ([]money.Amount, error) {
	if err := access.Allow(actor, access.GuaranteeShow, access.Target{}); err != nil {
		return nil, err
	}
	return s.Store.Guarantees(ctx)
}
