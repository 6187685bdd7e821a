package fleet

import (
	"crypto/subtle"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server" // the broker, inside the process by default
	"github.com/nats-io/nats.go"

	"github.com/mianmi/mianmi"
)

// Subjects of NATS are topics of MQTT with points for slashes
// (protocol.TopicHint and its like).
const subjectRoot = "mianmi.v1.t."

func subjectHint(id mianmi.TerminalID) string { return subjectRoot + string(id) + ".hint" }

func subjectAnswer(id mianmi.TerminalID, n string) string {
	return subjectRoot + string(id) + ".answer." + n
}

// subjectAsks is what hosts listen to: .ID.ask.KIND.N.
const subjectAsks = subjectRoot + "*.ask.*.*"

// may are the subjects of a terminal: its own and no others.
func may(id mianmi.TerminalID) (publish, subscribe []string) {
	return []string{subjectRoot + string(id) + ".ask.*.*"},
		[]string{subjectHint(id), subjectRoot + string(id) + ".answer.*"}
}

// broker is the embedded NATS server with MQTT over mutual TLS.
type broker struct {
	srv      *server.Server
	opts     *server.Options
	password string
	enter    func(Peer) error // nil: the terminal may come in
	log      *slog.Logger
}

// Bounds of the broker. A message is at most an answer with a config in base64;
// a terminal has one connection, and one more while it finds out that the first is dead.
const (
	payloadMax   = 128 << 10
	readyMax     = 20 * time.Second
	handshakeMax = 10.0 // seconds for TLS and CONNECT, for links that are slow
)

type brokerConfig struct {
	listen   string // host:port
	folder   string // sessions of MQTT; nothing that would be missed
	name     string
	tls      *tls.Config
	connsMax int
}

func startBroker(c brokerConfig, enter func(Peer) error, random io.Reader, log *slog.Logger) (*broker, error) {
	host, port, err := splitListen(c.listen)
	if err != nil {
		return nil, err
	}
	var secret [16]byte
	if _, err := io.ReadFull(random, secret[:]); err != nil {
		return nil, fmt.Errorf("read randomness for the broker: %w", err)
	}
	b := &broker{enter: enter, password: hex.EncodeToString(secret[:]), log: log}
	b.opts = &server.Options{
		ServerName: c.name, DontListen: true, NoSigs: true, NoLog: true, JetStream: true, StoreDir: c.folder,
		MaxPayload: payloadMax, MaxConn: c.connsMax, CustomClientAuthentication: b,
		MQTT: server.MQTTOpts{Host: host, Port: port, TLSConfig: c.tls, TLSTimeout: handshakeMax, AuthTimeout: handshakeMax},
	}
	if b.srv, err = server.NewServer(b.opts); err != nil {
		return nil, fmt.Errorf("make the broker: %w", err)
	}
	b.srv.Start()
	if !b.srv.ReadyForConnections(readyMax) {
		b.stop()
		return nil, fmt.Errorf("the broker did not start on %s", c.listen)
	}
	return b, nil
}

// splitListen reads host:port; port 0 takes a free one.
func splitListen(listen string) (string, int, error) {
	host, text, err := net.SplitHostPort(listen)
	if err != nil {
		return "", 0, mianmi.InvalidField("mqtt_listen", "want HOST:PORT")
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return "", 0, mianmi.InvalidField("mqtt_listen", "want HOST:PORT with a port up to 65535")
	}
	if port == 0 {
		return host, server.RANDOM_PORT, nil
	}
	return host, int(port), nil
}

// port is where terminals find MQTT.
func (b *broker) port() int { return b.opts.MQTT.Port }

// connect is the host's own way in, inside the process.
func (b *broker) connect() (*nats.Conn, error) {
	conn, err := nats.Connect("", nats.InProcessServer(b.srv), nats.UserInfo(hostUser, b.password), nats.Name("mianmi host"))
	if err != nil {
		return nil, fmt.Errorf("connect to the broker: %w", err)
	}
	return conn, nil
}

const hostUser = "host"

// Check implements server.Authentication.
func (b *broker) Check(c server.ClientAuthentication) bool {
	state := c.GetTLSConnectionState()
	if state == nil {
		o := c.GetOpts()
		return o.Username == hostUser && subtle.ConstantTimeCompare([]byte(o.Password), []byte(b.password)) == 1
	}
	peer, err := verified(state)
	if err == nil {
		err = b.enter(peer)
	}
	if err != nil {
		b.log.Warn("a terminal was not let in", "address", c.RemoteAddress().String(), "terminal", string(peer.ID), "error", err)
		return false
	}
	publish, subscribe := may(peer.ID)
	c.RegisterUser(&server.User{Username: string(peer.ID), Permissions: &server.Permissions{
		Publish: &server.SubjectPermission{Allow: publish}, Subscribe: &server.SubjectPermission{Allow: subscribe}}})
	return true
}

// verified reads the terminal of a connection whose certificate TLS has verified.
func verified(state *tls.ConnectionState) (Peer, error) {
	if len(state.VerifiedChains) == 0 {
		return Peer{}, errors.New("no certificate of this host's authority")
	}
	return peerOf(state.VerifiedChains[0][0])
}

// kick ends every connection of the terminal.
func (b *broker) kick(id mianmi.TerminalID) error {
	z, err := b.srv.Connz(&server.ConnzOptions{Username: true, User: string(id), Limit: kickMax})
	if err != nil {
		return fmt.Errorf("list connections of terminal %s: %w", id, err)
	}
	for _, c := range z.Conns {
		if err := b.srv.DisconnectClientByID(c.Cid); err != nil {
			return fmt.Errorf("end a connection of terminal %s: %w", id, err)
		}
	}
	return nil
}

// kickMax bounds the connections that one call ends: far more than a terminal has.
const kickMax = 1024

func (b *broker) stop() {
	b.srv.Shutdown()
	b.srv.WaitForShutdown()
}
