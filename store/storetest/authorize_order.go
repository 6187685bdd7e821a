package storetest

import (
	"testing"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payment"
)

func repeats(t *testing.T, d *desk) {
	p := d.person(t, 100_00)
	req := Code(d.Terminal, order(), 18_00, d.code(t, p))
	first := d.mustPay(t, req, payment.Approved)
	for name, node := range map[string]*Node{"same service": d.a, "other service": d.b, "after a restart": d.node(t, nil)} {
		again := must(node.Payments.Authorize(t.Context(), d.Manager, req))(t)
		samePayment(t, name, again, first)
	}
	for name, change := range map[string]func(*payment.Request){
		"amount":   func(r *payment.Request) { r.Amount = money.Of(18_01, "CNY") },
		"terminal": func(r *payment.Request) { r.Terminal = d.Bare },
		"code":     func(r *payment.Request) { r.Code = d.code(t, p) },
		"entry":    func(r *payment.Request) { r.Entry++ },
		"method":   func(r *payment.Request) { *r = p.Tap(r.Terminal, r.OrderNo, 18_00) },
	} {
		other := req
		change(&other)
		if _, err := d.pay(t, other); err == nil {
			t.Errorf("another %s passed under the same order number", name)
		} else {
			wantKind(t, err, mianmi.Conflict, "order_conflict")
		}
	}
	d.wantBalance(t, p, 82_00)
	if n := d.lines(t, first.ID); n != 1 {
		t.Errorf("%d rows in the journal, want 1", n)
	}
	found := must(d.b.Payments.PaymentByOrder(t.Context(), d.Manager, d.Merchant, req.OrderNo))(t)
	samePayment(t, "found by order number", found, first)
}

func concurrentRepeats(t *testing.T, d *desk) {
	p := d.person(t, 100_00)
	req := Code(d.Terminal, order(), 1_00, d.code(t, p))
	var got attempts
	d.both(16, func(_ int, n *Node) { got.add(n.Payments.Authorize(t.Context(), d.Manager, req)) })
	got.wantErrs(t, 0, mianmi.Internal, "")
	for _, again := range got.payments {
		samePayment(t, "a concurrent repeat", again, got.payments[0])
	}
	d.wantBalance(t, p, 99_00)
}

func concurrentConflict(t *testing.T, d *desk) {
	p, q := d.person(t, 100_00), d.person(t, 100_00)
	for range 5 {
		no := order()
		var got attempts
		d.both(12, func(i int, n *Node) {
			who := []Person{p, q}[i%3%2]
			got.add(n.Payments.Authorize(t.Context(), d.Manager, who.Tap(d.Terminal, no, 1_00)))
		})
		if len(got.payments) == 0 {
			t.Fatal("nobody won")
		}
		winner := got.payments[0]
		for _, again := range got.payments {
			samePayment(t, "a repeat of the winner", again, winner)
		}
		for _, err := range got.errs {
			wantKind(t, err, mianmi.Conflict, "order_conflict")
		}
		losers := 4 // every third caller asks for q
		if winner.Payer == q.ID {
			losers = 8
		}
		got.wantErrs(t, losers, mianmi.Conflict, "order_conflict")
	}
	if sum := d.balance(t, p) + d.balance(t, q); sum != 195_00 {
		t.Errorf("five payments left %d of both", sum)
	}
}

// wrong is a code that nobody has, of the same bucket as a good one.
func wrong(code string) string {
	last := "0"
	if code[17] == '0' {
		last = "1"
	}
	return code[:17] + last
}

func errorFreesOrder(t *testing.T, d *desk) {
	p := d.person(t, 100_00)
	no, good := order(), d.code(t, p)
	_, err := d.pay(t, Code(d.Terminal, no, 5_00, wrong(good)))
	wantKind(t, err, mianmi.Invalid, "code_invalid")
	_, err = d.a.Payments.PaymentByOrder(t.Context(), d.Manager, d.Merchant, no)
	wantKind(t, err, mianmi.NotFound, "")
	_, err = d.pay(t, Code("tmunknown", no, 5_00, good))
	wantKind(t, err, mianmi.Invalid, "terminal")
	d.mustPay(t, Code(d.Terminal, no, 5_00, good), payment.Approved)
	d.wantBalance(t, p, 95_00)

	late := d.code(t, p)
	no = order()
	d.clock.Add(61e9)
	_, err = d.pay(t, Code(d.Terminal, no, 5_00, late))
	wantKind(t, err, mianmi.Invalid, "code_expired")
	d.mustPay(t, Code(d.Terminal, no, 5_00, d.code(t, p)), payment.Approved)
}

// A caller is never answered with what another caller's request met.
func oneOrderInOneBatch(t *testing.T, d *desk) {
	p := d.person(t, 100_00)
	for range 5 {
		no, good := order(), d.code(t, p)
		taken := order()
		paid := p.Tap(d.Terminal, taken, 1_00)
		d.mustPay(t, paid, payment.Approved)
		bad := Code(d.Terminal, no, 5_00, wrong(good))
		right := Code(d.Terminal, no, 5_00, good)
		got := must(d.a.Payments.AuthorizeMany(t.Context(), d.Manager, []payment.Request{
			p.Tap(d.Terminal, order(), 1), bad, right, bad, right, p.Tap(d.Terminal, no, 5_00),
			p.Tap(d.Terminal, taken, 2_00), paid, p.Tap(d.Terminal, taken, 2_00),
		}))(t)
		wantKind(t, got[1].Err, mianmi.Invalid, "code_invalid")
		if got[2].Err != nil || got[4].Err != nil {
			t.Fatalf("a good code was answered with %v, %v", got[2].Err, got[4].Err)
		}
		wantState(t, got[2].Payment, payment.Approved)
		samePayment(t, "the repeat", got[4].Payment, got[2].Payment)
		// The second try with the bad code came before or after the good one.
		if got[3].Err == nil {
			t.Error("a bad code passed")
		}
		wantKind(t, got[5].Err, mianmi.Conflict, "order_conflict")
		wantKind(t, got[6].Err, mianmi.Conflict, "order_conflict")
		wantKind(t, got[8].Err, mianmi.Conflict, "order_conflict")
		if got[7].Err != nil {
			t.Errorf("a repeat was answered with %v", got[7].Err)
		}
	}
}

func codePaysOnce(t *testing.T, d *desk) {
	p := d.person(t, 100_00)
	for range 8 {
		code := d.code(t, p)
		var got attempts
		d.both(6, func(_ int, n *Node) {
			got.add(n.Payments.Authorize(t.Context(), d.Manager, Code(d.Terminal, order(), 1_00, code)))
		})
		if n := len(got.payments); n != 1 {
			t.Errorf("one code paid %d orders", n)
		}
		got.wantErrs(t, 5, mianmi.Invalid, "code_invalid")
	}
	d.wantBalance(t, p, 92_00)

	code := d.code(t, p)
	got := must(d.a.Payments.AuthorizeMany(t.Context(), d.Manager, []payment.Request{
		Code(d.Terminal, order(), 1_00, code), Code(d.Terminal, order(), 1_00, code)}))(t)
	if got[0].Err != nil {
		t.Error(got[0].Err)
	}
	wantKind(t, got[1].Err, mianmi.Invalid, "code_invalid")

	// A loss report makes codes void that payments wait for.
	code = d.code(t, p)
	must(d.b.Payers.ReportLoss(t.Context(), p.Actor(), p.ID, noBasis))(t)
	_, err := d.pay(t, Code(d.Terminal, order(), 1_00, code))
	wantKind(t, err, mianmi.Invalid, "code_invalid")
}
