package store

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
)

// Claim takes an SQLite file for this process alone and folds its write-ahead
// log into it, so that the file is whole by itself and may be replaced. It is
// for reading. While another process has the file open it is a Conflict with
// the code "in_use".
func Claim(ctx context.Context, file string) (*DB, error) {
	one, err := sqliteHandle(file, url.Values{"mode": {"rw"}})
	if err != nil {
		return nil, err
	}
	// Leaving WAL mode takes every lock that others may hold, and removes the log.
	// Whoever comes between that and the lock has gone back to WAL mode.
	var mode string
	for _, q := range []string{`PRAGMA busy_timeout = 500`, `PRAGMA journal_mode = DELETE`, `BEGIN EXCLUSIVE`} {
		if _, err = one.ExecContext(ctx, q); err != nil {
			break
		}
	}
	if err == nil {
		err = one.QueryRowContext(ctx, `PRAGMA journal_mode`).Scan(&mode)
	}
	if isTransient(err) || err == nil && mode != "delete" {
		err = mianmi.Conflicts(codeInUse, "another process has "+file+" open: stop the server first")
	}
	if err != nil {
		return nil, errors.Join(err, one.Close())
	}
	return &DB{write: one, read: one, dialect: sqliteDialect, opts: Options{}.withDefaults()}, nil
}

const codeInUse = "in_use"

// InUse reports whether Claim was refused because of another process.
func InUse(err error) bool {
	var e *mianmi.Error
	return errors.As(err, &e) && e.Code == codeInUse
}

// Replaced reports whether another file has been put in the place of the one
// that this SQLite database was opened from: what is written from then on is in
// a file that has no name any more.
func (db *DB) Replaced() bool {
	if db.file == "" {
		return false
	}
	now, err := os.Stat(db.file)
	return err != nil || !os.SameFile(now, db.opened)
}

// sameFile notes which file has been opened. One that was there before and is
// another one now was replaced while it was opened.
func (db *DB) sameFile(file string, before os.FileInfo) error {
	now, err := os.Stat(file)
	if err != nil {
		return unavailable("look at the database file", err)
	}
	if before != nil && !os.SameFile(before, now) {
		return mianmi.Conflicts("replaced", "the database file was replaced while it was opened: start again")
	}
	db.file, db.opened = file, now
	return nil
}

// WaitingLeaf is an entry that waits for the log, with its number in the queue.
type WaitingLeaf struct {
	Number int64
	evidence.Leaf
}

const selectWaitingLeaves = `SELECT w.n, e.id, e.bytes, e.records FROM entry_waiting w
JOIN entry e ON e.bucket = w.bucket AND e.id = w.entry WHERE w.n > $1 ORDER BY w.n LIMIT $2`

// WaitingLeaves lists entries that wait for the log, in the order in which they
// will come, after a number.
func (db *DB) WaitingLeaves(ctx context.Context, after int64, limit int) ([]WaitingLeaf, error) {
	return readAll(ctx, db.read, func(scan scanner) (l WaitingLeaf, err error) {
		l.Index = -1
		var records []byte
		if err := scan(&l.Number, &l.ID, &l.Bytes, &records); err != nil {
			return l, err
		}
		l.Records, err = unpackRecords(records)
		return l, err
	}, selectWaitingLeaves, after, limit)
}

// WriteAboutLog writes an entry about the log itself.
func (db *DB) WriteAboutLog(ctx context.Context, e evidence.Entry) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		size, _, err := readLogHead(ctx, tx)
		if err != nil {
			return err
		}
		return writeEntries(ctx, tx, mianmi.BucketOf(e.Subject), max(1, size), e) // entries without number are not found by their subject
	})
}

// SkipEpochs makes the next change of settings bear a greater number than
// least: after a database went back, numbers that were given before must not
// come to mean something else to those who remember them (snapshots of other
// nodes, terminals).
func (db *DB) SkipEpochs(ctx context.Context, least int64) error {
	return db.changeSettings(ctx, func(ctx context.Context, tx *sql.Tx, epoch int64) error {
		if epoch >= least {
			return nil
		}
		_, err := tx.ExecContext(ctx, `UPDATE settings_epoch SET epoch = $1 WHERE id = 1`, least)
		return wrapDriver("skip settings epochs", err)
	})
}

// EndEverySession ends all sessions and voids all payment codes: in a copy of
// the database those are live that were ended since. Some buckets at a time, so
// that no transaction is long.
func (db *DB) EndEverySession(ctx context.Context) error {
	const step = mianmi.Buckets / 16
	for b := int64(0); b < mianmi.Buckets; b += step {
		for _, q := range []string{`DELETE FROM session WHERE bucket >= $1 AND bucket < $2`, `DELETE FROM payment_code WHERE bucket >= $1 AND bucket < $2`} {
			if _, err := db.execRows(ctx, "end every session", q, b, b+step); err != nil {
				return err
			}
		}
	}
	return nil
}

// Epoch is the number of the newest change of settings.
func (db *DB) Epoch(ctx context.Context) (n int64, err error) {
	err = db.read.QueryRowContext(ctx, ReadEpoch).Scan(&n)
	return n, wrapDriver("read the settings epoch", err)
}
