package api

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/pinfree"
)

// What pages beside the API have in common with it: tries of logging in are
// counted together, and what goes wrong has the same words.

// TakeLogin counts a try to log in from the caller's address. It returns 0, or
// how long to wait.
func (s *Server) TakeLogin(r *http.Request) time.Duration {
	return s.logins.take(s.Remote(r), s.Clock.Now())
}

// Said is the HTTP status of an error, and what went wrong in words.
func (s *Server) Said(err error) (status int, words mianmi.Text) {
	p := problemOf(err)
	return p.Status, title(p.Code, p.Status)
}

// Forwarded reports whether a proxy that is trusted says that it was asked over TLS.
func (s *Server) Forwarded(r *http.Request) bool {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && s.trusted(at.Addr().Unmap()) && strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}

// Secure reports whether nobody on the way can read what is asked: over TLS, or
// from this machine to itself.
func (s *Server) Secure(r *http.Request) bool {
	if r.TLS != nil || s.Forwarded(r) {
		return true
	}
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && at.Addr().Unmap().IsLoopback() && loopbackHost(r.Host)
}

// loopbackHost reports whether a Host header names this machine for itself.
func loopbackHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// RuleTitle is what people call the rule that a reason names.
func (s *Server) RuleTitle(ctx context.Context, w *pinfree.Why) mianmi.Text {
	return s.ruleTitle(ctx, w)
}

// MerchantName is a merchant's name; empty: it is not known.
func (s *Server) MerchantName(ctx context.Context, id mianmi.MerchantID) string {
	m, err := s.Merchants.Merchant(ctx, mianmi.System("page"), id)
	if err != nil {
		return ""
	}
	return m.Name
}
