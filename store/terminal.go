package store

import (
	"context"
	"database/sql"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/terminal"
)

var _ terminal.Records = (*DB)(nil)

const modelColumns = `id, name, keypad, display, reboot, proof, methods, created_at`

func scanModel(scan scanner) (m terminal.Model, err error) {
	var created int64
	err = scan(&m.ID, &m.Name, &m.Keypad, &m.Display, &m.Reboot, &m.Proof, &m.Methods, &created)
	m.CreatedAt = fromMicros(created)
	return m, err
}

const selectModel = `SELECT ` + modelColumns + ` FROM model WHERE id = $1`

// Model reads a model.
func (db *DB) Model(ctx context.Context, id mianmi.ModelID) (terminal.Model, error) {
	return readOne(ctx, db.read, "model", scanModel, selectModel, string(id))
}

const selectModels = `SELECT ` + modelColumns + ` FROM model WHERE id > $1 ORDER BY id LIMIT $2`

// Models reads a page of the models.
func (db *DB) Models(ctx context.Context, after mianmi.ModelID, limit int) ([]terminal.Model, error) {
	return readAll(ctx, db.read, scanModel, selectModels, string(after), limit)
}

const insertModel = `INSERT INTO model (id, name, keypad, display, reboot, proof, methods, created_at, epoch)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`

// CreateModel writes a model and the entry of its creation.
func (db *DB) CreateModel(ctx context.Context, m terminal.Model, e evidence.Entry) error {
	return db.changeSettings(ctx, func(ctx context.Context, tx *sql.Tx, epoch int64) error {
		_, err := tx.ExecContext(ctx, insertModel, string(m.ID), m.Name, bit(m.Keypad), bit(m.Display), bit(m.Reboot),
			int64(m.Proof), int64(m.Methods), micros(m.CreatedAt), epoch)
		if err != nil {
			return wrapDriver("create model", err)
		}
		return writeSettingEntries(ctx, tx, epoch, e)
	})
}

const updateModel = `UPDATE model SET name = $2, epoch = $3 WHERE id = $1`

// ChangeModel writes the name that decide gives a model, and its entry.
func (db *DB) ChangeModel(ctx context.Context, id mianmi.ModelID, decide func(terminal.Model) (terminal.Model, evidence.Entry, error)) error {
	return db.changeSettings(ctx, func(ctx context.Context, tx *sql.Tx, epoch int64) error {
		before, err := readOne(ctx, tx, "model", scanModel, selectModel, string(id))
		if err != nil {
			return err
		}
		after, e, err := decide(before)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, updateModel, string(id), after.Name, epoch); err != nil {
			return wrapDriver("change model", err)
		}
		return writeSettingEntries(ctx, tx, epoch, e)
	})
}

const selectStoreMerchant = `SELECT merchant FROM store WHERE id = $1`

// StoreMerchant reads whose store it is.
func (db *DB) StoreMerchant(ctx context.Context, id mianmi.StoreID) (mianmi.MerchantID, error) {
	return readOne(ctx, db.read, "store", func(scan scanner) (m mianmi.MerchantID, err error) {
		err = scan(&m)
		return m, err
	}, selectStoreMerchant, string(id))
}

const selectTerminalFrom = `SELECT t.id, t.store, s.merchant, t.model, t.name, t.unattended, t.purpose, t.created_at
FROM terminal t JOIN store s ON s.id = t.store `

func scanTerminal(scan scanner) (t terminal.Terminal, err error) {
	var created int64
	err = scan(&t.ID, &t.Store, &t.Merchant, &t.Model, &t.Name, &t.Unattended, &t.Purpose, &created)
	t.CreatedAt = fromMicros(created)
	return t, err
}

const selectTerminal = selectTerminalFrom + `WHERE t.id = $1`

// Terminal reads a terminal.
func (db *DB) Terminal(ctx context.Context, id mianmi.TerminalID) (terminal.Terminal, error) {
	return readOne(ctx, db.read, "terminal", scanTerminal, selectTerminal, string(id))
}

const (
	selectTerminalsOfStore    = selectTerminalFrom + `WHERE t.store = $1 AND t.id > $2 ORDER BY t.id LIMIT $3`
	selectTerminalsOfMerchant = selectTerminalFrom + `WHERE s.merchant = $1 AND t.id > $2 ORDER BY t.id LIMIT $3`
)

// Terminals reads a page of the terminals of a store or of a merchant.
func (db *DB) Terminals(ctx context.Context, q terminal.Query) ([]terminal.Terminal, error) {
	if q.Store != "" {
		return readAll(ctx, db.read, scanTerminal, selectTerminalsOfStore, string(q.Store), string(q.After), q.Limit)
	}
	return readAll(ctx, db.read, scanTerminal, selectTerminalsOfMerchant, string(q.Merchant), string(q.After), q.Limit)
}

const insertTerminal = `INSERT INTO terminal (id, store, model, name, unattended, purpose, created_at, epoch)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`

// CreateTerminal writes a terminal and the entry of its creation.
func (db *DB) CreateTerminal(ctx context.Context, t terminal.Terminal, e evidence.Entry) error {
	return db.changeSettings(ctx, func(ctx context.Context, tx *sql.Tx, epoch int64) error {
		_, err := tx.ExecContext(ctx, insertTerminal, string(t.ID), string(t.Store), string(t.Model), t.Name, bit(t.Unattended),
			t.Purpose, micros(t.CreatedAt), epoch)
		if err != nil {
			return wrapDriver("create terminal", err)
		}
		if err := markScope(ctx, tx, epoch, merchant.OfTerminal(t.ID), e.At, false); err != nil {
			return err
		}
		return writeSettingEntries(ctx, tx, epoch, e)
	})
}

const updateTerminal = `UPDATE terminal SET store = $2, name = $3, epoch = $4 WHERE id = $1`

// ChangeTerminal writes the name and the store that decide gives a terminal,
// and its entry.
func (db *DB) ChangeTerminal(ctx context.Context, id mianmi.TerminalID, decide func(terminal.Terminal) (terminal.Terminal, evidence.Entry, error)) error {
	return db.changeSettings(ctx, func(ctx context.Context, tx *sql.Tx, epoch int64) error {
		before, err := readOne(ctx, tx, "terminal", scanTerminal, selectTerminal, string(id))
		if err != nil {
			return err
		}
		after, e, err := decide(before)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, updateTerminal, string(id), string(after.Store), after.Name, epoch); err != nil {
			return wrapDriver("change terminal", err)
		}
		// What another store allows is not what the terminal has proved.
		moved := after.Store != before.Store
		if err := markScope(ctx, tx, epoch, merchant.OfTerminal(id), e.At, moved); err != nil {
			return err
		}
		return writeSettingEntries(ctx, tx, epoch, e)
	})
}
