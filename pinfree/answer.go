package pinfree

import "github.com/mianmi/mianmi"

// Answer is one line of a scheme's table of step-up answers: with which
// response code an issuer asks for authentication, and what a terminal does
// about it. The first line that fits the terminal is taken.
type Answer struct {
	ID     string       `json:"id" yaml:"id"`
	Title  mianmi.Text  `json:"title" yaml:"title"`
	Scheme string       `json:"scheme" yaml:"scheme"`
	When   TerminalWhen `json:"when,omitzero" yaml:"when"`
	Code   string       `json:"code" yaml:"code"`         // ISO 8583 field 39
	ARC    string       `json:"arc,omitempty" yaml:"arc"` // authorisation response code in tag 8A/91, where the scheme uses it
	Action string       `json:"action" yaml:"action"`     // see AnswerActions
}

// TerminalWhen says which terminals an Answer is for; nil: any.
type TerminalWhen struct {
	OnlinePIN *bool `json:"online_pin,omitempty" yaml:"online_pin"`
	SingleTap *bool `json:"single_tap,omitempty" yaml:"single_tap"` // can send the same tap again, with the PIN
	Contact   *bool `json:"contact,omitempty" yaml:"contact"`       // has a contact chip reader
}

// AnswerActions are what a terminal can do about a step-up answer.
var AnswerActions = []string{"ask_online_pin_resubmit", "switch_to_contact", "decline"}

// TODO(rules): checked in the next commit.
func (f *faults) answers(*Pack) {}
