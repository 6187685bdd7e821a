package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/mianmi/mianmi"
)

// querier is a transaction or a database handle.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// scanner is the Scan method of a row.
type scanner func(dest ...any) error

// readAll reads all rows of a query that is bounded by a limit or by its nature.
func readAll[T any](ctx context.Context, q querier, scan func(scanner) (T, error), query string, args ...any) (_ []T, err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, wrapDriver("list", err)
	}
	defer func() { err = errors.Join(err, wrapDriver("list", rows.Close())) }()
	var out []T
	for rows.Next() {
		v, err := scan(rows.Scan)
		if err != nil {
			return nil, wrapDriver("list", err)
		}
		out = append(out, v)
	}
	return out, wrapDriver("list", rows.Err())
}

// readOne reads a row; when there is none, what is missing.
func readOne[T any](ctx context.Context, q querier, what string, scan func(scanner) (T, error), query string, args ...any) (T, error) {
	v, err := scan(q.QueryRowContext(ctx, query, args...).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return v, mianmi.Missing(what)
	}
	return v, wrapDriver("read "+what, err)
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func nullText(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }
