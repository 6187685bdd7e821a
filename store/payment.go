package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
)

var _ payment.Books = (*DB)(nil)

const (
	sqlLockAccount = `SELECT ` + accountColumns + ` FROM payer p WHERE p.bucket = $1 AND p.id = $2`

	sqlPaymentChange = `UPDATE payment SET cvm = $3, state = $4, failure = $5, step_up = $6, tries = $7, actor = $8, state_at = $9,
		expires_at = $10, refunded = $11, version = $12 WHERE bucket = $1 AND id = $2 AND version < $12`
	sqlJournalLine = `SELECT coalesce(max(line), -1) + 1 FROM journal WHERE bucket = $1 AND ref = $2`
	sqlRefund      = `INSERT INTO refund (bucket, payment, refund_no, id, amount, currency, reason, actor, at, state, asked, settled)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`
)

// Change implements payment.Books. The payer is locked before the payment, as
// in every transaction that takes both.
func (db *DB) Change(ctx context.Context, id mianmi.PaymentID, fn func(*payment.Change) error) error {
	bucket, err := id.Bucket()
	if err != nil {
		return mianmi.Missing("payment")
	}
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		c, err := db.lockPayment(ctx, tx, bucket, id)
		if err != nil {
			return err
		}
		if c.Account != nil {
			if c.Settings, err = db.settingsIn(ctx, tx); err != nil {
				return err
			}
		}
		version, calls, refunds := c.Payment.Version, slices.Clone(c.Calls), slices.Clone(c.Refunds)
		if err := fn(c); err != nil {
			return err
		}
		if err := writeCalls(ctx, tx, calls, c.Calls); err != nil {
			return err
		}
		if c.Payment.Version == version {
			return nil // fn found nothing to change at the payment itself
		}
		if err := writeRefundStates(ctx, tx, int16(bucket), refunds, c.Refunds); err != nil {
			return err
		}
		return db.writeChange(ctx, tx, int16(bucket), c)
	})
}

func (db *DB) lockPayment(ctx context.Context, tx *sql.Tx, bucket mianmi.Bucket, id mianmi.PaymentID) (*payment.Change, error) {
	var owner string
	err := tx.QueryRowContext(ctx, `SELECT payer FROM payment WHERE bucket = $1 AND id = $2`, int16(bucket), string(id)).Scan(&owner)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, mianmi.Missing("payment")
	}
	if err != nil {
		return nil, wrapDriver("read a payment", err)
	}
	c := &payment.Change{}
	if owner != "" {
		if c.Account, err = db.lockAccount(ctx, tx, mianmi.PayerID(owner)); err != nil {
			return nil, err
		}
	}
	var r paymentRow
	if err := tx.QueryRowContext(ctx, sqlPaymentByID+db.dialect.forUpdate, int16(bucket), string(id)).Scan(r.dest()...); err != nil {
		return nil, wrapDriver("lock a payment", err)
	}
	if c.Payment, err = r.payment(); err != nil {
		return nil, err
	}
	if c.Payment.Instrument != "" {
		if c.Instrument, err = readInstrument(ctx, tx, c.Payment.Instrument); err != nil {
			return nil, err
		}
	}
	if c.Payment.Outside() {
		if c.Calls, err = readCalls(ctx, tx, bucket, id); err != nil {
			return nil, err
		}
	}
	if c.Payment.Refunded > 0 || len(c.Calls) > 0 {
		if c.Refunds, err = refunds(ctx, tx, bucket, id); err != nil {
			return nil, err
		}
	}
	if s := c.Payment.State; s == payment.Approved || s == payment.PartlyRefunded { // no other can be given back
		c.Compensation, err = compensation(ctx, tx, id)
	}
	return c, err
}

// readInstrument returns nil for a token that is not there any more.
func readInstrument(ctx context.Context, q queryer, id mianmi.InstrumentID) (*payer.Instrument, error) {
	bucket, err := id.Bucket()
	if err != nil {
		return nil, err
	}
	in := payer.Instrument{ID: id}
	var domestic int16
	err = q.QueryRowContext(ctx, sqlInstrument, int16(bucket), string(id)).Scan((*string)(&in.Payer), &in.Scheme, &in.Kind, &domestic, &in.Issuer)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	in.Domestic = domestic == 1
	return &in, wrapDriver("read an instrument", err)
}

func (db *DB) lockAccount(ctx context.Context, tx *sql.Tx, id mianmi.PayerID) (*payment.Account, error) {
	var r accountRow
	err := tx.QueryRowContext(ctx, sqlLockAccount+db.dialect.forUpdate, int16(id.Bucket()), string(id)).Scan(r.dest()...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, mianmi.Missing("payer")
	}
	if err != nil {
		return nil, wrapDriver("lock a payer", err)
	}
	a := r.account()
	if a.Unreadable {
		return nil, fmt.Errorf("payer %s: its counters or settings cannot be read", id)
	}
	return a, nil
}

func (db *DB) writeChange(ctx context.Context, tx *sql.Tx, bucket int16, c *payment.Change) error {
	r, err := newPaymentRow(c.Payment)
	if err != nil {
		return err
	}
	if err := one(tx.ExecContext(ctx, sqlPaymentChange, bucket, r.id, r.cvm, r.state, r.failure, r.stepUp, r.tries, r.actor, r.stateAt,
		r.expiresAt, r.refunded, r.version)); err != nil {
		return wrapDriver("write payment "+r.id, err)
	}
	if c.Account != nil && c.Account.Dirty {
		if err := writeAccount(ctx, tx, c.Account); err != nil {
			return err
		}
	}
	if err := writePostings(ctx, tx, bucket, r.id, r.stateAt, c.Postings); err != nil {
		return err
	}
	if f := c.Refund; f != nil {
		if _, err := tx.ExecContext(ctx, sqlRefund, bucket, r.id, f.RefundNo, string(f.ID), f.Amount.Minor(), string(f.Amount.Currency()),
			f.Reason, f.Actor, micros(f.At), int16(f.State), f.Asked, f.Settled); err != nil {
			return wrapDriver("write a refund", err)
		}
	}
	if err := db.tellPayment(ctx, tx, c.Settings, &r, c.Topic); err != nil {
		return err
	}
	// In their order of versions, whatever the clocks of nodes.
	return writeEntries(ctx, tx, mianmi.Bucket(bucket), r.version, c.Entry) //nolint:gosec // a bucket
}

func writeAccount(ctx context.Context, tx *sql.Tx, a *payment.Account) error {
	allowance, err := allowanceText(a.Allowance)
	if err != nil {
		return err
	}
	err = one(tx.ExecContext(ctx, sqlAccount, int16(a.ID.Bucket()), string(a.ID), a.Balance.Minor(), a.Counters.String(), allowance))
	return wrapDriver("write a payer", err)
}

// writePostings adds lines under ref, numbered on from those that are there.
func writePostings(ctx context.Context, tx *sql.Tx, bucket int16, ref string, at int64, postings []channel.Posting) error {
	if len(postings) == 0 {
		return nil
	}
	var line int64
	if err := tx.QueryRowContext(ctx, sqlJournalLine, bucket, ref).Scan(&line); err != nil {
		return wrapDriver("number the journal", err)
	}
	for i, p := range postings {
		if _, err := tx.ExecContext(ctx, sqlJournal, bucket, ref, line+int64(i), int16(p.Kind), string(p.Debit), string(p.Credit),
			p.Amount.Minor(), string(p.Amount.Currency()), at); err != nil {
			return wrapDriver("write the journal", err)
		}
	}
	return nil
}

// one checks that a statement met exactly one row.
func one(res sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err == nil && n != 1 {
		err = fmt.Errorf("%d rows in place of one", n)
	}
	return err
}

// Payment implements payment.Books.
func (db *DB) Payment(ctx context.Context, id mianmi.PaymentID) (*payment.Payment, error) {
	if _, err := id.Bucket(); err != nil {
		return nil, mianmi.Missing("payment")
	}
	p, err := scanPayment(func(id mianmi.PaymentID, bucket int16) *sql.Row {
		return db.read.QueryRowContext(ctx, sqlPaymentByID, bucket, string(id))
	}, id)
	return p, missing("payment", err)
}

// missing names what a NotFound is about.
func missing(what string, err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return mianmi.Missing(what)
	}
	return wrapDriver("read a "+what, err)
}

// PaymentByOrder implements payment.Books.
func (db *DB) PaymentByOrder(ctx context.Context, key payment.Hash16) (*payment.Payment, error) {
	var digest []byte
	var id string
	if err := db.read.QueryRowContext(ctx, sqlPrior, int16(key.Bucket()), key[:]).Scan(&digest, &id); err != nil {
		return nil, missing("payment", err)
	}
	return db.Payment(ctx, mianmi.PaymentID(id))
}

// OrderClaim implements payment.Books.
func (db *DB) OrderClaim(ctx context.Context, key payment.Hash16) (payment.OrderClaim, error) {
	return orderClaim(ctx, db.read, key)
}

func orderClaim(ctx context.Context, q querier, key payment.Hash16) (c payment.OrderClaim, err error) {
	var digest []byte
	err = q.QueryRowContext(ctx, sqlPrior, int16(key.Bucket()), key[:]).Scan(&digest, (*string)(&c.Payment))
	copy(c.Digest[:], digest)
	return c, missing("order", err)
}

// EndOrder implements payment.Books. Who claims the number at the same time
// holds its row until the end of that transaction: one of the two comes first.
func (db *DB) EndOrder(ctx context.Context, key, digest payment.Hash16) (c payment.OrderClaim, err error) {
	for range triesMax {
		err = db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, sqlClaim, int16(key.Bucket()), key[:], digest[:], ""); err != nil {
				return wrapDriver("end an order", err)
			}
			c, err = orderClaim(ctx, tx, key)
			return err
		})
		if mianmi.KindOf(err) != mianmi.NotFound { // else it was given back between the two
			return c, err
		}
	}
	return c, unavailable("end an order", err)
}

const (
	sqlPaymentsFirst  = `SELECT ` + paymentColumns + ` FROM payment WHERE bucket = $1 AND payer = $2 ORDER BY id DESC LIMIT $3`
	sqlPaymentsBefore = `SELECT ` + paymentColumns + ` FROM payment WHERE bucket = $1 AND payer = $2 AND id < $3 ORDER BY id DESC LIMIT $4`
	sqlOpenStepUps    = `SELECT ` + paymentColumns + ` FROM payment
		WHERE expires_at > $3 AND bucket = $1 AND payer = $2 ORDER BY id DESC LIMIT $4`
	sqlOverdue = `SELECT id FROM payment WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2`
	sqlRefunds = `SELECT id, refund_no, amount, currency, reason, actor, at, state, asked, settled FROM refund WHERE bucket = $1 AND payment = $2 ORDER BY at, id`
)

// Payments implements payment.Books.
func (db *DB) Payments(ctx context.Context, p mianmi.PayerID, before mianmi.PaymentID, limit int) ([]payment.Payment, error) {
	if before == "" {
		return db.listPayments(ctx, sqlPaymentsFirst, int16(p.Bucket()), string(p), limit)
	}
	return db.listPayments(ctx, sqlPaymentsBefore, int16(p.Bucket()), string(p), string(before), limit)
}

// OpenStepUps implements payment.Books.
func (db *DB) OpenStepUps(ctx context.Context, p mianmi.PayerID, now time.Time, limit int) ([]payment.Payment, error) {
	return db.listPayments(ctx, sqlOpenStepUps, int16(p.Bucket()), string(p), micros(now), limit)
}

func (db *DB) listPayments(ctx context.Context, query string, args ...any) ([]payment.Payment, error) {
	rows, err := db.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, wrapDriver("list payments", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err says it
	var list []payment.Payment
	for rows.Next() {
		var r paymentRow
		if err := rows.Scan(r.dest()...); err != nil {
			return nil, wrapDriver("list payments", err)
		}
		p, err := r.payment()
		if err != nil {
			return nil, err
		}
		list = append(list, *p)
	}
	return list, wrapDriver("list payments", rows.Err())
}

// Overdue implements payment.Books.
func (db *DB) Overdue(ctx context.Context, now time.Time, limit int) ([]mianmi.PaymentID, error) {
	rows, err := db.read.QueryContext(ctx, sqlOverdue, micros(now), limit)
	if err != nil {
		return nil, wrapDriver("list overdue step-ups", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err says it
	var ids []mianmi.PaymentID
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, wrapDriver("list overdue step-ups", err)
		}
		ids = append(ids, mianmi.PaymentID(id))
	}
	return ids, wrapDriver("list overdue step-ups", rows.Err())
}

// Refunds implements payment.Books.
func (db *DB) Refunds(ctx context.Context, id mianmi.PaymentID) ([]payment.Refund, error) {
	bucket, err := id.Bucket()
	if err != nil {
		return nil, mianmi.Missing("payment")
	}
	return refunds(ctx, db.read, bucket, id)
}

// queryer is a database handle or a transaction.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func refunds(ctx context.Context, q queryer, bucket mianmi.Bucket, id mianmi.PaymentID) ([]payment.Refund, error) {
	rows, err := q.QueryContext(ctx, sqlRefunds, int16(bucket), string(id))
	if err != nil {
		return nil, wrapDriver("list refunds", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err says it
	var list []payment.Refund
	for rows.Next() {
		var rid, no, currency, reason, actor string
		var amount, at, asked, settled int64
		var state int16
		if err := rows.Scan(&rid, &no, &amount, &currency, &reason, &actor, &at, &state, &asked, &settled); err != nil {
			return nil, wrapDriver("list refunds", err)
		}
		list = append(list, payment.Refund{ID: mianmi.RefundID(rid), Payment: id, RefundNo: no, Amount: money.Of(amount, money.Currency(currency)),
			Reason: reason, Actor: actor, At: fromMicros(at), State: payment.RefundState(state), //nolint:gosec // as stored
			Asked: asked, Settled: settled})
	}
	return list, wrapDriver("list refunds", rows.Err())
}
