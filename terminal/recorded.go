package terminal

import (
	"fmt"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/pinfree"
)

// modelNote is the body of the fact that there is a model.
type modelNote struct {
	Keypad  bool            `json:"keypad"`
	Display bool            `json:"display"`
	Reboot  bool            `json:"reboot"`
	Proof   string          `json:"proof"`
	Methods pinfree.Methods `json:"methods"`
}

// terminalNote is the body of facts about a terminal. It says all but the
// name, so that the newest entry alone tells where the terminal is.
type terminalNote struct {
	Before     mianmi.StoreID `json:"before,omitempty"` // where it was
	Store      mianmi.StoreID `json:"store"`
	Model      mianmi.ModelID `json:"model"`
	Unattended bool           `json:"unattended"`
	Purpose    string         `json:"purpose"`
}

func noteOf(t Terminal) terminalNote {
	return terminalNote{Store: t.Store, Model: t.Model, Unattended: t.Unattended, Purpose: t.Purpose}
}

// Recorded is what an entry left in force: at most one part is set, none when
// the entry gave another name.
type Recorded struct {
	Model    *Model    // without name and time of creation
	Terminal *Terminal // without name, merchant and time of creation
	Runs     *Runs     // what a terminal has proved to run from then on
	Program  *ProgramStep
}

// Runs is what a terminal runs, by an entry.
type Runs struct {
	Terminal mianmi.TerminalID
	Version  int64 // 0: nothing that it has proved
}

// ReadEntry reads an entry that this package wrote. A type that it does not
// know is an error: what another program recorded must not be passed over.
func ReadEntry(e evidence.Entry) (Recorded, error) {
	switch e.Type {
	case "model.renamed", "terminal.renamed", "terminal.enrolment.issued", "terminal.key.issued":
		return Recorded{}, nil
	case "model.created":
		var n modelNote
		if err := e.ReadBody(&n); err != nil {
			return Recorded{}, err
		}
		proof, ok := ParseProof(n.Proof)
		if !ok {
			return Recorded{}, fmt.Errorf("entry %s: a model with a proof that this program does not know", e.ID)
		}
		return Recorded{Model: &Model{ID: mianmi.ModelID(e.Subject), Keypad: n.Keypad, Display: n.Display, Reboot: n.Reboot, Proof: proof,
			Methods: n.Methods}}, nil
	case "terminal.created", "terminal.moved":
		var n terminalNote
		if err := e.ReadBody(&n); err != nil {
			return Recorded{}, err
		}
		return Recorded{Terminal: &Terminal{ID: mianmi.TerminalID(e.Subject), Store: n.Store, Model: n.Model, Unattended: n.Unattended,
			Purpose: n.Purpose}}, nil
	case "terminal.setting.attested", "terminal.setting.fell_back":
		var n settingNote
		if err := e.ReadBody(&n); err != nil {
			return Recorded{}, err
		}
		return Recorded{Runs: &Runs{Terminal: mianmi.TerminalID(e.Subject), Version: n.Version}}, nil
	case "terminal.setting.lost", "terminal.drift.began", "terminal.keys.revoked":
		return Recorded{Runs: &Runs{Terminal: mianmi.TerminalID(e.Subject)}}, nil
	case "program.started", "program.advanced", "program.paused", "program.resumed", "program.stopped", "program.finished":
		var n programNote
		if err := e.ReadBody(&n); err != nil {
			return Recorded{}, err
		}
		return Recorded{Program: readProgram(&n)}, nil
	case "terminal.setting.refused", "terminal.setting.proposed", "terminal.drift.ended", "terminal.posture.changed",
		"terminal.report.refused", "terminal.key.replaced", "terminal.check.reported", "terminal.check.judged",
		"terminal.trouble.reported", "terminal.off.in_force", "terminal.off.late":
		return Recorded{}, nil
	}
	return Recorded{}, fmt.Errorf("entry %s is of type %s, which this program does not know", e.ID, e.Type)
}

// ReadPosture reads an entry about what a terminal's checks came to: the rules
// that it fails, none when it is safe.
func ReadPosture(e evidence.Entry) ([]string, error) {
	var n postureNote
	if err := e.ReadBody(&n); err != nil {
		return nil, err
	}
	return n.Unsafe, nil
}

// ReadTrouble reads an entry about what somebody at the terminal says is wrong: its
// kind (see protocol.Trouble), and the payment that they name, if any. Both are the
// terminal's word.
func ReadTrouble(e evidence.Entry) (kind string, payment mianmi.PaymentID, err error) {
	var n troubleNote
	err = e.ReadBody(&n)
	return n.Kind, n.Payment, err
}
