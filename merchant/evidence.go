package merchant

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
)

// note is one fact to be recorded. Body becomes JSON; names, addresses and
// free texts stay out of it.
type note struct {
	Type    string
	Subject string
	Body    any
}

// scopeNote is the body of facts about a scope.
type scopeNote struct {
	Scope      string            `json:"scope"`
	Before     any               `json:"before,omitempty"`
	After      any               `json:"after,omitempty"`
	Version    int64             `json:"version,omitempty"` // of the setting after the change
	Approval   mianmi.ApprovalID `json:"approval,omitempty"`
	ProposedBy string            `json:"proposed_by,omitempty"`
	Stop       mianmi.StopID     `json:"stop,omitempty"`
	Until      string            `json:"until,omitempty"` // RFC 3339, UTC
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
