package store_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/store/pgtest"
)

// open returns a migrated database of the engine, closed with the test.
func open(t *testing.T, engine string) *store.DB {
	t.Helper()
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "mianmi.db")
	if engine == "postgres" {
		dsn = pgtest.Open(t)
	}
	db, err := store.Open(t.Context(), dsn, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}

var engines = []string{"sqlite", "postgres"}

// A second migration finds nothing to do, and the schema is the newest.
func TestMigrateTwice(t *testing.T) {
	t.Parallel()
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			db := open(t, engine)
			steps, err := db.Migrate(t.Context())
			if err != nil || len(steps) != 0 {
				t.Fatalf("second migration took %v, %v", steps, err)
			}
			have, want, err := db.Schema(t.Context())
			if err != nil || have != want || have == 0 {
				t.Fatalf("schema %d, want %d, %v", have, want, err)
			}
		})
	}
}

// An address that cannot be is refused and names the setting, not the secret.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{"", "mysql://x", "sqlite:", "sqlite::memory:", "postgres://u:secret@%zz"} {
		_, err := store.Open(t.Context(), dsn, store.Options{})
		var e *mianmi.Error
		if !errors.As(err, &e) || e.Kind != mianmi.Invalid || e.Field != "db" {
			t.Errorf("Open(%q) = %v, want Invalid db", dsn, err)
		}
	}
}
