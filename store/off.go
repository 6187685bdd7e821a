package store

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/terminal"
	"github.com/mianmi/mianmi/terminal/posture"
)

// offDeadline is how long terminals have to prove an OFF, by the settings that
// this process has read last: an OFF waits for no reading.
func (db *DB) offDeadline() time.Duration {
	set := posture.ShippedSet()
	if snap := db.settings.current.Load(); snap != nil {
		set = snap.Posture()
	}
	return time.Duration(set.Terms.DeadlineSeconds) * time.Second
}

// Lease implements terminal.Visits.
func (db *DB) Lease(ctx context.Context) (time.Duration, error) {
	snap, err := db.Settings(ctx)
	if err != nil {
		return 0, err
	}
	return snap.Posture().Terms.Lease(), nil
}

// offChange is a change of a scope, with what it was made of.
type offChange struct {
	held     *merchant.Held
	out      *merchant.Outcome
	epoch    int64
	deadline time.Duration
}

const (
	insertOff = `INSERT INTO off_watch (` + offColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`

	// A policy has no stop, and a stop ends by itself alone.
	endOff = `UPDATE off_watch SET closed_at = $4, outcome = $5 WHERE scope = $1 AND subject = $2 AND stop = $3 AND outcome = ''`
)

// watchOff begins to watch an OFF in the transaction that makes it, and ends
// what a change takes back.
func watchOff(ctx context.Context, tx *sql.Tx, c *offChange) error {
	s := c.held.Scope
	o := terminal.Off{Epoch: c.epoch, Place: terminal.Place{Merchant: c.held.Place.Merchant, Store: c.held.Place.Store}, At: c.out.At,
		Deadline: c.out.At.Add(c.deadline)}
	end := func(stop mianmi.StopID, outcome string) error {
		_, err := tx.ExecContext(ctx, endOff, int64(s.Level), s.Subject, string(stop), micros(c.out.At), outcome)
		return wrapDriver("end the watch of an OFF", err)
	}
	stop, policy := c.out.Stop, c.out.Policy
	switch {
	case stop != nil && stop.LiftedAt.IsZero():
		o.Stop, o.Until, o.Actor = stop.ID, stop.Until, stop.PlacedBy
	case stop != nil:
		return end(stop.ID, terminal.OffLifted)
	case policy != nil && c.held.Policy.Terms.PinFree && !policy.Terms.PinFree:
		o.Actor = policy.Actor
	case policy != nil && policy.Terms.PinFree && !c.held.Policy.Terms.PinFree:
		return end("", terminal.OffReopened)
	default:
		return nil
	}
	_, err := tx.ExecContext(ctx, insertOff, o.Epoch, int64(s.Level), s.Subject, string(o.Place.Merchant), string(o.Place.Store), string(o.Stop), o.Actor,
		micros(o.At), nullMicros(o.Until), micros(o.Deadline), nil, "", nil, "")
	return wrapDriver("watch an OFF", err)
}

const offColumns = `epoch, scope, subject, merchant, store, stop, actor, at, until, deadline, late_at, late_to, closed_at, outcome`

func scanOff(scan scanner) (o terminal.Off, err error) {
	var scope merchant.Scope
	var at, deadline int64
	var until, late, closed sql.NullInt64
	err = scan(&o.Epoch, &scope.Level, &scope.Subject, &o.Place.Merchant, &o.Place.Store, &o.Stop, &o.Actor, &at, &until, &deadline, &late, &o.LateTo,
		&closed, &o.Outcome)
	o.Scope, o.At, o.Deadline = scope.String(), fromMicros(at), fromMicros(deadline)
	o.Until, o.LateAt, o.ClosedAt = fromNullMicros(until), fromNullMicros(late), fromNullMicros(closed)
	return o, err
}

const selectOff = `SELECT ` + offColumns + ` FROM off_watch WHERE epoch = $1`

// Off implements terminal.Offs.
func (db *DB) Off(ctx context.Context, epoch int64) (terminal.Off, error) {
	return readOne(ctx, db.read, "switch-off", scanOff, selectOff, epoch)
}

const (
	// $1 and $2 are empty for all, $3 is 0 for any scope.
	offFilter = ` FROM off_watch WHERE ($1 = '' OR merchant = $1) AND ($2 = '' OR store = $2) AND ($3 = 0 OR scope = $3 AND subject = $4)
AND epoch < $5 `
	offPage     = ` ORDER BY epoch DESC LIMIT $6`
	selectOffs  = `SELECT ` + offColumns + offFilter + offPage
	selectOpens = `SELECT ` + offColumns + offFilter + `AND outcome = ''` + offPage
)

// OffList implements terminal.Offs.
func (db *DB) OffList(ctx context.Context, q terminal.OffQuery) ([]terminal.Off, error) {
	var scope merchant.Scope
	if q.Scope != "" {
		var err error
		if scope, err = merchant.ParseScope(q.Scope); err != nil {
			return nil, err
		}
	}
	if q.Before == 0 {
		q.Before = math.MaxInt64
	}
	query := selectOffs
	if q.Open {
		query = selectOpens
	}
	return readAll(ctx, db.read, scanOff, query, string(q.Merchant), string(q.Store), int64(scope.Level), scope.Subject, q.Before, q.Limit)
}

// scopeTerminals says which terminals lie in a scope of the level; $1 is its subject.
var scopeTerminals = map[merchant.Level]string{
	merchant.LevelEverything: `$1 = ''`,
	merchant.LevelChannel:    `($1 IN ('wallet', 'cash') OR EXISTS (SELECT 1 FROM merchant_channel c WHERE c.merchant = s.merchant AND c.channel = $1))`,
	merchant.LevelMerchant:   `s.merchant = $1`,
	merchant.LevelStore:      `t.store = $1`,
	merchant.LevelModel:      `t.model = $1`,
	merchant.LevelTerminal:   `t.id = $1`,
}

const (
	fromTerminals = ` FROM terminal t JOIN store s ON s.id = t.store JOIN model m ON m.id = t.model LEFT JOIN terminal_state x ON x.terminal = t.id WHERE `
	// proved is terminal.Proven.Runs in SQL; $2 is the version.
	proved = `(x.attested >= $2 AND x.attested >= x.floor AND x.floor > 0 AND x.drift = '' AND x.revoked_at IS NULL)`

	countTerminals = `SELECT COUNT(*), COALESCE(SUM(CASE WHEN m.proof = 1 THEN 1 ELSE 0 END), 0),
COALESCE(SUM(CASE WHEN m.proof <> 1 AND ` + proved + ` THEN 1 ELSE 0 END), 0)` + fromTerminals

	listTerminals = `SELECT t.id, t.name, t.store, t.model, m.proof, COALESCE(x.attested, 0), COALESCE(x.floor, 0), COALESCE(x.drift, ''), x.revoked_at,
COALESCE(x.delivered, 0), COALESCE(x.saved, 0), COALESCE(x.refused, 0), x.seen_at,
CASE WHEN EXISTS (SELECT 1 FROM terminal_setting l WHERE l.terminal = t.id AND l.version = x.delivered AND l.rebooted_at IS NOT NULL) THEN 1 ELSE 0 END,
CASE WHEN EXISTS (SELECT 1 FROM terminal_key k WHERE k.terminal = t.id AND k.revoked_at IS NULL) THEN 1 ELSE 0 END` + fromTerminals
)

func terminalsIn(scope string) (where, subject string, err error) {
	s, err := merchant.ParseScope(scope)
	if err != nil {
		return "", "", err
	}
	where, known := scopeTerminals[s.Level]
	if !known {
		return "", "", fmt.Errorf("there are no terminals in the scope %s", scope)
	}
	return where, s.Subject, nil
}

// OffCoverage implements terminal.Offs.
func (db *DB) OffCoverage(ctx context.Context, o terminal.Off) (terminal.Coverage, error) {
	where, subject, err := terminalsIn(o.Scope)
	if err != nil {
		return terminal.Coverage{}, err
	}
	return readOne(ctx, db.read, "coverage", func(scan scanner) (c terminal.Coverage, err error) {
		err = scan(&c.Total, &c.HostAlone, &c.InForce)
		return c, err
	}, countTerminals+where, subject, o.Epoch)
}

// OffOutstanding implements terminal.Offs.
func (db *DB) OffOutstanding(ctx context.Context, o terminal.Off, after mianmi.TerminalID, limit int) ([]terminal.Outstanding, error) {
	where, subject, err := terminalsIn(o.Scope)
	if err != nil {
		return nil, err
	}
	return readAll(ctx, db.read, scanOutstanding, listTerminals+where+` AND m.proof <> 1 AND (x.terminal IS NULL OR NOT `+proved+`) AND t.id > $3
ORDER BY t.id LIMIT $4`, subject, o.Epoch, string(after), limit)
}

func scanOutstanding(scan scanner) (o terminal.Outstanding, err error) {
	var revoked, seen sql.NullInt64
	err = scan(&o.Terminal, &o.Name, &o.Store, &o.Model, &o.Proof, &o.Attested, &o.Floor, &o.Drift, &revoked, &o.Delivered, &o.Saved, &o.Refused, &seen,
		&o.Rebooted, &o.Enrolled)
	o.Proven.Terminal, o.RevokedAt, o.SeenAt = o.Terminal, fromNullMicros(revoked), fromNullMicros(seen)
	return o, err
}

const settleOff = `UPDATE off_watch SET late_at = $2, late_to = $3, closed_at = $4, outcome = $5 WHERE epoch = $1 AND outcome = ''
AND (late_at IS NULL OR $5 <> '')`

// SettleOff implements terminal.Offs.
func (db *DB) SettleOff(ctx context.Context, o terminal.Off, entries ...evidence.Entry) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, settleOff, o.Epoch, nullMicros(o.LateAt), string(o.LateTo), nullMicros(o.ClosedAt), o.Outcome)
		if err != nil {
			return wrapDriver("settle the watch of an OFF", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 { // another node was quicker
			return wrapDriver("settle the watch of an OFF", err)
		}
		return writeSettingEntries(ctx, tx, noEpoch, entries...)
	})
}
