package risk_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/risk"
)

// noon is noon on the payer's clock.
var noon = time.Date(2026, 7, 3, 4, 0, 0, 0, time.UTC)

// base is a payment like any other.
func base(k risk.Kind) risk.Event {
	return risk.Event{Kind: k, At: noon, Entry: "en1", Payer: "py1", Merchant: "mc1", Store: "st1", Terminal: "tm1", Actor: "cashier:sf1",
		Amount: money.Of(1000, "CNY"), Method: "payment_code", State: "approved", Version: 5, Reasons: []string{"within_limits"}}
}

// series is n events, the first at noon, that change as fn says.
func series(n int, step time.Duration, k risk.Kind, fn func(i int, e *risk.Event)) []risk.Event {
	out := make([]risk.Event, n)
	for i := range out {
		out[i] = base(k)
		out[i].At, out[i].Entry = noon.Add(time.Duration(i)*step), mianmi.EntryID(fmt.Sprintf("en%03d", i))
		if fn != nil {
			fn(i, &out[i])
		}
	}
	return out
}

var (
	shanghai = &merchant.Coordinates{LatE6: 31_230_416, LonE6: 121_473_701}
	beijing  = &merchant.Coordinates{LatE6: 39_904_200, LonE6: 116_407_400}
)

// chain puts series one after the other.
func chain(parts ...[]risk.Event) (out []risk.Event) {
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// after moves events.
func after(d time.Duration, list []risk.Event) []risk.Event {
	for i := range list {
		list[i].At = list[i].At.Add(d)
	}
	return list
}

func near(_ int, e *risk.Event) { e.Limit, e.Left = 30000, 1000 }

// others gives each event a payer of its own.
func others(i int, e *risk.Event) { e.Payer = mianmi.PayerID(fmt.Sprintf("py%d", i)) }

func both(fns ...func(int, *risk.Event)) func(int, *risk.Event) {
	return func(i int, e *risk.Event) {
		for _, fn := range fns {
			fn(i, e)
		}
	}
}

func reason(r string) func(int, *risk.Event) {
	return func(_ int, e *risk.Event) { e.Reasons = []string{r} }
}

func version(v int64) func(int, *risk.Event) { return func(_ int, e *risk.Event) { e.Version = v } }

func at(c *merchant.Coordinates) func(int, *risk.Event) {
	return func(_ int, e *risk.Event) { e.Where = c }
}

// shown holds, for each shipped rule, what it must find, and what looks much like
// it and is nothing.
var shown = map[string]struct{ bad, good []risk.Event }{
	"payer_burst": {series(5, time.Minute, risk.PinFree, nil), series(9, 3*time.Minute, risk.PinFree, nil)},
	"payer_night": {after(13*time.Hour, series(3, 30*time.Minute, risk.PinFree, nil)), // 01:00
		after(9*time.Hour, series(5, 30*time.Minute, risk.PinFree, nil))}, // 21:00 to 23:00
	"payer_many_terminals": {series(4, 5*time.Minute, risk.PinFree, func(i int, e *risk.Event) { e.Terminal = mianmi.TerminalID(fmt.Sprintf("tm%d", i)) }),
		series(4, 15*time.Minute, risk.PinFree, func(i int, e *risk.Event) { e.Terminal = mianmi.TerminalID(fmt.Sprintf("tm%d", i)) })},
	"payer_far_away": {chain(series(1, 0, risk.PinFree, at(shanghai)), after(30*time.Minute, series(1, 0, risk.PinFree, at(beijing)))),
		chain(series(1, 0, risk.PinFree, at(shanghai)), after(5*time.Hour, series(1, 0, risk.PinFree, at(beijing))))}, // 1068 km by train
	"payer_just_under_limit":    {series(3, 2*time.Hour, risk.PinFree, near), series(9, 2*time.Hour, risk.PinFree, nil)},
	"terminal_just_under_limit": {series(6, 5*time.Minute, risk.PinFree, both(others, near)), series(20, 5*time.Minute, risk.PinFree, near)},
	"terminal_many_payers":      {series(20, 5*time.Second, risk.PinFree, others), series(60, 8*time.Second, risk.PinFree, others)},
	"terminal_unproved": {series(10, 5*time.Minute, risk.SteppedUp, reason("terminal_lease_over")),
		series(30, 5*time.Minute, risk.SteppedUp, reason("own_per_payment_limit"))},
	"terminal_unsafe_pin_free": {chain(series(1, 0, risk.PostureUnsafe, nil), after(2*time.Minute, series(1, 0, risk.PinFree, nil))),
		chain(series(1, 0, risk.PostureUnsafe, nil), after(time.Minute, series(1, 0, risk.PostureSafe, nil)), after(2*time.Minute, series(1, 0, risk.PinFree, nil)))},
	"terminal_lost_pin_free": {chain(series(1, 0, risk.ProofLost, nil), after(2*time.Minute, series(1, 0, risk.PinFree, nil))),
		chain(series(1, 0, risk.ProofLost, nil), after(time.Minute, series(1, 0, risk.ProofGiven, nil)), after(2*time.Minute, series(1, 0, risk.PinFree, nil)))},
	"payer_wrong_passwords":    {series(4, 5*time.Minute, risk.PasswordFailed, nil), series(6, 4*time.Hour, risk.PasswordFailed, nil)},
	"terminal_wrong_passwords": {series(4, 5*time.Minute, risk.TryFailed, others), series(9, 5*time.Minute, risk.TryFailed, nil)},
	"cashier_refunds": {series(8, 5*time.Minute, risk.Refunded, others),
		series(30, time.Minute, risk.Refunded, both(others, func(_ int, e *risk.Event) { e.Actor = "api_client:ak1" }))},
	"cashier_same_payer": {series(3, time.Hour, risk.Refunded, nil), series(9, time.Hour, risk.Refunded, others)},
	"agreement_used_after_closing": {chain(series(1, 0, risk.AgreementClosed, version(6)), after(time.Second, series(1, 0, risk.PinFree, version(6)))),
		// A payment that had begun before, and one after the agreement was opened again.
		chain(series(1, 0, risk.AgreementClosed, version(6)), after(-time.Second, series(1, 0, risk.PinFree, version(5))),
			after(time.Minute, series(1, 0, risk.AgreementOpened, version(7))), after(time.Hour, series(1, 0, risk.PinFree, version(7))))},
	"payer_used_after_closing": {chain(series(1, 0, risk.PayerClosed, version(6)), after(time.Minute, series(1, 0, risk.PinFree, version(5)))),
		chain(series(1, 0, risk.PayerClosed, version(6)), after(time.Minute, series(1, 0, risk.PinFree, both(version(7), reason("one_off_allowance")))))},
	"payer_given_up": {series(4, 10*time.Minute, risk.Expired, nil), series(8, 25*time.Minute, risk.Expired, nil)},
	"payer_taken_over": {chain(series(1, 0, risk.PasswordReset, nil), after(time.Hour, series(1, 0, risk.PayerOpened, nil)), after(9*time.Hour, series(3, time.Minute, risk.PinFree, nil))),
		chain(series(1, 0, risk.PasswordReset, nil), after(9*time.Hour, series(3, time.Minute, risk.PinFree, nil)))},
	"terminal_trouble": {series(3, time.Hour, risk.Trouble, nil), series(3, 13*time.Hour, risk.Trouble, nil)},
}

// Every shipped rule finds what it is there for, once, with figures in its
// sentences, and lets pass what only looks like it.
func TestShippedRules(t *testing.T) {
	t.Parallel()
	rules, err := risk.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	if len(rules) != len(shown) {
		t.Errorf("%d rules are shipped, and %d are shown", len(rules), len(shown))
	}
	for _, c := range rules {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			example, ok := shown[c.ID]
			if !ok {
				t.Fatal("nothing shows what this rule finds")
			}
			g := risk.NewEngine([]*risk.Compiled{c})
			var found []risk.Finding
			for _, e := range example.bad {
				found = append(found, g.Observe(e)...)
			}
			if len(found) != 1 {
				t.Fatalf("%d findings; want the one", len(found))
			}
			for _, says := range []string{found[0].Says().ZH, found[0].Says().EN} {
				for _, b := range []byte(says) {
					if b == '{' {
						t.Errorf("a figure is missing: %s", says)
					}
				}
			}
			if f := &found[0]; f.Key == "" || f.First == "" || f.Event.Entry == "" {
				t.Errorf("the finding does not lead to its entries: %+v", f)
			}
			g = risk.NewEngine([]*risk.Compiled{c})
			for _, e := range example.good {
				for _, f := range g.Observe(e) {
					t.Errorf("found at %v: %s", e.At, f.Says().EN)
				}
			}
			if g.Failed() != 0 {
				t.Error("a condition could not be told")
			}
		})
	}
}
