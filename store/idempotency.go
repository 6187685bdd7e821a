package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/mianmi/mianmi/idempotency"
)

// Rows of idempotency are spread by their key.
const claimAnswer = `
INSERT INTO idempotency (bucket, key, digest, status, answer, expires_at) VALUES ($1, $2, $3, 0, $4, $5)
ON CONFLICT (bucket, key) DO UPDATE
SET digest = excluded.digest, status = 0, answer = excluded.answer, expires_at = excluded.expires_at
WHERE idempotency.expires_at <= $6
RETURNING status`

const standingAnswer = `SELECT digest, status, answer, expires_at FROM idempotency WHERE bucket = $1 AND key = $2`

// ClaimAnswer is idempotency.Store's. The statement is one, so of many that
// come at once one is told that it has claimed.
func (db *DB) ClaimAnswer(ctx context.Context, r idempotency.Record, now time.Time) (idempotency.Record, bool, error) {
	standing, claimed := idempotency.Record{}, false
	err := db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		standing, claimed = idempotency.Record{}, false
		var status int
		err := tx.QueryRowContext(ctx, claimAnswer, r.Key[0], r.Key, r.Digest, []byte{}, micros(r.ExpiresAt), micros(now)).Scan(&status)
		if err == nil {
			claimed = true
			return nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return wrapDriver("claim an idempotency key", err)
		}
		standing.Key = r.Key
		var expires int64
		err = tx.QueryRowContext(ctx, standingAnswer, r.Key[0], r.Key).Scan(&standing.Digest, &standing.Status, &standing.Sealed, &expires)
		standing.ExpiresAt = fromMicros(expires)
		return wrapDriver("read a first answer", err)
	})
	return standing, claimed, err
}

const keepAnswer = `UPDATE idempotency SET status = $3, answer = $4, expires_at = $5 WHERE bucket = $1 AND key = $2 AND digest = $6`

// KeepAnswer is idempotency.Store's. A claim that ran out and was taken by
// another request stays with that one.
func (db *DB) KeepAnswer(ctx context.Context, r idempotency.Record) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, keepAnswer, r.Key[0], r.Key, r.Status, r.Sealed, micros(r.ExpiresAt), r.Digest)
		return wrapDriver("keep a first answer", err)
	})
}

const freeAnswer = `DELETE FROM idempotency WHERE bucket = $1 AND key = $2 AND status = 0`

// FreeAnswer is idempotency.Store's.
func (db *DB) FreeAnswer(ctx context.Context, key []byte) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, freeAnswer, key[0], key)
		return wrapDriver("free an idempotency key", err)
	})
}
