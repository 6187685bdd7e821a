package pinfree

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // a pack's zone must mean the same on every machine

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
)

// RuleSet is compiled packs. It never changes and may be shared. A nil RuleSet
// has no packs: nothing is PIN-free.
type RuleSet struct {
	packs    []Pack
	rules    []rules
	counters []counter
	zones    []*time.Location // the first is that of the own day
	version  string
}

// rules is a compiled Pack.
type rules struct {
	id        string
	version   int64
	layer     LayerKind
	permits   bool
	unlimited bool
	from, to  int64 // Unix milliseconds; from is included, to is not
	when      matcher
	limits    []rule
	attempt   attempts
}

// rule is a compiled Limit.
type rule struct {
	name     string // "pack/limit"
	narrowed bool   // when says which payments are meant; else all are
	when     matcher
	counter  int // index into RuleSet.counters; -1: this payment alone
	always   bool
	refuse   bool
	previous bool // the amount is that of the payments before this one
	amount   Bound
	number   Bound // this payment included
	figured  bool  // the amount's bound is figure; amount says with which operator
	figure   Figure
	currency money.Currency
}

// bucket is whom a counter belongs to.
type bucket uint8

const (
	perPayer bucket = iota
	perInstrument
	perFunding
	perAccount
)

// reset is a set of what empties a counter.
type reset uint8

const (
	resetCalendarDay reset = 1 << iota
	resetSCANonRemote
	resetSCAAny
	resetSCAOutOfBand
	resetTopUp
)

// counter is a compiled Counter.
type counter struct {
	key    string // "pack/counter"
	bucket bucket
	all    bool // authenticated payments count as well
	resets reset
	zone   int // index into RuleSet.zones
	when   matcher
}

const (
	// countersMax bounds the counters of a rule set, and with maxEntries the
	// text in a payer's row: three times what forty packs need.
	countersMax = 120
	// payerCountersMax keeps room in a payer's text for counters per card.
	payerCountersMax = 40
	// limitsMax bounds the limits of a rule set and with them the time of a
	// decision: ten times what forty packs need.
	limitsMax = 1500
	// conditionsMax does so for conditions, those of exceptions among them, and
	// listMax for the words of each.
	conditionsMax = 3000
	listMax       = 1000
	// zonesMax bounds the zones of a rule set; there are fewer jurisdictions.
	zonesMax = 32
	// faultsMax bounds what one error lists.
	faultsMax = 50
	// ownZone is the zone of the payer's day unless OwnZone says otherwise.
	ownZone = "Asia/Shanghai"
)

// Option changes how packs are compiled.
type Option func(*options)

type options struct{ zone string }

// OwnZone sets the zone of the payer's own day (day limits, quiet hours); an
// IANA name. The default is Asia/Shanghai.
func OwnZone(name string) Option { return func(o *options) { o.zone = name } }

// Compile checks packs and makes them ready for Decide. The order of the packs
// does not matter. The error lists every fault found, each an Invalid error
// whose Field says file, line and field path.
func Compile(packs []Pack, opts ...Option) (*RuleSet, error) {
	o := options{zone: ownZone}
	for _, set := range opts {
		set(&o)
	}
	s := &RuleSet{packs: slices.Clone(packs)}
	f := &faults{}
	if s.zone(o.zone) < 0 {
		f.add("zone", "%q is not a time zone; write an IANA name like Asia/Shanghai", o.zone)
	}
	slices.SortStableFunc(s.packs, func(a, b Pack) int { return cmp.Compare(a.ID, b.ID) })
	for i := range s.packs {
		f.pack = &s.packs[i]
		if i > 0 && f.pack.ID == s.packs[i-1].ID {
			f.add("id", "%s is there twice; leave one out or rename it", f.pack.ID)
		}
		s.rules = append(s.rules, f.compilePack(s))
	}
	f.pack = nil
	perPayers, limits := 0, 0
	for i := range s.packs {
		limits += len(s.packs[i].Limits)
	}
	for i := range s.counters {
		if s.counters[i].bucket == perPayer {
			perPayers++
		}
	}
	if len(s.counters) > countersMax || perPayers > payerCountersMax {
		f.add("packs", "%d counters, %d of them per payer; at most %d and %d can be kept: put fewer packs in force",
			len(s.counters), perPayers, countersMax, payerCountersMax)
	}
	if limits > limitsMax {
		f.add("packs", "%d limits; at most %d can be asked at each payment: put fewer packs in force", limits, limitsMax)
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	s.version = versionOf(s.packs, o)
	return s, nil
}

// versionOf is a short hash of what the packs say, whatever file they are in.
func versionOf(packs []Pack, o options) string {
	b, err := json.Marshal(struct {
		Zone  string
		Packs []Pack
	}{o.zone, packs})
	if err != nil { // text and numbers only: cannot happen
		panic(fmt.Sprintf("encode packs: %v", err))
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:6])
}

// Version is a short stable hash of all packs in force, for the record.
func (s *RuleSet) Version() string {
	if s == nil {
		return ""
	}
	return s.version
}

// Packs lists the packs, in order of their ID.
func (s *RuleSet) Packs() []Pack {
	if s == nil {
		return nil
	}
	return slices.Clone(s.packs)
}

// Counters is the number of counters, the length that Input.Counts must have.
func (s *RuleSet) Counters() int {
	if s == nil {
		return 0
	}
	return len(s.counters)
}

// RuleTitle returns the title of a rule by the name in Why.Rule ("pack/limit",
// or "pack" alone). It is empty when there is no such rule.
func (s *RuleSet) RuleTitle(name string) mianmi.Text {
	id, limit, _ := strings.Cut(name, "/")
	for _, p := range s.Packs() {
		if p.ID != id {
			continue
		}
		if limit == "" {
			return p.Title
		}
		for i := range p.Limits {
			if p.Limits[i].ID == limit {
				return p.Limits[i].Title
			}
		}
	}
	return mianmi.Text{}
}

// zone returns the index of a zone, adding it; -1 when there is no such zone.
func (s *RuleSet) zone(name string) int {
	for i, z := range s.zones {
		if z.String() == name {
			return i
		}
	}
	loc, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" || len(s.zones) == zonesMax {
		return -1
	}
	s.zones = append(s.zones, loc)
	return len(s.zones) - 1
}

// faults collects what is wrong with packs.
type faults struct {
	pack       *Pack
	list       []error
	conditions int // that were compiled
}

func (f *faults) add(path, format string, args ...any) {
	where := path
	if p := f.pack; p != nil {
		file := cmp.Or(p.Origin.File, "pack "+p.ID)
		if line := p.Origin.line(path); line > 0 {
			file += ":" + strconv.Itoa(line)
		}
		where = file + ": " + path
	}
	if len(f.list) < faultsMax {
		f.list = append(f.list, mianmi.InvalidField(where, fmt.Sprintf(format, args...)))
	}
}

func (f *faults) err() error { return errors.Join(f.list...) }

// line finds the line of the path, or of the nearest field around it.
func (o Origin) line(path string) int {
	for path != "" {
		if n, ok := o.Lines[path]; ok {
			return n
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			return 0
		}
		path = path[:cut]
	}
	return 0
}

// at joins a path, a field and an index: at("when", "mcc", 2) is "when.mcc[2]".
func at(path, field string, i int) string {
	if path != "" {
		field = path + "." + field
	}
	return field + "[" + strconv.Itoa(i) + "]"
}

func wordList(list []string) string { return strings.Join(list, ", ") }
