package api

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/asof"
)

const asOfAbout = "Rebuilt from the transparency log alone: each setting with the entry that tells it and its place in the log. "

func (s *Server) registerAsOf() {
	add(s, route{method: "GET", path: "/v1/payments/{payment}/as-of", name: "paymentAsOf", tag: "evidence",
		may:     only(allStaff...).and(mianmi.RolePayer).keys(mianmi.ScopePay | mianmi.ScopeRead | mianmi.ScopeRefund),
		summary: "What a payment was decided by",
		about:   asOfAbout + "again says whether these settings lead to the decision that was recorded."}, s.paymentAsOf)
	add(s, route{method: "GET", path: "/v1/terminals/{terminal}/as-of", name: "terminalAsOf", tag: "evidence",
		may:     only(allStaff...).keys(mianmi.ScopeRead | mianmi.ScopeManage | mianmi.ScopePay | mianmi.ScopeTighten),
		summary: "What was set for a terminal at an instant", about: asOfAbout + "From everything down to the terminal."}, s.terminalAsOf)
	add(s, route{method: "GET", path: "/v1/merchants/{merchant}/as-of", name: "merchantAsOf", tag: "evidence",
		may:     only(allStaff...).keys(mianmi.ScopeRead | mianmi.ScopeManage | mianmi.ScopeTighten),
		summary: "What was set for a merchant at an instant", about: asOfAbout + "Everything, the channel and the merchant."}, s.merchantAsOf)
	add(s, route{method: "GET", path: "/v1/payers/{payer}/as-of", name: "payerAsOf", tag: "evidence",
		may:     only(readers...).and(mianmi.RolePayer).keys(mianmi.ScopePayers),
		summary: "A payer's settings at an instant", about: asOfAbout + "The switch with its limits, and every agreement."}, s.payerAsOf)
}

// AtInput names an instant.
type AtInput struct {
	At string `query:"at" doc:"RFC 3339; left out, now" example:"2026-03-01T12:04:31Z"`
}

func (in *AtInput) time() (time.Time, error) {
	if in.At == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339Nano, in.At)
	if err != nil {
		return time.Time{}, mianmi.InvalidField("at", "want a time like 2026-03-01T12:04:31Z (RFC 3339)")
	}
	return at, nil
}

// AsOfOutput is what was in force.
type AsOfOutput struct{ Body AsOf }

func (s *Server) paymentAsOf(ctx context.Context, a mianmi.Actor, in *PaymentInput) (*AsOfOutput, error) {
	return s.asOf(ctx)(s.AsOf.OfPayment(ctx, a, mianmi.PaymentID(in.ID)))
}

func (s *Server) terminalAsOf(ctx context.Context, a mianmi.Actor, in *struct {
	TerminalInput
	AtInput
}) (*AsOfOutput, error) {
	at, err := in.time()
	if err != nil {
		return nil, err
	}
	return s.asOf(ctx)(s.AsOf.OfTerminal(ctx, a, mianmi.TerminalID(in.Terminal), at))
}

func (s *Server) merchantAsOf(ctx context.Context, a mianmi.Actor, in *struct {
	MerchantInput
	AtInput
}) (*AsOfOutput, error) {
	at, err := in.time()
	if err != nil {
		return nil, err
	}
	return s.asOf(ctx)(s.AsOf.OfMerchant(ctx, a, mianmi.MerchantID(in.Merchant), at))
}

func (s *Server) payerAsOf(ctx context.Context, a mianmi.Actor, in *struct {
	PayerInput
	AtInput
}) (*AsOfOutput, error) {
	at, err := in.time()
	if err != nil {
		return nil, err
	}
	id, err := in.id(a)
	if err != nil {
		return nil, err
	}
	return s.asOf(ctx)(s.AsOf.OfPayer(ctx, a, id, at))
}

func (s *Server) asOf(ctx context.Context) func(*asof.Answer, error) (*AsOfOutput, error) {
	return func(a *asof.Answer, err error) (*AsOfOutput, error) {
		if err != nil {
			return nil, err
		}
		return &AsOfOutput{s.showAsOf(ctx, a)}, nil
	}
}
