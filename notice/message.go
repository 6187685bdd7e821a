package notice

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/payment"
)

// Record is what the store has of the facts that deliveries tell of.
type Record struct {
	Payments map[mianmi.PaymentID]*payment.Payment
	Refunds  map[mianmi.PaymentID][]payment.Refund // oldest first
	TopUps   map[string]payment.TopUp              // by identifier
	Entries  map[mianmi.EntryID]evidence.Entry
}

// Message is what is sent: the same identifier each time that it is sent again.
type Message struct {
	ID   string
	Body []byte // JSON
}

// envelope is the form of every body (Standard Webhooks: type, timestamp, data).
type envelope struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`         // when it happened
	Sequence  int64     `json:"sequence"`          // of this webhook's messages, without gaps
	Subject   string    `json:"subject,omitempty"` // what it happened to: messages of one subject come in order
	Version   int64     `json:"version,omitempty"` // of the subject that the fact made
	Entry     string    `json:"entry,omitempty"`   // of the evidence that records it
	Actor     string    `json:"actor,omitempty"`
	Data      any       `json:"data"`
}

// messageID names a delivery for its receiver: it tells repeats by it. A dot
// must not be in it, for it separates what is signed.
func messageID(w mianmi.WebhookID, number int64) string {
	return string(w) + "_" + strconv.FormatInt(number, 10)
}

// message builds what a delivery sends. It depends on records alone, so that
// what is sent again is the same, as far as data says nothing else.
func message(w *Webhook, d *Delivery, r *Record) (Message, error) {
	e := envelope{Type: d.Topic.String(), Timestamp: d.At.UTC(), Sequence: d.Number, Subject: d.Subject, Version: d.Seq}
	var err error
	switch {
	case e.Type == "":
		err = fmt.Errorf("topic %d is not known", d.Topic)
	case d.Topic == Test:
		e.Subject, e.Data = "", struct{}{}
	case d.Topic == Topic(payment.TopicToppedUp):
		err = e.topUp(d, r)
	case d.Topic < PayerClosed:
		err = e.payment(w, d, r)
	default:
		err = e.recorded(w, d, r)
	}
	if err != nil {
		return Message{}, fmt.Errorf("build message %d of webhook %s: %w", d.Number, w.ID, err)
	}
	body, err := json.Marshal(e)
	if err != nil {
		return Message{}, fmt.Errorf("encode message %d of webhook %s: %w", d.Number, w.ID, err)
	}
	return Message{ID: messageID(w.ID, d.Number), Body: body}, nil
}

// amount is money on the wire.
type amount struct {
	Minor    int64  `json:"minor"`
	Currency string `json:"currency"`
}

type topUpData struct {
	ID     string `json:"id"`
	Payer  string `json:"payer"`
	Key    string `json:"key"`
	Amount amount `json:"amount"`
}

func (e *envelope) topUp(d *Delivery, r *Record) error {
	t, ok := r.TopUps[d.Subject]
	if !ok {
		return mianmi.Missing("top-up")
	}
	e.Actor = t.Actor
	e.Data = topUpData{ID: t.ID, Payer: string(t.Payer), Key: t.Key, Amount: amount{t.Amount.Minor(), string(t.Amount.Currency())}}
	return nil
}
