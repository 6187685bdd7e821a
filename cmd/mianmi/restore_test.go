package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/store"
)

// backedUp is a shop with a backup, after which a payer switched off, another
// reported a loss, a key was revoked and an emergency stop placed. Nothing runs.
func backedUp(t *testing.T) (s *shop, backup string) {
	t.Helper()
	s, srv := newShop(t)
	backup = filepath.Join(s.dir, "backup.db")
	got := s.run(t, "backup", backup)
	if got.code != exitOK {
		t.Fatal(got.stderr)
	}
	s.file(t, "backup.checkpoint", got.stdout[strings.LastIndex(strings.TrimSpace(got.stdout), "\nmianmi/")+1:])
	if got := s.run(t, "restore", "--from", backup); got.code != exitFailed || !strings.Contains(got.stderr, "stop the server first") {
		t.Errorf("while the server runs: %+v", got)
	}
	if got := s.pay(t, srv, 0); got != "pin_free" {
		t.Fatalf("before switching off: %s", got)
	}
	op := srv.As(s.operators[0])
	must(srv.As(s.wallet).ClosePinFree(t.Context(), s.payers[0], nil))(t)
	must(op.Hold(t.Context(), s.payers[2], client.NewHold{Until: time.Now().Add(48 * time.Hour), Because: "case"}))(t)
	must(srv.As(s.wallet).ReportLoss(t.Context(), s.payers[2], nil))(t)
	for _, k := range must(op.APIKeys(t.Context(), "", client.Page{}))(t).Items {
		if k.Name == "wallet" {
			must(op.RevokeAPIKey(t.Context(), k.ID))(t)
		}
	}
	must(op.PlaceStop(t.Context(), client.OfTerminal(s.terminal), "盗刷", time.Hour))(t)
	if code := srv.stop(); code != exitOK {
		t.Fatalf("status %d\n%s", code, srv.log())
	}
	s.file(t, "newest.checkpoint", s.checkpoint(t))
	return s, backup
}

func (s *shop) checkpoint(t *testing.T) (note string) {
	t.Helper()
	s.inside(t, func(_ *app, db *store.DB) { note = must(db.Checkpoint(t.Context()))(t).Note })
	return note
}

// loseOf is the number that a refusal names.
func loseOf(t *testing.T, got result) string {
	t.Helper()
	n := regexp.MustCompile(`--lose (\d+)`).FindStringSubmatch(got.stderr)
	if got.code != exitFailed || n == nil || !strings.Contains(got.stderr, "nothing was changed") {
		t.Fatalf("not refused: %+v", got)
	}
	return n[1]
}

// left is what the data folder holds besides keys, database and files of cases.
func (s *shop) left(t *testing.T) (list []string) {
	t.Helper()
	for _, e := range must(os.ReadDir(filepath.Join(s.dir, "data")))(t) {
		if name := e.Name(); name != "keys.json" && name != "mianmi.db" && name != "checkpoint.json" && name != "files" {
			list = append(list, name)
		}
	}
	return list
}

func (s *shop) offs(t *testing.T) (off []bool) {
	t.Helper()
	s.inside(t, func(_ *app, db *store.DB) {
		for _, id := range s.payers {
			off = append(off, !must(db.Payer(t.Context(), id))(t).Settings.PinFree)
		}
	})
	return off
}

// A restore that would take entries away changes nothing, names them and ends
// with status 1; with the number that it named it passes. What was off is off
// after it, by its own switch, when everything has been opened again (P1).
func TestRestoreBackwards(t *testing.T) {
	t.Parallel()
	s, backup := backedUp(t)
	refused := s.run(t, "restore", "--from", backup)
	n := loseOf(t, refused)
	for _, want := range []string{"closed PIN-free payment for payer " + string(s.payers[0]), "reported a loss for payer " + string(s.payers[2]),
		"revoked API key", "placed an emergency stop", "payments: 1, of which PIN-free: 1; approved: 100 CNY"} {
		if !strings.Contains(strings.Join(strings.Fields(refused.stderr), " "), want) {
			t.Errorf("%q is not said:\n%s", want, refused.stderr)
		}
	}
	if got := s.run(t, "restore", "--from", backup, "--lose", n+"0"); loseOf(t, got) != n {
		t.Errorf("another number: %+v", got)
	}
	newest := filepath.Join(s.dir, "newest.checkpoint")
	if got := s.run(t, "evidence", "check", "--against", newest); got.code != exitOK || len(s.left(t)) > 0 || !s.offs(t)[0] {
		t.Errorf("something was changed: %v %+v", s.left(t), got)
	}

	if got := s.run(t, "restore", "--from", backup, "--lose", n); got.code != exitOK || !strings.Contains(got.stdout, "restored: ") {
		t.Fatalf("%+v", got)
	}
	left := s.left(t)
	if len(left) != 1 || !strings.HasPrefix(left[0], "mianmi.db.before-") {
		t.Fatalf("left: %v", left)
	}
	s.restored(t, left[0])
}

// restored looks at the server of backedUp after its restore.
func (s *shop) restored(t *testing.T, kept string) {
	t.Helper()
	for file, want := range map[string]int{"backup.checkpoint": exitOK, "newest.checkpoint": exitFailed} {
		if got := s.run(t, "evidence", "check", "--against", filepath.Join(s.dir, file)); got.code != want {
			t.Errorf("against %s: %+v", file, got)
		}
	}
	if got := s.run(t, "evidence", "check", "--against", filepath.Join(s.dir, "newest.checkpoint"), "--db=sqlite:"+filepath.Join(s.dir, "data", kept)); got.code != exitOK {
		t.Errorf("the former database: %+v", got)
	}
	srv := s.serve(t)
	if strings.Contains(srv.log(), wentBack) {
		t.Errorf("the guard notices what the log says itself:\n%s", srv.log())
	}
	if _, err := srv.As(s.operators[0]).Me(t.Context()); err == nil {
		t.Error("a session of before goes on")
	}
	if _, err := srv.As(s.wallet).IssueCode(t.Context(), s.payers[1]); err == nil {
		t.Error("the key that was revoked is good again")
	}
	s.logIn(t)
	op, second := srv.As(s.operators[0]), srv.As(s.operators[1])
	s.wallet = must(op.CreateAPIKey(t.Context(), client.NewAPIKey{Name: "wallet", Scopes: []string{"payers"}}))(t).Token
	if got := s.pay(t, srv, 1); got != "step_up" {
		t.Errorf("everything is closed, and a payment is %s", got)
	}
	s.open(t, op, second, client.Everything)
	stops := must(op.Stops(t.Context(), client.OfTerminal(s.terminal), true, client.Page{}))(t).Items
	if len(stops) != 1 || !stops[0].Live {
		t.Errorf("the emergency stop: %+v", stops)
	}
	for _, st := range stops {
		a := must(op.LiftStop(t.Context(), st.ID))(t)
		must(second.Approve(t.Context(), a.ID))(t)
	}
	for payer, want := range []string{"step_up", "pin_free", "step_up"} {
		if got := s.pay(t, srv, payer); got != want {
			t.Errorf("payer %d after the restore: %s, want %s", payer, got, want)
		}
	}
	if p := must(op.Payer(t.Context(), s.payers[2]))(t); p.Status.State != "frozen" || p.Status.Hold == nil || p.Status.Hold.Because != "restored" {
		t.Errorf("the loss report or the hold is lost: %+v", p.Status)
	}
	if code := srv.stop(); code != exitOK {
		t.Fatalf("status %d\n%s", code, srv.log())
	}
	if got := s.run(t, "evidence", "check"); got.code != exitOK {
		t.Errorf("the log: %+v", got)
	}
	if got := s.run(t, "receipt", "get", s.entryOf(t, evidence.RestoredType)); got.code != exitOK || !strings.Contains(got.stdout, "lost") {
		t.Errorf("the receipt of the restore: %+v", got)
	}
}

// A backup of all that there is is restored without a question, and closes nothing.
func TestRestoreOfTheNewest(t *testing.T) {
	t.Parallel()
	s, _ := backedUp(t)
	before := s.offs(t)
	newest := filepath.Join(s.dir, "newest.db")
	for _, args := range [][]string{{"backup", newest}, {"restore", "--from", newest}, {"evidence", "check", "--against", filepath.Join(s.dir, "newest.checkpoint")}} {
		if got := s.run(t, args...); got.code != exitOK {
			t.Fatalf("%v: %+v", args, got)
		}
	}
	if after := s.offs(t); before[1] || after[1] {
		t.Errorf("off: %v, before %v", after, before)
	}
	srv := s.serve(t)
	if _, err := srv.As(s.operators[0]).Me(t.Context()); err != nil || strings.Contains(srv.log(), wentBack) {
		t.Errorf("%v\n%s", err, srv.log())
	}
}

// The database is gone, or cannot be read: nobody knows what was closed after
// the backup, so every switch is closed, unless somebody says that they stay.
func TestRestoreWithoutTheFormerDatabase(t *testing.T) {
	t.Parallel()
	s, backup := backedUp(t)
	file := filepath.Join(s.dir, "data", "mianmi.db")
	text := must(os.ReadFile(file))(t)
	for _, tt := range []struct {
		name, want string
		spoil      func() error
		flags      []string
		off        bool
	}{
		{"gone", "there is no present database", func() error { return os.Remove(file) }, nil, true},
		{"no database", "cannot be read", func() error { return os.WriteFile(file, []byte("this is no database, it is a text"), 0o600) }, nil, true},
		{"full of holes", "cannot be read", func() error {
			bad := []byte(strings.Clone(string(text)))
			for i := 2 * 4096; i < len(bad); i++ {
				bad[i] = 0
			}
			return os.WriteFile(file, bad, 0o600)
		}, nil, true},
		{"gone, and the switches stay", "there is no present database", func() error { return os.Remove(file) }, []string{"--keep-switches"}, false},
	} {
		memory := must(os.ReadFile(filepath.Join(s.dir, "data", "checkpoint.json")))(t)
		if err := tt.spoil(); err != nil {
			t.Fatal(err)
		}
		args := append([]string{"restore", "--from", backup}, tt.flags...)
		refused := s.run(t, args...)
		n := loseOf(t, refused)
		if n == "0" || !strings.Contains(strings.Join(strings.Fields(refused.stderr), " "), tt.want) {
			t.Errorf("%s: %s", tt.name, refused.stderr)
		}
		if got := s.run(t, append(args, "--lose", n)...); got.code != exitOK {
			t.Fatalf("%s: %+v", tt.name, got)
		}
		if off := s.offs(t); off[1] != tt.off {
			t.Errorf("%s: off %v", tt.name, off)
		}
		if got := s.run(t, "evidence", "check"); got.code != exitOK {
			t.Errorf("%s: %+v", tt.name, got)
		}
		s.file(t, filepath.Join("data", "checkpoint.json"), string(memory)) // of the world before the loss, for the next one
	}
	srv := s.serve(t)
	if strings.Contains(srv.log(), wentBack) { // the log says so itself
		t.Errorf("%s", srv.log())
	}
	s.logIn(t)
	if p := must(srv.As(s.operators[0]).Policy(t.Context(), client.Everything))(t); p.Terms.PinFree {
		t.Error("everything is open")
	}
}

// What is no backup is refused, and nothing changes.
func TestRestoreOfWhatIsNoBackup(t *testing.T) {
	t.Parallel()
	s, backup := backedUp(t)
	file := filepath.Join(s.dir, "data", "mianmi.db")
	cut := must(os.ReadFile(backup))(t)
	live := filepath.Join(s.dir, "live.db")
	copyFile(t, backup, live)
	s.file(t, "live.db-wal", "something")
	other, _ := backedUp(t)
	for _, tt := range []struct{ name, from, want string }{
		{"a file that is not there", filepath.Join(s.dir, "nowhere.db"), "no such file"},
		{"the database itself", file, "the database itself"},
		{"a text", s.file(t, "text.db", "no database"), "nothing was changed"},
		{"half a backup", s.file(t, "half.db", string(cut[:len(cut)/2])), "nothing was changed"},
		{"a database in use", live, "in use"},
		{"a backup with other keys", filepath.Join(other.dir, "backup.db"), "other server keys"},
	} {
		if got := s.run(t, "restore", "--from", tt.from, "--lose=0"); got.code != exitFailed || !strings.Contains(got.stderr, tt.want) {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
	if got := s.run(t, "evidence", "check", "--against", filepath.Join(s.dir, "newest.checkpoint")); got.code != exitOK || len(s.left(t)) > 0 {
		t.Errorf("something was changed: %v %+v", s.left(t), got)
	}
}

// A new machine has the keys and a backup alone. Nobody knows what was lost, but
// for whoever has kept a checkpoint; a database that a server has made meanwhile
// tells nothing. Every switch is closed.
func TestRestoreOnANewMachine(t *testing.T) {
	t.Parallel()
	old, backup := backedUp(t)
	for _, served := range []bool{false, true} {
		s := *old
		s.world = newWorld(t)
		if err := os.Mkdir(filepath.Join(s.dir, "data"), 0o700); err != nil {
			t.Fatal(err)
		}
		copyFile(t, filepath.Join(old.dir, "data", "keys.json"), filepath.Join(s.dir, "data", "keys.json"))
		if served {
			s.serve(t).stop()
		}
		if n := loseOf(t, s.run(t, "restore", "--from", backup)); (n == "0") == served {
			t.Errorf("served %v: %s entries are lost for certain", served, n)
		}
		args := []string{"restore", "--from", backup, "--checkpoint", filepath.Join(old.dir, "newest.checkpoint")}
		n := loseOf(t, s.run(t, args...))
		if got := s.run(t, append(args, "--lose", n)...); n == "0" || got.code != exitOK {
			t.Fatalf("served %v: %s entries, %+v", served, n, got)
		}
		if off := s.offs(t); !off[0] || !off[1] || !off[2] {
			t.Errorf("served %v: off %v", served, off)
		}
		s.inside(t, func(a *app, db *store.DB) {
			list := must(setBacks(t.Context(), db, must(a.logOf(t.Context(), db))(t)))(t)
			if len(list) != 1 || !list[0].AtLeast || list[0].KeptSwitches || list[0].Known.Size <= list[0].Left.Size {
				t.Errorf("served %v: the record: %+v", served, list)
			}
		})
	}
}
