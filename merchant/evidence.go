package merchant

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/rollout"
)

// note is one fact to be recorded. Body becomes JSON; names, addresses and
// free texts stay out of it.
type note struct {
	Type    string
	Subject string
	Body    any
}

// scopeNote is the body of facts about a scope. Of what is in force after the
// change it says all, so that the newest entry alone tells the setting.
type scopeNote struct {
	Scope      string            `json:"scope"`
	Before     any               `json:"before,omitempty"`
	After      any               `json:"after,omitempty"`
	Currency   money.Currency    `json:"currency,omitempty"` // of the merchant, with its facts
	Version    int64             `json:"version,omitempty"`  // of the setting after the change
	Approval   mianmi.ApprovalID `json:"approval,omitempty"`
	ProposedBy string            `json:"proposed_by,omitempty"`
	Stop       mianmi.StopID     `json:"stop,omitempty"`
	Until      string            `json:"until,omitempty"` // RFC 3339, UTC, as are those that follow
	PlacedAt   string            `json:"placed_at,omitempty"`
	PlacedBy   string            `json:"placed_by,omitempty"`
	Measure    *mianmi.Measure   `json:"measure,omitempty"` // of a risk rule, that a stop follows from
	Plan       *rollout.Plan     `json:"plan,omitempty"`    // proposed with the terms
	Rollout    *rolloutNote      `json:"rollout,omitempty"` // that brings the policy to terminals
}

// noteOf is what a fact says of a stop, but for its free text.
func noteOf(s Stop) scopeNote {
	return scopeNote{Stop: s.ID, Until: s.Until.Format(time.RFC3339Nano), PlacedAt: s.PlacedAt.Format(time.RFC3339Nano), PlacedBy: s.PlacedBy}
}

// storeNote is the body of facts about a store.
type storeNote struct {
	Merchant       mianmi.MerchantID `json:"merchant"`
	Before         *Coordinates      `json:"before,omitempty"`
	Coordinates    *Coordinates      `json:"coordinates,omitempty"`
	NameChanged    bool              `json:"name_changed,omitempty"`
	AddressChanged bool              `json:"address_changed,omitempty"`
}

func (s *Service) entry(actor mianmi.Actor, now time.Time, n note) (evidence.Entry, error) {
	if n.Body == nil {
		n.Body = struct{}{}
	}
	body, err := json.Marshal(n.Body)
	if err != nil {
		return evidence.Entry{}, fmt.Errorf("encode evidence %s: %w", n.Type, err)
	}
	id, err := mianmi.NewID("en", now, s.random)
	if err != nil {
		return evidence.Entry{}, err
	}
	return evidence.Entry{ID: mianmi.EntryID(id), At: now, Type: n.Type, Subject: n.Subject,
		Actor: actor.String(), Body: body}, nil
}
