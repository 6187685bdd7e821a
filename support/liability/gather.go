package liability

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/asof"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/support/desk"
	"github.com/mianmi/mianmi/terminal"
)

// Cases is what this package asks of desk.Service.
type Cases interface {
	Case(ctx context.Context, a mianmi.Actor, id mianmi.CaseID) (desk.Whole, error)
	Cases(ctx context.Context, a mianmi.Actor, q desk.Query) ([]desk.Case, error)
	Payouts(ctx context.Context, a mianmi.Actor, id mianmi.CaseID) ([]desk.Payout, error)
}

// Payments is what this package asks of payment.Service.
type Payments interface {
	Payment(ctx context.Context, a mianmi.Actor, id mianmi.PaymentID) (*payment.Payment, error)
	Promise(ctx context.Context, p *payment.Payment, in *payer.Instrument) (*pinfree.CompensationRule, error)
}

// Payers is what this package asks of payer.Service.
type Payers interface {
	History(ctx context.Context, a mianmi.Actor, id mianmi.PayerID, page payer.EntryQuery) ([]evidence.Entry, error)
	Instruments(ctx context.Context, a mianmi.Actor, id mianmi.PayerID) ([]payer.Instrument, error)
}

// AsOf is what this package asks of asof.Service.
type AsOf interface {
	OfTerminal(ctx context.Context, a mianmi.Actor, id mianmi.TerminalID, at time.Time) (*asof.Answer, error)
}

// Terminals is what this package asks of terminal.Service.
type Terminals interface {
	InForceAt(ctx context.Context, a mianmi.Actor, id mianmi.TerminalID, at time.Time) (terminal.AsOf, error)
	Status(ctx context.Context, a mianmi.Actor, id mianmi.TerminalID) (terminal.Status, error)
}

// Service gathers the facts of cases. All parts are required.
type Service struct {
	Cases     Cases
	Payments  Payments
	Payers    Payers
	AsOf      AsOf
	Terminals Terminals
	Clock     mianmi.Clock
}

// Event is something that happened, on the timeline of a case.
type Event struct {
	At   time.Time
	What string // a word: reported, payment, the type of an entry, terminal_proved, payout_ordered, _approved, _paid and _refused
	Ref  string // of what: a payment, an entry, a terminal, a payout
}

// Timeline is what happened, oldest first, and what follows from it.
type Timeline struct {
	Events []Event
	Facts  Facts
	Proposal
}

const (
	// skew is how far the clocks of two nodes may be apart: an OFF counts against a
	// payment when it is older than that.
	skew = 2 * time.Second
	// eventsMax and historyMax bound a timeline and what is read of a payer's record.
	eventsMax  = 1000
	historyMax = 5000
	// paymentsMax bounds the payments of a case that are looked into.
	paymentsMax = 100
)

// Of is the timeline of a case and what the system proposes, for those who work
// on cases. confirmed says that the fraud has been confirmed.
func (s *Service) Of(ctx context.Context, actor mianmi.Actor, id mianmi.CaseID, confirmed bool) (Timeline, error) {
	if err := access.Allow(actor, access.CaseWork, access.Target{}); err != nil {
		return Timeline{}, err
	}
	w, err := s.Cases.Case(ctx, actor, id)
	if err != nil {
		return Timeline{}, err
	}
	out := Timeline{Facts: Facts{Reported: w.OpenedAt, Confirmed: confirmed}}
	out.add(w.OpenedAt, "reported", string(w.ID))
	record, err := s.record(ctx, actor, w.Payer)
	if err != nil {
		return Timeline{}, err
	}
	record.tell(&out, w.OpenedAt, s.Clock.Now())
	if out.Facts.PaidThisYear, err = s.paid(ctx, actor, &w); err != nil {
		return Timeline{}, err
	}
	ids := w.Payments()
	for _, p := range ids[:min(len(ids), paymentsMax)] {
		x, err := s.fact(ctx, actor, p, record, out.Facts.Reported)
		if err != nil {
			return Timeline{}, err
		}
		out.add(x.Payment.CreatedAt, "payment", string(p))
		if !x.RunFrom.IsZero() {
			out.add(x.RunFrom, "terminal_proved", string(x.Payment.Terminal))
		}
		out.Facts.Payments = append(out.Facts.Payments, x)
	}
	payouts, err := s.Cases.Payouts(ctx, actor, id)
	if err != nil {
		return Timeline{}, err
	}
	for i := range payouts {
		out.payout(&payouts[i])
	}
	out.Proposal = Propose(out.Facts)
	slices.SortStableFunc(out.Events, func(a, b Event) int { return a.At.Compare(b.At) })
	out.Events = slices.Compact(out.Events)
	return out, nil
}

func (t *Timeline) add(at time.Time, what, ref string) {
	if len(t.Events) < eventsMax {
		t.Events = append(t.Events, Event{at, what, ref})
	}
}

// payout puts the steps of a payout on the timeline.
func (t *Timeline) payout(o *desk.Payout) {
	t.add(o.AskedAt, "payout_ordered", string(o.ID))
	if !o.ApprovedAt.IsZero() {
		t.add(o.ApprovedAt, "payout_approved", string(o.ID))
	}
	switch o.State {
	case desk.PayoutPaid:
		t.add(o.EndedAt, "payout_paid", string(o.ID))
	case desk.PayoutRefused:
		t.add(o.EndedAt, "payout_refused", string(o.ID))
	case desk.NoPayoutState, desk.PayoutWaiting, desk.PayoutDue:
	}
}

// past is a payer's record, oldest first.
type past []told

type told struct {
	evidence.Entry
	payer.Record
}

func (s *Service) record(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID) (out past, err error) {
	if id == "" {
		return nil, nil
	}
	q := payer.EntryQuery{Limit: 200}
	for len(out) < historyMax {
		page, err := s.Payers.History(ctx, actor, id, q)
		if err != nil {
			return nil, err
		}
		for _, e := range page {
			r, err := payer.ReadRecord(e)
			if err != nil {
				return nil, err
			}
			out = append(out, told{e, r})
		}
		if len(page) < q.Limit {
			return out, nil
		}
		q.After = page[len(page)-1].ID
	}
	return nil, &mianmi.Error{Kind: mianmi.Unavailable, Code: "history_too_long", Msg: "the payer's record is too long to be read for a timeline"}
}

// shut reports whether, with what the entry left, nothing of the payer's passed
// PIN-free at an instant, and since when.
func (t *told) shut(at time.Time) (time.Time, bool) {
	switch n := &t.After; {
	case n.FrozenAt != nil:
		return *n.FrozenAt, true
	case n.Hold != nil && at.Before(n.Hold.Until): // which an allowance does not pass
		return n.Hold.Since, true
	case n.Pending != nil && n.Pending.Settings.PinFree && !at.Before(n.Pending.At),
		n.Allowance != nil && at.Before(n.Allowance.ExpiresAt):
		return time.Time{}, false
	case !n.Settings.PinFree:
		return n.Since, true
	}
	return time.Time{}, false
}

// tell puts the payer's changes of the last month before the report, and since, on
// the timeline, and notes since when the payer is protected now.
func (p past) tell(t *Timeline, reported, now time.Time) {
	for i := range p {
		e := &p[i]
		if e.Type == "payer.loss.reported" && e.At.Before(t.Facts.Reported) && e.At.After(reported.Add(-72*time.Hour)) {
			t.Facts.Reported = e.At
		}
		if e.At.After(reported.AddDate(0, -1, 0)) {
			t.add(e.At, e.Type, string(e.ID))
		}
	}
	if len(p) > 0 {
		t.Facts.Protected, _ = p[len(p)-1].shut(now)
	}
}

// ended is the newest entry before a payment that left the payer's agreement with
// the merchant closed; nil: none did, or it was opened again.
func (p past) ended(m mianmi.MerchantID, at time.Time) *told {
	for i := len(p) - 1; i >= 0; i-- {
		if a := p[i].Agreement; a != nil && a.Merchant == m && p[i].At.Add(skew).Before(at) {
			if a.Open {
				return nil
			}
			return &p[i]
		}
	}
	return nil
}

// before is the newest change of the settings that was acknowledged before a payment.
func (p past) before(at time.Time) *told {
	for i := len(p) - 1; i >= 0; i-- {
		if p[i].At.Add(skew).Before(at) {
			return &p[i]
		}
	}
	return nil
}

func (s *Service) fact(ctx context.Context, actor mianmi.Actor, id mianmi.PaymentID, record past, reported time.Time) (Fact, error) {
	p, err := s.Payments.Payment(ctx, actor, id)
	if err != nil {
		return Fact{}, err
	}
	x := Fact{Payment: *p, Hours: hours(p.CreatedAt, reported)}
	if !p.PinFree() {
		return x, nil // nothing depends on what was in force
	}
	if e := record.before(p.CreatedAt); e != nil {
		if since, off := e.shut(p.CreatedAt); off && since.Add(skew).Before(p.CreatedAt) {
			x.Offs = append(x.Offs, Off{Layer: pinfree.LayerPayer, Since: since, Entry: e.ID})
		}
	}
	if e := record.ended(p.Merchant, p.CreatedAt); e != nil && p.Method == pinfree.MandateDebit {
		x.Offs = append(x.Offs, Off{Layer: pinfree.LayerAgreement, ID: string(e.Agreement.ID), Since: e.At, Entry: e.ID})
	}
	if err := s.promise(ctx, actor, &x); err != nil {
		return x, err
	}
	return x, s.place(ctx, actor, &x)
}

// place reads what the terminal, and all that it belonged to, said then.
func (s *Service) place(ctx context.Context, actor mianmi.Actor, x *Fact) error {
	p := &x.Payment
	if p.Terminal == "" {
		x.Proved = true // none was there to prove anything
		return nil
	}
	then, err := s.AsOf.OfTerminal(ctx, actor, p.Terminal, p.CreatedAt.Add(-skew))
	switch {
	case errors.Is(err, mianmi.NotFound):
		x.Untold = true
		return nil
	case err != nil:
		return err
	}
	for _, r := range then.Rows {
		if r.Kind == pinfree.LayerChannel && r.ID != p.Channel {
			continue // the payment did not go through it
		}
		if r.State == pinfree.Off && !r.Since.IsZero() && (r.Until.IsZero() || r.Until.After(p.CreatedAt)) {
			x.Offs = append(x.Offs, Off{Layer: r.Kind, ID: r.ID, Since: r.Since, Entry: r.Source.Entry})
		}
	}
	run, err := s.Terminals.InForceAt(ctx, actor, p.Terminal, p.CreatedAt)
	if err != nil {
		return err
	}
	if run.Run != nil {
		x.RunFrom = run.Run.From
	}
	if x.Proved = run.InForce; x.Proved {
		return nil
	}
	st, err := s.Terminals.Status(ctx, actor, p.Terminal)
	x.Proved = st.Model.Proof == terminal.ByHost // the host's word counts there
	return err
}

// hours is how many lie between payment and report, rounded up; negative: after it.
func hours(at, report time.Time) int64 {
	span := report.Sub(at)
	if span < 0 {
		return -1
	}
	return int64((span + time.Hour - 1) / time.Hour)
}

// promise reads what is promised for a payment.
func (s *Service) promise(ctx context.Context, actor mianmi.Actor, x *Fact) (err error) {
	var with *payer.Instrument
	if x.Payment.Instrument != "" {
		list, err := s.Payers.Instruments(ctx, actor, x.Payment.Payer)
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(list, func(in payer.Instrument) bool { return in.ID == x.Payment.Instrument }); i >= 0 {
			with = &list[i]
		}
	}
	x.Rule, err = s.Payments.Promise(ctx, &x.Payment, with)
	return err
}

// paid is what the payer's other cases of the year of this one were given.
func (s *Service) paid(ctx context.Context, actor mianmi.Actor, w *desk.Whole) (map[money.Currency]int64, error) {
	sum := map[money.Currency]int64{}
	if w.Payer == "" {
		return sum, nil
	}
	year := time.Date(w.OpenedAt.Year(), 1, 1, 0, 0, 0, 0, time.UTC)
	q := desk.Query{Payer: w.Payer, Since: year, Until: year.AddDate(1, 0, 0), Limit: 200}
	for {
		list, err := s.Cases.Cases(ctx, actor, q)
		if err != nil {
			return nil, err
		}
		for i := range list {
			if a := list[i].Award; list[i].ID != w.ID && a.Minor() > 0 {
				sum[a.Currency()] += a.Minor()
			}
		}
		if len(list) < q.Limit {
			return sum, nil
		}
		q.Before = list[len(list)-1].ID
	}
}
