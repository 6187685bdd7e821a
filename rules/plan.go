package rules

import (
	"errors"
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/pinfree/packs"
)

// Text is a pack as somebody brings it.
type Text struct {
	Name   string // of the file or field, for errors
	YAML   string
	Source Source
}

// Order is what somebody wants of the packs in force: packs to come into
// force, each in place of the version that is, and packs to go. It is done as
// a whole or not at all.
type Order struct {
	Put      []Text
	Withdraw []string // identifiers of packs
	Note     string   // for those who decide, up to 500 characters
}

const (
	// partsMax bounds an order: all packs of a large installation at once.
	partsMax = 200
	noteMax  = 500
)

func (o *Order) validate() error {
	switch n := len(o.Put) + len(o.Withdraw); {
	case n == 0:
		return mianmi.InvalidField("packs", "name a pack to put in force or to withdraw")
	case n > partsMax:
		return mianmi.InvalidField("packs", fmt.Sprintf("%d packs at once; at most %d", n, partsMax))
	case !utf8.ValidString(o.Note) || utf8.RuneCountInString(o.Note) > noteMax:
		return mianmi.InvalidField("note", fmt.Sprintf("want up to %d characters", noteMax))
	}
	for _, r := range o.Note {
		if !unicode.IsPrint(r) && r != '\n' {
			return mianmi.InvalidField("note", "want printable characters")
		}
	}
	return nil
}

// candidate is a text that was read.
type candidate struct {
	text   Text
	parsed pinfree.Pack
}

// readTexts parses texts; the error lists the faults of all of them.
func readTexts(texts []Text) ([]candidate, error) {
	var out []candidate
	var faults []error
	for _, t := range texts {
		p, err := packs.Parse(t.Name, []byte(t.YAML))
		if err == nil && p.ID == "" {
			err = mianmi.InvalidField(t.Name+": id", "is missing; every pack has one")
		}
		if err == nil && slices.ContainsFunc(out, func(c candidate) bool { return c.parsed.ID == p.ID }) {
			err = mianmi.InvalidField(t.Name+": id", p.ID+" is there twice; leave one out or rename it")
		}
		faults = append(faults, err)
		out = append(out, candidate{t, p})
	}
	return out, errors.Join(faults...)
}

// state is the packs in force as a plan starts from them.
type state struct {
	live     []entry
	versions func(pack string) ([]Pack, error)
}

func stateOf(live []Pack, versions func(string) ([]Pack, error)) *state {
	s := &state{versions: versions}
	for i := range live {
		e := entry{row: live[i]}
		e.parsed, e.fault = read(&live[i])
		s.live = append(s.live, e)
	}
	return s
}

func (s *state) find(id string) *entry {
	for i := range s.live {
		if s.live[i].row.ID == id {
			return &s.live[i]
		}
	}
	return nil
}

// plan is what an order would do.
type plan struct {
	parts         []Pack
	before, after []pinfree.Pack
	comparison    Comparison
}

// plan checks an order against the packs in force and compares. The error of
// packs that cannot be compiled together lists every fault.
func (s *state) plan(put []candidate, withdraw []string) (*plan, error) {
	p := &plan{}
	for _, c := range put {
		part, err := s.put(c)
		if err != nil {
			return nil, err
		}
		if part != nil {
			p.parts = append(p.parts, *part)
		}
	}
	for i, id := range withdraw {
		e := s.find(id)
		switch {
		case slices.Contains(withdraw[:i], id) || slices.ContainsFunc(put, func(c candidate) bool { return c.parsed.ID == id }):
			return nil, mianmi.InvalidField("withdraw", id+" is named twice")
		case e == nil:
			return nil, &mianmi.Error{Kind: mianmi.NotFound, Field: "withdraw", Msg: "no rule pack " + id + " is in force"}
		}
		p.parts = append(p.parts, Pack{ID: id, Version: e.row.Version, Withdraws: true, Source: API, Digest: e.row.Digest})
	}
	if len(p.parts) == 0 {
		return nil, mianmi.Conflicts("rules_unchanged", "these packs are in force already")
	}
	return p, s.weigh(p, put)
}

// put is the part that a pack makes; nil when it is in force as it is.
func (s *state) put(c candidate) (*Pack, error) {
	part := &Pack{ID: c.parsed.ID, Version: c.parsed.Version, YAML: c.text.YAML, Digest: digestOf(c.text.YAML), Source: c.text.Source}
	e := s.find(c.parsed.ID)
	if e != nil && (e.row.Digest == part.Digest || e.fault == nil && sameJSON(e.parsed, c.parsed)) {
		return nil, nil
	}
	field := c.text.Name + ": version"
	if e != nil && c.parsed.Version < e.row.Version {
		return nil, &mianmi.Error{Kind: mianmi.Conflict, Code: "pack_version_old", Field: field,
			Msg: fmt.Sprintf("version %d of %s is in force; a pack that takes its place has a greater one than %d", e.row.Version, part.ID, c.parsed.Version)}
	}
	known, err := s.versions(part.ID)
	if err != nil {
		return nil, err
	}
	newest := int64(0)
	for i := range known {
		if k := &known[i]; !k.Withdraws {
			if newest = max(newest, k.Version); k.Version == part.Version && sameText(k, &c) {
				return part, nil // it comes back as it was
			}
		}
	}
	if part.Version <= newest {
		return nil, &mianmi.Error{Kind: mianmi.Conflict, Code: "pack_version_taken", Field: field,
			Msg: fmt.Sprintf("%s has been in force up to version %d, with other texts; a new text has a greater version", part.ID, newest)}
	}
	return part, nil
}

// sameText reports whether a pack that has been in force says the same.
func sameText(k *Pack, c *candidate) bool {
	if k.Digest == digestOf(c.text.YAML) {
		return true
	}
	p, err := read(k)
	return err == nil && sameJSON(p, c.parsed)
}

// weigh fills in the packs before and after, and compares them.
func (s *state) weigh(p *plan, put []candidate) error {
	var unread []Obstacle
	for _, e := range s.live {
		touched := slices.ContainsFunc(p.parts, func(x Pack) bool { return x.ID == e.row.ID })
		switch {
		case e.fault != nil && touched:
			unread = append(unread, Obstacle{e.row.ID, "", mianmi.Text{ZH: "启用中的版本无法读取，无从比较", EN: "the version in force cannot be read, so nothing can be compared with it"}})
			continue
		case e.fault != nil:
			return &mianmi.Error{Kind: mianmi.Conflict, Code: "rules_unreadable", Err: e.fault,
				Msg: "pack " + e.row.ID + " in force cannot be read by this program: upgrade it, or withdraw that pack"}
		}
		p.before = append(p.before, e.parsed)
		if !touched {
			p.after = append(p.after, e.parsed)
		}
	}
	for _, c := range put {
		if slices.ContainsFunc(p.parts, func(x Pack) bool { return x.ID == c.parsed.ID && !x.Withdraws }) {
			p.after = append(p.after, c.parsed)
		}
	}
	if _, err := pinfree.Compile(p.after); err != nil {
		return err
	}
	p.comparison = Compare(p.before, p.after)
	p.comparison.Obstacles = append(unread, p.comparison.Obstacles...)
	p.comparison.Tightening = len(p.comparison.Obstacles) == 0
	return nil
}
