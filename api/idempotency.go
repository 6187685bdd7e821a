package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/go-json-experiment/json"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/idempotency"
)

// idempotencyKey returns the caller's key; empty: none was given.
func idempotencyKey(h http.Header) (string, error) {
	values := h["Idempotency-Key"]
	switch {
	case len(values) == 0:
		return "", nil
	case len(values) > 1:
		return "", mianmi.InvalidField("Idempotency-Key", "one key, not several")
	}
	return values[0], idempotency.CheckKey(values[0])
}

// once runs a route at most once for a key. What failed has written nothing,
// so it may be tried again under the same key.
func (s *Server) once(c *call, serve func(*call)) {
	key, err := idempotencyKey(c.r.Header)
	if err != nil {
		s.fail(c, err)
		return
	}
	if key == "" {
		serve(c)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(c, c.r.Body, c.route.bodyMax))
	if err != nil {
		s.fail(c, bodyError(err))
		return
	}
	c.r.Body = io.NopCloser(bytes.NewReader(body))
	claim, first, err := s.Once.Begin(c.r.Context(), idempotency.Request{Actor: c.actor, Key: key,
		What: c.r.Method + " " + c.r.URL.Path, Rest: c.r.URL.RawQuery + "\x00" + string(body)})
	switch {
	case err != nil:
		s.fail(c, err)
	case first != nil:
		s.replay(c, *first)
	default:
		s.record(c, claim, serve)
	}
}

// recorded is an answer as it is sealed.
type recorded struct {
	ContentType string `json:"content_type,omitempty"`
	Location    string `json:"location,omitempty"`
	Body        []byte `json:"body,omitempty"`
}

// replay gives the first answer again.
func (s *Server) replay(c *call, a idempotency.Answer) {
	var first recorded
	if err := json.Unmarshal(a.Text, &first); err != nil {
		s.fail(c, &mianmi.Error{Kind: mianmi.Internal, Err: err})
		return
	}
	h := c.Header()
	for name, value := range map[string]string{"Content-Type": first.ContentType, "Location": first.Location} {
		if value != "" {
			h.Set(name, value)
		}
	}
	h.Set("Idempotency-Replayed", "true")
	c.WriteHeader(a.Status)
	_, _ = c.Write(first.Body) // the caller has gone: nobody to tell
}

// recorder holds an answer back until it is kept, so that nobody is told what
// a repeat would not be told.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *recorder) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(b)
}

// record runs the route and keeps its answer when it is a success.
func (s *Server) record(c *call, claim *idempotency.Claim, serve func(*call)) {
	ctx := context.WithoutCancel(c.r.Context()) // what has begun is finished
	kept := false
	defer func() {
		if kept {
			return
		}
		if err := claim.Free(ctx); err != nil { // it failed or panicked
			s.Log.Error("an idempotency key could not be given back", "request", c.id, "error", err)
		}
	}()
	to := c.w
	rec := &recorder{header: to.Header()}
	func() {
		c.w = rec
		defer func() {
			c.w = to
			if p := recover(); p != nil {
				c.status = 0 // nothing has gone out
				panic(p)
			}
		}()
		serve(c)
	}()
	if rec.status >= http.StatusOK && rec.status < http.StatusMultipleChoices {
		kept = true // also when keeping fails: the claim then stands until it runs out
		if err := keep(ctx, claim, rec); err != nil {
			s.Log.Error("the answer to a request with an idempotency key could not be kept", "request", c.id, "error", err)
		}
	}
	to.WriteHeader(max(rec.status, http.StatusOK))
	_, _ = to.Write(rec.body.Bytes()) // the caller has gone: nobody to tell
}

func keep(ctx context.Context, claim *idempotency.Claim, rec *recorder) error {
	text, err := json.Marshal(recorded{ContentType: rec.header.Get("Content-Type"), Location: rec.header.Get("Location"), Body: rec.body.Bytes()})
	if err != nil {
		return err
	}
	return claim.Keep(ctx, idempotency.Answer{Status: rec.status, Text: text})
}

// bodyError is what a body that could not be read means.
func bodyError(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return transport("body_too_large", "the body is too large")
	}
	return &mianmi.Error{Kind: mianmi.Invalid, Code: "body_timeout", Msg: "the body did not arrive whole", Err: err}
}
