// Package site is what pages with a login share: sessions in cookies, tokens of
// forms, safe headers, who may see a page, and what is shown when something goes
// wrong (docs/adr/0030).
package site

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/secret"
)

//go:generate go tool -modfile=../../tools/go.mod templ generate

// Sessions are those of the API; access.Service is one.
type Sessions interface {
	Authenticate(ctx context.Context, bearer string) (mianmi.Actor, error)
	Logout(ctx context.Context, actor mianmi.Actor) error
}

// Gate is what pages have in common with the API; api.Server is one.
type Gate interface {
	// Remote is who is calling, behind proxies that are trusted.
	Remote(r *http.Request) netip.Addr
	// Secure reports whether nobody on the way can read the request.
	Secure(r *http.Request) bool
	// Forwarded reports whether a proxy that is trusted says that it was asked over TLS.
	Forwarded(r *http.Request) bool
	// TakeLogin counts a try to log in; it returns 0, or how long to wait.
	TakeLogin(r *http.Request) time.Duration
	// Said is the HTTP status of an error, and what went wrong in words.
	Said(err error) (status int, title mianmi.Text)
}

// Parts are what a Site works with; all are required.
type Parts struct {
	Name     string // of the surface, in the cookie's name: "my", "console"
	Base     string // the path that all of its pages have in front: "/my/"
	Login    string // the page to log in
	Style    []string
	Script   []string
	Sessions Sessions
	Gate     Gate
	Keys     *secret.Keys
	Clock    mianmi.Clock
	Random   Random
	Log      *slog.Logger
}

// Random is a source of randomness that is safe for concurrent use.
type Random interface{ Read(b []byte) (int, error) }

// Route is one page, or what a form does.
type Route struct {
	Pattern string // "GET /my/payments/{payment}"
	// Public is for anybody; else May says whose sessions see it.
	Public bool
	May    []mianmi.Role
	// LoggingIn counts a try for the address of the caller.
	LoggingIn bool
	// BodyMax is how much a form may bring, 64 KiB when it is 0.
	BodyMax int64
	// Stream has no deadline: it waits for news.
	Stream bool
	Handle func(*Visit) error
}

// Site serves the routes of one surface. It is an http.Handler.
type Site struct {
	Parts
	routes []Route
	mux    *http.ServeMux
}

// New checks the routes: each has a rule, and lies under the base.
func New(p Parts, routes []Route) (*Site, error) {
	if p.Sessions == nil || p.Gate == nil || p.Keys == nil || p.Clock == nil || p.Random == nil || p.Log == nil {
		return nil, errors.New("site: a required part is missing")
	}
	s := &Site{Parts: p, routes: routes, mux: http.NewServeMux()}
	for i := range routes {
		rt := &routes[i]
		_, path, _ := strings.Cut(rt.Pattern, " ")
		if rt.Public == (len(rt.May) > 0) || !strings.HasPrefix(path, p.Base) || rt.Handle == nil {
			return nil, fmt.Errorf("site: %s wants one rule, a path under %s and a handler", rt.Pattern, p.Base)
		}
		s.mux.HandleFunc(rt.Pattern, func(w http.ResponseWriter, r *http.Request) { s.serve(rt, w, r) })
	}
	s.mux.HandleFunc(p.Base, func(w http.ResponseWriter, r *http.Request) {
		s.serve(&Route{Public: true, Handle: func(*Visit) error { return mianmi.Missing("page") }}, w, r)
	})
	return s, nil
}

// Routes are those that are served, for whoever goes through all of them.
func (s *Site) Routes() []Route { return slices.Clone(s.routes) }

// ServeHTTP serves a page.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

const (
	bodyMax  = 64 << 10
	deadline = 10 * time.Second
)

func (s *Site) serve(rt *Route, w http.ResponseWriter, r *http.Request) {
	v := &Visit{W: w, R: r, site: s, Lang: s.lang(w, r)}
	defer s.recovered(v)
	if err := s.head(v); err != nil {
		s.fail(v, err)
		return
	}
	limit := rt.BodyMax
	if limit == 0 {
		limit = bodyMax
	}
	r.Body = http.MaxBytesReader(w, r.Body, limit)
	if !rt.Stream {
		ctx, cancel := context.WithTimeout(r.Context(), deadline)
		defer cancel()
		v.R = r.WithContext(ctx)
	}
	if err := s.admit(rt, v); err != nil {
		s.fail(v, err)
		return
	}
	if err := rt.Handle(v); err != nil {
		s.fail(v, err)
	}
}

// head sets what every answer has.
func (s *Site) head(v *Visit) error {
	var nonce [16]byte
	if _, err := s.Random.Read(nonce[:]); err != nil {
		return err
	}
	v.Nonce = base64.RawURLEncoding.EncodeToString(nonce[:])
	h := v.W.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'nonce-"+v.Nonce+"'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; manifest-src 'self'; "+
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=()")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Robots-Tag", "noindex")
	if v.R.TLS != nil {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	return nil
}

// errUnsafe is shown on a way that somebody can read.
var errUnsafe = mianmi.Forbidden("unsafe_connection", "pages with a login are shown over TLS alone")

// errForm is shown when a form is not this site's, or its page is too old.
var errForm = mianmi.Forbidden("form_stale", "the form has no token of this session")

// admit is what a request must pass before its page is drawn.
func (s *Site) admit(rt *Route, v *Visit) error {
	if !s.Gate.Secure(v.R) {
		return errUnsafe
	}
	if err := s.identify(v); err != nil {
		return err
	}
	if v.secret() == "" {
		v.bind()
	}
	if v.R.Method != http.MethodGet && v.R.Method != http.MethodHead {
		if err := s.checkForm(v); err != nil {
			return err
		}
	}
	if rt.LoggingIn {
		if wait := s.Gate.TakeLogin(v.R); wait > 0 {
			return &mianmi.Error{Kind: mianmi.Denied, Code: "too_many_requests", Msg: "too many logins from this address", RetryAfter: wait}
		}
	}
	switch {
	case rt.Public:
		return nil
	case v.Actor.Role == mianmi.NoRole:
		return mianmi.Unauthenticated
	case !v.Actor.Is(rt.May...):
		return mianmi.Forbidden("not_allowed", "this page is not for a "+v.Actor.Role.String())
	}
	return nil
}

var crossOrigin = http.NewCrossOriginProtection()

func (s *Site) checkForm(v *Visit) error {
	if crossOrigin.Check(v.R) != nil {
		return errForm
	}
	if err := v.parse(); err != nil {
		return err
	}
	secret := v.secret()
	if secret == "" || !hmac.Equal([]byte(v.R.PostFormValue(FormField)), []byte(s.formToken(secret))) {
		return errForm
	}
	return nil
}

// FormField is the hidden field that has a form's token. It is not called "form":
// that would hide the property of that name from scripts.
const FormField = "csrf"

// formToken is what forms of a session have; it tells nothing of the session.
func (s *Site) formToken(of string) string {
	return base64.RawURLEncoding.EncodeToString(s.Keys.Digest(secret.ForForm, s.Name+" "+of))
}

// recovered shows a fault of the program as one.
func (s *Site) recovered(v *Visit) {
	p := recover()
	if p == nil {
		return
	}
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(p)
	}
	s.Log.Error("a page panicked", "path", v.R.Pattern, "panic", p)
	s.fail(v, &mianmi.Error{Kind: mianmi.Internal})
}
