package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/channel/wechatpay"
	"github.com/mianmi/mianmi/channel/wechatpay/wechatpaytest"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/store"
)

// The server takes payments through WeChat Pay: a code at once, a QR code as
// soon as WeChat Pay notifies of it; it refuses a notification that WeChat Pay
// did not sign, and logs no key, no code and nobody who paid.
func TestServeTakesWeChatPay(t *testing.T) {
	t.Parallel()
	s, srv := newShop(t)
	srv.stop()
	wechat := wechatpaytest.Start(t, nil)
	file := s.wechatFile(t, wechat.URL)
	text, err := os.ReadFile(file)
	if err == nil {
		changed := strings.Replace(string(text), "mc0000000000000000000000shop", string(s.merchant), 1) + "    unknown_payers: own_rules\n"
		err = os.WriteFile(file, []byte(changed), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if r := s.run(t, "serve", "--listen=127.0.0.1:0", "--wechatpay="+file, "--payment-code-prefix=13"); r.code == exitOK || !strings.Contains(r.stderr, "--payment-code-prefix") {
		t.Errorf("codes of its own that look like WeChat Pay's: %d, %s", r.code, r.stderr)
	}
	srv = s.serve(t, "--wechatpay="+file, "--payment-code-prefix=77")
	own := must(srv.As(s.wallet).IssueCode(t.Context(), s.payers[0]))(t).Code
	pos := srv.As(s.pos)
	ask := func(minor int64, code string) client.Payment {
		t.Helper()
		s.orders++
		return must(pos.Authorize(t.Context(), client.Authorization{Terminal: s.terminal, OrderNo: fmt.Sprintf("shop%06d", s.orders), Amount: money.Of(minor, "CNY"),
			Method: "payment_code", Code: code, Entry: "scanned"}))(t)
	}
	is := func(p client.Payment, state string) func() bool {
		return func() bool { return must(pos.Payment(t.Context(), p.ID))(t).State == state }
	}
	if p := ask(1_00, own); !strings.HasPrefix(own, "77") || p.State != "approved" {
		t.Errorf("a code of our own: %+v", p)
	}
	paid := ask(1_00, wechatpaytest.CodePaid)
	eventually(t, "a payment by code is approved", is(paid, "approved"))
	if got := wechat.Order(string(paid.ID)); got.Charged != 1 || got.Total != 1_00 {
		t.Errorf("at WeChat Pay: %+v", got)
	}

	// More than passes without a password: the code is not charged, a QR code is
	// shown in its place.
	shown := ask(1_500_00, wechatpaytest.CodeFails)
	if shown.Outcome != "step_up" {
		t.Fatalf("%+v", shown)
	}
	eventually(t, "WeChat Pay has the order", func() bool { return wechat.Order(string(shown.ID)).State == "NOTPAY" })
	wechat.Confirm(string(shown.ID))
	body := wechatpaytest.Notification("TRANSACTION.SUCCESS", map[string]any{"mchid": wechatpaytest.MchID, "out_trade_no": string(shown.ID)})
	if got := notify(t, srv, body, wechat.Sign(wechatpaytest.PublicKeyID, append(body, ' '))); got != http.StatusUnauthorized {
		t.Errorf("a forged notification is answered %d", got)
	}
	if got := notify(t, srv, body, wechat.Sign(wechatpaytest.PublicKeyID, body)); got != http.StatusNoContent {
		t.Errorf("a notification is answered %d", got)
	}
	eventually(t, "a payment by QR code is approved", is(shown, "approved"))

	copied := filepath.Join(s.dir, "before.db")
	if got := s.run(t, "backup", copied); got.code != exitOK {
		t.Fatal(got.stderr)
	}
	lost := qrCodesOfWeChatPay(t, s, srv, wechat)
	for _, secret := range []string{wechatpaytest.APIv3Key, wechatpaytest.CodePaid, wechatpaytest.OpenID, "WECHATPAY2-"} {
		if strings.Contains(srv.log(), secret) {
			t.Errorf("the log shows %q", secret)
		}
	}
	srv.stop()
	restoreNames(t, s, copied, lost, paid)
}

// restoreNames: a restore names what WeChat Pay has and the copy has not. That
// the merchant is connected is recorded.
func restoreNames(t *testing.T, s *shop, copied string, lost []client.Payment, kept client.Payment) {
	refused := s.run(t, "restore", "--from", copied)
	for _, p := range lost {
		if refused.code == exitOK || !strings.Contains(refused.stderr, "wechatpay: payment "+string(p.ID)+", ¥2.00") {
			t.Errorf("%s is not named: %d\n%s", p.ID, refused.code, refused.stderr)
		}
	}
	if strings.Contains(refused.stderr, "payment "+string(kept.ID)) {
		t.Errorf("one that the copy has is named:\n%s", refused.stderr)
	}
	s.inside(t, func(_ *app, db *store.DB) {
		if snap := must(db.Settings(t.Context()))(t); !snap.Connected(s.merchant, wechatpay.Name) {
			t.Error("that the merchant is connected is not recorded")
		}
	})
}

// qrCodesOfWeChatPay: a till that asks for WeChat Pay's QR code gets it, and the
// payment is approved with WeChat Pay's notification as without; a question what
// such a payment would meet is answered without WeChat Pay.
func qrCodesOfWeChatPay(t *testing.T, s *shop, srv *server, wechat *wechatpaytest.Server) []client.Payment {
	pos, native := srv.As(s.pos), "POST native"
	before := wechat.Calls(native)
	dry := must(srv.As(s.wallet).DryRun(t.Context(), client.Question{Terminal: s.terminal, Amount: money.Of(2_00, "CNY"), Method: "dynamic_qr",
		Channel: wechatpay.Name}))(t)
	if dry.Outcome != "step_up" || !slices.Equal(dry.Methods, []string{"dynamic_qr"}) || wechat.Calls(native) != before {
		t.Errorf("a dry run says %+v, and WeChat Pay heard of %d more", dry, wechat.Calls(native)-before)
	}
	var list []client.Payment
	for i := range 2 {
		p := must(pos.Authorize(t.Context(), client.Authorization{Terminal: s.terminal, OrderNo: fmt.Sprint("direct", i), Amount: money.Of(2_00, "CNY"),
			Method: "dynamic_qr", Channel: wechatpay.Name}))(t)
		eventually(t, "the till has a QR code to show", func() bool {
			p = must(pos.Payment(t.Context(), p.ID))(t)
			return p.State == "step_up_required" && p.StepUp != nil && strings.HasPrefix(p.StepUp.QR, "weixin://")
		})
		wechat.Confirm(string(p.ID))
		list = append(list, p)
	}
	body := wechatpaytest.Notification("TRANSACTION.SUCCESS", map[string]any{"mchid": wechatpaytest.MchID, "out_trade_no": string(list[0].ID)})
	if got := notify(t, srv, body, wechat.Sign(wechatpaytest.PublicKeyID, body)); got != http.StatusNoContent {
		t.Errorf("a notification is answered %d", got)
	}
	for _, p := range list {
		eventually(t, "a QR code that was paid is approved", func() bool {
			p = must(pos.Payment(t.Context(), p.ID))(t)
			return p.State == "approved"
		})
		if got := wechat.Order(string(p.ID)); got.Total != 2_00 || got.State != "SUCCESS" || p.Channel == nil || p.Channel.Name != wechatpay.Name {
			t.Errorf("%+v, at WeChat Pay %+v", p, got)
		}
	}
	return list
}

// notify sends a notification as WeChat Pay does.
func notify(t *testing.T, srv *server, body []byte, signed http.Header) int {
	t.Helper()
	return notifyAt(t, srv, "transaction", body, signed)
}

func notifyAt(t *testing.T, srv *server, kind string, body []byte, signed http.Header) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.address+"/v3-notify/shop/"+kind, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = signed
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := got.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return got.StatusCode
}
