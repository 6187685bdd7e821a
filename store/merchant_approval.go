package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
)

const approvalColumns = `id, scope, subject, merchant, proposal, based_on, proposed_by, proposed_at, expires_at,
state, decided_by, decided_at`

func scanApproval(scan scanner) (a merchant.Approval, err error) {
	var proposal string
	var proposed, expires int64
	var by sql.NullString
	var at sql.NullInt64
	err = scan(&a.ID, &a.Scope.Level, &a.Scope.Subject, &a.Merchant, &proposal, &a.BasedOn, &a.ProposedBy, &proposed, &expires,
		&a.State, &by, &at)
	if err != nil {
		return a, err
	}
	a.ProposedAt, a.ExpiresAt, a.DecidedBy, a.DecidedAt = fromMicros(proposed), fromMicros(expires), by.String, fromNullMicros(at)
	if err := json.Unmarshal([]byte(proposal), &a.Proposal); err != nil {
		return a, fmt.Errorf("decode proposal %s: %w", a.ID, err)
	}
	return a, nil
}

const selectApproval = `SELECT ` + approvalColumns + ` FROM approval WHERE id = $1`

// Approval reads a proposal.
func (db *DB) Approval(ctx context.Context, id mianmi.ApprovalID) (merchant.Approval, error) {
	return readOne(ctx, db.read, "approval", scanApproval, selectApproval, string(id))
}

const selectApprovals = `SELECT ` + approvalColumns + ` FROM approval
WHERE merchant = $1 AND state = $2 AND expires_at > $3 AND id > $4 ORDER BY id LIMIT $5`

const selectApprovalsAll = `SELECT ` + approvalColumns + ` FROM approval
WHERE state = $1 AND expires_at > $2 AND id > $3 ORDER BY id LIMIT $4`

// Approvals reads a page of the proposals that wait.
func (db *DB) Approvals(ctx context.Context, q merchant.ApprovalQuery) ([]merchant.Approval, error) {
	state := int64(merchant.Waiting)
	if q.Merchant == "" {
		return readAll(ctx, db.read, scanApproval, selectApprovalsAll, state, micros(q.Now), string(q.After), q.Limit)
	}
	return readAll(ctx, db.read, scanApproval, selectApprovals, string(q.Merchant), state, micros(q.Now), string(q.After), q.Limit)
}

// A proposal is decided once.
const upsertApproval = `INSERT INTO approval (id, scope, subject, merchant, proposal, based_on, proposed_by, proposed_at,
expires_at, state, decided_by, decided_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (id) DO UPDATE SET state = excluded.state, decided_by = excluded.decided_by, decided_at = excluded.decided_at
WHERE approval.state = 1`

func writeApproval(ctx context.Context, tx *sql.Tx, a merchant.Approval) error {
	proposal, err := json.Marshal(a.Proposal)
	if err != nil {
		return fmt.Errorf("encode proposal %s: %w", a.ID, err)
	}
	res, err := tx.ExecContext(ctx, upsertApproval, string(a.ID), int64(a.Scope.Level), a.Scope.Subject, string(a.Merchant),
		string(proposal), a.BasedOn, a.ProposedBy, micros(a.ProposedAt), micros(a.ExpiresAt), int64(a.State),
		nullText(a.DecidedBy), nullMicros(a.DecidedAt))
	return mustWriteOne("approval "+string(a.ID), res, err)
}

const stopColumns = `id, scope, subject, reason, placed_by, placed_at, until, lifted_by, lifted_at`

func scanStop(scan scanner) (s merchant.Stop, err error) {
	var placed, until int64
	var by sql.NullString
	var at sql.NullInt64
	err = scan(&s.ID, &s.Scope.Level, &s.Scope.Subject, &s.Reason, &s.PlacedBy, &placed, &until, &by, &at)
	s.PlacedAt, s.Until, s.LiftedBy, s.LiftedAt = fromMicros(placed), fromMicros(until), by.String, fromNullMicros(at)
	return s, err
}

const selectStop = `SELECT ` + stopColumns + ` FROM emergency_stop WHERE id = $1`

// Stop reads an emergency stop.
func (db *DB) Stop(ctx context.Context, id mianmi.StopID) (merchant.Stop, error) {
	return readOne(ctx, db.read, "emergency stop", scanStop, selectStop, string(id))
}

// $2 is a time that live stops end after; $3 is 1 for stops that are lifted too.
const selectStops = `SELECT ` + stopColumns + ` FROM emergency_stop
WHERE id > $1 AND until > $2 AND (lifted_at IS NULL OR $3 = 1) AND scope = $4 AND subject = $5 ORDER BY id LIMIT $6`

const selectStopsAll = `SELECT ` + stopColumns + ` FROM emergency_stop
WHERE id > $1 AND until > $2 AND (lifted_at IS NULL OR $3 = 1) ORDER BY id LIMIT $4`

// Stops reads a page of emergency stops.
func (db *DB) Stops(ctx context.Context, q merchant.StopQuery) ([]merchant.Stop, error) {
	after, over := liveAt(q.Live)
	if q.Scope == (merchant.Scope{}) {
		return readAll(ctx, db.read, scanStop, selectStopsAll, string(q.After), after, over, q.Limit)
	}
	return readAll(ctx, db.read, scanStop, selectStops, string(q.After), after, over, int64(q.Scope.Level), q.Scope.Subject, q.Limit)
}

func liveAt(t time.Time) (endsAfter, over int64) {
	if t.IsZero() {
		return math.MinInt64, 1
	}
	return micros(t), 0
}

// Only lifting changes a stop.
const upsertStop = `INSERT INTO emergency_stop (id, scope, subject, reason, placed_by, placed_at, until, lifted_by, lifted_at, epoch)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (id) DO UPDATE SET lifted_by = excluded.lifted_by, lifted_at = excluded.lifted_at, epoch = excluded.epoch
WHERE emergency_stop.lifted_at IS NULL`

func writeStop(ctx context.Context, tx *sql.Tx, epoch int64, s merchant.Stop) error {
	res, err := tx.ExecContext(ctx, upsertStop, string(s.ID), int64(s.Scope.Level), s.Scope.Subject, s.Reason, s.PlacedBy,
		micros(s.PlacedAt), micros(s.Until), nullText(s.LiftedBy), nullMicros(s.LiftedAt), epoch)
	return mustWriteOne("emergency stop "+string(s.ID), res, err)
}
