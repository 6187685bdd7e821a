package store_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/store/pgtest"
	"github.com/mianmi/mianmi/store/storetest"
)

// Every implementation of the ledger keeps its contract: SQLite, PostgreSQL
// with one statement after the other, PostgreSQL in two round trips,
// and PostgreSQL with one bucket a transaction.
func TestLedger(t *testing.T) {
	t.Parallel()
	plain := func(_ context.Context, db *store.DB) (payment.Ledger, error) { return db.PlainLedger(), nil }
	fastest := func(ctx context.Context, db *store.DB) (payment.Ledger, error) { return db.Ledger(ctx) }
	oneBucket := func(ctx context.Context, db *store.DB) (payment.Ledger, error) { return db.OneBucketLedger(ctx) }
	for name, c := range map[string]struct {
		engine string
		ledger func(context.Context, *store.DB) (payment.Ledger, error)
	}{
		"sqlite": {"sqlite", plain}, "postgres plain": {"postgres", plain}, "postgres batch": {"postgres", fastest},
		"postgres one bucket": {"postgres", oneBucket},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.RunLedger(t, func(t *testing.T) storetest.Engine {
				return engine(t, c.engine, c.ledger)
			})
		})
	}
}

// engine makes an empty, migrated database.
func engine(t *testing.T, kind string, ledger func(context.Context, *store.DB) (payment.Ledger, error)) storetest.Engine {
	t.Helper()
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "mianmi.db")
	if kind == "postgres" {
		dsn = pgtest.Open(t)
	}
	return engineAt(t, dsn, ledger)
}

// engineAt migrates the database at the address.
func engineAt(t *testing.T, dsn string, ledger func(context.Context, *store.DB) (payment.Ledger, error)) storetest.Engine {
	t.Helper()
	e := storetest.Engine{DSN: dsn, Ledger: ledger, Open: func(t testing.TB) *store.DB {
		t.Helper()
		db, err := store.Open(context.WithoutCancel(t.Context()), dsn, store.Options{ConnsMax: 4, CacheKiB: 4096})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return db
	}}
	if _, err := e.Open(t).Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return e
}
