package api_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api"
	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payment"
)

// behind is api.Payments under a name that none of its methods has.
type behind = api.Payments

// loads keeps what top-ups asked for.
type loads struct {
	behind
	asked []bool
}

func (l *loads) TopUp(_ context.Context, _ mianmi.Actor, r payment.TopUpRequest) (payment.TopUp, error) {
	l.asked = append(l.asked, r.Authenticated)
	return payment.TopUp{ID: "tu1", Key: r.Key, Amount: r.Amount}, nil
}

// What rules ask for goes in by the API and is shown again: a card's issuer, a
// merchant's risk, and that a top-up was made with authentication.
func TestFactsForRules(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite")
	ctx := t.Context()
	facts := client.Facts{Country: "CN", MCC: 5411, Risk: "elevated"}
	m := get[client.Merchant](t)(w.operator.CreateMerchant(ctx, client.NewMerchant{Name: "茶店", Currency: "CNY", Facts: facts}))
	if d := cmp.Diff(facts, get[client.Merchant](t)(w.operator.Merchant(ctx, m.ID)).Facts); d != "" {
		t.Errorf("the merchant's facts (-want +got):\n%s", d)
	}
	facts.Risk = "high"
	if r := get[client.FactsResult](t)(w.operator.SetFacts(ctx, m.ID, facts)); r.Proposal != nil || r.Merchant.Facts.Risk != "high" {
		t.Errorf("a higher risk waits: %+v", r)
	}
	facts.Risk = "low"
	if r := get[client.FactsResult](t)(w.operator.SetFacts(ctx, m.ID, facts)); r.Proposal == nil || r.Merchant.Facts.Risk != "high" {
		t.Errorf("a lower risk does not wait: %+v", r)
	}

	p := w.person("+8613800000077")
	card := get[client.Instrument](t)(w.operator.AddInstrument(ctx, p.ID, client.NewInstrument{Scheme: "unionpay", Issuer: "icbc"}))
	list := get[[]client.Instrument](t)(p.app.Instruments(ctx, client.Me))
	if d := cmp.Diff([]client.Instrument{card}, list); d != "" || card.Issuer != "icbc" {
		t.Errorf("issuer %q; the list (-want +got):\n%s", card.Issuer, d)
	}
}

func TestTopUpSaysAuthenticated(t *testing.T) {
	t.Parallel()
	spy := &loads{}
	w := newWorld(t, "sqlite", spy)
	for _, yes := range []bool{false, true} {
		get[client.TopUp](t)(w.operator.TopUp(t.Context(), "py1", client.NewTopUp{Key: "k", Amount: money.Of(1_00, "CNY"), Authenticated: yes}))
	}
	if d := cmp.Diff([]bool{false, true}, spy.asked); d != "" {
		t.Errorf("authenticated (-want +got):\n%s", d)
	}
}
