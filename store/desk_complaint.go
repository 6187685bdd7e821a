package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/support/desk"
)

const (
	complaintsOfCase = `SELECT id, channel, number, state, problem, flags,
		(SELECT count(*) FROM complaint_answer a WHERE a.complaint = complaint.id AND a.state = 1),
		(SELECT count(*) FROM complaint_answer a WHERE a.complaint = complaint.id AND a.state = 3) FROM complaint WHERE case_id = $1 AND case_id <> '' ORDER BY id LIMIT $2`
	caseOfComplaint = `SELECT case_id FROM complaint WHERE id = $1`
	joinComplaint   = `UPDATE complaint SET case_id = $2 WHERE id = $1 AND case_id = ''`

	newsComplaint  = `UPDATE complaint SET case_due = $2, case_tries = 0 WHERE id = $1`
	newsOfCase     = `UPDATE complaint SET case_due = $2, case_tries = 0 WHERE case_id = $1 AND case_id <> ''`
	dueComplaints  = `SELECT id FROM complaint WHERE case_due <= $1 ORDER BY case_due, id LIMIT $2`
	claimComplaint = `UPDATE complaint SET case_due = $2, case_tries = case_tries + 1 WHERE id = $1 RETURNING id, case_tries`
	countUnsaid    = `SELECT count(*) FROM (SELECT 1 AS one FROM complaint_answer WHERE state = 3 AND ended_at >= $1
		AND fault NOT IN ('complaint_changed', 'complaint_over', 'refund_pending') LIMIT $2) AS failed`
	countBehind = `SELECT count(*) FROM (SELECT 1 AS one FROM complaint WHERE case_due <= $1 LIMIT $2) AS behind`

	// The due time guards a claim: news sets another.
	putOffComplaint = `UPDATE complaint SET case_due = $3 WHERE id = $1 AND case_due = $2`
	endComplaint    = `UPDATE complaint SET case_due = NULL, case_tries = 0 WHERE id = $1 AND case_due = $2`
)

// newsOfComplaint has the case of a complaint made to agree with it.
func newsOfComplaint(ctx context.Context, tx *sql.Tx, id mianmi.ComplaintID, at time.Time) error {
	_, err := tx.ExecContext(ctx, newsComplaint, string(id), micros(at))
	return wrapDriver("note news of a complaint", err)
}

// newsToComplaints has the complaints of a case told of it, when there is something
// that channels are told.
func newsToComplaints(ctx context.Context, tx *sql.Tx, ch *desk.Change) error {
	news := ch.Case.State != ch.Was.State
	for i := range ch.Notes {
		news = news || ch.Notes[i].Audience == desk.ForPayer
	}
	if !news || len(ch.Was.Complaints) == 0 {
		return nil
	}
	_, err := tx.ExecContext(ctx, newsOfCase, string(ch.Case.ID), micros(ch.Case.ChangedAt))
	return wrapDriver("note news of a case", err)
}

func scanOfComplaint(scan scanner) (c desk.OfComplaint, err error) {
	err = scan(&c.ID, &c.Channel, &c.Number, &c.State, &c.Problem, &c.Flags, &c.Ordered, &c.Failed)
	return c, err
}

func scanCaseID(scan scanner) (id mianmi.CaseID, err error) {
	err = scan(&id)
	return id, err
}

// ClaimComplaints implements desk.Store.
func (db *DB) ClaimComplaints(ctx context.Context, now, until time.Time, most int) (out []desk.DueComplaint, err error) {
	if due, err := readAll(ctx, db.read, scanText, dueComplaints, micros(now), 1); err != nil || len(due) == 0 {
		return nil, err // most times: without a transaction that writes
	}
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

// ComplaintTrouble counts the answers that did not get through since a time, and the
// complaints whose case was to follow them by another and does not; limit of each at most.
func (db *DB) ComplaintTrouble(ctx context.Context, since, by time.Time, limit int) (failed, behind int64, err error) {
	if err := db.read.QueryRowContext(ctx, countUnsaid, micros(since), limit).Scan(&failed); err != nil {
		return 0, 0, wrapDriver("count answers that did not get through", err)
	}
	err = db.read.QueryRowContext(ctx, countBehind, micros(by), limit).Scan(&behind)
	return failed, behind, wrapDriver("count complaints that no case follows", err)
}
