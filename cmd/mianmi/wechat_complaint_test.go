package main

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/wechatpay-apiv3/wechatpay-go/core"

	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/money"
)

// A payer of the wallet complains at the server; the merchant's software, which
// is the official client, is told, reads and answers; the payer reads that,
// writes back and says that it is settled. A kill between loses nothing.
func TestServeTakesComplaintsOfItsPayers(t *testing.T) {
	t.Parallel()
	s, first := newShop(t)
	first.stop()
	c := s.handOut(t)
	in := newMailbox(t, c, 0)
	start := func() *server { return s.serve(t, "--webhook-allow=127.0.0.0/8") }
	srv, who := start(), s.payers[0]
	ask := func(method, path string, body any) (out map[string]any, err error) {
		t.Helper()
		res, err := officialClient(t, c, srv).Request(t.Context(), method, "https://api.mch.weixin.qq.com/v3/merchant-service/"+path, nil, nil, body, "application/json")
		if err != nil {
			return nil, err
		}
		defer res.Response.Body.Close() //nolint:errcheck // read whole
		if res.Response.StatusCode == http.StatusNoContent {
			return nil, nil //nolint:nilnil // it says nothing
		}
		return out, json.Unmarshal(must(io.ReadAll(res.Response.Body))(t), &out)
	}
	must(ask(http.MethodPost, "complaint-notifications", map[string]any{"url": in.URL}))(t)
	code := must(srv.As(s.wallet).IssueCode(t.Context(), who))(t).Code
	paid := must(srv.As(s.pos).Authorize(t.Context(), client.Authorization{Terminal: s.terminal, OrderNo: "complained", Amount: money.Of(12_50, "CNY"),
		Method: "payment_code", Code: code, Entry: "scanned"}))(t)
	token := must(srv.LoginPayer(t.Context(), "+8613800000000", shopPassword))(t).Token
	asked := money.Of(3_00, "CNY")
	complaint := client.NewPayerComplaint{Key: "k1", Payment: paid.ID, Problem: "refund", Text: "扣了两次", Asked: &asked}
	made := must(srv.As(token).Complain(t.Context(), who, complaint))(t)
	srv.kill()
	srv = start()
	if again := must(srv.As(token).Complain(t.Context(), who, complaint))(t); again.ID != made.ID || again.State != "pending" {
		t.Errorf("a repeat after the kill: %+v", again)
	}
	one := "complaints-v2/" + made.Number
	sees := func(state string, waiting bool) {
		t.Helper()
		if v := must(ask(http.MethodGet, one, nil))(t); v["complaint_state"] != state || v["incoming_user_response"] != waiting || v["complaint_detail"] != "扣了两次" {
			t.Errorf("the merchant's software sees %v, want %s %v", v, state, waiting)
		}
	}
	sees("PENDING", true)
	answer := map[string]any{"complainted_mchid": c.mchid, "response_content": "正在核实"}
	must(ask(http.MethodPost, one+"/response", answer))(t)
	have := must(srv.As(token).PayerComplaint(t.Context(), who, made.ID))(t)
	if have.State != "processing" || have.Waiting || len(have.Steps) != 2 || have.Steps[1].Text != "正在核实" {
		t.Errorf("the payer sees %+v", have)
	}
	must(srv.As(token).WriteToComplaint(t.Context(), who, made.ID, client.NewComplaintMessage{Key: "m1", Kind: "reply", Text: "还没到账"}))(t)
	sees("PROCESSING", true)
	must(srv.As(token).WriteToComplaint(t.Context(), who, made.ID, client.NewComplaintMessage{Key: "m2", Kind: "resolved"}))(t)
	sees("PROCESSED", false)
	if _, err := ask(http.MethodPost, one+"/response", answer); !core.IsAPIError(err, "INVALID_REQUEST") {
		t.Errorf("an answer after the end: %v", err)
	}
	eventually(t, "news of each step", func() bool { return in.taken() == 4 })
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, fact := range []string{"COMPLAINT.CREATE CREATE_COMPLAINT", "COMPLAINT.STATE_CHANGE MERCHANT_RESPONSE", "COMPLAINT.STATE_CHANGE USER_RESPONSE",
		"COMPLAINT.STATE_CHANGE USER_COMFIRM_COMPLAINT"} { // sic
		if len(in.facts[fact]) != 1 {
			t.Errorf("%s has the identifiers %v, want one", fact, in.facts[fact])
		}
	}
	if len(in.bad) > 0 {
		t.Errorf("%d did not open, the first: %v", len(in.bad), in.bad[0])
	}
}
