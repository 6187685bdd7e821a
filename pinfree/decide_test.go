package pinfree_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/pinfree/packs"
)

var noon = time.Date(2026, 1, 5, 4, 0, 0, 0, time.UTC) // 12:00 in Shanghai

func embedded(t testing.TB, ids ...string) *pinfree.RuleSet {
	t.Helper()
	all, err := packs.Default()
	if err != nil {
		t.Fatal(err)
	}
	all = slices.DeleteFunc(all, func(p pinfree.Pack) bool { return len(ids) > 0 && !slices.Contains(ids, p.ID) })
	rs, err := pinfree.Compile(all)
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

// codePayment is a scanned payment code of ¥18 that passes PIN-free.
func codePayment(rs *pinfree.RuleSet) pinfree.Input {
	return pinfree.Input{
		Amount: money.Of(1800, "CNY"), Method: pinfree.PaymentCode, Entry: pinfree.Scanned, At: noon, Minute: 720,
		Place: pinfree.Place{MCC: 5411, Country: "CN"}, Rules: rs, Counts: make([]pinfree.Count, rs.Counters()),
		Layers: []pinfree.Layer{
			on(pinfree.LayerPayer),
			{Kind: pinfree.LayerMerchant, ID: "mc1", Version: 3, State: pinfree.On, Limits: pinfree.NoLimits()},
			{Kind: pinfree.LayerTerminal, ID: "tm1", Version: 4, State: pinfree.On, Limits: pinfree.NoLimits()},
		},
		Can:   pinfree.ByPhonePassword | pinfree.ByTerminalPIN,
		Facts: &pinfree.Facts{Type: "sale", Offline: pinfree.No, Consent: "given", Factors: 1, Certificate: pinfree.No},
	}
}

// tap is a UnionPay card at an upgraded no-PIN merchant.
func tap(rs *pinfree.RuleSet) pinfree.Input {
	in := codePayment(rs)
	in.Method, in.Entry = pinfree.CardTap, pinfree.EntryUnknown
	in.Card = pinfree.Card{Scheme: "unionpay", Kind: "debit", Domestic: true, Instrument: "ci1"}
	in.Place.NoPINMerchant, in.Place.UpgradedMerchant = true, true
	return in
}

func reasons(d pinfree.Decision) []pinfree.Reason {
	var out []pinfree.Reason
	for _, w := range d.Reasons {
		out = append(out, w.Reason)
	}
	return out
}

type reasonList = []pinfree.Reason

// TestDecide proves each rule of the decision by the outcome and the full list
// of reasons, binding one first.
func TestDecide(t *testing.T) {
	t.Parallel()
	rs := embedded(t)
	payer := func(in *pinfree.Input) *pinfree.Layer { return &in.Layers[0] }
	tests := []struct {
		name    string
		from    func(*pinfree.RuleSet) pinfree.Input
		change  func(*pinfree.Input)
		outcome pinfree.Outcome
		reasons reasonList
	}{
		{"a small scanned code passes", codePayment, func(*pinfree.Input) {}, pinfree.PinFree, reasonList{pinfree.WithinLimits}},
		{"the zero amount is refused", codePayment, func(in *pinfree.Input) { in.Amount = money.Amount{} },
			pinfree.Refused, reasonList{pinfree.IncompleteInput}},
		{"an unknown method is refused", codePayment, func(in *pinfree.Input) { in.Method = 99 },
			pinfree.Refused, reasonList{pinfree.IncompleteInput}},
		{"cash is not decided", codePayment, func(in *pinfree.Input) { in.Method = pinfree.Cash },
			pinfree.Refused, reasonList{pinfree.IncompleteInput}},
		{"a missing terminal layer refuses", codePayment, func(in *pinfree.Input) { in.Layers = in.Layers[:2] },
			pinfree.Refused, reasonList{pinfree.IncompleteInput}},
		{"missing counts refuse", codePayment, func(in *pinfree.Input) { in.Counts = in.Counts[1:] },
			pinfree.Refused, reasonList{pinfree.IncompleteInput}},
		{"typed digits ask for the password", codePayment, func(in *pinfree.Input) { in.Entry = pinfree.Typed },
			pinfree.StepUp, reasonList{pinfree.CodeTyped, pinfree.RuleAlwaysStepsUp}},
		{"an unknown entry counts as typed, in the pack too", codePayment, func(in *pinfree.Input) { in.Entry = pinfree.EntryUnknown },
			pinfree.StepUp, reasonList{pinfree.CodeTyped, pinfree.RuleAlwaysStepsUp}},
		{"the payer's switch closes", codePayment, func(in *pinfree.Input) { payer(in).State = pinfree.Off },
			pinfree.StepUp, reasonList{pinfree.PayerClosed}},
		{"a loss report is told from a closed switch", codePayment, func(in *pinfree.Input) {
			payer(in).State, payer(in).Because = pinfree.Off, pinfree.PayerFrozen
		}, pinfree.StepUp, reasonList{pinfree.PayerFrozen}},
		{"an unknown state never passes", codePayment, func(in *pinfree.Input) { in.Layers[2].State = pinfree.Unknown },
			pinfree.StepUp, reasonList{pinfree.LayerUnknown}},
		{"an unknown state cannot be talked into passing", codePayment, func(in *pinfree.Input) {
			payer(in).State, payer(in).Because = pinfree.Unknown, pinfree.OneOffAllowance
		}, pinfree.StepUp, reasonList{pinfree.LayerUnknown}},
		{"a method that is not taken is refused whatever the CVM", codePayment, func(in *pinfree.Input) {
			in.Layers[2].State, in.Layers[2].Refuse, in.CVM = pinfree.Off, true, pinfree.PhonePassword
		}, pinfree.Refused, reasonList{pinfree.MethodNotAccepted}},
		{"all reasons are listed, the most telling first", codePayment, func(in *pinfree.Input) {
			in.Layers[1].State, in.Layers[2].State, payer(in).State = pinfree.Off, pinfree.Off, pinfree.Off
			in.Entry = pinfree.Typed
		}, pinfree.StepUp, reasonList{pinfree.PayerClosed, pinfree.MerchantClosed, pinfree.TerminalClosed, pinfree.CodeTyped, pinfree.RuleAlwaysStepsUp}},
		{"a password already given makes it authenticated", codePayment, func(in *pinfree.Input) {
			in.CVM, payer(in).State = pinfree.PhonePassword, pinfree.Off
		}, pinfree.Authenticated, reasonList{pinfree.AlreadyVerified, pinfree.PayerClosed}},
		{"an unknown CVM is none", codePayment, func(in *pinfree.Input) { in.CVM, payer(in).State = 77, pinfree.Off },
			pinfree.StepUp, reasonList{pinfree.PayerClosed}},
		{"a PIN that nobody can give is a refusal with its causes", codePayment, func(in *pinfree.Input) {
			in.Can, payer(in).State = 0, pinfree.Off
		}, pinfree.Refused, reasonList{pinfree.NoStepUpPossible, pinfree.PayerClosed}},
		{"a layer that is on with zero limits allows nothing", codePayment, func(in *pinfree.Input) { in.Layers[1].Limits = pinfree.Limits{} },
			pinfree.StepUp, reasonList{pinfree.OwnDayCountLimit, pinfree.CurrencyNotCovered}},
		{"a limit in another currency is not compared", codePayment, func(in *pinfree.Input) {
			in.Layers[1].Limits.Currency, in.Layers[1].Limits.PerPayment = "EUR", pinfree.AtMost(1e6)
		}, pinfree.StepUp, reasonList{pinfree.CurrencyNotCovered}},
		{"a bound on the number alone needs no currency", codePayment, func(in *pinfree.Input) {
			in.Layers[0].Limits.DayCount = pinfree.AtMost(3)
		}, pinfree.PinFree, reasonList{pinfree.WithinLimits}},
		{"the payer's own limits", codePayment, func(in *pinfree.Input) {
			payer(in).Limits = pinfree.Limits{Currency: "CNY", PerPayment: pinfree.AtMost(1799), DayAmount: pinfree.AtMost(5000), DayCount: pinfree.AtMost(2)}
			in.Own = pinfree.Count{Number: 2, Minor: 3201}
		}, pinfree.StepUp, reasonList{pinfree.OwnPerPaymentLimit, pinfree.OwnDayAmountLimit, pinfree.OwnDayCountLimit}},
		{"the payer's own limits, met exactly", codePayment, func(in *pinfree.Input) {
			payer(in).Limits = pinfree.Limits{Currency: "CNY", PerPayment: pinfree.AtMost(1800), DayAmount: pinfree.AtMost(5000), DayCount: pinfree.AtMost(3)}
			in.Own = pinfree.Count{Number: 2, Minor: 3200}
		}, pinfree.PinFree, reasonList{pinfree.WithinLimits}},
		{"own use that is not known is over every bound on it", codePayment, func(in *pinfree.Input) {
			payer(in).Limits.DayCount = pinfree.AtMost(1000)
			in.Own = pinfree.Count{Number: -1, Minor: -1}
		}, pinfree.StepUp, reasonList{pinfree.LayerUnknown}},
		{"a place's limit", codePayment, func(in *pinfree.Input) {
			in.Layers[2].Limits.Currency, in.Layers[2].Limits.PerPayment = "CNY", pinfree.Below(1800)
		}, pinfree.StepUp, reasonList{pinfree.PlacePerPayment}},
		{"quiet hours across midnight", codePayment, func(in *pinfree.Input) {
			payer(in).Limits.Quiet, in.Minute = pinfree.Quiet{From: 22 * 60, To: 6 * 60}, 5*60+59
		}, pinfree.StepUp, reasonList{pinfree.QuietHours}},
		{"an impossible minute is inside quiet hours", codePayment, func(in *pinfree.Input) {
			payer(in).Limits.Quiet, in.Minute = pinfree.Quiet{From: 60, To: 120}, 1440
		}, pinfree.StepUp, reasonList{pinfree.QuietHours}},
		{"outside quiet hours", codePayment, func(in *pinfree.Input) {
			payer(in).Limits.Quiet, in.Minute = pinfree.Quiet{From: 22 * 60, To: 6 * 60}, 6*60
		}, pinfree.PinFree, reasonList{pinfree.WithinLimits}},
		{"the regulator's day total binds below the scheme's limit", codePayment, func(in *pinfree.Input) { in.Amount = money.Of(100001, "CNY") },
			pinfree.StepUp, reasonList{pinfree.RuleCumulativeLimit}},
		{"both limits are named when both are passed", codePayment, func(in *pinfree.Input) { in.Amount = money.Of(300000, "CNY") },
			pinfree.StepUp, reasonList{pinfree.RulePerPaymentLimit, pinfree.RuleCumulativeLimit}},
		{"a sum that overflows is over the limit", codePayment, func(in *pinfree.Input) {
			in.Counts = slices.Clone(in.Counts)
			for i := range in.Counts {
				in.Counts[i] = pinfree.Count{Number: math.MaxInt64, Minor: math.MaxInt64}
			}
		}, pinfree.StepUp, reasonList{pinfree.RuleCumulativeLimit, pinfree.RuleCountLimit}},
		{"a counter that is not known is over its limit", codePayment, func(in *pinfree.Input) {
			in.Counts = slices.Clone(in.Counts)
			for i := range in.Counts {
				in.Counts[i] = pinfree.Count{Number: -1, Minor: -1}
			}
		}, pinfree.StepUp, reasonList{pinfree.LayerUnknown, pinfree.LayerUnknown}},
		{"a currency without rules is nobody's permission", codePayment, func(in *pinfree.Input) { in.Amount = money.Of(100, "USD") },
			pinfree.StepUp, reasonList{pinfree.NoRuleCovers}},
		{"without packs nothing passes", codePayment, func(in *pinfree.Input) { in.Rules, in.Counts = nil, nil },
			pinfree.StepUp, reasonList{pinfree.NoRuleCovers}},
		{"without a date no dated pack permits", tap, func(in *pinfree.Input) { in.At = time.Time{} },
			pinfree.StepUp, reasonList{pinfree.NoRuleCovers}},
		{"before its first day a pack does not permit", tap, func(in *pinfree.Input) {
			in.At = time.Date(2018, 5, 31, 15, 59, 59, 0, time.UTC) // 23:59:59 in Shanghai
		}, pinfree.StepUp, reasonList{pinfree.NoRuleCovers}},
		{"on its first local day it does", tap, func(in *pinfree.Input) { in.At = time.Date(2018, 5, 31, 16, 0, 0, 0, time.UTC) },
			pinfree.PinFree, reasonList{pinfree.WithinLimits}},
		{"a tap at a no-PIN merchant passes", tap, func(*pinfree.Input) {}, pinfree.PinFree, reasonList{pinfree.WithinLimits}},
		{"a tap elsewhere asks", tap, func(in *pinfree.Input) { in.Place.NoPINMerchant = false },
			pinfree.StepUp, reasonList{pinfree.RuleAlwaysStepsUp}},
		{"a card of an unknown scheme is restricted and not permitted", tap, func(in *pinfree.Input) {
			in.Card.Scheme, in.Amount = "", money.Of(100001, "CNY")
		}, pinfree.StepUp, reasonList{pinfree.RulePerPaymentLimit, pinfree.NoRuleCovers}},
		{"a chip asks for the PIN", tap, func(in *pinfree.Input) { in.Method = pinfree.CardInsert },
			pinfree.StepUp, reasonList{pinfree.MethodNeedsPIN}},
		{"a chip with PIN is authenticated", tap, func(in *pinfree.Input) { in.Method, in.CVM = pinfree.CardInsert, pinfree.OfflinePIN },
			pinfree.Authenticated, reasonList{pinfree.AlreadyVerified}},
		{"a dynamic QR code asks for confirmation", codePayment, func(in *pinfree.Input) { in.Method = pinfree.DynamicQR },
			pinfree.StepUp, reasonList{pinfree.MethodNeedsPIN}},
		{"a dynamic QR code confirmed on the phone", codePayment, func(in *pinfree.Input) {
			in.Method, in.CVM = pinfree.DynamicQR, pinfree.PhonePassword
		}, pinfree.Authenticated, reasonList{pinfree.ConfirmedOnPhone}},
		{"another CVM does not confirm a dynamic QR code", codePayment, func(in *pinfree.Input) {
			in.Method, in.CVM = pinfree.DynamicQR, pinfree.CDCVM
		}, pinfree.StepUp, reasonList{pinfree.MethodNeedsPIN}},
		{"above ¥500 a static code is refused, password or not", codePayment, func(in *pinfree.Input) {
			in.Method, in.Amount, in.CVM = pinfree.StaticQR, money.Of(50001, "CNY"), pinfree.PhonePassword
		}, pinfree.Refused, reasonList{pinfree.RuleRefuses}},
		{"a one-off allowance is named as what allowed it", codePayment, func(in *pinfree.Input) { payer(in).Because = pinfree.OneOffAllowance },
			pinfree.PinFree, reasonList{pinfree.OneOffAllowance}},
		{"a one-off allowance overrides nobody but the payer", codePayment, func(in *pinfree.Input) {
			payer(in).Because, in.Layers[1].State = pinfree.OneOffAllowance, pinfree.Off
		}, pinfree.StepUp, reasonList{pinfree.MerchantClosed}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := tt.from(rs)
			tt.change(&in)
			d := pinfree.Decide(in)
			if d.Outcome != tt.outcome {
				t.Errorf("outcome: want %s, got %s", tt.outcome, d.Outcome)
			}
			if diff := cmp.Diff(tt.reasons, reasons(d)); diff != "" {
				t.Errorf("reasons (-want +got):\n%s", diff)
			}
			if (d.By != 0) != (d.Outcome == pinfree.StepUp) {
				t.Errorf("step-up methods %q with outcome %s", d.By, d.Outcome)
			}
		})
	}
}

// TestWhyCarriesFigures proves that a reason names rule, limit and figures, so
// that "why was no PIN asked" can be said in words.
func TestWhyCarriesFigures(t *testing.T) {
	t.Parallel()
	rs := embedded(t, "cn-wechat-paycode-2025", "cn-pboc-barcode-2018")
	in := codePayment(rs)
	stored := pinfree.Counters{}
	for range 7 {
		stored = rs.Record(stored, pinfree.Event{Kind: pinfree.ExecutedPinFree, Method: pinfree.PaymentCode, Entry: pinfree.Scanned,
			Minor: 100, Currency: "CNY", Decided: noon, At: noon})
	}
	in.Counts, in.Own = rs.Roll(nil, stored, pinfree.Subject{}, noon), rs.Own(stored, noon)
	want := []pinfree.Why{{Reason: pinfree.WithinLimits, Layer: pinfree.LayerScheme, Version: 1, Rule: "cn-wechat-paycode-2025/day-number", Limit: 10, Actual: 8}}
	if diff := cmp.Diff(want, pinfree.Decide(in).Reasons); diff != "" {
		t.Errorf("eight of ten is tighter than ¥25 of ¥1,000 (-want +got):\n%s", diff)
	}
	in.Amount = money.Of(90000, "CNY")
	want = []pinfree.Why{{Reason: pinfree.WithinLimits, Layer: pinfree.LayerRegulation, Version: 1, Rule: "cn-pboc-barcode-2018/grade-c-day",
		Limit: 100000, Actual: 90700, Currency: "CNY"}}
	if diff := cmp.Diff(want, pinfree.Decide(in).Reasons); diff != "" {
		t.Errorf("¥907 of ¥1,000 is tighter than eight of ten (-want +got):\n%s", diff)
	}
	in.Layers[1] = pinfree.Layer{Kind: pinfree.LayerMerchant, ID: "mc1", Version: 3, State: pinfree.On,
		Limits: pinfree.Limits{Currency: "CNY", PerPayment: pinfree.AtMost(5000), DayAmount: pinfree.Unbounded(), DayCount: pinfree.Unbounded()}}
	want = []pinfree.Why{{Reason: pinfree.PlacePerPayment, Layer: pinfree.LayerMerchant, ID: "mc1", Version: 3, Limit: 5000, Actual: 90000, Currency: "CNY"}}
	if diff := cmp.Diff(want, pinfree.Decide(in).Reasons); diff != "" {
		t.Errorf("a merchant's limit (-want +got):\n%s", diff)
	}
}

func TestStrictest(t *testing.T) {
	t.Parallel()
	bounds := []pinfree.Bound{{}, pinfree.AtMost(0), pinfree.Below(5), pinfree.AtMost(5), pinfree.Below(6), pinfree.AtMost(9), pinfree.Unbounded()}
	for _, a := range bounds {
		for _, b := range bounds {
			s := pinfree.StrictestBound(a, b)
			for x := range int64(12) {
				if s.Allows(x) != (a.Allows(x) && b.Allows(x)) {
					t.Errorf("the strictest of %v and %v is %v, which is wrong at %d", a, b, s, x)
				}
			}
		}
	}
	if got := pinfree.Strictest(pinfree.PinFree, pinfree.StepUp); got != pinfree.StepUp {
		t.Errorf("strictest of pin_free and step_up is %s", got)
	}
}

func on(k pinfree.LayerKind) pinfree.Layer {
	return pinfree.Layer{Kind: k, State: pinfree.On, Limits: pinfree.NoLimits()}
}
