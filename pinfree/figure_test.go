package pinfree

import (
	"slices"
	"testing"

	"github.com/mianmi/mianmi/money"
)

// TestFigureInAnyCurrency proves that a figure may stand without a currency,
// for it comes in the payment's own, that the reason then names that one, and
// that a number or a counter may not.
func TestFigureInAnyCurrency(t *testing.T) {
	t.Parallel()
	pack := func(l Limit) Pack {
		p := counterPack([]string{"calendar_day"}, "payer", "executed_all")
		p.When.Currencies = nil
		l.ID, l.Title, l.Above = "l", p.Title, "step_up"
		p.Limits = []Limit{l}
		return p
	}
	rs := compiled(t, pack(Limit{Amount: &Range{AtMostOf: "payer_payment_limit"}}))
	for _, c := range []money.Currency{"CNY", "JPY"} {
		in := Input{Amount: money.Of(501, c), Method: CardTap, Rules: rs, Facts: &Facts{Figures: Figures{PayerPaymentLimit: 500}}, Can: ByTerminalPIN,
			Layers: []Layer{{Kind: LayerPayer, State: On, Limits: NoLimits()}, {Kind: LayerMerchant, State: On, Limits: NoLimits()},
				{Kind: LayerTerminal, State: On, Limits: NoLimits()}}}
		w := Why{Reason: RulePerPaymentLimit, Layer: LayerScheme, Rule: "p/l", Version: 1, Limit: 500, Actual: 501, Currency: c}
		if d := Decide(in); d.Outcome != StepUp || !slices.Contains(d.Reasons, w) {
			t.Errorf("%s: %+v", c, d)
		}
		if got := rs.Trace(in)[0].Limits[0].Checks[0]; got.Currency != c || got.Inside {
			t.Errorf("traced in %s: %+v", c, got)
		}
	}
	for name, l := range map[string]Limit{
		"a number":             {Amount: &Range{AtMost: number(1)}},
		"a counter's figure":   {Counter: "c", Amount: &Range{Scope: "previous", AtMostOf: "payer_cumulative_limit"}},
		"a figure and a bound": {Amount: &Range{AtMost: number(1), AtMostOf: "payer_payment_limit"}, Counter: "c"},
	} {
		if _, err := Compile([]Pack{pack(l)}); !slices.Contains(fields(err), "pack p: when.currencies") {
			t.Errorf("%s needs a currency: %v", name, err)
		}
	}
}
