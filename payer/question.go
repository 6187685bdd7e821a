package payer

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
)

// Question is that a payer is asked "was it you?" about what a risk rule found.
type Question struct {
	Measure mianmi.Measure
	Payment mianmi.PaymentID // at which it was found; empty: at none
	Until   time.Time        // within which an answer is waited for
}

// Answer is what became of a question. The numbers are stored.
type Answer uint8

// The answers. The zero Answer is none yet.
const (
	NoAnswer  Answer = iota
	Confirmed        // it was the payer, who gave the payment password
	Denied           // it was not
	Silent           // nobody answered in time
)

var answerNames = []string{"", "yes", "no", "none"}

// String is the answer's name in the API.
func (a Answer) String() string { return answerNames[min(int(a), len(answerNames)-1)] }

// deniedFor is how long a payer's "no" keeps PIN-free payment on hold, if staff do
// not lift it before: the time in which such a case is to be decided.
const deniedFor = 7 * 24 * time.Hour

// Ask records that the payer is asked. It changes no setting. That it was asked
// before is a Conflict with the code "measure_taken".
func (s *Service) Ask(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, q Question) error {
	if !actor.Is(mianmi.RoleSystem) {
		return mianmi.Forbidden("not_allowed", "only a risk rule asks")
	}
	_, err := s.change(ctx, id, func(c *Change, now time.Time) error {
		c.Measure, c.MeasureAt = q.Measure.ID, now
		return s.noteQuestion(c, now, actor, "payer.question.asked", &q)
	})
	return err
}

// Confirm is the payer's "yes, that was me", with the payment password: whoever
// only holds the phone cannot say it. It lifts a hold that the same rule placed, if
// the password may lift it; what a rule froze or a person placed stays.
func (s *Service) Confirm(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, q Question, password string) error {
	if err := s.mayAnswer(actor, id); err != nil {
		return err
	}
	if err := s.Verify(ctx, id, password); err != nil {
		return err
	}
	_, err := s.change(ctx, id, func(c *Change, now time.Time) error {
		c.Measure, c.Answer, c.MeasureAt = q.Measure.ID, Confirmed, now
		p := &c.Payer
		if h := p.Held(now); h != nil && h.Answerable() && h.Rule == q.Measure.Rule {
			before := p.snapshot()
			p.Hold = nil
			if err := s.record(c, now, recordInput{Actor: actor, Type: "payer.hold.lifted", Before: before, Measure: &q.Measure}); err != nil {
				return err
			}
		}
		return s.noteQuestion(c, now, actor, "payer.question.confirmed", &q)
	})
	return err
}

// Deny is the payer's "no, that was not me". Before it returns, every payment asks
// for authentication, for a week unless staff lift that before; a session is enough
// to say it, for it only tightens.
func (s *Service) Deny(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, q Question) error {
	if err := s.mayAnswer(actor, id); err != nil {
		return err
	}
	return s.answer(ctx, actor, id, &q, Denied, Hold{By: actor.Role.String(), Because: HoldReported}, deniedFor)
}

// Silence is that nobody answered in time: payments ask for authentication for as
// long again as was waited, at most HoldLifeMax, until the payer gives the password.
func (s *Service) Silence(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, q Question, life time.Duration) error {
	if !actor.Is(mianmi.RoleSystem) {
		return mianmi.Forbidden("not_allowed", "only a risk rule waits for an answer")
	}
	return s.answer(ctx, actor, id, &q, Silent, Hold{By: actor.Role.String(), Because: HoldUnusual, Rule: q.Measure.Rule}, min(life, HoldLifeMax))
}

// answer tightens by an answer that is not yes.
func (s *Service) answer(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, q *Question, a Answer, h Hold, life time.Duration) error {
	_, err := s.change(ctx, id, func(c *Change, now time.Time) error {
		c.Measure, c.Answer, c.MeasureAt = q.Measure.ID, a, now
		p := &c.Payer
		h.Since, h.Until = now, now.Add(life).Truncate(time.Microsecond)
		if wanted := p.Held(now).with(h); p.Hold == nil || wanted != *p.Hold {
			before := p.snapshot()
			p.Hold = &wanted
			if err := s.record(c, now, recordInput{Actor: actor, Type: "payer.hold.placed", Before: before, Measure: &q.Measure}); err != nil {
				return err
			}
		}
		kind := "payer.question.denied"
		if a == Silent {
			kind = "payer.question.unanswered"
		}
		return s.noteQuestion(c, now, actor, kind, q)
	})
	return err
}

func (s *Service) mayAnswer(actor mianmi.Actor, id mianmi.PayerID) error {
	if !actor.Is(mianmi.RolePayer) {
		return mianmi.Forbidden("not_allowed", "only the payer answers")
	}
	return access.Allow(actor, access.PayerTighten, target(id))
}

// noteQuestion adds an entry about a question, after those that change settings.
func (s *Service) noteQuestion(c *Change, now time.Time, actor mianmi.Actor, kind string, q *Question) error {
	n := c.Payer.snapshot()
	detail := map[string]any{"until": q.Until.UTC().Format(time.RFC3339)}
	if q.Payment != "" {
		detail["payment"] = string(q.Payment)
	}
	e, err := s.entry(now, c.Payer.ID, actor, kind, Record{Version: c.Payer.Version, Before: n, After: n, Session: actor.Via, Detail: detail, Measure: &q.Measure})
	if err != nil {
		return err
	}
	e.ID, err = s.entryID(now, 2*c.Payer.Version+1)
	c.Noted = append(c.Noted, e)
	return err
}
