// Package payer is the pages of a payer's phone: so far the one at which a
// PIN-free contract is signed that a merchant's software has asked for in WeChat
// Pay's form. It works without scripts and keeps no session: who signs says so
// with phone number and payment password. What signing does is left to package
// wechat.
package payer

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/web/static"
	"github.com/mianmi/mianmi/web/ui"
	"github.com/mianmi/mianmi/wechat"
)

//go:generate go tool -modfile=../../tools/go.mod templ generate

// Contracts is what signs; wechat.Service is one.
type Contracts interface {
	Signing(ctx context.Context, token string) (wechat.Signing, error)
	SignContract(ctx context.Context, token string, c wechat.ContractConsent) error
	RefuseContract(ctx context.Context, token string) error
}

// Parts are what the pages work with; all are required.
type Parts struct {
	Contracts Contracts
	Log       *slog.Logger
}

// left is the path of the page after somebody has refused. It is no token's.
const left = wechat.SignPath + "left"

// Handler serves the pages under wechat.SignPath. A form that another site sends
// is refused; without phone number and password none does anything.
func Handler(p Parts) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+left, func(w http.ResponseWriter, r *http.Request) {
		p.draw(w, r, http.StatusOK, leftPage(newFrame(r)))
	})
	mux.HandleFunc("GET "+wechat.SignPath+"{token}", p.show)
	mux.HandleFunc("POST "+wechat.SignPath+"{token}", p.post)
	return http.NewCrossOriginProtection().Handler(mux)
}

// frame is what every page has.
type frame struct {
	ui.Page
	Path string
}

func newFrame(r *http.Request) frame {
	lang := mianmi.ParseLang(r.Header.Get("Accept-Language"))
	if l := r.URL.Query().Get("lang"); l == "zh" || l == "en" {
		lang = mianmi.ParseLang(l)
	}
	f := frame{Path: r.URL.Path, Page: ui.Page{Lang: lang, Class: "phone", Styles: []string{static.URL("weui.css"), static.URL("phone.css")}}}
	f.Title = f.T("免密支付签约", "PIN-free agreement")
	return f
}

// T is a text in the page's language.
func (f frame) T(zh, en string) string { return mianmi.Text{ZH: zh, EN: en}.In(f.Lang) }

// other is the page in the other language.
func (f frame) other() (url, name string) {
	if f.Lang == mianmi.EN {
		return f.Path + "?lang=zh", "中文"
	}
	return f.Path + "?lang=en", "English"
}

// action is where a form of the page goes.
func (f frame) action() string { return f.Path + "?lang=" + f.tag() }

func (f frame) tag() string {
	if f.Lang == mianmi.EN {
		return "en"
	}
	return "zh"
}

// limits are what a payer may choose from, in yuan for each payment.
var limits = []int64{100, 200, 500, 1000}

const limitFirst = 200 // what is chosen when nobody chooses

// view is what the form shows.
type view struct {
	frame
	wechat.Signing
	Limit int64 // yuan
	Phone string
	Fault string
}

// show draws the form, or what has become of it.
func (p Parts) show(w http.ResponseWriter, r *http.Request) {
	v := view{frame: newFrame(r), Limit: limitFirst}
	p.form(w, r, http.StatusOK, v)
}

func (p Parts) form(w http.ResponseWriter, r *http.Request, status int, v view) {
	var err error
	v.Signing, err = p.Contracts.Signing(r.Context(), r.PathValue("token"))
	switch {
	case mianmi.KindOf(err) == mianmi.NotFound && err != nil:
		p.draw(w, r, http.StatusNotFound, overPage(v.frame))
	case err != nil:
		p.Log.ErrorContext(r.Context(), "a page to sign could not be drawn", "error", err)
		p.draw(w, r, http.StatusServiceUnavailable, laterPage(v.frame))
	case v.Signed:
		p.draw(w, r, status, signedPage(v))
	default:
		p.draw(w, r, status, signPage(v))
	}
}

// formMax bounds a form: a phone number, a password.
const formMax = 4 << 10

// post signs or refuses. What was done is shown by another page.
func (p Parts) post(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, formMax)
	v := view{frame: newFrame(r), Phone: strings.TrimSpace(r.PostFormValue("phone")), Limit: limitFirst}
	token := r.PathValue("token")
	if r.PostFormValue("do") == "refuse" {
		if err := p.Contracts.RefuseContract(r.Context(), token); err != nil {
			p.form(w, r, http.StatusUnprocessableEntity, v)
			return
		}
		http.Redirect(w, r, left+"?lang="+v.tag(), http.StatusSeeOther)
		return
	}
	for _, l := range limits {
		if r.PostFormValue("limit") == strconv.FormatInt(l, 10) {
			v.Limit = l
		}
	}
	if r.PostFormValue("agree") == "" {
		v.Fault = v.T("请先阅读并同意条款。", "Read the terms and agree to them first.")
		p.form(w, r, http.StatusUnprocessableEntity, v)
		return
	}
	most := v.Limit * 100
	err := p.Contracts.SignContract(r.Context(), token, wechat.ContractConsent{Phone: phoneNumber(v.Phone), Password: r.PostFormValue("password"),
		ConsentVersion: r.PostFormValue("consent"), PerPayment: &most})
	if err != nil && mianmi.KindOf(err) != mianmi.NotFound { // a page that is over says so itself
		if v.Fault = fault(v.frame, err); v.Fault == "" {
			p.Log.ErrorContext(r.Context(), "a contract could not be signed", "error", err)
			p.draw(w, r, http.StatusServiceUnavailable, laterPage(v.frame))
			return
		}
		p.form(w, r, http.StatusUnprocessableEntity, v)
		return
	}
	http.Redirect(w, r, v.action(), http.StatusSeeOther)
}

// phone puts a number as it is typed in China into the form of E.164.
func phoneNumber(text string) string {
	text = strings.NewReplacer(" ", "", "-", "").Replace(text)
	if len(text) == 11 && text[0] == '1' {
		return "+86" + text
	}
	return text
}

// draw writes a page.
func (p Parts) draw(w http.ResponseWriter, r *http.Request, status int, page templ.Component) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer") // the address is a secret
	h.Set("Cache-Control", "no-store")
	h.Set("X-Robots-Tag", "noindex")
	w.WriteHeader(status)
	if err := page.Render(r.Context(), w); err != nil && r.Context().Err() == nil {
		p.Log.ErrorContext(r.Context(), "a page could not be drawn", "error", err)
	}
}
