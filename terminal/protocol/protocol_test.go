package protocol_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/terminal/protocol"
)

var noon = time.Date(2026, 3, 1, 12, 4, 31, 0, time.UTC)

func report() protocol.Report {
	return protocol.Report{
		Form: protocol.Form, Terminal: "tm1", Boot: protocol.Boot{ID: "0123456789abcdef", Count: 3, At: noon}, Number: 7, At: noon,
		Running: &protocol.Setting{Version: 12, Hash: protocol.HashOf([]byte("config"))}, PinFree: true, Tightening: 11,
		Device:    protocol.Device{Model: "linux_countertop", OS: "linux 6.1", Firmware: "1.2.0", App: "0.4.0", Keypad: true},
		Network:   protocol.Network{Kind: "ethernet", DNS: true, TLS: true, RTTms: 4},
		Proposals: []protocol.Local{{ID: "0123456789abcdef", Version: 1, Author: "cashier 2", At: noon}},
	}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// What a terminal signs is what the host opens, and with any one bit of it
// changed, or by another key, it does not open.
func TestSignedReport(t *testing.T) {
	t.Parallel()
	key, want := newKey(t), report()
	text, err := want.Sign(rand.Reader, key)
	if err != nil {
		t.Fatal(err)
	}
	open := func(b []byte, by *ecdsa.PublicKey) (protocol.Report, error) {
		s, err := protocol.ParseSigned(b)
		if err != nil {
			return protocol.Report{}, err
		}
		return s.Open(by)
	}
	got, err := open(text, &key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if _, err := open(text, &newKey(t).PublicKey); !errors.Is(err, mianmi.Invalid) {
		t.Errorf("by another key: %v", err)
	}
	var s protocol.Signed
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	for i := range len(s.Report) * 8 {
		bad := s
		bad.Report = append([]byte(nil), s.Report...)
		bad.Report[i/8] ^= 1 << (i % 8)
		if _, err := bad.Open(&key.PublicKey); !errors.Is(err, mianmi.Invalid) {
			t.Fatalf("bit %d flipped: %v", i, err)
		}
	}
}

// Bad reports are refused before they are signed, and by whoever gets them.
func TestBadReports(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, field string
		change      func(*protocol.Report)
	}{
		{"a form of a later time", "form", func(r *protocol.Report) { r.Form = 2 }},
		{"nobody's", "terminal", func(r *protocol.Report) { r.Terminal = "" }},
		{"before the first boot", "boot.count", func(r *protocol.Report) { r.Boot.Count = 0 }},
		{"without a number", "boot.count", func(r *protocol.Report) { r.Number = 0 }},
		{"a boot id that can be guessed", "boot.id", func(r *protocol.Report) { r.Boot.ID = "1" }},
		{"PIN-free by no config", "pin_free", func(r *protocol.Report) { r.Running = nil }},
		{"a proposal that cannot be told apart", "proposals", func(r *protocol.Report) { r.Proposals[0].ID = "" }},
		{"a trouble that cannot be told apart", "troubles", func(r *protocol.Report) { r.Troubles = []protocol.Trouble{{Kind: "device"}} }},
		{"too many troubles", "troubles", func(r *protocol.Report) { r.Troubles = make([]protocol.Trouble, 33) }},
		{"too many proposals", "proposals", func(r *protocol.Report) { r.Proposals = make([]protocol.Local, 33) }},
	}
	key := newKey(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := report()
			tt.change(&r)
			_, err := r.Sign(rand.Reader, key)
			var e *mianmi.Error
			if !errors.As(err, &e) || e.Kind != mianmi.Invalid || e.Field != tt.field {
				t.Errorf("%v, want the field %s", err, tt.field)
			}
		})
	}
}

// The newest report is the one of the last boot with the greatest number; equal
// is a repeat.
func TestNewer(t *testing.T) {
	t.Parallel()
	r := report() // boot 3, number 7
	for _, tt := range []struct {
		boot, number int64
		want         bool
	}{{3, 6, true}, {3, 7, false}, {3, 8, false}, {2, 9, true}, {4, 1, false}, {0, 0, true}} {
		if got := r.Newer(tt.boot, tt.number); got != tt.want {
			t.Errorf("after boot %d number %d: %v", tt.boot, tt.number, got)
		}
	}
}

// A config comes back as it went, whatever is in it, and its bytes give one hash.
func TestConfigComesBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := protocol.Config{Form: protocol.Form, Terminal: "tm1", Version: rapid.Int64Range(1, 1<<50).Draw(t, "version"),
			PinFree: rapid.Bool().Draw(t, "on"), Methods: rapid.SliceOf(rapid.SampledFrom([]string{"card_tap", "payment_code"})).Draw(t, "methods"),
			LeaseSeconds: 900, ReportSeconds: 300, Currency: "CNY", Name: rapid.String().Draw(t, "name"), Because: []protocol.Say{}}
		want.Tightened = rapid.Int64Range(0, want.Version).Draw(t, "tightened")
		if rapid.Bool().Draw(t, "limit") {
			most := money.Of(rapid.Int64Range(1, 1e9).Draw(t, "most"), "CNY")
			want.PerPayment = &most
		}
		if rapid.Bool().Draw(t, "stop") {
			want.Stops = []protocol.Stop{{ID: "es1", Until: noon}}
		}
		b, err := want.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := protocol.DecodeConfig(b)
		if err != nil {
			t.Fatal(err)
		}
		again, err := got.Encode()
		if err != nil || protocol.HashOf(again) != protocol.HashOf(b) {
			t.Fatalf("another hash after reading: %v", err)
		}
		if got.Allows(noon.Add(-time.Second)) != (want.PinFree && want.Stops == nil) || got.Allows(noon) != want.PinFree {
			t.Fatalf("stops %v, on %v: allows otherwise", want.Stops, want.PinFree)
		}
	})
}

// The zero config allows nothing, and a config is read whole or not at all.
func TestConfigIsStrict(t *testing.T) {
	t.Parallel()
	if (protocol.Config{}).Allows(noon) {
		t.Error("the zero config allows PIN-free")
	}
	for _, text := range []string{"", "{}", `{"form":1}`, `{"form":2,"terminal":"tm1","version":1,"lease_seconds":1,"report_seconds":1}`,
		`{"form":1,"terminal":"tm1","version":1,"lease_seconds":1,"report_seconds":1,"pin_free":true,"more":1}`} {
		if c, err := protocol.DecodeConfig([]byte(text)); !errors.Is(err, mianmi.Invalid) {
			t.Errorf("%s: %v, allows %v", text, err, c.Allows(noon))
		}
	}
}

// A code comes back as it was carried, and one that lost a part is no code.
func TestEnrolCode(t *testing.T) {
	t.Parallel()
	want := protocol.EnrolCode{Secret: "0123456789abcdefghjk", CA: protocol.FingerprintOf([]byte("a certificate"))}
	text := want.String()
	got, err := protocol.ParseEnrolCode("  " + strings.ToUpper(text) + "\n")
	if err != nil || got != want {
		t.Fatalf("%+v, %v", got, err)
	}
	if !got.CA.Is([]byte("a certificate")) || got.CA.Is([]byte("another")) || (protocol.Fingerprint{}).Is([]byte("a certificate")) {
		t.Error("the fingerprint takes one CA for another")
	}
	for i := range text {
		if c, err := protocol.ParseEnrolCode(text[:i]); !errors.Is(err, mianmi.Invalid) {
			t.Errorf("cut at %d: %+v, %v", i, c, err)
		}
	}
}

// Neither form makes the program fall over, whatever comes over the wire.
func FuzzForms(f *testing.F) {
	key := newKey(f)
	if signed, err := report().Sign(rand.Reader, key); err == nil {
		f.Add(signed)
	}
	f.Add([]byte(`{"form":1,"terminal":"tm1","version":1,"lease_seconds":1,"report_seconds":1,"pin_free":true}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := protocol.DecodeConfig(b); err == nil {
			if _, err := c.Encode(); err != nil {
				t.Errorf("read and not written: %v", err)
			}
		}
		if s, err := protocol.ParseSigned(b); err == nil {
			_, _ = s.Open(&key.PublicKey) // must return
		}
	})
}
