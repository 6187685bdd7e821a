package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/terminal"
)

const (
	selectProgram   = `SELECT body FROM program_rollout WHERE id = $1`
	selectProgramOf = `SELECT body FROM program_rollout WHERE family = $1 AND release = $2`
	// $1 and $3 are empty for all, $2 is 1 for open ones.
	selectPrograms = `SELECT body FROM program_rollout WHERE ($1 = '' OR family = $1) AND ($2 = 0 OR state <= 2) AND ($3 = '' OR id < $3)
ORDER BY id DESC LIMIT $4`
	insertProgram = `INSERT INTO program_rollout (id, family, release, state, revision, body, lease_until) VALUES ($1, $2, $3, $4, $5, $6, 0)
ON CONFLICT (family, release) DO NOTHING`
	// A revision is written once: the one after that which was read.
	updateProgram = `UPDATE program_rollout SET state = $2, revision = $3, body = $4 WHERE id = $1 AND revision = $3 - 1`
)

func scanProgram(scan scanner) (r terminal.ProgramRollout, err error) {
	var body string
	if err := scan(&body); err != nil {
		return r, err
	}
	read, err := terminal.ReadProgramRollout([]byte(body))
	if err != nil {
		return r, err
	}
	return *read, nil
}

// ProgramRollout implements terminal.Programs.
func (db *DB) ProgramRollout(ctx context.Context, id mianmi.RolloutID) (terminal.ProgramRollout, error) {
	return readOne(ctx, db.read, "rollout", scanProgram, selectProgram, string(id))
}

// ProgramRolloutOf implements terminal.Programs.
func (db *DB) ProgramRolloutOf(ctx context.Context, family, release string) (*terminal.ProgramRollout, error) {
	list, err := readAll(ctx, db.read, func(scan scanner) (r terminal.ProgramRollout, err error) {
		var body string
		if err := scan(&body); err != nil {
			return r, err
		}
		if read, err := terminal.ReadProgramRollout([]byte(body)); err == nil {
			r = *read
		}
		return r, nil // one that cannot be read has come to nobody
	}, selectProgramOf, family, release)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return &list[0], nil
}

// ProgramRolloutList implements terminal.Programs.
func (db *DB) ProgramRolloutList(ctx context.Context, q terminal.ProgramQuery) ([]terminal.ProgramRollout, error) {
	return readAll(ctx, db.read, scanProgram, selectPrograms, q.Family, bit(q.Open), string(q.Before), q.Limit)
}

// CreateProgramRollout implements terminal.Programs.
func (db *DB) CreateProgramRollout(ctx context.Context, r terminal.ProgramRollout, e evidence.Entry) error {
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode rollout %s: %w", r.ID, err)
	}
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, insertProgram, string(r.ID), r.Family, r.Release(), int64(r.State), r.Revision, string(body))
		if err != nil {
			return wrapDriver("create a rollout", err)
		}
		n, err := res.RowsAffected()
		if err == nil && n == 0 {
			err = mianmi.Conflicts("program_rollout_exists", "this version has a staged rollout, or had one")
		}
		if err != nil {
			return wrapDriver("create a rollout", err)
		}
		return writeSettingEntries(ctx, tx, noEpoch, e)
	})
}

// ChangeProgramRollout implements terminal.Programs.
func (db *DB) ChangeProgramRollout(ctx context.Context, id mianmi.RolloutID, decide func(terminal.ProgramRollout) (terminal.ProgramRollout, evidence.Entry, error)) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		before, err := readOne(ctx, tx, "rollout", scanProgram, selectProgram+db.dialect.forUpdate, string(id))
		if err != nil {
			return err
		}
		after, e, err := decide(before)
		if err != nil {
			return err
		}
		body, err := json.Marshal(after)
		if err != nil {
			return fmt.Errorf("encode rollout %s: %w", id, err)
		}
		res, err := tx.ExecContext(ctx, updateProgram, string(id), int64(after.State), after.Revision, string(body))
		if err := mustWriteOne("rollout "+string(id), res, err); err != nil {
			return err
		}
		return writeSettingEntries(ctx, tx, noEpoch, e)
	})
}

var leasedPrograms = newLeased("program_rollout")

// ClaimProgramRollout implements terminal.Programs.
func (db *DB) ClaimProgramRollout(ctx context.Context, id mianmi.RolloutID, lease time.Duration) (bool, error) {
	return db.claimRollout(ctx, leasedPrograms, id, lease)
}

// RestProgramRollout implements terminal.Programs.
func (db *DB) RestProgramRollout(ctx context.Context, id mianmi.RolloutID, rest time.Duration) error {
	return db.restRollout(ctx, leasedPrograms, id, rest)
}

// Every change raises the revision of one of them.
const programsChanged = `SELECT CAST(COALESCE(SUM(revision), 0) AS bigint) FROM program_rollout`

// ProgramsChanged returns a number that grows with every change of a program's
// rollout.
func (db *DB) ProgramsChanged(ctx context.Context) (n int64, err error) {
	err = db.read.QueryRowContext(ctx, programsChanged).Scan(&n)
	return n, wrapDriver("look for changed rollouts", err)
}

const (
	selectDevice = `SELECT t.id, t.name, t.store, t.model, m.proof, COALESCE(x.said, ''), x.revoked_at, x.seen_at FROM terminal t JOIN model m ON m.id = t.model
LEFT JOIN terminal_state x ON x.terminal = t.id WHERE `
	deviceByID  = selectDevice + `t.id = $1`
	devicesPage = selectDevice + `t.id > $1 ORDER BY t.id LIMIT $2`
)

func scanDevice(scan scanner) (d terminal.Device, err error) {
	var said string
	var revoked, seen sql.NullInt64
	if err := scan(&d.Terminal, &d.Name, &d.Store, &d.Model, &d.Proof, &said, &revoked, &seen); err != nil {
		return d, err
	}
	d.Revoked, d.SeenAt = revoked.Valid, fromNullMicros(seen)
	if said == "" {
		return d, nil
	}
	var s terminal.Said
	if err := json.Unmarshal([]byte(said), &s); err != nil {
		return d, fmt.Errorf("read what terminal %s said: %w", d.Terminal, err)
	}
	d.Family, d.App, d.Update = s.Device.Model, s.Device.App, s.Update
	return d, nil
}

// Device implements terminal.Programs.
func (db *DB) Device(ctx context.Context, id mianmi.TerminalID) (terminal.Device, error) {
	return readOne(ctx, db.read, "terminal", scanDevice, deviceByID, string(id))
}

// Devices implements terminal.Programs.
func (db *DB) Devices(ctx context.Context, after mianmi.TerminalID, limit int) ([]terminal.Device, error) {
	return readAll(ctx, db.read, scanDevice, devicesPage, string(after), limit)
}
