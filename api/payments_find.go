package api

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
)

func (s *Server) registerFinding() {
	add(s, route{method: "GET", path: "/v1/payments", name: "findPayments", tag: "payments", may: only(allStaff...).keys(mianmi.ScopeRead),
		summary: "Find payments", about: "By what a person can say of one: around a time, amount, terminal, store, merchant, order number, end of the phone number; newest first. " +
			"A merchant's people find their own, and not by payer. Without payer, merchant, store or terminal at most 48 hours are searched."}, s.findPayments)
}

// FindInput is what is asked for; what is left out does not narrow it.
type FindInput struct {
	Around   time.Time `query:"around" doc:"A moment; with minutes, in place of since and until"`
	Minutes  int       `query:"minutes" minimum:"1" maximum:"1440" default:"30" doc:"Before and after around"`
	Since    time.Time `query:"since" doc:"Made at or after"`
	Until    time.Time `query:"until" doc:"Made before; left out: now"`
	Merchant string    `query:"merchant" doc:"mc…"`
	Store    string    `query:"store" doc:"st…"`
	Terminal string    `query:"terminal" doc:"tm…"`
	Payer    string    `query:"payer" doc:"py…"`
	Phone    string    `query:"phone_end" doc:"The last 4 to 11 digits of the payer's phone number"`
	OrderNo  string    `query:"order_no"`
	Min      int64     `query:"amount_min" minimum:"0" doc:"Minor units"`
	Max      int64     `query:"amount_max" minimum:"0" doc:"Minor units"`
	Outcome  string    `query:"outcome" enum:"refused,step_up,pin_free,authenticated" doc:"Of the decision"`
	State    string    `query:"state" enum:"step_up_required,verifying,unknown,undoing,approved,declined,expired,refused,reversed,refunded,partly_refunded"`
	Before   string    `query:"before" doc:"next of the page before"`
	Limit    int       `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

func (in *FindInput) find() (payment.Find, error) {
	f := payment.Find{Since: in.Since, Until: in.Until, Payer: mianmi.PayerID(in.Payer), Merchant: mianmi.MerchantID(in.Merchant), Store: mianmi.StoreID(in.Store),
		Terminal: mianmi.TerminalID(in.Terminal), OrderNo: in.OrderNo, Min: in.Min, Max: in.Max, PhoneEnd: in.Phone,
		Before: mianmi.PaymentID(in.Before), Limit: in.Limit}
	if !in.Around.IsZero() {
		if !in.Since.IsZero() || !in.Until.IsZero() {
			return f, mianmi.InvalidField("around", "stands in place of since and until")
		}
		d := time.Duration(in.Minutes) * time.Minute
		f.Since, f.Until = in.Around.Add(-d), in.Around.Add(d)
	}
	f.Outcome, f.Decided = pinfree.ParseOutcome(in.Outcome)
	f.State, f.InState = payment.ParseState(in.State)
	return f, nil
}

// FoundPayments is a page of a search.
type FoundPayments struct {
	List[Payment]
	Reached time.Time `json:"reached,omitzero" doc:"How far back this page looked. A page is searched for a moment only: it may be short, or empty, and have a next"`
}

func (s *Server) findPayments(ctx context.Context, a mianmi.Actor, in *FindInput) (*struct{ Body FoundPayments }, error) {
	f, err := in.find()
	if err != nil {
		return nil, err
	}
	found, err := s.Payments.Find(ctx, a, f)
	if err != nil {
		return nil, err
	}
	out := FoundPayments{Reached: found.Reached, List: List[Payment]{Items: make([]Payment, len(found.Payments)), Next: string(found.Next)}}
	for i := range found.Payments {
		out.Items[i] = s.showPayment(ctx, a, &found.Payments[i])
	}
	return &struct{ Body FoundPayments }{out}, nil
}
