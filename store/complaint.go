package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/support"
)

// DB is where support keeps what it needs.
var _ support.Store = (*DB)(nil)

const (
	complaintColumns = `id, channel, account, number, merchant, state, problem, flags, title, words, asked, currency, times, images,
		at, changed_at, seen_at, version, payer, about`

	complaintRead = complaintColumns + `, case_id`

	putComplaint = `INSERT INTO complaint (` + complaintColumns + `)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
		ON CONFLICT (id) DO UPDATE SET merchant = excluded.merchant, state = excluded.state, problem = excluded.problem, flags = excluded.flags,
		title = excluded.title, words = excluded.words, asked = excluded.asked, currency = excluded.currency, times = excluded.times,
		images = excluded.images, changed_at = excluded.changed_at, seen_at = excluded.seen_at, version = excluded.version`
	complaintByKey   = `SELECT ` + complaintRead + ` FROM complaint WHERE channel = $1 AND account = $2 AND number = $3`
	selectComplaint  = `SELECT ` + complaintRead + ` FROM complaint WHERE id = $1`
	selectComplaints = `SELECT ` + complaintRead + ` FROM complaint WHERE ($1 = '' OR merchant = $1) AND ($2 = 0 OR state <> $3)
		AND ($4 = '' OR id < $4) AND ($5 = '' OR id IN (SELECT complaint FROM complaint_payment WHERE payment = $5)) AND ($6 = '' OR payer = $6) ORDER BY id DESC LIMIT $7`

	dropComplaintPayments = `DELETE FROM complaint_payment WHERE complaint = $1`
	addComplaintPayment   = `INSERT INTO complaint_payment (complaint, n, payment, transaction_no, amount, currency) VALUES ($1, $2, $3, $4, $5, $6)`
	complaintPayments     = `SELECT payment, transaction_no, amount, currency FROM complaint_payment WHERE complaint = $1 ORDER BY n`

	addComplaintStep   = `INSERT INTO complaint_step (complaint, number, at, party, what, words, images) VALUES ($1, $2, $3, $4, $5, $6, $7)`
	complaintSteps     = `SELECT number, at, party, what, words, images FROM complaint_step WHERE complaint = $1 ORDER BY at, number LIMIT $2`
	complaintStepNames = `SELECT number FROM complaint_step WHERE complaint = $1 LIMIT $2`

	// complaintStepsMax bounds what is read of one: several times the 300 steps that
	// WeChat Pay shows.
	complaintStepsMax = 2000
)

// RecordComplaint implements support.Store.
func (db *DB) RecordComplaint(ctx context.Context, k support.Key, fn func(*support.Change) error) error {
	err := db.recordComplaint(ctx, k, fn)
	var known *mianmi.Error
	if errors.As(err, &known) && known.Code == "exists" { // somebody else was the first to write it
		return db.recordComplaint(ctx, k, fn)
	}
	return err
}

func (db *DB) recordComplaint(ctx context.Context, k support.Key, fn func(*support.Change) error) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		c := support.Change{Known: map[string]struct{}{}}
		old, err := readOne(ctx, tx, "complaint", scanComplaint, complaintByKey+db.dialect.forUpdate, k.Channel, k.Account, k.Number)
		switch {
		case err == nil:
			c.Complaint = &old
			if err := readComplaint(ctx, tx, &c); err != nil {
				return err
			}
		case !errors.Is(err, mianmi.NotFound):
			return err
		}
		if err := fn(&c); err != nil || c.Complaint == nil {
			return err
		}
		return db.writeComplaint(ctx, tx, &c)
	})
}

// readComplaint reads what belongs to a complaint that is locked.
func readComplaint(ctx context.Context, tx *sql.Tx, c *support.Change) (err error) {
	id := string(c.Complaint.ID)
	if c.Complaint.Payments, err = readAll(ctx, tx, scanAbout, complaintPayments, id); err != nil {
		return err
	}
	names, err := readAll(ctx, tx, func(scan scanner) (n string, err error) {
		err = scan(&n)
		return n, err
	}, complaintStepNames, id, complaintStepsMax)
	for _, n := range names {
		c.Known[n] = struct{}{}
	}
	return err
}

func (db *DB) writeComplaint(ctx context.Context, tx *sql.Tx, w *support.Change) error {
	c := w.Complaint
	images, err := json.Marshal(c.Images)
	if err != nil {
		return fmt.Errorf("encode pictures of %s: %w", c.ID, err)
	}
	_, err = tx.ExecContext(ctx, putComplaint, string(c.ID), c.Channel, c.Account, c.Number, string(c.Merchant), int64(c.State), int64(c.Problem), int64(c.Flags),
		c.Title, c.Text, c.Asked.Minor(), string(c.Asked.Currency()), c.Times, string(images), micros(c.At), micros(c.ChangedAt), micros(c.SeenAt), c.Version,
		string(c.Payer), string(c.Own()))
	if err != nil {
		return wrapDriver("write a complaint", err)
	}
	if len(w.Entries) == 0 {
		return nil // it was seen, and nothing is new
	}
	if err := newsOfComplaint(ctx, tx, c.ID, c.ChangedAt); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, dropComplaintPayments, string(c.ID)); err != nil {
		return wrapDriver("write a complaint", err)
	}
	for i, a := range c.Payments {
		if _, err := tx.ExecContext(ctx, addComplaintPayment, string(c.ID), i, string(a.Payment), a.Transaction, a.Amount.Minor(), string(a.Amount.Currency())); err != nil {
			return wrapDriver("write a complaint's payment", err)
		}
	}
	for _, t := range w.Steps {
		images, err := json.Marshal(t.Images)
		if err != nil {
			return fmt.Errorf("encode pictures of %s: %w", c.ID, err)
		}
		if _, err := tx.ExecContext(ctx, addComplaintStep, string(c.ID), t.Number, micros(t.At), int64(t.By), t.What, t.Text, string(images)); err != nil {
			return wrapDriver("write a complaint's step", err)
		}
	}
	if w.Tell {
		if err := db.tellSteps(ctx, tx, w); err != nil {
			return err
		}
	}
	return writeEntries(ctx, tx, mianmi.BucketOf(string(c.ID)), c.Version, w.Entries...)
}

func scanComplaint(scan scanner) (c support.Complaint, err error) {
	var asked, at, changed, seen int64
	var currency, images, about string
	err = scan(&c.ID, &c.Channel, &c.Account, &c.Number, &c.Merchant, &c.State, &c.Problem, &c.Flags, &c.Title, &c.Text, &asked, &currency, &c.Times, &images,
		&at, &changed, &seen, &c.Version, &c.Payer, &about, &c.Case)
	if err != nil {
		return c, err
	}
	if currency != "" {
		c.Asked = money.Of(asked, money.Currency(currency))
	}
	c.At, c.ChangedAt, c.SeenAt = fromMicros(at), fromMicros(changed), fromMicros(seen)
	return c, json.Unmarshal([]byte(images), &c.Images)
}

func scanAbout(scan scanner) (a support.About, err error) {
	var amount int64
	var currency string
	err = scan(&a.Payment, &a.Transaction, &amount, &currency)
	a.Amount = money.Of(amount, money.Currency(currency))
	return a, err
}

func scanStep(scan scanner) (t support.Step, err error) {
	var at int64
	var images string
	if err = scan(&t.Number, &at, &t.By, &t.What, &t.Text, &images); err != nil {
		return t, err
	}
	t.At = fromMicros(at)
	return t, json.Unmarshal([]byte(images), &t.Images)
}

// Complaint implements support.Store.
func (db *DB) Complaint(ctx context.Context, id mianmi.ComplaintID) (c support.Complaint, steps []support.Step, err error) {
	if c, err = readOne(ctx, db.read, "complaint", scanComplaint, selectComplaint, string(id)); err != nil {
		return c, nil, err
	}
	if c.Payments, err = readAll(ctx, db.read, scanAbout, complaintPayments, string(id)); err != nil {
		return c, nil, err
	}
	steps, err = readAll(ctx, db.read, scanStep, complaintSteps, string(id), complaintStepsMax)
	return c, steps, err
}

// ComplaintByKey implements support.Store.
func (db *DB) ComplaintByKey(ctx context.Context, k support.Key) (support.Complaint, error) {
	return readOne(ctx, db.read, "complaint", scanComplaint, complaintByKey, k.Channel, k.Account, k.Number)
}

// Complaints implements support.Store.
func (db *DB) Complaints(ctx context.Context, q support.Query) ([]support.Complaint, error) {
	list, err := readAll(ctx, db.read, scanComplaint, selectComplaints, string(q.Merchant), bit(q.Open), int64(support.Processed), string(q.Before), string(q.Payment),
		string(q.Payer), q.Limit)
	for i := range list {
		if err == nil {
			list[i].Payments, err = readAll(ctx, db.read, scanAbout, complaintPayments, string(list[i].ID))
		}
	}
	return list, err
}
