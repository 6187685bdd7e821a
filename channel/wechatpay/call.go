package wechatpay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"time"

	"github.com/wechatpay-apiv3/wechatpay-go/core"
	"github.com/wechatpay-apiv3/wechatpay-go/core/consts"
)

const (
	// callMax is how long one call may take, both addresses together.
	callMax = 10 * time.Second
	// callsMax bounds the calls of one connection at once: WeChat Pay limits an
	// account to some hundreds a second.
	callsMax = 128
)

// fault says why an answer proves nothing. The zero fault is a signed 2xx.
type fault uint8

const (
	noFault   fault = iota
	notSent         // the request did not leave this machine
	noAnswer        // it may have been received; no whole answer came
	refused         // an error answer: WeChat Pay signs none, so anybody can have made it
	foreign         // a 2xx that WeChat Pay did not sign, or not with a key we know
	skewed          // signed by WeChat Pay, but of another time: clocks apart, or an old answer
	unread          // signed, and not what the interface says
	elsewhere       // signed, and about another order or another amount: an alarm
)

var faultWords = [...]string{
	notSent:   "not sent",
	noAnswer:  "no answer",
	refused:   "refused by an answer that nobody signed",
	foreign:   "not from WeChat Pay: the signature or its key is wrong",
	skewed:    "signed more than five minutes ago or ahead: clocks apart, or an old answer repeated",
	unread:    "signed, but cannot be read",
	elsewhere: "ALARM: signed, but about another order or amount",
}

// reply is what came of a call.
type reply struct {
	fault  fault
	status int    // of HTTP; 0 without an answer
	code   string // of an error answer: a hint
	id     string // WeChat Pay's number of the request, for its support
	date   string // the answer's own time, when nothing signed is at hand
	body   []byte // signed
}

// line is one line for the log: no text of the SDK's, which quotes whole
// requests, and nothing of the bodies.
func (r reply) line(what string) string {
	if r.fault == noFault {
		return ""
	}
	text := what + ": " + faultWords[r.fault]
	if r.status != 0 {
		text += fmt.Sprintf("; HTTP %d", r.status)
	}
	if r.code != "" {
		text += " " + r.code
	}
	if r.id != "" {
		text += "; request " + r.id
	}
	return text
}

// missing reports whether an answer claims that there is no such order.
func (r reply) missing() bool {
	return r.fault == refused && (r.status == http.StatusNotFound || r.code == "ORDER_NOT_EXIST" || r.code == "RESOURCE_NOT_EXISTS")
}

// call asks WeChat Pay once. A body makes it a POST.
func (c *connection) call(ctx context.Context, path string, body any) reply {
	return c.do(ctx, func(ctx context.Context) (*core.APIResult, error) {
		if body == nil {
			return c.client.Get(ctx, consts.WechatPayAPIServer+path)
		}
		return c.client.Post(ctx, consts.WechatPayAPIServer+path, body)
	})
}

// do has the SDK ask once, within the bounds of a call.
func (c *connection) do(ctx context.Context, ask func(context.Context) (*core.APIResult, error)) (got reply) {
	ctx, cancel := context.WithTimeout(ctx, callMax)
	defer cancel()
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return reply{fault: notSent}
	}
	// The SDK panics on answers that lack what it expects.
	defer func() {
		if recover() != nil {
			got = reply{fault: unread}
		}
	}()
	if c.certs != nil {
		if r := c.certs.ready(ctx); r.fault != noFault && c.PublicKey == nil {
			return r
		}
	}
	result, err := ask(ctx)
	return read(result, err)
}

// read sorts what the SDK returned.
func read(result *core.APIResult, err error) reply {
	if result == nil || result.Response == nil {
		var unsent *notSentError
		if errors.As(err, &unsent) {
			return reply{fault: notSent}
		}
		return reply{fault: noAnswer}
	}
	r := reply{status: result.Response.StatusCode, id: plain(result.Response.Header.Get(consts.RequestID), idForm), date: result.Response.Header.Get("Date")}
	var api *core.APIError
	var why *verdict
	switch {
	case errors.As(err, &api):
		r.fault, r.code = refused, plain(api.Code, codeForm)
	case errors.As(err, &why):
		r.fault = why.fault
	case err != nil && r.status/100 != 2:
		r.fault = refused
	case err != nil:
		r.fault = foreign
	default:
		body, err := io.ReadAll(result.Response.Body)
		if r.body = body; err != nil {
			r.fault = noAnswer
		}
	}
	return r
}

var (
	codeForm = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,47}$`)
	idForm   = regexp.MustCompile(`^[0-9A-Za-z-]{1,64}$`)
)

// plain lets a stranger's word through only in its known form.
func plain(s string, form *regexp.Regexp) string {
	if form.MatchString(s) {
		return s
	}
	return ""
}

// decode reads a signed body; what cannot be read becomes a fault.
func (r reply) decode(into any) reply {
	if r.fault == noFault && json.Unmarshal(r.body, into) != nil {
		r.fault = unread
	}
	return r
}
