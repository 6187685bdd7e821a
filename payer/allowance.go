package payer

import (
	"context"
	"regexp"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/money"
)

// AllowanceInput is leave for one PIN-free payment.
type AllowanceInput struct {
	Max      money.Amount      // in the payer's currency
	Merchant mianmi.MerchantID // empty: any
	Life     time.Duration     // default 15 min, at most Config.AllowanceLife
	Password string            // of the payer
	Basis    Basis             // of staff
}

// allowanceLife is long enough to reach the till.
const allowanceLife = 15 * time.Minute

var merchantForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func (s *Service) checkAllowance(in AllowanceInput) error {
	if !in.Max.Positive() || in.Max.Minor() > s.cfg.AllowanceMax {
		return mianmi.InvalidField("max", "want an amount above zero and within the most that one allowance may be")
	}
	if in.Merchant != "" && !merchantForm.MatchString(string(in.Merchant)) {
		return mianmi.InvalidField("merchant", "not a merchant's identifier")
	}
	if in.Life < time.Second || in.Life > s.cfg.AllowanceLife {
		return mianmi.InvalidField("life", "want a time from one second to the longest life of an allowance")
	}
	return nil
}

// GrantAllowance allows one PIN-free payment in advance, without reopening.
// A payer needs the password, staff a check of the payer's identity. A new one
// takes the place of an older one. During a hold, which it does not override, it
// is a Conflict with the code "held".
func (s *Service) GrantAllowance(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, in AllowanceInput) (Status, error) {
	if err := access.Allow(actor, access.PayerAllow, target(id)); err != nil {
		return Status{}, err
	}
	if in.Life == 0 {
		in.Life = min(allowanceLife, s.cfg.AllowanceLife)
	}
	if err := s.checkAllowance(in); err != nil {
		return Status{}, err
	}
	if err := s.mayGrant(ctx, actor, id, in); err != nil {
		return Status{}, err
	}
	name, err := mianmi.NewID("al", s.now(), s.Random)
	if err != nil {
		return Status{}, err
	}
	return s.change(ctx, id, func(c *Change, now time.Time) error {
		p := &c.Payer
		if !p.Frozen.IsZero() {
			return errFrozen()
		}
		if p.Held(now) != nil {
			return errHeld()
		}
		if in.Max.Currency() != p.Settings.Currency {
			return mianmi.InvalidField("max.currency", "want the payer's currency")
		}
		before := p.snapshot()
		p.Allowance = &Allowance{ID: mianmi.AllowanceID(name), Max: in.Max, Merchant: in.Merchant, ExpiresAt: now.Add(in.Life)}
		return s.record(c, now, recordInput{Actor: actor, Type: "payer.allowance.granted", Before: before, Basis: in.Basis})
	})
}

func (s *Service) mayGrant(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, in AllowanceInput) error {
	switch {
	case actor.Role == mianmi.RolePayer && in.Basis != (Basis{}):
		return mianmi.InvalidField("basis", "a payer allows a payment with the payment password")
	case actor.Role == mianmi.RolePayer:
		return s.Verify(ctx, id, in.Password)
	case in.Password != "":
		return mianmi.InvalidField("password", "is the payer's, and never asked for by staff")
	}
	return in.Basis.check(true)
}

// RevokeAllowance takes the one-off allowance back, in one step. Without one
// it changes nothing.
func (s *Service) RevokeAllowance(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID) (Status, error) {
	if err := access.Allow(actor, access.PayerTighten, target(id)); err != nil {
		return Status{}, err
	}
	return s.change(ctx, id, func(c *Change, now time.Time) error {
		if c.Payer.Allowance == nil {
			return nil
		}
		before := c.Payer.snapshot()
		c.Payer.Allowance = nil
		return s.record(c, now, recordInput{Actor: actor, Type: "payer.allowance.revoked", Before: before})
	})
}
