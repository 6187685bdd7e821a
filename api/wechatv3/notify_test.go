package wechatv3_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/wechatpay-apiv3/wechatpay-go/utils"

	"github.com/mianmi/mianmi/store/storetest"
)

// open opens a Native order and pays it.
func (s *shop) paidNative(who storetest.Person, to string) string {
	t := s.w.t
	t.Helper()
	no := s.order()
	a := s.signed("POST", "/v3/pay/transactions/native", map[string]any{"appid": s.AppID, "mchid": s.MchID, "description": "奶茶", "out_trade_no": no,
		"notify_url": to, "amount": map[string]any{"total": 1_00}})
	a.wantOK(t)
	token := strings.Split(strings.Split(string(a.body), "mianmi:")[1], `"`)[0]
	must(s.w.node.Payments.PayQR(t.Context(), who.Actor(), token, storetest.PaymentPassword))(t)
	return no
}

// A notification that is refused comes again with the same identifier until it
// is taken; then no more.
func TestNotificationsComeAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{engine: "sqlite"})
	s, who := w.shop(), w.person()
	in := newInbox(t, s, false)
	in.refuse = func(n int) bool { return n <= 2 }
	first := s.paidNative(who, in.server.URL+"/notify")
	in.wait("TRANSACTION.SUCCESS", first)
	second := s.paidNative(who, in.server.URL+"/notify")
	in.wait("TRANSACTION.SUCCESS", second)
	if in.count != 4 || len(in.all("TRANSACTION.SUCCESS")) != 2 {
		t.Errorf("%d requests and %d notifications, want 4 and 2", in.count, len(in.all("TRANSACTION.SUCCESS")))
	}
}

// The check of keys and network: what was said comes back, encrypted to the
// merchant, in the answer and in a notification.
func TestEcho(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{engine: "sqlite"})
	s := w.shop()
	in := newInbox(t, s, false)
	p := must(w.front.Platform(t.Context()))(t)
	public := must(utils.LoadPublicKey(string(p.PublicPEM)))(t)
	sealed := must(utils.EncryptOAEPWithPublicKey("私密", public))(t)
	a := s.signed("POST", "/v3/security/echo", map[string]string{"notify_url": in.server.URL + "/echo", "echo_message": "hello", "encrypted_echo_message": sealed})
	a.wantOK(t)
	var got []received
	eventually(t, "an echo", func() bool { got = in.all("SECURITY_ECHO.SUCCESS"); return len(got) > 0 })
	back, _ := got[0].content["encrypt_echo_message"].(string)
	if text := must(utils.DecryptOAEP(back, s.key))(t); text != "私密" || got[0].content["echo_message"] != "hello" || !strings.Contains(string(a.body), back) {
		t.Errorf("the echo is %v and %s", got[0].content, a.body)
	}
	for _, url := range []string{"http://10.0.0.1/n", "ftp://example.com/", "https://user:pass@example.com/", "https://example.com/?a=1"} {
		if a := s.signed("POST", "/v3/security/echo", map[string]string{"notify_url": url, "echo_message": "x"}); a.status != http.StatusBadRequest {
			t.Errorf("an echo to %s: %d %s", url, a.status, a.body)
		}
	}
}

// In test mode a request may ask for faults; without it the header does nothing.
func TestFaultsOnDemand(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{engine: "sqlite", test: true})
	s, who := w.shop(), w.person()
	if !strings.Contains(w.logged.String(), "TEST MODE") {
		t.Error("test mode is not told of")
	}
	in := newInbox(t, s, false)
	with := func(fault string) string {
		if s.headers.Del("Mianmi-Test-Fault"); fault != "" {
			s.headers.Set("Mianmi-Test-Fault", fault)
		}
		no := s.paidNative(who, in.server.URL+"/notify")
		s.headers.Del("Mianmi-Test-Fault")
		return no
	}
	count := func(no string) (n int) {
		for _, r := range in.all("TRANSACTION.SUCCESS") {
			if r.content["out_trade_no"] == no {
				n++
			}
		}
		return n
	}
	lost, late, twice := with("notify-lost"), with("notify-late"), with("notify-twice")
	in.wait("TRANSACTION.SUCCESS", late)
	eventually(t, "a doubled notification", func() bool { return count(twice) == 2 })
	bad := func() int {
		in.mu.Lock()
		defer in.mu.Unlock()
		return len(in.bad)
	}
	for _, fault := range []string{"notify-other-key", "notify-clock-skew"} {
		before, no := bad(), ""
		no = with(fault)
		eventually(t, fault, func() bool { return bad() > before })
		if count(no) != 0 {
			t.Errorf("%s was taken for good", fault)
		}
	}
	in.wait("TRANSACTION.SUCCESS", with(""))
	if n := count(lost); n != 0 {
		t.Errorf("a lost notification came %d times", n)
	}
	s.headers.Set("Mianmi-Test-Fault", "forged-4xx")
	if a := s.query(late); a.status != http.StatusBadRequest || a.code(t) != "ORDER_CLOSED" {
		t.Errorf("a forged error: %d %s", a.status, a.body)
	}
	s.headers.Set("Mianmi-Test-Fault", "other-key")
	if a := s.query(late); !strings.HasPrefix(a.header.Get("Wechatpay-Serial"), "4") && len(a.header.Get("Wechatpay-Serial")) != 40 {
		t.Errorf("the other key is %s", a.header.Get("Wechatpay-Serial"))
	}
	real := newWorld(t, setup{engine: "sqlite"})
	r := real.shop()
	r.headers.Set("Mianmi-Test-Fault", "forged-4xx")
	r.signed("POST", "/v3/security/echo", map[string]string{"echo_message": "x"}).wantOK(t)
}
