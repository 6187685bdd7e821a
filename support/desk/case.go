// Package desk is the support desk: cases, from what a person reports to the
// decision and its end (docs/adr/0021).
//
// A case links payments, terminals, agreements and complaints; what those say
// is read where they stand. What people write is in no log, entry or message.
package desk

import (
	"slices"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/support/files"
)

// Kind is what a case is about. The numbers are stored.
type Kind uint8

// The kinds. The zero Kind is none.
const (
	NoKind    Kind = iota
	Feedback       // an opinion, a suggestion; the wallet presets its category
	Help           // something does not work, or is not understood
	Loss           // phone or card lost or stolen
	Fraud          // payments that the payer did not make
	Dispute        // a payment that the payer made, and disputes
	Complaint      // a complaint at a channel
)

var kindNames = []string{"", "feedback", "help", "loss", "fraud", "dispute", "complaint"}

// String is the kind's name in the API.
func (k Kind) String() string { return kindNames[min(int(k), len(kindNames)-1)] }

// ParseKind is the inverse of String; an unknown name is NoKind.
func ParseKind(name string) Kind {
	return Kind(max(slices.Index(kindNames, name), 0)) //nolint:gosec // a table index
}

// State is how far a case is. The numbers are stored.
type State uint8

// The states. The zero State is none.
const (
	NoState         State = iota
	Open                  // nobody has taken it up
	InProgress            // somebody works on it
	WaitingPayer          // for an answer of the payer: the clocks stand still
	WaitingMerchant       // for one of the merchant
	WaitingBank           // for one of the bank or the channel
	Decided               // who bears what is said; it is being carried out
	Closed                // it is over
)

var stateNames = []string{"", "opened", "in_progress", "waiting_payer", "waiting_merchant", "waiting_bank", "decided", "closed"}

// String is the state's name in the API.
func (s State) String() string { return stateNames[min(int(s), len(stateNames)-1)] }

// ParseState is the inverse of String; an unknown name is NoState.
func ParseState(name string) State {
	return State(max(slices.Index(stateNames, name), 0)) //nolint:gosec // a table index
}

// Over reports whether nothing is awaited of anybody. A state that is not known
// is not over.
func (s State) Over() bool { return s == Closed }

// Queue is whose work a case is. The numbers are stored.
type Queue uint8

// The queues. The zero Queue is none.
const (
	NoQueue     Queue = iota
	SupportDesk       // support agents
	RiskDesk          // risk analysts: fraud, losses
)

var queueNames = []string{"", "support", "risk"}

// String is the queue's name in the API.
func (q Queue) String() string { return queueNames[min(int(q), len(queueNames)-1)] }

// ParseQueue is the inverse of String; an unknown name is NoQueue.
func ParseQueue(name string) Queue {
	return Queue(max(slices.Index(queueNames, name), 0)) //nolint:gosec // a table index
}

// Verdict is what was decided. The numbers are stored.
type Verdict uint8

// The verdicts. The zero Verdict is none.
const (
	NoVerdict Verdict = iota
	Upheld            // the payer is right
	Partly            // in part
	Rejected          // the payer bears it
	Answered          // there was nothing to decide: a question, an opinion
	Withdrawn         // the payer took it back
)

var verdictNames = []string{"", "upheld", "partly_upheld", "rejected", "answered", "withdrawn"}

// String is the verdict's name in the API.
func (v Verdict) String() string { return verdictNames[min(int(v), len(verdictNames)-1)] }

// ParseVerdict is the inverse of String; an unknown name is NoVerdict.
func ParseVerdict(name string) Verdict {
	return Verdict(max(slices.Index(verdictNames, name), 0)) //nolint:gosec // a table index
}

// SmallPinFree is the category that the wallet presets for feedback about
// PIN-free payment of small amounts.
const SmallPinFree = "small_amount_pin_free"

// Case is one case, without its notes, links and checks.
type Case struct {
	ID       mianmi.CaseID
	Number   string // eight characters to be read out on the phone
	Kind     Kind
	Category string // a word, as SmallPinFree; empty: none
	Rail     string // of the payment that it is about: "wallet", "wechatpay"; empty: of none
	State    State
	Queue    Queue
	Assignee mianmi.StaffID    // empty: nobody
	Payer    mianmi.PayerID    // empty: not known, or none
	Merchant mianmi.MerchantID // of the payment that it is about; empty: of none
	Shared   bool              // the merchant has been asked, and sees the case
	OpenedBy string            // mianmi.Actor.String()

	OpenedAt   time.Time
	ChangedAt  time.Time
	AnsweredAt time.Time // the first answer to whoever opened it; zero: none yet
	DecidedAt  time.Time
	ClosedAt   time.Time
	Reopened   int64 // how often
	Repeats    int64 // how often somebody complained again while it was open

	Clocks
	Verdict Verdict
	Award   money.Amount // what the decision gives the payer; zero: nothing
	Version int64
}

// Audience is who may read a note. The numbers are stored.
type Audience uint8

// The audiences. The zero Audience is nobody's.
const (
	NoAudience  Audience = iota
	Inside               // mianmi's own people
	ForPayer             // and the payer
	ForMerchant          // and the merchant
)

var audienceNames = []string{"", "inside", "payer", "merchant"}

// String is the audience's name in the API.
func (a Audience) String() string { return audienceNames[min(int(a), len(audienceNames)-1)] }

// ParseAudience is the inverse of String; an unknown name is NoAudience.
func ParseAudience(name string) Audience {
	return Audience(max(slices.Index(audienceNames, name), 0)) //nolint:gosec // a table index
}

// Note is something that somebody wrote about a case.
type Note struct {
	N        int64 // 1, 2, 3 … in the case
	Key      string
	Audience Audience
	Actor    string // mianmi.Actor.String()
	Text     string
	At       time.Time
}

// String keeps words out of whatever prints a note.
func (n Note) String() string { return "note for " + n.Audience.String() }

// GoString is String.
func (n Note) GoString() string { return n.String() }

// LinkKind is what a case is linked to. The numbers are stored.
type LinkKind uint8

// The kinds of links. The zero LinkKind is none.
const (
	NoLink LinkKind = iota
	ToPayment
	ToTerminal
	ToAgreement
	ToComplaint
	ToEntry // of the evidence: what a receipt is of
	ToCase  // another case
	ToRefund
	ToAlarm
)

var linkNames = []string{"", "payment", "terminal", "agreement", "complaint", "entry", "case", "refund", "alarm"}

// String is the kind's name in the API.
func (k LinkKind) String() string { return linkNames[min(int(k), len(linkNames)-1)] }

// ParseLinkKind is the inverse of String; an unknown name is NoLink.
func ParseLinkKind(name string) LinkKind {
	return LinkKind(max(slices.Index(linkNames, name), 0)) //nolint:gosec // a table index
}

// Link names something that a case is about.
type Link struct {
	Kind  LinkKind
	Ref   string // its identifier
	Actor string
	At    time.Time
}

// Check is an identity check that somebody made.
type Check struct {
	N      int64 // 1, 2, 3 … in the case
	Method string
	Asked  []string // what was asked, by its name: never the answer
	Passed bool
	Actor  string
	At     time.Time
}

// File is something that somebody attached.
type File struct {
	files.File
	Name     string // as it was called, for people
	Audience Audience
	Actor    string
	At       time.Time
}

// Pack is a proof pack of a case that was handed out.
type Pack struct {
	N       int64  // 1, 2, 3 … in the case
	Content string // digest of what it tells; its receipts left aside
	Digest  string // SHA-256 of the file, in hexadecimal
	Size    int64  // bytes
	Stamp   evidence.Stamp
	Actor   string
	At      time.Time
}

// Whole is a case with all that hangs on it.
type Whole struct {
	Case
	Notes  []Note  // oldest first
	Links  []Link  // oldest first
	Checks []Check // oldest first
	Files  []File  // oldest first
	Packs  []Pack  // oldest first; for the desk alone

	Complaints []OfComplaint // that the case is of, oldest first; for the desk alone
}

// Payments are those that the case is about.
func (w *Whole) Payments() []mianmi.PaymentID {
	var out []mianmi.PaymentID
	for _, l := range w.Links {
		if l.Kind == ToPayment {
			out = append(out, mianmi.PaymentID(l.Ref))
		}
	}
	return out
}
