// Package rules is the life of rule packs: which are in force, who changed
// that and when, and what waits for a second person.
//
// What a pack says is read by pinfree/packs and decided by pinfree; where the
// texts are kept is left to store. A change that provably lets nothing pass
// that did not pass before (Compare) takes one person, every other takes two
// (docs/adr/0006).
package rules

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/mianmi/mianmi"
)

// Source is where a pack came from. The names are stored and in the API.
type Source string

const (
	Shipped Source = "shipped" // part of this program
	Folder  Source = "folder"  // a file of the operator's, read at start
	API     Source = "api"     // brought by a person, over HTTP or the command line
)

// atStart reports whether the source is compared again at every start.
func (s Source) atStart() bool { return s == Shipped || s == Folder }

// Pack is one part of a change: a version of a pack that is put in force, or
// the end of one that is. It stays for good, so that an old decision can be
// read with the text that made it.
type Pack struct {
	Change  mianmi.RuleChangeID
	ID      string // the pack's ("cn-unionpay-2018")
	Version int64
	// Withdraws: the change takes the pack out of force. Then YAML is empty and
	// Version is the one that goes.
	Withdraws bool
	YAML      string
	Digest    string // SHA-256 of YAML in hexadecimal
	Source    Source

	// From is when it came into force and Until when it was replaced or
	// withdrawn; zero: not yet. The epochs are those of the settings.
	From, Until           time.Time
	FromEpoch, UntilEpoch int64
	Withdrawn             bool // with Until: not replaced by another version
}

// Live reports whether the pack is in force.
func (p *Pack) Live() bool { return !p.Withdraws && !p.From.IsZero() && p.Until.IsZero() }

// State is the pack's state as it stands in the API, given its change's.
func (p *Pack) State(change State) string {
	switch {
	case p.Live():
		return "in_force"
	case p.Withdrawn:
		return "withdrawn"
	case !p.Until.IsZero():
		return "replaced"
	}
	return change.String()
}

// digestOf is what a text is known by.
func digestOf(yaml string) string {
	sum := sha256.Sum256([]byte(yaml))
	return hex.EncodeToString(sum[:])
}

// State is where a change stands. The numbers are stored.
type State uint8

const (
	Proposed  State = 1 // waits for a second person
	InForce   State = 2 // came into force
	Rejected  State = 3
	TakenBack State = 4 // by who proposed it
	Lapsed    State = 5 // the packs in force have changed since
	Expired   State = 6 // nobody decided in time; derived from the time, never stored
)

var stateNames = [...]string{"", "proposed", "in_force", "rejected", "taken_back", "lapsed", "expired"}

// String returns the state's name as it stands in the API.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return ""
}

// ChangeLife is how long a change waits for its second person.
const ChangeLife = 7 * 24 * time.Hour

// Change is what somebody wants to alter, and what became of it. Its packs
// come into force together or not at all.
type Change struct {
	ID    mianmi.RuleChangeID
	Packs []Pack
	// Tightening: it is proved that nothing passes by it that did not pass before.
	Tightening bool
	// BasedOn is SetDigest of the packs in force that it was compared with.
	BasedOn    string
	Note       string
	State      State
	ProposedBy string // mianmi.Actor.String()
	ProposedAt time.Time
	ExpiresAt  time.Time
	DecidedBy  string // empty while it waits
	DecidedAt  time.Time
}

// At is the state at now: a change that nobody decided in time is Expired.
func (c *Change) At(now time.Time) State {
	if c.State == Proposed && !now.Before(c.ExpiresAt) {
		return Expired
	}
	return c.State
}

// open returns a Conflict error unless the change still waits at now.
func (c *Change) open(now time.Time) error {
	switch c.At(now) {
	case Proposed:
		return nil
	case Expired:
		return mianmi.Conflicts("approval_expired", "nobody decided in time: propose it again")
	case Lapsed:
		return mianmi.Conflicts("approval_lapsed", "the rule packs in force have changed since: propose it again")
	}
	return mianmi.Conflicts("approval_decided", "it is decided already: "+c.State.String())
}
