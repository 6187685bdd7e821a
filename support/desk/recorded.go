package desk

import (
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/secret"
)

// forWords is the digest of what people wrote, in entries; it is in stored data.
const forWords secret.Purpose = "case_words"

// The types of entries of this package. Their subject is the case.
const (
	TypeOpened    = "case.opened"
	TypeRepeated  = "case.repeated" // somebody complained again while it was open
	TypeMoved     = "case.moved"
	TypeAssigned  = "case.assigned"
	TypeNoted     = "case.noted"
	TypeAttached  = "case.attached"
	TypeLinked    = "case.linked"
	TypeChecked   = "case.identity_checked"
	TypeActed     = "case.acted" // for the payer, after a check
	TypeDecided   = "case.decided"
	TypeEscalated = "case.escalated"
	TypePacked    = "case.packed" // a proof pack was handed out

	TypeComplained = "case.complaint" // news of a complaint that the case is of

	TypePayoutOrdered  = "case.payout_ordered"
	TypePayoutApproved = "case.payout_approved" // by a second person
	TypePayoutPaid     = "case.payout_paid"
	TypePayoutRefused  = "case.payout_refused"

	// TypeGuaranteeFunded is of the guarantee account; its subject is the funding.
	TypeGuaranteeFunded = "guarantee.funded"
)

// Record is the body of every entry about a case: identifiers, words of the
// program, figures, and keyed digests of what people wrote.
type Record struct {
	Version  int64             `json:"version"`
	Kind     string            `json:"kind"`
	State    string            `json:"state"`
	Queue    string            `json:"queue"`
	Category string            `json:"category,omitempty"`
	Payer    mianmi.PayerID    `json:"payer,omitempty"`
	Merchant mianmi.MerchantID `json:"merchant,omitempty"`
	Assignee mianmi.StaffID    `json:"assignee,omitempty"`
	From     string            `json:"from,omitempty"`     // of a move
	Why      string            `json:"why,omitempty"`      // digest of words
	Audience string            `json:"audience,omitempty"` // of a note
	Words    string            `json:"words,omitempty"`    // digest of a note
	File     string            `json:"file,omitempty"`     // its name in the folder, a keyed digest
	Links    []string          `json:"links,omitempty"`    // "payment pm…"
	Method   string            `json:"method,omitempty"`   // of a check
	Asked    []string          `json:"asked,omitempty"`
	Passed   *bool             `json:"passed,omitempty"`
	Act      string            `json:"act,omitempty"`
	Verdict  string            `json:"verdict,omitempty"`
	Award    int64             `json:"award,omitempty"` // minor units
	Currency string            `json:"currency,omitempty"`
	Deadline string            `json:"deadline,omitempty"` // of an escalation: first_answer_late, …
	Pack     string            `json:"pack,omitempty"`     // SHA-256 of a proof pack
	Payout   mianmi.PayoutID   `json:"payout,omitempty"`
	Payment  mianmi.PaymentID  `json:"payment,omitempty"` // of a payout
	Source   string            `json:"source,omitempty"`
	Basis    string            `json:"basis,omitempty"`
	Amount   int64             `json:"amount,omitempty"` // minor units
	Failure  string            `json:"failure,omitempty"`

	Complaint mianmi.ComplaintID `json:"complaint,omitempty"`
	Seen      int64              `json:"seen,omitempty"` // the complaint's version
}

// add records a step of a case that is locked, and makes a version of it.
func (s *Service) add(ch *Change, actor mianmi.Actor, kind string, fill func(*Record)) error {
	c, now := &ch.Case, s.now()
	c.Version++
	c.ChangedAt = now
	r := Record{Version: c.Version, Kind: c.Kind.String(), State: c.State.String(), Queue: c.Queue.String(), Category: c.Category, Payer: c.Payer,
		Merchant: c.Merchant, Assignee: c.Assignee}
	if fill != nil {
		fill(&r)
	}
	for _, l := range ch.Links {
		r.Links = append(r.Links, l.Kind.String()+" "+l.Ref)
	}
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode %s: %w", kind, err)
	}
	id, err := mianmi.NewOrderedID("en", now, c.Version, s.Random)
	ch.Entries = append(ch.Entries, evidence.Entry{ID: mianmi.EntryID(id), At: now, Type: kind, Subject: string(c.ID), Actor: actor.String(), Body: text})
	return err
}

func (s *Service) digest(text string) string {
	if text == "" {
		return ""
	}
	return hex.EncodeToString(s.Keys.Digest(forWords, text))
}

// ReadRecord reads the body of an entry about a case.
func ReadRecord(e evidence.Entry) (Record, error) {
	var r Record
	if err := e.ReadBody(&r); err != nil {
		return Record{}, err
	}
	if r.Version < 1 {
		return Record{}, fmt.Errorf("entry %s of type %s bears no version", e.ID, e.Type)
	}
	return r, nil
}
