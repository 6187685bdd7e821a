package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/privacy"
	"github.com/mianmi/mianmi/risk"
	"github.com/mianmi/mianmi/support"
	"github.com/mianmi/mianmi/support/desk"
)

// What hangs on a person: payments by payer, then what is found by them.
const (
	paymentIDsOf = `SELECT id FROM payment WHERE payer = $1`
	complaintsOf = `SELECT id FROM complaint WHERE payer = $1 AND payer <> ''
	UNION SELECT complaint FROM complaint_payment WHERE payment <> '' AND payment IN (` + paymentIDsOf + `)`
	// Of a case without a payer, it is whoever complained.
	casesOf = `SELECT id FROM support_case WHERE payer = $1 AND payer <> ''
	UNION SELECT id FROM support_case WHERE payer = '' AND id IN (SELECT case_id FROM complaint WHERE case_id <> '' AND id IN (` + complaintsOf + `))`
)

// hangs is what keeps a person from being erased, in the order in which it is
// named. Each asks whether there is one; $1 is the payer.
var hangs = []struct{ code, msg, query string }{
	{"agreements_open", "an agreement is open; close it first", `SELECT 1 FROM agreement WHERE payer = $1 AND open = 1`},
	{"payments_open", "a payment is under way, or money is still to go back", fmt.Sprintf(`SELECT 1 FROM payment p WHERE p.payer = $1 AND (p.state IN (%d, %d, %d, %d)
		OR EXISTS (SELECT 1 FROM refund r WHERE r.bucket = p.bucket AND r.payment = p.id AND r.state IN (%d, %d))
		OR EXISTS (SELECT 1 FROM channel_call c WHERE c.bucket = p.bucket AND c.payment = p.id AND c.due_at IS NOT NULL))`,
		payment.StepUpRequired, payment.Verifying, payment.Unknown, payment.Undoing, payment.RefundPending, payment.RefundStalled)},
	{"contracts_open", "a contract at a channel is signed, or its end is not confirmed", `SELECT 1 FROM channel_contract WHERE payer = $1 AND (signed_at IS NOT NULL AND ended_at IS NULL OR due_at IS NOT NULL)
		UNION ALL SELECT 1 FROM wechat_contract WHERE payer = $1 AND signed_at IS NOT NULL AND ended_at IS NULL`},
	{"payouts_open", "compensation is ordered and not paid or refused yet", fmt.Sprintf(`SELECT 1 FROM payout WHERE payer = $1 AND state IN (%d, %d)`, desk.PayoutWaiting, desk.PayoutDue)},
	{"cases_open", "a case is open", fmt.Sprintf(`SELECT 1 FROM support_case WHERE payer = $1 AND state <> %d`, desk.Closed)},
	{"complaints_open", "a complaint is open, or an answer to one is on its way", fmt.Sprintf(`SELECT 1 FROM complaint WHERE id IN (`+complaintsOf+`) AND (state <> %d
		OR EXISTS (SELECT 1 FROM complaint_answer a WHERE a.complaint = complaint.id AND a.ended_at IS NULL))`, support.Processed)},
	{"alarms_open", "an alarm about the payer is not resolved", fmt.Sprintf(`SELECT 1 FROM risk_alarm WHERE payer = $1 AND state <> %d`, risk.Resolved)},
}

const (
	selectErasable = `SELECT pin_free, pending_at, frozen_at, balance FROM payer WHERE bucket = $1 AND id = $2`
	lastMoved      = `SELECT max(at) FROM (SELECT max(state_at) AS at FROM payment WHERE payer = $1
	UNION ALL SELECT max(at) FROM top_up WHERE bucket = $2 AND payer = $1) AS moved`
)

// erasable locks the payer and refuses while anything hangs on the person.
func (db *DB) erasable(ctx context.Context, tx *sql.Tx, e *privacy.Erasure) error {
	bucket, id := int64(e.Payer.Bucket()), string(e.Payer)
	var on, balance int64
	var pending, frozen, moved sql.NullInt64
	err := tx.QueryRowContext(ctx, selectErasable+db.dialect.forUpdate, bucket, id).Scan(&on, &pending, &frozen, &balance)
	if err != nil {
		return missing("payer", err)
	}
	var found int
	if err := tx.QueryRowContext(ctx, `SELECT 1 FROM payer_person WHERE bucket = $1 AND payer = $2`, bucket, id).Scan(&found); err != nil {
		return missing("person", err)
	}
	if !frozen.Valid && (on != 0 || pending.Valid) {
		return mianmi.Conflicts("pin_free_on", "PIN-free payment is on, or about to be; close it first")
	}
	if balance != 0 {
		return mianmi.Conflicts("balance_left", "there is money in the account; pay it out first")
	}
	for _, h := range hangs {
		switch err := tx.QueryRowContext(ctx, h.query+` LIMIT 1`, id).Scan(&found); {
		case err == nil:
			return mianmi.Conflicts(h.code, h.msg)
		case !errors.Is(err, sql.ErrNoRows):
			return wrapDriver("look for "+h.code, err)
		}
	}
	if err := tx.QueryRowContext(ctx, lastMoved, id, bucket).Scan(&moved); err != nil {
		return wrapDriver("look for the last payment", err)
	}
	if until := fromNullMicros(moved).Add(e.Keep); moved.Valid && e.Entry.At.Before(until) {
		return mianmi.Conflicts("kept_by_law", "the law has it kept until "+until.UTC().Format(time.DateOnly)+", counted from the last payment or top-up")
	}
	return nil
}

// erasing forgets a person: $1 is the payer, $2 its bucket where it is named. A
// table with a payer in it that is not here holds identifiers and figures alone.
var erasing = []struct {
	query  string
	bucket bool
}{
	{`DELETE FROM payer_person WHERE payer = $1 AND bucket = $2`, true},
	{`DELETE FROM payer_password WHERE payer = $1 AND bucket = $2`, true},
	{`DELETE FROM payer_inbox WHERE payer = $1 AND bucket = $2`, true},
	{`UPDATE instrument SET last4 = '' WHERE payer = $1 AND bucket = $2`, true},
	{`DELETE FROM payment_code WHERE payer = $1 AND bucket = $2`, true},
	{`DELETE FROM session WHERE actor = $1`, false},
	{dropNames, false},
	{`UPDATE wechat_contract SET openid = '', shown = '', out_user = '' WHERE payer = $1`, false},
	{`UPDATE refund SET reason = '' WHERE bucket = $2 AND payment IN (` + paymentIDsOf + `)`, true},
	{`UPDATE complaint_step SET words = '', images = '[]' WHERE complaint IN (` + complaintsOf + `)`, false},
	{`UPDATE complaint_answer SET words = '', images = '[]' WHERE complaint IN (` + complaintsOf + `)`, false},
	{`UPDATE complaint SET words = '', images = '[]' WHERE id IN (` + complaintsOf + `)`, false},
	{`UPDATE risk_alarm SET words = '', said = '' WHERE payer = $1`, false},
	{`DELETE FROM risk_reporter WHERE reporter = 'payer:' || $1`, false},
	{`UPDATE support_note SET words = '' WHERE case_id IN (` + casesOf + `)`, false},
	{looseFilesOf, false},
	{`DELETE FROM support_file WHERE case_id IN (` + casesOf + `)`, false},
}

// looseFilesOf notes files of a payer's cases for the sweep, which keeps those that
// another case has. One that is leaving already is left to go.
const looseFilesOf = `INSERT INTO support_file_loose (id, due, leaving)
SELECT DISTINCT id, 0, 0 FROM support_file WHERE case_id IN (` + casesOf + `)
ON CONFLICT (id) DO NOTHING`

const deleteLogin = `DELETE FROM payer_login WHERE bucket = $1 AND digest = $2 AND payer = $3`

// ErasePerson implements privacy.Store.
func (db *DB) ErasePerson(ctx context.Context, e privacy.Erasure) error {
	bucket, id := int64(e.Payer.Bucket()), string(e.Payer)
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := db.erasable(ctx, tx, &e); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, deleteLogin, int64(mianmi.BucketOf(string(e.PhoneDigest))), e.PhoneDigest, id); err != nil {
			return wrapDriver("erase a login", err)
		}
		for _, s := range erasing {
			args := []any{id}
			if s.bucket {
				args = append(args, bucket)
			}
			if _, err := tx.ExecContext(ctx, s.query, args...); err != nil {
				return wrapDriver("erase a person", err)
			}
		}
		return writeEntries(ctx, tx, e.Payer.Bucket(), noVersion, e.Entry)
	})
}

// RecordExport implements privacy.Store.
func (db *DB) RecordExport(ctx context.Context, id mianmi.PayerID, e evidence.Entry) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return writeEntries(ctx, tx, id.Bucket(), noVersion, e)
	})
}
