package money_test

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/mianmi/mianmi/money"
)

// What Decimal writes is read back the same, for every currency.
func TestParseIsTheInverseOfDecimal(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := rapid.SampledFrom([]money.Currency{"CNY", "EUR", "JPY", "KWD", "XPF"}).Draw(t, "currency")
		want := money.Of(rapid.Int64Min(0).Draw(t, "minor"), c)
		if got, err := money.Parse(want.Decimal(), c); err != nil || got != want {
			t.Fatalf("%s came back as %v, %v", want.Decimal(), got, err)
		}
	})
}

// An amount is read as people write it, and nothing that could mean another
// amount is read at all.
func TestParse(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text string
		currency   money.Currency
		minor      int64 // -1: an error
	}{
		{"with all decimals", "50.00", "EUR", 5000},
		{"without decimals", "50", "EUR", 5000},
		{"with one decimal", "50.5", "EUR", 5050},
		{"nothing", "0", "EUR", 0},
		{"less than one", "0.07", "EUR", 7},
		{"a currency without decimals", "15000", "JPY", 15000},
		{"a currency with three", "1.234", "KWD", 1234},
		{"one decimal too many", "50.000", "EUR", -1},
		{"a decimal of a currency without", "15000.0", "JPY", -1},
		{"a point and nothing behind", "50.", "EUR", -1},
		{"nothing before the point", ".50", "EUR", -1},
		{"a comma", "50,00", "EUR", -1},
		{"thousands", "1,000.00", "EUR", -1},
		{"a sign", "-50.00", "EUR", -1},
		{"a plus", "+50.00", "EUR", -1},
		{"a zero in front", "050", "EUR", -1},
		{"an exponent", "5e3", "EUR", -1},
		{"a space", " 50", "EUR", -1},
		{"no text", "", "EUR", -1},
		{"other digits", "５０", "EUR", -1},
		{"no currency", "50.00", "", -1},
		{"a currency in small letters", "50.00", "eur", -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := money.Parse(tt.text, tt.currency)
			if (err != nil) != (tt.minor < 0) || err == nil && got != money.Of(tt.minor, tt.currency) {
				t.Errorf("%q: %v, %v; want %d", tt.text, got, err, tt.minor)
			}
		})
	}
	if _, err := money.Parse("92233720368547758.08", "EUR"); !errors.Is(err, money.ErrOverflow) {
		t.Errorf("one more than fits: %v", err)
	}
}
