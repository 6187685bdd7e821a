package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/mianmi/mianmi/store/pgtest"
)

// archived is a PostgreSQL that archives its write-ahead log, with a base backup.
type archived struct {
	*pgtest.Cluster
	archive, base string
	url           string
}

func newArchived(t *testing.T) *archived {
	t.Helper()
	pgtest.Open(t) // skips where PostgreSQL is not installed
	c, err := pgtest.Start(pgtest.Options{Set: []string{"shared_buffers=16MB", "archive_mode=on"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Stop() }) // the test is over
	a := &archived{Cluster: c, archive: filepath.Join(c.Dir(), "archive"), base: filepath.Join(t.TempDir(), "base")}
	if err := errors.Join(os.Mkdir(a.archive, 0o700), os.Chmod(a.archive, 0o777)); err != nil { //nolint:gosec // PostgreSQL's own user writes there
		t.Fatal(err)
	}
	a.url = must(a.NewDatabase(t.Context()))(t)
	conn := must(pgx.Connect(t.Context(), a.url))(t)
	defer conn.Close(t.Context()) //nolint:errcheck // nothing was left to send
	for _, q := range []string{"ALTER SYSTEM SET archive_command = 'cp %p " + a.archive + "/%f'", "SELECT pg_reload_conf()"} {
		if _, err := conn.Exec(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// flush closes the file of the write-ahead log and waits until it is in the archive.
func (a *archived) flush(t *testing.T) {
	t.Helper()
	c := must(pgx.Connect(t.Context(), a.url))(t)
	defer c.Close(t.Context()) //nolint:errcheck // read only
	var file string
	if err := c.QueryRow(t.Context(), `SELECT pg_walfile_name(pg_switch_wal())`).Scan(&file); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		// The archiver renames nothing: a file is whole when it is said to be done.
		var done bool
		if err := c.QueryRow(t.Context(), `SELECT coalesce(last_archived_wal >= $1, false) FROM pg_stat_archiver, pg_sleep(0.05)`, file).Scan(&done); err != nil {
			t.Fatal(err)
		}
		if done {
			return
		}
	}
	t.Fatalf("%s does not come into the archive", file)
}

// restored is a cluster made from the base backup and what is in the archive,
// with the database's address.
func (a *archived) restored(t *testing.T) string {
	t.Helper()
	c, err := pgtest.Start(pgtest.Options{Base: a.base, Set: []string{"shared_buffers=16MB", "restore_command=cp " + a.archive + "/%f %p"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Stop() }) // the test is over
	name := a.url[strings.LastIndex(a.url, "/")+1 : strings.Index(a.url, "?")]
	url := c.URL(name)
	for end := time.Now().Add(time.Minute); time.Now().Before(end); { // it reads before it can be written
		conn := must(pgx.Connect(t.Context(), url))(t)
		var recovering bool
		err := conn.QueryRow(t.Context(), `SELECT pg_is_in_recovery() FROM pg_sleep(0.05)`).Scan(&recovering)
		_ = conn.Close(t.Context()) // read only
		if err == nil && !recovering {
			return url
		}
	}
	t.Fatal("the recovery does not end")
	return ""
}

// on is the shop with another database.
func (s *shop) on(url string) *shop {
	n := *s
	n.environ = append(slices.DeleteFunc(slices.Clone(s.environ), func(kv string) bool { return strings.HasPrefix(kv, "MIANMI_DB=") }), "MIANMI_DB="+url)
	return &n
}

// A base backup with the archived log (PITR) brings everything back that is in
// the archive, and the server goes on with it. What was not archived yet is
// noticed: PIN-free payment is closed for everything.
func TestGuardAfterPointInTimeRecovery(t *testing.T) {
	t.Parallel()
	a := newArchived(t)
	s, srv := newShop(t, "MIANMI_DB="+a.url)
	tool(t, "pg_basebackup", "--pgdata="+a.base, "--dbname="+a.url, "--checkpoint=fast", "--wal-method=none")
	srv.stop()
	s.switchedOff(t)
	a.flush(t)
	all := s.on(a.restored(t))
	srv = all.serve(t)
	if strings.Contains(srv.log(), wentBack) {
		t.Errorf("nothing is lost, and the guard says:\n%s", srv.log())
	}
	for payer, want := range []string{"step_up", "pin_free"} {
		if got := all.pay(t, srv, payer); got != want {
			t.Errorf("payer %d after the recovery: %s, want %s", payer, got, want)
		}
	}
	srv.stop()
	if got := all.run(t, "evidence", "check"); got.code != exitOK {
		t.Errorf("the log after the recovery: %+v", got)
	}

	// The first one goes on, on its own machine with its own memory, and is lost.
	s.orders += 100
	if err := os.Remove(filepath.Join(s.dir, "data", "checkpoint.json")); err != nil {
		t.Fatal(err)
	}
	srv = s.serve(t)
	must(srv.As(s.wallet).ClosePinFree(t.Context(), s.payers[1], nil))(t)
	srv.stop()
	if err := a.Halt(); err != nil {
		t.Fatal(err)
	}
	s.on(a.restored(t)).noticed(t)
}

// The database goes back under a server that runs, as when a standby takes over
// that lacks the newest commits: the server ends, since what it has in memory
// may be of what is lost, and the next one finds everything closed.
func TestGuardEndsAServerWhoseDatabaseWentBack(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Open(t)
	s, srv := newShop(t, "MIANMI_DB="+dsn)
	k := s.keeper(t, dsn)
	srv.stop()
	k.save(t)
	s.switchedOff(t)
	srv = s.serve(t)
	k.putBack(t)
	<-srv.gone
	if code := srv.cmd.ProcessState.ExitCode(); code != exitFailed || !strings.Contains(srv.log(), "went back while this server ran") {
		t.Errorf("status %d:\n%s", code, srv.log())
	}
	srv = s.serve(t)
	if got := s.pay(t, srv, 1); got != "step_up" {
		t.Errorf("the next server: %s\n%s", got, srv.log())
	}
}
