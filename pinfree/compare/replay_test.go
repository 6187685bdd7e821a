package compare_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/pinfree/compare"
	"github.com/mianmi/mianmi/pinfree/packs"
)

var start = time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC)

const anyStepUp = pinfree.ByTerminalPIN | pinfree.ByPhonePassword

// rules are the pack shop with other bounds: each at most so much, and fewer
// than number before this one, by day unless taps resets by SCA.
func rules(t testing.TB, each, number int, reset string) *pinfree.RuleSet {
	t.Helper()
	text := strings.NewReplacer("at_most: 5000", fmt.Sprintf("at_most: %d", each), "below: 3", fmt.Sprintf("below: %d", number),
		"calendar_day", reset).Replace(shop)
	p, err := packs.Parse("shop.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	rs, err := pinfree.Compile([]pinfree.Pack{p})
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

func tap(minute int, payer string, minor int64) compare.Payment {
	return compare.Payment{ID: fmt.Sprintf("%s-%d", payer, minute), At: start.Add(time.Duration(minute) * time.Minute), Payer: payer,
		Amount: money.Of(minor, "CNY"), Method: pinfree.CardTap, Card: pinfree.Card{Instrument: "card"},
		Subject: pinfree.Subject{Instrument: "card"}, Can: anyStepUp, Result: compare.Executed}
}

// list gives payments one by one.
func list(payments ...compare.Payment) func() (compare.Payment, error) {
	return func() (compare.Payment, error) {
		if len(payments) == 0 {
			return compare.Payment{}, io.EOF
		}
		p := payments[0]
		payments = payments[1:]
		return p, nil
	}
}

func taps(n int, change func(int, *compare.Payment)) func() (compare.Payment, error) {
	var out []compare.Payment
	for i := range n {
		p := tap(i, "anna", 1000)
		if change != nil {
			change(i, &p)
		}
		out = append(out, p)
	}
	return list(out...)
}

// cells says a report in short: "pin_free step_up 3 ¥30.00".
func cells(r compare.Report) []string {
	var out []string
	for _, c := range r.Cells {
		out = append(out, strings.TrimSpace(fmt.Sprint(c.A, " ", c.B, " ", c.Payments, " ", strings.Trim(fmt.Sprint(c.Sums), "[]"))))
	}
	return out
}

// Each side keeps counters of its own, which follow what would have happened
// under its rules. The sums are worked out by hand.
func TestReplay(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		a, b *pinfree.RuleSet
		log  func() (compare.Payment, error)
		want []string
	}{
		{"a lower limit", rules(t, 5000, 9, "calendar_day"), rules(t, 999, 9, "calendar_day"), taps(4, nil),
			[]string{"pin_free step_up 4 ¥40.00"}},
		{"a limit at the cent", rules(t, 5000, 9, "calendar_day"), rules(t, 1000, 9, "calendar_day"), taps(4, nil),
			[]string{"pin_free pin_free 4 ¥40.00"}},
		{"fewer a day: the day stays used up", rules(t, 5000, 5, "calendar_day"), rules(t, 5000, 2, "calendar_day"), taps(7, nil),
			[]string{"pin_free pin_free 2 ¥20.00", "pin_free step_up 3 ¥30.00", "step_up step_up 2 ¥20.00"}},
		{"fewer in a row: each step-up begins anew", rules(t, 5000, 5, "sca_non_remote"), rules(t, 5000, 2, "sca_non_remote"), taps(12, nil),
			// A asks at 6 and 12, B at 3, 6, 9 and 12.
			[]string{"pin_free pin_free 8 ¥80.00", "pin_free step_up 2 ¥20.00", "step_up step_up 2 ¥20.00"}},
		{"more a day: what was stopped is taken as executed", rules(t, 5000, 2, "calendar_day"), rules(t, 5000, 4, "calendar_day"),
			taps(6, func(i int, p *compare.Payment) {
				if i >= 2 {
					p.Result = compare.Stopped
				}
			}),
			[]string{"pin_free pin_free 2 ¥20.00", "step_up pin_free 2 ¥20.00", "step_up step_up 2 ¥20.00"}},
		{"what the channel declined counts nowhere", rules(t, 5000, 2, "calendar_day"), rules(t, 5000, 2, "calendar_day"),
			taps(5, func(i int, p *compare.Payment) {
				if i < 3 {
					p.Result = compare.Declined
				}
			}),
			[]string{"pin_free pin_free 5 ¥50.00"}},
		{"a step-up that was stopped resets nothing", rules(t, 5000, 2, "sca_non_remote"), rules(t, 5000, 9, "sca_non_remote"),
			taps(5, func(_ int, p *compare.Payment) { p.Result = compare.Stopped }),
			[]string{"pin_free pin_free 2 ¥20.00", "step_up pin_free 3 ¥30.00"}},
		{"a PIN unasked resets both", rules(t, 5000, 2, "sca_non_remote"), rules(t, 5000, 3, "sca_non_remote"),
			taps(6, func(i int, p *compare.Payment) {
				if i == 2 {
					p.CVM = pinfree.OnlinePIN
				}
			}),
			[]string{"authenticated authenticated 1 ¥10.00", "pin_free pin_free 4 ¥40.00", "step_up pin_free 1 ¥10.00"}},
		{"a reversal gives back when its time comes", rules(t, 5000, 2, "calendar_day"), rules(t, 5000, 3, "calendar_day"),
			// The first is undone before the fourth: A has room at 4 again.
			taps(4, func(i int, p *compare.Payment) {
				if i == 0 {
					p.ReversedAt = start.Add(150 * time.Second)
				}
			}),
			[]string{"pin_free pin_free 3 ¥30.00", "step_up pin_free 1 ¥10.00"}},
		{"an authentication elsewhere is an event", rules(t, 5000, 2, "sca_out_of_band"), rules(t, 5000, 2, "sca_non_remote"),
			taps(4, func(i int, p *compare.Payment) {
				if i == 2 {
					p.Event = pinfree.SCAOutOfBand
				}
			}),
			[]string{"pin_free pin_free 2 ¥20.00", "pin_free step_up 1 ¥10.00"}},
		{"others who closed it close it on both", rules(t, 5000, 2, "calendar_day"), rules(t, 5000, 9, "calendar_day"),
			taps(3, func(_ int, p *compare.Payment) {
				p.Layers = []pinfree.Layer{{Kind: pinfree.LayerStore, State: pinfree.Off, Because: pinfree.StoreClosed}}
			}),
			[]string{"step_up step_up 3 ¥30.00"}},
		{"no packs at all", rules(t, 5000, 2, "calendar_day"), nil, taps(3, nil),
			[]string{"pin_free step_up 2 ¥20.00", "step_up step_up 1 ¥10.00"}},
		{"payers apart, currencies apart", rules(t, 5000, 1, "calendar_day"), rules(t, 5000, 2, "calendar_day"),
			list(tap(0, "anna", 100), tap(1, "ben", 200), tap(2, "anna", 300), func() compare.Payment {
				p := tap(3, "ben", 400)
				p.Amount = money.Of(400, "EUR")
				return p
			}()),
			[]string{"pin_free pin_free 2 ¥3.00", "step_up pin_free 1 ¥3.00", "step_up step_up 1 €4.00"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, err := compare.Replay(tt.a, tt.b, tt.log, compare.Options{})
			if diff := cmp.Diff(tt.want, cells(r)); err != nil || diff != "" {
				t.Errorf("%v; cells (-want +got):\n%s", err, diff)
			}
		})
	}
}

// The report names what binds, and shows as many examples as asked.
func TestReplayTells(t *testing.T) {
	t.Parallel()
	r, err := compare.Replay(rules(t, 5000, 9, "calendar_day"), rules(t, 5000, 2, "calendar_day"), taps(6, nil), compare.Options{Examples: 2})
	if err != nil {
		t.Fatal(err)
	}
	stricter, looser := r.Differing()
	if r.Payments != 6 || r.Payers != 1 || stricter != 4 || looser != 0 || !r.From.Equal(start) || !r.To.Equal(start.Add(5*time.Minute)) || r.Cut {
		t.Errorf("report = %+v", r)
	}
	ground := compare.Ground{Reason: "rule_count_limit", Rule: "shop/day"}
	if diff := cmp.Diff([]compare.Cause{{Ground: ground, Payments: 4}}, r.Cells[1].Because); diff != "" {
		t.Errorf("causes (-want +got):\n%s", diff)
	}
	if len(r.Examples) != 2 || r.Examples[0].ID != "anna-2" || r.Examples[0].B.Because[0] != ground || r.Examples[0].A.Outcome != "pin_free" ||
		r.Examples[0].B.Decision.Reasons[0].Limit != 2 {
		t.Errorf("examples = %+v", r.Examples)
	}
}

// A replay ends when it is told to, and says so; it does not follow more payers
// than allowed, and gives on what the source says.
func TestReplayEnds(t *testing.T) {
	t.Parallel()
	a := rules(t, 5000, 9, "calendar_day")
	ends := func(n int, err error) func() (compare.Payment, error) {
		from := taps(n, nil)
		return func() (compare.Payment, error) {
			p, end := from()
			if end != nil {
				return p, err
			}
			return p, nil
		}
	}
	r, err := compare.Replay(a, a, ends(3, compare.ErrEnough), compare.Options{})
	if err != nil || !r.Cut || r.Payments != 3 {
		t.Errorf("enough: %+v, %v", r, err)
	}
	away := errors.New("away")
	if r, err = compare.Replay(a, a, ends(3, away), compare.Options{}); !errors.Is(err, away) || r.Payments != 3 {
		t.Errorf("away: %+v, %v", r, err)
	}
	if _, err = compare.Replay(a, a, list(tap(0, "x", 1), tap(1, "y", 1), tap(2, "z", 1)), compare.Options{Payers: 2}); mianmi.KindOf(err) != mianmi.Invalid {
		t.Errorf("three payers of two: %v", err)
	}
	huge := []compare.Payment{tap(0, "x", 1<<62), tap(1, "x", 1<<62)}
	if _, err = compare.Replay(a, a, list(huge...), compare.Options{}); mianmi.KindOf(err) != mianmi.Invalid {
		t.Errorf("a sum that does not fit: %v", err)
	}
}

func drawLog(t *rapid.T) []compare.Payment {
	out := make([]compare.Payment, rapid.IntRange(0, 40).Draw(t, "payments"))
	minute := 0
	for i := range out {
		minute += rapid.IntRange(-1, 300).Draw(t, "later")
		p := tap(max(minute, 0), rapid.SampledFrom([]string{"anna", "ben"}).Draw(t, "payer"), rapid.Int64Range(1, 7000).Draw(t, "minor"))
		p.Result = rapid.SampledFrom([]compare.Result{compare.Executed, compare.Executed, compare.Declined, compare.Stopped, compare.ResultUnknown}).Draw(t, "result")
		p.CVM = rapid.SampledFrom([]pinfree.CVM{pinfree.NoCVM, pinfree.NoCVM, pinfree.NoCVM, pinfree.OnlinePIN}).Draw(t, "cvm")
		p.Method = rapid.SampledFrom([]pinfree.Method{pinfree.CardTap, pinfree.CardTap, pinfree.PaymentCode, pinfree.CardInsert}).Draw(t, "method")
		if rapid.IntRange(0, 5).Draw(t, "reversed") == 0 {
			p.ReversedAt = p.At.Add(time.Duration(rapid.IntRange(0, 600).Draw(t, "after")) * time.Minute)
		}
		if rapid.IntRange(0, 9).Draw(t, "event") == 0 {
			p.Event = pinfree.SCAOutOfBand
		}
		out[i] = p
	}
	return out
}

// For every log: rules against themselves differ nowhere, every payment is in
// one cell, and exchanging the sides exchanges the cells.
func TestReplayIsFair(t *testing.T) {
	t.Parallel()
	sets := []*pinfree.RuleSet{nil, rules(t, 5000, 3, "calendar_day"), rules(t, 2000, 2, "sca_non_remote"), rules(t, 6000, 5, "sca_any")}
	rapid.Check(t, func(t *rapid.T) {
		log := drawLog(t)
		a, b := rapid.SampledFrom(sets).Draw(t, "a"), rapid.SampledFrom(sets).Draw(t, "b")
		run := func(a, b *pinfree.RuleSet) compare.Report {
			r, err := compare.Replay(a, b, list(slices.Clone(log)...), compare.Options{})
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		same := run(a, a)
		if stricter, looser := same.Differing(); stricter+looser != 0 || len(same.Examples) != 0 {
			t.Fatalf("rules differ from themselves: %+v", same)
		}
		one, other := run(a, b), run(b, a)
		var payments, all int64
		mirrored := map[string]int64{}
		for _, c := range other.Cells {
			mirrored[c.B+" "+c.A] = c.Payments
		}
		for _, c := range one.Cells {
			payments += c.Payments
			if mirrored[c.A+" "+c.B] != c.Payments {
				t.Fatalf("%s to %s is %d one way and %d the other", c.A, c.B, c.Payments, mirrored[c.A+" "+c.B])
			}
		}
		for _, p := range log {
			if p.Event == 0 {
				all++
			}
		}
		stricter, looser := one.Differing()
		if s, l := other.Differing(); s != looser || l != stricter {
			t.Fatalf("%d stricter and %d looser one way, %d and %d the other", stricter, looser, s, l)
		}
		if payments != all || one.Payments != all || one.Events != int64(len(log))-all {
			t.Fatalf("%d payments of %d are told", payments, all)
		}
	})
}
