// Package client speaks to mianmi's API from Go: typed calls, problem
// documents as errors, idempotency keys, one pool of connections.
//
// It retries nothing by itself: Problem says whether and when trying again
// makes sense, and the numbers of orders, refunds and top-ups, or Once, make
// that harmless.
package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/mianmi/mianmi"
)

// Client makes calls as one caller. It is safe for concurrent use; copies made
// by As and Once share its connections.
type Client struct {
	base string
	http *http.Client
	lang mianmi.Lang

	token string
	key   string
	after string // the last event of a stream that is taken up again
}

// Options tune a Client. Zero values mean the defaults.
type Options struct {
	// HTTP makes the requests; by default a client of its own that keeps Conns
	// connections open.
	HTTP *http.Client
	// Conns is how many connections to keep, default 64.
	Conns int
	// Lang is that of problems' titles.
	Lang mianmi.Lang
}

// New returns a Client without credentials for the server at base
// ("https://pay.example.com").
func New(base string, o Options) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, mianmi.InvalidField("base", "want http:// or https:// and a host")
	}
	if o.Conns <= 0 {
		o.Conns = 64
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConns: o.Conns, MaxIdleConnsPerHost: o.Conns,
			IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 10 * time.Second, ForceAttemptHTTP2: true}}
	}
	return &Client{base: strings.TrimSuffix(base, "/"), http: o.HTTP, lang: o.Lang}, nil
}

// As returns a Client that calls with a session token or an API key.
func (c *Client) As(token string) *Client {
	n := *c
	n.token = token
	return &n
}

// Once returns a Client for one request that carries the idempotency key: the
// same request with it again gets the first answer.
func (c *Client) Once(key string) *Client {
	n := *c
	n.key = key
	return &n
}

// Problem is an answer that is an error (RFC 9457).
type Problem struct {
	Type      string       `json:"type"`
	Title     string       `json:"title"`
	Status    int          `json:"status"`
	Detail    string       `json:"detail"`
	Code      string       `json:"code"`
	Field     string       `json:"field"`
	RequestID string       `json:"request_id"`
	Errors    []FieldError `json:"errors"`

	// RetryAfter is when trying again makes sense; zero: not said.
	RetryAfter time.Duration `json:"-"`
}

// FieldError is one input at fault.
type FieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// Error is one line for a log.
func (p *Problem) Error() string {
	s := fmt.Sprintf("%d %s", p.Status, p.Code)
	if p.Field != "" {
		s += " at " + p.Field
	}
	if p.Detail != "" {
		s += ": " + p.Detail
	}
	return s
}

// Code returns the code of a problem that err is or wraps; else "".
func Code(err error) string {
	var p *Problem
	if errors.As(err, &p) {
		return p.Code
	}
	return ""
}

// answerMax bounds an answer: a page of 200 payments with their reasons.
const answerMax = 16 << 20

// problemMax bounds a problem document.
const problemMax = 1 << 20

// call makes one request and decodes its answer.
func call[T any](ctx context.Context, c *Client, method, path string, in any) (out T, err error) {
	res, err := c.send(ctx, method, path, in)
	if err != nil {
		return out, err
	}
	defer func() {
		_, _ = io.CopyN(io.Discard, res.Body, problemMax) // so that the connection can be used again
		_ = res.Body.Close()
	}()
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return out, problem(res)
	}
	if res.StatusCode == http.StatusNoContent {
		return out, nil
	}
	if err := json.UnmarshalRead(io.LimitReader(res.Body, answerMax), &out); err != nil {
		return out, fmt.Errorf("%s %s: read the answer: %w", method, path, err)
	}
	return out, nil
}

func (c *Client) send(ctx context.Context, method, path string, in any) (*http.Response, error) {
	kind := "application/json"
	var body io.Reader
	switch in := in.(type) {
	case nil:
		kind = ""
	case []byte:
		kind, body = "application/octet-stream", bytes.NewReader(in)
	default:
		text, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", method, path, err)
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	if kind != "" {
		r.Header["Content-Type"] = []string{kind}
	}
	if c.token != "" {
		r.Header["Authorization"] = []string{"Bearer " + c.token}
	}
	if c.key != "" {
		r.Header["Idempotency-Key"] = []string{c.key}
	}
	if c.after != "" {
		r.Header["Last-Event-Id"] = []string{c.after}
	}
	if c.lang == mianmi.EN {
		r.Header["Accept-Language"] = []string{"en"}
	}
	return c.http.Do(r)
}

func problem(res *http.Response) error {
	p := &Problem{Status: res.StatusCode}
	text, err := io.ReadAll(io.LimitReader(res.Body, problemMax))
	if err != nil {
		return fmt.Errorf("status %d: read the problem: %w", res.StatusCode, err)
	}
	if err := json.Unmarshal(text, p); err != nil { // a proxy's page, perhaps
		p = &Problem{Status: res.StatusCode, Title: res.Status, Code: "not_a_problem_document"}
	}
	if n, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil {
		p.RetryAfter = time.Duration(n) * time.Second
	}
	return p
}

// seg escapes one segment of a path.
func seg[T ~string](s T) string { return url.PathEscape(string(s)) }

// query is what a list is asked for: what is not zero.
func query(of map[string]any) string {
	v := url.Values{}
	for name, value := range of {
		if reflect.ValueOf(value).IsZero() {
			continue
		}
		if at, ok := value.(time.Time); ok {
			value = at.UTC().Format(time.RFC3339Nano)
		}
		v.Set(name, fmt.Sprint(value))
	}
	return "?" + v.Encode()
}

// Page asks for a page of a list.
type Page struct {
	After string // List.Next of the page before
	Limit int    // 0: 50; at most 200
}

func (p Page) query(more ...string) string {
	q := url.Values{}
	if p.After != "" {
		q.Set("after", p.After)
	}
	if p.Limit > 0 {
		q.Set("limit", strconv.Itoa(p.Limit))
	}
	for i := 0; i+1 < len(more); i += 2 {
		if more[i+1] != "" {
			q.Set(more[i], more[i+1])
		}
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// List is a page of things; Next is empty on the last.
type List[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next"`
}
