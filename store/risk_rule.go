package store

import (
	"context"
	"database/sql"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/risk"
)

const (
	riskRuleColumns = `id, version, stage, body, since, actor, proposed_by, proposed_at, found, last_at, last_entry`
	selectRiskRules = `SELECT ` + riskRuleColumns + ` FROM risk_rule ORDER BY id`
	riskRevision    = `SELECT COALESCE(sum(version), 0) FROM risk_rule`
	writeRiskRule   = `INSERT INTO risk_rule (` + riskRuleColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (id) DO UPDATE SET version = excluded.version, stage = excluded.stage, body = excluded.body, since = excluded.since, actor = excluded.actor,
		proposed_by = excluded.proposed_by, proposed_at = excluded.proposed_at, found = excluded.found, last_at = excluded.last_at, last_entry = excluded.last_entry
		WHERE risk_rule.version = excluded.version - 1`
	countShadow = `UPDATE risk_rule SET found = found + $2, last_at = $3, last_entry = $4 WHERE id = $1 AND stage = 1`
	// All rules of one installation change one after the other.
	lockRiskRules = `SELECT id FROM risk_follow WHERE id = $1`
)

func scanRiskRule(scan scanner) (h risk.Held, err error) {
	var body string
	var since int64
	var proposed, last sql.NullInt64
	if err = scan(&h.ID, &h.Version, &h.Stage, &body, &since, &h.By, &h.ProposedBy, &proposed, &h.Found, &last, (*string)(&h.Last)); err != nil {
		return h, err
	}
	h.Since, h.ProposedAt, h.LastAt = fromMicros(since), fromNullMicros(proposed), fromNullMicros(last)
	if body != "" { // else it is shipped
		h.Rule, err = risk.DecodeRule([]byte(body))
	}
	return h, err
}

// HeldRules implements risk.Store.
func (db *DB) HeldRules(ctx context.Context) ([]risk.Held, int64, error) {
	list, err := readAll(ctx, db.read, scanRiskRule, selectRiskRules)
	var revision int64
	for i := range list {
		revision += list[i].Version
	}
	return list, revision, err
}

// RulesRevision implements risk.Store.
func (db *DB) RulesRevision(ctx context.Context) (n int64, err error) {
	err = db.read.QueryRowContext(ctx, riskRevision).Scan(&n)
	return n, wrapDriver("read the revision of risk rules", err)
}

// ChangeRule implements risk.Store.
func (db *DB) ChangeRule(ctx context.Context, id string, fn func(*risk.RuleChange) error) (out risk.Held, err error) {
	err = db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, makeFollow); err != nil {
			return wrapDriver("lock the risk rules", err)
		}
		var one int64
		if err := tx.QueryRowContext(ctx, lockRiskRules+db.dialect.forUpdate, follow).Scan(&one); err != nil {
			return wrapDriver("lock the risk rules", err)
		}
		list, err := readAll(ctx, tx, scanRiskRule, selectRiskRules)
		if err != nil {
			return err
		}
		var c risk.RuleChange
		for i := range list {
			if list[i].Rule.ID != "" && list[i].Stage != risk.Withdrawn {
				c.All++
			}
			if list[i].ID == id {
				c.Held = &list[i]
			}
		}
		if err := fn(&c); err != nil {
			return err
		}
		if out = *c.Held; c.Entry.ID == "" {
			return nil
		}
		body := ""
		if out.Rule.ID != "" {
			text, err := risk.EncodeRule(out.Rule)
			if err != nil {
				return err
			}
			body = string(text)
		}
		res, err := tx.ExecContext(ctx, writeRiskRule, out.ID, out.Version, int64(out.Stage), body, micros(out.Since), out.By, out.ProposedBy,
			nullMicros(out.ProposedAt), out.Found, nullMicros(out.LastAt), string(out.Last))
		if err := mustWriteOne("risk rule "+out.ID, res, err); err != nil {
			return err
		}
		return writeEntries(ctx, tx, mianmi.BucketOf(c.Entry.Subject), out.Version, c.Entry)
	})
	return out, err
}

// countShadows notes what rules in shadow have found.
func countShadows(ctx context.Context, tx *sql.Tx, list []risk.Seen) error {
	for _, s := range list {
		if _, err := tx.ExecContext(ctx, countShadow, s.Rule, s.Count, micros(s.LastAt), string(s.Last)); err != nil {
			return wrapDriver("count what a rule has found", err)
		}
	}
	return nil
}
