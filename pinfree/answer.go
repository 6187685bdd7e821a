package pinfree

import (
	"slices"

	"github.com/mianmi/mianmi"
)

// Answer is one line of a scheme's table of step-up answers: with which
// response code an issuer asks for authentication, and what a terminal does
// about it. The first line that fits the terminal is taken.
type Answer struct {
	ID      string       `json:"id" yaml:"id"`
	Title   mianmi.Text  `json:"title" yaml:"title"`
	Sources []string     `json:"sources,omitempty" yaml:"sources"` // as in Limit
	Scheme  string       `json:"scheme" yaml:"scheme"`
	When    TerminalWhen `json:"when,omitzero" yaml:"when"`
	Code    string       `json:"code" yaml:"code"`         // ISO 8583 field 39
	ARC     string       `json:"arc,omitempty" yaml:"arc"` // authorisation response code in tag 8A/91, where the scheme uses it
	Action  string       `json:"action" yaml:"action"`     // see AnswerActions
}

// TerminalWhen says which terminals an Answer is for; nil: any.
type TerminalWhen struct {
	OnlinePIN *bool `json:"online_pin,omitempty" yaml:"online_pin"`
	SingleTap *bool `json:"single_tap,omitempty" yaml:"single_tap"` // can send the same tap again, with the PIN
	Contact   *bool `json:"contact,omitempty" yaml:"contact"`       // has a contact chip reader
}

// AnswerActions are what a terminal can do about a step-up answer.
var AnswerActions = []string{askOnlinePIN, switchToContact, "decline"}

const (
	askOnlinePIN    = "ask_online_pin_resubmit"
	switchToContact = "switch_to_contact"
)

// TerminalCan is what a terminal is able to do about a step-up answer. The zero
// TerminalCan can do nothing.
type TerminalCan struct {
	OnlinePIN bool // has a keypad whose PIN goes to the host
	SingleTap bool // can send the same tap again, with the PIN
	Contact   bool // has a contact chip reader
}

// StepUpAnswer returns with which answer an issuer of the scheme asks this
// terminal for authentication: the first line that fits, in order of the packs'
// IDs. It is false when no pack has a line for the scheme and the terminal; such
// a payment is declined without asking.
func (s *RuleSet) StepUpAnswer(scheme string, can TerminalCan) (Answer, bool) {
	if s == nil || scheme == "" {
		return Answer{}, false
	}
	for i := range s.packs {
		for _, a := range s.packs[i].Answers {
			if a.Scheme == scheme && a.When.fits(can) {
				return a, true
			}
		}
	}
	return Answer{}, false
}

// parts pairs what is wanted with what the terminal has, for the rules below.
func (w TerminalWhen) parts() [3]flag {
	return [...]flag{flagOf(w.OnlinePIN), flagOf(w.SingleTap), flagOf(w.Contact)}
}

func (w TerminalWhen) fits(can TerminalCan) bool {
	p := w.parts()
	return p[0].match(can.OnlinePIN) && p[1].match(can.SingleTap) && p[2].match(can.Contact)
}

// covers reports whether every terminal that fits o fits w.
func (w TerminalWhen) covers(o TerminalWhen) bool {
	mine, theirs := w.parts(), o.parts()
	for i := range mine {
		if mine[i] != anyValue && mine[i] != theirs[i] {
			return false
		}
	}
	return true
}

// answers checks the table of step-up answers.
func (f *faults) answers(p *Pack) {
	for i := range p.Answers {
		a := &p.Answers[i]
		path := at("", "answers", i)
		before := p.Answers[:i]
		if !isWord(a.ID) || slices.ContainsFunc(before, func(o Answer) bool { return o.ID == a.ID }) {
			f.add(path+".id", "%q is empty, there twice, or not a name; write at most 64 of a-z, 0-9, _ and -", a.ID)
		}
		f.text(path+".title", a.Title)
		f.cites(path, a.Sources)
		if !isWord(a.Scheme) {
			f.add(path+".scheme", "%q is not a name; write at most 64 of a-z, 0-9, _ and -, like visa", a.Scheme)
		}
		if !isResponseCode(a.Code) {
			f.add(path+".code", "%q is not a response code; write two digits or capitals in quotes, like \"65\" or \"1A\"", a.Code)
		}
		if a.ARC != "" && !isResponseCode(a.ARC) {
			f.add(path+".arc", "%q is not an authorisation response code; write two digits or capitals in quotes, or leave it out", a.ARC)
		}
		f.choose(path+".action", a.Action, AnswerActions)
		if able := flagOf(a.When.OnlinePIN); a.Action == askOnlinePIN && able != wantTrue {
			f.add(path+".when.online_pin", "must be true here; a terminal that cannot take a PIN is not asked for one")
		}
		if able := flagOf(a.When.Contact); a.Action == switchToContact && able != wantTrue {
			f.add(path+".when.contact", "must be true here; a terminal without a chip reader cannot switch to it")
		}
		hides := func(o Answer) bool { return o.Scheme == a.Scheme && o.When.covers(a.When) }
		if j := slices.IndexFunc(before, hides); j >= 0 {
			f.add(path, "is never reached, for %s fits every terminal that it fits; put it before that line or leave it out", before[j].ID)
		}
	}
}

// isResponseCode reports whether s has the form of ISO 8583 field 39 (an 2).
func isResponseCode(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return len(s) == 2
}
