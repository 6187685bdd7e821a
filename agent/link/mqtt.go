package link

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/mianmi/mianmi/terminal/protocol"
)

// mqttLink is the connection to the broker and the questions under way on it.
type mqttLink struct {
	mu      sync.Mutex
	client  mqtt.Client
	last    int64 // number of the last question
	silent  bool  // the last question got no answer: the next goes over HTTPS
	waiting map[int64]chan protocol.Answer
}

// Times of the connection to the broker: after backoffMax the terminal asks by
// HTTPS all the same, so a longer wait would save nothing.
const (
	keepAlive  = 25 * time.Second
	backoffMin = time.Second
	backoffMax = 2 * time.Minute
	quiesceMS  = 100
)

// Run keeps the connection for hints until ctx ends, at any of the brokers.
// Without MQTT it returns at once: the caller then polls.
func (l *Link) Run(ctx context.Context) {
	if l.id.MQTT == "" || l.o.NoMQTT {
		return
	}
	brokers := l.brokers()
	next := int(l.Jitter(time.Duration(2*len(brokers)))) - len(brokers) // terminals spread over them
	for wait, tries := backoffMin, 0; ctx.Err() == nil; next++ {
		broker, began := brokers[next%len(brokers)], l.o.Clock.Now()
		err := l.connect(ctx, broker)
		if ctx.Err() != nil {
			return
		}
		if l.o.Clock.Now().Sub(began) > backoffMax {
			wait, tries = backoffMin, 0 // it had held
		}
		l.o.Log.InfoContext(ctx, "no connection for hints; asking over HTTPS", "broker", broker, "error", err)
		if !l.Pause(ctx, wait) {
			return
		}
		if tries++; tries%len(brokers) == 0 { // all of them are away
			wait = min(2*wait, backoffMax)
		}
	}
}

// Pause waits between half of d and d; thousands of terminals that lost their
// host in one moment must not come back in one. It is false when ctx ended.
func (l *Link) Pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(l.Jitter(d))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Jitter returns a time between half of d and d.
func (l *Link) Jitter(d time.Duration) time.Duration {
	var b [2]byte
	if _, err := l.o.Random.Read(b[:]); err != nil {
		return d
	}
	return d/2 + d/2*time.Duration(int(b[0])<<8|int(b[1]))/65536
}

// brokers are the addresses of MQTT; one without a host is at the host of HTTPS.
func (l *Link) brokers() []string {
	list := strings.Split(l.id.MQTT, ",")
	for i, at := range list {
		if host, port, err := net.SplitHostPort(at); err == nil && host == "" {
			list[i] = net.JoinHostPort(l.host.Hostname(), port)
		}
	}
	return list
}

// connect connects, and returns when the connection is lost. NATS speaks MQTT
// 3.1.1 alone, so that is what is spoken. The client's name is random: the
// certificate says who it is, and a session of before must not be taken over.
func (l *Link) connect(ctx context.Context, broker string) error {
	lost := make(chan error, 1)
	tlsConfig := l.tls.Clone()
	if host, _, err := net.SplitHostPort(broker); err == nil {
		tlsConfig.ServerName = host
	}
	o := mqtt.NewClientOptions().AddBroker("ssl://" + broker).SetClientID("mianmi-" + l.nonce()).SetTLSConfig(tlsConfig).
		SetProtocolVersion(4).SetCleanSession(true).SetAutoReconnect(false).SetConnectRetry(false).SetOrderMatters(false).
		SetKeepAlive(keepAlive).SetConnectTimeout(dialMax).SetWriteTimeout(dialMax).
		SetConnectionLostHandler(func(_ mqtt.Client, err error) { lost <- err })
	c := mqtt.NewClient(o)
	if err := done(ctx, c.Connect()); err != nil {
		return err
	}
	defer c.Disconnect(quiesceMS)
	topics := map[string]byte{protocol.TopicHint(l.id.Terminal): 0, protocol.TopicAnswers(l.id.Terminal): 0}
	if err := done(ctx, c.SubscribeMultiple(topics, l.heard)); err != nil {
		return err
	}
	l.mqtt.set(c)
	l.up.Store(true)
	defer func() { l.up.Store(false); l.mqtt.set(nil) }()
	l.hint(protocol.Hint{}) // what came while nobody listened is not repeated
	select {
	case err := <-lost:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func done(ctx context.Context, t mqtt.Token) error {
	select {
	case <-t.Done():
		return t.Error()
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(dialMax):
		return errors.New("the broker does not answer")
	}
}

func (m *mqttLink) set(c mqtt.Client) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.client = c
}

// heard takes a message from the broker. One that is not of the protocol is
// left lying: messages only hint.
func (l *Link) heard(_ mqtt.Client, m mqtt.Message) {
	if m.Topic() == protocol.TopicHint(l.id.Terminal) {
		var h protocol.Hint
		if json.Unmarshal(m.Payload(), &h) == nil {
			l.hint(h)
		}
		return
	}
	n, err := strconv.ParseInt(m.Topic()[strings.LastIndexByte(m.Topic(), '/')+1:], 10, 64)
	var a protocol.Answer
	if err != nil || len(m.Payload()) > 2*answerMax || json.Unmarshal(m.Payload(), &a) != nil {
		return
	}
	l.mqtt.mu.Lock()
	defer l.mqtt.mu.Unlock()
	if c := l.mqtt.waiting[n]; c != nil {
		select {
		case c <- a:
		default: // a repeat
		}
	}
}

func (l *Link) hint(h protocol.Hint) {
	select {
	case l.hints <- h:
	default: // one is waiting already, and says the same: ask
	}
}

// errNoMQTT says that there is no connection to ask over.
var errNoMQTT = errors.New("not connected over MQTT")

// ask asks over MQTT. An error means that no answer came, and that HTTPS may.
func (l *Link) ask(ctx context.Context, kind string, in any) (answer, error) {
	payload, ok := in.([]byte)
	if !ok {
		var err error
		if payload, err = json.Marshal(in); err != nil {
			return answer{}, err
		}
	}
	l.mqtt.mu.Lock()
	c := l.mqtt.client
	if c == nil || l.mqtt.silent {
		l.mqtt.silent = false
		l.mqtt.mu.Unlock()
		return answer{}, errNoMQTT
	}
	l.mqtt.last++
	n, got := l.mqtt.last, make(chan protocol.Answer, 1)
	l.mqtt.waiting[n] = got
	l.mqtt.mu.Unlock()
	defer func() {
		l.mqtt.mu.Lock()
		delete(l.mqtt.waiting, n)
		l.mqtt.mu.Unlock()
	}()
	ctx, cancel := context.WithTimeout(ctx, askMax)
	defer cancel()
	if err := done(ctx, c.Publish(protocol.TopicAsk(l.id.Terminal, kind, n), 0, false, payload)); err != nil {
		return answer{}, err
	}
	select {
	case a := <-got:
		return answer(a), nil
	case <-ctx.Done():
		l.mqtt.mu.Lock()
		l.mqtt.silent = true
		l.mqtt.mu.Unlock()
		return answer{}, ctx.Err()
	}
}
