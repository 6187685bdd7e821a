package agent_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/agent"
	"github.com/mianmi/mianmi/agent/agenttest"
	"github.com/mianmi/mianmi/agent/disk"
	"github.com/mianmi/mianmi/agent/slot"
	"github.com/mianmi/mianmi/terminal/protocol"
	"github.com/mianmi/mianmi/update"
)

// shelf is an operator's repository behind a terminal's host.
type shelf struct {
	repo  *update.Repository
	mu    sync.Mutex
	held  string // version that comes later
	cheat func(http.ResponseWriter, *http.Request) bool
}

func newShelf(t *testing.T) *shelf {
	t.Helper()
	s := &shelf{repo: &update.Repository{Dir: filepath.Join(t.TempDir(), "updates"), Keys: []string{filepath.Join(t.TempDir(), "keys")},
		Clock: mianmi.ClockFunc(time.Now), Random: rand.Reader}}
	must(t, s.repo.Init())
	return s
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	cheat := s.cheat
	s.mu.Unlock()
	if cheat == nil || !cheat(w, r) {
		update.Handler(s.repo.Dir, s.may).ServeHTTP(w, r)
	}
}

func (s *shelf) may(_ context.Context, _, version string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return version != s.held, nil
}

func (s *shelf) hold(version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = version
}

func (s *shelf) set(cheat func(http.ResponseWriter, *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cheat = cheat
}

func (s *shelf) publish(t *testing.T, version string) {
	t.Helper()
	body := bytes.Repeat([]byte("program "+version), 40_000)
	must(t, s.repo.Publish(update.Program{Model: "linux_countertop", Version: version, Platform: "linux-amd64", Size: int64(len(body)), AttestSeconds: 1}, bytes.NewReader(body)))
}

// updatable is a terminal that takes its programs from the host.
func updatable(t *testing.T, host *agenttest.Host) (*machine, func() *slot.Slots, *atomic.Int32) {
	t.Helper()
	m := &machine{t: t, host: host, dir: t.TempDir(), model: "linux_countertop", clock: &clock{}, version: "1.0.0"}
	restarts := &atomic.Int32{}
	var slots *slot.Slots
	m.change = func(p *agent.Parts, folder *disk.Folder) {
		blobs, err := disk.OpenBlobs(filepath.Join(m.dir, "programs"))
		must(t, err)
		slots, err = slot.Open(folder, blobs, time.Now)
		must(t, err)
		_, err = slots.Boot(slot.Self{Path: "/opt/pos/mianmi", Version: "1.0.0"})
		must(t, err)
		p.Device.App, p.Device.OS = m.version, "linux 6.1.0-13"
		p.Programs = &agent.Programs{Slots: slots, Platform: "linux-amd64"}
		p.Restart = func() error { restarts.Add(1); return nil }
	}
	m.start()
	t.Cleanup(func() { m.off() })
	return m, func() *slot.Slots { return slots }, restarts
}

// A program comes over the terminal's own connection, without anybody asking,
// and waits for the restart; the host hears of it. One that was tampered with
// on the way is refused, shown and reported, and so is a host that shows what
// was yesterday; a version that was withdrawn waits no longer.
func TestUpdatesComeAndAreRefused(t *testing.T) {
	t.Parallel()
	shelf := newShelf(t)
	host := agenttest.New(t, agenttest.Options{Updates: shelf})
	shelf.publish(t, "1.1.0")
	m, slots, _ := updatable(t, host)
	m.wait("1.1.0 to wait for the restart", func() bool { return m.Updates().Next == "1.1.0" })
	host.WaitReport("that it waits", func(r protocol.Report) bool {
		return r.Update != nil && *r.Update == protocol.Update{State: "waiting", Version: "1.1.0"}
	})
	shelf.publish(t, "1.2.0")
	shelf.set(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/1.2.0/") {
			return false
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(bytes.Repeat([]byte("poison! 1.2.0"), 40_000)))
		return true
	})
	must(t, m.LookForUpdate())
	m.wait("the refusal", func() bool {
		r := m.Updates().Refused
		return r != nil && *r == agent.Refused{Version: "1.2.0", Kind: update.WrongHash}
	})
	host.WaitReport("the refusal", func(r protocol.Report) bool {
		return r.Update != nil && *r.Update == protocol.Update{State: "refused", Version: "1.2.0", Reason: "wrong_hash"}
	})
	if n := slots().Standing().Next; n == nil || n.Version != "1.1.0" {
		t.Errorf("after the refusal %+v waits, want 1.1.0", n)
	}
	shelf.set(nil)
	must(t, shelf.repo.Withdraw("linux_countertop", "1.2.0"))
	must(t, shelf.repo.Withdraw("linux_countertop", "1.1.0"))
	must(t, m.LookForUpdate())
	m.wait("nothing to wait", func() bool { u := m.Updates(); return u.Next == "" && u.Refused == nil })
	shelf.set(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/timestamp.json" {
			return false
		}
		_, _ = w.Write([]byte(`{}`))
		return true
	})
	must(t, m.LookForUpdate())
	m.wait("the refusal of all", func() bool { r := m.Updates().Refused; return r != nil && r.Version == "" })
}

// A version that the host gives later is shown as such and is no failure: nothing
// is refused or reported, and it comes at the next look once the host lets it.
// One that is stopped while it waits for the restart is dropped.
func TestHeldUpdateComesLater(t *testing.T) {
	t.Parallel()
	shelf := newShelf(t)
	shelf.hold("1.1.0")
	shelf.publish(t, "1.1.0")
	host := agenttest.New(t, agenttest.Options{Updates: shelf})
	m, slots, restarts := updatable(t, host)
	m.wait("it to be held", func() bool { return m.Updates().Held == "1.1.0" })
	if u := m.Updates(); u.Failed || u.Refused != nil || u.Next != "" || u.Coming != "" || u.At.IsZero() {
		t.Errorf("while it is held: %+v", u)
	}
	shelf.hold("")
	must(t, m.LookForUpdate())
	m.wait("it to wait for the restart", func() bool { return m.Updates().Next == "1.1.0" })
	if u := m.Updates(); u.Held != "" {
		t.Errorf("when it is here: %+v", u)
	}
	host.WaitReport("that it waits", func(r protocol.Report) bool { return r.Update != nil && r.Update.State == "waiting" })

	shelf.hold("1.1.0")
	must(t, m.LookForUpdate())
	m.wait("it to be dropped", func() bool { u := m.Updates(); return u.Held == "1.1.0" && u.Next == "" })
	m.wait("the host to hear that nothing waits", func() bool {
		reports, _ := host.Reports()
		return reports[len(reports)-1].Update == nil
	})
	shelf.hold("")
	must(t, m.LookForUpdate())
	m.wait("it to wait again", func() bool { return m.Updates().Next == "1.1.0" })
	if s := slots().Standing(); s.Failure != nil || restarts.Load() != 0 {
		t.Errorf("%+v, %d restarts", s, restarts.Load())
	}
	reports, refused := host.Reports()
	for _, r := range reports {
		if r.Update != nil && r.Update.State != "waiting" {
			t.Errorf("reported %+v", *r.Update)
		}
	}
	if len(refused) > 0 {
		t.Errorf("refused: %v", refused)
	}
}

// A program on trial whose report the host accepts stays; one that it accepts
// nothing of is restarted in time, and the next start goes back.
func TestTrialEnds(t *testing.T) {
	t.Parallel()
	host := agenttest.New(t, agenttest.Options{Updates: newShelf(t)})
	m, slots, restarts := updatable(t, host)
	ready := func(version string) {
		t.Helper()
		f, _, err := slots().Blobs().Append(sumOf(version))
		must(t, err)
		_, err = f.Write([]byte(version))
		must(t, err)
		must(t, f.Close())
		whole, err := slots().Blobs().Finish(sumOf(version), int64(len(version)))
		if !whole || err != nil {
			t.Fatal(whole, err)
		}
		must(t, slots().Ready(slot.Program{Version: version, Sum: sumOf(version), AttestSeconds: 1}))
	}
	ready("1.1.0")
	m.version = "1.1.0"
	m.reboot()
	m.wait("the host's word", func() bool { return !m.Updates().Trial })
	if p := slots().Standing().Present; p == nil || p.Version != "1.1.0" || restarts.Load() != 0 {
		t.Errorf("%+v, %d restarts", p, restarts.Load())
	}
	host.Deaf("1.2.0")
	ready("1.2.0")
	m.version = "1.2.0"
	m.reboot()
	m.wait("its time to end", func() bool { return restarts.Load() > 0 })
	m.version = "1.1.0"
	m.reboot()
	host.WaitReport("that 1.2.0 was not confirmed", func(r protocol.Report) bool {
		return r.Device.App == "1.1.0" && r.Update != nil && *r.Update == protocol.Update{State: "refused", Version: "1.2.0", Reason: "not_attested"}
	})
}

func sumOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
