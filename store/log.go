package store

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/mianmi/mianmi/evidence"
)

const (
	selectLogSize = `SELECT COALESCE(MAX(n) + 1, 0) FROM log_leaf`
	selectWaiting = `SELECT w.n, w.bucket, w.entry, e.at, e.bytes FROM entry_waiting w
JOIN entry e ON e.bucket = w.bucket AND e.id = w.entry ORDER BY w.n LIMIT $1`
	insertCheckpoint = `INSERT INTO log_checkpoint (size, at, note) VALUES ($1, $2, $3)`
	// One checkpoint a minute is kept for ever: that is what others may hold us
	// to. Between them only the newest matters.
	deleteCheckpoints = `DELETE FROM log_checkpoint WHERE size < $1 AND at >= $2`
)

// checkpointEvery is the distance of checkpoints that are kept.
const checkpointEvery = time.Minute

// waiting is an entry that is not in the log yet.
type waiting struct {
	n      int64
	bucket int64
	entry  string
	at     int64
	bytes  []byte
}

// Sequence implements evidence.Store.
func (db *DB) Sequence(ctx context.Context, most int, fn func(evidence.Waiting) (evidence.Appended, error)) (int, error) {
	count := 0
	// Most rounds of most nodes find nothing: looking must cost no writer.
	if some, err := db.someWait(ctx); err != nil || !some {
		return 0, err
	}
	err := db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		count = 0
		if locked, err := tryLock(ctx, tx, db.dialect.tryLogLock); err != nil || !locked {
			return err
		}
		list, err := readWaiting(ctx, tx, most)
		if err != nil || len(list) == 0 {
			return err
		}
		w := evidence.Waiting{Hashes: tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) { return readHashes(ctx, tx, at) })}
		if w.Size, w.Key, err = readLogHead(ctx, tx); err != nil {
			return err
		}
		for _, one := range list {
			w.Bytes, w.Facts = append(w.Bytes, one.bytes), append(w.Facts, fromMicros(one.at))
		}
		a, err := fn(w)
		if err != nil {
			return err
		}
		count = len(list)
		return writeRound(ctx, tx, w.Size, list, a)
	})
	return count, err
}

func readWaiting(ctx context.Context, tx *sql.Tx, most int) (list []waiting, err error) {
	rows, err := tx.QueryContext(ctx, selectWaiting, most)
	if err != nil {
		return nil, wrapDriver("read what waits for the log", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var w waiting
		if err := rows.Scan(&w.n, &w.bucket, &w.entry, &w.at, &w.bytes); err != nil {
			return nil, wrapDriver("read what waits for the log", err)
		}
		list = append(list, w)
	}
	return list, wrapDriver("read what waits for the log", rows.Err())
}

// writeRound stores what a round appends. What waited is removed by its number:
// one that became visible meanwhile stays for the next round.
func writeRound(ctx context.Context, tx *sql.Tx, size int64, list []waiting, a evidence.Appended) error {
	leaves, gone := make([][]any, len(list)), make([]any, len(list))
	for i, w := range list {
		leaves[i], gone[i] = []any{size + int64(i), w.bucket, w.entry}, w.n
	}
	base := tlog.StoredHashCount(size)
	hashes := make([][]any, len(a.Hashes))
	for i, h := range a.Hashes {
		hashes[i] = []any{base + int64(i), h[:]}
	}
	if err := insertMany(ctx, tx, `INSERT INTO log_leaf (n, entry_bucket, entry) VALUES `, leaves); err != nil {
		return err
	}
	if err := insertMany(ctx, tx, `INSERT INTO log_hash (n, hash) VALUES `, hashes); err != nil {
		return err
	}
	for len(gone) > 0 {
		part := gone[:min(len(gone), manyMax)]
		if _, err := tx.ExecContext(ctx, `DELETE FROM entry_waiting WHERE n IN (`+places(1, len(part))+`)`, part...); err != nil { //nolint:gosec // placeholders alone
			return wrapDriver("remove what waited for the log", err)
		}
		gone = gone[len(part):]
	}
	if a.First != "" {
		if err := insertKeyOfLog(ctx, tx, evidence.KeyInForce{Public: a.First, Size: size, At: a.Checkpoint.At}); err != nil {
			return err
		}
	}
	c := a.Checkpoint
	if _, err := tx.ExecContext(ctx, insertCheckpoint, c.Size, micros(c.At), c.Note); err != nil {
		return wrapDriver("write a checkpoint", err)
	}
	minute := micros(c.At.Truncate(checkpointEvery))
	_, err := tx.ExecContext(ctx, deleteCheckpoints, c.Size, minute)
	return wrapDriver("remove checkpoints of the same minute", err)
}

// manyMax bounds the values of one statement.
const manyMax = 500

// insertMany inserts rows of one width in as few statements as is sensible.
func insertMany(ctx context.Context, tx *sql.Tx, into string, rows [][]any) error {
	for len(rows) > 0 {
		n := min(len(rows), manyMax/len(rows[0]))
		var b strings.Builder
		b.WriteString(into)
		var args []any
		for i, row := range rows[:n] {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString("(" + places(len(args)+1, len(row)) + ")")
			args = append(args, row...)
		}
		if _, err := tx.ExecContext(ctx, b.String(), args...); err != nil {
			return wrapDriver("write to the log", err)
		}
		rows = rows[n:]
	}
	return nil
}

// places is a list of n placeholders from $first on.
func places(first, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("$" + strconv.Itoa(first+i))
	}
	return b.String()
}
