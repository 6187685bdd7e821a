package pinfree_test

import (
	"testing"

	"github.com/mianmi/mianmi/pinfree"
)

func BenchmarkDecide(b *testing.B) {
	cases := []struct {
		name  string
		packs []string
		in    func(*pinfree.RuleSet) pinfree.Input
	}{
		{"1 pack, code", []string{"cn-wechat-paycode-2025"}, codePayment},
		{"3 packs, code", []string{"cn-wechat-paycode-2025", "cn-pboc-barcode-2018", "cn-unionpay-2018"}, codePayment},
		{"3 packs, tap", []string{"cn-wechat-paycode-2025", "cn-pboc-barcode-2018", "cn-unionpay-2018"}, tap},
		{"4 packs, step-up", nil, func(rs *pinfree.RuleSet) pinfree.Input {
			in := codePayment(rs)
			in.Layers[0].State = pinfree.Off
			return in
		}},
	}
	for _, c := range cases {
		b.Run(c.name, func(b *testing.B) {
			in := c.in(embedded(b, c.packs...))
			b.ReportAllocs()
			for b.Loop() {
				pinfree.Decide(in)
			}
		})
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
