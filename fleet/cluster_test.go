package fleet

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	mrand "math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/nats-io/nkeys"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/fleet/natstest"
	"github.com/mianmi/mianmi/terminal/protocol"
)

func TestMain(m *testing.M) {
	natstest.Main()
	os.Exit(m.Run())
}

// natsConfig is the configuration of docs/terminal-protocol.md.
const natsConfig = `
server_name: n%[1]d
listen: "127.0.0.1:%[2]d"
jetstream { store_dir: "%[6]s" }
cluster { name: mianmi, listen: "127.0.0.1:%[3]d", routes: [%[5]s] }
mqtt { listen: "127.0.0.1:%[4]d", tls { cert_file: "%[7]s", key_file: "%[8]s", ca_file: "%[9]s", verify: true, timeout: 10 } }
accounts {
  TERMINALS { jetstream: enabled, users: [ { user: host, password: host } ] }
  AUTH { users: [ { user: auth, password: auth } ] }
  SYS { users: [ { user: sys, password: sys } ] }
}
system_account: SYS
authorization { timeout: 10, auth_callout { issuer: %[10]s, account: AUTH, auth_users: [ auth, host, sys ] } }
`

type natsNode struct {
	*natstest.Server
	mqtt string
}

// cluster starts three servers and waits until each is ready.
func cluster(t *testing.T, ca *CA) ([]*natsNode, External) {
	t.Helper()
	issuer, err := nkeys.CreateAccount()
	if err != nil {
		t.Fatal(err)
	}
	public, err := issuer.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := issuer.Seed()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key, authority := writeHostCert(t, ca, dir)
	ports := freePorts(t, 9)
	var routes, hosts []string
	for i := range 3 {
		routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", ports[3+i]))
		hosts = append(hosts, fmt.Sprintf("127.0.0.1:%d", ports[i]))
	}
	var nodes []*natsNode
	for i := range 3 {
		file := filepath.Join(dir, fmt.Sprintf("n%d.conf", i))
		text := fmt.Sprintf(natsConfig, i, ports[i], ports[3+i], ports[6+i], strings.Join(routes, ", "), filepath.Join(dir, fmt.Sprint("js", i)), cert, key, authority, public)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, &natsNode{natstest.Start(t, dir, file), fmt.Sprintf("127.0.0.1:%d", ports[6+i])})
	}
	url := func(user string) string {
		return "nats://" + user + ":" + user + "@" + strings.Join(hosts, ",nats://"+user+":"+user+"@")
	}
	return nodes, External{URL: url("host"), AuthURL: url("auth"), SystemURL: url("sys"), Account: "TERMINALS", Issuer: string(seed)}
}

// freePorts finds ports that nobody listens on, below those that systems give to
// connections (32768 and up): none of them takes it while a server restarts.
func freePorts(t *testing.T, n int) (out []int) {
	t.Helper()
	for tries := 0; len(out) < n; tries++ {
		port := 10_000 + mrand.IntN(20_000) //nolint:gosec // any will do
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			defer l.Close() //nolint:errcheck // only its number was wanted
			out = append(out, port)
		} else if tries > 100 { // far more than are taken in a row
			t.Fatal(err)
		}
	}
	return out
}

func writeHostCert(t *testing.T, ca *CA, dir string) (cert, key, authority string) {
	t.Helper()
	private := newKey(t)
	der, err := ca.IssueHost(rand.Reader, &private.PublicKey, []string{"localhost", "127.0.0.1"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, blocks ...*pem.Block) string {
		var text []byte
		for _, b := range blocks {
			text = append(text, pem.EncodeToMemory(b)...)
		}
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	certificate := func(der []byte) *pem.Block { return &pem.Block{Type: "CERTIFICATE", Bytes: der} }
	return write("host.pem", certificate(der), certificate(ca.Certificate())),
		write("host.key", &pem.Block{Type: "PRIVATE KEY", Bytes: keyDER(t, private)}), write("ca.pem", certificate(ca.Certificate()))
}

func keyDER(t *testing.T, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// follower is a terminal that follows its config over whichever server it
// reaches, by hints and by asking now and then.
type follower struct {
	d       *device
	servers []*natsNode

	mu   sync.Mutex
	have int64
}

func (f *follower) version() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.have
}

// follow goes on until ctx ends; it connects anew when it is cut off.
func (f *follower) follow(ctx context.Context, first int) {
	for at := first; ctx.Err() == nil; at++ {
		f.session(ctx, f.servers[at%len(f.servers)].mqtt)
	}
}

func (f *follower) session(ctx context.Context, address string) {
	c, got, err := f.d.mqtt(address)
	if err != nil {
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
		return
	}
	defer c.Disconnect(0)
	if !c.SubscribeMultiple(map[string]byte{protocol.TopicHint(f.d.id): 0, protocol.TopicAnswers(f.d.id): 0}, nil).WaitTimeout(soon) {
		return
	}
	poll := time.NewTicker(500 * time.Millisecond)
	defer poll.Stop()
	f.ask(c)
	for c.IsConnectionOpen() {
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
			f.ask(c)
		case m := <-got:
			f.hear(c, m)
		}
	}
}

func (f *follower) ask(c mqtt.Client) {
	b, _ := json.Marshal(protocol.ConfigAsk{Have: f.version()})
	c.Publish(protocol.TopicAsk(f.d.id, "config", 1), 0, false, b)
}

func (f *follower) hear(c mqtt.Client, m mqtt.Message) {
	if m.Topic() == protocol.TopicHint(f.d.id) {
		f.ask(c)
		return
	}
	var a protocol.Answer
	if json.Unmarshal(m.Payload(), &a) != nil || a.Config == nil {
		return
	}
	if config, err := protocol.DecodeConfig(a.Config); err == nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.have = max(f.have, config.Version)
	}
}

// A cluster of three servers loses one while settings change: no terminal stays
// behind, and who is revoked is out on every server.
func TestCluster(t *testing.T) {
	t.Parallel()
	ca := newCA(t, 7)
	nodes, external := cluster(t, ca)
	w := newWorld(t, func(c *Config) { c.External, c.MQTTPublic = &external, nodes[0].mqtt })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	var all []*follower
	for i := range 24 {
		f := &follower{d: w.enrol(mianmi.TerminalID(fmt.Sprintf("tm%d", i))), servers: nodes}
		all = append(all, f)
		running.Go(func() { f.follow(ctx, i) })
	}
	caughtUp := func(version int64) {
		t.Helper()
		deadline := time.After(3 * soon)
		for {
			behind := 0
			for _, f := range all {
				if f.version() < version {
					behind++
				}
			}
			if behind == 0 {
				return
			}
			select {
			case <-deadline:
				t.Fatalf("%d of %d terminals stay behind version %d", behind, len(all), version)
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	caughtUp(1)
	for i := range 20 {
		w.change()
		if i == 10 {
			nodes[1].Kill()
		}
	}
	caughtUp(21)
	d := all[0].d
	keyID, err := protocol.KeyID(&d.key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	w.set(d.id, keyID, false)
	if err := w.Kick(d.id); err != nil {
		t.Fatal(err)
	}
	for _, n := range []*natsNode{nodes[0], nodes[2]} {
		if c, _, err := d.mqtt(n.mqtt); err == nil {
			c.Disconnect(0)
			t.Errorf("a revoked terminal came in at %s", n.mqtt)
		}
	}
}
