package notice

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
)

var (
	machine = mianmi.ClockFunc(time.Now)
	local   = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
)

// Signatures are those that another implementation makes: the vector was made
// with the npm package standardwebhooks 1.1.1. A message bears one for each
// secret in use.
func TestSign(t *testing.T) {
	t.Parallel()
	key := make([]byte, secretBytes)
	for i := range key {
		key[i] = byte(i)
	}
	m := Message{ID: "wh0_1", Body: []byte(`{"type":"webhook.test"}`)}
	at := time.Unix(1700000000, 0)
	const want = "v1,qKT5jM3j/0MlnESVLGeU3A0sl9rwIpXorGRGusUYraM="
	got, err := sign([]Secret{{Key: key}}, m, at)
	if err != nil || got != want {
		t.Errorf("signature %s, %v, want %s", got, err, want)
	}
	// By the words of the specification.
	h := hmac.New(sha256.New, key)
	_, _ = h.Write([]byte("wh0_1.1700000000." + string(m.Body)))
	if plain := "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil)); plain != want {
		t.Errorf("the specification's signature is %s", plain)
	}
	if got, err = sign([]Secret{{Key: key[1:]}, {Key: key}}, m, at); err != nil || !strings.HasSuffix(got, " "+want) {
		t.Errorf("signatures %s, %v, want two, the second %s", got, err, want)
	}
	if _, err := sign(nil, m, at); err == nil {
		t.Error("a message without a secret was signed")
	}
}

// A receiver takes what is signed and new, and nothing else.
func TestReceiverRefuses(t *testing.T) {
	t.Parallel()
	secret, err := newSecret(bytes.NewReader(make([]byte, 64)))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1700000000, 0)
	clock := mianmi.ClockFunc(func() time.Time { return now })
	m := Message{ID: "wh0_1", Body: []byte(`{"type":"payment.approved","sequence":1,"subject":"pm1","version":1,"data":{}}`)}
	signature, err := sign([]Secret{secret}, m, now)
	if err != nil {
		t.Fatal(err)
	}
	good := http.Header{"Webhook-Id": {m.ID}, "Webhook-Timestamp": {"1700000000"}, "Webhook-Signature": {"v1,AAAA " + signature}}
	for _, tt := range []struct {
		name string
		body string
		edit func(http.Header)
		now  time.Duration
		want int
	}{
		{"as it was sent", string(m.Body), nil, 0, 204},
		{"after four minutes", string(m.Body), nil, 4 * time.Minute, 204},
		{"after six minutes", string(m.Body), nil, 6 * time.Minute, 401},
		{"from the future", string(m.Body), nil, -6 * time.Minute, 401},
		{"another body", strings.Replace(string(m.Body), "pm1", "pm2", 1), nil, 0, 401},
		{"another identifier", string(m.Body), func(h http.Header) { h.Set("webhook-id", "wh0_2") }, 0, 401},
		{"another time", string(m.Body), func(h http.Header) { h.Set("webhook-timestamp", "1700000001") }, 0, 401},
		{"no time", string(m.Body), func(h http.Header) { h.Del("webhook-timestamp") }, 0, 401},
		{"no signature", string(m.Body), func(h http.Header) { h.Del("webhook-signature") }, 0, 401},
		{"another's signature", string(m.Body), func(h http.Header) { h.Set("webhook-signature", "v1,"+strings.Repeat("A", 43)+"=") }, 0, 401},
	} {
		r, err := NewReceiver(mianmi.ClockFunc(func() time.Time { return clock.Now().Add(tt.now) }), secret.Text())
		if err != nil {
			t.Fatal(err)
		}
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(tt.body))
		req.Header = good.Clone()
		if tt.edit != nil {
			tt.edit(req.Header)
		}
		rec := httptest.NewRecorder()
		r.ServeHTTP(rec, req)
		if rec.Code != tt.want || r.Has("pm1", 1) != (tt.want == 204) {
			t.Errorf("%s: %d, want %d", tt.name, rec.Code, tt.want)
		}
	}
	if _, err := NewReceiver(clock, "whsec_?"); err == nil {
		t.Error("a secret that is none was taken")
	}
}

// Each way to fail has its name; redirects are not followed, and of an answer
// only the beginning is kept, without what looks like a card number.
func TestPost(t *testing.T) {
	t.Parallel()
	followed := false
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ok":
			_, _ = io.WriteString(w, "thanks\x00\n"+strings.Repeat("é", 1000))
		case "/redirect":
			http.Redirect(w, r, "/secret", http.StatusTemporaryRedirect)
		case "/secret":
			followed = true
		case "/bad":
			http.Error(w, "no such order 4111 1111 1111 1111", http.StatusBadRequest)
		case "/busy":
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/many":
			w.Header().Set("Retry-After", "99999999")
			w.WriteHeader(http.StatusTooManyRequests)
		case "/gone":
			w.WriteHeader(http.StatusGone)
		case "/broken":
			w.WriteHeader(http.StatusInternalServerError)
		case "/hangs":
			<-release
		case "/endless":
			for range 1 << 20 {
				if _, err := w.Write(make([]byte, 1024)); err != nil {
					return
				}
			}
		case "/cut":
			c, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_ = c.Close()
			}
		}
	}))
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(release) })
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + l.Addr().String()
	_ = l.Close()

	for _, tt := range []struct {
		url    string
		status int
		fault  Fault
		after  time.Duration
	}{
		{s.URL + "/ok", 200, NoFault, 0},
		{s.URL + "/redirect", 307, Redirected, 0},
		{s.URL + "/bad", 400, Rejected, 0},
		{s.URL + "/busy", 503, Throttled, 7 * time.Second},
		{s.URL + "/many", 429, Throttled, retryAfterMax},
		{s.URL + "/gone", 410, NoLonger, 0},
		{s.URL + "/broken", 500, Failing, 0},
		{s.URL + "/hangs", 0, TimedOut, 0},
		{s.URL + "/endless", 200, NoFault, 0},
		{s.URL + "/cut", 0, Cut, 0},
		{secure.URL, 0, BadTLS, 0},
		{strings.Replace(s.URL, "http:", "https:", 1), 0, BadTLS, 0},
		{nobody, 0, Refused, 0},
		{"https://nowhere.invalid/", 0, Unresolved, 0},
		{"http://10.0.0.1/", 0, Forbidden, 0},
		{"https://10.0.0.1/", 0, Forbidden, 0},
	} {
		most := time.Minute // all is answered but what hangs, however slow the machine
		if tt.fault == TimedOut {
			most = time.Second
		}
		p := NewPoster(NewGuard(local), machine, PosterConfig{Timeout: most})
		a := p.Post(t.Context(), &Target{URL: tt.url, Secrets: []Secret{{Key: make([]byte, secretBytes)}}}, Message{ID: "wh0_1", Body: []byte(`{}`)})
		if a.Status != tt.status || a.Fault != tt.fault || a.RetryAfter != tt.after || len(a.Text) > answerKept || strings.Contains(a.Text, "4111") {
			t.Errorf("%s: %+v, want %d %v", tt.url, a, tt.status, tt.fault)
		}
		if tt.fault == NoFault && strings.HasSuffix(tt.url, "/ok") && !strings.HasPrefix(a.Text, "thanks  é") {
			t.Errorf("of the answer %q is kept", a.Text)
		}
	}
	if followed {
		t.Error("a redirect was followed")
	}
}
