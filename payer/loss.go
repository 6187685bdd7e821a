package payer

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
)

// ReportLoss freezes everything PIN-free at once, in one step: the switch goes
// off, what waits and the allowance are void, live payment codes and sessions
// end (but the one that reported). Payment with the password goes on. Support
// may report for the payer. A second call changes nothing.
func (s *Service) ReportLoss(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, basis Basis) (Status, error) {
	if err := access.Allow(actor, access.PayerTighten, target(id)); err != nil {
		return Status{}, err
	}
	if err := basis.check(false); err != nil {
		return Status{}, err
	}
	return s.change(ctx, id, func(c *Change, now time.Time) error {
		p := &c.Payer
		if !p.Frozen.IsZero() {
			return nil
		}
		before := p.snapshot()
		at := p.latest(now)
		s.shut(p, now)
		p.Frozen = at
		c.EndSessions, c.VoidCodes = true, true
		if actor.Role == mianmi.RolePayer {
			c.KeepSession = mianmi.SessionID(actor.Via)
		}
		// Whoever has the phone may have seen the password typed, and a one-time
		// code may lie in its messages.
		c.Password.Renew = c.Password.Hash != ""
		c.Password.ResetDigest, c.Password.ResetUntil = nil, time.Time{}
		c.SavePassword = true
		return s.record(c, now, recordInput{Actor: actor, Type: "payer.loss.reported", Before: before, Basis: basis})
	})
}

// LiftLoss ends a loss report. Support does it, after a check of the payer's
// identity that basis names. The payment password of the time of the report
// must have been replaced (ResetPassword, or the payer's own change), else it
// is a Conflict with the code "password_unchanged". PIN-free payment stays
// off: the payer may reopen it, with its cooling-off. A second call changes
// nothing.
func (s *Service) LiftLoss(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, basis Basis) (Status, error) {
	if err := access.Allow(actor, access.PayerIdentify, target(id)); err != nil {
		return Status{}, err
	}
	if err := basis.check(true); err != nil {
		return Status{}, err
	}
	return s.change(ctx, id, func(c *Change, now time.Time) error {
		p := &c.Payer
		if p.Frozen.IsZero() {
			return nil
		}
		if c.Password.Renew {
			return mianmi.Conflicts("password_unchanged", "the payer must set a new payment password first")
		}
		before := p.snapshot()
		p.Since, p.Frozen = p.latest(now), time.Time{}
		return s.record(c, now, recordInput{Actor: actor, Type: "payer.loss.lifted", Before: before, Basis: basis})
	})
}
