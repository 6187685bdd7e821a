// Package wechatv3 is a front of mianmi's own wallet in the form of WeChat Pay's
// APIv3, under /v3: software that was written for WeChat Pay takes payments here
// when its base URL is changed (docs/wechatpay.md says what differs).
//
// It reads signed requests, checks their form, makes one call to package wechat
// and signs the answer. It holds no business rule, and logs nothing of what was
// in a request.
package wechatv3

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/wechat"
)

// Parts are what a Server works with; all are required.
type Parts struct {
	Service *wechat.Service
	Clock   mianmi.Clock
	Random  io.Reader // safe for concurrent use
	Log     *slog.Logger
}

// Config tunes a Server. Zero values mean the defaults.
type Config struct {
	Deadline time.Duration // of one request, default 10 s
	// Test lets requests ask for faults (header Mianmi-Test-Fault), for whoever
	// tests software against this front. Never where real money is.
	Test bool
	// PublicURL is where payers' phones find the pages at which contracts are
	// signed; empty: at the address that the merchant's software has called.
	PublicURL string
	// Metrics receives the counters; nil: they are kept nowhere.
	Metrics prometheus.Registerer
}

// Server answers requests. It is an http.Handler.
type Server struct {
	Parts
	cfg    Config
	mux    *http.ServeMux
	routes []Route
	done   *prometheus.CounterVec

	idPrefix string // of request ids: this process
	idNext   atomic.Uint64
}

// Route is one method and path of the front.
type Route struct {
	Method, Path string
	Name         string // label of metrics and logs
	serve        func(context.Context, *call) (any, error)
}

// New returns a Server, or an error that names what is missing.
func New(p Parts, c Config) (*Server, error) {
	if p.Service == nil || p.Clock == nil || p.Random == nil || p.Log == nil {
		return nil, errors.New("wechatv3: a required part is missing")
	}
	if c.Deadline <= 0 {
		c.Deadline = 10 * time.Second
	}
	s := &Server{Parts: p, cfg: c, mux: http.NewServeMux(),
		done: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mianmi_wechat_requests_total", Help: "Requests in WeChat Pay's form."}, []string{"route", "status"})}
	var prefix [5]byte
	if _, err := io.ReadFull(p.Random, prefix[:]); err != nil {
		return nil, fmt.Errorf("read randomness for request ids: %w", err)
	}
	s.idPrefix = hex.EncodeToString(prefix[:])
	if c.Metrics != nil {
		if err := c.Metrics.Register(s.done); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	if c.Test {
		p.Log.Warn("TEST MODE of the WeChat Pay front: requests may ask for lost, late, doubled and wrongly signed messages and for forged errors. " +
			"Switch --wechat-test off where real money is")
	}
	const order, refunds = "/v3/pay/transactions", "/v3/refund/domestic/refunds"
	s.routes = []Route{
		{"POST", order + "/codepay", "codepay", s.codepay},
		{"POST", order + "/out-trade-no/{out_trade_no}/reverse", "reverse", s.reverse},
		{"POST", order + "/native", "native", s.native},
		{"GET", order + "/id/{transaction_id}", "query_transaction", s.queryTransaction},
		{"GET", order + "/out-trade-no/{out_trade_no}", "query_order", s.queryOrder},
		{"POST", order + "/out-trade-no/{out_trade_no}/close", "close", s.closeOrder},
		{"POST", refunds, "refund", s.refund},
		{"GET", refunds + "/{out_refund_no}", "query_refund", s.queryRefund},
		{"GET", "/v3/certificates", "certificates", s.certificates},
		{"POST", "/v3/security/echo", "echo", s.echo},
	}
	s.routes = append(append(s.routes, s.contractRoutes()...), s.complaintRoutes()...)
	for i := range s.routes {
		rt := &s.routes[i]
		s.mux.HandleFunc(rt.Method+" "+rt.Path, func(w http.ResponseWriter, r *http.Request) { s.handle(rt, w, r) })
	}
	elsewhere := &Route{Name: "unknown", serve: func(context.Context, *call) (any, error) { return nil, errElsewhere }}
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { s.handle(elsewhere, w, r) })
	return s, nil
}

// Routes lists what the front answers.
func (s *Server) Routes() []Route { return s.routes }

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// call is one request on its way.
type call struct {
	id     string
	lang   mianmi.Lang
	r      *http.Request
	body   []byte
	form   *form // of an upload, after its part meta, which is body
	caller wechat.Caller
	fault  string // that a test asks for
	status int
	err    error // for the log
}

// bodyMax bounds a request: the longest legitimate one lists the goods of a
// basket, below 20 KiB.
const bodyMax = 64 << 10

// handle runs a route: what comes before and after every handler.
func (s *Server) handle(rt *Route, w http.ResponseWriter, r *http.Request) {
	begun := s.Clock.Now()
	c := &call{id: s.requestID(r), lang: mianmi.ParseLang(r.Header.Get("Accept-Language")), r: r}
	if r.Header.Get("Accept-Language") == "" {
		c.lang = mianmi.ZH // the form's own
	}
	h := w.Header()
	h.Set("Request-ID", c.id)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	defer func() {
		if p := recover(); p != nil {
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			s.Log.Error("a request panicked", "request", c.id, "route", rt.Name, "panic", p, "stack", string(debug.Stack()))
			c.err = &mianmi.Error{Kind: mianmi.Internal}
			s.fail(c, w, c.err)
		}
		s.done.WithLabelValues(rt.Name, strconv.Itoa(c.status)).Inc()
		s.log(rt, c, s.Clock.Now().Sub(begun))
	}()
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.Deadline)
	defer cancel()
	out, err := s.serve(ctx, rt, c)
	if err == nil {
		err = s.answer(ctx, c, w, out)
	}
	if err != nil {
		c.err = err
		s.fail(c, w, err)
	}
}

// serve reads and checks a request and runs its route.
func (s *Server) serve(ctx context.Context, rt *Route, c *call) (any, error) {
	if rt.Method == "" {
		return rt.serve(ctx, c)
	}
	if err := c.read(); err != nil {
		return nil, err
	}
	values := c.r.Header["Authorization"]
	if len(values) > 1 {
		return nil, wechat.SignError("one Authorization header, not several")
	}
	var err error
	c.caller, err = s.Service.Authenticate(ctx, wechat.Signed{Authorization: c.r.Header.Get("Authorization"), Method: c.r.Method,
		Target: c.r.RequestURI, Body: c.body})
	if err != nil {
		return nil, err
	}
	if s.cfg.Test {
		c.fault = c.r.Header.Get("Mianmi-Test-Fault")
	}
	out, err := rt.serve(ctx, c)
	if c.fault == "forged-4xx" {
		return nil, errForged
	}
	return out, err
}

// read reads what is signed of a request.
func (c *call) read() (err error) {
	if c.form, err = formOf(c); err != nil || c.form != nil {
		return err
	}
	c.body, err = io.ReadAll(io.LimitReader(c.r.Body, bodyMax+1))
	switch {
	case err != nil:
		return &mianmi.Error{Kind: mianmi.Invalid, Msg: "the body did not come whole", Err: err}
	case len(c.body) > bodyMax:
		return &mianmi.Error{Kind: mianmi.Invalid, Code: "body_too_large", Msg: "the body has more than 65536 bytes"}
	}
	return nil
}

// answer signs and writes an answer; nil is 204.
func (s *Server) answer(ctx context.Context, c *call, w http.ResponseWriter, out any) error {
	body, kind := []byte(nil), "application/json; charset=utf-8"
	c.status = http.StatusNoContent
	if picture, is := out.(raw); is {
		body, kind, c.status = picture, http.DetectContentType(picture), http.StatusOK
	} else if out != nil {
		var err error
		if body, err = json.Marshal(out); err != nil {
			return fmt.Errorf("encode an answer: %w", err)
		}
		c.status = http.StatusOK
	}
	how := s.Service.Normal()
	how.Serial = c.r.Header.Get("Wechatpay-Serial") // the key that the caller has
	switch c.fault {
	case "other-key":
		how.Certificate, how.Serial = !how.Certificate, ""
	case "clock-skew":
		how.Skew = -wechat.Skew
	}
	g, err := s.Service.Sign(context.WithoutCancel(ctx), body, how) // what was done is answered, however late
	if err != nil {
		return err
	}
	h := w.Header()
	for name, value := range g.Headers() {
		h.Set(name, value)
	}
	if body != nil {
		h.Set("Content-Type", kind)
	}
	w.WriteHeader(c.status)
	_, _ = w.Write(body) // the caller has gone: nobody to tell
	return nil
}

// requestIDMax bounds an identifier that a caller chose.
const requestIDMax = 64

// requestID takes the caller's identifier when it is harmless in a log, or makes one.
func (s *Server) requestID(r *http.Request) string {
	if in := r.Header.Values("Request-Id"); len(in) == 1 && token(in[0], requestIDMax) {
		return in[0]
	}
	return s.idPrefix + "-" + strconv.FormatUint(s.idNext.Add(1), 36)
}

// token reports 1 to most letters, digits, '.', '_', '-' and ':'.
func token(text string, most int) bool {
	if text == "" || len(text) > most {
		return false
	}
	for i := range len(text) {
		c := text[i]
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '.' || c == '_' || c == '-' || c == ':') {
			return false
		}
	}
	return true
}

// log writes one line for a call: who, what, how it went; never what was in it.
func (s *Server) log(rt *Route, c *call, took time.Duration) {
	level := slog.LevelInfo
	if c.status >= http.StatusInternalServerError {
		level = slog.LevelWarn
		if mianmi.KindOf(c.err) == mianmi.Internal {
			level = slog.LevelError
		}
	}
	attrs := []slog.Attr{slog.String("request", c.id), slog.String("route", "wechat."+rt.Name), slog.Int("status", c.status), slog.Duration("took", took)}
	if c.caller.Identity.MchID != "" {
		attrs = append(attrs, slog.String("mchid", c.caller.Identity.MchID), slog.String("via", c.caller.Via))
	}
	if c.err != nil {
		attrs = append(attrs, slog.String("error", c.err.Error()))
	}
	s.Log.LogAttrs(c.r.Context(), level, "request", attrs...)
}
