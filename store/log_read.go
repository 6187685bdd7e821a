package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
)

const (
	selectLeaf   = `SELECT COALESCE(l.n, -1), e.id, e.bytes, e.records FROM entry e LEFT JOIN log_leaf l ON l.entry = e.id WHERE e.id = $1`
	selectLeaves = `SELECT l.n, e.id, e.bytes, e.records FROM log_leaf l JOIN entry e ON e.bucket = l.entry_bucket AND e.id = l.entry
WHERE l.n >= $1 ORDER BY l.n LIMIT $2`
	selectHashRange   = `SELECT n, hash FROM log_hash WHERE n >= $1 ORDER BY n LIMIT $2`
	selectCheckpoint  = `SELECT size, at, note FROM log_checkpoint ORDER BY size DESC LIMIT 1`
	selectCheckpoints = `SELECT size, at, note FROM log_checkpoint WHERE size >= $1 ORDER BY size LIMIT $2`
	selectStrays      = `SELECT e.id FROM entry e WHERE NOT EXISTS (SELECT 1 FROM log_leaf l WHERE l.entry = e.id)
AND NOT EXISTS (SELECT 1 FROM entry_waiting w WHERE w.bucket = e.bucket AND w.entry = e.id) ORDER BY e.id LIMIT $1`
)

// pageBytesMax bounds a page of the log: an entry may bring two megabytes of
// records along.
const pageBytesMax = 8 << 20

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
	var l evidence.Leaf
	var records []byte
	err := db.read.QueryRowContext(ctx, selectLeaf, string(id)).Scan(&l.Index, (*string)(&l.ID), &l.Bytes, &records)
	if errors.Is(err, sql.ErrNoRows) {
		return evidence.Leaf{}, mianmi.Missing("entry")
	}
	if err == nil {
		l.Records, err = unpackRecords(records)
	}
	return l, wrapDriver("read an entry", err)
}

// Leaves implements evidence.Store.
func (db *DB) Leaves(ctx context.Context, from int64, limit int) (_ []evidence.Leaf, err error) {
	rows, err := db.read.QueryContext(ctx, selectLeaves, from, limit)
	if err != nil {
		return nil, wrapDriver("read the log", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var out []evidence.Leaf
	size := 0
	for rows.Next() {
		var l evidence.Leaf
		var records []byte
		if err := rows.Scan(&l.Index, (*string)(&l.ID), &l.Bytes, &records); err != nil {
			return nil, wrapDriver("read the log", err)
		}
		if l.Records, err = unpackRecords(records); err != nil {
			l.Records = [][]byte{} // what does not come apart is no batch: a check says so
		}
		out = append(out, l)
		size += len(l.Bytes)
		for _, r := range l.Records {
			size += len(r)
		}
		if size >= pageBytesMax {
			break
		}
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

// Checkpoints implements evidence.Store.
func (db *DB) Checkpoints(ctx context.Context, from int64, limit int) (list []evidence.StoredCheckpoint, err error) {
	rows, err := db.read.QueryContext(ctx, selectCheckpoints, from, limit)
	if err != nil {
		return nil, wrapDriver("read checkpoints", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var c evidence.StoredCheckpoint
		var at int64
		if err := rows.Scan(&c.Size, &at, &c.Note); err != nil {
			return nil, wrapDriver("read checkpoints", err)
		}
		c.At = fromMicros(at)
		list = append(list, c)
	}
	return list, wrapDriver("read checkpoints", rows.Err())
}

// HashRange implements evidence.Store.
func (db *DB) HashRange(ctx context.Context, from int64, count int) (list []tlog.Hash, err error) {
	rows, err := db.read.QueryContext(ctx, selectHashRange, from, count)
	if err != nil {
		return nil, wrapDriver("read hashes of the log", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var n int64
		var b []byte
		if err := rows.Scan(&n, &b); err != nil {
			return nil, wrapDriver("read hashes of the log", err)
		}
		if n != from+int64(len(list)) || len(b) != tlog.HashSize {
			break
		}
		list = append(list, tlog.Hash(b))
	}
	return list, wrapDriver("read hashes of the log", rows.Err())
}

// Strays implements evidence.Store.
func (db *DB) Strays(ctx context.Context, limit int) (list []mianmi.EntryID, err error) {
	rows, err := db.read.QueryContext(ctx, selectStrays, limit)
	if err != nil {
		return nil, wrapDriver("look for entries beside the log", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, wrapDriver("look for entries beside the log", err)
		}
		list = append(list, mianmi.EntryID(id))
	}
	return list, wrapDriver("look for entries beside the log", rows.Err())
}
