package terminal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
)

// Records is what this package needs of the store. Missing things are
// NotFound. Lists are in the order of identifiers, after the one given.
type Records interface {
	Model(ctx context.Context, id mianmi.ModelID) (Model, error)
	Models(ctx context.Context, after mianmi.ModelID, limit int) ([]Model, error)
	CreateModel(ctx context.Context, m Model, e evidence.Entry) error
	ChangeModel(ctx context.Context, id mianmi.ModelID, decide func(Model) (Model, evidence.Entry, error)) error

	// StoreMerchant says whose store it is; that never changes.
	StoreMerchant(ctx context.Context, id mianmi.StoreID) (mianmi.MerchantID, error)
	Terminal(ctx context.Context, id mianmi.TerminalID) (Terminal, error)
	Terminals(ctx context.Context, q Query) ([]Terminal, error)
	CreateTerminal(ctx context.Context, t Terminal, e evidence.Entry) error
	// ChangeTerminal reads the terminal, lets decide say what it becomes, and
	// writes that and the entry in one transaction. Nothing is written when decide fails.
	ChangeTerminal(ctx context.Context, id mianmi.TerminalID, decide func(Terminal) (Terminal, evidence.Entry, error)) error

	Visits
	Programs
}

// Query asks for a page of the terminals of a store or of a merchant.
type Query struct {
	Merchant mianmi.MerchantID // all its stores, when Store is empty
	Store    mianmi.StoreID
	After    mianmi.TerminalID // the last one of the page before
	Limit    int               // 0: 50; at most 200
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

// Service is all that can be done with models and terminals. Every method
// checks the actor's rights; without them it answers Denied.
type Service struct {
	records  Records
	clock    mianmi.Clock
	random   io.Reader
	policies Policies // nil: what terminals' menus ask for waits
	revoked  func(mianmi.TerminalID)

	publics    publicKeys
	reports    batcher[*opened, heard]
	deliveries batcher[fetchAsk, delivery]
}

// New returns a Service. random makes identifiers and must be safe for
// concurrent use.
func New(r Records, c mianmi.Clock, random io.Reader) *Service {
	s := &Service{records: r, clock: c, random: random}
	s.reports.run, s.deliveries.run = s.report, s.deliver
	return s
}

// OnRevoked sets who is told after keys were revoked, to end live connections.
func (s *Service) OnRevoked(fn func(mianmi.TerminalID)) { s.revoked = fn }

// WithPolicies sets where changes in terminals' menus go: before the first
// report.
func (s *Service) WithPolicies(p Policies) *Service {
	s.policies = p
	return s
}

// now is the store's precision: what is returned is what is read back.
func (s *Service) now() time.Time { return s.clock.Now().UTC().Truncate(time.Microsecond) }

// CreateModel adds a model and returns it with its identifier.
func (s *Service) CreateModel(ctx context.Context, actor mianmi.Actor, m Model) (Model, error) {
	if !mayModel(actor) {
		return Model{}, denied()
	}
	if err := m.Validate(); err != nil {
		return Model{}, err
	}
	now := s.now()
	id, err := mianmi.NewID("md", now, s.random)
	if err != nil {
		return Model{}, err
	}
	m.ID, m.CreatedAt = mianmi.ModelID(id), now
	e, err := s.entry(actor, fact{"model.created", id, modelNote{Keypad: m.Keypad, Display: m.Display, Reboot: m.Reboot,
		Proof: m.Proof.String(), Methods: m.Methods}})
	if err != nil {
		return Model{}, err
	}
	return m, s.records.CreateModel(ctx, m, e)
}

// Model returns one model; every known actor may see models.
func (s *Service) Model(ctx context.Context, actor mianmi.Actor, id mianmi.ModelID) (Model, error) {
	if actor.Role == mianmi.NoRole || actor.Role == mianmi.RolePayer {
		return Model{}, denied()
	}
	return s.records.Model(ctx, id)
}

// Models returns a page of the models, in the order of their identifiers.
func (s *Service) Models(ctx context.Context, actor mianmi.Actor, after mianmi.ModelID, limit int) ([]Model, error) {
	if actor.Role == mianmi.NoRole || actor.Role == mianmi.RolePayer {
		return nil, denied()
	}
	n, err := pageLimit(limit)
	if err != nil {
		return nil, err
	}
	return s.records.Models(ctx, after, n)
}

// RenameModel changes the name that people read.
func (s *Service) RenameModel(ctx context.Context, actor mianmi.Actor, id mianmi.ModelID, name string) (Model, error) {
	if !mayModel(actor) {
		return Model{}, denied()
	}
	var after Model
	err := s.records.ChangeModel(ctx, id, func(before Model) (Model, evidence.Entry, error) {
		after = before
		after.Name = name
		if err := after.Validate(); err != nil {
			return Model{}, evidence.Entry{}, err
		}
		e, err := s.entry(actor, fact{"model.renamed", string(id), struct{}{}})
		return after, e, err
	})
	return after, err
}

// Create adds a terminal to a store and returns it with its identifier. Until
// somebody sets a policy for it, it inherits from its store and model.
func (s *Service) Create(ctx context.Context, actor mianmi.Actor, t Terminal) (Terminal, error) {
	if err := t.Validate(); err != nil {
		return Terminal{}, err
	}
	owner, err := s.records.StoreMerchant(ctx, t.Store)
	if err != nil {
		return Terminal{}, asField("store", err)
	}
	if !mayManage(actor, place{owner, t.Store}) {
		return Terminal{}, denied()
	}
	if _, err := s.records.Model(ctx, t.Model); err != nil {
		return Terminal{}, asField("model", err)
	}
	now := s.now()
	id, err := mianmi.NewID("tm", now, s.random)
	if err != nil {
		return Terminal{}, err
	}
	t.ID, t.Merchant, t.CreatedAt = mianmi.TerminalID(id), owner, now
	e, err := s.entry(actor, fact{"terminal.created", id, noteOf(t)})
	if err != nil {
		return Terminal{}, err
	}
	return t, s.records.CreateTerminal(ctx, t, e)
}

// Terminal returns one terminal.
func (s *Service) Terminal(ctx context.Context, actor mianmi.Actor, id mianmi.TerminalID) (Terminal, error) {
	t, err := s.records.Terminal(ctx, id)
	if err != nil {
		return Terminal{}, err
	}
	if !maySee(actor, place{t.Merchant, t.Store}) {
		return Terminal{}, denied()
	}
	return t, nil
}

// Terminals returns a page of the terminals of a store or of a merchant; for
// cashiers and store managers those of their store.
func (s *Service) Terminals(ctx context.Context, actor mianmi.Actor, q Query) ([]Terminal, error) {
	n, err := pageLimit(q.Limit)
	if err != nil {
		return nil, err
	}
	q.Limit = n
	if q.Store == "" && actor.Is(mianmi.RoleCashier, mianmi.RoleStoreManager) {
		q.Store = actor.Store
	}
	if q.Store == "" && q.Merchant == "" {
		return nil, mianmi.InvalidField("merchant", "of which merchant or store?")
	}
	where := place{q.Merchant, q.Store}
	if q.Store != "" {
		owner, err := s.records.StoreMerchant(ctx, q.Store)
		if err != nil {
			return nil, err
		}
		if q.Merchant != "" && q.Merchant != owner {
			return nil, mianmi.InvalidField("store", "is not this merchant's")
		}
		where.merchant = owner
	}
	if !maySee(actor, where) {
		return nil, denied()
	}
	return s.records.Terminals(ctx, q)
}

// Rename changes the name that people read.
func (s *Service) Rename(ctx context.Context, actor mianmi.Actor, id mianmi.TerminalID, name string) (Terminal, error) {
	return s.change(ctx, actor, id, func(t *Terminal) (string, any, error) {
		t.Name = name
		return "terminal.renamed", struct{}{}, t.Validate()
	})
}

// Move puts the terminal into another store of the same merchant. It takes the
// right to add terminals there. The terminal's own policy and stops go with it.
func (s *Service) Move(ctx context.Context, actor mianmi.Actor, id mianmi.TerminalID, to mianmi.StoreID) (Terminal, error) {
	owner, err := s.records.StoreMerchant(ctx, to)
	if err != nil {
		return Terminal{}, asField("store", err)
	}
	return s.change(ctx, actor, id, func(t *Terminal) (string, any, error) {
		if !mayManage(actor, place{owner, to}) {
			return "", nil, denied()
		}
		if owner != t.Merchant {
			return "", nil, mianmi.InvalidField("store", "is another merchant's: add the terminal there anew")
		}
		from := t.Store
		t.Store = to
		n := noteOf(*t)
		n.Before = from
		return "terminal.moved", n, nil
	})
}

// change runs how, which alters the terminal and says what to record.
func (s *Service) change(ctx context.Context, actor mianmi.Actor, id mianmi.TerminalID, how func(*Terminal) (string, any, error)) (Terminal, error) {
	var after Terminal
	err := s.records.ChangeTerminal(ctx, id, func(before Terminal) (Terminal, evidence.Entry, error) {
		if !mayManage(actor, place{before.Merchant, before.Store}) {
			return Terminal{}, evidence.Entry{}, denied()
		}
		after = before
		kind, body, err := how(&after)
		if err != nil {
			return Terminal{}, evidence.Entry{}, err
		}
		e, err := s.entry(actor, fact{kind, string(id), body})
		return after, e, err
	})
	if err != nil {
		return Terminal{}, err
	}
	return after, nil
}

// asField makes a missing thing that a field refers to the field's fault.
func asField(field string, err error) error {
	if errors.Is(err, mianmi.NotFound) {
		return mianmi.InvalidField(field, "there is none with this identifier")
	}
	return err
}

// fact is what an entry records. Names stay out of its body.
type fact struct {
	kind    string
	subject string
	body    any
}

func (s *Service) entry(actor mianmi.Actor, f fact) (evidence.Entry, error) {
	body, err := json.Marshal(f.body)
	if err != nil {
		return evidence.Entry{}, fmt.Errorf("encode evidence %s: %w", f.kind, err)
	}
	now := s.now()
	id, err := mianmi.NewID("en", now, s.random)
	if err != nil {
		return evidence.Entry{}, err
	}
	return evidence.Entry{ID: mianmi.EntryID(id), At: now, Type: f.kind, Subject: f.subject,
		Actor: actor.String(), Body: body}, nil
}
