package support

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
)

// Kind is what is said to a payer. The numbers are stored.
type Kind uint8

// The kinds.
const (
	NoKind   Kind = iota
	Reply         // a text
	Complete      // it is settled
	Approve       // money is given back: payment refunds it, and the channel is told
	Refuse        // no money is given back, with the reason
	Promise       // money is given back elsewhere, and this says so: by the merchant itself, of a complaint that was made here, or by a case
)

var kindNames = []string{"", "reply", "complete", "approve", "refuse", "promise"}

// String is the kind's name in the API.
func (k Kind) String() string { return kindNames[min(int(k), len(kindNames)-1)] }

// ParseKind is the inverse of String; false: there is no such kind.
func ParseKind(name string) (Kind, bool) {
	at := slices.Index(kindNames, name)
	return Kind(max(at, 0)), at > 0 //nolint:gosec // a table index
}

// AnswerState is how far an answer is. The numbers are stored.
type AnswerState uint8

// The states.
const (
	NoAnswerState AnswerState = iota
	Ordered                   // it is not known yet whether the channel took it
	Done                      // it did
	Failed                    // it did not; Fault says why
)

var answerStates = []string{"", "ordered", "done", "failed"}

// String is the state's name in the API.
func (s AnswerState) String() string { return answerStates[min(int(s), len(answerStates)-1)] }

// Order is what somebody wants to be said.
type Order struct {
	Key  string // the caller's own; a repeat is harmless
	Kind Kind
	Text string // of Reply and Refuse
	// Version is the complaint's that the caller has seen; what came since is not
	// passed over. 0: it does not matter, which Complete does not take.
	Version int64
	// Images are pictures of the merchant's, of Reply and Refuse at complaints that
	// were made here.
	Images []string
	// Of Approve: what is given back of which payment. Days, of Promise too, is within
	// how many days the payer has it.
	Payment mianmi.PaymentID
	Amount  money.Amount
	Days    int
}

// Answer is an Order that was taken.
type Answer struct {
	ID        mianmi.AnswerID
	Complaint mianmi.ComplaintID
	At        Key // of the complaint
	Order
	Actor mianmi.Actor
	State AnswerState
	Fault string // a short name, as refund_pending
	Step  string // of the history, that shows it
	Tries int
	Began time.Time
	Ended time.Time // zero: not yet
	Until time.Time // of the claim, if there is one
}

// String keeps words out of whatever prints one.
func (a Answer) String() string { return "answer " + string(a.ID) + " " + a.Kind.String() }

// GoString is String.
func (a Answer) GoString() string { return a.String() }

// Shows reports whether a step of the history is this answer. A channel that was
// not looked at since shows it before the answer names the step.
func (a *Answer) Shows(t *Step) bool {
	if a.Step != "" || a.State == Failed {
		return a.Step == t.Number
	}
	return t.By == ByMerchant && t.What == answerSteps[a.Kind] && (a.Text == "" || t.Text == a.Text) && !t.At.Before(a.Began.Add(-saySkew))
}

// Ends reports whether the payer says with this step that it is over, and
// whether that is because it is taken back.
func (s *Step) Ends() (over, withdrawn bool) {
	return s.What == stepResolved || s.What == stepWithdrawn, s.What == stepWithdrawn
}

// Asks reports whether the payer wants an answer to it: what a channel writes of its
// own in the payer's name, and a rating, wants none.
func (s *Step) Asks() bool {
	over, _ := s.Ends()
	return s.By == ByPayer && !over && !s.Opens() && !strings.HasSuffix(s.What, "_SYSTEM_MESSAGE") && s.What != "USER_SUBMIT_SATISFACTION"
}

// Opens reports whether the complaint was made with this step.
func (s *Step) Opens() bool { return s.What == stepMade }

// Bounds of what is said, which are WeChat Pay's.
const (
	answerMax   = 200 // characters
	daysMax     = 30
	picturesMax = 4 // of an answer
	// answersMax bounds what is said about one complaint.
	answersMax = 200
)

func (o *Order) same(p *Order) bool {
	return o.Key == p.Key && o.Kind == p.Kind && o.Text == p.Text && o.Version == p.Version && o.Payment == p.Payment && o.Amount == p.Amount && o.Days == p.Days &&
		slices.Equal(o.Images, p.Images)
}

func (o *Order) check() error {
	texts := o.Kind == Reply || o.Kind == Refuse
	switch {
	case !token(o.Key) || len(o.Key) > 32:
		return mianmi.InvalidField("key", "1 to 32 letters, digits, _ and -")
	case o.Kind == NoKind || o.Kind > Promise:
		return mianmi.InvalidField("kind", "want reply, complete, approve or refuse")
	case texts && (strings.TrimSpace(o.Text) == "" || utf8.RuneCountInString(o.Text) > answerMax):
		return mianmi.InvalidField("text", "1 to 200 characters")
	case !texts && o.Text != "":
		return mianmi.InvalidField("text", "belongs to reply and refuse alone")
	case payer.LooksLikeCard(o.Text):
		return mianmi.InvalidField("text", "holds what looks like a card number, which must never be sent")
	case words(o.Text, answerMax) != o.Text:
		return mianmi.InvalidField("text", "holds control characters")
	case o.Version < 0 || o.Kind == Complete && o.Version == 0:
		return mianmi.InvalidField("version", "say which version of the complaint you have seen")
	case o.Kind == Approve && (!o.Amount.Positive() || o.Payment == ""):
		return mianmi.InvalidField("amount", "say what is given back, of which payment")
	case o.Kind != Approve && (o.Amount.Minor() != 0 || o.Payment != "" || o.Days != 0 && o.Kind != Promise):
		return mianmi.InvalidField("amount", "belongs to approve alone")
	case len(o.Images) > picturesMax || !texts && len(o.Images) > 0:
		return mianmi.InvalidField("images", "at most 4, of reply and refuse")
	case o.Days < 0 || o.Days > daysMax:
		return mianmi.InvalidField("days", "0 to 30")
	}
	return nil
}

// Sayable returns nil when a text can be a Reply.
func Sayable(text string) error {
	o := Order{Key: "k", Kind: Reply, Text: text}
	return o.check()
}

var (
	errOver    = mianmi.Conflicts("complaint_over", "the complaint is over")
	errChanged = mianmi.Conflicts("complaint_changed", "there is news since the version that you have seen: read it first")
	errPending = mianmi.Conflicts("refund_pending", "a refund about this complaint is not through yet; complete it when the payer has the money")
	errWaiting = mianmi.Conflicts("answer_waiting", "another answer is on its way to the channel")
	errAnswer  = mianmi.Conflicts("answer_conflict", "this key was used for another answer; use a new key")
	errAnswers = mianmi.Conflicts("too_many_answers", "a complaint has at most 200 answers")
)

// Answer takes an order: it is said as soon as the channel can be reached. A
// repeat of a key returns the first answer as it is now.
func (s *Service) Answer(ctx context.Context, actor mianmi.Actor, id mianmi.ComplaintID, o Order) (Answer, error) {
	c, _, err := s.Complaint(ctx, actor, id)
	if err != nil {
		return Answer{}, err
	}
	if err := access.Allow(actor, access.ComplaintAnswer, access.Target{Merchant: c.Merchant}); err != nil {
		return Answer{}, err
	}
	if err := o.check(); err != nil {
		return Answer{}, err
	}
	if c.Place != Wallet && (o.Kind == Promise && !actor.Is(mianmi.RoleSystem) || len(o.Images) > 0) {
		return Answer{}, mianmi.InvalidField("kind", "is not for a complaint at this channel")
	}
	if o.Kind == Approve && !slices.ContainsFunc(c.Payments, func(a About) bool { return a.Payment == o.Payment }) {
		return Answer{}, mianmi.InvalidField("payment", "the complaint is not about it")
	}
	if err := s.Store.UsePictures(ctx, c.Merchant, o.Images...); err != nil {
		return Answer{}, err
	}
	now := s.now()
	name, err := mianmi.NewID("ca", now, s.Random)
	if err != nil {
		return Answer{}, err
	}
	if o.Amount.Minor() == 0 {
		o.Amount = money.Amount{}
	}
	a := Answer{ID: mianmi.AnswerID(name), Complaint: id, At: c.Key, Order: o, Actor: actor, State: Ordered, Began: now}
	if c.Place == Wallet {
		a.Until = now.Add(syncLease)
	}
	pending := o.Kind == Complete && s.refundPending(ctx, &c)
	fresh := false
	err = s.Store.PutAnswer(ctx, &a, func(w *AnswerChange) error {
		err := s.take(w, &a, pending)
		fresh = w.Write
		return err
	})
	if err != nil || c.Place != Wallet || !fresh {
		return a, err
	}
	return s.sayHere(ctx, a)
}

// AnswerChange is a complaint that is locked, with its answers.
type AnswerChange struct {
	Change
	Answers []Answer
	Write   bool // the answer is to be written
}

// take decides whether an order is taken.
func (s *Service) take(w *AnswerChange, a *Answer, pending bool) error {
	for _, earlier := range w.Answers {
		if earlier.Key == a.Key {
			if !earlier.same(&a.Order) {
				return errAnswer
			}
			*a = earlier
			return nil
		}
	}
	switch c := w.Complaint; {
	case len(w.Answers) >= answersMax:
		return errAnswers
	case slices.ContainsFunc(w.Answers, func(b Answer) bool { return b.State == Ordered }):
		return errWaiting
	case c.State == Processed:
		return errOver
	case a.Version != 0 && a.Version != c.Version:
		return errChanged
	case pending:
		return errPending
	}
	w.Write = true
	return s.told(&w.Change, TypeOrdered, a)
}

// answerNote is the body of entries about answers.
type answerNote struct {
	Answer   mianmi.AnswerID  `json:"answer"`
	Kind     Kind             `json:"kind"`
	Words    string           `json:"words,omitempty"` // digest, hexadecimal
	Payment  mianmi.PaymentID `json:"payment,omitempty"`
	Amount   int64            `json:"amount,omitempty"` // minor units
	Currency string           `json:"currency,omitempty"`
	Seen     int64            `json:"seen,omitempty"`   // the complaint's version
	Images   []string         `json:"images,omitempty"` // hashes
	Fault    string           `json:"fault,omitempty"`
	Step     string           `json:"step,omitempty"`
}

func (s *Service) told(c *Change, kind string, a *Answer) error {
	n := answerNote{Answer: a.ID, Kind: a.Kind, Payment: a.Payment, Amount: a.Amount.Minor(), Currency: string(a.Amount.Currency()), Seen: a.Version, Images: a.Images, Fault: a.Fault, Step: a.Step}
	if a.Text != "" {
		n.Words = s.digest(a.Text)
	}
	actor := a.Actor
	if kind != TypeOrdered {
		actor = mianmi.System("complaints")
	}
	e, err := s.entryOf(actor, kind, a.Complaint, n)
	c.Entries = append(c.Entries, e)
	return err
}

// refundPending reports whether money is on its way back for a payment that the
// complaint is about. What cannot be read now counts as on its way.
func (s *Service) refundPending(ctx context.Context, c *Complaint) bool {
	for _, about := range c.Payments {
		if about.Payment == "" {
			continue
		}
		list, err := s.Payments.Refunds(ctx, mianmi.System("complaints"), about.Payment)
		if err != nil || slices.ContainsFunc(list, func(r payment.Refund) bool { return r.State.Owed() }) {
			return true
		}
	}
	return false
}

// Answers are those about a complaint, oldest first, for who may see it.
func (s *Service) Answers(ctx context.Context, actor mianmi.Actor, id mianmi.ComplaintID) ([]Answer, error) {
	if _, _, err := s.Complaint(ctx, actor, id); err != nil {
		return nil, err
	}
	return s.Store.Answers(ctx, id)
}
