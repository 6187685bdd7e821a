package pinfree

import (
	"slices"
	"strconv"
	"strings"

	"github.com/mianmi/mianmi/money"
)

// tri is a truth value that may be unknown. Their order makes min the "and".
type tri uint8

const (
	no tri = iota
	perhaps
	yes
)

func truth(b bool) tri {
	if b {
		return yes
	}
	return no
}

func (t tri) not() tri { return yes - t }

// facts are what a condition may ask about, of a payment or of an event.
type facts struct {
	method   Method
	entry    Entry
	cvm      CVM
	currency *money.Currency // a pointer, like the rest: else asking an expression would put the Input on the heap
	card     *Card
	place    *Place
	more     *Facts // never nil: noFacts when nothing is known
}

// noFacts are those of a payment about which nothing more is known.
var noFacts Facts

// orUnknown returns facts that may be asked.
func (f *Facts) orUnknown() *Facts {
	if f == nil {
		return &noFacts
	}
	return f
}

// matcher is a compiled Condition. The expression is asked last, when nothing
// else has settled the matter.
type matcher struct {
	methods                                           Methods
	entries                                           uint8 // bit per Entry
	currencies, countries, schemes, kinds, purposes   []string
	mcc, notMCC                                       []mccRange
	domestic, unattended, noPINMerchant, upgradedOnly flag
	except                                            []matcher
	expression                                        *expression // nil: none
}

type mccRange struct{ from, to uint16 }

// flag is a wanted truth value, or none.
type flag uint8

const (
	anyValue flag = iota
	wantFalse
	wantTrue
)

func (f flag) match(v bool) bool { return f == anyValue || (f == wantTrue) == v }

// match says whether the facts meet the condition: the least sure of its parts.
func (m *matcher) match(f *facts) tri {
	if m.methods != 0 && f.method != MethodUnknown && !m.methods.Has(f.method) {
		return no
	}
	if !m.unattended.match(f.place.Unattended) || !m.domestic.match(f.card.Domestic) ||
		!m.noPINMerchant.match(f.place.NoPINMerchant) || !m.upgradedOnly.match(f.place.UpgradedMerchant) {
		return no
	}
	if len(m.purposes) > 0 && !slices.Contains(m.purposes, f.place.Purpose) {
		return no
	}
	out := among(m.currencies, string(*f.currency))
	if m.methods != 0 && f.method == MethodUnknown {
		out = min(out, perhaps)
	}
	out = min(out, among(m.schemes, f.card.Scheme), among(m.kinds, f.card.Kind), among(m.countries, f.place.Country))
	if m.entries != 0 {
		out = min(out, f.entryAmong(m.entries))
	}
	if len(m.mcc) > 0 {
		out = min(out, mccAmong(m.mcc, f.place.MCC))
	}
	if len(m.notMCC) > 0 {
		out = min(out, mccAmong(m.notMCC, f.place.MCC).not())
	}
	for i := range m.except {
		if out == no {
			return no
		}
		out = min(out, m.except[i].match(f).not())
	}
	if m.expression != nil && out != no {
		out = min(out, m.expression.eval(f))
	}
	return out
}

// among is yes for an empty list, and perhaps when the value is not known.
func among(list []string, v string) tri {
	switch {
	case len(list) == 0:
		return yes
	case v == "":
		return perhaps
	}
	return truth(slices.Contains(list, v))
}

func (f *facts) entryAmong(set uint8) tri {
	if f.entry == EntryUnknown || int(f.entry) >= len(entryNames) {
		return perhaps
	}
	return truth(set&(1<<f.entry) != 0)
}

func mccAmong(list []mccRange, mcc uint16) tri {
	if mcc == 0 {
		return perhaps
	}
	for _, r := range list {
		if r.from <= mcc && mcc <= r.to {
			return yes
		}
	}
	return no
}

// compileCondition checks a condition and reports each fault under path.
func (f *faults) compileCondition(path string, c *Condition) matcher {
	if f.conditions++; f.conditions > conditionsMax {
		if f.conditions == conditionsMax+1 {
			f.add(path, "is one condition too many; at most %d can be asked at each payment", conditionsMax)
		}
		return matcher{}
	}
	for _, list := range [...][]string{c.Methods, c.Entries, c.Currencies, c.Countries, c.Schemes, c.Kinds, c.Purposes, c.MCC, c.NotMCC} {
		if len(list) > listMax {
			f.add(path, "holds a list of %d; at most %d", len(list), listMax)
		}
	}
	m := matcher{
		currencies: c.Currencies, countries: c.Countries, schemes: c.Schemes, kinds: c.Kinds, purposes: c.Purposes,
		domestic: flagOf(c.Domestic), unattended: flagOf(c.Unattended),
		noPINMerchant: flagOf(c.NoPINMerchant), upgradedOnly: flagOf(c.UpgradedMerchant),
	}
	for i, s := range c.Methods {
		v, ok := ParseMethod(s)
		if !ok || v == Cash {
			f.add(at(path, "methods", i), "%q is not a method that is decided; write one of %s", s, wordList(decidedMethods()))
		}
		m.methods = m.methods.Set(v)
	}
	for i, s := range c.Entries {
		v, ok := ParseEntry(s)
		if !ok || v == EntryUnknown {
			f.add(at(path, "entries", i), "%q is not known; write scanned or typed", s)
		}
		m.entries |= 1 << v
	}
	for i, s := range c.Currencies {
		if !money.Currency(s).Valid() {
			f.add(at(path, "currencies", i), "%q is not a currency; write three upper-case letters (ISO 4217)", s)
		}
	}
	for i, s := range c.Countries {
		if len(s) != 2 || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			f.add(at(path, "countries", i), "%q is not a country; write two upper-case letters (ISO 3166)", s)
		}
	}
	f.words(path+".schemes", c.Schemes)
	f.words(path+".kinds", c.Kinds)
	f.words(path+".purposes", c.Purposes)
	m.mcc = f.mccRanges(path, "mcc", c.MCC)
	m.notMCC = f.mccRanges(path, "not_mcc", c.NotMCC)
	for i := range c.Except {
		m.except = append(m.except, f.compileCondition(at(path, "except", i), &c.Except[i]))
	}
	if c.CEL != "" {
		m.expression = f.compileExpression(path+".cel", c.CEL)
	}
	return m
}

func decidedMethods() []string {
	return slices.DeleteFunc(slices.Clone(methodNames), func(s string) bool { return s == "" || s == Cash.String() })
}

func flagOf(b *bool) flag {
	switch {
	case b == nil:
		return anyValue
	case *b:
		return wantTrue
	}
	return wantFalse
}

// words checks names of schemes, kinds and purposes: lower case, so that a
// capital does not make a condition that never matches.
func (f *faults) words(path string, list []string) {
	for i, s := range list {
		if !isWord(s) {
			f.add(at("", path, i), "%q is not a name; write at most 64 of a-z, 0-9, _ and -", s)
		}
	}
}

// wordMax bounds a name in bytes: it stands in records of payments, and in
// columns on a page.
const wordMax = 64

func isWord(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return s != "" && len(s) <= wordMax
}

func (f *faults) mccRanges(path, field string, list []string) []mccRange {
	var out []mccRange
	for i, s := range list {
		from, to, isRange := strings.Cut(s, "-")
		if !isRange {
			to = from
		}
		a, okA := mccOf(from)
		b, okB := mccOf(to)
		if !okA || !okB || a > b {
			f.add(at(path, field, i), `%q is not a merchant category code; write "5411" or "7800-7999"`, s)
		}
		out = append(out, mccRange{a, b})
	}
	return out
}

func mccOf(s string) (uint16, bool) {
	n, err := strconv.ParseUint(s, 10, 16)
	return uint16(n), err == nil && len(s) == 4 && n > 0 //nolint:gosec // ParseUint keeps it to 16 bits
}
