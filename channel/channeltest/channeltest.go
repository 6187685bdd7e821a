// Package channeltest is the contract of channel.Remote as a test that every
// implementation passes, and Channel, a small payment system in memory that works
// and fails on demand.
package channeltest

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/money"
)

// World is a Remote with what its payers do.
type World struct {
	Remote   channel.Remote
	Merchant mianmi.MerchantID
	// Code returns a payment code of a payer who has money and whose payments by
	// code need no password.
	Code func(t *testing.T) string
	// Poor returns a code of a payer without money.
	Poor func(t *testing.T) string
	// Scan has a payer pay the order behind a QR code.
	Scan func(t *testing.T, qr string)
	// Taken is what the system keeps of the order after refunds, in minor units.
	Taken func(t *testing.T, r channel.Ref) int64
}

// Run checks that a Remote keeps the contract. open makes one for each test.
func Run(t *testing.T, open func(t *testing.T) World) {
	for name, test := range map[string]func(*testing.T, World){
		"a charge is taken once, however often it is asked for": chargedOnce,
		"an order that nobody asked for is unclear":             unknownOrder,
		"an order that never arrived is undone for good":        undoneBefore,
		"an order that was paid is undone with its money":       undoneAfter,
		"a code without money takes nothing":                    withoutMoney,
		"a QR code is paid once it is scanned":                  scanned,
		"a QR code that was closed takes nothing":               closedQR,
		"a QR code that was paid is not closed":                 closedTooLate,
		"refunds are given back once, in parts":                 refunds,
		"refunds never exceed the payment":                      tooMuch,
		"a context that has ended leaves all unclear":           cancelled,
		"the pace can be kept":                                  pace,
		"who can be asked says that it answers":                 checked,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// triesMax bounds how often a test asks again for a clear answer.
const triesMax = 200

// clear asks until the answer is clear, as a worker would.
func clear(t *testing.T, ask func() channel.Answer) channel.Answer {
	t.Helper()
	var a channel.Answer
	for range triesMax {
		if a = ask(); a.Standing != channel.Unclear && a.Standing != channel.Waiting {
			return a
		}
	}
	t.Fatalf("no clear answer: %+v", a)
	return a
}

func clearRefund(t *testing.T, ask func() channel.RefundAnswer) channel.RefundAnswer {
	t.Helper()
	var a channel.RefundAnswer
	for range triesMax {
		if a = ask(); a.Standing != channel.Unclear && a.Standing != channel.Waiting {
			return a
		}
	}
	t.Fatalf("no clear answer: %+v", a)
	return a
}

const minor = 8_88

func newID(t *testing.T, prefix string) string {
	t.Helper()
	id, err := mianmi.NewID(prefix, time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (w *World) order(t *testing.T, way channel.Way) channel.Order {
	t.Helper()
	return channel.Order{Ref: channel.Ref{Payment: mianmi.PaymentID(newID(t, "pm")), Merchant: w.Merchant, Way: way}, Store: "st1", Terminal: "tm1",
		OrderNo: "A-1", Amount: money.Of(minor, "CNY"), About: "茶店", ExpiresAt: time.Now().Add(5 * time.Minute)}
}

func (w *World) query(t *testing.T, o channel.Order) channel.Answer {
	t.Helper()
	return clear(t, func() channel.Answer { return w.Remote.Query(t.Context(), o.Ref) })
}

func (w *World) wantTaken(t *testing.T, o channel.Order, want int64) {
	t.Helper()
	if got := w.Taken(t, o.Ref); got != want {
		t.Errorf("%d are kept, want %d", got, want)
	}
}

// paid charges an order and returns it with the channel's number.
func (w *World) paid(t *testing.T) channel.Order {
	t.Helper()
	o := w.order(t, channel.ByCode)
	a := w.Remote.Charge(t.Context(), o, w.Code(t))
	if a.Standing != channel.Paid {
		a = w.query(t, o)
	}
	if a.Standing != channel.Paid || a.Amount != o.Amount || a.Transaction == "" {
		t.Fatalf("a charge is answered %+v", a)
	}
	o.Transaction = a.Transaction
	return o
}

func chargedOnce(t *testing.T, w World) {
	o, code := w.order(t, channel.ByCode), w.Code(t)
	if !w.Remote.Takes(code) {
		t.Error("a code of its own is not taken")
	}
	for range 3 {
		w.Remote.Charge(t.Context(), o, code)
	}
	if a := w.query(t, o); a.Standing != channel.Paid || a.Amount != o.Amount {
		t.Errorf("the order is %+v", a)
	}
	w.wantTaken(t, o, minor)
}

func unknownOrder(t *testing.T, w World) {
	for _, way := range []channel.Way{channel.ByCode, channel.ByQR} {
		if a := w.Remote.Query(t.Context(), w.order(t, way).Ref); a.Standing != channel.Unclear {
			t.Errorf("an order that is not there is %v", a.Standing)
		}
	}
	r := channel.RefundOrder{Ref: w.paid(t).Ref, Refund: mianmi.RefundID(newID(t, "rf")), Amount: money.Of(1, "CNY"), Total: money.Of(minor, "CNY")}
	if a := w.Remote.QueryRefund(t.Context(), r); a.Standing != channel.Unclear {
		t.Errorf("a refund that is not there is %v", a.Standing)
	}
}

func undoneBefore(t *testing.T, w World) {
	o, code := w.order(t, channel.ByCode), w.Code(t)
	if a := clear(t, func() channel.Answer { return w.Remote.Undo(t.Context(), o.Ref) }); a.Standing != channel.Unpaid {
		t.Fatalf("undoing what never arrived is answered %v", a.Standing)
	}
	if a := w.Remote.Charge(t.Context(), o, code); a.Standing == channel.Paid {
		t.Error("the order was charged after it had been undone")
	}
	w.wantTaken(t, o, 0)
}

func undoneAfter(t *testing.T, w World) {
	o := w.paid(t)
	for range 2 { // and again: a repeat is as the first
		if a := clear(t, func() channel.Answer { return w.Remote.Undo(t.Context(), o.Ref) }); a.Standing != channel.GivenBack {
			t.Fatalf("undoing a paid order is answered %v", a.Standing)
		}
	}
	if a := w.query(t, o); a.Standing != channel.GivenBack {
		t.Errorf("the order is %v", a.Standing)
	}
	w.wantTaken(t, o, 0)
}

func withoutMoney(t *testing.T, w World) {
	o := w.order(t, channel.ByCode)
	if a := w.Remote.Charge(t.Context(), o, w.Poor(t)); a.Standing == channel.Paid {
		t.Error("a payer without money has paid")
	}
	if a := clear(t, func() channel.Answer { return w.Remote.Undo(t.Context(), o.Ref) }); a.Standing != channel.Unpaid {
		t.Errorf("undoing it is answered %v", a.Standing)
	}
	w.wantTaken(t, o, 0)
}

func (w *World) prepaid(t *testing.T) (channel.Order, string) {
	t.Helper()
	o := w.order(t, channel.ByQR)
	for range triesMax {
		if a := w.Remote.Prepay(t.Context(), o); a.Standing == channel.Waiting && a.QR != "" {
			return o, a.QR
		}
	}
	t.Fatal("no QR code")
	return o, ""
}

func scanned(t *testing.T, w World) {
	o, qr := w.prepaid(t)
	if a := w.Remote.Query(t.Context(), o.Ref); a.Standing != channel.Waiting {
		t.Errorf("before it is scanned it is %v", a.Standing)
	}
	w.Scan(t, qr)
	if a := w.query(t, o); a.Standing != channel.Paid || a.Amount != o.Amount || a.Transaction == "" {
		t.Errorf("after it is %+v", a)
	}
	w.wantTaken(t, o, minor)
}

func closedQR(t *testing.T, w World) {
	o, qr := w.prepaid(t)
	if a := clear(t, func() channel.Answer { return w.Remote.Undo(t.Context(), o.Ref) }); a.Standing != channel.Unpaid {
		t.Errorf("closing it is answered %v", a.Standing)
	}
	w.Scan(t, qr)
	w.wantTaken(t, o, 0)
	if a := w.query(t, o); a.Standing != channel.Unpaid {
		t.Errorf("it is %v", a.Standing)
	}
}

func closedTooLate(t *testing.T, w World) {
	o, qr := w.prepaid(t)
	w.Scan(t, qr)
	switch a := clear(t, func() channel.Answer { return w.Remote.Undo(t.Context(), o.Ref) }); a.Standing {
	case channel.Paid:
		w.wantTaken(t, o, minor)
	case channel.GivenBack:
		w.wantTaken(t, o, 0)
	default:
		t.Errorf("closing a paid order is answered %v", a.Standing)
	}
}

func (w *World) refund(t *testing.T, o channel.Order, id string, minor int64) channel.RefundAnswer {
	t.Helper()
	r := channel.RefundOrder{Ref: o.Ref, Refund: mianmi.RefundID(id), Amount: money.Of(minor, "CNY"), Total: o.Amount, Reason: "退货"}
	first := w.Remote.Refund(t.Context(), r)
	if first.Standing != channel.Unclear && first.Standing != channel.Waiting {
		return first
	}
	return clearRefund(t, func() channel.RefundAnswer { return w.Remote.QueryRefund(t.Context(), r) })
}

func refunds(t *testing.T, w World) {
	o := w.paid(t)
	one, two := newID(t, "rf"), newID(t, "rf")
	for range 2 {
		if a := w.refund(t, o, one, 3_00); a.Standing != channel.Paid {
			t.Fatalf("a refund is answered %+v", a)
		}
	}
	w.wantTaken(t, o, minor-3_00)
	if a := w.query(t, o); a.Standing != channel.Paid {
		t.Errorf("an order that is refunded in part is %v", a.Standing)
	}
	if a := w.refund(t, o, two, minor-3_00); a.Standing != channel.Paid {
		t.Fatalf("the rest is answered %+v", a)
	}
	w.wantTaken(t, o, 0)
	// A system may say no more than that it was paid and something went back.
	if a := w.query(t, o); a.Standing != channel.GivenBack && a.Standing != channel.Paid {
		t.Errorf("an order that is refunded in full is %v", a.Standing)
	}
}

func tooMuch(t *testing.T, w World) {
	o := w.paid(t)
	if a := w.refund(t, o, newID(t, "rf"), 8_00); a.Standing != channel.Paid {
		t.Fatalf("a refund is answered %+v", a)
	}
	r := channel.RefundOrder{Ref: o.Ref, Refund: mianmi.RefundID(newID(t, "rf")), Amount: money.Of(89, "CNY"), Total: o.Amount}
	for range 2 {
		if a := w.Remote.Refund(t.Context(), r); a.Standing == channel.Paid {
			t.Errorf("more than was paid is given back")
		}
	}
	w.wantTaken(t, o, 88)
}

func cancelled(t *testing.T, w World) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o, qr, paid := w.order(t, channel.ByCode), w.order(t, channel.ByQR), w.paid(t)
	code := w.Code(t)
	r := channel.RefundOrder{Ref: paid.Ref, Refund: mianmi.RefundID(newID(t, "rf")), Amount: money.Of(1, "CNY"), Total: paid.Amount}
	for name, got := range map[string]channel.Standing{
		"charge": w.Remote.Charge(ctx, o, code).Standing, "prepay": w.Remote.Prepay(ctx, qr).Standing, "query": w.Remote.Query(ctx, paid.Ref).Standing,
		"undo": w.Remote.Undo(ctx, paid.Ref).Standing, "refund": w.Remote.Refund(ctx, r).Standing, "query refund": w.Remote.QueryRefund(ctx, r).Standing,
	} {
		if got != channel.Unclear {
			t.Errorf("%s is answered %v", name, got)
		}
	}
}

func pace(t *testing.T, w World) {
	p := w.Remote.Pace()
	if p.Answer <= 0 || p.First <= 0 || p.Every <= 0 || p.GiveUp <= 0 || p.UndoFrom < 0 || p.UndoWithin < p.GiveUp || p.UndoFrom > p.GiveUp {
		t.Errorf("the pace is %+v", p)
	}
	for i := 1; i < len(p.Late); i++ {
		if p.Late[i] <= p.Late[i-1] {
			t.Errorf("late queries are not in order: %v", p.Late)
		}
	}
	if _, ok := w.Remote.Terms(w.Merchant); !ok {
		t.Error("the merchant is not connected")
	}
	if w.Remote.Name() == "" || w.Remote.Takes("") {
		t.Error("it has no name, or takes a code that is none")
	}
}

// checked holds for those that can be asked; a Remote need not be one.
func checked(t *testing.T, w World) {
	c, can := w.Remote.(channel.Checker)
	if !can {
		return
	}
	name, connected := c.Connection(w.Merchant)
	if !connected {
		t.Fatal("the merchant is not connected")
	}
	if s := c.Ask(t.Context(), name); s != channel.Answers {
		t.Errorf("asked, it says %v", s)
	}
	if s := c.Ask(t.Context(), name+" of nobody"); s != channel.NotKnown {
		t.Errorf("what is no connection: %v", s)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if s := c.Ask(ended, name); s == channel.Answers {
		t.Error("it answers nobody who is gone")
	}
}
