package pinfree

import (
	"slices"
	"strings"
	"testing"
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
		{"merchant.mcc * 9223372036854775807 > 0", nil, perhaps},
		{"merchant.mcc / (merchant.mcc - merchant.mcc) > 0", nil, perhaps},
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
				place: &Place{MCC: 5411, Country: "CN"}, more: tt.more}
			if got := m.match(&f); got != tt.want {
				t.Errorf("want %d, got %d", tt.want, got)
			}
		})
	}
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
		{"merchant.mcc + 1", "true or false"},
		{"risk == 'lo'", "write one of low, elevated, high"},
		{"'debit ' == card.kind", "write one of debit"},
		{"method in ['card_tap', 'tap']", `never "tap"`},
		{"[1, 2].exists(x, x > 1)", "exists"},
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
