package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// listSteps are the lengths of lists in statements, so that few texts exist: a
// shorter list repeats its last element.
var listSteps = [...]int{1, 8, 64, 256}

// listTexts remembers statements with their lists written out.
var listTexts sync.Map // listText → string

type listText struct {
	query string
	n, m  int
}

// withLists replaces the first "IN ($1)" of a statement by a list of n
// parameters, and the next one, when there is one, by m more.
func withLists(query string, n, m int) string {
	key := listText{query, n, m}
	if text, ok := listTexts.Load(key); ok {
		s, _ := text.(string)
		return s
	}
	next := 1
	var out strings.Builder
	rest := query
	for _, count := range [...]int{n, m} {
		before, after, found := strings.Cut(rest, "IN ($)")
		out.WriteString(before)
		if rest = after; !found {
			break
		}
		out.WriteString("IN (")
		for i := range count {
			if i > 0 {
				out.WriteString(", ")
			}
			out.WriteString("$" + strconv.Itoa(next))
			next++
		}
		out.WriteString(")")
	}
	out.WriteString(rest)
	listTexts.Store(key, out.String())
	return out.String()
}

// padded is the list at a length of listSteps.
func padded[T any](list []T) []T {
	for _, n := range listSteps {
		if len(list) <= n {
			out := slices.Grow(slices.Clone(list), n-len(list))
			for len(out) < n {
				out = append(out, list[len(list)-1])
			}
			return out
		}
	}
	return list
}

// readLists reads all rows of a query with one list "IN ($)" or two.
func readLists[T any](ctx context.Context, q querier, scan func(scanner) (T, error), query string, lists ...[]any) ([]T, error) {
	var args []any
	n := [2]int{}
	for i, list := range lists {
		if len(list) == 0 {
			return nil, nil
		}
		list = padded(list)
		n[i] = len(list)
		args = append(args, list...)
	}
	return readAll(ctx, q, scan, withLists(query, n[0], n[1]), args...)
}

// anys is a list as arguments of a statement.
func anys[T any, A any](list []T, of func(T) A) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = of(v)
	}
	return out
}

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
