package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/contract"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/receipt"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/terminal"
)

// applied is what a restore has done to what will be in place.
type applied struct {
	closed
	losses, holds, stops, keys, terminals, staff int64

	skipped lines    // what could not be done again, and why
	seen    *seenLog // the log in the end; nil: it has none
}

// repeated is how much was done again because of lost entries.
func (d *applied) repeated() int64 {
	return d.scopes + d.payers + d.agreements + d.losses + d.holds + d.stops + d.keys + d.terminals + d.staff
}

// prepare records the restore in the log of what will be in place, and closes
// what lets PIN-free payment come back unseen (docs/adr/0011).
func (r *restoration) prepare(ctx context.Context) error {
	db, err := r.open(ctx)
	if err != nil {
		return err
	}
	err = r.prepareIn(ctx, db)
	return errors.Join(err, r.close(ctx, db))
}

func (r *restoration) prepareIn(ctx context.Context, db *store.DB) error {
	log, err := r.app.logOf(ctx, db)
	if err != nil {
		return err
	}
	if !r.loss.none() {
		if err := r.closeLost(ctx, db); err != nil {
			return err
		}
	}
	l := &r.loss
	e, err := log.NewSetBack(evidence.RestoredType, commandLine, r.app.random, evidence.SetBack{
		Known: evidence.Point{Size: l.known.Size, Root: l.known.Root}, Left: evidence.Point{Size: r.copy.head.Size, Root: r.copy.head.Root},
		Lost: l.entries, AtLeast: !l.exact, Forked: l.forked, Repeated: r.done.repeated(), KeptSwitches: !l.exact && r.cmd.KeepSwitches})
	if err != nil {
		return err
	}
	if err := db.WriteAboutLog(ctx, e); err != nil {
		return err
	}
	for range roundsMax {
		if round, err := log.Sequence(ctx); err != nil || round.Entries == 0 {
			if err != nil {
				return err
			}
			break
		}
	}
	r.done.seen, err = r.app.seen(ctx, db, log)
	return err
}

// roundsMax bounds the sequencing of what a restore wrote: ten million entries.
const roundsMax = 5000

// seen is what a node remembers of a log.
func (a *app) seen(ctx context.Context, db *store.DB, log *evidence.Log) (*seenLog, error) {
	s := &seenLog{At: a.clock.Now().UTC()}
	var begun bool
	var err error
	if s.First, begun, err = log.First(ctx); err != nil || !begun {
		return nil, err
	}
	head, err := log.Head(ctx)
	if err != nil {
		return nil, err
	}
	s.Origin, s.Size, s.Root = head.Origin, head.Size, head.Root
	if s.Epoch, err = db.Epoch(ctx); err != nil {
		return nil, err
	}
	list, err := setBacks(ctx, db, log)
	s.SetBacks = len(list)
	return s, err
}

// closeLost closes what was closed and is lost: what can be read entry by entry,
// and of what cannot, every switch. In the end everything, at once.
func (r *restoration) closeLost(ctx context.Context, db *store.DB) error {
	if err := db.SkipEpochs(ctx, r.loss.epoch+epochsUnseen); err != nil {
		return err
	}
	if err := db.EndEverySession(ctx); err != nil {
		return err
	}
	c, err := r.app.closer(ctx, db, mianmi.System("restore"))
	if err != nil {
		return err
	}
	if r.present.DB != nil && r.loss.sum.entries > 0 {
		if err := r.again(ctx, c); err != nil {
			return err
		}
	}
	if !r.loss.exact && !r.cmd.KeepSwitches {
		if err := c.switches(ctx); err != nil {
			return err
		}
	}
	if err := c.everything(ctx); err != nil {
		return err
	}
	r.done.closed = c.closed
	return nil
}

// again does again what lost entries closed.
func (r *restoration) again(ctx context.Context, c *closer) (err error) {
	backup, err := store.OpenCopy(ctx, r.cmd.From)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, backup.Close()) }()
	who, err := r.app.access(ctx, c.db)
	if err != nil {
		return err
	}
	now := r.app.clock.Now()
	do := &redo{closer: c, done: &r.done, access: who, now: now, payers: map[mianmi.PayerID]payer.Record{}, stops: map[mianmi.StopID]merchant.Stop{},
		terminals: terminal.New(c.db, r.app.clock, r.app.random),
		contracts: contract.New(contract.Parts{Store: c.db, Payers: c.payers, Clock: r.app.clock, Random: r.app.random, Log: r.app.log}, 0)}
	if err := r.eachLost(ctx, backup, func(l *evidence.Leaf) error {
		e, err := evidence.Decode(l.Bytes)
		if err != nil {
			return err
		}
		if what := effects[e.Type]; e.Type == evidence.BatchType || what != closes && what != concern {
			return nil
		}
		return do.skip(lineOf(&e), do.entry(ctx, e))
	}); err != nil {
		return err
	}
	return do.end(ctx)
}

// redo throws switches again that lost entries had thrown.
type redo struct {
	*closer
	done      *applied
	access    *access.Service
	terminals *terminal.Service
	contracts *contract.Service
	now       time.Time
	payers    map[mianmi.PayerID]payer.Record // newest of each
	stops     map[mianmi.StopID]merchant.Stop
}

// errUnknownEntry says that a program wrote an entry which this one does not know.
var errUnknownEntry = mianmi.Conflicts("unknown_entry", "this program does not know how to do it again")

// skip notes what could not be done again. What does not exist in the backup
// needs no closing.
func (d *redo) skip(what mianmi.Text, err error) error {
	switch {
	case err == nil, errors.Is(err, mianmi.NotFound):
		return nil
	case errors.Is(err, mianmi.Conflict), errors.Is(err, mianmi.Denied), errors.Is(err, mianmi.Invalid):
		d.done.skipped.add(mianmi.Text{ZH: what.ZH + " " + err.Error(), EN: what.EN + " " + err.Error()})
		return nil
	}
	return fmt.Errorf("%s: %w", what.EN, err)
}

// entry takes one lost entry that closed something, or may have.
func (d *redo) entry(ctx context.Context, e evidence.Entry) error {
	family, _, _ := strings.Cut(e.Type, ".")
	switch family {
	case "payer":
		return d.payer(ctx, e)
	case "merchant":
		return d.merchant(ctx, e)
	case "model":
		return d.scope(ctx, merchant.OfModel(mianmi.ModelID(e.Subject)))
	case "terminal":
		return d.terminal(ctx, e)
	case "api_key":
		_, err := d.access.RevokeKey(ctx, d.actor, mianmi.KeyID(e.Subject))
		d.count(&d.done.keys, err)
		return err
	case "contract":
		_, err := d.contracts.End(ctx, d.actor, mianmi.ContractID(e.Subject))
		return err
	case "staff": // the backup has the password of before
		_, err := d.access.DeactivateStaff(ctx, d.actor, mianmi.StaffID(e.Subject))
		d.count(&d.done.staff, err)
		return err
	}
	return errUnknownEntry
}

func (d *redo) count(n *int64, err error) {
	if err == nil {
		*n++
	}
}

// payer notes the newest state of a payer, and closes agreements that changed.
func (d *redo) payer(ctx context.Context, e evidence.Entry) error {
	rec, err := payer.ReadRecord(e)
	if err != nil {
		return errUnknownEntry
	}
	id := mianmi.PayerID(e.Subject)
	d.payers[id] = rec
	if rec.Agreement != nil {
		return d.agreement(ctx, id, rec.Agreement.ID)
	}
	return nil
}

func (d *redo) merchant(ctx context.Context, e evidence.Entry) error {
	rec, err := merchant.ReadEntry(e)
	switch {
	case err != nil:
		return errUnknownEntry
	case rec.Policy != nil:
		return d.scope(ctx, rec.Policy.Scope)
	case rec.Merchant != nil:
		return d.scope(ctx, merchant.OfMerchant(rec.Merchant.ID))
	case rec.Stop != nil:
		d.stops[rec.Stop.ID] = *rec.Stop
	}
	return nil
}

// terminal closes a terminal of which something was changed: it may have been
// moved under a stricter policy.
func (d *redo) terminal(ctx context.Context, e evidence.Entry) error {
	id := mianmi.TerminalID(e.Subject)
	if err := d.scope(ctx, merchant.OfTerminal(id)); err != nil || e.Type != "terminal.keys.revoked" {
		return err
	}
	err := d.terminals.Revoke(ctx, d.actor, id)
	d.count(&d.done.terminals, err)
	return err
}

// end does what takes the newest of several entries.
func (d *redo) end(ctx context.Context) error {
	for id, rec := range d.payers {
		err := d.payerOff(ctx, id)
		if err == nil && rec.After.FrozenAt != nil {
			_, err = d.closer.payers.ReportLoss(ctx, d.actor, id, payer.Basis{})
			d.count(&d.done.losses, err)
		}
		if h := rec.After.Hold; err == nil && h != nil && h.Until.Sub(d.now) >= time.Minute {
			_, err = d.closer.payers.Hold(ctx, d.actor, id, payer.HoldOrder{Until: h.Until, Because: payer.HoldRestored})
			d.count(&d.done.holds, err)
		}
		if err := d.skip(receipt.Subject(string(id)), err); err != nil {
			return err
		}
	}
	for _, s := range d.stops {
		left := s.Until.Sub(d.now).Round(time.Minute)
		if !s.Live(d.now) || left < time.Minute {
			continue
		}
		_, err := d.merchants.Place(ctx, d.actor, merchant.StopOrder{Scope: s.Scope, Reason: "restored: " + string(s.ID), For: min(left, merchant.StopLifeMax)})
		d.count(&d.done.stops, err)
		if err := d.skip(say("紧急停用 %s", "emergency stop %s", s.ID), err); err != nil {
			return err
		}
	}
	return nil
}
