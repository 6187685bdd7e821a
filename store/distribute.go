package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/mianmi/mianmi"
)

// ShardsMax is the most pieces that Distribute cuts a table into: more than
// there are buckets would stay empty.
const ShardsMax = mianmi.Buckets

// Distribution says what Distribute has done.
type Distribution struct {
	Spread []string // tables that it spread by bucket, in this run
	Copied []string // tables of which every node holds a copy, since this run
	Shards int      // pieces of each spread table, now
}

// Distribute spreads the tables of a payer over the nodes of a Citus cluster
// by their bucket, and gives every node a copy of the settings tables. It takes
// the whole of it in one transaction, under which payments wait; a table that
// is done already is left alone. shards is 1 to ShardsMax. On a database that
// cannot be distributed it is a Conflict that names the remedy, and nothing
// has changed.
func (db *DB) Distribute(ctx context.Context, shards int) (Distribution, error) {
	var done Distribution
	if shards < 1 || shards > ShardsMax {
		return done, mianmi.InvalidField("shards", fmt.Sprintf("want 1 to %d", ShardsMax))
	}
	if err := db.Distributable(ctx); err != nil {
		return done, err
	}
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		return done, unavailable("get a connection", err)
	}
	defer conn.Release()
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		done, err = distribute(ctx, tx, shards)
		return err
	})
	if err != nil {
		return Distribution{}, wrapDriver("distribute the tables", err)
	}
	// What the coordinator held before is not read any more, but still there.
	for _, t := range slices.Backward(slices.Concat(done.Copied, done.Spread)) {
		if _, err := conn.Exec(ctx, `SELECT truncate_local_data_after_distributing_table($1::text::regclass)`, t); err != nil {
			return done, wrapDriver("remove what the coordinator held of "+t, err)
		}
	}
	return done, nil
}

// Distributable reports, as a Conflict with the remedy, why this database
// cannot be distributed. It creates the extension citus where it is installed
// and may be created, and changes nothing else.
func (db *DB) Distributable(ctx context.Context) error {
	if db.pool == nil {
		return undistributable("SQLite is one file: to distribute, use PostgreSQL with the extension citus")
	}
	var available bool
	err := db.pool.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'citus')`).Scan(&available)
	if err != nil {
		return wrapDriver("look for the extension citus", err)
	}
	if !available {
		return undistributable("the extension citus is not installed on this server: install Citus 12 or newer for this PostgreSQL on every node, " +
			"add citus to shared_preload_libraries, restart, and run this again; nothing was changed")
	}
	if err := db.createCitus(ctx); err != nil {
		return err
	}
	return checkCoordinator(ctx, db.pool)
}

func undistributable(msg string) error { return mianmi.Conflicts("not_distributable", msg) }

func (db *DB) createCitus(ctx context.Context) error {
	_, err := db.pool.Exec(ctx, `CREATE EXTENSION IF NOT EXISTS citus`)
	var pg *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &pg) && pg.Code == "42501": // insufficient_privilege
		return undistributable("this role may not create the extension citus: run CREATE EXTENSION citus as a superuser, then this again; nothing was changed")
	case errors.As(err, &pg) && pg.Code[:2] != "08":
		return undistributable("the server refuses the extension citus (add citus to shared_preload_libraries and restart): " + pg.Message + "; nothing was changed")
	}
	return wrapDriver("create the extension citus", err)
}

// rowQueryer is a connection or a pool of pgx.
type rowQueryer interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// checkCoordinator makes sure that settings are read where their changes are
// acknowledged: on the coordinator, from its own copy. Another node learns of a
// committed change a moment later, and an OFF would not hold there meanwhile.
func checkCoordinator(ctx context.Context, q rowQueryer) error {
	var here, listed bool
	const where = `SELECT (SELECT groupid FROM pg_dist_local_group) = 0, EXISTS (SELECT 1 FROM pg_dist_node WHERE groupid = 0) OR NOT EXISTS (SELECT 1 FROM pg_dist_node)`
	if err := q.QueryRow(ctx, where).Scan(&here, &listed); err != nil {
		return wrapDriver("look for the coordinator", err)
	}
	switch {
	case !here:
		return undistributable("this is a worker of the Citus cluster: connect to its coordinator")
	case !listed:
		return undistributable("the coordinator holds no copy of the settings: run SELECT citus_set_coordinator_host('its host name', its port) there, then this again")
	}
	return nil
}

// table is one of ours.
type table struct {
	name   string
	bucket bool     // has a column of that name
	refers []string // tables that its foreign keys name
	done   bool
}

// distributeLock keeps two processes from distributing at once.
const distributeLock = 0x6d69616e6d69 // "mianmi"

func distribute(ctx context.Context, tx pgx.Tx, shards int) (d Distribution, err error) {
	for _, stmt := range [...]string{
		fmt.Sprintf("SELECT pg_advisory_xact_lock(%d)", distributeLock),
		"SET LOCAL client_min_messages = warning",
		// Foreign keys between copied tables allow nothing else in one transaction.
		"SET LOCAL citus.multi_shard_modify_mode TO 'sequential'",
	} {
		if _, err := tx.Exec(ctx, stmt); err != nil {
			return d, err
		}
	}
	tables, err := ourTables(ctx, tx)
	if err != nil {
		return d, err
	}
	for _, t := range tables {
		switch {
		case t.done:
		case !t.bucket:
			_, err = tx.Exec(ctx, `SELECT create_reference_table($1::text::regclass)`, t.name)
			d.Copied = append(d.Copied, t.name)
		case t.name == spreadFirst:
			_, err = tx.Exec(ctx, `SELECT create_distributed_table($1::text::regclass, 'bucket', colocate_with => 'none', shard_count => $2)`, t.name, shards)
			d.Spread = append(d.Spread, t.name)
		default:
			_, err = tx.Exec(ctx, `SELECT create_distributed_table($1::text::regclass, 'bucket', colocate_with => $2::text)`, t.name, spreadFirst)
			d.Spread = append(d.Spread, t.name)
		}
		if err != nil {
			return d, fmt.Errorf("table %s: %w", t.name, err)
		}
	}
	err = tx.QueryRow(ctx, `SELECT count(*) FROM pg_dist_shard WHERE logicalrelid = $1::text::regclass`, spreadFirst).Scan(&d.Shards)
	return d, err
}

// spreadFirst is the table that all others lie beside: rows of one bucket are
// on one node, whatever their table.
const spreadFirst = "payer"

const sqlOurTables = `SELECT c.relname,
	EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'bucket' AND NOT a.attisdropped),
	ARRAY(SELECT f.relname::text FROM pg_constraint k JOIN pg_class f ON f.oid = k.confrelid
		WHERE k.conrelid = c.oid AND k.contype = 'f' AND k.confrelid <> c.oid),
	EXISTS (SELECT 1 FROM pg_dist_partition p WHERE p.logicalrelid = c.oid AND (p.partmethod = 'h' OR p.partmethod = 'n' AND p.repmodel = 't'))
	FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND c.relname = ANY($1) ORDER BY c.relname`

// ourTables lists the tables of the migrations that are there, each after
// those that it refers to, and spreadFirst before all others with a bucket.
func ourTables(ctx context.Context, tx pgx.Tx) ([]table, error) {
	names, err := migrationTables()
	if err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, sqlOurTables, names)
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t table, err error) {
		return t, row.Scan(&t.name, &t.bucket, &t.refers, &t.done)
	})
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(list, func(t table) bool { return t.name == spreadFirst && t.bucket }) {
		return nil, mianmi.Conflicts("schema", "the database has no schema yet: run mianmi migrate")
	}
	return inOrder(list), nil
}

func inOrder(list []table) []table {
	var out []table
	ready := func(name string) bool {
		return slices.ContainsFunc(out, func(t table) bool { return t.name == name })
	}
	for len(list) > 0 {
		before := len(list)
		list = slices.DeleteFunc(list, func(t table) bool {
			ok := (!t.bucket || t.name == spreadFirst || ready(spreadFirst)) && !slices.ContainsFunc(t.refers, func(r string) bool { return !ready(r) })
			if ok {
				out = append(out, t)
			}
			return ok
		})
		if len(list) == before { // foreign keys in a circle: Citus says what it thinks of it
			return append(out, list...)
		}
	}
	return out
}

var createTable = regexp.MustCompile(`(?m)^CREATE TABLE (\w+)`)

// migrationTables are the tables that the migrations make: goose's own and
// others that share the schema are not ours to distribute.
func migrationTables() ([]string, error) {
	files, err := fs.Glob(migrations, "migrations/postgres/*.sql")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, f := range files {
		text, err := fs.ReadFile(migrations, f)
		if err != nil {
			return nil, err
		}
		for _, m := range createTable.FindAllSubmatch(text, -1) {
			names = append(names, string(m[1]))
		}
	}
	return names, nil
}

// Distributed reports whether the payers are spread over the nodes of a
// cluster, so that a transaction should keep to one bucket.
func (db *DB) Distributed(ctx context.Context) (yes bool, err error) {
	if db.pool == nil {
		return false, nil
	}
	err = db.pool.QueryRow(ctx, `SELECT to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL`).Scan(&yes)
	if err != nil || !yes {
		return false, wrapDriver("look for a distributed schema", err)
	}
	err = db.pool.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_dist_partition WHERE logicalrelid = to_regclass($1) AND partmethod = 'h')`, spreadFirst).Scan(&yes)
	return yes, wrapDriver("look for a distributed schema", err)
}

// checkCluster refuses a cluster on which an answered payment might be lost or
// an acknowledged OFF might not hold.
func (db *DB) checkCluster(ctx context.Context) error {
	if err := checkCoordinator(ctx, db.pool); err != nil {
		return err
	}
	const lazy = `SELECT count(*), coalesce(min(result), '') FROM run_command_on_all_nodes('SHOW synchronous_commit') WHERE NOT success OR result IN ('off', 'local')`
	var nodes int
	var told string
	if err := db.pool.QueryRow(ctx, lazy).Scan(&nodes, &told); err != nil {
		return wrapDriver("ask the nodes for their settings", err)
	}
	if nodes > 0 {
		return mianmi.Conflicts("not_durable", fmt.Sprintf("%d nodes of the cluster answer a commit before it is on disk, or do not answer (%q): set synchronous_commit = on on every node",
			nodes, told))
	}
	return nil
}
