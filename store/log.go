package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/mianmi/mianmi"
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
	selectCheckpoint  = `SELECT size, at, note FROM log_checkpoint ORDER BY size DESC LIMIT 1`
	selectLeaf        = `SELECT COALESCE(l.n, -1), e.id, e.bytes, e.records FROM entry e LEFT JOIN log_leaf l ON l.entry = e.id WHERE e.id = $1`
	selectLeaves      = `SELECT l.n, e.id, e.bytes, e.records FROM log_leaf l JOIN entry e ON e.bucket = l.entry_bucket AND e.id = l.entry
WHERE l.n >= $1 ORDER BY l.n LIMIT $2`
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
		if locked, err := db.lockLog(ctx, tx); err != nil || !locked {
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

func (db *DB) lockLog(ctx context.Context, tx *sql.Tx) (bool, error) {
	last := len(db.dialect.tryLogLock) - 1
	for _, q := range db.dialect.tryLogLock[:last] {
		if _, err := tx.ExecContext(ctx, q); err != nil {
			return false, wrapDriver("lock the log", err)
		}
	}
	var got int
	err := tx.QueryRowContext(ctx, db.dialect.tryLogLock[last]).Scan(&got)
	return got == 1, wrapDriver("lock the log", err)
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

// Hashes implements evidence.Store.
func (db *DB) Hashes(ctx context.Context, at []int64) ([]tlog.Hash, error) {
	return readHashes(ctx, db.read, at)
}

func readHashes(ctx context.Context, q querier, at []int64) ([]tlog.Hash, error) {
	found := make(map[int64]tlog.Hash, len(at))
	for rest := at; len(rest) > 0; {
		part := rest[:min(len(rest), manyMax)]
		if err := readSomeHashes(ctx, q, part, found); err != nil {
			return nil, err
		}
		rest = rest[len(part):]
	}
	out := make([]tlog.Hash, len(at))
	for i, n := range at {
		h, ok := found[n]
		if !ok {
			return nil, fmt.Errorf("hash %d of the log is missing", n)
		}
		out[i] = h
	}
	return out, nil
}

func readSomeHashes(ctx context.Context, q querier, at []int64, found map[int64]tlog.Hash) (err error) {
	args := make([]any, len(at))
	for i, n := range at {
		args[i] = n
	}
	rows, err := q.QueryContext(ctx, `SELECT n, hash FROM log_hash WHERE n IN (`+places(1, len(at))+`)`, args...)
	if err != nil {
		return wrapDriver("read hashes of the log", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var n int64
		var b []byte
		if err := rows.Scan(&n, &b); err != nil {
			return wrapDriver("read hashes of the log", err)
		}
		if len(b) != tlog.HashSize {
			return fmt.Errorf("hash %d of the log has %d bytes", n, len(b))
		}
		found[n] = tlog.Hash(b)
	}
	return wrapDriver("read hashes of the log", rows.Err())
}

// Leaf implements evidence.Store.
func (db *DB) Leaf(ctx context.Context, id mianmi.EntryID) (evidence.Leaf, error) {
	leaf, err := scanLeaf(db.read.QueryRowContext(ctx, selectLeaf, string(id)).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return evidence.Leaf{}, mianmi.Missing("entry")
	}
	return leaf, wrapDriver("read an entry", err)
}

func scanLeaf(scan func(...any) error) (evidence.Leaf, error) {
	var l evidence.Leaf
	var records []byte
	if err := scan(&l.Index, (*string)(&l.ID), &l.Bytes, &records); err != nil {
		return l, err
	}
	var err error
	l.Records, err = splitRecords(records)
	return l, err
}

// Leaves implements evidence.Store.
func (db *DB) Leaves(ctx context.Context, from int64, limit int) (_ []evidence.Leaf, err error) {
	rows, err := db.read.QueryContext(ctx, selectLeaves, from, limit)
	if err != nil {
		return nil, wrapDriver("read the log", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var out []evidence.Leaf
	for rows.Next() {
		l, err := scanLeaf(rows.Scan)
		if err != nil {
			return nil, wrapDriver("read the log", err)
		}
		out = append(out, l)
	}
	return out, wrapDriver("read the log", rows.Err())
}

// Checkpoint implements evidence.Store.
func (db *DB) Checkpoint(ctx context.Context) (evidence.StoredCheckpoint, error) {
	var c evidence.StoredCheckpoint
	var at int64
	err := db.read.QueryRowContext(ctx, selectCheckpoint).Scan(&c.Size, &at, &c.Note)
	if errors.Is(err, sql.ErrNoRows) {
		return evidence.StoredCheckpoint{}, nil
	}
	c.At = fromMicros(at)
	return c, wrapDriver("read the newest checkpoint", err)
}
