package storetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payment"
	cases "github.com/mianmi/mianmi/support/desk"
)

func cny(minor int64) money.Amount { return money.Of(minor, "CNY") }

// awarded is a case about a payment that was decided for the payer.
func (w *caseWorld) awarded(t *testing.T, paid *payment.Payment, award int64) cases.Whole {
	t.Helper()
	o := must(w.a.Open(t.Context(), w.agent, fraud(paid)))(t)
	v := must(w.a.Case(t.Context(), w.agent, o.ID))(t)
	return must(w.a.Decide(t.Context(), w.agent, o.ID, cases.Decision{Verdict: cases.Upheld, Award: cny(award), Text: "属实", Version: v.Version}))(t)
}

func (w *caseWorld) fund(t *testing.T, minor int64) {
	t.Helper()
	must(w.a.Fund(t.Context(), Operator, fmt.Sprintf("bank-%d", minor), cny(minor)))(t)
}

func payout(key string, paid *payment.Payment, from cases.Source, minor int64) cases.NewPayout {
	return cases.NewPayout{Key: key, Payment: paid.ID, Source: from, Basis: cases.OnBreach, Amount: cny(minor)}
}

func (w *caseWorld) balance(t *testing.T, p Person) int64 {
	t.Helper()
	return must(w.node.DB.Payer(t.Context(), p.ID))(t).Balance.Minor()
}

func (w *caseWorld) guarantee(t *testing.T) (minor int64) {
	t.Helper()
	for _, a := range must(w.b.Guarantees(t.Context(), Operator))(t) {
		minor += a.Minor()
	}
	return minor
}

func (w *caseWorld) wantBooks(t *testing.T) {
	t.Helper()
	if b := must(w.node.DB.CheckBooks(t.Context()))(t); !b.OK() {
		t.Errorf("the books: %+v", b)
	}
}

// both runs fn so many times at once, on both nodes.
func (w *caseWorld) both(n int, fn func(i int, s *cases.Service)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { fn(i, []*cases.Service{w.a, w.b}[i%2]) })
	}
	all.Wait()
}

// One key is one payout from each source, however many ask at once, and the entries
// of the case follow each other.
func casePaysOnce(t *testing.T, w *caseWorld) {
	ctx := t.Context()
	w.fund(t, 100_00)
	before, pot := w.balance(t, w.p), int64(100_00)
	for _, from := range []cases.Source{cases.FromMerchant, cases.FromPlatform, cases.FromGuarantee} {
		paid := w.pay(t, w.p)
		k := w.awarded(t, paid, 12_00)
		w.both(10, func(_ int, s *cases.Service) {
			if _, err := s.Order(ctx, w.agent, k.ID, payout("one", paid, from, 12_00)); err != nil {
				t.Errorf("from %s: %v", from, err)
			}
		})
		list := must(w.b.Payouts(ctx, w.agent, k.ID))(t)
		if len(list) != 1 || list[0].State != cases.PayoutPaid || list[0].Payer != w.p.ID {
			t.Fatalf("from %s: %+v", from, list)
		}
		if from != cases.FromMerchant {
			pot -= 12_00
		}
		if got := w.guarantee(t); got != pot {
			t.Errorf("from %s: the guarantee account holds %d, want %d", from, got, pot)
		}
		if got := w.told(t, k.ID); !slices.Equal(got[len(got)-2:], []string{"payout_ordered", "payout_paid"}) {
			t.Errorf("from %s the log tells %q", from, got)
		}
		_, err := w.a.Order(ctx, w.agent, k.ID, payout("one", paid, from, 11_00))
		wantCode(t, err, "payout_conflict")
		mine := must(w.a.Case(ctx, w.p.Actor(), k.ID))(t)
		if n := mine.Notes[len(mine.Notes)-1]; n.Key != string(list[0].ID) {
			t.Errorf("from %s the payer reads %+v", from, n)
		}
	}
	if got := w.balance(t, w.p); got != before {
		t.Errorf("the payer has %d, want %d", got, before)
	}
	w.wantBooks(t)
}

// Many payouts and the merchant's own refunds at once: together never more than the
// payment, and nothing is reversed that was compensated.
func casePaysNoMore(t *testing.T, w *caseWorld) {
	ctx := t.Context()
	w.fund(t, 100_00)
	before, paid := w.balance(t, w.p), w.pay(t, w.p)
	k := w.awarded(t, paid, 100_00)
	first := must(w.a.Order(ctx, w.agent, k.ID, payout("first", paid, cases.FromGuarantee, 1_00)))(t)
	if first.State != cases.PayoutPaid {
		t.Fatalf("%+v", first)
	}
	_, err := w.node.Payments.Reverse(ctx, w.shop.Manager, paid.ID)
	wantCode(t, err, "not_reversible")
	w.both(12, func(i int, s *cases.Service) {
		if i%3 == 0 {
			_, _ = w.node.Payments.Refund(ctx, w.shop.Manager, paid.ID, payment.RefundRequest{RefundNo: fmt.Sprint("m", i), Amount: cny(3_00)})
			return
		}
		_, _ = s.Order(ctx, w.agent, k.ID, payout(fmt.Sprint("k", i), paid, cases.Source(1+i%3), 3_00))
	})
	for range 3 {
		must(w.a.PayDue(ctx))(t)
		w.clock.Add(time.Minute)
	}
	if got := w.balance(t, w.p); got > before || got < before-2_00 {
		t.Errorf("the payer has %d after %d", got, before)
	}
	now := must(w.node.DB.Payment(ctx, paid.ID))(t)
	apart := int64(0)
	for _, o := range must(w.b.Payouts(ctx, w.agent, k.ID))(t) {
		if o.Source == cases.FromGuarantee && o.State == cases.PayoutPaid {
			apart += o.Amount.Minor()
		}
		if o.State != cases.PayoutPaid && o.State != cases.PayoutRefused {
			t.Errorf("left over: %+v", o)
		}
	}
	if now.Refunded+apart > 12_00 {
		t.Errorf("%d refunded and %d paid of 1200", now.Refunded, apart)
	}
	w.wantBooks(t)
}

// Above the amount it waits; whoever asked cannot approve, and of many that approve at
// once one does. What is split counts together.
func caseSecondPerson(t *testing.T, w *caseWorld) {
	ctx := t.Context()
	w.fund(t, 100_00)
	for _, s := range []*cases.Service{w.a, w.b} {
		s.Limits.Alone = 5_00
	}
	before, paid := w.balance(t, w.p), w.pay(t, w.p)
	k := w.awarded(t, paid, 12_00)
	if o := must(w.a.Order(ctx, w.agent, k.ID, payout("1", paid, cases.FromGuarantee, 4_00)))(t); o.State != cases.PayoutPaid {
		t.Fatalf("%+v", o)
	}
	o := must(w.a.Order(ctx, w.agent, k.ID, payout("2", paid, cases.FromGuarantee, 4_00)))(t)
	if o.State != cases.PayoutWaiting || w.balance(t, w.p) != before-12_00+4_00 {
		t.Fatalf("the second half of it: %+v", o)
	}
	_, err := w.b.Approve(ctx, w.agent, o.ID)
	wantCode(t, err, "same_person")
	theirs := must(w.node.Access.CreateStaff(t.Context(), Operator, access.NewStaff{Login: "agent9", Name: "客服", Role: mianmi.RoleSupport}))(t)
	_, err = w.b.Approve(ctx, theirs.Staff.Actor(), o.ID) // both accounts are in one operator's hands
	wantCode(t, err, "not_independent")
	_, err = w.b.Approve(ctx, mianmi.System("cases"), o.ID)
	wantCode(t, err, "not_allowed")
	w.both(8, func(_ int, s *cases.Service) {
		if got, err := s.Approve(ctx, w.agent2, o.ID); err != nil || got.State != cases.PayoutPaid {
			t.Errorf("%+v, %v", got, err)
		}
	})
	if got := w.balance(t, w.p); got != before-4_00 {
		t.Errorf("the payer has %d, want %d", got, before-4_00)
	}
	back := must(w.a.Order(ctx, w.agent, k.ID, payout("3", paid, cases.FromPlatform, 4_00)))(t)
	if w.guarantee(t) != 92_00 {
		t.Error("what waits has been taken already")
	}
	if got := must(w.b.Refuse(ctx, w.agent2, back.ID))(t); got.State != cases.PayoutRefused || got.Failure != "not_approved" {
		t.Errorf("%+v", got)
	}
	_, err = w.a.Approve(ctx, w.agent2, back.ID)
	wantCode(t, err, "payout_over")
	w.wantBooks(t)
}

// The guarantee account never goes below zero, whoever asks at once; a transfer is
// counted once.
func caseGuarantee(t *testing.T, w *caseWorld) {
	ctx := t.Context()
	paid := w.pay(t, w.p)
	k := w.awarded(t, paid, 12_00)
	_, err := w.a.Order(ctx, w.agent, k.ID, payout("0", paid, cases.FromGuarantee, 4_00))
	wantCode(t, err, "guarantee_not_covered")
	if list := must(w.a.Payouts(ctx, w.agent, k.ID))(t); len(list) != 0 {
		t.Errorf("written: %+v", list)
	}
	w.both(6, func(_ int, s *cases.Service) { must(s.Fund(ctx, Operator, "bank-1", cny(9_00)))(t) })
	_, err = w.b.Fund(ctx, Operator, "bank-1", cny(9_01))
	wantCode(t, err, "funding_conflict")
	_, err = w.b.Fund(ctx, w.agent, "bank-2", cny(9_00))
	wantCode(t, err, "not_allowed")
	_, err = w.b.Fund(ctx, Operator, "6222021234567890128", cny(9_00))
	wantField(t, err, "reference")
	w.both(3, func(i int, s *cases.Service) {
		_, _ = s.Order(ctx, w.agent, k.ID, payout(fmt.Sprint(i), paid, cases.FromGuarantee, 4_00))
	})
	if got := w.guarantee(t); got != 1_00 {
		t.Errorf("the guarantee account holds %d, want 100", got)
	}
	w.wantBooks(t)
}

// A node that dies after the refund and before its word: another finds the refund and
// makes no second one.
func caseRefundCut(t *testing.T, w *caseWorld) {
	ctx := t.Context()
	before, paid := w.balance(t, w.p), w.pay(t, w.p)
	k := w.awarded(t, paid, 12_00)
	w.a.Refunds = nil
	o := must(w.a.Order(ctx, w.agent, k.ID, payout("1", paid, cases.FromMerchant, 7_00)))(t)
	if o.State != cases.PayoutDue {
		t.Fatalf("%+v", o)
	}
	must(w.node.Payments.Refund(ctx, mianmi.System("cases"), paid.ID, payment.RefundRequest{RefundNo: string(o.ID), Amount: cny(7_00)}))(t)
	w.a.Refunds = w.node.Payments
	w.both(6, func(_ int, s *cases.Service) { must(s.PayDue(ctx))(t) })
	end := must(w.b.Payouts(ctx, w.agent, k.ID))(t)[0]
	if end.State != cases.PayoutPaid || end.Refund == "" || w.balance(t, w.p) != before-5_00 {
		t.Errorf("%+v, the payer has %d of %d", end, w.balance(t, w.p), before)
	}
	if got := w.told(t, k.ID); got[len(got)-1] != "payout_paid" || got[len(got)-2] != "payout_ordered" {
		t.Errorf("the log tells %q", got)
	}
	w.wantBooks(t)
}

// The merchant was quicker: the payout is refused with the reason, the guarantee
// account has its money again, and its number can be used for nothing else.
func caseRefundRefused(t *testing.T, w *caseWorld) {
	ctx := t.Context()
	w.fund(t, 100_00)
	paid := w.pay(t, w.p)
	k := w.awarded(t, paid, 12_00)
	w.a.Refunds = nil
	o := must(w.a.Order(ctx, w.agent, k.ID, payout("1", paid, cases.FromPlatform, 12_00)))(t)
	if w.guarantee(t) != 88_00 {
		t.Errorf("the guarantee account holds %d", w.guarantee(t))
	}
	must(w.node.Payments.Refund(ctx, w.shop.Manager, paid.ID, payment.RefundRequest{RefundNo: "m1", Amount: cny(1_00)}))(t)
	must(w.b.PayDue(ctx))(t)
	end := must(w.b.Payouts(ctx, w.agent, k.ID))(t)[0]
	if end.State != cases.PayoutRefused || end.Failure != "refund_too_large" || w.guarantee(t) != 100_00 {
		t.Errorf("%+v, the guarantee account holds %d", end, w.guarantee(t))
	}
	_, err := w.node.Payments.Refund(ctx, w.shop.Manager, paid.ID, payment.RefundRequest{RefundNo: string(o.ID), Amount: cny(1_00)})
	wantCode(t, err, "payout_over")
	w.wantBooks(t)
}

// Each bound, and each input that is wrong.
func casePayLimits(t *testing.T, w *caseWorld) {
	ctx := t.Context()
	w.fund(t, 100_00)
	w.a.Limits = cases.Limits{Alone: 100_00, Case: 20_00, Goodwill: 2_00, Day: 15_00}
	paid, other := w.pay(t, w.p), w.pay(t, w.q)
	open := must(w.a.Open(ctx, w.agent, fraud(paid)))(t)
	_, err := w.a.Order(ctx, w.agent, open.ID, payout("1", paid, cases.FromMerchant, 1_00))
	wantCode(t, err, "case_undecided")
	k := w.awarded(t, paid, 10_00)
	order := func(n cases.NewPayout) error {
		_, err := w.a.Order(ctx, w.agent, k.ID, n)
		return err
	}
	wantCode(t, order(payout("1", paid, cases.FromMerchant, 10_01)), "award_used_up")
	wantField(t, order(payout("1", other, cases.FromMerchant, 1_00)), "payment")
	wantField(t, order(payout("", paid, cases.FromMerchant, 1_00)), "key")
	wantField(t, order(payout("1", paid, cases.NoSource, 1_00)), "from")
	wantField(t, order(payout("1", paid, cases.FromMerchant, 0)), "amount")
	wantField(t, order(cases.NewPayout{Key: "1", Payment: paid.ID, Source: cases.FromMerchant, Amount: cny(1), Basis: "whim"}), "basis")
	wantField(t, order(cases.NewPayout{Key: "1", Payment: paid.ID, Source: cases.FromMerchant, Amount: money.Of(1, "EUR"), Basis: cases.OnBreach}), "amount.currency")
	goodwill := cases.NewPayout{Key: "g", Source: cases.FromGuarantee, Basis: cases.OnGoodwill, Amount: cny(2_01)}
	wantCode(t, order(goodwill), "payout_goodwill_max")
	goodwill.Amount = cny(2_00)
	if err := order(goodwill); err != nil {
		t.Error(err)
	}
	goodwill.Key, goodwill.Amount = "h", cny(1)
	wantCode(t, order(goodwill), "payout_goodwill_max")
	if err := order(payout("2", paid, cases.FromMerchant, 10_00)); err != nil {
		t.Error(err)
	}
	k = w.awarded(t, other, 12_00)
	wantCode(t, order(payout("3", other, cases.FromMerchant, 4_00)), "payout_day_max")
	w.a.Limits.Case = 3_99
	wantCode(t, order(payout("3", other, cases.FromMerchant, 4_00)), "payout_case_max")
	w.a.Limits = cases.Limits{}
	wantCode(t, order(payout("3", other, cases.FromMerchant, 1)), "payout_case_max")
	for _, a := range []mianmi.Actor{w.q.Actor(), w.admin(), mianmi.System("cli"), {Role: mianmi.RoleAuditor, ID: "sf0"}} {
		_, err := w.a.Order(ctx, a, k.ID, payout("4", other, cases.FromMerchant, 1))
		wantCode(t, err, "not_allowed")
	}
	w.wantBooks(t)
}
