package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/risk"
)

const (
	// One more of a reporter's allowance: $2 is now, $3 what one costs, $4 how far ahead
	// they may be (the generic cell rate algorithm, ITU-T I.371). It guards the first one
	// too, and holds the reporter's row until the report is written.
	takeReport = `INSERT INTO risk_reporter (reporter, level)
		SELECT CAST($1 AS text), CAST($2 AS bigint) + CAST($3 AS bigint) WHERE CAST($3 AS bigint) <= CAST($4 AS bigint)
		ON CONFLICT (reporter) DO UPDATE SET level = CASE WHEN risk_reporter.level > $2 THEN risk_reporter.level ELSE $2 END + $3
		WHERE CASE WHEN risk_reporter.level > $2 THEN risk_reporter.level ELSE $2 END + $3 <= $2 + $4 RETURNING level`
	selectReporter = `SELECT level FROM risk_reporter WHERE reporter = $1`
	selectReported = `SELECT ` + riskAlarmColumns + ` FROM risk_alarm WHERE rule = $1 AND key = $2 AND state <> 3`
	countReported  = `UPDATE risk_alarm SET found = $2, last_entry = $3, last_at = $4, said = $5, version = $6 WHERE id = $1 AND version = $6 - 1`
	selectSites    = `SELECT t.id, s.merchant, t.store FROM terminal t JOIN store s ON s.id = t.store WHERE t.id IN (`
)

// Sites implements risk.World.
func (db *DB) Sites(ctx context.Context, ids []mianmi.TerminalID) (map[mianmi.TerminalID]risk.Site, error) {
	out := make(map[mianmi.TerminalID]risk.Site, len(ids))
	for len(ids) > 0 {
		part := ids[:min(len(ids), manyMax)]
		ids = ids[len(part):]
		args := make([]any, len(part))
		for i, id := range part {
			args[i] = string(id)
		}
		_, err := readAll(ctx, db.read, func(scan scanner) (struct{}, error) {
			var id mianmi.TerminalID
			var s risk.Site
			err := scan((*string)(&id), (*string)(&s.Merchant), (*string)(&s.Store))
			out[id] = s
			return struct{}{}, err
		}, selectSites+places(1, len(part))+`)`, args...)
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Report implements risk.Store. A reporter's reports come one after another, by their
// row, so that two of the same find each other.
func (db *DB) Report(ctx context.Context, r risk.Reporting, fn func(*risk.Alarm, bool) (evidence.Entry, error)) (a risk.Alarm, err error) {
	err = db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := allowReport(ctx, tx, &r); err != nil {
			return err
		}
		a, err = readOne(ctx, tx, "alarm", scanRiskAlarm, selectReported+db.dialect.forUpdate, r.Alarm.Rule, r.Alarm.Key)
		known := err == nil
		if errors.Is(err, mianmi.NotFound) {
			a, err = r.Alarm, nil
		}
		if err != nil {
			return err
		}
		e, err := fn(&a, known)
		if err != nil {
			return err
		}
		if known {
			res, err := tx.ExecContext(ctx, countReported, string(a.ID), a.Count, string(a.Last), micros(a.LastAt), a.Said, a.Version)
			if err := mustWriteOne("alarm "+string(a.ID), res, err); err != nil {
				return err
			}
		} else if _, err := tx.ExecContext(ctx, insertRiskAlarm, riskAlarmArgs(&a)...); err != nil {
			return wrapDriver("write an alarm", err)
		}
		return writeEntries(ctx, tx, mianmi.BucketOf(string(a.ID)), a.Version, e)
	})
	return a, err
}

// allowReport counts a report against its reporter's allowance.
func allowReport(ctx context.Context, tx *sql.Tx, r *risk.Reporting) error {
	now := micros(r.Now)
	var level int64
	err := tx.QueryRowContext(ctx, takeReport, r.Alarm.Reporter, now, r.Every.Microseconds(), r.Burst.Microseconds()).Scan(&level)
	if !errors.Is(err, sql.ErrNoRows) {
		return wrapDriver("count a report", err)
	}
	if err := tx.QueryRowContext(ctx, selectReporter, r.Alarm.Reporter).Scan(&level); err != nil {
		return wrapDriver("read a reporter's allowance", err)
	}
	wait := time.Duration(level-now)*time.Microsecond + r.Every - r.Burst
	return &mianmi.Error{Kind: mianmi.Conflict, Code: "too_many_reports", Msg: "these are many reports at once; the next one can be sent in " + wait.Round(time.Second).String(),
		RetryAfter: wait}
}
