package terminal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/rollout"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// ProgramRollout says that a version of the program comes to the terminals of a
// family of models in stages (docs/adr/0013). Whom it has not come to does not
// get the version from this host. A version without one is everybody's.
type ProgramRollout struct {
	ID      mianmi.RolloutID `json:"id"`
	Kind    rollout.Kind     `json:"kind"`
	Family  string           `json:"family"`
	Version string           `json:"version"` // as it is published
	rollout.Progress

	// Excused are the refusals that a person has looked at and gone on with: a
	// terminal that went back keeps saying so.
	Excused int `json:"excused,omitempty"`
}

// ReadProgramRollout reads one as json.Marshal wrote it. What it cannot read, a
// field of a later version among that, is an error.
func ReadProgramRollout(text []byte) (*ProgramRollout, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	r := new(ProgramRollout)
	if err := d.Decode(r); err != nil {
		return nil, fmt.Errorf("read a program's rollout: %w", err)
	}
	return r, nil
}

// Gives reports whether a terminal gets the version now. While it is paused
// nobody does, whatever the stage: a program that is doubted is put on no further
// machine. One that this program cannot read has come to nobody.
func (r *ProgramRollout) Gives(d *Device) bool {
	if r.Kind != rollout.Program {
		return false
	}
	return r.State == rollout.Finished || r.State == rollout.Running && r.reaches(d)
}

// reaches reports whether the present stage has come to the machine, which has
// to say itself that it is of the family.
func (r *ProgramRollout) reaches(d *Device) bool {
	return d.Family == r.Family && d.Family != "" && r.Plan.Reaches(r.ID, r.Stage, rollout.Place{Terminal: d.Terminal, Store: d.Store, Model: d.Model})
}

// Device is a terminal as far as programs ask: where it stands, and what it has
// said of itself in its newest report that was taken.
type Device struct {
	Terminal mianmi.TerminalID
	Name     string
	Store    mianmi.StoreID
	Model    mianmi.ModelID
	Proof    Proof
	Revoked  bool
	Family   string           // empty: it has said nothing yet
	App      string           // version of the program that runs
	Update   *protocol.Update // nil: nothing to be said of programs
	SeenAt   time.Time
}

// Doing is how a terminal stands with a version.
type Doing uint8

// How terminals stand. The zero Doing is the farthest from running it.
const (
	DoingNothing  Doing = iota // has not taken it yet
	DoingWaits                 // has it, and waits for a restart
	DoingTrial                 // runs it, and nobody has confirmed that yet
	DoingRuns                  // runs it or a newer one
	DoingRefused               // did not take it, or went back from it
	doingUnproven              // of a model that proves nothing
)

var doingNames = [...]string{"not_taken", "waiting", "trial", "runs", "refused", ""}

// String is the name in the API.
func (d Doing) String() string { return doingNames[d] }

// Doing says how the terminal stands with a version, by its own word.
func (d *Device) Doing(version string) Doing {
	want, _ := protocol.ParseVersion(version)
	if d.Proof == ByHost {
		return doingUnproven
	}
	state := ""
	if u := d.Update; u != nil && u.Reason != "unmet" { // then it takes an older one first
		if v, ok := protocol.ParseVersion(u.Version); ok && v == want {
			state = u.State
		}
	}
	v, ok := protocol.ParseVersion(d.App)
	switch {
	case state == "trial":
		return DoingTrial
	case ok && v.Compare(want) >= 0:
		return DoingRuns
	case state == "waiting":
		return DoingWaits
	case state == "refused":
		return DoingRefused
	}
	return DoingNothing
}

// family is how families of models are called, in the update repository too.
var family = regexp.MustCompile(`^[a-z][a-z0-9_]{1,39}$`)

// release is the version's one text; an error names the field at fault.
func release(fam, version string) (string, error) {
	if !family.MatchString(fam) {
		return "", mianmi.InvalidField("family", "want the family of a model, such as linux_countertop")
	}
	v, ok := protocol.ParseRelease(version)
	if !ok {
		return "", mianmi.InvalidField("version", "want numbers with dots, such as 1.4.0")
	}
	return v.String(), nil
}

// Release is the text by which the store finds the version's rollout: 1.4 and
// 1.4.0 are one.
func (r *ProgramRollout) Release() string {
	text, err := release(r.Family, r.Version)
	if err != nil {
		return "" // no version has this text
	}
	return text
}

// programNote is the body of facts about a program's rollout. Each says how far
// it is.
type programNote struct {
	Rollout mianmi.RolloutID `json:"rollout"`
	Family  string           `json:"family"`
	Version string           `json:"version"`
	State   string           `json:"state"`
	Stage   int              `json:"stage"` // from 0
	Stages  int              `json:"stages"`
	Plan    *rollout.Plan    `json:"plan,omitempty"` // when it begins
	Because *rollout.Because `json:"because,omitempty"`
	// Paused is, of one that goes on after a pause, why it had stood still.
	Paused *rollout.Because `json:"paused,omitempty"`
}

// ProgramStep is how far a program's rollout is, as an entry tells it.
type ProgramStep struct {
	Rollout         mianmi.RolloutID
	Family, Version string
	State           rollout.State
	Stage, Stages   int // from 0
	Because         rollout.Because
}

func readProgram(n *programNote) *ProgramStep {
	s := &ProgramStep{Rollout: n.Rollout, Family: n.Family, Version: n.Version, State: rollout.ParseState(n.State), Stage: n.Stage, Stages: n.Stages}
	if n.Because != nil {
		s.Because = *n.Because
	}
	return s
}
