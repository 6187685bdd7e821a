package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
)

const (
	callColumns = `bucket, payment, refund, channel, merchant, way, task, due_at, tries, asked, began_at, until, busy, taken, ending,
		ended_at, late, counted, allowance, return_no, refusals, transaction_no, qr`

	sqlCall = `INSERT INTO channel_call (` + callColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
		$16, $17, $18, $19, $20, $21, $22, $23)`
	sqlCallWrite = sqlCall + ` ON CONFLICT (bucket, payment, refund) DO UPDATE SET task = excluded.task, due_at = excluded.due_at,
		tries = excluded.tries, asked = excluded.asked, busy = excluded.busy, taken = excluded.taken, ending = excluded.ending,
		ended_at = excluded.ended_at, late = excluded.late, counted = excluded.counted, allowance = excluded.allowance,
		return_no = excluded.return_no, refusals = excluded.refusals, transaction_no = excluded.transaction_no, qr = excluded.qr`
	sqlCallsOf  = `SELECT ` + callColumns + ` FROM channel_call WHERE bucket = $1 AND payment = $2 ORDER BY refund`
	sqlCallOf   = `SELECT ` + callColumns + ` FROM channel_call WHERE bucket = $1 AND payment = $2 AND refund = ''`
	sqlCallsDue = `SELECT bucket, payment, refund FROM channel_call WHERE channel = $1 AND due_at <= $2 ORDER BY due_at, payment, refund LIMIT $3`
	// Its due time guards a claim: of two who would have a row, the later finds it
	// put off. It is one row of one bucket, so that a cluster can do it too.
	sqlCallClaim = `UPDATE channel_call SET due_at = $5 WHERE bucket = $1 AND payment = $2 AND refund = $3 AND due_at <= $4
		RETURNING ` + callColumns
)

// callRow is the row of a call.
func callRow(c *payment.Call) ([]any, error) {
	b, err := c.Payment.Bucket()
	if err != nil {
		return nil, fmt.Errorf("call for payment %s: %w", c.Payment, err)
	}
	allowance, err := allowanceText(c.Allowance)
	if err != nil {
		return nil, err
	}
	return []any{int16(b), string(c.Payment), string(c.Refund), c.Channel, string(c.Merchant), int16(c.Way), int16(c.Task), ptrMicros(c.Due),
		int64(c.Tries), flag(c.Asked), micros(c.Began), micros(c.Until), flag(c.Busy), flag(c.Taken), int16(c.Ending), ptrMicros(c.Ended),
		int16(c.Late), flag(c.Counted), allowance, string(c.Return), int16(c.Refusals), c.Transaction, c.QR}, nil //nolint:gosec // a few looks and refusals
}

func flag(b bool) int16 {
	if b {
		return 1
	}
	return 0
}

func scanCall(scan scanner) (c payment.Call, err error) {
	var bucket, way, task, asked, busy, taken, ending, late, counted, refusals int16
	var tries, began, until int64
	var due, ended *int64
	var allowance *string
	err = scan(&bucket, (*string)(&c.Payment), (*string)(&c.Refund), &c.Channel, (*string)(&c.Merchant), &way, &task, &due, &tries, &asked, &began,
		&until, &busy, &taken, &ending, &ended, &late, &counted, &allowance, (*string)(&c.Return), &refusals, &c.Transaction, &c.QR)
	if err != nil {
		return c, err
	}
	c.Way, c.Task, c.Ending = channel.Way(way), payment.Task(task), payment.State(ending) //nolint:gosec // as stored
	c.Tries, c.Late, c.Refusals, c.Due, c.Ended = int(tries), int(late), int(refusals), fromPtrMicros(due), fromPtrMicros(ended)
	c.Began, c.Until = fromMicros(began), fromMicros(until)
	c.Asked, c.Busy, c.Taken, c.Counted = asked == 1, busy == 1, taken == 1, counted == 1
	if allowance != nil {
		c.Allowance = new(payer.Allowance)
		err = json.Unmarshal([]byte(*allowance), c.Allowance)
	}
	return c, err
}

// Call implements payment.Books.
func (db *DB) Call(ctx context.Context, id mianmi.PaymentID) (payment.Call, error) {
	bucket, err := id.Bucket()
	if err != nil {
		return payment.Call{}, mianmi.Missing("channel call")
	}
	return readOne(ctx, db.read, "channel call", scanCall, sqlCallOf, int16(bucket), string(id))
}

// ClaimCalls implements payment.Books.
func (db *DB) ClaimCalls(ctx context.Context, of payment.Claim) ([]payment.Call, error) {
	type key struct {
		bucket          int16
		payment, refund string
	}
	keys, err := readAll(ctx, db.read, func(scan scanner) (k key, err error) {
		err = scan(&k.bucket, &k.payment, &k.refund)
		return k, err
	}, sqlCallsDue, of.Channel, micros(of.Now), of.Limit)
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	var calls []payment.Call
	err = db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		calls = calls[:0]
		for _, k := range keys {
			c, err := scanCall(tx.QueryRowContext(ctx, sqlCallClaim, k.bucket, k.payment, k.refund, micros(of.Now), micros(of.Until)).Scan)
			switch {
			case errors.Is(err, sql.ErrNoRows): // somebody else has it
			case err != nil:
				return wrapDriver("claim a channel call", err)
			default:
				calls = append(calls, c)
			}
		}
		return nil
	})
	return calls, err
}

// readCalls reads the calls of a payment that is locked.
func readCalls(ctx context.Context, tx *sql.Tx, bucket mianmi.Bucket, id mianmi.PaymentID) ([]payment.Call, error) {
	return readAll(ctx, tx, scanCall, sqlCallsOf, int16(bucket), string(id))
}

// writeCalls writes the calls that a change has made or altered.
func writeCalls(ctx context.Context, tx *sql.Tx, before, after []payment.Call) error {
	for i := range after {
		if i < len(before) && reflect.DeepEqual(before[i], after[i]) {
			continue
		}
		row, err := callRow(&after[i])
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, sqlCallWrite, row...); err != nil {
			return wrapDriver("write a channel call", err)
		}
	}
	return nil
}

const sqlRefundState = `UPDATE refund SET state = $4, settled = $5, asked = $6 WHERE bucket = $1 AND payment = $2 AND refund_no = $3`

// writeRefundStates writes what has become of refunds.
func writeRefundStates(ctx context.Context, tx *sql.Tx, bucket int16, before, after []payment.Refund) error {
	for i := range before {
		if before[i].State == after[i].State {
			continue
		}
		if err := one(tx.ExecContext(ctx, sqlRefundState, bucket, string(after[i].Payment), after[i].RefundNo, int16(after[i].State), after[i].Settled, after[i].Asked)); err != nil {
			return wrapDriver("write a refund's state", err)
		}
	}
	return nil
}
