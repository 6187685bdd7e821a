package store

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/risk"
)

// DB is where signals are read from and alarms are kept.
var _ risk.Store = (*DB)(nil)

// follow is the row of the one reader of the log that looks for signals.
const follow = 1

var (
	// Whoever comes first begins at the log's end.
	makeFollow = `INSERT INTO risk_follow (id, position, holder, lease_until) SELECT 1, COALESCE((SELECT max(n) + 1 FROM log_leaf), 0), '', 0
		ON CONFLICT (id) DO NOTHING`
	takeFollow = newTimed(`UPDATE risk_follow SET holder = $2, lease_until = {now} + CAST($3 AS bigint)
		WHERE id = $1 AND (holder = $2 OR lease_until <= {now}) RETURNING position`)
	stepFollow = newTimed(`UPDATE risk_follow SET position = $4,
		lease_until = CASE WHEN lease_until > {now} + CAST($5 AS bigint) THEN lease_until ELSE {now} + CAST($5 AS bigint) END WHERE id = $1 AND holder = $2 AND position = $3 AND lease_until > {now}`)
)

// Follow implements risk.Store.
func (db *DB) Follow(ctx context.Context, holder string, lease time.Duration) (next int64, held bool, err error) {
	err = db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		take := func() error {
			return tx.QueryRowContext(ctx, db.in(takeFollow), follow, holder, lease.Microseconds()).Scan(&next)
		}
		err := take()
		if errors.Is(err, sql.ErrNoRows) { // somebody else follows, or nobody ever has
			if _, err := tx.ExecContext(ctx, makeFollow); err != nil {
				return wrapDriver("begin to follow the log", err)
			}
			err = take()
		}
		if held = err == nil; errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return wrapDriver("follow the log", err)
	})
	return next, held, err
}

// Leave implements risk.Store.
func (db *DB) Leave(ctx context.Context, holder string) error {
	_, err := db.execRows(ctx, "leave the log", `UPDATE risk_follow SET lease_until = 0 WHERE id = $1 AND holder = $2`, follow, holder)
	return err
}

// FollowedTo implements risk.Store.
func (db *DB) FollowedTo(ctx context.Context) (n int64, err error) {
	err = db.read.QueryRowContext(ctx, `SELECT position FROM risk_follow WHERE id = $1`, follow).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return -1, nil
	}
	return n, wrapDriver("read how far the log was followed", err)
}

// LogSize implements risk.Store.
func (db *DB) LogSize(ctx context.Context) (n int64, err error) {
	err = db.read.QueryRowContext(ctx, `SELECT COALESCE(max(n) + 1, 0) FROM log_leaf`).Scan(&n)
	return n, wrapDriver("read the size of the log", err)
}

// LeafTime implements risk.Store.
func (db *DB) LeafTime(ctx context.Context, n int64) (time.Time, error) {
	var at int64
	err := db.read.QueryRowContext(ctx, `SELECT e.at FROM log_leaf l JOIN entry e ON e.bucket = l.entry_bucket AND e.id = l.entry WHERE l.n = $1`, n).Scan(&at)
	return fromMicros(at), missing("leaf", err)
}

// Paid implements risk.World.
func (db *DB) Paid(ctx context.Context, ids []mianmi.PaymentID) (map[mianmi.PaymentID]risk.Paid, error) {
	set := make(map[mianmi.PaymentID]bool, len(ids))
	for _, id := range ids {
		if _, err := id.Bucket(); err == nil { // one that names no payment is none
			set[id] = true
		}
	}
	out := make(map[mianmi.PaymentID]risk.Paid, len(set))
	err := inParts(set, func(list string, args []any) error {
		_, err := readAll(ctx, db.read, func(scan scanner) (struct{}, error) {
			var id mianmi.PaymentID
			var p risk.Paid
			var minor int64
			var currency string
			var method pinfree.Method
			err := scan((*string)(&id), (*string)(&p.Payer), (*string)(&p.Merchant), (*string)(&p.Store), (*string)(&p.Terminal), &minor, &currency, &method)
			p.Amount, p.Method = money.Of(minor, money.Currency(currency)), method
			out[id] = p
			return struct{}{}, err
		}, `WITH v (bucket, id) AS (VALUES `+list+`) SELECT p.id, p.payer, p.merchant, p.store, p.terminal, p.amount, p.currency, p.method
			FROM v JOIN payment p ON p.bucket = v.bucket AND p.id = v.id`, args...)
		return err
	})
	return out, err
}

// Where implements risk.World.
func (db *DB) Where(ctx context.Context, ids []mianmi.StoreID) (map[mianmi.StoreID]*merchant.Coordinates, error) {
	out := map[mianmi.StoreID]*merchant.Coordinates{}
	for len(ids) > 0 {
		part := ids[:min(len(ids), manyMax)]
		ids = ids[len(part):]
		args := make([]any, len(part))
		for i, id := range part {
			args[i] = string(id)
		}
		_, err := readAll(ctx, db.read, func(scan scanner) (struct{}, error) {
			var id mianmi.StoreID
			var c merchant.Coordinates
			err := scan((*string)(&id), &c.LatE6, &c.LonE6)
			out[id] = &c
			return struct{}{}, err
		}, `SELECT id, lat_e6, lon_e6 FROM store WHERE lat_e6 IS NOT NULL AND lon_e6 IS NOT NULL AND id IN (`+places(1, len(part))+`)`, args...)
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

const (
	riskAlarmColumns = `id, rule, key, severity, state, says_zh, says_en, payer, terminal, payment, merchant, store, found, first_entry, last_entry, first_at, last_at,
		due_at, escalated_at, taken_by, taken_at, resolved_by, resolved_at, verdict, words, reporter, said, version`
	// One that is not over is counted on. Only a transaction that writes alarms finds
	// new ones, and the row of the follower lets one at a time do that.
	countRiskAlarm = `UPDATE risk_alarm SET found = found + 1, says_zh = $3, says_en = $4, payer = $5, terminal = $6, payment = $7, last_entry = $8, last_at = $9
		WHERE rule = $1 AND key = $2 AND state <> 3`
	insertRiskAlarm = `INSERT INTO risk_alarm (` + riskAlarmColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
		$18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28)`
	updateRiskAlarm = `UPDATE risk_alarm SET severity = $2, state = $3, due_at = $4, escalated_at = $5, taken_by = $6, taken_at = $7, resolved_by = $8, resolved_at = $9,
		verdict = $10, words = $11, version = $12 WHERE id = $1 AND version = $12 - 1`
	selectRiskAlarm = `SELECT ` + riskAlarmColumns + ` FROM risk_alarm WHERE id = $1`
	riskAlarmsDue   = `SELECT id FROM risk_alarm WHERE due_at <= $1 ORDER BY due_at, id LIMIT $2`
)

// Found implements risk.Store.
func (db *DB) Found(ctx context.Context, s risk.Step) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, db.in(stepFollow), follow, s.Holder, s.From, s.Next, s.Lease.Microseconds())
		if err != nil {
			return wrapDriver("follow the log", err)
		}
		if n, err := res.RowsAffected(); err != nil || n != 1 {
			return errors.Join(wrapDriver("follow the log", err), &mianmi.Error{Kind: mianmi.Conflict, Msg: "another node follows the log"})
		}
		for i := range s.Alarms {
			if err := writeAlarm(ctx, tx, &s.Alarms[i], s.Entries[i]); err != nil {
				return err
			}
		}
		for i := range s.Measures {
			if err := writeMeasure(ctx, tx, &s.Measures[i]); err != nil {
				return err
			}
		}
		return countShadows(ctx, tx, s.Shadows)
	})
}

func writeAlarm(ctx context.Context, tx *sql.Tx, a *risk.Alarm, e evidence.Entry) error {
	res, err := tx.ExecContext(ctx, countRiskAlarm, a.Rule, a.Key, a.Says.ZH, a.Says.EN, string(a.Payer), string(a.Terminal), string(a.Payment), string(a.Last), micros(a.LastAt))
	if err != nil {
		return wrapDriver("count an alarm", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 1 {
		return wrapDriver("count an alarm", err)
	}
	if _, err := tx.ExecContext(ctx, insertRiskAlarm, riskAlarmArgs(a)...); err != nil {
		return wrapDriver("write an alarm", err)
	}
	return writeEntries(ctx, tx, mianmi.BucketOf(string(a.ID)), a.Version, e)
}

func riskAlarmArgs(a *risk.Alarm) []any {
	return []any{string(a.ID), a.Rule, a.Key, a.Severity.Weight(), int64(a.State), a.Says.ZH, a.Says.EN, string(a.Payer), string(a.Terminal), string(a.Payment),
		string(a.Merchant), string(a.Store), a.Count, string(a.First), string(a.Last), micros(a.FirstAt), micros(a.LastAt), nullMicros(a.DueAt),
		nullMicros(a.EscalatedAt), a.TakenBy, nullMicros(a.TakenAt), a.ResolvedBy, nullMicros(a.ResolvedAt), a.Verdict, a.Note, a.Reporter, a.Said, a.Version}
}

func scanRiskAlarm(scan scanner) (a risk.Alarm, err error) {
	var severity int
	var first, last int64
	var due, escalated, taken, resolved sql.NullInt64
	err = scan((*string)(&a.ID), &a.Rule, &a.Key, &severity, &a.State, &a.Says.ZH, &a.Says.EN, (*string)(&a.Payer), (*string)(&a.Terminal), (*string)(&a.Payment),
		(*string)(&a.Merchant), (*string)(&a.Store), &a.Count, (*string)(&a.First), (*string)(&a.Last), &first, &last, &due, &escalated, &a.TakenBy, &taken,
		&a.ResolvedBy, &resolved, &a.Verdict, &a.Note, &a.Reporter, &a.Said, &a.Version)
	a.Severity, a.FirstAt, a.LastAt = risk.SeverityOf(severity), fromMicros(first), fromMicros(last)
	a.DueAt, a.EscalatedAt, a.TakenAt, a.ResolvedAt = fromNullMicros(due), fromNullMicros(escalated), fromNullMicros(taken), fromNullMicros(resolved)
	return a, err
}

// ChangeAlarm implements risk.Store.
func (db *DB) ChangeAlarm(ctx context.Context, id mianmi.AlarmID, fn func(*risk.Alarm) (*evidence.Entry, error)) (a risk.Alarm, err error) {
	err = db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if a, err = readOne(ctx, tx, "alarm", scanRiskAlarm, selectRiskAlarm+db.dialect.forUpdate, string(id)); err != nil {
			return err
		}
		e, err := fn(&a)
		if err != nil || e == nil {
			return err
		}
		res, err := tx.ExecContext(ctx, updateRiskAlarm, string(a.ID), a.Severity.Weight(), int64(a.State), nullMicros(a.DueAt), nullMicros(a.EscalatedAt), a.TakenBy,
			nullMicros(a.TakenAt), a.ResolvedBy, nullMicros(a.ResolvedAt), a.Verdict, a.Note, a.Version)
		if err := mustWriteOne("alarm "+string(a.ID), res, err); err != nil {
			return err
		}
		return writeEntries(ctx, tx, mianmi.BucketOf(string(a.ID)), a.Version, *e)
	})
	return a, err
}

// Alarm implements risk.Store.
func (db *DB) Alarm(ctx context.Context, id mianmi.AlarmID) (risk.Alarm, error) {
	return readOne(ctx, db.read, "alarm", scanRiskAlarm, selectRiskAlarm, string(id))
}

// AlarmsDue implements risk.Store.
func (db *DB) AlarmsDue(ctx context.Context, now time.Time, most int) ([]mianmi.AlarmID, error) {
	return readAll(ctx, db.read, func(scan scanner) (id mianmi.AlarmID, err error) {
		err = scan((*string)(&id))
		return id, err
	}, riskAlarmsDue, micros(now), most)
}

// RiskAlarms implements risk.Store.
func (db *DB) RiskAlarms(ctx context.Context, f risk.Query) ([]risk.Alarm, error) {
	var q caseQuery
	q.and("id > ?", "am")
	for _, c := range []struct{ condition, value string }{{"rule = ?", f.Rule}, {"payer = ? AND payer <> ''", string(f.Payer)},
		{"merchant = ? AND merchant <> ''", string(f.Merchant)}, {"terminal = ?", string(f.Terminal)}, {"id < ?", string(f.Before)}} {
		if c.value != "" {
			q.and(c.condition, c.value)
		}
	}
	if f.Severity != "" {
		q.and("severity = ?", f.Severity.Weight())
	}
	if f.State != risk.NoState {
		q.and("state = ?", int64(f.State))
	}
	if f.Unsolved {
		q.and("state <> 3")
	}
	q.args = append(q.args, f.Limit)
	return readAll(ctx, db.read, scanRiskAlarm, `SELECT `+riskAlarmColumns+` FROM risk_alarm WHERE `+strings.Join(q.where, " AND ")+
		` ORDER BY id DESC LIMIT $`+strconv.Itoa(len(q.args)), q.args...)
}
