package merchant

import (
	"strings"

	"github.com/mianmi/mianmi"
)

// Level is how wide a policy or a stop reaches. The numbers are stored.
type Level uint8

const (
	LevelNone       Level = 0
	LevelEverything Level = 1
	LevelChannel    Level = 2
	LevelMerchant   Level = 3
	LevelStore      Level = 4
	LevelModel      Level = 5
	LevelTerminal   Level = 6
)

var levelNames = [...]string{"", "everything", "channel", "merchant", "store", "model", "terminal"}

// String returns the level's name as it stands in the API.
func (l Level) String() string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return ""
}

// ParseLevel is the inverse of String; an unknown name is LevelNone.
func ParseLevel(s string) Level {
	for i, n := range levelNames {
		if n == s && i > 0 {
			return Level(i)
		}
	}
	return LevelNone
}

// Scope is what a policy or a stop is about: a level and one thing of it.
type Scope struct {
	Level   Level
	Subject string // the thing's identifier, a channel's name; empty for everything
}

// Everything is all payments of this mianmi.
func Everything() Scope { return Scope{Level: LevelEverything} }

// OfChannel is all payments through the channel ("wallet").
func OfChannel(name string) Scope { return Scope{LevelChannel, name} }

// OfMerchant is all payments at the merchant.
func OfMerchant(id mianmi.MerchantID) Scope { return Scope{LevelMerchant, string(id)} }

// OfStore is all payments at the store.
func OfStore(id mianmi.StoreID) Scope { return Scope{LevelStore, string(id)} }

// OfModel is all payments at terminals of the model.
func OfModel(id mianmi.ModelID) Scope { return Scope{LevelModel, string(id)} }

// OfTerminal is all payments at the terminal.
func OfTerminal(id mianmi.TerminalID) Scope { return Scope{LevelTerminal, string(id)} }

// String is "level:subject", or "everything".
func (s Scope) String() string {
	if s.Level == LevelEverything {
		return s.Level.String()
	}
	return s.Level.String() + ":" + s.Subject
}

// ParseScope is the inverse of String. Its error names the field "scope".
func ParseScope(text string) (Scope, error) {
	level, subject, _ := strings.Cut(text, ":")
	s := Scope{ParseLevel(level), subject}
	if s.String() != text {
		return Scope{}, badScope()
	}
	return s, s.Validate()
}

// subjectMax is the length of the longest subject: a channel's name.
const subjectMax = 32

// Validate checks the form; whether the thing exists is the store's to say.
func (s Scope) Validate() error {
	if s.Level == LevelEverything && s.Subject == "" {
		return nil
	}
	if s.Level < LevelChannel || s.Level > LevelTerminal || s.Subject == "" || len(s.Subject) > subjectMax {
		return badScope()
	}
	for _, c := range []byte(s.Subject) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return badScope()
		}
	}
	return nil
}

func badScope() error {
	return mianmi.InvalidField("scope", "want everything, or channel, merchant, store, model or terminal with its identifier")
}

// Subject of the evidence about a scope.
func (s Scope) evidenceSubject() string {
	if s.Subject == "" {
		return s.Level.String()
	}
	return s.Subject
}

// Place is where a scope lies: what rights and currencies depend on. All
// fields are empty for everything, channels and models.
type Place struct {
	Merchant mianmi.MerchantID
	Store    mianmi.StoreID
	Terminal mianmi.TerminalID // of a terminal's scope alone
}
