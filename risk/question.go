package risk

import (
	"context"
	"errors"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/payer"
)

// question is what a payer is asked by an ask.
func (p *Protection) question() payer.Question {
	return payer.Question{Measure: *p.because(), Payment: p.Payment, Until: p.Until}
}

// Questions are what a payer was asked and is asked, newest first.
func (s *Service) Questions(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID) ([]Protection, error) {
	if err := access.Allow(actor, access.PayerShow, access.Target{Payer: id}); err != nil {
		return nil, err
	}
	return s.Store.Measures(ctx, MeasureQuery{Payer: id, Measure: Ask, State: Taken, Limit: questionsMost})
}

// questionsMost bounds a list of questions.
const questionsMost = 50

// Reply is a payer's answer to "was it you?".
type Reply struct {
	Yes      bool
	Password string // needed for yes; never for no
}

// Answer takes a payer's answer. No: PIN-free payment is on hold when it returns,
// and a case of fraud and the raised alarm follow, again and again until they are
// there. Yes: needs the payment password, lifts what the same rule's step_up
// placed, and resolves the alarm if it is about nothing else. The same answer again
// changes nothing; another one is a Conflict with the code "question_answered",
// but for one that comes after the time was over.
func (s *Service) Answer(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, question mianmi.MeasureID, r Reply) (Protection, error) {
	if s.Payers == nil {
		return Protection{}, errors.New("risk: this service takes no answers")
	}
	p, err := s.ask(ctx, actor, id, question)
	if err != nil {
		return Protection{}, err
	}
	wanted := payer.Denied
	if r.Yes {
		wanted = payer.Confirmed
	}
	switch {
	case p.Answer == wanted:
		return p, nil
	case p.Answer != payer.NoAnswer && p.Answer != payer.Silent:
		return Protection{}, errAnswered
	case r.Yes && r.Password == "":
		return Protection{}, mianmi.InvalidField("password", "is needed to say that it was you")
	case !r.Yes && r.Password != "":
		return Protection{}, mianmi.InvalidField("password", "is not needed to say no")
	case r.Yes:
		err = s.Payers.Confirm(ctx, actor, id, p.question(), r.Password)
	default:
		err = s.Payers.Deny(ctx, actor, id, p.question())
	}
	if err != nil {
		return Protection{}, err
	}
	if p, err = s.ask(ctx, actor, id, question); err != nil {
		return Protection{}, err
	}
	if err := s.settle(ctx, &p); err != nil { // it is tried again
		s.Log.WarnContext(ctx, "risk: what follows from an answer has to wait", "question", p.ID, "error", err)
	}
	return p, nil
}

var errAnswered = mianmi.Conflicts("question_answered", "this question was answered otherwise; write to support if that was wrong")

// ask finds a question of a payer. Those of others look as if there were none.
func (s *Service) ask(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, question mianmi.MeasureID) (Protection, error) {
	if !actor.Is(mianmi.RolePayer) || id == "" || actor.ID != string(id) {
		return Protection{}, mianmi.Forbidden("not_allowed", "only the payer answers")
	}
	p, err := s.Store.Measure(ctx, question)
	if errors.Is(err, mianmi.NotFound) || err == nil && (p.Payer != id || p.Measure != Ask || p.State != Taken) {
		return Protection{}, mianmi.Missing("question")
	}
	return p, err
}

// settle does what follows from an answer, and notes that it is done.
func (s *Service) settle(ctx context.Context, p *Protection) error {
	if p.Answer == payer.Denied {
		if s.OpenCase == nil {
			return errors.New("risk: nobody opens cases here")
		}
		if err := s.OpenCase(ctx, *p); err != nil {
			return err
		}
	}
	_, err := s.Store.ChangeAlarm(ctx, p.Alarm, func(a *Alarm) (*evidence.Entry, error) { return s.answered(p, a) })
	if err != nil {
		return err
	}
	done := *p
	done.DueAt = time.Time{}
	return s.Store.PutOff(ctx, *p, done)
}

// answered says what an answer makes of its alarm.
func (s *Service) answered(p *Protection, a *Alarm) (*evidence.Entry, error) {
	payerActor := mianmi.Actor{Role: mianmi.RolePayer, ID: string(p.Payer)}
	switch {
	case a.State == Resolved:
		return nil, nil
	case p.Answer == payer.Confirmed:
		if a.Key != string(p.Payer) || a.Count > 1 { // somebody looks at the rest
			return nil, nil
		}
		a.State, a.ResolvedBy, a.ResolvedAt, a.DueAt, a.Verdict = Resolved, payerActor.String(), s.now(), time.Time{}, "harmless"
		return s.step(payerActor, TypeResolved, a)
	case p.Answer == payer.Denied && (a.Severity.Weight() < High.Weight() || a.EscalatedAt.IsZero()):
		if a.Severity.Weight() < High.Weight() {
			a.Severity = High
		}
		a.DueAt, a.EscalatedAt = time.Time{}, s.now()
		return s.step(payerActor, TypeEscalated, a)
	case p.Answer == payer.Silent && a.State == Open && a.EscalatedAt.IsZero():
		a.DueAt, a.EscalatedAt = time.Time{}, s.now()
		return s.step(guardian, TypeEscalated, a)
	}
	return nil, nil
}
