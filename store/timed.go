package store

import (
	"context"
	"database/sql"
	"regexp"
	"strconv"
	"strings"
)

// timed is a statement in the text of each engine; {now} in it is the clock of
// the database, which all nodes share.
type timed map[string]string

func newTimed(text string) timed {
	t := timed{}
	for _, d := range []dialect{sqliteDialect, postgresDialect} {
		t[d.name] = strings.ReplaceAll(text, "{now}", d.now)
	}
	return t
}

// in is the text for this database's engine.
func (db *DB) in(t timed) string { return t[db.dialect.name] }

// timedRows is a timed statement that takes rows, in the texts for each of
// rowSteps. shared parameters come first and are the same for every row.
type timedRows struct {
	shared int
	steps  map[int]timed
}

var parameter = regexp.MustCompile(`\$[0-9]+`)

// newTimedRows makes a statement of many rows from one of one row, which is
// what stands after VALUES, in brackets that end where "]" stands: "VALUES
// [($1, {now})]". Its parameters below and at shared are the same in all rows.
func newTimedRows(shared int, text string) timedRows {
	head, rest, _ := strings.Cut(text, "[")
	row, tail, _ := strings.Cut(rest, "]")
	columns := len(parameter.FindAllString(row, -1))
	t := timedRows{shared: shared, steps: map[int]timed{}}
	for _, n := range rowSteps {
		list := make([]string, n)
		for r := range n {
			list[r] = parameter.ReplaceAllStringFunc(row, func(p string) string {
				at, _ := strconv.Atoi(p[1:])
				if at > shared {
					at += r * columns
				}
				return "$" + strconv.Itoa(at)
			})
		}
		t.steps[n] = newTimed(head + strings.Join(list, ", ") + tail)
	}
	return t
}

// writeRows runs the statement for all rows, many at once.
func (db *DB) writeRows(ctx context.Context, tx *sql.Tx, t timedRows, shared []any, rows [][]any) error {
	return inSteps(len(rows), func(from, n int) error {
		args := append([]any{}, shared...)
		for _, r := range rows[from : from+n] {
			args = append(args, r...)
		}
		_, err := tx.ExecContext(ctx, db.in(t.steps[n]), args...)
		return err
	})
}

// tryLock runs the statements of a dialect's lock; the last one answers 1 when
// this transaction has it.
func tryLock(ctx context.Context, tx *sql.Tx, statements []string) (bool, error) {
	last := len(statements) - 1
	for _, q := range statements[:last] {
		if _, err := tx.ExecContext(ctx, q); err != nil {
			return false, wrapDriver("lock", err)
		}
	}
	var got int
	err := tx.QueryRowContext(ctx, statements[last]).Scan(&got)
	return got == 1, wrapDriver("lock", err)
}
