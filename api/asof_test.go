package api_test

import (
	"testing"
	"time"

	"github.com/mianmi/mianmi/api/client"
)

// Over HTTP everybody is told what was in force, as far as they may see it: the
// payer the own limits, the shop that the payer asked for the PIN and no more.
func TestAsOf(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		s, p := w.shop("晨光超市"), w.person("+8613800000001")
		paid := get[client.Payment](t)(s.pos.Authorize(ctx, w.scan(s, p, "A1", 18_00)))
		before := w.clock.Now()
		w.clock.step(time.Minute)
		get[client.PolicyResult](t)(w.operator.CloseScope(ctx, client.OfTerminal(s.terminal.ID)))
		state := func(a client.AsOf, layer string) string {
			t.Helper()
			for _, l := range a.Layers {
				if l.Layer == layer {
					return l.State
				}
			}
			return "none"
		}
		of := get[client.AsOf](t)(w.operator.PaymentAsOf(ctx, paid.ID))
		if of.Decided == nil || of.Decided.Payment != paid.ID || of.Again == nil || of.Payer == nil || of.Caller == nil || state(of, "terminal") != "on" {
			t.Errorf("the payment: %+v", of)
		}
		if now := get[client.AsOf](t)(w.operator.TerminalAsOf(ctx, s.terminal.ID, time.Time{})); state(now, "terminal") != "off" {
			t.Errorf("the terminal now: %+v", now.Layers)
		}
		then := get[client.AsOf](t)(w.operator.TerminalAsOf(ctx, s.terminal.ID, before))
		if state(then, "terminal") != "on" || then.Terminal == nil || then.Terminal.Merchant.Facts == nil {
			t.Errorf("the terminal before it was closed: %+v", then)
		}
		if m := get[client.AsOf](t)(w.operator.MerchantAsOf(ctx, s.merchant.ID, before)); m.Merchant == nil || m.Merchant.ID != s.merchant.ID {
			t.Errorf("the merchant: %+v", m)
		}
		own := get[client.AsOf](t)(w.operator.PayerAsOf(ctx, p.ID, before))
		if own.Payer == nil || own.Layers[0].Hidden || own.Layers[0].Entry == nil {
			t.Errorf("the payer: %+v", own)
		}
		shops := get[client.AsOf](t)(s.pos.PaymentAsOf(ctx, paid.ID))
		if shops.Payer != nil || !shops.Layers[0].Hidden || shops.Layers[0].Layer != "payer" || shops.Layers[0].Entry != nil || shops.Layers[0].Since != nil {
			t.Errorf("the shop sees more of the payer than its switch: %+v", shops.Layers[0])
		}
		_, err := w.operator.TerminalAsOf(ctx, s.terminal.ID, w.clock.Now().Add(time.Hour))
		wantProblem(t, err, 422, "invalid", "at")
		_, err = w.operator.TerminalAsOf(ctx, s.terminal.ID, time.Unix(0, 0))
		wantProblem(t, err, 404, "not_found", "")
	})
}
