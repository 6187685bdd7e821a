package api

import (
	"strconv"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
)

// Amount is money on the wire.
type Amount struct {
	Minor    int64  `json:"minor" doc:"Minor units: 1800 is ¥18.00" example:"1800"`
	Currency string `json:"currency" doc:"ISO 4217" pattern:"^[A-Z]{3}$" example:"CNY"`
}

func (a Amount) money() money.Amount { return money.Of(a.Minor, money.Currency(a.Currency)) }

func amountOf(m money.Amount) Amount { return Amount{Minor: m.Minor(), Currency: string(m.Currency())} }

// amountOrNone is the amount of n minor units; nil for none.
func amountOrNone(n *int64, c money.Currency) *Amount {
	if n == nil {
		return nil
	}
	return &Amount{Minor: *n, Currency: string(c)}
}

// minorIn returns the minor units of an amount that must be in the currency.
func minorIn(field string, a *Amount, c money.Currency) (*int64, error) {
	if a == nil {
		return nil, nil
	}
	if money.Currency(a.Currency) != c {
		return nil, mianmi.InvalidField(field+".currency", "want "+string(c))
	}
	return &a.Minor, nil
}

// Text is one sentence in both languages.
type Text struct {
	ZH string `json:"zh"`
	EN string `json:"en"`
}

func textOf(t mianmi.Text) Text { return Text(t) }

// timeOrNone is nil for the zero time.
func timeOrNone(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// clockText is a minute of the day as people write it ("22:00").
func clockText(minute int) string {
	digits := func(n int) string { return strconv.Itoa(100 + n)[1:] }
	return digits(minute/60) + ":" + digits(minute%60)
}

// minuteOf is the inverse of clockText; "24:00" is the end of the day.
func minuteOf(field, text string) (int, error) {
	h, m, ok := strings.Cut(text, ":")
	hours, err1 := strconv.ParseUint(h, 10, 8)
	minutes, err2 := strconv.ParseUint(m, 10, 8)
	if !ok || len(h) != 2 || len(m) != 2 || err1 != nil || err2 != nil || minutes > 59 || hours*60+minutes > 24*60 {
		return 0, mianmi.InvalidField(field, "want a time of day from 00:00 to 24:00")
	}
	return int(hours*60 + minutes), nil //nolint:gosec // at most 1440
}
