package main

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mianmi/mianmi/agent/agenttest"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// pos is a terminal as a process of its own on its own folder.
type pos struct {
	t    *testing.T
	host *agenttest.Host
	dir  string
	kind string
	url  string
	cmd  *exec.Cmd
	out  *syncBuffer
	http *http.Client
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func newPOS(t *testing.T, kind string) *pos { return newPOSAt(t, kind, agenttest.Options{}) }

func newPOSAt(t *testing.T, kind string, o agenttest.Options) *pos {
	t.Helper()
	p := &pos{t: t, host: agenttest.New(t, o), dir: t.TempDir(), kind: kind, url: "http://127.0.0.1:" + agenttest.Port(t), out: &syncBuffer{},
		http: &http.Client{Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	p.start()
	t.Cleanup(p.kill)
	return p
}

func (p *pos) start() {
	p.t.Helper()
	p.cmd = program(p.t, p.dir, "terminal", "--data", "till", "--host", p.host.URL, "--code", p.host.Code.String(), "--model", p.kind,
		"--listen", strings.TrimPrefix(p.url, "http://"))
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
}

// kill ends the process as a cut of the power does.
func (p *pos) kill() {
	if p.cmd != nil && p.cmd.Process != nil {
		_ = p.cmd.Process.Kill() // it may have ended
		_ = p.cmd.Wait()         // killed: that is its status
	}
}

var csrfField = regexp.MustCompile(`name="csrf" value="([0-9a-f]+)"`)

// page waits until the screen answers with a page that has the text.
func (p *pos) page(path, want string) string {
	p.t.Helper()
	end := time.After(patience)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	last := ""
	for {
		res, err := p.http.Get(p.url + path)
		if err == nil {
			b, _ := io.ReadAll(res.Body) // half a page does not have the text
			_ = res.Body.Close()
			if last = string(b); strings.Contains(last, want) {
				return last
			}
		}
		select {
		case <-tick.C:
		case <-end:
			p.t.Fatalf("%s never showed %q:\n%s\n%s", path, want, last, p.out)
		}
	}
}

// post sends a form of the page at from, and returns the cookies that it sets.
func (p *pos) post(from, path string, form url.Values) []*http.Cookie {
	p.t.Helper()
	m := csrfField.FindStringSubmatch(p.page(from, `name="csrf"`))
	form.Set("csrf", m[1])
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := p.http.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode >= 400 {
		p.t.Fatalf("%s: %s", path, res.Status)
	}
	return res.Cookies()
}

// signIn keeps the operator's cookie for what follows.
func (p *pos) signIn() {
	p.t.Helper()
	for _, c := range p.post("/signin", "/signin", url.Values{"number": {"7"}, "password": {"40517263"}}) {
		p.http.Transport = withCookie{c}
	}
}

type withCookie struct{ c *http.Cookie }

func (w withCookie) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.AddCookie(w.c)
	return http.DefaultTransport.RoundTrip(r)
}

// The guides' way with the real program: a password that is no default, menu,
// untick, save, "after the restart", restart (the process replaces itself: the
// same number, another boot), the sentence, and the proof at the host.
func TestTerminalSwitchOff(t *testing.T) {
	t.Parallel()
	p := newPOS(t, "android_smart")
	p.page("/setup", "operator password")
	p.post("/setup", "/setup", url.Values{"password": {"40517263"}, "again": {"40517263"}})
	p.page("/", "PIN-free payment is on")
	p.signIn()
	pid := p.cmd.Process.Pid
	p.post("/menu/pin_free", "/menu/pin_free", url.Values{})
	p.page("/menu/pin_free?saved=1", "It takes effect after the restart")
	p.page("/", "in force after a restart")
	saved := p.host.WaitReport("the proposal", func(r protocol.Report) bool { return r.Pending != nil && !r.PinFree })
	if saved.Local != nil {
		t.Error("it runs before the restart")
	}
	p.post("/menu/restart", "/menu/restart", url.Values{})
	r := p.host.WaitReport("running after the restart", func(r protocol.Report) bool { return r.Local != nil && r.Pending == nil })
	if r.Boot.Count != saved.Boot.Count+1 || r.Boot.ID == saved.Boot.ID || r.PinFree || r.Local.Author != "operator 7" {
		t.Errorf("%+v after %+v", r.Boot, saved.Boot)
	}
	p.page("/", "PIN-free is off since")
	p.page("/", "proved")
	if p.cmd.Process.Pid != pid || p.cmd.ProcessState != nil {
		t.Error("the process did not replace itself")
	}
}

// Power goes at any moment, again and again, while settings come and the menu
// closes: what was closed stays closed, boots are counted on, the host refuses
// nothing, and PIN-free is never on while the newest setting of both says off.
func TestTerminalKilledAtRandom(t *testing.T) {
	t.Parallel()
	rounds := 8
	if os.Getenv("MIANMI_TEST_FULL") != "" {
		rounds = 60
	}
	p := newPOS(t, "pinpad_ecr")
	p.post("/setup", "/setup", url.Values{"password": {"40517263"}, "again": {"40517263"}})
	p.page("/", "PIN-free payment is on")
	var boots int64
	for i := range rounds {
		off := p.host.Change(func(c *protocol.Config) { c.PinFree = i%2 == 1 })
		seen := make(chan struct{})
		after := time.Duration(rand.IntN(60)) * time.Millisecond
		time.AfterFunc(after, func() { close(seen) })
		<-seen
		p.kill()
		p.start()
		r := p.host.WaitReport("the newest setting after the start", func(r protocol.Report) bool {
			return r.Running != nil && r.Running.Version == off && r.Boot.Count > boots
		})
		if r.PinFree != (i%2 == 1) {
			t.Fatalf("round %d, killed after %v: PIN-free %v", i, after, r.PinFree)
		}
		boots = r.Boot.Count
	}
	if _, refused := p.host.Reports(); len(refused) > 0 {
		t.Errorf("refused: %v", refused)
	}
}

// Killed in the middle of a payment, the program shows after its start what
// became of it, and the order was asked for once.
func TestTerminalKilledDuringPayment(t *testing.T) {
	t.Parallel()
	p := newPOS(t, "linux_countertop")
	p.post("/setup", "/setup", url.Values{"password": {"40517263"}, "again": {"40517263"}})
	p.page("/", "PIN-free payment is on")
	p.post("/", "/pay/begin", url.Values{"d": {"90000"}})
	p.post("/pay", "/pay/choose", url.Values{"method": {"payment_code"}})
	p.post("/pay", "/pay/read", url.Values{"text": {"]Q3" + agenttest.CodeRich}})
	p.page("/pay", "types the PIN")
	p.kill()
	p.host.Confirm()
	p.start()
	p.page("/pay", "before the power was lost")
	if asked, _ := p.host.Orders(); len(asked) != 1 {
		t.Errorf("orders %v", asked)
	}
	for _, name := range []string{"key", "identity", "state", "payments"} {
		info, err := os.Stat(filepath.Join(p.dir, "till", "terminal", name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v, want it there for its owner alone", name, info, err)
		}
		b, err := os.ReadFile(filepath.Join(p.dir, "till", "terminal", name))
		if err != nil || bytes.Contains(b, []byte(agenttest.CodeRich)) {
			t.Errorf("%s: a payment code is on the disk (%v)", name, err)
		}
	}
}

// What is wrong with the flags is said in one line, and a code is not repeated.
func TestTerminalFlags(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"--model":  {"--model=toaster"},
		"--screen": {"--screen=0.0.0.0:8090"},
		"--host":   {"--host=http://127.0.0.1:1"},
		"--code":   {"--code=mm1-secret"},
		"enrolled": {"--screen=127.0.0.1:0"},
	} {
		out, err := program(t, t.TempDir(), append([]string{"terminal"}, args...)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), name) || strings.Contains(string(out), "mm1-secret") {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
}
