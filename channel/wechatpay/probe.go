package wechatpay

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
)

// Probe is what a check of one connection found, from the ground up: what lies
// above the first fault is not known.
type Probe struct {
	Name string
	Host string
	// Resolved: the name leads to an address.
	Resolved bool
	// Connected: something took the connection.
	Connected bool
	// Secure: it has a certificate for the name, from an authority that is trusted
	// here. Through a proxy, and at this machine's own addresses, that is known
	// together with the answer.
	Secure bool
	// Apart is how far the two clocks are apart, where the answer had a time.
	Apart     time.Duration
	ApartSure bool
	// Status is what HTTP said; 0 without an answer.
	Status int
	// Accepted: WeChat Pay took our signature.
	Accepted bool
	// Genuine: its answer was signed with a key that we know.
	Genuine bool
	// Echoed: it said back what we said.
	Echoed bool
	// Fault is one line without secrets.
	Fault string
}

// Names are the connections, sorted.
func (ch *Channel) Names() []string {
	names := make([]string, 0, len(ch.connections))
	for name := range ch.connections {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Probe checks a connection with WeChat Pay's own test of signatures
// (POST /v3/security/echo). It moves no money; where WeChat Pay can reach this
// installation it sends a notification of it.
func (ch *Channel) Probe(ctx context.Context, name string) Probe {
	c := ch.connections[name]
	if c == nil {
		return Probe{Name: name, Fault: "no such connection"}
	}
	p := Probe{Name: name, Host: c.Base.Host}
	if p.Resolved = c.resolves(ctx); !p.Resolved {
		p.Fault = "the name cannot be resolved"
		return p
	}
	if p.Connected, p.Secure, p.Fault = c.reach(ctx); !p.Secure {
		return p
	}
	before := c.clock.Now()
	r, echoed := c.echo(ctx, c.notifyURL(echoKind))
	p.Fault, p.Status = r.line("echo"), r.status
	if at, err := http.ParseTime(r.date); err == nil {
		middle := before.Add(c.clock.Now().Sub(before) / 2)
		p.Apart, p.ApartSure = at.Sub(middle).Round(time.Second), true
	}
	// A 2xx alone shows that our signature was taken; any other answer that it may
	// not have been.
	p.Accepted = r.status/100 == 2
	p.Genuine = r.fault == noFault
	p.Echoed = echoed
	return p
}

// Connection names the connection of a merchant; false: it has none.
func (ch *Channel) Connection(m mianmi.MerchantID) (string, bool) {
	c := ch.merchants[m]
	if c == nil {
		return "", false
	}
	return c.Name, true
}

// Ask finds out whether WeChat Pay says back, signed, what it was told. It asks for
// no notification, as Probe does: this is asked all day.
func (ch *Channel) Ask(ctx context.Context, name string) channel.Sign {
	c := ch.connections[name]
	if c == nil {
		return channel.NotKnown
	}
	r, echoed := c.echo(ctx, "")
	switch {
	case echoed:
		return channel.Answers
	case r.status/100 == 4: // too often, not allowed: payments may well pass
		return channel.NotKnown
	}
	return channel.Silent
}

// echo has WeChat Pay say back what it is told, and reports whether it did.
func (c *connection) echo(ctx context.Context, notifyURL string) (r reply, echoed bool) {
	said := "mianmi " + strconv.FormatInt(c.clock.Now().UnixMicro(), 10)
	asked := map[string]string{"echo_message": said}
	if notifyURL != "" {
		asked["notify_url"] = notifyURL
	}
	var heard struct {
		Message string `json:"echo_message"`
	}
	r = c.call(ctx, "/v3/security/echo", asked).decode(&heard)
	return r, r.fault == noFault && heard.Message == said
}

// reach connects without asking anything.
func (c *connection) reach(ctx context.Context) (connected, secure bool, fault string) {
	to := c.Base
	if c.Proxy != nil {
		to = c.Proxy
	}
	port := to.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443", "socks5": "1080"}[to.Scheme]
	}
	ctx, cancel := context.WithTimeout(ctx, dialMax)
	defer cancel()
	plain, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(to.Hostname(), port))
	if err != nil {
		return false, false, "no connection to " + to.Host
	}
	defer plain.Close() //nolint:errcheck // nothing was sent
	if c.Proxy != nil || to.Scheme != "https" {
		return true, true, ""
	}
	conn := tls.Client(plain, &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.Roots, ServerName: to.Hostname()})
	if conn.HandshakeContext(ctx) != nil {
		return true, false, "the certificate of " + to.Host + " is not trusted, or not for this name"
	}
	return true, true, ""
}

// resolves asks for the host's address; through a proxy the proxy does.
func (c *connection) resolves(ctx context.Context) bool {
	host := c.Base.Hostname()
	if c.Proxy != nil {
		host = c.Proxy.Hostname()
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, dialMax)
	defer cancel()
	found, err := net.DefaultResolver.LookupHost(ctx, host)
	return err == nil && len(found) > 0
}
