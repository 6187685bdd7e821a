package store

import (
	"context"
	"database/sql"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
)

const insertEntry = `INSERT INTO entry (bucket, id, at, type, subject, actor, body)
VALUES ($1, $2, $3, $4, $5, $6, $7)`

// writeEntries records facts in the transaction that makes them so. bucket is
// the payer's for facts about a payer.
func writeEntries(ctx context.Context, tx *sql.Tx, bucket mianmi.Bucket, entries ...evidence.Entry) error {
	for _, e := range entries {
		_, err := tx.ExecContext(ctx, insertEntry,
			int64(bucket), string(e.ID), micros(e.At), e.Type, e.Subject, e.Actor, e.Body)
		if err != nil {
			return wrapDriver("write evidence", err)
		}
	}
	return nil
}

// writeSettingEntries records facts about settings, which belong to no payer:
// each lies in the bucket of its subject.
func writeSettingEntries(ctx context.Context, tx *sql.Tx, entries []evidence.Entry) error {
	for _, e := range entries {
		if err := writeEntries(ctx, tx, mianmi.BucketOf(e.Subject), e); err != nil {
			return err
		}
	}
	return nil
}
