package api_test

import (
	"net/http"
	"testing"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/money"
)

// Compensation over HTTP: funded, decided, paid by one; a larger one waits for a second
// person, and is paid as a refund.
func TestPayouts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite")
	ctx, s, p := t.Context(), w.shop("晨光超市"), w.person("+8613800000001")
	agent := func(maker *client.Client, login string) *client.Client {
		return w.login(get[client.Enrolment](t)(maker.CreateStaff(ctx, client.NewStaff{Login: login, Name: "客服", Role: mianmi.RoleSupport.String()})))
	}
	one, two := agent(w.operator, "agent.one"), agent(w.second, "agent.two")
	paid := get[client.Payment](t)(s.pos.Authorize(ctx, w.scan(s, p, "A1", 18_00)))
	c := get[client.Case](t)(one.OpenCase(ctx, client.NewCase{Kind: "dispute", Payer: p.ID, Text: "重复扣款", Links: []client.CaseLink{{Kind: "payment", Ref: string(paid.ID)}}}))
	award := money.Of(20_00, "CNY")
	c = get[client.Case](t)(one.DecideCase(ctx, c.ID, client.CaseDecision{Verdict: "upheld", Award: &award, Text: "属实", Version: c.Version}))
	gift := client.NewPayout{Key: "g", Amount: money.Of(10_00, "CNY"), From: "guarantee", Basis: "goodwill"}
	_, err := one.OrderPayout(ctx, c.ID, gift)
	wantProblem(t, err, http.StatusConflict, "guarantee_not_covered", "")
	_, err = one.FundGuarantee(ctx, "bank-1", money.Of(100_00, "CNY"))
	wantProblem(t, err, http.StatusForbidden, "not_allowed", "")
	get[client.Funding](t)(w.operator.FundGuarantee(ctx, "bank-1", money.Of(100_00, "CNY")))
	if o := get[client.Payout](t)(one.OrderPayout(ctx, c.ID, gift)); o.State != "paid" || o.Payer != p.ID || o.EndedAt == nil {
		t.Errorf("%+v", o)
	}
	if g := get[client.Guarantee](t)(two.Guarantee(ctx)); len(g.Balances) != 1 || g.Balances[0] != money.Of(90_00, "CNY") {
		t.Errorf("%+v", g)
	}
	gift.Key, gift.From = "h", "merchant"
	_, err = one.OrderPayout(ctx, c.ID, gift)
	wantProblem(t, err, http.StatusUnprocessableEntity, "invalid", "from")
	back := client.NewPayout{Key: "r", Payment: paid.ID, Amount: paid.Amount, From: "platform", Basis: "breach"}
	o := get[client.Payout](t)(one.OrderPayout(ctx, c.ID, back))
	_, err = one.ApprovePayout(ctx, o.ID)
	wantProblem(t, err, http.StatusForbidden, "same_person", "")
	_, err = agent(w.operator, "agent.three").ApprovePayout(ctx, o.ID)
	wantProblem(t, err, http.StatusForbidden, "not_independent", "")
	if done := get[client.Payout](t)(two.ApprovePayout(ctx, o.ID)); o.State != "waiting" || done.State != "paid" || done.Refund == "" || done.ApprovedAt == nil {
		t.Errorf("%+v, then %+v", o, done)
	}
	_, err = two.RefusePayout(ctx, o.ID)
	wantProblem(t, err, http.StatusConflict, "payout_over", "")
	if end := get[client.Payment](t)(s.pos.Payment(ctx, paid.ID)); end.State != "refunded" {
		t.Errorf("the payment is %s", end.State)
	}
	list := get[client.List[client.Payout]](t)(two.Payouts(ctx, c.ID))
	if len(list.Items) != 2 || list.Next != "" {
		t.Errorf("%+v", list)
	}
}
