package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
)

// triesMax bounds how often a transaction that lost against another is run
// again; each loss means that somebody else won.
const triesMax = 5

// tx runs fn in one durable transaction. The caller's context bounds the wait
// for a connection; once the transaction has begun it ends by its own limit,
// so that a caller who goes away leaves nothing half done. fn runs again from
// the start when the transaction lost against another, so it must not keep
// anything from an earlier run. When fn fails, nothing is written.
func (db *DB) tx(ctx context.Context, fn func(ctx context.Context, tx *sql.Tx) error) error {
	var err error
	for range triesMax {
		if err = db.tryTx(ctx, fn); !isTransient(err) && !isUnsent(err) || ctx.Err() != nil {
			break
		}
	}
	if isTransient(err) {
		return unavailable("transaction", err)
	}
	return err
}

func (db *DB) tryTx(ctx context.Context, fn func(ctx context.Context, tx *sql.Tx) error) (err error) {
	conn, err := db.write.Conn(ctx)
	if err != nil {
		return unavailable("get a connection", err)
	}
	defer func() { err = errors.Join(err, ignoreDone(conn.Close())) }()
	begun, cancel := context.WithTimeout(context.WithoutCancel(ctx), db.opts.WriteLimit)
	defer cancel()
	tx, err := conn.BeginTx(begun, nil)
	if err != nil {
		return wrapDriver("begin", err)
	}
	if err := fn(begun, tx); err != nil {
		if rb := tx.Rollback(); rb != nil && !errors.Is(rb, sql.ErrTxDone) {
			return errors.Join(err, rb)
		}
		return err
	}
	if err := tx.Commit(); err != nil {
		return wrapDriver("commit", err)
	}
	return nil
}

func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrConnDone) {
		return nil
	}
	return err
}

// wrapDriver turns a driver's error into a kind: rows that are missing, keys
// that are taken, a database that is away. Transient losses stay as they are,
// for tx to see.
func wrapDriver(doing string, err error) error {
	var known *mianmi.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known), isTransient(err):
		return fmt.Errorf("%s: %w", doing, err)
	case errors.Is(err, sql.ErrNoRows):
		return &mianmi.Error{Kind: mianmi.NotFound, Msg: "not found", Err: fmt.Errorf("%s: %w", doing, err)}
	case isUnique(err):
		return &mianmi.Error{Kind: mianmi.Conflict, Code: "exists", Msg: "it exists already", Err: fmt.Errorf("%s: %w", doing, err)}
	case isForeign(err):
		return &mianmi.Error{Kind: mianmi.NotFound, Msg: "what it refers to does not exist", Err: fmt.Errorf("%s: %w", doing, err)}
	case isAway(err):
		return unavailable(doing, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// unavailable says that the database cannot be asked now.
func unavailable(doing string, err error) error {
	return &mianmi.Error{Kind: mianmi.Unavailable, Msg: "the database does not answer in time", RetryAfter: time.Second,
		Err: fmt.Errorf("%s: %w", doing, err)}
}

// micros and fromMicros are the store's edge: UTC, microseconds.
func micros(t time.Time) int64 { return t.UnixMicro() }

func fromMicros(us int64) time.Time { return time.UnixMicro(us).UTC() }

// nullMicros stores the zero time as NULL.
func nullMicros(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: t.UnixMicro(), Valid: !t.IsZero()}
}

func fromNullMicros(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return fromMicros(n.Int64)
}
