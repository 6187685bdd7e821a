package wechatv3_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/wechat"
)

func orderOf(no string) *wechat.Order {
	return &wechat.Order{No: no, Trade: wechat.CodePay, Amount: money.Of(1, "CNY")}
}

// No route answers a request that is not signed, or signed by somebody else,
// for something else, or at another time; and each says so in WeChat Pay's form.
func TestRoutesWantSignatures(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{engine: "sqlite"})
	s, other := w.shop(), w.shop()
	revoked := must(w.front.AddSerial(t.Context(), s.Manager, s.Shop.Merchant, nil))(t)
	check(t, w.front.RevokeSerial(t.Context(), s.Manager, s.Shop.Merchant, revoked.Serial.Serial))
	replace := func(old, now string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, now, 1))
		}
	}
	attacks := map[string]func(*http.Request){
		"no signature":              func(r *http.Request) { r.Header.Del("Authorization") },
		"two signatures":            func(r *http.Request) { r.Header.Add("Authorization", r.Header.Get("Authorization")) },
		"a bearer token":            func(r *http.Request) { r.Header.Set("Authorization", "Bearer mk_x") },
		"another body":              func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(strings.NewReader(`{"a":1}`)), 7 },
		"another path":              func(r *http.Request) { r.URL.Path = strings.Replace(r.URL.Path, "1", "2", 1) + "x" },
		"another query":             func(r *http.Request) { r.URL.RawQuery += "&x=1" },
		"another method's":          replace("nonce_str=\"", "nonce_str=\"x"),
		"another merchant's mchid":  replace(s.MchID, other.MchID),
		"another merchant's serial": replace(s.Serial.Serial, other.Serial.Serial),
		"a revoked serial":          replace(s.Serial.Serial, revoked.Serial.Serial),
		"a serial that is none":     replace(s.Serial.Serial, "00"),
		"a signature cut short":     replace(`signature="`, `signature="AAAA`),
	}
	paths := []struct{ method, path string }{
		{"POST", "/v3/pay/transactions/codepay"}, {"POST", "/v3/pay/transactions/native"}, {"GET", "/v3/pay/transactions/id/pm1"},
		{"GET", "/v3/pay/transactions/out-trade-no/n1"}, {"POST", "/v3/pay/transactions/out-trade-no/n1/close"}, {"POST", "/v3/pay/transactions/out-trade-no/n1/reverse"},
		{"POST", "/v3/refund/domestic/refunds"}, {"GET", "/v3/refund/domestic/refunds/r1"}, {"GET", "/v3/certificates"}, {"POST", "/v3/security/echo"},
	}
	for _, p := range paths {
		body := []byte(nil)
		if p.method == "POST" {
			body = []byte(`{"echo_message":"x"}`)
		}
		for name, attack := range attacks {
			r := s.signAs(p.method, p.path, body, time.Now())
			attack(r)
			a := w.send(r)
			found := a.status == http.StatusUnauthorized && a.code(t) == "SIGN_ERROR"
			elsewhere := name == "another path" && a.status == http.StatusNotFound
			if !found && !elsewhere || a.header.Get("Wechatpay-Signature") != "" || a.header.Get("Request-ID") == "" {
				t.Errorf("%s %s with %s: %d %s", p.method, p.path, name, a.status, a.body)
			}
		}
		for _, off := range []time.Duration{-6 * time.Minute, 6 * time.Minute} {
			if a := w.send(s.signAs(p.method, p.path, body, time.Now().Add(off))); a.status != http.StatusUnauthorized {
				t.Errorf("%s %s, %v off: %d %s", p.method, p.path, off, a.status, a.body)
			}
		}
		if a := w.send(s.signAs(p.method, p.path, body, time.Now())); a.status == http.StatusUnauthorized || a.status >= 500 {
			t.Errorf("%s %s, signed well: %d %s", p.method, p.path, a.status, a.body)
		}
	}
	if a := w.send(s.signAs("POST", "/v3/security/echo", bytes.Repeat([]byte(" "), 64<<10+1), time.Now())); a.status != http.StatusBadRequest {
		t.Errorf("a body that is too large: %d %s", a.status, a.body)
	}
}

// A merchant's own key serves as well as one that is made here; a second serial
// stands beside the first, and one that is revoked takes no payment any more.
func TestSerials(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{engine: "sqlite"})
	s, ctx := w.shop(), t.Context()
	own := must(rsa.GenerateKey(rand.Reader, 2048))(t)
	der := must(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: s.MchID}}, own))(t)
	public := must(x509.MarshalPKIXPublicKey(&own.PublicKey))(t)
	for kind, der := range map[string][]byte{"CERTIFICATE REQUEST": der, "PUBLIC KEY": public} {
		made := must(w.front.AddSerial(ctx, s.Manager, s.Shop.Merchant, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})))(t)
		if len(made.Private) > 0 || made.APIKey != "" {
			t.Errorf("with an own %s something is handed out: %q", kind, made.APIKey)
		}
		second := &shop{Shop: s.Shop, Made: made, w: w, key: own, headers: http.Header{}}
		if a := second.signed("POST", "/v3/security/echo", map[string]string{"echo_message": "x"}); a.status != http.StatusOK {
			t.Errorf("signed by an own %s: %d %s", kind, a.status, a.body)
		}
	}
	private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(own)})
	small := must(x509.MarshalPKIXPublicKey(&must(rsa.GenerateKey(rand.Reader, 1024))(t).PublicKey))(t)
	for name, text := range map[string][]byte{"a private key": private, "no PEM": []byte("x"), "a small key": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: small})} {
		if _, err := w.front.AddSerial(ctx, s.Manager, s.Shop.Merchant, text); mianmi.KindOf(err) != mianmi.Invalid {
			t.Errorf("%s was taken: %v", name, err)
		}
	}
	for range 2 {
		must(w.front.AddSerial(ctx, s.Manager, s.Shop.Merchant, public2(t)))(t)
	}
	if _, err := w.front.AddSerial(ctx, s.Manager, s.Shop.Merchant, public2(t)); mianmi.KindOf(err) != mianmi.Conflict {
		t.Errorf("a sixth serial: %v", err)
	}
	check(t, w.front.RevokeSerial(ctx, s.Manager, s.Shop.Merchant, s.Serial.Serial))
	if a := s.signed("POST", "/v3/pay/transactions/codepay", s.scanned(s.order(), w.code(w.person()), 1_00)); a.code(t) != "SIGN_ERROR" {
		t.Errorf("a payment by a revoked serial: %d %s", a.status, a.body)
	}
	if _, err := w.front.Create(ctx, s.Manager, s.Shop.Merchant, s.Shop.Terminal, nil); mianmi.KindOf(err) != mianmi.Conflict {
		t.Errorf("a second identity of a merchant: %v", err)
	}
	stranger := mianmi.Actor{Role: mianmi.RoleMerchantAdmin, ID: "sf1", Merchant: "mc0"}
	if _, _, err := w.front.Identity(ctx, stranger, s.Shop.Merchant); mianmi.KindOf(err) != mianmi.Denied {
		t.Errorf("another merchant's admin sees an identity: %v", err)
	}
}

// public2 is a fresh public key.
func public2(t *testing.T) []byte {
	t.Helper()
	k := must(rsa.GenerateKey(rand.Reader, 2048))(t)
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(&k.PublicKey))(t)})
}
