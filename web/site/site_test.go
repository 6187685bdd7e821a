package site_test

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/web/site"
	"github.com/mianmi/mianmi/web/site/sitetest"
)

func small(t *testing.T, d *sitetest.Desk, g *sitetest.Gate, done *int) *site.Site {
	t.Helper()
	p := sitetest.Parts(t, d, g, rand.Reader)
	p.Name, p.Base, p.Login = "my", "/my/", "/my/login"
	form := func(v *site.Visit) error {
		v.W.Header().Set("X-Form", v.Form())
		return v.See("/my/x")
	}
	s, err := site.New(p, []site.Route{
		{Pattern: "GET /my/login", Public: true, Handle: form},
		{Pattern: "POST /my/login", Public: true, LoggingIn: true, Handle: func(v *site.Visit) error {
			v.Enter(access.Started{Token: "ms_cashier", Session: access.Session{ExpiresAt: v.Now().Add(time.Hour)}})
			return v.See(v.Within(v.Value("to")))
		}},
		{Pattern: "GET /my/x", May: []mianmi.Role{mianmi.RolePayer}, Handle: form},
		{Pattern: "POST /my/x", May: []mianmi.Role{mianmi.RolePayer}, Handle: func(v *site.Visit) error { *done++; return v.See("/my/x") }},
		{Pattern: "GET /my/panic", Public: true, Handle: func(*site.Visit) error { panic("a fault") }},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A form does something for the session that it was drawn for alone, and a login
// ends the session before and sets another cookie.
func TestForms(t *testing.T) {
	t.Parallel()
	d, done := &sitetest.Desk{}, 0
	s := small(t, d, &sitetest.Gate{}, &done)
	payer := "mianmi-my-session=ms_payer"
	token := sitetest.Ask(t, s, "GET", "/my/x", payer, nil).Header.Get("X-Form")
	if res := sitetest.Ask(t, s, "POST", "/my/x", payer, url.Values{site.FormField: {token}}); res.Status != 303 || done != 1 {
		t.Fatalf("a good form: %d, done %d times", res.Status, done)
	}
	first := sitetest.Ask(t, s, "GET", "/my/login", "", nil)
	before := first.Cookies[0]
	if !before.HttpOnly || before.SameSite != http.SameSiteLaxMode {
		t.Errorf("a cookie that scripts or other sites can use: %v", before)
	}
	login := url.Values{site.FormField: {first.Header.Get("X-Form")}, "to": {"/my/x?y=1"}}
	res := sitetest.Ask(t, s, "POST", "/my/login", before.Name+"="+before.Value+"; "+payer, login)
	if res.Status != 403 {
		t.Errorf("a form of before the session: %d", res.Status)
	}
	login.Set(site.FormField, token)
	res = sitetest.Ask(t, s, "POST", "/my/login", payer, login)
	if res.Status != 303 || res.Header.Get("Location") != "/my/x?y=1" || len(d.Left) != 1 || d.Left[0] != "payer" {
		t.Errorf("a login: %d %s, ended %v", res.Status, res.Header.Get("Location"), d.Left)
	}
	if !strings.Contains(strings.Join(res.Header["Set-Cookie"], "\n"), "mianmi-my-session=ms_cashier; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax") {
		t.Errorf("cookies %q", res.Header["Set-Cookie"])
	}
	if done != 1 {
		t.Errorf("done %d times", done)
	}
}

// Nobody is led to another site after logging in.
func TestWithin(t *testing.T) {
	t.Parallel()
	s := small(t, &sitetest.Desk{}, &sitetest.Gate{}, new(int))
	payer := "mianmi-my-session=ms_payer"
	token := sitetest.Ask(t, s, "GET", "/my/x", payer, nil).Header.Get("X-Form")
	for _, to := range []string{"", "//evil.example/my/", "https://evil.example/my/", "/console/", "/my/login", `/\evil.example`, "/my/\r\nSet-Cookie: a=b", "javascript:alert(1)", `\\evil.example/my/`} {
		res := sitetest.Ask(t, s, "POST", "/my/login", payer, url.Values{site.FormField: {token}, "to": {to}})
		if got := res.Header.Get("Location"); res.Status != 303 || got != "/my/" {
			t.Errorf("%q leads to %q (%d)", to, got, res.Status)
		}
	}
}

// What every answer has, and what happens on a way that others can read, after too
// many logins, and when the program has a fault.
func TestHead(t *testing.T) {
	t.Parallel()
	g := &sitetest.Gate{}
	s := small(t, &sitetest.Desk{}, g, new(int))
	seen := map[string]bool{}
	for _, path := range []string{"/my/login", "/my/nowhere", "/my/panic", "/my/x"} {
		h := sitetest.Ask(t, s, "GET", path, "", nil).Header
		csp := h.Get("Content-Security-Policy")
		nonce := regexp.MustCompile(`script-src 'nonce-([\w-]{22})'`).FindString(csp)
		if nonce == "" || seen[nonce] || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe") || h.Get("X-Frame-Options") != "DENY" ||
			h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", path, h)
		}
		seen[nonce] = true
	}
	if res := sitetest.Ask(t, s, "GET", "/my/panic", "", nil); res.Status != 500 {
		t.Errorf("a fault: %d", res.Status)
	}
	if res := sitetest.Ask(t, s, "GET", "/my/nowhere", "", nil); res.Status != 404 {
		t.Errorf("nowhere: %d", res.Status)
	}
	if res := sitetest.Ask(t, s, "GET", "/my/x?a=1", "", nil); res.Header.Get("Location") != "/my/login?to=%2Fmy%2Fx%3Fa%3D1" {
		t.Errorf("nobody is led to %q", res.Header.Get("Location"))
	}
	g.Unsafe = true
	res := sitetest.Ask(t, s, "GET", "/my/login", "", nil)
	if res.Status != 403 || strings.Contains(res.Body, "<form") {
		t.Errorf("an unsafe way: %d %s", res.Status, res.Body)
	}
	g.Unsafe, g.Wait = false, time.Minute
	first := sitetest.Ask(t, s, "GET", "/my/login", "", nil)
	c := first.Cookies[0]
	if res := sitetest.Ask(t, s, "POST", "/my/login", c.Name+"="+c.Value, url.Values{site.FormField: {first.Header.Get("X-Form")}}); res.Status != 403 {
		t.Errorf("too many logins: %d", res.Status)
	}
}

// A route without a rule, or out of its place, makes no site.
func TestRoutesWithoutRules(t *testing.T) {
	t.Parallel()
	p := sitetest.Parts(t, &sitetest.Desk{}, &sitetest.Gate{}, rand.Reader)
	p.Base = "/my/"
	handle := func(*site.Visit) error { return nil }
	for name, rt := range map[string]site.Route{
		"no rule":       {Pattern: "GET /my/x", Handle: handle},
		"two rules":     {Pattern: "GET /my/x", Public: true, May: []mianmi.Role{mianmi.RolePayer}, Handle: handle},
		"another place": {Pattern: "GET /x", Public: true, Handle: handle},
		"nothing to do": {Pattern: "GET /my/x", Public: true},
	} {
		if _, err := site.New(p, []site.Route{rt}); err == nil {
			t.Errorf("%s: a site is made", name)
		}
	}
}

func TestEachRole(t *testing.T) {
	t.Parallel()
	sitetest.EachRole(t, small(t, &sitetest.Desk{}, &sitetest.Gate{}, new(int)), "my", "/my/login")
}
