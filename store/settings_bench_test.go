package store

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/mianmi/mianmi/store/pgtest"
)

// BenchmarkSettingsFlip is what each node pays, from the database to the new
// snapshot, when one policy of 100,000 terminals changes.
func BenchmarkSettingsFlip(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		b.Run(engine, func(b *testing.B) {
			dsn := "sqlite:" + filepath.Join(b.TempDir(), "mianmi.db")
			if engine == "postgres" {
				dsn = pgtest.Open(b)
			}
			db, err := Open(b.Context(), dsn, Options{})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = db.Close() })
			if _, err := db.Migrate(b.Context()); err != nil {
				b.Fatal(err)
			}
			fillTerminals(b, db, 100_000)
			s, err := db.Settings(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			for i := 0; b.Loop(); i++ {
				b.StopTimer()
				flip(b, db, fmt.Sprintf("tm%026d", i%100_000))
				b.StartTimer()
				next, err := db.settingsAt(b.Context(), s.Epoch()+1)
				if err != nil {
					b.Fatal(err)
				}
				s = next
			}
		})
	}
}

// fillTerminals writes n terminals, 20 to a store, in statements of 1,000 rows.
func fillTerminals(b *testing.B, db *DB, n int) {
	b.Helper()
	numbers := func(to int) string {
		return fmt.Sprintf("(WITH RECURSIVE r(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM r WHERE i < %d) SELECT i FROM r) AS n", to-1)
	}
	id := func(prefix, i string) string {
		return fmt.Sprintf("'%s' || substr('%026d', 1, 26 - length(CAST(%s AS text))) || CAST(%s AS text)", prefix, 0, i, i)
	}
	err := db.changeSettings(b.Context(), func(ctx context.Context, tx *sql.Tx, epoch int64) error {
		for _, q := range []string{
			"INSERT INTO merchant (id, name, currency, country, mcc, no_pin, upgraded, agreement_required, risk, version, created_at, epoch) VALUES ('mc1', 'm', 'CNY', 'CN', 0, 1, 1, 0, 'low', 1, 0, $1)",
			"INSERT INTO model (id, name, keypad, display, reboot, proof, methods, created_at, epoch) VALUES ('md1', 'm', 1, 1, 0, 1, 2, 0, $1)",
			"INSERT INTO store (id, merchant, name, address, created_at, epoch) SELECT " + id("st", "i") + ", 'mc1', 's', '', 0, CAST($1 AS bigint) FROM " + numbers(n/20),
			"INSERT INTO terminal (id, store, model, name, unattended, purpose, created_at, epoch) SELECT " + id("tm", "i") + ", " + id("st", "(i / 20)") + ", 'md1', 't', 0, '', 0, CAST($1 AS bigint) FROM " + numbers(n),
		} {
			if _, err := tx.ExecContext(ctx, q, epoch); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

func flip(b *testing.B, db *DB, terminal string) {
	b.Helper()
	err := db.changeSettings(b.Context(), func(ctx context.Context, tx *sql.Tx, epoch int64) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO policy (scope, subject, pin_free, version, since, actor, epoch)
VALUES (6, $1, 0, $2, 0, 'operator:sf1', $2) ON CONFLICT (scope, subject) DO UPDATE SET version = excluded.version, epoch = excluded.epoch`, terminal, epoch)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
}
