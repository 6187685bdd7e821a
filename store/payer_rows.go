package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payer"
)

const (
	agreementColumns = `id, payer, merchant, open, consent_version, per_payment, version, opened_at, closed_at`

	selectAgreement = `SELECT ` + agreementColumns + ` FROM agreement WHERE bucket = $1 AND payer = $2 AND merchant = $3`

	selectAgreements = `SELECT ` + agreementColumns + ` FROM agreement WHERE bucket = $1 AND payer = $2
ORDER BY open DESC, opened_at DESC, id DESC`

	upsertAgreement = `INSERT INTO agreement (bucket, payer, merchant, id, open, consent_version, per_payment, version, opened_at, closed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (bucket, payer, merchant) DO UPDATE SET open = excluded.open, consent_version = excluded.consent_version,
	per_payment = excluded.per_payment, version = excluded.version, opened_at = excluded.opened_at, closed_at = excluded.closed_at`

	// A payment reads agreements of those payers alone who have any.
	noteAgreements = `UPDATE payer SET agreements = (SELECT count(*) FROM agreement a WHERE a.bucket = payer.bucket AND a.payer = payer.id)
WHERE bucket = $1 AND id = $2`

	countAgreements = `SELECT count(*) FROM agreement WHERE bucket = $1 AND payer = $2`
	merchantExists  = `SELECT count(*) FROM merchant WHERE id = $1`
)

// agreementsMax bounds the list of a payer.
const agreementsMax = 500

// ChangeAgreement implements payer.Store.
func (db *DB) ChangeAgreement(ctx context.Context, id mianmi.PayerID, m mianmi.MerchantID, fn func(*payer.Change, *payer.Agreement) error) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error { return db.changeAgreement(ctx, tx, id, m, fn) })
}

func (db *DB) changeAgreement(ctx context.Context, tx *sql.Tx, id mianmi.PayerID, m mianmi.MerchantID, fn func(*payer.Change, *payer.Agreement) error) error {
	return db.changePayer(ctx, tx, id, func(c *payer.Change) error {
		a, err := readAgreement(ctx, tx, id, m)
		if err != nil {
			return err
		}
		if c.Contracts, err = liveContracts(ctx, tx, id, m, ""); err != nil {
			return err
		}
		before, open := a.Version, a.Open
		if err := fn(c, &a); err != nil || a.Version == before {
			return err
		}
		if err := writeAgreement(ctx, tx, a, lastActor(c.Entries)); err != nil || a.Open || !open {
			return err
		}
		return endContractsOf(ctx, tx, c, &a)
	})
}

// readAgreement returns the zero Agreement when there is none yet and there
// may be one: the merchant exists, the payer's list is not full.
func readAgreement(ctx context.Context, tx *sql.Tx, id mianmi.PayerID, m mianmi.MerchantID) (payer.Agreement, error) {
	a, err := scanAgreement(tx.QueryRowContext(ctx, selectAgreement, int64(id.Bucket()), string(id), string(m)).Scan)
	if !errors.Is(err, sql.ErrNoRows) {
		return a, wrapDriver("read an agreement", err)
	}
	var known, have int
	if err := tx.QueryRowContext(ctx, merchantExists, string(m)).Scan(&known); err != nil {
		return a, wrapDriver("look for a merchant", err)
	}
	if known == 0 {
		return a, mianmi.Missing("merchant")
	}
	if err := tx.QueryRowContext(ctx, countAgreements, int64(id.Bucket()), string(id)).Scan(&have); err != nil {
		return a, wrapDriver("count agreements", err)
	}
	if have >= agreementsMax {
		return a, mianmi.Conflicts("too_many", "a payer has at most 500 agreements")
	}
	return payer.Agreement{}, nil
}

func scanAgreement(scan func(...any) error) (payer.Agreement, error) {
	var a payer.Agreement
	var perPayment, closed sql.NullInt64
	var opened int64
	err := scan((*string)(&a.ID), (*string)(&a.Payer), (*string)(&a.Merchant), &a.Open, &a.ConsentVersion, &perPayment, &a.Version,
		&opened, &closed)
	if err != nil {
		return payer.Agreement{}, err
	}
	a.PerPayment, a.OpenedAt, a.ClosedAt = fromNullInt(perPayment), fromMicros(opened), fromNullMicros(closed)
	return a, nil
}

// writeAgreement writes an agreement as by has left it, and revokes the contracts
// of one that is closed.
func writeAgreement(ctx context.Context, tx *sql.Tx, a payer.Agreement, by string) error {
	_, err := tx.ExecContext(ctx, upsertAgreement, int64(a.Payer.Bucket()), string(a.Payer), string(a.Merchant), string(a.ID), truth(a.Open),
		a.ConsentVersion, nullInt(a.PerPayment), a.Version, micros(a.OpenedAt), nullMicros(a.ClosedAt))
	if err != nil {
		return wrapDriver("write an agreement", err)
	}
	if _, err = tx.ExecContext(ctx, noteAgreements, int64(a.Payer.Bucket()), string(a.Payer)); err != nil || a.Open {
		return wrapDriver("count a payer's agreements", err)
	}
	return revokeContracts(ctx, tx, revoking{payer: a.Payer, merchant: a.Merchant, at: a.ClosedAt, by: by})
}

// Agreements implements payer.Store.
func (db *DB) Agreements(ctx context.Context, id mianmi.PayerID) (_ []payer.Agreement, err error) {
	rows, err := db.read.QueryContext(ctx, selectAgreements, int64(id.Bucket()), string(id))
	if err != nil {
		return nil, wrapDriver("read agreements", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var list []payer.Agreement
	for rows.Next() {
		a, err := scanAgreement(rows.Scan)
		if err != nil {
			return nil, wrapDriver("read agreements", err)
		}
		list = append(list, a)
	}
	return list, wrapDriver("read agreements", rows.Err())
}

const (
	insertInstrument = `INSERT INTO instrument (bucket, id, payer, scheme, kind, domestic, issuer, last4, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`
	countInstruments  = `SELECT count(*) FROM instrument WHERE bucket = $1 AND payer = $2`
	selectInstruments = `SELECT id, payer, scheme, kind, domestic, issuer, last4, created_at FROM instrument
WHERE bucket = $1 AND payer = $2 ORDER BY id`
)

// InsertInstrument implements payer.Store.
func (db *DB) InsertInstrument(ctx context.Context, i payer.Instrument, limit int, fn func(*payer.Change) error) error {
	bucket := int64(i.Payer.Bucket())
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return db.changePayer(ctx, tx, i.Payer, func(c *payer.Change) error {
			var have int
			if err := tx.QueryRowContext(ctx, countInstruments, bucket, string(i.Payer)).Scan(&have); err != nil {
				return wrapDriver("count instruments", err)
			}
			if have >= limit {
				return mianmi.Conflicts("too_many", fmt.Sprintf("a payer has at most %d cards and devices", limit))
			}
			_, err := tx.ExecContext(ctx, insertInstrument, bucket, string(i.ID), string(i.Payer), i.Scheme, i.Kind, truth(i.Domestic),
				i.Issuer, i.Last4, micros(i.CreatedAt))
			if err != nil {
				return wrapDriver("write an instrument", err)
			}
			return fn(c)
		})
	})
}

// Instruments implements payer.Store.
func (db *DB) Instruments(ctx context.Context, id mianmi.PayerID) (_ []payer.Instrument, err error) {
	rows, err := db.read.QueryContext(ctx, selectInstruments, int64(id.Bucket()), string(id))
	if err != nil {
		return nil, wrapDriver("read instruments", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var list []payer.Instrument
	for rows.Next() {
		var i payer.Instrument
		var created int64
		err := rows.Scan((*string)(&i.ID), (*string)(&i.Payer), &i.Scheme, &i.Kind, &i.Domestic, &i.Issuer, &i.Last4, &created)
		if err != nil {
			return nil, wrapDriver("read instruments", err)
		}
		i.CreatedAt = fromMicros(created)
		list = append(list, i)
	}
	return list, wrapDriver("read instruments", rows.Err())
}

const (
	lockPayer = `SELECT id FROM payer WHERE bucket = $1 AND id = $2`

	removeOldCodes = `DELETE FROM payment_code WHERE bucket = $1 AND payer = $2 AND expires_at < $3`

	liveCodes = `SELECT count(*), coalesce(min(expires_at), 0) FROM payment_code
WHERE bucket = $1 AND payer = $2 AND expires_at > $3`

	insertCode = `INSERT INTO payment_code (bucket, digest, payer, expires_at) VALUES ($1, $2, $3, $4)`
)

// codeKept is how long an expired code stays, so that a late one is told from
// one that never was.
const codeKept = 10 * time.Minute

// InsertCode implements payer.Store.
func (db *DB) InsertCode(ctx context.Context, c payer.Code, now time.Time, liveMax int) error {
	bucket, owner := int64(c.Payer.Bucket()), string(c.Payer)
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var id string
		err := tx.QueryRowContext(ctx, lockPayer+db.dialect.forUpdate, bucket, owner).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			return mianmi.Missing("payer")
		}
		if err != nil {
			return wrapDriver("lock a payer", err)
		}
		if _, err := tx.ExecContext(ctx, removeOldCodes, bucket, owner, micros(now.Add(-codeKept))); err != nil {
			return wrapDriver("remove old payment codes", err)
		}
		var live int
		var first int64
		if err := tx.QueryRowContext(ctx, liveCodes, bucket, owner, micros(now)).Scan(&live, &first); err != nil {
			return wrapDriver("count payment codes", err)
		}
		if live >= liveMax {
			return &mianmi.Error{Kind: mianmi.Conflict, Code: "too_many_codes", Msg: "use one of the payment codes that are live, or wait",
				RetryAfter: fromMicros(first).Sub(now)}
		}
		_, err = tx.ExecContext(ctx, insertCode, bucket, c.Digest, owner, micros(c.ExpiresAt))
		return wrapDriver("write a payment code", err)
	})
}
