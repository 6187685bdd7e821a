package settings

import (
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/rollout"
)

// policy is what is set by the rules for the site: while a loosening is rolled
// out, the former policy where it has not come. Nothing else may read
// rules.policy to decide by.
func (s *Site) policy(r *rules) *merchant.Policy {
	if r.policy == nil || r.policy.Rollout == nil {
		return r.policy
	}
	p := r.policy.For(rollout.Place{Terminal: s.Terminal.ID, Store: s.Store.ID, Model: s.Model.ID})
	if p.Version == 0 && p.Terms.Equal(merchant.DefaultTerms(p.Scope.Level)) { // nobody had set one
		return nil
	}
	return p
}

// level is what one level says to the site.
func (s *Site) level(kind pinfree.LayerKind, closed pinfree.Reason, id string, r *rules) level {
	return level{kind: kind, closed: closed, id: id, rules: r, policy: s.policy(r)}
}

// accepts reports whether a level takes the method.
func (s *Site) accepts(r *rules, m pinfree.Method) bool {
	p := s.policy(r)
	return p == nil || p.Terms.Methods == nil || p.Terms.Methods.Has(m)
}
