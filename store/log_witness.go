package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/mianmi/mianmi/evidence"
)

// The turn is a row's: the first one to find it due has it, on all nodes. While
// the log rests nobody takes it, so that the next entry need not wait for it.
var takeWitness = newTimed(`INSERT INTO log_witness (key, due_at, size, at, note, line) VALUES ($1, {now} + $2, 0, 0, '', '')
	ON CONFLICT (key) DO UPDATE SET due_at = {now} + $2 WHERE log_witness.due_at <= {now} AND log_witness.size <> $3 RETURNING size`)

const (
	keepCosigned   = `UPDATE log_witness SET size = $2, at = $3, note = $4, line = $5 WHERE key = $1 AND size <= $2`
	selectCosigned = `SELECT key, size, at, note, line FROM log_witness WHERE line <> '' ORDER BY size DESC, key`
)

// WitnessTurn implements evidence.WitnessStore.
func (db *DB) WitnessTurn(ctx context.Context, key string, newest int64, rest time.Duration) (size int64, mine bool, err error) {
	err = db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, db.in(takeWitness), key, rest.Microseconds(), newest).Scan(&size)
		mine = err == nil
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return wrapDriver("take the turn to ask a witness", err)
	})
	return size, mine && err == nil, err
}

// KeepCosigned implements evidence.WitnessStore.
func (db *DB) KeepCosigned(ctx context.Context, c evidence.StoredCosigned) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, keepCosigned, c.Key, c.Size, micros(c.At), c.Note, c.Line)
		return wrapDriver("keep a cosignature", err)
	})
}

// Cosigned implements evidence.WitnessStore.
func (db *DB) Cosigned(ctx context.Context) ([]evidence.StoredCosigned, error) {
	return readAll(ctx, db.read, func(scan scanner) (c evidence.StoredCosigned, err error) {
		var at int64
		err = scan(&c.Key, &c.Size, &at, &c.Note, &c.Line)
		c.At = fromMicros(at)
		return c, err
	}, selectCosigned)
}
