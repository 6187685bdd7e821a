package pinfree

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"cel.dev/cel-go/cel"
	"pgregory.net/rapid"
)

// TestExpressionTruth proves that an expression is true, false or unknown as
// its facts are, and that what is not known never makes it surely true.
func TestExpressionTruth(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		more *Facts
		want tri
	}{
		{"method == 'card_tap' && card.kind == 'debit'", nil, yes},
		{"method in ['payment_code', 'static_qr']", nil, no},
		{"card.scheme == 'visa'", nil, no},
		{"card.issuer == 'icbc'", nil, perhaps},
		{"card.issuer in ['icbc', 'abc']", nil, perhaps},
		{"card.issuer == 'icbc'", &Facts{Issuer: "icbc"}, yes},
		{"offline", nil, perhaps},
		{"!offline", nil, perhaps},
		{"!offline", &Facts{Offline: No}, yes},
		{"offline && merchant.mcc < 100", nil, no},
		{"offline || merchant.mcc > 100", nil, yes},
		{"risk == 'low' ? merchant.mcc > 1 : false", nil, perhaps},
		{"risk != 'low'", &Facts{}, perhaps},
		{"risk != 'low'", &Facts{Risk: "elevated"}, yes},
		{"payer.consent == 'given'", &Facts{Consent: "given"}, yes},
		{"mandate.notice_hours >= 24", nil, no},
		{"mandate.notice_hours >= 24", &Facts{Mandate: Mandate{NoticeHours: 24}}, yes},
		{"terminal.purpose == 'vending'", nil, no},
		{"factors >= 2", nil, perhaps},
		{"factors >= 2", &Facts{Factors: 2}, yes},
		{"card.issuer == card.scheme", nil, perhaps},
		{"card.issuer == card.scheme", &Facts{Issuer: "unionpay"}, yes},
		{"(offline ? 'debit' : 'credit') == card.kind", &Facts{Offline: Yes}, yes},
		{"(offline ? 'debit' : 'credit') == card.kind", nil, perhaps},
		{"[card.kind, risk] == ['debit', 'low']", nil, perhaps},
		{"1 in [factors]", &Facts{Factors: 1}, yes},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			t.Parallel()
			var flaws faults
			m := flaws.compileCondition("when", &Condition{CEL: tt.text})
			if err := flaws.err(); err != nil {
				t.Fatal(err)
			}
			f := facts{method: CardTap, currency: &yuan, card: &Card{Scheme: "unionpay", Kind: "debit", Domestic: true},
				place: &Place{MCC: 5411, Country: "CN"}, more: tt.more.orUnknown()}
			if got := m.match(&f); got != tt.want {
				t.Errorf("want %d, got %d", tt.want, got)
			}
			if got := m.expression.interpret(&f); got != tt.want {
				t.Errorf("want %d, CEL says %d", tt.want, got)
			}
		})
	}
}

// drawExpression draws a condition of the forms that are asked directly.
func drawExpression(t *rapid.T, depth int) string {
	of := func(kind *cel.Type) variable {
		var list []variable
		for i := range variables {
			if variables[i].kind == kind {
				list = append(list, variable(i)) //nolint:gosec // a table index
			}
		}
		return rapid.SampledFrom(list).Draw(t, "variable")
	}
	word := func(v variable) string {
		words := variables[v].words
		if words == nil {
			words = []string{"icbc", "CN", "EUR", "transport_fare", ""}
		}
		return strconv.Quote(rapid.SampledFrom(words).Draw(t, "word"))
	}
	forms := 9
	if depth == 0 {
		forms = 5
	}
	number := rapid.Map(rapid.Int64Range(-1, 30), func(n int64) string { return strconv.FormatInt(n, 10) })
	switch rapid.IntRange(0, forms).Draw(t, "form") {
	case 0:
		return variables[of(cel.BoolType)].name
	case 1:
		v := of(cel.StringType)
		return variables[v].name + rapid.SampledFrom([]string{" == ", " != "}).Draw(t, "op") + word(v)
	case 2:
		v := of(cel.StringType)
		return variables[v].name + " in [" + word(v) + ", " + word(v) + "]"
	case 3:
		op := rapid.SampledFrom([]string{" == ", " != ", " < ", " <= ", " > ", " >= "}).Draw(t, "op")
		a, b := variables[of(cel.IntType)].name, number.Draw(t, "number")
		if rapid.Bool().Draw(t, "exchanged") {
			a, b = b, a
		}
		return a + op + b
	case 4:
		return variables[of(cel.IntType)].name + " in [" + number.Draw(t, "number") + ", 5411]"
	case 5:
		return rapid.SampledFrom([]string{"true", "false"}).Draw(t, "constant")
	case 6:
		return "!(" + drawExpression(t, depth-1) + ")"
	case 7:
		return "(" + drawExpression(t, depth-1) + " && " + drawExpression(t, depth-1) + ")"
	case 8:
		return "(" + drawExpression(t, depth-1) + " || " + drawExpression(t, depth-1) + ")"
	}
	return "(" + drawExpression(t, depth-1) + " ? " + drawExpression(t, depth-1) + " : " + drawExpression(t, depth-1) + ")"
}

// TestDirectAnswersAreThoseOfCEL proves that the forms that are asked directly
// mean what CEL says they mean, with facts that are known and that are not.
func TestDirectAnswersAreThoseOfCEL(t *testing.T) {
	t.Parallel()
	flag := rapid.SampledFrom([]Flag{NotKnown, No, Yes})
	rapid.Check(t, func(t *rapid.T) {
		text := drawExpression(t, 3)
		var flaws faults
		e := flaws.compileExpression("cel", text)
		if err := flaws.err(); err != nil {
			t.Fatal(err)
		}
		if e.tests == nil {
			t.Fatalf("%s has no direct form", text)
		}
		for range 5 {
			more := Facts{Offline: flag.Draw(t, "offline"), Certificate: flag.Draw(t, "certificate"), Activated: flag.Draw(t, "activated"),
				Consent: rapid.SampledFrom(append([]string{""}, Consents...)).Draw(t, "consent"), Risk: rapid.SampledFrom(append([]string{""}, Risks...)).Draw(t, "risk"),
				Factors: rapid.Int64Range(0, 3).Draw(t, "factors"), Issuer: rapid.SampledFrom([]string{"", "icbc", "cmb"}).Draw(t, "issuer"),
				Mandate: Mandate{NoticeHours: rapid.Int64Range(0, 30).Draw(t, "notice"), Begun: flag.Draw(t, "begun")}}
			f := facts{method: CardTap, currency: &yuan, card: &Card{Kind: "debit"}, place: &Place{MCC: 5411, Purpose: "transport_fare"}, more: &more}
			if direct, said := e.eval(&f), e.interpret(&f); direct != said {
				t.Fatalf("%s: asked directly %d, CEL says %d", text, direct, said)
			}
		}
	})
}

// TestExpressionFaults proves that what cannot be meant is refused when the
// pack is compiled, with what would be right.
func TestExpressionFaults(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, want string }{
		{"offline &&", "Syntax error"},
		{"ofline", "ofline"},
		{"amount > 5000", "amount"},
		{"merchant.mcc > 'x'", "no matching overload"},
		{"merchant.mcc", "true or false"},
		{"merchant.mcc + 1 > 2", "undeclared reference to '_+_'; names and operators"},
		{"merchant.mcc * 9223372036854775807 > 0", "'_*_'"},
		{"-merchant.mcc < 0", "'-_'"},
		{"terminal.purpose.matches('(a+)+$')", "'matches'"},
		{"size(card.issuer) > 3", "'size'"},
		{"dyn(card.issuer) == 5", "'dyn'"},
		{"timestamp('2020-01-01T00:00:00Z').getHours(terminal.country) > 3", "'timestamp'"},
		{"card.issuer.startsWith('x')", "'startsWith'"},
		{"[card.issuer][0] == 'x'", "'_[_]'"},
		{"risk == 'lo'", "write one of low, elevated, high"},
		{"'debit ' == card.kind", "write one of debit"},
		{"method in ['card_tap', 'tap']", `never "tap"`},
		{"[1, 2].exists(x, x > 1)", "exists"},
		{"has(card.kind)", "has"},
		{strings.Repeat("factors > 1 && ", 100) + "offline", "at most 1000"},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			t.Parallel()
			p := counterPack([]string{"calendar_day"}, "payer", "executed_all")
			p.Limits[0].When = &Condition{CEL: tt.text}
			_, err := Compile([]Pack{p})
			if got := fields(err); !slices.Contains(got, "pack p: limits[0].when.cel") {
				t.Fatalf("fields %q", got)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("want %q in %v", tt.want, err)
			}
		})
	}
}

// TestFigures proves that a limit that comes with the payment bounds it, and
// that one that nobody gave allows nothing.
func TestFigures(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		facts *Facts
		want  bool
	}{
		{"no facts", nil, false},
		{"not given", &Facts{}, false},
		{"known to be none", &Facts{Figures: Figures{PayerPaymentLimit: NoFigure}}, true},
		{"at the limit", &Facts{Figures: Figures{PayerPaymentLimit: 500}}, true},
		{"below the amount", &Facts{Figures: Figures{PayerPaymentLimit: 499}}, false},
		{"nonsense", &Facts{Figures: Figures{PayerPaymentLimit: -1}}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.facts.bound(OpAtMost, PayerPaymentLimit).Allows(500); got != tt.want {
				t.Errorf("want %v, got %v", tt.want, got)
			}
		})
	}
}
