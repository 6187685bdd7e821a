package packs

import (
	"slices"
	"testing"

	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
)

// TestDefault proves that of every shipped pack it was decided whether it is in
// force by default, and that what is can be put in force together.
func TestDefault(t *testing.T) {
	t.Parallel()
	all, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		why, out := leftOut[p.ID]
		switch in := slices.Contains(defaults, p.ID); {
		case in == out:
			t.Errorf("pack %s stands in both of defaults and leftOut, or in neither; write it in one (default.go)", p.ID)
		case out && (why.ZH == "" || why.EN == ""):
			t.Errorf("pack %s is left out without a reason", p.ID)
		}
	}
	if len(defaults)+len(leftOut) != len(all) {
		t.Errorf("%d packs are listed in default.go and %d shipped", len(defaults)+len(leftOut), len(all))
	}
	got, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pinfree.Compile(got); err != nil {
		t.Error(err)
	}
}

// TestDefaultPermits proves that each limit is of use with all the others in
// force by default and with no more known than a service knows: at the limit
// without a PIN, one minor unit above it with.
func TestDefaultPermits(t *testing.T) {
	t.Parallel()
	list, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	set, err := pinfree.Compile(list)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		try  try
	}{
		{"a remote payment in China", try{currency: "CNY", minor: 100000, change: method(pinfree.Remote)}},
		{"a debit under a mandate in China", try{currency: "CNY", minor: 100000, change: method(pinfree.MandateDebit)}},
		{"a UnionPay tap in China", try{currency: "CNY", minor: 100000, change: unionPay}},
		{"a remote payment in the EU", try{currency: "EUR", minor: 3000, change: all(method(pinfree.Remote), country("DE"))}},
		{"a tap in the EU", try{currency: "EUR", minor: 5000, change: country("DE")}},
		{"a tap in Tahiti", try{currency: "XPF", minor: 6000, change: country("PF")}},
		{"a remote payment in the UK", try{currency: "GBP", minor: 2500, change: method(pinfree.Remote)}},
		{"a tap in India", try{currency: "INR", minor: 500000}},
		{"a wallet on the phone in India", try{currency: "INR", minor: 100000, change: wallet}},
		{"a debit under a mandate in India", try{currency: "INR", minor: 1500000, change: mandate}},
		{"a tap in Canada", try{currency: "CAD", minor: 25000, change: scheme("interac")}},
		{"a tap in Australia", try{currency: "AUD", minor: 20000}},
		{"a tap in Switzerland", try{currency: "CHF", minor: 8000}},
		{"a tap in Singapore", try{currency: "SGD", minor: 20000}},
		{"a tap in Japan", try{currency: "JPY", minor: 10000}},
		{"a tap in Brazil", try{currency: "BRL", minor: 20000}},
		{"a tap in Malaysia", try{currency: "MYR", minor: 25000, change: scheme("mydebit")}},
		{"a tap in Nigeria", try{currency: "NGN", minor: 1500000}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.try.outcome(t, set); got != "pin_free" {
				t.Errorf("at the limit: %s, %v", got, pinfree.Decide(tt.try.input(t, set)).Reasons)
			}
			tt.try.minor++
			if got := tt.try.outcome(t, set); got != "step_up" {
				t.Errorf("above the limit: %s, %v", got, pinfree.Decide(tt.try.input(t, set)).Reasons)
			}
		})
	}
}

// TestAllTogether proves that everything that is shipped can be in force at
// once, and that it is then no looser than what is in force by default.
func TestAllTogether(t *testing.T) {
	t.Parallel()
	all, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	set, err := pinfree.Compile(all)
	if err != nil {
		t.Fatal(err)
	}
	few, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	usual, err := pinfree.Compile(few)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []string{"INR", "CAD", "AUD", "CHF", "HKD", "SGD", "JPY", "BRL", "MYR", "NGN", "CNY", "EUR", "GBP", "USD"} {
		for _, s := range []string{"visa", "mastercard", "unionpay", "interac", "mydebit", ""} {
			for _, minor := range []int64{1, 5000, 10000, 20001, 100000, 500001} {
				y := try{currency: money.Currency(c), minor: minor, change: scheme(s)}
				if y.outcome(t, set) == "pin_free" && y.outcome(t, usual) != "pin_free" {
					t.Errorf("%d %s by %q: without a PIN with all packs, and with one by default", minor, c, s)
				}
			}
		}
	}
}

func method(m pinfree.Method) func(*pinfree.Input) {
	return func(in *pinfree.Input) { in.Method = m }
}

func country(c string) func(*pinfree.Input) {
	return func(in *pinfree.Input) { in.Place.Country = c }
}

func unionPay(in *pinfree.Input) {
	in.Card.Scheme, in.Place.NoPINMerchant, in.Place.UpgradedMerchant = "unionpay", true, true
}
