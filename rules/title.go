package rules

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/pinfree"
)

// Title returns the title of a rule by the name and the version of the pack
// that an old decision carries, among all packs that have ever been in force:
// that of the version, or else the newest. It is empty when there is none, and
// when the store cannot be asked: a payment is shown all the same.
func (s *Service) Title(ctx context.Context, rule string, version int64) mianmi.Text {
	key := titleKey{rule, version}
	s.titles.mu.Lock()
	text, known := s.titles.known[key]
	s.titles.mu.Unlock()
	if known {
		return text
	}
	pack, _, _ := strings.Cut(rule, "/")
	list, err := s.Records.RuleVersions(ctx, pack)
	if err != nil {
		return mianmi.Text{}
	}
	// The version asked for first, and then from the newest.
	slices.SortStableFunc(list, func(a, b Pack) int {
		return cmp.Compare(btoi(b.Version == version), btoi(a.Version == version))
	})
	for i := range list {
		if list[i].Withdraws {
			continue
		}
		if p, err := read(&list[i]); err == nil && text == (mianmi.Text{}) {
			text = TitleIn(&p, rule)
		}
	}
	s.titles.mu.Lock()
	defer s.titles.mu.Unlock()
	if len(s.titles.known) >= titlesMax || s.titles.known == nil {
		s.titles.known = map[titleKey]mianmi.Text{}
	}
	s.titles.known[key] = text
	return text
}

// TitleIn is the title of a rule ("pack/limit", or "pack" alone) in its pack;
// empty when the pack has no such limit.
func TitleIn(p *pinfree.Pack, rule string) mianmi.Text {
	_, limit, ofLimit := strings.Cut(rule, "/")
	if !ofLimit {
		return p.Title
	}
	for i := range p.Limits {
		if p.Limits[i].ID == limit {
			return p.Limits[i].Title
		}
	}
	return mianmi.Text{}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
