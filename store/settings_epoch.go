package store

import (
	"context"
	"database/sql"
)

// ReadEpoch reads the settings epoch. Inside a payment's transaction it comes
// after the payers' rows are locked (docs/adr/0001).
const ReadEpoch = `SELECT epoch FROM settings_epoch WHERE id = 1`

// raiseEpoch takes the lock that serialises changes of settings, and gives
// this change its number.
const raiseEpoch = `UPDATE settings_epoch SET epoch = epoch + 1 WHERE id = 1 RETURNING epoch`

// changeSettings runs fn in a durable transaction that has raised the settings
// epoch. Everything that payments read from the settings snapshot (merchant,
// store, model, terminal, policy, emergency_stop, api_key, rule_pack,
// scope_change, terminal_policy, webhook, rollout,
// merchant_channel) is written inside such a fn and nowhere else, and every row that
// it writes is marked with epoch: a node finds what changed by that mark. Changes wait for each other;
// payments do not wait for them. fn may run again from its start (see tx).
func (db *DB) changeSettings(ctx context.Context, fn func(ctx context.Context, tx *sql.Tx, epoch int64) error) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var epoch int64
		if err := tx.QueryRowContext(ctx, raiseEpoch).Scan(&epoch); err != nil {
			return wrapDriver("raise the settings epoch", err)
		}
		return fn(ctx, tx, epoch)
	})
}
