package payment

import (
	"context"
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/settings"
)

// judge runs one batch: read, decide, write. It keeps buffers between batches
// and belongs to one lane.
type judge struct {
	s       *Service
	channel string // that payments go through
	asks    []Ask
	writes  []Write
	text    []byte // of the records, one after the other
	ends    []int  // where each of them ends in text
	layers  []pinfree.Layer
	counts  []pinfree.Count
	rules   *pinfree.RuleSet // of the batch
	facts   pinfree.Facts    // of the payment that is decided
}

// batch decides all calls in one transaction and answers them after its
// commit. On an error no call has been answered and nothing is written.
func (j *judge) batch(ctx context.Context, calls []*call) error {
	j.asks, j.writes = j.asks[:0], j.writes[:0]
	for _, c := range calls {
		j.asks = append(j.asks, c.ask)
	}
	b, err := j.s.Ledger.Begin(ctx, j.asks)
	if err != nil {
		return err
	}
	now := j.s.Clock.Now().UTC().Truncate(time.Microsecond)
	facts, snap := b.Facts(), b.Settings()
	j.rules = j.s.seen(ctx, snap)
	results := make([]Result, len(calls))
	for i, c := range calls {
		w, err := j.one(now, c, &facts[i], snap)
		j.writes = append(j.writes, w)
		results[i] = Result{w.Payment, err}
		if err == nil && facts[i].Prior != nil {
			results[i].Payment = j.s.overdue(facts[i].Prior)
		}
	}
	decided, err := j.record(now)
	if err == nil {
		err = b.Commit(ctx, j.writes, decided)
	}
	if err != nil {
		b.Rollback()
		if mianmi.KindOf(err) == mianmi.Unavailable && !isBusy(err) {
			return &mianmi.Error{Kind: mianmi.Unavailable, Code: ErrUnknownOutcome.Code, Msg: ErrUnknownOutcome.Msg, Err: err}
		}
		return err
	}
	for i, c := range calls {
		if first := j.writes[i].Call; first != nil {
			j.s.askFirst(ctx, c, results[i], *first)
			continue
		}
		j.s.answer(c, results[i])
	}
	return nil
}

// record makes the entry of what the batch decided; the zero Bundle when that
// is nothing.
func (j *judge) record(now time.Time) (evidence.Bundle, error) {
	j.text, j.ends = j.text[:0], j.ends[:0]
	for i := range j.writes {
		if p := j.writes[i].Payment; p != nil {
			j.text = appendDecided(j.text, p)
			j.ends = append(j.ends, len(j.text))
		}
	}
	if len(j.ends) == 0 {
		return evidence.Bundle{}, nil
	}
	records, from := make([][]byte, len(j.ends)), 0
	for i, to := range j.ends {
		records[i], from = j.text[from:to:to], to
	}
	id, err := mianmi.NewID("en", now, j.s.Random)
	if err != nil {
		return evidence.Bundle{}, err
	}
	return evidence.NewBundle(mianmi.EntryID(id), now, DecidedKind, records)
}

// answer gives the caller, and those who repeated the request, the result.
func (s *Service) answer(c *call, r Result) {
	for _, later := range c.same {
		switch {
		case r.Err != nil && later.ask.Digest != c.ask.Digest:
			c.other = append(c.other, later)
		case r.Err != nil:
			later.answer(nil, r.Err)
		case later.ask.Digest != c.ask.Digest:
			later.answer(nil, errOrderConflict)
		default:
			later.answer(r.Payment, nil)
		}
	}
	if r.Payment != nil && r.Payment.Payer != "" {
		s.watch.tell(r.Payment.Payer)
	}
	c.answer(r.Payment, r.Err)
}

var errOrderConflict = mianmi.Conflicts("order_conflict",
	"this order number was used for a payment with another content; use a new number")

// one decides one call. An error writes nothing and frees the order number.
func (j *judge) one(now time.Time, c *call, f *Facts, snap *settings.Snapshot) (Write, error) {
	switch {
	case c.actor.Role == mianmi.RoleAPIClient && !keyLive(snap, c.actor, now):
		return Write{}, &mianmi.Error{Kind: mianmi.Unauthenticated, Code: "key_revoked", Msg: "the API key is not valid any more"}
	case c.actor.Role == mianmi.RoleTerminal && f.Proven != nil && !f.Proven.RevokedAt.IsZero():
		return Write{}, &mianmi.Error{Kind: mianmi.Unauthenticated, Code: "terminal_key_revoked", Msg: "this terminal's certificate is not valid any more"}
	case endOf(f.PriorDigest) != 0:
		return Write{}, endErrors[endOf(f.PriorDigest)]
	case f.PriorDigest != Hash16{} && f.PriorDigest != c.ask.Digest:
		return Write{}, errOrderConflict
	case f.Prior != nil:
		return Write{}, nil
	}
	site, err := j.site(c, snap)
	if err != nil {
		return Write{}, err
	}
	if err := j.known(now, c, f); err != nil {
		return Write{}, err
	}
	p := newPayment(now, c, f, &site)
	p.Channel, p.Epoch = j.channel, snap.Epoch()
	if c.req.Method == pinfree.Cash {
		if !site.Accepts("cash", pinfree.Cash) {
			return Write{}, mianmi.InvalidField("method", "this terminal does not take cash")
		}
		p.State, p.Channel = Approved, channel.Cash
		return Write{Payment: p}, nil
	}
	if c.req.outside != nil {
		return j.through(now, c, f, &site, p)
	}
	p.Rules, p.PayerVersion = j.rules.Version(), f.Account.Version
	d, allowance := j.decide(now, &c.req, f, &site)
	if d.Outcome == pinfree.Authenticated && f.Account.Unreadable {
		// Taking it would write counters anew and so forget those that nobody can read.
		return Write{}, fmt.Errorf("payer %s: its counters or settings cannot be read", f.Account.ID)
	}
	p.Outcome, p.Reasons = d.Outcome, d.Reasons
	w := Write{Payment: p, UseCode: f.Code != nil}
	if f.Code != nil {
		f.Code.Used = true
	}
	switch d.Outcome {
	case pinfree.PinFree, pinfree.Authenticated:
		kind := pinfree.ExecutedPinFree
		if d.Outcome == pinfree.Authenticated {
			kind = pinfree.ExecutedAuthenticated
		}
		ev := p.event(kind, now, site.Place(), f.Instrument)
		ev.Facts = &j.facts
		w.Posting = j.s.capture(j.rules, p, f.Account, ev)
		if allowance && w.Posting != nil {
			f.Account.Allowance = nil
		}
	case pinfree.StepUp:
		p.State, p.StepUp, p.ExpiresAt = StepUpRequired, d.By, now.Add(j.s.cfg.StepUpLife)
	default:
		p.State = Refused
	}
	return w, nil
}

// site finds the terminal and checks that the caller may use it.
func (j *judge) site(c *call, snap *settings.Snapshot) (settings.Site, error) {
	site, ok := snap.Site(c.req.Terminal)
	if !ok || site.Merchant.ID != c.ask.Merchant || c.actor.Store != "" && c.actor.Store != site.Store.ID {
		return settings.Site{}, mianmi.InvalidField("terminal", "no such terminal of this merchant")
	}
	return site, nil
}

// keyLive asks the snapshot of this transaction, for the caller was
// authenticated by a copy that may be old.
func keyLive(snap *settings.Snapshot, a mianmi.Actor, now time.Time) bool {
	k, ok := snap.Key(mianmi.KeyID(a.Via))
	return ok && k.Live(now)
}

// known checks that the ask led to a payer, by a code that may be used. Whom a
// channel has named counts as a member does, or not at all.
func (j *judge) known(now time.Time, c *call, f *Facts) error {
	switch {
	case c.req.Method == pinfree.Cash:
		return nil
	case c.req.outside != nil && c.req.Member != "" && (f.Account == nil || f.Agreement == nil):
		return errMember
	case c.req.outside != nil:
		if c.req.outside.named && f.Agreement == nil { // whoever it is, no member of this merchant
			f.Account = nil
		}
		return nil
	case c.req.Mandate != nil && (f.Account == nil || !c.req.Mandate.holds(f.Agreement)):
		return ErrMandate
	case c.ask.Code != nil && (f.Code == nil || f.Account == nil):
		j.s.guesses.wrong(c.req.Terminal, now)
		return errCodeInvalid
	case c.ask.Code != nil && f.Code.Used: // by another payment of this batch; one of an earlier batch is gone
		return errCodeInvalid
	case c.ask.Code != nil && !now.Before(f.Code.ExpiresAt):
		return codeError("code_expired", "this payment code has run out; ask the payer to show a new one")
	case f.Account == nil:
		return mianmi.InvalidField("instrument", "no such instrument")
	}
	return nil
}

var errCodeInvalid = codeError("code_invalid", "this payment code is not known or was used already; ask the payer to show a new one")

func codeError(code, msg string) error {
	return &mianmi.Error{Kind: mianmi.Invalid, Field: "code", Code: code, Msg: msg}
}

func newPayment(now time.Time, c *call, f *Facts, site *settings.Site) *Payment {
	p := &Payment{
		ID: c.ask.Payment, Merchant: site.Merchant.ID, Store: site.Store.ID, Terminal: site.Terminal.ID,
		OrderNo: c.req.OrderNo, Amount: c.req.Amount, Method: c.req.Method, Entry: c.req.Entry, CVM: c.req.CVM,
		Instrument: c.req.Instrument, Actor: c.actor.String(), CreatedAt: now, StateAt: now, Version: 1,
	}
	if f.Payment != "" {
		p.ID = f.Payment
	}
	if f.Account != nil {
		p.Payer = f.Account.ID
	}
	return p
}

// capture moves the money and the counters; it sets the payment's state.
func (s *Service) capture(rules *pinfree.RuleSet, p *Payment, a *Account, ev pinfree.Event) *channel.Posting {
	posting, left, failure := s.Wallet.Capture(a.ID, p.Merchant, a.Balance, p.Amount)
	if failure != channel.NoFailure {
		p.State, p.Failure = Declined, failure
		return nil
	}
	p.State = Approved
	a.Balance, a.Dirty = left, true
	a.Counters = rules.Record(a.Counters, ev)
	return &posting
}

// event is what happened to the payment, for the counters.
func (p *Payment) event(kind pinfree.EventKind, now time.Time, place pinfree.Place, in *payer.Instrument) pinfree.Event {
	return pinfree.Event{Kind: kind, Method: p.Method, Entry: p.Entry, Subject: p.subject(), Place: place, Card: card(in),
		Minor: p.Amount.Minor(), Currency: p.Amount.Currency(), Decided: p.CreatedAt, At: now}
}

func (p *Payment) subject() pinfree.Subject { return subjectOf(p.Instrument) }

// subjectOf names whose counters a payment moves. Whatever the payer pays with,
// it is paid from the balance of one account.
func subjectOf(i mianmi.InstrumentID) pinfree.Subject {
	return pinfree.Subject{Instrument: string(i), Account: accountOfPayer}
}

// accountOfPayer names the one account of a payer, among that payer's counters.
const accountOfPayer = "wallet"

// card is what the decision knows of an instrument; nil for none.
func card(in *payer.Instrument) pinfree.Card {
	if in == nil {
		return pinfree.Card{}
	}
	return pinfree.Card{Scheme: in.Scheme, Kind: in.Kind, Domestic: in.Domestic, Instrument: string(in.ID)}
}
