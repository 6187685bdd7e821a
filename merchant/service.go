package merchant

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/terminal/posture"
)

// Records is what this package needs of the store. Missing things are
// NotFound. Lists are in the order of identifiers, after the one given.
type Records interface {
	Merchant(ctx context.Context, id mianmi.MerchantID) (Merchant, error)
	Merchants(ctx context.Context, after mianmi.MerchantID, limit int) ([]Merchant, error)
	Store(ctx context.Context, id mianmi.StoreID) (Store, error)
	Stores(ctx context.Context, q StoreQuery) ([]Store, error)

	CreateMerchant(ctx context.Context, m Merchant, e evidence.Entry) error
	CreateStore(ctx context.Context, s Store, e evidence.Entry) error
	// ChangeStore reads the store, lets decide say what it becomes, and writes
	// that and the entry in one transaction. Nothing is written when decide fails.
	ChangeStore(ctx context.Context, id mianmi.StoreID, decide func(Store) (Store, evidence.Entry, error)) error

	// ScopePlace says where a scope lies; NotFound when there is no such thing.
	ScopePlace(ctx context.Context, s Scope) (Place, error)
	Policy(ctx context.Context, s Scope) (Policy, error)
	// TerminalPolicy is the newest policy on terminals; the shipped one, version
	// 0, when none is set.
	TerminalPolicy(ctx context.Context) (posture.Policy, error)
	Approval(ctx context.Context, id mianmi.ApprovalID) (Approval, error)
	Approvals(ctx context.Context, q ApprovalQuery) ([]Approval, error)
	Stop(ctx context.Context, id mianmi.StopID) (Stop, error)
	Stops(ctx context.Context, q StopQuery) ([]Stop, error)
	// ChangeScope reads all that is held about a scope, lets decide say what
	// becomes of it, and writes that in the same transaction; no other change
	// of settings runs at the same time. decide may be called again.
	ChangeScope(ctx context.Context, s Scope, decide func(Held) (Outcome, error)) error

	Rollouts
	Connections
}

// Held is what is known about a scope.
type Held struct {
	Scope    Scope
	Place    Place
	Merchant *Merchant // nil for everything, channels and models
	Policy   Policy
	Stops    []Stop     // not lifted, expired ones among them
	Waiting  []Approval // undecided, expired ones among them
	// Terminals is the policy on terminals, for the scope of everything.
	Terminals posture.Policy
	// Makers reads, in the same transaction, who made an account of staff or an
	// API key and who reset it last, as mianmi.Actor.String(); nobody for one
	// that is not known.
	Makers access.Makers
}

// currency is the merchant's; empty where the scope spans merchants.
func (h Held) currency() money.Currency {
	if h.Merchant == nil {
		return ""
	}
	return h.Merchant.Currency
}

// Outcome is what becomes of a scope; what is nil or empty stays.
type Outcome struct {
	Merchant *Merchant
	Policy   *Policy
	Stop     *Stop // placed or lifted
	// Terminals is without epochs, but for the former tightening's.
	Terminals *posture.Policy
	Approvals []Approval // new or decided
	Entries   []evidence.Entry
	At        time.Time // of the change
	// Tightening says that the scope allows less than before: its terminals have
	// to prove that they run it, or of a policy on terminals be judged by it.
	Tightening bool
	Rollout    *Rollout // begun or changed; the one of the policy
	// Measure is taken with the change; that it was before is a Conflict with the
	// code "measure_taken", and nothing is written. Empty: it follows from none.
	Measure mianmi.MeasureID
	// Reached says that a stage of it begins: its terminals get another config.
	Reached bool
}

// StoreQuery asks for a page of a merchant's stores.
type StoreQuery struct {
	Merchant mianmi.MerchantID
	After    mianmi.StoreID // the last one of the page before
	Limit    int            // 0: 50; at most 200
}

// ApprovalQuery asks for a page of proposals that wait.
type ApprovalQuery struct {
	Merchant mianmi.MerchantID // empty: everybody's
	Now      time.Time         // set by the service: expired ones are left out
	After    mianmi.ApprovalID
	Limit    int
}

// StopQuery asks for a page of stops.
type StopQuery struct {
	Scope Scope     // the zero Scope: all
	Live  time.Time // not zero: those in force at that time
	After mianmi.StopID
	Limit int
}

// Bounds of a page: a screen, and what one answer can carry.
const (
	pageDefault = 50
	pageMax     = 200
)

func pageLimit(n int) (int, error) {
	switch {
	case n == 0:
		return pageDefault, nil
	case n < 0 || n > pageMax:
		return 0, mianmi.InvalidField("limit", "want 1 to 200")
	}
	return n, nil
}

// Service is all that can be done with merchants, stores and policies. Every
// method checks the actor's rights; without them it answers Denied.
type Service struct {
	records Records
	clock   mianmi.Clock
	random  io.Reader
}

// New returns a Service. random makes identifiers and must be safe for
// concurrent use.
func New(r Records, c mianmi.Clock, random io.Reader) *Service {
	return &Service{records: r, clock: c, random: random}
}

// now is the store's precision: what is returned is what is read back.
func (s *Service) now() time.Time { return s.clock.Now().UTC().Truncate(time.Microsecond) }

// CreateMerchant adds a merchant, with PIN-free off, and returns it with its
// identifier. Identifier, version and time of m are ignored.
func (s *Service) CreateMerchant(ctx context.Context, actor mianmi.Actor, m Merchant) (Merchant, error) {
	if err := check(actor, actManage, LevelEverything, Place{}); err != nil {
		return Merchant{}, err
	}
	if err := m.Validate(); err != nil {
		return Merchant{}, err
	}
	now := s.now()
	id, err := mianmi.NewID("mc", now, s.random)
	if err != nil {
		return Merchant{}, err
	}
	m.ID, m.Version, m.CreatedAt = mianmi.MerchantID(id), 1, now
	e, err := s.entry(actor, now, note{Type: "merchant.created", Subject: id,
		Body: scopeNote{Scope: OfMerchant(m.ID).String(), After: m.Facts, Currency: m.Currency, Version: m.Version}})
	if err != nil {
		return Merchant{}, err
	}
	return m, s.records.CreateMerchant(ctx, m, e)
}

// Merchant returns one merchant.
func (s *Service) Merchant(ctx context.Context, actor mianmi.Actor, id mianmi.MerchantID) (Merchant, error) {
	// Staff of a store see the merchant that it belongs to.
	ofStore := actor.Is(mianmi.RoleCashier, mianmi.RoleStoreManager) && actor.Merchant == id && id != ""
	if !ofStore {
		if err := check(actor, actSee, LevelMerchant, Place{Merchant: id}); err != nil {
			return Merchant{}, err
		}
	}
	return s.records.Merchant(ctx, id)
}

// Merchants returns a page of all merchants, for mianmi's own people.
func (s *Service) Merchants(ctx context.Context, actor mianmi.Actor, after mianmi.MerchantID, limit int) ([]Merchant, error) {
	if err := check(actor, actSee, LevelEverything, Place{}); err != nil {
		return nil, err
	}
	n, err := pageLimit(limit)
	if err != nil {
		return nil, err
	}
	return s.records.Merchants(ctx, after, n)
}

// RenameMerchant changes the name that payers read.
func (s *Service) RenameMerchant(ctx context.Context, actor mianmi.Actor, id mianmi.MerchantID, name string) (Merchant, error) {
	var m Merchant
	err := s.records.ChangeScope(ctx, OfMerchant(id), func(h Held) (Outcome, error) {
		if err := check(actor, actManage, LevelMerchant, h.Place); err != nil {
			return Outcome{}, err
		}
		m = *h.Merchant
		m.Name = name
		if err := m.Validate(); err != nil {
			return Outcome{}, err
		}
		e, err := s.entry(actor, s.now(), note{Type: "merchant.renamed", Subject: string(id)})
		return Outcome{Merchant: &m, Entries: []evidence.Entry{e}, At: e.At}, err
	})
	return m, err
}

// CreateStore adds a store and returns it with its identifier. Identifier and
// time of st are ignored.
func (s *Service) CreateStore(ctx context.Context, actor mianmi.Actor, st Store) (Store, error) {
	place := Place{Merchant: st.Merchant}
	if actor.Is(mianmi.RoleStoreManager) || !may(actor, actManage, LevelStore, place) {
		return Store{}, mianmi.Forbidden("not_allowed", "you may not add stores to this merchant")
	}
	if err := st.Validate(); err != nil {
		return Store{}, err
	}
	if _, err := s.records.Merchant(ctx, st.Merchant); errors.Is(err, mianmi.NotFound) {
		return Store{}, mianmi.InvalidField("merchant", "there is none with this identifier")
	} else if err != nil {
		return Store{}, err
	}
	now := s.now()
	id, err := mianmi.NewID("st", now, s.random)
	if err != nil {
		return Store{}, err
	}
	st.ID, st.CreatedAt = mianmi.StoreID(id), now
	e, err := s.entry(actor, now, note{Type: "store.created", Subject: id,
		Body: storeNote{Merchant: st.Merchant, Coordinates: st.Coordinates}})
	if err != nil {
		return Store{}, err
	}
	return st, s.records.CreateStore(ctx, st, e)
}

// Store returns one store.
func (s *Service) Store(ctx context.Context, actor mianmi.Actor, id mianmi.StoreID) (Store, error) {
	st, err := s.records.Store(ctx, id)
	if err != nil {
		return Store{}, err
	}
	if err := check(actor, actSee, LevelStore, Place{Merchant: st.Merchant, Store: st.ID}); err != nil {
		return Store{}, err
	}
	return st, nil
}

// Stores returns a page of a merchant's stores; staff of one store see that one.
func (s *Service) Stores(ctx context.Context, actor mianmi.Actor, q StoreQuery) ([]Store, error) {
	n, err := pageLimit(q.Limit)
	if err != nil {
		return nil, err
	}
	if q.Limit = n; actor.Store != "" && actor.Is(mianmi.RoleCashier, mianmi.RoleStoreManager) {
		st, err := s.Store(ctx, actor, actor.Store)
		if err != nil || st.Merchant != q.Merchant || st.ID <= q.After {
			return nil, err
		}
		return []Store{st}, nil
	}
	if err := check(actor, actSee, LevelMerchant, Place{Merchant: q.Merchant}); err != nil {
		return nil, err
	}
	return s.records.Stores(ctx, q)
}

// ChangeStore replaces name, address and coordinates of a store.
func (s *Service) ChangeStore(ctx context.Context, actor mianmi.Actor, want Store) (Store, error) {
	var after Store
	err := s.records.ChangeStore(ctx, want.ID, func(before Store) (Store, evidence.Entry, error) {
		if err := check(actor, actManage, LevelStore, Place{Merchant: before.Merchant, Store: before.ID}); err != nil {
			return Store{}, evidence.Entry{}, err
		}
		after = before
		after.Name, after.Address, after.Coordinates = want.Name, want.Address, want.Coordinates
		if err := after.Validate(); err != nil {
			return Store{}, evidence.Entry{}, err
		}
		e, err := s.entry(actor, s.now(), note{Type: "store.changed", Subject: string(before.ID), Body: storeNote{
			Merchant: after.Merchant, NameChanged: before.Name != after.Name, AddressChanged: before.Address != after.Address,
			Before: before.Coordinates, Coordinates: after.Coordinates}})
		return after, e, err
	})
	return after, err
}
