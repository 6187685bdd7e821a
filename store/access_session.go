package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/evidence"
)

const (
	insertSession = `INSERT INTO session (bucket, digest, id, role, actor, created_at, idle_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`

	selectSession = `SELECT digest, id, role, actor, created_at, idle_at, expires_at FROM session WHERE bucket = $1 AND digest = $2`

	touchSession = `UPDATE session SET idle_at = $3 WHERE bucket = $1 AND digest = $2 AND idle_at < $3`

	endSession  = `DELETE FROM session WHERE actor = $1 AND id = $2`
	endSessions = `DELETE FROM session WHERE actor = $1`
)

// digestBucket spreads rows that are found by a digest alone.
func digestBucket(digest []byte) int64 { return int64(mianmi.BucketOf(string(digest))) }

// InsertSession implements access.Store.
func (db *DB) InsertSession(ctx context.Context, s access.Session) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, insertSession, digestBucket(s.Digest), s.Digest, string(s.ID), s.Role.String(), s.Actor,
			micros(s.CreatedAt), micros(s.IdleAt), micros(s.ExpiresAt))
		return wrapDriver("write a session", err)
	})
}

// SessionByDigest implements access.Store.
func (db *DB) SessionByDigest(ctx context.Context, digest []byte) (access.Session, error) {
	var s access.Session
	var role string
	var created, idle, expires int64
	err := db.read.QueryRowContext(ctx, selectSession, digestBucket(digest), digest).
		Scan(&s.Digest, (*string)(&s.ID), &role, &s.Actor, &created, &idle, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return access.Session{}, mianmi.Missing("session")
	}
	s.Role, s.CreatedAt, s.IdleAt, s.ExpiresAt = mianmi.ParseRole(role), fromMicros(created), fromMicros(idle), fromMicros(expires)
	return s, wrapDriver("read a session", err)
}

// TouchSession implements access.Store.
func (db *DB) TouchSession(ctx context.Context, digest []byte, idle time.Time) error {
	_, err := db.execRows(ctx, "touch a session", touchSession, digestBucket(digest), digest, micros(idle))
	return err
}

// EndSession implements access.Store.
func (db *DB) EndSession(ctx context.Context, actor string, id mianmi.SessionID) error {
	_, err := db.execRows(ctx, "end a session", endSession, actor, string(id))
	return err
}

// EndSessions implements access.Store.
func (db *DB) EndSessions(ctx context.Context, actor string) (int, error) {
	return db.execRows(ctx, "end sessions", endSessions, actor)
}

// execRows runs one statement in a transaction of its own and returns how many
// rows it touched.
func (db *DB) execRows(ctx context.Context, doing, query string, args ...any) (int, error) {
	var n int64
	err := db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, query, args...)
		if err != nil {
			return wrapDriver(doing, err)
		}
		n, err = res.RowsAffected()
		return wrapDriver(doing, err)
	})
	return int(n), err
}

const (
	keyColumns = `id, digest, name, merchant, scopes, created_by, created_at, expires_at, revoked_at`

	insertKey = `INSERT INTO api_key (id, digest, name, merchant, scopes, created_by, created_at, expires_at, epoch)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`

	lockKey           = `SELECT ` + keyColumns + ` FROM api_key WHERE id = $1`
	selectKeyByDigest = `SELECT ` + keyColumns + ` FROM api_key WHERE digest = $1`
	listKeys          = `SELECT ` + keyColumns + ` FROM api_key WHERE id > $1 AND ($2 = '' OR merchant = $2) ORDER BY id LIMIT $3`
	updateKey         = `UPDATE api_key SET revoked_at = $2, epoch = $3 WHERE id = $1`
)

// InsertKey implements access.Store.
func (db *DB) InsertKey(ctx context.Context, k access.Key, e evidence.Entry) error {
	return db.changeSettings(ctx, func(ctx context.Context, tx *sql.Tx, epoch int64) error {
		if err := checkWorkplace(ctx, tx, access.Staff{Merchant: k.Merchant}); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, insertKey, string(k.ID), k.Digest, k.Name, string(k.Merchant), int64(k.Scopes), k.CreatedBy,
			micros(k.CreatedAt), nullMicros(k.ExpiresAt), epoch)
		if err != nil {
			return wrapDriver("write an API key", err)
		}
		return writeSettingEntries(ctx, tx, epoch, e)
	})
}

// ChangeKey implements access.Store.
func (db *DB) ChangeKey(ctx context.Context, id mianmi.KeyID, fn func(*access.Key) ([]evidence.Entry, error)) error {
	return db.changeSettings(ctx, func(ctx context.Context, tx *sql.Tx, epoch int64) error {
		k, err := scanAPIKey(tx.QueryRowContext(ctx, lockKey+db.dialect.forUpdate, string(id)).Scan)
		if err != nil {
			return err
		}
		entries, err := fn(&k)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, updateKey, string(id), nullMicros(k.RevokedAt), epoch); err != nil {
			return wrapDriver("write an API key", err)
		}
		return writeSettingEntries(ctx, tx, epoch, entries...)
	})
}

func scanAPIKey(scan func(...any) error) (access.Key, error) {
	var k access.Key
	var created int64
	var expires, revoked sql.NullInt64
	err := scan((*string)(&k.ID), &k.Digest, &k.Name, (*string)(&k.Merchant), &k.Scopes, &k.CreatedBy, &created, &expires, &revoked)
	if errors.Is(err, sql.ErrNoRows) {
		return access.Key{}, mianmi.Missing("API key")
	}
	k.CreatedAt, k.ExpiresAt, k.RevokedAt = fromMicros(created), fromNullMicros(expires), fromNullMicros(revoked)
	return k, wrapDriver("read an API key", err)
}

// KeyByDigest implements access.Store.
func (db *DB) KeyByDigest(ctx context.Context, digest []byte) (access.Key, error) {
	return scanAPIKey(db.read.QueryRowContext(ctx, selectKeyByDigest, digest).Scan)
}

// ListKeys implements access.Store.
func (db *DB) ListKeys(ctx context.Context, q access.KeyQuery) (_ []access.Key, err error) {
	rows, err := db.read.QueryContext(ctx, listKeys, string(q.After), string(q.Merchant), q.Limit)
	if err != nil {
		return nil, wrapDriver("list API keys", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var list []access.Key
	for rows.Next() {
		k, err := scanAPIKey(rows.Scan)
		if err != nil {
			return nil, err
		}
		list = append(list, k)
	}
	return list, wrapDriver("list API keys", rows.Err())
}
