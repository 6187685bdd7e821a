package main

import (
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/agent/agenttest"
	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/channel/wechatpay"
	"github.com/mianmi/mianmi/channel/wechatpay/wechatpaytest"
	"github.com/mianmi/mianmi/money"
)

// The real terminal program at a real server: its check of the network shows that
// WeChat Pay answers, that it does not, and, at a server without the connection
// that is recorded, that it is not known.
func TestTerminalShowsWhetherWeChatPayAnswers(t *testing.T) {
	t.Parallel()
	s, srv := newShop(t)
	srv.stop()
	var down atomic.Bool
	wechat := wechatpaytest.Start(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if down.Load() {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			h.ServeHTTP(w, r)
		})
	})
	file := s.wechatFile(t, wechat.URL)
	text := must(os.ReadFile(file))(t)
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), "mc0000000000000000000000shop", string(s.merchant), 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	at := "127.0.0.1:" + agenttest.Port(t)
	serve := func(args ...string) *server {
		return s.serve(t, append([]string{"--terminals=" + at, "--terminal-names=127.0.0.1,localhost"}, args...)...)
	}
	srv = serve("--wechatpay=" + file)
	f := &fleetShop{t: t, operator: srv.As(s.operators[0]), at: map[string]string{"serving terminals": at}}
	f.store = must(f.operator.CreateStore(t.Context(), s.merchant, client.NewStore{Name: "二店", Address: "海棠路 2 号"}))(t)
	p, _ := f.joins("android_smart", false)
	p.post("/setup", "/setup", url.Values{"password": {"40517263"}, "again": {"40517263"}})
	p.signIn()
	shows := func(want string) {
		t.Helper()
		eventually(t, want, func() bool {
			p.post("/menu/network", "/menu/network", url.Values{})
			return strings.Contains(p.page("/menu/network", "Check again"), want)
		})
	}
	shows("WeChat Pay answers; take payments as usual")
	shown := must(srv.As(s.pos).Authorize(t.Context(), client.Authorization{Terminal: s.terminal, OrderNo: "left-open", Amount: money.Of(2_00, "CNY"),
		Method: "dynamic_qr", Channel: wechatpay.Name}))(t)
	eventually(t, "WeChat Pay has the order", func() bool { return wechat.Order(string(shown.ID)).State == "NOTPAY" })

	srv.stop()
	down.Store(true)
	srv = serve("--wechatpay=" + file)
	shows("Payments by WeChat Pay may fail now")
	p.page("/menu", "channel silent")

	srv.stop()
	serve()
	shows("It is not known whether WeChat Pay answers")

	// What was left open there is asked by nobody now, and the doctor says so in time.
	s.clock = mianmi.ClockFunc(func() time.Time { return time.Now().Add(24 * time.Hour) })
	if found, _ := s.doctor(t); found["channels.asked.wechatpay"] != "warn" {
		t.Errorf("a day later: %v", found)
	}
}
