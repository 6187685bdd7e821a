package payer

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
)

// Close switches PIN-free payment off, in one step, and voids a reopening
// that waits and the one-off allowance. Nothing else changes: no other
// limit, agreement, method or standing. Once it has returned, no payment that
// is decided later passes PIN-free. A second call changes nothing. basis is
// for staff who act for the payer, and may be empty.
func (s *Service) Close(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, basis Basis) (Status, error) {
	if err := access.Allow(actor, access.PayerTighten, target(id)); err != nil {
		return Status{}, err
	}
	if err := basis.check(false); err != nil {
		return Status{}, err
	}
	return s.change(ctx, id, func(c *Change, now time.Time) error {
		p := &c.Payer
		if !p.Settings.PinFree && p.Pending == nil && p.Allowance == nil {
			return nil
		}
		before := p.snapshot()
		s.shut(p, now)
		return s.record(c, now, recordInput{Actor: actor, Type: "payer.pin_free.closed", Before: before, Basis: basis})
	})
}

// shut switches off and voids what waits; limits stay as they are in force.
func (s *Service) shut(p *Payer, now time.Time) {
	if p.Settings.PinFree {
		p.Settings.PinFree, p.Since = false, p.latest(now)
	}
	p.Pending, p.Allowance = nil, nil
}

// ReopenInput is what reopening needs besides the payer.
type ReopenInput struct {
	Password    string
	RiskVersion string // of the risk text that the payer has accepted
}

// Reopen switches PIN-free payment on again once the cooling-off is over. It
// needs the payment password and the current risk text. While a loss report
// stands it is a Conflict with the code "frozen". A reopening that waits
// already goes on waiting; a second call does not start it again.
func (s *Service) Reopen(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, in ReopenInput) (Status, error) {
	if err := access.Allow(actor, access.PayerLoosen, target(id)); err != nil {
		return Status{}, err
	}
	if err := accepts("risk_version", in.RiskVersion, s.cfg.Risk); err != nil {
		return Status{}, err
	}
	if err := s.Verify(ctx, id, in.Password); err != nil {
		return Status{}, err
	}
	return s.change(ctx, id, func(c *Change, now time.Time) error {
		p := &c.Payer
		if !p.Frozen.IsZero() {
			return errFrozen()
		}
		want := p.target()
		if want.PinFree {
			return nil
		}
		before := p.snapshot()
		want.PinFree = true
		s.loosen(p, want, now)
		return s.record(c, now, recordInput{Actor: actor, Type: "payer.pin_free.reopened", Before: before, Document: in.RiskVersion})
	})
}

func errFrozen() error {
	return mianmi.Conflicts("frozen", "a loss report stands: support must lift it first")
}

// target is what the settings will be when nothing waits any more.
func (p *Payer) target() Settings {
	if p.Pending != nil {
		return p.Pending.Settings
	}
	return p.Settings
}

// latest is now, or the newest time that the payer's row knows when the clock
// has gone back since: a cooling-off is never shorter for it.
func (p *Payer) latest(now time.Time) time.Time {
	for _, t := range []time.Time{p.CreatedAt, p.Since, p.Frozen} {
		if t.After(now) {
			now = t
		}
	}
	return now
}

// loosen makes the wanted settings wait for their cooling-off. What they
// tighten is in force at once; what waited already is not brought forward.
func (s *Service) loosen(p *Payer, want Settings, now time.Time) {
	from := p.latest(now)
	if s.cfg.CoolingOff == 0 {
		p.Settings, p.Pending, p.Since = want, nil, from
		return
	}
	at := from.Add(s.cfg.CoolingOff)
	if p.Pending != nil && p.Pending.At.After(at) {
		at = p.Pending.At
	}
	p.tighten(want, now)
	p.Pending = &Pending{Settings: want, At: at}
}

// tighten puts into force what the wanted settings tighten, and voids the
// allowance if that is anything.
func (p *Payer) tighten(want Settings, now time.Time) {
	tight := strictest(p.Settings, want)
	if !looser(p.Settings, tight) {
		return
	}
	p.Settings, p.Since, p.Allowance = tight, p.latest(now), nil
}
