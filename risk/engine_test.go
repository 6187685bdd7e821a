package risk_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/risk"
)

// counting is a rule that finds whenever its window has a figure of at least n.
func counting(w risk.Window, when string) risk.Rule {
	return risk.Rule{ID: "r", Title: risk.Text{ZH: "规则", EN: "rule"}, Says: risk.Text{ZH: "{x}", EN: "{x}"}, Severity: risk.Low, Key: []string{"payer"},
		On: []risk.Kind{risk.PinFree}, Windows: map[string]risk.Window{"x": w}, When: when, Quiet: "1m",
		Measures: []risk.Measure{risk.Tell}}
}

func mustCompile(t testing.TB, r risk.Rule) *risk.Compiled {
	t.Helper()
	c, err := risk.Compile(r)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A window holds what a plain count over all events of the span would, but for a
// sixtieth of the span at its far end, whatever the order of late events.
func TestWindowsCountWhatIsInThem(t *testing.T) {
	t.Parallel()
	const span, slot = time.Hour, time.Minute
	for _, measure := range []string{"count", "sum", "distinct"} {
		w := risk.Window{On: []risk.Kind{risk.PinFree}, Span: "1h", Measure: measure}
		if measure == "distinct" {
			w.Of = "terminal"
		}
		r := counting(w, "w.x."+measure+" >= 0")
		rapid.Check(t, func(t *rapid.T) {
			c, err := risk.Compile(r)
			if err != nil {
				t.Fatal(err)
			}
			g := risk.NewEngine([]*risk.Compiled{c})
			var all []risk.Event
			now, newest := noon, noon
			for range rapid.IntRange(1, 60).Draw(t, "events") {
				now = now.Add(time.Duration(rapid.IntRange(-90, 900).Draw(t, "seconds")) * time.Second)
				e := base(risk.PinFree)
				e.At, e.Amount = now, money.Of(rapid.Int64Range(1, 9).Draw(t, "minor"), "CNY")
				e.Terminal = mianmi.TerminalID(fmt.Sprint("tm", rapid.IntRange(0, 5).Draw(t, "terminal")))
				all = append(all, e)
				if now.After(newest) {
					newest = now
				}
				found := g.Observe(e)
				if len(found) == 0 {
					continue // quiet
				}
				// The slots of an hour are minutes: the newest and 59 before it.
				from := newest.Truncate(slot).Add(-59 * slot)
				var n int64
				values := map[mianmi.TerminalID]bool{}
				for _, o := range all {
					if o.At.Before(from) {
						continue
					}
					values[o.Terminal] = true
					if measure == "sum" {
						n += o.Amount.Minor()
					} else {
						n++
					}
				}
				if measure == "distinct" {
					n = int64(len(values))
				}
				if got := found[0].Figures["x"]; got != n {
					t.Fatalf("%s of %d events: %d, want %d", measure, len(all), got, n)
				}
			}
		})
	}
}

// An engine that begins as far back as its memory reaches finds what one finds
// that has seen everything: so a restart forgets nothing.
func TestReplayFindsTheSame(t *testing.T) {
	t.Parallel()
	rules, err := risk.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		var events []risk.Event
		now := noon
		for i := range 300 {
			now = now.Add(time.Duration(rapid.IntRange(1, 4*3600).Draw(t, "seconds")) * time.Second)
			e := base(rapid.SampledFrom([]risk.Kind{risk.PinFree, risk.Refunded, risk.PasswordFailed, risk.AgreementClosed, risk.PayerOpened, risk.PasswordReset}).Draw(t, "kind"))
			e.At, e.Entry, e.Payer = now, mianmi.EntryID(fmt.Sprintf("en%04d", i)), mianmi.PayerID(fmt.Sprint("py", rapid.IntRange(0, 2).Draw(t, "payer")))
			e.Limit, e.Left = 1000, rapid.Int64Range(0, 100).Draw(t, "left")
			events = append(events, e)
		}
		whole, part := risk.NewEngine(rules), risk.NewEngine(rules)
		cut := 250
		from := events[cut].At.Add(-whole.Memory())
		for i, e := range events {
			a := says(whole.Observe(e))
			if e.At.Before(from) {
				continue
			}
			if b := says(part.Observe(e)); i >= cut && !slices.Equal(a, b) {
				t.Fatalf("event %d: %v, and after a replay %v", i, a, b)
			}
		}
	})
}

func says(found []risk.Finding) (out []string) {
	for i := range found {
		out = append(out, found[i].Rule.ID+" "+found[i].Key+" "+found[i].Says().EN)
	}
	return out
}

// A rule that is wrong is refused with the rule and the field in the error.
func TestWrongRulesAreRefused(t *testing.T) {
	t.Parallel()
	ok := counting(risk.Window{On: []risk.Kind{risk.PinFree}, Span: "1h", Measure: "count"}, "w.x.count > 1")
	if _, err := risk.Compile(ok); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		name, field string
		change      func(*risk.Rule)
	}{
		{"no key", "r.key", func(r *risk.Rule) { r.Key = nil }},
		{"a key that events do not have", "r.key", func(r *risk.Rule) { r.Key = []string{"colour"} }},
		{"no kind", "r.on", func(r *risk.Rule) { r.On = nil }},
		{"an unknown kind", "r.on", func(r *risk.Rule) { r.On = []risk.Kind{"paid"} }},
		{"a severity", "r.severity", func(r *risk.Rule) { r.Severity = "dire" }},
		{"a name", "r.title", func(r *risk.Rule) { r.Title.ZH = "" }},
		{"an unknown variable", "r.when", func(r *risk.Rule) { r.When = "e.colour == 'red'" }},
		{"another window", "r.when", func(r *risk.Rule) { r.When = "w.y.count > 1" }},
		{"another measure", "r.when", func(r *risk.Rule) { r.When = "w.x.sum > 1" }},
		{"no condition", "r.when", func(r *risk.Rule) { r.When = "e.minor" }},
		{"windows where there are none yet", "r.where", func(r *risk.Rule) { r.Where = "w.x.count > 1" }},
		{"a long expression", "r.when", func(r *risk.Rule) { r.When = strings.Repeat("e.minor > 0 && ", 99) + "true" }},
		{"a dear expression", "r.when", func(r *risk.Rule) {
			r.When = "e.actor.matches('" + strings.Repeat("a", 400) + "') || e.payer.matches('" + strings.Repeat("a", 400) + "')"
		}},
		{"no measure", "r.measures", func(r *risk.Rule) { r.Measures = nil }},
		{"an empty measure", "r.measures", func(r *risk.Rule) { r.Measures = []risk.Measure{""} }},
		{"an unknown measure", "r.measures", func(r *risk.Rule) { r.Measures = []risk.Measure{risk.Tell, "arrest"} }},
		{"a measure twice", "r.measures", func(r *risk.Rule) { r.Measures = []risk.Measure{risk.Tell, risk.Tell} }},
		{"a step-up of nobody", "r.measures", func(r *risk.Rule) {
			r.Key, r.Measures, r.For = []string{"terminal"}, []risk.Measure{risk.StepUp}, "24h"
		}},
		{"a freeze of nothing", "r.measures", func(r *risk.Rule) {
			r.Key, r.Measures, r.For = []string{"actor"}, []risk.Measure{risk.Freeze}, "24h"
		}},
		{"a measure without an end", "r.for", func(r *risk.Rule) { r.Measures = []risk.Measure{risk.Freeze} }},
		{"a measure for too long", "r.for", func(r *risk.Rule) { r.Measures, r.For = []risk.Measure{risk.Freeze}, "169h" }},
		{"a measure for too short", "r.for", func(r *risk.Rule) { r.Measures, r.For = []risk.Measure{risk.StepUp}, "9m" }},
		{"to tell for a time", "r.for", func(r *risk.Rule) { r.For = "24h" }},
		{"a quiet time", "r.quiet", func(r *risk.Rule) { r.Quiet = "1000h" }},
		{"a span", "r.windows.x.span", func(r *risk.Rule) {
			r.Windows = map[string]risk.Window{"x": {On: ok.On, Span: "1s", Measure: "count"}}
		}},
		{"distinct of nothing", "r.windows.x.of", func(r *risk.Rule) {
			r.Windows = map[string]risk.Window{"x": {On: ok.On, Span: "1h", Measure: "distinct"}}
		}},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			r := ok
			x.change(&r)
			_, err := risk.Compile(r)
			var e *mianmi.Error
			if !errors.As(err, &e) || e.Kind != mianmi.Invalid || e.Field != x.field {
				t.Errorf("the error is %v; want Invalid of %s", err, x.field)
			}
		})
	}
}

// The text of a rule with a slip of the pen is refused whole.
func TestParse(t *testing.T) {
	t.Parallel()
	const good = "id: r\ntitle: {zh: 规则, en: rule}\nsays: {zh: 有, en: there is}\nseverity: low\nkey: [payer]\non: [pin_free]\nwhen: e.minor > 5\nmeasures: [tell]\n"
	if r, err := risk.Parse([]byte(good)); err != nil || r.ID != "r" {
		t.Fatal(r, err)
	}
	for _, bad := range []string{"", "when", good + "whn: true\n", good + "---\n" + good, good + "id: again\n"} {
		if _, err := risk.Parse([]byte(bad)); mianmi.KindOf(err) != mianmi.Invalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// Memory is bounded: keys that the windows have forgotten go by themselves, and
// of too many the longest idle goes and is counted.
func TestKeysAreBounded(t *testing.T) {
	t.Parallel()
	c := mustCompile(t, counting(risk.Window{On: []risk.Kind{risk.PinFree}, Span: "1h", Measure: "count"}, "w.x.count >= 2"))
	e := base(risk.PinFree)
	run := func(step time.Duration) (g *risk.Engine) {
		g = risk.NewEngine([]*risk.Compiled{c})
		for i := range 1<<16 + 10 {
			e.At, e.Payer = noon.Add(time.Duration(i)*step), mianmi.PayerID(fmt.Sprint("py", i))
			g.Observe(e)
		}
		return g
	}
	if n := run(time.Second).Evicted(); n != 0 {
		t.Errorf("%d keys had to go, though an hour of them is 3600", n)
	}
	g := run(time.Millisecond)
	if n := g.Evicted(); n != 10 {
		t.Errorf("%d keys had to go, want 10", n)
	}
	if f := g.Observe(e); len(f) != 1 { // the newest is still known
		t.Errorf("%d findings", len(f))
	}
}

// BenchmarkObserve is the rate at which the shipped rules take payments.
func BenchmarkObserve(b *testing.B) {
	rules, err := risk.Shipped()
	if err != nil {
		b.Fatal(err)
	}
	g := risk.NewEngine(rules)
	e := base(risk.PinFree)
	e.Limit, e.Left = 30000, 20000
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		e.At, e.Payer, e.Terminal = noon.Add(time.Duration(i)*time.Millisecond), mianmi.PayerID(fmt.Sprint("py", i%50000)), mianmi.TerminalID(fmt.Sprint("tm", i%1000))
		g.Observe(e)
		i++
	}
}
