package check_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/mianmi/mianmi/receipt"
)

// browser is a real Chromium. It is stopped with the test.
func browser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("MIANMI_TEST_REQUIRE_CHROMIUM") != "" {
			t.Fatal("chromium is missing")
		}
		t.Skip("chromium is not installed: the page was not tried in a browser; scripts/install-tools.sh chromium installs it")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WSURLReadTimeout(2*time.Minute))
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}

// verdict waits for the browser's own verdict and returns it with the card's text.
func verdict(ctx context.Context, t *testing.T, steps ...chromedp.Action[chromedp.Void]) (good bool, card string) {
	t.Helper()
	must(t, chromedp.Do(ctx, append(steps, chromedp.WaitVisible(`#verdict[data-verdict]`))...))
	v, err := chromedp.Run(ctx, chromedp.AttributeValue(`#verdict`, "data-verdict"))
	must(t, err)
	card, err = chromedp.Run(ctx, chromedp.Text(`#verdict`))
	must(t, err)
	return v.Value == "good", card
}

// picture keeps what a test saw, to be looked at.
func picture(ctx context.Context, t *testing.T, name string, width int64) {
	t.Helper()
	dir := os.Getenv("MIANMI_TEST_PICTURES")
	if dir == "" {
		return
	}
	must(t, chromedp.Do(ctx, chromedp.EmulateViewport(width, 800)))
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, name), png, 0o600))
}

// The browser itself finds that a receipt holds, by link and by paste, says
// what it proves, and finds every part that was changed; it agrees with Go.
func TestBrowserChecks(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), browser(t)
	text := w.text(t)
	r, err := w.log.Receipt(t.Context(), id)
	must(t, err)
	link := w.url + strings.Replace(receipt.CheckPath(w.service.Token(id), r), "#", "?lang=zh#", 1)
	good, card := verdict(ctx, t, chromedp.Navigate(link))
	if !good || !strings.Contains(card, "付款人 py1 关闭了付款人 py1 的小额免密支付。") || !strings.Contains(card, "由您的浏览器核对") || !strings.Contains(card, "是本服务器公布的日志公钥") {
		t.Errorf("by its link: %t %s", good, card)
	}
	picture(ctx, t, "good-360.png", 360)
	picture(ctx, t, "good-1280.png", 1280)
	other := link[:len(link)-1] + string("0123456789abcdef"[15-strings.IndexByte("0123456789abcdef", link[len(link)-1])])
	if good, card := verdict(ctx, t, chromedp.Navigate("about:blank"), chromedp.Navigate(other)); good || !strings.Contains(card, "纸面") {
		t.Errorf("by a link to other content: %t %s", good, card)
	}
	paste := func(text []byte) (bool, string) {
		t.Helper()
		set := `document.getElementById("text").value = new TextDecoder().decode(Uint8Array.from(atob("` + base64.StdEncoding.EncodeToString(text) +
			`"), (c) => c.charCodeAt(0))); document.getElementById("verdict").removeAttribute("data-verdict"); document.getElementById("form").requestSubmit()`
		_, err := chromedp.Run(ctx, chromedp.Evaluate[any](set))
		must(t, err)
		return verdict(ctx, t)
	}
	must(t, chromedp.Do(ctx, chromedp.Navigate(w.url+"/check?lang=en"), chromedp.WaitReady(`body[data-able="true"]`)))
	if good, card := paste(text); !good || !strings.Contains(card, "Payer py1 closed PIN-free payment for payer py1.") {
		t.Errorf("pasted: %t %s", good, card)
	}
	for i := 0; i < len(text); i += 37 {
		bad := bytes.Clone(text)
		bad[i] ^= 1
		if good, card := paste(bad); good || !strings.Contains(card, "does not hold") {
			t.Fatalf("byte %d changed, near %s: %s", i, strconv.Quote(string(text[max(i-20, 0):min(i+20, len(text))])), card)
		}
	}
	picture(ctx, t, "bad-360.png", 360)
	for _, c := range []struct{ from, to, part string }{
		{`"index": 3`, `"index": 2`, "the proof from the entry"}, {"payer.pin_free.closed", "payer.pin_free.opened", "the proof from the entry"},
		{`mianmi log key change v1\npay.example.com/mianmi\n4`, `mianmi log key change v1\npay.example.com/mianmi\n3`, "the statements of changed keys"},
		{`"checkpoint": "pay`, `"checkpoint": "pax`, "the checkpoint and its signatures"}, {`"key": "pay`, `"key": "pax`, "the log's key"},
	} {
		bad := bytes.Replace(text, []byte(c.from), []byte(c.to), 1)
		if good, card := paste(bad); good || !strings.Contains(card, c.part) || bytes.Equal(bad, text) {
			t.Errorf("%s changed: %t %s", c.from, good, card)
		}
	}
}
