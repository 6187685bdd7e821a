package settings

import (
	"slices"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/terminal"
)

// Site is a terminal with all that it belongs to, as one snapshot has it. What
// it points to never changes and must not be altered.
type Site struct {
	Terminal *terminal.Terminal
	Model    *terminal.Model
	Store    *merchant.Store
	Merchant *merchant.Merchant

	snapshot *Snapshot
	channels []string // over a network, that the merchant can be paid through
	own      [ownLevels]level
}

// ownLevels are merchant, store, model, terminal.
const ownLevels = 4

// level is what one level of a site says.
type level struct {
	kind   pinfree.LayerKind
	closed pinfree.Reason // why not, when its policy is off
	id     string
	rules  *rules
	policy *merchant.Policy // that holds for the site; nil: merchant.DefaultTerms
}

// Site returns the terminal and what it belongs to; false when the terminal,
// its model, store or merchant is not known.
func (s *Snapshot) Site(id mianmi.TerminalID) (Site, bool) {
	t := s.terminals.get(string(id))
	if t == nil || t.thing == nil {
		return Site{}, false
	}
	st, md := s.stores.row(t.store), s.models.row(t.model)
	if st.thing == nil || md.thing == nil {
		return Site{}, false
	}
	mc := s.merchants.row(st.merchant)
	if mc.thing == nil {
		return Site{}, false
	}
	site := Site{Terminal: t.thing, Model: md.thing, Store: st.thing, Merchant: mc.thing, snapshot: s,
		channels: mc.channels}
	site.own = [ownLevels]level{
		site.level(pinfree.LayerMerchant, pinfree.MerchantClosed, string(mc.thing.ID), &mc.rules),
		site.level(pinfree.LayerStore, pinfree.StoreClosed, string(st.thing.ID), &st.rules),
		site.level(pinfree.LayerModel, pinfree.ModelClosed, string(md.thing.ID), &md.rules),
		site.level(pinfree.LayerTerminal, pinfree.TerminalClosed, string(t.thing.ID), &t.rules),
	}
	return site, true
}

// Channels are the channels over a network that the merchant can be paid
// through, sorted.
func (s *Site) Channels() []string { return slices.Clone(s.channels) }

// Asked is what a payment asks of a site.
type Asked struct {
	Channel string // name of the channel that it will go through
	Method  pinfree.Method
	Now     time.Time // decides which stops are live
	// Proven is what the terminal has proved, read with the payment; nil: nothing.
	Proven *terminal.Proven
	// Recorded is what a record says of the terminal's proof, in place of Proven;
	// nil: there is none.
	Recorded []pinfree.Layer
	// SettingsAlone leaves out what the terminal itself has proved: what is asked
	// is what people have set.
	SettingsAlone bool
}

// EverythingID is the ID of the layer of the policy for everything. Its kind
// is LayerChannel, for it closes all channels.
const EverythingID = "everything"

// LayersMax is how many layers a site without stops and with every method
// accepted can have: room to give to AppendLayers.
const LayersMax = ownLevels + 3

// AppendLayers appends what the site has to say to dst, for pinfree.Input.
// Merchant, store, model and terminal are always there; everything and the
// channel when a policy is set for them. A level that does not take the method
// adds a layer of its own that refuses, and so does each live stop one that
// asks for a PIN. A debit under a mandate does not ask the terminal and its model.
func (s *Site) AppendLayers(dst []pinfree.Layer, ask Asked) []pinfree.Layer {
	everything := s.level(pinfree.LayerChannel, pinfree.ChannelClosed, EverythingID, &s.snapshot.everything)
	dst = everything.appendTo(dst, &ask)
	if ch := s.snapshot.channels.get(ask.Channel); ch != nil {
		channel := s.level(pinfree.LayerChannel, pinfree.ChannelClosed, ask.Channel, ch)
		dst = channel.appendTo(dst, &ask)
	}
	for i := range s.own {
		dst = s.own[i].appendTo(dst, &ask)
	}
	if ask.Method == pinfree.MandateDebit {
		return dst // made away from the terminal, which neither reads nor proves anything
	}
	if !ask.SettingsAlone {
		dst = s.appendProof(dst, &ask)
	}
	if !s.Model.Accepts(ask.Method) {
		dst = append(dst, notAccepted(pinfree.LayerModel, string(s.Model.ID), 0))
	}
	return dst
}

// appendProof is what the terminal itself has proved: one layer when it is
// believed, one for each doubt otherwise. A model that proves nothing has a
// layer that says so and forbids nothing.
func (s *Site) appendProof(dst []pinfree.Layer, ask *Asked) []pinfree.Layer {
	layer := pinfree.Layer{Kind: pinfree.LayerPosture, ID: string(s.Terminal.ID), State: pinfree.On, Limits: pinfree.NoLimits()}
	if s.Model.Proof == terminal.ByHost {
		layer.Because = pinfree.HostAlone
		return append(dst, layer)
	}
	if ask.Recorded != nil {
		return append(dst, ask.Recorded...)
	}
	var room [2]terminal.Doubt
	doubts := ask.Proven.AppendDoubts(room[:0], s.Need(ask.Channel), ask.Now)
	if ask.Proven != nil {
		layer.Version = ask.Proven.Attested
	}
	if len(doubts) == 0 {
		return append(dst, layer)
	}
	layer.State = pinfree.Off
	for _, d := range doubts {
		layer.Because, layer.Rule, layer.At = d.Reason, "", 0
		if d.Rule != "" {
			layer.Rule = terminal.PostureRule(d.Rule)
		}
		if !d.At.IsZero() {
			layer.At = d.At.Unix()
		}
		dst = append(dst, layer)
	}
	return dst
}

func (l *level) appendTo(dst []pinfree.Layer, ask *Asked) []pinfree.Layer {
	for i := range l.rules.stops {
		if stop := &l.rules.stops[i]; stop.Live(ask.Now) {
			dst = append(dst, pinfree.Layer{Kind: pinfree.LayerStop, ID: string(stop.ID), Version: merchant.StopVersion,
				State: pinfree.Off, Because: pinfree.EmergencyStopped, Limits: pinfree.NoLimits()})
		}
	}
	policy := l.policy
	if policy == nil {
		return l.appendDefault(dst)
	}
	terms := &policy.Terms
	layer := pinfree.Layer{Kind: l.kind, ID: l.id, Version: policy.Version, State: pinfree.On, Limits: pinfree.NoLimits()}
	if !terms.PinFree {
		layer.State, layer.Because = pinfree.Off, l.closed
	}
	if p := terms.PerPayment; p != nil {
		layer.Limits.Currency, layer.Limits.PerPayment = p.Currency(), pinfree.AtMost(p.Minor())
	}
	dst = append(dst, layer)
	if terms.Methods != nil && !terms.Methods.Has(ask.Method) {
		dst = append(dst, notAccepted(l.kind, l.id, policy.Version))
	}
	return dst
}

// appendDefault is a level without a policy: merchant.DefaultTerms.
func (l *level) appendDefault(dst []pinfree.Layer) []pinfree.Layer {
	switch l.kind {
	case pinfree.LayerMerchant:
		return append(dst, pinfree.Layer{Kind: l.kind, ID: l.id, State: pinfree.Off, Because: l.closed, Limits: pinfree.NoLimits()})
	case pinfree.LayerStore, pinfree.LayerModel, pinfree.LayerTerminal:
		return append(dst, pinfree.Layer{Kind: l.kind, ID: l.id, State: pinfree.On, Limits: pinfree.NoLimits()})
	}
	return dst
}

func notAccepted(kind pinfree.LayerKind, id string, version int64) pinfree.Layer {
	return pinfree.Layer{Kind: kind, ID: id, Version: version, State: pinfree.Off, Refuse: true,
		Because: pinfree.MethodNotAccepted, Limits: pinfree.NoLimits()}
}

// Accepts reports whether every level takes the method: for cash, which is
// recorded and not decided, and for what to offer in place of another method.
func (s *Site) Accepts(channel string, m pinfree.Method) bool {
	accepts := s.accepts(&s.snapshot.everything, m)
	if ch := s.snapshot.channels.get(channel); ch != nil {
		accepts = accepts && s.accepts(ch, m)
	}
	for i := range s.own {
		accepts = accepts && s.accepts(s.own[i].rules, m)
	}
	return accepts && m != pinfree.MethodUnknown && s.Model.Accepts(m)
}

// Place is what rules may ask about the site.
func (s *Site) Place() pinfree.Place {
	f := &s.Merchant.Facts
	return pinfree.Place{MCC: f.MCC, Country: f.Country, Unattended: s.Terminal.Unattended, Purpose: s.Terminal.Purpose,
		NoPINMerchant: f.NoPIN, UpgradedMerchant: f.Upgraded}
}
