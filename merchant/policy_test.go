package merchant

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
)

func yuan(minor int64) *money.Amount {
	a := money.Of(minor, "CNY")
	return &a
}

func methods(ms ...pinfree.Method) *pinfree.Methods {
	var s pinfree.Methods
	for _, m := range ms {
		s = s.Set(m)
	}
	return &s
}

var amounts = cmp.AllowUnexported(money.Amount{})

func TestCompare(t *testing.T) {
	t.Parallel()
	euro := money.Of(100, "EUR")
	on := func(p *money.Amount, m *pinfree.Methods) Terms {
		return Terms{PinFree: true, PerPayment: p, Methods: m}
	}
	off := func(p *money.Amount, m *pinfree.Methods) Terms { return Terms{PerPayment: p, Methods: m} }
	tests := map[string]struct {
		before, after Terms
		want          Change
		inForce       Terms // at once
	}{
		"nothing changes":                         {on(yuan(100), nil), on(yuan(100), nil), Same, on(yuan(100), nil)},
		"switched off":                            {on(nil, nil), off(nil, nil), Tightening, off(nil, nil)},
		"switched on":                             {off(nil, nil), on(nil, nil), Loosening, off(nil, nil)},
		"a maximum where there was none":          {on(nil, nil), on(yuan(100), nil), Tightening, on(yuan(100), nil)},
		"no maximum any more":                     {on(yuan(100), nil), on(nil, nil), Loosening, on(yuan(100), nil)},
		"a lower maximum":                         {on(yuan(100), nil), on(yuan(99), nil), Tightening, on(yuan(99), nil)},
		"a higher maximum":                        {on(yuan(100), nil), on(yuan(101), nil), Loosening, on(yuan(100), nil)},
		"a higher maximum while off":              {off(yuan(100), nil), off(yuan(101), nil), Loosening, off(yuan(100), nil)},
		"off and a higher maximum":                {on(yuan(100), nil), off(yuan(101), nil), Mixed, off(yuan(100), nil)},
		"on and a lower maximum":                  {off(yuan(100), nil), on(yuan(99), nil), Mixed, off(yuan(99), nil)},
		"a maximum in another currency":           {on(yuan(100), nil), on(&euro, nil), Loosening, on(yuan(100), nil)},
		"off and a maximum in another currency":   {on(yuan(100), nil), off(&euro, nil), Mixed, off(yuan(100), nil)},
		"methods where there were all":            {on(nil, nil), on(nil, methods(pinfree.CardTap)), Tightening, on(nil, methods(pinfree.CardTap))},
		"all methods again":                       {on(nil, methods(pinfree.CardTap)), on(nil, nil), Loosening, on(nil, methods(pinfree.CardTap))},
		"a method less":                           {on(nil, methods(1, 2)), on(nil, methods(1)), Tightening, on(nil, methods(1))},
		"a method more":                           {on(nil, methods(1)), on(nil, methods(1, 2)), Loosening, on(nil, methods(1))},
		"a method in place of another":            {on(nil, methods(1, 2)), on(nil, methods(2, 3)), Mixed, on(nil, methods(2))},
		"a lower maximum and a method more":       {on(yuan(100), methods(1)), on(yuan(50), methods(1, 2)), Mixed, on(yuan(50), methods(1))},
		"everything tighter at the same time":     {on(yuan(100), methods(1, 2)), off(yuan(50), methods(1)), Tightening, off(yuan(50), methods(1))},
		"everything looser at the same time":      {off(yuan(50), methods(1)), on(nil, nil), Loosening, off(yuan(50), methods(1))},
		"all methods named is less than nil says": {on(nil, nil), on(nil, methods(1, 2, 3, 4, 5, 6)), Tightening, on(nil, methods(1, 2, 3, 4, 5, 6))},
	}
	for name, tt := range tests {
		if got := Compare(tt.before, tt.after); got != tt.want {
			t.Errorf("%s: Compare = %d, want %d", name, got, tt.want)
		}
		if d := cmp.Diff(tt.inForce, Meet(tt.before, tt.after), amounts); d != "" {
			t.Errorf("%s: in force at once (-want +got):\n%s", name, d)
		}
	}
}

func drawTerms(t *rapid.T) Terms {
	terms := Terms{PinFree: rapid.Bool().Draw(t, "on")}
	if rapid.Bool().Draw(t, "limited") {
		a := money.Of(rapid.Int64Range(1, 4).Draw(t, "max"), rapid.SampledFrom([]money.Currency{"CNY", "EUR"}).Draw(t, "currency"))
		terms.PerPayment = &a
	}
	if rapid.Bool().Draw(t, "choosy") {
		m := pinfree.Methods(rapid.Uint16Range(0, 7).Draw(t, "methods") << 1)
		terms.Methods = &m
	}
	return terms
}

// allows says whether the terms let a payment pass without a PIN.
func (t Terms) allows(a money.Amount, m pinfree.Method) bool {
	return t.PinFree && (t.PerPayment == nil || t.PerPayment.Currency() == a.Currency() && a.Minor() <= t.PerPayment.Minor()) &&
		(t.Methods == nil || t.Methods.Has(m))
}

// For all terms: what one person brings into force at once lets nothing pass
// that did not pass before, and a change that Compare calls a tightening
// neither. A payment that both terms allow still passes.
func TestMeetNeverLoosens(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		before, after := drawTerms(t), drawTerms(t)
		meet, change := Meet(before, after), Compare(before, after)
		for _, currency := range []money.Currency{"CNY", "EUR"} {
			for minor := int64(1); minor <= 5; minor++ {
				for m := pinfree.PaymentCode; m <= pinfree.CardSwipe; m++ {
					a := money.Of(minor, currency)
					was, asked, is := before.allows(a, m), after.allows(a, m), meet.allows(a, m)
					if is && !was {
						t.Fatalf("%v %v passes, and did not before", a, m)
					}
					if (change == Tightening || change == Same) && (asked && !was || asked != is) {
						t.Fatalf("%v %v: called %d, was %v, asked %v, is %v", a, m, change, was, asked, is)
					}
					if was && asked && !is {
						t.Fatalf("%v %v: both allow it and it does not pass", a, m)
					}
				}
			}
		}
		if again := Meet(meet, after); !again.Equal(meet) {
			t.Fatalf("applied twice it is tighter still: %v, %v", meet, again)
		}
	})
}

func TestDefaultTerms(t *testing.T) {
	t.Parallel()
	for l := LevelNone; l <= LevelTerminal; l++ {
		if got, want := DefaultTerms(l).PinFree, l != LevelMerchant && l != LevelNone; got != want {
			t.Errorf("%v: PIN-free %v, want %v", l, got, want)
		}
	}
}

// A scope is written and read the same; what is not a scope is Invalid.
func FuzzParseScope(f *testing.F) {
	for _, s := range []string{"everything", "channel:wallet", "store:st1", "everything:", "store:", "store", ":", "merchant:MC", "terminal:tm:1", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseScope(text)
		if err != nil {
			if mianmi.KindOf(err) != mianmi.Invalid {
				t.Errorf("ParseScope(%q) = %v", text, err)
			}
			return
		}
		if s.String() != text || s.Validate() != nil {
			t.Errorf("ParseScope(%q) = %+v, which reads %q", text, s, s)
		}
	})
}
