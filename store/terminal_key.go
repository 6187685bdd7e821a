package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/terminal"
)

var _ terminal.KeyRecords = (*DB)(nil)

const upsertTerminalKey = `INSERT INTO terminal_key (terminal, id, public, serial, issued_at, not_after) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (terminal, id) DO UPDATE SET serial = excluded.serial, issued_at = excluded.issued_at, not_after = excluded.not_after
WHERE terminal_key.revoked_at IS NULL`

// AddTerminalKey implements terminal.KeyRecords.
func (db *DB) AddTerminalKey(ctx context.Context, id mianmi.TerminalID, k terminal.Key, e evidence.Entry) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, upsertTerminalKey, string(id), k.ID, k.Public, k.Serial, micros(k.IssuedAt), micros(k.NotAfter))
		if err != nil {
			return wrapDriver("add a terminal's key", err)
		}
		n, err := done.RowsAffected()
		if err != nil {
			return wrapDriver("add a terminal's key", err)
		}
		if n == 0 {
			return mianmi.Conflicts("terminal_key_revoked", "this key was revoked: the terminal has to make another one")
		}
		return writeSettingEntries(ctx, tx, noEpoch, e)
	})
}

const selectTerminalKeyFrom = `SELECT id, public, serial, issued_at, not_after, revoked_at FROM terminal_key WHERE terminal = $1 `

func scanTerminalKey(scan scanner) (k terminal.Key, err error) {
	var issued, ends int64
	var revoked sql.NullInt64
	err = scan(&k.ID, &k.Public, &k.Serial, &issued, &ends, &revoked)
	k.IssuedAt, k.NotAfter = fromMicros(issued), fromMicros(ends)
	if revoked.Valid {
		k.RevokedAt = fromMicros(revoked.Int64)
	}
	return k, err
}

const selectTerminalKey = selectTerminalKeyFrom + `AND id = $2`

// TerminalKey implements terminal.KeyRecords.
func (db *DB) TerminalKey(ctx context.Context, id mianmi.TerminalID, keyID string) (terminal.Key, error) {
	return readOne(ctx, db.read, "key", scanTerminalKey, selectTerminalKey, string(id), keyID)
}

// keysShownMax bounds a list of keys: many years of renewals.
const keysShownMax = 100

const selectTerminalKeys = selectTerminalKeyFrom + `ORDER BY issued_at DESC, id LIMIT $2`

// TerminalKeys implements terminal.KeyRecords.
func (db *DB) TerminalKeys(ctx context.Context, id mianmi.TerminalID) ([]terminal.Key, error) {
	return readAll(ctx, db.read, scanTerminalKey, selectTerminalKeys, string(id), keysShownMax)
}

const (
	revokeTerminalKeys = `UPDATE terminal_key SET revoked_at = $2 WHERE terminal = $1 AND revoked_at IS NULL`
	dropEnrolment      = `DELETE FROM terminal_enrolment WHERE terminal = $1`
)

// RevokeTerminalKeys implements terminal.KeyRecords.
func (db *DB) RevokeTerminalKeys(ctx context.Context, id mianmi.TerminalID, at time.Time, e evidence.Entry) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, revokeTerminalKeys, string(id), micros(at)); err != nil {
			return wrapDriver("revoke a terminal's keys", err)
		}
		if _, err := tx.ExecContext(ctx, dropEnrolment, string(id)); err != nil {
			return wrapDriver("drop an enrolment code", err)
		}
		return writeSettingEntries(ctx, tx, noEpoch, e)
	})
}
