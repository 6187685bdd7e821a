// Package settings is what payments read of merchants, terminals, policies,
// emergency stops, API keys, rule packs and webhooks: one immutable Snapshot with its
// epoch, made from the one before and the rows that changed since.
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
	rulepacks "github.com/mianmi/mianmi/rules"
	"github.com/mianmi/mianmi/terminal"
	"github.com/mianmi/mianmi/terminal/posture"
)

// Snapshot is all settings at one epoch. It never changes and may be read by
// many at once. The zero Snapshot is empty, of epoch 0.
type Snapshot struct {
	epoch      int64
	everything rules
	channels   table[rules]
	merchants  table[merchantRow]
	stores     table[storeRow]
	models     table[modelRow]
	terminals  table[terminalRow]
	keys       table[Key]
	packs      *rulepacks.Set
	posture    *posture.Set // nil: the shipped one
	shared     mark         // newest change of packs and posture, which concern every terminal
	readers    *readers
	listeners  *listeners // nil: nobody listens
}

// rules are what is set for one thing. They lie with the thing, so that a
// payment looks it up once.
type rules struct {
	policy *merchant.Policy
	stops  []merchant.Stop // not lifted, by identifier; expired ones among them
	mark   mark
}

// The rows. A thing is nil while it is only referred to. What a row belongs
// to, it knows by number.
type (
	merchantRow struct {
		thing    *merchant.Merchant
		rules    rules
		channels []string // over a network, that it can be paid through; sorted
	}
	storeRow struct {
		thing    *merchant.Store
		rules    rules
		merchant int
	}
	modelRow struct {
		thing *terminal.Model
		rules rules
	}
	terminalRow struct {
		thing        *terminal.Terminal
		rules        rules
		store, model int
	}
)

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
	Packs     []rulepacks.Pack // that have been in force
	Posture   []posture.Policy // that have been in force
	Marks     []Mark
	Listeners []Listener
	// Connections are those that are recorded: once there, they stay.
	Connections []Connection
}

// Connection says that a merchant can be paid through a channel over a network.
type Connection struct {
	Merchant mianmi.MerchantID
	Channel  string
	Epoch    int64
	Since    time.Time
}

// Epoch is the number of the change that this snapshot is as new as.
func (s *Snapshot) Epoch() int64 { return s.epoch }

// With returns the snapshot after the changes. s stays as it is. Applying a
// row again changes nothing, and rows may come in any order.
func (s *Snapshot) With(c Changes) *Snapshot {
	merchants, stores := edit[merchantRow]{table: s.merchants}, edit[storeRow]{table: s.stores}
	models, terminals := edit[modelRow]{table: s.models}, edit[terminalRow]{table: s.terminals}
	channels, keys := edit[rules]{table: s.channels}, edit[Key]{table: s.keys}
	// Each row is copied: a pointer into c would keep all of it alive.
	for _, m := range c.Merchants {
		merchants.at(string(m.ID)).thing = &m
	}
	for i := range c.Connections {
		merchants.at(string(c.Connections[i].Merchant)).connect(&c.Connections[i])
	}
	for _, m := range c.Models {
		models.at(string(m.ID)).thing = &m
	}
	for _, st := range c.Stores {
		row := stores.at(string(st.ID))
		row.thing, row.merchant = &st, merchants.number(string(st.Merchant))
	}
	for _, t := range c.Terminals {
		row := terminals.at(string(t.ID))
		row.thing, row.store, row.model = &t, stores.number(string(t.Store)), models.number(string(t.Model))
	}
	for _, k := range c.Keys {
		*keys.at(string(k.ID)) = k
	}
	everything := s.everything
	c.rules(func(scope merchant.Scope) *rules {
		switch scope.Level {
		case merchant.LevelEverything:
			return &everything
		case merchant.LevelChannel:
			return channels.at(scope.Subject)
		case merchant.LevelMerchant:
			return &merchants.at(scope.Subject).rules
		case merchant.LevelStore:
			return &stores.at(scope.Subject).rules
		case merchant.LevelModel:
			return &models.at(scope.Subject).rules
		case merchant.LevelTerminal:
			return &terminals.at(scope.Subject).rules
		}
		return new(rules) // a level of a later version: it concerns nothing here
	})
	next := &Snapshot{epoch: c.Epoch, everything: everything, channels: channels.table, merchants: merchants.table,
		stores: stores.table, models: models.table, terminals: terminals.table, keys: keys.table, packs: s.packs.With(c.Packs),
		posture: s.posture, shared: s.shared, readers: new(readers), listeners: s.listeners.with(c.Listeners)}
	next.share(&c)
	return next
}

// connect notes a channel; its terminals run another config from then on.
func (m *merchantRow) connect(c *Connection) {
	if i, there := slices.BinarySearch(m.channels, c.Channel); !there {
		m.channels = slices.Insert(slices.Clone(m.channels), i, c.Channel)
	}
	m.rules.mark.take(&Mark{Epoch: c.Epoch, At: c.Since})
}

// share takes what concerns every terminal.
func (s *Snapshot) share(c *Changes) {
	for i := range c.Packs {
		p := &c.Packs[i]
		s.shared.take(&Mark{Epoch: p.FromEpoch, At: p.From})
		s.shared.take(&Mark{Epoch: p.UntilEpoch, At: p.Until})
	}
	for _, p := range c.Posture {
		s.shared.take(&Mark{Epoch: p.Epoch, At: p.Since})
		if s.posture == nil || p.Version > s.posture.Version {
			s.posture = posture.Ready(p)
		}
	}
}

// Posture is the policy on terminals that is in force.
func (s *Snapshot) Posture() *posture.Set {
	if s.posture == nil {
		return posture.ShippedSet()
	}
	return s.posture
}

// rules files policies, stops and marks with what they are about.
func (c *Changes) rules(of func(merchant.Scope) *rules) {
	for _, p := range c.Policies {
		// Never back to an older version.
		if r := of(p.Scope); r.policy == nil || p.Version >= r.policy.Version {
			r.policy = &p
		}
	}
	for _, st := range c.Stops {
		r := of(st.Scope)
		r.stops = withStop(r.stops, st)
	}
	for i := range c.Marks {
		of(c.Marks[i].Scope).mark.take(&c.Marks[i])
	}
}

// withStop returns the stops with one more, or without it when it is lifted.
func withStop(stops []merchant.Stop, st merchant.Stop) []merchant.Stop {
	i, known := slices.BinarySearchFunc(stops, st, func(a, b merchant.Stop) int {
		return strings.Compare(string(a.ID), string(b.ID))
	})
	lifted := !st.LiftedAt.IsZero()
	switch {
	case known && lifted:
		return slices.Delete(slices.Clone(stops), i, i+1)
	case !known && !lifted:
		return slices.Insert(slices.Clone(stops), i, st)
	}
	return stops
}

// Key returns an API key by its identifier.
func (s *Snapshot) Key(id mianmi.KeyID) (Key, bool) {
	k := s.keys.get(string(id))
	if k == nil {
		return Key{}, false
	}
	return *k, true
}

// RulePacks are the rule packs in force, compiled when one of them changed
// last; of a database that has never held one, when Known says so.
func (s *Snapshot) RulePacks() *rulepacks.Set { return s.packs }

// Merchant returns a merchant by its identifier.
func (s *Snapshot) Merchant(id mianmi.MerchantID) (merchant.Merchant, bool) {
	m := s.merchants.get(string(id))
	if m == nil || m.thing == nil {
		return merchant.Merchant{}, false
	}
	return *m.thing, true
}

// Connected reports whether it is recorded that the merchant can be paid through
// the channel over a network.
func (s *Snapshot) Connected(id mianmi.MerchantID, channel string) bool {
	m := s.merchants.get(string(id))
	return m != nil && slices.Contains(m.channels, channel)
}

// HostAlone reports whether the terminal is known to be of a model that proves
// nothing: that never changes.
func (s *Snapshot) HostAlone(id mianmi.TerminalID) bool {
	t := s.terminals.get(string(id))
	if t == nil || t.thing == nil {
		return false
	}
	md := s.models.row(t.model).thing
	return md != nil && md.Proof == terminal.ByHost
}

// Counts says how much the snapshot holds, for metrics.
func (s *Snapshot) Counts() (merchants, stores, terminals int) {
	return s.merchants.count, s.stores.count, s.terminals.count
}
