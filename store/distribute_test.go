package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/store/pgtest"
	"github.com/mianmi/mianmi/store/storetest"
)

// citus starts a cluster of one node with the extension citus, or says why not.
func citus(t *testing.T) *pgtest.Cluster {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), pgtest.Open(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // nothing was left to send
	var available bool
	err = conn.QueryRow(t.Context(), `SELECT EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'citus')`).Scan(&available)
	if err != nil {
		t.Fatal(err)
	}
	if !available {
		t.Skip("the extension citus is not installed beside this PostgreSQL: the distribution was not run for real")
	}
	c, err := pgtest.Start(pgtest.Options{Set: []string{"shared_preload_libraries=citus", "citus.node_conninfo=sslmode=disable"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Stop() })
	return c
}

// On a real Citus the tables are spread by bucket beside each other, settings
// are copied, goose's own table stays as it is, and a second run finds nothing
// to do. Then every contract of the store holds on it.
func TestDistribute(t *testing.T) {
	t.Parallel()
	c := citus(t)
	fresh := func(t *testing.T) storetest.Engine {
		t.Helper()
		dsn, err := c.NewDatabase(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		e := engineAt(t, dsn, func(ctx context.Context, db *store.DB) (payment.Ledger, error) { return db.Ledger(ctx) })
		if _, err := e.Open(t).Distribute(t.Context(), shardsOfTest); err != nil {
			t.Fatal(err)
		}
		return e
	}
	t.Run("once and again", func(t *testing.T) {
		t.Parallel()
		distributeTwice(t, fresh(t))
	})
	for name, contract := range map[string]func(*testing.T, func(*testing.T) storetest.Nodes){
		"access": storetest.Access, "merchants": storetest.Merchants, "payers": storetest.Payers, "settings": storetest.Settings,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			contract(t, func(t *testing.T) storetest.Nodes {
				t.Helper()
				e := fresh(t)
				return func() *store.DB { return e.Open(t) }
			})
		})
	}
	t.Run("ledger", func(t *testing.T) {
		t.Parallel()
		storetest.RunLedger(t, fresh)
	})
}

// shardsOfTest keeps the cluster small: each shard of each table is a table.
const shardsOfTest = 4

func distributeTwice(t *testing.T, e storetest.Engine) {
	t.Helper()
	db := e.Open(t)
	again, err := db.Distribute(t.Context(), shardsOfTest)
	if diff := cmp.Diff(store.Distribution{Shards: shardsOfTest}, again); err != nil || diff != "" {
		t.Errorf("a second run: %v (-want +got)\n%s", err, diff)
	}
	checkSpread(t, e.DSN)
	if ledger, err := db.Ledger(t.Context()); err != nil || !ledger.OneBucket() {
		t.Errorf("the ledger is one for a single database, %v", err)
	}
	if n, err := db.Prune(t.Context(), time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), 100); n != 0 || err != nil {
		t.Errorf("pruned %d, %v", n, err)
	}
}

// checkSpread compares the catalog with what each table's columns call for.
func checkSpread(t *testing.T, dsn string) {
	t.Helper()
	const wrong = `SELECT c.relname, a.attnum IS NOT NULL, coalesce(p.partmethod::text, '') FROM pg_class c
		LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'bucket'
		LEFT JOIN pg_dist_partition p ON p.logicalrelid = c.oid
		WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
		AND coalesce(p.partmethod::text, '') <> CASE WHEN c.relname = 'goose_db_version' THEN '' WHEN a.attnum IS NOT NULL THEN 'h' ELSE 'n' END`
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // nothing was left to send
	rows, err := conn.Query(t.Context(), wrong)
	if err != nil {
		t.Fatal(err)
	}
	var name, method string
	var bucket bool
	if _, err := pgx.ForEachRow(rows, []any{&name, &bucket, &method}, func() error {
		t.Errorf("table %s (bucket: %v) is distributed as %q", name, bucket, method)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	var groups int
	if err := conn.QueryRow(t.Context(), `SELECT count(DISTINCT colocationid) FROM pg_dist_partition WHERE partmethod = 'h'`).Scan(&groups); err != nil || groups != 1 {
		t.Errorf("%d groups of tables, %v", groups, err)
	}
}

// On a database that cannot be distributed the error names the remedy, and
// nothing changes.
func TestDistributeRefuses(t *testing.T) {
	t.Parallel()
	for _, kind := range engines {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			db := open(t, kind)
			if yes, err := db.Distributed(t.Context()); yes || err != nil {
				t.Errorf("distributed: %v, %v", yes, err)
			}
			if kind == "postgres" && db.Distributable(t.Context()) == nil {
				t.Skip("this PostgreSQL has citus: TestDistribute runs it")
			}
			_, err := db.Distribute(t.Context(), shardsOfTest)
			var e *mianmi.Error
			if !errors.As(err, &e) || e.Kind != mianmi.Conflict || e.Code != "not_distributable" || !strings.Contains(e.Msg, "citus") {
				t.Errorf("error = %v", err)
			}
			for _, shards := range []int{-1, 0, store.ShardsMax + 1} {
				_, err := db.Distribute(t.Context(), shards)
				if !errors.As(err, &e) || e.Field != "shards" {
					t.Errorf("%d shards: %v", shards, err)
				}
			}
		})
	}
}
