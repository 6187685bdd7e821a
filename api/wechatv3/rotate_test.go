package wechatv3_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wechatpay-apiv3/wechatpay-go/core"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/wechatv3"
	"github.com/mianmi/mianmi/notice"
	"github.com/mianmi/mianmi/wechat"
)

// aheadClock is the machine's, ahead by what a test says.
type aheadClock struct{ by atomic.Int64 }

func (c *aheadClock) Now() time.Time        { return time.Now().Add(time.Duration(c.by.Load())) }
func (c *aheadClock) ahead(d time.Duration) { c.by.Store(int64(d)) }

var system = mianmi.System("test")

// asks has the official client ask for the check of keys.
func asks(t *testing.T, c *core.Client) error {
	t.Helper()
	res, err := c.Post(t.Context(), "https://api.mch.weixin.qq.com/v3/security/echo", map[string]string{"echo_message": "x"})
	if err == nil {
		err = res.Response.Body.Close()
	}
	return err
}

// Five minutes is how far the clocks of client and server may be apart; so the
// new key signs a little sooner, and later than a slow machine needs for what
// comes before.
const (
	looked   = 20 * time.Second // by then the other server has read the keys again
	signsIn  = 4 * time.Minute
	switched = signsIn + 5*time.Second
	revoked  = switched + 15*time.Second
)

// The platform's key changes while servers run: software that knows the old key,
// the new one or both goes on through the switch, in both modes, until the old
// one is revoked; a second server on the database takes part without a restart.
func TestPlatformKeyRotation(t *testing.T) {
	t.Parallel()
	for _, tt := range []setup{{engine: "sqlite"}, {engine: "postgres", certificate: true}} {
		name := map[bool]string{false: "public key", true: "certificate"}[tt.certificate]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changesKey(t, tt)
		})
	}
}

func changesKey(t *testing.T, c setup) {
	clock := &aheadClock{}
	c.clock = clock
	w := newWorld(t, c)
	s, ctx := w.shop(), t.Context()
	old := must(w.front.Platform(ctx))(t)
	before := s.client(c.certificate)
	other := w.secondServer(clock, c.certificate)
	signs := func() string {
		t.Helper()
		one, two := s.signed("POST", "/v3/security/echo", map[string]string{"echo_message": "x"}).header.Get("Wechatpay-Serial"), other(s)
		if one != two {
			t.Errorf("two servers sign in the names of %s and %s", one, two)
		}
		return one
	}
	nameOf := func(p *wechat.Platform) string {
		if c.certificate {
			return p.Serial
		}
		return p.KeyID
	}
	if got := signs(); got != nameOf(old) {
		t.Fatalf("at first %s signs, want %s", got, nameOf(old))
	}
	if err := w.front.RevokePlatform(ctx, system, old.KeyID); !errors.Is(err, mianmi.Conflict) {
		t.Errorf("the only key is revoked: %v", err)
	}
	next := must(w.front.Rotate(ctx, system, signsIn))(t)
	if _, err := w.front.Rotate(ctx, system, signsIn); !errors.Is(err, mianmi.Conflict) {
		t.Errorf("two changes at once: %v", err)
	}
	clock.ahead(looked)
	if got := signs(); got != nameOf(old) {
		t.Errorf("before its time %s signs", got)
	}
	toldAhead := s.clientOf(next)
	if c.certificate {
		toldAhead = s.client(true) // it downloads both
	}
	works(t, "before the switch", before, toldAhead)
	clock.ahead(switched)
	if got := signs(); got != nameOf(next) {
		t.Errorf("after its time %s signs, want %s", got, nameOf(next))
	}
	works(t, "after the switch", before, toldAhead)
	s.notified(c.certificate)

	check(t, w.front.RevokePlatform(ctx, system, old.KeyID))
	clock.ahead(revoked)
	if got := signs(); got != nameOf(next) {
		t.Errorf("at last %s signs", got)
	}
	works(t, "after the revocation", toldAhead)
	if c.certificate {
		var list struct {
			Data []struct {
				SerialNo string `json:"serial_no"`
			}
		}
		check(t, json.Unmarshal(s.signed("GET", "/v3/certificates", nil).body, &list))
		if len(list.Data) != 1 {
			t.Errorf("after the revocation there are the certificates %+v", list)
		}
	} else if err := asks(t, before); err == nil {
		t.Error("the old key is answered with after its revocation")
	}
}

// works has clients ask, each of which must believe the answer.
func works(t *testing.T, when string, clients ...*core.Client) {
	t.Helper()
	for i, c := range clients {
		if err := asks(t, c); err != nil {
			t.Errorf("%s: client %d: %v", when, i, err)
		}
	}
}

// secondServer is another server on the same database; what it returns says in
// whose name it answers a shop.
func (w *world) secondServer(clock mianmi.Clock, certificate bool) func(*shop) string {
	t := w.t
	t.Helper()
	log := slog.New(slog.NewTextHandler(w.logged, nil))
	front := must(wechat.New(wechat.Parts{Store: w.node.DB, Access: w.node.Access, Payments: w.node.Payments, Keys: w.node.Keys, Guard: notice.NewGuard(nil),
		Clock: clock, Random: rand.Reader}, wechat.Config{Certificate: certificate}))(t)
	server := httptest.NewServer(must(wechatv3.New(wechatv3.Parts{Service: front, Clock: clock, Random: rand.Reader, Log: log}, wechatv3.Config{Deadline: time.Minute}))(t))
	t.Cleanup(server.Close)
	return func(s *shop) string {
		t.Helper()
		r := s.request("POST", "/v3/security/echo", map[string]string{"echo_message": "x"})
		r.URL.Host = server.Listener.Addr().String()
		return w.send(r).header.Get("Wechatpay-Serial")
	}
}

// notified has an order paid and waits for its notification, which the key that
// signs now has signed.
func (s *shop) notified(certificate bool) {
	s.w.t.Helper()
	in := newInbox(s.w.t, s, certificate)
	in.wait("TRANSACTION.SUCCESS", s.paidNative(s.w.person(), in.server.URL+"/notify"))
}
