package money

import (
	"fmt"
	"math"
	"strings"
)

// Parse reads a decimal number of major units, as Decimal writes it: "50.00" of
// EUR is 5000 minor units. Fewer decimals than the currency has are filled up
// ("50", "50.5"); more are an error, as are signs, spaces and separators of
// thousands. An amount that does not fit is ErrOverflow.
func Parse(text string, c Currency) (Amount, error) {
	if !c.Valid() {
		return Amount{}, fmt.Errorf("currency %q is not three upper-case letters", string(c))
	}
	whole, part, hasPart := strings.Cut(text, ".")
	e := c.Exponent()
	switch {
	case !digits(whole) || len(whole) > 1 && whole[0] == '0':
		return Amount{}, fmt.Errorf("%q is not an amount; write it like %s", text, Amount{5000, c}.Decimal())
	case hasPart && (!digits(part) || len(part) > e):
		return Amount{}, fmt.Errorf("%q is not an amount of %s, which has %d decimals", text, c, e)
	}
	var minor int64
	for _, d := range []byte(whole + part + strings.Repeat("0", e-len(part))) {
		n := int64(d - '0')
		if minor > (math.MaxInt64-n)/10 {
			return Amount{}, ErrOverflow
		}
		minor = minor*10 + n
	}
	return Amount{minor, c}, nil
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
