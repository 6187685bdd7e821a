package store

import (
	"context"
	"database/sql"
	"errors"
	"math"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/asof"
	"github.com/mianmi/mianmi/evidence"
)

// DB is what asof.Service reads.
var _ asof.Log = (*DB)(nil)

// The index entry_number has subject, number and identifier; the place in the
// log is looked up for what is returned alone. $3 to $5 are where the page
// before ended.
const selectEntriesOf = `SELECT COALESCE((SELECT l.n FROM log_leaf l WHERE l.entry = e.id), -1), e.id, e.bytes FROM entry e
WHERE e.bucket = $1 AND e.subject = $2 AND e.number > 0 AND e.number <= $3 AND (e.number < $4 OR e.id < $5) AND e.at <= $6 AND e.at >= $7`

// lastID is behind every identifier of an entry.
const lastID = "~"

// EntriesOf implements asof.Log.
func (db *DB) EntriesOf(ctx context.Context, q asof.Query) (_ []evidence.Leaf, err error) {
	before, since := int64(math.MaxInt64), int64(math.MinInt64)
	if !q.Before.IsZero() {
		before = micros(q.Before)
	}
	if !q.Since.IsZero() {
		since = micros(q.Since)
	}
	below := string(q.Below)
	if below == "" {
		below = lastID
	}
	args := []any{int64(mianmi.BucketOf(q.Subject)), q.Subject, q.Upto, q.Upto, below, before, since}
	query := selectEntriesOf
	if len(q.Skip) > 0 {
		query += ` AND e.type NOT IN (` + places(len(args)+1, len(q.Skip)) + `)`
		for _, kind := range q.Skip {
			args = append(args, kind)
		}
	}
	query += ` ORDER BY e.number DESC, e.id DESC LIMIT ` + places(len(args)+1, 1)
	rows, err := db.asked(ctx, query, append(args, q.Limit)...)
	if err != nil {
		return nil, wrapDriver("read the record", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var out []evidence.Leaf
	for rows.Next() {
		var l evidence.Leaf // entries about a subject are no batches
		if err := rows.Scan(&l.Index, (*string)(&l.ID), &l.Bytes); err != nil {
			return nil, wrapDriver("read the record", err)
		}
		out = append(out, l)
	}
	return out, wrapDriver("read the record", rows.Err())
}

// askedMax bounds the statements that are kept: there is one for each question
// that asof has.
const askedMax = 64

// asked runs a query of this file. For SQLite it is compiled once, which costs
// more than running it; PostgreSQL's driver keeps prepared statements by itself.
func (db *DB) asked(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if db.pool != nil {
		return db.read.QueryContext(ctx, query, args...)
	}
	db.askedMu.Lock()
	st := db.askedBefore[query]
	if st == nil && len(db.askedBefore) < askedMax {
		var err error
		if st, err = db.read.PrepareContext(ctx, positional(query)); err != nil { //nolint:sqlclosecheck // kept as long as the database is open
			db.askedMu.Unlock()
			return nil, err
		}
		if db.askedBefore == nil {
			db.askedBefore = map[string]*sql.Stmt{}
		}
		db.askedBefore[query] = st
	}
	db.askedMu.Unlock()
	if st == nil {
		return db.read.QueryContext(ctx, query, args...)
	}
	return st.QueryContext(ctx, args...)
}

const selectSubjects = `SELECT DISTINCT subject FROM entry WHERE number > 0 AND subject >= $1 AND subject < $2 ORDER BY subject LIMIT $3`

// SubjectsOf implements asof.Log. Subjects are compared by their bytes on both engines.
func (db *DB) SubjectsOf(ctx context.Context, prefix string, limit int) ([]string, error) {
	if prefix == "" {
		return nil, mianmi.InvalidField("prefix", "of which subjects?")
	}
	end := prefix[:len(prefix)-1] + string(prefix[len(prefix)-1]+1)
	return readAll(ctx, db.read, func(scan scanner) (s string, err error) {
		err = scan(&s)
		return s, err
	}, selectSubjects, prefix, end, limit)
}

const selectPackText = `SELECT yaml FROM rule_pack WHERE pack = $1 AND digest = $2 AND withdraws = 0 LIMIT 1`

// PackText implements asof.Log.
func (db *DB) PackText(ctx context.Context, pack, digest string) (string, error) {
	return readOne(ctx, db.read, "text of a rule pack", func(scan scanner) (text string, err error) {
		err = scan(&text)
		return text, err
	}, selectPackText, pack, digest)
}
