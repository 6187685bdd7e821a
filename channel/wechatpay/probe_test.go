package wechatpay_test

import (
	"io"
	"log"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/mianmi/mianmi/channel/wechatpay"
	"github.com/mianmi/mianmi/channel/wechatpay/wechatpaytest"
)

// The check of a connection finds each fault where it is, and none where none
// is.
func TestProbe(t *testing.T) {
	t.Parallel()
	type seen struct{ resolved, connected, secure, accepted, genuine, echoed bool }
	for _, tt := range []struct {
		name  string
		spoil func(*wechatpay.Connection, *wechatpaytest.Server)
		want  seen
		apart time.Duration
	}{
		{name: "as it should be", want: seen{true, true, true, true, true, true}},
		{name: "certificates", spoil: func(c *wechatpay.Connection, _ *wechatpaytest.Server) { forms[1].set(c) }, want: seen{true, true, true, true, true, true}},
		{name: "a name that leads nowhere", spoil: func(c *wechatpay.Connection, _ *wechatpaytest.Server) {
			c.Base, _ = url.Parse("https://wechat.invalid")
		}},
		{name: "nobody there", spoil: func(c *wechatpay.Connection, _ *wechatpaytest.Server) { c.Base, _ = url.Parse("http://127.0.0.1:1") }, want: seen{resolved: true}},
		{name: "a certificate of somebody else", spoil: func(c *wechatpay.Connection, s *wechatpaytest.Server) {
			c.Base = secure(t, s)
		}, want: seen{resolved: true, connected: true}},
		{name: "our serial number is wrong", spoil: func(c *wechatpay.Connection, _ *wechatpaytest.Server) { c.Serial = "5E00" }, want: seen{resolved: true, connected: true, secure: true}},
		{name: "a public key of another account", spoil: func(c *wechatpay.Connection, _ *wechatpaytest.Server) { c.PublicKey = &c.PrivateKey.PublicKey },
			want: seen{resolved: true, connected: true, secure: true, accepted: true}},
		{name: "clocks apart", spoil: func(_ *wechatpay.Connection, s *wechatpaytest.Server) { s.Shift(time.Hour) }, want: seen{resolved: true, connected: true, secure: true}, apart: time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := wechatpaytest.Start(t, nil)
			c := connection(t, s.URL)
			if tt.spoil != nil {
				tt.spoil(c, s)
			}
			p := open(t, c).Probe(t.Context(), "shop")
			got := seen{p.Resolved, p.Connected, p.Secure, p.Accepted, p.Genuine, p.Echoed}
			if got != tt.want || (p.Fault == "") != p.Echoed {
				t.Errorf("%+v (%s), want %+v", got, p.Fault, tt.want)
			}
			// A slow machine takes some of a minute; an hour it does not.
			if p.ApartSure && (p.Apart-tt.apart).Abs() > 10*time.Minute || tt.want.secure && !p.ApartSure {
				t.Errorf("the clocks are %v apart", p.Apart)
			}
			noSecret(t, p.Fault)
		})
	}
}

// secure is the server behind TLS with a certificate that nobody trusts.
func secure(t *testing.T, s *wechatpaytest.Server) *url.URL {
	t.Helper()
	at := httptest.NewUnstartedServer(s)
	at.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes are to fail
	at.StartTLS()
	t.Cleanup(at.Close)
	u, err := url.Parse(at.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
