package agenttest

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/nats-io/nats-server/v2/server"

	"github.com/mianmi/mianmi/terminal/protocol"
)

// broker is a NATS server that speaks MQTT over mutual TLS, and the host's own
// client on it.
type broker struct {
	addr   string
	client mqtt.Client
	nats   *server.Server
}

const brokerWait = 10 * time.Second

func newBroker(t testing.TB, h *Host) *broker {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(h.ca.cert)
	o := &server.Options{ServerName: "test", Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true}
	port, err := strconv.Atoi(Port(t))
	if err != nil {
		t.Fatal(err)
	}
	o.MQTT.Host, o.MQTT.Port = "127.0.0.1", port
	o.MQTT.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{h.ca.server(t)}, ClientCAs: pool,
		ClientAuth: tls.VerifyClientCertIfGiven}
	o.MQTT.TLSTimeout = brokerWait.Seconds()
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	go s.Start()
	t.Cleanup(s.Shutdown)
	if !s.ReadyForConnections(brokerWait) {
		t.Fatal("the broker does not start")
	}
	b := &broker{addr: "127.0.0.1:" + strconv.Itoa(port), nats: s}
	c := mqtt.NewClientOptions().AddBroker("ssl://" + b.addr).SetClientID("host").SetProtocolVersion(4).
		SetTLSConfig(&tls.Config{MinVersion: tls.VersionTLS13, RootCAs: pool, ServerName: "localhost"})
	b.client = mqtt.NewClient(c)
	wait := func(token mqtt.Token) {
		if !token.WaitTimeout(brokerWait) || token.Error() != nil {
			t.Fatalf("the host's own MQTT client: %v", token.Error())
		}
	}
	wait(b.client.Connect())
	wait(b.client.Subscribe("mianmi/v1/t/+/ask/#", 0, func(_ mqtt.Client, m mqtt.Message) { b.answer(h, m) }))
	t.Cleanup(func() { b.client.Disconnect(0) })
	return b
}

func (b *broker) hint(version int64) {
	text, _ := json.Marshal(protocol.Hint{Version: version}) // a number
	b.client.Publish(protocol.TopicHint(Terminal), 0, false, text)
}

func (b *broker) answer(h *Host, m mqtt.Message) {
	parts := strings.Split(m.Topic(), "/")
	n, err := strconv.ParseInt(parts[len(parts)-1], 10, 64)
	if err != nil || len(parts) < 2 {
		return
	}
	var a protocol.Answer
	switch parts[len(parts)-2] {
	case "config":
		var ask protocol.ConfigAsk
		if json.Unmarshal(m.Payload(), &ask) != nil {
			return
		}
		h.mu.Lock()
		a.Status = http.StatusNoContent
		if h.config.Version > ask.Have {
			a.Status, a.Config = http.StatusOK, h.delivers
		}
		h.mu.Unlock()
	case "report":
		status, receipt := h.judge(m.Payload())
		a.Status = status
		a.Body, _ = json.Marshal(receipt) // a plain form
	}
	text, _ := json.Marshal(a) // as above
	b.client.Publish(protocol.TopicAnswer(Terminal, n), 0, false, text)
}
