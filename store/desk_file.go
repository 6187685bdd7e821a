package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/support/desk"
)

const (
	insertFile  = `INSERT INTO support_file (case_id, id, audience, name, type, size, actor, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`
	selectFiles = `SELECT id, audience, name, type, size, actor, at FROM support_file WHERE case_id = $1 ORDER BY at, id, audience LIMIT $2`
)

func writeFiles(ctx context.Context, tx *sql.Tx, c mianmi.CaseID, files []desk.File) error {
	for _, f := range files {
		if _, err := tx.ExecContext(ctx, insertFile, string(c), f.ID, int64(f.Audience), f.Name, string(f.Type), f.Size, f.Actor, micros(f.At)); err != nil {
			return wrapDriver("write a file's row", err)
		}
	}
	return nil
}

func scanCaseFile(scan scanner) (f desk.File, err error) {
	var at int64
	err = scan(&f.ID, &f.Audience, &f.Name, (*string)(&f.Type), &f.Size, &f.Actor, &at)
	f.At = fromMicros(at)
	return f, err
}

const upsertLoose = `INSERT INTO support_file_loose (id, due, leaving) VALUES ($1, $2, 0)
ON CONFLICT (id) DO UPDATE SET due = excluded.due WHERE support_file_loose.leaving = 0`

// LooseFile is part of desk.Store.
func (db *DB) LooseFile(ctx context.Context, id string, due time.Time) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, upsertLoose, id, micros(due))
		return touched(res, err, "note a file", &mianmi.Error{Kind: mianmi.Unavailable, Code: "files_away", Msg: "this file is being removed; try again"})
	})
}

const selectLoose = `SELECT id FROM support_file_loose WHERE due <= $1 ORDER BY due LIMIT $2`

// LooseFiles is part of desk.Store.
func (db *DB) LooseFiles(ctx context.Context, now time.Time, most int) ([]string, error) {
	return readAll(ctx, db.read, func(scan scanner) (id string, err error) {
		err = scan(&id)
		return id, err
	}, selectLoose, micros(now), most)
}

const (
	claimLoose = `UPDATE support_file_loose SET leaving = 1, due = $3 WHERE id = $1 AND due <= $2`
	countFiles = `SELECT count(*) FROM (SELECT 1 FROM support_file WHERE id = $1 LIMIT 1) AS found`
)

// ClaimLooseFile is part of desk.Store.
func (db *DB) ClaimLooseFile(ctx context.Context, id string, now, until time.Time) (claimed, needed bool, err error) {
	err = db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, claimLoose, id, micros(now), micros(until))
		if err != nil {
			return wrapDriver("claim a file", err)
		}
		n, err := res.RowsAffected()
		if claimed = n > 0; err != nil || !claimed {
			return wrapDriver("claim a file", err)
		}
		var count int64
		err = tx.QueryRowContext(ctx, countFiles, id).Scan(&count)
		needed = count > 0
		return wrapDriver("look for a file's case", err)
	})
	return claimed, needed, err
}

const deleteLoose = `DELETE FROM support_file_loose WHERE id = $1 AND leaving = 1`

// DropLooseFile is part of desk.Store.
func (db *DB) DropLooseFile(ctx context.Context, id string) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, deleteLoose, id)
		return wrapDriver("forget a file", err)
	})
}
