package api

import (
	"context"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/pinfree"
)

// titleTable is the titles of one rule set, as Why.Rule names its rules.
type titleTable struct {
	set      *pinfree.RuleSet
	titles   map[string]mianmi.Text
	versions map[string]int64 // of packs
}

// ruleTitle is what people call the rule of a reason: by the rules in force,
// or by the version that made an old decision.
func (s *Server) ruleTitle(ctx context.Context, w *pinfree.Why) mianmi.Text {
	set := s.Payments.RulesSeen(ctx)
	t := s.titles.Load()
	if t == nil || t.set != set {
		t = newTitleTable(set)
		s.titles.Store(t)
	}
	title, ok := t.titles[w.Rule]
	if ok && (w.Version == 0 || w.Version == t.versions[packOf(w.Rule)]) {
		return title
	}
	if old := s.Rules.Title(ctx, w.Rule, w.Version); old != (mianmi.Text{}) {
		return old
	}
	return title
}

func newTitleTable(set *pinfree.RuleSet) *titleTable {
	t := &titleTable{set: set, titles: map[string]mianmi.Text{}, versions: map[string]int64{}}
	for _, p := range set.Packs() {
		t.titles[p.ID], t.versions[p.ID] = p.Title, p.Version
		for i := range p.Limits {
			t.titles[p.ID+"/"+p.Limits[i].ID] = p.Limits[i].Title
		}
	}
	return t
}

// packOf is the pack of a rule's name.
func packOf(rule string) string {
	for i := range len(rule) {
		if rule[i] == '/' {
			return rule[:i]
		}
	}
	return rule
}
