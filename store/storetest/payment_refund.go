package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
)

func refund(no string, minor int64) payment.RefundRequest {
	return payment.RefundRequest{RefundNo: no, Amount: money.Of(minor, "CNY"), Reason: "退货"}
}

func refundsOf(t *testing.T, d *desk) {
	p := d.person(t, 100_00)
	paid := d.mustPay(t, p.Tap(d.Terminal, order(), 50_00), payment.Approved)
	counted := d.counters(t, p)
	give := func(n *Node, r payment.RefundRequest) (*payment.Refund, error) {
		return n.Payments.Refund(t.Context(), d.Manager, paid.ID, r)
	}
	first := must(give(d.a, refund("r1", 20_00)))(t)
	d.wantBalance(t, p, 70_00)
	wantState(t, must(d.b.DB.Payment(t.Context(), paid.ID))(t), payment.PartlyRefunded)
	again := must(give(d.b, refund("r1", 20_00)))(t)
	if diff := cmp.Diff(first, again, amounts); diff != "" {
		t.Errorf("a repeat (-want +got):\n%s", diff)
	}
	for name, c := range map[string]struct {
		r    payment.RefundRequest
		code string
		kind mianmi.Kind
	}{
		"the number with another amount": {refund("r1", 20_01), "refund_conflict", mianmi.Conflict},
		"more than is left":              {refund("r2", 30_01), "refund_too_large", mianmi.Conflict},
		"another currency":               {payment.RefundRequest{RefundNo: "r2", Amount: money.Of(1, "EUR")}, "amount.currency", mianmi.Invalid},
	} {
		_, err := give(d.a, c.r)
		if wantKind(t, err, c.kind, c.code); t.Failed() {
			t.Log(name)
		}
	}
	_, err := d.a.Payments.Reverse(t.Context(), d.Manager, paid.ID)
	wantKind(t, err, mianmi.Conflict, "not_reversible")
	must(give(d.a, refund("r2", 10_00)))(t)
	must(give(d.b, refund("r3", 20_00)))(t)
	d.wantBalance(t, p, 100_00)
	end := must(d.b.DB.Payment(t.Context(), paid.ID))(t)
	if wantState(t, end, payment.Refunded); end.Refunded != 50_00 || end.Version != 4 {
		t.Errorf("ended as %+v", end)
	}
	if list := must(d.b.Payments.Refunds(t.Context(), p.Actor(), paid.ID))(t); len(list) != 3 {
		t.Errorf("%d refunds are listed", len(list))
	}
	if now := d.counters(t, p); now != counted {
		t.Errorf("a refund moved the counters from %s to %s", counted, now)
	}
	_, err = give(d.a, refund("r4", 1))
	wantKind(t, err, mianmi.Conflict, "not_refundable")
	must(give(d.a, refund("r2", 10_00)))(t)
	d.wantBalance(t, p, 100_00)
	_, err = d.a.Payments.Refund(t.Context(), p.Actor(), paid.ID, refund("r5", 1))
	wantKind(t, err, mianmi.Denied, "")
}

func concurrentRefunds(t *testing.T, d *desk) {
	p := d.person(t, 100_00)
	for range 4 {
		paid := d.mustPay(t, p.Tap(d.Terminal, order(), 10_00), payment.Approved)
		var got attempts
		d.both(10, func(i int, n *Node) {
			no := []string{"r1", "r2", "r3", "r4", "r5"}[i/2]
			_, err := n.Payments.Refund(t.Context(), d.Manager, paid.ID, refund(no, 3_00))
			got.add(paid, err)
		})
		got.wantErrs(t, 4, mianmi.Conflict, "refund_too_large")
		if end := must(d.b.DB.Payment(t.Context(), paid.ID))(t); end.Refunded != 9_00 || end.Version != 4 {
			t.Errorf("%d was given back in %d changes", end.Refunded, end.Version)
		}
	}
	d.wantBalance(t, p, 96_00)

	// A reversal and a refund at once: one of them.
	paid := d.mustPay(t, p.Tap(d.Terminal, order(), 10_00), payment.Approved)
	var got attempts
	d.both(6, func(i int, n *Node) {
		if i < 3 {
			got.add(n.Payments.Reverse(t.Context(), d.Manager, paid.ID))
			return
		}
		_, err := n.Payments.Refund(t.Context(), d.Manager, paid.ID, refund("r1", 10_00))
		got.add(paid, err)
	})
	got.wantErrs(t, 3, mianmi.Conflict, "")
	d.wantBalance(t, p, 96_00)
}

func reversals(t *testing.T, d *desk) {
	p := d.person(t, 100_00)
	d.limited(t, p, 1)
	before := d.counters(t, p)
	first := d.mustPay(t, Code(d.Terminal, order(), 30_00, d.code(t, p)), payment.Approved)
	d.mustPay(t, Code(d.Terminal, order(), 30_00, d.code(t, p)), payment.StepUpRequired)
	var got attempts
	d.both(6, func(_ int, n *Node) { got.add(n.Payments.Reverse(t.Context(), d.Manager, first.ID)) })
	got.wantErrs(t, 0, mianmi.Internal, "")
	if n := got.count(func(p *payment.Payment) bool { return p.State == payment.Reversed && p.Version == 2 }); n != 6 {
		t.Errorf("%d of 6 saw the reversal", n)
	}
	d.wantBalance(t, p, 100_00)
	if now := d.counters(t, p); now != before {
		t.Errorf("the counters are %q, were %q", now, before)
	}
	second := d.mustPay(t, p.Tap(d.Terminal, order(), 30_00), payment.Approved)
	_, err := d.a.Payments.Refund(t.Context(), d.Manager, first.ID, refund("r1", 1))
	wantKind(t, err, mianmi.Conflict, "not_refundable")
	d.clock.Add(24*time.Hour + time.Microsecond)
	_, err = d.a.Payments.Reverse(t.Context(), d.Manager, second.ID)
	wantKind(t, err, mianmi.Conflict, "too_late_to_reverse")
	refused := d.mustPay(t, func() payment.Request {
		r := p.Tap(d.Bare, order(), 1)
		r.Method = pinfree.CardSwipe
		return r
	}(), payment.Refused)
	_, err = d.a.Payments.Reverse(t.Context(), d.Manager, refused.ID)
	wantKind(t, err, mianmi.Conflict, "not_reversible")
	_, err = d.a.Payments.Reverse(t.Context(), mianmi.Actor{Role: mianmi.RoleMerchantAdmin, ID: "sf8", Merchant: "mcother"}, second.ID)
	wantKind(t, err, mianmi.NotFound, "")
}

func topUps(t *testing.T, d *desk) {
	p := d.person(t, 0)
	ask := payment.TopUpRequest{Payer: p.ID, Key: "salary-1", Amount: money.Of(25_00, "CNY")}
	var mu attempts
	ids := map[string]bool{}
	d.both(10, func(_ int, n *Node) {
		u, err := n.Payments.TopUp(t.Context(), Operator, ask)
		mu.add(&payment.Payment{}, err)
		mu.mu.Lock()
		defer mu.mu.Unlock()
		ids[u.ID] = true
	})
	mu.wantErrs(t, 0, mianmi.Internal, "")
	if len(ids) != 1 {
		t.Errorf("one key made %d top-ups", len(ids))
	}
	d.wantBalance(t, p, 25_00)
	for name, c := range map[string]struct {
		change func(*payment.TopUpRequest)
		kind   mianmi.Kind
		what   string
	}{
		"the key with another amount": {func(r *payment.TopUpRequest) { r.Amount = money.Of(25_01, "CNY") }, mianmi.Conflict, "top_up_conflict"},
		"another currency": {func(r *payment.TopUpRequest) { r.Key, r.Amount = "k2", money.Of(1, "EUR") }, mianmi.Conflict,
			"currency_mismatch"},
		"nobody":       {func(r *payment.TopUpRequest) { r.Payer = "py00000000000000000000000000" }, mianmi.NotFound, ""},
		"not a name":   {func(r *payment.TopUpRequest) { r.Payer = "py\x00" }, mianmi.NotFound, ""},
		"a long key":   {func(r *payment.TopUpRequest) { r.Key = "123456789012345678901234567890123" }, mianmi.Invalid, "key"},
		"no amount":    {func(r *payment.TopUpRequest) { r.Amount = money.Of(0, "CNY") }, mianmi.Invalid, "amount"},
		"not possible": {func(r *payment.TopUpRequest) { r.Amount = money.Of(1_000_000_000_001, "CNY") }, mianmi.Invalid, "amount"},
	} {
		r := ask
		c.change(&r)
		_, err := d.a.Payments.TopUp(t.Context(), Operator, r)
		if wantKind(t, err, c.kind, c.what); t.Failed() {
			t.Log(name)
		}
	}
	d.wantBalance(t, p, 25_00)
}
