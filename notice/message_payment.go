package notice

import (
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
)

// paymentData is a payment as it stood when the fact was made. What is only of
// use while the payment waits for the payer (step_up) is there as long as it
// does; all else is the same however often and late the message is sent.
type paymentData struct {
	ID         string       `json:"id"`
	OrderNo    string       `json:"order_no"`
	State      string       `json:"state"`
	Outcome    string       `json:"outcome,omitempty"` // none for cash, which is not decided
	Amount     amount       `json:"amount"`
	Refunded   *amount      `json:"refunded,omitempty"`
	Method     string       `json:"method"`
	CVM        string       `json:"cvm,omitempty"`          // none while it waits for the payer
	Channel    string       `json:"channel,omitempty"`      // another payment system, that it goes through
	Inferred   bool         `json:"cvm_inferred,omitempty"` // cvm is inferred from that system's answers
	PinFree    bool         `json:"pin_free"`
	Failure    string       `json:"failure,omitempty"`
	Merchant   string       `json:"merchant"`
	Store      string       `json:"store"`
	Terminal   string       `json:"terminal"`
	Payer      string       `json:"payer,omitempty"` // for mianmi's own webhooks
	Instrument string       `json:"instrument,omitempty"`
	Reasons    []reasonData `json:"reasons"`
	StepUp     *stepUpData  `json:"step_up,omitempty"`
	Refund     *refundData  `json:"refund,omitempty"` // the one that this is about
	CreatedAt  time.Time    `json:"created_at"`
}

// reasonData is one reason of the decision; its words are in the API.
type reasonData struct {
	Code    int    `json:"code"`
	Name    string `json:"name"`
	Layer   string `json:"layer,omitempty"`
	ID      string `json:"id,omitempty"`
	Version int64  `json:"version,omitempty"`
	Rule    string `json:"rule,omitempty"`
}

type stepUpData struct {
	Methods   []string  `json:"methods"`
	ExpiresAt time.Time `json:"expires_at"`
}

// refundData leaves the reason out: it is free text.
type refundData struct {
	ID       string    `json:"id"`
	RefundNo string    `json:"refund_no"`
	Amount   amount    `json:"amount"`
	State    string    `json:"state"` // pending, done, failed
	At       time.Time `json:"at"`
}

func (e *envelope) payment(w *Webhook, d *Delivery, r *Record) error {
	p, ok := r.Payments[mianmi.PaymentID(d.Subject)]
	if !ok {
		return mianmi.Missing("payment")
	}
	v := paymentData{ID: string(p.ID), OrderNo: p.OrderNo, State: states[payment.Topic(d.Topic)].String(), Amount: amount{p.Amount.Minor(), string(p.Amount.Currency())},
		Method: p.Method.String(), Merchant: string(p.Merchant), Store: string(p.Store), Terminal: string(p.Terminal),
		Instrument: string(p.Instrument), Reasons: make([]reasonData, len(p.Reasons)), CreatedAt: p.CreatedAt.UTC()}
	for i := range p.Reasons {
		y := &p.Reasons[i]
		v.Reasons[i] = reasonData{Code: int(y.Reason), Name: y.Reason.String(), Layer: y.Layer.String(), ID: y.ID, Version: y.Version, Rule: y.Rule}
	}
	if p.Method != pinfree.Cash {
		v.Outcome = p.Outcome.String()
	}
	if w.Merchant == "" {
		v.Payer = string(p.Payer)
	}
	switch payment.Topic(d.Topic) {
	case payment.TopicStepUp:
		if p.State == payment.StepUpRequired {
			v.StepUp = &stepUpData{p.StepUp.Names(), p.ExpiresAt.UTC()}
		}
	case payment.TopicApproved, payment.TopicReversed:
		v.CVM, v.PinFree = p.CVM.String(), p.PinFree()
	case payment.TopicDeclined:
		v.Failure = failureOf(p)
	case payment.TopicKept:
		v.Failure = p.Failure.String()
		if p.State == payment.Undoing || p.State == payment.Reversed { // it was still owed
			v.State = payment.Undoing.String()
		}
		v.refunded(p, r.Refunds[p.ID], d.Seq)
	case payment.TopicRefunded, payment.TopicRefundPending, payment.TopicRefundFailed:
		v.CVM, v.PinFree = p.CVM.String(), p.PinFree()
		v.refunded(p, r.Refunds[p.ID], d.Seq)
	}
	if p.Outside() {
		v.Channel, v.Inferred = p.Channel, v.CVM != ""
	}
	e.Data = v
	return nil
}

// states are what each fact made of a payment; what refunds made of it is said by
// refunded.
var states = map[payment.Topic]payment.State{
	payment.TopicApproved: payment.Approved, payment.TopicStepUp: payment.StepUpRequired, payment.TopicRefused: payment.Refused,
	payment.TopicDeclined: payment.Declined, payment.TopicExpired: payment.Expired, payment.TopicReversed: payment.Reversed,
	payment.TopicRefunded: payment.PartlyRefunded, payment.TopicVerifying: payment.Verifying, payment.TopicUnknown: payment.Unknown,
	payment.TopicUndoing: payment.Undoing, payment.TopicLate: payment.Undoing,
	payment.TopicRefundPending: payment.Approved, payment.TopicRefundFailed: payment.Approved,
	payment.TopicKept: payment.Approved,
}

// refunded fills what was given back up to a version, and which refund that
// version is about.
func (v *paymentData) refunded(p *payment.Payment, refunds []payment.Refund, seq int64) {
	var sum int64
	currency := string(p.Amount.Currency())
	for i := range refunds {
		f := &refunds[i]
		if f.State == payment.RefundDone && f.Settled <= seq {
			sum += f.Amount.Minor()
		}
		if f.Asked != seq && f.Settled != seq {
			continue
		}
		state := f.State
		if f.Asked == seq {
			state = payment.RefundPending
		}
		v.Refund = &refundData{ID: string(f.ID), RefundNo: f.RefundNo, Amount: amount{f.Amount.Minor(), currency}, State: state.String(), At: f.At.UTC()}
	}
	if sum == 0 {
		return
	}
	v.Refunded, v.State = &amount{sum, currency}, payment.PartlyRefunded.String()
	if sum == p.Amount.Minor() {
		v.State = payment.Refunded.String()
	}
}

// failureOf says why a payment was declined; one that was called off has no
// failure of its own.
func failureOf(p *payment.Payment) string {
	if name := p.Failure.String(); name != "" {
		return name
	}
	return "cancelled"
}
