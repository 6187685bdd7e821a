package support

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payment"
)

const (
	// sayLife is how long a channel is asked for an answer that stays unclear.
	sayLife = 24 * time.Hour
	// saySkew is how far the channel's clock may be behind ours.
	saySkew = 5 * time.Minute
)

// Say says at channels what was ordered and is due, and returns how much it was.
func (s *Service) Say(ctx context.Context) (int, error) {
	count, err := s.sayDue(ctx, nil, Wallet.Channel, []string{Wallet.Account})
	faults := []error{err}
	for _, ch := range s.Channels {
		n, err := s.sayDue(ctx, ch, ch.Name(), ch.Accounts())
		count, faults = count+n, append(faults, err)
	}
	return count, errors.Join(faults...)
}

// sayDue says what is due at a channel; nil is here.
func (s *Service) sayDue(ctx context.Context, ch Channel, name string, accounts []string) (int, error) {
	now := s.now()
	due, err := s.Store.ClaimAnswers(ctx, name, accounts, now, now.Add(syncLease), syncMax)
	return len(due), errors.Join(err, beside(due, func(a *Answer) error {
		if err := s.sayOne(ctx, ch, a); err != nil {
			return fmt.Errorf("%v of complaint %s: %w", *a, a.Complaint, err)
		}
		return nil
	}))
}

// sayOne takes an answer one step on. Whatever is not clear is tried again.
func (s *Service) sayOne(ctx context.Context, ch Channel, a *Answer) error {
	fault, err := s.say(ctx, ch, a)
	switch {
	case ctx.Err() != nil:
		return ctx.Err() // we stop: whoever is next goes on
	case err != nil && s.now().Sub(a.Began) < sayLife:
		return errors.Join(err, s.Store.PutOffAnswer(ctx, a, s.now().Add(pause(a.Tries))))
	case err != nil:
		fault = "unclear"
		s.Log.ErrorContext(ctx, "it is not clear whether a channel took an answer, and it is tried no more: look there", "channel", a.At.Channel, "account", a.At.Account,
			"complaint", string(a.Complaint), "answer", string(a.ID), "error", err)
	}
	return s.Store.EndAnswer(ctx, a, func(c *Change) (err error) {
		kind := TypeDone
		a.State, a.Fault, a.Ended = Done, fault, s.now()
		if ch == nil && fault == "" {
			if a.Fault, err = s.takeHere(c, a); err != nil {
				return err
			}
		}
		if a.Fault != "" {
			a.State, kind = Failed, TypeFailed
		}
		return s.told(c, kind, a)
	})
}

// say gives money back where that was approved, looks whether the channel has
// the answer, and says it when not. A fault is final; an error is not.
func (s *Service) say(ctx context.Context, ch Channel, a *Answer) (fault string, err error) {
	if a.Kind == Approve {
		if fault, err := s.giveBack(ctx, a); fault != "" || err != nil {
			return fault, err
		}
	}
	if ch == nil {
		return s.maySayHere(ctx, a)
	}
	c, taken, err := s.look(ctx, ch, a)
	switch {
	case err != nil || taken:
		return "", err
	case c.State == Processed:
		return "complaint_over", nil
	case a.Kind == Complete && c.Version != a.Version:
		return "complaint_changed", nil
	case a.Kind == Complete && s.refundPending(ctx, &c):
		return "refund_pending", nil
	}
	if err := ch.Answer(ctx, a.At.Account, a.At.Number, a.Order); err != nil {
		return "", err
	}
	// It was taken, and nothing below changes that. Whoever reads the complaint next
	// is to see it there.
	if _, _, err := s.look(ctx, ch, a); err != nil {
		return "", s.Store.WantSync(ctx, s.now(), a.At)
	}
	return "", nil
}

// look reads the complaint at its channel, stores it, and finds the answer in it.
func (s *Service) look(ctx context.Context, ch Channel, a *Answer) (c Complaint, taken bool, err error) {
	asked := s.now()
	seen, err := ch.Read(ctx, a.At.Account, a.At.Number)
	if err != nil {
		return c, false, err
	}
	if err := s.record(ctx, ch, a.At, seen, asked); err != nil {
		return c, false, err
	}
	if c, err = s.Store.ComplaintByKey(ctx, a.At); err != nil {
		return c, false, err
	}
	if a.Kind == Complete {
		return c, c.State == Processed, nil
	}
	others, err := s.Store.Answers(ctx, a.Complaint)
	if err != nil {
		return c, false, err
	}
	for _, t := range seen.Steps {
		shown := func(b Answer) bool { return b.Step == t.Number }
		if t.Did == did(a.Kind) && (did(a.Kind) == Approve || t.Text == a.Text) && !t.At.Before(a.Began.Add(-saySkew)) && !slices.ContainsFunc(others, shown) {
			a.Step = t.Number
			return c, true, nil
		}
	}
	return c, false, nil
}

// did is how a channel shows a kind: it does not know who gives money back.
func did(k Kind) Kind {
	if k == Promise {
		return Approve
	}
	return k
}

// giveBack orders the refund, in the name of who approved it. A repeat is the
// same refund, for its number is the answer's.
func (s *Service) giveBack(ctx context.Context, a *Answer) (fault string, err error) {
	_, err = s.Payments.Refund(ctx, a.Actor, a.Payment, payment.RefundRequest{RefundNo: string(a.ID), Amount: a.Amount, Reason: "complaint " + string(a.Complaint)})
	var known *mianmi.Error
	if errors.As(err, &known) && known.Kind != mianmi.Internal && known.Kind != mianmi.Unavailable {
		return "refund_refused", nil
	}
	return "", err
}
