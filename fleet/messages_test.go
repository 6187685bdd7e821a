package fleet

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/terminal/protocol"
)

const soon = time.Minute // longer than anything takes on a busy machine

func next(t *testing.T, got chan mqtt.Message) mqtt.Message {
	t.Helper()
	select {
	case m := <-got:
		return m
	case <-time.After(soon):
		t.Fatal("no message came")
		return nil
	}
}

func must(t *testing.T, token mqtt.Token) {
	t.Helper()
	if !token.WaitTimeout(soon) || token.Error() != nil {
		t.Fatalf("MQTT: %v", token.Error())
	}
}

func report(t *testing.T, d *device) []byte {
	t.Helper()
	b, err := protocol.Report{Form: protocol.Form, Terminal: d.id, Boot: protocol.Boot{ID: "0123456789abcdef", Count: 1, At: noon}, Number: 1, At: noon}.
		Sign(rand.Reader, d.key)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Over MQTT a terminal gets its config, answers to reports, and a hint when
// something changed.
func TestMQTT(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	d := w.enrol("tm1")
	c, got, err := d.mqtt(w.MQTT())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Disconnect(0)
	must(t, c.SubscribeMultiple(map[string]byte{protocol.TopicHint(d.id): 0, protocol.TopicAnswers(d.id): 0}, nil))
	ask := func(kind string, n int64, body []byte) protocol.Answer {
		must(t, c.Publish(protocol.TopicAsk(d.id, kind, n), 0, false, body))
		m := next(t, got)
		var a protocol.Answer
		if err := json.Unmarshal(m.Payload(), &a); err != nil || m.Topic() != protocol.TopicAnswer(d.id, n) {
			t.Fatalf("%s: %s, %v", m.Topic(), m.Payload(), err)
		}
		return a
	}
	a := ask("config", 1, []byte(`{"have":0}`))
	if config, err := protocol.DecodeConfig(a.Config); err != nil || a.Status != http.StatusOK || config.Version != 1 {
		t.Errorf("%+v, %v", a, err)
	}
	if a := ask("config", 2, []byte(`{"have":1}`)); a.Status != http.StatusNoContent {
		t.Errorf("nothing newer: %+v", a)
	}
	if a := ask("report", 3, report(t, d)); a.Status != http.StatusOK {
		t.Errorf("a report: %d %s", a.Status, a.Body)
	}
	if a := ask("report", 4, []byte("{}x")); a.Status != http.StatusBadRequest || !strings.Contains(string(a.Body), "report") {
		t.Errorf("no report: %d %s", a.Status, a.Body)
	}
	version := w.change()
	m := next(t, got)
	var h protocol.Hint
	if err := json.Unmarshal(m.Payload(), &h); err != nil || m.Topic() != protocol.TopicHint(d.id) || h.Version != version {
		t.Errorf("%s: %s, %v", m.Topic(), m.Payload(), err)
	}
}

// With its own certificate a terminal, or a thief who has it, hears and says
// nothing that is another's.
func TestTopicsOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	victim, thief := w.enrol("tm1"), w.enrol("tm2")
	for _, topic := range []string{protocol.TopicHint(victim.id), protocol.TopicAnswers(victim.id), "mianmi/v1/t/+/hint", "#", "mianmi/#", "$SYS/#"} {
		c, _, err := thief.mqtt(w.MQTT())
		if err != nil {
			t.Fatal(err)
		}
		token := c.Subscribe(topic, 0, nil).(*mqtt.SubscribeToken) //nolint:forcetypeassert // paho's own
		token.WaitTimeout(soon)
		if code := token.Result()[topic]; code != 0x80 {
			t.Errorf("subscribed to %s: %#x, %v", topic, code, token.Error())
		}
		c.Disconnect(0)
	}
	// What it says in another's name does not come to the host.
	c, _, err := thief.mqtt(w.MQTT())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Disconnect(0)
	must(t, c.Publish(protocol.TopicAsk(victim.id, "report", 1), 0, false, report(t, victim)))
	mine, got, err := victim.mqtt(w.MQTT())
	if err != nil {
		t.Fatal(err)
	}
	defer mine.Disconnect(0)
	must(t, mine.Subscribe(protocol.TopicAnswers(victim.id), 0, nil))
	must(t, mine.Publish(protocol.TopicAsk(victim.id, "config", 2), 0, false, `{"have":0}`))
	if m := next(t, got); m.Topic() != protocol.TopicAnswer(victim.id, 2) {
		t.Errorf("answered on %s", m.Topic())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := w.reports[victim.id]; n != 0 {
		t.Errorf("%d reports in another's name came to the host", n)
	}
}

// Who has no certificate of this authority, or a revoked one, does not come in,
// and a revoked one's live connection ends.
func TestRevocation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	d := w.enrol("tm1")
	keyID, err := protocol.KeyID(&d.key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := (&device{w: w, id: "tm1"}).mqtt(w.MQTT()); err == nil {
		t.Error("let in without a certificate")
	}
	foreign, err := newCA(t, 8).IssueTerminal(rand.Reader, "tm1", request(t, d.key), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	stranger := *d
	stranger.cert.Certificate = [][]byte{foreign.Certificate}
	if _, _, err := stranger.mqtt(w.MQTT()); err == nil {
		t.Error("let in by another authority's certificate")
	}
	c, _, err := d.mqtt(w.MQTT())
	if err != nil {
		t.Fatal(err)
	}
	if status, body := d.do(http.MethodGet, "/v1/payments/pm1", nil); status != http.StatusOK || string(body) != "tm1 asks for /v1/payments/pm1" {
		t.Errorf("%d %s", status, body)
	}
	w.set(d.id, keyID, false)
	if err := w.Kick(d.id); err != nil {
		t.Fatal(err)
	}
	d.ends(c)
	if _, _, err := d.mqtt(w.MQTT()); err == nil {
		t.Error("a revoked terminal came in again")
	}
	for _, path := range []string{protocol.PathConfig + "?have=0", protocol.PathEcho, "/v1/payments/pm1"} {
		if status, body := d.do(http.MethodGet, path, nil); status != http.StatusUnauthorized || !strings.Contains(string(body), "terminal_key_revoked") {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

// ends waits for the end of a connection.
func (d *device) ends(c mqtt.Client) {
	d.w.t.Helper()
	deadline := time.After(soon)
	for c.IsConnectionOpen() {
		select {
		case <-deadline:
			d.w.t.Fatal("the connection of a revoked terminal is open")
		default:
			c.Publish(protocol.TopicAsk(d.id, "config", 1), 0, false, `{"have":0}`).WaitTimeout(10 * time.Millisecond)
		}
	}
}

// A terminal that another node has revoked loses its connection here too, and
// so does the machine of before when another one is enrolled in its place.
func TestRevokedElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	d, before := w.enrol("tm1"), w.enrol("tm2")
	keyID, err := protocol.KeyID(&d.key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := d.mqtt(w.MQTT())
	if err != nil {
		t.Fatal(err)
	}
	old, _, err := before.mqtt(w.MQTT())
	if err != nil {
		t.Fatal(err)
	}
	w.revoke(d.id, keyID)
	d.ends(c)
	w.again("tm2")
	before.ends(old)
}

// Where MQTT is blocked a long poll hears of a change as well, and ends empty
// when there is none.
func TestLongPoll(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.MQTTListen = "" })
	d := w.enrol("tm1")
	if status, body := d.do(http.MethodGet, protocol.PathConfig+"?have=0&wait=50", nil); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	if status, body := d.do(http.MethodGet, protocol.PathConfig+"?have=1&wait=1", nil); status != http.StatusNoContent || len(body) > 0 {
		t.Errorf("%d %s", status, body)
	}
	type answer struct {
		status int
		body   []byte
	}
	got := make(chan answer, 1)
	go func() {
		status, body := d.do(http.MethodGet, protocol.PathConfig+"?have=1&wait=50", nil)
		got <- answer{status, body}
	}()
	w.change()
	a := <-got
	if c, err := protocol.DecodeConfig(a.body); err != nil || a.status != http.StatusOK || c.Version != 2 {
		t.Errorf("%d %s, %v", a.status, a.body, err)
	}
	for _, query := range []string{"", "?have=-1", "?have=x", "?have=1&wait=56", "?have=1&wait=-1"} {
		if status, body := d.do(http.MethodGet, protocol.PathConfig+query, nil); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", query, status, body)
		}
	}
}

// A code is worth one certificate; wrong ones are slowed down; a bad request
// does not use a code up; a terminal renews with what it has.
func TestEnrolment(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	nobody := &device{w: w, id: "tm1", key: newKey(t)}
	if status, body := nobody.ask(protocol.PathEnrol, protocol.Enrolment{Code: "code-tm1", CSR: []byte("x")}); status != http.StatusBadRequest {
		t.Errorf("%d %s", status, body)
	}
	d := w.enrol("tm1")
	if status, body := nobody.ask(protocol.PathEnrol, protocol.Enrolment{Code: "code-tm1", CSR: request(t, nobody.key)}); status != http.StatusUnauthorized {
		t.Errorf("used twice: %d %s", status, body)
	}
	for range failuresMax {
		nobody.ask(protocol.PathEnrol, protocol.Enrolment{Code: "guess", CSR: request(t, nobody.key)})
	}
	if status, _ := nobody.ask(protocol.PathEnrol, protocol.Enrolment{Code: "code-tm2", CSR: request(t, nobody.key)}); status != http.StatusTooManyRequests {
		t.Errorf("after many guesses: %d", status)
	}
	old := d.key
	d.key = newKey(t)
	status, body := d.ask(protocol.PathRenew, protocol.Renewal{CSR: request(t, d.key)})
	if status != http.StatusOK {
		t.Fatalf("renew: %d %s", status, body)
	}
	if e := d.take(body); time.Until(e.NotAfter) < CertificateLife-time.Hour {
		t.Errorf("ends %v", e.NotAfter)
	}
	if d.key.Equal(old) {
		t.Error("the key is the old one")
	}
	if status, body := d.do(http.MethodGet, protocol.PathEcho+"?nonce=n1", nil); status != http.StatusOK || !strings.Contains(string(body), `"n1"`) {
		t.Errorf("%d %s", status, body)
	}
	if status, _ := nobody.do(http.MethodGet, protocol.PathEcho, nil); status != http.StatusUnauthorized {
		t.Errorf("without a certificate: %d", status)
	}
}

// Only a terminal that asks is told of channels, and of those of its own merchant; an
// answer to one that does not know them stays short.
func TestEchoTellsOfChannels(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	d := w.enrol("tm1")
	path := protocol.PathEcho + "?nonce=n1"
	if status, body := d.do(http.MethodGet, path+"&channels=1", nil); status != http.StatusOK || string(body) != `{"terminal":"tm1","nonce":"n1"}` {
		t.Errorf("a host without channels: %d %s", status, body)
	}
	w = newWorld(t, nil, func(_ context.Context, p Peer) []protocol.ChannelState {
		return []protocol.ChannelState{{Channel: "of-" + string(p.ID), State: protocol.ChannelSilent, AgeSeconds: 12, Since: noon}}
	})
	d = w.enrol("tm1")
	if status, body := d.do(http.MethodGet, path, nil); status != http.StatusOK || string(body) != `{"terminal":"tm1","nonce":"n1"}` {
		t.Errorf("unasked: %d %s", status, body)
	}
	status, body := d.do(http.MethodGet, path+"&channels=1", nil)
	said, err := protocol.ParseEcho(body)
	if err != nil || status != http.StatusOK || said.Nonce != "n1" || len(said.Channels) != 1 || said.Channels[0].Channel != "of-tm1" ||
		said.Channels[0].State != protocol.ChannelSilent || !said.Channels[0].Since.Equal(noon) {
		t.Errorf("%d %s: %+v, %v", status, body, said, err)
	}
}

// A fault of the host's own is not told to terminals.
func TestProblems(t *testing.T) {
	t.Parallel()
	status, doc := problemOf(errors.New("the password is swordfish"))
	if status != http.StatusInternalServerError || strings.Contains(string(doc), "swordfish") {
		t.Errorf("%d %s", status, doc)
	}
	status, doc = problemOf(mianmi.InvalidField("have", "want a number"))
	if status != http.StatusBadRequest || !strings.Contains(string(doc), `"field":"have"`) {
		t.Errorf("%d %s", status, doc)
	}
}
