package bench

import (
	"context"
	"crypto/ecdsa"
	crand "crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets" // MQTT on the wire, without a client around it

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// machine is a simulated terminal: what the protocol asks of one between a hint
// and a proof, without disk and screen. One goroutine reads its connection and
// does the rest, so that ten thousand fit into a process.
type machine struct {
	s           *swarm
	n           int
	id          mianmi.TerminalID
	key         *ecdsa.PrivateKey
	certificate [][]byte
	boot        protocol.Boot

	mu      sync.Mutex
	conn    net.Conn // nil: none
	asks    int64    // number of the last question
	reports int64
	config  question
	report  question
	running *protocol.Setting
	pinFree bool
	tight   int64 // version of the newest tightening that it has seen
	silent  int   // questions in a row that were not answered
}

// question is one of the two that a terminal has under way at a time.
type question struct {
	n     int64     // 0: none
	due   time.Time // when it is asked again without an answer
	again bool      // to be asked once more when the answer is there
}

// backoff is how long a terminal waits before it connects again.
const backoff = time.Second

// live keeps a connection until ctx ends.
func (m *machine) live(ctx context.Context) {
	for {
		conn, err := m.dial(ctx)
		if err == nil {
			stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
			err = m.talk(conn)
			stop()
		}
		if conn != nil {
			_ = conn.Close()
		}
		if ctx.Err() != nil {
			return
		}
		m.s.broken.Add(1)
		m.s.trouble(err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(backoff):
		}
	}
}

// join is CONNECT and SUBSCRIBE with their answers.
func (m *machine) join(conn net.Conn) error {
	if err := conn.SetDeadline(time.Now().Add(3 * answerMax)); err != nil {
		return err
	}
	name, err := nonce()
	if err != nil {
		return err
	}
	c := &packets.ConnectPacket{FixedHeader: packets.FixedHeader{MessageType: packets.Connect}, ProtocolName: "MQTT", ProtocolVersion: 4, CleanSession: true,
		Keepalive: 25, ClientIdentifier: name}
	if err := c.Write(conn); err != nil {
		return fmt.Errorf("CONNECT: %w", err)
	}
	p, err := packets.ReadPacket(conn)
	if err != nil {
		return fmt.Errorf("CONNACK: %w", err)
	}
	if ack, ok := p.(*packets.ConnackPacket); !ok || ack.ReturnCode != packets.Accepted {
		return fmt.Errorf("the broker answers CONNECT with %v", p)
	}
	s := &packets.SubscribePacket{FixedHeader: packets.FixedHeader{MessageType: packets.Subscribe, Qos: 1}, MessageID: 1,
		Topics: []string{protocol.TopicHint(m.id), protocol.TopicAnswers(m.id)}, Qoss: []byte{0, 0}}
	if err := s.Write(conn); err != nil {
		return fmt.Errorf("SUBSCRIBE: %w", err)
	}
	if p, err = packets.ReadPacket(conn); err != nil {
		return fmt.Errorf("SUBACK: %w", err)
	}
	if ack, ok := p.(*packets.SubackPacket); !ok || len(ack.ReturnCodes) != 2 || ack.ReturnCodes[0] != 0 || ack.ReturnCodes[1] != 0 {
		return fmt.Errorf("the broker answers SUBSCRIBE with %v", p)
	}
	return conn.SetDeadline(time.Time{})
}

// talk asks for what came while nobody listened, and takes what comes, until
// the connection ends.
func (m *machine) talk(conn net.Conn) error {
	m.mu.Lock()
	m.conn, m.config, m.report = conn, question{}, question{}
	err := m.askConfig()
	m.mu.Unlock()
	for err == nil {
		var p packets.ControlPacket
		if p, err = packets.ReadPacket(conn); err == nil {
			if msg, ok := p.(*packets.PublishPacket); ok {
				err = m.take(msg.TopicName, msg.Payload)
			}
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conn = nil
	return err
}

// take takes one message. An error ends the connection.
func (m *machine) take(topic string, payload []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if topic == protocol.TopicHint(m.id) {
		var h protocol.Hint
		if err := json.Unmarshal(payload, &h); err != nil {
			return fmt.Errorf("read a hint: %w", err)
		}
		if w := m.s.watch.Load(); h.Version == 1 && w.what == watchBroadcast {
			w.note(w.heard, m.n, true)
		}
		if h.Version > m.have() {
			return m.askConfig()
		}
		return nil
	}
	n, err := strconv.ParseInt(topic[strings.LastIndexByte(topic, '/')+1:], 10, 64)
	if err != nil {
		return fmt.Errorf("a message to %q", topic)
	}
	var a protocol.Answer
	if err := json.Unmarshal(payload, &a); err != nil {
		return fmt.Errorf("read an answer: %w", err)
	}
	m.silent = 0
	switch n {
	case m.config.n:
		return m.tookConfig(a)
	case m.report.n:
		return m.tookReport(a)
	}
	return nil // of a question that was asked again
}

func (m *machine) have() int64 {
	if m.running == nil {
		return 0
	}
	return m.running.Version
}

// ask publishes a question; the caller holds mu.
func (m *machine) ask(q *question, kind string, payload []byte) error {
	m.asks++
	// Later each time, with jitter, as the protocol wants it: when the host has
	// more to do than it can, who asks again at once makes it worse.
	wait := answerMax << min(m.silent, 3)
	*q = question{n: m.asks, due: time.Now().Add(wait + rand.N(wait/2))} //nolint:gosec // jitter
	p := &packets.PublishPacket{FixedHeader: packets.FixedHeader{MessageType: packets.Publish}, TopicName: protocol.TopicAsk(m.id, kind, m.asks), Payload: payload}
	return m.write(p)
}

// write sends a packet; the caller holds mu.
func (m *machine) write(p packets.ControlPacket) error {
	if m.conn == nil {
		return errors.New("not connected")
	}
	if err := m.conn.SetWriteDeadline(time.Now().Add(answerMax)); err != nil {
		return err
	}
	return p.Write(m.conn)
}

func (m *machine) askConfig() error {
	if m.config.n != 0 {
		m.config.again = true
		return nil
	}
	payload, err := json.Marshal(protocol.ConfigAsk{Have: m.have()})
	if err != nil {
		return err
	}
	return m.ask(&m.config, "config", payload)
}

// tookConfig runs a config at once, as a model does that needs no reboot, and
// reports it.
func (m *machine) tookConfig(a protocol.Answer) error {
	again := m.config.again
	m.config = question{}
	switch a.Status {
	case http.StatusNoContent:
		if again {
			return m.askConfig()
		}
		return nil
	case http.StatusOK:
	default:
		return fmt.Errorf("a config was answered with %d: %s", a.Status, a.Body)
	}
	c, err := protocol.DecodeConfig(a.Config)
	if err != nil {
		return err
	}
	m.running, m.pinFree = &protocol.Setting{Version: c.Version, Hash: protocol.HashOf(a.Config)}, c.Allows(time.Now())
	m.tight = max(m.tight, c.Tightened)
	if w := m.s.watch.Load(); w.wants(m.pinFree) {
		w.note(w.delivered, m.n, false)
	}
	if again {
		if err := m.askConfig(); err != nil {
			return err
		}
	}
	return m.sendReport()
}

// wants reports whether a terminal that has PIN-free on, or off, is what is
// waited for.
func (w *watch) wants(pinFree bool) bool {
	switch w.what {
	case watchOff:
		return !pinFree
	case watchOn:
		return pinFree
	}
	return w.what == watchJoin
}

// sendReport signs and sends one, in the order of their numbers: one at a time.
func (m *machine) sendReport() error {
	if m.report.n != 0 {
		m.report.again = true
		return nil
	}
	m.reports++
	r := protocol.Report{Form: protocol.Form, Terminal: m.id, Boot: m.boot, Number: m.reports, At: time.Now(), Running: m.running, PinFree: m.pinFree,
		Tightening: m.tight,
		Device:     protocol.Device{Model: "linux_countertop", OS: "linux 6.12", Firmware: "1.4.2", App: "1.0.0", Keypad: true},
		Network:    protocol.Network{Kind: "ethernet", DNS: true, TLS: true, RTTms: 12}}
	signed, err := r.Sign(crand.Reader, m.key)
	if err != nil {
		return err
	}
	return m.ask(&m.report, "report", signed)
}

func (m *machine) tookReport(a protocol.Answer) error {
	again := m.report.again
	m.report = question{}
	if a.Status != http.StatusOK {
		return fmt.Errorf("a report was answered with %d: %s", a.Status, a.Body)
	}
	var r protocol.Receipt
	if err := json.Unmarshal(a.Body, &r); err != nil {
		return fmt.Errorf("read a receipt: %w", err)
	}
	switch w := m.s.watch.Load(); {
	case again:
		return m.sendReport()
	case r.Version > m.have():
		return m.askConfig()
	case r.InForce && w.wants(m.pinFree):
		w.note(w.attested, m.n, true)
	}
	return nil
}

// ping keeps the connection, as MQTT wants it.
func (m *machine) ping() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conn != nil && m.write(packets.NewControlPacket(packets.Pingreq)) != nil {
		_ = m.conn.Close() // whoever reads it connects again
	}
}

// remind asks again what was not answered, and by itself what no hint came for.
func (m *machine) remind() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conn == nil {
		return
	}
	var err error
	now, w := time.Now(), m.s.watch.Load()
	switch {
	case m.config.n != 0 && now.After(m.config.due):
		m.s.again.Add(1)
		m.silent++
		m.config = question{}
		err = m.askConfig()
	case m.report.n != 0 && now.After(m.report.due):
		m.s.again.Add(1)
		m.silent++
		m.report = question{}
		err = m.sendReport()
	case w != nil && w.what != watchBroadcast && m.config.n == 0 && m.report.n == 0 && now.Sub(w.since) > alone && w.waits(m.n):
		m.s.asked.Add(1)
		if err = m.askConfig(); err == nil && m.running != nil {
			err = m.sendReport()
		}
	}
	if err != nil {
		_ = m.conn.Close()
	}
}

// waits reports whether the terminal is not there yet.
func (w *watch) waits(n int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.attested[n] == 0
}
