package main

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // registers the driver "sqlite"

	"github.com/mianmi/mianmi/store/pgtest"
	"github.com/mianmi/mianmi/torture"
)

// full makes the torture run long, as in the packages below.
func full(short, long int) int {
	if os.Getenv("MIANMI_TEST_FULL") != "" {
		return long
	}
	return short
}

// tortured runs the program and returns its status and what it said.
// MIANMI_TEST_SEED replays a run.
func tortured(t *testing.T, dir string, args ...string) (code int, out string) {
	t.Helper()
	args = append([]string{"torture", "--lang=en"}, args...)
	if seed := os.Getenv("MIANMI_TEST_SEED"); seed != "" {
		args = append(args, "--seed="+seed)
	}
	cmd := program(t, dir, args...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	err := cmd.Run()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), said.String()
}

// checkedMin is the least that a run must have checked of each promise to have
// proved anything.
func checkedMin(t *testing.T, out string, wants map[torture.Promise]int) {
	t.Helper()
	for p, least := range wants {
		line := regexp.MustCompile(`(?m)^ +(\d+) +held +` + regexp.QuoteMeta(strings.Join(strings.Fields(p.Text().EN)[:3], " "))).FindStringSubmatch(out)
		if len(line) == 0 {
			t.Errorf("nothing is said of %q", p.Text().EN)
			continue
		}
		if n, err := strconv.Atoi(line[1]); err != nil || n < least {
			t.Errorf("%q was checked %s times, want at least %d", p.Text().EN, line[1], least)
		}
	}
}

// Servers that are killed at any moment under load keep every promise: at
// least 50 kills on each database.
func TestTortureKills(t *testing.T) {
	t.Parallel()
	kills := full(50, 1000)
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			args := []string{"--faults=kill", fmt.Sprint("--rounds=", kills)}
			if engine == "postgres" {
				pgtest.Open(t) // skips where PostgreSQL is not installed
				args = append(args, "--temporary-postgres")
			}
			code, out := tortured(t, t.TempDir(), args...)
			if code != exitOK || !strings.Contains(out, "Every promise held") {
				t.Fatalf("status %d:\n%s", code, out)
			}
			checkedMin(t, out, map[torture.Promise]int{torture.Once: 20 * kills, torture.Orders: kills, torture.Balances: 4 * kills, torture.Books: 26,
				torture.Off: kills, torture.Linear: kills, torture.Stands: 20 * kills, torture.Log: 3, torture.Receipts: 20 * kills, torture.Told: 20 * kills,
				torture.Answers: 100 * kills, torture.Recovers: kills})
			t.Log(out)
		})
	}
}

// Everything else that happens to servers and databases, each at least once:
// three servers on one PostgreSQL, of which one is paused beyond every time-out
// or has a wrong clock; a database that is cut off, slow, silent or crashes; a
// full disk; a second server on one SQLite file.
func TestTortureFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		faults string
		args   []string
		rounds int
	}{
		{"three servers", "kill,kill-all,pause,clock", []string{"--temporary-postgres", "--nodes=3"}, 4},
		{"PostgreSQL", "database-cut,database-slow,database-away,database-stop", []string{"--temporary-postgres"}, 4},
		{"PostgreSQL on a full disk", "disk-full", []string{"--temporary-postgres"}, 3},
		{"SQLite", "second,disk-full", nil, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if slices.Contains(tt.args, "--temporary-postgres") {
				pgtest.Open(t) // skips where PostgreSQL is not installed
			}
			code, out := tortured(t, t.TempDir(), append(tt.args, "--faults="+tt.faults, fmt.Sprint("--rounds=", tt.rounds*full(1, 20)))...)
			if code != exitOK || !strings.Contains(out, "Every promise held") {
				t.Fatalf("status %d:\n%s", code, out)
			}
			for f := range strings.SplitSeq(tt.faults, ",") {
				if !strings.Contains(out, torture.Fault(f).Text().EN) && !strings.Contains(out, "needs root") {
					t.Errorf("%s is not among what was done", f)
				}
			}
			t.Log(out)
		})
	}
}

// For each promise there is a fault by which it is broken, and the program says
// so and ends with status 1. The faults are triggers in the database: a service
// that does the same by itself looks no different from outside.
func TestTortureCanFail(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		promise  torture.Promise
		triggers string
	}{
		{torture.Once, `AFTER INSERT ON payment WHEN NEW.order_no LIKE '%n3' BEGIN UPDATE payment SET amount = amount + 1 WHERE id = NEW.id; END`},
		{torture.Orders, `AFTER INSERT ON merchant_order BEGIN UPDATE merchant_order SET key = randomblob(16) WHERE payment = NEW.payment; END`},
		{torture.Balances, `AFTER UPDATE OF balance ON payer WHEN NEW.balance < OLD.balance AND NEW.balance % 7 = 0 BEGIN
			UPDATE payer SET balance = balance + 1 WHERE bucket = NEW.bucket AND id = NEW.id; END`},
		{torture.Books, `AFTER INSERT ON journal WHEN NEW.kind = 1 AND NEW.amount = 7 BEGIN UPDATE journal SET amount = 8 WHERE ref = NEW.ref; END`},
		{torture.Off, `AFTER UPDATE OF pin_free ON payer WHEN NEW.pin_free = 0 BEGIN UPDATE payer SET pin_free = 1 WHERE id = NEW.id; END;
			AFTER UPDATE OF open ON agreement WHEN NEW.open = 0 BEGIN UPDATE agreement SET open = 1 WHERE id = NEW.id; END;
			AFTER UPDATE OF pin_free ON policy WHEN NEW.pin_free = 0 BEGIN UPDATE policy SET pin_free = 1 WHERE scope = NEW.scope AND subject = NEW.subject; END;
			AFTER INSERT ON policy WHEN NEW.pin_free = 0 BEGIN UPDATE policy SET pin_free = 1 WHERE scope = NEW.scope AND subject = NEW.subject; END;
			AFTER INSERT ON emergency_stop BEGIN UPDATE emergency_stop SET until = placed_at WHERE id = NEW.id; END`},
		{torture.Linear, `AFTER INSERT ON payment WHEN NEW.order_no LIKE '%n5' BEGIN UPDATE agreement SET open = 0; END`},
		{torture.Stands, `AFTER INSERT ON emergency_stop WHEN NEW.epoch > 0 BEGIN INSERT INTO emergency_stop
			(id, scope, subject, reason, placed_by, placed_at, until, epoch) VALUES (upper(NEW.id), NEW.scope, NEW.subject, 'a copy', NEW.placed_by, NEW.placed_at, NEW.until, 0); END`},
		{torture.Log, `AFTER INSERT ON log_hash WHEN NEW.n = 77 BEGIN UPDATE log_hash SET hash = zeroblob(32) WHERE n = 77; END`},
		{torture.Receipts, `AFTER INSERT ON entry_waiting WHEN (SELECT type FROM entry WHERE id = NEW.entry) = 'payer.agreement.closed' BEGIN
			DELETE FROM entry WHERE id = NEW.entry; DELETE FROM entry_waiting WHERE n = NEW.n; END`},
		{torture.Told, `AFTER INSERT ON outbox WHEN NEW.n % 9 = 0 BEGIN DELETE FROM outbox WHERE n = NEW.n; END`},
		{torture.Answers, `BEFORE INSERT ON refund BEGIN SELECT RAISE(ABORT, 'broken'); END`},
	} {
		t.Run(tt.promise.Text().EN, func(t *testing.T) {
			t.Parallel()
			rounds := "--rounds=40"
			if tt.promise == torture.Told { // which is looked at in the end
				rounds = "--rounds=2"
			}
			// What a run meets with is chance: another promise may be broken first.
			out := ""
			for range 3 {
				code := 0
				if code, out = brokenBy(t, tt.triggers, rounds); code == exitFailed && strings.Contains(out, "BROKEN: "+tt.promise.Text().EN) {
					return
				}
			}
			t.Errorf("want status 1 and this promise:\n%s", out)
		})
	}
}

// brokenBy is a run on a database with triggers.
func brokenBy(t *testing.T, triggers, rounds string) (code int, out string) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "broken.db")
	if out, err := program(t, dir, "migrate", "--db=sqlite:"+file).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	db, err := sql.Open("sqlite", "file:"+file)
	for i, trigger := range strings.Split(triggers, "END;") {
		if err == nil {
			_, err = db.ExecContext(t.Context(), fmt.Sprintf("CREATE TRIGGER broken%d %s", i, strings.TrimSuffix(strings.TrimSpace(trigger), "END")+"END"))
		}
	}
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return tortured(t, dir, "--db=sqlite:"+file, "--faults=kill", rounds)
}

// A database that holds something is left alone, and so is one that no fault
// can be done to.
func TestTortureRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	demo := "--db=sqlite:" + filepath.Join(w.dir, "theirs.db")
	if got := w.run(t, "demo", "--once", "--listen=127.0.0.1:0", demo); got.code != exitOK {
		t.Fatalf("%+v", got)
	}
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{demo}, exitFailed, "in use"},
		{[]string{"--faults=pause"}, exitFailed, "none of these faults"},
		{[]string{"--faults=flood"}, exitUsage, "flood"},
		{[]string{"--nodes=9"}, exitUsage, "--nodes"},
		{[]string{"--minutes=20000"}, exitUsage, "--minutes"},
	} {
		if got := w.run(t, append([]string{"torture"}, tt.args...)...); got.code != tt.code || !strings.Contains(got.stderr, tt.want) {
			t.Errorf("%v: %+v, want status %d and %q", tt.args, got, tt.code, tt.want)
		}
	}
	// Nor does a server with a wrong clock listen to the network.
	if got := w.run(t, "torture-node", "--clock-offset=1h", "--listen=0.0.0.0:0"); got.code != exitFailed || !strings.Contains(got.stderr, "loopback") {
		t.Errorf("%+v, want a refusal", got)
	}
}
