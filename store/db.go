// Package store holds every SQL statement, for SQLite and PostgreSQL.
//
// One text serves both engines; what must differ stands in dialect.go. There
// is no business rule here: a method reads what a domain package asks for,
// lets it decide, and writes what it left.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // registers the driver "sqlite": SQLite without cgo

	"github.com/mianmi/mianmi"
)

// DB is an open database.
type DB struct {
	write   *sql.DB       // SQLite: one connection, transactions begin immediate
	read    *sql.DB       // several connections; SQLite: read only
	pool    *pgxpool.Pool // PostgreSQL only
	dialect dialect
	opts    Options

	onClose  []func() // what was opened later
	file     string   // SQLite: what was opened, and which file it was
	opened   os.FileInfo
	settings settingsCache // what payments read (settings.go)

	askedMu     sync.Mutex
	askedBefore map[string]*sql.Stmt // questions of asof, compiled; SQLite only
}

// Options tune a DB. Zero values mean the defaults.
type Options struct {
	ConnsMax    int           // PostgreSQL connections that write, default 32; half as many read, and payments have lanesMax
	WriteLimit  time.Duration // longest time of a write that has begun, default 10 s
	BusyTimeout time.Duration // SQLite: wait for another process's write, default 5 s
	CacheKiB    int           // SQLite page cache of the connection that writes, default 262,144 (256 MiB); of each that reads an eighth
	NoSync      bool          // SQLite: commits are not on disk when they return. For a file that is not in service yet
}

func (o Options) withDefaults() Options {
	if o.ConnsMax <= 0 {
		o.ConnsMax = 32
	}
	if o.WriteLimit <= 0 {
		o.WriteLimit = 10 * time.Second
	}
	if o.BusyTimeout <= 0 {
		o.BusyTimeout = 5 * time.Second
	}
	if o.CacheKiB <= 0 {
		o.CacheKiB = 256 << 10
	}
	return o
}

// readCaches is how much smaller the cache of a connection that reads is.
const readCaches = 8

// Open opens "sqlite:FILE" or "postgres://…" and checks that it answers. It
// does not migrate. An unknown scheme is an Invalid error that names "db".
func Open(ctx context.Context, dsn string, opts Options) (*DB, error) {
	opts = opts.withDefaults()
	switch {
	case strings.HasPrefix(dsn, "sqlite:"):
		return openSQLite(ctx, strings.TrimPrefix(dsn, "sqlite:"), opts)
	case strings.HasPrefix(dsn, "postgres://"), strings.HasPrefix(dsn, "postgresql://"):
		return openPostgres(ctx, dsn, opts)
	}
	return nil, mianmi.InvalidField("db", `want "sqlite:FILE" or "postgres://user@host/name"`)
}

func openSQLite(ctx context.Context, file string, opts Options) (*DB, error) {
	if file == "" || strings.Contains(file, ":memory:") {
		return nil, mianmi.InvalidField("db", "SQLite needs a file: money is not kept in memory")
	}
	pragmas := []string{
		"journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)", "temp_store(MEMORY)",
		fmt.Sprintf("busy_timeout(%d)", opts.BusyTimeout.Milliseconds()),
		fmt.Sprintf("cache_size(-%d)", opts.CacheKiB),
		"wal_autocheckpoint(32768)", // 128 MiB: a page that many payments touch is moved once
	}
	if opts.NoSync {
		pragmas = append(pragmas, "synchronous(OFF)")
	}
	before, _ := os.Stat(file) // nil: it is made now
	q := url.Values{"_pragma": pragmas, "_txlock": {"immediate"}}
	write, err := sql.Open("sqlite", "file:"+file+"?"+q.Encode())
	if err != nil {
		return nil, fmt.Errorf("open sqlite: %w", err)
	}
	write.SetMaxOpenConns(1)
	q.Set("_txlock", "deferred")
	q.Add("_pragma", "query_only(ON)")
	// Several of them would each hold the whole file; the system holds it anyway.
	q.Add("_pragma", fmt.Sprintf("cache_size(-%d)", opts.CacheKiB/readCaches))
	read, err := sql.Open("sqlite", "file:"+file+"?"+q.Encode())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open sqlite: %w", err), write.Close())
	}
	read.SetMaxOpenConns(max(4, runtime.NumCPU()))
	read.SetMaxIdleConns(max(4, runtime.NumCPU()))
	db := &DB{write: write, read: read, dialect: sqliteDialect, opts: opts}
	// The write connection goes first: it makes the file and its WAL mode.
	if err := errors.Join(write.PingContext(ctx), read.PingContext(ctx)); err != nil {
		return nil, errors.Join(unavailable("open sqlite", err), db.Close())
	}
	if err := db.sameFile(file, before); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func openPostgres(ctx context.Context, dsn string, opts Options) (*DB, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		// The driver's text may quote the password.
		return nil, mianmi.InvalidField("db", "not a PostgreSQL address")
	}
	cfg.MaxConns = int32(min(opts.ConnsMax, 1<<15)) //nolint:gosec // bounded
	cfg.ConnConfig.RuntimeParams["application_name"] = "mianmi"
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
	cfg.AfterConnect = func(ctx context.Context, c *pgx.Conn) error { return prepare(ctx, c, opts, lockWaitMax) }
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, unavailable("open postgres", err)
	}
	// Reads have connections of their own: a transaction that holds a lock and
	// reads the settings must not wait for those who wait for its lock.
	cfg = cfg.Copy()
	cfg.MaxConns = max(4, cfg.MaxConns/2)
	reads, err := pgxpool.NewWithConfig(ctx, cfg)
	if err == nil {
		err = errors.Join(pool.Ping(ctx), reads.Ping(ctx))
	}
	if err != nil {
		pool.Close()
		if reads != nil {
			reads.Close()
		}
		return nil, unavailable("reach postgres", err)
	}
	return &DB{write: overPool(pool), read: overPool(reads), pool: pool, dialect: postgresDialect, opts: opts,
		onClose: []func(){reads.Close}}, nil
}

// overPool is database/sql over a pool, which keeps the connections.
func overPool(pool *pgxpool.Pool) *sql.DB {
	std := stdlib.OpenDBFromPool(pool)
	std.SetMaxIdleConns(0)
	return std
}

// lockWaitMax bounds the wait for a row that another transaction holds, so that
// one which hangs does not use up the connections. The answer is Unavailable.
const lockWaitMax = "SET lock_timeout = '3s'"

// idleMax lets the server end a transaction whose process stands still, with a
// machine that is frozen or has vanished: else payers, and the epoch that an
// emergency stop has to raise, stay locked until it moves again. No transaction
// of ours rests for as long as a whole write may take.
func idleMax(o Options) string {
	return fmt.Sprintf("SET idle_in_transaction_session_timeout = %d", o.WriteLimit.Milliseconds())
}

// prepare sets a new connection up.
func prepare(ctx context.Context, c *pgx.Conn, o Options, sets ...string) error {
	for _, set := range append(sets, idleMax(o)) {
		if _, err := c.Exec(ctx, set); err != nil {
			return err
		}
	}
	return durableCommit(ctx, c)
}

// durableCommit makes sure that no commit on this connection is answered
// before it is on disk, whatever the server's default is. A stronger setting
// (remote_apply) is left alone.
func durableCommit(ctx context.Context, c *pgx.Conn) error {
	var v string
	if err := c.QueryRow(ctx, "SELECT current_setting('synchronous_commit')").Scan(&v); err != nil {
		return err
	}
	if v == "off" || v == "local" {
		_, err := c.Exec(ctx, "SET synchronous_commit = on")
		return err
	}
	return nil
}

// Close closes every connection.
func (db *DB) Close() error {
	err := errors.Join(db.write.Close(), db.read.Close())
	for _, fn := range db.onClose {
		fn()
	}
	if db.pool != nil {
		db.pool.Close()
	}
	return err
}

// Engine is "sqlite" or "postgres".
func (db *DB) Engine() string { return db.dialect.name }

// Ping asks the database for a sign of life.
func (db *DB) Ping(ctx context.Context) error {
	if err := db.read.PingContext(ctx); err != nil {
		return unavailable("ping", err)
	}
	return nil
}
