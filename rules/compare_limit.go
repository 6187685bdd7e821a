package rules

import (
	"slices"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/pinfree"
)

var everything = new(pinfree.Condition)

// when is the limit's own condition; without one it is meant for all.
func when(l *pinfree.Limit) *pinfree.Condition {
	if l.When == nil {
		return everything
	}
	return l.When
}

// implied reports whether whatever the limit of before stops, the limit of
// after stops as hard.
func implied(was *pinfree.Pack, old *pinfree.Limit, now *pinfree.Pack, l *pinfree.Limit) bool {
	if !sameJSON(otherLimitFields(*old), otherLimitFields(*l)) || !narrower(when(old), when(l)) || old.Above == refuses && l.Above != refuses {
		return false
	}
	switch {
	case l.Always:
		return true
	case old.Always:
		return false
	}
	return sameCounter(was, old.Counter, now, l.Counter) && within(l.Amount, old.Amount) && within(l.Number, old.Number)
}

// otherLimitFields is a limit without its words and what implied compares.
func otherLimitFields(l pinfree.Limit) pinfree.Limit {
	l.ID, l.Title, l.Sources, l.Readings, l.When, l.Counter = "", mianmi.Text{}, nil, nil, nil, ""
	l.Amount, l.Number, l.Always, l.Above = nil, nil, false, ""
	return l
}

// sameCounter reports whether two limits measure the same figure. A counter
// that is defined otherwise has another past, even by the same name.
func sameCounter(was *pinfree.Pack, old string, now *pinfree.Pack, id string) bool {
	if old != id {
		return false
	}
	if id == "" {
		return true
	}
	a, okA := resolved(was, old)
	b, okB := resolved(now, id)
	return okA && okB && sameJSON(a, b)
}

// resolved is a counter with what it takes from its pack.
func resolved(p *pinfree.Pack, id string) (pinfree.Counter, bool) {
	i := slices.IndexFunc(p.Counters, func(c pinfree.Counter) bool { return c.ID == id })
	if i < 0 {
		return pinfree.Counter{}, false
	}
	c := p.Counters[i]
	if c.Zone == "" {
		c.Zone = p.Zone
	}
	if c.When == nil {
		c.When = &p.When
	}
	return c, true
}

// within reports whether the range of after allows nothing that the one of
// before did not.
func within(now, was *pinfree.Range) bool {
	switch {
	case was == nil:
		return true
	case now == nil:
		return false
	case now.Scope != was.Scope && now.Scope != including:
		return false // what counts the present payment too is stricter, not the reverse
	}
	a, b := bound(now), bound(was)
	return a.figure == b.figure && a.Within(b.Bound)
}

// including is Range.Scope with the present payment.
const including = "including_current"

// figured is a bound by a number, or by a figure that comes with the payment.
type figured struct {
	pinfree.Bound
	figure string
}

func bound(r *pinfree.Range) figured {
	switch {
	case r.AtMost != nil:
		return figured{Bound: pinfree.AtMost(*r.AtMost)}
	case r.Below != nil:
		return figured{Bound: pinfree.Below(*r.Below)}
	case r.AtMostOf != "":
		return figured{pinfree.AtMost(0), r.AtMostOf}
	}
	return figured{pinfree.Below(0), r.BelowOf}
}
