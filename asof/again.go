package asof

import (
	"context"
	"slices"
	"strings"

	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
)

// Verdict says how a decision made again compares with the recorded one.
type Verdict uint8

const (
	// Different: the settings that the log tells do not lead to what was recorded.
	Different Verdict = iota
	// Same: they lead to the same outcome with the same reasons.
	Same
	// SameButCounters: all reasons that rest on settings are the same; others
	// rest on what the payer had spent before, which is no setting.
	SameButCounters
	// RulesUntold: no rule pack was in force in the log, so the rules were those
	// of the program and cannot be rebuilt.
	RulesUntold
)

// String is the verdict's name in the API.
func (v Verdict) String() string {
	return [...]string{"different", "same", "same_but_counters", "rules_untold"}[v]
}

// Again is the decision that the rebuilt settings lead to.
type Again struct {
	Verdict  Verdict
	Decision pinfree.Decision // with counters at zero
	Counters []pinfree.Why    // recorded reasons that rest on counters
	Missing  []pinfree.Why    // recorded, and not found again
	Added    []pinfree.Why    // found, and not recorded
}

// again decides with what was rebuilt and compares with what was recorded.
func (s *Service) again(ctx context.Context, m moment, g payment.Again, rules bool) (*Again, error) {
	if !rules {
		return &Again{Verdict: RulesUntold}, nil
	}
	d := &g.Decided
	if w := g.Payer.Allowance; w != nil && !usedAllowance(d.Reasons) {
		spent, err := s.spent(ctx, m, d, w)
		if err != nil {
			return nil, err
		}
		if spent {
			g.Payer.Allowance = nil
		}
	}
	out := compare(pinfree.Decision{Outcome: d.Outcome, Reasons: d.Reasons}, g.Decide(), g.Rules)
	if g.Rules.Version() != d.Rules {
		out.Verdict = Different
	}
	return out, nil
}

// compare holds a decision with zero counters against the recorded one.
func compare(recorded, found pinfree.Decision, rules *pinfree.RuleSet) *Again {
	out := &Again{Decision: found}
	if recorded.Outcome == found.Outcome && slices.Equal(recorded.Reasons, found.Reasons) {
		out.Verdict = Same
		return out
	}
	rest, counted := settled(recorded, rules)
	again, room := settled(found, rules)
	out.Counters = counted
	out.Missing, out.Added = without(rest, again), without(again, rest)
	// Counters only ever restrict: with them at zero no payment is decided more
	// strictly, and the payer's allowance is not called for.
	looser := found.Outcome >= recorded.Outcome || usedAllowance(recorded.Reasons) && found.Outcome == pinfree.PinFree
	if len(out.Missing) == 0 && len(out.Added) == 0 && looser && (len(counted) > 0 || len(room) > 0 || usedAllowance(recorded.Reasons)) {
		out.Verdict = SameButCounters
	}
	return out
}

// settled parts the reasons of a decision that rest on settings alone from
// those that counters have a part in. What only says how it ended (nothing
// stands against it, nobody can ask) is neither: it follows from the others.
func settled(d pinfree.Decision, rules *pinfree.RuleSet) (rest, counted []pinfree.Why) {
	for _, w := range d.Reasons {
		switch {
		case counts(&w, rules):
			counted = append(counted, w)
		case w.Reason == pinfree.NoStepUpPossible, w.Reason == pinfree.WithinLimits, w.Reason == pinfree.OneOffAllowance:
		default:
			rest = append(rest, w)
		}
	}
	return rest, counted
}

// counts reports whether a counter has a part in the reason.
func counts(w *pinfree.Why, rules *pinfree.RuleSet) bool {
	switch w.Reason {
	case pinfree.RuleCumulativeLimit, pinfree.RuleCountLimit, pinfree.OwnDayAmountLimit, pinfree.OwnDayCountLimit:
		return true
	case pinfree.RuleRefuses, pinfree.LayerUnknown, pinfree.WithinLimits:
		return counted(w.Rule, rules)
	}
	return false
}

// counted reports whether the limit "pack/limit" has a counter.
func counted(name string, rules *pinfree.RuleSet) bool {
	pack, limit, _ := strings.Cut(name, "/")
	for _, p := range rules.Packs() {
		if p.ID != pack {
			continue
		}
		for i := range p.Limits {
			if p.Limits[i].ID == limit {
				return p.Limits[i].Counter != ""
			}
		}
	}
	return false
}

// without are the elements of a that are not in b.
func without(a, b []pinfree.Why) []pinfree.Why {
	var out []pinfree.Why
	for _, w := range a {
		if !slices.Contains(b, w) {
			out = append(out, w)
		}
	}
	return out
}
