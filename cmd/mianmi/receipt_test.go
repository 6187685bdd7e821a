package main

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mianmi/mianmi/secret"
)

// entryOf is the identifier of some entry of a type in a world's database.
func (w world) entryOf(t *testing.T, kind string) (id string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(w.dir, "data", "mianmi.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // read only
	if err := db.QueryRowContext(t.Context(), `SELECT id FROM entry WHERE type = $1 ORDER BY id LIMIT 1`, kind).Scan(&id); err != nil {
		t.Fatal(err)
	}
	return id
}

// A receipt is fetched and verified in another place, without database or keys
// file, and told in both languages; with any byte changed, or another key
// trusted, it does not hold, and the answer says what does not fit.
func TestReceiptGetAndVerify(t *testing.T) {
	t.Parallel()
	w := logged(t)
	file := filepath.Join(w.dir, "receipt.json")
	if got := w.run(t, "receipt", "get", w.entryOf(t, "staff.created"), "--out", file); got.code != exitOK {
		t.Fatal(got.stderr)
	}
	keys, err := secret.Load(filepath.Join(w.dir, "data", "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := secret.New(systemRandom)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := newWorld(t)
	for _, tt := range []struct {
		name string
		args []string
		code int
		want []string
	}{
		{"with the log's key", []string{"--key=" + logKey(t, keys)}, exitOK, []string{"✓", "The system (command-line) created the account of staff member sf", "key is one that you gave", defaultLogName(keys)}},
		{"in Chinese", []string{"--lang=zh", "--key=" + logKey(t, keys)}, exitOK, []string{"凭证成立", "系统（command-line）创建了员工 sf", "北京时间"}},
		{"with no key", nil, exitOK, []string{"✓", "does not prove", "no key of the log was given"}},
		{"with another log's key", []string{"--key=" + logKey(t, stranger)}, exitFailed, []string{"✗", "the log's key"}},
		{"with what is no key", []string{"--key=x"}, exitFailed, nil},
		{"with more witnesses than keys", []string{"--witnesses=1"}, exitFailed, nil},
	} {
		got := elsewhere.run(t, append([]string{"receipt", "verify", file}, tt.args...)...)
		if got.code != tt.code {
			t.Errorf("%s: %+v", tt.name, got)
		}
		for _, want := range tt.want {
			if !strings.Contains(got.stdout, want) {
				t.Errorf("%s: no %q in\n%s", tt.name, want, got.stdout)
			}
		}
	}
	if left, _ := filepath.Glob(filepath.Join(elsewhere.dir, "*")); len(left) != 0 {
		t.Errorf("verifying made %v", left)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(text); i += 7 { // every bit is flipped in package evidence
		bad := append([]byte{}, text...)
		bad[i] ^= 1
		got := elsewhere.run(t, "receipt", "verify", elsewhere.file(t, "bad.json", string(bad)))
		if got.code != exitFailed || !strings.Contains(got.stdout, "does not hold") || !strings.Contains(got.stdout, "what does not fit") {
			t.Fatalf("byte %d changed: %+v", i, got)
		}
	}
	if got := w.run(t, "receipt", "get", "en0"); got.code != exitFailed || got.stdout != "" {
		t.Errorf("a receipt that is not there: %+v", got)
	}
}
