package asof

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payment"
)

// SiteAt is a terminal at a settings epoch, for tests.
func (s *Service) SiteAt(ctx context.Context, epoch int64, now time.Time, id mianmi.TerminalID, channel string) (*Site, error) {
	return s.site(ctx, moment{number: epoch, now: now}, id, channel)
}

// PayerAt is a payer at a version, for tests.
func (s *Service) PayerAt(ctx context.Context, version int64, id mianmi.PayerID) (*Payer, error) {
	return s.payer(ctx, moment{number: version}, id, func(*Payer) bool { return false })
}

// CallerAt is a caller at a settings epoch, for tests.
func (s *Service) CallerAt(ctx context.Context, epoch int64, actor string) (*Caller, error) {
	return s.caller(ctx, moment{number: epoch}, actor)
}

// KindsKnown are the types that are known, for tests.
func KindsKnown() map[string]bool {
	out := map[string]bool{}
	for kind := range facets {
		out[kind] = true
	}
	return out
}

// DecidedOtherwise compares a payment's decision with what it would have been
// by a record that says something else, for tests.
func (s *Service) DecidedOtherwise(ctx context.Context, id mianmi.PaymentID, by func(*payment.Decided)) (Verdict, error) {
	told, err := s.record(ctx, id)
	if err != nil || told.Value.Payer == "" {
		return Same, err
	}
	by(&told.Value)
	a := &Answer{Decided: &told}
	if a.Site, err = s.site(ctx, moment{number: told.Value.Epoch, now: told.Value.At}, told.Value.Terminal, "wallet"); err != nil {
		return Same, err
	}
	if err := s.decided(ctx, a); err != nil {
		return Same, err
	}
	return a.Again.Verdict, nil
}
