package wechatpay_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/channel/wechatpay"
	"github.com/mianmi/mianmi/channel/wechatpay/wechatpaytest"
)

// asker keeps hints.
type asker struct {
	mu    sync.Mutex
	hints []wechatpay.Hint
	err   error
}

func (a *asker) Hinted(_ context.Context, h wechatpay.Hint) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hints = append(a.hints, h)
	return a.err
}

func paidNote(p mianmi.PaymentID) map[string]any {
	return map[string]any{"mchid": wechatpaytest.MchID, "out_trade_no": string(p), "trade_state": "SUCCESS", "payer": map[string]string{"openid": wechatpaytest.OpenID}}
}

func send(t testing.TB, h http.Handler, method, path string, body []byte, signed http.Header) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, bytes.NewReader(body))
	for name, v := range signed {
		r.Header[name] = v
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// A genuine notification makes somebody ask, under either key, and as often as
// it comes; whatever else arrives makes nobody ask and is answered as WeChat Pay
// expects.
func TestNotifications(t *testing.T) {
	t.Parallel()
	s := wechatpaytest.Start(t, nil)
	c := connection(t, s.URL)
	c.Certificates = true // while an account moves, notifications come under either key
	o := order(t, 1, channel.ByQR)
	refund := refundOf(o, 1).Refund
	refunded := paidNote(o.Payment)
	refunded["out_refund_no"], refunded["refund_status"] = string(refund), "SUCCESS"
	stranger := paidNote(o.Payment)
	stranger["mchid"] = "1900000199"
	paid := wechatpaytest.Notification("TRANSACTION.SUCCESS", paidNote(o.Payment))
	other := wechatpaytest.Notification("TRANSACTION.SUCCESS", paidNote(order(t, 2, channel.ByQR).Payment))
	const at = "/v3-notify/shop/transaction"
	for _, tt := range []struct {
		name, method, path string
		body, signedBody   []byte
		serial             string
		shift              time.Duration
		want               int
		hint               *wechatpay.Hint
	}{
		{name: "paid", path: at, body: paid, want: 204, hint: &wechatpay.Hint{Payment: o.Payment}},
		{name: "paid, under a certificate", path: at, body: paid, serial: "certificate", want: 204, hint: &wechatpay.Hint{Payment: o.Payment}},
		{name: "refunded", path: "/v3-notify/shop/refund", body: wechatpaytest.Notification("REFUND.SUCCESS", refunded), want: 204, hint: &wechatpay.Hint{Payment: o.Payment, Refund: refund}},
		{name: "an echo", path: "/v3-notify/shop/echo", body: wechatpaytest.Notification("SECURITY_ECHO.SUCCESS", map[string]string{"echo_message": "x"}), want: 204},
		{name: "an event that nobody knows", path: at, body: wechatpaytest.Notification("WHO.KNOWS", paidNote(o.Payment)), want: 204},
		{name: "of another account", path: at, body: wechatpaytest.Notification("TRANSACTION.SUCCESS", stranger), want: 204},
		{name: "of an order that is none of ours", path: at, body: wechatpaytest.Notification("TRANSACTION.SUCCESS", paidNote("A-1")), want: 204},
		{name: "signed for another body", path: at, body: paid, signedBody: other, want: 401},
		{name: "an hour old", path: at, body: paid, shift: -time.Hour, want: 401},
		{name: "a key that nobody knows", path: at, body: paid, serial: "5E00", want: 401},
		{name: "without a resource", path: at, body: []byte(`{"event_type":"TRANSACTION.SUCCESS"}`), want: 401},
		{name: "sealed with another key", path: at, body: bytes.Replace(paid, []byte(`"ciphertext":"`), []byte(`"ciphertext":"AAAA`), 1), want: 401},
		{name: "no JSON", path: at, body: []byte("<xml>"), want: 401},
		{name: "too long", path: at, body: bytes.Repeat([]byte(" "), 65<<10), want: 413},
		{name: "to nobody", path: "/v3-notify/two/transaction", body: paid, want: 404},
		{name: "to a kind that is none", path: "/v3-notify/shop/x", body: paid, want: 404},
		{name: "to the root", path: "/v3-notify/", body: paid, want: 404},
		{name: "a question", method: http.MethodGet, path: at, body: paid, want: 405},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			signer := wechatpaytest.Start(t, nil)
			signer.CertificateSerial = s.CertificateSerial
			signer.Shift(tt.shift)
			to := &asker{}
			var out bytes.Buffer
			h := handler(t, c, to, &out)
			signed := tt.signedBody
			if signed == nil {
				signed = tt.body
			}
			serial := tt.serial
			if serial == "" {
				serial = wechatpaytest.PublicKeyID
			}
			headers := signer.Sign(serial, signed)
			if tt.serial == "5E00" {
				headers.Set("Wechatpay-Serial", tt.serial)
			}
			method := tt.method
			if method == "" {
				method = http.MethodPost
			}
			for range 2 { // a repeat is as the first
				if got := send(t, h, method, tt.path, tt.body, headers); got.Code != tt.want || got.Code >= 400 && !strings.Contains(got.Body.String(), `"FAIL"`) {
					t.Errorf("answered %d %s, want %d", got.Code, got.Body, tt.want)
				}
			}
			var want []wechatpay.Hint
			if tt.hint != nil {
				want = []wechatpay.Hint{*tt.hint, *tt.hint}
			}
			if d := cmp.Diff(want, to.hints); d != "" {
				t.Errorf("hints (-want +got):\n%s", d)
			}
			noSecret(t, out.String())
		})
	}
}

func handler(t testing.TB, c *wechatpay.Connection, to wechatpay.Hinted, out io.Writer) http.Handler {
	t.Helper()
	h, err := open(t, c).Notifications(to, slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// A hint that could not be taken is answered with a failure, so that WeChat
// Pay sends it again.
func TestNotificationThatCannotBeTaken(t *testing.T) {
	t.Parallel()
	s := wechatpaytest.Start(t, nil)
	var out bytes.Buffer
	h := handler(t, connection(t, s.URL), &asker{err: errors.New("the database is away")}, &out)
	body := wechatpaytest.Notification("TRANSACTION.SUCCESS", paidNote(order(t, 1, channel.ByQR).Payment))
	if got := send(t, h, http.MethodPost, "/v3-notify/shop/transaction", body, s.Sign(wechatpaytest.PublicKeyID, body)); got.Code != http.StatusInternalServerError {
		t.Errorf("answered %d", got.Code)
	}
	if !strings.Contains(out.String(), "sends it again") {
		t.Errorf("not logged: %s", out.String())
	}
	noSecret(t, out.String())
}

// noSecret fails when a text shows what no log may: keys, codes, signatures,
// who paid.
func noSecret(t testing.TB, text string) {
	t.Helper()
	for _, secret := range []string{wechatpaytest.APIv3Key, wechatpaytest.OpenID, wechatpaytest.CodePaid, wechatpaytest.CodePassword, "WECHATPAY2-", "Signature", "ciphertext", "PRIVATE KEY"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is shown: %s", secret, text)
		}
	}
}

// Nothing secret is in the line that an answer has for the log, whatever the
// other side says.
func TestFaultsHideSecrets(t *testing.T) {
	t.Parallel()
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // whatever was sent comes back, in every place
		w.Header().Set("Request-Id", r.Header.Get("Authorization"))
		w.Header().Set("Wechatpay-Serial", r.Header.Get("Authorization"))
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"code":"`+r.Header.Get("Authorization")+`","message":"`+strings.ReplaceAll(string(body), `"`, "'")+wechatpaytest.OpenID+`"}`)
	}))
	t.Cleanup(echo.Close)
	for _, f := range forms {
		c := connection(t, echo.URL)
		f.set(c)
		ch := open(t, c)
		o := order(t, 1, channel.ByCode)
		for _, fault := range []string{ch.Charge(t.Context(), o, wechatpaytest.CodePaid).Fault, ch.Query(t.Context(), o.Ref).Fault, ch.Undo(t.Context(), o.Ref).Fault,
			ch.Prepay(t.Context(), o).Fault, ch.Refund(t.Context(), refundOf(o, 1)).Fault, ch.Probe(t.Context(), "shop").Fault} {
			if fault == "" {
				t.Error("no line for the log")
			}
			noSecret(t, fault)
		}
	}
}

// No body, signed or not, ends the handler or gives a hint of an order that
// is none.
func FuzzNotification(f *testing.F) {
	s := wechatpaytest.Start(f, nil)
	o := order(f, 1, channel.ByQR)
	f.Add(wechatpaytest.Notification("TRANSACTION.SUCCESS", paidNote(o.Payment)), true, "x")
	f.Add([]byte(`{"resource":{"algorithm":"AEAD_AES_256_GCM","nonce":"","ciphertext":"","associated_data":""}}`), true, "")
	f.Add([]byte(`null`), true, "1900000109")
	f.Add([]byte{}, false, "")
	to := &asker{}
	h := handler(f, connection(f, s.URL), to, io.Discard)
	f.Fuzz(func(t *testing.T, body []byte, sealed bool, signature string) {
		if sealed { // what stands in a genuine notification
			body = wechatpaytest.Notification("TRANSACTION.SUCCESS", string(body))
		}
		headers := s.Sign(wechatpaytest.PublicKeyID, body)
		if signature != "" {
			headers.Set("Wechatpay-Timestamp", signature)
		}
		got := send(t, h, http.MethodPost, "/v3-notify/shop/transaction", body, headers)
		if got.Code != 204 && got.Code != 401 && got.Code != 413 {
			t.Errorf("answered %d", got.Code)
		}
		to.mu.Lock()
		defer to.mu.Unlock()
		for _, hint := range to.hints {
			if _, err := hint.Payment.Bucket(); err != nil {
				t.Errorf("a hint of %q", hint.Payment)
			}
		}
	})
}
