package wechatpay_test

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/channel/wechatpay"
	"github.com/mianmi/mianmi/channel/wechatpay/wechatpaytest"
	"github.com/mianmi/mianmi/money"
)

const complaintID = "200201820200101080076610000"

func picture(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := png.Encode(&out, image.NewGray(image.Rect(0, 0, 2, 2))); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// A complaint is listed, read with its orders, pictures and the payer's phone,
// answered, and settled, in every form of an account.
func TestComplaints(t *testing.T) {
	t.Parallel()
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			s := wechatpaytest.Start(t, nil)
			c := connection(t, s.URL)
			f.set(c)
			ch, ctx := open(t, c), t.Context()
			p := order(t, 1, channel.ByCode).Payment
			s.Complain(complaintID, string(p), "扣了两次", picture(t))
			day := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
			list, total, err := ch.Complaints(ctx, "shop", wechatpay.ComplaintList{From: day, To: day, Limit: 50})
			if err != nil || total != 1 || list[0].ID != complaintID || list[0].Phone != "" {
				t.Fatalf("list: %v %d %v", list, total, err)
			}
			got, err := ch.Complaint(ctx, "shop", complaintID)
			want := wechatpay.Complaint{ID: complaintID, At: time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC), State: "PENDING", Type: "REFUND", Problem: "重复扣费", Detail: "扣了两次",
				Orders: []wechatpay.ComplaintOrder{{Payment: p, Transaction: "42", Amount: money.Of(1250, "CNY")}}, Images: []string{"picture-" + complaintID}, Times: 2,
				Tags: []string{"TRUSTED"}, Asked: money.Of(300, "CNY"), Waiting: true, Phone: wechatpaytest.Phone}
			if d := cmp.Diff(want, got, cmp.AllowUnexported(money.Amount{})); d != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, d)
			}
			if fetched, err := ch.ComplaintImage(ctx, "shop", got.Images[0]); err != nil || !bytes.Equal(fetched, picture(t)) {
				t.Errorf("picture: %d bytes, %v", len(fetched), err)
			}
			settle(t, ch)
		})
	}
}

// settle answers the complaint, decides on a refund and ends it.
func settle(t *testing.T, ch *wechatpay.Channel) {
	t.Helper()
	ctx := t.Context()
	id, err := ch.UploadComplaintImage(ctx, "shop", "bill.png", picture(t))
	if err != nil {
		t.Fatal(err)
	}
	if c, err := ch.RespondToComplaint(ctx, "shop", complaintID, wechatpay.ComplaintAnswer{Text: "已核实", Images: []string{id}}); err != nil || c.State != "PROCESSING" {
		t.Errorf("answered: %v %v", c, err)
	}
	if c, err := ch.DecideComplaintRefund(ctx, "shop", complaintID, wechatpay.ComplaintRefund{Reason: "只扣了一次", Images: []string{id}}); err != nil || c.State != "PROCESSING" {
		t.Errorf("refused: %v %v", c, err)
	}
	if c, err := ch.DecideComplaintRefund(ctx, "shop", complaintID, wechatpay.ComplaintRefund{Approve: true, Days: 1}); err != nil || c.State != "PROCESSING" {
		t.Errorf("approved: %v %v", c, err)
	}
	if c, err := ch.CompleteComplaint(ctx, "shop", complaintID); err != nil || c.State != "PROCESSED" {
		t.Errorf("completed: %v %v", c, err)
	}
	if _, err := ch.CompleteComplaint(ctx, "shop", complaintID); mianmi.KindOf(err) != mianmi.Unavailable {
		t.Errorf("completed twice: %v", err)
	}
	steps, err := ch.ComplaintHistory(ctx, "shop", complaintID)
	var what []string
	for _, s := range steps {
		what = append(what, s.What+" "+s.Detail)
	}
	if d := cmp.Diff([]string{"MERCHANT_RESPONSE 已核实", "MERCHANT_REFUSE_RERUND 只扣了一次", "MERCHANT_APPROVE_REFUND ", "MERCHANT_CONFIRM_COMPLETE "}, what); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
}

// The address for complaints is set where there is none and where there is
// another, read and dropped; a notification at it makes somebody ask.
func TestComplaintNotifications(t *testing.T) {
	t.Parallel()
	s := wechatpaytest.Start(t, nil)
	c := connection(t, s.URL)
	ch, ctx := open(t, c), t.Context()
	if _, err := ch.ComplaintNotifyURL(ctx, "shop"); mianmi.KindOf(err) != mianmi.Unavailable {
		t.Errorf("no address: %v", err)
	}
	for range 2 {
		if at, err := ch.SetComplaintNotifyURL(ctx, "shop"); err != nil || at != s.URL+"/v3-notify/shop/complaint" || s.ComplainAt() != at {
			t.Errorf("set: %s %v", at, err)
		}
	}
	if at, err := ch.ComplaintNotifyURL(ctx, "shop"); err != nil || at != s.ComplainAt() {
		t.Errorf("read: %s %v", at, err)
	}
	if err := ch.DropComplaintNotifyURL(ctx, "shop"); err != nil || s.ComplainAt() != "" {
		t.Errorf("dropped: %v", err)
	}
	to := &asker{}
	body := wechatpaytest.Notification("COMPLAINT.CREATE", map[string]string{"complaint_id": complaintID, "action_type": "CREATE_COMPLAINT"})
	got := send(t, handler(t, c, to, io.Discard), http.MethodPost, "/v3-notify/shop/complaint", body, s.Sign(wechatpaytest.PublicKeyID, body))
	if d := cmp.Diff([]wechatpay.Hint{{Complaint: complaintID, Connection: "shop"}}, to.hints); d != "" || got.Code != http.StatusNoContent {
		t.Errorf("answered %d, hints (-want +got):\n%s", got.Code, d)
	}
}

// What WeChat Pay would refuse is refused here, by its field, and asked of
// nobody; what it says of others is not believed.
func TestComplaintsRefuse(t *testing.T) {
	t.Parallel()
	s := wechatpaytest.Start(t, nil)
	c := connection(t, s.URL)
	ch, ctx := open(t, c), t.Context()
	day := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	long := strings.Repeat("长", 201)
	for name, err := range map[string]error{
		"limit": second(ch.Complaints(ctx, "shop", wechatpay.ComplaintList{From: day, To: day})), "offset": second(ch.Complaints(ctx, "shop", wechatpay.ComplaintList{From: day, To: day, Limit: 1, Offset: -1})),
		"to": second(ch.Complaints(ctx, "shop", wechatpay.ComplaintList{From: day, To: day.AddDate(0, 0, 30), Limit: 1})), "complaint": first(ch.Complaint(ctx, "shop", "a/b")),
		"complaint empty": first(ch.Complaint(ctx, "shop", "")), "text": first(ch.RespondToComplaint(ctx, "shop", "1", wechatpay.ComplaintAnswer{Text: long})),
		"images": first(ch.RespondToComplaint(ctx, "shop", "1", wechatpay.ComplaintAnswer{Text: "x", Images: make([]string, 1)})),
		"days":   first(ch.DecideComplaintRefund(ctx, "shop", "1", wechatpay.ComplaintRefund{Approve: true, Days: 31})),
		"reason": first(ch.DecideComplaintRefund(ctx, "shop", "1", wechatpay.ComplaintRefund{})), "remark": first(ch.DecideComplaintRefund(ctx, "shop", "1", wechatpay.ComplaintRefund{Remark: long})),
		"picture": first(ch.UploadComplaintImage(ctx, "shop", "x.png", []byte("<svg>"))), "name": first(ch.UploadComplaintImage(ctx, "shop", "a/b", picture(t))),
		"image": first(ch.ComplaintImage(ctx, "shop", "../x")),
	} {
		if mianmi.KindOf(err) != mianmi.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if first(ch.Complaint(ctx, "two", "1")) == nil || s.LastBody() != "" || s.Calls("GET complaints-v2") != 0 {
		t.Error("somebody was asked")
	}
	s.Complain("1", "x", "x", []byte("<script>"))
	if err := first(ch.ComplaintImage(ctx, "shop", "picture-1")); mianmi.KindOf(err) != mianmi.Unavailable {
		t.Errorf("a page in the place of a picture: %v", err)
	}
}

func first[A any](_ A, err error) error { return err }

func second[A, B any](_ A, _ B, err error) error { return err }

// A complaint prints none of the payer's words.
func TestComplaintHidesWords(t *testing.T) {
	t.Parallel()
	c := wechatpay.Complaint{ID: "1", Detail: "words", Phone: wechatpaytest.Phone}
	for _, text := range []string{fmt.Sprint(c), fmt.Sprintf("%+v", c), fmt.Sprintf("%#v", c)} {
		if strings.Contains(text, "words") || strings.Contains(text, wechatpaytest.Phone) {
			t.Errorf("shown: %s", text)
		}
	}
}
