package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/risk"
)

const (
	riskMeasureColumns = `id, measure, state, rule, rule_version, rule_digest, key, alarm, finding, payer, terminal, store, merchant, payment, found_at, until,
		taken_at, due_at, tries, answer, answered_at`
	// The alarm that the finding made, or was counted on.
	insertRiskMeasure = `INSERT INTO risk_measure (` + riskMeasureColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7,
		(SELECT id FROM risk_alarm WHERE rule = $4 AND key = $7 AND state <> 3), $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
		ON CONFLICT (finding, rule, key, measure) DO NOTHING`
	riskMeasuresDue = `SELECT ` + riskMeasureColumns + ` FROM risk_measure WHERE due_at <= $1 ORDER BY due_at, id LIMIT $2`
	putOffMeasure   = `UPDATE risk_measure SET state = $2, due_at = $3, tries = $4 WHERE id = $1 AND state = $5 AND answer = $6`
	// A question waits for its answer then.
	takeRiskMeasure = `UPDATE risk_measure SET state = 2, taken_at = $2, due_at = CASE WHEN measure = 'ask' THEN until END WHERE id = $1 AND state = 1`
	// What follows from an answer is due at once. Who was silent (3) may answer yet.
	answerRiskMeasure = `UPDATE risk_measure SET answer = $3, answered_at = $2, due_at = $2, tries = 0
		WHERE id = $1 AND state = 2 AND measure = 'ask' AND (answer = 0 OR answer = 3 AND $3 <> 3)`
)

func writeMeasure(ctx context.Context, tx *sql.Tx, p *risk.Protection) error {
	_, err := tx.ExecContext(ctx, insertRiskMeasure, string(p.ID), string(p.Measure), int64(p.State), p.Rule, p.RuleVersion, p.RuleDigest, p.Key, string(p.Finding),
		string(p.Payer), string(p.Terminal), string(p.Store), string(p.Merchant), string(p.Payment), micros(p.FoundAt), micros(p.Until), nullMicros(p.TakenAt),
		nullMicros(p.DueAt), p.Tries, int64(p.Answer), nullMicros(p.AnsweredAt))
	return wrapDriver("write a measure", err)
}

func scanMeasure(scan scanner) (p risk.Protection, err error) {
	var found, until int64
	var taken, due, answered sql.NullInt64
	err = scan((*string)(&p.ID), (*string)(&p.Measure), &p.State, &p.Rule, &p.RuleVersion, &p.RuleDigest, &p.Key, (*string)(&p.Alarm), (*string)(&p.Finding),
		(*string)(&p.Payer), (*string)(&p.Terminal), (*string)(&p.Store), (*string)(&p.Merchant), (*string)(&p.Payment), &found, &until, &taken, &due, &p.Tries,
		&p.Answer, &answered)
	p.FoundAt, p.Until, p.TakenAt, p.DueAt, p.AnsweredAt = fromMicros(found), fromMicros(until), fromNullMicros(taken), fromNullMicros(due), fromNullMicros(answered)
	return p, err
}

// takeMeasure writes, in the transaction of the tightening, that a measure was
// taken or a question answered: whoever comes second finds that it was, and writes
// nothing.
func takeMeasure(ctx context.Context, tx *sql.Tx, c *payer.Change) error {
	if c.Measure == "" {
		return nil
	}
	var res sql.Result
	var err error
	second := mianmi.Conflicts("measure_taken", "this measure was taken, or has lapsed")
	if c.Answer == payer.NoAnswer {
		res, err = tx.ExecContext(ctx, takeRiskMeasure, string(c.Measure), micros(c.MeasureAt))
	} else {
		second = mianmi.Conflicts("question_answered", "this question was answered already")
		res, err = tx.ExecContext(ctx, answerRiskMeasure, string(c.Measure), micros(c.MeasureAt), int64(c.Answer))
	}
	if err != nil {
		return wrapDriver("take a measure", err)
	}
	n, err := res.RowsAffected()
	if err == nil && n != 1 {
		return second
	}
	return wrapDriver("take a measure", err)
}

// Measure implements risk.MeasureStore.
func (db *DB) Measure(ctx context.Context, id mianmi.MeasureID) (risk.Protection, error) {
	return readOne(ctx, db.read, "measure", scanMeasure, `SELECT `+riskMeasureColumns+` FROM risk_measure WHERE id = $1`, string(id))
}

// MeasuresDue implements risk.MeasureStore.
func (db *DB) MeasuresDue(ctx context.Context, now time.Time, most int) ([]risk.Protection, error) {
	return readAll(ctx, db.read, scanMeasure, riskMeasuresDue, micros(now), most)
}

// PutOff implements risk.MeasureStore.
func (db *DB) PutOff(ctx context.Context, was, p risk.Protection) error {
	_, err := db.execRows(ctx, "put a measure off", putOffMeasure, string(p.ID), int64(p.State), nullMicros(p.DueAt), p.Tries, int64(was.State), int64(was.Answer))
	return err
}

// Measures implements risk.MeasureStore.
func (db *DB) Measures(ctx context.Context, f risk.MeasureQuery) ([]risk.Protection, error) {
	var q caseQuery
	q.and("id > ?", "ms")
	for _, c := range []struct{ condition, value string }{{"alarm = ?", string(f.Alarm)}, {"payer = ? AND payer <> ''", string(f.Payer)}, {"measure = ?", string(f.Measure)},
		{"id < ?", string(f.Before)}} {
		if c.value != "" {
			q.and(c.condition, c.value)
		}
	}
	if f.State != risk.NoMeasureState {
		q.and("state = ?", int64(f.State))
	}
	q.args = append(q.args, f.Limit)
	return readAll(ctx, db.read, scanMeasure, `SELECT `+riskMeasureColumns+` FROM risk_measure WHERE `+strings.Join(q.where, " AND ")+
		` ORDER BY id DESC LIMIT $`+strconv.Itoa(len(q.args)), q.args...)
}

const (
	// Identifiers begin with their time, so that only the last days are read.
	countMeasures = `SELECT measure, state, count(*), min(found_at) FROM risk_measure WHERE id >= $1 AND (state <> 2 OR until > $2) GROUP BY measure, state`
	lapsedOpen    = `SELECT count(*) FROM risk_measure m JOIN risk_alarm a ON a.id = m.alarm WHERE m.id >= $1 AND m.state = 3 AND a.state <> 3`
	selectLifted  = `SELECT 1 FROM entry WHERE bucket = $1 AND subject = $2 AND type = 'payer.hold.lifted' AND at >= $3 LIMIT 1`
)

// MeasureFigures implements risk.MeasureStore.
func (db *DB) MeasureFigures(ctx context.Context, since, now time.Time) (f risk.MeasureFigures, err error) {
	first, err := mianmi.NewID("ms", since, bytes.NewReader(make([]byte, 16)))
	if err != nil {
		return f, err
	}
	f.Counts, err = readAll(ctx, db.read, func(scan scanner) (c risk.MeasureCount, err error) {
		var oldest int64
		err = scan((*string)(&c.Measure), &c.State, &c.Count, &oldest)
		if at := fromMicros(oldest); c.State == risk.Waiting && (f.Oldest.IsZero() || at.Before(f.Oldest)) {
			f.Oldest = at
		}
		return c, err
	}, countMeasures, first, micros(now))
	if err != nil {
		return f, err
	}
	err = db.read.QueryRowContext(ctx, lapsedOpen, first).Scan(&f.LapsedOpen)
	return f, wrapDriver("count measures that have lapsed", err)
}

// MeasureHolds implements risk.MeasureStore.
func (db *DB) MeasureHolds(ctx context.Context, p *risk.Protection, now time.Time) (bool, error) {
	if p.Payer == "" {
		live, err := db.Stops(ctx, merchant.StopQuery{Scope: p.Scope(), Live: now, Limit: 1})
		if err != nil || len(live) > 0 {
			return err == nil, err
		}
		list, err := db.Stops(ctx, merchant.StopQuery{Scope: p.Scope(), Limit: manyMax})
		return slices.ContainsFunc(list, func(s merchant.Stop) bool { return !s.LiftedAt.Before(p.TakenAt) }), err
	}
	held, err := db.Payer(ctx, p.Payer)
	if errors.Is(err, mianmi.NotFound) {
		return true, nil
	}
	if err != nil || held.Held(now) != nil {
		return err == nil, err
	}
	var found int
	err = db.read.QueryRowContext(ctx, selectLifted, int64(p.Payer.Bucket()), string(p.Payer), micros(p.TakenAt)).Scan(&found)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return true, wrapDriver("look for who lifted a hold", err)
}
