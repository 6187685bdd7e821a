package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/settings"
)

// plainLedger runs authorizations with one statement after the other, through
// database/sql. It serves SQLite, where a batch is one transaction of many
// such statements, and it is the reference that the PostgreSQL batch is
// compared with, one payment a transaction.
type plainLedger struct {
	db    *DB
	mu    sync.Mutex
	stmts map[string]*sql.Stmt
}

// PlainLedger returns the reference implementation of payment.Ledger.
func (db *DB) PlainLedger() payment.Ledger {
	return &plainLedger{db: db}
}

// Ledger returns the fastest implementation for the engine: the one for a
// cluster when the database is distributed.
func (db *DB) Ledger(ctx context.Context) (payment.Ledger, error) {
	if db.pool == nil {
		return db.PlainLedger(), nil
	}
	if distributed, err := db.Distributed(ctx); err != nil || distributed {
		if err != nil {
			return nil, err
		}
		return db.OneBucketLedger(ctx)
	}
	return db.newBatchLedger(ctx)
}

// OneBucket implements payment.Ledger.
func (l *plainLedger) OneBucket() bool { return false }

type plainBatch struct {
	l      *plainLedger
	ctx    context.Context //nolint:containedctx // lives as long as the transaction
	cancel context.CancelFunc
	conn   *sql.Conn
	tx     *sql.Tx
	asks   []payment.Ask
	facts  []payment.Facts
	snap   *settings.Snapshot
	seen   seen
}

// seen lets asks that lead to the same payer or code share one Account or Code.
type seen struct {
	accounts map[mianmi.PayerID]*payment.Account
	codes    map[string]*payment.Code
	agreed   map[mianmi.PayerID]bool // payers who have any agreement
}

func newSeen(n int) seen {
	return seen{make(map[mianmi.PayerID]*payment.Account, n), make(map[string]*payment.Code, n), map[mianmi.PayerID]bool{}}
}

// code returns the one Code of the digest.
func (s *seen) code(digest []byte, until int64) *payment.Code {
	c, ok := s.codes[string(digest)]
	if !ok {
		c = &payment.Code{ExpiresAt: fromMicros(until)}
		s.codes[string(digest)] = c
	}
	return c
}

// account returns the one Account of the row's payer.
func (s *seen) account(r *accountRow) *payment.Account {
	id := mianmi.PayerID(r.id)
	a, ok := s.accounts[id]
	if !ok {
		a = r.account()
		s.accounts[id] = a
		if r.agreements > 0 {
			s.agreed[id] = true
		}
	}
	return a
}

// Begin implements payment.Ledger.
func (l *plainLedger) Begin(ctx context.Context, asks []payment.Ask) (payment.Batch, error) {
	if err := l.prepare(ctx); err != nil {
		return nil, err
	}
	conn, err := l.db.write.Conn(ctx)
	if err != nil {
		return nil, unavailable("get a connection", err)
	}
	begun, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.db.opts.WriteLimit)
	if l.db.pool == nil {
		// The driver watches a context that can end by a goroutine for each
		// statement. A file answers or fails; waiting has busy_timeout.
		begun = context.WithoutCancel(ctx)
	}
	b := &plainBatch{l: l, ctx: begun, cancel: cancel, conn: conn, asks: asks,
		facts: make([]payment.Facts, len(asks)), seen: newSeen(len(asks))}
	if b.tx, err = conn.BeginTx(begun, nil); err == nil {
		err = b.read()
	}
	if err != nil {
		b.Rollback()
		return nil, lost(err)
	}
	return b, nil
}

// lost turns a transaction that lost against another into a Conflict, which
// tells the lane to run the batch again.
func lost(err error) error {
	if isLocked(err) {
		busy := *payment.ErrBusy
		busy.Err = fmt.Errorf("authorize: %w", err)
		return &busy
	}
	if isTransient(err) || isUnique(err) || isUnsent(err) {
		return &mianmi.Error{Kind: mianmi.Conflict, Code: "lost", Msg: "another transaction came between", Err: err}
	}
	return wrapDriver("authorize", err)
}

func (b *plainBatch) read() error {
	if err := b.claims(); err != nil {
		return err
	}
	for i := range b.asks {
		if err := b.readOne(&b.asks[i], &b.facts[i]); err != nil {
			return err
		}
	}
	var epoch int64
	if err := b.row(ReadEpoch).Scan(&epoch); err != nil {
		return fmt.Errorf("read the settings epoch: %w", err)
	}
	var err error
	if b.snap, err = b.l.db.settingsAt(b.ctx, epoch); err != nil {
		return err
	}
	return b.proofs()
}

const (
	sqlClaim = `INSERT INTO merchant_order (bucket, key, digest, payment) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`
	sqlPrior = `SELECT digest, payment FROM merchant_order WHERE bucket = $1 AND key = $2`

	sqlAccountByCode = `SELECT c.expires_at, ` + accountColumns + ` FROM payment_code c JOIN payer p ON p.bucket = c.bucket AND p.id = c.payer
		WHERE c.bucket = $1 AND c.digest = $2`
	sqlAccountByID = `SELECT ` + accountColumns + ` FROM payer p WHERE p.bucket = $1 AND p.id = $2`
	sqlCodeState   = `SELECT expires_at FROM payment_code WHERE bucket = $1 AND digest = $2`
	sqlInstrument  = `SELECT payer, scheme, kind, domestic, issuer FROM instrument WHERE bucket = $1 AND id = $2`
	sqlAgreement   = `SELECT id, open, per_payment, version, opened_at FROM agreement WHERE bucket = $1 AND payer = $2 AND merchant = $3`
	sqlPaymentByID = `SELECT ` + paymentColumns + ` FROM payment WHERE bucket = $1 AND id = $2`
)

func (b *plainBatch) readOne(ask *payment.Ask, f *payment.Facts) error {
	if f.Prior != nil {
		return nil
	}
	var err error
	switch {
	case ask.Code != nil:
		err = b.code(ask, f)
	case ask.Instrument != "":
		err = b.instrument(ask, f)
	case ask.Payer != "":
		err = b.account(f, int16(ask.Bucket), string(ask.Payer))
	}
	if err != nil || f.Account == nil || !b.seen.agreed[f.Account.ID] {
		return err
	}
	return b.agreement(ask, f)
}

// claims takes the order numbers, many at once; where one was taken before,
// it reads the payment that has it.
func (b *plainBatch) claims() error {
	for from := 0; from < len(b.asks); {
		n, query := 1, sqlClaim
		if len(b.asks)-from >= rowsAtOnce {
			n, query = rowsAtOnce, many[sqlClaim]
		}
		args := make([]any, 0, 4*n)
		for i := from; i < from+n; i++ {
			ask := &b.asks[i]
			args = append(args, int16(ask.Key.Bucket()), ask.Key[:], ask.Digest[:], string(ask.Payment))
		}
		res, err := b.exec(query, args...)
		if err != nil {
			return fmt.Errorf("claim orders: %w", err)
		}
		claimed, err := res.RowsAffected()
		if err != nil {
			return err
		}
		for i := from; i < from+n && claimed < int64(n); i++ {
			if err := b.prior(&b.asks[i], &b.facts[i]); err != nil {
				return err
			}
		}
		from += n
	}
	return nil
}

// prior reads the payment that claimed the order number in an earlier
// transaction: another one, or this one when its commit was not answered.
func (b *plainBatch) prior(ask *payment.Ask, f *payment.Facts) error {
	var digest []byte
	var id string
	if err := b.row(sqlPrior, int16(ask.Key.Bucket()), ask.Key[:]).Scan(&digest, &id); err != nil {
		return fmt.Errorf("read the earlier order: %w", err)
	}
	if copy(f.PriorDigest[:], digest); id == "" {
		return nil // an end: there is no payment
	}
	p, err := scanPayment(func(id mianmi.PaymentID, pb int16) *sql.Row { return b.row(sqlPaymentByID, pb, string(id)) }, mianmi.PaymentID(id))
	if errors.Is(err, sql.ErrNoRows) && id == string(ask.Payment) {
		f.PriorDigest, err = payment.Hash16{}, nil // claimed by this transaction
	}
	f.Prior = p
	return err
}

func scanPayment(query func(mianmi.PaymentID, int16) *sql.Row, id mianmi.PaymentID) (*payment.Payment, error) {
	pb, err := id.Bucket()
	if err != nil {
		return nil, err
	}
	var r paymentRow
	if err := query(id, int16(pb)).Scan(r.dest()...); err != nil {
		return nil, fmt.Errorf("read payment %s: %w", id, err)
	}
	return r.payment()
}

// account locks and reads a payer; none leaves f as it is.
func (b *plainBatch) account(f *payment.Facts, bucket int16, id string) error {
	var r accountRow
	err := b.row(b.locked(sqlAccountByID), bucket, id).Scan(r.dest()...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read a payer: %w", err)
	}
	f.Account = b.seen.account(&r)
	return nil
}

// locked is the query with a lock on the payer's row.
func (b *plainBatch) locked(query string) string {
	if b.l.db.pool != nil {
		return query + " FOR UPDATE OF p"
	}
	return query
}

// code locks and reads the payer whom a code leads to, and the code as it is
// after the lock; none leaves f as it is.
func (b *plainBatch) code(ask *payment.Ask, f *payment.Facts) error {
	bucket := int16(ask.Bucket)
	var r accountRow
	var expires int64
	err := b.row(b.locked(sqlAccountByCode), bucket, ask.Code).Scan(append([]any{&expires}, r.dest()...)...)
	if err == nil && b.l.db.pool != nil {
		// Another may have used it while this one waited.
		err = b.row(sqlCodeState, bucket, ask.Code).Scan(&expires)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read a payment code: %w", err)
	}
	f.Account, f.Code = b.seen.account(&r), b.seen.code(ask.Code, expires)
	return nil
}

func (b *plainBatch) instrument(ask *payment.Ask, f *payment.Facts) error {
	in := payer.Instrument{ID: ask.Instrument}
	var owner string
	var domestic int16
	err := b.row(sqlInstrument, int16(ask.Bucket), string(ask.Instrument)).Scan(&owner, &in.Scheme, &in.Kind, &domestic, &in.Issuer)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read an instrument: %w", err)
	}
	in.Payer, in.Domestic = mianmi.PayerID(owner), domestic == 1
	f.Instrument = &in
	return b.account(f, int16(ask.Bucket), owner)
}

func (b *plainBatch) agreement(ask *payment.Ask, f *payment.Facts) error {
	var id string
	var open, opened int64
	g := payer.Agreement{Payer: f.Account.ID, Merchant: ask.Merchant}
	err := b.row(sqlAgreement, int16(ask.Bucket), string(f.Account.ID), string(ask.Merchant)).Scan(&id, &open, &g.PerPayment, &g.Version, &opened)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read an agreement: %w", err)
	}
	g.ID, g.Open, g.OpenedAt = mianmi.AgreementID(id), open == 1, fromMicros(opened)
	f.Agreement = &g
	return nil
}

// Facts implements payment.Batch.
func (b *plainBatch) Facts() []payment.Facts { return b.facts }

// Settings implements payment.Batch.
func (b *plainBatch) Settings() *settings.Snapshot { return b.snap }

// Rollback implements payment.Batch.
func (b *plainBatch) Rollback() {
	if b.conn == nil {
		return
	}
	if b.tx != nil {
		_ = b.tx.Rollback() // nothing was promised; a broken connection is dropped by the pool
	}
	b.end()
}

func (b *plainBatch) end() {
	_ = b.conn.Close() // gives it back to the pool
	b.conn = nil
	b.cancel()
}

// prepare compiles the statements once: that costs SQLite more than running
// them. PostgreSQL's driver keeps prepared statements by itself.
func (l *plainLedger) prepare(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stmts != nil || l.db.pool != nil {
		return nil
	}
	stmts := map[string]*sql.Stmt{}
	for _, q := range [...]string{ReadEpoch, sqlClaim, sqlPrior, sqlAccountByCode, sqlAccountByID, sqlCodeState, sqlInstrument,
		sqlAgreement, sqlProof, sqlPaymentByID, sqlUnclaim, sqlUseCode, sqlAccount, sqlPayment, sqlJournal, sqlOutbox,
		insertEntry, insertWaiting, many[sqlClaim], many[sqlPayment], many[sqlJournal], many[sqlOutbox]} {
		st, err := l.db.write.PrepareContext(ctx, positional(q)) //nolint:sqlclosecheck // kept as long as the database is open
		if err != nil {
			return wrapDriver("prepare", err)
		}
		stmts[q] = st
	}
	l.stmts = stmts
	return nil
}

// positional writes "?" for parameters that are numbered in order: SQLite
// looks for a named one by reading through all names.
func positional(query string) string {
	parts := strings.Split(query, "$")
	out := parts[0]
	for i, p := range parts[1:] {
		digits := strconv.Itoa(i + 1)
		if !strings.HasPrefix(p, digits) {
			return query
		}
		out += "?" + p[len(digits):]
	}
	return out
}

func (b *plainBatch) row(query string, args ...any) *sql.Row {
	if st := b.l.stmts[query]; st != nil {
		return b.tx.StmtContext(b.ctx, st).QueryRowContext(b.ctx, args...) //nolint:sqlclosecheck // ends with its transaction
	}
	return b.tx.QueryRowContext(b.ctx, query, args...)
}

func (b *plainBatch) exec(query string, args ...any) (sql.Result, error) {
	if st := b.l.stmts[query]; st != nil {
		return b.tx.StmtContext(b.ctx, st).ExecContext(b.ctx, args...) //nolint:sqlclosecheck // ends with its transaction
	}
	return b.tx.ExecContext(b.ctx, query, args...)
}
