package asof_test

import (
	"testing"
	"time"

	"github.com/mianmi/mianmi/asof"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/store/storetest"
	"github.com/mianmi/mianmi/terminal"
)

// A payment at a terminal that proves what it runs is decided again to the same
// end, whatever the terminal had proved; a setting is still told from it.
func TestPaymentAtTerminalThatProves(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, engine, 1)
			ctx, n, s, p := t.Context(), w.nodes[0], w.shops[0], w.people[0]
			model := must(n.Terminals.CreateModel(ctx, storetest.Operator, terminal.Model{Name: "L1", Keypad: true,
				Methods: 1<<pinfree.CardTap | 1<<pinfree.PaymentCode}))(t)
			x := must(n.Terminals.Create(ctx, storetest.Operator, terminal.Terminal{Store: s.Store, Model: model.ID, Name: "台"}))(t)
			var paid []*payment.Payment
			pay := func(want pinfree.Outcome) {
				t.Helper()
				w.orders++
				got := must(n.Payments.Authorize(ctx, s.Manager, p.Tap(x.ID, "proof-"+string(rune('a'+w.orders)), 100)))(t)
				if got.Outcome != want {
					t.Errorf("%v for %v, want %v", got.Outcome, got.Reasons, want)
				}
				paid = append(paid, got)
				w.clock.Add(time.Minute)
			}
			pay(pinfree.StepUp) // never proved
			device := must(storetest.NewDevice(ctx, n.DB, x.ID, w.clock))(t)
			must(device.Sync(ctx, n.Terminals, false))(t)
			pay(pinfree.PinFree)
			must(n.Merchants.SetPolicy(ctx, storetest.Operator, merchant.PolicyOrder{Scope: merchant.OfTerminal(x.ID), Terms: merchant.Terms{}}))(t)
			pay(pinfree.StepUp) // closed, and not confirmed yet
			must(device.Sync(ctx, n.Terminals, false))(t)
			pay(pinfree.StepUp) // closed
			for must(w.log.Sequence(ctx))(t).Entries > 0 {
				continue
			}
			for i, got := range paid {
				a := must(w.asof.OfPayment(ctx, storetest.Support, got.ID))(t)
				if a.Again == nil || a.Again.Verdict != asof.Same {
					t.Errorf("payment %d: %+v", i, a.Again)
				}
			}
		})
	}
}
