package rules

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/pinfree"
)

// Comparison says how packs stand to those in force.
type Comparison struct {
	// Tightening: no payment, whatever is known of it, is decided less strictly
	// by the packs after than by those before. What is not proved is not.
	Tightening bool
	Obstacles  []Obstacle // why it is not proved; none for a tightening
}

// Obstacle is a part of a change that may let more payments pass, as far as
// can be seen from the packs alone.
type Obstacle struct {
	Pack  string
	Field string // "limits[per-payment].amount"; empty: the whole pack
	Text  mianmi.Text
}

// obstaclesMax bounds what one comparison lists: more than anybody reads.
const obstaclesMax = 100

// Compare compares packs before and after a change. It looks at their form
// alone and is careful: a bound within the former one, a limit or a pack that
// restricts more, permission taken away and a refusal in place of a step-up
// are tightenings, words do not matter, and everything else may be looser.
// Either list is without two packs of one ID.
//
// A payment passes when some pack surely permits it and no limit that may be
// meant for it is exceeded. So it is enough that after the change every pack
// permits no more than the pack of the same ID did, and that every limit of
// before is implied by one of after.
func Compare(before, after []pinfree.Pack) Comparison {
	c := &comparer{after: after}
	for i := range after {
		now := &after[i]
		j := slices.IndexFunc(before, func(p pinfree.Pack) bool { return p.ID == now.ID })
		c.pack = now.ID
		switch {
		case j >= 0:
			c.changed(&before[j], now)
		case now.Permits:
			c.add("permits", "新增的规则包允许免密", "a new pack that permits payments without a PIN")
		}
	}
	for i := range before {
		if !slices.ContainsFunc(after, func(p pinfree.Pack) bool { return p.ID == before[i].ID }) {
			c.pack = before[i].ID
			c.removed(&before[i])
		}
	}
	return Comparison{Tightening: len(c.obstacles) == 0, Obstacles: c.obstacles}
}

type comparer struct {
	after     []pinfree.Pack
	pack      string
	obstacles []Obstacle
}

func (c *comparer) add(field, zh, en string) {
	if len(c.obstacles) < obstaclesMax {
		c.obstacles = append(c.obstacles, Obstacle{c.pack, field, mianmi.Text{ZH: zh, EN: en}})
	}
}

// changed compares two versions of a pack.
func (c *comparer) changed(was, now *pinfree.Pack) {
	if !sameJSON(was, now) {
		c.rest(was, now)
		c.permission(was, now)
		c.limits(was, now)
	}
}

// rest makes sure that nothing else differs: what Compare does not know, it
// does not judge.
func (c *comparer) rest(was, now *pinfree.Pack) {
	a, b := otherFields(*was), otherFields(*now)
	if sameJSON(a, b) {
		return
	}
	x, y := fieldsOf(a), fieldsOf(b)
	for _, name := range sortedKeys(x, y) {
		if !bytes.Equal(x[name], y[name]) {
			c.add(name, "这一项的改动无法证明只会更严", "a change here cannot be proved to restrict alone")
		}
	}
}

// otherFields is a pack without the words, which decide nothing, and without
// the fields that are compared one by one.
func otherFields(p pinfree.Pack) pinfree.Pack {
	p.Version, p.Edition, p.Title, p.Sources, p.Readings, p.Reading = 0, "", mianmi.Text{}, nil, nil, ""
	p.Effective, p.Permits, p.Unlimited, p.When, p.Counters, p.Limits = pinfree.Period{}, false, false, pinfree.Condition{}, nil, nil
	p.Answers, p.Compensation = slices.Clone(p.Answers), slices.Clone(p.Compensation)
	for i := range p.Answers {
		p.Answers[i].Sources = nil
	}
	for i := range p.Compensation {
		p.Compensation[i].Sources = nil
	}
	return p
}

// permission makes sure that the pack permits no more than it did.
func (c *comparer) permission(was, now *pinfree.Pack) {
	switch {
	case !now.Permits:
		return
	case !was.Permits:
		c.add("permits", "原来不允许免密，现在允许", "it did not permit payments without a PIN, and now does")
		return
	case now.Unlimited && !was.Unlimited:
		c.add("unlimited", "原来须有限额，现在不须", "it permitted nothing without a limit, and now does")
	}
	if !narrower(&now.When, &was.When) {
		c.add("when", "允许的付款范围可能变大", "it may permit more payments than it did")
	}
	if !inside(now.Effective, was.Effective) {
		c.add("effective", "允许免密的日期变多", "it permits on more days than it did")
	}
	if was.Unlimited {
		return
	}
	// A payment that no limit was meant for was not permitted.
	for _, l := range inForce(now) {
		if !l.Always && !slices.ContainsFunc(inForce(was), func(o *pinfree.Limit) bool { return narrower(when(l), when(o)) }) {
			c.add(limitField(l, "when"), "原来没有限额覆盖的付款不允许免密，这条新限额会放行其中一部分",
				"payments that no limit was meant for did not pass, and this limit may let some of them")
		}
	}
}

// limits makes sure that every limit of before is implied by one of after.
func (c *comparer) limits(was, now *pinfree.Pack) {
	old := inForce(was)
	if len(old) == 0 {
		return
	}
	// What the pack lets go passes all the same by no other, so it need not be
	// restricted.
	gone := !c.passesElsewhere(was, nil)
	if !narrower(&was.When, &now.When) && !gone {
		c.add("when", "受限制的付款范围可能变小", "it may restrict fewer payments than it did")
	}
	if !inside(was.Effective, now.Effective) && !gone {
		c.add("effective", "限制生效的日期变少", "it restricts on fewer days than it did")
	}
	for _, l := range old {
		if !slices.ContainsFunc(inForce(now), func(n *pinfree.Limit) bool { return implied(was, l, now, n) }) {
			c.add(limitField(l, ""), "这条限制被取消、放宽，或无法证明同样严格", "this limit is gone, is wider, or cannot be proved to be as strict")
		}
	}
}

// removed makes sure that what the pack restricted does not pass without it.
func (c *comparer) removed(was *pinfree.Pack) {
	if len(inForce(was)) > 0 {
		c.passesElsewhere(was, c.add)
	}
}

// passesElsewhere reports whether a payment that the pack stops might get
// further once the pack does not concern it: another pack permits some of them,
// or the pack refused what now would be asked for a PIN. Each cause is told.
func (c *comparer) passesElsewhere(was *pinfree.Pack, tell func(field, zh, en string)) (may bool) {
	if tell == nil {
		tell = func(_, _, _ string) {}
	}
	for _, l := range inForce(was) {
		if l.Above == refuses {
			may = true
			tell(limitField(l, "above"), "这条限制会直接拒绝，撤下后不再拒绝", "this limit refuses, and would not any more")
		}
	}
	for i := range c.after {
		if q := &c.after[i]; q.ID != was.ID && q.Permits && !disjoint(&q.When, &was.When) {
			may = true
			tell("", fmt.Sprintf("撤下后，规则包 %s 可能放行它限制的付款", q.ID),
				fmt.Sprintf("without it, pack %s may let pass what it restricted", q.ID))
		}
	}
	return may
}

// refuses is Limit.Above for a refusal, which no authentication helps.
const refuses = "refuse"

// inForce are the limits of the reading taken.
func inForce(p *pinfree.Pack) []*pinfree.Limit {
	var out []*pinfree.Limit
	for i := range p.Limits {
		if l := &p.Limits[i]; len(l.Readings) == 0 || slices.Contains(l.Readings, p.Reading) {
			out = append(out, l)
		}
	}
	return out
}

func limitField(l *pinfree.Limit, field string) string {
	name := "limits[" + l.ID + "]"
	if field == "" {
		return name
	}
	return name + "." + field
}

// inside reports whether the first period is inside the second. Dates are
// compared as text; an empty end is open.
func inside(a, b pinfree.Period) bool {
	return (b.From == "" || a.From != "" && a.From >= b.From) && (b.To == "" || a.To != "" && a.To <= b.To)
}

// sameJSON compares what packs say: fields that are left out and fields that
// are empty are the same.
func sameJSON(a, b any) bool { return bytes.Equal(encode(a), encode(b)) }

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil { // texts and numbers: cannot happen
		panic(fmt.Sprintf("encode a rule pack: %v", err))
	}
	return b
}

// fieldsOf is the top level of a pack.
func fieldsOf(p pinfree.Pack) map[string]json.RawMessage {
	var out map[string]json.RawMessage
	if err := json.Unmarshal(encode(p), &out); err != nil { // it was encoded just now: cannot happen
		panic(fmt.Sprintf("decode a rule pack: %v", err))
	}
	return out
}

func sortedKeys(maps ...map[string]json.RawMessage) []string {
	var out []string
	for _, m := range maps {
		for k := range m {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
