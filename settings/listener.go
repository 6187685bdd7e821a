package settings

import (
	"cmp"
	"maps"
	"slices"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
)

// Listener is a webhook as far as facts ask: whether somebody wants to be told.
type Listener struct {
	ID       mianmi.WebhookID
	Merchant mianmi.MerchantID // empty: of every merchant's facts, and of those that are no merchant's
	Topics   uint64            // bit n stands for topic n
	Paused   bool              // is told later
	Removed  bool
}

// listeners never change once they are part of a Snapshot. What they want is
// summed up by merchant, for a payment asks with each fact.
type listeners struct {
	all  map[mianmi.WebhookID]Listener // none that is removed
	of   map[mianmi.MerchantID][]Listener
	want map[mianmi.MerchantID]uint64
}

// with returns the listeners after the changes.
func (l *listeners) with(changes []Listener) *listeners {
	if len(changes) == 0 {
		return l
	}
	all := map[mianmi.WebhookID]Listener{}
	if l != nil {
		all = maps.Clone(l.all)
	}
	for _, c := range changes {
		if all[c.ID] = c; c.Removed {
			delete(all, c.ID)
		}
	}
	if len(all) == 0 {
		return nil
	}
	n := &listeners{all: all, of: map[mianmi.MerchantID][]Listener{}, want: map[mianmi.MerchantID]uint64{}}
	for _, c := range slices.SortedFunc(maps.Values(all), func(a, b Listener) int { return cmp.Compare(a.ID, b.ID) }) {
		n.of[c.Merchant] = append(n.of[c.Merchant], c)
		n.want[c.Merchant] |= c.Topics
	}
	return n
}

// Wants reports whether anybody listens to a topic of a merchant's facts; m is
// empty for facts that are no merchant's.
func (s *Snapshot) Wants(m mianmi.MerchantID, topic uint8) bool {
	if s.listeners == nil {
		return false
	}
	want := s.listeners.want[""]
	if m != "" {
		want |= s.listeners.want[m]
	}
	return want>>topic&1 == 1
}

// Listeners are those who listen to a topic of a merchant's facts, in the order
// of identifiers.
func (s *Snapshot) Listeners(m mianmi.MerchantID, topic uint8) []Listener {
	if !s.Wants(m, topic) {
		return nil
	}
	var out []Listener
	add := func(list []Listener) {
		for _, l := range list {
			if l.Topics>>topic&1 == 1 {
				out = append(out, l)
			}
		}
	}
	add(s.listeners.of[""])
	if m != "" {
		add(s.listeners.of[m])
	}
	slices.SortFunc(out, func(a, b Listener) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// Owner is the merchant whose the scope is; empty for everything, channels and
// models, and for what is not known.
func (s *Snapshot) Owner(scope merchant.Scope) mianmi.MerchantID {
	switch scope.Level {
	case merchant.LevelMerchant:
		return mianmi.MerchantID(scope.Subject)
	case merchant.LevelStore:
		if st := s.stores.get(scope.Subject); st != nil && st.thing != nil {
			return st.thing.Merchant
		}
	case merchant.LevelTerminal:
		if site, ok := s.Site(mianmi.TerminalID(scope.Subject)); ok {
			return site.Merchant.ID
		}
	}
	return ""
}
