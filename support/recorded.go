package support

import (
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
)

// The types of entries of this package. Their subject is the complaint.
const (
	TypeOpened  = "complaint.opened"
	TypeChanged = "complaint.changed" // the payer or the channel
	TypeOrdered = "complaint.answer.ordered"
	TypeDone    = "complaint.answer.done"
	TypeFailed  = "complaint.answer.failed"
)

// note is the body of entries: identifiers, figures, and a keyed digest of the
// payer's words, which shows later that they are those that came.
type note struct {
	Channel  string             `json:"channel"`
	Account  string             `json:"account"`
	Number   string             `json:"number"`
	Merchant mianmi.MerchantID  `json:"merchant,omitempty"`
	Payments []mianmi.PaymentID `json:"payments,omitempty"`
	State    State              `json:"state"`
	Problem  Problem            `json:"problem"`
	Flags    Flags              `json:"flags"`
	Asked    int64              `json:"asked,omitempty"` // minor units
	Currency string             `json:"currency,omitempty"`
	Steps    int                `json:"steps"`
	Words    string             `json:"words"` // hexadecimal
	Version  int64              `json:"version"`
	What     string             `json:"what,omitempty"` // the newest step, of one that was made here
	Said     string             `json:"said,omitempty"` // its words, hexadecimal
}

func (s *Service) note(c *Complaint, steps int) note {
	n := note{Channel: c.Channel, Account: c.Account, Number: c.Number, Merchant: c.Merchant, State: c.State, Problem: c.Problem, Flags: c.Flags,
		Asked: c.Asked.Minor(), Currency: string(c.Asked.Currency()), Steps: steps, Words: s.digest(c.Title + "\x00" + c.Text), Version: c.Version}
	for _, a := range c.Payments {
		if a.Payment != "" {
			n.Payments = append(n.Payments, a.Payment)
		}
	}
	return n
}

// stepped is the entry of a complaint that was made here, and of its newest step.
func (s *Service) stepped(actor mianmi.Actor, kind string, c *Change, t *Step) error {
	n := s.note(c.Complaint, len(c.Known)+len(c.Steps))
	if n.What = t.What; t.Text != "" {
		n.Said = s.digest(t.Text)
	}
	e, err := s.entryOf(actor, kind, c.Complaint.ID, n)
	c.Entries, c.Tell = append(c.Entries, e), true
	return err
}

func (s *Service) digest(text string) string {
	return hex.EncodeToString(s.Keys.Digest(forWords, text))
}

func (s *Service) entry(actor mianmi.Actor, kind string, c *Complaint, steps int) (evidence.Entry, error) {
	return s.entryOf(actor, kind, c.ID, s.note(c, steps))
}

func (s *Service) entryOf(actor mianmi.Actor, kind string, id mianmi.ComplaintID, body any) (evidence.Entry, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return evidence.Entry{}, fmt.Errorf("encode %s: %w", kind, err)
	}
	now := s.now()
	en, err := mianmi.NewID("en", now, s.Random)
	if err != nil {
		return evidence.Entry{}, err
	}
	return evidence.Entry{ID: mianmi.EntryID(en), At: now, Type: kind, Subject: string(id), Actor: actor.String(), Body: text}, nil
}
