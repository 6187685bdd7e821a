// Package asof rebuilds what was in force at a moment, from the log alone: the
// settings of a terminal and of all that it belonged to, of a payer, of the
// rule packs, and what of them decided a payment.
//
// It reads entries as bytes, by their subject, and takes nothing from the
// tables that payments read. It decides nothing anew but to compare: deciding is
// left to pinfree and payment, the proof of an entry to evidence, SQL to store.
//
// What no entry tells is not rebuilt: names, addresses and the reasons of stops
// (texts for people), counters and balances (they are the sum of payments), and
// whatever was never set, which holds its default.
package asof

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/terminal"
)

// Log is the evidence as this package reads it.
type Log interface {
	// EntriesOf returns entries about a subject that have a number, the highest
	// number first.
	EntriesOf(ctx context.Context, q Query) ([]evidence.Leaf, error)
	// SubjectsOf lists subjects that begin with a prefix and have numbered entries.
	SubjectsOf(ctx context.Context, prefix string, limit int) ([]string, error)
	// Leaf returns an entry by its identifier, with its records when it is a batch.
	Leaf(ctx context.Context, id mianmi.EntryID) (evidence.Leaf, error)
	// PackText returns the text of a rule pack by its digest; NotFound without one.
	PackText(ctx context.Context, pack, digest string) (string, error)
}

// Query chooses entries about a subject.
type Query struct {
	Subject string
	Upto    int64          // highest number; of a change of settings the epoch, of a payer the version
	Below   mianmi.EntryID // of entries with the number Upto, those before this one; empty: all
	Before  time.Time      // leave out entries of a later time; zero: none
	Since   time.Time      // leave out entries of an earlier time; zero: none
	Skip    []string       // types to leave out
	Limit   int
}

// Source is where a fact stands in the log. The zero Source is none: nobody
// has set anything, and the default holds.
type Source struct {
	Entry  mianmi.EntryID
	Index  int64 // in the log, from 0; negative: waits to be sequenced
	Type   string
	At     time.Time // of the fact
	Actor  string
	Number int64 // settings epoch of the change, or the payer's version
	Record int64 // of a batch: which of its records, from 0
}

// Known reports whether there is an entry.
func (s Source) Known() bool { return s.Entry != "" }

// InLog reports whether the entry has its place in the log. One that has not
// will have it within a second.
func (s Source) InLog() bool { return s.Known() && s.Index >= 0 }

// Told is a fact and the entry that tells it.
type Told[T any] struct {
	Value  T
	Source Source
}

// Parts are what a Service works with; all are required. The services are
// asked who may see.
type Parts struct {
	Log       Log
	Payments  Payments
	Terminals Terminals
	Merchants Merchants
	Clock     mianmi.Clock
	Channel   string // that payments go through when none is named: the built-in wallet's
}

// Payments is what this package asks of payment.Service.
type Payments interface {
	Payment(ctx context.Context, a mianmi.Actor, id mianmi.PaymentID) (*payment.Payment, error)
	Entries(ctx context.Context, a mianmi.Actor, id mianmi.PaymentID) (payment.Entries, error)
	Payments(ctx context.Context, a mianmi.Actor, p mianmi.PayerID, before mianmi.PaymentID, limit int) ([]payment.Payment, error)
}

// Terminals is what this package asks of terminal.Service.
type Terminals interface {
	Terminal(ctx context.Context, a mianmi.Actor, id mianmi.TerminalID) (terminal.Terminal, error)
}

// Merchants is what this package asks of merchant.Service.
type Merchants interface {
	Merchant(ctx context.Context, a mianmi.Actor, id mianmi.MerchantID) (merchant.Merchant, error)
}

// Service answers what was in force.
type Service struct {
	Parts
	packs packCache
}

// New returns a Service.
func New(p Parts) *Service { return &Service{Parts: p} }

// Answer is what was in force, as whoever asks may see it. Parts that were not
// asked for are nil.
type Answer struct {
	At   time.Time
	Rows []Row // who had a say, from everything down to the terminal

	Site     *Site
	Merchant *Told[merchant.Merchant]
	Payer    *Payer
	Caller   *Caller // of a payment: whose request it was
	Decided  *Told[payment.Decided]
	Again    *Again // nil for cash, which is not decided
}

// Payer is a payer's settings, and what belongs to them.
type Payer struct {
	Told[payer.Payer] // without balance, counters and time of creation
	Agreements        []Told[payer.Agreement]
	Instruments       []Told[payer.Instrument] // without their last digits
}

// moment is a point in the order of changes: all up to a number, all up to a
// time, or both.
type moment struct {
	number int64
	before time.Time // zero: any time
	now    time.Time // decides what is over: stops, cooling-off, keys
}

// numberMax is above every settings epoch and version.
const numberMax = 1<<63 - 1

// instant is all that was recorded up to a time.
func instant(at time.Time) moment { return moment{number: numberMax, before: at, now: at} }

// check refuses an instant that nobody can tell yet; the zero time is now.
func (s *Service) check(at time.Time) (time.Time, error) {
	now := s.Clock.Now().UTC().Truncate(time.Microsecond)
	switch {
	case at.IsZero():
		return now, nil
	case at.After(now):
		return time.Time{}, mianmi.InvalidField("at", "has not come yet")
	}
	return at.UTC().Truncate(time.Microsecond), nil
}
