package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/settings"
	"github.com/mianmi/mianmi/terminal"
)

// What terminals have proved is read with the batch, for its newest report
// counts and none that came before the payment began can be missed.
const (
	sqlProof   = `SELECT ` + provenColumns + ` FROM terminal_state WHERE terminal = $1`
	sqlProofs  = `SELECT ` + provenColumns + ` FROM terminal_state WHERE terminal = ANY($1)`
	proofsRoom = 16 // terminals of a batch, usually
)

// proofs is what terminals have proved; nil for one that has never been heard of.
type proofs map[mianmi.TerminalID]*terminal.Proven

// proving lists the terminals of the asks that have to prove anything, each
// once. Whether one does never changes, so that any snapshot can say; one that
// it does not know is asked for.
func proving(asks []payment.Ask, snap *settings.Snapshot) []string {
	var out []string
	var seen map[mianmi.TerminalID]bool
	for i := range asks {
		id := asks[i].Terminal
		if !terminalID(id) || seen[id] || snap != nil && snap.HostAlone(id) {
			continue
		}
		if seen == nil {
			seen = make(map[mianmi.TerminalID]bool, proofsRoom)
		}
		seen[id], out = true, append(out, string(id))
	}
	return out
}

// terminalID reports whether the text can be a terminal's identifier. What
// cannot is not sent to the database, which refuses some of it with an error.
func terminalID(id mianmi.TerminalID) bool {
	return id != "" && strings.Trim(string(id), "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// scanProofs reads rows of sqlProofs.
func scanProofs(rows pgx.Rows, into proofs) error {
	var r provenRow
	_, err := pgx.ForEachRow(rows, r.dest(), func() error {
		p := r.proven()
		into[p.Terminal] = &p
		return nil
	})
	return err
}

// proofs reads what the terminals of the batch have proved.
func (b *plainBatch) proofs() error {
	found := proofs{}
	for _, id := range proving(b.asks, b.snap) {
		var r provenRow
		switch err := b.row(sqlProof, id).Scan(r.dest()...); {
		case errors.Is(err, sql.ErrNoRows):
		case err != nil:
			return fmt.Errorf("read what a terminal has proved: %w", err)
		default:
			p := r.proven()
			found[p.Terminal] = &p
		}
	}
	found.give(b.asks, b.facts)
	return nil
}

// give hands each ask what its terminal has proved.
func (p proofs) give(asks []payment.Ask, facts []payment.Facts) {
	if len(p) == 0 {
		return
	}
	for i := range asks {
		facts[i].Proven = p[asks[i].Terminal]
	}
}

// readProof reads what one terminal has proved; nil: it has never been heard of.
func readProof(ctx context.Context, q querier, id mianmi.TerminalID) (*terminal.Proven, error) {
	p, err := readOne(ctx, q, "terminal's state", func(scan scanner) (*terminal.Proven, error) {
		var r provenRow
		err := scan(r.dest()...)
		p := r.proven()
		return &p, err
	}, sqlProof, string(id))
	if mianmi.KindOf(err) == mianmi.NotFound && err != nil {
		return nil, nil //nolint:nilnil // it has proved nothing
	}
	return p, err
}
