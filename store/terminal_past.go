package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/terminal"
)

const selectHistory = `SELECT ` + settingNoBytes + ` FROM terminal_setting WHERE terminal = $1 AND version < $2 ORDER BY version DESC LIMIT $3`

const selectRunAt = `SELECT ` + runColumns + ` FROM terminal_run WHERE terminal = $1 AND from_at <= $2 ORDER BY from_at DESC LIMIT 1`

// TerminalSettings lists what a terminal has fetched, newest first.
func (db *DB) TerminalSettings(ctx context.Context, id mianmi.TerminalID, before int64, limit int) ([]terminal.Setting, error) {
	if before == 0 {
		before = math.MaxInt64
	}
	return readAll(ctx, db.read, scanSetting, selectHistory, string(id), before, limit)
}

// RunAt reads the run that had begun at an instant.
func (db *DB) RunAt(ctx context.Context, id mianmi.TerminalID, at time.Time) (*terminal.Run, error) {
	r, err := scanRun(db.read.QueryRowContext(ctx, selectRunAt, string(id), micros(at)).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil //nolint:nilnil // none had begun
	}
	return &r, wrapDriver("read what a terminal ran", err)
}

// $2 is empty for the first page.
const selectRefusals = `SELECT ` + refusalColumns + ` FROM terminal_refusal
WHERE terminal = $1 AND ($2 = '' OR id < $2) ORDER BY id DESC LIMIT $3`

// Refusals lists reports of a terminal that were not taken, newest first.
func (db *DB) Refusals(ctx context.Context, id mianmi.TerminalID, before string, limit int) ([]terminal.Refusal, error) {
	return readAll(ctx, db.read, scanRefusal, selectRefusals, string(id), before, limit)
}

// MenuChanges reads changes in a terminal's menu by their identifiers.
func (db *DB) MenuChanges(ctx context.Context, id mianmi.TerminalID, ids []string) ([]terminal.MenuChange, error) {
	return readAll(ctx, db.read, scanMenu, db.dialect.withLists(selectMenuOf), list(&db.dialect, []mianmi.TerminalID{id}, terminalText),
		list(&db.dialect, ids, same))
}

const selectMenuHistory = `SELECT ` + menuColumns + ` FROM terminal_menu WHERE terminal = $1 ORDER BY version DESC, received_at DESC LIMIT $2`

// MenuHistory lists changes in a terminal's menu, newest first.
func (db *DB) MenuHistory(ctx context.Context, id mianmi.TerminalID, limit int) ([]terminal.MenuChange, error) {
	return readAll(ctx, db.read, scanMenu, selectMenuHistory, string(id), limit)
}

// What is decided stays decided.
const settleMenu = `UPDATE terminal_menu SET state = $3, approval = $4 WHERE terminal = $1 AND id = $2 AND state IN ('new', 'waiting')`

// SettleMenuChange writes what became of a change.
func (db *DB) SettleMenuChange(ctx context.Context, c terminal.MenuChange) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, settleMenu, string(c.Terminal), c.ID, c.State, string(c.Approval))
		return wrapDriver("settle a change in a menu", err)
	})
}

const (
	selectChecksOf      = `SELECT ` + checkColumns + ` FROM terminal_check WHERE terminal = $1 ORDER BY received_at DESC, id LIMIT $2`
	selectChecksPending = `SELECT ` + checkColumns + ` FROM terminal_check WHERE verdict = 'pending' ORDER BY received_at LIMIT $1`
)

// Checks lists the newest checks of a terminal.
func (db *DB) Checks(ctx context.Context, id mianmi.TerminalID, limit int) ([]terminal.Checked, error) {
	return readAll(ctx, db.read, scanCheck, selectChecksOf, string(id), limit)
}

// PendingChecks lists checks that wait for a verdict, oldest first.
func (db *DB) PendingChecks(ctx context.Context, limit int) ([]terminal.Checked, error) {
	return readAll(ctx, db.read, scanCheck, selectChecksPending, limit)
}

// TestPayment reads what the books say of a payment.
func (db *DB) TestPayment(ctx context.Context, id mianmi.PaymentID) (*terminal.TestPayment, error) {
	if _, err := id.Bucket(); err != nil {
		return nil, nil //nolint:nilnil // what is no payment's identifier is no payment's
	}
	p, err := db.Payment(ctx, id)
	if mianmi.KindOf(err) == mianmi.NotFound && err != nil {
		return nil, nil //nolint:nilnil // there is none
	}
	if err != nil {
		return nil, fmt.Errorf("read the test payment %s: %w", id, err)
	}
	// Chip and PIN proves nothing of the switch: nobody would have asked.
	asked := p.Outcome == pinfree.StepUp || p.Outcome == pinfree.Refused
	taken := p.State == payment.Approved || p.State == payment.PartlyRefunded
	return &terminal.TestPayment{Terminal: p.Terminal, Amount: p.Amount, CreatedAt: p.CreatedAt, Asked: asked, Taken: taken,
		Open: p.State == payment.StepUpRequired}, nil
}

// $1 to $3 are empty for all; $4 is 1 for those that are open; $5 is empty for the first page.
const selectAlarms = `SELECT a.id, a.terminal, a.kind, a.detail, a.opened_at, a.closed_at FROM terminal_alarm a
JOIN terminal t ON t.id = a.terminal JOIN store s ON s.id = t.store
WHERE ($1 = '' OR s.merchant = $1) AND ($2 = '' OR t.store = $2) AND ($3 = '' OR a.terminal = $3)
AND ($4 = 0 OR a.closed_at IS NULL) AND ($5 = '' OR a.id < $5) ORDER BY a.id DESC LIMIT $6`

// Alarms lists alarms, newest first.
func (db *DB) Alarms(ctx context.Context, q terminal.AlarmQuery) ([]terminal.Alarm, error) {
	return readAll(ctx, db.read, scanAlarm, selectAlarms, string(q.Merchant), string(q.Store), string(q.Terminal), bit(q.Open), q.Before, q.Limit)
}
