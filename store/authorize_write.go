package store

import (
	"io"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/payment"
)

type tag = pgconn.CommandTag

// The statements of the second round trip. Each takes columns as arrays and
// writes all rows of a batch at once.
const (
	// A payer or code that is not there any more ends the transaction before its
	// commit, by a division by zero.
	sqlBatchAccountWrite = `WITH written AS (UPDATE payer SET balance = u.balance, counters = u.counters, allowance = u.allowance
		FROM unnest($1::tid[], $2::smallint[], $3::text[], $4::bigint[], $5::text[], $6::text[])
			AS u (tid, bucket, id, balance, counters, allowance)
		WHERE payer.ctid = u.tid AND payer.bucket = u.bucket AND payer.id = u.id RETURNING 1)
		SELECT 1 / (count(*) = $7)::int FROM written`
	sqlBatchUseCodes = `WITH used AS (DELETE FROM payment_code c
		USING unnest($1::tid[], $2::smallint[], $3::bytea[]) AS u (tid, bucket, digest)
		WHERE c.ctid = u.tid AND c.bucket = u.bucket AND c.digest = u.digest RETURNING 1)
		SELECT 1 / (count(*) = $4)::int FROM used`
	sqlCopyPayments = `COPY payment (` + paymentColumns + `) FROM STDIN (FORMAT binary)`
	sqlBatchJournal = `INSERT INTO journal (bucket, ref, line, kind, debit, credit, amount, currency, at)
		SELECT u.bucket, u.ref, 0, u.kind, u.debit, u.credit, u.amount, u.currency, u.at
		FROM unnest($1::smallint[], $2::text[], $3::smallint[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::bigint[])
		AS u (bucket, ref, kind, debit, credit, amount, currency, at)`
	sqlBatchOutbox = `INSERT INTO outbox (bucket, at, subject, seq, topic, merchant, ref)
		SELECT u.*, '' FROM unnest($1::smallint[], $2::bigint[], $3::text[], $4::bigint[], $5::smallint[], $6::text[]) AS u`
	sqlBatchUnclaim = `DELETE FROM merchant_order m USING unnest($1::smallint[], $2::bytea[]) AS u (bucket, key)
		WHERE m.bucket = u.bucket AND m.key = u.key`
)

// queueWrites queues what the batch writes but the payments themselves, which
// it returns as rows for COPY; nil when there are none.
func (b *pgBatch) queueWrites(q *pgx.Batch, writes []payment.Write) (io.Reader, error) {
	if err := b.queueAccounts(q); err != nil {
		return nil, err
	}
	var pay copyRows
	var jou journalArrays
	var out outboxArrays
	var codes codeArrays
	var drop claimArrays
	for i := range writes {
		w, ask := &writes[i], &b.asks[i]
		if w.Payment == nil {
			if b.facts[i].Prior == nil && b.facts[i].PriorDigest == (payment.Hash16{}) {
				drop.bucket, drop.key = append(drop.bucket, int16(ask.Key.Bucket())), append(drop.key, ask.Key[:])
			}
			continue
		}
		row, err := newPaymentRow(w.Payment)
		if err != nil {
			return nil, err
		}
		pay.add(&row)
		if row.told(b.snap, w.Payment.Topic()) {
			out.add(&row, w.Payment.Topic())
		}
		if w.Posting != nil {
			jou.add(&row, w)
		}
		if w.Call != nil {
			if err := queueCall(q, w.Call); err != nil {
				return nil, err
			}
		}
		if w.UseCode {
			codes.tid = append(codes.tid, b.codeRows[i])
			codes.bucket, codes.digest = append(codes.bucket, row.bucket), append(codes.digest, ask.Code)
		}
	}
	if len(out.subject) > 0 {
		q.Queue(sqlBatchOutbox, out.bucket, out.at, out.subject, out.seq, out.topic, out.merchant)
	}
	if len(jou.ref) > 0 {
		q.Queue(sqlBatchJournal, jou.bucket, jou.ref, jou.kind, jou.debit, jou.credit, jou.amount, jou.currency, jou.at)
	}
	if n := len(codes.digest); n > 0 {
		q.Queue(sqlBatchUseCodes, codes.tid, codes.bucket, codes.digest, n)
	}
	if len(drop.key) > 0 {
		q.Queue(sqlBatchUnclaim, drop.bucket, drop.key)
	}
	return pay.reader(), nil
}

// queueCall queues what a channel over a network is asked for.
func queueCall(q *pgx.Batch, c *payment.Call) error {
	row, err := callRow(c)
	if err == nil {
		q.Queue(sqlCall, row...)
	}
	return err
}

// queueBundle queues the entry of what a batch decided.
func queueBundle(q *pgx.Batch, bucket int16, decided *evidence.Bundle) error {
	row, err := bundleRow(bucket, decided)
	if err != nil {
		return err
	}
	q.Queue(insertEntry, row...)
	q.Queue(insertWaiting, row[:2]...)
	return nil
}

// firstBucket is the bucket of the first payment that is written: there the
// batch's entry is kept.
func firstBucket(writes []payment.Write) mianmi.Bucket {
	for i := range writes {
		if p := writes[i].Payment; p != nil {
			b, _ := p.ID.Bucket() // what has none has been refused by newPaymentRow
			return b
		}
	}
	return 0
}

func (b *pgBatch) queueAccounts(q *pgx.Batch) error {
	ids := make([]mianmi.PayerID, 0, len(b.seen.accounts))
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
	tid, bucket, id, balance := make([]pgtype.TID, n), make([]int16, n), make([]string, n), make([]int64, n)
	counters, allowance := make([]string, n), make([]*string, n)
	for i, pid := range ids {
		a := b.seen.accounts[pid]
		tid[i] = b.rows[pid]
		bucket[i], id[i], balance[i], counters[i] = int16(pid.Bucket()), string(pid), a.Balance.Minor(), a.Counters.String()
		var err error
		if allowance[i], err = allowanceText(a.Allowance); err != nil {
			return err
		}
	}
	q.Queue(sqlBatchAccountWrite, tid, bucket, id, balance, counters, allowance, n)
	return nil
}

type codeArrays struct {
	tid    []pgtype.TID
	bucket []int16
	digest [][]byte
}

type claimArrays struct {
	bucket []int16
	key    [][]byte
}

type outboxArrays struct {
	bucket   []int16
	at       []int64
	subject  []string
	seq      []int64
	topic    []int16
	merchant []string
}

func (o *outboxArrays) add(r *paymentRow, t payment.Topic) {
	o.bucket, o.at, o.subject = append(o.bucket, r.bucket), append(o.at, r.stateAt), append(o.subject, r.id)
	o.seq, o.topic, o.merchant = append(o.seq, r.version), append(o.topic, int16(t)), append(o.merchant, r.merchant)
}

type journalArrays struct {
	bucket        []int16
	ref           []string
	kind          []int16
	debit, credit []string
	amount        []int64
	currency      []string
	at            []int64
}

func (j *journalArrays) add(r *paymentRow, w *payment.Write) {
	p := w.Posting
	j.bucket, j.ref, j.kind = append(j.bucket, r.bucket), append(j.ref, r.id), append(j.kind, int16(p.Kind))
	j.debit, j.credit = append(j.debit, string(p.Debit)), append(j.credit, string(p.Credit))
	j.amount, j.currency = append(j.amount, p.Amount.Minor()), append(j.currency, string(p.Amount.Currency()))
	j.at = append(j.at, r.stateAt)
}
