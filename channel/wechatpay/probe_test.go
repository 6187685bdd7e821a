package wechatpay_test

import (
	"io"
	"log"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/mianmi/mianmi/channel"
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
		sign  channel.Sign
	}{
		{name: "as it should be", want: seen{true, true, true, true, true, true}, sign: channel.Answers},
		{name: "certificates", spoil: func(c *wechatpay.Connection, _ *wechatpaytest.Server) { forms[1].set(c) }, want: seen{true, true, true, true, true, true}, sign: channel.Answers},
		{name: "a name that leads nowhere", spoil: func(c *wechatpay.Connection, _ *wechatpaytest.Server) {
			c.Base, _ = url.Parse("https://wechat.invalid")
		}, sign: channel.Silent},
		{name: "nobody there", spoil: func(c *wechatpay.Connection, _ *wechatpaytest.Server) { c.Base, _ = url.Parse("http://127.0.0.1:1") }, want: seen{resolved: true}, sign: channel.Silent},
		{name: "a certificate of somebody else", spoil: func(c *wechatpay.Connection, s *wechatpaytest.Server) {
			c.Base = secure(t, s)
		}, want: seen{resolved: true, connected: true}, sign: channel.Silent},
		{name: "our serial number is wrong", spoil: func(c *wechatpay.Connection, _ *wechatpaytest.Server) { c.Serial = "5E00" }, want: seen{resolved: true, connected: true, secure: true}},
		{name: "a public key of another account", spoil: func(c *wechatpay.Connection, _ *wechatpaytest.Server) { c.PublicKey = &c.PrivateKey.PublicKey },
			want: seen{resolved: true, connected: true, secure: true, accepted: true}, sign: channel.Silent},
		{name: "clocks apart", spoil: func(_ *wechatpay.Connection, s *wechatpaytest.Server) { s.Shift(time.Hour) }, want: seen{resolved: true, connected: true, secure: true}, apart: time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := wechatpaytest.Start(t, nil)
			c := connection(t, s.URL)
			if tt.spoil != nil {
				tt.spoil(c, s)
			}
			ch := open(t, c)
			p := ch.Probe(t.Context(), "shop")
			if name, connected := ch.Connection(c.Merchants[0]); !connected || ch.Ask(t.Context(), name) != tt.sign {
				t.Errorf("connection %q, %v, does not say %v", name, connected, tt.sign)
			}
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

// Who has no connection is asked nothing in the name of.
func TestAnswersOfNobody(t *testing.T) {
	t.Parallel()
	s := wechatpaytest.Start(t, nil)
	ch := open(t, connection(t, s.URL))
	if name, connected := ch.Connection("mc-of-another-server"); connected || name != "" || ch.Ask(t.Context(), name) != channel.NotKnown || s.Calls("POST echo") != 0 {
		t.Errorf("connection %q, %v, asked %d times", name, connected, s.Calls("POST echo"))
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
