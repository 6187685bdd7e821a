package link

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/mianmi/mianmi/terminal/protocol"
)

// Finding is what a check of the network found, for the report and for people.
type Finding struct {
	protocol.Network
	Addresses []string // that the host's name leads to
	Interface string
	Verdict   Verdict
	At        time.Time
}

// Verdict is the worst thing that was found.
type Verdict string

// Verdicts, the worst first.
const (
	Portal    Verdict = "portal"     // something answers in the host's place
	NoDNS     Verdict = "no_dns"     // the host's name leads nowhere
	OtherHost Verdict = "other_host" // what answers is not the host
	NoAnswer  Verdict = "no_answer"
	OpenWiFi  Verdict = "open_wifi"
	Unknown   Verdict = "unknown_network"
	Lossy     Verdict = "lossy"
	Slow      Verdict = "slow"
	Good      Verdict = "good"
)

// Bounds of a check: long enough to see loss, short enough to wait for.
const (
	probes    = 5
	probeMax  = 3 * time.Second
	resolve   = 3 * time.Second
	slowAbove = 800             // ms: a payment then takes seconds
	lossAbove = 20              // percent: one of five probes
	outside   = 4 * time.Second // for channels: the host waits two for what it asks
)

// Check looks at the network between here and the host.
func (l *Link) Check(ctx context.Context) Finding {
	f := Finding{Network: protocol.Network{RTTms: -1, LossPC: -1}, At: l.o.Clock.Now()}
	f.Addresses = l.lookUp(ctx, l.host.Hostname())
	f.DNS = len(f.Addresses) > 0
	// Of a name that cannot exist (RFC 6761, section 6.4), an address is a lie.
	f.Portal = len(l.lookUp(ctx, l.nonce()+".invalid")) > 0
	local, answered := l.dial(ctx, &f)
	if f.TLS {
		l.probe(ctx, &f)
	}
	f.Kind, f.Interface = l.kind(ctx, local)
	f.Verdict = verdict(f, answered)
	return f
}

func verdict(f Finding, answered bool) Verdict {
	switch {
	case f.Portal:
		return Portal
	case !f.DNS:
		return NoDNS
	case answered && !f.TLS:
		return OtherHost
	case !f.TLS, f.LossPC < 0 || f.LossPC == 100:
		return NoAnswer
	case f.Kind == "wifi_open":
		return OpenWiFi
	case f.Kind == "":
		return Unknown
	case f.LossPC > lossAbove:
		return Lossy
	case f.RTTms > slowAbove:
		return Slow
	}
	return Good
}

// Safe reports whether payments may be sent through the network that was
// found. What it means for PIN-free payment is the host's policy.
func (v Verdict) Safe() bool { return v == Good || v == Slow || v == Lossy }

func (l *Link) lookUp(ctx context.Context, name string) []string {
	if net.ParseIP(name) != nil {
		return []string{name}
	}
	ctx, cancel := context.WithTimeout(ctx, resolve)
	defer cancel()
	list, err := net.DefaultResolver.LookupHost(ctx, name)
	if err != nil {
		return nil
	}
	return list
}

// dial looks who answers: chain and name must fit the pinned CA.
func (l *Link) dial(ctx context.Context, f *Finding) (local net.Addr, answered bool) {
	ctx, cancel := context.WithTimeout(ctx, dialMax)
	defer cancel()
	port := l.host.Port()
	if port == "" {
		port = "443"
	}
	raw, err := (&net.Dialer{Timeout: probeMax}).DialContext(ctx, "tcp", net.JoinHostPort(l.host.Hostname(), port))
	if err != nil {
		return nil, false
	}
	defer raw.Close() //nolint:errcheck // nothing was written that matters
	c := tls.Client(raw, l.tls)
	err = c.HandshakeContext(ctx)
	f.TLS = err == nil
	return raw.LocalAddr(), err == nil || ctx.Err() == nil
}

// probe measures the way there and back, and that nobody else answers.
func (l *Link) probe(ctx context.Context, f *Finding) {
	var times []time.Duration
	for range probes {
		nonce := l.nonce()
		began := l.o.Clock.Now()
		got, err := l.echo(ctx, nonce)
		if err != nil {
			continue
		}
		if got.Nonce != nonce {
			f.Portal = true
			continue
		}
		times = append(times, l.o.Clock.Now().Sub(began))
	}
	f.LossPC = int64(100 * (probes - len(times)) / probes)
	if len(times) > 0 {
		slices.Sort(times)
		f.RTTms = times[len(times)/2].Milliseconds()
	}
}

// Echo asks the host for a sign of life.
func (l *Link) Echo(ctx context.Context) error {
	_, err := l.echo(ctx, l.nonce())
	return err
}

// Channels asks the host whether the payment systems outside answer that can
// pay here. An older host does not say; then there are none.
func (l *Link) Channels(ctx context.Context) ([]protocol.ChannelState, error) {
	ctx, cancel := context.WithTimeout(ctx, outside)
	defer cancel()
	nonce := l.nonce()
	said, err := l.askEcho(ctx, "?channels=1&nonce="+nonce)
	if err == nil && said.Nonce != nonce {
		err = errNotHost
	}
	if err != nil {
		return nil, err
	}
	return said.Channels, nil
}

var errNotHost = errors.New("what answers is not the host")

func (l *Link) echo(ctx context.Context, nonce string) (protocol.Echo, error) {
	ctx, cancel := context.WithTimeout(ctx, probeMax)
	defer cancel()
	return l.askEcho(ctx, "?nonce="+nonce)
}

func (l *Link) askEcho(ctx context.Context, query string) (said protocol.Echo, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, l.host.String()+protocol.PathEcho+query, nil)
	if err != nil {
		return said, err
	}
	res, err := l.http.Do(r)
	if err != nil {
		return said, err
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	b, err := io.ReadAll(io.LimitReader(res.Body, protocol.EchoMax))
	if err == nil && res.StatusCode != http.StatusOK {
		err = parseProblem(res.StatusCode, b)
	}
	if err != nil {
		return said, err
	}
	said, _ = protocol.ParseEcho(b) // what cannot be read has no nonce: somebody answers, and it is not the host
	return said, nil
}

func (l *Link) nonce() string {
	b := make([]byte, 12)
	if _, err := io.ReadFull(l.o.Random, b); err != nil {
		return "no-chance" // the echo is then weaker, and says what it says
	}
	return hex.EncodeToString(b)
}
