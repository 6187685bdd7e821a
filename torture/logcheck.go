package torture

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/store"
)

// fact is a kind of entry about a thing.
type fact struct{ kind, about string }

// factOf is the entry that an acknowledged change must have left.
func (s *stage) factOf(a Act) fact {
	person, scope := string(s.scene.people[a.Person].id), string(s.scene.scopes[a.Scope])
	switch a.Kind {
	case PayerOff:
		return fact{"payer.pin_free.closed", person}
	case PayerOn:
		return fact{"payer.pin_free.reopened", person}
	case AgreementOff:
		return fact{"payer.agreement.closed", person}
	case AgreementOn:
		return fact{"payer.agreement.opened", person}
	case PolicyOff:
		return fact{"merchant.policy.tightened", scope}
	case PolicyOn:
		return fact{"merchant.policy.loosened", scope}
	case StopPlaced:
		return fact{"merchant.stop.placed", scope}
	case StopLifted:
		return fact{"merchant.stop.lifted", scope}
	}
	return fact{}
}

const (
	// caughtUpMax is how long the log may take to have all that waits, once the
	// load has ended: rounds come five times a second.
	caughtUpMax = 30 * time.Second
	// receiptsMax bounds the receipts that are made and verified in one look at the
	// log; that everything is in it is checked for all.
	receiptsMax = 200
)

// checkLog verifies the whole log, and that every acknowledged change and
// payment is in it.
func (s *stage) checkLog(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, insideMax)
	defer cancel()
	db, err := s.target.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	log, err := s.cfg.Log(ctx, db)
	if err != nil {
		return err
	}
	if caught, err := s.caughtUp(ctx, log); err != nil || !caught {
		return err
	}
	newest, err := db.Checkpoint(ctx)
	if err != nil {
		return err
	}
	got, err := log.Check(ctx, evidence.Check{Against: s.kept})
	if err != nil {
		return fmt.Errorf("check the log: %w", err)
	}
	s.verdict.check(Log, got.Fault == nil, "the log does not verify: %+v", got.Fault)
	if got.Fault != nil {
		return nil
	}
	kept, err := log.ReadCheckpoint(ctx, []byte(newest.Note))
	if err != nil {
		return fmt.Errorf("read a checkpoint: %w", err)
	}
	s.kept = append(s.kept, kept)
	seen, err := s.readLog(ctx, db)
	if err != nil {
		return err
	}
	s.compareLog(seen)
	return s.checkReceipts(ctx, db, log, seen)
}

// caughtUp waits until nothing waits for the log.
func (s *stage) caughtUp(ctx context.Context, log *evidence.Log) (bool, error) {
	for begun := time.Now(); ; {
		st, err := log.State(ctx)
		if err != nil || st.Waiting == 0 {
			return err == nil, err
		}
		if time.Since(begun) > caughtUpMax {
			s.verdict.broken(Log, "%d entries wait for the log since %v", st.Waiting, st.Oldest)
			return false, nil
		}
		pause(ctx, 50*time.Millisecond)
	}
}

// logged is what the log says of the things of this run.
type logged struct {
	facts    map[fact]int
	changes  []mianmi.EntryID
	payments map[mianmi.PaymentID]int // how many records each has
	decided  map[mianmi.PaymentID]payment.Decided
	bundles  map[mianmi.PaymentID]mianmi.EntryID
}

// pageMax is how many entries are read at once.
const pageMax = 200

func (s *stage) readLog(ctx context.Context, db *store.DB) (*logged, error) {
	out := &logged{facts: map[fact]int{}, payments: map[mianmi.PaymentID]int{}, decided: map[mianmi.PaymentID]payment.Decided{},
		bundles: map[mianmi.PaymentID]mianmi.EntryID{}}
	for from := int64(0); ; {
		page, err := db.Leaves(ctx, from, pageMax)
		if err != nil || len(page) == 0 {
			return out, err
		}
		for _, l := range page {
			if err := out.add(l); err != nil {
				return nil, fmt.Errorf("entry %d of the log: %w", l.Index, err)
			}
		}
		from += int64(len(page))
	}
}

func (g *logged) add(l evidence.Leaf) error {
	e, err := evidence.Decode(l.Bytes)
	if err != nil {
		return err
	}
	if e.Type == evidence.BatchType {
		for _, r := range l.Records {
			d, err := payment.ReadDecided(r)
			if err != nil {
				return err
			}
			g.payments[d.Payment]++
			g.decided[d.Payment], g.bundles[d.Payment] = d, l.ID
		}
		return nil
	}
	about := e.Subject
	var body struct {
		Scope string `json:"scope"`
	}
	if err := json.Unmarshal(e.Body, &body); err == nil && body.Scope != "" {
		about = body.Scope
	}
	g.facts[fact{e.Type, about}]++
	g.changes = append(g.changes, l.ID)
	return nil
}

// compareLog compares the log with the journal. A change that was asked for
// twice may be there once more than it was acknowledged.
func (s *stage) compareLog(g *logged) {
	for f, n := range s.facts {
		s.verdict.check(Receipts, g.facts[f] >= n, "%s of %s was acknowledged %d times and is %d times in the log", f.kind, f.about, n, g.facts[f])
	}
	for _, p := range s.paid {
		if p.id == "" {
			continue
		}
		d := g.decided[p.id]
		s.verdict.check(Receipts, g.payments[p.id] == 1 && d.Amount == yuan(p.minor) && (d.Outcome.String() == "pin_free") == p.pinFree,
			"%s was acknowledged as %s over %d, PIN-free %v, and has %d records in the log: %v %v", p.order, p.id, p.minor, p.pinFree,
			g.payments[p.id], d.Amount, d.Outcome)
	}
}

// checkReceipts makes receipts, of the newest changes and payments, and
// verifies them as a stranger does: with the public key alone.
func (s *stage) checkReceipts(ctx context.Context, db *store.DB, log *evidence.Log, g *logged) error {
	keys, err := log.Keys(ctx)
	if err != nil || len(keys) == 0 {
		return err
	}
	trusted, err := note.NewVerifier(keys[0].Public)
	if err != nil {
		return err
	}
	verify := func(what string, r *evidence.Receipt, err error) {
		if err == nil {
			var text []byte
			if text, err = r.Text(); err == nil {
				if r, err = evidence.ParseReceipt(text); err == nil {
					_, err = r.Verify(evidence.Trust{Log: []note.Verifier{trusted}})
				}
			}
		}
		s.verdict.check(Receipts, err == nil, "the receipt of %s: %v", what, err)
	}
	for _, id := range g.changes[max(0, len(g.changes)-receiptsMax):] {
		r, err := log.Receipt(ctx, id)
		verify(string(id), r, err)
	}
	for _, p := range s.paid[max(0, len(s.paid)-receiptsMax):] {
		if p.id == "" {
			continue
		}
		r, err := log.RecordReceipt(ctx, g.bundles[p.id], payment.IsDecided(p.id))
		verify(string(p.id), r, err)
	}
	return nil
}
