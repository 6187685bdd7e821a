package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/support"
)

const (
	answerColumns = `complaint, key, id, channel, account, number, kind, words, seen, payment, amount, currency, days, actor, state, fault, step, tries, began_at, ended_at, images`

	insertAnswer = `INSERT INTO complaint_answer (` + answerColumns + `, due_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)`
	selectAnswers = `SELECT ` + answerColumns + ` FROM complaint_answer WHERE complaint = $1 ORDER BY began_at, id LIMIT $2`
	dueAnswers    = `SELECT complaint, key FROM complaint_answer WHERE account IN ($1) AND channel = $2 AND due_at <= $3 ORDER BY due_at, id LIMIT $4`
	// Its due time guards a claim, as that of a channel call does.
	claimOneAnswer = `UPDATE complaint_answer SET due_at = $4, tries = tries + 1 WHERE complaint = $1 AND key = $2 AND due_at <= $3 RETURNING ` + answerColumns
	putOffOne      = `UPDATE complaint_answer SET due_at = $4 WHERE complaint = $1 AND key = $2 AND due_at = $3`
	endAnswer      = `UPDATE complaint_answer SET due_at = NULL, state = $4, fault = $5, step = $6, ended_at = $7 WHERE complaint = $1 AND key = $2 AND due_at = $3`

	// answersListed is more than there may be of one complaint.
	answersListed = 1000
)

// PutAnswer implements support.Store.
func (db *DB) PutAnswer(ctx context.Context, a *support.Answer, fn func(*support.AnswerChange) error) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		c, err := readOne(ctx, tx, "complaint", scanComplaint, selectComplaint+db.dialect.forUpdate, string(a.Complaint))
		if err != nil {
			return err
		}
		w := support.AnswerChange{Change: support.Change{Complaint: &c}}
		if w.Answers, err = readAll(ctx, tx, scanAnswer, selectAnswers, string(c.ID), answersListed); err != nil {
			return err
		}
		if err := fn(&w); err != nil || !w.Write {
			return err
		}
		due := a.Began
		if !a.Until.IsZero() {
			due = a.Until
		}
		actor, err := json.Marshal(a.Actor)
		if err != nil {
			return fmt.Errorf("encode the actor of %s: %w", a.ID, err)
		}
		images, err := json.Marshal(a.Images)
		if err != nil {
			return fmt.Errorf("encode pictures of %s: %w", a.ID, err)
		}
		_, err = tx.ExecContext(ctx, insertAnswer, string(a.Complaint), a.Key, string(a.ID), a.At.Channel, a.At.Account, a.At.Number, int64(a.Kind), a.Text, a.Version,
			string(a.Payment), a.Amount.Minor(), string(a.Amount.Currency()), a.Days, string(actor), int64(a.State), a.Fault, a.Step, a.Tries, micros(a.Began),
			nullMicros(a.Ended), string(images), micros(due))
		if err != nil {
			return wrapDriver("write an answer", err)
		}
		if err := newsOfComplaint(ctx, tx, c.ID, a.Began); err != nil {
			return err
		}
		return writeEntries(ctx, tx, mianmi.BucketOf(string(c.ID)), c.Version, w.Entries...)
	})
}

func scanAnswer(scan scanner) (a support.Answer, err error) {
	var amount, began int64
	var ended sql.NullInt64
	var currency, actor, images string
	err = scan(&a.Complaint, &a.Key, &a.ID, &a.At.Channel, &a.At.Account, &a.At.Number, &a.Kind, &a.Text, &a.Version, &a.Payment, &amount, &currency, &a.Days, &actor,
		&a.State, &a.Fault, &a.Step, &a.Tries, &began, &ended, &images)
	if err != nil {
		return a, err
	}
	if currency != "" {
		a.Amount = money.Of(amount, money.Currency(currency))
	}
	a.Began, a.Ended = fromMicros(began), fromNullMicros(ended)
	return a, errors.Join(json.Unmarshal([]byte(actor), &a.Actor), json.Unmarshal([]byte(images), &a.Images))
}

// Answers implements support.Store.
func (db *DB) Answers(ctx context.Context, id mianmi.ComplaintID) ([]support.Answer, error) {
	return readAll(ctx, db.read, scanAnswer, selectAnswers, string(id), answersListed)
}

// ClaimAnswers implements support.Store.
func (db *DB) ClaimAnswers(ctx context.Context, channel string, accounts []string, now, lease time.Time, most int) ([]support.Answer, error) {
	keys, err := readAll(ctx, db.read, func(scan scanner) (k [2]string, err error) {
		err = scan(&k[0], &k[1])
		return k, err
	}, db.dialect.withLists(dueAnswers), list(&db.dialect, accounts, same), channel, micros(now), most)
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	var due []support.Answer
	err = db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		due = due[:0]
		for _, k := range keys {
			a, err := scanAnswer(tx.QueryRowContext(ctx, claimOneAnswer, k[0], k[1], micros(now), micros(lease)).Scan)
			a.Until = lease
			switch {
			case errors.Is(err, sql.ErrNoRows): // somebody else has it
			case err != nil:
				return wrapDriver("claim an answer", err)
			default:
				due = append(due, a)
			}
		}
		return nil
	})
	return due, err
}

// PutOffAnswer implements support.Store.
func (db *DB) PutOffAnswer(ctx context.Context, a *support.Answer, next time.Time) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, putOffOne, string(a.Complaint), a.Key, micros(a.Until), micros(next))
		return wrapDriver("put an answer off", err)
	})
}

// EndAnswer implements support.Store.
func (db *DB) EndAnswer(ctx context.Context, a *support.Answer, fn func(*support.Change) error) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		c, err := readOne(ctx, tx, "complaint", scanComplaint, selectComplaint+db.dialect.forUpdate, string(a.Complaint))
		if err != nil {
			return err
		}
		w := support.Change{Complaint: &c, Known: map[string]struct{}{}}
		if err := readComplaint(ctx, tx, &w); err != nil {
			return err
		}
		if err := fn(&w); err != nil {
			return err
		}
		done, err := tx.ExecContext(ctx, endAnswer, string(a.Complaint), a.Key, micros(a.Until), int64(a.State), a.Fault, a.Step, nullMicros(a.Ended))
		if err != nil {
			return wrapDriver("end an answer", err)
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return err // somebody else has claimed it since
		}
		if err := newsOfComplaint(ctx, tx, c.ID, a.Ended); err != nil {
			return err
		}
		if len(w.Steps) > 0 {
			return db.writeComplaint(ctx, tx, &w)
		}
		return writeEntries(ctx, tx, mianmi.BucketOf(string(c.ID)), c.Version, w.Entries...)
	})
}
