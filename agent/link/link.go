// Package link is a terminal's way to its host: enrolment with a one-time
// code, mutual TLS to one pinned CA, hints and questions over MQTT, HTTPS
// where MQTT does not get through, and the check of the network in between.
//
// What is asked and what an answer means is left to agent.
package link

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// Identity is who a terminal is and which host it belongs to.
type Identity struct {
	Terminal     mianmi.TerminalID
	Key          *ecdsa.PrivateKey
	Certificates [][]byte // DER, the terminal's first, the CA's last
	Host         string   // "https://host:port"
	MQTT         string   // host:port; ":port" is at Host; empty: no MQTT
}

// Leaf returns the terminal's certificate.
func (id Identity) Leaf() (*x509.Certificate, error) {
	if len(id.Certificates) < 2 {
		return nil, errors.New("an identity has the terminal's certificate and the CA's")
	}
	return x509.ParseCertificate(id.Certificates[0])
}

// CA returns the pinned CA's certificate in DER.
func (id Identity) CA() []byte { return id.Certificates[len(id.Certificates)-1] }

// Options are what a Link needs from outside.
type Options struct {
	Clock  mianmi.Clock
	Random io.Reader
	Log    *slog.Logger
	// NoMQTT leaves MQTT alone, for networks that are known to block it.
	NoMQTT bool
	// SysRoot is where /sys, /proc and /run are looked for; empty: the machine's.
	SysRoot string
}

// Link is one terminal's way to its host. It is safe for concurrent use.
type Link struct {
	id   Identity
	host *url.URL
	o    Options
	tls  *tls.Config
	http *http.Client
	mqtt mqttLink

	hints chan protocol.Hint
	up    atomic.Bool // MQTT is connected
}

// Limits of one exchange.
const (
	dialMax     = 10 * time.Second
	exchangeMax = 20 * time.Second
	askMax      = 6 * time.Second // over MQTT; then HTTPS is asked
)

// New returns a Link. Nothing is dialled yet.
func New(id Identity, o Options) (*Link, error) {
	host, err := ParseHost(id.Host)
	if err != nil {
		return nil, err
	}
	ca, err := x509.ParseCertificate(id.CA())
	if err != nil {
		return nil, fmt.Errorf("the pinned CA: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	l := &Link{id: id, host: host, o: o, hints: make(chan protocol.Hint, 1)}
	l.tls = &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots, ServerName: host.Hostname(), Time: o.Clock.Now,
		Certificates: []tls.Certificate{{Certificate: id.Certificates, PrivateKey: id.Key}}}
	l.http = httpClient(l.tls.Clone()) // a Transport writes into its own
	l.mqtt.waiting = map[int64]chan protocol.Answer{}
	return l, nil
}

// httpClient makes requests over TLS as configured, and through no proxy: the
// host's certificate is the only thing between the two.
func httpClient(c *tls.Config) *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: true, MaxIdleConns: 8, MaxIdleConnsPerHost: 8,
		IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: dialMax, DialContext: (&net.Dialer{Timeout: dialMax}).DialContext},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// ParseHost reads the address of a host. Plain HTTP is refused: a terminal
// talks to nobody who cannot prove who it is.
func ParseHost(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSuffix(text, "/"))
	if err != nil || u.Scheme != "https" || u.Host == "" || u.Path != "" || u.User != nil || u.RawQuery != "" {
		return nil, mianmi.InvalidField("host", "want https:// and a host, with its port when that is not 443")
	}
	return u, nil
}

// HTTP makes requests with the terminal's certificate, for the API's client.
func (l *Link) HTTP() *http.Client { return l.http }

// Host is the address of the host.
func (l *Link) Host() string { return l.host.String() }

// Hints tells that there may be something newer; several become one.
func (l *Link) Hints() <-chan protocol.Hint { return l.hints }

// Live reports whether hints come over MQTT at the moment.
func (l *Link) Live() bool { return l.up.Load() }

// Close ends the connections.
func (l *Link) Close() { l.http.CloseIdleConnections() }

// Config asks for a config newer than have; nil means that there is none. With
// wait, the host is asked to hold the question until there is (a long poll).
func (l *Link) Config(ctx context.Context, have int64, wait time.Duration) ([]byte, error) {
	if wait <= 0 {
		if a, err := l.ask(ctx, "config", protocol.ConfigAsk{Have: have}); err == nil {
			return a.config()
		}
	}
	ctx, cancel := context.WithTimeout(ctx, wait+exchangeMax)
	defer cancel()
	q := fmt.Sprintf("?have=%d", have)
	if wait > 0 {
		q += fmt.Sprintf("&wait=%d", int(min(wait, protocol.WaitMax)/time.Second))
	}
	b, status, err := l.exchange(ctx, http.MethodGet, protocol.PathConfig+q, nil)
	if err != nil || status == http.StatusNoContent {
		return nil, err
	}
	return b, nil
}

// Report sends a signed report.
func (l *Link) Report(ctx context.Context, signed []byte) (protocol.Receipt, error) {
	a, err := l.ask(ctx, "report", signed)
	switch {
	case err == nil:
		return a.receipt()
	case !errors.Is(err, errNoMQTT): // it may have arrived, and twice is once too often
		return protocol.Receipt{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, exchangeMax)
	defer cancel()
	b, _, err := l.exchange(ctx, http.MethodPost, protocol.PathReport, signed)
	if err != nil {
		return protocol.Receipt{}, err
	}
	return parseReceipt(b)
}

// Renew asks for a new certificate for the same key.
func (l *Link) Renew(ctx context.Context) (Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, exchangeMax)
	defer cancel()
	csr, err := request(l.o.Random, l.id.Key)
	if err != nil {
		return Identity{}, err
	}
	e, err := post[protocol.Enrolled](ctx, l.http, l.host.String()+protocol.PathRenew, protocol.Renewal{CSR: csr})
	if err != nil {
		return Identity{}, fmt.Errorf("renew the certificate: %w", err)
	}
	n := l.id
	if err := n.take(e, protocol.FingerprintOf(l.id.CA())); err != nil {
		return Identity{}, err
	}
	if n.Terminal != l.id.Terminal {
		return Identity{}, errors.New("the new certificate is another terminal's")
	}
	return n, nil
}
