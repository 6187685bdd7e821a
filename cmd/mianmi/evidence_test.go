package main

import (
	"database/sql"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/store/pgtest"
)

// logged is a world whose log has some entries.
func logged(t *testing.T, environ ...string) world {
	t.Helper()
	w := newWorld(t, append(environ, "MIANMI_METRICS=127.0.0.1:0")...)
	w.run(t, "migrate")
	for _, login := range []string{"anna", "bert", "carl"} {
		if got := w.run(t, "staff", "create", login); got.code != exitOK {
			t.Fatal(got.stderr)
		}
	}
	at, stop := w.start(t)
	settled(t, at["metrics"])
	if code := stop(); code != exitOK {
		t.Fatalf("status %d", code)
	}
	return w
}

// copied is another world with the same folder.
func (w world) copied(t *testing.T) world {
	t.Helper()
	n := newWorld(t)
	if err := os.CopyFS(filepath.Join(n.dir, "data"), os.DirFS(filepath.Join(w.dir, "data"))); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(n.dir, "data", "keys.json"), 0o600); err != nil {
		t.Fatal(err)
	}
	return n
}

// spoil changes a database behind the program's back.
func spoil(t *testing.T, driver, dsn, statement string) {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // the statement is what counts
	res, err := db.ExecContext(t.Context(), statement)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		t.Fatalf("%s: %d rows, %v", statement, n, err)
	}
}

// checked runs evidence check and the doctor, and returns the fault that the one
// found and what the other thinks of the log's end.
func (w world) checked(t *testing.T) (fault, tail string) {
	t.Helper()
	got := w.run(t, "evidence", "check", "--json")
	var out struct {
		Entries int64
		Fault   *struct{ Kind, Words string }
	}
	if err := json.Unmarshal([]byte(got.stdout), &out); err != nil {
		t.Fatalf("%v in %q, %s", err, got.stdout, got.stderr)
	}
	if out.Fault != nil {
		fault = out.Fault.Kind
	}
	if (got.code == exitOK) != (out.Fault == nil) || out.Fault == nil && out.Entries < 3 || out.Fault != nil && out.Fault.Words == "" {
		t.Errorf("status %d, %+v", got.code, out)
	}
	statuses, _ := w.doctor(t)
	return fault, statuses["log.tail"]
}

// logKey is the verifier key that keys make for a log without a name of its own.
func logKey(t *testing.T, keys *secret.Keys) string {
	t.Helper()
	k, err := evidence.NewKey(defaultLogName(keys), keys.LogSeeds()...)
	if err != nil {
		t.Fatal(err)
	}
	return k.Public()
}

// evidence check says that a log is whole, and of one whose database was
// changed what does not fit; the doctor finds it at the log's end.
func TestEvidenceCheck(t *testing.T) {
	t.Parallel()
	good := logged(t)
	for _, tt := range []struct{ name, statement, want string }{
		{"nothing", "", ""},
		{"an entry", `UPDATE entry SET bytes = CAST(replace(CAST(bytes AS text), 'operator', 'auditor_') AS blob) WHERE id IN (SELECT entry FROM log_leaf WHERE n = 1)`, "entry_changed"},
		{"an entry that is gone", `DELETE FROM entry WHERE id IN (SELECT entry FROM log_leaf WHERE n = 2)`, "entry_missing"},
		{"a hash", `UPDATE log_hash SET hash = (SELECT hash FROM log_hash WHERE n = 0) WHERE n = 1`, "entry_changed"},
		{"a hash that is gone", `DELETE FROM log_hash WHERE n = 2`, "hash_changed"},
		{"a place in the log", `DELETE FROM log_leaf WHERE n = 0`, "entry_missing"},
		{"a signature", `UPDATE log_checkpoint SET note = replace(note, 'mianmi/', 'mianmi-')`, "checkpoint_signature"},
		{"an entry from nowhere", `INSERT INTO entry (bucket, id, at, type, subject, bytes) SELECT bucket, 'enx', at, type, subject, bytes FROM entry LIMIT 1`, "entry_unlogged"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, tail := good.copied(t), "ok"
			if tt.statement != "" {
				spoil(t, "sqlite", "file:"+filepath.Join(w.dir, "data", "mianmi.db"), tt.statement)
				tail = "fail"
			}
			if fault, said := w.checked(t); fault != tt.want || said != tail {
				t.Errorf("found %q, the doctor says %q", fault, said)
			}
		})
	}
}

// The same on PostgreSQL.
func TestEvidenceCheckPostgreSQL(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Open(t)
	w := logged(t, "MIANMI_DB="+dsn)
	if fault, tail := w.checked(t); fault != "" || tail != "ok" {
		t.Errorf("found %q in a good log, the doctor says %q", fault, tail)
	}
	spoil(t, "pgx", dsn, `UPDATE entry SET bytes = convert_to(replace(convert_from(bytes, 'UTF8'), 'operator', 'auditor_'), 'UTF8')
		WHERE id IN (SELECT entry FROM log_leaf WHERE n = 1)`)
	if fault, tail := w.checked(t); fault != "entry_changed" || tail != "fail" {
		t.Errorf("found %q, the doctor says %q", fault, tail)
	}
}

// An auditor has a public key and no secret; with the key of another log the
// check is refused.
func TestEvidenceCheckByKey(t *testing.T) {
	t.Parallel()
	w := logged(t)
	keys, err := secret.Load(filepath.Join(w.dir, "data", "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	dsn := "--db=sqlite:" + filepath.Join(w.dir, "data", "mianmi.db")
	auditor := newWorld(t)
	if got := auditor.run(t, "evidence", "check", dsn, "--key="+logKey(t, keys)); got.code != exitOK || !strings.Contains(got.stdout, "everything fits") {
		t.Errorf("%+v", got)
	}
	stranger, err := secret.New(systemRandom)
	if err != nil {
		t.Fatal(err)
	}
	if got := auditor.run(t, "evidence", "check", dsn, "--key="+logKey(t, stranger)); got.code != exitFailed || strings.Contains(got.stdout, "fits") {
		t.Errorf("the key of another log: %+v", got)
	}
	if got := auditor.run(t, "evidence", "check", dsn); got.code != exitFailed {
		t.Errorf("without key and keys file: %+v", got)
	}
}

// The log's key changes by hand in two steps, so that every node has the new
// one before it signs; receipts from before hold, and lead on from the old key.
func TestEvidenceChangeKey(t *testing.T) {
	t.Parallel()
	w := logged(t)
	keys, err := secret.Load(filepath.Join(w.dir, "data", "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	old := logKey(t, keys)
	if got := w.run(t, "evidence", "change-key"); got.code != exitFailed || !strings.Contains(got.stderr, "in force already") {
		t.Errorf("without a new key: %+v", got)
	}
	for _, step := range []string{"new-key", "change-key"} {
		if got := w.run(t, "evidence", step); got.code != exitOK {
			t.Fatalf("%s: %+v", step, got)
		}
	}
	at, stop := w.start(t)
	settled(t, at["metrics"])
	if code := stop(); code != exitOK {
		t.Fatalf("status %d", code)
	}
	if got := w.run(t, "evidence", "keys"); strings.Count(got.stdout, "\n") != 2 || !strings.Contains(got.stdout, old) || !strings.Contains(got.stdout, "now") {
		t.Errorf("%+v", got)
	}
	if fault, tail := w.checked(t); fault != "" || tail != "ok" {
		t.Errorf("found %q, the doctor says %q", fault, tail)
	}
	file := filepath.Join(w.dir, "receipt.json")
	if got := w.run(t, "receipt", "get", w.entryOf(t, "log.key.changed"), "--out", file); got.code != exitOK {
		t.Fatal(got.stderr)
	}
	if got := newWorld(t).run(t, "receipt", "verify", file, "--key="+old); got.code != exitOK || !strings.Contains(got.stdout, "changed the key of the transparency log") {
		t.Errorf("%+v", got)
	}
}
