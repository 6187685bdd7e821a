package contract

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
)

// Types of entries about contracts. Their subject is the contract.
const (
	TypeOpened  = "contract.opened"
	TypeSigned  = "contract.signed"
	TypeRevoked = "contract.revoked" // by somebody, by itself; what is revoked with its agreement says the agreement's entry
	TypeEnded   = "contract.ended"
	// TypeUnannounced is an end at the channel of which no notification had come.
	TypeUnannounced = "contract.ended_unannounced"
)

// Record is the body of an entry about a contract: it after the change.
type Record struct {
	Version   int64              `json:"version"`
	Payer     mianmi.PayerID     `json:"payer"`
	Merchant  mianmi.MerchantID  `json:"merchant"`
	Agreement mianmi.AgreementID `json:"agreement"`
	Channel   string             `json:"channel"`
	Kind      string             `json:"kind"`
	Number    string             `json:"number,omitempty"` // the channel's own
	SignedAt  *time.Time         `json:"signed_at,omitempty"`
	RevokedAt *time.Time         `json:"revoked_at,omitempty"`
	EndedAt   *time.Time         `json:"ended_at,omitempty"`
	EndedBy   string             `json:"ended_by,omitempty"` // in the channel's words
	Session   string             `json:"session,omitempty"`  // of who acted
}

func (s *Service) record(ch *Change, now time.Time, actor mianmi.Actor, kind string) error {
	c := ch.Contract
	c.Version++
	// As those of payers: what happens in one millisecond stands in its order.
	id, err := mianmi.NewOrderedID("en", now, c.Version, s.Random)
	if err != nil {
		return err
	}
	body, err := json.Marshal(Record{Version: c.Version, Payer: c.Payer, Merchant: c.Merchant, Agreement: c.Agreement, Channel: c.Channel, Kind: c.Kind, Number: c.Number,
		SignedAt: some(c.SignedAt), RevokedAt: some(c.RevokedAt), EndedAt: some(c.EndedAt), EndedBy: c.EndedBy, Session: actor.Via})
	if err != nil {
		return fmt.Errorf("encode %s: %w", kind, err)
	}
	ch.Entries = append(ch.Entries, evidence.Entry{ID: mianmi.EntryID(id), At: now, Type: kind, Subject: string(c.ID), Actor: actor.String(), Body: body})
	return nil
}

func some(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// ReadRecord reads the body of an entry about a contract.
func ReadRecord(e evidence.Entry) (Record, error) {
	var r Record
	err := e.ReadBody(&r)
	return r, err
}
