// Package sitetest goes through all pages of a surface with every role.
package sitetest

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/web/site"
)

// Desk has a session for every role: its token is "ms_" and the role's name.
type Desk struct{ Left []string }

// Roles are those that can have a session.
var Roles = []mianmi.Role{mianmi.RolePayer, mianmi.RoleCashier, mianmi.RoleStoreManager, mianmi.RoleMerchantAdmin, mianmi.RoleSupport, mianmi.RoleRisk, mianmi.RoleOperator, mianmi.RoleAuditor}

// Authenticate implements site.Sessions.
func (*Desk) Authenticate(_ context.Context, token string) (mianmi.Actor, error) {
	for _, r := range Roles {
		if token == "ms_"+r.String() {
			return mianmi.Actor{Role: r, ID: "somebody", Via: "se1"}, nil
		}
	}
	return mianmi.Actor{}, mianmi.Unauthenticated
}

// Logout implements site.Sessions.
func (d *Desk) Logout(_ context.Context, a mianmi.Actor) error {
	d.Left = append(d.Left, a.Role.String())
	return nil
}

// Gate lets everybody in who comes by a safe way.
type Gate struct {
	Unsafe bool
	Wait   time.Duration
}

// Remote implements site.Gate.
func (*Gate) Remote(*http.Request) netip.Addr { return netip.IPv6Loopback() }

// Secure implements site.Gate.
func (g *Gate) Secure(*http.Request) bool { return !g.Unsafe }

// Forwarded implements site.Gate.
func (*Gate) Forwarded(*http.Request) bool { return false }

// TakeLogin implements site.Gate.
func (g *Gate) TakeLogin(*http.Request) time.Duration { return g.Wait }

// Said implements site.Gate.
func (*Gate) Said(err error) (int, mianmi.Text) {
	status := map[mianmi.Kind]int{mianmi.NotFound: 404, mianmi.Denied: 403, mianmi.Unauthenticated: 401, mianmi.Invalid: 422, mianmi.Conflict: 409}[mianmi.KindOf(err)]
	if status == 0 {
		status = 500
	}
	return status, mianmi.Text{ZH: "出错", EN: "wrong"}
}

// Parts are those of a site whose services are these.
func Parts(t *testing.T, d *Desk, g *Gate, random io.Reader) site.Parts {
	t.Helper()
	keys, err := secret.New(random)
	if err != nil {
		t.Fatal(err)
	}
	return site.Parts{Sessions: d, Gate: g, Keys: keys, Clock: mianmi.ClockFunc(func() time.Time { return time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC) }), Random: random, Log: slog.New(slog.DiscardHandler)}
}

var wild = regexp.MustCompile(`\{[^}]+\}`)

// Path is a path that the route serves.
func Path(rt *site.Route) (method, path string) {
	method, path, _ = strings.Cut(rt.Pattern, " ")
	return method, wild.ReplaceAllString(strings.TrimSuffix(path, "{$}"), "x")
}

// EachRole asks for each route of the site with each role that may not see it,
// and with nobody: none gets a page, nobody is led to log in, and a form without
// the session's token does nothing for those who may.
func EachRole(t *testing.T, s *site.Site, name, login string) {
	t.Helper()
	routes := s.Routes()
	if len(routes) < 5 {
		t.Fatalf("%d routes", len(routes))
	}
	for i := range routes {
		rt := &routes[i]
		method, path := Path(rt)
		if res := Ask(t, s, method, path, "", nil); !rt.Public && (method == http.MethodGet && (res.Status != http.StatusSeeOther || !strings.HasPrefix(res.Header.Get("Location"), login)) ||
			method != http.MethodGet && res.Status != http.StatusForbidden) {
			t.Errorf("%s for nobody: %d %s", rt.Pattern, res.Status, res.Header.Get("Location"))
		}
		for _, r := range Roles {
			cookie := "mianmi-" + name + "-session=ms_" + r.String()
			if method != http.MethodGet {
				if res := Ask(t, s, method, path, cookie, url.Values{site.FormField: {"another's"}}); res.Status != http.StatusForbidden {
					t.Errorf("%s for a %s with a form of another session: %d", rt.Pattern, r, res.Status)
				}
			}
			if rt.Public || slices.Contains(rt.May, r) {
				continue
			}
			if res := Ask(t, s, method, path, cookie, nil); res.Status != http.StatusForbidden {
				t.Errorf("%s for a %s: %d", rt.Pattern, r, res.Status)
			}
		}
	}
}

// Answer is what a site answers.
type Answer struct {
	Status  int
	Header  http.Header
	Body    string
	Cookies []*http.Cookie
}

// Ask asks the site as a browser does that follows nothing.
func Ask(t *testing.T, s http.Handler, method, path, cookie string, form url.Values) Answer {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "http://127.0.0.1"+path, strings.NewReader(form.Encode()))
	if method != http.MethodGet {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	res := w.Result()
	defer res.Body.Close() //nolint:errcheck // it is in memory
	return Answer{Status: res.StatusCode, Header: res.Header, Body: w.Body.String(), Cookies: res.Cookies()}
}
