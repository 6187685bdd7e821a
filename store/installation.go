package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"

	"github.com/mianmi/mianmi"
)

const (
	selectInstallation = `SELECT keys FROM installation WHERE id = 1`
	insertInstallation = `INSERT INTO installation (id, keys) VALUES (1, $1) ON CONFLICT DO NOTHING`
)

// Installed reports whether the database belongs to server keys already.
func (db *DB) Installed(ctx context.Context) (bool, error) {
	var keys []byte
	err := db.read.QueryRowContext(ctx, selectInstallation).Scan(&keys)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, wrapDriver("read the installation", err)
}

// Install binds the database to the server keys that made the digest, at the
// first time. With other keys nobody could log in and no code would be found:
// they are refused as a Conflict with the code "other_keys".
func (db *DB) Install(ctx context.Context, digest []byte) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, insertInstallation, digest); err != nil {
			return wrapDriver("write the installation", err)
		}
		var keys []byte
		if err := tx.QueryRowContext(ctx, selectInstallation).Scan(&keys); err != nil {
			return wrapDriver("read the installation", err)
		}
		if !bytes.Equal(keys, digest) {
			return mianmi.Conflicts("other_keys", "this database was filled with other server keys: restore that keys file")
		}
		return nil
	})
}
