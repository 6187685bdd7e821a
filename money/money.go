// Package money is an amount: an integer of minor units and a currency.
//
// There is no float anywhere, and text becomes an amount only at the edge
// (api, web, cmd) and by one parser. Adding unlike currencies or past int64 is an error, never a
// silent wrong sum.
package money

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Currency is an ISO 4217 alphabetic code, upper case ("CNY").
type Currency string

// exponents lists the currencies whose minor unit is not a hundredth
// (ISO 4217 list one); every other known code has two digits.
var exponents = map[Currency]int{
	"JPY": 0, "KRW": 0, "VND": 0, "XPF": 0, "XAF": 0, "XOF": 0, "CLP": 0, "ISK": 0, "PYG": 0, "UGX": 0, "RWF": 0,
	"BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
}

var symbols = map[Currency]string{
	"CNY": "¥", "JPY": "JP¥", "EUR": "€", "GBP": "£", "USD": "US$", "HKD": "HK$", "INR": "₹", "SGD": "S$",
}

// Valid reports whether c has the form of a code: three upper-case letters.
func (c Currency) Valid() bool {
	if len(c) != 3 {
		return false
	}
	for i := range 3 {
		if c[i] < 'A' || c[i] > 'Z' {
			return false
		}
	}
	return true
}

// Exponent is the number of decimal digits of the minor unit.
func (c Currency) Exponent() int {
	if e, ok := exponents[c]; ok {
		return e
	}
	return 2
}

// Amount is a number of minor units of a currency. The zero Amount has no
// currency and is not valid for a payment.
type Amount struct {
	minor    int64
	currency Currency
}

// Of returns minor units of a currency (Of(1800, "CNY") is ¥18.00).
func Of(minor int64, c Currency) Amount { return Amount{minor: minor, currency: c} }

// Minor returns the number of minor units.
func (a Amount) Minor() int64 { return a.minor }

// Currency returns the currency.
func (a Amount) Currency() Currency { return a.currency }

// Positive reports whether the amount has a valid currency and is above zero.
func (a Amount) Positive() bool { return a.minor > 0 && a.currency.Valid() }

var (
	// ErrCurrency says that two amounts have unlike currencies.
	ErrCurrency = errors.New("unlike currencies")
	// ErrOverflow says that a sum does not fit in 64 bits.
	ErrOverflow = errors.New("amount overflows")
)

// Add returns a + b.
func (a Amount) Add(b Amount) (Amount, error) {
	if a.currency != b.currency {
		return Amount{}, ErrCurrency
	}
	if (b.minor > 0 && a.minor > math.MaxInt64-b.minor) || (b.minor < 0 && a.minor < math.MinInt64-b.minor) {
		return Amount{}, ErrOverflow
	}
	return Amount{a.minor + b.minor, a.currency}, nil
}

// Sub returns a - b.
func (a Amount) Sub(b Amount) (Amount, error) {
	if a.currency != b.currency {
		return Amount{}, ErrCurrency
	}
	if (b.minor < 0 && a.minor > math.MaxInt64+b.minor) || (b.minor > 0 && a.minor < math.MinInt64+b.minor) {
		return Amount{}, ErrOverflow
	}
	return Amount{a.minor - b.minor, a.currency}, nil
}

// Decimal is the amount as a decimal number of major units ("18.00").
func (a Amount) Decimal() string {
	e := a.currency.Exponent()
	sign, digits := "", strconv.FormatInt(a.minor, 10)
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	if e == 0 {
		return sign + digits
	}
	if len(digits) <= e {
		digits = strings.Repeat("0", e-len(digits)+1) + digits
	}
	return sign + digits[:len(digits)-e] + "." + digits[len(digits)-e:]
}

// String is the amount as people read it ("¥18.00", "MYR 250.00").
func (a Amount) String() string {
	if s, ok := symbols[a.currency]; ok {
		if a.minor < 0 {
			return "-" + s + strings.TrimPrefix(a.Decimal(), "-")
		}
		return s + a.Decimal()
	}
	return string(a.currency) + " " + a.Decimal()
}

// wire is the form on the wire: minor units and currency, never a decimal.
type wire struct {
	Minor    *int64   `json:"minor"`
	Currency Currency `json:"currency"`
}

// MarshalJSON writes {"minor":1800,"currency":"CNY"}.
func (a Amount) MarshalJSON() ([]byte, error) {
	if !a.currency.Valid() { // its characters may need escapes
		return json.Marshal(wire{&a.minor, a.currency})
	}
	b := make([]byte, 0, 48)
	b = append(b, `{"minor":`...)
	b = strconv.AppendInt(b, a.minor, 10)
	b = append(b, `,"currency":"`...)
	b = append(b, a.currency...)
	return append(b, `"}`...), nil
}

// UnmarshalJSON reads the form that MarshalJSON writes. An amount without
// minor units is an error, not zero.
func (a *Amount) UnmarshalJSON(b []byte) error {
	var w wire
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	if w.Minor == nil {
		return errors.New("minor units are missing")
	}
	if !w.Currency.Valid() {
		return fmt.Errorf("currency %q is not three upper-case letters", w.Currency)
	}
	*a = Amount{*w.Minor, w.Currency}
	return nil
}
