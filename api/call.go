package api

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/mianmi/mianmi"
)

// call is one request on its way. It is also the ResponseWriter that handlers
// write to, so that status and size are known in the end.
type call struct {
	id    string
	lang  mianmi.Lang
	actor mianmi.Actor
	route *route
	begun time.Time

	w      http.ResponseWriter
	r      *http.Request
	status int
	bytes  int
	err    error // behind a problem, for the log
}

type callKey struct{}

// callOf returns the call that a context belongs to.
func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// Header, Write and WriteHeader make it an http.ResponseWriter.
func (c *call) Header() http.Header { return c.w.Header() }

func (c *call) WriteHeader(status int) {
	if c.status == 0 {
		c.status = status
		c.w.WriteHeader(status)
	}
}

func (c *call) Write(b []byte) (int, error) {
	if c.status == 0 {
		c.status = http.StatusOK
	}
	n, err := c.w.Write(b)
	c.bytes += n
	return n, err
}

// Unwrap gives http.ResponseController the connection.
func (c *call) Unwrap() http.ResponseWriter { return c.w }

// SetReadDeadline keeps the framework from setting a deadline on the
// connection that would also end whatever runs after the body has been read:
// reading is bounded by the server's own time-outs.
func (c *call) SetReadDeadline(time.Time) error { return nil }

// Headers that every answer has. The slices are shared and never changed.
var (
	headerNoSniff  = []string{"nosniff"}
	headerNoStore  = []string{"no-store"}
	headerNothing  = []string{"default-src 'none'; frame-ancestors 'none'"}
	headerReferrer = []string{"no-referrer"}
	headerHSTS     = []string{"max-age=31536000"}
	headerJSON     = []string{"application/json"}
)

// uploadMax is the deadline of a request that brings a file: until it is here, looked
// through and kept.
const uploadMax = 45 * time.Second

// handle runs a route: what comes before and after every handler.
func (s *Server) handle(rt *route, w http.ResponseWriter, r *http.Request) {
	c := &call{route: rt, begun: s.Clock.Now(), w: w, r: r, id: s.requestID(r), lang: mianmi.ParseLang(r.Header.Get("Accept-Language"))}
	h := w.Header()
	h["X-Request-Id"] = []string{c.id}
	h["X-Content-Type-Options"], h["Cache-Control"] = headerNoSniff, headerNoStore
	h["Content-Security-Policy"], h["Referrer-Policy"] = headerNothing, headerReferrer
	if r.TLS != nil {
		h["Strict-Transport-Security"] = headerHSTS
	}
	defer s.finish(c)
	deadline := s.cfg.Deadline
	if rt.raw {
		deadline = uploadMax
	}
	ctx, cancel := context.WithTimeout(r.Context(), deadline)
	defer cancel()
	c.r = r.WithContext(ctx)
	if err := s.admit(c); err != nil {
		s.fail(c, err)
		return
	}
	if rt.wait {
		c.r = r
	}
	rt.serve(c)
}

// finish counts and logs a call, also one that panicked.
func (s *Server) finish(c *call) {
	if p := recover(); p != nil {
		if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(p)
		}
		s.Log.Error("a request panicked", "request", c.id, "route", c.route.name, "panic", p, "stack", string(debug.Stack()))
		s.fail(c, &mianmi.Error{Kind: mianmi.Internal})
	}
	if c.status == 0 {
		c.status = http.StatusOK
	}
	took := s.Clock.Now().Sub(c.begun)
	c.route.observe(c.status, took)
	s.log(c, took)
}

// requestIDMax bounds an identifier that a caller chose.
const requestIDMax = 64

// requestID takes the caller's identifier when it is harmless in a log, or
// makes one.
func (s *Server) requestID(r *http.Request) string {
	if in := r.Header["X-Request-Id"]; len(in) == 1 && tokenText(in[0], requestIDMax) {
		return in[0]
	}
	b := make([]byte, 0, 32)
	b = append(b, s.idPrefix...)
	b = append(b, '-')
	return string(strconv.AppendUint(b, s.idNext.Add(1), 36))
}

// tokenText reports 1 to lenMax letters, digits, '.', '_', '-' and ':'.
func tokenText(text string, lenMax int) bool {
	if text == "" || len(text) > lenMax {
		return false
	}
	for i := range len(text) {
		c := text[i]
		ok := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '.' || c == '_' || c == '-' || c == ':'
		if !ok {
			return false
		}
	}
	return true
}
