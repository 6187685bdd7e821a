package payment

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/secret"
)

// errNotWaiting says that a step-up came for a payment that waits for none.
var errNotWaiting = mianmi.Conflicts("not_waiting", "this payment does not wait for a password")

// Confirm is the step-up on the payer's phone: the payment password for this
// one payment. A repeat after success returns the payment again.
//
// A wrong password is Unauthenticated and leaves the payment waiting; when it
// locks the password the payment is declined.
func (s *Service) Confirm(ctx context.Context, actor mianmi.Actor, id mianmi.PaymentID, password string) (*Payment, error) {
	p, err := s.Books.Payment(ctx, id)
	if err != nil {
		return nil, err
	}
	if !actor.Is(mianmi.RolePayer) || actor.ID != string(p.Payer) {
		return nil, mianmi.Missing("payment")
	}
	return s.verify(ctx, actor, p, password, pinfree.PhonePassword)
}

// ConfirmPIN is the step-up at the terminal. The PIN is opened in memory,
// compared, and forgotten; it is never logged and never stored.
func (s *Service) ConfirmPIN(ctx context.Context, actor mianmi.Actor, id mianmi.PaymentID, sealed secret.SealedPIN) (*Payment, error) {
	p, err := s.Payment(ctx, actor, id)
	if err != nil {
		return nil, err
	}
	if !actor.Is(mianmi.RoleTerminal) && !(actor.Is(mianmi.RoleAPIClient) && actor.Scopes.Has(mianmi.ScopePay)) {
		return nil, mianmi.Forbidden("not_allowed", "only a terminal's own software sends a PIN")
	}
	if p.State == StepUpRequired && p.StepUp&pinfree.ByTerminalPIN == 0 {
		return nil, mianmi.Conflicts("no_terminal_pin", "this terminal cannot ask for a PIN; use another way")
	}
	pin, err := s.Keys.OpenPIN(sealed, string(id))
	if err != nil {
		return nil, err
	}
	return s.verify(ctx, actor, p, pin, pinfree.OnlinePIN)
}

func (s *Service) verify(ctx context.Context, actor mianmi.Actor, p *Payment, password string, cvm pinfree.CVM) (*Payment, error) {
	if err := s.waiting(p); err != nil {
		return nil, err
	}
	if err := s.Verifier.Verify(ctx, p.Payer, password); err != nil {
		return nil, s.failedTry(ctx, p.ID, fact{kind: TypeTryFailed, actor: actor, by: cvm}, err)
	}
	if p.State != StepUpRequired { // a repeat after success, now with proof of who asks
		return p, nil
	}
	var out *Payment
	err := s.Books.Change(ctx, p.ID, func(c *Change) error {
		out = c.Payment
		if err := s.waiting(c.Payment); err != nil {
			return err
		}
		if c.Payment.State != StepUpRequired { // confirmed meanwhile, perhaps in another way
			return nil
		}
		now := s.now()
		c.Payment.CVM, c.Payment.Actor = cvm, c.Payment.Actor+" "+actor.String()
		posting := s.capture(s.seen(ctx, c.Settings), c.Payment, c.Account, c.event(pinfree.ExecutedAuthenticated, now))
		if posting != nil {
			c.Postings = append(c.Postings, *posting)
		}
		return s.settle(now, c, fact{kind: TypeVerified, actor: actor, by: cvm})
	})
	if err != nil {
		return nil, err
	}
	s.watch.tell(out.Payer)
	return out, nil
}

// event is what happened to a payment under change. Where it took place is
// read from the settings for the rules' conditions alone: a terminal that is
// gone leaves the place unknown.
func (c *Change) event(kind pinfree.EventKind, now time.Time) pinfree.Event {
	var place pinfree.Place
	var risk string
	if site, ok := c.Settings.Site(c.Payment.Terminal); ok {
		place, risk = site.Place(), site.Merchant.Facts.Risk
	}
	ev := c.Payment.event(kind, now, place, c.Instrument)
	ev.Facts = c.Payment.facts(c, risk)
	return ev
}

// waiting refuses a payment that no password can help any more.
func (s *Service) waiting(p *Payment) error {
	switch {
	case p.Outside():
		return mianmi.Conflicts("confirmed_elsewhere", "this payment is confirmed in the app whose QR code the terminal shows")
	case p.State == Approved && p.CVM != pinfree.NoCVM:
		return nil
	case p.State == Expired, p.State == StepUpRequired && !s.now().Before(p.ExpiresAt):
		return mianmi.Conflicts("step_up_expired", "the time for the password is over; start a new payment")
	case p.State != StepUpRequired:
		return errNotWaiting
	}
	return nil
}

// failedTry counts a wrong password at the payment; a locked password ends it.
func (s *Service) failedTry(ctx context.Context, id mianmi.PaymentID, f fact, cause error) error {
	var e *mianmi.Error
	locked := errors.As(cause, &e) && e.Code == "password_locked"
	if !locked && mianmi.KindOf(cause) != mianmi.Unauthenticated {
		return cause
	}
	var payer mianmi.PayerID
	err := s.Books.Change(ctx, id, func(c *Change) error {
		payer = c.Payment.Payer
		if c.Payment.State != StepUpRequired {
			return nil
		}
		c.Payment.Tries++
		if locked {
			c.Payment.State, c.Payment.Failure = Declined, channel.PasswordLocked
		}
		return s.settle(s.now(), c, f)
	})
	if err != nil {
		s.Log.Error("a failed step-up could not be recorded", "payment", string(id), "error", err)
	}
	s.watch.tell(payer)
	return cause
}

// Cancel ends a payment that waits for a step-up, at the wish of the merchant
// or the payer. It is Declined; nothing was taken. One at a channel outside is
// Undoing until the channel has said so.
func (s *Service) Cancel(ctx context.Context, actor mianmi.Actor, id mianmi.PaymentID) (*Payment, error) {
	if !actor.Is(mianmi.RolePayer, mianmi.RoleTerminal) && mayPay(actor, &Request{}) != nil && mayGiveBack(actor) != nil {
		return nil, mianmi.Forbidden("not_allowed", "this caller may not cancel payments")
	}
	if _, err := s.Payment(ctx, actor, id); err != nil {
		return nil, err
	}
	var out *Payment
	err := s.Books.Change(ctx, id, func(c *Change) error {
		out = c.Payment
		switch {
		case c.Payment.State == Declined:
			return nil
		case c.Payment.State == Undoing:
			return s.returnAgain(ctx, c, actor)
		}
		if c.Payment.Outside() && !c.Payment.State.Final() {
			return s.undo(ctx, c, Declined, fact{kind: TypeCancelled, actor: actor})
		}
		if c.Payment.State != StepUpRequired {
			return errNotWaiting
		}
		c.Payment.State = Declined
		return s.settle(s.now(), c, fact{kind: TypeCancelled, actor: actor})
	})
	if err != nil {
		return nil, err
	}
	s.watch.tell(out.Payer)
	return out, nil
}

// overdueMax bounds one sweep.
const overdueMax = 500

// ExpireOverdue ends step-ups whose time is over and returns how many.
func (s *Service) ExpireOverdue(ctx context.Context) (int, error) {
	ids, err := s.Books.Overdue(ctx, s.now(), overdueMax)
	if err != nil {
		return 0, err
	}
	n := 0
	var faults []error
	for _, id := range ids {
		payer, err := s.expire(ctx, id)
		if err != nil { // one that cannot be written must not keep the others waiting
			faults = append(faults, fmt.Errorf("expire payment %s: %w", id, err))
			continue
		}
		if payer != "" {
			n++
			s.watch.tell(payer)
		}
	}
	return n, errors.Join(faults...)
}

// expire ends one step-up whose time is over and returns its payer; empty
// when it had ended in another way.
func (s *Service) expire(ctx context.Context, id mianmi.PaymentID) (payer mianmi.PayerID, err error) {
	err = s.Books.Change(ctx, id, func(c *Change) error {
		payer = ""
		now := s.now()
		if c.Payment.State != StepUpRequired || now.Before(c.Payment.ExpiresAt) {
			return nil
		}
		payer = c.Payment.Payer
		if c.Payment.Outside() {
			return s.undo(ctx, c, Expired, fact{kind: TypeUndoing, actor: mianmi.System("expiry")})
		}
		c.Payment.State = Expired
		return s.settle(now, c, fact{kind: TypeExpired, actor: mianmi.System("expiry")})
	})
	return payer, err
}

func (s *Service) now() time.Time { return s.Clock.Now().UTC().Truncate(time.Microsecond) }
