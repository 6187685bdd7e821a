package store_test

import (
	"path/filepath"
	"testing"

	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/store/pgtest"
	"github.com/mianmi/mianmi/store/storetest"
)

// nodes makes a migrated database of the engine and returns a way to open it
// again and again, as several processes would.
func nodes(engine string) func(*testing.T) storetest.Nodes {
	return func(t *testing.T) storetest.Nodes {
		t.Helper()
		dsn := "sqlite:" + filepath.Join(t.TempDir(), "mianmi.db")
		if engine == "postgres" {
			dsn = pgtest.Open(t)
		}
		node := func() *store.DB {
			t.Helper()
			db, err := store.Open(t.Context(), dsn, store.Options{ConnsMax: 4})
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
		if _, err := node().Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		return node
	}
}

// Both engines keep the contract of merchants and terminals.
func TestMerchants(t *testing.T) {
	t.Parallel()
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			storetest.Merchants(t, nodes(engine))
		})
	}
}

// On both engines every node's snapshot says the same.
func TestSettings(t *testing.T) {
	t.Parallel()
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			storetest.Settings(t, nodes(engine))
		})
	}
}

// Both engines keep the contract of enrolment codes and terminals' keys.
func TestTerminalKeys(t *testing.T) {
	t.Parallel()
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			storetest.TerminalKeys(t, nodes(engine))
		})
	}
}

// Both engines keep the contract of the life of a terminal's setting.
func TestTerminals(t *testing.T) {
	t.Parallel()
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			storetest.Terminals(t, nodes(engine))
		})
	}
}

// Both engines keep the contract of staged rollouts.
func TestRollouts(t *testing.T) {
	t.Parallel()
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			storetest.Rollouts(t, nodes(engine))
		})
	}
}

// Both engines keep the contract of staged rollouts of programs.
func TestPrograms(t *testing.T) {
	t.Parallel()
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			storetest.Programs(t, nodes(engine))
		})
	}
}

// Both engines keep the contract of staged rollouts with payments.
func TestRolloutPayments(t *testing.T) {
	t.Parallel()
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			storetest.RolloutPayments(t, nodes(engine))
		})
	}
}
