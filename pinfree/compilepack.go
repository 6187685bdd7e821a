package pinfree

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
)

var (
	qualities   = []string{"primary", "primary_partial", "secondary", "vendor", "code", "unverified"}
	bucketNames = []string{"payer", "instrument", "funding", "account"}
	countsNames = []string{"executed_unauthenticated", "executed_all"}
	resetNames  = []string{"calendar_day", "sca_non_remote", "sca_any", "sca_out_of_band", "top_up_with_authentication"} // by bit
	scopeNames  = []string{"previous", "including_current"}
	aboveNames  = []string{"step_up", "refuse"}
)

// choose finds a word in a closed list, or adds a fault that names the list.
func (f *faults) choose(path, got string, names []string) int {
	i, ok := indexOf(names, got)
	if !ok {
		f.add(path, "%q is not known; write one of %s", got, wordList(names))
	}
	return i
}

func (f *faults) text(path string, t mianmi.Text) {
	if strings.TrimSpace(t.ZH) == "" || strings.TrimSpace(t.EN) == "" {
		f.add(path, "a text is missing; write both zh and en")
	}
}

func (f *faults) compilePack(s *RuleSet) rules {
	p := f.pack
	out := rules{id: p.ID, version: p.Version, permits: p.Permits, unlimited: p.Unlimited}
	if !isWord(p.ID) {
		f.add("id", "%q is not an identifier; write at most 64 of a-z, 0-9, _ and -", p.ID)
	}
	if p.Version < 1 {
		f.add("version", "%d is not a version; write 1, and one more at each change of the pack", p.Version)
	}
	if p.Edition == "" {
		f.add("edition", "is missing; write the year or name of the text's edition")
	}
	f.text("title", p.Title)
	out.layer = [...]LayerKind{LayerRegulation, LayerScheme, LayerIssuer}[f.choose("layer", p.Layer, []string{"regulation", "scheme", "issuer"})]
	for i, t := range p.Assumes {
		f.text(at("", "assumes", i), t)
	}
	for i, t := range p.Open {
		f.text(at("", "open", i), t)
	}
	f.sources(p)
	f.readings(p)
	out.from, out.to = f.period(p)
	out.when = f.compileCondition("when", &p.When)
	for i, id := range p.Beside {
		if !isWord(id) || id == p.ID {
			f.add(at("", "beside", i), "%q is not another pack's identifier", id)
		}
	}
	out.attempt = f.compileAuthentication(p)
	f.answers(p)
	f.compensation(p)
	byID := f.compileCounters(s, p, out.when)
	if len(p.Limits) == 0 && p.Permits && !p.Unlimited {
		f.add("limits", "are missing; a pack that permits has limits, or says unlimited: true")
	}
	for i := range p.Limits {
		l := &p.Limits[i]
		path := at("", "limits", i)
		if slices.ContainsFunc(p.Limits[:i], func(o Limit) bool { return o.ID == l.ID }) {
			f.add(path+".id", "%s is there twice; give each limit its own", l.ID)
		}
		r := f.compileLimit(path, l, byID)
		if p.inForce(l) {
			out.limits = append(out.limits, r)
		}
	}
	return out
}

func (f *faults) readings(p *Pack) {
	var ids []string
	for i, r := range p.Readings {
		path := at("", "readings", i)
		if !isWord(r.ID) || slices.Contains(ids, r.ID) {
			f.add(path+".id", "%q is empty, there twice, or not a name; write at most 64 of a-z, 0-9, _ and -", r.ID)
		}
		f.text(path+".text", r.Text)
		ids = append(ids, r.ID)
	}
	if len(ids) > 0 || p.Reading != "" {
		f.choose("reading", p.Reading, ids)
	}
	for i := range p.Limits {
		for j, r := range p.Limits[i].Readings {
			f.choose(at(at("", "limits", i), "readings", j), r, ids)
		}
	}
}

// period returns the span of the pack's dates in Unix milliseconds.
func (f *faults) period(p *Pack) (from, to int64) {
	loc := time.UTC
	if p.Zone != "" || p.Effective != (Period{}) {
		l, err := time.LoadLocation(p.Zone)
		if err != nil || p.Zone == "" || p.Zone == "Local" {
			f.add("zone", "%q is not a time zone; write an IANA name like Asia/Shanghai", p.Zone)
		} else {
			loc = l
		}
	}
	date := func(path, s string, open int64, days int) int64 {
		if s == "" {
			return open
		}
		t, err := time.ParseInLocation(time.DateOnly, s, loc)
		if err != nil {
			f.add(path, "%q is not a date; write it like 2018-06-01, or leave it out", s)
		}
		return t.AddDate(0, 0, days).UnixMilli()
	}
	from = date("effective.from", p.Effective.From, math.MinInt64, 0)
	to = date("effective.to", p.Effective.To, math.MaxInt64, 1)
	if from >= to {
		f.add("effective.to", "%s is before %s; write a later date", p.Effective.To, p.Effective.From)
	}
	return from, to
}

// compileCounters adds the counters that limits in force use to the rule set,
// and returns the index of each by its ID (-1 when it is not used).
func (f *faults) compileCounters(s *RuleSet, p *Pack, packWhen matcher) map[string]int {
	used := map[string]bool{}
	for i := range p.Limits {
		if p.inForce(&p.Limits[i]) {
			used[p.Limits[i].Counter] = true
		}
	}
	byID := map[string]int{}
	for i := range p.Counters {
		c := &p.Counters[i]
		path := at("", "counters", i)
		if _, twice := byID[c.ID]; twice || !isWord(c.ID) {
			f.add(path+".id", "%q is empty, there twice, or not a name; write at most 64 of a-z, 0-9, _ and -", c.ID)
		}
		byID[c.ID] = -1
		out := counter{
			key:    p.ID + "/" + c.ID,
			bucket: bucket(f.choose(path+".bucket", c.Bucket, bucketNames)), //nolint:gosec // a table index
			all:    f.choose(path+".counts", c.Counts, countsNames) == 1,
			when:   packWhen,
		}
		if c.When != nil {
			out.when = f.compileCondition(path+".when", c.When)
		}
		out.resets, out.zone = f.resets(s, path, c)
		if used[c.ID] {
			byID[c.ID] = len(s.counters)
			s.counters = append(s.counters, out)
		}
	}
	return byID
}

func (f *faults) resets(s *RuleSet, path string, c *Counter) (set reset, zone int) {
	for i, r := range c.Resets {
		set |= 1 << f.choose(at(path, "resets", i), r, resetNames)
	}
	if set == 0 {
		f.add(path+".resets", "are missing; write one or more of %s", wordList(resetNames))
	}
	if set&resetCalendarDay == 0 {
		return set, 0
	}
	name := c.Zone
	if name == "" {
		name = f.pack.Zone
	}
	zone = s.zone(name)
	if zone < 0 {
		f.add(path+".zone", "%q is not a time zone; a calendar day needs one, like Asia/Shanghai", name)
		zone = 0
	}
	return set, zone
}

func (f *faults) compileLimit(path string, l *Limit, counters map[string]int) rule {
	if !isWord(l.ID) {
		f.add(path+".id", "%q is not a name; write at most 64 of a-z, 0-9, _ and -", l.ID)
	}
	f.text(path+".title", l.Title)
	f.cites(path, l.Sources)
	out := rule{
		name: f.pack.ID + "/" + l.ID, counter: -1, always: l.Always, amount: Unbounded(), number: Unbounded(),
		refuse: f.choose(path+".above", l.Above, aboveNames) == 1,
	}
	if l.When != nil {
		out.narrowed, out.when = true, f.compileCondition(path+".when", l.When)
	}
	if l.Counter != "" {
		i, ok := counters[l.Counter]
		if !ok {
			f.add(path+".counter", "%q is not one of the pack's counters; define it under counters", l.Counter)
		}
		out.counter = i
	}
	switch {
	case l.Always && (l.Counter != "" || l.Amount != nil || l.Number != nil):
		f.add(path+".always", "stands alone; leave out counter, amount and number")
	case !l.Always && l.Amount == nil && l.Number == nil:
		f.add(path, "bounds nothing; write amount or number, or always: true")
	case l.Counter == "" && l.Number != nil:
		f.add(path+".number", "needs a counter; one payment is one payment")
	}
	if l.Amount != nil {
		out.amount, out.previous = f.bound(path+".amount", l.Amount, l.Counter != "")
		out.figure, out.figured = f.figure(path+".amount", l.Amount)
		out.currency = f.currency(path, l)
	}
	if l.Number != nil {
		if l.Number.AtMostOf != "" || l.Number.BelowOf != "" {
			f.add(path+".number", "needs a number; figures are amounts")
		}
		b, previous := f.bound(path+".number", l.Number, true)
		out.number = wholeNumber(b, previous)
	}
	return out
}

// wholeNumber brings a bound on payments to one form, so that figures can be
// said in words: at most n, the present one included. k before it are k+1 with
// it, and below n is at most n-1.
func wholeNumber(b Bound, previous bool) Bound {
	if previous {
		b.N++
	}
	if b.Op == OpBelow && b.N > 0 {
		return AtMost(b.N - 1)
	}
	return b
}

// boundMax keeps figures far from overflow: nine times the world's money in fen.
const boundMax = math.MaxInt64 / 2

func (f *faults) bound(path string, r *Range, counted bool) (b Bound, previous bool) {
	given := 0
	for _, there := range [...]bool{r.AtMost != nil, r.Below != nil, r.AtMostOf != "", r.BelowOf != ""} {
		if there {
			given++
		}
	}
	switch {
	case given != 1:
		f.add(path, "needs exactly one of at_most (<=), below (<), at_most_of and below_of")
	case r.AtMost != nil:
		b = AtMost(*r.AtMost)
	case r.Below != nil:
		b = Below(*r.Below)
	case r.AtMostOf != "":
		b.Op = OpAtMost
	default:
		b.Op = OpBelow
	}
	if b.N < 0 || b.N > boundMax {
		f.add(path, "%d is out of range; write 0 to %d", b.N, int64(boundMax))
	}
	if !counted {
		if r.Scope != "" {
			f.add(path+".scope", "belongs to counters; leave it out")
		}
		return b, false
	}
	return b, f.choose(path+".scope", r.Scope, scopeNames) == 0
}

// figure returns the figure that bounds the amount; false when a number does.
func (f *faults) figure(path string, r *Range) (Figure, bool) {
	name, figured := r.figure()
	if !figured {
		return 0, false
	}
	field := ".at_most_of"
	if r.AtMostOf == "" {
		field = ".below_of"
	}
	return Figure(f.choose(path+field, name, figureNames)), true //nolint:gosec // a table index
}

// figure returns the name of the figure that bounds the amount, if any.
func (r *Range) figure() (name string, figured bool) {
	name = cmp.Or(r.AtMostOf, r.BelowOf)
	return name, name != ""
}

// currency is the one that the limit's amounts are in. It may be left open for
// a figure, which comes in the payment's own; then it is empty.
func (f *faults) currency(path string, l *Limit) money.Currency {
	list, where := f.pack.When.Currencies, "when.currencies"
	if l.When != nil && len(l.When.Currencies) > 0 {
		list, where = l.When.Currencies, path+".when.currencies"
	}
	if _, figured := l.Amount.figure(); figured && l.Counter == "" && len(list) == 0 {
		return ""
	}
	if len(list) != 1 {
		f.add(where, "an amount needs exactly one currency here, not %d", len(list))
		return ""
	}
	return money.Currency(list[0])
}
