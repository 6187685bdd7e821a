package main

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/channel/wechatpay/wechatpaytest"
	"github.com/mianmi/mianmi/money"
)

// complaintShop is a shop whose payers complain at WeChat Pay.
type complaintShop struct {
	*shop
	t      *testing.T
	wechat *wechatpaytest.Server
	file   string
	srv    *server
}

func newComplaintShop(t *testing.T) *complaintShop {
	t.Helper()
	s, srv := newShop(t)
	srv.stop()
	c := &complaintShop{shop: s, t: t, wechat: wechatpaytest.Start(t, nil)}
	c.file = s.wechatFile(t, c.wechat.URL)
	text, err := os.ReadFile(c.file)
	if err == nil {
		changed := strings.Replace(string(text), "mc0000000000000000000000shop", string(s.merchant), 1) + "    unknown_payers: own_rules\n    complaint_notifications: true\n"
		err = os.WriteFile(c.file, []byte(changed), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	c.start()
	return c
}

func (c *complaintShop) start() {
	c.srv = c.shop.serve(c.t, "--wechatpay="+c.file, "--payment-code-prefix=77")
}

func (c *complaintShop) operator() *client.Client { return c.srv.As(c.operators[0]) }

// paid is a payment by WeChat Pay.
func (c *complaintShop) paid(order string) client.Payment {
	c.t.Helper()
	p := must(c.srv.As(c.pos).Authorize(c.t.Context(), client.Authorization{Terminal: c.terminal, OrderNo: order, Amount: money.Of(12_50, "CNY"),
		Method: "payment_code", Code: wechatpaytest.CodePaid, Entry: "scanned"}))(c.t)
	eventually(c.t, "a payment is approved", func() bool { return must(c.srv.As(c.pos).Payment(c.t.Context(), p.ID))(c.t).State == "approved" })
	return p
}

func (c *complaintShop) tell(id string) {
	c.t.Helper()
	body := wechatpaytest.Notification("COMPLAINT.CREATE", map[string]string{"complaint_id": id, "action_type": "CREATE_COMPLAINT"})
	if got := notifyAt(c.t, c.srv, "complaint", body, c.wechat.Sign(wechatpaytest.PublicKeyID, append(body, ' '))); got != http.StatusUnauthorized {
		c.t.Errorf("a forged notification is answered %d", got)
	}
	for range 2 {
		if got := notifyAt(c.t, c.srv, "complaint", body, c.wechat.Sign(wechatpaytest.PublicKeyID, body)); got != http.StatusNoContent {
			c.t.Errorf("a notification is answered %d", got)
		}
	}
}

// stored waits until a complaint is stored.
func (c *complaintShop) stored(payment mianmi.PaymentID) (found client.Complaint) {
	c.t.Helper()
	eventually(c.t, "a complaint is stored", func() bool {
		list := must(c.operator().Complaints(c.t.Context(), client.ComplaintQuery{Payment: payment}))(c.t)
		if len(list.Items) > 0 {
			found = list.Items[0]
		}
		return len(list.Items) == 1
	})
	return must(c.operator().Complaint(c.t.Context(), found.ID))(c.t)
}

func dot(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := png.Encode(&out, image.NewGray(image.Rect(0, 0, 2, 2))); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// The server has itself told of complaints, stores those that it is told of and
// those whose notification was lost, also while it was killed, with the payment
// that each is about; it logs nothing of what payers write.
func TestServeStoresComplaints(t *testing.T) {
	t.Parallel()
	c := newComplaintShop(t)
	eventually(t, "WeChat Pay has the address", func() bool { return c.wechat.ComplainAt() == "https://pay.example.com/v3-notify/shop/complaint" })
	told, lost := c.paid("told"), c.paid("lost")
	c.wechat.Complain("1001", string(told.ID), "只有这里的话", dot(t))
	c.tell("1001")
	got := c.stored(told.ID)
	if got.Merchant != c.merchant || got.State != "pending" || got.Number != "1001" || got.Text != "只有这里的话" || !got.Waiting || len(got.Pictures) != 1 {
		t.Errorf("%+v", got)
	}
	c.srv.kill()
	c.wechat.Complain("1002", string(lost.ID), "只有这里的话", dot(t))
	c.start()
	if got := c.stored(lost.ID); got.Number != "1002" || got.Payments[0].Transaction != "42" {
		t.Errorf("%+v", got)
	}
	if statuses, _ := c.doctor(t, "--wechatpay", c.file); statuses["wechatpay.shop.complaints"] != "ok" {
		t.Errorf("the doctor finds %v", statuses)
	}
	for _, word := range []string{"只有这里的话", wechatpaytest.Phone} {
		if strings.Contains(c.srv.log(), word) {
			t.Errorf("the log shows %q", word)
		}
	}
}

// What is ordered here is said at WeChat Pay once, also by a server that is
// killed in between; an approval refunds the payment, and nothing is completed
// before the payer has the money.
func TestServeAnswersComplaints(t *testing.T) {
	t.Parallel()
	c := newComplaintShop(t)
	paid := c.paid("a")
	c.wechat.Complain("2001", string(paid.ID), "扣了两次", dot(t))
	c.tell("2001")
	id := c.stored(paid.ID).ID
	now := func() client.Complaint { return must(c.operator().Complaint(t.Context(), id))(t) }
	order := func(n client.NewComplaintAnswer) {
		t.Helper()
		must(c.operator().AnswerComplaint(t.Context(), id, n))(t)
	}
	done := func(key string) func() bool {
		return func() bool {
			for _, a := range now().Answers {
				if a.Key == key {
					return a.State == "done"
				}
			}
			return false
		}
	}
	reply := client.NewComplaintAnswer{Key: "k1", Kind: "reply", Text: "已核实"}
	order(reply)
	c.srv.kill()
	c.start()
	order(reply)
	eventually(t, "the reply is said", done("k1"))
	amount := money.Of(3_00, "CNY")
	order(client.NewComplaintAnswer{Key: "k2", Kind: "approve", Payment: paid.ID, Amount: &amount, Days: 1})
	eventually(t, "the approval is said", done("k2"))
	back := func() []client.Refund { return must(c.operator().Refunds(t.Context(), paid.ID))(t) }
	if list := back(); len(list) != 1 || list[0].Amount != amount {
		t.Fatalf("refunds: %+v", list)
	}
	complete := client.NewComplaintAnswer{Key: "k3", Kind: "complete", Version: now().Version}
	_, err := c.operator().AnswerComplaint(t.Context(), id, complete)
	var problem *client.Problem
	if !errors.As(err, &problem) || problem.Code != "refund_pending" {
		t.Errorf("completed while the refund is pending: %v", err)
	}
	refund := string(back()[0].ID)
	body := wechatpaytest.Notification("REFUND.SUCCESS", map[string]any{"mchid": wechatpaytest.MchID, "out_trade_no": string(paid.ID), "out_refund_no": refund})
	eventually(t, "the refund is through", func() bool {
		c.wechat.EndRefund(refund, "SUCCESS") // once it is there
		notifyAt(t, c.srv, "refund", body, c.wechat.Sign(wechatpaytest.PublicKeyID, body))
		return back()[0].State == "done"
	})
	complete.Version = now().Version
	order(complete)
	eventually(t, "the complaint is over", func() bool { return done("k3")() && now().State == "processed" })
	var what []string
	for _, s := range now().Steps {
		what = append(what, s.What)
	}
	slices.Sort(what) // WeChat Pay's times have whole seconds
	if d := cmp.Diff([]string{"MERCHANT_APPROVE_REFUND", "MERCHANT_CONFIRM_COMPLETE", "MERCHANT_RESPONSE"}, what); d != "" {
		t.Errorf("said (-want +got):\n%s", d)
	}
	c.inCase(id, "已核实")
}

// inCase waits until a complaint that was answered outside of its case has ended it,
// and looks who said what there; and what the command line shows of both.
func (c *complaintShop) inCase(id mianmi.ComplaintID, text string) {
	c.t.Helper()
	var k client.Case
	eventually(c.t, "the case has ended with its complaint", func() bool {
		var err error
		k, err = c.operator().Case(c.t.Context(), must(c.operator().Complaint(c.t.Context(), id))(c.t).Case)
		return err == nil && k.State == "closed"
	})
	said := slices.DeleteFunc(k.Notes, func(n client.CaseNote) bool { return n.Text != text })
	if len(said) != 1 || !strings.HasPrefix(said[0].By, "operator:") || k.Verdict != "answered" {
		c.t.Errorf("%q was said in the case: %+v", text, k)
	}
	wantRun(c.t, "the complaint", c.run(c.t, "complaints", "show", string(id), "--lang=en"), exitOK, "over", text, string(k.ID), "got through")
	wantRun(c.t, "the list", c.run(c.t, "complaints", "list", "--lang=zh"), exitOK, string(id), "已处理完毕", string(k.ID))
	wantRun(c.t, "the case", c.run(c.t, "case", "show", string(k.ID), "--lang=zh"), exitOK, string(id), "wechatpay 2001")
	wantRun(c.t, "none is open", c.run(c.t, "complaints", "list", "--open", "--lang=en"), exitOK, "no such complaint")
	wantRun(c.t, "there is none", c.run(c.t, "complaints", "show", "cp1", "--lang=en"), exitFailed, "complaint")
}
