package payment

import (
	"context"

	"github.com/mianmi/mianmi"
)

// OrderEnd says how an order number was ended before anybody had paid by it:
// for good, for a request by it may still be on its way. The zero value is
// none.
type OrderEnd uint8

const (
	OrderClosed   OrderEnd = 1 + iota // the merchant waits for no payer any more
	OrderReversed                     // the merchant does not know whether it was charged, and does not want it
)

// An end holds the order number as a request does, by a digest that no request
// has (theirs begin otherwise) and for no payment.
var endDigests = [...]Hash16{OrderClosed: short([]byte("end\x00closed")), OrderReversed: short([]byte("end\x00reversed"))}

// endOf is the end that a digest stands for; 0: it is a request's.
func endOf(d Hash16) OrderEnd {
	for end := OrderClosed; int(end) < len(endDigests); end++ {
		if endDigests[end] == d {
			return end
		}
	}
	return 0
}

var endErrors = [...]error{
	OrderClosed:   mianmi.Conflicts("order_closed", "this order number was closed; use a new number"),
	OrderReversed: mianmi.Conflicts("order_reversed", "this order number was reversed; use a new number"),
}

// OrderClaim says who holds an order number.
type OrderClaim struct {
	Digest  Hash16           // of the request or the end
	Payment mianmi.PaymentID // empty for an end
}

// EndOrder ends an order number: no request by it is charged after this
// returns, on no node. When a payment has the number it is returned, nothing is
// ended, and what becomes of the payment is the caller's to say. A number that
// has been ended stays as it was ended first.
func (s *Service) EndOrder(ctx context.Context, actor mianmi.Actor, no string, how OrderEnd) (*Payment, OrderEnd, error) {
	if how != OrderClosed && how != OrderReversed {
		return nil, 0, mianmi.InvalidField("end", "closed or reversed")
	}
	if err := mayGiveBack(actor); err != nil || actor.Merchant == "" {
		return nil, 0, mianmi.Forbidden("not_allowed", "this caller may not end orders")
	}
	if !orderNo(no) {
		return nil, 0, mianmi.InvalidField("order_no", "1 to 32 characters of 0-9, A-Z, a-z, _, - and *")
	}
	c, err := s.Books.EndOrder(ctx, OrderKey(actor.Merchant, no), endDigests[how])
	if err != nil {
		return nil, 0, err
	}
	return s.holder(ctx, actor, c)
}

// Order finds what has an order number of the caller's merchant: a payment, or
// an end. NotFound: nothing has it so far.
func (s *Service) Order(ctx context.Context, actor mianmi.Actor, no string) (*Payment, OrderEnd, error) {
	if !orderNo(no) {
		return nil, 0, mianmi.InvalidField("order_no", "1 to 32 characters of 0-9, A-Z, a-z, _, - and *")
	}
	c, err := s.Books.OrderClaim(ctx, OrderKey(actor.Merchant, no))
	if err != nil {
		return nil, 0, err
	}
	return s.holder(ctx, actor, c)
}

// holder reads what holds an order number. On a database that is spread over
// several a claim can be there before its payment: then nothing is known yet.
func (s *Service) holder(ctx context.Context, actor mianmi.Actor, c OrderClaim) (*Payment, OrderEnd, error) {
	if end := endOf(c.Digest); end != 0 {
		return nil, end, nil
	}
	p, err := s.Books.Payment(ctx, c.Payment)
	switch {
	case mianmi.KindOf(err) == mianmi.NotFound:
		return nil, 0, ErrUnknownOutcome
	case err != nil:
		return nil, 0, err
	case !maySee(actor, p):
		return nil, 0, mianmi.Missing("payment")
	}
	return s.overdue(p), 0, nil
}
