package notice

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payer"
)

// Poster sends messages. Redirects are not followed, no proxy is asked, and
// what an address leads to is checked when it is connected to.
type Poster struct {
	clock  mianmi.Clock
	secure *http.Client
	plain  *http.Client // to networks that the operator allows
}

// PosterConfig tunes a Poster. Zero values mean the defaults.
type PosterConfig struct {
	Timeout time.Duration  // of one try, default 15 s (Standard Webhooks: 15 to 30 s)
	Roots   *x509.CertPool // default the machine's
}

const (
	timeoutDefault = 15 * time.Second
	// answerMax is how much of an answer is read: what is kept of it is less.
	answerMax = 4 << 10
	// answerKept is how much of an answer is kept for the log of deliveries.
	answerKept = 256
	// headersMax bounds the header of an answer.
	headersMax = 16 << 10
	// retryAfterMax bounds what a receiver may ask for.
	retryAfterMax = time.Hour
)

// NewPoster returns a Poster.
func NewPoster(g *Guard, clock mianmi.Clock, c PosterConfig) *Poster {
	if c.Timeout <= 0 {
		c.Timeout = timeoutDefault
	}
	client := func(secure bool) *http.Client {
		return &http.Client{
			Timeout:       c.Timeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				DialContext: g.dial(secure), TLSHandshakeTimeout: dialMax, ForceAttemptHTTP2: true,
				TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.Roots},
				MaxIdleConnsPerHost: parallelMax, MaxIdleConns: 4096, IdleConnTimeout: 90 * time.Second,
				MaxResponseHeaderBytes: headersMax, DisableCompression: true,
			},
		}
	}
	return &Poster{clock: clock, secure: client(true), plain: client(false)}
}

// Answer is what came of a try.
type Answer struct {
	Status     int // 0: none
	Fault      Fault
	Text       string        // the beginning of the answer
	RetryAfter time.Duration // the receiver's wish; 0: none
	Took       time.Duration
}

// Post makes one try.
func (p *Poster) Post(ctx context.Context, t *Target, m Message) Answer {
	begin := p.clock.Now()
	a := p.post(ctx, t, m, begin)
	a.Took = max(p.clock.Now().Sub(begin), 0)
	return a
}

func (p *Poster) post(ctx context.Context, t *Target, m Message, now time.Time) Answer {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.URL, bytes.NewReader(m.Body))
	if err != nil {
		return Answer{Fault: Unresolved}
	}
	signature, err := sign(t.live(now), m, now)
	if err != nil {
		return Answer{Fault: Unbuildable}
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "mianmi-webhook/1")
	r.Header.Set(standardwebhooks.HeaderWebhookID, m.ID)
	r.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	r.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	return p.do(r)
}

// Do sends a request of another form with the same care, and makes one try.
func (p *Poster) Do(r *http.Request) Answer {
	begin := p.clock.Now()
	a := p.do(r)
	a.Took = max(p.clock.Now().Sub(begin), 0)
	return a
}

func (p *Poster) do(r *http.Request) Answer {
	client := p.secure
	if r.URL.Scheme == "http" {
		client = p.plain
	}
	res, err := client.Do(r) //nolint:gosec // the guard checks each address when it connects
	if err != nil {
		return Answer{Fault: faultOf(err)}
	}
	defer res.Body.Close()                                     //nolint:errcheck // what was read is enough
	text, _ := io.ReadAll(io.LimitReader(res.Body, answerMax)) // the status is the answer, whatever follows
	return Answer{Status: res.StatusCode, Fault: faultOfStatus(res), Text: plainText(text), RetryAfter: retryAfter(res.Header)}
}

// sign signs with every live secret (Standard Webhooks: id.timestamp.body).
func sign(secrets []Secret, m Message, now time.Time) (string, error) {
	if len(secrets) == 0 {
		return "", errors.New("no secret to sign with")
	}
	list := make([]string, len(secrets))
	for i, s := range secrets {
		w, err := standardwebhooks.NewWebhookRaw(s.Key)
		if err == nil {
			list[i], err = w.Sign(m.ID, now, m.Body)
		}
		if err != nil {
			return "", fmt.Errorf("sign message %s: %w", m.ID, err)
		}
	}
	return strings.Join(list, " "), nil
}

// faultOf says why there was no answer. The error's own text is not kept: it
// quotes the address.
func faultOf(err error) Fault {
	var dns *net.DNSError
	var timeout net.Error
	var cert *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	switch {
	case errors.Is(err, errForbidden):
		return Forbidden
	case errors.As(err, &dns) && !dns.IsTimeout:
		return Unresolved
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return TimedOut
	case errors.As(err, &cert), errors.As(err, &record), errors.As(err, &alert), errors.Is(err, http.ErrSchemeMismatch):
		return BadTLS
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return Refused
	}
	return Cut
}

func faultOfStatus(res *http.Response) Fault {
	switch s := res.StatusCode; {
	case s >= 200 && s <= 299:
		return NoFault
	case s == http.StatusGone:
		return NoLonger
	case s == http.StatusTooManyRequests, s == http.StatusServiceUnavailable && res.Header.Get("Retry-After") != "":
		return Throttled
	case s >= 300 && s <= 399:
		return Redirected
	case s >= 400 && s <= 499:
		return Rejected
	}
	return Failing
}

// retryAfter reads the header in its form of seconds; dates are left alone.
func retryAfter(h http.Header) time.Duration {
	n, err := strconv.ParseInt(h.Get("Retry-After"), 10, 32)
	if err != nil || n < 0 {
		return 0
	}
	return min(time.Duration(n)*time.Second, retryAfterMax)
}

// plainText is the beginning of an answer as it is kept: text without control
// characters, and nothing that looks like a card number.
func plainText(b []byte) string {
	text := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(b[:min(len(b), answerKept)]), ""))
	if payer.LooksLikeCard(text) {
		return ""
	}
	return strings.TrimSpace(text)
}
