package pinfree_test

import (
	"fmt"
	"testing"

	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/pinfree/packs"
)

// celPack is a pack whose pack condition and one of whose limits ask an
// expression that nothing plain settles before.
const celPack = `
id: cel-%[1]d
version: 1
edition: "1"
layer: issuer
jurisdiction: CN
title: {zh: 试, en: Try}
zone: Asia/Shanghai
permits: true
sources: [{title: t, url: "https://example.org/", read: "2026-01-01", quality: primary}]
when:
  methods: [payment_code, card_tap]
  currencies: [CNY]
  cel: "!offline && type in ['sale', 'preauth'] && !(card.issuer == 'icbc' && factors >= 2)"
counters:
  - {id: day, bucket: payer, counts: executed_unauthenticated, resets: [calendar_day]}
limits:
  - id: consent
    title: {zh: 一, en: One}
    when: {cel: "payer.consent != 'given' || risk == 'high'"}
    always: true
    above: step_up
  - id: day
    title: {zh: 二, en: Two}
    counter: day
    amount: {scope: including_current, at_most: 100000}
    above: step_up
`

// celSet is n packs with expressions.
func celSet(b *testing.B, n int) *pinfree.RuleSet {
	b.Helper()
	var list []pinfree.Pack
	for i := range n {
		p, err := packs.Parse("cel.yaml", fmt.Appendf(nil, celPack, i))
		if err != nil {
			b.Fatal(err)
		}
		list = append(list, p)
	}
	rs, err := pinfree.Compile(list)
	if err != nil {
		b.Fatal(err)
	}
	return rs
}

// known are the facts of an ordinary payment, as a service fills them.
var known = pinfree.Facts{Type: "sale", Offline: pinfree.No, Consent: "given", Contactless: pinfree.Yes, Risk: "low", MerchantRisk: "low",
	Factors: 1, Certificate: pinfree.No, Issuer: "cmb", Figures: pinfree.Figures{pinfree.PayerPaymentLimit: pinfree.NoFigure}}

// BenchmarkDecide is a decision under packs that all concern the payment and
// all ask two expressions, and under packs that are shipped.
func BenchmarkDecide(b *testing.B) {
	run := func(name string, in pinfree.Input, want pinfree.Outcome) {
		b.Run(name, func(b *testing.B) {
			if d := pinfree.Decide(in); d.Outcome != want {
				b.Fatalf("%+v", d)
			}
			b.ReportAllocs()
			for b.Loop() {
				pinfree.Decide(in)
			}
		})
	}
	for _, n := range []int{1, 3, 10} {
		in := codePayment(celSet(b, n))
		in.Facts = &known
		run(fmt.Sprintf("%d packs with expressions", n), in, pinfree.PinFree)
	}
	wechat := []string{"cn-wechat-paycode-2025", "cn-pboc-barcode-2018", "cn-unionpay-2018"}
	for _, n := range []int{1, 3} {
		in := codePayment(embedded(b, wechat[:n]...))
		in.Facts = &known
		run(fmt.Sprintf("%d shipped packs, code", n), in, pinfree.PinFree)
	}
	in := tap(embedded(b, wechat...))
	in.Facts = &known
	run("3 shipped packs, tap", in, pinfree.PinFree)
	all := codePayment(embedded(b))
	all.Facts = &known
	all.Layers[0].State = pinfree.Off
	run("all shipped packs, step-up", all, pinfree.StepUp)
}

// BenchmarkCompile is what a start pays for the packs.
func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		list, err := packs.Embedded()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := pinfree.Compile(list); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCounters is what the hot path does with a payer's counters.
func BenchmarkCounters(b *testing.B) {
	rs := embedded(b)
	sub := pinfree.Subject{Funding: "balance"}
	ev := pinfree.Event{Kind: pinfree.ExecutedPinFree, Method: pinfree.PaymentCode, Entry: pinfree.Scanned, Subject: sub,
		Minor: 1800, Currency: "CNY", Decided: noon, At: noon}
	text := rs.Record(rs.Record(pinfree.Counters{}, ev), ev).String()
	dst := make([]pinfree.Count, 0, rs.Counters())
	b.Log(text)
	b.ReportAllocs()
	for b.Loop() {
		c, err := pinfree.ParseCounters(text)
		if err != nil {
			b.Fatal(err)
		}
		dst = rs.Roll(dst, c, sub, noon)
		_ = rs.Own(c, noon)
		_ = rs.Record(c, ev).String()
	}
}

func BenchmarkEncodeReasons(b *testing.B) {
	why := []pinfree.Why{{Reason: pinfree.WithinLimits, Layer: pinfree.LayerScheme, Rule: "cn-wechat-paycode-2025/day-number", Limit: 10, Actual: 8}}
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		buf = pinfree.AppendReasons(buf[:0], why)
	}
}
