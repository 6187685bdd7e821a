// Package rollout is how something new comes to terminals in stages: the plan,
// whom a stage reaches, and whether it is good enough to go on. It is pure.
//
// What is rolled out, and who may, is left to merchant (settings) and terminal
// (programs); counting to them and to store.
package rollout

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/mianmi/mianmi"
)

// Kind is what is rolled out, as it is recorded. A kind that a program does not
// know reaches nobody.
type Kind string

// Kinds.
const (
	Setting Kind = "setting" // a loosened policy
	Program Kind = "program" // a version of the terminals' program
)

// State is where a rollout stands. The numbers are stored.
type State uint8

// States. The zero State is none.
const (
	Running  State = 1
	Paused   State = 2 // nothing moves on; what is reached stays
	Stopped  State = 3 // the former terms came back for everybody; nobody new gets the program
	Finished State = 4 // everybody is reached
)

var stateNames = [...]string{"", "running", "paused", "stopped", "finished"}

// String is the state's name in the API.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return ""
}

// ParseState is the inverse of String; an unknown name is none.
func ParseState(name string) State { return State(max(0, slices.Index(stateNames[:], name))) } //nolint:gosec // a few

// Open reports whether the rollout may still move.
func (s State) Open() bool { return s == Running || s == Paused }

// Place is a terminal as far as plans ask.
type Place struct {
	Terminal mianmi.TerminalID
	Store    mianmi.StoreID
	Model    mianmi.ModelID
}

// Plan is the stages of a rollout and what each has to show. The zero Plan
// reaches nobody.
type Plan struct {
	Stages []Stage `json:"stages"`
	// AttestedMin is the least share of the reached terminals, in thousandths,
	// that have proved after AttestSeconds that they run what the stage brings.
	AttestedMin   int   `json:"attested_permille_min"`
	AttestSeconds int64 `json:"attest_seconds"`
	SoakSeconds   int64 `json:"soak_seconds"` // a stage lasts at least that long
	// DeclinedMax and UnknownMax are the most of the payments at reached terminals,
	// in thousandths; below PaymentsMin payments the share says nothing.
	DeclinedMax int `json:"declined_permille_max"`
	UnknownMax  int `json:"unknown_permille_max"`
	PaymentsMin int `json:"payments_min"`
	// RefusedMax is, of a program, the most of the reached terminals, in thousandths,
	// that may not take it or go back from it.
	RefusedMax int `json:"refused_permille_max,omitempty"`
	// ByHand says that a person begins each further stage.
	ByHand bool `json:"by_hand"`
}

// Stage says which terminals of the scope are reached, besides those of the
// stages before it.
type Stage struct {
	Permille  int                 `json:"permille,omitempty"` // of the scope's terminals
	Terminals []mianmi.TerminalID `json:"terminals,omitempty"`
	Stores    []mianmi.StoreID    `json:"stores,omitempty"`
	Models    []mianmi.ModelID    `json:"models,omitempty"`
}

// All is the share of everybody.
const All = 1000

// Usual is a plan's thresholds where nothing else is asked for: 95 % have
// proved it in 15 minutes, half an hour each, at most 10 % of payments declined
// and 2 % unknown, once there are 50.
func Usual(stages ...Stage) Plan {
	return Plan{Stages: stages, AttestedMin: 950, AttestSeconds: 15 * 60, SoakSeconds: 30 * 60, DeclinedMax: 100, UnknownMax: 20, PaymentsMin: 50}
}

// UsualProgram is the same for a program, which waits for a quiet hour of each
// terminal: 90 % run it within a day, four hours each, and at most 2 % do not
// take it.
func UsualProgram(stages ...Stage) Plan {
	p := Usual(stages...)
	p.AttestedMin, p.AttestSeconds, p.SoakSeconds, p.RefusedMax = 900, 24*60*60, 4*60*60, 20
	return p
}

// Reaches reports whether a stage, counted from 0, or one before it reaches the
// terminal. Whoever is reached by a stage is reached by every later one.
func (p *Plan) Reaches(id mianmi.RolloutID, stage int, at Place) bool {
	if stage < 0 || stage >= len(p.Stages) || at.Terminal == "" {
		return false
	}
	most := 0
	for i := range p.Stages[:stage+1] {
		s := &p.Stages[i]
		if slices.Contains(s.Terminals, at.Terminal) || at.Store != "" && slices.Contains(s.Stores, at.Store) ||
			at.Model != "" && slices.Contains(s.Models, at.Model) {
			return true
		}
		most = max(most, s.Permille)
	}
	return most >= All || most > 0 && Lot(id, at.Terminal) < most
}

// Lot is the terminal's number in the rollout, 0 to 999: those below a stage's
// share are reached. It is fixed for ever, and another one in every rollout, so
// that it is not always the same terminals that go first.
func Lot(id mianmi.RolloutID, t mianmi.TerminalID) int {
	var room [96]byte // identifiers have 28 bytes; longer ones take another array
	text := append(append(append(room[:0], id...), ':'), t...)
	sum := sha256.Sum256(text)
	return int(binary.BigEndian.Uint64(sum[:8]) % All) //nolint:gosec // below 1000
}

// Last reports whether the stage is the plan's last.
func (p *Plan) Last(stage int) bool { return stage == len(p.Stages)-1 }
