package rules

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/pinfree/packs"
)

var noon = time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC)

func ptr[T any](v T) *T { return &v }

var words = mianmi.Text{ZH: "规则", EN: "rule"}

// drawCondition draws from few values, so that two conditions often meet.
func drawCondition(t *rapid.T) pinfree.Condition {
	some := func(name string, from ...string) []string {
		if rapid.IntRange(0, 2).Draw(t, name+"?") > 0 {
			return nil
		}
		return rapid.SliceOfNDistinct(rapid.SampledFrom(from), 1, 2, rapid.ID[string]).Draw(t, name)
	}
	maybe := func(name string) *bool {
		return rapid.SampledFrom([]*bool{nil, nil, nil, ptr(true), ptr(false)}).Draw(t, name)
	}
	return pinfree.Condition{Methods: some("methods", "payment_code", "card_tap", "static_qr"), Currencies: []string{"CNY"},
		Schemes: some("schemes", "unionpay", "visa"), MCC: some("mcc", "5411", "5812-5814"), NotMCC: some("not mcc", "5411", "7800-7999"),
		Countries: some("countries", "CN", "DE"), Purposes: some("purposes", "vending", "parking_fee"),
		Domestic: maybe("domestic"), Unattended: maybe("unattended"), UpgradedMerchant: maybe("upgraded"),
		Except: rapid.SampledFrom([][]pinfree.Condition{nil, nil, nil, {{Schemes: []string{"visa"}}}, {{Schemes: []string{"visa"}, Kinds: []string{"debit"}}},
			{{Countries: []string{"DE"}}, {CEL: `risk == "high"`}}}).Draw(t, "except"),
		CEL: rapid.SampledFrom([]string{"", "", "", `risk == "low"`, `!(card.scheme in ["visa"])`}).Draw(t, "cel")}
}

func drawRange(t *rapid.T, counter, amount bool) *pinfree.Range {
	r := &pinfree.Range{}
	n := rapid.Int64Range(0, 5).Draw(t, "n")
	if amount {
		n *= 100
	}
	switch kind := rapid.IntRange(0, 5).Draw(t, "bound"); {
	case kind == 0 && amount:
		r.AtMostOf = "payer_payment_limit"
	case kind == 1 && amount:
		r.BelowOf = "payer_payment_limit"
	case kind < 4:
		r.AtMost = &n
	default:
		r.Below = &n
	}
	if counter {
		r.Scope = rapid.SampledFrom([]string{"previous", including}).Draw(t, "scope")
	}
	return r
}

func drawLimit(t *rapid.T, id string) pinfree.Limit {
	l := pinfree.Limit{ID: id, Title: words, Above: rapid.SampledFrom([]string{"step_up", "step_up", refuses}).Draw(t, "above"),
		Readings: rapid.SampledFrom([][]string{nil, nil, {"r1"}, {"r2"}}).Draw(t, "readings")}
	if rapid.Bool().Draw(t, "conditional") {
		l.When = ptr(drawCondition(t))
	}
	l.Counter = rapid.SampledFrom([]string{"", "", "c1", "c2"}).Draw(t, "counter")
	switch kind := rapid.IntRange(0, 3).Draw(t, "limit"); {
	case kind == 0 && l.Counter == "":
		l.Always = true
	case kind == 1 && l.Counter != "":
		l.Number = drawRange(t, true, false)
	case kind == 2 && l.Counter != "":
		l.Number, l.Amount = drawRange(t, true, false), drawRange(t, true, true)
	default:
		l.Amount = drawRange(t, l.Counter != "", true)
	}
	return l
}

func drawCounter(t *rapid.T, id string) pinfree.Counter {
	c := pinfree.Counter{ID: id, Bucket: rapid.SampledFrom([]string{"payer", "instrument", "funding"}).Draw(t, "bucket"),
		Counts: rapid.SampledFrom([]string{"executed_unauthenticated", "executed_all"}).Draw(t, "counts"),
		Resets: []string{rapid.SampledFrom([]string{"calendar_day", "sca_any"}).Draw(t, "resets")}}
	if rapid.IntRange(0, 3).Draw(t, "when?") == 0 {
		c.When = ptr(drawCondition(t))
	}
	return c
}

func drawPack(t *rapid.T, id string) pinfree.Pack {
	p := pinfree.Pack{ID: id, Version: 1, Edition: "1", Layer: "scheme", Title: words, Zone: "Asia/Shanghai",
		Effective: drawPeriod(t), Permits: rapid.IntRange(0, 3).Draw(t, "permits") > 0, Unlimited: rapid.IntRange(0, 4).Draw(t, "unlimited") == 0,
		Readings: []pinfree.Reading{{ID: "r1", Text: words}, {ID: "r2", Text: words}}, Reading: rapid.SampledFrom([]string{"r1", "r2"}).Draw(t, "reading"),
		Sources: []pinfree.Source{{Title: "t", URL: "https://example.org", Read: "2026-01-01", Quality: "primary"}},
		When:    drawCondition(t), Counters: []pinfree.Counter{drawCounter(t, "c1"), drawCounter(t, "c2")}}
	for i := range rapid.IntRange(1, 3).Draw(t, "limits") {
		p.Limits = append(p.Limits, drawLimit(t, fmt.Sprint("l", i)))
	}
	return p
}

func drawPeriod(t *rapid.T) pinfree.Period {
	return rapid.SampledFrom([]pinfree.Period{{}, {}, {From: "2026-01-01"}, {From: "2026-04-01"}, {To: "2026-02-01"},
		{From: "2026-01-01", To: "2026-12-31"}}).Draw(t, "effective")
}

// copyOf is a pack that shares nothing that edit changes.
func copyOf(p pinfree.Pack) pinfree.Pack {
	p.Limits, p.Counters = slices.Clone(p.Limits), slices.Clone(p.Counters)
	return p
}

// edit alters packs at one place, in the ways that people do.
func edit(t *rapid.T, list []pinfree.Pack) []pinfree.Pack {
	if len(list) == 0 {
		return []pinfree.Pack{drawPack(t, "p9")}
	}
	i := rapid.IntRange(0, len(list)-1).Draw(t, "pack")
	p := copyOf(list[i])
	n := rapid.IntRange(0, max(len(p.Limits)-1, 0)).Draw(t, "limit")
	switch what := rapid.IntRange(0, 15).Draw(t, "edit"); {
	case what == 0:
		return slices.Delete(slices.Clone(list), i, i+1)
	case what == 1:
		return append(slices.Clone(list), drawPack(t, fmt.Sprint("p", 10+len(list))))
	case what == 2:
		p.Limits = append(p.Limits, drawLimit(t, fmt.Sprint("m", len(p.Limits))))
	case what == 3:
		p.When = drawCondition(t)
	case what == 14:
		p.When.CEL = drawCondition(t).CEL
	case what == 15:
		p.When.MCC, p.When.NotMCC = drawCondition(t).MCC, nil
	case what == 4:
		p.Permits = !p.Permits
	case what == 5:
		p.Effective = drawPeriod(t)
	case what == 6:
		p.Counters[rapid.IntRange(0, 1).Draw(t, "counter")] = drawCounter(t, rapid.SampledFrom([]string{"c1", "c2"}).Draw(t, "id"))
	case what == 7:
		p.Unlimited, p.Reading = !p.Unlimited, rapid.SampledFrom([]string{"r1", "r2"}).Draw(t, "reading")
	case len(p.Limits) == 0:
	case what == 8:
		p.Limits = slices.Delete(p.Limits, n, n+1)
	case what == 9:
		p.Limits[n].Above = rapid.SampledFrom([]string{"step_up", refuses}).Draw(t, "above")
	case what == 10:
		p.Limits[n] = drawLimit(t, p.Limits[n].ID)
	case what == 11:
		p.Limits[n].When = rapid.SampledFrom([]*pinfree.Condition{nil, ptr(drawCondition(t))}).Draw(t, "when")
	default:
		l := &p.Limits[n]
		if l.Amount != nil {
			l.Amount = drawRange(t, l.Counter != "", true)
		}
		if l.Number != nil {
			l.Number = drawRange(t, true, false)
		}
	}
	list = slices.Clone(list)
	list[i] = p
	return list
}

// drawPayment is an input that any pack may know, and the counters of both sets.
func drawPayment(t *rapid.T) pinfree.Input {
	in := pinfree.Input{Amount: money.Of(rapid.Int64Range(1, 6).Draw(t, "amount")*100-rapid.Int64Range(0, 1).Draw(t, "less"), "CNY"),
		Method: rapid.SampledFrom([]pinfree.Method{pinfree.PaymentCode, pinfree.CardTap, pinfree.StaticQR}).Draw(t, "method"), Entry: pinfree.Scanned,
		CVM: rapid.SampledFrom([]pinfree.CVM{pinfree.NoCVM, pinfree.NoCVM, pinfree.NoCVM, pinfree.OnlinePIN}).Draw(t, "cvm"),
		Card: pinfree.Card{Scheme: rapid.SampledFrom([]string{"unionpay", "visa", ""}).Draw(t, "scheme"),
			Kind: rapid.SampledFrom([]string{"", "debit", "credit"}).Draw(t, "kind"), Domestic: rapid.Bool().Draw(t, "domestic"),
			Instrument: rapid.SampledFrom([]string{"ci1", ""}).Draw(t, "instrument")},
		Place: pinfree.Place{MCC: rapid.SampledFrom([]uint16{0, 5411, 5813, 7800}).Draw(t, "mcc"), Unattended: rapid.Bool().Draw(t, "unattended"),
			Country: rapid.SampledFrom([]string{"", "CN", "DE"}).Draw(t, "country"), Purpose: rapid.SampledFrom([]string{"", "vending"}).Draw(t, "purpose"),
			UpgradedMerchant: rapid.Bool().Draw(t, "upgraded")},
		At:  rapid.SampledFrom([]time.Time{noon, noon.AddDate(0, -2, 0), noon.AddDate(0, 3, 0), {}}).Draw(t, "at"),
		Can: rapid.SampledFrom([]pinfree.StepUpMethods{pinfree.ByPhonePassword, 0}).Draw(t, "can")}
	if rapid.Bool().Draw(t, "facts") {
		in.Facts = &pinfree.Facts{Risk: rapid.SampledFrom([]string{"", "low", "high"}).Draw(t, "risk")}
		in.Facts.Figures[pinfree.PayerPaymentLimit] = rapid.SampledFrom([]int64{0, 300, pinfree.NoFigure}).Draw(t, "figure")
	}
	for _, k := range []pinfree.LayerKind{pinfree.LayerPayer, pinfree.LayerMerchant, pinfree.LayerTerminal} {
		in.Layers = append(in.Layers, pinfree.Layer{Kind: k, State: pinfree.On, Limits: pinfree.NoLimits()})
	}
	return in
}

func drawCounters(t *rapid.T, sets ...[]pinfree.Pack) pinfree.Counters {
	var text []string
	seen := map[string]bool{}
	for _, set := range sets {
		for _, p := range set {
			for _, c := range p.Counters {
				for _, at := range []string{"", "@ci1", "@balance"} {
					key := p.ID + "/" + c.ID + at
					if !seen[key] && rapid.Bool().Draw(t, "kept") {
						text = append(text, fmt.Sprintf("%s=%d,%d,%d", key, rapid.IntRange(0, 5).Draw(t, "number"),
							rapid.IntRange(0, 5).Draw(t, "minor")*100, noon.Add(-time.Duration(rapid.IntRange(0, 30).Draw(t, "hours"))*time.Hour).UnixMilli()))
					}
					seen[key] = true
				}
			}
		}
	}
	if rapid.IntRange(0, 5).Draw(t, "dropped") == 0 {
		text = append(text, fmt.Sprintf("!%d", noon.UnixMilli()))
	}
	c, err := pinfree.ParseCounters(strings.Join(text, " "))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func decided(in pinfree.Input, set *pinfree.RuleSet, stored pinfree.Counters) pinfree.Decision {
	at := in.At
	if at.IsZero() {
		at = noon
	}
	in.Rules, in.Counts = set, set.Roll(nil, stored, pinfree.Subject{Instrument: in.Card.Instrument}, at)
	return pinfree.Decide(in)
}

// What Compare calls a tightening lets no payment pass, and no refusal become
// a question, that was otherwise before: whatever the packs, the payment and
// the counters.
func TestATighteningIsNeverLessStrict(t *testing.T) {
	t.Parallel()
	var tightenings, stricter atomic.Int64
	rapid.Check(t, func(t *rapid.T) {
		before := []pinfree.Pack{drawPack(t, "p1"), drawPack(t, "p2")}
		after := before
		for range rapid.IntRange(1, 2).Draw(t, "edits") {
			after = edit(t, after)
		}
		was, err1 := pinfree.Compile(before)
		now, err2 := pinfree.Compile(after)
		if err1 != nil || err2 != nil || !Compare(before, after).Tightening {
			t.Skip("nothing to prove")
		}
		tightenings.Add(1)
		for range 20 {
			in, stored := drawPayment(t), drawCounters(t, before, after)
			a, b := decided(in, was, stored), decided(in, now, stored)
			if b.Outcome > a.Outcome {
				t.Fatalf("%s %v became %s %v\nbefore %s\nafter  %s", a.Outcome, a.Reasons, b.Outcome, b.Reasons, encode(before), encode(after))
			}
			if b.Outcome < a.Outcome {
				stricter.Add(1)
			}
		}
	})
	if tightenings.Load() == 0 || stricter.Load() == 0 {
		t.Errorf("%d tightenings were tried and %d decisions became stricter: the test proves nothing", tightenings.Load(), stricter.Load())
	}
}

// unionpay is the shipped pack for the table below.
func unionpay(t *testing.T) pinfree.Pack {
	t.Helper()
	list, err := packs.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(list, func(p pinfree.Pack) bool { return p.ID == "cn-unionpay-2018" })
	return list[i]
}

// Each kind of change is judged as an operator expects, and what stands in the
// way is named.
func TestCompare(t *testing.T) {
	t.Parallel()
	was := unionpay(t)
	other := copyOf(was)
	other.ID, other.When.Schemes = "xx-visa", []string{"visa"}
	restrict := pinfree.Pack{ID: "house", When: pinfree.Condition{Methods: []string{"card_tap"}},
		Limits: []pinfree.Limit{{ID: "all", Always: true, Above: "step_up"}}}
	find := func(p *pinfree.Pack, id string) *pinfree.Limit {
		return &p.Limits[slices.IndexFunc(p.Limits, func(l pinfree.Limit) bool { return l.ID == id })]
	}
	for _, tt := range []struct {
		name   string
		change func(*pinfree.Pack) []pinfree.Pack // of all packs
		want   string                             // field of the obstacle; empty: a tightening
	}{
		{"nothing", func(p *pinfree.Pack) []pinfree.Pack { return []pinfree.Pack{*p} }, ""},
		{"another title and version", func(p *pinfree.Pack) []pinfree.Pack {
			p.Version, p.Title.EN, p.Limits[0].Title.EN = 2, "UnionPay", "other words"
			return []pinfree.Pack{*p}
		}, ""},
		{"another source", func(p *pinfree.Pack) []pinfree.Pack {
			p.Sources = append(slices.Clone(p.Sources), pinfree.Source{ID: "more", Title: "t", URL: "https://example.org", Read: "2026-01-01", Quality: "primary"})
			p.Limits[0].Sources = []string{"more"}
			return []pinfree.Pack{*p}
		}, ""},
		{"a lower limit", func(p *pinfree.Pack) []pinfree.Pack {
			find(p, "per-payment").Amount = &pinfree.Range{AtMost: ptr(int64(50000))}
			return []pinfree.Pack{*p}
		}, ""},
		{"below in place of at most", func(p *pinfree.Pack) []pinfree.Pack {
			find(p, "per-payment").Amount = &pinfree.Range{Below: ptr(int64(100000))}
			return []pinfree.Pack{*p}
		}, ""},
		{"a higher limit", func(p *pinfree.Pack) []pinfree.Pack {
			find(p, "per-payment").Amount = &pinfree.Range{AtMost: ptr(int64(100001))}
			return []pinfree.Pack{*p}
		}, "limits[per-payment]"},
		{"a limit less", func(p *pinfree.Pack) []pinfree.Pack { p.Limits = p.Limits[1:]; return []pinfree.Pack{*p} }, "limits[merchant-not-enabled]"},
		{"a refusal in place of a step-up", func(p *pinfree.Pack) []pinfree.Pack {
			find(p, "per-payment").Above = refuses
			return []pinfree.Pack{*p}
		}, ""},
		{"permission taken away", func(p *pinfree.Pack) []pinfree.Pack { p.Permits = false; return []pinfree.Pack{*p} }, ""},
		{"another scheme", func(p *pinfree.Pack) []pinfree.Pack {
			p.When.Schemes = []string{"unionpay", "visa"}
			return []pinfree.Pack{*p}
		}, "when"},
		{"debit cards alone", func(p *pinfree.Pack) []pinfree.Pack { p.When.Kinds = []string{"debit"}; return []pinfree.Pack{*p} }, ""},
		{"debit cards alone, where another pack permits the rest", func(p *pinfree.Pack) []pinfree.Pack {
			p.When.Kinds = []string{"debit"}
			rest := copyOf(was)
			rest.ID = "rest"
			return []pinfree.Pack{rest, *p}
		}, "permits"},
		{"for a time", func(p *pinfree.Pack) []pinfree.Pack { p.Effective.To = "2026-05-01"; return []pinfree.Pack{*p} }, ""},
		{"longer in force", func(p *pinfree.Pack) []pinfree.Pack { p.Effective.From = "2018-05-01"; return []pinfree.Pack{*p} }, "effective"},
		{"another layer", func(p *pinfree.Pack) []pinfree.Pack { p.Layer = "regulation"; return []pinfree.Pack{*p} }, "layer"},
		{"compensation", func(p *pinfree.Pack) []pinfree.Pack {
			p.Compensation = append(slices.Clone(p.Compensation), pinfree.Compensation{})
			return []pinfree.Pack{*p}
		}, "compensation"},
		{"a pack that restricts", func(p *pinfree.Pack) []pinfree.Pack { return []pinfree.Pack{*p, restrict} }, ""},
		{"a pack that permits", func(p *pinfree.Pack) []pinfree.Pack { return []pinfree.Pack{*p, other} }, "permits"},
		{"the only permission goes", func(*pinfree.Pack) []pinfree.Pack { return nil }, ""},
	} {
		p := copyOf(was)
		after := tt.change(&p)
		got := Compare([]pinfree.Pack{was}, after)
		switch {
		case tt.want == "" && !got.Tightening:
			t.Errorf("%s: not a tightening: %v", tt.name, got.Obstacles)
		case tt.want != "" && (got.Tightening || got.Obstacles[0].Field != tt.want || got.Obstacles[0].Text.ZH == "" || got.Obstacles[0].Text.EN == ""):
			t.Errorf("%s: %+v, want the obstacle %s", tt.name, got, tt.want)
		}
	}
	if got := Compare([]pinfree.Pack{was, other}, []pinfree.Pack{other}); !got.Tightening {
		t.Errorf("a pack goes that shares no payment with the rest: %v", got.Obstacles)
	}
	if got := Compare([]pinfree.Pack{was, restrict}, []pinfree.Pack{was}); got.Tightening {
		t.Error("a restriction goes, and that is called a tightening")
	}
}
