package store

import (
	"context"
	"database/sql"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/terminal"
)

// writeVisits writes what visits left, each kind of row in few statements.
func (db *DB) writeVisits(ctx context.Context, tx *sql.Tx, visits []*terminal.Visit) error {
	var rows leftRows
	for _, v := range visits {
		if !v.Known {
			continue
		}
		if err := rows.add(v); err != nil {
			return err
		}
		if err := writeEnrolment(ctx, tx, v.Terminal, &v.Left); err != nil {
			return err
		}
	}
	if err := rows.write(ctx, db, tx); err != nil {
		return wrapDriver("write the state of terminals", err)
	}
	return db.writeEntriesOf(ctx, tx, rows.entries)
}

// leftRows are rows to be written, by statement.
type leftRows struct {
	states, settings, runs, ended, refusals, menu, checks, alarms, closed [][]any
	keys                                                                  []*terminal.Key
	entries                                                               []evidence.Entry
}

func (r *leftRows) add(v *terminal.Visit) error {
	state, err := stateRow(&v.State)
	if err != nil {
		return err
	}
	r.states = append(r.states, state)
	l := &v.Left
	for i := range l.Settings {
		r.settings = append(r.settings, settingRow(&l.Settings[i]))
	}
	for _, run := range l.Runs {
		if run.Version == 0 { // one that was begun before, and ends
			r.ended = append(r.ended, []any{string(run.Terminal), micros(run.From), micros(run.Until)})
			continue
		}
		r.runs = append(r.runs, []any{string(run.Terminal), micros(run.From), run.Version, run.Hash[:], bit(run.PinFree), run.Boot, nullMicros(run.Until)})
	}
	for i := range l.Keys {
		r.keys = append(r.keys, &l.Keys[i])
	}
	for _, f := range l.Refusals {
		r.refusals = append(r.refusals, []any{string(f.Terminal), f.ID, micros(f.At), f.Reason, f.Key, f.Boot, f.Number, f.Digest[:]})
	}
	for _, c := range l.Changes {
		r.menu = append(r.menu, []any{string(c.Terminal), c.ID, c.Version, bit(c.PinFree), c.Author, c.BasedOn, micros(c.At), micros(c.Received),
			c.State, string(c.Approval)})
	}
	for _, c := range l.Checks {
		r.checks = append(r.checks, []any{c.ID, string(c.Terminal), c.Version, c.Kind, c.Method, string(c.Payment), bit(c.Claimed), c.Detail,
			micros(c.At), micros(c.Received), c.Verdict, c.Because})
	}
	for _, a := range l.Alarms {
		if a.ID == "" {
			r.closed = append(r.closed, []any{string(a.Terminal), a.Kind, micros(a.ClosedAt)})
			continue
		}
		r.alarms = append(r.alarms, []any{a.ID, string(a.Terminal), a.Kind, a.Detail, micros(a.OpenedAt), nullMicros(a.ClosedAt)})
	}
	r.entries = append(r.entries, l.Entries...)
	return nil
}

func (r *leftRows) write(ctx context.Context, db *DB, tx *sql.Tx) error {
	for _, one := range []struct {
		query string
		rows  [][]any
	}{{endRun, r.ended}, {closeAlarm, r.closed}} {
		if err := execEach(ctx, tx, one.query, one.rows); err != nil {
			return err
		}
	}
	for _, row := range r.refusals {
		if _, err := tx.ExecContext(ctx, pruneRefusals, row[0]); err != nil {
			return err
		}
	}
	// A key is written alone: whether it was is to be known.
	for _, k := range r.keys {
		if err := writeTerminalKey(ctx, tx, k); err != nil {
			return err
		}
	}
	for _, many := range []struct {
		query string
		rows  [][]any
	}{{upsertState, r.states}, {upsertSetting, r.settings}, {insertRun, r.runs}, {insertRefusal, r.refusals}, {insertMenu, r.menu},
		{upsertCheck, r.checks}, {insertAlarm, r.alarms}} {
		if err := db.insertRows(ctx, tx, many.query, many.rows); err != nil {
			return err
		}
	}
	return nil
}

// The newest 200 of each terminal stay: more than an operator looks at. The log
// has those that tell something new.
const pruneRefusals = `DELETE FROM terminal_refusal WHERE terminal = $1 AND id <=
(SELECT id FROM terminal_refusal WHERE terminal = $1 ORDER BY id DESC LIMIT 1 OFFSET 199)`

const (
	entryRow   = `INSERT INTO entry (bucket, id, at, type, subject, bytes, records) VALUES ($1, $2, $3, $4, $5, $6, $7)`
	waitingRow = `INSERT INTO entry_waiting (bucket, entry) VALUES ($1, $2)`
)

// writeEntriesOf records many facts, each in the bucket of its subject.
func (db *DB) writeEntriesOf(ctx context.Context, tx *sql.Tx, entries []evidence.Entry) error {
	rows, waiting := make([][]any, len(entries)), make([][]any, len(entries))
	for i, e := range entries {
		text, err := e.Encode()
		if err != nil {
			return err
		}
		bucket := int64(mianmi.BucketOf(e.Subject))
		rows[i] = []any{bucket, string(e.ID), micros(e.At), e.Type, e.Subject, text, nil}
		waiting[i] = []any{bucket, string(e.ID)}
	}
	if err := db.insertRows(ctx, tx, entryRow, rows); err != nil {
		return wrapDriver("write evidence", err)
	}
	return wrapDriver("write evidence", db.insertRows(ctx, tx, waitingRow, waiting))
}
