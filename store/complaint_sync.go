package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/mianmi/mianmi/support"
)

const (
	wantSync = `INSERT INTO complaint_sync (channel, account, number, due_at, tries) VALUES ($1, $2, $3, $4, 0)
		ON CONFLICT (channel, account, number) DO UPDATE SET tries = 0,
		due_at = CASE WHEN excluded.due_at < complaint_sync.due_at THEN excluded.due_at ELSE complaint_sync.due_at END`
	wantOpen = `INSERT INTO complaint_sync (channel, account, number, due_at, tries)
		SELECT channel, account, number, CAST($3 AS bigint), 0 FROM complaint WHERE channel = $1 AND account = $2 AND state <> $4 AND seen_at < $5
		ORDER BY seen_at LIMIT $6 ON CONFLICT DO NOTHING`
	dueSyncs = `SELECT account, number FROM complaint_sync WHERE account IN ($1) AND channel = $2 AND due_at <= $3 ORDER BY due_at, account, number LIMIT $4`
	// Its due time guards a claim, as that of a channel call does.
	claimSync = `UPDATE complaint_sync SET due_at = $5, tries = tries + 1 WHERE channel = $1 AND account = $2 AND number = $3 AND due_at <= $4 RETURNING tries`
	putOff    = `UPDATE complaint_sync SET due_at = $5 WHERE channel = $1 AND account = $2 AND number = $3 AND due_at = $4`
	endSync   = `DELETE FROM complaint_sync WHERE channel = $1 AND account = $2 AND number = $3 AND due_at = $4`

	makeSweep  = `INSERT INTO complaint_sweep (channel, account, due_at, tries, skip) VALUES ($1, $2, $3, 0, 0) ON CONFLICT DO NOTHING`
	dueSweep   = `SELECT account FROM complaint_sweep WHERE account IN ($1) AND channel = $2 AND due_at <= $3 ORDER BY due_at, account LIMIT 1`
	claimSweep = `UPDATE complaint_sweep SET due_at = $4 WHERE channel = $1 AND account = $2 AND due_at <= $3 RETURNING tries, from_at, skip, began_at, clean_at`
	saveSweep  = `UPDATE complaint_sweep SET due_at = $4, tries = $5, from_at = $6, skip = $7, began_at = $8, clean_at = $9
		WHERE channel = $1 AND account = $2 AND due_at = $3`
)

// WantSync implements support.Store.
func (db *DB) WantSync(ctx context.Context, due time.Time, keys ...support.Key) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, k := range keys {
			if _, err := tx.ExecContext(ctx, wantSync, k.Channel, k.Account, k.Number, micros(due)); err != nil {
				return wrapDriver("queue a complaint", err)
			}
		}
		return nil
	})
}

// WantOpen implements support.Store.
func (db *DB) WantOpen(ctx context.Context, p support.Place, since, due time.Time, most int) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, wantOpen, p.Channel, p.Account, micros(due), int64(support.Processed), micros(since), most)
		return wrapDriver("queue open complaints", err)
	})
}

// ClaimSyncs implements support.Store.
func (db *DB) ClaimSyncs(ctx context.Context, channel string, accounts []string, now, lease time.Time, most int) ([]support.Due, error) {
	keys, err := readAll(ctx, db.read, func(scan scanner) (k support.Key, err error) {
		k.Channel = channel
		err = scan(&k.Account, &k.Number)
		return k, err
	}, db.dialect.withLists(dueSyncs), list(&db.dialect, accounts, same), channel, micros(now), most)
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	var due []support.Due
	err = db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		due = due[:0]
		for _, k := range keys {
			d := support.Due{Key: k, Until: lease}
			err := tx.QueryRowContext(ctx, claimSync, k.Channel, k.Account, k.Number, micros(now), micros(lease)).Scan(&d.Tries)
			switch {
			case errors.Is(err, sql.ErrNoRows): // somebody else has it
			case err != nil:
				return wrapDriver("claim a complaint", err)
			default:
				due = append(due, d)
			}
		}
		return nil
	})
	return due, err
}

// PutOffSync implements support.Store.
func (db *DB) PutOffSync(ctx context.Context, d support.Due, next time.Time) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, putOff, d.Channel, d.Account, d.Number, micros(d.Until), micros(next))
		return wrapDriver("put a complaint off", err)
	})
}

// EndSync implements support.Store.
func (db *DB) EndSync(ctx context.Context, d support.Due) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, endSync, d.Channel, d.Account, d.Number, micros(d.Until))
		return wrapDriver("end a complaint's turn", err)
	})
}

// MakeSweeps implements support.Store.
func (db *DB) MakeSweeps(ctx context.Context, channel string, accounts []string, due time.Time) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, a := range accounts {
			if _, err := tx.ExecContext(ctx, makeSweep, channel, a, micros(due)); err != nil {
				return wrapDriver("make a sweep", err)
			}
		}
		return nil
	})
}

// ClaimSweep implements support.Store.
func (db *DB) ClaimSweep(ctx context.Context, channel string, accounts []string, now, lease time.Time) (w support.Sweep, due bool, err error) {
	w.Channel, w.Until = channel, lease
	err = db.read.QueryRowContext(ctx, db.dialect.withLists(dueSweep), list(&db.dialect, accounts, same), channel, micros(now)).Scan(&w.Account)
	if errors.Is(err, sql.ErrNoRows) {
		return w, false, nil
	}
	if err != nil {
		return w, false, wrapDriver("look for a sweep", err)
	}
	err = db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var from, began, clean sql.NullInt64
		err := tx.QueryRowContext(ctx, claimSweep, channel, w.Account, micros(now), micros(lease)).Scan(&w.Tries, &from, &w.Offset, &began, &clean)
		if due = err == nil; errors.Is(err, sql.ErrNoRows) {
			return nil // somebody else has it
		}
		w.From, w.Began, w.Clean = fromNullMicros(from), fromNullMicros(began), fromNullMicros(clean)
		return wrapDriver("claim a sweep", err)
	})
	return w, due, err
}

// SaveSweep implements support.Store.
func (db *DB) SaveSweep(ctx context.Context, w support.Sweep, next time.Time) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, saveSweep, w.Channel, w.Account, micros(w.Until), micros(next), w.Tries, nullMicros(w.From), w.Offset,
			nullMicros(w.Began), nullMicros(w.Clean))
		return wrapDriver("save a sweep", err)
	})
}
