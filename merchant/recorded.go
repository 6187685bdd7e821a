package merchant

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
)

// Recorded is what an entry left in force: at most one part is set, none when
// the entry changed nothing that is in force (a proposal, another name).
type Recorded struct {
	Merchant *Merchant // without name and time of creation
	Store    *Store    // without name, address and time of creation
	Policy   *Policy
	Stop     *Stop // without its reason, which is free text
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
	"terminals.tightened":                nil, // a payment's entry says what it made of its terminal
	"terminals.loosening_proposed":       nil,
	"terminals.loosened":                 nil,
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
	return Recorded{Policy: &Policy{Scope: n.scope, Terms: t, Version: n.Version, Since: e.At, Actor: e.Actor}}, nil
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
