// Package wechatpaytest is a small WeChat Pay for tests: it checks the
// signatures of what it is asked and signs what it answers, with the public key
// or a platform certificate, and keeps orders and refunds by their numbers.
// Error answers it does not sign, as WeChat Pay does not.
package wechatpaytest

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Who is asked for: the account of Config.
const (
	MchID       = "1900000109"
	AppID       = "wxd678efh567hg6787"
	SubMchID    = "1900000110"
	Serial      = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"
	APIv3Key    = "0123456789abcdef0123456789ABCDEF"
	V2Key       = "abcdefabcdefabcdefabcdefabcdef01"
	PublicKeyID = "PUB_KEY_ID_0119000001092026030100000001"
)

// Payment codes and what becomes of them; any other code of 18 digits is paid
// at once.
const (
	CodePaid     = "130000000000000001"
	CodePassword = "130000000000000002" // the payer types a password: Confirm or Stop
	CodePoor     = "130000000000000003" // refused: the payer has not enough
	CodeUsed     = "130000000000000004" // refused: the code is not valid
	CodeFails    = "130000000000000005" // PAYERROR
)

// OpenID is every payer.
const OpenID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"

// Order is an order as the server has it.
type Order struct {
	Number, Transaction, State, Code string
	Total                            int64
	Currency                         string
	PaidAt                           time.Time
	Charged                          int64 // how often money moved for it
	Back                             int64 // what was given back
}

// Server is a WeChat Pay of one account.
type Server struct {
	URL string
	// CertificateSerial is the platform certificate's.
	CertificateSerial string

	merchant    *rsa.PublicKey
	platform    *rsa.PrivateKey // of the public key
	certificate *rsa.PrivateKey // of the platform certificate
	certPEM     []byte

	mu      sync.Mutex
	orders  map[string]*Order
	refunds map[string]*refund
	calls   map[string]int
	signed  map[string]*contract

	complaints map[string]*complaint
	complainAt string // where complaints are told of
	pictures   map[string][]byte
	shift      time.Duration
	prompt     bool
	last       []byte
}

type refund struct {
	number, order, status string
	amount, total         int64
}

// keys are made once: making them takes long.
var keys = sync.OnceValues(func() ([3]*rsa.PrivateKey, error) {
	var all [3]*rsa.PrivateKey
	for i := range all {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return all, err
		}
		all[i] = k
	}
	return all, nil
})

// Merchant returns the account's private key and WeChat Pay's public key.
func Merchant(t testing.TB) (*rsa.PrivateKey, *rsa.PublicKey) {
	t.Helper()
	all, err := keys()
	if err != nil {
		t.Fatal(err)
	}
	return all[0], &all[1].PublicKey
}

// Start starts a server that ends with the test. wrap, if not nil, stands
// between it and whoever asks.
func Start(t testing.TB, wrap func(http.Handler) http.Handler) *Server {
	t.Helper()
	all, err := keys()
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{
		merchant: &all[0].PublicKey, platform: all[1], certificate: all[2],
		orders: map[string]*Order{}, refunds: map[string]*refund{}, calls: map[string]int{}, signed: map[string]*contract{},
		complaints: map[string]*complaint{}, pictures: map[string][]byte{},
	}
	s.makeCertificate(t)
	var h http.Handler = s
	if wrap != nil {
		h = wrap(s)
	}
	at := httptest.NewServer(h)
	t.Cleanup(at.Close)
	s.URL = at.URL
	return s
}

// Order returns an order; the zero one if there is none.
func (s *Server) Order(number string) Order {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.orders[number]; o != nil {
		return *o
	}
	return Order{}
}

// Calls says how often an interface was called, by method and the end of its
// path.
func (s *Server) Calls(which string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[which]
}

// Shift sets the server's clock off.
func (s *Server) Shift(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shift = d
}

// LastBody is the body of the last request.
func (s *Server) LastBody() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.last)
}

// Prompt has refunds be done at once.
func (s *Server) Prompt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prompt = true
}

// Confirm is the payer who types the password, or pays from a QR code.
func (s *Server) Confirm(number string) { s.end(number, "SUCCESS") }

// Stop is the payer who closes the page, or WeChat Pay after 45 seconds.
func (s *Server) Stop(number string) { s.end(number, "REVOKED") }

func (s *Server) end(number, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orders[number]
	if o == nil || o.State != "USERPAYING" && o.State != "NOTPAY" {
		return
	}
	if o.State = state; state == "SUCCESS" {
		s.pay(o)
	}
}

func (s *Server) pay(o *Order) {
	o.State, o.PaidAt = "SUCCESS", s.now()
	o.Charged++
	sum := sha256.Sum256([]byte(o.Number))
	o.Transaction = "42000" + strconv.FormatUint(uint64(sum[0])<<24|uint64(sum[1])<<16|uint64(sum[2])<<8|uint64(sum[3]), 10)
}

func (s *Server) now() time.Time { return time.Now().Add(s.shift) }

// answer is what is said; a status of 2xx is signed.
type answer struct {
	status int
	body   any
}

func failed(status int, code, message string) answer {
	return answer{status, map[string]string{"code": code, "message": message}}
}

// ServeHTTP is part of http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = body
	if r.URL.Path == "/tools/authcodetoopenid" {
		_, _ = io.WriteString(w, s.payerOf(body))
		return
	}
	got := failed(http.StatusUnauthorized, "SIGN_ERROR", "签名错误")
	said, picture := body, []byte(nil)
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
		said, picture = parts(r, body) // what is signed of an upload is its description
	}
	if s.signedByMerchant(r, said) {
		got = s.route(r, said, picture)
	}
	if raw, is := got.body.([]byte); is { // pictures are not signed
		_, _ = w.Write(raw)
		return
	}
	s.write(w, r, got)
}

func (s *Server) write(w http.ResponseWriter, r *http.Request, a answer) {
	var text []byte
	if a.body != nil {
		text, _ = json.Marshal(a.body)
	}
	h := w.Header()
	h.Set("Request-Id", "08F0"+hex.EncodeToString(nonce(8)))
	h.Set("Date", s.now().UTC().Format(http.TimeFormat))
	h.Set("Content-Type", "application/json; charset=utf-8")
	if a.status/100 == 2 {
		for name, v := range s.Sign(r.Header.Get("Wechatpay-Serial"), text) {
			h[name] = v
		}
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(text)
}

// Sign makes the headers that WeChat Pay signs a body with: with the public key
// if that is asked for, otherwise with the platform certificate.
func (s *Server) Sign(serial string, body []byte) http.Header {
	key, by := s.certificate, s.CertificateSerial
	if serial == PublicKeyID {
		key, by = s.platform, PublicKeyID
	}
	at, once := strconv.FormatInt(s.now().Unix(), 10), hex.EncodeToString(nonce(16))
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n", at, once, body))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		panic(err) // a key that was made above
	}
	h := http.Header{}
	h.Set("Wechatpay-Timestamp", at)
	h.Set("Wechatpay-Nonce", once)
	h.Set("Wechatpay-Serial", by)
	h.Set("Wechatpay-Signature", base64.StdEncoding.EncodeToString(signature))
	h.Set("Wechatpay-Signature-Type", "WECHATPAY2-SHA256-RSA2048")
	return h
}

func nonce(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

var authorization = regexp.MustCompile(`^WECHATPAY2-SHA256-RSA2048 mchid="([^"]*)",nonce_str="([^"]*)",timestamp="([0-9]*)",serial_no="([^"]*)",signature="([^"]*)"$`)

// signedByMerchant checks a request as WeChat Pay does: account, serial number,
// time within five minutes, signature over method, address and body.
func (s *Server) signedByMerchant(r *http.Request, body []byte) bool {
	m := authorization.FindStringSubmatch(r.Header.Get("Authorization"))
	if m == nil || m[1] != MchID || m[4] != Serial {
		return false
	}
	at, err := strconv.ParseInt(m[3], 10, 64)
	signature, err2 := base64.StdEncoding.DecodeString(m[5])
	if err != nil || err2 != nil || s.now().Sub(time.Unix(at, 0)).Abs() > 5*time.Minute {
		return false
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n%s\n%s\n", r.Method, r.URL.RequestURI(), m[3], m[2], body))
	return rsa.VerifyPKCS1v15(s.merchant, crypto.SHA256, sum[:], signature) == nil
}

func (s *Server) makeCertificate(t testing.TB) {
	t.Helper()
	template := &x509.Certificate{SerialNumber: bigSerial(), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &s.certificate.PublicKey, s.certificate)
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.CertificateSerial = fmt.Sprintf("%X", template.SerialNumber.Bytes())
	s.certPEM = bytes.TrimSpace(pemOf("CERTIFICATE", der))
}

// Recertify replaces the platform certificate.
func (s *Server) Recertify(t testing.TB) {
	t.Helper()
	s.makeCertificate(t)
}
