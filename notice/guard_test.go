package notice

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/mianmi/mianmi"
)

// No address that is not public is called, however it is written, unless it is
// in a network that the operator allows; and what a name leads to counts, not
// the name.
func TestGuard(t *testing.T) {
	t.Parallel()
	closed := NewGuard(nil)
	open := NewGuard([]netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("fd00:1::/32")})
	for _, tt := range []struct {
		name, address string
		closed, open  bool // may be called, by whom
	}{
		{"public", "93.184.215.14:443", true, true},
		{"public, another port", "93.184.215.14:8443", true, true},
		{"public IPv6", "[2606:2800:21f:cb07:6820:80da:af6b:8b2c]:443", true, true},
		{"private 10", "10.2.3.4:443", false, false},
		{"private 10, allowed", "10.1.2.3:443", false, true},
		{"private 172.16", "172.16.0.1:443", false, false},
		{"private 172.31", "172.31.255.255:443", false, false},
		{"private 192.168", "192.168.1.1:443", false, false},
		{"loopback, allowed", "127.0.0.1:443", false, true},
		{"all of loopback, allowed", "127.255.0.9:443", false, true},
		{"this host", "0.0.0.0:443", false, false},
		{"link-local and cloud metadata", "169.254.169.254:80", false, false},
		{"carrier-grade NAT and a cloud's metadata", "100.100.100.200:80", false, false},
		{"IETF protocol assignments and a cloud's metadata", "192.0.0.192:80", false, false},
		{"an Azure machine's host", "168.63.129.16:80", false, false},
		{"benchmarking", "198.18.0.1:443", false, false},
		{"documentation", "203.0.113.9:443", false, false},
		{"multicast", "224.0.0.1:443", false, false},
		{"broadcast", "255.255.255.255:443", false, false},
		{"reserved", "240.0.0.1:443", false, false},
		{"IPv6 loopback", "[::1]:443", false, false},
		{"IPv6 unspecified", "[::]:443", false, false},
		{"IPv6 link-local", "[fe80::1]:443", false, false},
		{"IPv6 with a zone", "[fe80::1%eth0]:443", false, false},
		{"IPv6 unique local", "[fd12::1]:443", false, false},
		{"IPv6 unique local, allowed", "[fd00:1::9]:443", false, true},
		{"IPv6 multicast", "[ff02::1]:443", false, false},
		{"IPv4 in IPv6", "[::ffff:10.2.3.4]:443", false, false},
		{"loopback in IPv6", "[::ffff:127.0.0.1]:443", false, false},
		{"IPv4-compatible IPv6", "[::127.0.0.1]:443", false, false},
		{"NAT64 of loopback", "[64:ff9b::7f00:1]:443", false, false},
		{"6to4 of loopback", "[2002:7f00:1::]:443", false, false},
		{"Teredo", "[2001:0:7f00:1::]:443", false, false},
		{"documentation IPv6", "[2001:db8::1]:443", false, false},
		{"no address", "localhost:443", false, false},
	} {
		for _, g := range []struct {
			guard *Guard
			may   bool
		}{{closed, tt.closed}, {open, tt.open}} {
			network := "tcp4"
			if tt.address[0] == '[' {
				network = "tcp6"
			}
			if err := g.guard.control(true)(network, tt.address, nil); (err == nil) != g.may || err != nil && !errors.Is(err, errForbidden) {
				t.Errorf("%s (%s): %v, may be called: %v", tt.name, tt.address, err, g.may)
			}
		}
	}
	if closed.control(true)("udp", "93.184.215.14:443", nil) == nil {
		t.Error("something else than TCP is called")
	}
}

// Without TLS only what the operator allows is called, public or not.
func TestGuardWithoutTLS(t *testing.T) {
	t.Parallel()
	g := NewGuard([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
	if err := g.control(false)("tcp4", "10.0.0.1:80", nil); err != nil {
		t.Errorf("an allowed network: %v", err)
	}
	if g.control(false)("tcp4", "93.184.215.14:80", nil) == nil {
		t.Error("a public address is called without TLS")
	}
}

// The check is made on the connection: a name that leads to this machine is
// refused when it is dialled, whatever was asked of it before.
func TestGuardDials(t *testing.T) {
	t.Parallel()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	dial := NewGuard(nil).dial(true)
	for _, host := range []string{"127.0.0.1", "localhost", "0", "127.1", "2130706433", "0x7f.1"} {
		c, err := dial(context.Background(), "tcp", net.JoinHostPort(host, port))
		if err == nil {
			_ = c.Close()
			t.Errorf("%s was connected to", host)
		}
	}
	c, err := NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}).dial(false)(context.Background(), "tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
}

// What can be seen from an address alone is refused when the webhook is made.
func TestCheckURL(t *testing.T) {
	t.Parallel()
	closed, open := NewGuard(nil), NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})
	for _, tt := range []struct {
		url          string
		closed, open bool
	}{
		{"https://example.com/hook", true, true},
		{"https://example.com:8443/hook?token=x", true, true},
		{"HTTPS://EXAMPLE.com", true, true},
		{"http://example.com/", false, true}, // refused when it is dialled
		{"http://localhost:9000/", false, true},
		{"https://LOCALHOST./", false, true},
		{"https://x.localhost/", false, true},
		{"https://127.0.0.1/", false, true},
		{"https://[::1]/", false, false},
		{"https://192.168.0.1/", false, false},
		{"https://user@example.com/", false, false},
		{"https://example.com/#", false, false},
		{"https:///path", false, false},
		{"https:example.com", false, false},
		{"//example.com/", false, false},
		{"javascript:alert(1)", false, false},
		{"file:///etc/passwd", false, false},
		{"https://exa mple.com/", false, false},
		{"", false, false},
	} {
		for _, g := range []struct {
			guard *Guard
			may   bool
		}{{closed, tt.closed}, {open, tt.open}} {
			if err := g.guard.CheckURL(tt.url); (err == nil) != g.may || err != nil && mianmi.KindOf(err) != mianmi.Invalid {
				t.Errorf("%q: %v, want %v", tt.url, err, g.may)
			}
		}
	}
	if got := shownURL("https://example.com/a/b?token=secret"); got != "https://example.com/a/b?…" {
		t.Errorf("shown as %s", got)
	}
}
