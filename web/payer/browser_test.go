package payer_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payer"
	webpayer "github.com/mianmi/mianmi/web/payer"
	"github.com/mianmi/mianmi/web/static"
	"github.com/mianmi/mianmi/wechat"
)

// desk signs for one payer, as wechat.Service does.
type desk struct {
	mu     sync.Mutex
	state  string
	signed wechat.ContractConsent
}

func (d *desk) Signing(_ context.Context, token string) (wechat.Signing, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := wechat.Signing{Merchant: "山海茶饮（人民路旗舰店）有限责任公司", Shown: "会员 138****0005", Family: wechat.PasswordExempt, Consent: payer.ConsentText}
	switch {
	case token != "good" || d.state == "left":
		return s, mianmi.Missing("signing session")
	case d.state == "signed":
		s.Signed, s.PerPayment = true, d.signed.PerPayment
	}
	return s, nil
}

func (d *desk) SignContract(_ context.Context, _ string, c wechat.ContractConsent) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c.Password != "274951" {
		return &mianmi.Error{Kind: mianmi.Unauthenticated, Code: "login_failed"}
	}
	d.state, d.signed = "signed", c
	return nil
}

func (d *desk) RefuseContract(context.Context, string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state = "left"
	return nil
}

func serve(t *testing.T, d *desk) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle(wechat.SignPath, webpayer.Handler(webpayer.Parts{Contracts: d, Log: slog.New(slog.DiscardHandler)}))
	mux.Handle("GET "+static.Prefix, static.Handler())
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL + wechat.SignPath
}

// tab opens a browser's tab.
func tab(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if found, err := exec.LookPath(name); err == nil && path == "" {
			path = found
		}
	}
	if path == "" {
		if os.Getenv("MIANMI_TEST_REQUIRE_CHROMIUM") != "" {
			t.Fatal("no Chromium: scripts/install-tools.sh chromium")
		}
		t.Skip("no Chromium, so no page is looked at: scripts/install-tools.sh chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.WSURLReadTimeout(time.Minute))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

type action = chromedp.Action[chromedp.Void]

func do(t *testing.T, ctx context.Context, actions ...action) {
	t.Helper()
	if err := chromedp.Do(ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

func script[T any](t *testing.T, ctx context.Context, text string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// fits fails when the page is wider than the phone, or something to press is
// smaller than a finger, and keeps a picture where a folder is named for it.
func fits(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	if over := script[int64](t, ctx, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); over > 0 {
		t.Errorf("%s: the page is %d px too wide", name, over)
	}
	small := script[string](t, ctx, `[...document.querySelectorAll("button, select, .agree, input:not([type=hidden]):not([type=checkbox])")].filter(e => e.getBoundingClientRect().height < 43).map(e => e.outerHTML).join()`)
	if small != "" {
		t.Errorf("%s: too small for a finger: %s", name, small)
	}
	dir := os.Getenv("MIANMI_TEST_PICTURES")
	if dir == "" {
		return
	}
	shot, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), shot, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A payer signs on a phone of 360 px, in a real browser with the page's own
// policy: a wrong password keeps what was typed but the password, the right one
// signs, and the page then says so. Nothing overflows in either language.
func TestSigningInABrowser(t *testing.T) {
	t.Parallel()
	ctx := tab(t)
	d := &desk{}
	at := serve(t, d)
	for _, lang := range []string{"en", "zh"} {
		do(t, ctx, chromedp.EmulateViewport(360, 640), chromedp.Navigate(at+"good?lang="+lang), chromedp.WaitVisible(chromedp.CSS("#password")))
		fits(t, ctx, "sign-"+lang)
	}
	if green := script[string](t, ctx, `getComputedStyle(document.querySelector(".weui-btn_primary")).backgroundColor`); green != "rgb(11, 107, 58)" {
		t.Errorf("the page's styles did not come: %s", green)
	}
	typed := func(password string) {
		do(t, ctx, chromedp.SendKeys(chromedp.CSS("#password"), password), chromedp.Click(chromedp.CSS("[name=agree]")), chromedp.Click(chromedp.CSS("button[value=sign]")))
	}
	do(t, ctx, chromedp.SendKeys(chromedp.CSS("#phone"), "13800000005"))
	script[string](t, ctx, `document.querySelector("#limit").value = "100"`)
	typed("000000")
	do(t, ctx, chromedp.WaitVisible(chromedp.CSS(".fault")))
	fits(t, ctx, "sign-wrong")
	if left := script[string](t, ctx, `["phone","password","limit"].map(n => document.getElementById(n).value).join("|")`); left != "13800000005||100" {
		t.Errorf("after a wrong password the form holds %q", left)
	}
	typed("274951")
	do(t, ctx, chromedp.WaitVisible(chromedp.CSS(".result")))
	fits(t, ctx, "signed-zh")
	if text := script[string](t, ctx, `document.body.innerText`); !strings.Contains(text, "签约成功") || !strings.Contains(text, "¥100") {
		t.Errorf("after the signature: %s", text)
	}
	d.mu.Lock()
	if got := d.signed; got.Phone != "+8613800000005" || *got.PerPayment != 100_00 || got.ConsentVersion != payer.ConsentText.Version {
		t.Errorf("signed with %+v", got)
	}
	d.state = ""
	d.mu.Unlock()
	do(t, ctx, chromedp.Navigate(at+"good?lang=en"), chromedp.WaitVisible(chromedp.CSS("#password")), chromedp.Click(chromedp.CSS("button[value=refuse]")), chromedp.WaitVisible(chromedp.CSS(".result")))
	fits(t, ctx, "left-en")
	if text := script[string](t, ctx, `document.body.innerText`); !strings.Contains(text, "Not signed") {
		t.Errorf("after a refusal: %s", text)
	}
	do(t, ctx, chromedp.Navigate(at+"good?lang=zh"), chromedp.WaitVisible(chromedp.CSS(".result")))
	fits(t, ctx, "over-zh")
}
