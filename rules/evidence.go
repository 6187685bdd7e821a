package rules

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
)

// note is the body of a fact about a pack. The texts stand in the store under
// their digests.
type note struct {
	Change     mianmi.RuleChangeID `json:"change"`
	Before     *edition            `json:"before,omitempty"` // in force until now
	After      *edition            `json:"after,omitempty"`  // brought by the change; none: it goes
	Tightening bool                `json:"tightening"`
	Source     Source              `json:"source"`
	ProposedBy string              `json:"proposed_by,omitempty"`
}

type edition struct {
	Version int64  `json:"version"`
	Digest  string `json:"digest"`
}

func editionOf(p *Pack) *edition {
	if p == nil || p.Withdraws {
		return nil
	}
	return &edition{p.Version, p.Digest}
}

// fact is a change of one pack to be recorded.
type fact struct {
	kind   string // "rule.pack.proposed"
	change *Change
	part   *Pack
	before *Pack // nil: none
}

func (f fact) entry(actor mianmi.Actor, now time.Time, random io.Reader) (evidence.Entry, error) {
	body, err := json.Marshal(note{Change: f.change.ID, Before: editionOf(f.before), After: editionOf(f.part),
		Tightening: f.change.Tightening, Source: f.part.Source, ProposedBy: f.change.ProposedBy})
	if err != nil {
		return evidence.Entry{}, fmt.Errorf("encode evidence %s: %w", f.kind, err)
	}
	id, err := mianmi.NewID("en", now, random)
	if err != nil {
		return evidence.Entry{}, err
	}
	return evidence.Entry{ID: mianmi.EntryID(id), At: now, Type: f.kind, Subject: Subject(f.part.ID), Actor: actor.String(), Body: body}, nil
}
