// Package help holds the help articles: guides, questions with their answers,
// and notices, in Chinese and English, by family of terminals and version. Those
// that are shipped stand in articles/, and an operator adds its own from a folder.
//
// It reads, checks, renders and finds articles, all in memory: there are some
// hundreds at most. Who may ask and how pages look is left to api and web.
package help

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payer"
)

const (
	// articlesMax is far more than anybody reads, and keeps a search, which
	// looks at all of them, below a few milliseconds.
	articlesMax = 1000
	// fileMax is some twenty printed pages.
	fileMax = 64 << 10
)

// Kind is what sort of text an article is.
type Kind string

// The kinds.
const (
	Guide  Kind = "article" // how something is done
	FAQ    Kind = "faq"     // a question and its answer
	Notice Kind = "notice"  // news that hold for some days
)

// Audience is who an article is written for.
type Audience string

// Who reads articles.
const (
	Payer    Audience = "payer"
	Cashier  Audience = "cashier"
	Merchant Audience = "merchant"
	Support  Audience = "support"
)

var (
	kinds     = []Kind{Guide, FAQ, Notice}
	audiences = []Audience{Payer, Cashier, Merchant, Support}
)

// Article is one article in both languages.
type Article struct {
	Facts
	ID string
	ZH Content
	EN Content
}

// In returns what the article says in a language.
func (a *Article) In(l mianmi.Lang) *Content {
	if l == mianmi.EN {
		return &a.EN
	}
	return &a.ZH
}

// Content is an article in one language.
type Content struct {
	Title, Summary string
	Keywords       []string // words that people use for it, synonyms among them
	Markdown       string
	HTML           string // safe to stand in a page: made here, of Markdown without HTML
	Plain          string
}

// Facts are what holds for an article in every language.
type Facts struct {
	Kind     Kind       `yaml:"kind"`
	Audience []Audience `yaml:"audience"`
	// Models are the families of terminals that it holds for; none: for all.
	Models   []Model  `yaml:"models"`
	Order    int      `yaml:"order"` // place among those that match equally well; lower is first
	Related  []string `yaml:"related"`
	Reviewed string   `yaml:"reviewed"` // the day on which somebody last held it against the product
	// ValidFrom and ValidUntil are the first and the last day of a notice, by
	// the payer's clock ("2026-12-01"). Only notices have them.
	ValidFrom  string `yaml:"valid_from"`
	ValidUntil string `yaml:"valid_until"`
}

// Model is a family of terminals, and versions of the program there.
type Model struct {
	Family string `yaml:"family"`
	From   string `yaml:"from"`   // the first version that it holds for; "": any
	Before string `yaml:"before"` // the first one that it holds for no more; "": none
}

// Validity is how an article stands on a day.
type Validity uint8

// The validities. The zero one is not served.
const (
	Upcoming Validity = iota
	Expired
	Valid
)

// At says how the article stands at a moment.
func (f *Facts) At(now time.Time) Validity {
	day, _ := payer.Day(now)
	switch {
	case f.Kind != Notice:
		return Valid
	case day < f.ValidFrom:
		return Upcoming
	case day > f.ValidUntil:
		return Expired
	}
	return Valid
}

// Library is all articles. It does not change, and may be used concurrently.
type Library struct {
	articles []Article // by Order, then ID
	families map[string]bool
	index    []terms // of articles, in the same order
	spread   map[string]int
}

//go:embed articles/*.md
var shipped embed.FS

// New returns the articles that are shipped, with those of own, an operator's
// folder, added; nil adds none. An article of own takes the place of a shipped
// one with the same identifier. One fault, and nothing is loaded: the error names
// the file and the field.
func New(own fs.FS) (*Library, error) {
	ours, err := fs.Sub(shipped, "articles")
	if err != nil {
		return nil, err
	}
	found, err := read(ours)
	if err != nil {
		return nil, err
	}
	if own != nil {
		theirs, err := read(own)
		if err != nil {
			return nil, err
		}
		for id, a := range theirs {
			found[id] = a
		}
	}
	return build(found)
}

// build checks what joins articles, and makes them searchable.
func build(found map[string]*Article) (*Library, error) {
	l := &Library{families: map[string]bool{}}
	var faults []error
	for id, a := range found {
		for _, r := range a.Related {
			if r == id || found[r] == nil {
				faults = append(faults, fmt.Errorf("%s.zh.md: related: %q is no other article", id, r))
			}
		}
		for lang, c := range map[string]*Content{"zh": &a.ZH, "en": &a.EN} {
			html, plain, links, err := render(c.Markdown, lang)
			if err != nil {
				faults = append(faults, fmt.Errorf("%s.%s.md: body: %w", id, lang, err))
			}
			for _, to := range links {
				if found[to] == nil {
					faults = append(faults, fmt.Errorf("%s.%s.md: body: the link to %q leads nowhere", id, lang, to))
				}
			}
			c.HTML, c.Plain = html, plain
		}
		l.articles = append(l.articles, *a)
		for _, m := range a.Models {
			l.families[m.Family] = true
		}
	}
	if len(faults) > 0 { // sorted: a map is in no order
		slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
		return nil, errors.Join(faults...)
	}
	slices.SortFunc(l.articles, func(a, b Article) int {
		return cmp.Or(cmp.Compare(a.Order, b.Order), strings.Compare(a.ID, b.ID))
	})
	l.makeIndex()
	return l, nil
}

// read reads every article of a folder. What is not called *.md is none of ours.
func read(dir fs.FS) (map[string]*Article, error) {
	entries, err := fs.ReadDir(dir, ".")
	if err != nil {
		return nil, err
	}
	found, facts := map[string]*Article{}, map[string]Facts{}
	var faults []error
	for _, e := range entries {
		if e.IsDir() || path.Ext(e.Name()) != ".md" {
			continue
		}
		id, lang, err := nameOf(e.Name())
		if err != nil {
			faults = append(faults, err)
			continue
		}
		c, f, err := readFile(dir, e.Name())
		if err != nil {
			faults = append(faults, err)
			continue
		}
		a := found[id]
		if a == nil {
			if len(found) == articlesMax {
				return nil, fmt.Errorf("more than %d articles", articlesMax)
			}
			a = &Article{ID: id, Facts: f}
			found[id] = a
		}
		facts[e.Name()] = f
		*a.In(lang) = c
	}
	for id, a := range found {
		faults = append(faults, a.pair(id, facts)...)
	}
	if len(faults) > 0 {
		slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
		return nil, errors.Join(faults...)
	}
	return found, nil
}

// Article returns the article, unless it is a notice whose time has yet to come.
func (l *Library) Article(id string, now time.Time) (*Article, error) {
	i := slices.IndexFunc(l.articles, func(a Article) bool { return a.ID == id })
	if i < 0 || l.articles[i].At(now) == Upcoming {
		return nil, &mianmi.Error{Kind: mianmi.NotFound, Msg: "there is no such help article"}
	}
	return &l.articles[i], nil
}
