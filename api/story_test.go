package api_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/money"
)

// The whole story over HTTP: PIN-free, closed by the payer, confirmed with the
// password, closed by the store, loss report, reopened after its cooling-off,
// refunded.
func TestStory(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		s, p := w.shop("晨光超市"), w.person("+8613800000001")

		first := get[client.Payment](t)(s.pos.Authorize(ctx, w.scan(s, p, "A1", 18_00)))
		wantPayment(t, first, "approved", "pin_free", "within_limits")
		if first.Where.Store.Name != "晨光超市 一店" || first.Where.Store.Address == "" || first.Where.Terminal.Name != "收银台 1" {
			t.Errorf("the payment does not name its source: %+v", first.Where)
		}
		if first.Payer != "" {
			t.Error("the merchant is told who the payer is")
		}

		closed := get[client.Status](t)(p.app.ClosePinFree(ctx, client.Me, nil))
		if closed.State != "closed" || closed.PinFree || closed.Sentence.ZH == "" || closed.Sentence.EN == "" {
			t.Errorf("after closing: %+v", closed)
		}
		second := get[client.Payment](t)(s.pos.Authorize(ctx, w.scan(s, p, "A2", 18_00)))
		wantPayment(t, second, "step_up_required", "step_up", "payer_closed")
		if diff := cmp.Diff([]string{"terminal_pin", "phone_password", "dynamic_qr"}, second.StepUp.Methods); diff != "" {
			t.Errorf("step-up methods (-want +got):\n%s", diff)
		}
		waiting := get[[]client.Payment](t)(p.app.StepUps(ctx, client.Me, 0))
		if len(waiting) != 1 || waiting[0].ID != second.ID {
			t.Fatalf("waiting for the password: %+v", waiting)
		}
		wantProblem(t, failed(p.app.Confirm(ctx, second.ID, "999990")), 403, "password_wrong", "password")
		confirmed := get[client.Payment](t)(p.app.Confirm(ctx, second.ID, pin))
		wantPayment(t, confirmed, "approved", "step_up", "payer_closed")
		if confirmed.CVM != "phone_password" {
			t.Errorf("verified by %q", confirmed.CVM)
		}

		get[client.PolicyResult](t)(s.admin.CloseScope(ctx, client.OfStore(s.store.ID)))
		risk := get[client.Texts](t)(w.anyone.Texts(ctx)).Risk.Version
		pending := get[client.Status](t)(p.app.ReopenPinFree(ctx, client.Me, pin, risk))
		if pending.State != "cooling_off" || pending.Pending == nil {
			t.Errorf("after asking to reopen: %+v", pending)
		}
		w.clock.step(24 * time.Hour)
		p.app = w.anyone.As(get[client.Session](t)(w.anyone.LoginPayer(ctx, p.phone, pin)).Token)
		third := get[client.Payment](t)(s.pos.Authorize(ctx, w.scan(s, p, "A3", 18_00)))
		wantPayment(t, third, "step_up_required", "step_up", "store_closed")
		if third.Reasons[0].ID != string(s.store.ID) {
			t.Errorf("the reason names %q, not the store", third.Reasons[0].ID)
		}
		get[client.Payment](t)(s.pos.Cancel(ctx, third.ID))

		storyEnds(t, w, s, p, first)
	})
}

// storyEnds is the loss report, the refund, and what the payer sees of it all.
func storyEnds(t *testing.T, w *world, s *shop, p *person, first client.Payment) {
	t.Helper()
	ctx := t.Context()
	frozen := get[client.Status](t)(p.app.ReportLoss(ctx, client.Me, nil))
	if frozen.State != "frozen" {
		t.Errorf("after the loss report: %+v", frozen)
	}
	w.clock.step(time.Second)
	fourth := get[client.Payment](t)(s.pos.Authorize(ctx, w.scan(s, p, "A4", 18_00)))
	wantPayment(t, fourth, "step_up_required", "step_up", "payer_frozen")

	r := get[client.Refund](t)(s.pos.Refund(ctx, first.ID, client.RefundRequest{RefundNo: "R1", Amount: money.Of(5_00, "CNY"), Reason: "returned"}))
	if again := get[client.Refund](t)(s.pos.Refund(ctx, first.ID, client.RefundRequest{RefundNo: "R1", Amount: money.Of(5_00, "CNY"), Reason: "returned"})); again.ID != r.ID {
		t.Errorf("a repeated refund is another: %s and %s", r.ID, again.ID)
	}
	after := get[client.Payment](t)(p.app.Payment(ctx, first.ID))
	if after.State != "partly_refunded" || after.Refunded == nil || *after.Refunded != money.Of(5_00, "CNY") || after.Payer != p.ID {
		t.Errorf("after the refund: %+v", after)
	}
	if got := get[client.Payer](t)(p.app.Payer(ctx, client.Me)).Balance; got != money.Of(1000_00-18_00-18_00+5_00, "CNY") {
		t.Errorf("balance %v", got)
	}
	list := get[client.List[client.Payment]](t)(p.app.PayerPayments(ctx, client.Me, "", 2))
	if len(list.Items) != 2 || list.Next == "" || list.Items[0].ID != fourth.ID {
		t.Errorf("first page of payments: %d, next %q", len(list.Items), list.Next)
	}
}

func failed[T any](_ T, err error) error { return err }

func wantPayment(t *testing.T, p client.Payment, state, outcome, reason string) {
	t.Helper()
	if p.State != state || p.Outcome != outcome || len(p.Reasons) == 0 || p.Reasons[0].Name != reason {
		t.Fatalf("payment %s: state %q, outcome %q, reasons %+v; want %q, %q, %q", p.OrderNo, p.State, p.Outcome, p.Reasons, state, outcome, reason)
	}
	w := p.Reasons[0].Words
	for _, text := range []string{w.Payer.ZH, w.Payer.EN, w.Cashier.ZH, w.Cashier.EN, w.Support.ZH, w.Support.EN, p.Sentence.ZH, p.Sentence.EN} {
		if text == "" {
			t.Errorf("payment %s: a text is missing: %+v, %+v", p.OrderNo, w, p.Sentence)
		}
	}
}
