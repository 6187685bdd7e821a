package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/store/storetest"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// wire is a terminal's machine that does what a test tells it, over the network.
type wire struct {
	t      *testing.T
	base   string // https://host:port
	device *storetest.Device
	cert   tls.Certificate
	roots  *x509.CertPool
	http   *http.Client
	asked  int64
}

func newWire(t *testing.T, address string, clock mianmi.Clock) *wire {
	t.Helper()
	d := &storetest.Device{Clock: clock, Device: protocol.Device{Model: "linux_countertop", OS: "linux 6.1", Firmware: "1.2.0", App: "0.4.0", Keypad: true},
		Network: protocol.Network{Kind: "ethernet", DNS: true, TLS: true, RTTms: 4}}
	d.Key = done[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	d.Reboot()
	return &wire{t: t, base: "https://" + address, device: d}
}

// tls verifies the host against the pinned authority alone.
func (w *wire) tls(certs []tls.Certificate) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: w.roots, ServerName: "localhost", Time: w.device.Clock.Now, Certificates: certs}
}

func (w *wire) client(certs []tls.Certificate) *http.Client {
	return &http.Client{Timeout: patience, Transport: &http.Transport{TLSClientConfig: w.tls(certs), ForceAttemptHTTP2: true}}
}

// api is the API with the terminal as the caller.
func (w *wire) api() *client.Client {
	return done[*client.Client](w.t)(client.New(w.base, client.Options{HTTP: w.http}))
}

// tryEnrol asks for a certificate, of the host that the code names and no other.
func (w *wire) tryEnrol(text string) (int, string) {
	w.t.Helper()
	code := done[protocol.EnrolCode](w.t)(protocol.ParseEnrolCode(text))
	csr := done[[]byte](w.t)(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, w.device.Key))
	c := &http.Client{Timeout: patience, Transport: &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // the code's fingerprint is checked below
		VerifyConnection: func(s tls.ConnectionState) error {
			ca := s.PeerCertificates[len(s.PeerCertificates)-1]
			if !code.CA.Is(ca.Raw) {
				w.t.Error("the host's chain does not end in the authority of the code")
			}
			w.roots = x509.NewCertPool()
			w.roots.AddCert(ca)
			_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: w.roots, DNSName: "127.0.0.1", CurrentTime: w.device.Clock.Now()})
			return err
		}}}}
	defer c.CloseIdleConnections()
	body := done[[]byte](w.t)(json.Marshal(protocol.Enrolment{Code: code.Secret, CSR: csr}))
	var e protocol.Enrolled
	was := w.http
	w.http = c
	status, problem := w.post(protocol.PathEnrol, body, &e)
	w.http = was
	if status == http.StatusOK {
		w.device.ID, w.cert = e.Terminal, tls.Certificate{Certificate: e.Certificates, PrivateKey: w.device.Key}
		w.http = w.client([]tls.Certificate{w.cert})
	}
	return status, problem
}

func (w *wire) enrol(id mianmi.TerminalID, code string) {
	w.t.Helper()
	if status, problem := w.tryEnrol(code); status != http.StatusOK || w.device.ID != id {
		w.t.Fatalf("enrol %s: %d %s, as %s", id, status, problem, w.device.ID)
	}
	w.t.Cleanup(w.http.CloseIdleConnections)
}

func (w *wire) do(method, path string, body []byte, into any) (int, string) {
	w.t.Helper()
	r := done[*http.Request](w.t)(http.NewRequestWithContext(w.t.Context(), method, w.base+path, bytes.NewReader(body)))
	r.Header.Set("Content-Type", "application/json")
	res, err := w.http.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read whole
	b := done[[]byte](w.t)(io.ReadAll(res.Body))
	if res.StatusCode >= http.StatusBadRequest {
		var p client.Problem
		_ = json.Unmarshal(b, &p) // the standard library's own 404 is no document
		return res.StatusCode, p.Code
	}
	if into != nil {
		if err := json.Unmarshal(b, into); err != nil {
			w.t.Fatalf("%s: %v in %s", path, err, b)
		}
	}
	return res.StatusCode, ""
}

func (w *wire) get(path string) (int, string) { return w.do(http.MethodGet, path, nil, nil) }

func (w *wire) post(path string, body []byte, into any) (int, string) {
	return w.do(http.MethodPost, path, body, into)
}

// run makes the bytes of a config what runs.
func (w *wire) run(b []byte) {
	w.t.Helper()
	c := done[protocol.Config](w.t)(protocol.DecodeConfig(b))
	w.device.Config, w.device.Running = &c, &protocol.Setting{Version: c.Version, Hash: protocol.HashOf(b)}
}

func (w *wire) have() int64 {
	if w.device.Running == nil {
		return 0
	}
	return w.device.Running.Version
}

// fetch asks for what is newer, and runs it.
func (w *wire) fetch() {
	w.t.Helper()
	var b json.RawMessage
	if status, problem := w.do(http.MethodGet, protocol.PathConfig+"?have="+strconv.FormatInt(w.have(), 10), nil, &b); status != http.StatusOK {
		w.t.Fatalf("fetch: %d %s", status, problem)
	}
	w.run(b)
}

// report sends the next report and returns it with its receipt.
func (w *wire) report() ([]byte, protocol.Receipt) {
	w.t.Helper()
	signed := done[[]byte](w.t)(w.device.Sign())
	var r protocol.Receipt
	if status, problem := w.post(protocol.PathReport, signed, &r); status != http.StatusOK {
		w.t.Fatalf("report: %d %s", status, problem)
	}
	return signed, r
}

// switchOff is an OFF in the terminal's own menu.
func (w *wire) switchOff(author string) {
	w.t.Helper()
	var id [8]byte
	done[int](w.t)(rand.Read(id[:]))
	local := protocol.Local{ID: hex.EncodeToString(id[:]), Version: 1, Author: author, BasedOn: w.have(), At: w.device.Clock.Now()}
	w.device.Local, w.device.Menu = &local, []protocol.Local{local}
}

// brokered is a machine's connection to the broker.
type brokered struct {
	w       *wire
	conn    mqtt.Client
	hints   chan protocol.Hint
	answers chan protocol.Answer
}

func (w *wire) connect(address string) *brokered {
	w.t.Helper()
	b := &brokered{w: w, hints: make(chan protocol.Hint, 64), answers: make(chan protocol.Answer, 64)}
	b.conn = mqtt.NewClient(mqtt.NewClientOptions().AddBroker("ssl://" + address).SetTLSConfig(w.tls([]tls.Certificate{w.cert})).
		SetCleanSession(true).SetAutoReconnect(false).SetConnectTimeout(patience))
	wait := func(tok mqtt.Token) {
		w.t.Helper()
		if !tok.WaitTimeout(patience) || tok.Error() != nil {
			w.t.Fatalf("MQTT: %v", tok.Error())
		}
	}
	wait(b.conn.Connect())
	w.t.Cleanup(func() { b.conn.Disconnect(0) })
	wait(b.conn.Subscribe(protocol.TopicHint(w.device.ID), 0, func(_ mqtt.Client, m mqtt.Message) {
		var h protocol.Hint
		if err := json.Unmarshal(m.Payload(), &h); err != nil {
			w.t.Error(err)
		}
		b.hints <- h
	}))
	wait(b.conn.Subscribe(protocol.TopicAnswers(w.device.ID), 0, func(_ mqtt.Client, m mqtt.Message) {
		var a protocol.Answer
		if err := json.Unmarshal(m.Payload(), &a); err != nil {
			w.t.Error(err)
		}
		b.answers <- a
	}))
	return b
}

func (b *brokered) hint() protocol.Hint {
	b.w.t.Helper()
	select {
	case h := <-b.hints:
		return h
	case <-time.After(patience):
		b.w.t.Fatal("no hint came")
	}
	return protocol.Hint{}
}

// ask asks until there is an answer: messages may be lost.
func (b *brokered) ask(kind string, body []byte) protocol.Answer {
	b.w.t.Helper()
	b.w.asked++
	b.conn.Publish(protocol.TopicAsk(b.w.device.ID, kind, b.w.asked), 0, false, body)
	select {
	case a := <-b.answers:
		return a
	case <-time.After(patience):
		b.w.t.Fatalf("no answer to %s came", kind)
	}
	return protocol.Answer{}
}

func (b *brokered) fetch() {
	b.w.t.Helper()
	a := b.ask("config", done[[]byte](b.w.t)(json.Marshal(protocol.ConfigAsk{Have: b.w.have()})))
	if a.Status != http.StatusOK {
		b.w.t.Fatalf("fetch by MQTT: %d %s", a.Status, a.Body)
	}
	b.w.run(a.Config)
}

func (b *brokered) report() (r protocol.Receipt) {
	b.w.t.Helper()
	a := b.ask("report", done[[]byte](b.w.t)(b.w.device.Sign()))
	if a.Status != http.StatusOK {
		b.w.t.Fatalf("report by MQTT: %d %s", a.Status, a.Body)
	}
	if err := json.Unmarshal(a.Body, &r); err != nil {
		b.w.t.Fatal(err)
	}
	return r
}

// ends waits for the end of the connection.
func (b *brokered) ends() {
	b.w.t.Helper()
	deadline := time.After(patience)
	for b.conn.IsConnectionOpen() {
		select {
		case <-deadline:
			b.w.t.Fatal("the connection of a revoked terminal is open")
		default:
			b.conn.Publish(protocol.TopicAsk(b.w.device.ID, "config", 1), 0, false, `{"have":0}`).WaitTimeout(20 * time.Millisecond)
		}
	}
}
