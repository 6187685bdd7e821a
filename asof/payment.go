package asof

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
)

// OfPayment is what decided a payment: the settings of the epoch and of the
// payer's version that its record in the log names. Who may see the payment may
// see that.
func (s *Service) OfPayment(ctx context.Context, actor mianmi.Actor, id mianmi.PaymentID) (*Answer, error) {
	if _, err := s.Payments.Payment(ctx, actor, id); err != nil {
		return nil, err
	}
	told, err := s.record(ctx, id)
	if err != nil {
		return nil, err
	}
	d := &told.Value
	m := moment{number: d.Epoch, now: d.At}
	site, err := s.site(ctx, m, d.Terminal, d.Channel)
	if err != nil {
		return nil, fmt.Errorf("payment %s: %w", id, err)
	}
	out := &Answer{At: d.At, Decided: &told, Site: site}
	if out.Caller, err = s.caller(ctx, m, d.Actor); err != nil {
		return nil, err
	}
	if d.Method == pinfree.Cash { // recorded, not decided
		out.Rows, err = site.rows(d.Channel, d.Method, d.At)
	} else {
		err = s.decided(ctx, out)
	}
	if err != nil {
		return nil, err
	}
	return out.seenBy(actor), nil
}

// record reads what the log says of a payment's decision.
func (s *Service) record(ctx context.Context, id mianmi.PaymentID) (Told[payment.Decided], error) {
	var out Told[payment.Decided]
	at, err := s.Payments.Entries(ctx, mianmi.System("as-of"), id)
	if err != nil {
		return out, err
	}
	leaf, err := s.Log.Leaf(ctx, at.Decided)
	if err != nil {
		return out, err
	}
	e, err := evidence.Decode(leaf.Bytes)
	if err != nil {
		return out, fmt.Errorf("entry %s: %w", leaf.ID, err)
	}
	if err := holds(e, leaf.Records, at.Index); err != nil {
		return out, err
	}
	if out.Value, err = payment.ReadDecided(leaf.Records[at.Index]); err != nil {
		return out, err
	}
	if out.Value.Payment != id {
		return out, fmt.Errorf("record %d of entry %s is of payment %s, not of %s", at.Index, leaf.ID, out.Value.Payment, id)
	}
	out.Source = Source{Entry: leaf.ID, Index: leaf.Index, Type: payment.DecidedKind, At: e.At, Actor: out.Value.Actor, Record: at.Index}
	return out, nil
}

// holds makes sure that a batch has the record, and that its records are those
// that the entry in the log stands for.
func holds(e evidence.Entry, records [][]byte, i int64) error {
	if i < 0 || i >= int64(len(records)) {
		return fmt.Errorf("entry %s has no record %d", e.ID, i)
	}
	var in evidence.Batch
	if err := e.ReadBody(&in); err != nil {
		return err
	}
	is, err := evidence.NewBatch(in.Kind, records)
	if err == nil && is != in {
		err = fmt.Errorf("the records of entry %s are not those that the log has", e.ID)
	}
	return err
}

// decided adds the payer's side, and decides again.
func (s *Service) decided(ctx context.Context, a *Answer) error {
	d := &a.Decided.Value
	at, err := a.Site.at()
	if err != nil {
		return err
	}
	g := payment.Again{Decided: *d, Site: at, Rules: a.Site.Snapshot.RulePacks().Rules()}
	m := moment{number: d.PayerVersion, now: d.At}
	if d.Payer == "" { // through a channel outside: nobody here knows who paid
		a.Rows = rowsOf(g.Layers(), a.Site, nil, d.At)
		a.Again, err = s.again(ctx, m, g, a.Site.Rules)
		return err
	}
	a.Payer, err = s.payer(ctx, m, d.Payer, func(got *Payer) bool {
		return got.agreement(d.Merchant) != nil && (d.Instrument == "" || got.instrument(d.Instrument) != nil)
	})
	if err != nil {
		return fmt.Errorf("payment %s: %w", d.Payment, err)
	}
	if a.Payer.Source.Number != d.PayerVersion {
		return fmt.Errorf("payment %s was decided by version %d of its payer, and the log ends with %d", d.Payment, d.PayerVersion, a.Payer.Source.Number)
	}
	a.Payer.only(d.Merchant, d.Instrument)
	g.Payer, g.Agreement, g.Instrument = a.Payer.Value, a.Payer.agreement(d.Merchant), a.Payer.instrument(d.Instrument)
	a.Rows = rowsOf(g.Layers(), a.Site, a.Payer, d.At)
	a.Again, err = s.again(ctx, m, g, a.Site.Rules)
	return err
}

// only drops what had no part in the payment.
func (p *Payer) only(m mianmi.MerchantID, i mianmi.InstrumentID) {
	var agreements []Told[payer.Agreement]
	for _, g := range p.Agreements {
		if g.Value.Merchant == m {
			agreements = append(agreements, g)
		}
	}
	var instruments []Told[payer.Instrument]
	for _, in := range p.Instruments {
		if in.Value.ID == i {
			instruments = append(instruments, in)
		}
	}
	p.Agreements, p.Instruments = agreements, instruments
}

// caller is who asked for a payment; nil when the log does not know it
// (mianmi itself, in whose name QR orders are paid).
func (s *Service) caller(ctx context.Context, m moment, actor string) (*Caller, error) {
	role, id, _ := bytes.Cut([]byte(actor), []byte(":"))
	var out Caller
	switch r := mianmi.ParseRole(string(role)); {
	case r == mianmi.RoleAPIClient:
		k, err := newest(ctx, s, m, asked{subject: string(id), question: question{ofCallers, thing}}, readKey)
		if err != nil || !k.Source.Known() {
			return nil, err
		}
		out.Key = &k
	case r >= mianmi.RoleCashier && r <= mianmi.RoleAuditor:
		st, err := newest(ctx, s, m, asked{subject: string(id), question: question{ofCallers, thing}}, readStaff)
		if err != nil || !st.Source.Known() {
			return nil, err
		}
		out.Staff = &st
	default:
		return nil, nil
	}
	return &out, nil
}

// lookAhead is how much younger than the payment another may look that was
// decided before it: requests wait for their batch, and clocks differ.
const lookAhead = time.Minute

// spendersMax bounds the payments that are looked through for the one that
// used an allowance up; an allowance lives for a day at most.
const spendersMax = 1000

// spent reports whether another payment had used the payer's allowance up: one
// whose record in the log says so.
func (s *Service) spent(ctx context.Context, m moment, d *payment.Decided, w *payer.Allowance) (bool, error) {
	grant, err := newest(ctx, s, m, asked{subject: string(d.Payer), question: question{ofPayers, thing}}, func(e evidence.Entry) (*payer.Allowance, error) {
		if e.Type != "payer.allowance.granted" {
			return nil, nil
		}
		r, err := payer.ReadRecord(e)
		return r.After.Allowance, err
	})
	if err != nil || grant.Value.ID != w.ID {
		return false, err
	}
	_, before := mianmi.IDRange("pm", d.At.Add(lookAhead))
	before += "00" // of any bucket
	for range spendersMax / paymentsPage {
		list, err := s.Payments.Payments(ctx, mianmi.System("as-of"), d.Payer, mianmi.PaymentID(before), paymentsPage)
		if err != nil {
			return false, err
		}
		for i := range list {
			o := &list[i]
			if o.PayerVersion < grant.Source.Number {
				return false, nil
			}
			before = string(o.ID)
			if o.ID == d.Payment || o.CreatedAt.After(d.At) || !usedAllowance(o.Reasons) {
				continue
			}
			told, err := s.record(ctx, o.ID)
			if err != nil || usedAllowance(told.Value.Reasons) {
				return true, err
			}
		}
		if len(list) < paymentsPage {
			return false, nil
		}
	}
	return false, nil
}

// paymentsPage is what one list of payments holds at most.
const paymentsPage = 200

func usedAllowance(reasons []pinfree.Why) bool {
	return len(reasons) > 0 && reasons[0].Reason == pinfree.OneOffAllowance
}
