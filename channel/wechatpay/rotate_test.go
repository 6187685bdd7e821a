package wechatpay_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/channel/wechatpay"
	"github.com/mianmi/mianmi/channel/wechatpay/wechatpaytest"
)

// WeChat Pay changes its certificate while the program runs: answers and
// notifications under the new one are believed at once, and certificates are
// asked for once a minute at most, whatever serial number somebody names.
func TestCertificateChanges(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	s := wechatpaytest.Start(t, between(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.URL.Path == "/v3/certificates" {
			asked.Add(1)
		}
		next.ServeHTTP(w, r)
	}))
	c := connection(t, s.URL)
	forms[1].set(c)
	begun := time.Now()
	var minutes atomic.Int64 // the program's clock stands still between them
	ch, err := wechatpay.New(t.Context(), []*wechatpay.Connection{c}, mianmi.ClockFunc(func() time.Time { return begun.Add(time.Duration(minutes.Load()) * time.Minute) }))
	if err != nil {
		t.Fatal(err)
	}
	o := order(t, 1, channel.ByCode)
	stands(t, "under the first", ch.Charge(t.Context(), o, wechatpaytest.CodePaid), channel.Paid)
	s.Recertify(t)
	stands(t, "under another, within a minute", ch.Query(t.Context(), o.Ref), channel.Unclear)
	stands(t, "and once more", ch.Query(t.Context(), o.Ref), channel.Unclear)
	if n := asked.Load(); n != 1 {
		t.Errorf("certificates were asked for %d times in a minute", n)
	}
	minutes.Add(1)
	stands(t, "a minute later", ch.Query(t.Context(), o.Ref), channel.Paid)
	minutes.Add(1)
	s.Recertify(t)
	stands(t, "under a third", ch.Query(t.Context(), o.Ref), channel.Paid)

	minutes.Add(1)
	s.Recertify(t)
	to := &asker{}
	h, err := ch.Notifications(to, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	body := wechatpaytest.Notification("TRANSACTION.SUCCESS", paidNote(o.Payment))
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v3-notify/shop/transaction", bytes.NewReader(body))
	r.Header = s.Sign("certificate", body)
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != http.StatusNoContent {
		t.Errorf("a notification under a fourth: %d %s", w.Code, w.Body)
	}
	if n := asked.Load(); n != 4 {
		t.Errorf("certificates were asked for %d times, want 4", n)
	}
}

// WeChat Pay replaces its public key: with the next one configured, answers
// under either are believed; without it, none under the new one.
func TestPublicKeyChanges(t *testing.T) {
	t.Parallel()
	s := wechatpaytest.Start(t, between(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		r.Header.Set("Wechatpay-Serial", wechatpaytest.PublicKeyID) // whatever was asked for
		next.ServeHTTP(w, r)
	}))
	c := connection(t, s.URL)
	c.NextKeyID, c.NextKey = c.PublicKeyID, c.PublicKey
	c.PublicKeyID, c.PublicKey = "PUB_KEY_ID_0119000001092020010100000001", &c.PrivateKey.PublicKey
	o := order(t, 1, channel.ByCode)
	stands(t, "under the next key", open(t, c).Charge(t.Context(), o, wechatpaytest.CodePaid), channel.Paid)
	c.NextKey = nil
	stands(t, "under a key that is not known", open(t, c).Query(t.Context(), o.Ref), channel.Unclear)
	c.Certificates = true
	c.NextKeyID, c.NextKey = wechatpaytest.PublicKeyID, connection(t, s.URL).PublicKey
	stands(t, "with certificates besides", open(t, c).Query(t.Context(), o.Ref), channel.Paid)
}
