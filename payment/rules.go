package payment

import (
	"context"

	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/settings"
)

// seen takes note of a snapshot that was read and returns its rules. Packs
// that cannot be compiled are told once each time that they changed: payments
// go on, and nothing goes without a PIN.
func (s *Service) seen(ctx context.Context, snap *settings.Snapshot) *pinfree.RuleSet {
	before := s.latest.Load()
	if before == snap {
		return s.rulesOf(snap)
	}
	if before == nil || before.Epoch() < snap.Epoch() {
		s.latest.CompareAndSwap(before, snap)
	}
	if fault := snap.RulePacks().Fault(); fault != nil && (before == nil || before.RulePacks() != snap.RulePacks()) {
		s.Log.ErrorContext(ctx, "the rule packs in force cannot be read, so nothing goes without a PIN: upgrade this program, or withdraw the pack",
			"error", fault)
	}
	return s.rulesOf(snap)
}

// rulesOf are the rules in force in the snapshot.
func (s *Service) rulesOf(snap *settings.Snapshot) *pinfree.RuleSet {
	if packs := snap.RulePacks(); packs.Known() {
		return packs.Rules()
	}
	return s.Rules
}

// RulesInForce are the rules that payments meet now; they may be nil.
func (s *Service) RulesInForce(ctx context.Context) (*pinfree.RuleSet, error) {
	snap, err := s.Books.Settings(ctx)
	if err != nil {
		return nil, err
	}
	return s.seen(ctx, snap), nil
}

// RulesSeen are the rules of the newest settings that this process has seen:
// for titles, not for decisions. They may be nil.
func (s *Service) RulesSeen(ctx context.Context) *pinfree.RuleSet {
	if snap := s.latest.Load(); snap != nil {
		return s.rulesOf(snap)
	}
	set, err := s.RulesInForce(ctx)
	if err != nil {
		return nil
	}
	return set
}

// FailuresMax is how many attempts to authenticate the rules in force let fail
// in a row; 0: they do not say.
func (s *Service) FailuresMax(ctx context.Context) (int64, error) {
	set, err := s.RulesInForce(ctx)
	return set.FailuresMax(), err
}
