package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
)

// DB is what payer.Service keeps.
var _ payer.Store = (*DB)(nil)

const selectPayer = `SELECT id, created_at, version, pin_free, since, currency, per_payment, day_amount, day_count,
	quiet_from, quiet_to, pending, frozen_at, hold, allowance, verifiable_from, balance
FROM payer WHERE bucket = $1 AND id = $2`

// Payer implements payer.Store.
func (db *DB) Payer(ctx context.Context, id mianmi.PayerID) (payer.Payer, error) {
	return scanPayer(db.read.QueryRowContext(ctx, selectPayer, int64(id.Bucket()), string(id)))
}

// scanPayer reads a row of selectPayer. Counters are left to payments.
func scanPayer(row *sql.Row) (payer.Payer, error) {
	var p payer.Payer
	var created, since, balance int64
	var currency string
	var perPayment, dayAmount, dayCount, frozen, verifiable sql.NullInt64
	var pending, hold, allowance sql.NullString
	s := &p.Settings
	err := row.Scan((*string)(&p.ID), &created, &p.Version, &s.PinFree, &since, &currency, &perPayment, &dayAmount, &dayCount,
		&s.QuietFrom, &s.QuietTo, &pending, &frozen, &hold, &allowance, &verifiable, &balance)
	if errors.Is(err, sql.ErrNoRows) {
		return payer.Payer{}, mianmi.Missing("payer")
	}
	if err != nil {
		return payer.Payer{}, wrapDriver("read a payer", err)
	}
	p.CreatedAt, p.Since, p.Frozen = fromMicros(created), fromMicros(since), fromNullMicros(frozen)
	s.Currency, p.Balance = money.Currency(currency), money.Of(balance, money.Currency(currency))
	s.PerPayment, s.DayAmount, s.DayCount = fromNullInt(perPayment), fromNullInt(dayAmount), fromNullInt(dayCount)
	if verifiable.Valid {
		at := fromMicros(verifiable.Int64)
		p.VerifiableFrom = &at
	}
	if err := errors.Join(fromNullJSON(pending, &p.Pending), fromNullJSON(hold, &p.Hold), fromNullJSON(allowance, &p.Allowance)); err != nil {
		return payer.Payer{}, fmt.Errorf("read payer %s: %w", p.ID, err)
	}
	return p, nil
}

func fromNullInt(n sql.NullInt64) *int64 {
	if !n.Valid {
		return nil
	}
	return &n.Int64
}

func nullInt(n *int64) sql.NullInt64 {
	if n == nil {
		return sql.NullInt64{}
	}
	return sql.NullInt64{Int64: *n, Valid: true}
}

// fromNullJSON leaves *to nil for NULL.
func fromNullJSON[T any](text sql.NullString, to **T) error {
	if !text.Valid {
		return nil
	}
	*to = new(T)
	return json.Unmarshal([]byte(text.String), *to)
}

func nullJSON[T any](v *T) (sql.NullString, error) {
	if v == nil {
		return sql.NullString{}, nil
	}
	b, err := json.Marshal(v)
	return sql.NullString{String: string(b), Valid: true}, err
}

// truth is how both engines keep a bool.
func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

const (
	insertPayer = `INSERT INTO payer (bucket, id, created_at, version, pin_free, since, currency, quiet_from, quiet_to, verifiable_from, balance, counters)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`
	insertPerson = `INSERT INTO payer_person (bucket, payer, phone, name, lang, key) VALUES ($1, $2, $3, $4, $5, $6)`
	insertLogin  = `INSERT INTO payer_login (bucket, digest, payer) VALUES ($1, $2, $3)`
)

// InsertPayer implements payer.Store.
func (db *DB) InsertPayer(ctx context.Context, n payer.Insert) error {
	p := n.Payer
	bucket := p.ID.Bucket()
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, insertLogin, int64(mianmi.BucketOf(string(n.PhoneDigest))), n.PhoneDigest, string(p.ID))
		if isUnique(err) {
			return mianmi.Conflicts("phone_taken", "there is a payer with this phone number")
		}
		if err != nil {
			return wrapDriver("write a payer's login", err)
		}
		_, err = tx.ExecContext(ctx, insertPayer, int64(bucket), string(p.ID), micros(p.CreatedAt), p.Version, truth(p.Settings.PinFree),
			micros(p.Since), string(p.Settings.Currency), p.Settings.QuietFrom, p.Settings.QuietTo, verifiableFrom(p),
			p.Balance.Minor(), p.Counters.String())
		if err != nil {
			return wrapDriver("write a payer", err)
		}
		_, err = tx.ExecContext(ctx, insertPerson, int64(bucket), string(p.ID), n.Person.Phone, n.Person.Name, int64(n.Person.Lang), n.PersonKey)
		if err != nil {
			return wrapDriver("write a payer's person", err)
		}
		if n.Password.Hash != "" {
			if err := writePassword(ctx, tx, p.ID, n.Password); err != nil {
				return err
			}
		}
		return writeEntries(ctx, tx, bucket, p.Version, n.Entry)
	})
}

func verifiableFrom(p payer.Payer) sql.NullInt64 {
	if p.VerifiableFrom == nil {
		return sql.NullInt64{}
	}
	return sql.NullInt64{Int64: micros(*p.VerifiableFrom), Valid: true}
}

const selectPerson = `SELECT payer, phone, name, lang FROM payer_person WHERE bucket = $1 AND payer = $2`

// Person implements payer.Store.
func (db *DB) Person(ctx context.Context, id mianmi.PayerID) (payer.Person, error) {
	var p payer.Person
	err := db.read.QueryRowContext(ctx, selectPerson, int64(id.Bucket()), string(id)).
		Scan((*string)(&p.Payer), &p.Phone, &p.Name, &p.Lang)
	if errors.Is(err, sql.ErrNoRows) {
		return payer.Person{}, mianmi.Missing("payer")
	}
	return p, wrapDriver("read a person", err)
}

const selectLogin = `SELECT payer FROM payer_login WHERE bucket = $1 AND digest = $2`

// PayerByPhone implements payer.Store.
func (db *DB) PayerByPhone(ctx context.Context, digest []byte) (mianmi.PayerID, error) {
	var id mianmi.PayerID
	err := db.read.QueryRowContext(ctx, selectLogin, int64(mianmi.BucketOf(string(digest))), digest).Scan((*string)(&id))
	if errors.Is(err, sql.ErrNoRows) {
		return "", mianmi.Missing("payer")
	}
	return id, wrapDriver("find a payer", err)
}

const selectEntries = `SELECT bytes FROM entry
WHERE bucket = $1 AND subject = $2 AND id > $3 ORDER BY id LIMIT $4`

// Entries implements payer.Store.
func (db *DB) Entries(ctx context.Context, q payer.EntryQuery) (_ []evidence.Entry, err error) {
	rows, err := db.read.QueryContext(ctx, selectEntries, int64(q.Bucket), q.Subject, string(q.After), q.Limit)
	if err != nil {
		return nil, wrapDriver("read the record", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var list []evidence.Entry
	for rows.Next() {
		var b []byte
		if err := rows.Scan(&b); err != nil {
			return nil, wrapDriver("read the record", err)
		}
		e, err := evidence.Decode(b)
		if err != nil {
			return nil, fmt.Errorf("decode an entry of %s: %w", q.Subject, err)
		}
		list = append(list, e)
	}
	return list, wrapDriver("read the record", rows.Err())
}
