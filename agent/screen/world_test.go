package screen_test

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http/httptest"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/agent"
	"github.com/mianmi/mianmi/agent/agenttest"
	"github.com/mianmi/mianmi/agent/disk"
	"github.com/mianmi/mianmi/agent/link"
	"github.com/mianmi/mianmi/agent/model"
	"github.com/mianmi/mianmi/agent/screen"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/terminal/protocol"
)

const password = "40517263"

// counter is a terminal with its screen on a port.
type counter struct {
	*agent.Terminal
	t    testing.TB
	host *agenttest.Host
	dir  string
	kind string
	url  string
	stop func()
}

func open(t testing.TB, kind string) *counter {
	t.Helper()
	c := &counter{t: t, host: agenttest.New(t, agenttest.Options{}), dir: t.TempDir(), kind: kind}
	c.start()
	t.Cleanup(func() { c.stop() })
	return c
}

func (c *counter) start() {
	c.t.Helper()
	folder, lock, err := disk.Open(c.dir)
	c.must(err)
	m, err := model.Load(c.kind)
	c.must(err)
	wall := mianmi.ClockFunc(func() time.Time { return time.Now().UTC() })
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	began := time.Now()
	c.Terminal, err = agent.Start(c.t.Context(), agent.Parts{Folder: folder, Model: m, Clock: wall, Up: func() time.Duration { return time.Since(began) },
		Random: rand.Reader, Log: log, Device: protocol.Device{OS: "linux 6.1", Firmware: "2.4.1", App: "1.2.0"},
		Link: link.Options{Clock: wall, Random: rand.Reader, Log: log}, Restart: func() error { return nil }},
		agent.Join{Host: c.host.URL, Code: c.host.Code})
	c.must(err)
	s, err := screen.New(screen.Parts{Terminal: c.Terminal, Clock: wall, Random: rand.Reader, Zone: time.UTC, Log: log})
	c.must(err)
	server := httptest.NewServer(s)
	c.url = server.URL
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	c.stop = sync.OnceFunc(func() {
		server.CloseClientConnections()
		server.Close()
		cancel()
		if err := <-ended; err != nil {
			c.t.Error(err)
		}
		_ = lock.Close()
	})
}

func (c *counter) reboot() {
	c.t.Helper()
	c.stop()
	c.start()
}

func (c *counter) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *counter) wait(what string, holds func() bool) {
	c.t.Helper()
	end := time.After(3 * time.Minute) // a bound, not a measure: the machine may be slow
	for {
		changed := c.Changed()
		if holds() {
			return
		}
		select {
		case <-changed:
		case <-end:
			c.t.Fatalf("waited in vain for: %s", what)
		}
	}
}

func (c *counter) waitStage(s agent.Stage) {
	c.t.Helper()
	c.wait("the stage", func() bool { return c.Till.View().Stage == s })
}

func (c *counter) begin(minor int64, method, read string) {
	c.t.Helper()
	c.must(c.Till.Begin(money.Of(minor, "CNY")))
	if method != "" {
		c.must(c.Till.Choose(method))
	}
	if read != "" {
		c.must(c.Till.Read(read))
	}
}

// chromium finds the browser; without it the test says what is missing.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}
