package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/pinfree"
)

// selectPlace says where the thing of a level lies; channels and everything
// have no row.
var selectPlace = map[merchant.Level]string{
	merchant.LevelMerchant: `SELECT id, '', '' FROM merchant WHERE id = $1`,
	merchant.LevelStore:    `SELECT merchant, id, '' FROM store WHERE id = $1`,
	merchant.LevelModel:    `SELECT '', '', '' FROM model WHERE id = $1`,
	merchant.LevelTerminal: `SELECT s.merchant, s.id, t.id FROM terminal t JOIN store s ON s.id = t.store WHERE t.id = $1`,
}

// ScopePlace reads where a scope lies.
func (db *DB) ScopePlace(ctx context.Context, s merchant.Scope) (merchant.Place, error) {
	return readPlace(ctx, db.read, s)
}

func readPlace(ctx context.Context, q querier, s merchant.Scope) (merchant.Place, error) {
	query, ok := selectPlace[s.Level]
	if !ok {
		return merchant.Place{}, nil
	}
	return readOne(ctx, q, s.Level.String(), func(scan scanner) (p merchant.Place, err error) {
		err = scan(&p.Merchant, &p.Store, &p.Terminal)
		return p, err
	}, query, s.Subject)
}

// A policy is read with the rollout that brings it to terminals, in one statement.
const fromPolicy = `SELECT p.scope, p.subject, p.pin_free, p.per_payment, p.currency, p.methods, p.version, p.since, p.actor, p.rollout, r.body
FROM policy p LEFT JOIN rollout r ON r.id = p.rollout `

func scanPolicy(scan scanner) (p merchant.Policy, err error) {
	var since int64
	var limit, methods sql.NullInt64
	var currency, body sql.NullString
	var rollout string
	err = scan(&p.Scope.Level, &p.Scope.Subject, &p.Terms.PinFree, &limit, &currency, &methods, &p.Version, &since, &p.Actor, &rollout, &body)
	if limit.Valid {
		a := money.Of(limit.Int64, money.Currency(currency.String))
		p.Terms.PerPayment = &a
	}
	if methods.Valid {
		m := pinfree.Methods(methods.Int64 & 0xffff)
		p.Terms.Methods = &m
	}
	p.Since = fromMicros(since)
	if err == nil && rollout != "" {
		p.Rollout = readRollout(&p, rollout, body.String)
	}
	return p, err
}

const selectPolicy = fromPolicy + `WHERE p.scope = $1 AND p.subject = $2`

// Policy reads the terms of a scope; the default ones when none are set.
func (db *DB) Policy(ctx context.Context, s merchant.Scope) (merchant.Policy, error) {
	return readPolicy(ctx, db.read, s)
}

func readPolicy(ctx context.Context, q querier, s merchant.Scope) (merchant.Policy, error) {
	p, err := readOne(ctx, q, "policy", scanPolicy, selectPolicy, int64(s.Level), s.Subject)
	if mianmi.KindOf(err) == mianmi.NotFound && err != nil {
		return merchant.Policy{Scope: s, Terms: merchant.DefaultTerms(s.Level)}, nil
	}
	return p, err
}

const stopsHeld = `SELECT ` + stopColumns + ` FROM emergency_stop
WHERE scope = $1 AND subject = $2 AND lifted_at IS NULL ORDER BY id`

const approvalsHeld = `SELECT ` + approvalColumns + ` FROM approval
WHERE scope = $1 AND subject = $2 AND state = $3 ORDER BY id`

func readHeld(ctx context.Context, tx *sql.Tx, s merchant.Scope) (h merchant.Held, err error) {
	h.Scope = s
	if h.Place, err = readPlace(ctx, tx, s); err != nil {
		return h, err
	}
	if h.Place.Merchant != "" {
		m, err := readMerchant(ctx, tx, h.Place.Merchant)
		if err != nil {
			return h, err
		}
		h.Merchant = &m
	}
	if h.Policy, err = readPolicy(ctx, tx, s); err != nil {
		return h, err
	}
	if s.Level == merchant.LevelEverything {
		if h.Terminals, err = readTerminalPolicy(ctx, tx); err != nil {
			return h, err
		}
	}
	if h.Stops, err = readAll(ctx, tx, scanStop, stopsHeld, int64(s.Level), s.Subject); err != nil {
		return h, err
	}
	h.Waiting, err = readAll(ctx, tx, scanApproval, approvalsHeld, int64(s.Level), s.Subject, int64(merchant.Waiting))
	return h, err
}

// ChangeScope writes what decide makes of a scope.
func (db *DB) ChangeScope(ctx context.Context, s merchant.Scope, decide func(merchant.Held) (merchant.Outcome, error)) error {
	deadline := db.offDeadline()
	return db.changeSettings(ctx, func(ctx context.Context, tx *sql.Tx, epoch int64) error {
		held, err := readHeld(ctx, tx, s)
		if err != nil {
			return err
		}
		held.Makers = func(id string) ([]string, error) { return readMakers(ctx, tx, id) }
		out, err := decide(held)
		if err != nil {
			return err
		}
		if err := takeMeasure(ctx, tx, &payer.Change{Measure: out.Measure, MeasureAt: out.At}); err != nil {
			return err
		}
		if err := writeOutcome(ctx, tx, epoch, out); err != nil {
			return err
		}
		// Proposals concern no terminal yet, a rollout only when it reaches more, and
		// a policy on terminals all.
		if out.Policy == nil && out.Stop == nil && out.Merchant == nil && !out.Reached {
			return nil
		}
		if err := watchOff(ctx, tx, &offChange{held: &held, out: &out, epoch: epoch, deadline: deadline}); err != nil {
			return err
		}
		return markScope(ctx, tx, epoch, s, out.At, out.Tightening)
	})
}

const selectMakers = `SELECT created_by FROM staff WHERE id = $1
UNION ALL SELECT reset_by FROM staff WHERE id = $1 AND reset_by <> ''
UNION ALL SELECT created_by FROM api_key WHERE id = $1`

func readMakers(ctx context.Context, tx *sql.Tx, id string) ([]string, error) {
	return readAll(ctx, tx, func(scan scanner) (by string, err error) {
		err = scan(&by)
		return by, err
	}, selectMakers, id)
}

func writeOutcome(ctx context.Context, tx *sql.Tx, epoch int64, o merchant.Outcome) error {
	if o.Merchant != nil {
		if err := writeMerchant(ctx, tx, epoch, *o.Merchant); err != nil {
			return err
		}
	}
	if o.Rollout != nil {
		if err := writeRollout(ctx, tx, epoch, &o); err != nil {
			return err
		}
	}
	if o.Policy != nil {
		if err := writePolicy(ctx, tx, epoch, *o.Policy); err != nil {
			return err
		}
	}
	if o.Stop != nil {
		if err := writeStop(ctx, tx, epoch, *o.Stop); err != nil {
			return err
		}
	}
	if o.Terminals != nil {
		if err := writeTerminalPolicy(ctx, tx, epoch, &o); err != nil {
			return err
		}
	}
	for _, a := range o.Approvals {
		if err := writeApproval(ctx, tx, a); err != nil {
			return err
		}
	}
	return writeSettingEntries(ctx, tx, epoch, o.Entries...)
}

// A version is written once: the one after the version that was read.
const upsertPolicy = `INSERT INTO policy (scope, subject, pin_free, per_payment, currency, methods, version, since, actor, epoch, rollout)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (scope, subject) DO UPDATE SET pin_free = excluded.pin_free, per_payment = excluded.per_payment,
currency = excluded.currency, methods = excluded.methods, version = excluded.version, since = excluded.since,
actor = excluded.actor, epoch = excluded.epoch, rollout = excluded.rollout
WHERE policy.version = excluded.version - 1`

func writePolicy(ctx context.Context, tx *sql.Tx, epoch int64, p merchant.Policy) error {
	var limit, methods sql.NullInt64
	var currency sql.NullString
	if a := p.Terms.PerPayment; a != nil {
		limit = sql.NullInt64{Int64: a.Minor(), Valid: true}
		currency = nullText(string(a.Currency()))
	}
	if m := p.Terms.Methods; m != nil {
		methods = sql.NullInt64{Int64: int64(*m), Valid: true}
	}
	res, err := tx.ExecContext(ctx, upsertPolicy, int64(p.Scope.Level), p.Scope.Subject, bit(p.Terms.PinFree),
		limit, currency, methods, p.Version, micros(p.Since), p.Actor, epoch, rolloutOf(&p))
	return mustWriteOne("policy "+p.Scope.String(), res, err)
}

// mustWriteOne asserts that a statement wrote the one row that was just read.
func mustWriteOne(what string, res sql.Result, err error) error {
	if err != nil {
		return wrapDriver("write "+what, err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return wrapDriver("write "+what, err)
	}
	if n != 1 {
		return &mianmi.Error{Kind: mianmi.Internal, Err: fmt.Errorf("write %s: %d rows written, want 1", what, n)}
	}
	return nil
}
