package site

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/web/ui"
)

// Visit is one request for a page, by somebody.
type Visit struct {
	W     http.ResponseWriter
	R     *http.Request
	Actor mianmi.Actor // the zero Actor: nobody is logged in
	Lang  mianmi.Lang
	Nonce string // that scripts of this answer have

	site   *Site
	token  string // of the session
	before string // what forms are bound to when nobody is logged in
	drawn  bool
}

// T is a text in the reader's language.
func (v *Visit) T(zh, en string) string { return mianmi.Text{ZH: zh, EN: en}.In(v.Lang) }

// Path is the page's own path.
func (v *Visit) Path() string { return v.R.URL.Path }

// Now is the time of the page.
func (v *Visit) Now() time.Time { return v.site.Clock.Now() }

// HTMX reports whether a part of a page is asked for.
func (v *Visit) HTMX() bool { return v.R.Header.Get("HX-Request") == "true" }

// Frame is the frame of a page of this surface.
func (v *Visit) Frame(title string) ui.Page {
	return ui.Page{Lang: v.Lang, Title: title, Class: v.site.Name, Styles: v.site.Style, Scripts: v.site.Script, Nonce: v.Nonce}
}

// Draw answers with a page, or with a part of one.
func (v *Visit) Draw(status int, page templ.Component) error {
	v.drawn = true
	v.W.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.W.WriteHeader(status)
	if v.R.Method == http.MethodHead {
		return nil
	}
	if err := page.Render(v.R.Context(), v.W); err != nil && v.R.Context().Err() == nil {
		v.site.Log.ErrorContext(v.R.Context(), "a page could not be drawn", "page", v.R.Pattern, "error", err)
	}
	return nil
}

// See leads to another page of this site, after a form was good (303).
func (v *Visit) See(path string) error {
	v.drawn = true
	http.Redirect(v.W, v.R, path, http.StatusSeeOther) //nolint:gosec // paths are this program's own
	return nil
}

// Value is what a form says, without the white space around it.
func (v *Visit) Value(name string) string { return strings.TrimSpace(v.R.PostFormValue(name)) }

// Query is what the address says.
func (v *Visit) Query(name string) string { return strings.TrimSpace(v.R.URL.Query().Get(name)) }

// Form is the token that each form has in its hidden FormField.
func (v *Visit) Form() string {
	return v.site.formToken(v.secret())
}

// Words are what went wrong, in the reader's language: more than the title when
// the error has more to say.
func (v *Visit) Words(err error) string {
	var more interface{ Words() mianmi.Text }
	if errors.As(err, &more) {
		return more.Words().In(v.Lang)
	}
	_, title := v.site.Gate.Said(err)
	return title.In(v.Lang)
}

// codeOf is the code of an error; empty: it has none.
func codeOf(err error) string {
	var e *mianmi.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// Home is the first page of this surface.
func (v *Visit) Home() string { return v.site.Base }

// Fault is the input at fault, and what to say of it; ok: the form is to be drawn
// again. Any other error is to be returned.
func (v *Visit) Fault(err error) (field, words string, ok bool) {
	var e *mianmi.Error
	if !errors.As(err, &e) || e.Kind == mianmi.Internal || e.Kind == mianmi.NotFound || e.Kind == mianmi.Unavailable {
		return "", "", false
	}
	return e.Field, v.Words(err), true
}

func (v *Visit) parse() error {
	err := v.R.ParseForm()
	if strings.HasPrefix(v.R.Header.Get("Content-Type"), "multipart/form-data") {
		err = v.R.ParseMultipartForm(1 << 20)
	}
	var big *http.MaxBytesError
	switch {
	case errors.As(err, &big):
		return &mianmi.Error{Kind: mianmi.Invalid, Code: "body_too_large", Msg: "the form is too large"}
	case err != nil:
		return mianmi.InvalidField("form", "not a form")
	}
	return nil
}

// secret is what forms are bound to: the session, or a cookie before there is one.
func (v *Visit) secret() string {
	if v.token != "" {
		return v.token
	}
	return v.before
}

// identify reads who is logged in. A session that has ended is none.
func (s *Site) identify(v *Visit) error {
	v.before = s.read(v.R, "form")
	token := s.read(v.R, "session")
	if token == "" || !strings.HasPrefix(token, access.SessionPrefix) {
		return nil
	}
	actor, err := s.Sessions.Authenticate(v.R.Context(), token)
	if mianmi.KindOf(err) == mianmi.Unauthenticated && err != nil {
		s.write(v, "session", "", -1)
		return nil
	}
	if err != nil {
		return err
	}
	v.Actor, v.token = actor, token
	return nil
}

// bind gives somebody without a session something that forms are bound to.
func (v *Visit) bind() {
	var b [16]byte
	if _, err := v.site.Random.Read(b[:]); err != nil {
		return // the form will be refused
	}
	v.before = base64.RawURLEncoding.EncodeToString(b[:])
	v.site.write(v, "form", v.before, 0)
}

// Enter begins a session: the one before ends, whoever's it was.
func (v *Visit) Enter(started access.Started) {
	v.Leave()
	v.token, v.Actor = started.Token, started.Actor
	v.site.write(v, "session", started.Token, int(started.Session.ExpiresAt.Sub(v.Now())/time.Second))
}

// Leave ends the session.
func (v *Visit) Leave() {
	if v.token != "" {
		ctx := context.WithoutCancel(v.R.Context())
		if err := v.site.Sessions.Logout(ctx, v.Actor); err != nil && mianmi.KindOf(err) != mianmi.Conflict {
			v.site.Log.ErrorContext(ctx, "a session could not be ended", "error", err)
		}
	}
	v.token, v.Actor = "", mianmi.Actor{}
	v.site.write(v, "session", "", -1)
}

// cookie is the name of one of the site's cookies. With __Host- a browser keeps
// it to this host and to TLS (RFC 6265bis, 4.1.3.2).
func (s *Site) cookie(r *http.Request, name string) string {
	name = "mianmi-" + s.Name + "-" + name
	if s.tls(r) {
		return "__Host-" + name
	}
	return name
}

// tls reports whether the browser speaks TLS, to us or to a proxy.
func (s *Site) tls(r *http.Request) bool { return r.TLS != nil || s.Gate.Forwarded(r) }

func (s *Site) read(r *http.Request, name string) string {
	c, err := r.Cookie(s.cookie(r, name))
	if err != nil || len(c.Value) > 128 {
		return ""
	}
	return c.Value
}

func (s *Site) write(v *Visit, name, value string, age int) {
	http.SetCookie(v.W, &http.Cookie{Name: s.cookie(v.R, name), Value: value, Path: "/", MaxAge: age, HttpOnly: true, //nolint:gosec // without TLS on this machine alone
		Secure: s.tls(v.R), SameSite: http.SameSiteLaxMode})
}

// langLife is how long a browser keeps the language that was chosen: a year.
const langLife = 365 * 24 * 3600

// lang is the reader's language: what the address asks for, which is kept; what
// was asked for before; what the browser wants.
func (s *Site) lang(w http.ResponseWriter, r *http.Request) mianmi.Lang {
	if l := r.URL.Query().Get("lang"); l == "zh" || l == "en" {
		http.SetCookie(w, &http.Cookie{Name: "mianmi-lang", Value: l, Path: "/", MaxAge: langLife, HttpOnly: true, //nolint:gosec // a language
			Secure: s.tls(r), SameSite: http.SameSiteLaxMode})
		return mianmi.ParseLang(l)
	}
	if c, err := r.Cookie("mianmi-lang"); err == nil && (c.Value == "zh" || c.Value == "en") {
		return mianmi.ParseLang(c.Value)
	}
	return mianmi.ParseLang(r.Header.Get("Accept-Language"))
}

// Other is this page in the other language.
func (v *Visit) Other() (path, name string) {
	q, to := v.R.URL.Query(), "en"
	if name = "English"; v.Lang == mianmi.EN {
		to, name = "zh", "中文"
	}
	q.Set("lang", to)
	return (&url.URL{Path: v.R.URL.Path, RawQuery: q.Encode()}).String(), name
}

// fail shows what went wrong. Whoever is not logged in is led to where that is done.
func (s *Site) fail(v *Visit, err error) {
	if v.drawn {
		return
	}
	if mianmi.KindOf(err) == mianmi.Unauthenticated && s.Login != "" {
		if v.R.Method == http.MethodGet && !v.HTMX() {
			_ = v.See(s.Login + "?to=" + url.QueryEscape(v.R.URL.RequestURI()))
			return
		}
		if v.HTMX() {
			v.W.Header().Set("HX-Redirect", s.Login)
		}
	}
	status, _ := s.Gate.Said(err)
	if status == http.StatusInternalServerError {
		s.Log.ErrorContext(v.R.Context(), "a page failed", "page", v.R.Pattern, "error", err)
	}
	_ = v.Draw(status, wrong(v, status, err))
}

// Within is a path of this site that somebody was led away from, or its first page.
func (v *Visit) Within(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(u.Path, v.site.Base) || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n") || u.Path == v.site.Login {
		return v.site.Base
	}
	return u.RequestURI()
}
