package support

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payment"
)

// Wallet is where payers of mianmi's own wallet complain: here. There is no
// channel to ask, so what is said is said when it is stored.
var Wallet = Place{Channel: "wallet", Account: "wallet"}

// The words of steps that are taken here are WeChat Pay's.
const (
	stepMade      = "USER_CREATE_COMPLAINT"
	stepWritten   = "USER_RESPONSE"
	stepWithdrawn = "USER_REVOKE_COMPLAINT"  //nolint:gosec // a word
	stepResolved  = "USER_COMFIRM_COMPLAINT" // sic
	stepPlatform  = "PLATFORM_RESPONSE"
)

const (
	// complainWithin is how long after a payment one may complain of it: refunds
	// are possible longer.
	complainWithin = 180 * 24 * time.Hour
	// writtenMax bounds what a payer writes at once, in characters.
	writtenMax = 500
	// ofPaymentMax bounds the complaints about one payment, of which one is open.
	ofPaymentMax = 10
	// openOfPayerMax bounds what one payer may leave for others to read.
	openOfPayerMax = 50
	// writtenStepsMax bounds what a payer writes about one complaint.
	writtenStepsMax = 100
)

// NewComplaint is what a payer complains of.
type NewComplaint struct {
	Key     string // the payer's own; a repeat is harmless
	Payment mianmi.PaymentID
	Problem Problem
	Text    string
	Asked   money.Amount // of WantsRefund alone; zero: says nothing
}

// ParseProblem is the inverse of Problem.String; false: there is no such problem.
func ParseProblem(name string) (Problem, bool) {
	at := slices.Index(problemNames, name)
	return Problem(max(at, 0)), at > 0 //nolint:gosec // a table index
}

var (
	errKey         = mianmi.InvalidField("key", "1 to 32 letters, digits, _ and -")
	errUsed        = mianmi.Conflicts("complaint_conflict", "this key was used for something else; use a new key")
	errOpen        = mianmi.Conflicts("complaint_open", "there is an open complaint about this payment: write to that one")
	errTaken       = mianmi.Conflicts("not_complainable", "the payment took nothing, or not by this wallet")
	errLate        = mianmi.Conflicts("complaint_late", "one may complain of a payment for 180 days")
	errComplaints  = mianmi.Conflicts("too_many_complaints", "there are as many complaints as there may be")
	errWritten     = mianmi.Conflicts("too_many_messages", "a payer writes at most 100 times about a complaint")
	errNoComplaint = mianmi.Missing("complaint")
)

func (n *NewComplaint) check() error {
	switch {
	case !token(n.Key) || len(n.Key) > 32:
		return errKey
	case n.Problem == NoProblem || n.Problem > OtherProblem:
		return mianmi.InvalidField("problem", "want refund, service_not_work or other")
	case n.Asked.Minor() != 0 && (n.Problem != WantsRefund || !n.Asked.Positive()):
		return mianmi.InvalidField("asked", "belongs to the problem refund, and is above zero")
	}
	return written(n.Text)
}

// written checks what a payer writes. What looks like a card number is no fault:
// it is struck out.
func written(text string) error {
	if strings.TrimSpace(text) == "" || utf8.RuneCountInString(text) > writtenMax {
		return mianmi.InvalidField("text", "1 to 500 characters")
	}
	return nil
}

// Complain makes a complaint about a payment that was taken from the payer's
// balance. A repeat of the key returns the complaint as it is now.
func (s *Service) Complain(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, n NewComplaint) (Complaint, error) {
	if err := access.Allow(actor, access.Complain, access.Target{Payer: id}); err != nil {
		return Complaint{}, err
	}
	if err := n.check(); err != nil {
		return Complaint{}, err
	}
	n.Text = words(n.Text, writtenMax)
	k := Key{Wallet, strings.ToUpper(hex.EncodeToString(s.Keys.Digest(forNumber, string(id)+"\x00"+n.Key)[:16]))}
	if have, err := s.Store.ComplaintByKey(ctx, k); err == nil {
		return s.repeated(ctx, &have, &n)
	} else if mianmi.KindOf(err) != mianmi.NotFound {
		return Complaint{}, err
	}
	p, times, err := s.complained(ctx, id, &n)
	if err != nil {
		return Complaint{}, err
	}
	var out Complaint
	err = s.Store.RecordComplaint(ctx, k, func(c *Change) error {
		if c.Complaint != nil {
			out = *c.Complaint
			return nil
		}
		now := s.now()
		name, err := mianmi.NewID("cp", now, s.Random)
		if err != nil {
			return err
		}
		out = Complaint{ID: mianmi.ComplaintID(name), Key: k, Merchant: p.Merchant, Payer: id, At: now, ChangedAt: now, SeenAt: now, Version: 1,
			Said:     Said{State: Pending, Problem: n.Problem, Flags: Waiting, Text: n.Text, Asked: n.Asked, Times: times},
			Payments: []About{{Payment: p.ID, Transaction: string(p.ID), Amount: p.Amount}}}
		made := out
		c.Complaint = &made
		c.Steps = []Step{{Number: "0", At: now, By: ByPayer, What: stepMade, Text: n.Text}}
		return s.stepped(actor, TypeOpened, c, &c.Steps[0])
	})
	var known *mianmi.Error
	if errors.As(err, &known) && known.Code == "exists" {
		return Complaint{}, errOpen
	}
	if err != nil {
		return Complaint{}, err
	}
	return s.repeated(ctx, &out, &n)
}

// repeated is a complaint that a key stands for, if it is of the same content.
func (s *Service) repeated(ctx context.Context, c *Complaint, n *NewComplaint) (Complaint, error) {
	have, _, err := s.Store.Complaint(ctx, c.ID)
	if err == nil && (have.Own() != n.Payment || have.Problem != n.Problem || have.Text != n.Text || have.Asked.Minor() != n.Asked.Minor()) {
		err = errUsed
	}
	return have, err
}

// complained is the payment, and how often the payer has complained of it with
// this one.
func (s *Service) complained(ctx context.Context, id mianmi.PayerID, n *NewComplaint) (*payment.Payment, int64, error) {
	p, err := s.Payments.Payment(ctx, mianmi.System("complaints"), n.Payment)
	if mianmi.KindOf(err) == mianmi.NotFound || err == nil && p.Payer != id {
		return nil, 0, mianmi.Missing("payment")
	}
	switch {
	case err != nil:
		return nil, 0, err
	case p.Channel != Wallet.Channel || p.State != payment.Approved && p.State != payment.PartlyRefunded && p.State != payment.Refunded:
		return nil, 0, errTaken
	case s.now().Sub(p.CreatedAt) > complainWithin:
		return nil, 0, errLate
	case n.Asked.Minor() != 0 && (n.Asked.Currency() != p.Amount.Currency() || n.Asked.Minor() > p.Amount.Minor()):
		return nil, 0, mianmi.InvalidField("asked", "at most what was paid")
	}
	about, err := s.Store.Complaints(ctx, Query{Payment: n.Payment, Limit: ofPaymentMax})
	if err != nil {
		return nil, 0, err
	}
	open, err := s.Store.Complaints(ctx, Query{Payer: id, Open: true, Limit: openOfPayerMax})
	if err == nil && (len(about) >= ofPaymentMax || len(open) >= openOfPayerMax) {
		err = errComplaints
	}
	return p, int64(len(about)) + 1, err
}

// PayerComplaints lists what a payer has complained of here, newest first.
func (s *Service) PayerComplaints(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, q Query) ([]Complaint, error) {
	if err := access.Allow(actor, access.PayerShow, access.Target{Payer: id}); err != nil {
		return nil, err
	}
	if q.Limit < 1 || q.Limit > pageMax {
		q.Limit = pageMax
	}
	return s.Store.Complaints(ctx, Query{Payer: id, Payment: q.Payment, Open: q.Open, Before: q.Before, Limit: q.Limit})
}

// PayerComplaint is one of a payer's with its history.
func (s *Service) PayerComplaint(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, complaint mianmi.ComplaintID) (Complaint, []Step, error) {
	if err := access.Allow(actor, access.PayerShow, access.Target{Payer: id}); err != nil {
		return Complaint{}, nil, err
	}
	c, steps, err := s.Store.Complaint(ctx, complaint)
	if err == nil && (c.Payer == "" || c.Payer != id) {
		return Complaint{}, nil, errNoComplaint
	}
	return c, steps, err
}

// Writing is what a payer does about a complaint.
type Writing uint8

// What a payer does.
const (
	NoWriting Writing = iota
	Writes            // a text
	Resolves          // it is settled
	Withdraws         // it is taken back
)

var writingNames = []string{"", "reply", "resolved", "withdrawn"}

// String is its name in the API.
func (w Writing) String() string { return writingNames[min(int(w), len(writingNames)-1)] }

// ParseWriting is the inverse of String; false: there is no such thing.
func ParseWriting(name string) (Writing, bool) {
	at := slices.Index(writingNames, name)
	return Writing(max(at, 0)), at > 0 //nolint:gosec // a table index
}

var writingSteps = [...]string{Writes: stepWritten, Resolves: stepResolved, Withdraws: stepWithdrawn}

// Message is what a payer writes about a complaint.
type Message struct {
	Key  string // the payer's own; a repeat is harmless
	What Writing
	Text string // of Writes alone
}

func (m *Message) check() error {
	switch {
	case !token(m.Key) || len(m.Key) > 32:
		return errKey
	case m.What == NoWriting || m.What > Withdraws:
		return mianmi.InvalidField("kind", "want reply, resolved or withdrawn")
	case m.What != Writes && m.Text != "":
		return mianmi.InvalidField("text", "belongs to reply alone")
	case m.What == Writes:
		return written(m.Text)
	}
	return nil
}

// Write adds what a payer says to a complaint: a text, or its end. A repeat of
// the key changes nothing.
func (s *Service) Write(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, complaint mianmi.ComplaintID, m Message) (Complaint, []Step, error) {
	if err := access.Allow(actor, access.Complain, access.Target{Payer: id}); err != nil {
		return Complaint{}, nil, err
	}
	if err := m.check(); err != nil {
		return Complaint{}, nil, err
	}
	c, _, err := s.Store.Complaint(ctx, complaint)
	if err == nil && (c.Payer == "" || c.Payer != id) {
		err = errNoComplaint
	}
	if err != nil {
		return Complaint{}, nil, err
	}
	step := Step{Number: "p" + hex.EncodeToString(s.Keys.Digest(forNumber, string(complaint)+"\x00"+m.Key)[:16]), By: ByPayer,
		What: writingSteps[m.What], Text: words(m.Text, writtenMax)}
	err = s.Store.RecordComplaint(ctx, c.Key, func(c *Change) error { return s.write(c, actor, step) })
	if err != nil {
		return Complaint{}, nil, err
	}
	c, steps, err := s.Store.Complaint(ctx, complaint)
	at := slices.IndexFunc(steps, func(t Step) bool { return t.Number == step.Number })
	if err == nil && (at < 0 || steps[at].What != step.What || steps[at].Text != step.Text) {
		err = errUsed
	}
	return c, steps, err
}

// write adds a payer's step to a complaint that is locked.
func (s *Service) write(c *Change, actor mianmi.Actor, step Step) error {
	if _, known := c.Known[step.Number]; known {
		return nil
	}
	mine := 0
	for number := range c.Known {
		if strings.HasPrefix(number, "p") {
			mine++
		}
	}
	now := c.Complaint
	switch {
	case now.State == Processed:
		return errOver
	case mine >= writtenStepsMax && step.What == stepWritten: // it can still be ended
		return errWritten
	}
	now.Flags |= Waiting
	if step.What != stepWritten {
		now.State, now.Flags = Processed, now.Flags&^Waiting
	}
	step.At = s.now()
	now.Version, now.ChangedAt, now.SeenAt = now.Version+1, step.At, step.At
	c.Steps = []Step{step}
	return s.stepped(actor, TypeChanged, c, &step)
}

// sayHere says at once what was ordered about a complaint that was made here.
// What does not come to its end is said by Say, later.
func (s *Service) sayHere(ctx context.Context, a Answer) (Answer, error) {
	one := a
	if err := s.sayOne(ctx, nil, &one); err != nil {
		s.Log.WarnContext(ctx, "an answer to a complaint is said later", "complaint", string(a.Complaint), "answer", string(a.ID), "error", err)
	}
	list, err := s.Store.Answers(ctx, a.Complaint)
	if err != nil {
		return a, nil //nolint:nilerr // it was taken; how far it is, the next look tells
	}
	for _, b := range list {
		if b.ID == a.ID {
			return b, nil
		}
	}
	return a, nil
}

// maySayHere refuses what must not be said while money is on its way back.
func (s *Service) maySayHere(ctx context.Context, a *Answer) (fault string, err error) {
	if a.Kind != Complete {
		return "", nil
	}
	c, _, err := s.Store.Complaint(ctx, a.Complaint)
	if err == nil && s.refundPending(ctx, &c) {
		fault = "refund_pending"
	}
	return fault, err
}

var answerSteps = [...]string{Reply: "MERCHANT_RESPONSE", Complete: "MERCHANT_CONFIRM_COMPLETE", Approve: "MERCHANT_APPROVE_REFUND",
	Refuse: "MERCHANT_REFUSE_RERUND", Promise: "MERCHANT_APPROVE_REFUND"} // sic

// takeHere puts an answer into a complaint that is locked.
func (s *Service) takeHere(c *Change, a *Answer) (fault string, err error) {
	now := c.Complaint
	switch {
	case now.State == Processed && a.Kind != Approve: // whose money went back already
		return "complaint_over", nil
	case a.Kind == Complete && now.Version != a.Version:
		return "complaint_changed", nil
	}
	step := Step{Number: string(a.ID), At: s.now(), By: ByMerchant, What: answerSteps[a.Kind], Text: a.Text, Images: a.Images}
	if a.Actor.Merchant == "" {
		step.By = ByPlatform
		if a.Kind == Reply {
			step.What = stepPlatform
		}
	}
	switch {
	case a.Kind == Complete:
		now.State = Processed
	case now.State == Pending:
		now.State = Processing
	}
	now.Flags &^= Waiting
	now.Version, now.ChangedAt, now.SeenAt = now.Version+1, step.At, step.At
	c.Steps, a.Step = []Step{step}, step.Number
	return "", s.stepped(mianmi.System("complaints"), TypeChanged, c, &step)
}
