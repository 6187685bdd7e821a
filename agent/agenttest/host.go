// Package agenttest is a small working host for terminals: enrolment, configs,
// reports and payments over mutual TLS and MQTT, in memory, for tests. Its
// decisions are simple; its answers have the real host's form.
package agenttest

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// Host is a host with one terminal. Its methods may be called at any time.
type Host struct {
	URL  string
	Code protocol.EnrolCode

	t      testing.TB
	ca     *authority
	server *httptest.Server
	broker *broker

	mu        sync.Mutex
	changed   chan struct{} // closed and replaced when something happens
	used      bool          // the code
	cut       bool
	config    protocol.Config
	delivers  []byte
	boot, num int64 // of the last report
	reports   []protocol.Report
	refusals  []string
	shop      shop
	lease     time.Duration
	deaf      string // reports of this program are not taken
	channels  []protocol.ChannelState
}

// Options of a host.
type Options struct {
	MQTT    bool
	Updates http.Handler // serves programs, below protocol.PathUpdate
	Payment http.Handler // takes the API's routes in the place of the built-in shop
}

// Terminal is the only terminal of the host.
const Terminal = mianmi.TerminalID("tm01j9zqterminal0000000000")

// New starts a host. PIN-free is on, up to 300.00.
func New(t testing.TB, o Options) *Host {
	t.Helper()
	most := money.Of(30000, "CNY")
	keypad := money.Of(50000, "CNY")
	h := &Host{t: t, ca: newAuthority(t), changed: make(chan struct{}), lease: 15 * time.Minute,
		config: protocol.Config{Form: protocol.Form, Terminal: Terminal, Version: 11, PinFree: true, PerPayment: &most, KeypadAbove: &keypad,
			Methods:      []string{"card_insert", "card_swipe", "card_tap", "cash", "dynamic_qr", "payment_code"},
			LeaseSeconds: 900, ReportSeconds: 60, Currency: "CNY", MerchantID: "mc01j9zqmerchant0000000000", Merchant: "清和茶铺", Store: "人民路店",
			Address: "人民路 18 号", Name: "1 号收银台", Because: []protocol.Say{{Level: "merchant", Version: 11, PinFree: true}}}}
	h.shop = newShop(t)
	h.encode()
	h.Code = protocol.EnrolCode{Secret: "k3y0fth3d00rk3y0f", CA: protocol.FingerprintOf(h.ca.cert.Raw)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+protocol.PathEnrol, h.enrol)
	mux.HandleFunc("POST "+protocol.PathRenew, h.known(h.renew))
	mux.HandleFunc("GET "+protocol.PathConfig, h.known(h.getConfig))
	mux.HandleFunc("POST "+protocol.PathReport, h.known(h.report))
	mux.HandleFunc("GET "+protocol.PathEcho, h.known(h.echo))
	if o.Updates != nil {
		mux.HandleFunc(protocol.PathUpdate+"/", h.known(http.StripPrefix(protocol.PathUpdate, o.Updates).ServeHTTP))
	}
	if o.Payment == nil {
		h.routes(mux)
	} else {
		mux.Handle("/v1/", h.known(o.Payment.ServeHTTP))
	}
	h.server = httptest.NewUnstartedServer(mux)
	pool := x509.NewCertPool()
	pool.AddCert(h.ca.cert)
	h.server.TLS = &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{h.ca.server(t)}, ClientCAs: pool,
		ClientAuth: tls.VerifyClientCertIfGiven, GetConfigForClient: h.admit}
	h.server.EnableHTTP2 = true
	h.server.Config.ErrorLog = quiet
	h.server.StartTLS()
	h.URL = h.server.URL
	t.Cleanup(h.server.Close)
	t.Cleanup(h.server.CloseClientConnections)
	if o.MQTT {
		h.broker = newBroker(t, h)
	}
	return h
}

// errCut is what a terminal that is cut off gets.
var errCut = errorText("the network is cut")

type errorText string

func (e errorText) Error() string { return string(e) }

func (h *Host) admit(*tls.ClientHelloInfo) (*tls.Config, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cut {
		return nil, errCut
	}
	return nil, nil //nolint:nilnil // the server's own
}

// Cut cuts the terminal off, or lets it in again.
func (h *Host) Cut(off bool) {
	h.mu.Lock()
	h.cut = off
	h.mu.Unlock()
	if off {
		h.server.CloseClientConnections()
	}
}

// tell wakes whoever waits. The caller holds mu.
func (h *Host) tell() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// Wait waits until what holds. It fails the test after 3 minutes.
func (h *Host) Wait(what string, holds func() bool) {
	h.t.Helper()
	end := time.After(3 * time.Minute)
	for {
		h.mu.Lock()
		ok, changed := holds(), h.changed
		h.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-end:
			h.t.Fatalf("waited in vain for: %s; refused so far: %v", what, h.refusals)
		}
	}
}

// WaitReport waits for a report for which holds is true and returns it.
func (h *Host) WaitReport(what string, holds func(protocol.Report) bool) (found protocol.Report) {
	h.t.Helper()
	h.Wait(what, func() bool {
		for _, r := range h.reports {
			if holds(r) {
				found = r
				return true
			}
		}
		return false
	})
	return found
}

// Reports returns all reports that were accepted, and what was refused.
func (h *Host) Reports() ([]protocol.Report, []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]protocol.Report(nil), h.reports...), append([]string(nil), h.refusals...)
}

// Change changes the config and hints at it. It returns the new version.
func (h *Host) Change(fn func(*protocol.Config)) int64 {
	h.mu.Lock()
	was := h.config.PinFree
	h.config.Version++
	fn(&h.config)
	if was && !h.config.PinFree {
		h.config.Tightened, h.config.TightenedAt = h.config.Version, time.Now().UTC().Truncate(time.Second)
	}
	h.encode()
	v := h.config.Version
	h.tell()
	h.mu.Unlock()
	if h.broker != nil {
		h.broker.hint(v)
	}
	return v
}

// Bytes replaces what is delivered, without checks.
func (h *Host) Bytes(version int64, b []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.config.Version, h.delivers = version, b
	h.tell()
}

// SetLease sets how long a report counts.
func (h *Host) SetLease(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lease = d
}

func (h *Host) encode() {
	b, err := h.config.Encode()
	if err != nil {
		h.t.Error(err)
	}
	h.delivers = b
}

func (h *Host) known(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		cut := h.cut
		h.mu.Unlock()
		switch {
		case cut:
			panic(http.ErrAbortHandler)
		case r.TLS == nil || len(r.TLS.VerifiedChains) == 0:
			fail(w, http.StatusUnauthorized, "no_certificate")
		default:
			next(w, r)
		}
	}
}

func (h *Host) enrol(w http.ResponseWriter, r *http.Request) {
	var in protocol.Enrolment
	if !read(w, r, &in) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if in.Code != h.Code.Secret || h.used {
		fail(w, http.StatusForbidden, "code_used")
		return
	}
	h.used = true
	h.certify(w, in.CSR)
}

func (h *Host) renew(w http.ResponseWriter, r *http.Request) {
	var in protocol.Renewal
	if read(w, r, &in) {
		h.certify(w, in.CSR)
	}
}

func (h *Host) certify(w http.ResponseWriter, csr []byte) {
	leaf, until, err := h.ca.issue(csr)
	if err != nil {
		fail(w, http.StatusUnprocessableEntity, "bad_csr")
		return
	}
	e := protocol.Enrolled{Terminal: Terminal, Certificates: [][]byte{leaf, h.ca.cert.Raw}, NotAfter: until}
	if h.broker != nil {
		e.MQTT = h.broker.addr
	}
	write(w, e)
}

func (h *Host) getConfig(w http.ResponseWriter, r *http.Request) {
	have, _ := strconv.ParseInt(r.FormValue("have"), 10, 64)
	wait, _ := strconv.Atoi(r.FormValue("wait"))
	end := time.After(time.Duration(wait) * time.Second)
	for {
		h.mu.Lock()
		v, b, changed := h.config.Version, h.delivers, h.changed
		h.mu.Unlock()
		if v > have {
			_, _ = w.Write(b)
			return
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		case <-end:
			w.WriteHeader(http.StatusNoContent)
			return
		}
	}
}

func (h *Host) report(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(io.LimitReader(r.Body, protocol.ReportMax+1))
	if err != nil {
		return
	}
	status, receipt := h.judge(b)
	if status != http.StatusOK {
		fail(w, status, "report_refused")
		return
	}
	write(w, receipt)
}

// judge takes a report as the real host does: signed, newer, known.
func (h *Host) judge(b []byte) (int, protocol.Receipt) {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.tell()
	s, err := protocol.ParseSigned(b)
	var r protocol.Report
	if err == nil {
		r, err = s.Open(h.ca.key(s.Key))
	}
	switch {
	case err != nil:
		h.refusals = append(h.refusals, err.Error())
		return http.StatusUnprocessableEntity, protocol.Receipt{}
	case h.deaf != "" && r.Device.App == h.deaf:
		return http.StatusServiceUnavailable, protocol.Receipt{}
	case !r.Newer(h.boot, h.num):
		h.refusals = append(h.refusals, "not newer")
		return http.StatusConflict, protocol.Receipt{}
	}
	h.boot, h.num = r.Boot.Count, r.Number
	h.reports = append(h.reports, r)
	return http.StatusOK, h.receipt(r)
}

func (h *Host) receipt(r protocol.Report) protocol.Receipt {
	now := time.Now().UTC()
	out := protocol.Receipt{Version: h.config.Version, At: now, LeaseUntil: now.Add(h.lease), Proposals: h.decide(r.Proposals)}
	out.InForce = r.Running != nil && r.Running.Version >= h.config.Tightened
	out.PinFree = out.InForce && h.config.Allows(now) && r.PinFree
	if !out.InForce {
		out.Because = []mianmi.Text{{ZH: "终端尚未证实最新设置", EN: "the terminal has not proved the newest setting"}}
	}
	return out
}

// decide adopts what tightens and lets the rest wait. The caller holds mu.
func (h *Host) decide(list []protocol.Local) []protocol.Decided {
	var out []protocol.Decided
	for _, p := range list {
		if p.PinFree {
			out = append(out, protocol.Decided{ID: p.ID, State: "waiting"})
			continue
		}
		out = append(out, protocol.Decided{ID: p.ID, State: "in_force"})
		h.shop.closed = true
	}
	return out
}

func read(w http.ResponseWriter, r *http.Request, into any) bool {
	if err := json.NewDecoder(io.LimitReader(r.Body, 64<<10)).Decode(into); err != nil {
		fail(w, http.StatusBadRequest, "malformed_json")
		return false
	}
	return true
}

func write(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the caller has gone: nobody to tell
}

func fail(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(client.Problem{Status: status, Code: code, Title: code}) // as above
}

func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return hex.EncodeToString(b)
}
