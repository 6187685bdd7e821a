package payer

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
)

// AgreementInput is a consent to PIN-free charges by one merchant.
type AgreementInput struct {
	Merchant       mianmi.MerchantID
	PerPayment     *int64 // minor units of the payer's currency; nil: no limit of its own
	ConsentVersion string // of the consent text that the payer has accepted
	Password       string
}

// OpenAgreement opens the payer's agreement with a merchant, or changes the
// limit of an open one. It needs the password and the current consent text.
// It does not open the payer's own switch. The same again changes nothing.
func (s *Service) OpenAgreement(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, in AgreementInput) (Agreement, error) {
	if err := access.Allow(actor, access.PayerLoosen, target(id)); err != nil {
		return Agreement{}, err
	}
	if err := checkID(id); err != nil {
		return Agreement{}, err
	}
	if err := s.checkAgreement(in); err != nil {
		return Agreement{}, err
	}
	if err := s.Verify(ctx, id, in.Password); err != nil {
		return Agreement{}, err
	}
	return s.openAgreement(ctx, actor, id, in, s.Store.ChangeAgreement)
}

// AgreementTx changes an agreement under lock, as Store.ChangeAgreement does, in
// a transaction in which its owner writes more.
type AgreementTx func(ctx context.Context, id mianmi.PayerID, m mianmi.MerchantID, fn func(*Change, *Agreement) error) error

// SignAgreement is OpenAgreement by a payer who is not signed in: phone number
// and password say who it is. They count as one guess and fail like those of
// Login. What tx refuses is not opened.
func (s *Service) SignAgreement(ctx context.Context, phone string, in AgreementInput, tx AgreementTx) (mianmi.PayerID, Agreement, error) {
	if err := s.checkAgreement(in); err != nil {
		return "", Agreement{}, err
	}
	id, err := s.identify(ctx, LoginInput{Phone: phone, Password: in.Password})
	if err != nil {
		return "", Agreement{}, err
	}
	a, err := s.openAgreement(ctx, payerActor(id), id, in, tx)
	return id, a, err
}

func (s *Service) checkAgreement(in AgreementInput) error {
	if !merchantForm.MatchString(string(in.Merchant)) {
		return mianmi.InvalidField("merchant", "not a merchant's identifier")
	}
	if in.PerPayment != nil && (*in.PerPayment <= 0 || *in.PerPayment > minorMax) {
		return mianmi.InvalidField("per_payment", "want an amount above zero, or none for no limit")
	}
	return accepts("consent_version", in.ConsentVersion, s.cfg.Consent)
}

// openAgreement opens the agreement of a payer whose password was right.
func (s *Service) openAgreement(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, in AgreementInput, tx AgreementTx) (Agreement, error) {
	now := s.now()
	fresh, err := mianmi.NewBucketID("ag", id.Bucket(), now, s.Random)
	if err != nil {
		return Agreement{}, err
	}
	var left Agreement
	err = tx(ctx, id, in.Merchant, func(c *Change, a *Agreement) error {
		if err := s.settle(c, now); err != nil {
			return err
		}
		defer func() { left = *a }()
		if !c.Payer.Frozen.IsZero() {
			return errFrozen()
		}
		same := a.Open && !above(a.PerPayment, in.PerPayment) && !above(in.PerPayment, a.PerPayment)
		if same && a.ConsentVersion == in.ConsentVersion {
			return nil
		}
		if a.ID == "" {
			*a = Agreement{ID: mianmi.AgreementID(fresh), Payer: id, Merchant: in.Merchant}
		}
		if !a.Open {
			a.OpenedAt = now
		}
		a.Open, a.ClosedAt, a.PerPayment, a.ConsentVersion = true, time.Time{}, clone(in.PerPayment), in.ConsentVersion
		a.Version++
		return s.record(c, now, recordInput{Actor: actor, Type: "payer.agreement.opened", Before: c.Payer.snapshot(),
			Document: in.ConsentVersion, Agreement: a.record()})
	})
	if err != nil {
		return Agreement{}, err
	}
	return left, nil
}

// CloseAgreement ends the payer's agreement with a merchant, in one step and at
// once, and voids a one-off allowance that the merchant could use. A second call changes
// nothing; an agreement that is not the payer's is NotFound.
func (s *Service) CloseAgreement(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, agreement mianmi.AgreementID) (Agreement, error) {
	if err := access.Allow(actor, access.PayerTighten, target(id)); err != nil {
		return Agreement{}, err
	}
	found, err := s.agreement(ctx, id, agreement)
	if err != nil {
		return Agreement{}, err
	}
	return s.endAgreement(ctx, actor, id, found.Merchant, s.Store.ChangeAgreement)
}

// EndAgreement is CloseAgreement by the software of the agreement's merchant,
// which lets go of a right of its own.
func (s *Service) EndAgreement(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, m mianmi.MerchantID, tx AgreementTx) (Agreement, error) {
	if err := access.Allow(actor, access.AgreementEnd, access.Target{Payer: id, Merchant: m}); err != nil {
		return Agreement{}, err
	}
	if err := checkID(id); err != nil {
		return Agreement{}, err
	}
	return s.endAgreement(ctx, actor, id, m, tx)
}

// endAgreement closes an agreement that is open.
func (s *Service) endAgreement(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, m mianmi.MerchantID, tx AgreementTx) (Agreement, error) {
	now := s.now()
	var left Agreement
	err := tx(ctx, id, m, func(c *Change, a *Agreement) error {
		defer func() { left = *a }()
		return s.CloseIn(c, a, actor, now)
	})
	if err != nil {
		return Agreement{}, err
	}
	return left, nil
}

// CloseIn closes an agreement in a change that its caller makes of it. An
// agreement that is closed already stays as it is.
func (s *Service) CloseIn(c *Change, a *Agreement, actor mianmi.Actor, now time.Time) error {
	if err := s.settle(c, now); err != nil {
		return err
	}
	if !a.Open {
		return nil
	}
	before := c.Payer.snapshot()
	a.Open, a.ClosedAt = false, now
	a.Version++
	if l := c.Payer.Allowance; l != nil && (l.Merchant == "" || l.Merchant == a.Merchant) {
		c.Payer.Allowance = nil
	}
	in := recordInput{Actor: actor, Type: "payer.agreement.closed", Before: before, Agreement: a.record()}
	if c.Contracts > 0 {
		in.Detail = map[string]any{"contracts_unconfirmed": c.Contracts}
	}
	return s.record(c, now, in)
}

func (s *Service) agreement(ctx context.Context, id mianmi.PayerID, agreement mianmi.AgreementID) (Agreement, error) {
	if err := checkID(id); err != nil {
		return Agreement{}, err
	}
	if b, err := agreement.Bucket(); err != nil || b != id.Bucket() {
		return Agreement{}, mianmi.Missing("agreement")
	}
	all, err := s.Store.Agreements(ctx, id)
	if err != nil {
		return Agreement{}, err
	}
	for _, a := range all {
		if a.ID == agreement {
			return a, nil
		}
	}
	return Agreement{}, mianmi.Missing("agreement")
}

// Agreements returns the payer's agreements, open ones first, newest first;
// closed ones stay in the list with their time. There is one a merchant, and
// at most 500.
func (s *Service) Agreements(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID) ([]Agreement, error) {
	if err := s.mayShow(actor, id); err != nil {
		return nil, err
	}
	return s.Store.Agreements(ctx, id)
}
