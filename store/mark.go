package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/settings"
)

// A change that tightens nothing leaves the newest tightening as it was.
const upsertMark = `INSERT INTO scope_change (scope, subject, at, tightened, tightened_at, epoch) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (scope, subject) DO UPDATE SET at = excluded.at, epoch = excluded.epoch,
tightened = CASE WHEN excluded.tightened > 0 THEN excluded.tightened ELSE scope_change.tightened END,
tightened_at = CASE WHEN excluded.tightened > 0 THEN excluded.tightened_at ELSE scope_change.tightened_at END`

// markScope notes that what a scope holds changes with this epoch, so that its
// terminals fetch it; with tightening they have to prove it as well.
func markScope(ctx context.Context, tx *sql.Tx, epoch int64, s merchant.Scope, at time.Time, tightening bool) error {
	var tightened, tightenedAt int64
	if tightening {
		tightened, tightenedAt = epoch, micros(at)
	}
	_, err := tx.ExecContext(ctx, upsertMark, int64(s.Level), s.Subject, micros(at), tightened, tightenedAt, epoch)
	return wrapDriver("mark the change of "+s.String(), err)
}

const newerMarks = `SELECT scope, subject, at, tightened, tightened_at, epoch FROM scope_change WHERE epoch > $1`

func scanMark(scan scanner) (m settings.Mark, err error) {
	var at, tightenedAt int64
	err = scan(&m.Scope.Level, &m.Scope.Subject, &at, &m.Tightened, &tightenedAt, &m.Epoch)
	m.At, m.TightenedAt = fromMicros(at), fromMicros(tightenedAt)
	return m, err
}
