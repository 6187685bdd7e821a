package pinfree

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/mianmi/mianmi/money"
)

// Trace is what one pack says of one payment, part by part: for people who ask
// why a pack did or did not apply. It agrees with Decide, of which it is no part.
type Trace struct {
	Pack    string
	Version int64
	Layer   LayerKind
	InForce Flag   // the payment is inside the pack's dates
	Meant   Flag   // by the pack's condition
	Parts   []Part // of that condition
	Permits bool   // the pack is one that permits, not one that only restricts
	// Covers: the pack permits this payment, as far as its limits are kept.
	Covers bool
	Limits []LimitTrace // those of the reading taken
}

// Applies says whether the pack has a say: Yes, No, or, when something about the
// payment is not known, NotKnown. Then it restricts and does not permit.
func (t *Trace) Applies() Flag { return flagFrom(min(triOf(t.InForce), triOf(t.Meant))) }

// LimitTrace is what one limit says of a payment.
type LimitTrace struct {
	Rule   string // "pack/limit"
	Meant  Flag   // by the limit's condition
	Parts  []Part // of that condition
	Always bool
	Refuse bool // above it
	// Counter is the key of the counter ("pack/counter"), and Count its value
	// before this payment; empty for a limit on the payment alone.
	Counter string
	Count   Count
	Checks  []Check
	// Stops are the reasons that this limit gives Decide against PIN-free; none
	// when it is kept or not meant.
	Stops []Why
}

// Check is one comparison of a limit.
type Check struct {
	Reason Reason // what it is when it fails
	Bound  Bound
	Figure string // names the figure that the bound came from; empty: the pack
	// Actual is what is compared; negative when it is not known.
	Actual   int64
	Currency money.Currency // of Actual and the bound; empty: numbers of payments
	Inside   bool
}

// Part is one part of a condition.
type Part struct {
	Field string // as in the pack: "methods", "except[0]", "cel"
	Want  string // what the pack asks for, in its own words
	Have  string // what the payment has; empty or "?": not known
	Is    Flag   // met, missed, or not known
}

// Trace says of each pack, in order of their identifiers, what it makes of the
// payment. Counts must be there as for Decide; without them counters are unknown.
func (s *RuleSet) Trace(in Input) []Trace {
	if s == nil {
		return nil
	}
	if in.Rules = s; len(in.Counts) != s.Counters() {
		in.Counts = slices.Repeat([]Count{unknownCount}, s.Counters())
	}
	currency := in.Amount.Currency()
	f := facts{method: in.Method, entry: in.Entry, cvm: in.CVM, currency: &currency,
		card: &in.Card, place: &in.Place, more: in.Facts.orUnknown()}
	out := make([]Trace, 0, len(s.rules))
	for i := range s.rules {
		out = append(out, s.trace(i, &in, &f))
	}
	return out
}

func (s *RuleSet) trace(i int, in *Input, f *facts) Trace {
	p, source := &s.rules[i], &s.packs[i]
	t := Trace{Pack: p.id, Version: p.version, Layer: p.layer, Permits: p.permits,
		InForce: flagFrom(p.inForce(in)), Meant: flagFrom(p.when.match(f)), Parts: partsOf(&source.When, &p.when, f)}
	surely := p.unlimited
	for j := range p.limits {
		l := s.traceLimit(source, p, &p.limits[j], in, f)
		if t.Applies() == No {
			l.Stops = nil
		}
		surely = surely || l.Meant == Yes
		t.Limits = append(t.Limits, l)
	}
	t.Covers = t.Applies() == Yes && p.permits && surely
	return t
}

func (s *RuleSet) traceLimit(source *Pack, p *rules, l *rule, in *Input, f *facts) LimitTrace {
	t := LimitTrace{Rule: l.name, Meant: flagFrom(l.when.match(f)), Always: l.always, Refuse: l.refuse}
	if from := source.limit(l.name); from != nil && from.When != nil {
		t.Parts = partsOf(from.When, &l.when, f)
	}
	var counted Count
	if l.counter >= 0 {
		counted = in.Counts[l.counter]
		t.Counter, t.Count = s.counters[l.counter].key, counted
	}
	t.Checks = l.checks(in, counted)
	if t.Meant == No {
		return t
	}
	var v verdict
	v.rule(in, p, l)
	t.Stops = append(v.refusals, v.stepUps...)
	return t
}

// limit finds a limit by its name in a rule set ("pack/limit").
func (p *Pack) limit(name string) *Limit {
	i := slices.IndexFunc(p.Limits, func(l Limit) bool { return p.ID+"/"+l.ID == name })
	if i < 0 {
		return nil
	}
	return &p.Limits[i]
}

// checks are the comparisons that verdict.rule makes.
func (l *rule) checks(in *Input, counted Count) []Check {
	if l.always {
		return nil
	}
	var out []Check
	add := func(r Reason, b Bound, before, now int64) {
		if b.Op == OpUnbounded && !l.figured {
			return
		}
		c := Check{Reason: r, Bound: b}
		c.Actual, c.Inside = within(b, before, now)
		if b.Op == OpUnbounded {
			c.Actual = saturate(max(before, 0), now)
		}
		if r != RuleCountLimit {
			c.Currency = l.currencyOf(in)
			if l.figured {
				c.Figure = l.figure.String()
			}
		}
		out = append(out, c)
	}
	now := in.Amount.Minor()
	if l.counter < 0 {
		add(RulePerPaymentLimit, l.bound(in), 0, now)
		return out
	}
	if l.previous {
		now = 0
	}
	add(RuleCumulativeLimit, l.bound(in), counted.Minor, now)
	if l.number.Op != OpUnbounded {
		add(RuleCountLimit, l.number, counted.Number, 1)
	}
	return out
}

// CounterKeys are the names of the counters ("pack/counter") in the order of
// Input.Counts.
func (s *RuleSet) CounterKeys() []string {
	out := make([]string, s.Counters())
	for i := range out {
		out[i] = s.counters[i].key
	}
	return out
}

func flagFrom(t tri) Flag {
	return [...]Flag{no: No, perhaps: NotKnown, yes: Yes}[t]
}

func triOf(f Flag) tri {
	return [...]tri{NotKnown: perhaps, No: no, Yes: yes}[min(f, Yes)]
}

// partsOf tells of each part of a condition that is given whether the payment
// meets it, by asking the compiled part alone.
func partsOf(c *Condition, m *matcher, f *facts) []Part {
	var out []Part
	add := func(field string, given bool, want, have string, one matcher) {
		if given {
			out = append(out, Part{Field: field, Want: want, Have: have, Is: flagFrom(one.match(f))})
		}
	}
	list := func(field string, want []string, have string, one matcher) {
		add(field, len(want) > 0, wordList(want), have, one)
	}
	boolean := func(field string, want *bool, have bool, one matcher) {
		add(field, want != nil, strconv.FormatBool(want != nil && *want), strconv.FormatBool(have), one)
	}
	mcc := ""
	if f.place.MCC != 0 {
		mcc = strconv.Itoa(int(f.place.MCC))
	}
	list("methods", c.Methods, f.method.String(), matcher{methods: m.methods})
	list("entries", c.Entries, f.entry.String(), matcher{entries: m.entries})
	list("currencies", c.Currencies, string(*f.currency), matcher{currencies: m.currencies})
	list("countries", c.Countries, f.place.Country, matcher{countries: m.countries})
	list("schemes", c.Schemes, f.card.Scheme, matcher{schemes: m.schemes})
	list("kinds", c.Kinds, f.card.Kind, matcher{kinds: m.kinds})
	boolean("domestic", c.Domestic, f.card.Domestic, matcher{domestic: m.domestic})
	list("mcc", c.MCC, mcc, matcher{mcc: m.mcc})
	list("not_mcc", c.NotMCC, mcc, matcher{notMCC: m.notMCC})
	boolean("unattended", c.Unattended, f.place.Unattended, matcher{unattended: m.unattended})
	list("purposes", c.Purposes, cmp.Or(f.place.Purpose, "general"), matcher{purposes: m.purposes})
	boolean("no_pin_merchant", c.NoPINMerchant, f.place.NoPINMerchant, matcher{noPINMerchant: m.noPINMerchant})
	boolean("upgraded_merchant", c.UpgradedMerchant, f.place.UpgradedMerchant, matcher{upgradedOnly: m.upgradedOnly})
	for i := range m.except {
		inner := partsOf(&c.Except[i], &m.except[i], f)
		out = append(out, Part{Field: at("", "except", i), Want: "not (" + joinParts(inner, false) + ")", Have: joinParts(inner, true),
			Is: flagFrom(m.except[i].match(f).not())})
	}
	return append(out, expressionParts(c.CEL, f)...)
}

// joinParts writes the parts of an exception in one line.
func joinParts(list []Part, have bool) string {
	words := make([]string, len(list))
	for i, p := range list {
		value := p.Want
		if have {
			value = p.Have
		}
		if value == "" {
			value = "?"
		}
		if p.Field == "cel" || strings.HasPrefix(p.Field, "except[") {
			words[i] = value
			continue
		}
		words[i] = p.Field + ": " + value
	}
	return strings.Join(words, "; ")
}
