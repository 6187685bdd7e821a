// Package check is the page at which anybody verifies a receipt: in the
// browser, without a session and without trusting the server beyond the page,
// or by a form where the browser cannot. Who may have which receipt is left to
// package receipt, the proof to package evidence.
package check

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/base64"
	"errors"
	"html/template"
	"io"
	"log/slog"
	"net/http"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/receipt"
)

var (
	//go:embed check.html
	pageHTML string
	//go:embed check.css
	pageCSS string
	//go:embed check.js
	pageJS string

	page = template.Must(template.New("check").Parse(pageHTML))
)

// Receipts finds a receipt by the token of a link.
type Receipts interface {
	ByToken(ctx context.Context, token string) (*evidence.Receipt, error)
}

// Log publishes its keys.
type Log interface {
	Keys(ctx context.Context) ([]evidence.KeyInForce, error)
}

// Parts are what the page works with; all are required.
type Parts struct {
	Receipts Receipts
	Log      Log
	Random   io.Reader // safe for concurrent use
	Errors   *slog.Logger
}

// Handler serves GET /check, GET /check/{token} and POST /check.
func Handler(p Parts) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /check", func(w http.ResponseWriter, r *http.Request) { p.draw(w, r, http.StatusOK, view{}) })
	mux.HandleFunc("GET /check/{token}", p.linked)
	mux.HandleFunc("POST /check", p.posted)
	return mux
}

// view is what is drawn.
type view struct {
	Lang, OtherLang, Nonce string
	W                      map[string]string
	Words                  table
	CSS                    template.CSS
	JS                     template.JS
	Text                   string // of the receipt
	Class                  string // of the verdict; empty: none yet

	Bad, Said, When string
	Good, Published bool
	Facts           []fact
}

type fact struct{ Label, Value string }

// table is the words that the script needs.
type table struct {
	receipt.Table
	Lang        string            `json:"lang"`
	L           map[string]string `json:"l"`
	Keys        []string          `json:"keys"` // published ones of the log
	Good        string            `json:"good"`
	Bad         string            `json:"bad"`
	Misfit      string            `json:"misfit"`
	Here        string            `json:"here"`
	Zone        string            `json:"zone"`
	Published   string            `json:"published"`
	Unpublished string            `json:"unpublished"`
	Proves      string            `json:"proves"`
	ProvesNot   string            `json:"provesNot"`
}

// linked shows the receipt that a link is for.
func (p Parts) linked(w http.ResponseWriter, r *http.Request) {
	got, err := p.Receipts.ByToken(r.Context(), r.PathValue("token"))
	if err != nil {
		v, status := view{Class: "bad"}, http.StatusNotFound
		v.Bad = say(langOf(r), "没有这个链接所指的凭证。", "There is no receipt for this link.")
		switch {
		case errors.Is(err, evidence.ErrNotYet):
			v.Bad, status = say(langOf(r), "凭证将在一秒内就绪，请刷新。", "The receipt will be ready within a second: reload."), http.StatusServiceUnavailable
			w.Header().Set("Retry-After", "1")
		case mianmi.KindOf(err) != mianmi.NotFound:
			p.Errors.ErrorContext(r.Context(), "a receipt could not be found", "error", err)
			v.Bad, status = say(langOf(r), "暂时无法取得凭证，请稍后再试。", "The receipt cannot be fetched right now; try again."), http.StatusServiceUnavailable
		}
		p.draw(w, r, status, v)
		return
	}
	text, err := got.Text()
	if err != nil {
		p.Errors.ErrorContext(r.Context(), "a receipt could not be written", "error", err)
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	p.judge(w, r, text)
}

// bodyMax bounds a form: a receipt has 256 KiB at most.
const bodyMax = 1 << 19

// posted checks what was sent by a browser that cannot check it itself.
func (p Parts) posted(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, bodyMax)
	if err := r.ParseMultipartForm(bodyMax); err != nil { //nolint:gosec // bounded by the line above
		p.draw(w, r, http.StatusUnprocessableEntity, view{Class: "bad", Bad: say(langOf(r), "没有收到凭证，或它过大。", "No receipt arrived, or it is too large.")})
		return
	}
	text := []byte(r.FormValue("text"))
	if f, _, err := r.FormFile("file"); err == nil {
		file, err := io.ReadAll(io.LimitReader(f, bodyMax))
		if err := errors.Join(err, f.Close()); err == nil && len(file) > 0 {
			text = file
		}
	} else {
		text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")) // forms send lines so
	}
	p.judge(w, r, text)
}

// judge checks a receipt and draws the verdict.
func (p Parts) judge(w http.ResponseWriter, r *http.Request, text []byte) {
	lang := langOf(r)
	v, status := view{Text: string(text)}, http.StatusOK
	got, err := evidence.ParseReceipt(text)
	var proved evidence.Proved
	if err == nil {
		proved, err = got.Verify(evidence.Trust{})
	}
	if err != nil {
		v.Class, v.Bad = "bad", receipt.Fault(err).In(lang)
		p.draw(w, r, http.StatusUnprocessableEntity, v)
		return
	}
	told := receipt.Tell(proved)
	v.Class, v.Good, v.Said, v.When = "good", true, told.Sentence.In(lang), receipt.When(told.At).In(lang)
	for _, f := range append(told.Facts, receipt.Proof(got, proved)...) {
		v.Facts = append(v.Facts, fact{f.Label.In(lang), f.Value.In(lang)})
	}
	p.draw(w, r, status, v)
}

// draw fills in what every page has.
func (p Parts) draw(w http.ResponseWriter, r *http.Request, status int, v view) {
	var nonce [16]byte
	if _, err := io.ReadFull(p.Random, nonce[:]); err != nil {
		p.fail(w, r, err)
		return
	}
	lang := langOf(r)
	v.Nonce = base64.RawURLEncoding.EncodeToString(nonce[:])
	v.Lang, v.OtherLang = say(lang, "zh", "en"), say(lang, "en", "zh")
	v.CSS, v.JS = template.CSS(pageCSS), template.JS(pageJS) //nolint:gosec // our own files
	v.W = map[string]string{"proves": receipt.Proves.In(lang), "provesNot": receipt.ProvesNot.In(lang)}
	for name, t := range texts {
		v.W[name] = t.In(lang)
	}
	keys, err := p.Log.Keys(r.Context())
	if err != nil {
		p.fail(w, r, err)
		return
	}
	v.Words = words(lang, v.W, keys)
	v.Published = v.Good && published(v.Text, keys)
	var b bytes.Buffer
	if err := page.Execute(&b, v); err != nil {
		p.fail(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'nonce-"+v.Nonce+"'; script-src 'nonce-"+v.Nonce+"'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Robots-Tag", "noindex")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the caller has gone: nobody to tell
}

func (p Parts) fail(w http.ResponseWriter, r *http.Request, err error) {
	p.Errors.ErrorContext(r.Context(), "the check page could not be drawn", "error", err)
	http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
}

// words are those of the script.
func words(lang mianmi.Lang, w map[string]string, keys []evidence.KeyInForce) table {
	t := table{Table: receipt.Words(lang), Lang: say(lang, "zh", "en"), L: map[string]string{}, Good: w["good"], Bad: w["bad"], Misfit: w["misfit"],
		Here: w["here"], Zone: w["zone"], Published: w["published"], Unpublished: w["unpublished"], Proves: w["proves"], ProvesNot: w["provesNot"], Keys: []string{}}
	for _, name := range []string{"log", "place", "of", "entry", "key", "witness", "data"} {
		t.L[name] = w[name]
	}
	t.Parts["link"] = w["link"]
	for _, k := range keys {
		t.Keys = append(t.Keys, k.Public)
	}
	return t
}

// published reports whether a receipt that holds is signed by a key of the log
// of this server.
func published(text string, keys []evidence.KeyInForce) bool {
	r, err := evidence.ParseReceipt([]byte(text))
	if err != nil {
		return false
	}
	for _, k := range keys {
		if k.Public == r.Key {
			return true
		}
	}
	return false
}

// langOf is the language that the address or the browser asks for.
func langOf(r *http.Request) mianmi.Lang {
	if l := r.URL.Query().Get("lang"); l == "zh" || l == "en" {
		return mianmi.ParseLang(l)
	}
	return mianmi.ParseLang(r.Header.Get("Accept-Language"))
}

func say(l mianmi.Lang, zh, en string) string { return mianmi.Text{ZH: zh, EN: en}.In(l) }
