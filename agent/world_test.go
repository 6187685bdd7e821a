package agent_test

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/agent"
	"github.com/mianmi/mianmi/agent/agenttest"
	"github.com/mianmi/mianmi/agent/disk"
	"github.com/mianmi/mianmi/agent/link"
	"github.com/mianmi/mianmi/agent/model"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// clock is the machine's, and can be moved on.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) Now() time.Time { return time.Now().UTC().Add(c.Ahead()) }

func (c *clock) Ahead() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ahead
}

func (c *clock) Move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// machine is a terminal on its folder, which can be switched off and on.
type machine struct {
	*agent.Terminal
	t     *testing.T
	host  *agenttest.Host
	dir   string
	model string
	clock *clock // of leases
	stop  func()

	version string                           // of the program, when a test changes it
	change  func(*agent.Parts, *disk.Folder) // what a test has otherwise; nil: nothing
}

func on(t *testing.T, host *agenttest.Host, family string) *machine {
	t.Helper()
	m := &machine{t: t, host: host, dir: t.TempDir(), model: family, clock: &clock{}}
	m.start()
	t.Cleanup(func() { m.off() })
	return m
}

func (m *machine) parts(folder *disk.Folder) agent.Parts {
	kind, err := model.Load(m.model)
	if err != nil {
		m.t.Fatal(err)
	}
	wall := mianmi.ClockFunc(func() time.Time { return time.Now().UTC() })
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	began := time.Now()
	return agent.Parts{Folder: folder, Model: kind, Clock: wall, Up: func() time.Duration { return time.Since(began) + m.clock.Ahead() },
		Random: rand.Reader, Log: log, Device: protocol.Device{OS: "test", Firmware: "1", App: "1.0.0"},
		Link: link.Options{Clock: wall, Random: rand.Reader, Log: log}, Restart: func() error { return nil }}
}

// start switches the machine on.
func (m *machine) start() {
	m.t.Helper()
	folder, lock, err := disk.Open(m.dir)
	if err != nil {
		m.t.Fatal(err)
	}
	parts := m.parts(folder)
	if m.change != nil {
		m.change(&parts, folder)
	}
	m.Terminal, err = agent.Start(m.t.Context(), parts, agent.Join{Host: m.host.URL, Code: m.host.Code})
	if err != nil {
		m.t.Fatal(errors.Join(err, lock.Close()))
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	m.stop = sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-ended, lock.Close()); err != nil {
			m.t.Error(err)
		}
	})
}

func (m *machine) off() { m.stop() }

func (m *machine) reboot() {
	m.t.Helper()
	m.off()
	m.start()
}

// wait waits until what holds.
func (m *machine) wait(what string, holds func() bool) {
	m.t.Helper()
	end := time.After(3 * time.Minute) // a bound, not a measure: the machine may be slow
	for {
		changed := m.Changed()
		if holds() {
			return
		}
		select {
		case <-changed:
		case <-end:
			m.t.Fatalf("waited in vain for: %s; %+v", what, m.Till.View())
		}
	}
}

func (m *machine) waitHolds(what string, want ...agent.Hold) {
	m.t.Helper()
	m.wait(what, func() bool {
		h := m.Setting().Holds
		if len(h) != len(want) {
			return false
		}
		for i := range h {
			if h[i] != want[i] {
				return false
			}
		}
		return true
	})
}

// pay brings a payment to where it stops by itself.
func (m *machine) pay(minor int64, method, read string) agent.View {
	m.t.Helper()
	m.begin(minor, method, read)
	m.wait("the host's answer", func() bool {
		s := m.Till.View().Stage
		return s == agent.Done || s == agent.Waiting || s == agent.ShowingQR
	})
	return m.Till.View()
}

func (m *machine) begin(minor int64, method, read string) {
	m.t.Helper()
	must(m.t, m.Till.Begin(money.Of(minor, "CNY")))
	must(m.t, m.Till.Choose(method))
	if read != "" {
		must(m.t, m.Till.Read(read))
	}
}

func (m *machine) done() agent.Slip {
	m.t.Helper()
	m.wait("the outcome", func() bool { return m.Till.View().Stage == agent.Done })
	return *m.Till.View().Slip
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
