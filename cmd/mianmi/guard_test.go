package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/store/pgtest"
)

// copyFile copies a file over another.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// tool runs one of PostgreSQL's programs. What takes minutes waits for something
// that does not come.
func tool(t *testing.T, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if out, err := exec.CommandContext(ctx, pgtest.Program(t, name), args...).CombinedOutput(); err != nil { //nolint:gosec // a program of PostgreSQL
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// keeper copies a database and puts the copy back, by the means of its engine.
type keeper struct{ save, putBack func(t *testing.T) }

func (s *shop) keeper(t *testing.T, dsn string) keeper {
	t.Helper()
	db, copied := filepath.Join(s.dir, "data", "mianmi.db"), filepath.Join(s.dir, "copy")
	if dsn == "" {
		return keeper{func(t *testing.T) { t.Helper(); copyFile(t, db, copied) }, func(t *testing.T) { t.Helper(); copyFile(t, copied, db) }}
	}
	return keeper{func(t *testing.T) { t.Helper(); tool(t, "pg_dump", "--format=custom", "--file="+copied, dsn) },
		func(t *testing.T) {
			t.Helper()
			tool(t, "pg_restore", "--clean", "--if-exists", "--single-transaction", "--dbname="+dsn, copied)
		}}
}

const wentBack = "went back to an older copy"

// Somebody puts an older copy of the database in its place by hand, with the
// means of either engine. The server that is started on it closes PIN-free
// payment for everything, says what is missing, and records it; two persons open
// it again; and it does so once, also when another node looks later.
func TestGuardClosesWhenTheDatabaseWentBack(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			var environ []string
			dsn := ""
			if engine == "postgres" {
				dsn = pgtest.Open(t)
				environ = []string{"MIANMI_DB=" + dsn}
			}
			s, srv := newShop(t, environ...)
			k := s.keeper(t, dsn)
			srv.stop()
			k.save(t)
			s.switchedOff(t)
			seen, older := filepath.Join(s.dir, "data", "checkpoint.json"), filepath.Join(s.dir, "older.json")
			copyFile(t, seen, older) // what another node remembers

			k.putBack(t)
			if statuses, code := s.doctor(t); code != exitFailed || statuses["log.memory"] != "fail" {
				t.Errorf("the doctor: %v", statuses)
			}
			s.noticed(t)
			copyFile(t, older, seen)
			srv = s.serve(t)
			if got := s.pay(t, srv, 1); got != "pin_free" || strings.Contains(srv.log(), wentBack) {
				t.Errorf("another node: %s\n%s", got, srv.log())
			}
			srv.stop()

			k.putBack(t)
			s.noticed(t)
		})
	}
}

// switchedOff is a life of the server in which a payer switches off.
func (s *shop) switchedOff(t *testing.T) {
	t.Helper()
	srv := s.serve(t)
	if got := s.pay(t, srv, 0); got != "pin_free" {
		t.Fatalf("before switching off: %s", got)
	}
	must(srv.As(s.wallet).ClosePinFree(t.Context(), s.payers[0], nil))(t)
	if got := s.pay(t, srv, 0); got != "step_up" {
		t.Fatalf("after switching off: %s", got)
	}
	if code := srv.stop(); code != exitOK {
		t.Fatalf("status %d\n%s", code, srv.log())
	}
}

// noticed starts a server that must notice, lets two persons open everything
// again, and starts another, which finds nothing any more.
func (s *shop) noticed(t *testing.T) {
	t.Helper()
	srv := s.serve(t)
	if !strings.Contains(srv.log(), wentBack) || !strings.Contains(srv.log(), "are missing") {
		t.Errorf("the server says nothing:\n%s", srv.log())
	}
	for payer := range 2 {
		if got := s.pay(t, srv, payer); got != "step_up" {
			t.Errorf("payer %d: %s", payer, got)
		}
	}
	s.open(t, srv.As(s.operators[0]), srv.As(s.operators[1]), client.Everything)
	if got := s.pay(t, srv, 1); got != "pin_free" {
		t.Errorf("after two persons have opened it: %s", got)
	}
	if code := srv.stop(); code != exitOK {
		t.Fatalf("status %d\n%s", code, srv.log())
	}
	srv = s.serve(t)
	if got := s.pay(t, srv, 1); got != "pin_free" || strings.Contains(srv.log(), wentBack) {
		t.Errorf("the second start: %s\n%s", got, srv.log())
	}
	srv.stop()
	if got := s.run(t, "evidence", "check"); got.code != exitOK {
		t.Errorf("the log: %+v", got)
	}
	s.inside(t, func(a *app, db *store.DB) {
		log := must(a.logOf(t.Context(), db))(t)
		list := must(setBacks(t.Context(), db, log))(t)
		if len(list) != 1 || list[0].Lost < 1 || !list[0].AtLeast || list[0].Known.Size != list[0].Left.Size+list[0].Lost {
			t.Errorf("the record: %+v", list)
		}
		if p := must(db.Payer(t.Context(), s.payers[1]))(t); !p.Settings.PinFree {
			t.Error("the payer's own switch was touched")
		}
	})
}

// A server whose database is exchanged while it runs ends, for what it has in
// memory may be of what is lost.
func TestGuardEndsAServerOnAnExchangedFile(t *testing.T) {
	t.Parallel()
	s, srv := newShop(t)
	file := filepath.Join(s.dir, "data", "mianmi.db")
	copied := filepath.Join(s.dir, "copy.db")
	if got := s.run(t, "backup", copied); got.code != exitOK {
		t.Fatal(got.stderr)
	}
	if err := os.Rename(copied, file); err != nil {
		t.Fatal(err)
	}
	<-srv.gone
	if code := srv.cmd.ProcessState.ExitCode(); code != exitFailed || !strings.Contains(srv.log(), "in the place of the database") {
		t.Errorf("status %d:\n%s", code, srv.log())
	}
}

// What a node remembers cannot be read: it does not serve.
func TestGuardWithoutMemory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, "migrate")
	w.keys(t)
	w.file(t, filepath.Join("data", "checkpoint.json"), "[{")
	if got := w.run(t, "serve", "--listen=127.0.0.1:0"); got.code != exitFailed || !strings.Contains(got.stderr, "checkpoint.json") {
		t.Errorf("%+v", got)
	}
}

// A node whose folder cannot be written says so once, serves, and remembers in
// its process: there it notices as well.
func TestGuardOfAFolderThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	s := &shop{world: logged(t)}
	s.inside(t, func(a *app, db *store.DB) {
		var said bytes.Buffer
		log := must(a.logOf(t.Context(), db))(t)
		g := &guard{memory: memory{filepath.Join(s.dir, "nowhere", "checkpoint.json")}, log: log, db: db, merchants: merchant.New(db, a.clock, a.random),
			clock: a.clock, random: a.random, out: newLog(&said, "info", "text"), ended: make(chan error, 1)}
		for range 3 {
			if back := must(g.check(t.Context()))(t); back {
				t.Fatalf("went back: %s", said.String())
			}
		}
		if g.here == nil || strings.Count(said.String(), "cannot note") != 1 {
			t.Fatalf("%+v %s", g.here, said.String())
		}
		g.here.Size, g.here.Root = g.here.Size+5, tlog.Hash{}
		if back := must(g.check(t.Context()))(t); !back || !strings.Contains(said.String(), "at least 5 are missing") {
			t.Errorf("it did not notice: %s", said.String())
		}
		if p := must(db.Policy(t.Context(), merchant.Everything()))(t); p.Terms.PinFree {
			t.Error("everything is open")
		}
	})
}

// A node that cannot write its file any more when the database went back closes
// everything once: it does not end itself again and again because of what the
// file still says.
func TestGuardOfAFileThatStaysBehind(t *testing.T) {
	t.Parallel()
	s := &shop{world: logged(t)}
	s.inside(t, func(a *app, db *store.DB) {
		log := must(a.logOf(t.Context(), db))(t)
		seen := must(a.seen(t.Context(), db, log))(t)
		seen.Size, seen.Root = seen.Size+5, tlog.Hash{}
		// A name so long that there is none for the file that is to replace it.
		m := memory{filepath.Join(s.dir, strings.Repeat("x", 250))}
		text := must(json.Marshal([]seenLog{*seen}))(t)
		if err := os.WriteFile(m.file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		g := &guard{memory: m, log: log, db: db, merchants: merchant.New(db, a.clock, a.random), clock: a.clock, random: a.random,
			out: newLog(&said, "info", "text"), ended: make(chan error, 1)}
		if err := g.begin(t.Context()); err != nil || !strings.Contains(said.String(), wentBack) {
			t.Fatalf("the first look: %v %s", err, said.String())
		}
		for range 2 {
			if back := must(g.check(t.Context()))(t); back {
				t.Fatal("it would end, each time that it is started")
			}
		}
		if list := must(setBacks(t.Context(), db, log))(t); len(list) != 1 {
			t.Errorf("the record: %+v", list)
		}
	})
}

// An acknowledgment counts when it came after the node has looked, and covers
// what the node has seen.
func TestAcknowledged(t *testing.T) {
	t.Parallel()
	at := func(n int64) evidence.SetBack { return evidence.SetBack{Known: evidence.Point{Size: n}} }
	for _, tt := range []struct {
		name string
		list []evidence.SetBack
		seen int
		want bool
	}{
		{"none", nil, 0, false},
		{"one that covers it", []evidence.SetBack{at(100)}, 0, true},
		{"one that covers more", []evidence.SetBack{at(200)}, 0, true},
		{"one that covers less", []evidence.SetBack{at(99)}, 0, false},
		{"one that was there before", []evidence.SetBack{at(200)}, 1, false},
		{"a new one that covers less, an old one that covers more", []evidence.SetBack{at(99), at(200)}, 1, false},
	} {
		if got := acknowledged(tt.list, &seenLog{Size: 100, SetBacks: tt.seen}); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}
