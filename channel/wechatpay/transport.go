package wechatpay

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// bodyBytesMax bounds an answer that is no picture: the longest known, a list of
	// complaints, has some tens of kilobytes.
	bodyBytesMax = 1 << 20
	// dialMax is how long a connection may take to be made before the second
	// address is tried.
	dialMax = 3 * time.Second
	// idleMax is how many connections rest per account.
	idleMax = 32
)

// errTooLarge says that an answer was cut off.
var errTooLarge = errors.New("the answer is too large")

// notSentError is a request that surely did not leave this machine.
type notSentError struct{ err error }

func (e *notSentError) Error() string { return "not sent: " + e.err.Error() }
func (e *notSentError) Unwrap() error { return e.err }

// rewriting carries requests, which the SDK addresses to WeChat Pay's first
// domain, to the connection's own addresses. What is signed does not hold the
// host. The second address is tried when the first could not be reached at all,
// and after a lost answer where the same request again does no harm.
type rewriting struct {
	first, second *url.URL
	next          http.RoundTripper
}

// newTransport is a transport of the connection's own: no proxy but the one
// that it names, no redirects, TLS 1.2 or newer.
func newTransport(c *Connection) http.RoundTripper {
	dialer := &net.Dialer{Timeout: dialMax, KeepAlive: 30 * time.Second}
	t := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, &notSentError{err}
			}
			return conn, nil
		},
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.Roots},
		TLSHandshakeTimeout:    dialMax,
		MaxIdleConnsPerHost:    idleMax,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		ForceAttemptHTTP2:      true,
	}
	if c.Proxy != nil {
		t.Proxy = http.ProxyURL(c.Proxy)
	}
	return &rewriting{first: c.Base, second: c.Second, next: t}
}

// RoundTrip is part of http.RoundTripper.
func (t *rewriting) RoundTrip(r *http.Request) (*http.Response, error) {
	again := t.second != nil && harmless(r.Method, r.URL.Path)
	first, cancel := r.Context(), context.CancelFunc(func() {})
	if again { // half of a call's time leaves half for the second address
		first, cancel = context.WithTimeout(first, callMax/2)
	}
	answer, err := t.send(first, r, t.first, cancel)
	var unsent *notSentError
	if err == nil || t.second == nil || r.Context().Err() != nil || !again && !errors.As(err, &unsent) {
		return answer, err
	}
	return t.send(r.Context(), r, t.second, func() {})
}

// send sends a copy of the request to an address; cancel is called once the
// body was read or nothing came.
func (t *rewriting) send(ctx context.Context, r *http.Request, to *url.URL, cancel context.CancelFunc) (*http.Response, error) {
	c := r.Clone(ctx)
	c.URL.Scheme, c.URL.Host, c.Host = to.Scheme, to.Host, to.Host
	if r.GetBody != nil {
		body, err := r.GetBody()
		if err != nil {
			cancel()
			return nil, &notSentError{err}
		}
		c.Body = body
	}
	answer, err := t.next.RoundTrip(c)
	if err != nil {
		cancel()
		return nil, err
	}
	left := bodyBytesMax
	if strings.Contains(r.URL.Path, "/images/") {
		left = imageAnswerBytes
	}
	answer.Body = &bounded{from: answer.Body, left: left, cancel: cancel}
	return answer, nil
}

// harmless reports whether the same request twice is as one: questions, and
// what WeChat Pay itself takes once by its number. A charge is not among them:
// its payment code is good for one use.
func harmless(method, path string) bool {
	if method == http.MethodGet {
		return true
	}
	for _, end := range []string{"/close", "/reverse", "/transactions/native", "/refund/domestic/refunds", "/security/echo"} {
		if method == http.MethodPost && strings.HasSuffix(path, end) {
			return true
		}
	}
	return false
}

// bounded is a body of at most left bytes.
type bounded struct {
	from   io.ReadCloser
	left   int
	cancel context.CancelFunc
}

func (b *bounded) Read(p []byte) (int, error) {
	if len(p) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.from.Read(p)
	if n > b.left {
		n, err = b.left, errTooLarge
	}
	b.left -= n
	if err != nil {
		_ = b.Close() // the SDK closes no body that it has read
	}
	return n, err
}

func (b *bounded) Close() error {
	defer b.cancel()
	return b.from.Close()
}
