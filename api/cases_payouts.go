package api

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/support/desk"
)

func (s *Server) registerPayouts() {
	at := func(method, path, name, summary, about string, may rule) route {
		return route{method: method, path: path, name: name, tag: "cases", may: may, summary: summary, about: about}
	}
	once := at("POST", "/v1/cases/{case}/payouts", "orderPayout", "Order compensation",
		"Of a decided case, within its award, and for one payment never more than its amount, refunds and payouts of all cases counted. key makes a repeat harmless. Above an amount it waits for a second person.", only(ownPeople...))
	once.status = 201
	add(s, once, s.orderPayout)
	add(s, at("GET", "/v1/cases/{case}/payouts", "payouts", "List what a case gives", "Oldest first.", only(readers...)), s.payouts)
	add(s, at("POST", "/v1/payouts/{payout}/approve", "approvePayout", "Approve compensation", "By another person than the one who ordered it.", only(ownPeople...)),
		func(ctx context.Context, a mianmi.Actor, in *PayoutInput) (*struct{ Body Payout }, error) {
			return onePayout(s.Cases.Approve(ctx, a, mianmi.PayoutID(in.Payout)))
		})
	add(s, at("POST", "/v1/payouts/{payout}/refuse", "refusePayout", "Refuse compensation that waits", "Whoever ordered it takes it back by this.", only(ownPeople...)),
		func(ctx context.Context, a mianmi.Actor, in *PayoutInput) (*struct{ Body Payout }, error) {
			return onePayout(s.Cases.Refuse(ctx, a, mianmi.PayoutID(in.Payout)))
		})
	add(s, at("GET", "/v1/guarantee", "guarantee", "The guarantee account", "Its balance in each currency.", only(readers...)), s.guarantee)
	once = at("POST", "/v1/guarantee/fundings", "fundGuarantee", "Fund the guarantee account",
		"Records money that the platform put there. The reference of the transfer makes a repeat harmless.", only(mianmi.RoleOperator))
	once.status = 201
	add(s, once, s.fundGuarantee)
}

// PayoutInput names a payout.
type PayoutInput struct {
	Payout string `path:"payout" doc:"po…"`
}

// Payout is compensation that a case gives.
type Payout struct {
	ID         string     `json:"id"`
	Case       string     `json:"case"`
	Key        string     `json:"key"`
	Payer      string     `json:"payer"`
	Payment    string     `json:"payment,omitzero" doc:"Left out: goodwill"`
	From       string     `json:"from" enum:"merchant,platform,guarantee"`
	State      string     `json:"state" enum:"waiting,due,paid,refused" doc:"waiting: for a second person; due: a refund that is being carried out"`
	Amount     Amount     `json:"amount"`
	Basis      string     `json:"basis" enum:"breach,promise,fault,goodwill"`
	AskedBy    string     `json:"asked_by"`
	AskedAt    time.Time  `json:"asked_at"`
	ApprovedBy string     `json:"approved_by,omitzero"`
	ApprovedAt *time.Time `json:"approved_at,omitzero"`
	EndedAt    *time.Time `json:"ended_at,omitzero"`
	Failure    string     `json:"failure,omitzero" doc:"Of a refused one: not_approved, withdrawn, or why there was no refund"`
	Refund     string     `json:"refund,omitzero" doc:"rf…"`
}

func showPayout(o *desk.Payout) Payout {
	return Payout{ID: string(o.ID), Case: string(o.Case), Key: o.Key, Payer: string(o.Payer), Payment: string(o.Payment), From: o.Source.String(), State: o.State.String(),
		Amount: amountOf(o.Amount), Basis: string(o.Basis), AskedBy: o.AskedBy, AskedAt: o.AskedAt.UTC(), ApprovedBy: o.ApprovedBy, ApprovedAt: timeOrNone(o.ApprovedAt),
		EndedAt: timeOrNone(o.EndedAt), Failure: o.Failure, Refund: string(o.Refund)}
}

func onePayout(o desk.Payout, err error) (*struct{ Body Payout }, error) {
	if err != nil {
		return nil, err
	}
	return &struct{ Body Payout }{showPayout(&o)}, nil
}

func (s *Server) orderPayout(ctx context.Context, a mianmi.Actor, in *struct {
	CaseInput
	Body struct {
		Key     string `json:"key" doc:"1 to 64 letters, digits, _ and -, of the caller's own"`
		Payment string `json:"payment,omitzero" doc:"pm…, one that the case is linked to; left out: goodwill"`
		Amount  Amount `json:"amount"`
		From    string `json:"from" enum:"merchant,platform,guarantee" doc:"merchant: the payment is refunded; platform: so it is, and the guarantee account makes the merchant whole; guarantee: that account pays the payer's balance"`
		Basis   string `json:"basis" enum:"breach,promise,fault,goodwill"`
	}
}) (*struct{ Body Payout }, error) {
	b := &in.Body
	return onePayout(s.Cases.Order(ctx, a, in.id(), desk.NewPayout{Key: b.Key, Payment: mianmi.PaymentID(b.Payment), Amount: b.Amount.money(),
		Source: desk.ParseSource(b.From), Basis: desk.Basis(b.Basis)}))
}

func (s *Server) payouts(ctx context.Context, a mianmi.Actor, in *CaseInput) (*struct{ Body List[Payout] }, error) {
	list, err := s.Cases.Payouts(ctx, a, in.id())
	if err != nil {
		return nil, err
	}
	return listOf(list, len(list)+1, showPayout, func(o *desk.Payout) string { return string(o.ID) }), nil
}

// Guarantee is what compensation is paid from.
type Guarantee struct {
	Balances []Amount `json:"balances" doc:"By currency"`
}

func (s *Server) guarantee(ctx context.Context, a mianmi.Actor, _ *struct{}) (*struct{ Body Guarantee }, error) {
	list, err := s.Cases.Guarantees(ctx, a)
	if err != nil {
		return nil, err
	}
	out := Guarantee{Balances: []Amount{}}
	for _, m := range list {
		out.Balances = append(out.Balances, amountOf(m))
	}
	return &struct{ Body Guarantee }{out}, nil
}

// Funding is money that was put into the guarantee account.
type Funding struct {
	ID        string    `json:"id"`
	Reference string    `json:"reference"`
	Amount    Amount    `json:"amount"`
	By        string    `json:"by"`
	At        time.Time `json:"at"`
}

func (s *Server) fundGuarantee(ctx context.Context, a mianmi.Actor, in *struct {
	Body struct {
		Reference string `json:"reference" doc:"Of the transfer: 1 to 64 letters, digits, _ and -"`
		Amount    Amount `json:"amount"`
	}
}) (*struct{ Body Funding }, error) {
	f, err := s.Cases.Fund(ctx, a, in.Body.Reference, in.Body.Amount.money())
	if err != nil {
		return nil, err
	}
	return &struct{ Body Funding }{Funding{f.ID, f.Reference, amountOf(f.Amount), f.Actor, f.At.UTC()}}, nil
}
