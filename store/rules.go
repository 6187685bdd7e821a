package store

import (
	"context"
	"database/sql"
	"slices"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/rules"
)

var _ rules.Records = (*DB)(nil)

const rulePackColumns = `change, pack, version, withdraws, yaml, digest, source, from_epoch, from_at, until_epoch, until_at, withdrawn`

// packsWithoutText are the same columns for a list.
const packsWithoutText = `change, pack, version, withdraws, '', digest, source, from_epoch, from_at, until_epoch, until_at, withdrawn`

func scanRulePack(scan scanner) (p rules.Pack, err error) {
	var fromEpoch, from, untilEpoch, until sql.NullInt64
	err = scan(&p.Change, &p.ID, &p.Version, &p.Withdraws, &p.YAML, &p.Digest, &p.Source, &fromEpoch, &from, &untilEpoch, &until, &p.Withdrawn)
	p.FromEpoch, p.UntilEpoch, p.From, p.Until = fromEpoch.Int64, untilEpoch.Int64, fromNullMicros(from), fromNullMicros(until)
	return p, err
}

const ruleChangeColumns = `id, tightening, based_on, note, state, proposed_by, proposed_at, expires_at, decided_by, decided_at`

func scanRuleChange(scan scanner) (c rules.Change, err error) {
	var proposed, expires int64
	var by sql.NullString
	var at sql.NullInt64
	err = scan(&c.ID, &c.Tightening, &c.BasedOn, &c.Note, &c.State, &c.ProposedBy, &proposed, &expires, &by, &at)
	c.ProposedAt, c.ExpiresAt, c.DecidedBy, c.DecidedAt = fromMicros(proposed), fromMicros(expires), by.String, fromNullMicros(at)
	return c, err
}

// RuleSet returns the packs in force, as payments that begin now meet them.
func (db *DB) RuleSet(ctx context.Context) (*rules.Set, error) {
	s, err := db.Settings(ctx)
	if err != nil {
		return nil, err
	}
	return s.RulePacks(), nil
}

const (
	selectRuleChange   = `SELECT ` + ruleChangeColumns + ` FROM rule_change WHERE id = $1`
	selectRuleParts    = `SELECT ` + rulePackColumns + ` FROM rule_pack WHERE change = $1 ORDER BY pack`
	selectPartsNoTexts = `SELECT ` + packsWithoutText + ` FROM rule_pack WHERE change = $1 ORDER BY pack`
)

// RuleChange reads a change with the texts of its packs.
func (db *DB) RuleChange(ctx context.Context, id mianmi.RuleChangeID) (rules.Change, error) {
	c, err := readOne(ctx, db.read, "change of the rule packs", scanRuleChange, selectRuleChange, string(id))
	if err != nil {
		return c, err
	}
	c.Packs, err = readAll(ctx, db.read, scanRulePack, selectRuleParts, string(id))
	return c, err
}

// $1 is empty for the first page; $2 is 1 for those that wait, and they expire after $3.
const selectRuleChanges = `SELECT ` + ruleChangeColumns + ` FROM rule_change
WHERE ($1 = '' OR id < $1) AND ($2 = 0 OR state = 1 AND expires_at > $3) ORDER BY id DESC LIMIT $4`

// RuleChanges reads a page of changes, newest first, without texts.
func (db *DB) RuleChanges(ctx context.Context, q rules.ChangeQuery) ([]rules.Change, error) {
	list, err := readAll(ctx, db.read, scanRuleChange, selectRuleChanges, string(q.Before), bit(q.Waiting), micros(q.Now), q.Limit)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if list[i].Packs, err = readAll(ctx, db.read, scanRulePack, selectPartsNoTexts, string(list[i].ID)); err != nil {
			return nil, err
		}
	}
	return list, nil
}

const selectRuleVersions = `SELECT ` + rulePackColumns + ` FROM rule_pack
WHERE pack = $1 AND from_epoch IS NOT NULL ORDER BY from_epoch DESC LIMIT $2`

// RuleVersions reads what has been in force of a pack, newest first.
func (db *DB) RuleVersions(ctx context.Context, pack string) ([]rules.Pack, error) {
	return ruleVersions(ctx, db.read, pack)
}

func ruleVersions(ctx context.Context, q querier, pack string) ([]rules.Pack, error) {
	return readAll(ctx, q, scanRulePack, selectRuleVersions, pack, rules.VersionsMax)
}

const (
	rulePacksLive = `SELECT ` + rulePackColumns + ` FROM rule_pack
WHERE from_epoch IS NOT NULL AND until_epoch IS NULL AND withdraws = 0 ORDER BY pack`
	rulePacksKnown   = `SELECT count(*) FROM rule_pack WHERE from_epoch IS NOT NULL`
	rulePackRejected = `SELECT count(*) FROM rule_pack p JOIN rule_change c ON c.id = p.change
WHERE c.state = 3 AND p.pack = $1 AND p.version = $2 AND p.digest = $3 AND p.withdraws = $4`
	ruleChangesWaiting = `SELECT ` + ruleChangeColumns + ` FROM rule_change WHERE state = 1 ORDER BY id`
)

// ChangeRules writes what decide makes of the packs.
func (db *DB) ChangeRules(ctx context.Context, decide func(rules.Held) (rules.Outcome, error)) error {
	return db.changeSettings(ctx, func(ctx context.Context, tx *sql.Tx, epoch int64) error {
		held, err := readHeldRules(ctx, tx)
		if err != nil {
			return err
		}
		held.Epoch = epoch
		out, err := decide(held)
		if err != nil {
			return err
		}
		return writeRules(ctx, tx, epoch, out)
	})
}

func readHeldRules(ctx context.Context, tx *sql.Tx) (rules.Held, error) {
	count := func(query string, args ...any) (bool, error) {
		var n int64
		err := tx.QueryRowContext(ctx, query, args...).Scan(&n)
		return n > 0, wrapDriver("count rule packs", err)
	}
	held := rules.Held{
		Versions: func(pack string) ([]rules.Pack, error) { return ruleVersions(ctx, tx, pack) },
		Rejected: func(p rules.Pack) (bool, error) {
			return count(rulePackRejected, p.ID, p.Version, p.Digest, bit(p.Withdraws))
		},
		Makers: func(id string) ([]string, error) { return readMakers(ctx, tx, id) }}
	var err error
	if held.Known, err = count(rulePacksKnown); err != nil {
		return held, err
	}
	if held.Live, err = readAll(ctx, tx, scanRulePack, rulePacksLive); err != nil {
		return held, err
	}
	if held.Waiting, err = readAll(ctx, tx, scanRuleChange, ruleChangesWaiting); err != nil {
		return held, err
	}
	for i := range held.Waiting {
		if held.Waiting[i].Packs, err = readAll(ctx, tx, scanRulePack, selectRuleParts, string(held.Waiting[i].ID)); err != nil {
			return held, err
		}
	}
	return held, nil
}

func writeRules(ctx context.Context, tx *sql.Tx, epoch int64, o rules.Outcome) error {
	for _, c := range o.Changes {
		if err := writeRuleChange(ctx, tx, c); err != nil {
			return err
		}
	}
	// What ends goes first: one version of a pack is in force.
	slices.SortStableFunc(o.Packs, func(a, b rules.Pack) int { return int(bit(a.Until.IsZero()) - bit(b.Until.IsZero())) })
	for _, p := range o.Packs {
		if err := writeRulePack(ctx, tx, epoch, p); err != nil {
			return err
		}
	}
	return writeSettingEntries(ctx, tx, epoch, o.Entries...)
}

// A change is decided once.
const upsertRuleChange = `INSERT INTO rule_change (` + ruleChangeColumns + `)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (id) DO UPDATE SET state = excluded.state, decided_by = excluded.decided_by, decided_at = excluded.decided_at
WHERE rule_change.state = 1`

func writeRuleChange(ctx context.Context, tx *sql.Tx, c rules.Change) error {
	res, err := tx.ExecContext(ctx, upsertRuleChange, string(c.ID), bit(c.Tightening), c.BasedOn, c.Note, int64(c.State), c.ProposedBy,
		micros(c.ProposedAt), micros(c.ExpiresAt), nullText(c.DecidedBy), nullMicros(c.DecidedAt))
	return mustWriteOne("change of the rule packs "+string(c.ID), res, err)
}

// A pack comes into force once and ends once; its text never changes.
const upsertRulePack = `INSERT INTO rule_pack (` + rulePackColumns + `, epoch)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT (change, pack) DO UPDATE SET from_epoch = excluded.from_epoch, from_at = excluded.from_at,
until_epoch = excluded.until_epoch, until_at = excluded.until_at, withdrawn = excluded.withdrawn, epoch = excluded.epoch
WHERE rule_pack.until_epoch IS NULL AND (rule_pack.from_epoch IS NULL OR rule_pack.from_epoch = excluded.from_epoch)`

func writeRulePack(ctx context.Context, tx *sql.Tx, epoch int64, p rules.Pack) error {
	res, err := tx.ExecContext(ctx, upsertRulePack, string(p.Change), p.ID, p.Version, bit(p.Withdraws), p.YAML, p.Digest, string(p.Source),
		nullNumber(p.FromEpoch), nullMicros(p.From), nullNumber(p.UntilEpoch), nullMicros(p.Until), bit(p.Withdrawn), epoch)
	return mustWriteOne("rule pack "+p.ID, res, err)
}

func nullNumber(n int64) sql.NullInt64 { return sql.NullInt64{Int64: n, Valid: n != 0} }
