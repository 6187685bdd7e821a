package help

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/mod/semver"

	"github.com/mianmi/mianmi"
)

const (
	// queryRunesMax is a long question; longer ones are no better found.
	queryRunesMax = 200
	// pageMax is the most that one page holds.
	pageMax = 200
)

// Query says which articles are asked for. Its zero value asks for all.
type Query struct {
	Words    string // in any language; empty: in their own order
	Kind     Kind
	Audience Audience
	Family   string // of the terminal; one that no article names excludes nothing
	Version  string // of its program; one that cannot be read excludes nothing
	Expired  bool   // with notices whose time is over
	After    string // ID of the last article of the page before
	Limit    int    // 0: 50
}

// terms is how much each token weighs in an article.
type terms map[string]int

// Where a token stands says how much it weighs.
const (
	inTitle    = 8
	inKeywords = 6
	inSummary  = 3
	inBody     = 1
)

// makeIndex weighs the tokens of each article, of both languages together: who
// writes 免密 PIN means both.
func (l *Library) makeIndex() {
	l.spread = map[string]int{}
	for i := range l.articles {
		t := terms{}
		for _, c := range []*Content{&l.articles[i].ZH, &l.articles[i].EN} {
			for _, part := range []struct {
				text   string
				weight int
			}{{c.Title, inTitle}, {strings.Join(c.Keywords, "\n"), inKeywords}, {c.Summary, inSummary}, {c.Plain, inBody}} {
				for _, token := range tokens(part.text) {
					t[token] = max(t[token], part.weight)
				}
			}
		}
		for token := range t {
			l.spread[token]++
		}
		l.index = append(l.index, t)
	}
}

// Search returns a page of articles, the best match first. Only notices that
// hold at now are among them, unless Expired asks for older ones; none before
// its time.
func (l *Library) Search(q Query, now time.Time) ([]Article, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	type hit struct{ at, score int }
	var hits []hit
	want := distinct(tokens(q.Words))
	for i := range l.articles {
		if !l.admits(&q, &l.articles[i], now) {
			continue
		}
		score := 0
		if q.Words != "" {
			if score = l.score(i, want); score == 0 {
				continue
			}
		}
		hits = append(hits, hit{i, score})
	}
	slices.SortStableFunc(hits, func(a, b hit) int { return cmp.Compare(b.score, a.score) })
	if q.After != "" {
		at := slices.IndexFunc(hits, func(h hit) bool { return l.articles[h.at].ID == q.After })
		if at < 0 {
			return nil, mianmi.InvalidField("after", "is no article of this search")
		}
		hits = hits[at+1:]
	}
	out := []Article{}
	for _, h := range hits[:min(len(hits), cmp.Or(q.Limit, 50))] {
		out = append(out, l.articles[h.at])
	}
	return out, nil
}

func (q *Query) check() error {
	switch {
	case !utf8.ValidString(q.Words) || utf8.RuneCountInString(q.Words) > queryRunesMax:
		return mianmi.InvalidField("q", "want at most 200 characters")
	case q.Kind != "" && !slices.Contains(kinds, q.Kind):
		return mianmi.InvalidField("kind", "want article, faq or notice")
	case q.Audience != "" && !slices.Contains(audiences, q.Audience):
		return mianmi.InvalidField("audience", "want payer, cashier, merchant or support")
	case q.Limit < 0 || q.Limit > pageMax:
		return mianmi.InvalidField("limit", "want 1 to 200")
	}
	return nil
}

// score is how well an article answers: half of what is asked for must be in it,
// and rare tokens count more. Whole numbers, so that it is the same everywhere.
func (l *Library) score(at int, want []string) int {
	score, met := 0, 0
	for _, token := range want {
		weight := l.index[at][token]
		if weight == 0 {
			continue
		}
		met++
		score += weight * bits.Len(uint(len(l.articles)/l.spread[token]))
	}
	if met*2 < len(want) {
		return 0
	}
	return score
}

func (l *Library) admits(q *Query, a *Article, now time.Time) bool {
	v := a.At(now)
	return (v == Valid || v == Expired && q.Expired) &&
		(q.Kind == "" || q.Kind == a.Kind) &&
		(q.Audience == "" || slices.Contains(a.Audience, q.Audience)) &&
		(q.Family == "" || !l.families[q.Family] || a.holdsFor(q.Family, q.Version))
}

func (f *Facts) holdsFor(family, version string) bool {
	if len(f.Models) == 0 {
		return true
	}
	version = "v" + strings.TrimPrefix(version, "v")
	return slices.ContainsFunc(f.Models, func(m Model) bool {
		if m.Family != family {
			return false
		}
		return !semver.IsValid(version) ||
			(m.From == "" || semver.Compare(version, "v"+m.From) >= 0) && (m.Before == "" || semver.Compare(version, "v"+m.Before) < 0)
	})
}

// distinct drops repeats and keeps the order.
func distinct(list []string) []string {
	var out []string
	for _, t := range list {
		if !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}
