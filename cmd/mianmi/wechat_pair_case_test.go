package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/money"
)

// A payer complains in the wallet of a server that is WeChat Pay to ours; our desk
// answers, decides, refunds and ends it in the case alone, and is killed while money
// and decision are on their way; the payer reads each thing once, has the money
// once, and both sides end.
func TestComplaintGoesRoundBetweenTwoServers(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.till.stop()
	f := must(os.OpenFile(p.file, os.O_APPEND|os.O_WRONLY, 0))(t)
	must(f.WriteString("    complaint_notifications: true\n"))(t)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	p.startTill()
	paid := must(p.charge(0, 12_50))(t)
	there := must(p.there(paid.ID))(t)
	phone, asked := p.phone(0), money.Of(3_00, "CNY")
	made := must(phone.Complain(t.Context(), client.Me, client.NewPayerComplaint{Key: "k1", Payment: there.ID, Problem: "refund", Text: "扣了两次", Asked: &asked}))(t)

	op := p.till.As(p.shop.operators[0])
	k := p.caseOf(op, made, paid)
	payerHas := func(what string) {
		t.Helper()
		eventually(t, "the payer reads "+what, func() bool { return stepsWith(t, phone, made.ID, what) > 0 })
	}

	must(op.NoteCase(t.Context(), k.ID, client.NewCaseNote{Key: "n1", Audience: "payer", Text: "正在核实"}))(t)
	payerHas("正在核实")
	must(phone.WriteToComplaint(t.Context(), client.Me, made.ID, client.NewComplaintMessage{Key: "m1", Kind: "reply", Text: "还没到账"}))(t)
	eventually(t, "the case has what the payer wrote", func() bool {
		got, err := op.Case(t.Context(), k.ID)
		k = got
		return err == nil && slices.ContainsFunc(got.Notes, func(n client.CaseNote) bool { return n.Text == "还没到账" })
	})
	k = must(op.DecideCase(t.Context(), k.ID, client.CaseDecision{Verdict: "upheld", Award: &asked, Text: "确实多扣，退您 3 元", Version: k.Version}))(t)
	must(op.OrderPayout(t.Context(), k.ID, client.NewPayout{Key: "p1", Payment: paid.ID, Amount: asked, From: "merchant", Basis: "fault"}))(t)
	p.till.kill()
	p.startTill()
	op = p.till.As(p.shop.operators[0])
	payerHas("确实多扣，退您 3 元")
	payerHas("MERCHANT_APPROVE_REFUND")
	if got := must(p.there(paid.ID))(t); got.Refunded.Minor() != 3_00 {
		t.Errorf("refunded there: %+v", got)
	}
	must(op.MoveCase(t.Context(), k.ID, client.CaseMove{To: "closed", Version: must(op.Case(t.Context(), k.ID))(t).Version}))(t)
	eventually(t, "both sides have ended", func() bool {
		at, err := phone.PayerComplaint(t.Context(), client.Me, made.ID)
		got, err2 := op.Case(t.Context(), k.ID)
		k = got
		return err == nil && err2 == nil && at.State == "processed" && got.State == "closed" && got.Complaints[0].State == "processed"
	})
	for _, what := range []string{"正在核实", "还没到账", "确实多扣，退您 3 元", "MERCHANT_APPROVE_REFUND", "MERCHANT_CONFIRM_COMPLETE"} {
		if n := stepsWith(t, phone, made.ID, what); n != 1 {
			t.Errorf("the payer has %q %d times", what, n)
		}
	}
	if k.Complaints[0].Failed != 0 || k.Verdict != "upheld" {
		t.Errorf("at the end: %+v", k)
	}
}

// caseOf waits for the case of a complaint, and looks at how the two name each other.
func (p *pair) caseOf(op *client.Client, made client.PayerComplaint, paid client.Payment) client.Case {
	p.t.Helper()
	var k client.Case
	eventually(p.t, "the complaint has a case here", func() bool {
		list, err := op.Cases(p.t.Context(), client.CaseQuery{Kind: "complaint", Open: true})
		if err != nil || len(list.Items) != 1 {
			return false
		}
		k, err = op.Case(p.t.Context(), list.Items[0].ID)
		return err == nil
	})
	if len(k.Complaints) != 1 || k.Complaints[0].Number != made.Number || !strings.HasSuffix(k.Notes[0].Text, "扣了两次") || k.Rail != "wechatpay" || k.Merchant != p.shop.merchant ||
		!slices.Contains(k.Links, client.CaseLink{Kind: "payment", Ref: string(paid.ID)}) {
		p.t.Fatalf("the case: %+v", k)
	}
	if c := must(op.Complaint(p.t.Context(), k.Complaints[0].ID))(p.t); c.Case != k.ID {
		p.t.Errorf("the complaint names the case %q", c.Case)
	}
	return k
}

// stepsWith counts what a payer has of a complaint: steps with a word or a text.
func stepsWith(t *testing.T, phone *client.Client, id mianmi.ComplaintID, what string) (n int) {
	t.Helper()
	c := must(phone.PayerComplaint(t.Context(), client.Me, id))(t)
	for _, s := range c.Steps {
		if s.What == what || s.Text == what {
			n++
		}
	}
	return n
}
