package desk

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/support"
)

// forAnswer is the digest that names the answers of a case; it is in stored data.
const forAnswer secret.Purpose = "case_answer"

// completesMax bounds how often a channel is told that a complaint is settled, and
// does not have it.
const completesMax = 5

// tell says at the channel what the case has for the payer: what was written since
// the complaint is in it, that money went back, and at last that it is settled. One
// thing at a time: the end of each is news, after which the next is said.
func (s *Service) tell(ctx context.Context, id mianmi.CaseID, h *heard) error {
	w, err := s.Store.Case(ctx, id)
	if err != nil || h.State == support.Processed {
		return err
	}
	for i := range h.answers {
		if h.answers[i].State == support.Ordered {
			return nil
		}
	}
	if order := s.written(&w, h); order != nil {
		return s.say(ctx, &w, h, *order)
	}
	order, err := s.givenBack(ctx, &w, h)
	if order == nil && err == nil {
		order = s.settled(&w, h)
	}
	if order == nil || err != nil {
		return err
	}
	return s.say(ctx, &w, h, *order)
}

// say orders an answer. What cannot be said at all is told to the desk, once.
func (s *Service) say(ctx context.Context, w *Whole, h *heard, o support.Order) error {
	_, err := s.Complaints.Answer(ctx, teller, h.ID, o)
	var known *mianmi.Error
	if err == nil || !errors.As(err, &known) || known.Kind != mianmi.Conflict && known.Kind != mianmi.Invalid {
		return err
	}
	switch known.Code {
	case "complaint_over", "complaint_changed", "answer_waiting": // news is due
		return nil
	case "refund_pending", "answer_conflict":
		return fmt.Errorf("answer complaint %s: %w", h.ID, err) // later
	}
	why := known.Code
	if known.Kind == mianmi.Invalid {
		why = "invalid"
	}
	return s.Store.ChangeCase(ctx, w.ID, func(ch *Change) error {
		m := &mirror{Service: s, ch: ch, h: h, now: s.now(), from: ch.Case.State}
		if !m.unsaid("unsaid/"+o.Key, o.Kind, why) {
			return nil
		}
		return s.add(ch, taker, TypeComplained, func(r *Record) { m.record(r); r.Failure = why })
	})
}

// answerKey names an answer of a case: a repeat orders nothing anew, and nobody else
// can have used it.
func (s *Service) answerKey(id mianmi.CaseID, what string) string {
	return "c" + hex.EncodeToString(s.Keys.Digest(forAnswer, string(id)+"/"+what)[:14])
}

func (h *heard) answered(key string) bool {
	for i := range h.answers {
		if h.answers[i].Key == key {
			return true
		}
	}
	return false
}

// refundTold reports whether the channel was told what becomes of the payer's wish
// for money.
func (h *heard) refundTold() bool {
	for i := range h.answers {
		if k := h.answers[i].Kind; h.answers[i].State != support.Failed && (k == support.Approve || k == support.Promise || k == support.Refuse) {
			return true
		}
	}
	return h.Problem != support.WantsRefund
}

// written is the first note for the payer that the channel was not told of. What was
// written before the complaint came was read elsewhere.
func (s *Service) written(w *Whole, h *heard) *support.Order {
	m := &mirror{ch: &Change{Was: *w}, h: h}
	joined := false
	for i := range w.Notes {
		n := &w.Notes[i]
		key := s.answerKey(w.ID, fmt.Sprint("note ", n.N))
		switch {
		case n.Key == m.key("opened"):
			joined = true
			continue
		case !joined || n.Audience != ForPayer || mirrored(n) || mianmi.RecordedRole(n.Actor) == mianmi.RolePayer.String(), h.answered(key), m.has("unsaid/" + key):
			continue
		}
		o := &support.Order{Key: key, Kind: support.Reply, Text: strings.ReplaceAll(n.Text, "\t", " ")}
		if w.Verdict == Rejected && strings.HasPrefix(n.Key, decisionKey) && !h.refundTold() {
			o.Kind = support.Refuse
		}
		return o
	}
	return nil
}

// mirrored reports whether a note is what a channel told.
func mirrored(n *Note) bool { return strings.Contains(n.Key, "/") }

// givenBack says that the payer's wish was granted, when a refund of the case is
// through: at WeChat Pay that moves no money, and there the money is moved by then.
func (s *Service) givenBack(ctx context.Context, w *Whole, h *heard) (*support.Order, error) {
	if h.refundTold() {
		return nil, nil //nolint:nilnil // nothing is to be said
	}
	list, err := s.Store.Payouts(ctx, w.ID)
	if err != nil {
		return nil, err
	}
	m := &mirror{ch: &Change{Was: *w}, h: h}
	for i := range list {
		o := &list[i]
		key := s.answerKey(w.ID, "payout "+string(o.ID))
		if o.State != PayoutPaid || o.Source == FromGuarantee || h.answered(key) || m.has("unsaid/"+key) {
			continue
		}
		for _, about := range h.Payments {
			if about.Payment == o.Payment {
				return &support.Order{Key: key, Kind: support.Promise}, nil
			}
		}
	}
	return nil, nil //nolint:nilnil // nothing is to be said
}

// settled says that a complaint is settled, when its case is over. It names the
// version that the case has heard, so that nothing the payer wrote since is passed over.
func (s *Service) settled(w *Whole, h *heard) *support.Order {
	if w.State != Closed {
		return nil
	}
	var tried int
	for i := range h.answers {
		if a := &h.answers[i]; a.Kind == support.Complete && a.Actor == teller {
			if tried++; !again(a) {
				return nil
			}
		}
	}
	key := s.answerKey(w.ID, fmt.Sprint("complete ", tried))
	m := &mirror{ch: &Change{Was: *w}, h: h}
	if tried >= completesMax || m.has("unsaid/"+key) {
		return nil
	}
	return &support.Order{Key: key, Kind: support.Complete, Version: h.Version}
}

// again reports whether an answer that failed is ordered anew by itself.
func again(a *support.Answer) bool {
	return a.Kind == support.Complete && a.Actor == teller && a.State == support.Failed && (a.Fault == "complaint_changed" || a.Fault == "refund_pending")
}

// reaches reports whether a case has an open complaint: what is written for the payer
// is said there.
func (w *Whole) reaches() bool {
	for i := range w.Complaints {
		if w.Complaints[i].State != support.Processed {
			return true
		}
	}
	return false
}

// sayable refuses a text for the payer that the channel of a complaint does not take.
func (w *Whole) sayable(text string) error {
	if !w.reaches() {
		return nil
	}
	return support.Sayable(strings.ReplaceAll(text, "\t", " "))
}
