package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
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
	}
	return nil
}

// noEpoch marks facts about logins and tries: nothing that payments share.
const noEpoch = 0

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

// appendRecord frames a record of a batch: its length in four bytes, and it.
func appendRecord(dst, record []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(record))) //nolint:gosec // a record has some hundred bytes
	return append(dst, record...)
}

// splitRecords is the inverse of appendRecord, over and over.
func splitRecords(b []byte) ([][]byte, error) {
	var out [][]byte
	for len(b) > 0 {
		if len(b) < 4 || uint64(len(b)-4) < uint64(binary.BigEndian.Uint32(b)) { //nolint:gosec // four bytes are there
			return nil, errors.New("the records of a batch are cut short")
		}
		n := 4 + binary.BigEndian.Uint32(b)
		out = append(out, b[4:n:n])
		b = b[n:]
	}
	return out, nil
}
