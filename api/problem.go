package api

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"

	"github.com/mianmi/mianmi"
)

// Problem is the body of every answer that is an error (RFC 9457).
type Problem struct {
	Type      string       `json:"type" doc:"Where the code is explained: a reference relative to the server" example:"/problems#order_conflict"`
	Title     string       `json:"title" doc:"What went wrong, in the language asked for with Accept-Language (zh or en)"`
	Status    int          `json:"status" doc:"HTTP status"`
	Detail    string       `json:"detail,omitempty" doc:"This occurrence, in English"`
	Code      string       `json:"code" doc:"Stable name of the problem, for programs" example:"order_conflict"`
	Field     string       `json:"field,omitempty" doc:"The input at fault, in dotted form" example:"amount.minor"`
	RequestID string       `json:"request_id" doc:"Also in the header X-Request-Id; support finds the request by it"`
	Errors    []FieldError `json:"errors,omitempty" doc:"All inputs at fault, when there are several"`

	retryAfter time.Duration
}

// FieldError is one input at fault.
type FieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// Error makes it an error.
func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

// GetStatus is the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is that of problem documents.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// kinds is the one table from kinds of error to statuses, with the code of an
// error that has none of its own.
var kinds = [...]struct {
	status int
	code   string
}{
	mianmi.Internal:        {http.StatusInternalServerError, "internal"},
	mianmi.Invalid:         {http.StatusUnprocessableEntity, "invalid"},
	mianmi.NotFound:        {http.StatusNotFound, "not_found"},
	mianmi.Conflict:        {http.StatusConflict, "conflict"},
	mianmi.Denied:          {http.StatusForbidden, "denied"},
	mianmi.Unauthenticated: {http.StatusUnauthorized, "unauthenticated"},
	mianmi.Unavailable:     {http.StatusServiceUnavailable, "unavailable"},
}

// statuses of codes that differ from those of their kinds: the transport's
// own faults.
var transportStatus = map[string]int{
	"malformed_json":         http.StatusBadRequest,
	"body_missing":           http.StatusBadRequest,
	"body_too_large":         http.StatusRequestEntityTooLarge,
	"content_type":           http.StatusUnsupportedMediaType,
	"too_many_requests":      http.StatusTooManyRequests,
	"too_many_reports":       http.StatusTooManyRequests,
	"too_many_wrong_codes":   http.StatusTooManyRequests,
	"method_not_allowed":     http.StatusMethodNotAllowed,
	"body_timeout":           http.StatusRequestTimeout,
	"not_acceptable":         http.StatusNotAcceptable,
	"idempotency_key_reused": http.StatusConflict,
	"in_progress":            http.StatusConflict,

	// A wrong secret of somebody who is logged in is no reason to log in again.
	"password_wrong":  http.StatusForbidden,
	"password_locked": http.StatusForbidden,
	"reset_failed":    http.StatusForbidden,
}

// transport is an error of the transport itself.
func transport(code, detail string) error {
	return &mianmi.Error{Kind: mianmi.Invalid, Code: code, Msg: detail}
}

// problem puts an error into words for the caller. The text of an Internal
// error stays here.
func problem(c *call, err error) *Problem {
	var known *Problem
	if errors.As(err, &known) {
		return known
	}
	p := problemOf(err)
	p.finish(c)
	return p
}

// problemOf is the problem without its words.
func problemOf(err error) *Problem {
	e := &mianmi.Error{Kind: mianmi.KindOf(err), Err: err}
	if !errors.As(err, &e) && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)) {
		e = &mianmi.Error{Kind: mianmi.Unavailable, Msg: "no answer in time", RetryAfter: time.Second}
	}
	k := kinds[mianmi.Internal]
	if int(e.Kind) < len(kinds) {
		k = kinds[e.Kind]
	}
	p := &Problem{Status: k.status, Code: k.code, Detail: e.Msg, Field: e.Field, retryAfter: e.RetryAfter}
	if e.Code != "" {
		p.Code = e.Code
	}
	if status, ok := transportStatus[p.Code]; ok {
		p.Status = status
	}
	if p.Status == http.StatusServiceUnavailable && p.retryAfter == 0 {
		p.retryAfter = time.Second
	}
	if p.Status == http.StatusInternalServerError {
		p.Code, p.Detail, p.Field = "internal", "", ""
	} else if list := invalidFields(err, nil); len(list) > 1 {
		p.Errors = list
	}
	return p
}

// fieldErrorsMax bounds what one problem lists.
const fieldErrorsMax = 200

// invalidFields are the inputs at fault among errors that were joined.
func invalidFields(err error, list []FieldError) []FieldError {
	switch e := err.(type) { //nolint:errorlint // it walks the tree itself
	case *mianmi.Error:
		if e.Kind == mianmi.Invalid && len(list) < fieldErrorsMax {
			list = append(list, FieldError{Field: e.Field, Message: e.Msg})
		}
	case interface{ Unwrap() []error }:
		for _, part := range e.Unwrap() {
			list = invalidFields(part, list)
		}
	case interface{ Unwrap() error }:
		list = invalidFields(e.Unwrap(), list)
	}
	return list
}

// finish fills in what depends on the request.
func (p *Problem) finish(c *call) {
	p.Type = "/problems#" + p.Code
	p.Title = title(p.Code, p.Status).In(c.lang)
	p.RequestID = c.id
}

// headers sets what goes with the problem.
func (p *Problem) headers(h http.Header) {
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64(math.Ceil(p.retryAfter.Seconds())), 10))
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="mianmi"`)
	}
}

// appendTo appends the problem as JSON.
func (p *Problem) appendTo(b []byte) []byte {
	text, err := json.Marshal(p)
	if err != nil { // texts and a number: cannot happen
		text = []byte(`{"code":"internal"}`)
	}
	return append(b, text...)
}

// fail answers a call with a problem.
func (s *Server) fail(c *call, err error) {
	p := problem(c, err)
	c.err = err
	if c.status != 0 { // the answer has begun
		return
	}
	body := p.appendTo(nil)
	h := c.Header()
	p.headers(h)
	h.Set("Content-Type", p.ContentType(""))
	h.Set("Content-Length", strconv.Itoa(len(body)))
	c.WriteHeader(p.Status)
	_, _ = c.Write(body) // the caller has gone: nobody to tell
}

// refined turns the framework's own error into ours: the places at fault, and
// never the values.
func refined(c *call, status int, m *huma.ErrorModel) *Problem {
	p := &Problem{Status: status, Code: "invalid", Detail: m.Detail}
	switch status {
	case http.StatusBadRequest:
		p.Code = "malformed_json"
		if c.route.raw {
			p.Code = "body_missing"
		}
	case http.StatusRequestEntityTooLarge:
		p.Code = "body_too_large"
	case http.StatusUnsupportedMediaType:
		p.Code = "content_type"
	case http.StatusRequestTimeout:
		p.Code = "body_timeout"
	case http.StatusNotAcceptable:
		p.Code = "not_acceptable"
	case http.StatusInternalServerError:
		p.Code, p.Detail = "internal", ""
	}
	if status < http.StatusInternalServerError {
		for _, e := range m.Errors {
			if e != nil {
				p.Errors = append(p.Errors, fieldError(e))
			}
		}
	}
	if len(p.Errors) > 0 {
		p.Field, p.Detail = p.Errors[0].Field, p.Errors[0].Message
	}
	p.finish(c)
	return p
}

// fieldError names the input at fault where the framework does not: a member
// that is missing, a body that could not be decoded.
func fieldError(e *huma.ErrorDetail) FieldError {
	f := FieldError{Field: bounded(fieldName(e.Location)), Message: e.Message}
	if field, msg, ok := strings.Cut(e.Message, fieldMark); ok {
		return FieldError{Field: field, Message: msg}
	}
	if name, ok := strings.CutPrefix(e.Message, "expected required property "); ok {
		name, _, _ = strings.Cut(name, " ")
		f.Field, f.Message = strings.TrimPrefix(f.Field+"."+name, "."), "is missing"
	}
	return f
}

// fieldName drops where an input stood: "body.amount.minor" is "amount.minor".
func fieldName(location string) string {
	for _, part := range [...]string{"body", "path", "query", "header"} {
		if location == part {
			return ""
		}
		if rest, ok := strings.CutPrefix(location, part+"."); ok {
			return rest
		}
	}
	return location
}
