package wechatv3_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/wechatpay-apiv3/wechatpay-go/utils"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel/wechatpay"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/store/storetest"
	"github.com/mianmi/mianmi/wechat"
)

// channel is mianmi's own channel to WeChat Pay, pointed at the front, and what
// it is told.
func (s *shop) channel() (*wechatpay.Channel, *hints) {
	t := s.w.t
	t.Helper()
	ctx := t.Context()
	p := must(s.w.front.Platform(ctx))(t)
	h := &hints{}
	var receive http.Handler
	told := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { receive.ServeHTTP(w, r) }))
	t.Cleanup(told.Close)
	ch := must(wechatpay.New(ctx, []*wechatpay.Connection{{Name: "front", Merchants: []mianmi.MerchantID{s.Shop.Merchant}, MchID: s.MchID, AppID: s.AppID,
		Serial: s.Serial.Serial, PrivateKey: s.key, APIv3Key: s.APIKey, PublicKeyID: p.KeyID, PublicKey: must(utils.LoadPublicKey(string(p.PublicPEM)))(t),
		Base: must(url.Parse(s.w.server.URL))(t), Notify: must(url.Parse(told.URL))(t)}}, realClock{}))(t)
	receive = must(ch.Notifications(h, slog.New(slog.DiscardHandler)))(t)
	return ch, h
}

// hints are what the channel was told of.
type hints struct {
	mu   sync.Mutex
	list []wechatpay.Hint
}

func (h *hints) Hinted(_ context.Context, one wechatpay.Hint) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = append(h.list, one)
	return nil
}

func (h *hints) of(ref wechatpay.ContractRef) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, one := range h.list {
		if one.Contract == ref {
			n++
		}
	}
	return n
}

func (s *shop) ref(f wechatpay.Family, code string) wechatpay.ContractRef {
	return wechatpay.ContractRef{Merchant: s.Shop.Merchant, Family: f, Service: "12535", Code: code}
}

// form posts the form of a page without a browser.
func (w *world) form(path string, v url.Values) answer {
	w.t.Helper()
	r := must(http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.server.URL+path, strings.NewReader(v.Encode())))(w.t)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return w.page(r)
}

func (w *world) page(r *http.Request) answer {
	w.t.Helper()
	stay := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res := must(stay.Do(r))(w.t) //nolint:bodyclose // closed below
	defer res.Body.Close()       //nolint:errcheck // read whole
	return answer{res.StatusCode, res.Header, must(io.ReadAll(res.Body))(w.t)}
}

func (w *world) look(path string) string {
	w.t.Helper()
	return string(w.page(must(http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.server.URL+path, nil))(w.t)).body)
}

// consent is what a person types at the page.
func (w *world) consent(p storetest.Person) url.Values {
	w.t.Helper()
	person := must(w.node.DB.Person(w.t.Context(), p.ID))(w.t)
	return url.Values{"do": {"sign"}, "phone": {person.Phone}, "password": {storetest.PaymentPassword}, "agree": {"1"}, "limit": {"500"}, "consent": {payer.ConsentText.Version}}
}

func stands(t *testing.T, ch *wechatpay.Channel, ref wechatpay.ContractRef, want wechatpay.ContractState) wechatpay.Contract {
	t.Helper()
	k := ch.QueryContract(t.Context(), ref)
	if k.State != want || k.Fault != "" {
		t.Fatalf("%+v, want state %d", k, want)
	}
	return k
}

// mianmi's own channel signs, queries and ends contracts of both families at
// mianmi's own front; the payer signs at the page, and both sides hear of it.
func TestContractsOfOurOwnChannel(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		engine string
		family wechatpay.Family
	}{{"sqlite", wechatpay.PasswordExempt}, {"postgres", wechatpay.Papay}} {
		t.Run(tt.engine, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, setup{engine: tt.engine})
			s, who, other := w.shop(), w.person(), w.person()
			ch, told := s.channel()
			open := func(code string) (wechatpay.ContractRef, string) {
				ref := s.ref(tt.family, code)
				a := ch.PreSign(t.Context(), wechatpay.SignOrder{ContractRef: ref, Payer: w.front.OpenID(s.AppID, who.ID), Shown: "会员 7", OutUser: "u7"})
				if a.Session == "" || a.Fault != "" || a.URL == "" || !strings.HasPrefix("/"+a.Path, wechat.SignPath) {
					t.Fatalf("pre-sign: %+v", a)
				}
				return ref, "/" + a.Path
			}
			ref, page := open("code1")
			stands(t, ch, ref, wechatpay.ContractOpen)
			if text := w.look(page); !strings.Contains(text, "茶店") || !strings.Contains(text, "会员 7") || !strings.Contains(text, payer.ConsentText.Version) {
				t.Errorf("the page does not say who asks for what:\n%s", text)
			}
			wrong := w.consent(who)
			wrong.Set("password", "000001")
			if a := w.form(page, wrong); a.status != http.StatusUnprocessableEntity || strings.Contains(string(a.body), "000001") {
				t.Errorf("a wrong password: %d\n%s", a.status, a.body)
			}
			if a := w.form(page, w.consent(other)); a.status != http.StatusUnprocessableEntity {
				t.Errorf("another payer than the one who was named: %d", a.status)
			}
			if a := w.form(page, w.consent(who)); a.status != http.StatusSeeOther {
				t.Fatalf("signing: %d\n%s", a.status, a.body)
			}
			if text := w.look(page); !strings.Contains(text, "签约成功") || !strings.Contains(text, "¥500") {
				t.Errorf("the page after the signature:\n%s", text)
			}
			if k := stands(t, ch, ref, wechatpay.ContractSigned); k.Payer != w.front.OpenID(s.AppID, who.ID) || k.ID == "" {
				t.Errorf("signed: %+v", k)
			}
			eventually(t, "news of the signature", func() bool { return told.of(ref) == 1 })
			agreement := must(w.node.Payers.Agreements(t.Context(), who.Actor(), who.ID))(t)[0]
			must(w.node.Payers.CloseAgreement(t.Context(), who.Actor(), who.ID, agreement.ID))(t)
			if k := stands(t, ch, ref, wechatpay.ContractEnded); k.EndedBy != "USER_TERMINATE" || k.EndedAt.IsZero() {
				t.Errorf("ended by the payer: %+v", k)
			}
			eventually(t, "news of the end", func() bool { return told.of(ref) == 2 })
			if again := ch.PreSign(t.Context(), wechatpay.SignOrder{ContractRef: ref, Shown: "会员 7", OutUser: "u7"}); again.Session != "" || again.Fault == "" {
				t.Errorf("a code that was used: %+v", again)
			}

			ref, page = open("code2")
			if k := ch.TerminateContract(t.Context(), ref, "x"); k.State != wechatpay.ContractOpen || k.Fault == "" {
				t.Errorf("ended before it was signed: %+v", k)
			}
			w.form(page, w.consent(who))
			for range 2 {
				if k := ch.TerminateContract(t.Context(), ref, "顾客关闭"); k.State != wechatpay.ContractEnded || k.EndedBy != "MERCHANT_API_TERMINATE" {
					t.Errorf("ended by us: %+v", k)
				}
			}
			if a := must(w.node.Payers.Agreements(t.Context(), who.Actor(), who.ID))(t); len(a) != 1 || a[0].Open {
				t.Errorf("the agreements after it: %+v", a)
			}
			eventually(t, "news of the second end", func() bool { return told.of(ref) == 2 })
			// The first stays ended, though its agreement was open again since.
			if k := stands(t, ch, s.ref(tt.family, "code1"), wechatpay.ContractEnded); k.EndedBy != "USER_TERMINATE" {
				t.Errorf("the first contract: %+v", k)
			}
		})
	}
}

// What the official client's raw calls see: numbers and states in WeChat Pay's
// form, and its errors for what cannot be.
func TestContractsInWeChatPaysForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{engine: "sqlite"})
	s, stranger, who := w.shop(), w.shop(), w.person()
	client := s.client(false)
	const exempt = "https://api.mch.weixin.qq.com/v3/password-exempt-contract/contracts"
	body := map[string]any{"appid": s.AppID, "service_id": 500001, "out_contract_code": "A1", "notify_url": "https://shop.example/n", "contract_display_account": "张*"}
	var signed struct {
		Session string `json:"pre_entrustweb_id"`
		Path    string `json:"sign_mp_path"`
		Service int    `json:"service_id"`
		Code    string `json:"out_contract_code"`
	}
	res := must(client.Post(t.Context(), exempt+"/normal/pre-entrust-sign/pay-redirect-sign", body))(t)
	check(t, json.NewDecoder(res.Response.Body).Decode(&signed))
	if signed.Service != 500001 || signed.Code != "A1" || signed.Session == "" {
		t.Fatalf("pre-signed: %+v", signed)
	}
	// A further session takes the place of the first, which is over then.
	res = must(client.Post(t.Context(), exempt+"/normal/pre-entrust-sign/mini-program", body))(t)
	first := "/" + signed.Path
	check(t, json.NewDecoder(res.Response.Body).Decode(&signed))
	if text := w.look(first); !strings.Contains(text, "页面已失效") {
		t.Errorf("the first page is still there:\n%s", text)
	}
	if a := w.form("/"+signed.Path, w.consent(who)); a.status != http.StatusSeeOther {
		t.Fatalf("signing: %d\n%s", a.status, a.body)
	}
	var view wechat.ContractView
	res = must(client.Get(t.Context(), exempt+"/service-id/500001/out-contract-code/A1"))(t)
	check(t, json.NewDecoder(res.Response.Body).Decode(&view))
	if view.State != "SIGNED" || view.MchID != s.MchID || string(view.Service) != "500001" || view.OpenID != w.front.OpenID(s.AppID, who.ID) || len(view.ID) != 32 {
		t.Errorf("%+v", view)
	}
	const path = "/v3/password-exempt-contract/contracts"
	with := func(changes ...any) map[string]any {
		out := map[string]any{}
		for k, v := range body {
			out[k] = v
		}
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
		"a code that was signed":      {s, "POST", path + "/normal/pre-entrust-sign/mini-program", body, 400, "INVALID_REQUEST"},
		"another appid":               {s, "POST", path + "/normal/pre-entrust-sign/mini-program", with("appid", "wx1"), 400, "APPID_MCHID_NOT_MATCH"},
		"no code":                     {s, "POST", path + "/normal/pre-entrust-sign/mini-program", with("out_contract_code", ""), 400, "PARAM_ERROR"},
		"a service that is no number": {s, "POST", path + "/normal/pre-entrust-sign/mini-program", with("service_id", "x"), 400, "PARAM_ERROR"},
		"no address":                  {s, "POST", path + "/normal/pre-entrust-sign/mini-program", with("notify_url", ""), 400, "PARAM_ERROR"},
		"a card number as a name":     {s, "POST", path + "/normal/pre-entrust-sign/mini-program", with("contract_display_account", "4111111111111111"), 400, "PARAM_ERROR"},
		"papay without a user":        {s, "POST", "/v3/papay/entrust-sign/contracts/pre-entrust-sign", with("plan_id", 1, "contract_notify_url", "https://shop.example/n"), 400, "PARAM_ERROR"},
		"an unknown contract":         {s, "GET", path + "/service-id/500001/out-contract-code/A2", nil, 404, "RESOURCE_NOT_EXISTS"},
		"of another family":           {s, "GET", "/v3/papay/sign/contracts/plan-id/500001/out-contract-code/A1", nil, 404, "RESOURCE_NOT_EXISTS"},
		"of another merchant":         {stranger, "GET", path + "/service-id/500001/out-contract-code/A1", nil, 404, "RESOURCE_NOT_EXISTS"},
		"ended by another merchant":   {stranger, "POST", path + "/service-id/500001/out-contract-code/A1/terminate", map[string]any{"contract_termination_remark": "x"}, 404, "RESOURCE_NOT_EXISTS"},
		"ended without a remark":      {s, "POST", path + "/service-id/500001/out-contract-code/A1/terminate", map[string]any{}, 400, "PARAM_ERROR"},
	} {
		if a := tt.s.signed(tt.method, tt.path, tt.body); a.status != tt.status || a.code(t) != tt.code {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

// A page that was refused is over, tells nobody and leaves the contract as it
// was; a form that another site sends does nothing; and a page takes ten tries.
func TestTheSigningPageIsNobodyElses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{engine: "sqlite"})
	s, who := w.shop(), w.person()
	ch, told := s.channel()
	ref := s.ref(wechatpay.PasswordExempt, "B1")
	open := func() string {
		return "/" + ch.PreSign(t.Context(), wechatpay.SignOrder{ContractRef: ref, Shown: "会员 7"}).Path
	}
	page := open()
	if a := w.form(page, url.Values{"do": {"refuse"}}); a.status != http.StatusSeeOther || !strings.Contains(w.look(a.header.Get("Location")), "没有签约") {
		t.Errorf("refused: %d", a.status)
	}
	if a := w.form(page, w.consent(who)); a.status != http.StatusSeeOther || !strings.Contains(w.look(page), "页面已失效") {
		t.Errorf("signed after it was refused: %d", a.status)
	}
	page = open()
	r := must(http.NewRequestWithContext(t.Context(), http.MethodPost, w.server.URL+page, strings.NewReader(w.consent(who).Encode())))(t)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if a := w.page(r); a.status != http.StatusForbidden {
		t.Errorf("another site's form: %d", a.status)
	}
	unread := w.consent(who)
	unread.Del("agree")
	if a := w.form(page, unread); a.status != http.StatusUnprocessableEntity {
		t.Errorf("without consent: %d", a.status)
	}
	old := w.consent(who)
	old.Set("consent", "consent-2020-01")
	if a := w.form(page, old); a.status != http.StatusUnprocessableEntity || !strings.Contains(string(a.body), "条款已更新") {
		t.Errorf("an old text: %d", a.status)
	}
	for n := range 9 { // and the old text was the first
		guess := w.consent(who)
		guess.Set("phone", fmt.Sprintf("+8613700%06d", n))
		if a := w.form(page, guess); a.status != http.StatusUnprocessableEntity {
			t.Errorf("guess %d: %d", n, a.status)
		}
	}
	w.form(page, w.consent(who))
	if stands(t, ch, ref, wechatpay.ContractOpen); told.of(ref) != 0 {
		t.Error("somebody was told of a contract that nobody has signed")
	}
	h := w.page(must(http.NewRequestWithContext(t.Context(), http.MethodGet, w.server.URL+page, nil))(t)).header
	if csp := h.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "script") || h.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("the page's headers: %v", h)
	}
}

// A merchant charges under a contract with the official client's raw calls: what
// passes PIN-free is SUCCESS, what does not waits for the payer's password, what
// is given up is PAYERROR; each is told to the address of the charge.
func TestChargesUnderAContract(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, setup{engine: engine})
			s, who := w.shop(), w.person()
			in := newInbox(t, s, false)
			ch, _ := s.channel()
			ref := s.ref(wechatpay.Papay, "P1")
			w.form("/"+ch.PreSign(t.Context(), wechatpay.SignOrder{ContractRef: ref, Shown: "会员 7", OutUser: "u7"}).Path, w.consent(who))
			id := stands(t, ch, ref, wechatpay.ContractSigned).ID
			client := s.client(false)
			body := func(no string, total int64) map[string]any {
				return map[string]any{"appid": s.AppID, "out_trade_no": no, "description": "会员月费", "transaction_notify_url": in.server.URL + "/paid",
					"contract_id": id, "amount": map[string]any{"total": total, "currency": "CNY"}}
			}
			apply := func(total int64) string {
				no := s.order()
				for range 2 { // a repeat is the same charge
					res := must(client.Post(t.Context(), "https://api.mch.weixin.qq.com/v3/papay/pay/transactions/apply", body(no, total)))(t)
					check(t, res.Response.Body.Close())
				}
				return no
			}
			small, large, left := apply(30_00), apply(501_00), apply(502_00)
			if got := s.query(small).transaction(t); got.TradeState != "SUCCESS" || got.TradeType != "PAP" || got.Payer.OpenID != w.front.OpenID(s.AppID, who.ID) {
				t.Errorf("a small charge: %+v", got)
			}
			in.wait("TRANSACTION.SUCCESS", small)
			waiting := must(w.node.Payments.StepUps(t.Context(), who.Actor(), who.ID))(t)
			if s.state(large) != "USERPAYING" || s.state(left) != "USERPAYING" || len(waiting) != 2 {
				t.Fatalf("charges above the limit are %s and %s, %d wait", s.state(large), s.state(left), len(waiting))
			}
			for _, p := range waiting {
				if p.OrderNo == large {
					must(w.node.Payments.Confirm(t.Context(), who.Actor(), p.ID, storetest.PaymentPassword))(t)
				} else {
					must(w.node.Payments.Cancel(t.Context(), who.Actor(), p.ID))(t)
				}
			}
			in.wait("TRANSACTION.SUCCESS", large)
			if told := in.wait("TRANSACTION.FAIL", left); told["trade_state"] != "PAYERROR" || s.state(left) != "PAYERROR" || s.state(large) != "SUCCESS" {
				t.Errorf("after the payer's answers: %v, %s, %s", told, s.state(left), s.state(large))
			}
			ch.TerminateContract(t.Context(), ref, "x")
			for name, tt := range map[string]struct {
				body   map[string]any
				status int
				code   string
			}{
				"a contract that has ended":  {body(s.order(), 1), 400, "INVALID_REQUEST"},
				"another amount":             {body(small, 31_00), 403, "OUT_TRADE_NO_USED"},
				"a contract that is none":    {map[string]any{"appid": s.AppID, "out_trade_no": "x1", "description": "x", "transaction_notify_url": "https://shop.example/n", "contract_id": "1", "amount": map[string]any{"total": 1}}, 404, "RESOURCE_NOT_EXISTS"},
				"no address for the outcome": {map[string]any{"appid": s.AppID, "out_trade_no": "x2", "description": "x", "contract_id": id, "amount": map[string]any{"total": 1}}, 400, "PARAM_ERROR"},
			} {
				if a := s.signed("POST", "/v3/papay/pay/transactions/apply", tt.body); a.status != tt.status || a.code(t) != tt.code {
					t.Errorf("%s: %d %s", name, a.status, a.body)
				}
			}
		})
	}
}
