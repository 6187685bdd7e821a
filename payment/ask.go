package payment

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
)

// askFirst asks the channel for a payment that has just been committed, by whom
// the code is known: it is in memory alone, and is used once. Whoever waits for
// longer than this takes is answered with the payment as it was committed.
func (s *Service) askFirst(ctx context.Context, c *call, r Result, first Call) {
	for _, w := range append([]*call{c}, c.same...) {
		if w.ask.Digest == c.ask.Digest {
			as := *r.Payment
			w.first.Store(&as)
		}
	}
	p := *r.Payment
	s.done.Go(func() {
		a := s.charge(ctx, &c.req, &p, &first)
		if after, err := s.heard(ctx, &first, Open, a); err == nil {
			r.Payment = after
		} else { // the worker asks for it by its number
			s.Log.ErrorContext(ctx, "the answer of a channel could not be written", "payment", string(p.ID), "channel", p.Channel, "error", err)
		}
		s.answer(c, r)
	})
}

// charge asks for a new order. A process that stood still for so long that
// another may have had the order undone does not ask any more.
func (s *Service) charge(ctx context.Context, req *Request, p *Payment, c *Call) channel.Answer {
	remote, pace := req.outside.remote, req.outside.remote.Pace()
	left := pace.Answer - s.now().Sub(c.Began)
	if left <= 0 {
		return channel.Answer{Fault: "not asked: the order is too old"}
	}
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	o := c.order(p, s.about(p))
	if c.Way == channel.ByCode {
		return remote.Charge(ctx, o, req.Code)
	}
	return remote.Prepay(ctx, o)
}

// aboutMax bounds what the payer reads at the channel.
const aboutMax = 120

// about is what the payer reads: the merchant's name, as far as it fits.
func (s *Service) about(p *Payment) string {
	name := string(p.Merchant)
	if snap := s.latest.Load(); snap != nil {
		if m, ok := snap.Merchant(p.Merchant); ok && m.Name != "" {
			name = m.Name
		}
	}
	for i := range name {
		if i > aboutMax-4 { // the longest character has four bytes
			return name[:i]
		}
	}
	return name
}

const (
	// askMax is how many questions a channel is asked at once, in one turn: what
	// hangs there holds up the rest for one answer, not for one each.
	askMax = 64
	// askLease is longer than a turn takes; after it another process goes on.
	askLease = time.Minute
	// askSteps bounds what is done for one payment in a turn: a question that ends
	// in giving up, and the undoing that is to follow it at once.
	askSteps = 2
)

// AskChannel does what is due at a channel over a network and returns how much.
// Each channel is asked by itself: one that hangs holds up no other.
func (s *Service) AskChannel(ctx context.Context, name string) (int, error) {
	i := slices.IndexFunc(s.Remotes, func(r channel.Remote) bool { return r.Name() == name })
	if i < 0 {
		return 0, fmt.Errorf("this server is not connected to %s", name)
	}
	now := s.now()
	calls, err := s.Books.ClaimCalls(ctx, Claim{Channel: name, Now: now, Until: now.Add(askLease), Limit: askMax})
	if err != nil {
		return 0, err
	}
	faults := make([]error, len(calls))
	var all sync.WaitGroup
	for k := range calls {
		all.Go(func() {
			if err := s.ask(ctx, s.Remotes[i], &calls[k]); err != nil { // one must not keep the others waiting
				faults[k] = fmt.Errorf("payment %s at %s: %w", calls[k].Payment, name, err)
			}
		})
	}
	all.Wait()
	return len(calls), errors.Join(faults...)
}

// ask does what is due for one call.
func (s *Service) ask(ctx context.Context, remote channel.Remote, c *Call) error {
	for range askSteps {
		p, err := s.Books.Payment(ctx, c.Payment)
		if err != nil {
			return err
		}
		if c.Task == GiveBack || c.Task == PayBack {
			return s.askRefund(ctx, remote, p, c)
		}
		asked := c.Task
		p, err = s.heard(ctx, c, asked, s.question(ctx, remote, p, c))
		if err != nil {
			return err
		}
		// What follows at once is the undoing of what has just been given up.
		if *c, err = s.Books.Call(ctx, p.ID); err != nil || c.Task != Undo || c.stands() || c.Due.After(s.now()) {
			return err
		}
	}
	return nil
}

// question asks for an order what is to be asked.
func (s *Service) question(ctx context.Context, r channel.Remote, p *Payment, c *Call) channel.Answer {
	pace := r.Pace()
	ctx, cancel := context.WithTimeout(ctx, pace.Answer)
	defer cancel()
	now := s.now()
	switch {
	case c.Task == Open && now.Before(c.Until):
		return r.Prepay(ctx, c.order(p, s.about(p)))
	case c.Task == Undo && (c.Way == channel.ByQR || now.Sub(c.Began) <= pace.UndoWithin):
		return r.Undo(ctx, c.ref())
	}
	return r.Query(ctx, c.ref())
}

// paceOf is the pace of a channel; the zero Pace of one that is gone.
func (s *Service) paceOf(name string) channel.Pace {
	for _, r := range s.Remotes {
		if r.Name() == name {
			return r.Pace()
		}
	}
	return channel.Pace{}
}

// at is now, at the pace of a call's channel.
func (s *Service) at(c *Call) moment { return moment{s.now(), s.paceOf(c.Channel)} }

// heard writes what a channel's answer makes of a payment and returns it.
func (s *Service) heard(ctx context.Context, c *Call, asked Task, a channel.Answer) (*Payment, error) {
	if ctx.Err() != nil { // the answer may be missing because we stop: whoever is next asks again
		return nil, ctx.Err()
	}
	if a.Fault != "" {
		s.Log.WarnContext(ctx, "a channel did not say what was asked", "payment", string(c.Payment), "channel", c.Channel, "fault", a.Fault)
	}
	var out *Payment
	var what happening
	err := s.Books.Change(ctx, c.Payment, func(ch *Change) error {
		out, what = ch.Payment, nothingNew
		order := ch.order()
		if order == nil {
			return fmt.Errorf("payment %s has no order at %s", c.Payment, c.Channel)
		}
		a := a
		if a.Standing == channel.Paid && a.Amount != out.Amount && !(asked == Undo && a.Amount.Minor() == 0) {
			s.Log.ErrorContext(ctx, "a channel says that another amount was paid: look at it", "payment", string(c.Payment), "channel", c.Channel,
				"want", out.Amount.String(), "got", a.Amount.String())
			a = channel.Answer{}
		}
		t := hear(out.State, *order, asked, a, s.at(order))
		what = t.what
		return s.turned(ctx, ch, t, fact{kind: typeOf(t), actor: mianmi.System("channel")})
	})
	if err != nil {
		return nil, err
	}
	if what == late {
		s.Log.ErrorContext(ctx, "money came after a payment had ended without: it is given back", "payment", string(out.ID), "channel", out.Channel)
	}
	if what == stalled {
		s.Log.ErrorContext(ctx, "a channel has not said for a week whether it undid a payment: it is asked no more; look at it there, and reverse it again here", "payment", string(out.ID), "channel", out.Channel)
	}
	if what == captured && a.Payer != "" {
		s.learnFrom(ctx, out, a.Payer)
	}
	s.watch.tell(out.Payer)
	return out, nil
}

// order is the call about the payment's order; nil: there is none.
func (c *Change) order() *Call { return c.call("") }

// call is the call about a refund, or about the order.
func (c *Change) call(r mianmi.RefundID) *Call {
	for i := range c.Calls {
		if c.Calls[i].Refund == r {
			return &c.Calls[i]
		}
	}
	return nil
}

// typeOf is the type of the entry about a turn.
func typeOf(t turn) string {
	switch t.what {
	case payerBusy:
		return TypePayerAsked
	case unclear:
		return TypeUnclear
	case captured:
		return TypeCaptured
	case undoing:
		return TypeUndoing
	case reversed:
		return TypeReversed
	case late:
		return TypeLate
	case kept:
		return TypeKept
	case stalled:
		if t.call.Task == Undo {
			return TypeUndoStalled
		}
		return TypeReturnStalled
	case ended:
		if t.state == Expired {
			return TypeExpired
		}
		return TypeDeclined
	case nothingNew:
	}
	return ""
}

// turned writes a turn into a change: the call, the books, the payer's counters,
// and, when something has happened, the payment.
func (s *Service) turned(ctx context.Context, c *Change, t turn, f fact) error {
	p, now := c.Payment, s.now()
	order := c.order()
	*order = t.call
	p.QR, p.Transaction = order.QR, order.Transaction
	if t.capture {
		c.Postings = append(c.Postings, outsidePosting(channel.Capture, p, p.Amount))
	}
	if t.back {
		c.Postings = append(c.Postings, outsidePosting(channel.Reversal, p, p.Amount))
	}
	if t.what == nothingNew {
		return nil
	}
	p.State = t.state
	switch {
	case t.failure != channel.NoFailure:
		p.Failure = t.failure
	case t.state == Approved || t.state == Reversed:
		p.Failure = channel.NoFailure
	}
	switch t.what {
	case captured, kept:
		p.CVM = order.inferred()
	case ended, reversed:
		s.uncount(ctx, c, order, now)
	case nothingNew, payerBusy, unclear, undoing, late, stalled:
	}
	if p.State == StepUpRequired {
		p.StepUp, p.ExpiresAt = pinfree.ByDynamicQR, order.Until
	}
	return s.settle(now, c, f)
}

// inferred is how the payer was verified, as far as the answers tell: who had to
// be waited for has most likely typed a password.
func (c *Call) inferred() pinfree.CVM {
	if c.Way == channel.ByQR || c.Busy {
		return pinfree.PhonePassword
	}
	return pinfree.NoCVM
}

// outsidePosting moves money between a merchant and a channel outside.
func outsidePosting(k channel.Kind, p *Payment, amount money.Amount) channel.Posting {
	there, here := channel.OfChannel(p.Channel), channel.OfMerchant(p.Merchant)
	if k == channel.Capture {
		return channel.Posting{Kind: k, Debit: there, Credit: here, Amount: amount}
	}
	return channel.Posting{Kind: k, Debit: here, Credit: there, Amount: amount}
}

// uncount gives back what the payment took of a payer's counters, and the
// allowance, unless the payer has changed something since: that is newer.
func (s *Service) uncount(ctx context.Context, c *Change, order *Call, now time.Time) {
	a := c.Account
	if a == nil || !order.Counted {
		return
	}
	a.Counters, a.Dirty = s.seen(ctx, c.Settings).Record(a.Counters, c.event(pinfree.ReversedPinFree, now)), true
	if w := order.Allowance; w != nil && a.Allowance == nil && a.Version == c.Payment.PayerVersion && now.Before(w.ExpiresAt) {
		a.Allowance = w
	}
	order.Counted, order.Allowance = false, nil
}

// withCall is a payment with what the channel has said of it; what cannot be read
// now is left out. Callers of one request share the payment, so theirs stays as it is.
func (s *Service) withCall(ctx context.Context, p *Payment) *Payment {
	if p == nil || !p.Outside() || p.QR != "" || p.Transaction != "" || ctx.Err() != nil {
		return p
	}
	c, err := s.Books.Call(ctx, p.ID)
	if err != nil {
		return p
	}
	with := *p
	with.QR, with.Transaction = c.QR, c.Transaction
	return &with
}
