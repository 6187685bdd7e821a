package merchant

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/rollout"
)

// Recorded is what an entry left in force: at most one part is set, none when
// the entry changed nothing that is in force (a proposal, another name).
type Recorded struct {
	Merchant *Merchant // without name and time of creation
	Store    *Store    // without name, address and time of creation
	Policy   *Policy
	Stop     *Stop // without its reason, which is free text
	Rollout  *Staged
}

// Staged is how far a rollout is, as an entry tells it.
type Staged struct {
	ID      mianmi.RolloutID
	Scope   Scope
	Version int64 // of the policy
	State   rollout.State
	Stage   int // from 0
	Stages  int
	Because rollout.Because // why it does not run
	Paused  rollout.Because // why it had been paused
}

// recorded reads entries by their type; those that are nil leave all as it is.
var recorded = map[string]func(evidence.Entry) (Recorded, error){
	"merchant.created":                   recordedMerchant,
	"merchant.renamed":                   nil,
	"merchant.facts.tightened":           recordedMerchant,
	"merchant.facts.loosening_proposed":  nil,
	"merchant.facts.loosened":            recordedMerchant,
	"merchant.policy.tightened":          recordedPolicy,
	"merchant.policy.loosening_proposed": nil,
	"merchant.policy.loosened":           recordedPolicy,
	"merchant.stop.placed":               recordedStop,
	"merchant.stop.lift_proposed":        nil,
	"merchant.stop.lifted":               recordedStop,
	"merchant.approval.lapsed":           nil,
	"merchant.approval.rejected":         nil,
	"merchant.approval.withdrawn":        nil,
	"merchant.channel.connected":         nil, // terminals hear of more; a payment goes where it is sent
	"terminals.tightened":                nil, // a payment's entry says what it made of its terminal
	"terminals.loosening_proposed":       nil,
	"terminals.loosened":                 nil,
	"rollout.started":                    recordedStage,
	"rollout.advanced":                   recordedStage,
	"rollout.paused":                     recordedStage,
	"rollout.resumed":                    recordedStage,
	"rollout.stopped":                    recordedStage,
	"rollout.finished":                   recordedStage,
	"store.created":                      recordedStore,
	"store.changed":                      recordedStore,
}

// ReadEntry reads an entry that this package wrote. A type that it does not
// know is an error: what another program recorded must not be passed over.
func ReadEntry(e evidence.Entry) (Recorded, error) {
	read, known := recorded[e.Type]
	if !known {
		return Recorded{}, fmt.Errorf("entry %s is of type %s, which this program does not know", e.ID, e.Type)
	}
	if read == nil {
		return Recorded{}, nil
	}
	return read(e)
}

// readNote is scopeNote as it is read back.
type readNote struct {
	scopeNote
	Before json.RawMessage `json:"before"`
	After  json.RawMessage `json:"after"`
	scope  Scope
}

// readScopeNote reads the body of a fact about a scope; after is what its After is
// read into, nil when it has none.
func readScopeNote(e evidence.Entry, after any) (readNote, error) {
	var n readNote
	if err := e.ReadBody(&n); err != nil {
		return n, err
	}
	var err error
	if n.scope, err = ParseScope(n.Scope); err != nil {
		return n, fmt.Errorf("entry %s of type %s: %w", e.ID, e.Type, err)
	}
	if after == nil {
		return n, nil
	}
	if err := (evidence.Entry{ID: e.ID, Type: e.Type, Body: n.After}).ReadBody(after); err != nil {
		return n, err
	}
	if n.Version < 1 {
		return n, fmt.Errorf("entry %s of type %s bears no version", e.ID, e.Type)
	}
	return n, nil
}

func recordedMerchant(e evidence.Entry) (Recorded, error) {
	var f Facts
	n, err := readScopeNote(e, &f)
	if err != nil {
		return Recorded{}, err
	}
	return Recorded{Merchant: &Merchant{ID: mianmi.MerchantID(n.scope.Subject), Currency: n.Currency, Facts: f, Version: n.Version}}, nil
}

func recordedPolicy(e evidence.Entry) (Recorded, error) {
	var t Terms
	n, err := readScopeNote(e, &t)
	if err != nil {
		return Recorded{}, err
	}
	p := &Policy{Scope: n.scope, Terms: t, Version: n.Version, Since: e.At, Actor: e.Actor}
	if r := n.Rollout; r != nil {
		p.Rollout = &Rollout{ID: r.ID, Kind: r.Kind, Scope: n.scope, Terms: t, Version: n.Version, Former: r.Former, Progress: rollout.Progress{Plan: r.Plan, Stage: -1}}
	}
	return Recorded{Policy: p}, nil
}

func recordedStage(e evidence.Entry) (Recorded, error) {
	var n stageNote
	if err := e.ReadBody(&n); err != nil {
		return Recorded{}, err
	}
	scope, err := ParseScope(n.Scope)
	if err != nil {
		return Recorded{}, fmt.Errorf("entry %s of type %s: %w", e.ID, e.Type, err)
	}
	s := &Staged{ID: n.Rollout, Scope: scope, Version: n.Version, State: rollout.ParseState(n.State), Stage: n.Stage, Stages: n.Stages}
	if n.Because != nil {
		s.Because = *n.Because
	}
	if n.Paused != nil {
		s.Paused = *n.Paused
	}
	return Recorded{Rollout: s}, nil
}

// Take makes the rollout of a recorded policy as far as the entry says. One that
// is over for everybody is one no longer.
func (p *Policy) Take(s *Staged) {
	switch r := p.Rollout; {
	case r == nil || s == nil || s.ID != r.ID: // it has come to nobody yet
	case s.State == rollout.Finished:
		p.Rollout = nil
	case s.State.Open():
		r.Stage, r.State, r.Because = s.Stage, s.State, s.Because
	}
}

func recordedStop(e evidence.Entry) (Recorded, error) {
	n, err := readScopeNote(e, nil)
	if err != nil {
		return Recorded{}, err
	}
	s := Stop{ID: n.Stop, Scope: n.scope, PlacedBy: n.PlacedBy}
	for _, f := range []struct {
		text string
		to   *time.Time
	}{{n.PlacedAt, &s.PlacedAt}, {n.Until, &s.Until}} {
		if *f.to, err = time.Parse(time.RFC3339Nano, f.text); err != nil {
			return Recorded{}, fmt.Errorf("entry %s of type %s: %w", e.ID, e.Type, err)
		}
	}
	if e.Type == "merchant.stop.lifted" {
		s.LiftedBy, s.LiftedAt = e.Actor, e.At
	}
	return Recorded{Stop: &s}, nil
}

func recordedStore(e evidence.Entry) (Recorded, error) {
	var n storeNote
	if err := e.ReadBody(&n); err != nil {
		return Recorded{}, err
	}
	return Recorded{Store: &Store{ID: mianmi.StoreID(e.Subject), Merchant: n.Merchant, Coordinates: n.Coordinates}}, nil
}
