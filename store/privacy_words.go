package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/mianmi/mianmi/support"
	"github.com/mianmi/mianmi/support/desk"
)

// What is over for long and still has words; $1 is the time, $2 how many.
var (
	wordyCases = fmt.Sprintf(`SELECT id FROM support_case WHERE state = %d AND closed_at < $1 AND (EXISTS (SELECT 1 FROM support_note n WHERE n.case_id = support_case.id AND n.words <> '')
	OR EXISTS (SELECT 1 FROM support_file f WHERE f.case_id = support_case.id)) ORDER BY id LIMIT $2`, desk.Closed)
	wordyComplaints = fmt.Sprintf(`SELECT id FROM complaint WHERE state = %d AND changed_at < $1 AND (words <> '' OR EXISTS (SELECT 1 FROM complaint_step s WHERE s.complaint = complaint.id AND s.words <> '')
	OR EXISTS (SELECT 1 FROM complaint_answer a WHERE a.complaint = complaint.id AND a.words <> '' AND a.ended_at IS NOT NULL)) ORDER BY id LIMIT $2`, support.Processed)

	// Whether it is still so, under the lock of its row.
	stillClosed    = fmt.Sprintf(`SELECT id FROM support_case WHERE id = $1 AND state = %d AND closed_at < $2`, desk.Closed)
	stillProcessed = fmt.Sprintf(`SELECT id FROM complaint WHERE id = $1 AND state = %d AND changed_at < $2`, support.Processed)
)

// The words of one case, and of one complaint.
var (
	forgetCase = []string{
		`UPDATE support_note SET words = '' WHERE case_id = $1`,
		`INSERT INTO support_file_loose (id, due, leaving) SELECT DISTINCT id, 0, 0 FROM support_file WHERE case_id = $1 ON CONFLICT (id) DO NOTHING`,
		`DELETE FROM support_file WHERE case_id = $1`,
	}
	forgetComplaint = []string{
		`UPDATE complaint_step SET words = '', images = '[]' WHERE complaint = $1`,
		`UPDATE complaint_answer SET words = '', images = '[]' WHERE complaint = $1 AND ended_at IS NOT NULL`,
		`UPDATE complaint SET words = '', images = '[]' WHERE id = $1`,
	}
)

// ForgetWords removes what people wrote and attached in cases and complaints that
// ended before a time, at most most of each, one transaction for each. It returns
// how many it found; the log and all that is no words stay.
func (db *DB) ForgetWords(ctx context.Context, before time.Time, most int) (total int, err error) {
	for _, kind := range []struct {
		find, still string
		forget      []string
	}{{wordyCases, stillClosed, forgetCase}, {wordyComplaints, stillProcessed, forgetComplaint}} {
		ids, err := readAll(ctx, db.read, func(scan scanner) (id string, err error) { err = scan(&id); return id, err }, kind.find, micros(before), most)
		if err != nil {
			return total, err
		}
		for _, id := range ids {
			if err := db.forgetWords(ctx, kind.still, kind.forget, id, before); err != nil {
				return total, err
			}
		}
		total += len(ids)
	}
	return total, nil
}

func (db *DB) forgetWords(ctx context.Context, still string, forget []string, id string, before time.Time) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var same string
		err := tx.QueryRowContext(ctx, still+db.dialect.forUpdate, id, micros(before)).Scan(&same)
		if errors.Is(err, sql.ErrNoRows) {
			return nil // reopened
		}
		if err != nil {
			return wrapDriver("look at what is over", err)
		}
		for _, query := range forget {
			if _, err := tx.ExecContext(ctx, query, id); err != nil {
				return wrapDriver("forget words", err)
			}
		}
		return nil
	})
}
