package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mianmi/mianmi/agent/agenttest"
	"github.com/mianmi/mianmi/terminal/protocol"
	"github.com/mianmi/mianmi/update"
)

// releaseMark stands at the end of a copy of the test binary, before the
// version that the copy takes itself for. Systems do not mind what follows a
// program.
const releaseMark = "\nrelease of this copy: "

// releaseOfSelf is the version that this copy of the test binary takes itself
// for; "" for the original.
func releaseOfSelf() string {
	name, err := os.Executable()
	if err != nil {
		return ""
	}
	f, err := os.Open(name) //nolint:gosec // itself
	if err != nil {
		return ""
	}
	defer f.Close() //nolint:errcheck // read only
	if _, err := f.Seek(-64, io.SeekEnd); err != nil {
		return ""
	}
	b, err := io.ReadAll(f)
	if err != nil {
		return ""
	}
	_, v, _ := bytes.Cut(b, []byte(releaseMark))
	return string(v)
}

// operator is who publishes programs for a terminal's host.
type operator struct {
	t    *testing.T
	repo *update.Repository
}

func newOperator(t *testing.T) operator {
	t.Helper()
	o := operator{t, &update.Repository{Dir: filepath.Join(t.TempDir(), "updates"), Keys: []string{filepath.Join(t.TempDir(), "keys")},
		Clock: systemClock{}, Random: rand.Reader}}
	if err := o.repo.Init(); err != nil {
		t.Fatal(err)
	}
	return o
}

// attestLong is more than a program that is sound takes to prove itself.
const attestLong = 600

func (o operator) publish(version string, body []byte, attestSeconds int64) {
	o.t.Helper()
	p := update.Program{Model: "linux_countertop", Version: version, Platform: runtime.GOOS + "-" + runtime.GOARCH, Size: int64(len(body)), AttestSeconds: attestSeconds}
	if err := o.repo.Publish(p, bytes.NewReader(body)); err != nil {
		o.t.Fatal(err)
	}
}

// copyOfSelf is the test binary under another version.
func copyOfSelf(t *testing.T, version string) []byte {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(self) //nolint:gosec // itself
	if err != nil {
		t.Fatal(err)
	}
	return append(b, releaseMark+version...)
}

// lookAndRestart waits until the version is on the disk, and restarts into it.
func (p *pos) lookAndRestart(version string) {
	p.t.Helper()
	p.post("/menu/update", "/menu/update", url.Values{})
	p.page("/menu/update", "Restart into "+version)
	if page := p.page("/menu/status", "Program that waits for a restart"); !strings.Contains(page, version) {
		p.t.Errorf("the status page does not name %s", version)
	}
	p.post("/menu/restart", "/menu/restart", url.Values{})
}

// The real program shows the next version as one that comes later while its host
// says so, takes it over its own connection, runs it after a restart, and is
// confirmed by the host. The version after
// that is never confirmed, one ends at once, and one is no program at all: each
// time the former one comes back, says so to the host, and on its own screen.
func TestTerminalUpdates(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	var free atomic.Bool
	p := newPOSAt(t, "linux_countertop", agenttest.Options{Updates: update.Handler(o.repo.Dir, func(context.Context, string, string) (bool, error) { return free.Load(), nil })})
	p.post("/setup", "/setup", url.Values{"password": {"40517263"}, "again": {"40517263"}})
	p.signIn()
	p.page("/menu/update", "This is the newest version")
	first := p.host.WaitReport("the first one", func(r protocol.Report) bool { return r.Running != nil })
	o.publish("2.0.0", copyOfSelf(t, "2.0.0"), attestLong)
	p.post("/menu/update", "/menu/update", url.Values{})
	if page := p.page("/menu/update", "Update that comes later"); !strings.Contains(page, "2.0.0") || strings.Contains(page, "newest version") {
		t.Errorf("while it is held:\n%s", page)
	}
	free.Store(true)
	p.lookAndRestart("2.0.0")
	r := p.host.WaitReport("2.0.0", func(r protocol.Report) bool { return r.Device.App == "2.0.0" })
	if r.Boot.Count != first.Boot.Count+1 || !r.PinFree {
		t.Errorf("after the update: %+v, PIN-free %v", r.Boot, r.PinFree)
	}
	p.signIn()
	p.page("/menu/update", "This is the newest version")

	p.host.Deaf("3.0.0")
	o.publish("3.0.0", copyOfSelf(t, "3.0.0"), 3)
	p.lookAndRestart("3.0.0")
	back := func(version string, why update.Kind) {
		t.Helper()
		p.page("/", "PIN-free payment is on")
		p.host.WaitReport("that "+version+" was refused", func(r protocol.Report) bool {
			u := r.Update
			return r.Device.App == "2.0.0" && u != nil && u.State == "refused" && u.Version == version && u.Reason == string(why)
		})
		p.signIn()
		if page := p.page("/menu/status", why.Words().EN); !strings.Contains(page, version) {
			t.Errorf("the status page does not say that %s was refused", version)
		}
	}
	back("3.0.0", update.NotAttested)
	if err := o.repo.Withdraw("linux_countertop", "3.0.0"); err != nil {
		t.Fatal(err)
	}

	o.publish("4.0.0", []byte("this is no program\x00\x01\x02"), attestLong)
	p.lookAndRestart("4.0.0")
	back("4.0.0", update.NotStarted)
	if err := o.repo.Withdraw("linux_countertop", "4.0.0"); err != nil {
		t.Fatal(err)
	}

	o.publish("5.0.0", []byte("#!/bin/sh\nexit 1\n"), attestLong)
	p.lookAndRestart("5.0.0")
	for range 3 { // whoever looks after the machine's programs starts it again
		_ = p.cmd.Wait() // it has ended with status 1
		p.start()
	}
	back("5.0.0", update.NotAttested)
	if _, refused := p.host.Reports(); len(refused) > 0 {
		t.Errorf("refused: %v", refused)
	}
}
