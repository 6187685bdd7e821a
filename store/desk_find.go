package store

import (
	"bytes"
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/support/desk"
)

// caseQuery is made of the conditions that are asked for alone: a planner that is
// shown ($1 = ” OR payer = $1) takes no index.
type caseQuery struct {
	where []string
	args  []any
}

// and adds a condition; each ? in it takes the next of the arguments.
func (q *caseQuery) and(condition string, args ...any) {
	for _, a := range args {
		q.args = append(q.args, a)
		condition = strings.Replace(condition, "?", "$"+strconv.Itoa(len(q.args)), 1)
	}
	q.where = append(q.where, condition)
}

// Cases implements desk.Store.
func (db *DB) Cases(ctx context.Context, f desk.Query) ([]desk.Case, error) {
	var q caseQuery
	q.and("id > ?", "cs")
	if f.Payer != "" {
		q.and("payer = ? AND payer <> ''", string(f.Payer))
	}
	if f.Merchant != "" {
		q.and("merchant = ? AND shared = 1", string(f.Merchant))
	}
	if f.Kind != desk.NoKind {
		q.and("kind = ?", int64(f.Kind))
	}
	if f.State != desk.NoState {
		q.and("state = ?", int64(f.State))
	}
	if f.Open || f.State != desk.NoState && f.State != desk.Closed {
		q.and("state <> 7") // as the indexes of what is open have it
	}
	if f.Queue != desk.NoQueue {
		q.and("queue = ?", int64(f.Queue))
	}
	switch {
	case f.Assignee != "":
		q.and("assignee = ?", string(f.Assignee))
	case f.Nobody:
		q.and("assignee = ''")
	}
	if f.Link.Ref != "" {
		q.and("id IN (SELECT case_id FROM support_link WHERE ref = ? AND kind = ?)", f.Link.Ref, int64(f.Link.Kind))
	}
	if err := q.opened(f.Since, f.Until); err != nil {
		return nil, err
	}
	if f.Before != "" {
		q.and("id < ?", string(f.Before))
	}
	q.args = append(q.args, f.Limit)
	return readAll(ctx, db.read, scanCase, `SELECT `+caseColumns+` FROM support_case WHERE `+strings.Join(q.where, " AND ")+
		` ORDER BY id DESC LIMIT $`+strconv.Itoa(len(q.args)), q.args...)
}

// opened bounds when cases were opened: their identifiers sort by that.
func (q *caseQuery) opened(since, until time.Time) error {
	for _, b := range []struct {
		at        time.Time
		condition string
	}{{since, "id >= ?"}, {until, "id < ?"}} {
		if b.at.IsZero() {
			continue
		}
		id, err := mianmi.NewID("cs", b.at, bytes.NewReader(make([]byte, 16)))
		if err != nil {
			return err
		}
		q.and(b.condition, id)
	}
	return nil
}
