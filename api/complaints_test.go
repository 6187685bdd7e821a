package api_test

import (
	"testing"

	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/money"
)

// A payer complains from the phone, the merchant's administrator gives a part
// back, the payer says that it is settled: each sees what the other has said, and
// another merchant sees nothing.
func TestAPayerComplains(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite")
	ctx := t.Context()
	s, p := w.shop("晨光超市"), w.person("+8613800000001")
	admin, stranger := s.admin, w.shop("别家").admin
	paid := get[client.Payment](t)(s.pos.Authorize(ctx, w.scan(s, p, "A1", 18_00)))
	asked := money.Of(5_00, "CNY")
	n := client.NewPayerComplaint{Key: "k1", Payment: paid.ID, Problem: "refund", Text: "少了一杯", Asked: &asked}
	made := get[client.PayerComplaint](t)(p.app.Complain(ctx, client.Me, n))
	if again := get[client.PayerComplaint](t)(p.app.Complain(ctx, p.ID, n)); again.ID != made.ID || again.State != "pending" || !again.Waiting || again.Amount != paid.Amount || *again.Asked != asked {
		t.Errorf("a repeat: %+v", again)
	}
	n.Key = "k2"
	_, err := p.app.Complain(ctx, client.Me, n)
	wantProblem(t, err, 409, "complaint_open", "")
	n.Text, n.Key = "", "k3"
	_, err = p.app.Complain(ctx, client.Me, n)
	wantProblem(t, err, 422, "invalid", "text")

	list := get[client.List[client.Complaint]](t)(admin.Complaints(ctx, client.ComplaintQuery{Open: true}))
	if len(list.Items) != 1 || list.Items[0].Channel != "wallet" || list.Items[0].Text != "少了一杯" || list.Items[0].Payments[0].Payment != paid.ID {
		t.Fatalf("the merchant's complaints: %+v", list)
	}
	if others := get[client.List[client.Complaint]](t)(stranger.Complaints(ctx, client.ComplaintQuery{})); len(others.Items) != 0 {
		t.Errorf("another merchant's: %+v", others)
	}
	a := get[client.ComplaintAnswer](t)(admin.AnswerComplaint(ctx, made.ID, client.NewComplaintAnswer{Key: "a1", Kind: "approve", Payment: paid.ID, Amount: &asked}))
	if a.State != "done" {
		t.Errorf("the approval is %+v", a)
	}
	if refunds := get[[]client.Refund](t)(admin.Refunds(ctx, paid.ID)); len(refunds) != 1 || refunds[0].Amount != asked {
		t.Errorf("refunds: %+v", refunds)
	}
	seen := get[client.PayerComplaint](t)(p.app.PayerComplaint(ctx, client.Me, made.ID))
	if seen.State != "processing" || seen.Waiting || len(seen.Steps) != 2 || seen.Steps[1].By != "merchant" || seen.Steps[1].What != "MERCHANT_APPROVE_REFUND" {
		t.Errorf("the payer sees %+v", seen)
	}
	for range 2 {
		seen = get[client.PayerComplaint](t)(p.app.WriteToComplaint(ctx, client.Me, made.ID, client.NewComplaintMessage{Key: "m1", Kind: "resolved"}))
	}
	if seen.State != "processed" || len(seen.Steps) != 3 {
		t.Errorf("settled: %+v", seen)
	}
	_, err = p.app.WriteToComplaint(ctx, client.Me, made.ID, client.NewComplaintMessage{Key: "m2", Kind: "reply", Text: "还有"})
	wantProblem(t, err, 409, "complaint_over", "")
	if mine := get[client.List[client.PayerComplaint]](t)(p.app.PayerComplaints(ctx, client.Me, client.PayerComplaintQuery{Payment: paid.ID})); len(mine.Items) != 1 {
		t.Errorf("the payer's: %+v", mine)
	}
	if open := get[client.List[client.PayerComplaint]](t)(p.app.PayerComplaints(ctx, client.Me, client.PayerComplaintQuery{Open: true})); len(open.Items) != 0 {
		t.Errorf("the payer's open ones: %+v", open)
	}
}
