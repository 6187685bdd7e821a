package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/sqlite/*.sql migrations/postgres/*.sql
var migrations embed.FS

// How long a node waits for another that migrates the same PostgreSQL: a try
// each second, for ten minutes, longer than any step may take.
const (
	migrateLockPeriod = 1 // seconds
	migrateLockTries  = 600
)

func (db *DB) goose() (*goose.Provider, error) {
	dir, err := fs.Sub(migrations, "migrations/"+db.dialect.name)
	if err != nil {
		return nil, err
	}
	var opts []goose.ProviderOption
	if db.pool != nil {
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(migrateLockPeriod, migrateLockTries))
		if err != nil {
			return nil, err
		}
		opts = append(opts, goose.WithSessionLocker(locker))
	}
	return goose.NewProvider(database.Dialect(db.dialect.goose), db.write, dir, opts...)
}

// Migrate brings the schema up to this program's version, each step in a
// transaction of its own, and returns the names of the steps it took. Several
// processes may migrate one database at once: on PostgreSQL they queue for an
// advisory lock; on SQLite, where a step locks the file, one that lost goes
// on from where the winner is.
func (db *DB) Migrate(ctx context.Context) ([]string, error) {
	p, err := db.goose()
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	var names []string
	for {
		before, _, err := db.Schema(ctx)
		if err != nil {
			return names, err
		}
		done, err := p.Up(ctx)
		var partial *goose.PartialError
		if errors.As(err, &partial) {
			done = partial.Applied
		}
		for _, d := range done {
			names = append(names, d.Source.Path)
		}
		if err == nil {
			return names, nil
		}
		// Each turn sees a newer schema than the one before, so this ends.
		after, _, schemaErr := db.Schema(ctx)
		if schemaErr != nil || after == before || db.pool != nil {
			return names, errors.Join(wrapDriver("migrate", err), schemaErr)
		}
	}
}

// Schema returns the version of the database's schema, -1 when it has none,
// and the version that this program wants. It changes nothing.
func (db *DB) Schema(ctx context.Context) (have, want int64, err error) {
	p, err := db.goose()
	if err != nil {
		return 0, 0, fmt.Errorf("read migrations: %w", err)
	}
	for _, s := range p.ListSources() {
		want = max(want, s.Version)
	}
	var tables int
	if err := db.read.QueryRowContext(ctx, db.dialect.versionTables).Scan(&tables); err != nil {
		return 0, 0, wrapDriver("look for the schema version", err)
	}
	if tables == 0 {
		return -1, want, nil
	}
	const newest = `SELECT max(version_id) FROM goose_db_version WHERE is_applied`
	var version sql.NullInt64
	if err := db.read.QueryRowContext(ctx, newest).Scan(&version); err != nil {
		return 0, 0, wrapDriver("read the schema version", err)
	}
	if !version.Valid {
		return -1, want, nil
	}
	return version.Int64, want, nil
}
