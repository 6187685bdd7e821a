package money_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/mianmi/mianmi/money"
)

// The amounts of the tests: any number of minor units, with the edges of the
// range more often than chance would have them.
var minors = rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{0, 1, -1, math.MaxInt64, math.MinInt64, math.MinInt64 + 1}))

func amounts(c money.Currency) *rapid.Generator[money.Amount] {
	return rapid.Map(minors, func(n int64) money.Amount { return money.Of(n, c) })
}

// A sum or difference is the one of arithmetic, or ErrOverflow exactly when
// that does not fit.
func TestSumsAreExactOrRefused(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := amounts("CNY").Draw(t, "a"), amounts("CNY").Draw(t, "b")
		check := func(name string, got money.Amount, err error, want *big.Int) {
			switch {
			case !want.IsInt64():
				if !errors.Is(err, money.ErrOverflow) || got != (money.Amount{}) {
					t.Fatalf("%s of %v and %v = %v, %v; want ErrOverflow", name, a, b, got, err)
				}
			case err != nil || got != money.Of(want.Int64(), "CNY"):
				t.Fatalf("%s of %v and %v = %v, %v; want %s", name, a, b, got, err, want)
			}
		}
		x, y := big.NewInt(a.Minor()), big.NewInt(b.Minor())
		sum, err := a.Add(b)
		check("sum", sum, err, new(big.Int).Add(x, y))
		diff, err := a.Sub(b)
		check("difference", diff, err, new(big.Int).Sub(x, y))
	})
}

// Unlike currencies are never added, whatever the figures.
func TestUnlikeCurrencies(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := amounts("CNY").Draw(t, "a"), amounts("JPY").Draw(t, "b")
		if _, err := a.Add(b); !errors.Is(err, money.ErrCurrency) {
			t.Fatalf("%v + %v: %v", a, b, err)
		}
		if _, err := a.Sub(b); !errors.Is(err, money.ErrCurrency) {
			t.Fatalf("%v - %v: %v", a, b, err)
		}
	})
}

// What is written to the wire is read back the same.
func TestJSONRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := money.Currency(rapid.StringMatching(`[A-Z]{3}`).Draw(t, "currency"))
		want := amounts(c).Draw(t, "amount")
		b, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got money.Amount
		if err := json.Unmarshal(b, &got); err != nil || got != want {
			t.Fatalf("%s came back as %v, %v; want %v", b, got, err, want)
		}
	})
}

// An amount of a broken currency is still written as JSON: a reader must be
// able to refuse it.
func TestJSONOfABrokenCurrency(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := money.Currency(rapid.String().Draw(t, "currency"))
		b, err := json.Marshal(money.Of(1, c))
		if err != nil || !json.Valid(b) {
			t.Fatalf("currency %q is written as %q, %v", c, b, err)
		}
		var got money.Amount
		if err := json.Unmarshal(b, &got); (err == nil) != c.Valid() {
			t.Fatalf("%s: %v, want an error exactly for what is no currency", b, err)
		}
	})
}

// What is read from outside is an amount of a valid currency, or an error
// that leaves the old value alone. A decimal, a text, a second value are no
// minor units.
func FuzzUnmarshalJSON(f *testing.F) {
	for _, s := range []string{
		`{"minor":1800,"currency":"CNY"}`, `{"minor":-1,"currency":"JPY"}`, `{"minor":18.5,"currency":"CNY"}`,
		`{"minor":"18","currency":"CNY"}`, `{"minor":9223372036854775808,"currency":"CNY"}`, `{"minor":1,"currency":"cny"}`,
		`{"minor":1}`, `null`, `{}`, `[]`, `{"minor":1e3,"currency":"CNY"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		old := money.Of(7, "EUR")
		got := old
		if err := json.Unmarshal(text, &got); err != nil {
			if got != old {
				t.Fatalf("%q failed and left %v", text, got)
			}
			return
		}
		if got != old && !got.Currency().Valid() {
			t.Fatalf("%q is read as %v of no currency", text, got)
		}
	})
}

// Each form of bad input is refused.
func TestUnmarshalRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{}`, `[]`, `""`, `1800`, `{"minor":1}`, `{"currency":"CNY"}`, `{"minor":18.5,"currency":"CNY"}`,
		`{"minor":"1800","currency":"CNY"}`, `{"minor":9223372036854775808,"currency":"CNY"}`,
		`{"minor":1,"currency":"cny"}`, `{"minor":1,"currency":"CNYX"}`, `{"minor":1,"currency":"元"}`,
		`{"minor":null,"currency":"CNY"}`, `null`,
	} {
		var got money.Amount
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s is read as %v, want an error", text, got)
		}
	}
}

// The text of an amount has exactly the digits of its currency (ISO 4217),
// also at the edges of the range.
func TestText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		minor         int64
		currency      money.Currency
		decimal, text string
	}{
		{1800, "CNY", "18.00", "¥18.00"},
		{5, "CNY", "0.05", "¥0.05"},
		{-5, "CNY", "-0.05", "-¥0.05"},
		{0, "CNY", "0.00", "¥0.00"},
		{50, "JPY", "50", "JP¥50"},
		{-50, "JPY", "-50", "-JP¥50"},
		{1234, "KWD", "1.234", "KWD 1.234"},
		{1, "KWD", "0.001", "KWD 0.001"},
		{25000, "MYR", "250.00", "MYR 250.00"},
		{math.MaxInt64, "EUR", "92233720368547758.07", "€92233720368547758.07"},
		{math.MinInt64, "EUR", "-92233720368547758.08", "-€92233720368547758.08"},
	} {
		a := money.Of(tt.minor, tt.currency)
		if a.Decimal() != tt.decimal || a.String() != tt.text {
			t.Errorf("%d %s is %q, %q; want %q, %q", tt.minor, tt.currency, a.Decimal(), a.String(), tt.decimal, tt.text)
		}
	}
}

// Only more than nothing of a currency can be paid.
func TestPositive(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		a    money.Amount
		want bool
	}{
		{"one minor unit", money.Of(1, "CNY"), true},
		{"nothing", money.Of(0, "CNY"), false},
		{"less than nothing", money.Of(-1, "CNY"), false},
		{"the zero amount", money.Amount{}, false},
		{"no currency", money.Of(1, ""), false},
		{"lower case", money.Of(1, "cny"), false},
	} {
		if got := tt.a.Positive(); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
