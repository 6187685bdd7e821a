package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/store"
)

type migrateCmd struct{}

// Run migrates and tells each step. Several processes may do so at once.
func (migrateCmd) Run(ctx context.Context, a *app) (err error) {
	db, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	steps, err := db.Migrate(ctx)
	for _, s := range steps {
		_, _ = fmt.Fprintf(a.stdout, "%s\n", s)
	}
	if err != nil {
		return err
	}
	have, _, err := db.Schema(ctx)
	if err != nil {
		return err
	}
	done := mianmi.Text{ZH: "数据库结构版本：%d，本次执行 %d 步\n", EN: "schema version %d, %d steps taken\n"}
	_, err = fmt.Fprintf(a.stdout, done.In(a.lang), have, len(steps))
	return err
}

// open makes the data folder and opens the database.
func (a *app) open(ctx context.Context) (*store.DB, error) {
	if err := os.MkdirAll(a.shared.Data, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	return store.Open(ctx, a.shared.dsn(), a.shared.storeOptions())
}

// database opens the database and makes sure of its schema. An SQLite file
// belongs to this process alone and is migrated; on PostgreSQL other nodes may
// run an older program, so somebody has to say when.
func (a *app) database(ctx context.Context, migrate bool) (*store.DB, error) {
	db, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.schema(ctx, db, migrate); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func (a *app) schema(ctx context.Context, db *store.DB, migrate bool) error {
	if migrate || db.Engine() == "sqlite" {
		steps, err := db.Migrate(ctx)
		for _, s := range steps {
			a.log.InfoContext(ctx, "migrated", "step", s)
		}
		return err
	}
	have, want, err := db.Schema(ctx)
	switch {
	case err != nil:
		return err
	case have < 0:
		return mianmi.Conflicts("schema", "the database has no schema yet: run mianmi migrate (or mianmi serve --migrate)")
	case have < want:
		return mianmi.Conflicts("schema", fmt.Sprintf("the schema is at version %d and this program needs %d: run mianmi migrate (or mianmi serve --migrate)", have, want))
	}
	return nil
}
