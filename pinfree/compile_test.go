package pinfree

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
)

// fields returns the field of each fault in an error of Compile.
func fields(err error) []string {
	var out []string
	var many interface{ Unwrap() []error }
	if errors.As(err, &many) {
		for _, e := range many.Unwrap() {
			var f *mianmi.Error
			if errors.As(e, &f) {
				out = append(out, f.Field)
			}
		}
	}
	return out
}

// TestCompileNamesTheFault proves that each mistake in a pack is found and that
// its place is named.
func TestCompileNamesTheFault(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*Pack)
		field  string
	}{
		{"an identifier of a page's width", func(p *Pack) { p.ID = strings.Repeat("x", wordMax+1) }, "pack " + strings.Repeat("x", wordMax+1) + ": id"},
		{"a title of a blank", func(p *Pack) { p.Title.EN = " " }, "pack p: title"},
		{"a country of digits", func(p *Pack) { p.When.Countries = []string{"12"} }, "pack p: when.countries[0]"},
		{"an identifier with a capital", func(p *Pack) { p.ID = "CN" }, "pack CN: id"},
		{"no edition", func(p *Pack) { p.Edition = "" }, "pack p: edition"},
		{"a title in one language", func(p *Pack) { p.Title.EN = "" }, "pack p: title"},
		{"a layer that is none", func(p *Pack) { p.Layer = "law" }, "pack p: layer"},
		{"an open point in one language", func(p *Pack) { p.Open = []mianmi.Text{{EN: "x"}} }, "pack p: open[0]"},
		{"no sources", func(p *Pack) { p.Sources = nil }, "pack p: sources"},
		{"a limit without a source, of two", func(p *Pack) { p.Sources = append(p.Sources, p.Sources[0]) }, "pack p: limits[0].sources"},
		{"a source that is not there", func(p *Pack) { p.Limits[0].Sources = []string{"x"} }, "pack p: limits[0].sources[0]"},
		{"an answer without a source, of two", func(p *Pack) {
			p.Sources, p.Answers = append(p.Sources, p.Sources[0]), []Answer{{}}
		}, "pack p: answers[0].sources"},
		{"a promise without a source, of two", func(p *Pack) {
			p.Sources, p.Compensation = append(p.Sources, p.Sources[0]), []Compensation{{}}
		}, "pack p: compensation[0].sources"},
		{"a source's name twice", func(p *Pack) {
			p.Sources[0].ID, p.Limits[0].Sources = "a", []string{"a"}
			p.Sources = append(p.Sources, p.Sources[0])
		}, "pack p: sources[1].id"},
		{"a source's name with a blank", func(p *Pack) { p.Sources[0].ID = "a b" }, "pack p: sources[0].id"},
		{"a source without a date", func(p *Pack) { p.Sources[0].Read = "yesterday" }, "pack p: sources[0].read"},
		{"a source of no known quality", func(p *Pack) { p.Sources[0].Quality = "good" }, "pack p: sources[0].quality"},
		{"a source without an address", func(p *Pack) { p.Sources[0].URL = "x" }, "pack p: sources[0].url"},
		{"a zone that is none", func(p *Pack) { p.Zone = "Asia/Peking" }, "pack p: zone"},
		{"the machine's zone", func(p *Pack) { p.Zone = "Local" }, "pack p: zone"},
		{"a date that is none", func(p *Pack) { p.Effective.From = "2018-13-01" }, "pack p: effective.from"},
		{"an end before the beginning", func(p *Pack) { p.Effective = Period{"2018-02-01", "2018-01-01"} }, "pack p: effective.to"},
		{"a method that is none", func(p *Pack) { p.When.Methods[1] = "cheque" }, "pack p: when.methods[1]"},
		{"cash, which is not decided", func(p *Pack) { p.When.Methods[0] = "cash" }, "pack p: when.methods[0]"},
		{"a currency in small letters", func(p *Pack) { p.When.Currencies[0] = "cny" }, "pack p: when.currencies[0]"},
		{"an unknown entry", func(p *Pack) { p.When.Entries = []string{"seen"} }, "pack p: when.entries[0]"},
		{"a country of three letters", func(p *Pack) { p.When.Countries = []string{"CHN"} }, "pack p: when.countries[0]"},
		{"a scheme with a capital", func(p *Pack) { p.When.Schemes = []string{"Visa"} }, "pack p: when.schemes[0]"},
		{"an MCC of three digits", func(p *Pack) { p.When.MCC = []string{"541"} }, "pack p: when.mcc[0]"},
		{"an MCC range upside down", func(p *Pack) { p.When.NotMCC = []string{"5411", "6000-5000"} }, "pack p: when.not_mcc[1]"},
		{"a fault inside an exception", func(p *Pack) { p.When.Except = []Condition{{Kinds: []string{""}}} }, "pack p: when.except[0].kinds[0]"},
		{"a counter without an ID", func(p *Pack) { p.Counters[0].ID = "" }, "pack p: counters[0].id"},
		{"a bucket that is none", func(p *Pack) { p.Counters[0].Bucket = "shop" }, "pack p: counters[0].bucket"},
		{"a counter that counts nothing known", func(p *Pack) { p.Counters[0].Counts = "some" }, "pack p: counters[0].counts"},
		{"a reset that is none", func(p *Pack) { p.Counters[0].Resets = []string{"calendar_day", "monday"} }, "pack p: counters[0].resets[1]"},
		{"a counter that nothing resets", func(p *Pack) { p.Counters[0].Resets = nil }, "pack p: counters[0].resets"},
		{"a calendar day without a zone", func(p *Pack) { p.Zone = "" }, "pack p: counters[0].zone"},
		{"permission without limits", func(p *Pack) { p.Limits = nil }, "pack p: limits"},
		{"two limits of one name", func(p *Pack) { p.Limits = append(p.Limits, p.Limits[0]) }, "pack p: limits[1].id"},
		{"a limit without a title", func(p *Pack) { p.Limits[0].Title = mianmi.Text{} }, "pack p: limits[0].title"},
		{"an outcome above the limit that is none", func(p *Pack) { p.Limits[0].Above = "" }, "pack p: limits[0].above"},
		{"a counter that is not there", func(p *Pack) { p.Limits[0].Counter = "d" }, "pack p: limits[0].counter"},
		{"a number without a counter", func(p *Pack) { p.Limits[0].Counter = "" }, "pack p: limits[0].number"},
		{"a limit on nothing", func(p *Pack) { p.Limits[0].Number = nil }, "pack p: limits[0]"},
		{"always with a number", func(p *Pack) { p.Limits[0].Always = true }, "pack p: limits[0].always"},
		{"both operators", func(p *Pack) { p.Limits[0].Number.Below = number(1) }, "pack p: limits[0].number"},
		{"a negative bound", func(p *Pack) { p.Limits[0].Number.AtMost = number(-1) }, "pack p: limits[0].number"},
		{"a counter's bound without a scope", func(p *Pack) { p.Limits[0].Number.Scope = "" }, "pack p: limits[0].number.scope"},
		{"a scope on one payment", func(p *Pack) {
			p.Limits[0] = Limit{ID: "l", Title: p.Title, Amount: &Range{Scope: "previous", AtMost: number(1)}, Above: "refuse"}
		}, "pack p: limits[0].amount.scope"},
		{"an amount without a currency", func(p *Pack) {
			p.When.Currencies = nil
			p.Limits[0] = Limit{ID: "l", Title: p.Title, Amount: &Range{AtMost: number(1)}, Above: "refuse"}
		}, "pack p: when.currencies"},
		{"a reading that is not there", func(p *Pack) { p.Limits[0].Readings = []string{"strict"} }, "pack p: limits[0].readings[0]"},
		{"no reading taken", func(p *Pack) { p.Readings = []Reading{{"a", p.Title}} }, "pack p: reading"},
		{"the line of the field", func(p *Pack) {
			p.Limits[0].Above = "x"
			p.Origin = Origin{File: "p.yaml", Lines: map[string]int{"limits[0].above": 31}}
		}, "p.yaml:31: limits[0].above"},
		{"the line of the nearest field around it", func(p *Pack) {
			p.Limits[0].Above = ""
			p.Origin = Origin{File: "p.yaml", Lines: map[string]int{"limits[0]": 30}}
		}, "p.yaml:30: limits[0].above"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := counterPack([]string{"calendar_day"}, "payer", "executed_all")
			tt.change(&p)
			rs, err := Compile([]Pack{p})
			if got := fields(err); !slices.Contains(got, tt.field) || rs != nil || !errors.Is(err, mianmi.Invalid) {
				t.Errorf("want a fault at %q, got %q", tt.field, got)
			}
		})
	}
}

func TestCompileSets(t *testing.T) {
	t.Parallel()
	a := counterPack([]string{"calendar_day"}, "payer", "executed_all")
	b := counterPack([]string{"sca_any"}, "instrument", "executed_all")
	b.ID = "q"
	if _, err := Compile([]Pack{a, b, a}); !slices.Equal(fields(err), []string{"pack p: id"}) {
		t.Errorf("a pack that is there twice: %v", err)
	}
	if _, err := Compile([]Pack{a}, OwnZone("Mars/Base")); !slices.Equal(fields(err), []string{"zone"}) {
		t.Errorf("a zone that is none: %v", err)
	}
	ab, ba, other := compiled(t, a, b), compiled(t, b, a), compiled(t, a)
	if ab.Version() != ba.Version() || ab.Version() == other.Version() || len(ab.Version()) != 12 {
		t.Errorf("versions %s, %s, %s", ab.Version(), ba.Version(), other.Version())
	}
	a.Origin.File = "elsewhere.yaml"
	if got := compiled(t, a).Version(); got != other.Version() {
		t.Error("the file's name is part of the version")
	}
	a.Limits[0].Number = &Range{Scope: "previous", AtMost: number(5)}
	if got := compiled(t, a).Version(); got == other.Version() {
		t.Error("another limit has the same version")
	}
	many := make([]Pack, payerCountersMax+1)
	for i := range many {
		many[i] = a
		many[i].ID = "p" + strings.Repeat("x", i)
	}
	if _, err := Compile(many); !slices.Equal(fields(err), []string{"packs"}) {
		t.Errorf("too many counters: %v", err)
	}
	for len(a.Limits) <= limitsMax {
		a.Limits = append(a.Limits, a.Limits[0])
		a.Limits[len(a.Limits)-1].ID = "l" + strconv.Itoa(len(a.Limits))
	}
	if _, err := Compile([]Pack{a}); !slices.Equal(fields(err), []string{"packs"}) {
		t.Errorf("too many limits: %v", err)
	}
	many[0].When.Except = make([]Condition, conditionsMax)
	if _, err := Compile(many[:1]); len(fields(err)) == 0 || !strings.HasPrefix(fields(err)[0], "elsewhere.yaml: when.except[") {
		t.Errorf("too many conditions: %v", err)
	}
	many[1].When.MCC = slices.Repeat([]string{"5411"}, listMax+1)
	if _, err := Compile(many[1:2]); !slices.Equal(fields(err), []string{"elsewhere.yaml: when"}) {
		t.Errorf("too long a list: %v", err)
	}
	if got := ab.RuleTitle("q/l"); got != b.Limits[0].Title {
		t.Errorf("title of q/l: %v", got)
	}
	if got := ab.RuleTitle("q"); got != b.Title {
		t.Errorf("title of q: %v", got)
	}
	if got := ab.RuleTitle("r/l"); got != (mianmi.Text{}) {
		t.Errorf("title of a rule that is not there: %v", got)
	}
}

// TestRuleSources proves that of each rule one can tell where it is written.
func TestRuleSources(t *testing.T) {
	t.Parallel()
	one := counterPack([]string{"sca_any"}, "payer", "executed_all")
	two := counterPack([]string{"sca_any"}, "payer", "executed_all")
	two.ID = "q"
	a, b := one.Sources[0], one.Sources[0]
	a.ID, a.Title, b.ID, b.Title = "a", "A", "b", "B"
	two.Sources = []Source{a, b}
	two.Limits[0].Sources = []string{"b"}
	rs := compiled(t, one, two)
	for name, want := range map[string][]Source{"p": one.Sources, "p/l": one.Sources, "q": {a, b}, "q/l": {b}, "q/m": nil, "r": nil, "": nil} {
		if got := rs.RuleSources(name); !slices.Equal(got, want) {
			t.Errorf("%q is written in %v, want %v", name, got, want)
		}
	}
	if got := (*RuleSet)(nil).RuleSources("p"); got != nil {
		t.Errorf("of no packs: %v", got)
	}
}

// TestConditions proves each part of a condition: met, missed, and not known.
func TestConditions(t *testing.T) {
	t.Parallel()
	f, tr := false, true
	tests := []struct {
		name   string
		when   Condition
		change func(*facts)
		want   tri
	}{
		{"no condition", Condition{}, func(*facts) {}, yes},
		{"a method that is meant", Condition{Methods: []string{"card_tap"}}, func(*facts) {}, yes},
		{"another method", Condition{Methods: []string{"card_swipe"}}, func(*facts) {}, no},
		{"an event without a method", Condition{Methods: []string{"card_swipe"}}, func(f *facts) { f.method = MethodUnknown }, perhaps},
		{"the entry", Condition{Entries: []string{"scanned"}}, func(f *facts) { f.entry = Scanned }, yes},
		{"another entry", Condition{Entries: []string{"scanned"}}, func(f *facts) { f.entry = Typed }, no},
		{"an unknown entry", Condition{Entries: []string{"scanned"}}, func(*facts) {}, perhaps},
		{"another currency", Condition{Currencies: []string{"EUR"}}, func(*facts) {}, no},
		{"an unknown currency", Condition{Currencies: []string{"EUR"}}, func(f *facts) { f.currency = new(money.Currency) }, perhaps},
		{"an unknown country", Condition{Countries: []string{"DE"}}, func(f *facts) { f.place.Country = "" }, perhaps},
		{"another country", Condition{Countries: []string{"DE"}}, func(*facts) {}, no},
		{"the kind of card", Condition{Kinds: []string{"credit", "debit"}}, func(*facts) {}, yes},
		{"an unknown kind of card", Condition{Kinds: []string{"debit"}}, func(f *facts) { f.card.Kind = "" }, perhaps},
		{"a domestic card", Condition{Domestic: &tr}, func(*facts) {}, yes},
		{"a foreign card", Condition{Domestic: &f}, func(*facts) {}, no},
		{"an MCC in a range", Condition{MCC: []string{"1000", "5400-5499"}}, func(*facts) {}, yes},
		{"an MCC outside", Condition{MCC: []string{"5412"}}, func(*facts) {}, no},
		{"an unknown MCC", Condition{MCC: []string{"5411"}}, func(f *facts) { f.place.MCC = 0 }, perhaps},
		{"an excluded MCC", Condition{NotMCC: []string{"5411"}}, func(*facts) {}, no},
		{"an MCC that is not excluded", Condition{NotMCC: []string{"7995"}}, func(*facts) {}, yes},
		{"an unknown MCC may be excluded", Condition{NotMCC: []string{"7995"}}, func(f *facts) { f.place.MCC = 0 }, perhaps},
		{"an attended place", Condition{Unattended: &tr}, func(*facts) {}, no},
		{"a purpose", Condition{Purposes: []string{"vending"}}, func(f *facts) { f.place.Purpose = "vending" }, yes},
		{"no purpose", Condition{Purposes: []string{"vending"}}, func(*facts) {}, no},
		{"a merchant that is not enabled", Condition{NoPINMerchant: &f}, func(*facts) {}, yes},
		{"a merchant that is not upgraded", Condition{UpgradedMerchant: &tr}, func(*facts) {}, no},
		{"an exception that is met", Condition{Except: []Condition{{Kinds: []string{"debit"}}}}, func(*facts) {}, no},
		{"an exception that is missed", Condition{Except: []Condition{{Kinds: []string{"credit"}}}}, func(*facts) {}, yes},
		{"an exception that may be met", Condition{Except: []Condition{{Kinds: []string{"credit"}}}}, func(f *facts) { f.card.Kind = "" }, perhaps},
		{"one part missed outweighs one unknown", Condition{Schemes: []string{"visa"}, Kinds: []string{"debit"}}, func(f *facts) { f.card.Kind = "" }, no},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var flaws faults
			m := flaws.compileCondition("when", &tt.when)
			if err := flaws.err(); err != nil {
				t.Fatal(err)
			}
			f := facts{method: CardTap, currency: &yuan, card: &Card{Scheme: "unionpay", Kind: "debit", Domestic: true}, place: &Place{MCC: 5411, Country: "CN"}, more: &noFacts}
			tt.change(&f)
			if got := m.match(&f); got != tt.want {
				t.Errorf("want %d, got %d", tt.want, got)
			}
		})
	}
}

// TestPermission proves when a pack permits: surely meant, with a limit that
// reaches the payment or none at all by its own word.
func TestPermission(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*Pack)
		want   Outcome
	}{
		{"a pack that permits", func(*Pack) {}, PinFree},
		{"a pack that only restricts", func(p *Pack) { p.Permits = false }, StepUp},
		{"no limit reaches the payment", func(p *Pack) { p.Limits[0].When = &Condition{Schemes: []string{"visa"}} }, StepUp},
		{"no limit reaches it, and the pack says unlimited", func(p *Pack) {
			p.Limits[0].When, p.Unlimited = &Condition{Schemes: []string{"visa"}}, true
		}, PinFree},
		{"unlimited", func(p *Pack) { p.Limits, p.Unlimited = nil, true }, PinFree},
		{"a limit that is surely not meant leaves it uncovered even when another may be", func(p *Pack) {
			p.Limits[0].When = &Condition{Countries: []string{"CN"}}
		}, StepUp},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := counterPack([]string{"calendar_day"}, "payer", "executed_all")
			tt.change(&p)
			rs := compiled(t, p)
			in := Input{Method: CardTap, Card: Card{Scheme: "unionpay"}, Rules: rs, Counts: make([]Count, rs.Counters()), Can: ByTerminalPIN}
			in.Amount, in.At = money.Of(1, "CNY"), shanghaiNoon
			for _, k := range []LayerKind{LayerPayer, LayerMerchant, LayerTerminal} {
				in.Layers = append(in.Layers, Layer{Kind: k, State: On, Limits: NoLimits()})
			}
			if d := Decide(in); d.Outcome != tt.want {
				t.Errorf("want %s, got %s %v", tt.want, d.Outcome, d.Reasons)
			}
		})
	}
}
