package risk

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/secret"
)

// State is how far an alarm is. The numbers are stored.
type State uint8

// The states. The zero State is none.
const (
	NoState State = iota
	Open
	Acknowledged // somebody looks after it
	Resolved     // over; what is found after that is a new alarm
)

var stateNames = []string{"", "open", "acknowledged", "resolved"}

// String is the state's name in the API.
func (s State) String() string { return stateNames[min(int(s), len(stateNames)-1)] }

// ParseState is the inverse of String; an unknown name is NoState.
func ParseState(name string) State {
	for i, n := range stateNames {
		if n == name {
			return State(i) //nolint:gosec // a table index
		}
	}
	return NoState
}

// verdicts are what an alarm may have turned out to be.
var verdicts = map[string]bool{"fraud": true, "fault": true, "harmless": true, "false_alarm": true, "unclear": true}

// Alarm is a finding that somebody has to look at. There is one open alarm of a
// rule and key; what is found again is counted.
type Alarm struct {
	ID       mianmi.AlarmID
	Rule     string
	Key      string // of the finding
	Severity Severity
	State    State
	Says     Text // with the figures of the newest finding

	// Of the newest finding; what its rule's key does not name may be another's.
	Payer    mianmi.PayerID
	Terminal mianmi.TerminalID
	Payment  mianmi.PaymentID
	// Merchant and Store own the alarm. Empty: it is about a payer alone, and no
	// merchant's business.
	Merchant mianmi.MerchantID
	Store    mianmi.StoreID

	// Reporter is mianmi.Actor.String() of who reported it, and Said what they wrote
	// last; for people, in no entry. Empty: a rule found it.
	Reporter string
	Said     string

	Count   int64          // of findings
	First   mianmi.EntryID // the oldest entry that the windows of the first finding knew
	Last    mianmi.EntryID // at which it was found last
	FirstAt time.Time
	LastAt  time.Time

	DueAt       time.Time // escalated then, unless it is acknowledged; zero: never, or it was
	EscalatedAt time.Time
	TakenBy     string // mianmi.Actor.String() of who acknowledged it
	TakenAt     time.Time
	ResolvedBy  string
	ResolvedAt  time.Time
	Verdict     string
	Note        string // of who resolved it; for people, in no entry
	Version     int64
}

// String keeps people's words out of whatever prints an alarm.
func (a Alarm) String() string { return "alarm " + string(a.ID) + " of " + a.Rule }

// GoString is String.
func (a Alarm) GoString() string { return a.String() }

// The types of entries of this package. Their subject is the alarm.
const (
	TypeOpened       = "alarm.opened"
	TypeEscalated    = "alarm.escalated"
	TypeAcknowledged = "alarm.acknowledged"
	TypeResolved     = "alarm.resolved"
	TypeReported     = "alarm.reported" // by a person, who opens it with the first
)

// forWords is the digest of what people wrote, in entries; it is in stored data.
const forWords secret.Purpose = "alarm_words"

// Record is the body of every entry about an alarm.
type Record struct {
	Version  int64             `json:"version"`
	Rule     string            `json:"rule"`
	Key      string            `json:"key"`
	Severity Severity          `json:"severity"`
	State    string            `json:"state"`
	Payer    mianmi.PayerID    `json:"payer,omitempty"`
	Terminal mianmi.TerminalID `json:"terminal,omitempty"`
	Merchant mianmi.MerchantID `json:"merchant,omitempty"` // that may know of it
	Payment  mianmi.PaymentID  `json:"payment,omitempty"`
	Count    int64             `json:"count"`
	First    mianmi.EntryID    `json:"first"`
	Last     mianmi.EntryID    `json:"last"`
	Verdict  string            `json:"verdict,omitempty"`
	Note     string            `json:"note,omitempty"` // hexadecimal digest
	Reporter string            `json:"reporter,omitempty"`
	Said     string            `json:"said,omitempty"` // hexadecimal digest
}

// ReadRecord reads the body of an entry about an alarm.
func ReadRecord(e evidence.Entry) (Record, error) {
	var r Record
	if err := e.ReadBody(&r); err != nil {
		return Record{}, err
	}
	if r.Version < 1 || r.Rule == "" {
		return Record{}, fmt.Errorf("entry %s of type %s is of a form that this program does not know", e.ID, e.Type)
	}
	return r, nil
}

// entry records a step of an alarm.
func (s *Service) entry(actor mianmi.Actor, kind string, a *Alarm) (evidence.Entry, error) {
	id, err := s.entryID(a)
	if err != nil {
		return evidence.Entry{}, err
	}
	return s.entryAs(id, actor, kind, a)
}

// entryID is an identifier for the next entry of an alarm. It sorts by time and then
// by version.
func (s *Service) entryID(a *Alarm) (mianmi.EntryID, error) {
	id, err := mianmi.NewOrderedID("en", s.now(), a.Version, s.Random)
	return mianmi.EntryID(id), err
}

func (s *Service) entryAs(id mianmi.EntryID, actor mianmi.Actor, kind string, a *Alarm) (evidence.Entry, error) {
	text, err := json.Marshal(Record{Version: a.Version, Rule: a.Rule, Key: a.Key, Severity: a.Severity, State: a.State.String(), Payer: a.Payer,
		Terminal: a.Terminal, Merchant: a.Merchant, Payment: a.Payment, Count: a.Count, First: a.First, Last: a.Last, Verdict: a.Verdict,
		Note: s.digest(a.Note), Reporter: a.Reporter, Said: s.digest(a.Said)})
	if err != nil {
		return evidence.Entry{}, fmt.Errorf("encode %s: %w", kind, err)
	}
	return evidence.Entry{ID: id, At: s.now(), Type: kind, Subject: string(a.ID), Actor: actor.String(), Body: text}, nil
}

// alarm makes what a finding becomes if there is none of its rule and key yet.
func (s *Service) alarm(f *Finding) (Alarm, error) {
	now := s.now()
	id, err := mianmi.NewID("am", now, s.Random)
	if err != nil {
		return Alarm{}, err
	}
	e := &f.Event
	says := f.Says()
	a := Alarm{ID: mianmi.AlarmID(id), Rule: f.Rule.ID, Key: f.Key, Severity: f.Rule.Severity, State: Open, Says: Text(says), Payer: e.Payer,
		Terminal: e.Terminal, Payment: e.Payment, Count: 1, First: f.First, Last: e.Entry, FirstAt: e.At, LastAt: e.At,
		DueAt: now.Add(severities[f.Rule.Severity.Weight()].within), Version: 1}
	if a.First == "" {
		a.First = e.Entry
	}
	for _, k := range f.Rule.Key {
		switch k {
		case "merchant", "actor":
			a.Merchant = e.Merchant
		case "store", "terminal":
			a.Merchant, a.Store = e.Merchant, e.Store
		}
	}
	return a, nil
}
