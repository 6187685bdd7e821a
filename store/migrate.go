package store

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
)

//go:embed migrations/sqlite/*.sql migrations/postgres/*.sql
var migrations embed.FS

func (db *DB) goose() (*goose.Provider, error) {
	dir, err := fs.Sub(migrations, "migrations/"+db.dialect.name)
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(database.Dialect(db.dialect.goose), db.write, dir)
}

// Migrate brings the schema up to this program's version, each step in a
// transaction of its own, and returns the names of the steps it took.
func (db *DB) Migrate(ctx context.Context) ([]string, error) {
	p, err := db.goose()
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	done, err := p.Up(ctx)
	if err != nil {
		return nil, wrapDriver("migrate", err)
	}
	names := make([]string, 0, len(done))
	for _, d := range done {
		names = append(names, d.Source.Path)
	}
	return names, nil
}

// Schema returns the version of the database's schema and the one that this
// program wants.
func (db *DB) Schema(ctx context.Context) (have, want int64, err error) {
	p, err := db.goose()
	if err != nil {
		return 0, 0, fmt.Errorf("read migrations: %w", err)
	}
	if have, err = p.GetDBVersion(ctx); err != nil {
		return 0, 0, wrapDriver("read schema version", err)
	}
	for _, s := range p.ListSources() {
		want = max(want, s.Version)
	}
	return have, want, nil
}
