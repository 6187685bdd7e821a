package emv

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/pinfree/packs"
)

var noon = time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)

func number(n int64) *int64 { return &n }

// pack permits taps in euros within its limits.
func pack(id string, limits ...pinfree.Limit) pinfree.Pack {
	title := mianmi.Text{ZH: "试", EN: "try"}
	for i := range limits {
		limits[i].ID, limits[i].Title = fmt.Sprintf("l%d", i), title
		if limits[i].Above == "" {
			limits[i].Above = "step_up"
		}
	}
	return pinfree.Pack{ID: id, Version: 1, Edition: "1", Layer: "scheme", Title: title, Zone: "Europe/Brussels", Permits: true,
		Sources: []pinfree.Source{{Title: "t", URL: "https://example.org/", Read: "2026-01-01", Quality: "code"}},
		When:    pinfree.Condition{Methods: []string{"card_tap"}, Currencies: []string{"EUR"}}, Limits: limits,
		Counters: []pinfree.Counter{{ID: "c", Bucket: "instrument", Counts: "executed_unauthenticated", Resets: []string{"sca_any"}}}}
}

func atMost(n int64) pinfree.Limit { return pinfree.Limit{Amount: &pinfree.Range{AtMost: &n}} }
func below(n int64) pinfree.Limit  { return pinfree.Limit{Amount: &pinfree.Range{Below: &n}} }

func compiled(t interface{ Fatal(...any) }, list ...pinfree.Pack) *pinfree.RuleSet {
	rs, err := pinfree.Compile(list)
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

func on(k pinfree.LayerKind) pinfree.Layer {
	return pinfree.Layer{Kind: k, State: pinfree.On, Limits: pinfree.NoLimits()}
}

// situation is a tap in euros that the rules alone decide.
func situation(rs *pinfree.RuleSet, scheme string) Situation {
	return Situation{Rules: rs, At: noon, Currency: "EUR", Scheme: scheme,
		Layers: []pinfree.Layer{on(pinfree.LayerMerchant), on(pinfree.LayerTerminal)}}
}

// TestOffByOne proves each kernel's limit for each operator of a rule, and what
// else makes the limit: settings, switches, cumulative bounds, nothing at all.
func TestOffByOne(t *testing.T) {
	t.Parallel()
	no := false
	tests := []struct {
		name      string
		rules     []pinfree.Pack
		change    func(*Situation)
		ep, c2, u int64 // CVM limit of Entry Point and of C-2, FF8058
	}{
		{"up to and including", []pinfree.Pack{pack("a", atMost(5000))}, nil, 5001, 5000, 5000},
		{"below", []pinfree.Pack{pack("a", below(5000))}, nil, 5000, 4999, 4999},
		{"the stricter of two packs", []pinfree.Pack{pack("a", atMost(5000)), pack("b", below(5000))}, nil, 5000, 4999, 4999},
		{"the stricter of rule and terminal", []pinfree.Pack{pack("a", atMost(5000))}, func(s *Situation) {
			s.Layers[1].Limits = pinfree.Limits{Currency: "EUR", PerPayment: pinfree.AtMost(2000), DayAmount: pinfree.Unbounded(), DayCount: pinfree.Unbounded()}
		}, 2001, 2000, 2000},
		{"a terminal's limit in another currency", []pinfree.Pack{pack("a", atMost(5000))}, func(s *Situation) {
			s.Layers[1].Limits = pinfree.Limits{Currency: "CNY", PerPayment: pinfree.AtMost(2000), DayAmount: pinfree.Unbounded(), DayCount: pinfree.Unbounded()}
		}, 0, 0, 0},
		{"switched off", []pinfree.Pack{pack("a", atMost(5000))}, func(s *Situation) { s.Layers[0].State = pinfree.Off }, 0, 0, 0},
		{"not known whether on", []pinfree.Pack{pack("a", atMost(5000))}, func(s *Situation) { s.Layers[0].State = pinfree.Unknown }, 0, 0, 0},
		{"no merchant", []pinfree.Pack{pack("a", atMost(5000))}, func(s *Situation) { s.Layers = s.Layers[1:] }, 0, 0, 0},
		{"no rules", nil, nil, 0, 0, 0},
		{"nil rules", nil, func(s *Situation) { s.Rules = nil }, 0, 0, 0},
		{"rules for another currency", []pinfree.Pack{pack("a", atMost(5000))}, func(s *Situation) { s.Currency = "USD" }, 0, 0, 0},
		{"a rule that allows nothing", []pinfree.Pack{pack("a", atMost(0))}, nil, 0, 0, 0},
		{"a rule that allows one cent", []pinfree.Pack{pack("a", atMost(1))}, nil, 2, 1, 1},
		{"always the PIN", []pinfree.Pack{pack("a", atMost(5000), pinfree.Limit{Always: true})}, nil, 0, 0, 0},
		{"a cumulative limit below that of a payment", []pinfree.Pack{pack("a", atMost(5000),
			pinfree.Limit{Counter: "c", Amount: &pinfree.Range{Scope: "including_current", AtMost: number(3000)}})}, nil, 3001, 3000, 3000},
		{"a cumulative limit of payments before", []pinfree.Pack{pack("a", atMost(5000),
			pinfree.Limit{Counter: "c", Amount: &pinfree.Range{Scope: "previous", AtMost: number(3000)}})}, nil, 5001, 5000, 5000},
		{"more than twelve digits", []pinfree.Pack{pack("a", atMost(AmountMax+5))}, nil, AmountMax, AmountMax, AmountMax},
		{"foreign cards stricter", []pinfree.Pack{pack("a", atMost(5000), pinfree.Limit{When: &pinfree.Condition{Domestic: &no, Currencies: []string{"EUR"}},
			Amount: &pinfree.Range{AtMost: number(1000)}})}, nil, 1001, 1000, 1000},
		{"domestic cards alone", []pinfree.Pack{pack("a", atMost(5000), pinfree.Limit{When: &pinfree.Condition{Domestic: &no, Currencies: []string{"EUR"}},
			Amount: &pinfree.Range{AtMost: number(1000)}})}, func(s *Situation) { home := true; s.Domestic = &home }, 5001, 5000, 5000},
		{"a kind of card that is not said", []pinfree.Pack{pack("a", atMost(5000), pinfree.Limit{When: &pinfree.Condition{Kinds: []string{"prepaid"},
			Currencies: []string{"EUR"}}, Amount: &pinfree.Range{AtMost: number(1000)}})}, nil, 1001, 1000, 1000},
		{"a reader's own limits are not asked", []pinfree.Pack{pack("a", atMost(5000), pinfree.Limit{Amount: &pinfree.Range{AtMostOf: "reader_cvm_limit"}})}, nil, 5001, 5000, 5000},
		{"a payer's own limit is the host's to keep", []pinfree.Pack{pack("a", atMost(5000), pinfree.Limit{Amount: &pinfree.Range{AtMostOf: "payer_payment_limit"}})},
			nil, 5001, 5000, 5000},
		{"the issuer's limit, where it is known", []pinfree.Pack{pack("a", atMost(5000), pinfree.Limit{Amount: &pinfree.Range{AtMostOf: "issuer_payment_limit"}})},
			func(s *Situation) {
				f := Willing()
				f.Figures[pinfree.IssuerPaymentLimit] = 4000
				s.Facts = &f
			}, 4001, 4000, 4000},
		{"nothing known of payers", []pinfree.Pack{pack("a", atMost(5000), pinfree.Limit{Amount: &pinfree.Range{AtMostOf: "payer_payment_limit"}})},
			func(s *Situation) { s.Facts = new(pinfree.Facts) }, 0, 0, 0},
		{"the merchant's risk is not known", []pinfree.Pack{pack("a", atMost(5000), pinfree.Limit{When: &pinfree.Condition{CEL: "merchant.risk == 'high'"}, Always: true})},
			nil, 0, 0, 0},
		{"before the first day", []pinfree.Pack{func() pinfree.Pack {
			p := pack("a", atMost(5000))
			p.Effective.From = "2027-01-01"
			return p
		}()}, nil, 0, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			compute := func(scheme string) Parameters {
				s := situation(compiled(t, tt.rules...), scheme)
				if tt.change != nil {
					tt.change(&s)
				}
				p, err := Compute(s)
				if err != nil {
					t.Fatal(err)
				}
				return p
			}
			u := compute("unionpay").UnionPay
			got := []int64{compute("visa").EntryPoint.CVMLimit, compute("mastercard").C2.CVMLimit, u.NoPINLimit}
			if diff := cmp.Diff([]int64{tt.ep, tt.c2, tt.u}, got); diff != "" {
				t.Error(diff)
			}
			open := tt.u > 0
			device := compute("visa").EntryPoint.TransactionLimit > 0 // honoured wherever taps are taken
			if want := (UnionPay{open, false, false, device, tt.u, tt.u, open}); *u != want {
				t.Errorf("flags %+v, want %+v", *u, want)
			}
		})
	}
}

// TestTransactionLimit proves when a tap is not taken at all: above a limit that
// refuses, or where taps are not accepted; and the limit of devices apart.
func TestTransactionLimit(t *testing.T) {
	t.Parallel()
	refusing := atMost(100_000)
	refusing.Above = "refuse"
	device := refusing
	device.When = &pinfree.Condition{Currencies: []string{"EUR"}, CEL: "cvm != 'cdcvm'"}
	closed := on(pinfree.LayerTerminal)
	closed.State, closed.Refuse, closed.Because = pinfree.Off, true, pinfree.MethodNotAccepted
	tests := []struct {
		name   string
		limits []pinfree.Limit
		layer  pinfree.Layer
		ep     EntryPoint
		c2     C2
	}{
		{"none", []pinfree.Limit{atMost(5000)}, on(pinfree.LayerTerminal), EntryPoint{AmountMax, 5001, 0}, C2{0, AmountMax, AmountMax, 5000}},
		{"a limit that refuses", []pinfree.Limit{atMost(5000), refusing}, on(pinfree.LayerTerminal), EntryPoint{100_001, 5001, 0}, C2{0, 100_000, 100_000, 5000}},
		{"but not devices", []pinfree.Limit{atMost(5000), device}, on(pinfree.LayerTerminal), EntryPoint{100_001, 5001, 0}, C2{0, 100_000, AmountMax, 5000}},
		{"no taps here", []pinfree.Limit{atMost(5000)}, closed, EntryPoint{}, C2{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, scheme := range []string{"visa", "mastercard"} {
				s := situation(compiled(t, pack("a", slices.Clone(tt.limits)...)), scheme)
				s.Layers[1] = tt.layer
				p, err := Compute(s)
				if err != nil {
					t.Fatal(err)
				}
				if p.C2 != nil && *p.C2 != tt.c2 || p.EntryPoint != nil && *p.EntryPoint != tt.ep || (p.C2 == nil) == (p.EntryPoint == nil) {
					t.Errorf("%s: %+v %+v", scheme, p.EntryPoint, p.C2)
				}
			}
		})
	}
}

// TestKernelAgreesWithDecide proves for any rules and settings, and for every
// amount: a kernel that is loaded with the computed values asks for verification
// whenever Decide would, and takes nothing that Decide refuses. It also asks for
// no more than that, but where an amount no longer fits.
func TestKernelAgreesWithDecide(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		amount := rapid.OneOf(rapid.Int64Range(0, 300), rapid.Int64Range(AmountMax-3, AmountMax+3))
		s := drawSituation(t, amount)
		p, err := Compute(s)
		if err != nil {
			t.Fatal(err)
		}
		near := []int64{p.Ceiling.PinFree - 1, p.Ceiling.PinFree, p.Ceiling.PinFree + 1, p.Ceiling.Taken, p.Ceiling.Taken + 1, amount.Draw(t, "amount")}
		for _, minor := range near {
			if minor < 1 || minor > AmountMax {
				continue
			}
			asks, refuses, device := decided(&s, minor)
			compareKernels(t, &p, minor, asks, refuses, device)
		}
	})
}

// compareKernels holds each kernel's own comparison against Decide.
func compareKernels(t *rapid.T, p *Parameters, minor int64, asks, refuses, refusesDevice bool) {
	if k := p.C2; k != nil {
		if k.AsksCVM(minor) != asks || k.Takes(minor, false) == refuses || k.Takes(minor, true) == refusesDevice {
			t.Fatalf("%d: C-2 %+v, Decide asks %v, refuses %v, of a device %v", minor, k, asks, refuses, refusesDevice)
		}
	}
	if e := p.EntryPoint; e != nil {
		if e.AsksCVM(minor) != asks && (asks || minor < AmountMax) {
			t.Fatalf("%d: Entry Point %+v, Decide asks %v", minor, e, asks)
		}
		if e.Takes(minor) == (refuses || refusesDevice) && (refuses || refusesDevice || minor < AmountMax) {
			t.Fatalf("%d: Entry Point %+v, Decide refuses %v %v", minor, e, refuses, refusesDevice)
		}
	}
	if u := p.UnionPay; u != nil && u.AsksPIN(minor) != asks {
		t.Fatalf("%d: UnionPay %+v, Decide asks %v", minor, u, asks)
	}
}

// decided asks Decide about one amount, for domestic and for foreign cards.
func decided(s *Situation, minor int64) (asks, refuses, refusesDevice bool) {
	for _, domestic := range []bool{true, false} {
		if s.Domestic != nil && *s.Domestic != domestic {
			continue
		}
		in := s.input(domestic, pinfree.Yes)
		in.Amount = money.Of(minor, s.Currency)
		asks = asks || pinfree.Decide(in).Outcome != pinfree.PinFree
		in.CVM = pinfree.OnlinePIN
		refuses = refuses || pinfree.Decide(in).Outcome == pinfree.Refused
		in.CVM = pinfree.CDCVM
		refusesDevice = refusesDevice || pinfree.Decide(in).Outcome == pinfree.Refused
	}
	return asks, refuses, refusesDevice
}

func drawSituation(t *rapid.T, amount *rapid.Generator[int64]) Situation {
	var list []pinfree.Pack
	for i := range rapid.IntRange(0, 3).Draw(t, "packs") {
		var limits []pinfree.Limit
		for range rapid.IntRange(1, 3).Draw(t, "limits") {
			limits = append(limits, drawLimit(t, amount))
		}
		p := pack(fmt.Sprintf("p%d", i), limits...)
		p.Permits = rapid.IntRange(0, 4).Draw(t, "permits") > 0
		list = append(list, p)
	}
	s := situation(compiled(t, list...), rapid.SampledFrom([]string{"visa", "mastercard", "unionpay"}).Draw(t, "scheme"))
	if rapid.Bool().Draw(t, "one side") {
		home := rapid.Bool().Draw(t, "domestic")
		s.Domestic = &home
	}
	for i := range s.Layers {
		s.Layers[i].State = rapid.SampledFrom([]pinfree.State{pinfree.On, pinfree.On, pinfree.On, pinfree.On, pinfree.Off, pinfree.Unknown}).Draw(t, "state")
		s.Layers[i].Refuse = rapid.Bool().Draw(t, "refuse")
		if rapid.Bool().Draw(t, "limited") {
			s.Layers[i].Limits = pinfree.Limits{Currency: rapid.SampledFrom([]money.Currency{"EUR", "EUR", "EUR", "CNY"}).Draw(t, "currency"),
				PerPayment: pinfree.Bound{Op: pinfree.Op(rapid.IntRange(0, 3).Draw(t, "op")), N: amount.Draw(t, "bound")},
				DayAmount:  pinfree.AtMost(amount.Draw(t, "day")), DayCount: pinfree.Unbounded()}
		}
	}
	return s
}

func drawLimit(t *rapid.T, amount *rapid.Generator[int64]) pinfree.Limit {
	l := pinfree.Limit{Above: rapid.SampledFrom([]string{"step_up", "step_up", "refuse"}).Draw(t, "above"), Amount: &pinfree.Range{}}
	n := amount.Draw(t, "n")
	if rapid.Bool().Draw(t, "below") {
		l.Amount.Below = &n
	} else {
		l.Amount.AtMost = &n
	}
	if rapid.IntRange(0, 3).Draw(t, "counted") == 0 {
		l.Counter, l.Amount.Scope = "c", rapid.SampledFrom([]string{"previous", "including_current"}).Draw(t, "scope")
	}
	if rapid.Bool().Draw(t, "conditional") {
		home := rapid.Bool().Draw(t, "of domestic")
		l.When = &pinfree.Condition{Currencies: []string{"EUR"}, Domestic: &home,
			CEL: rapid.SampledFrom([]string{"", "cvm == 'cdcvm'", "cvm != 'cdcvm'", "merchant.risk == 'low'", "payer.consent == 'given'"}).Draw(t, "cel")}
	}
	return l
}

// TestShippedPacks proves the values for the packs as they are shipped, and why
// the PIN is asked just above them.
func TestShippedPacks(t *testing.T) {
	t.Parallel()
	taken := func(reading string) *pinfree.RuleSet {
		all, err := packs.Embedded()
		if err != nil {
			t.Fatal(err)
		}
		var list []pinfree.Pack
		for _, p := range all {
			switch p.ID {
			case "cn-unionpay-terminal-qps":
				if p, err = p.Take(reading); err != nil {
					t.Fatal(err)
				}
				fallthrough
			case "cn-unionpay-2018", "eu-rts-art11", "emv-entry-point", "emv-kernel-c2":
				list = append(list, p)
			}
		}
		return compiled(t, list...)
	}
	china := func(reading string, p pinfree.Place) Situation {
		s := situation(taken(reading), "unionpay")
		p.Country, s.Currency, s.Place = "CN", "CNY", p
		return s
	}
	europe := situation(taken("all_cards"), "mastercard")
	europe.Place.Country = "DE"
	open := pinfree.Place{NoPINMerchant: true, UpgradedMerchant: true}
	tests := []struct {
		name string
		s    Situation
		want []string // tag=value
		rule string   // what asks just above
	}{
		{"an upgraded merchant in China", china("all_cards", open), []string{"DF20=999999999999", "DF21=000000100001", "DF19=000000000000",
			"FF8054=1", "FF8055=0", "FF8056=0", "FF8057=1", "FF8058=000000100000", "FF8059=000000100000", "FF805A=1"}, "cn-unionpay-2018/per-payment"},
		{"not upgraded", china("all_cards", pinfree.Place{NoPINMerchant: true}), []string{"DF20=999999999999", "DF21=000000030001", "DF19=000000000000",
			"FF8054=1", "FF8055=0", "FF8056=0", "FF8057=1", "FF8058=000000030000", "FF8059=000000030000", "FF805A=1"}, "cn-unionpay-2018/per-payment-not-upgraded"},
		{"not enabled", china("all_cards", pinfree.Place{UpgradedMerchant: true}), []string{"DF20=999999999999", "DF21=000000000000", "DF19=000000000000",
			"FF8054=0", "FF8055=0", "FF8056=0", "FF8057=1", "FF8058=000000000000", "FF8059=000000000000", "FF805A=0"}, "cn-unionpay-2018/merchant-not-enabled"},
		{"in the pilot", china("pilot_list", open), []string{"DF20=999999999999", "DF21=000000100001", "DF19=000000000000",
			"FF8054=1", "FF8055=1", "FF8056=0", "FF8057=1", "FF8058=000000100000", "FF8059=000000100000", "FF805A=1"}, "cn-unionpay-2018/per-payment"},
		{"after the pilot", china("debit_list", open), []string{"DF20=999999999999", "DF21=000000100001", "DF19=000000000000",
			"FF8054=1", "FF8055=0", "FF8056=1", "FF8057=1", "FF8058=000000100000", "FF8059=000000100000", "FF805A=1"}, "cn-unionpay-2018/per-payment"},
		{"Mastercard in Germany", europe, []string{"DF8123=000000000000", "DF8124=999999999999", "DF8125=999999999999", "DF8126=000000005000"}, "eu-rts-art11/per-payment"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := Compute(tt.s)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, v := range p.Values() {
				got = append(got, v.Tag+"="+v.Value)
				if v.Title.ZH == "" || v.Title.EN == "" {
					t.Errorf("%s has no title", v.Tag)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || p.Ceiling.Why.Rule != tt.rule {
				t.Errorf("%+v\n%s", p.Ceiling.Why, diff)
			}
		})
	}
}

func TestComputeFaults(t *testing.T) {
	t.Parallel()
	for field, s := range map[string]Situation{"currency": {Scheme: "visa", Currency: "eur"}, "scheme": {Currency: "EUR"}} {
		var e *mianmi.Error
		if _, err := Compute(s); !errors.As(err, &e) || e.Kind != mianmi.Invalid || e.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}
