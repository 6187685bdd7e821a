package storetest

import (
	"testing"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payment"
)

// endedOrders: a number that was closed or reversed before anything came is
// free for no request, again and again, and stays as it was ended first.
func endedOrders(t *testing.T, d *desk) {
	p := d.person(t, 100_00)
	for how, code := range map[payment.OrderEnd]string{payment.OrderClosed: "order_closed", payment.OrderReversed: "order_reversed"} {
		no := order()
		_, _, err := d.a.Payments.Order(t.Context(), d.Manager, no)
		wantKind(t, err, mianmi.NotFound, "")
		for _, again := range []payment.OrderEnd{how, payment.OrderClosed, payment.OrderReversed} {
			held, end, err := d.b.Payments.EndOrder(t.Context(), d.Manager, no, again)
			if err != nil || held != nil || end != how {
				t.Errorf("ending an order: %v, %v, %v, want end %v", held, end, err, how)
			}
		}
		for range 2 { // the refusal must not give the number back
			_, err = d.pay(t, Code(d.Terminal, no, 1_00, d.code(t, p)))
			wantKind(t, err, mianmi.Conflict, code)
			_, err = d.pay(t, p.Tap(d.Terminal, no, 1_00))
			wantKind(t, err, mianmi.Conflict, code)
		}
		held, end, err := d.a.Payments.Order(t.Context(), d.Manager, no)
		if err != nil || held != nil || end != how {
			t.Errorf("an ended order is found as %v, %v, %v", held, end, err)
		}
		_, err = d.a.Payments.PaymentByOrder(t.Context(), d.Manager, d.Merchant, no)
		wantKind(t, err, mianmi.NotFound, "")
	}
	paid := d.mustPay(t, Code(d.Terminal, order(), 2_00, d.code(t, p)), payment.Approved)
	held, end, err := d.a.Payments.EndOrder(t.Context(), d.Manager, paid.OrderNo, payment.OrderReversed)
	if err != nil || end != 0 || held == nil || held.ID != paid.ID || held.State != payment.Approved {
		t.Errorf("ending a paid order: %v, %v, %v, want the payment as it is", held, end, err)
	}
	cashier := mianmi.Actor{Role: mianmi.RoleCashier, ID: "sf9", Merchant: d.Merchant, Store: paid.Store}
	_, _, err = d.a.Payments.EndOrder(t.Context(), cashier, order(), payment.OrderClosed)
	wantKind(t, err, mianmi.Denied, "not_allowed")
	d.wantBalance(t, p, 98_00)
	endingRaces(t, d)
}

// endingRaces: with many who end an order and many who pay by it at the same
// moment on two nodes, either all see the payment or nobody is charged.
func endingRaces(t *testing.T, d *desk) {
	p := d.person(t, 100_00)
	charged := int64(0)
	for range 8 {
		req := Code(d.Terminal, order(), 1_00, d.code(t, p))
		var paid attempts
		ends := make([]payment.OrderEnd, 8)
		d.both(8, func(i int, n *Node) {
			if i%2 == 0 {
				paid.add(n.Payments.Authorize(t.Context(), d.Manager, req))
				return
			}
			held, end, err := n.Payments.EndOrder(t.Context(), d.Manager, req.OrderNo, payment.OrderClosed)
			if ends[i] = end; err != nil && mianmi.KindOf(err) != mianmi.Unavailable || err == nil && (held == nil) == (end == 0) {
				t.Errorf("ending an order: %v, %v, %v", held, end, err)
			}
		})
		_, end, err := d.a.Payments.Order(t.Context(), d.Manager, req.OrderNo)
		switch {
		case err != nil:
			t.Fatal(err)
		case end == 0:
			paid.wantErrs(t, 0, mianmi.Internal, "")
			charged++
		default:
			paid.wantErrs(t, 4, mianmi.Conflict, "order_closed")
		}
		for i := 1; i < len(ends); i += 2 {
			if ends[i] != 0 && end == 0 {
				t.Error("an order was told to be closed and is paid")
			}
		}
	}
	d.wantBalance(t, p, 100_00-charged*1_00)
}
