package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/support"
)

// OfComplaint is a complaint that a case is of, as far as its case needs it; the
// rest is read where it stands.
type OfComplaint struct {
	ID      mianmi.ComplaintID
	Channel string
	Number  string // the channel's
	State   support.State
	Problem support.Problem
	Flags   support.Flags
	Ordered int64 // answers that are on their way
	Failed  int64 // that did not get through
}

// DueComplaint is a complaint whose case does not agree with it yet, as it was claimed.
type DueComplaint struct {
	ID    mianmi.ComplaintID
	Tries int
	Until time.Time // of the claim
}

const (
	// complaintsMax is how many complaints a turn takes up.
	complaintsMax = 20
	// complaintLease is longer than a turn takes; after it another process goes on.
	complaintLease = time.Minute
	// mirroredMax leaves room for what people write in a case that hears too much.
	mirroredMax = notesMax - 100
	// answerWithin and settleWithin are how long WeChat Pay lets a merchant be silent,
	// and take; whatever the service levels say, no complaint has longer anywhere.
	answerWithin = 24 * time.Hour
	settleWithin = 72 * time.Hour
)

// taker is who takes complaints up.
var taker = mianmi.System("complaints")

// TakeComplaints lets the cases of complaints follow what became of these, and says
// at channels what the cases have for the payer. A complaint that has no case yet gets
// one. It returns how many it has looked at.
func (s *Service) TakeComplaints(ctx context.Context) (int, error) {
	if s.Complaints == nil {
		return 0, nil
	}
	now := s.now()
	due, err := s.Store.ClaimComplaints(ctx, now, now.Add(complaintLease), complaintsMax)
	if err != nil {
		return 0, err
	}
	var faults error
	for _, d := range due {
		err := s.takeComplaint(ctx, d.ID)
		switch {
		case ctx.Err() != nil:
			return len(due), errors.Join(faults, ctx.Err()) // whoever is next goes on
		case err != nil:
			faults = errors.Join(faults, fmt.Errorf("take complaint %s up: %w", d.ID, err), s.Store.PutOffComplaint(ctx, d, s.now().Add(complaintPause(d.Tries))))
		default:
			faults = errors.Join(faults, s.Store.EndComplaint(ctx, d))
		}
	}
	return len(due), faults
}

// complaintPause is how long to wait after so many tries: 5 s, doubled each time, at
// most ten minutes.
func complaintPause(tries int) time.Duration {
	return min(5*time.Second<<min(tries, 10), 10*time.Minute)
}

// heard is a complaint with all that was said about it.
type heard struct {
	support.Complaint
	steps   []support.Step
	answers []support.Answer
}

// takeComplaint lets the case of one complaint follow it, and says there what is for
// the payer.
func (s *Service) takeComplaint(ctx context.Context, id mianmi.ComplaintID) (err error) {
	var h heard
	if h.Complaint, h.steps, err = s.Complaints.Complaint(ctx, taker, id); err != nil {
		return err
	}
	if h.answers, err = s.Complaints.Answers(ctx, taker, id); err != nil {
		return err
	}
	in := h.Case
	if in == "" {
		in, err = s.openFor(ctx, &h)
	} else {
		err = s.follow(ctx, in, &h)
	}
	if err != nil {
		return err
	}
	return s.tell(ctx, in, &h)
}

// openFor opens a case for a complaint. Who complains about a payment that has a
// case, open or ended lately, is led to that case, as whoever reports it again.
func (s *Service) openFor(ctx context.Context, h *heard) (mianmi.CaseID, error) {
	now := s.now()
	c, links, err := s.drawFor(ctx, h, now)
	if err != nil {
		return "", err
	}
	g := Guard{Payer: c.Payer, Payments: paymentsOf(links), Kind: Complaint, Since: now.Add(-24 * time.Hour), Ended: now.Add(-ReopenWithin), Complaint: h.ID}
	for range numberTries {
		var same mianmi.CaseID
		ch := &Change{}
		err := s.Store.InsertCase(ctx, ch, g, func(b Before) error {
			switch {
			case b.Of != "":
				same = b.Of
				return errKnown
			case b.Same != nil:
				same = b.Same.ID
				return errKnown
			}
			*ch = Change{Case: c}
			return s.begin(ch, h, links)
		})
		var known *mianmi.Error
		switch {
		case errors.Is(err, errKnown):
			return same, s.follow(ctx, same, h, links...)
		case errors.As(err, &known) && known.Code == "exists": // the number is taken
			if c.Number, err = s.number(); err != nil {
				return "", err
			}
		default:
			return c.ID, err
		}
	}
	return "", fmt.Errorf("no number for a case in %d tries", numberTries)
}

// drawFor makes the case of a complaint. Payments of another payer than the first
// one's are not linked: a case has one.
func (s *Service) drawFor(ctx context.Context, h *heard, now time.Time) (Case, []NewLink, error) {
	c := Case{Kind: Complaint, Category: h.Problem.String(), Rail: h.Channel, State: Open, Queue: SupportDesk, Payer: h.Payer, Merchant: h.Merchant,
		OpenedBy: taker.String(), OpenedAt: now}
	links := []NewLink{{Kind: ToComplaint, Ref: string(h.ID)}}
	for _, about := range h.Payments {
		p, err := s.about(ctx, about.Payment)
		switch {
		case err != nil:
			return c, nil, err
		case p == nil || c.Payer != "" && p.Payer != "" && p.Payer != c.Payer:
			continue
		case c.Payer == "":
			c.Payer = p.Payer
		}
		if c.Merchant != p.Merchant && c.Merchant != "" {
			c.Merchant = "" // of several: none of them sees the case
		} else if len(links) == 1 {
			c.Merchant = p.Merchant
		}
		links = append(links, NewLink{Kind: ToPayment, Ref: string(p.ID)})
	}
	var err error
	if c.Number, err = s.number(); err != nil {
		return c, nil, err
	}
	id, err := mianmi.NewID("cs", now, s.Random)
	c.ID = mianmi.CaseID(id)
	return c, links, err
}

// about is a payment that a complaint names; nil: it is not known here.
func (s *Service) about(ctx context.Context, id mianmi.PaymentID) (*payment.Payment, error) {
	if id == "" {
		return nil, nil //nolint:nilnil // it names none
	}
	p, err := s.Payments.Payment(ctx, taker, id)
	if kind := mianmi.KindOf(err); err != nil && (kind == mianmi.NotFound || kind == mianmi.Invalid) {
		return nil, nil //nolint:nilerr,nilnil // another installation's
	}
	return p, err
}

// begin fills a case that is made for a complaint: its clocks run since the payer
// complained, not since we heard of it.
func (s *Service) begin(ch *Change, h *heard, links []NewLink) error {
	c := &ch.Case
	c.start(h.At, s.complaintLevel(c))
	for _, l := range links {
		ch.Links = append(ch.Links, Link{Kind: l.Kind, Ref: l.Ref, Actor: taker.String(), At: c.OpenedAt})
	}
	m := &mirror{Service: s, ch: ch, h: h, now: c.OpenedAt}
	m.all()
	return s.add(ch, taker, TypeOpened, m.record)
}

// complaintLevel is the level of a complaint on the rail of a case.
func (s *Service) complaintLevel(c *Case) Level {
	l := s.Levels.Of(Complaint, c.Rail)
	return Level{First: min(l.First, answerWithin), Decide: min(l.Decide, settleWithin)}
}

// follow lets a case that there is hear of a complaint. With links the complaint is
// new to it.
func (s *Service) follow(ctx context.Context, id mianmi.CaseID, h *heard, links ...NewLink) error {
	return s.Store.ChangeCase(ctx, id, func(ch *Change) error {
		m := &mirror{Service: s, ch: ch, h: h, now: s.now(), from: ch.Case.State}
		kind := TypeComplained
		if len(links) > 0 && !linkedTo(&ch.Was, string(h.ID)) {
			kind = TypeRepeated
			m.join(links)
		}
		named, err := s.name(ctx, &ch.Case, h)
		if err != nil {
			return err
		}
		m.all()
		if kind == TypeComplained && len(m.said) == 0 && !named {
			return nil
		}
		return s.add(ch, taker, kind, m.record)
	})
}

// name gives a case the payer whom its complaint's payment has got since: a channel
// names some of them later.
func (s *Service) name(ctx context.Context, c *Case, h *heard) (named bool, err error) {
	if c.Payer != "" {
		return false, nil
	}
	for _, about := range h.Payments {
		p, err := s.about(ctx, about.Payment)
		if err != nil {
			return false, err
		}
		if p != nil && p.Payer != "" {
			c.Payer = p.Payer
			return true, nil
		}
	}
	return false, nil
}

func linkedTo(w *Whole, ref string) bool {
	return slices.ContainsFunc(w.Links, func(l Link) bool { return l.Ref == ref })
}

// join brings a complaint into a case that is about the same payment. What is over
// already opens nothing again.
func (m *mirror) join(links []NewLink) {
	c := &m.ch.Case
	for _, l := range links {
		if !linkedTo(&m.ch.Was, l.Ref) && len(m.ch.Was.Links)+len(m.ch.Links) < linksMax {
			m.ch.Links = append(m.ch.Links, Link{Kind: l.Kind, Ref: l.Ref, Actor: taker.String(), At: m.now})
		}
	}
	c.Repeats++
	if m.h.State != support.Processed {
		m.wake(m.h.At)
	}
}
