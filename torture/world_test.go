package torture

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"

	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/store/pgtest"
)

// full makes the random tests run long.
var full = os.Getenv("MIANMI_TEST_FULL") != ""

// rounds is how often a random test runs.
func rounds(short, long int) int {
	if full {
		return long
	}
	return short
}

var engines = []string{"sqlite", "postgres"}

// ledgers are the engines, and PostgreSQL as a distributed one is used.
var ledgers = append([]string{oneBucket}, engines...)

const oneBucket = "postgres, one bucket a transaction"

// setupOf is a new world, not populated yet.
func setupOf(t *testing.T, ledger string) setup {
	t.Helper()
	s := setup{KeysFile: filepath.Join(t.TempDir(), "keys"), OneBucket: ledger == oneBucket}
	if s.OneBucket {
		ledger = "postgres"
	}
	s.DSN = newDatabase(t, ledger)
	return s
}

// newDatabase makes an empty, migrated database and returns its address.
func newDatabase(t *testing.T, engine string) string {
	t.Helper()
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "mianmi.db")
	if engine == "postgres" {
		dsn = pgtest.Open(t)
	}
	if _, err := open(t, dsn).Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return dsn
}

// open is one process's handle of a database.
func open(t *testing.T, dsn string) *store.DB {
	t.Helper()
	db, err := store.Open(context.WithoutCancel(t.Context()), dsn, store.Options{ConnsMax: 8, CacheKiB: 4096})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func newKeys(t *testing.T) *secret.Keys {
	t.Helper()
	keys, err := secret.New(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}
