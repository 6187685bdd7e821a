package settings_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/settings"
	"github.com/mianmi/mianmi/terminal"
)

var start = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// small is 2 merchants with 2 stores and 2 terminals each, of 2 models.
func small() settings.Changes {
	all := pinfree.Methods(0).Set(pinfree.PaymentCode).Set(pinfree.CardTap)
	c := settings.Changes{Epoch: 1, Models: []terminal.Model{{ID: "md0", Proof: terminal.ByHost, Methods: all}, {ID: "md1", Proof: terminal.ByHost, Methods: pinfree.Methods(0).Set(pinfree.CardTap)}}}
	for m := range 2 {
		mc := mianmi.MerchantID(fmt.Sprint("mc", m))
		c.Merchants = append(c.Merchants, merchant.Merchant{ID: mc, Currency: "CNY"})
		for s := range 2 {
			st := mianmi.StoreID(fmt.Sprintf("st%d%d", m, s))
			c.Stores = append(c.Stores, merchant.Store{ID: st, Merchant: mc})
			for x := range 2 {
				c.Terminals = append(c.Terminals, terminal.Terminal{ID: mianmi.TerminalID(fmt.Sprintf("tm%d%d%d", m, s, x)), Store: st,
					Model: mianmi.ModelID(fmt.Sprint("md", x))})
			}
		}
	}
	c.Connections = []settings.Connection{{Merchant: "mc0", Channel: "wechatpay", Epoch: 1, Since: start}}
	return c
}

var scopes = []merchant.Scope{merchant.Everything(), merchant.OfChannel("wallet"), merchant.OfChannel("wechatpay"), merchant.OfMerchant("mc0"),
	merchant.OfMerchant("mc1"), merchant.OfStore("st00"), merchant.OfModel("md0"), merchant.OfTerminal("tm000")}

// history is a random sequence of changes, and what holds after all of them.
type history struct {
	steps    []settings.Changes
	policies map[merchant.Scope]merchant.Policy
	stops    map[mianmi.StopID]merchant.Stop
}

func drawHistory(t *rapid.T) *history {
	h := &history{policies: map[merchant.Scope]merchant.Policy{}, stops: map[mianmi.StopID]merchant.Stop{}}
	for range rapid.IntRange(1, 12).Draw(t, "steps") {
		var c settings.Changes
		for range rapid.IntRange(1, 3).Draw(t, "changes") {
			h.change(t, &c)
		}
		h.steps = append(h.steps, c)
	}
	return h
}

func (h *history) change(t *rapid.T, c *settings.Changes) {
	scope := rapid.SampledFrom(scopes).Draw(t, "scope")
	switch rapid.IntRange(0, 3).Draw(t, "what") {
	case 0:
		id := mianmi.StopID(fmt.Sprint("es", rapid.IntRange(0, 9).Draw(t, "stop")))
		st := merchant.Stop{ID: id, Scope: scope, PlacedAt: start, Until: start.Add(time.Duration(rapid.IntRange(1, 3).Draw(t, "hours")) * time.Hour)}
		if old, known := h.stops[id]; known { // all that can happen to it is to be lifted
			st = old
			st.LiftedAt = start
		}
		h.stops[id] = st
		c.Stops = append(c.Stops, st)
	default:
		p := merchant.Policy{Scope: scope, Version: h.policies[scope].Version + 1, Terms: drawTerms(t)}
		h.policies[scope] = p
		c.Policies = append(c.Policies, p)
	}
}

func drawTerms(t *rapid.T) merchant.Terms {
	terms := merchant.Terms{PinFree: rapid.IntRange(0, 3).Draw(t, "off") > 0}
	if rapid.Bool().Draw(t, "limited") {
		a := money.Of(rapid.Int64Range(1, 5).Draw(t, "max"), "CNY")
		terms.PerPayment = &a
	}
	if rapid.IntRange(0, 2).Draw(t, "choosy") == 0 {
		m := pinfree.Methods(rapid.Uint16Range(0, 7).Draw(t, "methods") << 1)
		terms.Methods = &m
	}
	return terms
}

// layers is all that a snapshot says of all terminals.
func layers(t *rapid.T, s *settings.Snapshot, now time.Time) map[string][]pinfree.Layer {
	out := map[string][]pinfree.Layer{}
	for _, x := range small().Terminals {
		site, ok := s.Site(x.ID)
		if !ok {
			t.Fatalf("no terminal %s", x.ID)
		}
		for _, m := range []pinfree.Method{pinfree.MethodUnknown, pinfree.PaymentCode, pinfree.CardTap, pinfree.Cash} {
			out[fmt.Sprint(x.ID, " ", m)] = site.AppendLayers(nil, settings.Asked{Channel: "wallet", Method: m, Now: now})
		}
	}
	return out
}

// For every history: the snapshot that grew change by change says the same as
// one that is built from the rows at the end, rows may be applied twice, and
// no snapshot that was given out before changes.
func TestIncrementalEqualsFromScratch(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := drawHistory(t)
		s := new(settings.Snapshot).With(small())
		now := start.Add(time.Duration(rapid.IntRange(0, 200).Draw(t, "minutes")) * time.Minute)
		var given []*settings.Snapshot
		var said []map[string][]pinfree.Layer
		for i, c := range h.steps {
			c.Epoch = int64(i) + 2
			s = s.With(c)
			if rapid.Bool().Draw(t, "twice") {
				s = s.With(c)
			}
			given, said = append(given, s), append(said, layers(t, s, now))
		}
		last := small()
		last.Epoch = s.Epoch()
		for _, p := range h.policies {
			last.Policies = append(last.Policies, p)
		}
		for _, st := range h.stops {
			last.Stops = append(last.Stops, st)
		}
		scratch := new(settings.Snapshot).With(last)
		if d := cmp.Diff(layers(t, scratch, now), layers(t, s, now)); d != "" || scratch.Epoch() != s.Epoch() {
			t.Fatalf("from scratch and incremental (-scratch +incremental):\n%s", d)
		}
		for i := range given {
			if d := cmp.Diff(said[i], layers(t, given[i], now)); d != "" {
				t.Fatalf("the snapshot of epoch %d changed:\n%s", given[i].Epoch(), d)
			}
		}
	})
}

// For every history: a payment passes the layers exactly when every level that
// concerns it allows it and none of them is stopped.
func TestTheStrictestLevelWins(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := drawHistory(t)
		s := new(settings.Snapshot).With(small())
		for _, c := range h.steps {
			s = s.With(c)
		}
		now := start.Add(time.Duration(rapid.IntRange(0, 200).Draw(t, "minutes")) * time.Minute)
		minor := rapid.Int64Range(1, 6).Draw(t, "minor")
		method := rapid.SampledFrom([]pinfree.Method{pinfree.PaymentCode, pinfree.CardTap, pinfree.Cash}).Draw(t, "method")
		for _, x := range small().Terminals {
			site, _ := s.Site(x.ID)
			free, accepted := true, true
			for _, l := range site.AppendLayers(nil, settings.Asked{Channel: "wallet", Method: method, Now: now}) {
				free = free && l.State == pinfree.On && l.Limits.PerPayment.Allows(minor)
				accepted = accepted && !l.Refuse
			}
			wantFree, wantAccepted := h.allows(x, method, minor, now)
			if free != wantFree || accepted != wantAccepted || site.Accepts("wallet", method) != wantAccepted {
				t.Fatalf("%s: free %v, accepted %v; want %v, %v", x.ID, free, accepted, wantFree, wantAccepted)
			}
		}
	})
}

// allows is the rule said another way: level by level over the rows.
func (h *history) allows(x terminal.Terminal, m pinfree.Method, minor int64, now time.Time) (free, accepted bool) {
	mc := merchant.OfMerchant(mianmi.MerchantID("mc" + string(x.Store)[2:3]))
	levels := []merchant.Scope{merchant.Everything(), merchant.OfChannel("wallet"), mc, merchant.OfStore(x.Store),
		merchant.OfModel(x.Model), merchant.OfTerminal(x.ID)}
	accepted = x.Model == "md0" || m != pinfree.PaymentCode
	free = accepted
	for _, l := range levels {
		p, set := h.policies[l]
		if !set {
			p.Terms = merchant.DefaultTerms(l.Level)
		}
		if p.Terms.Methods != nil && !p.Terms.Methods.Has(m) {
			free, accepted = false, false
		}
		if !p.Terms.PinFree || p.Terms.PerPayment != nil && minor > p.Terms.PerPayment.Minor() {
			free = false
		}
	}
	for _, st := range h.stops {
		if st.Live(now) && slices.Contains(levels, st.Scope) {
			free = false
		}
	}
	return free, accepted
}

// What is not known is not there; a key is live until it expires or is revoked.
func TestLookups(t *testing.T) {
	t.Parallel()
	var empty settings.Snapshot
	if _, ok := empty.Site("tm000"); ok {
		t.Error("an empty snapshot knows a terminal")
	}
	if _, ok := empty.Key("ak1"); ok {
		t.Error("an empty snapshot knows a key")
	}
	orphan := empty.With(settings.Changes{Epoch: 1, Terminals: []terminal.Terminal{{ID: "tm1", Store: "st1", Model: "md1"}}})
	if _, ok := orphan.Site("tm1"); ok {
		t.Error("a terminal without its store is a site")
	}
	s := empty.With(small()).With(settings.Changes{Epoch: 2, Keys: []settings.Key{{ID: "ak1", Scopes: mianmi.ScopePay}}})
	key, ok := s.Key("ak1")
	if !ok || !key.Live(start) || (settings.Key{}).Live(start) {
		t.Errorf("key = %+v", key)
	}
	s = s.With(settings.Changes{Epoch: 3, Keys: []settings.Key{{ID: "ak1", RevokedAt: start}, {ID: "ak2", ExpiresAt: start}}})
	for _, id := range []mianmi.KeyID{"ak1", "ak2"} {
		if key, ok := s.Key(id); !ok || key.Live(start) {
			t.Errorf("%s is live: %+v", id, key)
		}
	}
	if m, st, x := s.Counts(); m != 2 || st != 4 || x != 8 {
		t.Errorf("counts %d %d %d", m, st, x)
	}
	if _, ok := s.Merchant("mc0"); !ok {
		t.Error("no merchant mc0")
	}
}
