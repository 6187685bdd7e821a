package main

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/web/webtest"
)

// A payer who has never heard of mianmi switches PIN-free payment off on the phone
// in three taps, sees that it is off and where, shows the proof, and confirms the
// next payment with the password; in both languages, in a real browser, against
// the real program. Every page fits each screen, and nothing serious is found in it.
func TestPhoneInABrowser(t *testing.T) {
	t.Parallel()
	s, srv := newShop(t)
	if out := s.pay(t, srv, 0); out != "pin_free" {
		t.Fatalf("the first payment was %s", out)
	}
	b := webtest.Open(t, srv.address)
	see := func(name string, zh, en string) {
		t.Helper()
		text := b.Text()
		if !strings.Contains(text, zh) && !strings.Contains(text, en) {
			t.Errorf("%s does not say %q or %q:\n%s", name, zh, en, text)
		}
		b.Look(name)
	}
	b.Do(chromedp.EmulateViewport(360, 720), chromedp.Navigate(srv.address+"/my/pin-free?lang=zh"), chromedp.WaitVisible("#password"))
	b.Look("phone-login")
	b.Do(chromedp.SendKeys("#phone", "138 0000 0000"), chromedp.SendKeys("#password", "111112"), chromedp.Click("button[type=submit]"), chromedp.WaitVisible(".fault"))
	see("phone-login-wrong", "不正确", "is wrong")
	b.Do(chromedp.SendKeys("#password", shopPassword), chromedp.Click("button[type=submit]"), chromedp.WaitVisible(".tabs"))
	see("phone-pin-free-on", "小额免密已开启", "has been on")
	b.Do(chromedp.Navigate(srv.address+"/my/"), chromedp.WaitVisible("#code"))
	see("phone-home", "显示付款码", "payment code")
	b.Do(chromedp.Click("#code button"), chromedp.WaitVisible(".bars"))
	see("phone-code", "显示数字", "Show the digits")

	// Three taps from the first page: the status, "switch all of it off" … and it is off.
	b.Do(chromedp.Click("main > a.plainlink"), chromedp.WaitVisible("form[action$=close]"), chromedp.Click("form[action$='pin-free/close'] button"), chromedp.WaitVisible(".tone-safe"))
	see("phone-closed", "小额免密已关闭", "has been off")
	if text := b.Text(); !strings.Contains(text, "已在所有商户和终端生效") || !strings.Contains(text, "可用，会请您验证") {
		t.Errorf("the page does not say where it is off, and how other ways to pay stand:\n%s", text)
	}
	if out := s.pay(t, srv, 0); out != "step_up" {
		t.Fatalf("after the OFF a payment was %s", out)
	}
	b.Do(chromedp.Navigate(srv.address+"/my/?lang=en"), chromedp.WaitVisible(".stepup"))
	see("phone-waiting-en", "", "waits for you")
	b.Do(chromedp.Click(".stepup"), chromedp.WaitVisible("#password"))
	see("phone-step-up-en", "", "Check the shop and the amount")
	b.Do(chromedp.SendKeys("#password", shopPassword), chromedp.Click("form[action$=confirm] button"), chromedp.WaitNotPresent("form[action$=confirm]"))
	see("phone-payment-en", "", "password on the phone")
	for _, page := range []string{"payments", "notices", "me", "pin-free", "pin-free/reopen", "nowhere"} {
		for _, lang := range []string{"zh", "en"} {
			b.Do(chromedp.Navigate(srv.address+"/my/"+page+"?lang="+lang), chromedp.WaitVisible("main"))
			b.Look("phone-" + strings.ReplaceAll(page, "/", "-") + "-" + lang)
		}
	}
	b.Do(chromedp.Navigate(srv.address+"/my/pin-free/closed"), chromedp.WaitVisible("a[href^='/check/']"), chromedp.Click("a[href^='/check/']"), chromedp.WaitVisible("main"))
	if text := b.Text(); !strings.Contains(text, "PIN-free") && !strings.Contains(text, "免密") {
		t.Errorf("the proof's page says:\n%s", text)
	}
}

// A payment that waits is confirmed only by whose it is, and only by a form of
// this site and session.
func TestPhoneRefusesOthers(t *testing.T) {
	t.Parallel()
	s, srv := newShop(t)
	one, two := newVisitor(t, srv.address), newVisitor(t, srv.address)
	one.logIn("+8613800000000")
	two.logIn("+8613800000001")
	one.post("/my/pin-free/close", nil, 303)
	code := must(srv.As(s.wallet).IssueCode(t.Context(), s.payers[0]))(t)
	p := must(srv.As(s.pos).Authorize(t.Context(), client.Authorization{Terminal: s.terminal, OrderNo: "phone1", Amount: money.Of(1_00, "CNY"), Method: "payment_code", Code: code.Code, Entry: "scanned"}))(t)
	at := "/my/payments/" + string(p.ID)
	two.get(at, 404)
	two.post(at+"/confirm", map[string]string{"password": shopPassword}, 404)
	two.post(at+"/cancel", nil, 404)
	if got := must(srv.As(s.pos).Payment(t.Context(), p.ID))(t); got.State != "step_up_required" {
		t.Fatalf("somebody else made the payment %s", got.State)
	}
	token := one.csrf
	one.csrf = two.csrf
	one.post(at+"/confirm", map[string]string{"password": shopPassword}, 403)
	one.csrf = ""
	one.post(at+"/confirm", map[string]string{"password": shopPassword}, 403)
	one.csrf = token
	one.origin = "http://evil.example"
	one.post(at+"/confirm", map[string]string{"password": shopPassword}, 403)
	one.origin = ""
	one.post(at+"/confirm", map[string]string{"password": shopPassword}, 303)
	if got := must(srv.As(s.pos).Payment(t.Context(), p.ID))(t); got.State != "approved" {
		t.Fatalf("the payment is %s", got.State)
	}
}
