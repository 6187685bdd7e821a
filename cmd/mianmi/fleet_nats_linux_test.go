package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/nats-io/nats.go"

	"github.com/mianmi/mianmi/agent/agenttest"
	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/fleet"
	"github.com/mianmi/mianmi/fleet/natstest"
	"github.com/mianmi/mianmi/money"
)

// natsCluster makes the files of a cluster of three and starts it. The servers
// have one machine for all, so each listens at its own address of it: that is
// the only thing that differs from what the command wrote.
func natsCluster(t *testing.T, w world) (dir string, servers []*natstest.Server) {
	t.Helper()
	nodes := []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"}
	dir = t.TempDir()
	made := w.run(t, append([]string{"fleet", "nats", "--out=" + dir, "--store-dir=js", "--client-port=" + agenttest.Port(t), "--routes-port=" + agenttest.Port(t),
		"--mqtt-port=" + agenttest.Port(t)}, nodes...)...)
	if made.code != exitOK {
		t.Fatalf("%d: %s", made.code, made.stderr)
	}
	for _, n := range nodes {
		file := filepath.Join(dir, n+".conf")
		text := done[[]byte](t)(os.ReadFile(file)) //nolint:gosec // of this test
		text = bytes.ReplaceAll(text, []byte("0.0.0.0:"), []byte(n+":"))
		text = bytes.ReplaceAll(text, []byte(`"js"`), []byte(`"js-`+n+`"`))
		if err := os.WriteFile(file, text, 0o600); err != nil { //nolint:gosec // of this test
			t.Fatal(err)
		}
		servers = append(servers, natstest.Start(t, dir, n+".conf"))
	}
	return dir, servers
}

// asked listens on the cluster to what terminals ask over MQTT.
func asked(t *testing.T, dir string) *nats.Subscription {
	t.Helper()
	var s struct {
		NATS string `yaml:"nats"`
	}
	if err := yaml.Unmarshal(done[[]byte](t)(os.ReadFile(filepath.Join(dir, fleet.ClusterSettings))), &s); err != nil { //nolint:gosec // of this test
		t.Fatal(err)
	}
	conn := done[*nats.Conn](t)(nats.Connect(s.NATS, nats.RootCAs(filepath.Join(dir, fleet.ClusterAuthority)), nats.MaxReconnects(-1)))
	t.Cleanup(conn.Close)
	if stranger, err := nats.Connect("tls://"+conn.ConnectedAddr(), nats.RootCAs(filepath.Join(dir, fleet.ClusterAuthority))); err == nil {
		stranger.Close()
		t.Error("a client without a password came in")
	}
	return done[*nats.Subscription](t)(conn.SubscribeSync("mianmi.v1.t.*.ask.*.*"))
}

// overMQTT changes the store's limit until that many terminals have asked or
// reported over MQTT: what they began before their connection stood goes over HTTPS.
func (f *fleetShop) overMQTT(heard *nats.Subscription, n int) {
	f.t.Helper()
	seen := map[string]bool{}
	for end := time.Now().Add(patience); len(seen) < n; {
		if time.Now().After(end) {
			f.t.Fatalf("%d of %d terminals ask over MQTT", len(seen), n)
		}
		least := money.Of(time.Until(end).Milliseconds()/10+1, "CNY") // less each time
		done[client.PolicyResult](f.t)(f.operator.SetPolicy(f.t.Context(), client.OfStore(f.store.ID), client.Terms{PinFree: true, PerPayment: &least}, nil))
		for m, err := heard.NextMsg(time.Second); err == nil; m, err = heard.NextMsg(100 * time.Millisecond) {
			seen[strings.Split(m.Subject, ".")[3]] = true
		}
	}
}

// A cluster as 'mianmi fleet nats' sets it up carries the messages of real
// terminals: they ask over MQTT, an OFF is proved after one of the three servers
// was killed, and new certificates fit the old keys. Without a password nobody
// listens to them.
func TestTerminalsOnANATSCluster(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir, servers := natsCluster(t, w)
	heard := asked(t, dir)
	f := newFleetShopIn(t, w, "--config="+filepath.Join(dir, fleet.ClusterSettings))
	var all []*pos
	var ids []client.Terminal
	for range 2 {
		p, tm := f.joins("pinpad_ecr", false)
		all, ids = append(all, p), append(ids, tm)
	}
	for i, p := range all {
		p.page("/setup", "operator password")
		p.post("/setup", "/setup", url.Values{"password": {"40517263"}, "again": {"40517263"}})
		f.until(p, ids[i], "believed", func(st client.TerminalStatus) bool { return st.InForce && st.Believed })
	}
	f.overMQTT(heard, len(ids))
	servers[1].Kill()
	done[client.PolicyResult](t)(f.operator.CloseScope(t.Context(), client.OfStore(f.store.ID)))
	for i, p := range all {
		f.until(p, ids[i], "the OFF proved", func(st client.TerminalStatus) bool { return st.InForce && !st.PinFree })
	}
	if o := f.off(); o.InForce != 2 || o.Outstanding != 0 {
		t.Errorf("%+v", o)
	}
	renewed(t, w, dir)
}

// renewed runs the command again on the folder that it filled.
func renewed(t *testing.T, w world, dir string) {
	t.Helper()
	conf := filepath.Join(dir, "127.0.0.2.conf")
	before := done[[]byte](t)(os.ReadFile(conf)) //nolint:gosec // of this test
	if again := w.run(t, "fleet", "nats", "--out="+dir, "127.0.0.1", "127.0.0.2", "127.0.0.3"); again.code != exitOK {
		t.Fatalf("%d: %s", again.code, again.stderr)
	}
	if after := done[[]byte](t)(os.ReadFile(conf)); !bytes.Equal(before, after) { //nolint:gosec // of this test
		t.Error("a renewal changed a configuration")
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "127.0.0.2.pem"), filepath.Join(dir, "127.0.0.2.key"))
	if err != nil {
		t.Fatal(err)
	}
	leaf := done[*x509.Certificate](t)(x509.ParseCertificate(pair.Certificate[0]))
	block, _ := pem.Decode(done[[]byte](t)(os.ReadFile(filepath.Join(dir, fleet.ClusterAuthority)))) //nolint:gosec // of this test
	roots := x509.NewCertPool()
	roots.AddCert(done[*x509.Certificate](t)(x509.ParseCertificate(block.Bytes)))
	if _, err := leaf.Verify(x509.VerifyOptions{DNSName: "127.0.0.2", Roots: roots, CurrentTime: time.Now()}); err != nil {
		t.Error(err)
	}
	if other := w.run(t, "fleet", "nats", "--out="+dir, "127.0.0.1", "127.0.0.9"); other.code == exitOK || !strings.Contains(other.stderr, "nodes") {
		t.Errorf("another cluster in the same folder: %d, %s", other.code, other.stderr)
	}
}
