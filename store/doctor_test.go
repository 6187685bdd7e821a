package store_test

import (
	"context"
	"database/sql"
	"maps"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/store/pgtest"
)

// What the database says of itself is what it was set to, on connections of
// ours; the throw-away cluster has fsync off.
func TestFacts(t *testing.T) {
	t.Parallel()
	settings := map[string]map[string]string{
		"sqlite":   {"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1"},
		"postgres": {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "on"},
	}
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			db := open(t, engine)
			before := time.Now()
			f, err := db.Facts(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if f.Engine != engine || !maps.Equal(f.Settings, settings[engine]) {
				t.Errorf("engine %s, settings %v; want %v", f.Engine, f.Settings, settings[engine])
			}
			if f.Have != f.Want || f.Want < 1 || f.Version == "" || !f.Writable {
				t.Errorf("facts %+v, want the newest schema and a writable database", f)
			}
			if (engine == "postgres") != (f.Major >= 15 && f.ConnsMax > 0) {
				t.Errorf("major %d, connections %d", f.Major, f.ConnsMax)
			}
			// The same machine: SQLite's clock counts milliseconds.
			early, late := before.Add(-time.Millisecond), time.Now().Add(time.Millisecond)
			if f.Now.Before(early) || f.Later.Before(f.Now) || f.Later.After(late) {
				t.Errorf("database clock %v, %v; want between %v and %v", f.Now, f.Later, early, late)
			}
		})
	}
}

// Asking changes nothing: a database without a schema has none afterwards.
func TestFactsOfAnEmptyDatabase(t *testing.T) {
	t.Parallel()
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			db := openOnly(t, engine, address(t, engine))
			for range 2 {
				f, err := db.Facts(t.Context())
				if err != nil || f.Have != -1 || f.Want < 1 {
					t.Fatalf("schema %d of %d, %v; want -1", f.Have, f.Want, err)
				}
			}
		})
	}
}

// A file that takes no write (here: another process sits on its write lock)
// is told apart, and the trial write leaves nothing behind.
func TestFactsOfAFileThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "mianmi.db")
	db, err := store.Open(t.Context(), "sqlite:"+file, store.Options{BusyTimeout: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // nothing was written
	other, err := sql.Open("sqlite", "file:"+file+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close() //nolint:errcheck // nothing was written
	tx, err := other.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if f, err := db.Facts(t.Context()); err != nil || f.Writable {
		t.Errorf("writable %v, %v; want a file that cannot be written", f.Writable, err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if f, err := db.Facts(t.Context()); err != nil || !f.Writable {
		t.Errorf("writable %v, %v; want a file that can be written", f.Writable, err)
	}
	var tables int
	err = other.QueryRowContext(t.Context(), "SELECT count(*) FROM sqlite_master").Scan(&tables)
	if err != nil || tables != 0 {
		t.Errorf("%d tables, %v; want none", tables, err)
	}
}

// Several processes (here: handles without a common pool) that migrate one
// empty database at the same time all succeed, and each step is taken once.
func TestMigrateAtTheSameTime(t *testing.T) {
	t.Parallel()
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			const nodes = 4
			at := address(t, engine)
			var wg sync.WaitGroup
			steps := make(chan int, nodes)
			for range nodes {
				db := openOnly(t, engine, at)
				wg.Go(func() {
					names, err := db.Migrate(context.WithoutCancel(t.Context()))
					if err != nil {
						t.Errorf("migrate: %v", err)
					}
					steps <- len(names)
				})
			}
			wg.Wait()
			close(steps)
			total := 0
			for n := range steps {
				total += n
			}
			_, want, err := openOnly(t, engine, at).Schema(t.Context())
			if err != nil || int64(total) != want {
				t.Errorf("%d steps were taken together, %v; want %d", total, err, want)
			}
		})
	}
}

// address is that of a new, empty database.
func address(t *testing.T, engine string) string {
	t.Helper()
	if engine == "postgres" {
		return pgtest.Open(t)
	}
	return "sqlite:" + filepath.Join(t.TempDir(), "mianmi.db")
}

func openOnly(t *testing.T, engine, dsn string) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), dsn, store.Options{})
	if err != nil {
		t.Fatalf("open %s: %v", engine, err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}
