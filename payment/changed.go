package payment

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
)

// The types of entries about what became of a payment after its decision. Their
// subject is the payment, and who did it is the entry's actor.
const (
	TypeVerified  = "payment.verified"   // the payer authenticated: approved, or declined by the channel
	TypeTryFailed = "payment.try_failed" // a wrong password or PIN; declined when it locked the password
	TypeCancelled = "payment.cancelled"
	TypeExpired   = "payment.expired"
	TypeReversed  = "payment.reversed"
	TypeRefunded  = "payment.refunded"

	// Those of channels that are asked over a network.
	TypePayerAsked    = "payment.payer_asked"    // the payer is asked there: a password, a QR code
	TypeUnclear       = "payment.unclear"        // no clear answer yet
	TypeCaptured      = "payment.captured"       // the channel says that the money came
	TypeUndoing       = "payment.undoing"        // given up, or taken back: the channel is to undo it
	TypeDeclined      = "payment.declined"       // the channel says that no money came and none will
	TypeLate          = "payment.late"           // money came after the end; it goes back
	TypeKept          = "payment.not_given_back" // the channel gives it back under no number: it stays taken
	TypeRefundPending = "payment.refund_pending" // the channel is asked for it
	TypeRefundFailed  = "payment.refund_failed"
	// The channel has not said for a week whether it undid the order, or whether the
	// money went back: it is still owed, and is asked for again by hand.
	TypeUndoStalled   = "payment.undo_stalled"
	TypeReturnStalled = "payment.return_stalled"
	TypeRefundStalled = "payment.refund_stalled"
)

// Changed is what an entry says of a payment after a change.
type Changed struct {
	Version  int64 // of the payment, raised by every change
	State    State
	Failure  channel.Failure
	By       pinfree.CVM // how the payer authenticated, or tried to; NoCVM: this was about something else
	Tries    int         // failed ones, of the step-up
	Refund   mianmi.RefundID
	Amount   money.Amount // of Refund
	Refunded int64        // minor units in all
	// CVM is how the payer was verified, as far as a channel's answers let one
	// infer; Inferred says that it is no more than that.
	CVM      pinfree.CVM
	Inferred bool
}

// changedForm is the form of Changed in an entry's body.
type changedForm struct {
	Form     int             `json:"v"`
	Version  int64           `json:"version"`
	State    string          `json:"state"`
	Failure  string          `json:"failure,omitempty"`
	By       string          `json:"by,omitempty"`
	Tries    int             `json:"tries,omitempty"`
	Refund   mianmi.RefundID `json:"refund,omitempty"`
	Amount   *money.Amount   `json:"amount,omitempty"`
	Refunded int64           `json:"refunded,omitempty"`
	CVM      string          `json:"cvm,omitempty"`
	Inferred bool            `json:"inferred,omitempty"`
}

// changedVersion is the form of entries about changed payments and top-ups.
const changedVersion = 1

// fact is what a change of a payment says besides the payment itself.
type fact struct {
	kind  string
	actor mianmi.Actor
	by    pinfree.CVM // of a verification or a try
	// refund is the one that this is about, when it is not one to add.
	refund *Refund
}

// settle stamps a changed payment, says what the outbox tells, and makes the
// entry of the change.
func (s *Service) settle(now time.Time, c *Change, f fact) error {
	p := c.Payment
	p.StateAt, p.Version = now, p.Version+1
	if p.State != StepUpRequired {
		p.ExpiresAt, p.StepUp = time.Time{}, 0
	}
	c.Topic = topicOf(p.State)
	switch f.kind {
	case TypeLate:
		c.Topic = TopicLate
	case TypeKept, TypeUndoStalled, TypeReturnStalled, TypeRefundStalled:
		c.Topic = TopicKept
	case TypeRefundPending:
		c.Topic = TopicRefundPending
	case TypeRefundFailed:
		c.Topic = TopicRefundFailed
	}
	form := changedForm{Form: changedVersion, Version: p.Version, State: p.State.String(), Failure: p.Failure.String(), Tries: p.Tries,
		Refunded: p.Refunded}
	if f.by != pinfree.NoCVM {
		form.By = f.by.String()
	}
	if f.refund == nil {
		f.refund = c.Refund
	}
	switch {
	case f.refund == nil:
	case f.kind == TypeRefundPending:
		f.refund.Asked = p.Version
	default:
		f.refund.Settled = p.Version
	}
	if f.refund != nil {
		form.Refund, form.Amount = f.refund.ID, &f.refund.Amount
	}
	if f.kind == TypeCaptured || f.kind == TypeKept {
		form.CVM, form.Inferred = p.CVM.String(), true
	}
	e, err := s.entry(now, p.Version, f.actor)
	if err != nil {
		return err
	}
	if e.Body, err = json.Marshal(form); err != nil {
		return fmt.Errorf("encode %s: %w", f.kind, err)
	}
	e.Type, e.Subject = f.kind, string(p.ID)
	c.Entry = e
	return nil
}

// entry makes an entry whose identifier sorts by time and then by the version of
// its subject: changes in one millisecond stand in their order.
func (s *Service) entry(now time.Time, version int64, actor mianmi.Actor) (evidence.Entry, error) {
	id, err := mianmi.NewOrderedID("en", now, version, s.Random)
	return evidence.Entry{ID: mianmi.EntryID(id), At: now, Actor: actor.String()}, err
}

// ReadChanged reads an entry about what became of a payment. A type that this
// package does not write is an error.
func ReadChanged(e evidence.Entry) (Changed, error) {
	switch e.Type {
	case TypeVerified, TypeTryFailed, TypeCancelled, TypeExpired, TypeReversed, TypeRefunded, TypePayerAsked, TypeUnclear, TypeCaptured,
		TypeUndoing, TypeDeclined, TypeLate, TypeKept, TypeRefundPending, TypeRefundFailed,
		TypeUndoStalled, TypeReturnStalled, TypeRefundStalled:
	default:
		return Changed{}, fmt.Errorf("entry %s is of type %s, which is no change of a payment", e.ID, e.Type)
	}
	var f changedForm
	if err := e.ReadBody(&f); err != nil {
		return Changed{}, err
	}
	c := Changed{Version: f.Version, Tries: f.Tries, Refund: f.Refund, Refunded: f.Refunded, Inferred: f.Inferred}
	if f.Amount != nil {
		c.Amount = *f.Amount
	}
	var known [4]bool
	c.State, known[0] = ParseState(f.State)
	c.Failure, known[1] = channel.ParseFailure(f.Failure)
	c.By, known[2] = pinfree.ParseCVM(f.By)
	c.CVM, known[3] = pinfree.ParseCVM(f.CVM)
	if f.Form != changedVersion || f.Version < 2 || known != [4]bool{true, true, true, true} {
		return Changed{}, fmt.Errorf("entry %s of type %s is of a form that this program does not know", e.ID, e.Type)
	}
	return c, nil
}

// TypeToppedUp is the type of entries about top-ups; their subject is the top-up.
const TypeToppedUp = "top_up.added"

// ToppedUp is what an entry says of a top-up.
type ToppedUp struct {
	Form   int            `json:"v"` // 1
	Payer  mianmi.PayerID `json:"payer"`
	Amount money.Amount   `json:"amount"`
	// Authenticated: the payer was, and counters of the rules that say so began
	// again, by these versions of rules and settings.
	Authenticated bool   `json:"authenticated,omitempty"`
	Rules         string `json:"rules,omitempty"`
	Epoch         int64  `json:"epoch,omitempty"`
}

// ReadToppedUp reads an entry about a top-up.
func ReadToppedUp(e evidence.Entry) (ToppedUp, error) {
	var t ToppedUp
	if err := e.ReadBody(&t); err != nil {
		return ToppedUp{}, err
	}
	if e.Type != TypeToppedUp || t.Form != changedVersion || t.Payer == "" {
		return ToppedUp{}, fmt.Errorf("entry %s of type %s is of a form that this program does not know", e.ID, e.Type)
	}
	return t, nil
}
