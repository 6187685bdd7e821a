package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/settings"
)

const (
	sqlTopUpBefore = `SELECT id, amount, currency, at, actor FROM top_up WHERE bucket = $1 AND payer = $2 AND key = $3`
	sqlTopUp       = `INSERT INTO top_up (bucket, payer, key, id, amount, currency, at, actor) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`
)

// TopUp implements payment.Books.
func (db *DB) TopUp(ctx context.Context, t payment.TopUp, fn func(*payment.Account, *settings.Snapshot) (payment.TopUpWrite, error)) (payment.TopUp, error) {
	out := t
	err := db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		out = t
		bucket := int16(t.Payer.Bucket())
		a, err := db.lockAccount(ctx, tx, t.Payer)
		if err != nil {
			return err
		}
		var amount, at int64
		var currency string
		err = tx.QueryRowContext(ctx, sqlTopUpBefore, bucket, string(t.Payer), t.Key).Scan(&out.ID, &amount, &currency, &at, &out.Actor)
		if err == nil {
			out.Amount, out.At, out.Balance = money.Of(amount, money.Currency(currency)), fromMicros(at), a.Balance
			return nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return wrapDriver("read a top-up", err)
		}
		snap, err := db.settingsIn(ctx, tx)
		if err != nil {
			return err
		}
		w, err := fn(a, snap)
		if err != nil {
			return err
		}
		out.Balance = a.Balance
		if _, err := tx.ExecContext(ctx, sqlTopUp, bucket, string(t.Payer), t.Key, t.ID, t.Amount.Minor(), string(t.Amount.Currency()),
			micros(t.At), t.Actor); err != nil {
			return wrapDriver("write a top-up", err)
		}
		if err := writeAccount(ctx, tx, a); err != nil {
			return err
		}
		if err := writePostings(ctx, tx, bucket, t.ID, micros(t.At), []channel.Posting{w.Posting}); err != nil {
			return err
		}
		if snap.Wants("", uint8(payment.TopicToppedUp)) {
			if _, err := tx.ExecContext(ctx, sqlOutbox, bucket, micros(t.At), t.ID, 1, int16(payment.TopicToppedUp), "", topUpRef(t.Payer, t.Key)); err != nil {
				return wrapDriver("write the outbox", err)
			}
		}
		return writeEntries(ctx, tx, t.Payer.Bucket(), 1, w.Entry)
	})
	return out, err
}

const (
	sqlAddQR = `INSERT INTO qr_order (bucket, digest, merchant, store, terminal, order_no, amount, currency, actor, created_at, expires_at, payment)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, '')`
	sqlQR = `SELECT merchant, store, terminal, order_no, amount, currency, actor, created_at, expires_at, payment
		FROM qr_order WHERE bucket = $1 AND digest = $2`
	sqlPayQR = `UPDATE qr_order SET payment = $3 WHERE bucket = $1 AND digest = $2 AND payment IN ('', $3)`
)

// AddQR implements payment.Books.
func (db *DB) AddQR(ctx context.Context, q payment.QR) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, sqlAddQR, int16(q.Digest[0]), q.Digest, string(q.Merchant), string(q.Store), string(q.Terminal), q.OrderNo,
			q.Amount.Minor(), string(q.Amount.Currency()), q.Actor, micros(q.CreatedAt), micros(q.ExpiresAt))
		return wrapDriver("write a QR order", err)
	})
}

// QR implements payment.Books.
func (db *DB) QR(ctx context.Context, digest []byte) (*payment.QR, error) {
	var merchant, store, terminal, currency, paid string
	var amount, created, expires int64
	q := payment.QR{Digest: digest}
	err := db.read.QueryRowContext(ctx, sqlQR, int16(digest[0]), digest).Scan(&merchant, &store, &terminal, &q.OrderNo, &amount, &currency,
		&q.Actor, &created, &expires, &paid)
	if err != nil {
		return nil, missing("QR order", err)
	}
	q.Merchant, q.Store, q.Terminal = mianmi.MerchantID(merchant), mianmi.StoreID(store), mianmi.TerminalID(terminal)
	q.Amount, q.CreatedAt, q.ExpiresAt = money.Of(amount, money.Currency(currency)), fromMicros(created), fromMicros(expires)
	q.Payment = mianmi.PaymentID(paid)
	return &q, nil
}

// SetQRPayment implements payment.Books.
func (db *DB) SetQRPayment(ctx context.Context, digest []byte, id mianmi.PaymentID) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return wrapDriver("mark a QR order", one(tx.ExecContext(ctx, sqlPayQR, int16(digest[0]), digest, string(id))))
	})
}

// Peek implements payment.Ledger for a dry run: a payer is read without a lock.
func (l *plainLedger) Peek(ctx context.Context, ask payment.Ask) (payment.Facts, *settings.Snapshot, error) {
	db, bucket := l.db, int16(ask.Bucket)
	var f payment.Facts
	var r accountRow
	var err error
	if ask.Payer != "" {
		if err = db.read.QueryRowContext(ctx, sqlAccountByID, bucket, string(ask.Payer)).Scan(r.dest()...); err != nil {
			return f, nil, missing("payer", err)
		}
		f.Account = r.account()
	}
	if ask.Instrument != "" {
		if f.Instrument, err = readInstrument(ctx, db.read, ask.Instrument); err != nil {
			return f, nil, err
		}
		if f.Instrument == nil || f.Instrument.Payer != ask.Payer {
			return f, nil, mianmi.Missing("instrument")
		}
	}
	g := agreementRow{}
	err = db.read.QueryRowContext(ctx, sqlAgreement, bucket, string(ask.Payer), string(ask.Merchant)).Scan(&g.id, &g.open, &g.perPayment, &g.version, &g.opened)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return f, nil, wrapDriver("read an agreement", err)
	}
	f.Agreement = g.agreement(ask.Merchant)
	if f.Proven, err = readProof(ctx, db.read, ask.Terminal); err != nil {
		return f, nil, err
	}
	snap, err := db.Settings(ctx)
	return f, snap, err
}

// pruned are the rows that their time has passed, by table. Claims, payments
// and the journal are kept.
var pruned = [...]string{
	`DELETE FROM payment_code WHERE (bucket, digest) IN (SELECT bucket, digest FROM payment_code WHERE expires_at < $1 LIMIT $2)`,
	`DELETE FROM session WHERE (bucket, digest) IN (SELECT bucket, digest FROM session WHERE expires_at < $1 LIMIT $2)`,
	`DELETE FROM qr_order WHERE (bucket, digest) IN (SELECT bucket, digest FROM qr_order WHERE expires_at < $1 LIMIT $2)`,
	`DELETE FROM idempotency WHERE (bucket, key) IN (SELECT bucket, key FROM idempotency WHERE expires_at < $1 LIMIT $2)`,
}

// pruneAfter keeps what ran out for a day more, so that late questions still
// get a telling answer.
const pruneAfter = 24 * time.Hour

// Prune implements payment.Books.
func (db *DB) Prune(ctx context.Context, now time.Time, limit int) (int, error) {
	total := 0
	for _, stmt := range pruned {
		err := db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
			res, err := tx.ExecContext(ctx, stmt, micros(now.Add(-pruneAfter)), limit)
			if err != nil {
				return wrapDriver("prune", err)
			}
			n, err := res.RowsAffected()
			total += int(n)
			return err
		})
		if err != nil {
			return total, err
		}
	}
	return total, nil
}
