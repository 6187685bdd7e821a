package cases

import (
	"regexp"
	"slices"

	"github.com/mianmi/mianmi/pinfree"
)

// plainID is the pack that gives leave for everything beside packs that only
// restrict: the question is then what they object to.
const plainID = "case_plain_leave"

// Try replays the case with the limits of packs in place of those of its given,
// of which only the facts of payer, merchant, terminal, mandate and counters are
// used. Of the packs, by their ID, it takes the one that the case names and
// those that it is meant to stand beside.
func (c *Case) Try(packs map[string]pinfree.Pack) Result {
	if c.Err != nil {
		return c.unreadable()
	}
	main, ok := packs[c.Pack]
	if !ok {
		return c.fails(0, "error", "there is no pack "+c.Pack)
	}
	main = c.take(main)
	set := beside(main, packs)
	w := newWorld(c.given, nil)
	if !slices.ContainsFunc(set, func(p pinfree.Pack) bool { return p.Permits }) {
		leave := c.given.newPack(plainID, pinfree.Condition{})
		leave.Permits, leave.Unlimited, leave.Authentication = true, true, nil
		set, w.plain = append(set, leave), plainID
	}
	rules, err := pinfree.Compile(set)
	if err != nil {
		return c.fails(0, "error", oneLine(err))
	}
	w.rules, w.usual = rules, usualOf(set)
	if w.given.Zone == "" {
		w.given.Zone = main.Zone
	}
	from, to := c.given.From, c.given.To
	for _, p := range set {
		from = max(from, p.Effective.From)
		if last := p.Effective.To; last != "" && (to == "" || last < to) {
			to = last
		}
	}
	w.begin(c.steps, from, to)
	return c.replay(w, rules)
}

// usual is a card that packs are about, for cases that say nothing of it.
type usual struct{ scheme, kind, issuer string }

// issuerPattern finds the first issuer that an expression asks for.
var issuerPattern = regexp.MustCompile(`\bcard\.issuer\s*(?:==|in)\s*\[?\s*["']([^"']+)["']`)

func usualOf(set []pinfree.Pack) usual {
	var u usual
	first := func(into *string, list []string) {
		if *into == "" && len(list) > 0 {
			*into = list[0]
		}
	}
	for i := range set {
		when := &set[i].When
		first(&u.scheme, when.Schemes)
		first(&u.kind, when.Kinds)
		if m := issuerPattern.FindStringSubmatch(when.CEL); m != nil {
			first(&u.issuer, m[1:])
		}
	}
	return u
}

// beside is a pack with those that it builds on, and what they build on.
func beside(main pinfree.Pack, packs map[string]pinfree.Pack) []pinfree.Pack {
	set := []pinfree.Pack{main}
	for i := 0; i < len(set); i++ {
		for _, id := range set[i].Beside {
			p, ok := packs[id]
			if ok && !slices.ContainsFunc(set, func(o pinfree.Pack) bool { return o.ID == id }) {
				set = append(set, p)
			}
		}
	}
	return set
}

// take chooses the reading of the pack that the case is about: the one of its
// name, else the one whose cumulative limits and promises are most like those of
// given, else the pack's own.
func (c *Case) take(p pinfree.Pack) pinfree.Pack {
	if taken, err := p.Take(c.reading); err == nil {
		return taken
	}
	best, score := p, c.given.likeness(&p)
	for _, r := range p.Readings {
		taken, err := p.Take(r.ID)
		if err != nil {
			continue
		}
		if s := c.given.likeness(&taken); s > score {
			best, score = taken, s
		}
	}
	return best
}

// likeness counts what the pack, in its reading, has in common with given.
func (g *given) likeness(p *pinfree.Pack) int {
	sum := 0
	amounts, numbers := 0, 0
	for i := range p.Limits {
		l := &p.Limits[i]
		if l.Counter == "" || !inForce(l.Readings, p.Reading) {
			continue
		}
		resets := g.resetsLike(p, l.Counter)
		if l.Amount != nil {
			amounts = max(amounts, alike(l.Amount, g.CumAmountMax, g.CumAmountPrev, resets))
		}
		if l.Number != nil {
			numbers = max(numbers, alike(number(l.Number), number(g.countRange()).AtMost, false, resets))
		}
		if l.Amount != nil && g.CumAmountMax == nil || l.Number != nil && g.CumCountMax == nil {
			sum-- // a limit that given does not have
		}
	}
	sum += amounts + numbers
	for i := range p.Compensation {
		if k := &p.Compensation[i]; g.Compensation != nil && inForce(k.Readings, p.Reading) {
			sum += g.promiseLike(k)
		}
	}
	return sum
}

func inForce(readings []string, taken string) bool {
	return len(readings) == 0 || slices.Contains(readings, taken)
}

// alike weighs a limit against the wanted one: of the same kind first, then by
// scope, resets and figure.
func alike(r *pinfree.Range, want *int64, previous, resets bool) int {
	if want == nil {
		return 0
	}
	n := 8
	if r.Scope == scopeOf(previous) {
		n += 4
	}
	if resets {
		n += 2
	}
	if r.AtMost != nil && *r.AtMost == *want || r.AtMostOf != "" {
		n++
	}
	return n
}

// countRange is given's bound on the number of payments.
func (g *given) countRange() *pinfree.Range {
	return &pinfree.Range{AtMost: g.CumCountMax, Scope: scopeOf(g.CumCountPrev)}
}

// number brings bounds on payments to one form: at most so many, this one
// included. Below ten before this one are at most ten with it.
func number(r *pinfree.Range) *pinfree.Range {
	out := &pinfree.Range{Scope: scopes[1]}
	switch {
	case r.AtMost != nil:
		n := *r.AtMost
		out.AtMost = &n
	case r.Below != nil:
		n := *r.Below - 1
		out.AtMost = &n
	default:
		return out
	}
	if r.Scope == scopes[0] {
		*out.AtMost++
	}
	return out
}

func (g *given) resetsLike(p *pinfree.Pack, counter string) bool {
	i := slices.IndexFunc(p.Counters, func(c pinfree.Counter) bool { return c.ID == counter })
	if i < 0 {
		return false
	}
	a, b := slices.Sorted(slices.Values(p.Counters[i].Resets)), slices.Sorted(slices.Values(g.Resets))
	return slices.Equal(a, b)
}

// promiseLike weighs a promise of compensation against given's.
func (g *given) promiseLike(k *pinfree.Compensation) int {
	n := 0
	same := func(a, b *int64) {
		if (a == nil) == (b == nil) && (a == nil || *a == *b) {
			n++
		}
	}
	same(&k.WindowHours, &g.Compensation.WindowHours)
	same(k.AnnualCap, g.Compensation.AnnualCap)
	same(k.CaseCap, g.Compensation.CaseCap)
	if k.AfterWindow == g.Compensation.AfterWindow {
		n++
	}
	return n
}
