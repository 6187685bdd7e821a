package wechatv3_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"mime/multipart"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wechatpay-apiv3/wechatpay-go/core"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel/wechatpay"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/store/storetest"
	"github.com/mianmi/mianmi/support"
)

// complained is a payer's complaint about an order that was paid at the shop.
func (s *shop) complained(who storetest.Person) (no string, c support.Complaint) {
	t := s.w.t
	t.Helper()
	no = s.order()
	id := s.signed("POST", "/v3/pay/transactions/codepay", s.scanned(no, s.w.code(who), 12_50)).transaction(t).TransactionID
	p := must(s.w.node.Payments.Payment(t.Context(), s.Manager, mianmi.PaymentID(id)))(t)
	return no, must(s.w.complaints.Complain(t.Context(), who.Actor(), who.ID, support.NewComplaint{Key: no, Payment: p.ID, Problem: support.WantsRefund,
		Text: "扣了两次", Asked: money.Of(3_00, "CNY")}))(t)
}

func (s *shop) written(who storetest.Person, c support.Complaint, text string) {
	t := s.w.t
	t.Helper()
	if _, _, err := s.w.complaints.Write(t.Context(), who.Actor(), who.ID, c.ID, support.Message{Key: fmt.Sprint("m", len(text)), What: support.Writes, Text: text}); err != nil {
		t.Fatal(err)
	}
}

func dot(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	check(t, png.Encode(&out, image.NewGray(image.Rect(0, 0, 2, 2))))
	return out.Bytes()
}

// complaints are those that the channel was told of, in that order.
func (h *hints) complaints() (out []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, one := range h.list {
		if one.Complaint != "" {
			out = append(out, one.Complaint)
		}
	}
	return out
}

// mianmi as a client of mianmi: its own channel has itself told of complaints,
// reads one whole, answers it with a picture, promises money and completes; the
// payer sees each word, and writes between.
func TestComplaintsOfOurOwnChannel(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, setup{engine: engine})
			s, who, ctx := w.shop(), w.person(), t.Context()
			ch, told := s.channel()
			for range 2 { // the second finds it there, and changes nothing
				at := must(ch.SetComplaintNotifyURL(ctx, "front"))(t)
				if have := must(ch.ComplaintNotifyURL(ctx, "front"))(t); have != at {
					t.Errorf("the address is %s, not %s", have, at)
				}
			}
			no, c := s.complained(who)
			eventually(t, "news of the complaint", func() bool { return slices.Contains(told.complaints(), c.Number) })
			today := time.Now()
			list, all, err := ch.Complaints(ctx, "front", wechatpay.ComplaintList{From: today.AddDate(0, 0, -1), To: today.AddDate(0, 0, 1), Limit: 50})
			if err != nil || all != 1 || list[0].ID != c.Number {
				t.Fatalf("listed: %v %d %v", list, all, err)
			}
			got := must(ch.Complaint(ctx, "front", c.Number))(t)
			if got.State != "PENDING" || got.Detail != "扣了两次" || got.Type != "REFUND" || got.Asked != money.Of(3_00, "CNY") || !got.Waiting || got.Refunded || got.Times != 1 || got.Phone != "" ||
				len(got.Orders) != 1 || string(got.Orders[0].Payment) != no || got.Orders[0].Transaction != string(c.Own()) {
				t.Errorf("%v: %+v %+v", got, got.Orders, got.Waiting)
			}
			id := must(ch.UploadComplaintImage(ctx, "front", "bill.png", dot(t)))(t)
			if back := must(ch.ComplaintImage(ctx, "front", id))(t); !bytes.Equal(back, dot(t)) {
				t.Errorf("the picture came back with %d bytes", len(back))
			}
			if got := must(ch.RespondToComplaint(ctx, "front", c.Number, wechatpay.ComplaintAnswer{Text: "正在核实，见图\n请稍候", Images: []string{id}}))(t); got.State != "PROCESSING" || got.Waiting {
				t.Errorf("answered: %v", got)
			}
			s.written(who, c, "还没到账")
			must(ch.DecideComplaintRefund(ctx, "front", c.Number, wechatpay.ComplaintRefund{Reason: "只扣了一次", Images: []string{id}}))(t)
			must(ch.DecideComplaintRefund(ctx, "front", c.Number, wechatpay.ComplaintRefund{Approve: true, Days: 1}))(t)
			if refunds := must(w.node.Payments.Refunds(ctx, s.Manager, c.Own()))(t); len(refunds) != 0 {
				t.Errorf("an approval has moved money: %v", refunds)
			}
			s.signed("POST", "/v3/refund/domestic/refunds", map[string]any{"out_trade_no": no, "out_refund_no": "R" + no, "amount": map[string]any{"refund": 12_50, "total": 12_50, "currency": "CNY"}}).wantOK(t)
			if got := must(ch.CompleteComplaint(ctx, "front", c.Number))(t); got.State != "PROCESSED" || !got.Refunded {
				t.Errorf("completed: %v", got)
			}
			if _, err := ch.CompleteComplaint(ctx, "front", c.Number); err == nil {
				t.Error("completed twice")
			}
			var what []string
			for _, step := range must(ch.ComplaintHistory(ctx, "front", c.Number))(t) {
				what = append(what, fmt.Sprint(step.What, " ", step.By, " ", step.Detail, " ", len(step.Images)))
			}
			want := []string{"USER_CREATE_COMPLAINT 投诉人 扣了两次 0", "MERCHANT_RESPONSE 商家 正在核实，见图\n请稍候 1", "USER_RESPONSE 投诉人 还没到账 0",
				"MERCHANT_REFUSE_RERUND 商家 只扣了一次 1", "MERCHANT_APPROVE_REFUND 商家  0", "MERCHANT_CONFIRM_COMPLETE 商家  0"}
			if !slices.Equal(what, want) {
				t.Errorf("the history is %q", what)
			}
			if _, steps, err := w.complaints.PayerComplaint(ctx, who.Actor(), who.ID, c.ID); err != nil || len(steps) != len(want) || steps[1].Images[0] != id {
				t.Errorf("the payer sees %v, %v", steps, err)
			}
			eventually(t, "news of each step", func() bool { return len(told.complaints()) >= len(want) })
			check(t, ch.DropComplaintNotifyURL(ctx, "front"))
			if _, err := ch.ComplaintNotifyURL(ctx, "front"); err == nil {
				t.Error("an address that was dropped is there")
			}
			if log := w.logged.String(); strings.Contains(log, "扣了两次") || strings.Contains(log, "正在核实") {
				t.Error("the log has what people wrote")
			}
		})
	}
}

// What the official client's raw calls see, and what is refused, in WeChat Pay's words.
func TestComplaintsInWeChatPaysForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{engine: "sqlite"})
	s, stranger, who := w.shop(), w.shop(), w.person()
	_, c := s.complained(who)
	client := s.client(false)
	const api = "https://api.mch.weixin.qq.com"
	const all, notices = "/v3/merchant-service/complaints-v2", "/v3/merchant-service/complaint-notifications"
	one := all + "/" + c.Number
	var view map[string]any
	res := must(client.Get(t.Context(), api+one))(t)
	check(t, core.UnMarshalResponse(res.Response, &view))
	orders, _ := view["complaint_order_info"].([]any)
	if view["complaint_state"] != "PENDING" || view["payer_openid"] != w.front.OpenID(s.AppID, who.ID) || view["payer_phone"] != nil || len(orders) != 1 || view["complainted_mchid"] != s.MchID {
		t.Errorf("%v", view)
	}
	day := time.Now().In(time.FixedZone("", 8*60*60)).Format(time.DateOnly)
	days := "?begin_date=" + day + "&end_date=" + day
	body := func(changes ...any) map[string]any {
		out := map[string]any{"complainted_mchid": s.MchID, "response_content": "您好"}
		for i := 0; i < len(changes); i += 2 {
			out[fmt.Sprint(changes[i])] = changes[i+1]
		}
		return out
	}
	for name, tt := range map[string]struct {
		s            *shop
		method, path string
		body         any
		status       int
		code         string
	}{
		"a list without days":      {s, "GET", all, nil, 400, "PARAM_ERROR"},
		"days that run backwards":  {s, "GET", all + "?begin_date=2026-02-02&end_date=2026-02-01", nil, 400, "PARAM_ERROR"},
		"31 days":                  {s, "GET", all + "?begin_date=2026-01-01&end_date=2026-01-31", nil, 400, "PARAM_ERROR"},
		"a page of 51":             {s, "GET", all + days + "&limit=51", nil, 400, "PARAM_ERROR"},
		"a place below zero":       {s, "GET", all + days + "&offset=-1", nil, 400, "PARAM_ERROR"},
		"another merchant's list":  {s, "GET", all + days + "&complainted_mchid=" + stranger.MchID, nil, 400, "MCH_NOT_EXISTS"},
		"another's complaint":      {stranger, "GET", one, nil, 404, "RESOURCE_NOT_EXISTS"},
		"another's history":        {stranger, "GET", one + "/negotiation-historys", nil, 404, "RESOURCE_NOT_EXISTS"},
		"301 steps":                {s, "GET", one + "/negotiation-historys?limit=301", nil, 400, "PARAM_ERROR"},
		"no such complaint":        {s, "GET", all + "/200201820200101080076610000", nil, 404, "RESOURCE_NOT_EXISTS"},
		"an answer by another":     {stranger, "POST", one + "/response", map[string]any{"complainted_mchid": stranger.MchID, "response_content": "x"}, 404, "RESOURCE_NOT_EXISTS"},
		"an answer for another":    {s, "POST", one + "/response", body("complainted_mchid", stranger.MchID), 400, "MCH_NOT_EXISTS"},
		"no merchant":              {s, "POST", one + "/complete", map[string]any{}, 400, "PARAM_ERROR"},
		"no words":                 {s, "POST", one + "/response", body("response_content", ""), 400, "PARAM_ERROR"},
		"201 characters":           {s, "POST", one + "/response", body("response_content", strings.Repeat("长", 201)), 400, "PARAM_ERROR"},
		"a card number":            {s, "POST", one + "/response", body("response_content", "4111 1111 1111 1111"), 400, "PARAM_ERROR"},
		"five pictures":            {s, "POST", one + "/response", body("response_images", []string{"1", "2", "3", "4", "5"}), 400, "PARAM_ERROR"},
		"a picture that is none":   {s, "POST", one + "/response", body("response_images", []string{"1"}), 404, "RESOURCE_NOT_EXISTS"},
		"no decision":              {s, "POST", one + "/update-refund-progress", map[string]any{"action": "MAYBE"}, 400, "PARAM_ERROR"},
		"a refusal without reason": {s, "POST", one + "/update-refund-progress", map[string]any{"action": "REJECT"}, 400, "PARAM_ERROR"},
		"31 days for a refund":     {s, "POST", one + "/update-refund-progress", map[string]any{"action": "APPROVE", "launch_refund_day": 31}, 400, "PARAM_ERROR"},
		"no address":               {s, "GET", notices, nil, 404, "RESOURCE_NOT_EXISTS"},
		"no address to change":     {s, "PUT", notices, map[string]any{"url": "https://shop.example/c"}, 404, "RESOURCE_NOT_EXISTS"},
		"an address that is none":  {s, "POST", notices, map[string]any{"url": "ftp://shop.example"}, 400, "PARAM_ERROR"},
		"an address with a query":  {s, "POST", notices, map[string]any{"url": "https://shop.example/c?x=1"}, 400, "PARAM_ERROR"},
		"a private address":        {s, "POST", notices, map[string]any{"url": "https://10.0.0.1/"}, 400, "PARAM_ERROR"},
		"a picture of another":     {stranger, "GET", "/v3/merchant-service/images/" + strings.Repeat("0", 64), nil, 404, "RESOURCE_NOT_EXISTS"},
		"an upload that is JSON":   {s, "POST", "/v3/merchant-service/images/upload", map[string]any{"filename": "x"}, 400, "PARAM_ERROR"},
	} {
		if a := tt.s.signed(tt.method, tt.path, tt.body); a.status != tt.status || a.code(t) != tt.code {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	for range 2 {
		a := s.signed("POST", notices, map[string]any{"url": "https://shop.example/c"})
		if a.status != http.StatusOK && a.code(t) != "RESOURCE_ALREADY_EXISTS" {
			t.Errorf("an address: %d %s", a.status, a.body)
		}
	}
	s.signed("PUT", notices, map[string]any{"url": "https://shop.example/d"}).wantOK(t)
	if a := s.signed("GET", notices, nil); !strings.Contains(string(a.body), "https://shop.example/d") || !strings.Contains(string(a.body), s.MchID) {
		t.Errorf("the address: %s", a.body)
	}
	if _, steps, err := w.complaints.Complaint(t.Context(), storetest.Support, c.ID); err != nil || len(steps) != 1 {
		t.Errorf("what was refused left %d steps, %v", len(steps), err)
	}
}

// A request that somebody has overheard and sends again says nothing twice.
func TestAnswersAreNotReplayed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{engine: "sqlite"})
	s, who := w.shop(), w.person()
	_, c := s.complained(who)
	text := must(json.Marshal(map[string]any{"complainted_mchid": s.MchID, "response_content": "您好"}))(t)
	r := s.signAs("POST", "/v3/merchant-service/complaints-v2/"+c.Number+"/response", text, time.Now())
	for range 3 {
		again := r.Clone(t.Context())
		again.Body = must(r.GetBody())(t)
		if a := w.send(again); a.status != http.StatusNoContent || a.header.Get("Wechatpay-Signature") == "" {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	if a := s.signed("POST", "/v3/merchant-service/complaints-v2/"+c.Number+"/response", json.RawMessage(text)); a.status != http.StatusNoContent {
		t.Errorf("the same words once more: %d %s", a.status, a.body)
	}
	if _, steps, err := w.complaints.Complaint(t.Context(), storetest.Support, c.ID); err != nil || len(steps) != 3 {
		t.Errorf("%d steps, %v", len(steps), err)
	}
}

// form is an upload, well but for what is set.
type form struct {
	file, sum, signed string
	backwards, alone  bool
}

// uploads sends a form that is signed by hand.
func (s *shop) uploads(f form) answer {
	t := s.w.t
	t.Helper()
	if f.file == "" {
		f.file = string(dot(t))
	}
	if f.sum == "" {
		sum := sha256.Sum256([]byte(f.file))
		f.sum = hex.EncodeToString(sum[:])
	}
	meta := must(json.Marshal(map[string]string{"filename": "x.png", "sha256": f.sum}))(t)
	if f.signed == "" {
		f.signed = string(meta)
	}
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	parts := []func() error{func() error { return core.CreateFormField(w, "meta", "application/json", meta) },
		func() error { return core.CreateFormFile(w, "x.png", "image/png", []byte(f.file)) }}
	if f.backwards {
		slices.Reverse(parts)
	}
	if f.alone {
		parts = parts[:1]
	}
	for _, part := range parts {
		check(t, part())
	}
	check(t, w.Close())
	r := s.signAs("POST", "/v3/merchant-service/images/upload", []byte(f.signed), time.Now())
	r.Body, r.ContentLength = io.NopCloser(&body), int64(body.Len())
	r.Header.Set("Content-Type", w.FormDataContentType())
	return s.w.send(r)
}

// The official client's upload, and forms that are no picture, or not what was signed.
func TestPicturesOfComplaints(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{engine: "sqlite"})
	s := w.shop()
	ch, _ := s.channel()
	first := must(ch.UploadComplaintImage(t.Context(), "front", "a.png", dot(t)))(t)
	if again := must(ch.UploadComplaintImage(t.Context(), "front", "b.png", dot(t)))(t); again != first {
		t.Errorf("one picture has the names %s and %s", first, again)
	}
	a := s.signed("GET", "/v3/merchant-service/images/"+first, nil)
	if a.status != http.StatusOK || a.header.Get("Content-Type") != "image/png" || !bytes.Equal(a.body, dot(t)) || a.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("downloaded: %d %v", a.status, a.header)
	}
	if base := path.Base(first); len(base) != 64 {
		t.Errorf("its name is %s", base)
	}
	for name, tt := range map[string]struct {
		f      form
		status int
		code   string
	}{
		"as it should be":          {form{}, 200, ""},
		"a page":                   {form{file: "<html>"}, 400, "PARAM_ERROR"},
		"another file than signed": {form{sum: strings.Repeat("0", 64)}, 400, "PARAM_ERROR"},
		"the file first":           {form{backwards: true}, 400, "PARAM_ERROR"},
		"no file":                  {form{alone: true}, 400, "PARAM_ERROR"},
		"too long":                 {form{file: string(append(dot(t), make([]byte, support.PictureMax)...))}, 400, "PARAM_ERROR"},
		"another's signature":      {form{signed: `{"filename":"x.png"}`}, 401, "SIGN_ERROR"},
	} {
		if a := s.uploads(tt.f); a.status != tt.status || tt.code != "" && a.code(t) != tt.code {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

// A receiver that fails gets the news of a complaint again, until it takes it.
func TestNewsOfComplaintsComesAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{engine: "sqlite"})
	s, who := w.shop(), w.person()
	in := newInbox(t, s, false)
	in.refuse = func(n int) bool { return n <= 2 }
	s.signed("POST", "/v3/merchant-service/complaint-notifications", map[string]any{"url": in.server.URL + "/c"}).wantOK(t)
	_, c := s.complained(who)
	s.written(who, c, "在吗")
	eventually(t, "both notifications", func() bool { return len(in.all("COMPLAINT.CREATE")) == 1 && len(in.all("COMPLAINT.STATE_CHANGE")) == 1 })
	first, second := in.all("COMPLAINT.CREATE")[0].content, in.all("COMPLAINT.STATE_CHANGE")[0].content
	if first["complaint_id"] != c.Number || first["action_type"] != "CREATE_COMPLAINT" || second["complaint_id"] != c.Number || second["action_type"] != "USER_RESPONSE" || len(first) != 2 {
		t.Errorf("%v, then %v", first, second)
	}
}
