package storetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/terminal"
)

var noBasis payer.Basis

// samePayment compares all that is recorded of a payment.
func samePayment(t *testing.T, what string, got, want *payment.Payment) {
	t.Helper()
	if d := cmp.Diff(want, got, amounts, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func manyOfOnePayer(t *testing.T, d *desk) {
	p := d.person(t, 555)
	reqs := make([]payment.Request, 100)
	for i := range reqs {
		reqs[i] = p.Tap(d.Terminal, order(), 10)
	}
	passed, short := 0, 0
	for i, r := range must(d.a.Payments.AuthorizeMany(t.Context(), d.Manager, reqs))(t) {
		switch {
		case r.Err != nil:
			t.Fatal(r.Err)
		case r.Payment.OrderNo != reqs[i].OrderNo:
			t.Fatalf("answer %d is of order %s", i, r.Payment.OrderNo)
		case approved(r.Payment):
			passed++
		case r.Payment.State == payment.Declined && r.Payment.Failure == channel.InsufficientFunds:
			short++
		}
	}
	if passed != 55 || short != 45 {
		t.Errorf("%d passed and %d were short, want 55 and 45", passed, short)
	}
	d.wantBalance(t, p, 5)
	own := must(Rules())(t).Own(must(pinfree.ParseCounters(d.counters(t, p)))(t), d.clock.Now())
	if own != (pinfree.Count{Number: 55, Minor: 550}) {
		t.Errorf("counted %+v", own)
	}
}

// limited lets the person pay n times a day PIN-free.
func (d *desk) limited(t *testing.T, p Person, n int64) {
	t.Helper()
	must(d.a.Payers.SetLimits(t.Context(), p.Actor(), p.ID, payer.LimitsInput{Limits: payer.Limits{DayCount: &n}}))(t)
}

func dayNumberHolds(t *testing.T, d *desk) {
	p := d.person(t, 100_00)
	d.limited(t, p, 7)
	var got attempts
	d.both(30, func(_ int, n *Node) {
		got.add(n.Payments.Authorize(t.Context(), d.Manager, p.Tap(d.Terminal, order(), 1_00)))
	})
	got.wantErrs(t, 0, mianmi.Internal, "")
	waiting := got.count(func(p *payment.Payment) bool {
		return p.State == payment.StepUpRequired && p.Reasons[0].Reason == pinfree.OwnDayCountLimit
	})
	if n := got.count(approved); n != 7 || waiting != 23 {
		t.Errorf("%d passed and %d wait, want 7 and 23", n, waiting)
	}
	d.wantBalance(t, p, 93_00)
}

func balanceNeverNegative(t *testing.T, d *desk) {
	p := d.person(t, 10_00)
	var got attempts
	d.both(24, func(i int, n *Node) {
		if i%6 == 0 {
			top := payment.TopUpRequest{Payer: p.ID, Key: order(), Amount: money.Of(1_00, "CNY")}
			if _, err := n.Payments.TopUp(t.Context(), Operator, top); err != nil {
				t.Error(err)
			}
			return
		}
		got.add(n.Payments.Authorize(t.Context(), d.Manager, p.Tap(d.Terminal, order(), 3_00)))
	})
	got.wantErrs(t, 0, mianmi.Internal, "")
	n := int64(got.count(approved))
	if n < 3 || n > 4 {
		t.Errorf("%d payments of 3.00 passed with 10.00 to 14.00", n)
	}
	d.wantBalance(t, p, 14_00-3_00*n)
}

func cash(t *testing.T, d *desk) {
	req := payment.Request{Terminal: d.Terminal, OrderNo: order(), Amount: money.Of(50_00, "CNY"), Method: pinfree.Cash}
	p := d.mustPay(t, req, payment.Approved)
	if p.Payer != "" || p.Channel != "cash" || p.PinFree() || d.lines(t, p.ID) != 0 {
		t.Errorf("cash was recorded as %+v", p)
	}
	samePayment(t, "a repeat", must(d.b.Payments.Authorize(t.Context(), d.Manager, req))(t), p)
	back := must(d.b.Payments.Refund(t.Context(), d.Manager, p.ID, payment.RefundRequest{RefundNo: "r1", Amount: money.Of(50_00, "CNY")}))(t)
	if back.Amount != p.Amount {
		t.Errorf("refunded %v", back.Amount)
	}
	req.OrderNo = order()
	p = d.mustPay(t, req, payment.Approved)
	wantState(t, must(d.a.Payments.Reverse(t.Context(), d.Manager, p.ID))(t), payment.Reversed)

	codes := pinfree.Methods(0).Set(pinfree.PaymentCode)
	must(d.a.Merchants.SetPolicy(t.Context(), Operator, merchant.PolicyOrder{Scope: merchant.OfTerminal(d.Bare),
		Terms: merchant.Terms{PinFree: true, Methods: &codes}}))(t)
	req.Terminal, req.OrderNo = d.Bare, order()
	_, err := d.pay(t, req)
	wantKind(t, err, mianmi.Invalid, "method")
}

func cards(t *testing.T, d *desk) {
	p := d.person(t, 100000_00)
	tap := func(minor int64, change func(*payment.Request)) payment.Request {
		r := p.Tap(d.Terminal, order(), minor)
		if change != nil {
			change(&r)
		}
		return r
	}
	at := d.mustPay(t, tap(1000_00, nil), payment.Approved)
	if !at.PinFree() || at.Outcome != pinfree.PinFree {
		t.Errorf("¥1,000 at an upgraded merchant was %v", at.Outcome)
	}
	for name, c := range map[string]struct {
		req  payment.Request
		want pinfree.Outcome
	}{
		"above the scheme's limit": {tap(1000_01, nil), pinfree.StepUp},
		"verified on the device":   {tap(5000_00, func(r *payment.Request) { r.CVM = pinfree.CDCVM }), pinfree.Authenticated},
		"chip and PIN": {tap(5000_00, func(r *payment.Request) { r.Method, r.CVM = pinfree.CardInsert, pinfree.OfflinePIN }),
			pinfree.Authenticated},
		"a stripe": {tap(1_00, func(r *payment.Request) { r.Method = pinfree.CardSwipe }), pinfree.StepUp},
		"a method that the terminal has not": {tap(1_00, func(r *payment.Request) { r.Method, r.Terminal = pinfree.CardSwipe, d.Bare }),
			pinfree.Refused},
	} {
		got := must(d.pay(t, c.req))(t)
		if got.Outcome != c.want || got.PinFree() {
			t.Errorf("%s: %v, want %v", name, got.Outcome, c.want)
		}
	}
	d.wantBalance(t, p, 89000_00)
	stranger := p
	stranger.Card = must(d.a.NewPerson(t.Context(), 0))(t).Card[:29] + "g" // not a bucket
	_, err := d.pay(t, stranger.Tap(d.Terminal, order(), 1))
	wantKind(t, err, mianmi.Invalid, "instrument")
	stranger.Card = p.Card[:27] + "0" + p.Card[28:]
	if stranger.Card == p.Card {
		stranger.Card = p.Card[:27] + "1" + p.Card[28:]
	}
	_, err = d.pay(t, stranger.Tap(d.Terminal, order(), 1))
	wantKind(t, err, mianmi.Invalid, "instrument")
}

func qrOrders(t *testing.T, d *desk) {
	p, q := d.person(t, 100_00), d.person(t, 100_00)
	req := payment.QRRequest{Terminal: d.Terminal, OrderNo: order(), Amount: money.Of(30_00, "CNY")}
	open, token, err := d.a.Payments.OpenQR(t.Context(), d.Manager, req)
	if err != nil {
		t.Fatal(err)
	}
	var got attempts
	d.both(8, func(i int, n *Node) {
		got.add(n.Payments.PayQR(t.Context(), []Person{p, q}[i%3%2].Actor(), token, PaymentPassword))
	})
	for _, again := range got.payments {
		samePayment(t, "the QR order's payment", again, got.payments[0])
	}
	for _, err := range got.errs {
		wantKind(t, err, mianmi.Conflict, "order_conflict")
	}
	if sum := d.balance(t, p) + d.balance(t, q); sum != 170_00 {
		t.Errorf("both have %d left of 200.00", sum)
	}
	seen := must(d.b.Payments.QROrder(t.Context(), p.Actor(), token))(t)
	if seen.Payment != got.payments[0].ID || seen.OrderNo != req.OrderNo || seen.ExpiresAt != open.ExpiresAt {
		t.Errorf("the order shows %+v", seen)
	}
	_, err = d.a.Payments.PayQR(t.Context(), p.Actor(), token+"x", PaymentPassword)
	wantKind(t, err, mianmi.NotFound, "")
	req.OrderNo = order()
	_, late, err := d.a.Payments.OpenQR(t.Context(), d.Manager, req)
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.a.Payments.PayQR(t.Context(), p.Actor(), late, "111222")
	wantKind(t, err, mianmi.Unauthenticated, "password_wrong")
	d.clock.Add(5 * 60e9)
	_, err = d.a.Payments.PayQR(t.Context(), p.Actor(), late, PaymentPassword)
	wantKind(t, err, mianmi.Conflict, "qr_expired")
	req.Terminal = d.Bare
	_, _, err = d.a.Payments.OpenQR(t.Context(), d.Manager, req)
	wantKind(t, err, mianmi.Conflict, "no_display")
	m := must(d.a.Terminals.CreateModel(t.Context(), Operator, terminal.Model{Name: "L1", Display: true, Methods: everyMethod &^ (1 << pinfree.DynamicQR)}))(t)
	req.Terminal = must(d.a.Terminals.Create(t.Context(), Operator, terminal.Terminal{Store: d.Store, Model: m.ID, Name: "台"}))(t).ID
	_, _, err = d.a.Payments.OpenQR(t.Context(), d.Manager, req)
	wantKind(t, err, mianmi.Invalid, "terminal")
}

func agreementsCount(t *testing.T, d *desk) {
	p := d.person(t, 100_00)
	needs := must(d.a.NewShop(t.Context(), merchant.Facts{Country: "CN", MCC: 5812, NoPIN: true, Upgraded: true, AgreementRequired: true}))(t)
	pay := func(minor int64) *payment.Payment {
		return must(d.b.Payments.Authorize(t.Context(), needs.Manager, p.Tap(needs.Terminal, order(), minor)))(t)
	}
	want := func(p *payment.Payment, r pinfree.Reason) {
		t.Helper()
		if p.Outcome != pinfree.StepUp || p.Reasons[0].Reason != r {
			t.Errorf("%v %v, want step-up for %v", p.Outcome, p.Reasons, r)
		}
	}
	want(pay(1_00), pinfree.AgreementMissing)
	open := func(perPayment *int64) payer.Agreement {
		return must(d.a.Payers.OpenAgreement(t.Context(), p.Actor(), p.ID, payer.AgreementInput{Merchant: needs.Merchant,
			PerPayment: perPayment, ConsentVersion: payer.ConsentText.Version, Password: PaymentPassword}))(t)
	}
	limit := int64(2_00)
	g := open(&limit)
	wantState(t, pay(2_00), payment.Approved)
	if over := pay(2_01); over.Outcome != pinfree.StepUp {
		t.Errorf("above the agreement's limit: %v", over.Outcome)
	}
	must(d.a.Payers.CloseAgreement(t.Context(), p.Actor(), p.ID, g.ID))(t)
	want(pay(1_00), pinfree.AgreementClosed)
	wantState(t, d.mustPay(t, p.Tap(d.Terminal, order(), 1_00), payment.Approved), payment.Approved) // another merchant
	open(nil)
	wantState(t, pay(50_00), payment.Approved)
}

func allowanceOnce(t *testing.T, d *desk) {
	p := d.person(t, 1000_00)
	must(d.a.Payers.Close(t.Context(), p.Actor(), p.ID, noBasis))(t)
	for range 4 {
		must(d.a.Payers.GrantAllowance(t.Context(), p.Actor(), p.ID, payer.AllowanceInput{Max: money.Of(50_00, "CNY"), Password: PaymentPassword}))(t)
		wantState(t, must(d.pay(t, p.Tap(d.Terminal, order(), 50_01)))(t), payment.StepUpRequired)
		var got attempts
		d.both(8, func(_ int, n *Node) {
			got.add(n.Payments.Authorize(t.Context(), d.Manager, p.Tap(d.Terminal, order(), 50_00)))
		})
		got.wantErrs(t, 0, mianmi.Internal, "")
		if n := got.count(approved); n != 1 {
			t.Errorf("one allowance let %d payments pass", n)
		}
	}
	must(d.a.Payers.GrantAllowance(t.Context(), p.Actor(), p.ID, payer.AllowanceInput{Max: money.Of(50_00, "CNY"), Password: PaymentPassword}))(t)
	must(d.a.Payers.Close(t.Context(), p.Actor(), p.ID, noBasis))(t)
	d.mustPay(t, p.Tap(d.Terminal, order(), 50_00), payment.StepUpRequired)
}
