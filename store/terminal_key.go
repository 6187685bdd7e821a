package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/terminal"
)

const terminalKeyColumns = `terminal, id, public, serial, issued_at, not_after, revoked_at`

func scanTerminalKey(scan scanner) (k terminal.Key, err error) {
	var issued, ends int64
	var revoked sql.NullInt64
	err = scan(&k.Terminal, &k.ID, &k.Public, &k.Serial, &issued, &ends, &revoked)
	k.IssuedAt, k.NotAfter, k.RevokedAt = fromMicros(issued), fromMicros(ends), fromNullMicros(revoked)
	return k, err
}

// A key is one terminal's for ever: that of another one is a unique violation.
// One that was revoked does not come back: then no row is written.
const upsertTerminalKey = `INSERT INTO terminal_key (` + terminalKeyColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (terminal, id) DO UPDATE SET serial = excluded.serial, issued_at = excluded.issued_at, not_after = excluded.not_after,
revoked_at = excluded.revoked_at
WHERE terminal_key.revoked_at IS NULL`

func writeTerminalKey(ctx context.Context, tx *sql.Tx, k *terminal.Key) error {
	done, err := tx.ExecContext(ctx, upsertTerminalKey, string(k.Terminal), k.ID, k.Public, k.Serial, micros(k.IssuedAt), micros(k.NotAfter),
		nullMicros(k.RevokedAt))
	if isUnique(err) {
		return mianmi.Conflicts("terminal_key_in_use", "this key is another terminal's: the terminal has to make another one")
	}
	if err != nil {
		return wrapDriver("write a terminal's key", err)
	}
	n, err := done.RowsAffected()
	if err != nil {
		return wrapDriver("write a terminal's key", err)
	}
	if n == 0 {
		return mianmi.Conflicts("terminal_key_revoked", "this key was revoked: the terminal has to make another one")
	}
	return nil
}

const selectTerminalKey = `SELECT ` + terminalKeyColumns + ` FROM terminal_key WHERE terminal = $1 AND id = $2`

// TerminalKey implements terminal.KeyRecords.
func (db *DB) TerminalKey(ctx context.Context, id mianmi.TerminalID, keyID string) (terminal.Key, error) {
	return readOne(ctx, db.read, "key", scanTerminalKey, selectTerminalKey, string(id), keyID)
}

// keysShownMax bounds a list of keys: many years of renewals.
const keysShownMax = 100

const selectTerminalKeys = `SELECT ` + terminalKeyColumns + ` FROM terminal_key WHERE terminal = $1 ORDER BY issued_at DESC, id LIMIT $2`

// TerminalKeys implements terminal.KeyRecords.
func (db *DB) TerminalKeys(ctx context.Context, id mianmi.TerminalID) ([]terminal.Key, error) {
	return readAll(ctx, db.read, scanTerminalKey, selectTerminalKeys, string(id), keysShownMax)
}

// Keys of the same instant are told apart by name.
const selectKeysOf = `SELECT ` + terminalKeyColumns + ` FROM terminal_key WHERE terminal IN ($1) ORDER BY issued_at, id`

const selectKeysRevoked = `SELECT ` + terminalKeyColumns + ` FROM terminal_key WHERE revoked_at IS NOT NULL AND revoked_at >= $1
ORDER BY revoked_at, id LIMIT $2`

// KeysRevoked implements terminal.KeyRecords.
func (db *DB) KeysRevoked(ctx context.Context, since time.Time, limit int) ([]terminal.Key, error) {
	return readAll(ctx, db.read, scanTerminalKey, selectKeysRevoked, micros(since), limit)
}
