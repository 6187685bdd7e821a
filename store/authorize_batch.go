package store

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/settings"
)

// batchLedger runs authorizations on PostgreSQL in two round trips a batch
// (ADR 1), with native pgx: measured at nine times the payments a second of one transaction each.
type batchLedger struct {
	db   *DB
	pool *pgxpool.Pool
}

// lanesMax is how many batches may be under way on one node.
const lanesMax = 16

// planner keeps every statement of a batch to one index probe a payment. With
// the plans that PostgreSQL makes against empty or stale statistics, the same
// statements were five times slower.
var planner = [...]string{
	"SET plan_cache_mode = force_generic_plan", "SET enable_seqscan = off",
	"SET enable_hashjoin = off", "SET enable_mergejoin = off", "SET jit = off",
}

func (db *DB) newBatchLedger(ctx context.Context) (payment.Ledger, error) {
	pool, err := db.openPool(ctx, planner[:])
	if err != nil {
		return nil, err
	}
	return &batchLedger{db: db, pool: pool}, nil
}

// OneBucket implements payment.Ledger.
func (l *batchLedger) OneBucket() bool { return false }

type pgBatch struct {
	l      *batchLedger
	ctx    context.Context //nolint:containedctx // lives as long as the transaction
	cancel context.CancelFunc
	conn   *pgxpool.Conn
	asks   []payment.Ask
	facts  []payment.Facts
	snap   *settings.Snapshot
	seen   seen
	ended  bool
	// Where the rows lie that the second round trip writes: it finds them
	// without their index. They are locked, or their absence is noticed.
	rows     map[mianmi.PayerID]pgtype.TID
	codeRows []pgtype.TID // of each ask
}

// The statements of the first round trip. Every payer's row is locked in the
// order of the key. What belongs to a payer changes only under that lock, so
// agreements, which few payers have, are read by a statement of their own after
// it; a code that was used while this batch waited is noticed when it is used.
const (
	sqlBatchAccounts = `SELECT k.n, k.code_until, k.code_tid, k.scheme, k.kind, k.domestic, k.issuer, p.ctid, ` + accountColumns + ` FROM (
		SELECT u.n, c.bucket, c.payer, c.expires_at AS code_until, c.ctid AS code_tid, '' AS scheme, '' AS kind, 0::smallint AS domestic, '' AS issuer
		FROM unnest($1::int[], $2::smallint[], $3::bytea[]) AS u (n, bucket, digest)
		CROSS JOIN LATERAL (SELECT c.bucket, c.payer, c.expires_at, c.ctid FROM payment_code c WHERE c.bucket = u.bucket AND c.digest = u.digest LIMIT 1) c
		UNION ALL
		SELECT u.n, i.bucket, i.payer, 0, NULL, i.scheme, i.kind, i.domestic, i.issuer
		FROM unnest($4::int[], $5::smallint[], $6::text[]) AS u (n, bucket, id)
		CROSS JOIN LATERAL (SELECT i.bucket, i.payer, i.scheme, i.kind, i.domestic, i.issuer FROM instrument i WHERE i.bucket = u.bucket AND i.id = u.id LIMIT 1) i
		UNION ALL
		SELECT u.n, u.bucket, u.id, 0, NULL, '', '', 0, '' FROM unnest($7::int[], $8::smallint[], $9::text[]) AS u (n, bucket, id)
	) k JOIN payer p ON p.bucket = k.bucket AND p.id = k.payer
	ORDER BY p.bucket, p.id FOR UPDATE OF p`

	sqlBatchAgreements = `SELECT u.n, a.id, a.open, a.per_payment, a.version, a.opened_at
		FROM unnest($1::int[], $2::smallint[], $3::text[], $4::text[]) AS u (n, bucket, payer, merchant)
		CROSS JOIN LATERAL (SELECT a.id, a.open, a.per_payment, a.version, a.opened_at FROM agreement a
			WHERE a.bucket = u.bucket AND a.payer = u.payer AND a.merchant = u.merchant LIMIT 1) a`

	sqlBatchClaim = `INSERT INTO merchant_order (bucket, key, digest, payment)
		SELECT * FROM unnest($1::smallint[], $2::bytea[], $3::bytea[], $4::text[]) ON CONFLICT DO NOTHING`

	// A claim of an earlier transaction is another payment's, or this one's from
	// a try whose commit was not answered: then the payment is there already.
	sqlBatchPrior = `SELECT u.n, m.digest, m.payment
		FROM unnest($1::int[], $2::smallint[], $3::bytea[], $4::smallint[], $5::text[]) AS u (n, bucket, key, of, payment)
		CROSS JOIN LATERAL (SELECT m.digest, m.payment FROM merchant_order m WHERE m.bucket = u.bucket AND m.key = u.key LIMIT 1) m
		WHERE m.payment <> u.payment OR EXISTS (SELECT 1 FROM payment p WHERE p.bucket = u.of AND p.id = u.payment)`
)

// Begin implements payment.Ledger.
func (l *batchLedger) Begin(ctx context.Context, asks []payment.Ask) (payment.Batch, error) {
	begun, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.db.opts.WriteLimit)
	conn, err := l.pool.Acquire(begun)
	if err != nil {
		cancel()
		return nil, unavailable("get a connection", err)
	}
	b := &pgBatch{l: l, ctx: begun, cancel: cancel, conn: conn, asks: asks,
		facts: make([]payment.Facts, len(asks)), seen: newSeen(len(asks)),
		rows: make(map[mianmi.PayerID]pgtype.TID, len(asks)), codeRows: make([]pgtype.TID, len(asks))}
	if err := b.read(); err != nil {
		b.Rollback()
		return nil, lost(err)
	}
	return b, nil
}

// Peek implements payment.Ledger.
func (l *batchLedger) Peek(ctx context.Context, ask payment.Ask) (payment.Facts, *settings.Snapshot, error) {
	return (&plainLedger{db: l.db}).Peek(ctx, ask)
}

func (b *pgBatch) read() error {
	var epoch int64
	var claimed int64
	k := newBatchKeys(b.asks)
	q := &pgx.Batch{}
	q.Queue("BEGIN")
	if k.any {
		q.Queue(sqlBatchAccounts, k.codeN, k.codeBucket, k.code, k.cardN, k.cardBucket, k.card, k.payerN, k.payerBucket, k.payer).Query(b.accounts)
	}
	q.Queue(sqlBatchClaim, k.orderBucket, k.order, k.digest, k.payment).Exec(func(ct tag) error { claimed = ct.RowsAffected(); return nil })
	found := proofs{}
	if ids := proving(b.asks, b.l.db.settings.current.Load()); len(ids) > 0 {
		q.Queue(sqlProofs, ids).Query(func(rows pgx.Rows) error { return scanProofs(rows, found) })
	}
	q.Queue(ReadEpoch).QueryRow(func(row pgx.Row) error { return row.Scan(&epoch) })
	if err := b.conn.SendBatch(b.ctx, q).Close(); err != nil {
		return fmt.Errorf("read a batch: %w", err)
	}
	found.give(b.asks, b.facts)
	if claimed < int64(len(b.asks)) {
		if err := b.priors(k); err != nil {
			return err
		}
	}
	if len(b.seen.agreed) > 0 {
		if err := b.agreements(); err != nil {
			return err
		}
	}
	var err error
	b.snap, err = b.l.db.settingsAt(b.ctx, epoch)
	return err
}

func (b *pgBatch) accounts(rows pgx.Rows) error {
	var n int32
	var codeUntil int64
	var scheme, kind, issuer string
	var domestic int16
	var r accountRow
	var code, at pgtype.TID
	dest := append([]any{&n, &codeUntil, &code, &scheme, &kind, &domestic, &issuer, &at}, r.dest()...)
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		f, ask := &b.facts[n], &b.asks[n]
		f.Account = b.seen.account(&r)
		b.rows[f.Account.ID] = at
		switch {
		case ask.Code != nil:
			b.codeRows[n] = code
			f.Code = b.seen.code(ask.Code, codeUntil)
		case ask.Instrument != "":
			f.Instrument = &payer.Instrument{ID: ask.Instrument, Payer: f.Account.ID, Scheme: scheme, Kind: kind,
				Domestic: domestic == 1, Issuer: issuer}
		}
	}
	return rows.Err()
}

// agreements reads what payers of the batch agreed with its merchants.
func (b *pgBatch) agreements() error {
	var n []int32
	var bucket []int16
	var owner, merchant []string
	for i := range b.facts {
		if a := b.facts[i].Account; a != nil && b.seen.agreed[a.ID] {
			n, bucket = append(n, int32(i)), append(bucket, int16(b.asks[i].Bucket)) //nolint:gosec // a batch is small
			owner, merchant = append(owner, string(a.ID)), append(merchant, string(b.asks[i].Merchant))
		}
	}
	rows, err := b.conn.Query(b.ctx, sqlBatchAgreements, n, bucket, owner, merchant)
	if err != nil {
		return fmt.Errorf("read agreements: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var i int32
		var g agreementRow
		if err := rows.Scan(&i, &g.id, &g.open, &g.perPayment, &g.version, &g.opened); err != nil {
			return fmt.Errorf("read agreements: %w", err)
		}
		b.facts[i].Agreement = g.agreement(b.asks[i].Merchant)
	}
	return rows.Err()
}

// agreementRow is the right side of an outer join: id is NULL when there is none.
type agreementRow struct {
	id         *string
	open       *int16
	perPayment *int64
	version    *int64
	opened     *int64
}

func (r agreementRow) agreement(m mianmi.MerchantID) *payer.Agreement {
	if r.id == nil {
		return nil
	}
	return &payer.Agreement{ID: mianmi.AgreementID(*r.id), Merchant: m, Open: *r.open == 1, PerPayment: r.perPayment, Version: *r.version, OpenedAt: fromMicros(*r.opened)}
}

// priors reads the payments that hold order numbers of this batch. Few
// batches have any: repeats are rare.
func (b *pgBatch) priors(k *batchKeys) error {
	type prior struct {
		n       int32
		digest  []byte
		payment string
	}
	rows, err := b.conn.Query(b.ctx, sqlBatchPrior, k.orderN, k.orderBucket, k.order, k.paymentBucket, k.payment)
	if err != nil {
		return fmt.Errorf("read earlier orders: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p prior, err error) {
		return p, row.Scan(&p.n, &p.digest, &p.payment)
	})
	if err != nil {
		return fmt.Errorf("read earlier orders: %w", err)
	}
	for _, p := range list {
		f := &b.facts[p.n]
		if p.payment == "" { // an end: there is no payment
			copy(f.PriorDigest[:], p.digest)
			continue
		}
		bucket, err := mianmi.PaymentID(p.payment).Bucket()
		if err != nil {
			return err
		}
		var r paymentRow
		if err := b.conn.QueryRow(b.ctx, sqlPaymentByID, int16(bucket), p.payment).Scan(r.dest()...); err != nil {
			return fmt.Errorf("read payment %s: %w", p.payment, err)
		}
		copy(f.PriorDigest[:], p.digest)
		if f.Prior, err = r.payment(); err != nil {
			return err
		}
	}
	return nil
}

// Facts implements payment.Batch.
func (b *pgBatch) Facts() []payment.Facts { return b.facts }

// Settings implements payment.Batch.
func (b *pgBatch) Settings() *settings.Snapshot { return b.snap }

// Commit implements payment.Batch.
func (b *pgBatch) Commit(_ context.Context, writes []payment.Write, decided evidence.Bundle) error {
	q := &pgx.Batch{}
	rows, err := b.queueWrites(q, writes)
	if err != nil {
		return err
	}
	if rows != nil {
		if err := queueBundle(q, int16(firstBucket(writes)), &decided); err != nil {
			return err
		}
		// Rows of 29 columns are read a third faster from COPY than from arrays.
		if _, err := b.conn.Conn().PgConn().CopyFrom(b.ctx, rows, sqlCopyPayments); err != nil {
			return lost(fmt.Errorf("write payments: %w", err))
		}
	}
	q.Queue("COMMIT")
	if err := b.conn.SendBatch(b.ctx, q).Close(); err != nil {
		return lost(err)
	}
	b.end()
	return nil
}

// Rollback implements payment.Batch.
func (b *pgBatch) Rollback() {
	if b.ended {
		return
	}
	if _, err := b.conn.Exec(b.ctx, "ROLLBACK"); err != nil {
		_ = b.conn.Conn().Close(b.ctx) // its state is not known: the server rolls back when it goes
	}
	b.end()
}

func (b *pgBatch) end() {
	b.ended = true
	b.conn.Release()
	b.cancel()
}

// batchKeys are the columns that the first round trip sends. Orders are in
// the order of their key, so that two batches never wait for each other.
type batchKeys struct {
	any bool

	orderN        []int32
	orderBucket   []int16
	order         [][]byte
	digest        [][]byte
	payment       []string
	paymentBucket []int16

	codeN      []int32
	codeBucket []int16
	code       [][]byte

	cardN      []int32
	cardBucket []int16
	card       []string

	payerN      []int32
	payerBucket []int16
	payer       []string
}

func newBatchKeys(asks []payment.Ask) *batchKeys {
	k := &batchKeys{}
	order := make([]int32, len(asks))
	for i := range asks {
		order[i] = int32(i) //nolint:gosec // a batch is small
	}
	slices.SortFunc(order, func(x, y int32) int { return bytes.Compare(asks[x].Key[:], asks[y].Key[:]) })
	for _, n := range order {
		a := &asks[n]
		k.orderN = append(k.orderN, n)
		k.orderBucket = append(k.orderBucket, int16(a.Key.Bucket()))
		k.order = append(k.order, a.Key[:])
		k.digest = append(k.digest, a.Digest[:])
		k.payment = append(k.payment, string(a.Payment))
		k.paymentBucket = append(k.paymentBucket, int16(a.Bucket))
		k.addPayer(n, a)
	}
	k.any = len(k.codeN)+len(k.cardN)+len(k.payerN) > 0
	return k
}

func (k *batchKeys) addPayer(n int32, a *payment.Ask) {
	bucket := int16(a.Bucket)
	switch {
	case a.Code != nil:
		k.codeN, k.codeBucket, k.code = append(k.codeN, n), append(k.codeBucket, bucket), append(k.code, a.Code)
	case a.Instrument != "":
		k.cardN, k.cardBucket, k.card = append(k.cardN, n), append(k.cardBucket, bucket), append(k.card, string(a.Instrument))
	case a.Payer != "":
		k.payerN, k.payerBucket, k.payer = append(k.payerN, n), append(k.payerBucket, bucket), append(k.payer, string(a.Payer))
	}
}
