// Package webtest looks at pages as people do: in a real browser, at the sizes
// of their screens, with axe-core. It is for tests alone.
package webtest

import (
	"context"
	_ "embed" // axe-core
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

//go:embed axe.js
var axe string

// Tab is one tab of a browser.
type Tab struct {
	t   *testing.T
	ctx context.Context

	mu     sync.Mutex
	faults []string
}

// Open opens a tab at a site, in a browser that nobody has used. Whatever it asks
// of another origin, and whatever the browser complains of, fails the test.
// It skips where there is no Chromium, unless one is required.
func Open(t *testing.T, site string) *Tab {
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
	own, err := url.Parse(site)
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.WSURLReadTimeout(time.Minute))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(cancel)
	b := &Tab{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, func(ev any) {
		switch e := ev.(type) {
		case *network.EventRequestWillBeSent:
			if u, err := url.Parse(e.Request.URL); err != nil || u.Host != own.Host && u.Scheme != "data" && u.Scheme != "blob" && u.Scheme != "about" {
				b.fault("a request leaves the origin: " + e.Request.URL)
			}
		case *log.EventEntryAdded:
			if e.Entry.Level == log.EntryLevelError && e.Entry.Source != log.EntrySourceNetwork { // a status of 4xx is an answer
				b.fault("console: " + e.Entry.Text)
			}
		case *runtime.EventExceptionThrown:
			b.fault("script: " + e.ExceptionDetails.Text)
		}
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, f := range b.faults {
			t.Error(f)
		}
	})
	return b
}

func (b *Tab) fault(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = append(b.faults, text)
}

// Action is a step in the browser.
type Action = chromedp.Action[chromedp.Void]

// Do takes steps.
func (b *Tab) Do(steps ...Action) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// Script is the value of a script's text.
func Script[T any](b *Tab, text string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](text, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

// Text is what a reader sees of the page's main part.
func (b *Tab) Text() string {
	b.t.Helper()
	return Script[string](b, `document.querySelector("main").innerText`)
}

// Size is a screen.
type Size struct{ Width, Height int64 }

// Sizes are those at which every page must work: phone, tablet, desk.
var Sizes = []Size{{360, 720}, {768, 1024}, {1440, 900}}

const axeRun = `axe.run(document, {resultTypes: ["violations"]}).then(r => JSON.stringify(r.violations
	.filter(v => v.impact === "serious" || v.impact === "critical")
	.map(v => v.id + ": " + v.nodes.map(n => n.html.slice(0, 120) + " " + (n.any[0] || {}).message).join(" | "))))`

// Look checks the page that is there at each size: nothing stands out at the
// side, on a phone nothing to press is smaller than a finger, and axe-core finds
// nothing serious. With MIANMI_TEST_SHOTS it keeps a picture in that folder.
func (b *Tab) Look(name string) {
	b.t.Helper()
	for i, size := range Sizes {
		b.Do(chromedp.EmulateViewport(size.Width, size.Height))
		if over := Script[string](b, `document.documentElement.scrollWidth <= innerWidth ? "" : Array.from(document.querySelectorAll("main *"))
			.filter(e => e.getBoundingClientRect().right > innerWidth).map(e => e.outerHTML.slice(0, 90)).join(" | ") || "the page"`); over != "" {
			b.t.Errorf("%s at %d px: wider than the screen: %s", name, size.Width, over)
		}
		b.picture(fmt.Sprintf("%s-%d", name, size.Width))
		if i > 0 {
			continue
		}
		if small := Script[string](b, `[...document.querySelectorAll("button, select, nav a, summary, .agree, input:not([type=hidden]):not([type=checkbox])")]
			.filter(e => e.offsetParent && e.getBoundingClientRect().height < 43).map(e => e.outerHTML.slice(0, 90)).join(" | ")`); small != "" {
			b.t.Errorf("%s: too small for a finger: %s", name, small)
		}
		var faults []string
		if err := json.Unmarshal([]byte(Script[string](b, axe+";"+axeRun)), &faults); err != nil {
			b.t.Fatal(err)
		}
		for _, f := range faults {
			b.t.Errorf("%s: axe-core: %s", name, f)
		}
	}
	b.Do(chromedp.EmulateViewport(Sizes[0].Width, Sizes[0].Height))
}

func (b *Tab) picture(name string) {
	dir := os.Getenv("MIANMI_TEST_SHOTS")
	if dir == "" {
		return
	}
	shot, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), shot, 0o600); err != nil {
		b.t.Fatal(err)
	}
}
