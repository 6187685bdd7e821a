package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/channel/wechatpay/wechatpaytest"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
)

// Once a member has paid by name, WeChat Pay's word whose a code is suffices: the
// payment is the member's, and the member's switch holds for it. Without WeChat Pay's
// word nothing passes PIN-free. The log has neither code nor openid.
func TestServeKnowsWhoShowsACode(t *testing.T) {
	t.Parallel()
	s, srv := newShop(t)
	srv.stop()
	wechat := wechatpaytest.Start(t, nil)
	srv = s.serve(t, "--wechatpay="+s.wechatOfNames(t, wechat))
	me := s.payers[0]
	phone := srv.As(must(srv.LoginPayer(t.Context(), "+8613800000000", shopPassword))(t).Token)
	must(phone.OpenAgreement(t.Context(), me, client.NewAgreement{Merchant: s.merchant, ConsentVersion: payer.ConsentText.Version, Password: shopPassword}))(t)
	pos := srv.As(s.pos)
	var codes []string
	payBy := func(code string, member mianmi.PayerID) client.Payment {
		t.Helper()
		s.orders++
		codes = append(codes, code)
		return must(pos.Authorize(t.Context(), client.Authorization{Terminal: s.terminal, OrderNo: fmt.Sprintf("shop%06d", s.orders), Amount: money.Of(1_00, "CNY"),
			Method: "payment_code", Code: code, Entry: "scanned", Member: member}))(t)
	}
	has := func(p client.Payment, reason string) bool {
		return slices.ContainsFunc(p.Reasons, func(r client.Reason) bool { return r.Name == reason })
	}
	// A slow machine may answer too late whose a code is.
	pay := func(member mianmi.PayerID) (p client.Payment) {
		t.Helper()
		eventually(t, "WeChat Pay says whose a code is", func() bool {
			p = payBy(fmt.Sprintf("13%016d", 1000+s.orders), member)
			return !has(p, "payer_unclear")
		})
		return p
	}
	mine := func(p client.Payment) bool {
		_, err := phone.Payment(t.Context(), p.ID)
		return err == nil
	}
	named := func(p client.Payment) bool {
		return mine(p) && has(p, "named_by_channel")
	}
	if p := pay(""); mine(p) || p.Outcome != "pin_free" {
		t.Errorf("nobody knows whose the code is: %+v", p)
	}
	if p := pay(me); !mine(p) || named(p) || p.Outcome != "pin_free" {
		t.Errorf("of a member: %+v", p)
	}
	// What WeChat Pay calls the member is noted with its answer, which may come after
	// ours.
	eventually(t, "the member is known by the code", func() bool { return named(pay("")) })
	must(phone.ClosePinFree(t.Context(), me, nil))(t)
	off := pay("")
	if !named(off) || off.Outcome != "step_up" || off.Reasons[0].Name != "payer_closed" || wechat.Order(string(off.ID)).Charged != 0 {
		t.Errorf("of a member who has switched it off: %+v", off)
	}
	eventually(t, "a QR code to pay with is offered", func() bool {
		p := must(pos.Payment(t.Context(), off.ID))(t)
		return p.StepUp != nil && p.StepUp.QR != ""
	})
	// The channel refuses to say whose this is: its own rules do not suffice then.
	if p := payBy(wechatpaytest.CodeUsed, ""); p.Outcome != "step_up" || p.Reasons[0].Name != "payer_unclear" || wechat.Order(string(p.ID)).Charged != 0 {
		t.Errorf("nobody says whose the code is: %+v", p)
	}
	for _, secret := range append(codes, wechatpaytest.OpenID, wechatpaytest.V2Key) {
		if strings.Contains(srv.log(), secret) {
			t.Errorf("the log shows %q", secret)
		}
	}
}

// wechatOfNames is the file of a connection that may ask who shows a code.
func (s *shop) wechatOfNames(t *testing.T, wechat *wechatpaytest.Server) string {
	t.Helper()
	file := s.wechatFile(t, wechat.URL)
	text, err := os.ReadFile(file)
	if err == nil {
		changed := strings.Replace(string(text), "mc0000000000000000000000shop", string(s.merchant), 1) + "    unknown_payers: own_rules\n    v2_key: {file: v2_key}\n"
		err = os.WriteFile(file, []byte(changed), 0o600)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(filepath.Dir(file), "v2_key"), []byte(wechatpaytest.V2Key), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return file
}
