package fleet

import (
	"bufio"
	"encoding/json"
	"encoding/pem"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mianmi/mianmi/terminal/protocol"
)

// The clients of mosquitto, which nobody here wrote, speak with the host by what
// docs/terminal-protocol.md says: certificate, topics, JSON.
func TestMosquitto(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"mosquitto_sub", "mosquitto_pub"} {
		if _, err := exec.LookPath(name); err != nil {
			if os.Getenv("MIANMI_TEST_REQUIRE_MOSQUITTO") != "" {
				t.Fatal(err)
			}
			t.Skip("SKIPPED: the clients of mosquitto are not installed")
		}
	}
	w := newWorld(t, nil)
	d := w.enrol("tm1")
	m := subscribe(t, d)
	// It does not say when it has subscribed: ask until the first answer comes.
	answered := make(chan struct{})
	go func() {
		for range 30 {
			m.publish(protocol.TopicAsk(d.id, "config", 7), `{"have":0}`)
			select {
			case <-answered:
				return
			case <-time.After(time.Second):
			}
		}
	}()
	var a protocol.Answer
	first := m.await(protocol.TopicAnswer(d.id, 7) + " ")
	close(answered)
	if err := json.Unmarshal([]byte(first), &a); err != nil {
		t.Fatal(err)
	}
	if c, err := protocol.DecodeConfig(a.Config); err != nil || c.Terminal != d.id || c.Version != 1 {
		t.Errorf("%+v, %v", c, err)
	}
	m.publish(protocol.TopicAsk(d.id, "report", 8), string(report(t, d)))
	if err := json.Unmarshal([]byte(m.await(protocol.TopicAnswer(d.id, 8)+" ")), &a); err != nil || a.Status != 200 {
		t.Errorf("%+v, %v", a, err)
	}
	w.change()
	var h protocol.Hint
	if err := json.Unmarshal([]byte(m.await(protocol.TopicHint(d.id)+" ")), &h); err != nil || h.Version != 2 {
		t.Errorf("%+v, %v", h, err)
	}
}

// mosquittoClients are mosquitto_sub, whose lines come one by one, and
// mosquitto_pub.
type mosquittoClients struct {
	t     *testing.T
	args  []string
	lines chan string
}

func subscribe(t *testing.T, d *device) *mosquittoClients {
	t.Helper()
	m := &mosquittoClients{t: t, args: mosquitto(t, d), lines: make(chan string, 64)}
	sub := exec.CommandContext(t.Context(), "mosquitto_sub", append(m.args, "-v", "-t", protocol.TopicHint(d.id), "-t", protocol.TopicAnswers(d.id))...)
	out, err := sub.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := sub.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sub.Process.Kill(); _ = sub.Wait() })
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			m.lines <- s.Text()
		}
	}()
	return m
}

// await returns the rest of the next line that begins so.
func (m *mosquittoClients) await(prefix string) string {
	m.t.Helper()
	deadline := time.After(3 * soon)
	for {
		select {
		case l := <-m.lines:
			if rest, ok := strings.CutPrefix(l, prefix); ok {
				return rest
			}
		case <-deadline:
			m.t.Fatalf("no line that begins with %q", prefix)
		}
	}
}

func (m *mosquittoClients) publish(topic, message string) {
	pub := exec.CommandContext(m.t.Context(), "mosquitto_pub", append(m.args, "-t", topic, "-m", message)...)
	if text, err := pub.CombinedOutput(); err != nil && m.t.Context().Err() == nil {
		m.t.Errorf("mosquitto_pub: %v: %s", err, text)
	}
}

// mosquitto gives the arguments that both clients take.
func mosquitto(t *testing.T, d *device) []string {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, b *pem.Block) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	host, port, err := net.SplitHostPort(d.w.MQTT())
	if err != nil {
		t.Fatal(err)
	}
	return []string{"-h", host, "-p", port, "-V", "mqttv311",
		"--cafile", write("ca.pem", &pem.Block{Type: "CERTIFICATE", Bytes: d.w.CA.Certificate()}),
		"--cert", write("terminal.pem", &pem.Block{Type: "CERTIFICATE", Bytes: d.cert.Certificate[0]}),
		"--key", write("terminal.key", &pem.Block{Type: "PRIVATE KEY", Bytes: keyDER(t, d.key)})}
}
