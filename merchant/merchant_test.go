package merchant

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
)

func wantField(t *testing.T, name string, err error, field string) {
	t.Helper()
	var e *mianmi.Error
	switch {
	case field == "" && err == nil:
	case !errors.As(err, &e) || e.Kind != mianmi.Invalid || e.Field != field:
		t.Errorf("%s: %v, want Invalid %q", name, err, field)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	facts := Facts{Country: "CN", MCC: 9999}
	tests := map[string]struct {
		in    interface{ Validate() error }
		field string
	}{
		"a merchant":                           {Merchant{Name: "店", Currency: "CNY", Facts: facts}, ""},
		"a merchant with the longest name":     {Merchant{Name: strings.Repeat("店", nameMax), Currency: "CNY", Facts: facts}, ""},
		"a name too long":                      {Merchant{Name: strings.Repeat("店", nameMax+1), Currency: "CNY", Facts: facts}, "name"},
		"no name":                              {Merchant{Currency: "CNY", Facts: facts}, "name"},
		"a name of a space":                    {Merchant{Name: " ", Currency: "CNY", Facts: facts}, "name"},
		"a name with a line break":             {Merchant{Name: "a\nb", Currency: "CNY", Facts: facts}, "name"},
		"a name that is not text":              {Merchant{Name: "a\xffb", Currency: "CNY", Facts: facts}, "name"},
		"a currency of two letters":            {Merchant{Name: "a", Currency: "CN", Facts: facts}, "currency"},
		"a country in lower case":              {Facts{Country: "cn"}, "country"},
		"a country of three letters":           {Facts{Country: "CHN"}, "country"},
		"a category above four digits":         {Facts{Country: "CN", MCC: 10000}, "mcc"},
		"a store":                              {Store{Merchant: "mc1", Name: "店"}, ""},
		"a store at the edge of the map":       {Store{Merchant: "mc1", Name: "店", Coordinates: &Coordinates{-latE6Max, lonE6Max}}, ""},
		"a store without a merchant":           {Store{Name: "店"}, "merchant"},
		"a store north of the pole":            {Store{Merchant: "mc1", Name: "店", Coordinates: &Coordinates{LatE6: latE6Max + 1}}, "lat_e6"},
		"a store west of the date line":        {Store{Merchant: "mc1", Name: "店", Coordinates: &Coordinates{LonE6: -lonE6Max - 1}}, "lon_e6"},
		"an address too long":                  {Store{Merchant: "mc1", Name: "店", Address: strings.Repeat("a", addressMax+1)}, "address"},
		"a stop":                               {StopOrder{Everything(), "盗刷", time.Minute, nil}, ""},
		"a stop of nothing":                    {StopOrder{Scope{}, "盗刷", time.Minute, nil}, "scope"},
		"a stop of everything and a subject":   {StopOrder{Scope{LevelEverything, "x"}, "盗刷", time.Minute, nil}, "scope"},
		"a stop of a channel in capitals":      {StopOrder{OfChannel("Wallet"), "盗刷", time.Minute, nil}, "scope"},
		"a stop of a level that is not there":  {StopOrder{Scope{LevelTerminal + 1, "x"}, "盗刷", time.Minute, nil}, "scope"},
		"a stop without a reason":              {StopOrder{Everything(), "", time.Minute, nil}, "reason"},
		"a stop that nobody would notice":      {StopOrder{Everything(), "盗刷", time.Second, nil}, "for"},
		"a stop that everybody would forget":   {StopOrder{Everything(), "盗刷", StopLifeMax + 1, nil}, "for"},
		"a stop of a subject that is too long": {StopOrder{OfChannel(strings.Repeat("a", subjectMax+1)), "盗刷", time.Minute, nil}, "scope"},
	}
	for name, tt := range tests {
		wantField(t, name, tt.in.Validate(), tt.field)
	}
	wantField(t, "terms with a maximum of nothing", Terms{PerPayment: yuan(0)}.validate("CNY"), "per_payment")
	wantField(t, "terms in another currency", Terms{PerPayment: yuan(1)}.validate("EUR"), "per_payment.currency")
	wantField(t, "terms of a scope of many merchants", Terms{PerPayment: yuan(1)}.validate(""), "")
	wantField(t, "terms with a method that is none", Terms{Methods: methods(0)}.validate(""), "methods")
	wantField(t, "terms with all methods there are", func() Terms { m := knownMethods(); return Terms{Methods: &m} }().validate(""), "")
}

// Names of levels and states are read as they are written.
func TestNames(t *testing.T) {
	t.Parallel()
	for l := LevelEverything; l <= LevelTerminal; l++ {
		if ParseLevel(l.String()) != l {
			t.Errorf("level %d is written %q", l, l)
		}
	}
	if ParseLevel("") != LevelNone || ParseLevel("shop") != LevelNone {
		t.Error("an unknown level is read as a level")
	}
	for s := Waiting; s <= Expired; s++ {
		if s.String() == "" {
			t.Errorf("state %d has no name", s)
		}
	}
}
