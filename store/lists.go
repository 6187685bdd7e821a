package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"regexp"
	"sync"
)

// listTexts remembers statements as an engine takes them.
var listTexts sync.Map // listText → string

type listText struct{ engine, query string }

var listMark = regexp.MustCompile(`IN \((\$[0-9]+)\)`)

// withLists writes "IN ($2)" as the engine takes a list that is one parameter:
// so each statement has one text, however long the list is.
func (d *dialect) withLists(query string) string {
	key := listText{d.name, query}
	if text, ok := listTexts.Load(key); ok {
		s, _ := text.(string)
		return s
	}
	text := listMark.ReplaceAllString(query, d.inList)
	listTexts.Store(key, text)
	return text
}

// list is such a parameter.
func list[T any, S string | int64](d *dialect, in []T, as func(T) S) any {
	out := make([]S, len(in))
	for i, v := range in {
		out[i] = as(v)
	}
	if !d.jsonLists {
		return out
	}
	text, err := json.Marshal(out)
	if err != nil {
		panic(err) // texts and numbers alone
	}
	return string(text)
}

func same[S string | int64](v S) S { return v }

// rowsText remembers INSERTs of several rows.
var rowsText sync.Map // rowsOf → string

// insertRows writes rows with a statement of one row: many at once where there
// are, or each by the statement that is prepared once. All rows have as many
// columns as the statement.
func (db *DB) insertRows(ctx context.Context, tx *sql.Tx, query string, rows [][]any) error {
	if db.dialect.rowByRow {
		return execEach(ctx, tx, query, rows)
	}
	return inSteps(len(rows), func(from, n int) error {
		key := rowsOf{query, n}
		text, ok := rowsText.Load(key)
		if !ok {
			text, _ = rowsText.LoadOrStore(key, valuesOf(query, n, 0))
		}
		args := make([]any, 0, n*len(rows[from]))
		for _, r := range rows[from : from+n] {
			args = append(args, r...)
		}
		s, _ := text.(string)
		_, err := tx.ExecContext(ctx, s, args...)
		return err
	})
}

// execEach runs a statement that is prepared once for each row.
func execEach(ctx context.Context, tx *sql.Tx, query string, rows [][]any) (err error) {
	if len(rows) == 0 {
		return nil
	}
	stmt, err := tx.PrepareContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stmt.Close()) }()
	for _, r := range rows {
		if _, err := stmt.ExecContext(ctx, r...); err != nil {
			return err
		}
	}
	return nil
}
