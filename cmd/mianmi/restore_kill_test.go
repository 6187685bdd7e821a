package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/store"
)

// never is for killedAt: let the program end by itself.
const never time.Duration = -1

// killedAt runs the program and kills it after a while, as kill -9 does; true
// when it had ended before, and well.
func (w world) killedAt(t *testing.T, after time.Duration, args ...string) (ended bool) {
	t.Helper()
	cmd := program(t, w.dir, args...)
	cmd.Env = append(cmd.Env, w.environ...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if after != never {
		timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		defer timer.Stop()
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.Exited()) {
		t.Fatalf("%v: %v", args, err)
	}
	return err == nil
}

// copied is the same shop in another folder.
func (s *shop) copied(t *testing.T) *shop {
	t.Helper()
	n := *s
	n.world = s.world.copied(t)
	return &n
}

// A restore that is killed at any point leaves the former database or the new
// one, whole, with what was off; and can be run again.
func TestRestoreKilled(t *testing.T) {
	t.Parallel()
	s, backup := backedUp(t)
	n := loseOf(t, s.run(t, "restore", "--from", backup))
	args := []string{"restore", "--from", backup, "--lose", n}
	begin := time.Now()
	if !s.copied(t).killedAt(t, never, args...) {
		t.Fatal("a restore was killed")
	}
	whole := time.Since(begin)
	kills, old, restored := full(16, 200), 0, 0
	for i := range kills {
		c := s.copied(t)
		c.killedAt(t, whole*time.Duration(i)/time.Duration(kills), args...) // the first at once
		against := c.run(t, "evidence", "check", "--against", filepath.Join(s.dir, "newest.checkpoint"))
		if c.run(t, "evidence", "check").code != exitOK || !c.offs(t)[0] {
			t.Fatalf("killed at %d of %d: the log or the switch: %+v", i+1, kills, against)
		}
		if against.code != exitOK {
			restored++
			continue
		}
		old++
		if got := c.run(t, args...); got.code != exitOK {
			t.Fatalf("killed at %d of %d, and then again: %+v", i+1, kills, got)
		}
		for _, name := range c.left(t) {
			if strings.Contains(name, restoringSuffix) {
				t.Errorf("left behind: %s", name)
			}
		}
	}
	t.Logf("%d kills: %d left the former database, %d the new one", kills, old, restored)
	if old == 0 {
		t.Error("never killed in time")
	}
}

// load pays without a pause until the context ends, counts what was
// acknowledged, and says of the first payment what became of it. A payment that
// has begun is ended: a code that nobody uses counts as live for a while, and a
// payer has few. A server that is killed later is no fault.
func (s *shop) load(ctx context.Context, srv *server, name string, paid *atomic.Int64, first chan<- error) {
	for i := 0; ctx.Err() == nil; i++ {
		whole := context.WithoutCancel(ctx)
		code, err := srv.As(s.wallet).IssueCode(whole, s.payers[i%2*2]) // the second one pays afterwards
		if err == nil {
			_, err = srv.As(s.pos).Authorize(whole, client.Authorization{Terminal: s.terminal, OrderNo: fmt.Sprintf("load%s%06d", name, i),
				Amount: money.Of(1, "CNY"), Method: "payment_code", Code: code.Code, Entry: "scanned"}) // so little that no day's limit is met
		}
		if err == nil {
			paid.Add(1)
		}
		if i == 0 {
			first <- err
		}
		if err != nil {
			return
		}
	}
}

// underLoad runs fn while the shop pays through a server, and returns how many
// payments had been acknowledged before fn began.
func (s *shop) underLoad(t *testing.T, srv *server, name string, fn func()) int64 {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var payers sync.WaitGroup
	var paid atomic.Int64
	first := make(chan error, 4)
	for i := range 4 {
		payers.Go(func() { s.load(ctx, srv, fmt.Sprint(name, i), &paid, first) })
	}
	for range 4 {
		if err := <-first; err != nil {
			t.Errorf("no payment passes: %v\n%s", err, srv.log())
		}
	}
	before := paid.Load()
	fn()
	cancel()
	payers.Wait()
	return before
}

// Backups are taken while a server is under load, and killed, and the server is
// killed under them: a file of the name is a whole backup, with every payment
// that was acknowledged before it began, or is not there. One of them is
// restored, and the server goes on with a log that verifies.
func TestBackupUnderLoadAndKills(t *testing.T) {
	t.Parallel()
	s, srv := newShop(t)
	before := int64(0)
	take := func(name string, after time.Duration) (file string, ended bool) {
		file = filepath.Join(s.dir, name)
		ended = s.killedAt(t, after, "backup", file)
		_, err := os.Stat(file)
		if ended && err != nil {
			t.Errorf("%s ended well, and is not there: %v", name, err)
		}
		if err != nil {
			return "", ended
		}
		got := must(s.examined(t, file))(t)
		if got.Payments < before || got.log.Fault != nil {
			t.Errorf("%s has %d payments of at least %d", name, got.Payments, before)
		}
		return file, ended
	}
	begin := time.Now()
	good := ""
	before += s.underLoad(t, srv, "a", func() { good, _ = take("whole.db", never) })
	whole, kills := time.Since(begin), full(8, 100)
	before += s.underLoad(t, srv, "b", func() {
		for i := range kills {
			take(fmt.Sprint("killed", i, ".db"), whole*time.Duration(i+1)/time.Duration(kills))
		}
	})
	s.underLoad(t, srv, "c", func() {
		timer := time.AfterFunc(whole/2, func() { _ = srv.cmd.Process.Kill() })
		defer timer.Stop()
		if _, ended := take("orphan.db", never); !ended {
			t.Error("a backup failed because the server was killed")
		}
	})
	srv.kill()
	if got := s.run(t, "backup", filepath.Join(s.dir, "killed0.db.again")); got.code != exitOK {
		t.Errorf("of a server that was killed: %+v", got)
	}
	n := loseOf(t, s.run(t, "restore", "--from", good))
	if got := s.run(t, "restore", "--from", good, "--lose", n); got.code != exitOK {
		t.Fatalf("%+v", got)
	}
	srv = s.serve(t)
	s.logIn(t)
	s.open(t, srv.As(s.operators[0]), srv.As(s.operators[1]), client.Everything)
	if got := s.pay(t, srv, 1); got != "pin_free" { // of a payer whose payments of the day are not used up
		t.Errorf("after the restore: %s", got)
	}
	if code := srv.stop(); code != exitOK {
		t.Fatalf("status %d\n%s", code, srv.log())
	}
	if got := s.run(t, "evidence", "check"); got.code != exitOK {
		t.Errorf("the log: %+v", got)
	}
}

// examined looks at a backup as restore does.
func (s *shop) examined(t *testing.T, file string) (got copyFacts, err error) {
	t.Helper()
	s.inside(t, func(a *app, _ *store.DB) { got, err = a.examineCopy(t.Context(), file) })
	return got, err
}
