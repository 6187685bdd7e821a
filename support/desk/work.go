package desk

import (
	"context"
	"fmt"
	"slices"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/money"
)

var (
	errChanged = mianmi.Conflicts("case_changed", "somebody has changed the case since the version that you have seen: read it first")
	errNotes   = mianmi.Conflicts("too_many_notes", "a case has at most 500 notes")
	errLinks   = mianmi.Conflicts("too_many_links", "a case has at most 200 links")
	errKey     = mianmi.Conflicts("note_conflict", "this key was used for another note; use a new key")
)

// change runs fn on the case under lock, for who may see it, and returns what it
// left as the actor sees it.
func (s *Service) change(ctx context.Context, actor mianmi.Actor, id mianmi.CaseID, fn func(*Change) error) (Whole, error) {
	err := s.Store.ChangeCase(ctx, id, func(ch *Change) error {
		if err := s.see(actor, &ch.Case); err != nil {
			return err
		}
		return fn(ch)
	})
	if err != nil {
		return Whole{}, err
	}
	return s.Case(ctx, actor, id)
}

// Move is where a case is brought to, and why.
type Move struct {
	To      State
	Version int64  // that the caller has seen
	Why     string // for mianmi's own people; empty: none
}

// Move brings the case to another state; who may do which move stands in moves.
// A decision has reasons of its own: Decide.
func (s *Service) Move(ctx context.Context, actor mianmi.Actor, id mianmi.CaseID, m Move) (Whole, error) {
	switch {
	case m.To == NoState || m.To == Open || m.To == Decided || m.To > Closed:
		return Whole{}, mianmi.InvalidField("to", "want in_progress, waiting_payer, waiting_merchant, waiting_bank or closed; a decision is made with its reasons")
	case m.Why != "":
		if err := checkText("why", m.Why); err != nil {
			return Whole{}, err
		}
	}
	return s.change(ctx, actor, id, func(ch *Change) error {
		c, now, who := &ch.Case, s.now(), sides(actor, &ch.Case)
		if c.State == m.To && c.Version == m.Version+1 {
			return nil // a repeat
		}
		if err := c.may(who, m.To, now); err != nil {
			return err
		}
		switch {
		case c.Version != m.Version:
			return errChanged
		case m.To == WaitingMerchant && c.Merchant == "":
			return mianmi.InvalidField("to", "the case is about no merchant, or about several")
		case m.To == WaitingPayer && c.Payer == "" && !ch.Was.reaches():
			return mianmi.InvalidField("to", "the case is about no payer")
		}
		from := c.State
		c.enter(m.To, now, s.Levels.Of(c.Kind, c.Rail))
		if m.To == Closed && c.Verdict == NoVerdict {
			c.Verdict = Answered
			if who&byPayer != 0 {
				c.Verdict = Withdrawn
			}
		}
		if m.Why != "" {
			if err := ch.note(Note{Key: fmt.Sprintf("move-%d", c.Version+1), Audience: Inside, Actor: actor.String(), Text: m.Why, At: now}); err != nil {
				return err
			}
		}
		return s.add(ch, actor, TypeMoved, func(r *Record) { r.From, r.Why = from.String(), s.digest(m.Why) })
	})
}

// note adds a note under its number.
func (ch *Change) note(n Note) error {
	have := int64(len(ch.Was.Notes) + len(ch.Notes))
	if have >= notesMax {
		return errNotes
	}
	n.N = have + 1
	ch.Notes = append(ch.Notes, n)
	return nil
}

// Assignment is whose work a case is to be.
type Assignment struct {
	Queue    Queue          // NoQueue: as it is
	Assignee mianmi.StaffID // empty: nobody
	Version  int64
}

// Assign gives the case to a queue and to somebody there.
func (s *Service) Assign(ctx context.Context, actor mianmi.Actor, id mianmi.CaseID, a Assignment) (Whole, error) {
	if err := access.Allow(actor, access.CaseWork, access.Target{}); err != nil {
		return Whole{}, err
	}
	if a.Queue > RiskDesk {
		return Whole{}, mianmi.InvalidField("queue", "want support or risk")
	}
	if a.Assignee != "" {
		m, err := s.Staff.StaffByID(ctx, a.Assignee)
		if err != nil && mianmi.KindOf(err) != mianmi.NotFound {
			return Whole{}, err
		}
		if err != nil || !m.Active || !m.Actor().Is(mianmi.RoleSupport, mianmi.RoleRisk, mianmi.RoleOperator) {
			return Whole{}, mianmi.InvalidField("assignee", "want an active member of staff with the role support_agent, risk_analyst or operator")
		}
	}
	return s.change(ctx, actor, id, func(ch *Change) error {
		c := &ch.Case
		if c.Assignee == a.Assignee && (a.Queue == NoQueue || c.Queue == a.Queue) {
			return nil
		}
		if c.Version != a.Version {
			return errChanged
		}
		if a.Queue != NoQueue {
			c.Queue = a.Queue
		}
		c.Assignee = a.Assignee
		return s.add(ch, actor, TypeAssigned, nil)
	})
}

// NewNote is a note to be written.
type NewNote struct {
	Key      string // the caller's own; a repeat is harmless
	Audience Audience
	Text     string
}

// Write adds a note. One by the desk for the payer is the first answer. One by
// whom the case waits for sets it going again.
func (s *Service) Write(ctx context.Context, actor mianmi.Actor, id mianmi.CaseID, n NewNote) (Whole, error) {
	switch {
	case n.Key == "" || len(n.Key) > 64 || !token(n.Key):
		return Whole{}, mianmi.InvalidField("key", "1 to 64 letters, digits, _ and -")
	case n.Audience == NoAudience || n.Audience > ForMerchant:
		return Whole{}, mianmi.InvalidField("audience", "want inside, payer or merchant")
	}
	if err := checkText("text", n.Text); err != nil {
		return Whole{}, err
	}
	return s.change(ctx, actor, id, func(ch *Change) error {
		c, now, who := &ch.Case, s.now(), sides(actor, &ch.Case)
		if err := mayWrite(&ch.Was, who, n.Audience); err != nil {
			return err
		}
		for _, o := range ch.Was.Notes {
			if o.Key == n.Key {
				if o.Text != n.Text || o.Audience != n.Audience || o.Actor != actor.String() {
					return errKey
				}
				return nil
			}
		}
		if who&byDesk != 0 && n.Audience == ForPayer {
			if err := ch.Was.sayable(n.Text); err != nil {
				return err
			}
		}
		if err := ch.note(Note{Key: n.Key, Audience: n.Audience, Actor: actor.String(), Text: n.Text, At: now}); err != nil {
			return err
		}
		from := c.State
		switch {
		case who&byDesk != 0 && n.Audience == ForPayer && c.AnsweredAt.IsZero():
			c.AnsweredAt = now
		case who&byPayer != 0 && c.State == WaitingPayer, who&byShop != 0 && c.State == WaitingMerchant:
			c.enter(InProgress, now, Level{})
		}
		return s.add(ch, actor, TypeNoted, func(r *Record) {
			r.Audience, r.Words = n.Audience.String(), s.digest(n.Text)
			if from != c.State {
				r.From = from.String()
			}
		})
	})
}

func mayWrite(w *Whole, who side, a Audience) error {
	c := &w.Case
	switch {
	case who&byDesk != 0 && a == ForMerchant && c.Merchant == "":
		return mianmi.InvalidField("audience", "the case is about no merchant, or about several")
	case who&byDesk != 0 && a == ForPayer && c.Payer == "" && !w.reaches():
		return mianmi.InvalidField("audience", "the case is about no payer")
	case who&byDesk != 0, who&byPayer != 0 && a == ForPayer, who&byShop != 0 && a == ForMerchant:
	default:
		return mianmi.Forbidden("not_allowed", "this is not yours to write")
	}
	if c.State == Closed {
		return mianmi.Conflicts("case_over", "the case is over: reopen it first")
	}
	return nil
}

// Link names something more that the case is about.
func (s *Service) Link(ctx context.Context, actor mianmi.Actor, id mianmi.CaseID, l NewLink) (Whole, error) {
	if err := access.Allow(actor, access.CaseWork, access.Target{}); err != nil {
		return Whole{}, err
	}
	if err := l.check(""); err != nil {
		return Whole{}, err
	}
	return s.change(ctx, actor, id, func(ch *Change) error {
		if slices.ContainsFunc(ch.Was.Links, func(o Link) bool { return o.Kind == l.Kind && o.Ref == l.Ref }) {
			return nil
		}
		if len(ch.Was.Links) >= linksMax {
			return errLinks
		}
		if l.Kind == ToPayment {
			if err := s.linkPayment(ctx, actor, &ch.Case, mianmi.PaymentID(l.Ref)); err != nil {
				return err
			}
		}
		ch.Links = []Link{{Kind: l.Kind, Ref: l.Ref, Actor: actor.String(), At: s.now()}}
		return s.add(ch, actor, TypeLinked, nil)
	})
}

// linkPayment lets the case be about one payment more.
func (s *Service) linkPayment(ctx context.Context, actor mianmi.Actor, c *Case, id mianmi.PaymentID) error {
	p, err := s.Payments.Payment(ctx, actor, id)
	switch {
	case err != nil && mianmi.KindOf(err) != mianmi.NotFound && mianmi.KindOf(err) != mianmi.Invalid:
		return err
	case err != nil:
		return mianmi.InvalidField("ref", "there is no such payment")
	case c.Payer != "" && p.Payer != "" && p.Payer != c.Payer:
		return mianmi.InvalidField("ref", "the payment is of another payer")
	}
	if c.Payer == "" {
		c.Payer = p.Payer
	}
	if c.Rail == "" {
		c.Rail, c.Merchant = p.Channel, p.Merchant
	}
	if c.Merchant != p.Merchant { // of several: none of them sees the case
		c.Merchant, c.Shared = "", false
	}
	return nil
}

// Decision is who bears what, with the reason that the payer reads.
type Decision struct {
	Verdict Verdict
	Award   money.Amount // what the payer gets; zero: nothing
	Text    string       // for the payer
	Version int64
}

// decisionKey begins the key of the note that a decision is.
const decisionKey = "decision-"

// Decide decides the case. What the payer gets is paid by what follows it.
func (s *Service) Decide(ctx context.Context, actor mianmi.Actor, id mianmi.CaseID, d Decision) (Whole, error) {
	if err := access.Allow(actor, access.CaseDecide, access.Target{}); err != nil {
		return Whole{}, err
	}
	return s.decide(ctx, actor, id, d)
}

func (s *Service) decide(ctx context.Context, actor mianmi.Actor, id mianmi.CaseID, d Decision) (Whole, error) {
	if err := d.check(); err != nil {
		return Whole{}, err
	}
	return s.change(ctx, actor, id, func(ch *Change) error {
		c, now := &ch.Case, s.now()
		if c.State == Decided && c.Verdict == d.Verdict && c.Award == d.Award && c.Version == d.Version+1 {
			return nil // a repeat
		}
		if err := c.may(sides(actor, c), Decided, now); err != nil {
			return err
		}
		if c.Version != d.Version {
			return errChanged
		}
		if err := ch.Was.sayable(d.Text); err != nil {
			return err
		}
		from := c.State
		c.enter(Decided, now, Level{})
		c.Verdict, c.Award = d.Verdict, d.Award
		if c.AnsweredAt.IsZero() {
			c.AnsweredAt = now
		}
		audience := ForPayer
		if c.Payer == "" && !ch.Was.reaches() {
			audience = Inside
		}
		if err := ch.note(Note{Key: fmt.Sprintf(decisionKey+"%d", c.Version+1), Audience: audience, Actor: actor.String(), Text: d.Text, At: now}); err != nil {
			return err
		}
		return s.add(ch, actor, TypeDecided, func(r *Record) {
			r.From, r.Verdict, r.Words = from.String(), c.Verdict.String(), s.digest(d.Text)
			r.Award, r.Currency = c.Award.Minor(), string(c.Award.Currency())
		})
	})
}

func (d *Decision) check() error {
	switch {
	case d.Verdict == NoVerdict || d.Verdict > Answered:
		return mianmi.InvalidField("verdict", "want upheld, partly_upheld, rejected or answered")
	case d.Award.Minor() < 0:
		return mianmi.InvalidField("award", "want nothing, or a positive amount")
	case d.Award.Minor() > 0 && d.Verdict != Upheld && d.Verdict != Partly:
		return mianmi.InvalidField("award", "only who is right, at least in part, gets something")
	}
	if d.Award.Minor() == 0 {
		d.Award = money.Amount{}
	}
	return checkText("text", d.Text)
}
