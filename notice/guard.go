package notice

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"code.dny.dev/ssrf"

	"github.com/mianmi/mianmi"
)

// Guard says which addresses a webhook may call. A merchant chooses the name,
// so what the name leads to is checked when the connection is made, after the
// name was resolved: never a private, loopback, link-local or otherwise special
// address (IANA's registries), unless it is in a network that the operator allows.
type Guard struct {
	allowed []netip.Prefix
	safe    *ssrf.Guardian
}

// azureHost looks public and is the host of an Azure machine, which hands out
// the machine's configuration.
var azureHost = netip.MustParsePrefix("168.63.129.16/32")

// NewGuard returns a guard that lets through public addresses and those of the
// allowed networks. To the latter messages may go without TLS.
func NewGuard(allowed []netip.Prefix) *Guard {
	g := &Guard{allowed: allowed}
	var v4, v6 []netip.Prefix
	for _, p := range allowed {
		if p.Addr().Is4() {
			v4 = append(v4, p)
		} else {
			v6 = append(v6, p)
		}
	}
	g.safe = ssrf.New(ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(v4...), ssrf.WithAllowedV6Prefixes(v6...),
		ssrf.WithDeniedV4Prefixes(azureHost))
	return g
}

// plain reports whether any address may be called without TLS.
func (g *Guard) plain() bool { return len(g.allowed) > 0 }

// errForbidden says that an address may not be called.
var errForbidden = errors.New("the address may not be called")

// control is for net.Dialer.Control: it sees the address that is connected to.
func (g *Guard) control(tls bool) func(network, address string, c syscall.RawConn) error {
	return func(network, address string, c syscall.RawConn) error {
		if g.safe.Safe(network, address, c) != nil {
			return errForbidden
		}
		if tls {
			return nil
		}
		at, err := netip.ParseAddrPort(address)
		if err != nil || !g.mayPlain(at.Addr()) {
			return errForbidden
		}
		return nil
	}
}

func (g *Guard) mayPlain(a netip.Addr) bool {
	for _, p := range g.allowed {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// checkHost refuses at once what can never be called: an address that is
// forbidden, and names that mean this machine. Names are resolved later.
func (g *Guard) checkHost(host string) error {
	forbidden := mianmi.InvalidField("url", "this address may not be called: want a public one, or one that the operator allows (--webhook-allow)")
	name := strings.TrimSuffix(strings.ToLower(host), ".")
	if (name == "localhost" || strings.HasSuffix(name, ".localhost")) && g.safe.SafeAddr(netip.MustParseAddr("127.0.0.1")) != nil {
		return forbidden
	}
	if a, err := netip.ParseAddr(host); err == nil && g.safe.SafeAddr(a) != nil {
		return forbidden
	}
	return nil
}

// dialMax is how long a connection may take to be made.
const dialMax = 5 * time.Second

// dial connects as far as the guard allows.
func (g *Guard) dial(tls bool) func(context.Context, string, string) (net.Conn, error) {
	d := &net.Dialer{Timeout: dialMax, KeepAlive: 30 * time.Second, Control: g.control(tls)}
	return d.DialContext
}
