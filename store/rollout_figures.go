package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/rollout"
	"github.com/mianmi/mianmi/terminal"
)

// stagedTerminal is a terminal in the scope of a rollout.
type stagedTerminal struct {
	at        rollout.Place
	proof     terminal.Proof
	proven    terminal.Proven
	delivered int64
}

const (
	// $2 is empty for the first page. Whom a plan reaches no statement can say.
	stagedTerminals = `SELECT t.id, t.store, t.model, m.proof, COALESCE(x.attested, 0), COALESCE(x.floor, 0), COALESCE(x.drift, ''), x.revoked_at,
COALESCE(x.delivered, 0)` + fromTerminals
	stagedPage = ` AND t.id > $2 ORDER BY t.id LIMIT $3`

	// stagedPageMax is what one reading brings: a transaction of milliseconds.
	stagedPageMax = 2000
)

func scanStaged(scan scanner) (t stagedTerminal, err error) {
	var revoked sql.NullInt64
	p := &t.proven
	err = scan(&t.at.Terminal, &t.at.Store, &t.at.Model, &t.proof, &p.Attested, &p.Floor, &p.Drift, &revoked, &t.delivered)
	p.Terminal, p.RevokedAt = t.at.Terminal, fromNullMicros(revoked)
	return t, err
}

// RolloutFigures implements merchant.Rollouts. It walks through the terminals
// of the scope, a page at a time.
func (db *DB) RolloutFigures(ctx context.Context, r merchant.Rollout) (f rollout.Figures, err error) {
	where, subject, err := terminalsIn(r.Scope.String())
	if err != nil {
		return f, err
	}
	reached := map[mianmi.TerminalID]bool{}
	for after := ""; ; {
		list, err := readAll(ctx, db.read, scanStaged, stagedTerminals+where+stagedPage, subject, after, stagedPageMax)
		if err != nil {
			return f, err
		}
		for i := range list {
			f.Total++
			if t := &list[i]; r.Reaches(t.at) {
				reached[t.at.Terminal] = true
				count(&f, t, r.Epoch)
			}
		}
		if len(list) < stagedPageMax {
			break
		}
		after = string(list[len(list)-1].at.Terminal)
	}
	return f, db.countPayments(ctx, paymentsOf{since: r.FromAt, at: reached, channel: channelOf(&r)}, &f)
}

func count(f *rollout.Figures, t *stagedTerminal, epoch int64) {
	f.Reached++
	switch {
	case t.proof == terminal.ByHost:
		f.HostAlone++
	case t.proven.Runs(epoch):
		f.Attested++
	case t.delivered >= epoch:
		f.Delivered++
	}
}

// paymentsOf says which payments count: at these terminals, and of the channel
// when there is one.
type paymentsOf struct {
	since   time.Time
	at      map[mianmi.TerminalID]bool
	channel string
}

func channelOf(r *merchant.Rollout) string {
	if r.Scope.Level == merchant.LevelChannel {
		return r.Scope.Subject
	}
	return ""
}

// CountPayments implements terminal.Programs.
func (db *DB) CountPayments(ctx context.Context, since time.Time, at map[mianmi.TerminalID]bool, f *rollout.Figures) error {
	return db.countPayments(ctx, paymentsOf{since: since, at: at}, f)
}

// countPayments counts them among the newest of all.
func (db *DB) countPayments(ctx context.Context, of paymentsOf, f *rollout.Figures) error {
	if len(of.at) == 0 {
		return nil
	}
	for p, err := range db.Past(ctx, payment.PastQuery{Since: of.since, Limit: rollout.PaymentsMost}) {
		if err != nil {
			return err
		}
		elsewhere := !of.at[p.Terminal] || of.channel != "" && p.Channel != of.channel
		if elsewhere || p.Method == pinfree.Cash || !p.State.Final() { // it has not ended
			continue
		}
		f.Payments++
		switch {
		case p.State == payment.Declined:
			f.Declined++
		case p.Unresolved():
			f.Unknown++
		}
	}
	return nil
}
