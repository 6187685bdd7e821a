package screen_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/mianmi/mianmi/agent"
	"github.com/mianmi/mianmi/agent/agenttest"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// tab opens a browser's tab.
func tab(t *testing.T) context.Context {
	t.Helper()
	path := chromium(t)
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
	ctx, cancel = context.WithTimeout(ctx, 8*time.Minute)
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

// script runs a script of the test's in the page.
func script[T any](t *testing.T, ctx context.Context, text string, o ...chromedp.EvaluateOption) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](text, o...))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func visible(css string) action { return chromedp.WaitVisible(chromedp.CSS(css)) }

func click(css string) action { return chromedp.Click(chromedp.CSS(css)) }

var sizes = [][2]int64{{360, 640}, {800, 480}, {1280, 800}}

// scene is one page in one state.
type scene struct {
	name, path string
	ready      func(*counter)
}

// scenes are all pages, in an order in which one state leads to the next.
func scenes() []scene {
	const scanned = "]Q3" + agenttest.CodeRich
	next := func(c *counter) { c.Till.Next() }
	return []scene{
		{"idle-on", "/", func(c *counter) { c.wait("on", func() bool { return c.Setting().PinFree }) }},
		{"idle-amount", "/?d=12850", nil},
		{"choose", "/pay", func(c *counter) { c.begin(12850, "", "") }},
		{"read-code", "/pay", func(c *counter) { c.must(c.Till.Choose("payment_code")) }},
		{"read-card", "/pay", func(c *counter) { c.must(c.Till.Choose("card_tap")) }},
		{"done-pin-free", "/pay", func(c *counter) {
			c.Till.Next()
			c.Till.Cancel()
			c.begin(2600, "payment_code", scanned)
			c.waitStage(agent.Done)
		}},
		{"pin-on-screen", "/pay", func(c *counter) {
			next(c)
			c.begin(42000, "card_insert", string(agenttest.Card))
			c.waitStage(agent.Waiting)
		}},
		{"large-amount", "/pay", func(c *counter) {
			c.Till.Cancel()
			c.waitStage(agent.Done)
			next(c)
			c.begin(168000, "card_tap", string(agenttest.Card))
			c.waitStage(agent.Waiting)
		}},
		{"done-verified", "/pay", func(c *counter) { c.host.Confirm(); c.waitStage(agent.Done) }},
		{"qr", "/pay", func(c *counter) { next(c); c.begin(8800, "dynamic_qr", ""); c.waitStage(agent.ShowingQR) }},
		{"done-declined", "/pay", func(c *counter) {
			c.host.Confirm()
			c.waitStage(agent.Done)
			next(c)
			c.begin(8800, "payment_code", agenttest.CodePoor)
			c.waitStage(agent.Done)
		}},
		{"slips", "/slips", nil},
		{"slip", "/slips/LAST", nil},
		{"trouble", "/trouble", func(c *counter) { next(c); c.must(c.Trouble("other", "", "")) }},
		{"menu", "/menu", nil},
		{"menu-security", "/menu?at=2", nil},
		{"methods", "/menu/methods", nil},
		{"network", "/menu/network", func(c *counter) {
			c.host.TellChannels(protocol.ChannelState{Channel: "wechatpay", State: protocol.ChannelAnswers, AgeSeconds: 12, TookMS: 120},
				protocol.ChannelState{Channel: "cityqr", State: protocol.ChannelUnknown})
			c.CheckNetwork(c.t.Context())
		}},
		{"network-silent", "/menu/network", func(c *counter) {
			c.host.TellChannels(protocol.ChannelState{Channel: "wechatpay", State: protocol.ChannelSilent, AgeSeconds: 40, Since: time.Now().Add(-20 * time.Minute)})
			c.CheckNetwork(c.t.Context())
		}},
		{"menu-silent", "/menu", nil},
		{"update", "/menu/update", nil},
		{"password", "/menu/password", nil},
		{"switch-on", "/menu/pin_free", nil},
		{"switch-saved", "/menu/pin_free?saved=1", func(c *counter) {
			_, err := c.Propose(false, "operator 7")
			c.must(err)
			c.wait("the host knows", func() bool { return c.Setting().Waiting == 0 })
		}},
		{"idle-not-yet", "/", nil},
		{"status-not-yet", "/menu/status", nil},
		{"restart", "/menu/restart", nil},
		{"idle-off", "/", func(c *counter) {
			c.reboot()
			c.wait("proved", func() bool { s := c.Setting(); return s.LeaseLeft > 0 && s.Waiting == 0 && s.Receipt.InForce })
		}},
		{"status-off", "/menu/status", nil},
		{"switch-off", "/menu/pin_free", nil},
		{"test", "/menu/test", func(c *counter) {
			c.must(c.Till.BeginTest())
			c.must(c.Till.Choose("payment_code"))
			c.must(c.Till.Read(scanned))
			c.waitStage(agent.Done)
			c.Till.Next()
			_, err := c.CheckMethods(c.t.Context())
			c.must(err)
		}},
		{"asking-offline", "/pay", func(c *counter) { c.host.Cut(true); c.begin(1200, "card_tap", string(agenttest.Card)) }},
	}
}

const axeRun = `axe.run(document, {resultTypes: ["violations"]}).then(r => JSON.stringify(r.violations
	.filter(v => v.impact === "serious" || v.impact === "critical")
	.map(v => v.id + ": " + v.nodes.map(n => n.html.slice(0, 120) + " " + (n.any[0] || {}).message).join(" | "))))`

// look checks one page at each size: nothing is cut off at the side, nothing
// serious is found by axe-core, and no script or style was refused.
func (c *counter) look(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	axe, err := os.ReadFile("../../web/webtest/axe.js")
	if err != nil {
		t.Fatal(err)
	}
	for i, size := range sizes {
		do(t, ctx, chromedp.EmulateViewport(size[0], size[1]))
		if over := script[string](t, ctx, `document.documentElement.scrollWidth <= innerWidth ? "" : Array.from(document.querySelectorAll("main *"))
			.filter(e => e.getBoundingClientRect().right > innerWidth).map(e => e.outerHTML.slice(0, 90)).join(" | ")`); over != "" {
			t.Errorf("%s at %d×%d: wider than the screen: %s", name, size[0], size[1], over)
		}
		if dir := os.Getenv("MIANMI_TEST_SHOTS"); dir != "" {
			picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%d.png", name, size[0])), picture, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if i != 0 {
			continue
		}
		found := script[string](t, ctx, string(axe)+";"+axeRun, chromedp.EvalAwaitPromise)
		var faults []string
		if err := json.Unmarshal([]byte(found), &faults); err != nil {
			t.Fatal(err)
		}
		for _, f := range faults {
			t.Errorf("%s: axe-core: %s", name, f)
		}
	}
}

func (c *counter) signIn(t *testing.T, ctx context.Context) {
	t.Helper()
	do(t, ctx, chromedp.Navigate(c.url+"/signin"), chromedp.SetValue(chromedp.CSS(`[name=number]`), "7"), chromedp.SendKeys(chromedp.CSS(`[name=password]`), password+kb.Enter),
		visible(`a[href="/menu/network"]`))
}

// Every page can be read in both languages and at every size.
func TestPages(t *testing.T) {
	t.Parallel()
	for _, lang := range []string{"zh", "en"} {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			ctx := tab(t)
			c := open(t, "android_smart")
			c.wait("settings", func() bool { return c.Setting().Running != nil })
			english := func() {
				if lang == "en" {
					do(t, ctx, chromedp.Navigate(c.url+"/"), click(`.bar-lang button`), visible(`html[lang=en]`))
				}
			}
			english()
			do(t, ctx, chromedp.Navigate(c.url+"/"), visible(`[name=again]`))
			c.look(t, ctx, lang+"-00-setup")
			c.must(c.SetPassword("", password))
			do(t, ctx, chromedp.Navigate(c.url+"/menu"), visible(`[name=number]`))
			c.look(t, ctx, lang+"-01-signin")
			c.signIn(t, ctx)
			url := c.url
			for i, s := range scenes() {
				if s.ready != nil {
					s.ready(c)
				}
				if c.url != url { // it has restarted: everybody is signed out, and the language is the machine's
					url = c.url
					english()
					c.signIn(t, ctx)
				}
				path := s.path
				if slips := c.Till.Slips(); strings.HasSuffix(path, "LAST") {
					path = "/slips/" + slips[len(slips)-1].No
				}
				do(t, ctx, chromedp.Navigate(c.url+path), chromedp.WaitReady(chromedp.CSS("main")))
				if at, want := script[string](t, ctx, `location.href`), c.url+path; at != want {
					t.Errorf("%s: the browser is at %s instead of %s", s.name, at, want)
				}
				c.look(t, ctx, fmt.Sprintf("%s-%02d-%s", lang, i+2, s.name))
			}
		})
	}
}

// A payment by the keys of a keypad alone: digits, Enter, Cancel; the page
// follows what happens without a touch.
func TestKeypadAlone(t *testing.T) {
	t.Parallel()
	ctx := tab(t)
	c := open(t, "linux_countertop")
	c.must(c.SetPassword("", password))
	c.wait("on", func() bool { return c.Setting().PinFree })
	do(t, ctx, chromedp.EmulateViewport(800, 480), chromedp.Navigate(c.url+"/"), visible(`[data-pad]`),
		chromedp.KeyEvent("90000"), text(`output`, "900.00"), chromedp.KeyEvent(kb.Enter),
		visible(`[value=card_insert]`), chromedp.KeyEvent(kb.Escape), visible(`[data-pad]`),
		chromedp.KeyEvent("90000"), chromedp.KeyEvent(kb.Enter), visible(`[value=card_insert]`),
		chromedp.KeyEvent("4"), visible(`[name=text]`), chromedp.KeyEvent(string(agenttest.Card)), chromedp.KeyEvent(kb.Enter),
		visible(`[name=pin]`), chromedp.KeyEvent("999999"), chromedp.KeyEvent(kb.Enter), visible(`[role=alert]`),
		chromedp.KeyEvent(agenttest.PIN), chromedp.KeyEvent(kb.Enter), visible(`.result.tone-safe`),
		chromedp.KeyEvent(kb.Enter), visible(`[data-pad]`))
	if s := c.Till.Slips(); len(s) != 1 || s[0].State != "approved" || s[0].CVM != "online_pin" {
		t.Errorf("%+v", s)
	}
}

// text waits until an element shows the text.
func text(selector, want string) action {
	return chromedp.Poll[chromedp.Void](fmt.Sprintf(`document.querySelector(%q).textContent === %q`, selector, want))
}

// The guides' way, by touch: untick, save, "after the restart", restart, the
// sentence; and the screen follows an OFF of the host by itself.
func TestSwitchOffByTouch(t *testing.T) {
	t.Parallel()
	ctx := tab(t)
	c := open(t, "pinpad_ecr")
	c.must(c.SetPassword("", password))
	c.wait("on", func() bool { return c.Setting().PinFree })
	do(t, ctx, chromedp.Navigate(c.url+"/"), visible(`.status.tone-plain`))
	c.host.Change(func(p *protocol.Config) { p.PinFree = false })
	do(t, ctx, visible(`.status.tone-safe`)) // by itself
	c.host.Change(func(p *protocol.Config) { p.PinFree = true })
	do(t, ctx, visible(`.status.tone-plain`))
	// An answer that was drawn before the newest change does not stay.
	script[any](t, ctx, `(l => { l.dataset.view = "older"; l.querySelector(".status").remove() })(document.querySelector("#live"))`)
	do(t, ctx, visible(`.status.tone-plain`), click(`[action="/trouble"] button`), visible(`.result.tone-safe`)) // one tap, and the host has it
	c.signIn(t, ctx)
	do(t, ctx, click(`a[href="/menu/pin_free"]`), visible(`[name=enabled]`), click(`[name=enabled]`),
		click(`.card button`), visible(`.status.tone-safe`), chromedp.Navigate(c.url+"/"), visible(`.status.tone-safe`))
	r := c.host.WaitReport("the menu's OFF", func(r protocol.Report) bool { return r.Local != nil })
	if r.Local.PinFree || r.Local.Author != "operator 7" {
		t.Errorf("%+v", r.Local)
	}
}

// The menu's button in a shop without a network: one tap notes it on the disk, a
// restart does not lose it, and the host is told once when it can be reached again.
func TestReportWithoutNetwork(t *testing.T) {
	t.Parallel()
	ctx := tab(t)
	c := open(t, "pinpad_ecr")
	c.must(c.SetPassword("", password))
	c.wait("settings", func() bool { return c.Setting().Running != nil && c.Setting().Waiting == 0 })
	c.signIn(t, ctx)
	c.host.Cut(true)
	do(t, ctx, click(`main [action="/trouble"] button`), visible(`.result.tone-wait`), click(`[value=display]`))
	c.wait("both are noted", func() bool { return c.TroublesWaiting() == 2 })
	c.reboot()
	if n := c.TroublesWaiting(); n != 2 {
		t.Errorf("%d wait after the restart", n)
	}
	c.host.Cut(false)
	c.wait("the host has them", func() bool { return c.TroublesWaiting() == 0 && c.Setting().Waiting == 0 })
	r := c.host.WaitReport("what was noted", func(r protocol.Report) bool { return len(r.Troubles) == 2 })
	if r.Troubles[0].Kind != "other" || r.Troubles[1].Kind != "display" || r.Troubles[0].ID == r.Troubles[1].ID {
		t.Errorf("%+v", r.Troubles)
	}
}
