package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/notice/inbox"
)

// DB is what inbox.Service reads.
var _ inbox.Store = (*DB)(nil)

const (
	selectTold = `SELECT bytes FROM entry WHERE bucket = $1 AND subject = $2 AND id < $3 AND type IN (`
	// Each half stops counting at the bound, so an inbox that nobody opens costs no more.
	countUnread = `SELECT (SELECT count(*) FROM (SELECT 1 FROM payment WHERE bucket = $1 AND payer = $2 AND id > $3 LIMIT $5) p) +
(SELECT count(*) FROM (SELECT 1 FROM entry WHERE bucket = $1 AND subject = $2 AND id > $4 AND type IN (`
	selectSeen = `SELECT seen FROM payer_inbox WHERE bucket = $1 AND payer = $2`
	upsertSeen = `INSERT INTO payer_inbox (bucket, payer, seen) SELECT bucket, id, CAST($3 AS text) FROM payer WHERE bucket = $1 AND id = $2
ON CONFLICT (bucket, payer) DO UPDATE SET seen = excluded.seen WHERE payer_inbox.seen < excluded.seen`
)

// Told implements inbox.Store.
func (db *DB) Told(ctx context.Context, q inbox.Query) ([]evidence.Entry, error) {
	below := lastID
	if q.From != "" {
		below = "en" + string(q.From)
	}
	args := []any{int64(q.Payer.Bucket()), string(q.Payer), below}
	for _, t := range q.Types {
		args = append(args, t)
	}
	query := selectTold + places(4, len(q.Types)) + `) ORDER BY id DESC LIMIT ` + places(len(args)+1, 1)
	return readAll(ctx, db.read, func(scan scanner) (evidence.Entry, error) {
		var b []byte
		if err := scan(&b); err != nil {
			return evidence.Entry{}, err
		}
		return evidence.Decode(b)
	}, query, append(args, q.Limit)...)
}

// Unread implements inbox.Store.
func (db *DB) Unread(ctx context.Context, q inbox.Query) (n int, err error) {
	// "z" is behind the two digits of a bucket that end the identifier of a payment.
	args := []any{int64(q.Payer.Bucket()), string(q.Payer), "pm" + string(q.From) + "z", "en" + string(q.From), q.Limit}
	if q.From == "" {
		args[2] = ""
	}
	for _, t := range q.Types {
		args = append(args, t)
	}
	err = db.read.QueryRowContext(ctx, countUnread+places(6, len(q.Types))+`) LIMIT $5) e)`, args...).Scan(&n)
	return min(n, q.Limit), wrapDriver("count unread notices", err)
}

// Seen implements inbox.Store.
func (db *DB) Seen(ctx context.Context, id mianmi.PayerID) (p inbox.Position, err error) {
	err = db.read.QueryRowContext(ctx, selectSeen, int64(id.Bucket()), string(id)).Scan((*string)(&p))
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return p, wrapDriver("read up to where an inbox was read", err)
}

// SetSeen implements inbox.Store.
func (db *DB) SetSeen(ctx context.Context, id mianmi.PayerID, p inbox.Position) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, upsertSeen, int64(id.Bucket()), string(id), string(p))
		return wrapDriver("note up to where an inbox was read", err)
	})
}
