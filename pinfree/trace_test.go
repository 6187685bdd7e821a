package pinfree_test

import (
	"cmp"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/pinfree/packs"
)

// tracePack has what the shipped packs may lack: figures, facts in CEL, a
// refusal, both measures of one counter, limits with conditions of their own.
const tracePack = `
id: trace
version: 3
edition: "1"
layer: issuer
jurisdiction: CN
title: {zh: 试, en: Trial}
zone: Asia/Shanghai
effective: {from: "2025-01-01", to: "2026-12-31"}
permits: true
sources: [{title: t, url: "https://example.org/", read: "2026-01-01", quality: unverified}]
when:
  methods: [card_tap, payment_code, static_qr]
  currencies: [CNY]
  not_mcc: ["7995"]
  except: [{unattended: true, purposes: [vending]}]
  cel: payer.consent == 'given' && (risk == 'low' || factors < 1)
counters:
  - {id: both, bucket: account, counts: executed_all, resets: [calendar_day]}
limits:
  - {id: figure, title: {zh: 一, en: One}, amount: {at_most_of: payer_payment_limit}, above: step_up}
  - {id: both, title: {zh: 二, en: Two}, counter: both, amount: {scope: previous, below: 50000}, number: {scope: previous, at_most: 4}, above: refuse}
  - {id: risky, title: {zh: 三, en: Three}, when: {cel: merchant.risk == 'high'}, always: true, above: refuse}
`

func traced(t testing.TB) *pinfree.RuleSet {
	t.Helper()
	all, err := packs.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	p, err := packs.Parse("trace.yaml", []byte(tracePack))
	if err != nil {
		t.Fatal(err)
	}
	rs, err := pinfree.Compile(append(all, p))
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

// fromPacks are the reasons of a decision that packs gave, in one order.
func fromPacks(list []pinfree.Why) []pinfree.Why {
	var out []pinfree.Why
	for _, w := range list {
		if w.Rule != "" && w.Reason < pinfree.WithinLimits && w.Reason != pinfree.NoRuleCovers {
			out = append(out, w)
		}
	}
	slices.SortFunc(out, func(a, b pinfree.Why) int {
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Currency, b.Currency),
			cmp.Compare(a.Limit, b.Limit), cmp.Compare(a.Actual, b.Actual))
	})
	return out
}

// For every payment: the trace stops it for exactly the reasons that Decide
// gives from packs, and a pack covers it exactly when Decide does not miss one.
func TestTraceAgreesWithDecide(t *testing.T) {
	t.Parallel()
	rs := traced(t)
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t, rs)
		if rapid.IntRange(0, 9).Draw(t, "without a date") == 0 {
			in.At = in.At.AddDate(-20, 0, 0)
		}
		in.CVM = min(in.CVM, pinfree.PhonePassword)
		d := pinfree.Decide(in)
		var stops []pinfree.Why
		covered := false
		for _, p := range rs.Trace(in) {
			covered = covered || p.Covers
			for _, l := range p.Limits {
				stops = append(stops, l.Stops...)
				checkLimit(t, &p, &l)
			}
		}
		if diff := gocmp.Diff(fromPacks(d.Reasons), fromPacks(stops)); diff != "" {
			t.Fatalf("reasons (-Decide +Trace):\n%s", diff)
		}
		misses := slices.ContainsFunc(d.Reasons, func(w pinfree.Why) bool { return w.Reason == pinfree.NoRuleCovers })
		always := in.Method == pinfree.CardInsert || in.Method == pinfree.CardSwipe || in.Method == pinfree.DynamicQR || in.Method == pinfree.ATM
		if misses != (!covered && !always) {
			t.Fatalf("Decide misses a pack: %v; the trace says covered: %v", misses, covered)
		}
	})
}

// checkLimit holds a limit's comparisons against what it stops for.
func checkLimit(t *rapid.T, p *pinfree.Trace, l *pinfree.LimitTrace) {
	stops := l.Always
	for _, c := range l.Checks {
		stops = stops || !c.Inside
	}
	if meant := p.Applies() != pinfree.No && l.Meant != pinfree.No; (meant && stops) != (len(l.Stops) > 0) {
		t.Fatalf("%s: meant %v, checks %+v, stops %+v", l.Rule, meant, l.Checks, l.Stops)
	}
}

// For every payment: a condition is as sure as the least sure of its parts.
func TestTraceOfParts(t *testing.T) {
	t.Parallel()
	rs := traced(t)
	rank := map[pinfree.Flag]int{pinfree.No: 0, pinfree.NotKnown: 1, pinfree.Yes: 2}
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t, rs)
		check := func(what string, parts []pinfree.Part, meant pinfree.Flag) {
			least := pinfree.Yes
			for _, p := range parts {
				if rank[p.Is] < rank[least] {
					least = p.Is
				}
			}
			if least != meant {
				t.Fatalf("%s is %v, its parts %+v", what, meant, parts)
			}
		}
		for _, p := range rs.Trace(in) {
			check(p.Pack, p.Parts, p.Meant)
			for _, l := range p.Limits {
				check(l.Rule, l.Parts, l.Meant)
			}
		}
	})
}

// The parts say what the pack asks for and what the payment has.
func TestTraceTells(t *testing.T) {
	t.Parallel()
	rs := traced(t)
	in := tap(rs)
	in.Facts = &pinfree.Facts{Consent: "given"}
	traces := rs.Trace(in)
	p := traces[slices.IndexFunc(traces, func(p pinfree.Trace) bool { return p.Pack == "trace" })]
	want := []pinfree.Part{
		{Field: "methods", Want: "card_tap, payment_code, static_qr", Have: "card_tap", Is: pinfree.Yes},
		{Field: "currencies", Want: "CNY", Have: "CNY", Is: pinfree.Yes},
		{Field: "not_mcc", Want: "7995", Have: "5411", Is: pinfree.Yes},
		{Field: "except[0]", Want: "not (unattended: true; purposes: vending)", Have: "unattended: false; purposes: general", Is: pinfree.Yes},
		{Field: "cel", Want: `payer.consent == "given"`, Have: "payer.consent: given", Is: pinfree.Yes},
		{Field: "cel", Want: `risk == "low" || factors < 1`, Have: "factors: ?; risk: ?", Is: pinfree.NotKnown},
	}
	if diff := gocmp.Diff(want, p.Parts); diff != "" {
		t.Errorf("parts (-want +got):\n%s", diff)
	}
	if p.Applies() != pinfree.NotKnown || p.Covers || p.Version != 3 || p.Layer != pinfree.LayerIssuer {
		t.Errorf("trace = %+v", p)
	}
	both := p.Limits[1]
	if both.Counter != "trace/both" || len(both.Checks) != 2 || both.Checks[1].Bound != pinfree.AtMost(5) {
		t.Errorf("limit = %+v", both)
	}
	if got := (*pinfree.RuleSet)(nil).Trace(in); got != nil {
		t.Errorf("no packs, and a trace: %+v", got)
	}
	if keys := rs.CounterKeys(); len(keys) != rs.Counters() || !slices.Contains(keys, "trace/both") {
		t.Errorf("counters = %v", keys)
	}
	in.Counts = nil
	for _, p := range rs.Trace(in) {
		for _, l := range p.Limits {
			if l.Counter != "" && l.Count.Number >= 0 {
				t.Errorf("%s: a counter that was not given is %+v", l.Rule, l.Count)
			}
		}
	}
}
