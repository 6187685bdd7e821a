package link_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/agent/agenttest"
	"github.com/mianmi/mianmi/agent/link"
	"github.com/mianmi/mianmi/terminal/protocol"
)

var clock = mianmi.ClockFunc(func() time.Time { return time.Now().UTC() })

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func enrolled(t *testing.T, h *agenttest.Host) link.Identity {
	t.Helper()
	id, err := link.Enrol(t.Context(), link.Enrolling{Host: h.URL, Code: h.Code, Key: newKey(t)}, clock, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func dial(t *testing.T, id link.Identity, root string) *link.Link {
	t.Helper()
	l, err := link.New(id, link.Options{Clock: clock, Random: rand.Reader, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), SysRoot: root})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// A code leads to the host whose CA it names, and to no other: not even the
// secret reaches another one. It works once.
func TestEnrol(t *testing.T) {
	t.Parallel()
	h, other := agenttest.New(t, agenttest.Options{}), agenttest.New(t, agenttest.Options{})
	if _, err := link.Enrol(t.Context(), link.Enrolling{Host: other.URL, Code: h.Code, Key: newKey(t)}, clock, rand.Reader); !errors.Is(err, link.ErrOtherHost) {
		t.Errorf("at another host: %v", err)
	}
	id := enrolled(t, h)
	if id.Terminal != agenttest.Terminal || id.Host != h.URL {
		t.Errorf("%+v", id)
	}
	if _, err := link.Enrol(t.Context(), link.Enrolling{Host: h.URL, Code: h.Code, Key: newKey(t)}, clock, rand.Reader); !link.Refused(err) {
		t.Errorf("a used code: %v", err)
	}
	if _, err := link.Enrol(t.Context(), link.Enrolling{Host: "http://127.0.0.1:1", Code: h.Code, Key: newKey(t)}, clock, rand.Reader); !errors.Is(err, mianmi.Invalid) {
		t.Errorf("without TLS: %v", err)
	}
}

// A renewed certificate is for the same terminal and key, and works.
func TestRenew(t *testing.T) {
	t.Parallel()
	h := agenttest.New(t, agenttest.Options{})
	id := enrolled(t, h)
	next, err := dial(t, id, "").Renew(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if string(next.Certificates[0]) == string(id.Certificates[0]) || next.Terminal != id.Terminal {
		t.Error("the certificate is the old one")
	}
	if err := dial(t, next, "").Echo(t.Context()); err != nil {
		t.Error(err)
	}
}

// The check of the network tells apart what stands between here and the host.
func TestCheck(t *testing.T) {
	t.Parallel()
	h := agenttest.New(t, agenttest.Options{})
	id := enrolled(t, h)
	f := dial(t, id, "").Check(t.Context())
	if f.Verdict != link.Good || !f.TLS || !f.DNS || f.Portal || f.RTTms < 0 || f.LossPC != 0 || f.Kind != "local" {
		t.Errorf("the host itself: %+v", f)
	}

	login := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "please log in") }))
	t.Cleanup(login.Close)
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	for name, tt := range map[string]struct {
		host string
		want link.Verdict
	}{
		"somebody with another certificate": {login.URL, link.OtherHost},
		"somebody without TLS":              {"https" + plain.URL[4:], link.OtherHost},
		"nobody":                            {"https://127.0.0.1:" + agenttest.Port(t), link.NoAnswer},
		"a name that leads nowhere":         {"https://no-such-host.invalid", link.NoDNS},
	} {
		other := id
		other.Host = tt.host
		if f := dial(t, other, "").Check(t.Context()); f.Verdict != tt.want || f.TLS || f.Verdict.Safe() {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

// The host says whether the payment systems outside answer; an older one says
// nothing, and what is no host is not believed.
func TestChannels(t *testing.T) {
	t.Parallel()
	h := agenttest.New(t, agenttest.Options{})
	id := enrolled(t, h)
	l := dial(t, id, "")
	if list, err := l.Channels(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("an older host: %+v, %v", list, err)
	}
	h.TellChannels(protocol.ChannelState{Channel: "wechatpay", State: "answers", AgeSeconds: 7, TookMS: 120},
		protocol.ChannelState{Channel: "other", State: "of a later form", AgeSeconds: 3})
	want := []protocol.ChannelState{{Channel: "wechatpay", State: protocol.ChannelAnswers, AgeSeconds: 7, TookMS: 120}, {Channel: "other", State: protocol.ChannelUnknown}}
	if list, err := l.Channels(t.Context()); err != nil || !slices.Equal(list, want) {
		t.Errorf("%+v, %v, want %+v", list, err, want)
	}
	if f := l.Check(t.Context()); f.Verdict != link.Good || f.LossPC != 0 {
		t.Errorf("the check of the network beside it: %+v", f)
	}
	h.Cut(true)
	if list, err := l.Channels(t.Context()); err == nil {
		t.Errorf("nobody answers, and yet %+v", list)
	}
}

// What Linux says of an interface becomes a kind of network; what it does not
// say is not known, and so not safe.
func TestKinds(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	file := func(path, text string) {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file("sys/class/net/eth0/type", "1\n")
	file("sys/class/net/usb7/uevent", "DEVTYPE=wwan\n")
	file("sys/class/net/tun0/type", "65534\n")
	for _, name := range []string{"wlan0", "wlan1", "wlan2"} {
		file("sys/class/net/"+name+"/uevent", "DEVTYPE=wlan\n")
	}
	supplicant(t, filepath.Join(root, "run/wpa_supplicant/wlan0"), "key_mgmt=WPA2-PSK\n")
	supplicant(t, filepath.Join(root, "run/wpa_supplicant/wlan1"), "ssid=free\nkey_mgmt=NONE\n")
	for name, want := range map[string]string{"eth0": "ethernet", "usb7": "mobile", "ppp0": "mobile", "tun0": "", "gone": "", "wlan0": "wifi", "wlan1": "wifi_open", "wlan2": ""} {
		if got := link.InterfaceKind(t.Context(), root, name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// supplicant answers STATUS as wpa_supplicant does.
func supplicant(t *testing.T, path, status string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	c, err := new(net.ListenConfig).ListenPacket(context.Background(), "unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	go func() {
		b := make([]byte, 64)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			if string(b[:n]) == "STATUS" {
				_, _ = c.WriteTo([]byte(status), from)
			}
		}
	}()
}

// A hint comes over MQTT, and a question is answered there.
func TestMQTT(t *testing.T) {
	t.Parallel()
	h := agenttest.New(t, agenttest.Options{MQTT: true})
	l := dial(t, enrolled(t, h), "")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go l.Run(ctx)
	<-l.Hints() // connected
	v := h.Change(func(c *protocol.Config) { c.PinFree = false })
	if hint := <-l.Hints(); hint.Version != v || !l.Live() {
		t.Errorf("%+v", hint)
	}
	if b, err := l.Config(ctx, v-1, 0); err != nil || len(b) == 0 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if b, err := l.Config(ctx, v, 0); err != nil || b != nil {
		t.Errorf("nothing newer: %d bytes, %v", len(b), err)
	}
	if _, err := l.Report(ctx, []byte("{}")); !link.Refused(err) {
		t.Errorf("an unsigned report: %v", err)
	}
}
