package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/rollout"
)

// readRollout is the rollout that a policy names. What is not there, of another
// scope or not to be read has come to nobody, and the settings are read all the
// same: one row must not ask everybody for the PIN.
func readRollout(p *merchant.Policy, id, body string) *merchant.Rollout {
	r, err := merchant.ReadRollout([]byte(body))
	if err == nil && string(r.ID) == id && r.Scope == p.Scope && r.Version == p.Version && r.State.Open() {
		return r
	}
	r = merchant.Unreadable(p, []byte(body))
	r.ID = mianmi.RolloutID(id)
	return r
}

// rolloutOf is the column of the policy.
func rolloutOf(p *merchant.Policy) string {
	if p.Rollout == nil {
		return ""
	}
	return string(p.Rollout.ID)
}

const (
	// A revision is written once: the one after that which was read.
	upsertRollout = `INSERT INTO rollout (id, scope, subject, merchant, store, state, revision, body, lease_until) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0)
ON CONFLICT (id) DO UPDATE SET state = excluded.state, revision = excluded.revision, body = excluded.body WHERE rollout.revision = excluded.revision - 1`

	// The policy itself stays: nodes read it again for how far it has come.
	touchPolicy = `UPDATE policy SET rollout = $3, epoch = $4 WHERE scope = $1 AND subject = $2 AND rollout = $5`
)

func writeRollout(ctx context.Context, tx *sql.Tx, epoch int64, o *merchant.Outcome) error {
	r := o.Rollout
	if o.Reached {
		r.Epoch = epoch
	}
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode rollout %s: %w", r.ID, err)
	}
	res, err := tx.ExecContext(ctx, upsertRollout, string(r.ID), int64(r.Scope.Level), r.Scope.Subject, string(r.Merchant), string(r.Store),
		int64(r.State), r.Revision, string(body))
	if err := mustWriteOne("rollout "+string(r.ID), res, err); err != nil || o.Policy != nil {
		return err
	}
	open := string(r.ID)
	if !r.State.Open() {
		open = ""
	}
	res, err = tx.ExecContext(ctx, touchPolicy, int64(r.Scope.Level), r.Scope.Subject, open, epoch, string(r.ID))
	return mustWriteOne("policy "+r.Scope.String(), res, err)
}

func scanRollout(scan scanner) (r merchant.Rollout, err error) {
	var body string
	if err := scan(&body); err != nil {
		return r, err
	}
	read, err := merchant.ReadRollout([]byte(body))
	if err != nil {
		return r, err
	}
	return *read, nil
}

const selectRollout = `SELECT body FROM rollout WHERE id = $1`

// Rollout implements merchant.Rollouts.
func (db *DB) Rollout(ctx context.Context, id mianmi.RolloutID) (merchant.Rollout, error) {
	return readOne(ctx, db.read, "rollout", scanRollout, selectRollout, string(id))
}

// $1, $2 and $6 are empty for all, $3 is 0 for any scope; $5 is 1 for open ones.
const selectRollouts = `SELECT body FROM rollout WHERE ($1 = '' OR merchant = $1) AND ($2 = '' OR store = $2) AND ($3 = 0 OR scope = $3 AND subject = $4)
AND ($5 = 0 OR state <= 2) AND ($6 = '' OR id < $6) ORDER BY id DESC LIMIT $7`

// RolloutList implements merchant.Rollouts.
func (db *DB) RolloutList(ctx context.Context, q merchant.RolloutQuery) ([]merchant.Rollout, error) {
	return readAll(ctx, db.read, scanRollout, selectRollouts, string(q.Merchant), string(q.Store), int64(q.Scope.Level), q.Scope.Subject, bit(q.Open),
		string(q.Before), q.Limit)
}

// leased are the statements by which nodes share the rollouts of a table. One
// update claims one row, known by its key: a second node waits for it, sees the
// lease, and updates nothing.
type leased struct{ claim, rest timed }

func newLeased(table string) leased {
	return leased{
		claim: newTimed(`UPDATE ` + table + ` SET lease_until = {now} + CAST($2 AS bigint) WHERE id = $1 AND state = $3 AND lease_until <= {now}`),
		rest:  newTimed(`UPDATE ` + table + ` SET lease_until = {now} + CAST($2 AS bigint) WHERE id = $1`),
	}
}

func (db *DB) claimRollout(ctx context.Context, l leased, id mianmi.RolloutID, lease time.Duration) (bool, error) {
	n, err := db.execRows(ctx, "claim a rollout", db.in(l.claim), string(id), lease.Microseconds(), int64(rollout.Running))
	return n == 1, err
}

func (db *DB) restRollout(ctx context.Context, l leased, id mianmi.RolloutID, rest time.Duration) error {
	_, err := db.execRows(ctx, "leave a rollout", db.in(l.rest), string(id), rest.Microseconds())
	return err
}

var leasedRollouts = newLeased("rollout")

// ClaimRollout implements merchant.Rollouts.
func (db *DB) ClaimRollout(ctx context.Context, id mianmi.RolloutID, lease time.Duration) (bool, error) {
	return db.claimRollout(ctx, leasedRollouts, id, lease)
}

// RestRollout implements merchant.Rollouts.
func (db *DB) RestRollout(ctx context.Context, id mianmi.RolloutID, rest time.Duration) error {
	return db.restRollout(ctx, leasedRollouts, id, rest)
}
