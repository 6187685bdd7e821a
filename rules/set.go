package rules

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/pinfree/packs"
)

// Set is the packs in force, compiled. It never changes and may be shared. The
// zero Set, and a nil one, is of a database that has never held a pack.
type Set struct {
	live     map[rowKey]entry
	known    bool
	compiled *pinfree.RuleSet
	fault    error
}

// rowKey is what no two rows have in common: a pack may be live by one change
// and over by another.
type rowKey struct {
	change mianmi.RuleChangeID
	id     string
}

// entry is a live pack, read.
type entry struct {
	row    Pack
	parsed pinfree.Pack
	fault  error
}

// With returns the set after rows of packs that have been in force, each as it
// is now. s stays as it is. Applying a row again changes nothing, and rows may
// come in any order.
//
// Rows that cannot be compiled (a newer program may have written them) close
// the set: it keeps to every rule that can be read, and permits nothing. Fault
// says why.
func (s *Set) With(rows []Pack) *Set {
	if s == nil {
		s = new(Set)
	}
	if len(rows) == 0 {
		return s
	}
	next := &Set{live: maps.Clone(s.live), known: true}
	if next.live == nil {
		next.live = map[rowKey]entry{}
	}
	for i := range rows {
		key := rowKey{rows[i].Change, rows[i].ID}
		if !rows[i].Live() {
			delete(next.live, key)
			continue
		}
		e := entry{row: rows[i]}
		e.parsed, e.fault = read(&rows[i])
		next.live[key] = e
	}
	next.compile(s.compiled)
	return next
}

// read parses the text of a row.
func read(p *Pack) (pinfree.Pack, error) {
	parsed, err := packs.Parse(fmt.Sprintf("database/%s@%d", p.ID, p.Version), []byte(p.YAML))
	if err == nil && (parsed.ID != p.ID || parsed.Version != p.Version) {
		err = fmt.Errorf("database/%s@%d: the text is that of %s@%d", p.ID, p.Version, parsed.ID, parsed.Version)
	}
	return parsed, err
}

func (s *Set) compile(before *pinfree.RuleSet) {
	var list []pinfree.Pack
	var faults []error
	for _, e := range s.entries() {
		if faults = append(faults, e.fault); e.fault == nil {
			list = append(list, e.parsed)
		}
	}
	if s.fault = errors.Join(faults...); s.fault == nil {
		s.compiled, s.fault = pinfree.Compile(list)
	}
	if s.fault != nil {
		s.compiled = closed(list, before)
	}
}

// entries are the live packs in order of their ID.
func (s *Set) entries() []entry {
	if s == nil {
		return nil
	}
	return slices.SortedFunc(maps.Values(s.live), func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.row.ID, b.row.ID), cmp.Compare(a.row.Change, b.row.Change))
	})
}

// closing is the pack that asks for authentication at every payment while the
// packs in force cannot be read.
var closing = pinfree.Pack{ID: "packs-unreadable", Version: 1, Edition: "1", Layer: "regulation",
	Title:   mianmi.Text{ZH: "规则包无法读取", EN: "The rule packs cannot be read"},
	Sources: []pinfree.Source{{Title: "mianmi, docs/adr/0006", URL: "https://github.com/mianmi/mianmi", Read: "2026-01-01", Quality: "code"}},
	Limits: []pinfree.Limit{{ID: "all", Always: true, Above: "step_up",
		Title: mianmi.Text{ZH: "启用中的规则包有一部分无法读取，暂停一切免密", EN: "Some of the rule packs in force cannot be read, so nothing goes without a PIN"}}}}

// closed is the strictest that can be had: the packs that can be read, with
// those that were in force before in place of the others, and closing. Their
// limits may refuse, and their counters go on.
func closed(readable []pinfree.Pack, before *pinfree.RuleSet) *pinfree.RuleSet {
	list := slices.Clone(readable)
	for _, p := range before.Packs() {
		if !slices.ContainsFunc(list, func(o pinfree.Pack) bool { return o.ID == p.ID }) {
			list = append(list, p)
		}
	}
	list = slices.DeleteFunc(list, func(p pinfree.Pack) bool {
		_, err := pinfree.Compile([]pinfree.Pack{p})
		return err != nil || p.ID == closing.ID
	})
	for _, try := range [][]pinfree.Pack{append(list, closing), append(before.Packs(), closing), {closing}} {
		if set, err := pinfree.Compile(try); err == nil {
			return set
		}
	}
	return nil // no rules: nothing is PIN-free
}

// Known reports whether the database has ever held a pack.
func (s *Set) Known() bool { return s != nil && s.known }

// Rules are the compiled packs; nil when the database has never held one.
func (s *Set) Rules() *pinfree.RuleSet {
	if s == nil {
		return nil
	}
	return s.compiled
}

// Fault says why the packs in force cannot be compiled, each fault with pack,
// version, line and field; nil: they are.
func (s *Set) Fault() error {
	if s == nil {
		return nil
	}
	return s.fault
}

// Packs are the live packs in order of their ID.
func (s *Set) Packs() []Pack {
	var out []Pack
	for _, e := range s.entries() {
		out = append(out, e.row)
	}
	return out
}

// SetDigest is what a set of packs in force is known by: a hash of their
// identifiers, versions and texts, in any order.
func SetDigest(live []Pack) string {
	lines := make([]string, 0, len(live))
	for i := range live {
		lines = append(lines, fmt.Sprintf("%s %d %s\n", live[i].ID, live[i].Version, live[i].Digest))
	}
	slices.Sort(lines)
	h := sha256.New()
	for _, l := range lines {
		h.Write([]byte(l))
	}
	return hex.EncodeToString(h.Sum(nil))
}
