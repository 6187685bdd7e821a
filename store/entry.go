package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/payment"
)

const (
	insertEntry   = `INSERT INTO entry (bucket, id, at, type, subject, number, bytes, records) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`
	insertWaiting = `INSERT INTO entry_waiting (bucket, entry) VALUES ($1, $2)`
)

// writeEntries records facts in the transaction that makes them so. bucket is
// the payer's for facts about a payer. The first entry gets the number, each
// further one the next.
func writeEntries(ctx context.Context, tx *sql.Tx, bucket mianmi.Bucket, number int64, entries ...evidence.Entry) error {
	for i, e := range entries {
		text, err := e.Encode()
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, insertEntry, int64(bucket), string(e.ID), micros(e.At), e.Type, e.Subject, number+int64(i), text, nil)
		if err == nil {
			_, err = tx.ExecContext(ctx, insertWaiting, int64(bucket), string(e.ID))
		}
		if err != nil {
			return wrapDriver("write evidence", err)
		}
		if err := tellEntry(ctx, tx, bucket, number+int64(i), &e); err != nil {
			return err
		}
	}
	return nil
}

// bundleRow are the values of insertEntry for a batch's entry. bucket is one of
// those that the batch's payments are in.
func bundleRow(bucket int16, b *evidence.Bundle) ([]any, error) {
	text, err := b.Entry.Encode()
	if err != nil {
		return nil, err
	}
	e := &b.Entry
	return []any{bucket, string(e.ID), micros(e.At), e.Type, e.Subject, noEpoch, text, packRecords(b.Records)}, nil
}

// Payments bear the time of their batch and so does its entry, in its
// identifier too: it is found without an index of its own.
const (
	sqlBundlesAt    = `SELECT id, records FROM entry WHERE id >= $1 AND id < $2 AND at = $3 AND type = $4 ORDER BY id`
	sqlEntriesAbout = `SELECT id FROM entry WHERE bucket = $1 AND subject = $2 AND number > 0 ORDER BY number, id LIMIT $3`
)

// laterMax bounds the entries about a payment: step-up tries and refunds have
// bounds of their own, far below.
const laterMax = 1000

// PaymentEntries implements payment.Books.
func (db *DB) PaymentEntries(ctx context.Context, id mianmi.PaymentID) (payment.Entries, error) {
	bucket, err := id.Bucket()
	if err != nil {
		return payment.Entries{}, mianmi.Missing("payment")
	}
	var at int64
	err = db.read.QueryRowContext(ctx, `SELECT created_at FROM payment WHERE bucket = $1 AND id = $2`, int16(bucket), string(id)).Scan(&at)
	if err != nil {
		return payment.Entries{}, missing("payment", err)
	}
	out, err := db.decidedIn(ctx, id, at)
	if err != nil {
		return payment.Entries{}, err
	}
	rows, err := db.read.QueryContext(ctx, sqlEntriesAbout, int16(bucket), string(id), laterMax)
	if err != nil {
		return payment.Entries{}, wrapDriver("list the entries of a payment", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err says it
	for rows.Next() {
		var e mianmi.EntryID
		if err := rows.Scan((*string)(&e)); err != nil {
			return payment.Entries{}, wrapDriver("list the entries of a payment", err)
		}
		out.Later = append(out.Later, e)
	}
	return out, wrapDriver("list the entries of a payment", rows.Err())
}

// decidedIn finds the record of a payment among the batches of its time, of
// which several lanes and nodes may have made one in the same microsecond.
func (db *DB) decidedIn(ctx context.Context, id mianmi.PaymentID, at int64) (out payment.Entries, err error) {
	from, to := mianmi.IDRange("en", fromMicros(at))
	rows, err := db.read.QueryContext(ctx, sqlBundlesAt, from, to, at, evidence.BatchType)
	if err != nil {
		return out, wrapDriver("find the record of a payment", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	is := payment.IsDecided(id)
	for rows.Next() {
		var packed []byte
		if err := rows.Scan((*string)(&out.Decided), &packed); err != nil {
			return out, wrapDriver("find the record of a payment", err)
		}
		records, err := unpackRecords(packed)
		if err != nil {
			return out, fmt.Errorf("entry %s: %w", out.Decided, err)
		}
		if i := slices.IndexFunc(records, is); i >= 0 {
			out.Index = int64(i)
			return out, nil
		}
	}
	if err := rows.Err(); err != nil {
		return out, wrapDriver("find the record of a payment", err)
	}
	return payment.Entries{}, mianmi.Missing("record of the payment")
}

// noEpoch marks facts about logins and tries, and payments: nothing that
// payments share. noVersion marks those that leave a payer's settings as they are.
const noEpoch, noVersion = 0, 0

// writeSettingEntries records facts about settings, which belong to no payer:
// each lies in the bucket of its subject and bears the epoch of the change.
func writeSettingEntries(ctx context.Context, tx *sql.Tx, epoch int64, entries ...evidence.Entry) error {
	for _, e := range entries {
		e.Epoch = epoch
		if err := writeEntries(ctx, tx, mianmi.BucketOf(e.Subject), epoch, e); err != nil {
			return err
		}
	}
	return nil
}
