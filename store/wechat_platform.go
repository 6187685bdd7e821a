package store

import (
	"context"
	"database/sql"

	"github.com/mianmi/mianmi/wechat"
)

const (
	listPlatform   = `SELECT key_id, serial, private, cert, signs_at, created_at FROM wechat_platform WHERE revoked_at IS NULL ORDER BY number LIMIT $1`
	nextPlatform   = `SELECT coalesce(max(number), 0) + 1 FROM wechat_platform`
	insertPlatform = `INSERT INTO wechat_platform (number, key_id, serial, private, cert, signs_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`
	revokePlatform = `UPDATE wechat_platform SET revoked_at = $2 WHERE key_id = $1`
)

// PlatformKeys implements wechat.Store.
func (db *DB) PlatformKeys(ctx context.Context) ([]wechat.PlatformKey, error) {
	return platformKeys(ctx, db.read)
}

func platformKeys(ctx context.Context, q querier) ([]wechat.PlatformKey, error) {
	return readAll(ctx, q, func(scan scanner) (k wechat.PlatformKey, err error) {
		var signs, created int64
		err = scan(&k.KeyID, &k.Serial, &k.Private, &k.Cert, &signs, &created)
		k.SignsAt, k.CreatedAt = fromMicros(signs), fromMicros(created)
		return k, err
	}, listPlatform, wechat.PlatformKeysMax)
}

// FirstPlatformKey implements wechat.Store.
func (db *DB) FirstPlatformKey(ctx context.Context, k wechat.PlatformKey) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return writePlatformKey(ctx, tx, 1, &k, " ON CONFLICT DO NOTHING")
	})
}

func writePlatformKey(ctx context.Context, tx *sql.Tx, number int64, k *wechat.PlatformKey, unless string) error {
	_, err := tx.ExecContext(ctx, insertPlatform+unless, number, k.KeyID, k.Serial, k.Private, k.Cert, micros(k.SignsAt), micros(k.CreatedAt))
	return wrapDriver("write a platform key", err)
}

// ChangePlatformKeys implements wechat.Store. The settings epoch lets one
// change at a time in.
func (db *DB) ChangePlatformKeys(ctx context.Context, fn func([]wechat.PlatformKey) (wechat.PlatformChange, error)) error {
	return db.changeSettings(ctx, func(ctx context.Context, tx *sql.Tx, epoch int64) error {
		live, err := platformKeys(ctx, tx)
		if err != nil {
			return err
		}
		c, err := fn(live)
		if err != nil {
			return err
		}
		if c.Add != nil {
			var number int64
			if err := tx.QueryRowContext(ctx, nextPlatform).Scan(&number); err != nil {
				return wrapDriver("number a platform key", err)
			}
			if err := writePlatformKey(ctx, tx, number, c.Add, ""); err != nil {
				return err
			}
		}
		if c.Revoke != "" {
			if _, err := tx.ExecContext(ctx, revokePlatform, c.Revoke, micros(c.Entry.At)); err != nil {
				return wrapDriver("revoke a platform key", err)
			}
		}
		return writeSettingEntries(ctx, tx, epoch, c.Entry)
	})
}
