package pinfree

import (
	"slices"
	"strings"
	"time"
)

// Source is where a rule is written.
type Source struct {
	ID      string `json:"id,omitempty" yaml:"id"` // by which limits name it; needed where a pack has several
	Title   string `json:"title" yaml:"title"`
	URL     string `json:"url" yaml:"url"`
	Read    string `json:"read" yaml:"read"`       // date on which it was read
	Quality string `json:"quality" yaml:"quality"` // primary, primary_partial, secondary, vendor, code, unverified
}

// Cited returns the sources of those IDs, as a limit, an answer or a promise
// names them. One that names none is written in the pack's only source.
func (p *Pack) Cited(ids []string) []Source {
	if len(ids) == 0 {
		return slices.Clone(p.Sources)
	}
	return slices.DeleteFunc(slices.Clone(p.Sources), func(s Source) bool { return !slices.Contains(ids, s.ID) })
}

// RuleSources returns where the rule is written that Why.Rule names
// ("pack/limit", or "pack" alone); none when there is no such rule.
func (s *RuleSet) RuleSources(name string) []Source {
	id, limit, _ := strings.Cut(name, "/")
	for _, p := range s.Packs() {
		if p.ID != id {
			continue
		}
		if limit == "" {
			return p.Cited(nil)
		}
		for i := range p.Limits {
			if p.Limits[i].ID == limit {
				return p.Cited(p.Limits[i].Sources)
			}
		}
	}
	return nil
}

func (f *faults) sources(p *Pack) {
	if len(p.Sources) == 0 {
		f.add("sources", "are missing; every pack names where its rules are written")
	}
	for i, s := range p.Sources {
		path := at("", "sources", i)
		if s.ID != "" && (!isWord(s.ID) || slices.ContainsFunc(p.Sources[:i], func(o Source) bool { return o.ID == s.ID })) {
			f.add(path+".id", "%q is there twice, or not a name; write at most 64 of a-z, 0-9, _ and -", s.ID)
		}
		if s.Title == "" {
			f.add(path+".title", "is missing; write the title of the text")
		}
		if !strings.HasPrefix(s.URL, "http://") && !strings.HasPrefix(s.URL, "https://") {
			f.add(path+".url", "%q is not an address; write http:// or https:// and the rest", s.URL)
		}
		if _, err := time.Parse(time.DateOnly, s.Read); err != nil {
			f.add(path+".read", "%q is not a date; write the day on which it was read, like 2026-01-31", s.Read)
		}
		f.choose(path+".quality", s.Quality, qualities)
	}
}

// cites makes sure that one can tell where a limit, an answer or a promise is written.
func (f *faults) cites(path string, ids []string) {
	if len(ids) == 0 && len(f.pack.Sources) > 1 {
		f.add(path+".sources", "are missing; the pack has %d: write the id of those in which this stands", len(f.pack.Sources))
	}
	for i, id := range ids {
		if id == "" || !slices.ContainsFunc(f.pack.Sources, func(s Source) bool { return s.ID == id }) {
			f.add(at(path, "sources", i), "%q is not the id of one of the pack's sources", id)
		}
	}
}
