package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/store"
)

type migrateCmd struct {
	Distribute bool `help:"Also spread the tables over the nodes of a Citus cluster, by bucket. Stop the servers first: they choose their way to pay when they start." zh:"同时按分桶把数据表分布到 Citus 集群的各节点。请先停止服务：服务在启动时决定付款的执行方式。"`
	Shards     int  `placeholder:"N" default:"64" help:"With --distribute, at the first time: pieces of each table, 1 to 256." zh:"首次使用 --distribute 时，每张表分成的片数，1 到 256。"`
}

// Validate is called by kong once every flag is set.
func (c migrateCmd) Validate() error {
	if c.Shards < 1 || c.Shards > store.ShardsMax {
		return fmt.Errorf("--shards: want 1 to %d", store.ShardsMax)
	}
	return nil
}

// Run migrates and tells each step. Several processes may do so at once. A
// database that is distributed already gets its new tables distributed too.
func (c migrateCmd) Run(ctx context.Context, a *app) (err error) {
	db, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if c.Distribute { // before anything changes
		if err := db.Distributable(ctx); err != nil {
			return err
		}
	}
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
	if _, err := fmt.Fprintf(a.stdout, done.In(a.lang), have, len(steps)); err != nil {
		return err
	}
	distributed, err := db.Distributed(ctx)
	if err != nil || !c.Distribute && !distributed {
		return err
	}
	return c.distribute(ctx, a, db)
}

func (c migrateCmd) distribute(ctx context.Context, a *app, db *store.DB) error {
	d, err := db.Distribute(ctx, c.Shards)
	if err != nil {
		return err
	}
	done := mianmi.Text{ZH: "本次分布 %d 张表（每张 %d 片），复制 %d 张设置表到各节点\n",
		EN: "%d tables distributed in %d pieces each, %d settings tables copied to every node\n"}
	_, err = fmt.Fprintf(a.stdout, done.In(a.lang), len(d.Spread), d.Shards, len(d.Copied))
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
