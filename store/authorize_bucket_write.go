package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/payment"
)

// The statements that a batch writes by. Rows are inserted by VALUES: an
// INSERT … SELECT of arrays goes through the coordinator of a cluster. The
// bucket of every row is the one parameter $1.
const (
	// As in the batch: a payer or code that is not there ends the transaction.
	sqlBucketAccountWrite = `WITH written AS (UPDATE payer SET balance = u.balance, counters = u.counters, allowance = u.allowance
		FROM unnest($2::text[], $3::bigint[], $4::text[], $5::text[]) AS u (id, balance, counters, allowance)
		WHERE payer.bucket = $1 AND payer.id = u.id RETURNING 1)
		SELECT 1 / (count(*) = $6)::int FROM written`
	sqlBucketUseCodes = `WITH used AS (DELETE FROM payment_code WHERE bucket = $1 AND digest = ANY($2) RETURNING 1)
		SELECT 1 / (count(*) = $3)::int FROM used`
	// A request that is an error here, while somebody else completed the same
	// one: the batch runs again and finds that payment.
	sqlBucketNotPaid = `SELECT 1 / (count(*) = 0)::int FROM payment WHERE bucket = $1 AND id = ANY($2)`
)

// Commit implements payment.Batch.
func (b *bucketBatch) Commit(_ context.Context, writes []payment.Write, decided evidence.Bundle) error {
	q := &pgx.Batch{}
	dropped, err := b.queueWrites(q, writes)
	if err == nil && len(decided.Records) > 0 {
		err = queueBundle(q, b.bucket, &decided)
	}
	if err != nil {
		return err
	}
	q.Queue("COMMIT")
	if err := b.conn.SendBatch(b.ctx, q).Close(); err != nil {
		var refused *pgconn.PgError
		b.unsure = !errors.As(err, &refused) || isAway(err)
		return lost(err)
	}
	b.end()
	b.unclaim(dropped)
	return nil
}

// queueWrites returns the asks whose order numbers are to be given back.
func (b *bucketBatch) queueWrites(q *pgx.Batch, writes []payment.Write) (dropped []int, err error) {
	var payments, journal, outbox [][]any
	var codes [][]byte
	for i := range writes {
		w := &writes[i]
		if w.Payment == nil {
			if b.mayDrop(i) {
				dropped = append(dropped, i)
			}
			continue
		}
		row, err := newPaymentRow(w.Payment)
		if err != nil {
			return nil, err
		}
		if row.bucket != b.bucket {
			return nil, fmt.Errorf("payment %s in a batch of bucket %d", row.id, b.bucket)
		}
		payments = append(payments, row.values()[1:])
		if row.told(b.snap, w.Payment.Topic()) {
			outbox = append(outbox, row.fact(w.Payment.Topic())[1:])
		}
		if p := w.Posting; p != nil {
			journal = append(journal, []any{row.id, 0, int16(p.Kind), string(p.Debit), string(p.Credit),
				p.Amount.Minor(), string(p.Amount.Currency()), row.stateAt})
		}
		if w.Call != nil {
			if err := queueCall(q, w.Call); err != nil {
				return nil, err
			}
		}
		if w.UseCode {
			codes = append(codes, b.asks[i].Code)
		}
	}
	if len(dropped) > 0 {
		ids := make([]string, len(dropped))
		for n, i := range dropped {
			ids[n] = string(b.asks[i].Payment)
		}
		q.Queue(sqlBucketNotPaid, b.bucket, ids)
	}
	if err := b.queueAccounts(q); err != nil {
		return nil, err
	}
	b.queueRows(q, sqlPayment, payments)
	b.queueRows(q, sqlJournal, journal)
	b.queueRows(q, sqlOutbox, outbox)
	if n := len(codes); n > 0 {
		q.Queue(sqlBucketUseCodes, b.bucket, codes, n)
	}
	return dropped, nil
}

// mayDrop reports whether the order number of a request that is an error is
// ours to give back. A claim of an earlier request is not, for its maker may
// still be under way; nor is one of an earlier try of ours for cash: with a
// payer, the lock of that row has made us wait for that try's end.
func (b *bucketBatch) mayDrop(i int) bool {
	a, c := &b.asks[i], &b.claims[i]
	cash := a.Code == nil && a.Instrument == "" && a.Payer == ""
	return b.facts[i].Prior == nil && c.mine && !(c.before && cash)
}

// queueRows inserts rows of this bucket, each without that column.
func (b *bucketBatch) queueRows(q *pgx.Batch, query string, rows [][]any) {
	_ = inSteps(len(rows), func(from, n int) error {
		args := []any{b.bucket}
		for _, r := range rows[from : from+n] {
			args = append(args, r...)
		}
		q.Queue(bucketRows[rowsOf{query, n}], args...)
		return nil
	})
}

func (b *bucketBatch) queueAccounts(q *pgx.Batch) error {
	var ids []mianmi.PayerID
	for id, a := range b.seen.accounts {
		if a.Dirty {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	slices.Sort(ids)
	n := len(ids)
	id, balance, counters, allowance := make([]string, n), make([]int64, n), make([]string, n), make([]*string, n)
	for i, pid := range ids {
		a := b.seen.accounts[pid]
		id[i], balance[i], counters[i] = string(pid), a.Balance.Minor(), a.Counters.String()
		var err error
		if allowance[i], err = allowanceText(a.Allowance); err != nil {
			return err
		}
	}
	q.Queue(sqlBucketAccountWrite, b.bucket, id, balance, counters, allowance, n)
	return nil
}
