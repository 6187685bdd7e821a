package wechatpay_test

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/channel/wechatpay"
	"github.com/mianmi/mianmi/channel/wechatpay/wechatpaytest"
)

// hostile is whoever stands between us and WeChat Pay and can do all but sign.
type hostile struct {
	next http.Handler
	pick func(n int) int // the next misdeed, of n

	mu   sync.Mutex
	kept []*httptest.ResponseRecorder // genuine answers, to repeat
}

// forged are answers that nobody signed, as WeChat Pay words them.
var forged = []struct {
	status int
	body   string
}{
	{http.StatusBadRequest, `{"code":"ORDER_CLOSED","message":"订单已关闭"}`},
	{http.StatusNotFound, `{"code":"ORDER_NOT_EXIST","message":"订单不存在"}`},
	{http.StatusForbidden, `{"code":"NOTENOUGH","message":"余额不足"}`},
	{http.StatusInternalServerError, `{"code":"SYSTEM_ERROR"}`},
	{http.StatusBadGateway, `<html>`},
	{http.StatusOK, `{"trade_state":"SUCCESS","out_trade_no":"%s","mchid":"1900000109","transaction_id":"1","amount":{"total":1250,"currency":"CNY"}}`},
	{http.StatusOK, `{"trade_state":"REVOKED","out_trade_no":"%s","mchid":"1900000109"}`},
	{http.StatusNoContent, ``},
	{http.StatusFound, ``},
}

func (h *hostile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch misdeed := h.pick(8); misdeed {
	case 0: // never arrives
		panic(http.ErrAbortHandler)
	case 1: // arrives, and the answer is forged
		h.ask(r)
		h.forge(w, r)
	case 2: // forged without asking
		h.forge(w, r)
	case 3: // the answer is lost
		h.ask(r)
		panic(http.ErrAbortHandler)
	case 4: // the answer is cut off
		got := h.ask(r)
		h.send(w, got, got.Body.Bytes()[:got.Body.Len()/2])
	case 5: // an amount, a state or a number is changed
		got := h.ask(r)
		changed := strings.NewReplacer("1250", "1", "SUCCESS", "REVOKED", "NOTPAY", "CLOSED", "USERPAYING", "SUCCESS").Replace(got.Body.String())
		h.send(w, got, []byte(changed))
	case 6: // a genuine answer to something else
		h.ask(r)
		h.repeat(w)
	default:
		got := h.ask(r)
		h.send(w, got, got.Body.Bytes())
	}
}

func (h *hostile) ask(r *http.Request) *httptest.ResponseRecorder {
	got := httptest.NewRecorder()
	h.next.ServeHTTP(got, r)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.kept = append(h.kept, got)
	return got
}

func (h *hostile) repeat(w http.ResponseWriter) {
	h.mu.Lock()
	got := h.kept[h.pick(len(h.kept))]
	h.mu.Unlock()
	h.send(w, got, got.Body.Bytes())
}

func (h *hostile) forge(w http.ResponseWriter, r *http.Request) {
	f := forged[h.pick(len(forged))]
	number, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v3/pay/transactions/out-trade-no/"), "/")
	w.Header().Set("Wechatpay-Serial", wechatpaytest.PublicKeyID)
	w.Header().Set("Wechatpay-Nonce", "x")
	w.Header().Set("Wechatpay-Signature", "eA==")
	w.Header().Set("Location", "http://127.0.0.1:1/")
	w.WriteHeader(f.status)
	if f.body != "" {
		_, _ = fmt.Fprint(w, strings.ReplaceAll(f.body, "%s", number))
	}
}

func (h *hostile) send(w http.ResponseWriter, got *httptest.ResponseRecorder, body []byte) {
	for name, v := range got.Header() {
		w.Header()[name] = v
	}
	w.WriteHeader(got.Code)
	_, _ = w.Write(body)
}

// truth fails when a final standing is not what WeChat Pay has.
func truth(t interface{ Fatalf(string, ...any) }, what string, a channel.Answer, at wechatpaytest.Order) {
	switch a.Standing {
	case channel.Paid:
		if at.Charged != 1 || a.Amount.Minor() != at.Total || a.Transaction != at.Transaction {
			t.Fatalf("%s: paid %+v, and WeChat Pay has %+v", what, a, at)
		}
	case channel.Unpaid:
		if at.Charged != 0 || at.State != "CLOSED" && at.State != "REVOKED" && at.State != "PAYERROR" {
			t.Fatalf("%s: unpaid, and WeChat Pay has %+v", what, at)
		}
	case channel.GivenBack:
		if at.Back != at.Total {
			t.Fatalf("%s: given back, and WeChat Pay has %+v", what, at)
		}
	case channel.Waiting, channel.Unclear:
	}
	if at.Charged > 1 {
		t.Fatalf("%s: charged %d times", what, at.Charged)
	}
}

// TestMain has few sequences tried, always the same ones, unless all are wanted.
func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv("MIANMI_TEST_FULL") == "" {
		for name, v := range map[string]string{"rapid.checks": "20", "rapid.seed": "1", "rapid.nofailfile": "true"} {
			if err := flag.Set(name, v); err != nil {
				panic(err)
			}
		}
	}
	os.Exit(m.Run())
}

// Whoever forges, drops, cuts, changes and repeats between us and WeChat Pay
// makes no final standing that is not true, and nothing is charged twice.
func TestHostileProxy(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		seed := rapid.Uint64().Draw(r, "seed")
		chance := rand.New(rand.NewPCG(seed, 1))
		var mu sync.Mutex
		h := &hostile{pick: func(n int) int { mu.Lock(); defer mu.Unlock(); return chance.IntN(n) }}
		s := wechatpaytest.Start(t, func(next http.Handler) http.Handler { h.next = next; return h })
		ch := open(t, connection(t, s.URL))
		orders := []channel.Order{order(t, 1, channel.ByCode), order(t, 2, channel.ByCode), order(t, 3, channel.ByQR)}
		codes := []string{wechatpaytest.CodePaid, wechatpaytest.CodePassword, ""}
		for step := range rapid.IntRange(3, 12).Draw(r, "steps") {
			i := rapid.IntRange(0, 2).Draw(r, "order")
			o, number := orders[i], string(orders[i].Payment)
			var a channel.Answer
			what := rapid.SampledFrom([]string{"begin", "query", "undo", "confirm", "stop"}).Draw(r, "what")
			switch {
			case what == "begin" && o.Way == channel.ByQR:
				a = ch.Prepay(t.Context(), o)
				if a.QR != "" && a.QR != "weixin://wxpay/bizpayurl?pr="+fmt.Sprintf("%x", number) {
					r.Fatalf("the QR code of another order: %s", a.QR)
				}
			case what == "begin":
				a = ch.Charge(t.Context(), o, codes[i])
			case what == "query":
				a = ch.Query(t.Context(), o.Ref)
			case what == "undo":
				a = ch.Undo(t.Context(), o.Ref)
			case what == "confirm":
				s.Confirm(number)
			case what == "stop" && o.Way == channel.ByCode:
				s.Stop(number)
			}
			truth(r, fmt.Sprintf("step %d, %s of order %d", step, what, i), a, s.Order(number))
		}
	})
}

// Each misdeed by itself ends in "not clear", with a line that says what it was.
func TestWhatProvesNothing(t *testing.T) {
	t.Parallel()
	o, other := order(t, 1, channel.ByCode), order(t, 2, channel.ByCode)
	genuine := func(o channel.Order) string {
		return `{"trade_state":"SUCCESS","out_trade_no":"` + string(o.Payment) + `","mchid":"1900000109","transaction_id":"1","amount":{"total":1250,"currency":"CNY"}}`
	}
	for _, tt := range []struct {
		name, body string
		serial     string
		shift      time.Duration
		spoil      func(http.Header)
		want       string // in the line for the log; empty: believed
	}{
		{name: "as it should be", body: genuine(o)},
		{name: "another order", body: genuine(other), want: "ALARM"},
		{name: "another account", body: strings.Replace(genuine(o), "1900000109", "1900000199", 1), want: "ALARM"},
		{name: "another amount", body: strings.Replace(genuine(o), "1250", "1249", 1), want: "ALARM"},
		{name: "another currency", body: strings.Replace(genuine(o), "CNY", "HKD", 1), want: "ALARM"},
		{name: "no amount", body: strings.Replace(genuine(o), "1250", "0", 1), want: "cannot be read"},
		{name: "an amount with a fraction", body: strings.Replace(genuine(o), "1250", "1250.5", 1), want: "cannot be read"},
		{name: "no transaction", body: strings.Replace(genuine(o), `"transaction_id":"1"`, `"transaction_id":""`, 1), want: "cannot be read"},
		{name: "a state that nobody knows", body: strings.Replace(genuine(o), "SUCCESS", "PAID", 1), want: "cannot be read"},
		{name: "no body", want: "cannot be read"},
		{name: "no JSON", body: "<html>", want: "cannot be read"},
		{name: "a key that nobody knows", body: genuine(o), serial: "5E00", want: "not from WeChat Pay"},
		{name: "no signature", body: genuine(o), spoil: func(h http.Header) { h.Del("Wechatpay-Signature") }, want: "not from WeChat Pay"},
		{name: "a time that is none", body: genuine(o), spoil: func(h http.Header) { h.Set("Wechatpay-Timestamp", "now") }, want: "not from WeChat Pay"},
		{name: "an hour ahead", body: genuine(o), shift: time.Hour, want: "clocks apart"},
		{name: "an hour old", body: genuine(o), shift: -time.Hour, want: "clocks apart"},
		{name: "too long", body: genuine(o) + strings.Repeat(" ", 1<<20), want: "no answer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			signer := wechatpaytest.Start(t, nil)
			signer.Shift(tt.shift)
			at := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for name, v := range signer.Sign(wechatpaytest.PublicKeyID, []byte(tt.body)) {
					w.Header()[name] = v
				}
				if tt.serial != "" {
					w.Header().Set("Wechatpay-Serial", tt.serial)
				}
				if tt.spoil != nil {
					tt.spoil(w.Header())
				}
				_, _ = io.WriteString(w, tt.body)
			}))
			t.Cleanup(at.Close)
			a := open(t, connection(t, at.URL)).Charge(t.Context(), o, wechatpaytest.CodePaid)
			if tt.want == "" {
				stands(t, "believed", a, channel.Paid)
				return
			}
			if a.Standing != channel.Unclear || !strings.Contains(a.Fault, tt.want) || strings.Contains(a.Fault, wechatpaytest.CodePaid) {
				t.Errorf("%+v, want %q in the line", a, tt.want)
			}
		})
	}
}

// A query that is refused says nothing about the payment: WeChat Pay has refused
// queries of payments that were paid two minutes later.
func TestQueryThatIsRefused(t *testing.T) {
	t.Parallel()
	s := wechatpaytest.Start(t, between(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"code":"PARAM_ERROR","message":"微信订单号非法"}`)
	}))
	ref := order(t, 1, channel.ByCode).Ref
	ref.Transaction = "4200000000"
	if a := open(t, connection(t, s.URL)).Query(t.Context(), ref); a.Standing != channel.Unclear || a.Failure != channel.NoFailure || !strings.Contains(a.Fault, "PARAM_ERROR") {
		t.Errorf("%+v", a)
	}
}

// A signed answer to a refund over another amount, or to another refund, is
// not believed.
func TestRefundAnswersAreCompared(t *testing.T) {
	t.Parallel()
	s := wechatpaytest.Start(t, nil)
	ch := open(t, connection(t, s.URL))
	o := order(t, 1, channel.ByCode)
	ch.Charge(t.Context(), o, wechatpaytest.CodePaid)
	ch.Refund(t.Context(), refundOf(o, 500))
	if a := ch.QueryRefund(t.Context(), refundOf(o, 501)); a.Standing != channel.Unclear || !strings.Contains(a.Fault, "ALARM") {
		t.Errorf("another amount: %+v", a)
	}
	for status, want := range map[string]channel.Standing{"ABNORMAL": channel.Waiting, "CLOSED": channel.Unpaid, "WHO KNOWS": channel.Unclear} {
		s.EndRefund(string(refundOf(o, 500).Refund), status)
		if a := ch.QueryRefund(t.Context(), refundOf(o, 500)); a.Standing != want {
			t.Errorf("%s: %+v", status, a)
		}
	}
	if a := ch.Refund(t.Context(), refundOf(order(t, 9, channel.ByCode), 500)); a.Standing != channel.Unclear {
		t.Errorf("a refund of nothing: %+v", a)
	}
}

// The second address is asked when the first is not there, and after a lost
// answer only where asking twice does no harm: a charge is sent once.
func TestSecondAddress(t *testing.T) {
	t.Parallel()
	s := wechatpaytest.Start(t, nil)
	lost := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		s.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(lost.Close)
	second := func(first string) *wechatpay.Channel {
		c := connection(t, first)
		c.Second, _ = url.Parse(s.URL)
		return open(t, c)
	}
	o := order(t, 1, channel.ByCode)
	stands(t, "a charge whose answer is lost", second(lost.URL).Charge(t.Context(), o, wechatpaytest.CodePaid), channel.Unclear)
	if n := s.Calls("POST codepay"); n != 1 {
		t.Errorf("the charge was sent %d times", n)
	}
	stands(t, "its query", second(lost.URL).Query(t.Context(), o.Ref), channel.Paid)
	stands(t, "its reversal", second(lost.URL).Undo(t.Context(), o.Ref), channel.GivenBack)
	stands(t, "a charge when nobody is there", second("http://127.0.0.1:1").Charge(t.Context(), order(t, 2, channel.ByCode), wechatpaytest.CodePaid), channel.Paid)
}

// Certificates that cannot be had leave every answer unclear, and do not end
// the program; once they can, answers are believed.
func TestCertificatesThatAreMissing(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"an empty list": `{"data":[]}`, "an empty certificate": `{"data":[{}]}`, "none at all": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := wechatpaytest.Start(t, between(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if r.URL.Path != "/v3/certificates" {
					next.ServeHTTP(w, r)
					return
				}
				if body == "" {
					w.WriteHeader(http.StatusNotFound)
				}
				_, _ = io.WriteString(w, body)
			}))
			c := connection(t, s.URL)
			forms[1].set(c)
			o := order(t, 1, channel.ByCode)
			a := open(t, c).Charge(t.Context(), o, wechatpaytest.CodePaid)
			stands(t, "without certificates", a, channel.Unclear)
			if s.Order(string(o.Payment)).Charged != 0 {
				t.Error("charged although no answer could be believed")
			}
		})
	}
}
