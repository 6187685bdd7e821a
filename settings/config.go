package settings

import (
	"cmp"
	"slices"
	"time"

	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/terminal"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// Names of channels that every merchant can be paid through.
const (
	walletChannel = "wallet"
	cashChannel   = "cash"
)

// Config is what the terminal is to run at now by this snapshot: of all levels
// the strictest in each part. A terminal cannot tell channels apart, so PIN-free
// is off for it when every channel that its payments can go through is closed;
// the host tells them apart at each payment.
func (s *Site) Config(now time.Time) protocol.Config {
	concern, policy := s.Concern(), s.snapshot.Posture()
	c := protocol.Config{
		Form: protocol.Form, Terminal: s.Terminal.ID, Version: concern.Version, Tightened: concern.Tightened, TightenedAt: concern.TightenedAt,
		Methods: s.methods(), LeaseSeconds: policy.Terms.LeaseSeconds, ReportSeconds: policy.Terms.ReportSeconds,
		AppMin: policy.Terms.AppMin, MerchantID: s.Merchant.ID, Currency: string(s.Merchant.Currency), Merchant: s.Merchant.Name, Store: s.Store.Name,
		Address: s.Store.Address, Name: s.Terminal.Name, HostEnforced: s.Model.Proof == terminal.ByHost,
	}
	if policy.Terms.MenuLocked {
		c.MenuLock = "host"
	}
	if most := policy.Terms.ScreenMax(s.Merchant.Currency); most > 0 {
		a := money.Of(most, s.Merchant.Currency)
		c.KeypadAbove = &a
	}
	cards := c
	s.saySo(&c, s.through(pinfree.PaymentCode), now)
	if s.Model.Methods.Has(pinfree.CardTap) {
		// A card's payment goes through the wallet, whatever else is open.
		s.saySo(&cards, s.through(pinfree.CardTap), now)
		c.Reader = s.snapshot.readers.of(s, &cards, now)
	}
	return c
}

// through are the channels that a payment by the method can go through.
func (s *Site) through(m pinfree.Method) []string {
	switch m {
	case pinfree.Cash:
		return []string{cashChannel}
	case pinfree.PaymentCode, pinfree.DynamicQR:
		return append([]string{walletChannel}, s.channels...)
	}
	return []string{walletChannel}
}

// methods are those that every level takes, by one of the channels, sorted.
func (s *Site) methods() []string {
	out := []string{}
	for m := pinfree.MethodUnknown + 1; m.String() != ""; m++ {
		// Where the machine plays no part the terminal has nothing to offer.
		if m != pinfree.Cash && !s.Model.Methods.Has(m) {
			continue
		}
		if slices.ContainsFunc(s.through(m), func(ch string) bool { return s.Accepts(ch, m) }) {
			out = append(out, m.String())
		}
	}
	slices.Sort(out)
	return out
}

// say is a level's word with what orders it: the reason that it would give.
type say struct {
	protocol.Say
	reason pinfree.Reason
}

// saySo fills in what the levels say: PIN-free, the most for a payment, stops,
// and who has a say, the one that binds first.
func (s *Site) saySo(c *protocol.Config, channels []string, now time.Time) {
	var list []say
	hear := func(name string, l *level) bool {
		word, open := l.say(name, c)
		if word != nil {
			list = append(list, *word)
		}
		stops, words := l.stops(now)
		c.Stops, list = append(c.Stops, stops...), append(list, words...)
		return open
	}
	everything := s.level(pinfree.LayerChannel, pinfree.ChannelClosed, "", &s.snapshot.everything)
	c.PinFree = hear("everything", &everything)
	list = append(list, s.sayChannels(c, channels, now)...)
	for i, name := range [ownLevels]string{"merchant", "store", "model", "terminal"} {
		c.PinFree = hear(name, &s.own[i]) && c.PinFree
	}
	slices.SortStableFunc(list, func(a, b say) int {
		return cmp.Or(closedFirst(a, b), cmp.Compare(a.reason, b.reason), tightFirst(a, b))
	})
	c.Because = make([]protocol.Say, len(list))
	for i := range list {
		c.Because[i] = list[i].Say
	}
	slices.SortFunc(c.Stops, func(a, b protocol.Stop) int { return cmp.Compare(a.ID, b.ID) })
}

// stops are the level's live ones, and their words.
func (l *level) stops(now time.Time) (stops []protocol.Stop, words []say) {
	for i := range l.rules.stops {
		if stop := &l.rules.stops[i]; stop.Live(now) {
			stops = append(stops, protocol.Stop{ID: stop.ID, Until: stop.Until})
			words = append(words, say{protocol.Say{Level: "emergency_stop", ID: string(stop.ID), Version: merchant.StopVersion, Since: stop.PlacedAt},
				pinfree.EmergencyStopped})
		}
	}
	return stops, words
}

// say is the level's word, when it has one to say, and whether it leaves
// PIN-free open. Its most for a payment goes into the config; one in another
// currency leaves nothing, as in a payment's decision.
func (l *level) say(name string, c *protocol.Config) (*say, bool) {
	p := l.policy
	if p == nil {
		open := l.kind != pinfree.LayerMerchant // merchant.DefaultTerms
		if open {
			return nil, true
		}
		return &say{protocol.Say{Level: name, ID: l.id}, l.closed}, false
	}
	word := say{protocol.Say{Level: name, ID: l.id, Version: p.Version, PinFree: p.Terms.PinFree, Since: p.Since}, l.closed}
	if most := p.Terms.PerPayment; most != nil {
		word.PerPayment = most
		switch {
		case string(most.Currency()) != c.Currency:
			word.PinFree = false
		case c.PerPayment == nil || most.Minor() < c.PerPayment.Minor():
			c.PerPayment = most
		}
	}
	return &word, word.PinFree
}

// closedFirst, and tightFirst: what binds a payment more comes first. Without
// either the levels stand from the widest to the narrowest.
func closedFirst(a, b say) int {
	switch {
	case a.PinFree == b.PinFree:
		return 0
	case a.PinFree:
		return 1
	}
	return -1
}

func tightFirst(a, b say) int {
	switch {
	case !a.PinFree || a.PerPayment == nil && b.PerPayment == nil:
		return 0
	case a.PerPayment == nil:
		return 1
	case b.PerPayment == nil:
		return -1
	}
	return cmp.Compare(a.PerPayment.Minor(), b.PerPayment.Minor())
}
