package store

import (
	"context"
	"database/sql"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/settings"
	"github.com/mianmi/mianmi/terminal"
)

const (
	selectFetches   = `SELECT terminal, boot, delivered, attested, revoked_at FROM terminal_state WHERE terminal IN ($1) ORDER BY terminal`
	selectKeysUntil = `SELECT terminal, max(not_after) FROM terminal_key WHERE terminal IN ($1) AND revoked_at IS NULL GROUP BY terminal`
	selectKept      = `SELECT terminal, version, config FROM terminal_setting
WHERE terminal IN ($1) AND version IN ($2) AND config IS NOT NULL`
	noteDelivered = `UPDATE terminal_state SET delivered = CASE WHEN delivered < $2 THEN $2 ELSE delivered END, seen_at = $3
WHERE terminal IN ($1)`
	// Bytes of what was attested are kept until what is newer was.
	dropUnproved = `UPDATE terminal_setting SET config = NULL WHERE terminal = $1 AND version = $2`
)

// fetch is a terminal.Fetch with what is written anew.
type fetch struct {
	terminal.Fetch
	delivered, attested int64
}

func scanFetch(scan scanner) (f *fetch, err error) {
	var revoked sql.NullInt64
	f = new(fetch)
	err = scan(&f.Terminal, &f.Boot, &f.delivered, &f.attested, &revoked)
	f.RevokedAt = fromNullMicros(revoked)
	return f, err
}

// Fetch implements terminal.Visits.
func (db *DB) Fetch(ctx context.Context, ids []mianmi.TerminalID, fn func([]*terminal.Fetch) error) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		d := &db.dialect
		rows, err := readAll(ctx, tx, scanFetch, d.withLists(selectFetches+d.forUpdate), list(d, ids, terminalText))
		if err != nil {
			return err
		}
		// Settings as new as the lock.
		snap, err := db.settingsIn(ctx, tx)
		if err != nil {
			return err
		}
		all := fetchesOf(ids, rows, snap)
		if err := db.fillFetches(ctx, tx, all); err != nil {
			return err
		}
		out := make([]*terminal.Fetch, len(all))
		for i, f := range all {
			out[i] = &f.Fetch
		}
		if err := fn(out); err != nil {
			return err
		}
		return wrapDriver("write what was delivered", db.writeFetches(ctx, tx, all))
	})
}

// fetchesOf are the terminals as they asked, with what settings say of them.
func fetchesOf(ids []mianmi.TerminalID, rows []*fetch, snap *settings.Snapshot) []*fetch {
	at := make(map[mianmi.TerminalID]*fetch, len(rows))
	for _, f := range rows {
		at[f.Terminal] = f
	}
	all := make([]*fetch, len(ids))
	for i, id := range ids {
		f := at[id]
		if f == nil { // it was never enrolled
			f = &fetch{Fetch: terminal.Fetch{Terminal: id}}
		}
		if site, known := snap.Site(id); known {
			c := site.Concern()
			f.Known, f.Version, f.Desired, f.Config = true, c.Version, c.At, site.Config
		}
		all[i] = f
	}
	return all
}

// fillFetches reads which of their keys count, and what was delivered before.
func (db *DB) fillFetches(ctx context.Context, tx *sql.Tx, all []*fetch) error {
	d, at := &db.dialect, make(map[mianmi.TerminalID]*fetch, len(all))
	versions := map[int64]bool{}
	for _, f := range all {
		at[f.Terminal] = f
		versions[f.Version] = true
	}
	ids := list(d, all, func(f *fetch) string { return string(f.Terminal) })
	_, err := readAll(ctx, tx, func(scan scanner) (none struct{}, err error) {
		var id mianmi.TerminalID
		var until int64
		if err = scan(&id, &until); err == nil {
			at[id].KeysUntil = fromMicros(until)
		}
		return none, err
	}, d.withLists(selectKeysUntil), ids)
	if err != nil {
		return err
	}
	wanted := make([]int64, 0, len(versions)) // one, as a rule
	for v := range versions {
		wanted = append(wanted, v)
	}
	_, err = readAll(ctx, tx, func(scan scanner) (none struct{}, err error) {
		var id mianmi.TerminalID
		var version int64
		var config []byte
		if err = scan(&id, &version, &config); err == nil && version == at[id].Version {
			at[id].Kept = config
		}
		return none, err
	}, d.withLists(selectKept), ids, list(d, wanted, same))
	return err
}

// writeFetches records what was delivered, and that the terminals were seen.
func (db *DB) writeFetches(ctx context.Context, tx *sql.Tx, all []*fetch) error {
	d := &db.dialect
	var fresh, drop [][]any
	served := map[int64][]*fetch{}
	for _, f := range all {
		if f.SeenAt.IsZero() {
			continue
		}
		served[f.Version] = append(served[f.Version], f)
		if f.Fresh == nil {
			continue
		}
		fresh = append(fresh, settingRow(f.Fresh))
		if f.delivered != f.attested && f.delivered < f.Version {
			drop = append(drop, []any{string(f.Terminal), f.delivered})
		}
	}
	for version, these := range served {
		_, err := tx.ExecContext(ctx, d.withLists(noteDelivered), list(d, these, func(f *fetch) string { return string(f.Terminal) }), version,
			micros(these[0].SeenAt))
		if err != nil {
			return err
		}
	}
	if err := execEach(ctx, tx, dropUnproved, drop); err != nil {
		return err
	}
	return db.insertRows(ctx, tx, upsertSetting, fresh)
}
