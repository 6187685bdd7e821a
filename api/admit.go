package api

import (
	"mime"
	"net/http"
	"strings"

	"github.com/mianmi/mianmi"
)

// admit is what every request must pass before its route runs: the form of
// its body, the pace of logins, and who is calling.
func (s *Server) admit(c *call) error {
	if err := checkContentType(c.r, c.route.raw); err != nil {
		return err
	}
	if c.route.login {
		if wait := s.logins.take(s.Remote(c.r), c.begun); wait > 0 {
			return &mianmi.Error{Kind: mianmi.Denied, Code: "too_many_requests", Msg: "too many logins from this address", RetryAfter: wait}
		}
	}
	if a, known := terminalOf(c.r.Context()); known {
		return s.admitTerminal(c, a)
	}
	if c.route.may.public {
		return nil
	}
	token, err := bearer(c.r.Header)
	if err != nil {
		return err
	}
	if c.route.cached {
		c.actor, err = s.Access.AuthenticateCached(c.r.Context(), token)
	} else {
		c.actor, err = s.Access.Authenticate(c.r.Context(), token)
	}
	if err != nil {
		return err
	}
	if !c.route.may.allows(c.actor) {
		return mianmi.Forbidden("not_allowed", "this caller may not do this")
	}
	return nil
}

// tokenMax bounds what can be a bearer token: ours have 55 characters.
const tokenMax = 128

// bearer returns the token of the Authorization header (RFC 6750).
func bearer(h http.Header) (string, error) {
	values := h["Authorization"]
	if len(values) == 0 {
		return "", unauthenticated("send Authorization: Bearer with a session token or an API key")
	}
	if len(values) > 1 {
		return "", unauthenticated("one Authorization header, not several")
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") || !tokenText(token, tokenMax) {
		return "", unauthenticated("Authorization is not: Bearer, one space, a token")
	}
	return token, nil
}

func unauthenticated(msg string) error {
	return &mianmi.Error{Kind: mianmi.Unauthenticated, Code: "bearer_missing", Msg: msg}
}

// checkContentType refuses a body that is not declared as what the route takes, so
// that no page elsewhere can have a browser send one without asking first: neither
// kind is among those that go without (Fetch, 2.2.2, "CORS-safelisted").
func checkContentType(r *http.Request, raw bool) error {
	if r.ContentLength == 0 || r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	values := r.Header["Content-Type"]
	if raw {
		if len(values) == 1 && values[0] == "application/octet-stream" {
			return nil
		}
		return transport("content_type", "want Content-Type: application/octet-stream, whatever the file is")
	}
	if len(values) == 1 && values[0] == "application/json" {
		return nil
	}
	if len(values) == 1 {
		kind, params, err := mime.ParseMediaType(values[0])
		charset, given := params["charset"]
		if err == nil && kind == "application/json" && (!given || strings.EqualFold(charset, "utf-8")) {
			return nil
		}
	}
	return transport("content_type", "want Content-Type: application/json, in UTF-8")
}
