package storetest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
)

var reqAmount = money.Of(7_00, "CNY")

type badRequest struct {
	name  string
	req   payment.Request
	field string
}

// badRequests are made of good ones, each with one fault.
func badRequests(d *desk, p Person, code string) []badRequest {
	good := Code(d.Terminal, "good", 1_00, code)
	tap := p.Tap(d.Terminal, "good", 1_00)
	cash := payment.Request{Terminal: d.Terminal, OrderNo: "good", Amount: reqAmount, Method: pinfree.Cash}
	change := func(r payment.Request, f func(*payment.Request)) payment.Request {
		f(&r)
		return r
	}
	nul := mianmi.InstrumentID(string(p.Card[:10]) + "\x00" + string(p.Card[11:]))
	return []badRequest{
		{"no terminal", change(good, func(r *payment.Request) { r.Terminal = "" }), "terminal"},
		{"a long terminal", change(good, func(r *payment.Request) { r.Terminal = mianmi.TerminalID(strings.Repeat("t", 65)) }), "terminal"},
		{"an unknown terminal", change(good, func(r *payment.Request) { r.Terminal = "tm1\x00" }), "terminal"},
		{"no order number", change(good, func(r *payment.Request) { r.OrderNo = "" }), "order_no"},
		{"a long order number", change(good, func(r *payment.Request) { r.OrderNo = strings.Repeat("1", 33) }), "order_no"},
		{"an order number with a space", change(good, func(r *payment.Request) { r.OrderNo = "a b" }), "order_no"},
		{"an order number that is no text", change(good, func(r *payment.Request) { r.OrderNo = "a\xff" }), "order_no"},
		{"no amount", change(good, func(r *payment.Request) { r.Amount = money.Of(0, "CNY") }), "amount.minor"},
		{"less than nothing", change(good, func(r *payment.Request) { r.Amount = money.Of(-1, "CNY") }), "amount.minor"},
		{"too much", change(good, func(r *payment.Request) { r.Amount = money.Of(1_000_000_000_001, "CNY") }), "amount.minor"},
		{"no currency", change(good, func(r *payment.Request) { r.Amount = money.Of(1, "") }), "amount.currency"},
		{"a bad currency", change(good, func(r *payment.Request) { r.Amount = money.Of(1, "cny") }), "amount.currency"},
		{"no method", change(good, func(r *payment.Request) { r.Method = 0 }), "method"},
		{"an unknown method", change(good, func(r *payment.Request) { r.Method = 99 }), "method"},
		{"a dynamic QR", change(cash, func(r *payment.Request) { r.Method = pinfree.DynamicQR }), "method"},
		{"a static QR", change(cash, func(r *payment.Request) { r.Method = pinfree.StaticQR }), "method"},
		{"no code", change(good, func(r *payment.Request) { r.Code = "" }), "code"},
		{"a short code", change(good, func(r *payment.Request) { r.Code = code[:17] }), "code"},
		{"a code with letters", change(good, func(r *payment.Request) { r.Code = "88000abcdefghijklm" }), "code"},
		{"a code of no bucket", change(good, func(r *payment.Request) { r.Code = "88256" + code[5:] }), "code"},
		{"a code that nobody has", change(good, func(r *payment.Request) { r.Code = wrong(code) }), "code"},
		{"an unknown entry", change(good, func(r *payment.Request) { r.Entry = 3 }), "entry"},
		{"a code and a card", change(good, func(r *payment.Request) { r.Instrument = p.Card }), "instrument"},
		{"a code and a CVM", change(good, func(r *payment.Request) { r.CVM = pinfree.CDCVM }), "cvm"},
		{"no card", change(tap, func(r *payment.Request) { r.Instrument = "" }), "instrument"},
		{"a card number", change(tap, func(r *payment.Request) { r.Instrument = "4111111111111111" }), "instrument"},
		{"a card with a zero byte", change(tap, func(r *payment.Request) { r.Instrument = nul }), "instrument"},
		{"a card that is not there", change(tap, func(r *payment.Request) { r.Instrument = "ci0000000000000000000000000000" }), "instrument"},
		{"a card and a code", change(tap, func(r *payment.Request) { r.Code = code }), "code"},
		{"a PIN that a tap cannot have", change(tap, func(r *payment.Request) { r.CVM = pinfree.OfflinePIN }), "cvm"},
		{"a PIN that only the host verifies", change(tap, func(r *payment.Request) { r.CVM = pinfree.OnlinePIN }), "cvm"},
		{"a device's CVM with a chip", change(tap, func(r *payment.Request) { r.Method, r.CVM = pinfree.CardInsert, pinfree.CDCVM }), "cvm"},
		{"cash with a code", change(cash, func(r *payment.Request) { r.Code = code }), "code"},
		{"cash with a card", change(cash, func(r *payment.Request) { r.Instrument = p.Card }), "instrument"},
		{"cash with a CVM", change(cash, func(r *payment.Request) { r.CVM = pinfree.OnlinePIN }), "cvm"},
	}
}

// badPaymentInput: each fault names its field, alone and inside a batch, and
// leaves no row.
func badPaymentInput(t *testing.T, d *desk) {
	p := d.person(t, 100_00)
	code := d.code(t, p)
	tests := badRequests(d, p, code)
	before := rowCounts(t, d.rows)
	all := make([]payment.Request, len(tests))
	for i, c := range tests {
		_, err := d.pay(t, c.req)
		if wantKind(t, err, mianmi.Invalid, c.field); t.Failed() {
			t.Fatal(c.name)
		}
		all[i] = c.req
	}
	for i, r := range must(d.b.Payments.AuthorizeMany(t.Context(), d.Manager, all))(t) {
		if wantKind(t, r.Err, mianmi.Invalid, tests[i].field); t.Failed() {
			t.Fatal(tests[i].name + ", in a batch")
		}
	}
	badLists(t, d, p)
	if diff := cmp.Diff(before, rowCounts(t, d.rows)); diff != "" {
		t.Errorf("bad input wrote (-before +after):\n%s", diff)
	}
	d.mustPay(t, Code(d.Terminal, "good", 1_00, code), payment.Approved)
}

// badLists: texts that no database takes are told by field, or are not there.
func badLists(t *testing.T, d *desk, p Person) {
	t.Helper()
	_, err := d.a.Payments.Payments(t.Context(), Operator, p.ID, "pm\x00", 10)
	wantKind(t, err, mianmi.Invalid, "before")
	for _, limit := range []int{0, -1, 201} {
		_, err = d.a.Payments.Payments(t.Context(), Operator, p.ID, "", limit)
		wantKind(t, err, mianmi.Invalid, "limit")
	}
	_, err = d.a.Payments.Payments(t.Context(), Operator, "py\xff", "", 10)
	wantKind(t, err, mianmi.NotFound, "")
	_, err = d.a.Payments.PaymentByOrder(t.Context(), d.Manager, d.Merchant, "a\x00")
	wantKind(t, err, mianmi.Invalid, "order_no")
	for _, id := range []mianmi.PaymentID{"", "x", "pm\x000000000000000000000000000", "pm00000000000000000000000000zz"} {
		_, err = d.a.Payments.Payment(t.Context(), Operator, id)
		wantKind(t, err, mianmi.NotFound, "")
		_, err = d.a.Payments.Refund(t.Context(), Operator, id, refund("r1", 1))
		wantKind(t, err, mianmi.NotFound, "")
	}
	paid := mianmi.PaymentID("pm0000000000000000000000000000")
	for field, r := range map[string]payment.RefundRequest{
		"refund_no": refund("a b", 1), "amount": refund("r1", 0),
		"reason": {RefundNo: "r1", Amount: reqAmount, Reason: "a\x00"},
	} {
		_, err = d.a.Payments.Refund(t.Context(), d.Manager, paid, r)
		wantKind(t, err, mianmi.Invalid, field)
	}
	for _, reason := range []string{"\xff", strings.Repeat("x", 201), "card 4111 1111 1111 1111"} {
		_, err = d.a.Payments.Refund(t.Context(), d.Manager, paid, payment.RefundRequest{RefundNo: "r1", Amount: reqAmount, Reason: reason})
		wantKind(t, err, mianmi.Invalid, "reason")
	}
	_, err = d.a.Payments.DryRun(t.Context(), Operator, "py\x00", p.Tap(d.Terminal, "", 1))
	wantKind(t, err, mianmi.NotFound, "")
	_, err = d.a.Payments.AuthorizeMany(t.Context(), d.Manager, nil)
	wantKind(t, err, mianmi.Invalid, "payments")
	_, err = d.a.Payments.AuthorizeMany(t.Context(), d.Manager, make([]payment.Request, 101))
	wantKind(t, err, mianmi.Invalid, "payments")
}
