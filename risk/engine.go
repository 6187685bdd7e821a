package risk

import (
	"container/list"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/cel"

	"github.com/mianmi/mianmi"
)

// keysMax bounds the keys that one rule keeps windows for: some 400 bytes each, so
// 25 MB a rule. Keys that have been idle for as long as the rule looks back
// are gone before that.
const keysMax = 1 << 16

// compiledWindow is a Window ready to be kept.
type compiledWindow struct {
	name       string
	on         map[Kind]bool
	where      cel.Program
	measure    string
	of         func(*Event) string
	span, slot time.Duration
}

// Compiled is a rule ready to be asked. It never changes.
type Compiled struct {
	Rule
	on          map[Kind]bool
	where, when cel.Program
	windows     []compiledWindow // by name
	names       map[string]windowName
	quietFor    time.Duration
	holdsFor    time.Duration // of measures; 0: none but to tell
	memory      time.Duration // after which an idle key knows nothing any more
}

// Compile makes a rule ready. Its error is Invalid and names rule and field.
func Compile(r Rule) (*Compiled, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	c := &Compiled{Rule: r, on: set(r.On), names: map[string]windowName{}}
	var err error
	if c.quietFor, err = r.quiet(); err != nil {
		return nil, err
	}
	if c.holdsFor, err = r.checkMeasures(); err != nil {
		return nil, err
	}
	c.memory = c.quietFor
	if c.where, err = r.compile("where", r.Where, false); err != nil {
		return nil, err
	}
	for i, name := range slices.Sorted(maps.Keys(r.Windows)) {
		w := r.Windows[name]
		cw := compiledWindow{name: name, on: set(w.On), measure: w.Measure, of: parts[w.Of]}
		if cw.span, err = r.span("windows."+name+".span", w.Span); err != nil {
			return nil, err
		}
		cw.slot = cw.span / slots
		if cw.where, err = r.compile("windows."+name+".where", w.Where, false); err != nil {
			return nil, err
		}
		for _, f := range figures[w.Measure] {
			c.names["w."+name+"."+f.name] = windowName{i, f.of}
		}
		c.windows, c.memory = append(c.windows, cw), max(c.memory, cw.span)
	}
	c.when, err = r.compile("when", r.When, true)
	return c, err
}

func set(list []Kind) map[Kind]bool {
	out := make(map[Kind]bool, len(list))
	for _, k := range list {
		out[k] = true
	}
	return out
}

// Finding is that a rule holds, at one event.
type Finding struct {
	Rule    *Compiled
	Key     string           // parts of the event, joined by a space
	Event   Event            // at which it was found
	First   mianmi.EntryID   // the oldest entry that the windows still knew
	Figures map[string]int64 // of the windows that count, by their names
}

// Says is the rule's sentence with the figures in it.
func (f *Finding) Says() mianmi.Text {
	var pairs []string
	for name, n := range f.Figures {
		pairs = append(pairs, "{"+name+"}", strconv.FormatInt(n, 10))
	}
	r := strings.NewReplacer(pairs...)
	return mianmi.Text{ZH: r.Replace(f.Rule.Says.ZH), EN: r.Replace(f.Rule.Says.EN)}
}

// Engine asks rules about events. It is pure: the same events in the same order
// give the same findings. It is not for use by several at once.
type Engine struct {
	byKind map[Kind][]touch
	rules  []*asked
	failed int64
	act    activation // of the event that is looked at
}

// touch is what one rule makes of events of one kind.
type touch struct {
	*asked
	asks    bool
	windows uint16 // bits of those that take such events
}

// asked is a rule with what it remembers, the longest idle key first.
type asked struct {
	*Compiled
	keys    map[string]*list.Element
	idle    *list.List
	evicted int64
}

// remembered is what a rule keeps for one key.
type remembered struct {
	key     string
	at      time.Time // of its newest event
	saidAt  time.Time // of its newest finding
	windows []window
}

// NewEngine returns an engine that remembers nothing.
func NewEngine(rules []*Compiled) *Engine {
	g := &Engine{byKind: map[Kind][]touch{}}
	for _, c := range rules {
		a := &asked{Compiled: c, keys: map[string]*list.Element{}, idle: list.New()}
		g.rules = append(g.rules, a)
		for k := range kinds {
			t := touch{asked: a, asks: c.on[k]}
			for i := range c.windows {
				if c.windows[i].on[k] {
					t.windows |= 1 << i
				}
			}
			if t.asks || t.windows != 0 {
				g.byKind[k] = append(g.byKind[k], t)
			}
		}
	}
	return g
}

// Memory is how far back the engine must have seen events to find what it would
// find had it seen all.
func (g *Engine) Memory() time.Duration {
	var longest time.Duration
	for _, a := range g.rules {
		longest = max(longest, a.memory)
	}
	return longest
}

// Evicted is how many keys that still knew something had to go; Failed how many
// conditions could not be told.
func (g *Engine) Evicted() (n int64) {
	for _, a := range g.rules {
		n += a.evicted
	}
	return n
}

// Failed is how many conditions could not be told: a fault of a rule.
func (g *Engine) Failed() int64 { return g.failed }

// Observe takes the next event, and returns what it shows.
func (g *Engine) Observe(e Event) []Finding {
	var out []Finding
	g.act.event = &e
	for _, t := range g.byKind[e.Kind] {
		if f := t.observe(&g.act, &g.failed); f != nil {
			out = append(out, *f)
		}
	}
	return out
}

func (t touch) observe(act *activation, failed *int64) *Finding {
	e := act.event
	key := t.keyOf(e)
	if key == "" {
		return nil
	}
	asks := t.asks && act.holds(t.where, failed)
	in := t.windows // those that take the event
	for i := range t.asked.windows {
		if in>>i&1 == 1 && !act.holds(t.asked.windows[i].where, failed) {
			in &^= 1 << i
		}
	}
	if !asks && in == 0 {
		return nil
	}
	m := t.remember(key, e.At)
	act.names, act.found = t.names, act.found[:0]
	for i := range m.windows {
		c, w := &t.asked.windows[i], &m.windows[i]
		w.see(c, e.At)
		if in>>i&1 == 1 && c.measure != last { // the last one is the one before this
			w.add(c, e)
		}
		act.found = append(act.found, w.figures(c, e))
	}
	var f *Finding
	if asks && (m.saidAt.IsZero() || e.At.Sub(m.saidAt) >= t.quietFor) && act.holds(t.when, failed) {
		m.saidAt = e.At
		f = t.finding(act, m)
	}
	for i := range m.windows {
		if c := &t.asked.windows[i]; in>>i&1 == 1 && c.measure == last {
			m.windows[i].add(c, e)
		}
	}
	return f
}

// finding says what was found of a key.
func (a *asked) finding(act *activation, m *remembered) *Finding {
	f := &Finding{Rule: a.Compiled, Key: m.key, Event: *act.event, First: a.first(m), Figures: map[string]int64{}}
	for i := range a.windows {
		if c, n := &a.windows[i], &act.found[i]; c.measure != last {
			f.Figures[c.name] = n.n
		} else if n.seen {
			f.Figures[c.name+".km"], f.Figures[c.name+".minutes"] = n.km, n.ago/60
		}
	}
	return f
}

// first is the oldest entry of the windows.
func (a *asked) first(m *remembered) (first mianmi.EntryID) {
	for i := range m.windows {
		if id := m.windows[i].first(); id != "" && (first == "" || id < first) {
			first = id
		}
	}
	return first
}

// keyOf is what the rule is about at an event; empty: the event lacks a part.
func (a *asked) keyOf(e *Event) string {
	if len(a.Key) == 1 {
		return parts[a.Key[0]](e)
	}
	values := make([]string, len(a.Key))
	for i, k := range a.Key {
		if values[i] = parts[k](e); values[i] == "" {
			return ""
		}
	}
	return strings.Join(values, " ")
}

// remember finds what is kept for a key, and lets go what knows nothing any more.
func (a *asked) remember(key string, at time.Time) *remembered {
	known := a.keys[key]
	for range 2 { // at most one is added, so two are enough
		el := a.idle.Front()
		if el == nil {
			break
		}
		m, _ := el.Value.(*remembered)
		forgotten := at.Sub(m.at) > a.memory
		if el == known || !forgotten && (known != nil || a.idle.Len() < keysMax) {
			break
		}
		if !forgotten {
			a.evicted++
		}
		a.idle.Remove(el)
		delete(a.keys, m.key)
	}
	if known != nil {
		a.idle.MoveToBack(known)
		m, _ := known.Value.(*remembered)
		if at.After(m.at) {
			m.at = at
		}
		return m
	}
	m := &remembered{key: key, at: at, windows: make([]window, len(a.windows))}
	a.keys[key] = a.idle.PushBack(m)
	return m
}
