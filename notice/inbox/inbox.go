// Package inbox is what a payer is told: the payer's payments and what was
// recorded about the payer, newest first, in words (docs/adr/0023).
//
// It is a view over what other packages wrote and holds nothing but how far a
// payer has read. Live news are left to the transport, e-mail and SMS to others.
package inbox

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/settings"
)

// Kind is what a notice is about, as it stands in the API.
type Kind string

// The kinds.
const (
	PinFree   Kind = "pin_free"  // a payment for which nobody asked the payer
	Paid      Kind = "paid"      // a payment that the payer was verified for
	Waiting   Kind = "waiting"   // a payment that has no end yet
	Refused   Kind = "refused"   // a try for which nothing was taken
	Returned  Kind = "returned"  // money that went back, all or in part
	Setting   Kind = "setting"   // switch, own limits, allowance
	Agreement Kind = "agreement" // opened or closed
	Card      Kind = "card"
	Password  Kind = "password"
	Loss      Kind = "loss"
	Question  Kind = "question" // "was it you?", and what became of it
)

// Kinds lists them.
func Kinds() []Kind {
	return []Kind{PinFree, Paid, Waiting, Refused, Returned, Setting, Agreement, Card, Password, Loss, Question}
}

// Notice is one thing that a payer is told.
type Notice struct {
	ID   string // of the payment or entry
	Kind Kind
	// Security marks what a thief would rather keep from the payer.
	Security  bool
	At        time.Time // when it happened
	ChangedAt time.Time // when it last became other than it was
	Title     mianmi.Text
	Words     mianmi.Text
	Hint      mianmi.Text // what to do if that was somebody else; empty: nothing
	Payment   mianmi.PaymentID
	Agreement mianmi.AgreementID
	Question  mianmi.MeasureID
	Merchant  mianmi.MerchantID
	UndoUntil time.Time // a payment that support or the shop can still undo; zero: it is none
	Unread    bool
}

// Page is a part of an inbox, newest first.
type Page struct {
	Notices []Notice
	// Unread counts all notices beyond the last that was read, at most UnreadMax.
	Unread int
}

// UnreadMax bounds the count of unread notices: "99+" is all that people read.
const UnreadMax = 100

// PageMax bounds a page.
const PageMax = 100

// Store is what this package reads and keeps.
type Store interface {
	// Told are entries about a payer of some types, newest first, whose identifiers
	// are less than before.
	Told(ctx context.Context, q Query) ([]evidence.Entry, error)
	// Unread counts payments, and entries of those types, behind a position.
	Unread(ctx context.Context, q Query) (int, error)
	// Seen is up to where a payer has read; empty: nothing.
	Seen(ctx context.Context, id mianmi.PayerID) (Position, error)
	// SetSeen moves it forward, never back.
	SetSeen(ctx context.Context, id mianmi.PayerID, p Position) error
	// Settings give merchants their names.
	Settings(ctx context.Context) (*settings.Snapshot, error)
}

// Query is a question to the store.
type Query struct {
	Payer mianmi.PayerID
	Types []string
	// From is where the page before ended (Told) or up to where was read (Unread).
	From  Position
	Limit int
}

// Payments is what this package asks of payment.Service.
type Payments interface {
	Payments(ctx context.Context, a mianmi.Actor, p mianmi.PayerID, before mianmi.PaymentID, limit int) ([]payment.Payment, error)
	Site(ctx context.Context, id mianmi.TerminalID) (settings.Site, bool)
	// UndoUntil is until when an approved payment can be undone; zero: it cannot.
	UndoUntil(p *payment.Payment) time.Time
}

// Service shows inboxes.
type Service struct {
	store    Store
	payments Payments
}

// New returns a Service; both parts are required.
func New(s Store, p Payments) (*Service, error) {
	if s == nil || p == nil {
		return nil, errors.New("inbox: a required part is missing")
	}
	return &Service{store: s, payments: p}, nil
}

// Position is a place in an inbox: what follows the prefix of an identifier, time
// and chance, which sorts by time whatever it is an identifier of.
type Position string

// positionLen is the length of what NewID gives after the prefix.
const positionLen = 26

// positionOf is the place of a notice; empty for what is no identifier of one.
func positionOf(id string) Position {
	if len(id) < 2+positionLen || len(id) > 4+positionLen || strings.Trim(id, "0123456789abcdefghjkmnpqrstvwxyz") != "" || id[:2] != "pm" && id[:2] != "en" {
		return ""
	}
	return Position(id[2 : 2+positionLen])
}

// payment is the least identifier of a payment at that place.
func (p Position) payment() mianmi.PaymentID {
	if p == "" {
		return ""
	}
	return mianmi.PaymentID("pm" + p + "00")
}

// Notices returns a page of the payer's inbox that is older than the notice
// before (empty: from the newest). limit is 1 to PageMax.
func (s *Service) Notices(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, before string, limit int) (Page, error) {
	if err := access.Allow(actor, access.PayerShow, access.Target{Payer: id}); err != nil {
		return Page{}, err
	}
	if limit < 1 || limit > PageMax {
		return Page{}, mianmi.InvalidField("limit", "1 to 100")
	}
	from := positionOf(before)
	if before != "" && from == "" {
		return Page{}, mianmi.InvalidField("before", "the identifier of a notice")
	}
	payments, err := s.payments.Payments(ctx, actor, id, from.payment(), limit)
	if err != nil {
		return Page{}, err
	}
	entries, err := s.store.Told(ctx, Query{Payer: id, Types: types, From: from, Limit: limit})
	if err != nil {
		return Page{}, err
	}
	seen, err := s.store.Seen(ctx, id)
	if err != nil {
		return Page{}, err
	}
	out := Page{Notices: make([]Notice, 0, len(payments)+len(entries))}
	for i := range payments {
		out.Notices = append(out.Notices, s.ofPayment(ctx, &payments[i]))
	}
	names := s.names(ctx)
	for i := range entries {
		n, err := ofEntry(&entries[i], names)
		if err != nil {
			return Page{}, err
		}
		out.Notices = append(out.Notices, n)
	}
	slices.SortFunc(out.Notices, func(a, b Notice) int { return cmp.Compare(positionOf(b.ID), positionOf(a.ID)) })
	out.Notices = out.Notices[:min(limit, len(out.Notices))]
	for i := range out.Notices {
		out.Notices[i].Unread = positionOf(out.Notices[i].ID) > seen
	}
	out.Unread, err = s.store.Unread(ctx, Query{Payer: id, Types: types, From: seen, Limit: UnreadMax})
	return out, err
}

// See notes that the payer has read up to a notice, and all that are older. It
// never goes back.
func (s *Service) See(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, upto string) error {
	if !actor.Is(mianmi.RolePayer) || id == "" || actor.ID != string(id) {
		return mianmi.Missing("payer")
	}
	p := positionOf(upto)
	if p == "" {
		return mianmi.InvalidField("upto", "the identifier of a notice")
	}
	return s.store.SetSeen(ctx, id, p)
}

// names finds merchants' names; one that is not known has none.
func (s *Service) names(ctx context.Context) func(mianmi.MerchantID) string {
	var snap *settings.Snapshot
	return func(id mianmi.MerchantID) string {
		if snap == nil {
			var err error
			if snap, err = s.store.Settings(ctx); err != nil {
				return ""
			}
		}
		m, _ := snap.Merchant(id)
		return m.Name
	}
}
