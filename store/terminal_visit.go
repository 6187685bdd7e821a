package store

import (
	"context"
	"database/sql"
	"slices"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/settings"
	"github.com/mianmi/mianmi/terminal"
)

const (
	selectStates      = `SELECT ` + stateColumns + ` FROM terminal_state WHERE terminal IN ($1) ORDER BY terminal`
	selectSettings    = `SELECT ` + settingNoBytes + ` FROM terminal_setting WHERE terminal IN ($1) AND version IN ($2)`
	selectMenuOf      = `SELECT ` + menuColumns + ` FROM terminal_menu WHERE terminal IN ($1) AND id IN ($2)`
	selectChecksByID  = `SELECT ` + checkColumns + ` FROM terminal_check WHERE id IN ($1)`
	insertStateUnless = `INSERT INTO terminal_state (` + stateColumns + `)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25)
ON CONFLICT (terminal) DO NOTHING`
)

func terminalText(id mianmi.TerminalID) string { return string(id) }

// Newest implements terminal.Visits.
func (db *DB) Newest(ctx context.Context) (func(mianmi.TerminalID) (int64, bool), error) {
	snap, err := db.Settings(ctx)
	if err != nil {
		return nil, err
	}
	return func(id mianmi.TerminalID) (int64, bool) {
		site, ok := snap.Site(id)
		if !ok {
			return 0, false
		}
		return site.Concern().Version, true
	}, nil
}

// Visit locks states, lets fn change them, and writes what it leaves.
func (db *DB) Visit(ctx context.Context, asks []terminal.VisitAsk, fn func([]*terminal.Visit) error) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		r := visitReader{ctx: ctx, q: tx, d: &db.dialect, lock: db.dialect.forUpdate}
		states, err := r.states(asks)
		if err != nil {
			return err
		}
		// Settings as new as the lock: what is attested is compared with them.
		snap, err := db.settingsIn(ctx, tx)
		if err != nil {
			return err
		}
		if missing := r.missing(asks, states, snap); len(missing) > 0 {
			if err := db.insertRows(ctx, tx, insertStateUnless, missing); err != nil {
				return wrapDriver("begin the state of a terminal", err)
			}
			if states, err = r.states(asks); err != nil {
				return err
			}
		}
		visits, err := r.visits(asks, states, snap)
		if err != nil {
			return err
		}
		if err := fn(visits); err != nil {
			return err
		}
		return db.writeVisits(ctx, tx, visits)
	})
}

// Look reads a terminal without a lock.
func (db *DB) Look(ctx context.Context, ask terminal.VisitAsk) (*terminal.Visit, error) {
	snap, err := db.Settings(ctx)
	if err != nil {
		return nil, err
	}
	r, asks := visitReader{ctx: ctx, q: db.read, d: &db.dialect}, []terminal.VisitAsk{ask}
	states, err := r.states(asks)
	if err != nil {
		return nil, err
	}
	visits, err := r.visits(asks, states, snap)
	if err != nil {
		return nil, err
	}
	return visits[0], nil
}

// visitReader reads what visits need.
type visitReader struct {
	ctx  context.Context //nolint:containedctx // lives as long as the transaction
	q    querier
	d    *dialect
	lock string
}

// states reads the states, locked in the order of their terminals.
func (r *visitReader) states(asks []terminal.VisitAsk) (map[mianmi.TerminalID]terminal.State, error) {
	rows, err := readAll(r.ctx, r.q, scanState, r.d.withLists(selectStates+r.lock), list(r.d, asks, askText))
	out := make(map[mianmi.TerminalID]terminal.State, len(rows))
	for i := range rows {
		out[rows[i].Terminal] = rows[i]
	}
	return out, err
}

// missing are first rows of terminals that are known and have none.
func (r *visitReader) missing(asks []terminal.VisitAsk, states map[mianmi.TerminalID]terminal.State, snap *settings.Snapshot) (rows [][]any) {
	for _, a := range asks {
		if _, there := states[a.Terminal]; there {
			continue
		}
		if _, known := snap.Site(a.Terminal); known {
			row, _ := stateRow(&terminal.State{Proven: terminal.Proven{Terminal: a.Terminal}}) // an empty state is always encoded
			rows = append(rows, row)
		}
	}
	return rows
}

func (r *visitReader) visits(asks []terminal.VisitAsk, states map[mianmi.TerminalID]terminal.State, snap *settings.Snapshot) ([]*terminal.Visit, error) {
	visits, at := make([]*terminal.Visit, len(asks)), make(map[mianmi.TerminalID]*terminal.Visit, len(asks))
	for i, a := range asks {
		v := &terminal.Visit{Terminal: a.Terminal, Policy: snap.Posture()}
		v.State = states[a.Terminal]
		v.State.Terminal = a.Terminal
		if site, ok := snap.Site(a.Terminal); ok {
			c := site.Concern()
			v.Known, v.Place, v.Model = true, terminal.Place{Merchant: site.Merchant.ID, Store: site.Store.ID}, *site.Model
			v.Version, v.Desired, v.Need, v.Config = c.Version, c.At, site.NeedAll(), site.Config
		}
		visits[i], at[a.Terminal] = v, v
	}
	return visits, r.fill(asks, at)
}

// fill reads keys, settings, and what else the asks name.
func (r *visitReader) fill(asks []terminal.VisitAsk, at map[mianmi.TerminalID]*terminal.Visit) error {
	ids := list(r.d, asks, askText)
	keys, err := readAll(r.ctx, r.q, scanTerminalKey, r.d.withLists(selectKeysOf), ids)
	if err != nil {
		return err
	}
	for _, k := range keys {
		at[k.Terminal].Keys = append(at[k.Terminal].Keys, k)
	}
	var versions []int64
	var menu, checks []string
	for i := range asks {
		st := &at[asks[i].Terminal].State
		versions = append(append(versions, asks[i].Versions...), st.Delivered, st.Attested)
		menu, checks = append(menu, asks[i].Menu...), append(checks, asks[i].Checks...)
	}
	slices.Sort(versions)
	versions = slices.Compact(versions)
	settings, err := readAll(r.ctx, r.q, scanSetting, r.d.withLists(selectSettings), ids, list(r.d, versions, same))
	if err != nil {
		return err
	}
	for _, s := range settings {
		at[s.Terminal].Settings = append(at[s.Terminal].Settings, s)
	}
	if len(menu) > 0 {
		changes, err := readAll(r.ctx, r.q, scanMenu, r.d.withLists(selectMenuOf), ids, list(r.d, menu, same))
		if err != nil {
			return err
		}
		for _, c := range changes {
			at[c.Terminal].Menu = append(at[c.Terminal].Menu, c)
		}
	}
	if len(checks) == 0 {
		return nil
	}
	known, err := readAll(r.ctx, r.q, scanCheck, r.d.withLists(selectChecksByID), list(r.d, checks, same))
	for _, c := range known {
		v := at[c.Terminal]
		v.Checked = append(v.Checked, c.ID)
		if c.Verdict == terminal.CheckPending {
			v.Pending = append(v.Pending, c.ID)
		}
	}
	return err
}

func askText(a terminal.VisitAsk) string { return string(a.Terminal) }
