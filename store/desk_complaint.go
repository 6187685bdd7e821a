package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/support/desk"
)

const (
	complaintsOfCase = `SELECT id, channel, number, state, problem, flags FROM complaint WHERE case_id = $1 AND case_id <> '' ORDER BY id LIMIT $2`
	caseOfComplaint  = `SELECT case_id FROM complaint WHERE id = $1`
	joinComplaint    = `UPDATE complaint SET case_id = $2 WHERE id = $1 AND case_id = ''`

	newsComplaint  = `UPDATE complaint SET case_due = $2, case_tries = 0 WHERE id = $1`
	dueComplaints  = `SELECT id FROM complaint WHERE case_due <= $1 ORDER BY case_due, id LIMIT $2`
	claimComplaint = `UPDATE complaint SET case_due = $2, case_tries = case_tries + 1 WHERE id = $1 RETURNING id, case_tries`
	// The due time guards a claim: news sets another.
	putOffComplaint = `UPDATE complaint SET case_due = $3 WHERE id = $1 AND case_due = $2`
	endComplaint    = `UPDATE complaint SET case_due = NULL, case_tries = 0 WHERE id = $1 AND case_due = $2`
)

// newsOfComplaint has the case of a complaint made to agree with it.
func newsOfComplaint(ctx context.Context, tx *sql.Tx, id mianmi.ComplaintID, at time.Time) error {
	_, err := tx.ExecContext(ctx, newsComplaint, string(id), micros(at))
	return wrapDriver("note news of a complaint", err)
}

func scanOfComplaint(scan scanner) (c desk.OfComplaint, err error) {
	err = scan(&c.ID, &c.Channel, &c.Number, &c.State, &c.Problem, &c.Flags)
	return c, err
}

func scanCaseID(scan scanner) (id mianmi.CaseID, err error) {
	err = scan(&id)
	return id, err
}

// ClaimComplaints implements desk.Store.
func (db *DB) ClaimComplaints(ctx context.Context, now, until time.Time, most int) (out []desk.DueComplaint, err error) {
	err = db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		out = nil
		ids, err := readAll(ctx, tx, scanText, dueComplaints+db.dialect.forClaim, micros(now), most)
		if err != nil {
			return err
		}
		for _, id := range ids {
			d := desk.DueComplaint{Until: until}
			if err := tx.QueryRowContext(ctx, claimComplaint, id, micros(until)).Scan(&d.ID, &d.Tries); err != nil {
				return wrapDriver("claim a complaint", err)
			}
			out = append(out, d)
		}
		return nil
	})
	return out, err
}

// PutOffComplaint implements desk.Store.
func (db *DB) PutOffComplaint(ctx context.Context, d desk.DueComplaint, next time.Time) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, putOffComplaint, string(d.ID), micros(d.Until), micros(next))
		return wrapDriver("put a complaint's case off", err)
	})
}

// EndComplaint implements desk.Store.
func (db *DB) EndComplaint(ctx context.Context, d desk.DueComplaint) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, endComplaint, string(d.ID), micros(d.Until))
		return wrapDriver("end a complaint's turn", err)
	})
}
