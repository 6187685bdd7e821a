package fleet

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/terminal"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// shop is a small host that works: configs with versions, keys, codes.
type shop struct {
	mu      sync.Mutex
	epoch   int64
	keys    map[string]bool // terminal/key: live
	reports map[mianmi.TerminalID]int
	revoked []terminal.Key
}

func (h *shop) Deliver(_ context.Context, id mianmi.TerminalID, have int64) ([]byte, int64, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if have >= h.epoch {
		return nil, h.epoch, nil
	}
	b, err := protocol.Config{Form: protocol.Form, Terminal: id, Version: h.epoch, Methods: []string{}, Because: []protocol.Say{},
		LeaseSeconds: 900, ReportSeconds: 300}.Encode()
	return b, h.epoch, err
}

func (h *shop) Report(_ context.Context, id mianmi.TerminalID, signed []byte) (protocol.Receipt, error) {
	if _, err := protocol.ParseSigned(signed); err != nil {
		return protocol.Receipt{}, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reports[id]++
	return protocol.Receipt{Version: h.epoch, InForce: true, At: noon}, nil
}

func (h *shop) AddKey(_ context.Context, e terminal.Enrolment, k terminal.Key) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.keys["used/"+string(e.Terminal)] {
		return terminal.ErrCode
	}
	h.keys["used/"+string(e.Terminal)], h.keys[string(e.Terminal)+"/"+k.ID] = true, true
	return nil
}

func (h *shop) RenewKey(_ context.Context, id mianmi.TerminalID, k terminal.Key) error {
	h.set(id, k.ID, true)
	return nil
}

func (h *shop) set(id mianmi.TerminalID, key string, live bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.keys[string(id)+"/"+key] = live
}

func (h *shop) KeyLive(_ context.Context, id mianmi.TerminalID, key string) (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.keys[string(id)+"/"+key], nil
}

func (h *shop) Revocations(_ context.Context, since time.Time, _ int) (out []terminal.Key, _ error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, k := range h.revoked {
		if !k.RevokedAt.Before(since) {
			out = append(out, k)
		}
	}
	return out, nil
}

// revoke is what another node does: nobody here is told.
func (h *shop) revoke(id mianmi.TerminalID, key string) {
	h.set(id, key, false)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.revoked = append(h.revoked, terminal.Key{ID: key, Terminal: id, RevokedAt: time.Now()})
}

func (h *shop) change() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.epoch++
	return h.epoch
}

func (h *shop) versions(context.Context) (int64, func(mianmi.TerminalID) int64, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.epoch
	return now, func(mianmi.TerminalID) int64 { return now }, nil
}

// Enrolment knows "code-" and the terminal, until it is used.
func (h *shop) Enrolment(_ context.Context, secret string) (terminal.Enrolment, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	id, ok := strings.CutPrefix(secret, "code-")
	if !ok || h.keys["used/"+id] {
		return terminal.Enrolment{}, terminal.ErrCode
	}
	return terminal.Enrolment{Terminal: mianmi.TerminalID(id)}, nil
}

type world struct {
	t *testing.T
	*shop
	*Service
}

func newWorld(t *testing.T, change func(*Config), channels ...func(context.Context, Peer) []protocol.ChannelState) *world {
	t.Helper()
	var outside func(context.Context, Peer) []protocol.ChannelState
	if len(channels) > 0 {
		outside = channels[0]
	}
	h := &shop{epoch: 1, keys: map[string]bool{}, reports: map[mianmi.TerminalID]int{}}
	cfg := Config{Listen: "127.0.0.1:0", MQTTListen: "127.0.0.1:0", Names: []string{"127.0.0.1", "localhost"}, Folder: t.TempDir(), Node: "n1"}
	if change != nil {
		change(&cfg)
	}
	s, err := New(context.WithoutCancel(t.Context()), Deps{Terminals: h, Versions: h.versions, Enroller: h, Channels: outside, CA: newCA(t, 7),
		Clock: mianmi.ClockFunc(time.Now), Random: rand.Reader, Log: slog.New(slog.DiscardHandler),
		Payments: func(_ context.Context, p Peer) (http.Handler, error) {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = fmt.Fprintf(w, "%s asks for %s", p.ID, r.URL.Path)
			}), nil
		}}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return &world{t, h, s}
}

// device is a terminal with a certificate.
type device struct {
	w    *world
	id   mianmi.TerminalID
	key  *ecdsa.PrivateKey
	cert tls.Certificate
}

func (d *device) tls() *tls.Config {
	c := &tls.Config{RootCAs: d.w.CA.Pool(), ServerName: "localhost", MinVersion: tls.VersionTLS12}
	if d.cert.Certificate != nil {
		c.Certificates = []tls.Certificate{d.cert}
	}
	return c
}

func (d *device) client() *http.Client {
	tr := &http.Transport{TLSClientConfig: d.tls(), DisableKeepAlives: true}
	return &http.Client{Transport: tr, Timeout: time.Minute}
}

func (d *device) do(method, path string, body []byte) (int, []byte) {
	d.w.t.Helper()
	req, err := http.NewRequestWithContext(d.w.t.Context(), method, "https://"+d.w.Address().String()+path, bytes.NewReader(body))
	if err != nil {
		d.w.t.Fatal(err)
	}
	res, err := d.client().Do(req)
	if err != nil {
		d.w.t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read whole
	b, err := io.ReadAll(res.Body)
	if err != nil {
		d.w.t.Fatal(err)
	}
	return res.StatusCode, b
}

// enrol gives a device its certificate.
func (w *world) enrol(id mianmi.TerminalID) *device {
	w.t.Helper()
	d := &device{w: w, id: id, key: newKey(w.t)}
	status, body := d.ask(protocol.PathEnrol, protocol.Enrolment{Code: "code-" + string(id), CSR: request(w.t, d.key)})
	if status != http.StatusOK {
		w.t.Fatalf("enrol %s: %d %s", id, status, body)
	}
	d.take(body)
	return d
}

// again enrols another machine as the terminal.
func (w *world) again(id mianmi.TerminalID) {
	w.t.Helper()
	w.mu.Lock()
	delete(w.keys, "used/"+string(id))
	w.mu.Unlock()
	w.enrol(id)
}

func (d *device) ask(path string, in any) (int, []byte) {
	d.w.t.Helper()
	b, err := json.Marshal(in)
	if err != nil {
		d.w.t.Fatal(err)
	}
	return d.do(http.MethodPost, path, b)
}

func (d *device) take(body []byte) protocol.Enrolled {
	d.w.t.Helper()
	var e protocol.Enrolled
	if err := json.Unmarshal(body, &e); err != nil || e.Terminal != d.id || !d.w.CA.Fingerprint().Is(e.Certificates[1]) {
		d.w.t.Fatalf("%+v, %v", e, err)
	}
	d.cert = tls.Certificate{Certificate: e.Certificates, PrivateKey: d.key}
	return e
}

// mqtt connects; messages of what it subscribes to come to the channel.
func (d *device) mqtt(address string) (mqtt.Client, chan mqtt.Message, error) {
	got := make(chan mqtt.Message, 64)
	o := mqtt.NewClientOptions().AddBroker("ssl://" + address).SetTLSConfig(d.tls()).SetCleanSession(true).
		SetAutoReconnect(false).SetConnectTimeout(10 * time.Second).SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) { got <- m })
	c := mqtt.NewClient(o)
	t := c.Connect()
	t.WaitTimeout(20 * time.Second)
	return c, got, t.Error()
}
