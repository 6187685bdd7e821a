package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payer"
)

// ChangePayer implements payer.Store.
func (db *DB) ChangePayer(ctx context.Context, id mianmi.PayerID, fn func(*payer.Change) error) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return db.changePayer(ctx, tx, id, fn)
	})
}

// changePayer locks the payer's row, which serialises everything that changes
// the payer's rows: settings, agreements, codes, payments.
func (db *DB) changePayer(ctx context.Context, tx *sql.Tx, id mianmi.PayerID, fn func(*payer.Change) error) error {
	p, err := scanPayer(tx.QueryRowContext(ctx, selectPayer+db.dialect.forUpdate, int64(id.Bucket()), string(id)))
	if err != nil {
		return err
	}
	c := &payer.Change{Payer: p}
	if c.Password, err = readPassword(ctx, tx, id); err != nil {
		return err
	}
	if c.PersonKey, err = readPersonKey(ctx, tx, id); err != nil {
		return err
	}
	if err := fn(c); err != nil {
		return err
	}
	// Each version has its entry: what was in force is rebuilt from them.
	if raised := c.Payer.Version - p.Version; c.Payer.ID != id || raised != int64(len(c.Entries)) || c.Save && raised < 1 {
		return fmt.Errorf("change of payer %s raises its version %d by %d with %d entries", id, p.Version, raised, len(c.Entries))
	}
	if err := takeMeasure(ctx, tx, c); err != nil {
		return err
	}
	if err := writePayerChange(ctx, tx, c); err != nil || c.Payer.Frozen.IsZero() || !p.Frozen.IsZero() {
		return err
	}
	return revokeContracts(ctx, tx, revoking{payer: id, at: c.Payer.Frozen, by: lastActor(c.Entries)})
}

func writePayerChange(ctx context.Context, tx *sql.Tx, c *payer.Change) error {
	p := c.Payer
	bucket := p.ID.Bucket()
	if c.Save {
		if err := writePayer(ctx, tx, p); err != nil {
			return err
		}
	}
	if c.SavePassword {
		if err := writePassword(ctx, tx, p.ID, c.Password); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE payer SET verifiable_from = $3 WHERE bucket = $1 AND id = $2`,
			int64(bucket), string(p.ID), verifiableFrom(p))
		if err != nil {
			return wrapDriver("write a payer", err)
		}
	}
	if c.EndSessions {
		_, err := tx.ExecContext(ctx, `DELETE FROM session WHERE actor = $1 AND id <> $2`, string(p.ID), string(c.KeepSession))
		if err != nil {
			return wrapDriver("end a payer's sessions", err)
		}
	}
	if c.VoidCodes {
		_, err := tx.ExecContext(ctx, `DELETE FROM payment_code WHERE bucket = $1 AND payer = $2`,
			int64(bucket), string(p.ID))
		if err != nil {
			return wrapDriver("void payment codes", err)
		}
	}
	if err := writeEntries(ctx, tx, bucket, p.Version-int64(len(c.Entries))+1, c.Entries...); err != nil {
		return err
	}
	for _, e := range c.Noted {
		if err := writeEntries(ctx, tx, bucket, noVersion, e); err != nil {
			return err
		}
	}
	return nil
}

// balance and counters belong to payments.
const updatePayer = `UPDATE payer SET version = $3, pin_free = $4, since = $5, per_payment = $6, day_amount = $7, day_count = $8,
	quiet_from = $9, quiet_to = $10, pending = $11, pending_at = $12, frozen_at = $13, allowance = $14, verifiable_from = $15, hold = $16
WHERE bucket = $1 AND id = $2`

func writePayer(ctx context.Context, tx *sql.Tx, p payer.Payer) error {
	pending, err1 := nullJSON(p.Pending)
	allowance, err2 := nullJSON(p.Allowance)
	hold, err3 := nullJSON(p.Hold)
	if err := errors.Join(err1, err2, err3); err != nil {
		return fmt.Errorf("encode payer %s: %w", p.ID, err)
	}
	var pendingAt sql.NullInt64
	if p.Pending != nil {
		pendingAt = nullMicros(p.Pending.At)
	}
	s := p.Settings
	_, err := tx.ExecContext(ctx, updatePayer, int64(p.ID.Bucket()), string(p.ID), p.Version, truth(s.PinFree), micros(p.Since),
		nullInt(s.PerPayment), nullInt(s.DayAmount), nullInt(s.DayCount), s.QuietFrom, s.QuietTo, pending, pendingAt,
		nullMicros(p.Frozen), allowance, verifiableFrom(p), hold)
	return wrapDriver("write a payer", err)
}

const selectPassword = `SELECT hash, tries, locked_until, renew, reset_digest, reset_until
FROM payer_password WHERE bucket = $1 AND payer = $2`

func readPassword(ctx context.Context, tx *sql.Tx, id mianmi.PayerID) (payer.Password, error) {
	var w payer.Password
	var locked, reset sql.NullInt64
	err := tx.QueryRowContext(ctx, selectPassword, int64(id.Bucket()), string(id)).
		Scan(&w.Hash, &w.Tries, &locked, &w.Renew, &w.ResetDigest, &reset)
	if errors.Is(err, sql.ErrNoRows) {
		return payer.Password{}, nil
	}
	w.LockedUntil, w.ResetUntil = fromNullMicros(locked), fromNullMicros(reset)
	return w, wrapDriver("read a payment password", err)
}

const upsertPassword = `INSERT INTO payer_password (bucket, payer, hash, tries, locked_until, renew, reset_digest, reset_until)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (bucket, payer) DO UPDATE SET hash = excluded.hash, tries = excluded.tries, locked_until = excluded.locked_until,
	renew = excluded.renew, reset_digest = excluded.reset_digest, reset_until = excluded.reset_until`

func writePassword(ctx context.Context, tx *sql.Tx, id mianmi.PayerID, w payer.Password) error {
	_, err := tx.ExecContext(ctx, upsertPassword, int64(id.Bucket()), string(id), w.Hash, w.Tries, nullMicros(w.LockedUntil),
		truth(w.Renew), w.ResetDigest, nullMicros(w.ResetUntil))
	return wrapDriver("write a payment password", err)
}

const selectPersonKey = `SELECT key FROM payer_person WHERE bucket = $1 AND payer = $2`

// readPersonKey returns nil for a payer whose person was erased.
func readPersonKey(ctx context.Context, tx *sql.Tx, id mianmi.PayerID) (key []byte, err error) {
	err = tx.QueryRowContext(ctx, selectPersonKey, int64(id.Bucket()), string(id)).Scan(&key)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return key, wrapDriver("read a person's key", err)
}
