package store

import (
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payment"
)

type tag = pgconn.CommandTag

// The statements of the second round trip. Each takes columns as arrays and
// writes all rows of a batch at once.
const (
	// A payer or code that is not there any more ends the transaction before its
	// commit, by a division by zero.
	sqlBatchAccountWrite = `WITH written AS (UPDATE payer SET balance = u.balance, counters = u.counters, allowance = u.allowance
		FROM unnest($1::smallint[], $2::text[], $3::bigint[], $4::text[], $5::text[]) AS u (bucket, id, balance, counters, allowance)
		WHERE payer.bucket = u.bucket AND payer.id = u.id RETURNING 1)
		SELECT 1 / (count(*) = $6)::int FROM written`
	sqlBatchUseCodes = `WITH used AS (DELETE FROM payment_code c USING unnest($1::smallint[], $2::bytea[]) AS u (bucket, digest)
		WHERE c.bucket = u.bucket AND c.digest = u.digest RETURNING 1)
		SELECT 1 / (count(*) = $3)::int FROM used`
	sqlBatchPayments = `INSERT INTO payment (` + paymentColumns + `)
		SELECT * FROM unnest($1::smallint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[],
		$9::text[], $10::smallint[], $11::smallint[], $12::smallint[], $13::text[], $14::text[], $15::smallint[], $16::smallint[],
		$17::smallint[], $18::smallint[], $19::smallint[], $20::text[], $21::text[], $22::bigint[], $23::bigint[], $24::text[],
		$25::bigint[], $26::bigint[], $27::bigint[], $28::bigint[], $29::bigint[])`
	sqlBatchJournal = `INSERT INTO journal (bucket, ref, line, kind, debit, credit, amount, currency, at)
		SELECT u.bucket, u.ref, 0, u.kind, u.debit, u.credit, u.amount, u.currency, u.at
		FROM unnest($1::smallint[], $2::text[], $3::smallint[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::bigint[])
		AS u (bucket, ref, kind, debit, credit, amount, currency, at)`
	sqlBatchOutbox = `INSERT INTO outbox (bucket, at, subject, seq, topic)
		SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::text[], $4::bigint[], $5::smallint[])`
	sqlBatchUnclaim = `DELETE FROM merchant_order m USING unnest($1::smallint[], $2::bytea[]) AS u (bucket, key)
		WHERE m.bucket = u.bucket AND m.key = u.key`
)

func (b *pgBatch) queueWrites(q *pgx.Batch, writes []payment.Write) error {
	if err := b.queueAccounts(q); err != nil {
		return err
	}
	var pay paymentArrays
	var jou journalArrays
	var out outboxArrays
	var codes codeArrays
	var drop claimArrays
	for i := range writes {
		w, ask := &writes[i], &b.asks[i]
		if w.Payment == nil {
			if b.facts[i].Prior == nil {
				drop.bucket, drop.key = append(drop.bucket, int16(ask.Key.Bucket())), append(drop.key, ask.Key[:])
			}
			continue
		}
		row, err := newPaymentRow(w.Payment)
		if err != nil {
			return err
		}
		pay.add(&row)
		out.add(&row, w.Payment.Topic())
		if w.Posting != nil {
			jou.add(&row, w)
		}
		if w.UseCode {
			codes.bucket, codes.digest = append(codes.bucket, row.bucket), append(codes.digest, ask.Code)
		}
	}
	if len(pay.id) > 0 {
		q.Queue(sqlBatchPayments, pay.columns()...)
		q.Queue(sqlBatchOutbox, out.bucket, out.at, out.subject, out.seq, out.topic)
	}
	if len(jou.ref) > 0 {
		q.Queue(sqlBatchJournal, jou.bucket, jou.ref, jou.kind, jou.debit, jou.credit, jou.amount, jou.currency, jou.at)
	}
	if n := len(codes.digest); n > 0 {
		q.Queue(sqlBatchUseCodes, codes.bucket, codes.digest, n)
	}
	if len(drop.key) > 0 {
		q.Queue(sqlBatchUnclaim, drop.bucket, drop.key)
	}
	return nil
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
	bucket, id, balance := make([]int16, n), make([]string, n), make([]int64, n)
	counters, allowance := make([]string, n), make([]*string, n)
	for i, pid := range ids {
		a := b.seen.accounts[pid]
		bucket[i], id[i], balance[i], counters[i] = int16(pid.Bucket()), string(pid), a.Balance.Minor(), a.Counters.String()
		var err error
		if allowance[i], err = allowanceText(a.Allowance); err != nil {
			return err
		}
	}
	q.Queue(sqlBatchAccountWrite, bucket, id, balance, counters, allowance, n)
	return nil
}

type codeArrays struct {
	bucket []int16
	digest [][]byte
}

type claimArrays struct {
	bucket []int16
	key    [][]byte
}

type outboxArrays struct {
	bucket  []int16
	at      []int64
	subject []string
	seq     []int64
	topic   []int16
}

func (o *outboxArrays) add(r *paymentRow, t payment.Topic) {
	o.bucket, o.at, o.subject = append(o.bucket, r.bucket), append(o.at, r.stateAt), append(o.subject, r.id)
	o.seq, o.topic = append(o.seq, r.version), append(o.topic, int16(t))
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

// paymentArrays are the columns of paymentColumns, one array each.
type paymentArrays struct {
	bucket                                        []int16
	id, payer, merchant, store, terminal, orderNo []string
	amount                                        []int64
	currency                                      []string
	method, entry, cvm                            []int16
	instrument, channel                           []string
	outcome, state, failure, stepUp, tries        []int16
	reasons, rules                                []string
	epoch, payerVersion                           []int64
	actor                                         []string
	createdAt, stateAt                            []int64
	expiresAt                                     []*int64
	refunded, version                             []int64
}

func (a *paymentArrays) add(r *paymentRow) {
	a.bucket, a.id, a.payer, a.merchant = append(a.bucket, r.bucket), append(a.id, r.id), append(a.payer, r.payer), append(a.merchant, r.merchant)
	a.store, a.terminal, a.orderNo = append(a.store, r.store), append(a.terminal, r.terminal), append(a.orderNo, r.orderNo)
	a.amount, a.currency = append(a.amount, r.amount), append(a.currency, r.currency)
	a.method, a.entry, a.cvm = append(a.method, r.method), append(a.entry, r.entry), append(a.cvm, r.cvm)
	a.instrument, a.channel = append(a.instrument, r.instrument), append(a.channel, r.channel)
	a.outcome, a.state, a.failure = append(a.outcome, r.outcome), append(a.state, r.state), append(a.failure, r.failure)
	a.stepUp, a.tries = append(a.stepUp, r.stepUp), append(a.tries, r.tries)
	a.reasons, a.rules = append(a.reasons, r.reasons), append(a.rules, r.rules)
	a.epoch, a.payerVersion, a.actor = append(a.epoch, r.epoch), append(a.payerVersion, r.payerVersion), append(a.actor, r.actor)
	a.createdAt, a.stateAt, a.expiresAt = append(a.createdAt, r.createdAt), append(a.stateAt, r.stateAt), append(a.expiresAt, r.expiresAt)
	a.refunded, a.version = append(a.refunded, r.refunded), append(a.version, r.version)
}

func (a *paymentArrays) columns() []any {
	return []any{a.bucket, a.id, a.payer, a.merchant, a.store, a.terminal, a.orderNo, a.amount, a.currency, a.method, a.entry, a.cvm,
		a.instrument, a.channel, a.outcome, a.state, a.failure, a.stepUp, a.tries, a.reasons, a.rules, a.epoch, a.payerVersion, a.actor,
		a.createdAt, a.stateAt, a.expiresAt, a.refunded, a.version}
}
