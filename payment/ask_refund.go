package payment

import (
	"context"
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
)

// undo has a payment through a channel outside called off: that is done when the
// channel has said so. The caller holds the change.
func (s *Service) undo(ctx context.Context, c *Change, ending State, f fact) error {
	order := c.order()
	if order == nil {
		return fmt.Errorf("payment %s has no order at %s", c.Payment.ID, c.Payment.Channel)
	}
	t := giveUp(*order, ending, channel.NoFailure, s.at(order))
	if order.Way == channel.ByQR && order.Taken { // a code that was paid cannot be closed
		t = giveBack(*order, undoing, s.at(order))
	}
	return s.turned(ctx, c, t, f)
}

// reverseOutside is reverse for a payment through a channel outside.
func (s *Service) reverseOutside(ctx context.Context, c *Change, actor mianmi.Actor) error {
	for i := range c.Refunds {
		if c.Refunds[i].State != RefundFailed {
			return errNotReversible
		}
	}
	order := c.order()
	if order != nil && order.Refusals >= returnsMax {
		return errNotGivenBack
	}
	if order != nil && s.now().Sub(order.Began) > s.paceOf(order.Channel).UndoWithin {
		return errTooLateToReverse
	}
	return s.undo(ctx, c, Reversed, fact{kind: TypeUndoing, actor: actor})
}

var errNotGivenBack = mianmi.Conflicts("not_given_back", "the payment system has refused to give the money back: refund it later, or in another way")

// refundOutside asks a channel outside for a refund.
func (s *Service) refundOutside(c *Change, out *Refund, actor mianmi.Actor) error {
	order := c.order()
	if order == nil {
		return fmt.Errorf("payment %s has no order at %s", c.Payment.ID, c.Payment.Channel)
	}
	asked := *order
	asked.Refund, asked.Task, asked.Due, asked.Tries, asked.Asked = out.ID, PayBack, out.At, 0, false
	asked.Counted, asked.Allowance, asked.QR = false, nil, ""
	c.Calls = append(c.Calls, asked)
	out.State = RefundPending
	c.Refund = out
	return s.settle(out.At, c, fact{kind: TypeRefundPending, actor: actor})
}

// pending is what of a payment is being given back.
func pending(list []Refund) (minor int64) {
	for i := range list {
		if list[i].State.Owed() {
			minor += list[i].Amount.Minor()
		}
	}
	return minor
}

// reasonBackMax is how many characters of a reason a channel takes.
const reasonBackMax = 80

// askRefund asks for money back: that of a merchant's refund, or the whole of a
// payment that cannot be undone in another way.
func (s *Service) askRefund(ctx context.Context, r channel.Remote, p *Payment, c *Call) error {
	o := channel.RefundOrder{Ref: c.ref(), Refund: c.Refund, Amount: p.Amount, Total: p.Amount, Reason: "已撤销 reversed"}
	if c.Task == PayBack {
		list, err := s.Books.Refunds(ctx, p.ID)
		if err != nil {
			return err
		}
		for i := range list {
			if list[i].ID == c.Refund {
				o.Amount, o.Reason = list[i].Amount, firstOf(list[i].Reason, reasonBackMax)
			}
		}
	} else {
		var err error
		if o.Refund, err = s.number(ctx, c); err != nil || o.Refund == "" {
			return err
		}
	}
	asking, cancel := context.WithTimeout(ctx, r.Pace().Answer)
	defer cancel()
	var a channel.RefundAnswer
	if c.Asked {
		a = r.QueryRefund(asking, o)
	}
	if a.Standing == channel.Unclear {
		a = r.Refund(asking, o)
	}
	return s.heardRefund(ctx, c, a)
}

func firstOf(s string, n int) string {
	for i := range s {
		if n--; n < 0 {
			return s[:i]
		}
	}
	return s
}

// number gives the return of a payment its number, which is kept before anybody
// is asked; empty: nothing is to be given back any more.
func (s *Service) number(ctx context.Context, c *Call) (mianmi.RefundID, error) {
	if c.Return != "" {
		return c.Return, nil
	}
	bucket, err := c.Payment.Bucket()
	if err != nil {
		return "", err
	}
	id, err := mianmi.NewBucketID("rf", bucket, s.Clock.Now(), s.Random)
	if err != nil {
		return "", err
	}
	err = s.Books.Change(ctx, c.Payment, func(ch *Change) error {
		order := ch.order()
		if c.Return = ""; order == nil || order.Task != GiveBack {
			return nil
		}
		if order.Return == "" {
			order.Return = mianmi.RefundID(id)
		}
		c.Return = order.Return
		return nil
	})
	return c.Return, err
}

// heardRefund writes what a channel's answer makes of a refund.
func (s *Service) heardRefund(ctx context.Context, c *Call, a channel.RefundAnswer) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if a.Fault != "" {
		s.Log.WarnContext(ctx, "a channel did not say what was asked", "payment", string(c.Payment), "channel", c.Channel, "fault", a.Fault)
	}
	if a.Standing == channel.Unpaid {
		s.Log.ErrorContext(ctx, "a channel gives no money back: look at it", "payment", string(c.Payment), "refund", string(c.Refund), "channel", c.Channel,
			"failure", a.Failure.String())
	}
	var payer mianmi.PayerID
	err := s.Books.Change(ctx, c.Payment, func(ch *Change) error {
		payer = ch.Payment.Payer
		if c.Task == PayBack {
			return s.paidBack(ch, c, a)
		}
		order := ch.order()
		if order == nil || order.Task != GiveBack || order.Return != c.Return {
			return nil
		}
		t := hearReturn(*order, a, s.at(order))
		return s.turned(ctx, ch, t, fact{kind: typeOf(t), actor: mianmi.System("channel")})
	})
	if err == nil {
		s.watch.tell(payer)
	}
	return err
}

// paidBack is a merchant's refund of which the channel has said something.
func (s *Service) paidBack(c *Change, asked *Call, a channel.RefundAnswer) error {
	call := c.call(asked.Refund)
	var f *Refund
	for i := range c.Refunds {
		if c.Refunds[i].ID == asked.Refund {
			f = &c.Refunds[i]
		}
	}
	if call == nil || f == nil || !f.State.Owed() {
		return nil
	}
	at, p := s.at(call), c.Payment
	switch a.Standing {
	case channel.Paid:
		f.State, call.Task, call.Due, call.Transaction = RefundDone, Rest, time.Time{}, a.Transaction
		c.Postings = append(c.Postings, outsidePosting(channel.Refund, p, f.Amount))
		p.refunded(f.Amount)
		return s.settle(at.now, c, fact{kind: TypeRefunded, actor: mianmi.System("channel"), refund: f})
	case channel.Unpaid, channel.GivenBack:
		f.State, call.Task, call.Due = RefundFailed, Rest, time.Time{}
		return s.settle(at.now, c, fact{kind: TypeRefundFailed, actor: mianmi.System("channel"), refund: f})
	case channel.Unclear, channel.Waiting:
	}
	call.Asked, call.Tries = true, call.Tries+1
	if !call.waits(at) {
		return nil
	}
	f.State = RefundStalled
	return s.settle(at.now, c, fact{kind: TypeRefundStalled, actor: mianmi.System("channel"), refund: f})
}

// returnAgain has a channel asked anew for the return of a payment, when it was
// given up for people to look at. The caller holds the change.
func (s *Service) returnAgain(ctx context.Context, c *Change, actor mianmi.Actor) error {
	order := c.order()
	if order == nil || !order.stands() {
		return nil
	}
	t := turn{call: *order, state: Undoing, what: undoing}
	t.call.again(s.now())
	c.Payment.Failure = channel.NoFailure
	return s.turned(ctx, c, t, fact{kind: TypeUndoing, actor: actor})
}

// refundAgain is the same for a refund, whose request is repeated.
func (s *Service) refundAgain(c *Change, f *Refund, actor mianmi.Actor) error {
	call := c.call(f.ID)
	if f.State != RefundStalled || call == nil {
		return nil
	}
	now := s.now()
	call.again(now)
	f.State = RefundPending
	return s.settle(now, c, fact{kind: TypeRefundPending, actor: actor, refund: f})
}
