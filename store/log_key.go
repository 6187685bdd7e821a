package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
)

const (
	selectLogKey  = `SELECT public FROM log_key ORDER BY n DESC LIMIT 1`
	selectLogKeys = `SELECT public, size, at, statement FROM log_key ORDER BY n`
	insertLogKey  = `INSERT INTO log_key (n, size, at, public, statement) SELECT COALESCE(MAX(n) + 1, 0), CAST($1 AS bigint), CAST($2 AS bigint),
CAST($3 AS text), CAST($4 AS text) FROM log_key`
	selectSome   = `SELECT 1 FROM entry_waiting LIMIT 1`
	countWaiting = `SELECT count(*) FROM (SELECT 1 FROM entry_waiting LIMIT $1) AS w`
	selectOldest = `SELECT e.at FROM entry_waiting w JOIN entry e ON e.bucket = w.bucket AND e.id = w.entry ORDER BY w.n LIMIT 1`
)

// HandOverLogKey implements evidence.Store.
func (db *DB) HandOverLogKey(ctx context.Context, fn func(size int64, inForce string) (evidence.KeyInForce, evidence.Entry, error)) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, db.dialect.lockLog); err != nil { // lock_timeout bounds the wait
			return wrapDriver("lock the log", err)
		}
		size, inForce, err := readLogHead(ctx, tx)
		if err != nil {
			return err
		}
		k, e, err := fn(size, inForce)
		if err != nil {
			return err
		}
		if err := insertKeyOfLog(ctx, tx, k); err != nil {
			return err
		}
		return writeEntries(ctx, tx, mianmi.BucketOf(e.Subject), size, e)
	})
}

// readLogHead returns the size of the log and the key in force.
func readLogHead(ctx context.Context, tx *sql.Tx) (size int64, inForce string, err error) {
	if err := tx.QueryRowContext(ctx, selectLogSize).Scan(&size); err != nil {
		return 0, "", wrapDriver("read the size of the log", err)
	}
	err = tx.QueryRowContext(ctx, selectLogKey).Scan(&inForce)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return size, inForce, wrapDriver("read the log's key", err)
}

func insertKeyOfLog(ctx context.Context, tx *sql.Tx, k evidence.KeyInForce) error {
	_, err := tx.ExecContext(ctx, insertLogKey, k.Size, micros(k.At), k.Public, k.Statement)
	return wrapDriver("write the log's key", err)
}

// LogKeys implements evidence.Store.
func (db *DB) LogKeys(ctx context.Context) (list []evidence.KeyInForce, err error) {
	rows, err := db.read.QueryContext(ctx, selectLogKeys)
	if err != nil {
		return nil, wrapDriver("read the log's keys", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var k evidence.KeyInForce
		var at int64
		if err := rows.Scan(&k.Public, &k.Size, &at, &k.Statement); err != nil {
			return nil, wrapDriver("read the log's keys", err)
		}
		k.At = fromMicros(at)
		list = append(list, k)
	}
	return list, wrapDriver("read the log's keys", rows.Err())
}

func (db *DB) someWait(ctx context.Context) (bool, error) {
	var one int
	err := db.read.QueryRowContext(ctx, selectSome).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, wrapDriver("look for what waits for the log", err)
}

// LogState implements evidence.Store.
func (db *DB) LogState(ctx context.Context) (evidence.State, error) {
	var s evidence.State
	if err := db.read.QueryRowContext(ctx, selectLogSize).Scan(&s.Size); err != nil {
		return s, wrapDriver("read the size of the log", err)
	}
	if err := db.read.QueryRowContext(ctx, countWaiting, evidence.WaitingMax).Scan(&s.Waiting); err != nil {
		return s, wrapDriver("count what waits for the log", err)
	}
	var oldest int64
	err := db.read.QueryRowContext(ctx, selectOldest).Scan(&oldest)
	switch {
	case err == nil:
		s.Oldest = fromMicros(oldest)
	case !errors.Is(err, sql.ErrNoRows): // sequenced since we counted
		return s, wrapDriver("look at what waits for the log", err)
	}
	s.Newest, err = db.Checkpoint(ctx)
	return s, err
}
