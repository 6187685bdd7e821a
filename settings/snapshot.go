// Package settings is what payments read of merchants, terminals, policies,
// emergency stops and API keys: one immutable Snapshot with its epoch, made
// from the one before and the rows that changed since.
//
// It is pure. Reading the rows, and knowing which epoch is the newest, is left
// to store; deciding to pinfree.
package settings

import (
	"slices"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/terminal"
)

// Snapshot is all settings at one epoch. It never changes and may be read by
// many at once. The zero Snapshot is empty, of epoch 0.
type Snapshot struct {
	epoch      int64
	everything held[struct{}]
	channels   table[held[struct{}]]
	merchants  table[held[merchant.Merchant]]
	stores     table[held[merchant.Store]]
	models     table[held[terminal.Model]]
	terminals  table[held[terminal.Terminal]]
	keys       table[Key]
}

// held is a thing with what is set for it. The policy and the stops lie with
// the thing, so that a payment looks it up once.
type held[T any] struct {
	thing  *T // nil: not known (yet)
	policy *merchant.Policy
	stops  []merchant.Stop // not lifted, by identifier; expired ones among them
}

// Key is what payments ask of an API key.
type Key struct {
	ID        mianmi.KeyID
	Merchant  mianmi.MerchantID
	Scopes    mianmi.Scope
	ExpiresAt time.Time // zero: never
	RevokedAt time.Time // zero: not revoked
}

// Live reports whether the key may be used at now.
func (k Key) Live(now time.Time) bool {
	return k.ID != "" && k.RevokedAt.IsZero() && (k.ExpiresAt.IsZero() || now.Before(k.ExpiresAt))
}

// Changes are the rows that are newer than a snapshot, each as it is now.
type Changes struct {
	Epoch     int64 // of the new snapshot
	Merchants []merchant.Merchant
	Stores    []merchant.Store
	Models    []terminal.Model
	Terminals []terminal.Terminal
	Policies  []merchant.Policy
	Stops     []merchant.Stop
	Keys      []Key
}

// Epoch is the number of the change that this snapshot is as new as.
func (s *Snapshot) Epoch() int64 { return s.epoch }

// With returns the snapshot after the changes. s stays as it is. Applying a
// row again changes nothing, and rows may come in any order.
func (s *Snapshot) With(c Changes) *Snapshot {
	n := *s
	n.epoch = c.Epoch
	n.merchants = putAll(s.merchants, c.Merchants, func(m *merchant.Merchant) string { return string(m.ID) })
	n.stores = putAll(s.stores, c.Stores, func(st *merchant.Store) string { return string(st.ID) })
	n.models = putAll(s.models, c.Models, func(m *terminal.Model) string { return string(m.ID) })
	n.terminals = putAll(s.terminals, c.Terminals, func(t *terminal.Terminal) string { return string(t.ID) })
	if len(c.Keys) > 0 {
		e := edited(s.keys)
		for _, k := range c.Keys {
			e.put(string(k.ID), k)
		}
		n.keys = e.table
	}
	n.set(c)
	return &n
}

func putAll[T any](t table[held[T]], rows []T, id func(*T) string) table[held[T]] {
	if len(rows) == 0 {
		return t
	}
	e := edited(t)
	for _, row := range rows { // a copy each: a pointer into rows would keep all of them alive
		h := e.get(id(&row))
		h.thing = &row
		e.put(id(&row), h)
	}
	return e.table
}

// set files policies and stops with what they are about.
func (s *Snapshot) set(c Changes) {
	var rows [merchant.LevelTerminal + 1]levelRows
	for _, p := range c.Policies {
		if l := p.Scope.Level; int(l) < len(rows) {
			rows[l].policies = append(rows[l].policies, p)
		}
	}
	for _, st := range c.Stops {
		if l := st.Scope.Level; int(l) < len(rows) {
			rows[l].stops = append(rows[l].stops, st)
		}
	}
	for _, p := range rows[merchant.LevelEverything].policies {
		s.everything = s.everything.withPolicy(p)
	}
	for _, st := range rows[merchant.LevelEverything].stops {
		s.everything = s.everything.withStop(st)
	}
	s.channels = setAll(s.channels, rows[merchant.LevelChannel])
	s.merchants = setAll(s.merchants, rows[merchant.LevelMerchant])
	s.stores = setAll(s.stores, rows[merchant.LevelStore])
	s.models = setAll(s.models, rows[merchant.LevelModel])
	s.terminals = setAll(s.terminals, rows[merchant.LevelTerminal])
}

// levelRows are the changed policies and stops of one level.
type levelRows struct {
	policies []merchant.Policy
	stops    []merchant.Stop
}

func setAll[T any](t table[held[T]], rows levelRows) table[held[T]] {
	if len(rows.policies)+len(rows.stops) == 0 {
		return t
	}
	e := edited(t)
	for _, p := range rows.policies {
		e.put(p.Scope.Subject, e.get(p.Scope.Subject).withPolicy(p))
	}
	for _, st := range rows.stops {
		e.put(st.Scope.Subject, e.get(st.Scope.Subject).withStop(st))
	}
	return e.table
}

// withPolicy never goes back to an older version.
func (h held[T]) withPolicy(p merchant.Policy) held[T] {
	if h.policy == nil || p.Version >= h.policy.Version {
		h.policy = &p
	}
	return h
}

// withStop adds the stop, or takes it away when it has been lifted.
func (h held[T]) withStop(st merchant.Stop) held[T] {
	i, known := slices.BinarySearchFunc(h.stops, st, func(a, b merchant.Stop) int {
		return strings.Compare(string(a.ID), string(b.ID))
	})
	lifted := !st.LiftedAt.IsZero()
	switch {
	case known && lifted:
		h.stops = slices.Delete(slices.Clone(h.stops), i, i+1)
	case !known && !lifted:
		h.stops = slices.Insert(slices.Clone(h.stops), i, st)
	}
	return h
}

// Key returns an API key by its identifier.
func (s *Snapshot) Key(id mianmi.KeyID) (Key, bool) {
	k := s.keys.get(string(id))
	return k, k.ID != ""
}

// Merchant returns a merchant by its identifier.
func (s *Snapshot) Merchant(id mianmi.MerchantID) (merchant.Merchant, bool) {
	h := s.merchants.get(string(id))
	if h.thing == nil {
		return merchant.Merchant{}, false
	}
	return *h.thing, true
}

// Counts says how much the snapshot holds, for metrics.
func (s *Snapshot) Counts() (merchants, stores, terminals int) {
	return s.merchants.count, s.stores.count, s.terminals.count
}
