package settings_test

import (
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
	"github.com/mianmi/mianmi/terminal/posture"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// marked adds to a step the marks that a store writes with it: every change of
// a policy that allows less, and every stop, is a tightening.
func marked(c settings.Changes, before map[merchant.Scope]merchant.Terms) settings.Changes {
	for _, p := range c.Policies {
		was, known := before[p.Scope]
		if !known {
			was = merchant.DefaultTerms(p.Scope.Level)
		}
		m := settings.Mark{Scope: p.Scope, Epoch: c.Epoch, At: start}
		if change := merchant.Compare(was, p.Terms); change == merchant.Tightening || change == merchant.Mixed {
			m.Tightened, m.TightenedAt = c.Epoch, start
		}
		before[p.Scope] = p.Terms
		c.Marks = append(c.Marks, m)
	}
	for _, st := range c.Stops {
		m := settings.Mark{Scope: st.Scope, Epoch: c.Epoch, At: start}
		if st.LiftedAt.IsZero() {
			m.Tightened, m.TightenedAt = c.Epoch, start
		}
		c.Marks = append(c.Marks, m)
	}
	return c
}

// For every history a terminal's config says what the host would decide: the
// same word on PIN-free, the same most for a payment, the same methods; and the
// level that it names first is one that binds.
func TestConfigSaysWhatTheHostDecides(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, before := new(settings.Snapshot).With(small()), map[merchant.Scope]merchant.Terms{}
		for i, step := range drawHistory(t).steps {
			step.Epoch = int64(i + 2)
			s = s.With(marked(step, before))
		}
		now := start.Add(time.Duration(rapid.IntRange(0, 200).Draw(t, "minutes")) * time.Minute)
		for _, x := range small().Terminals {
			site, _ := s.Site(x.ID)
			c := site.Config(now)
			if _, err := c.Encode(); err != nil {
				t.Fatal(err)
			}
			for _, m := range []pinfree.Method{pinfree.PaymentCode, pinfree.CardTap} {
				var host []word
				for _, ch := range through(site.Merchant.ID, m) {
					host = append(host, heard(site.AppendLayers(nil, settings.Asked{Channel: ch, Method: m, Now: now})))
				}
				agrees(t, &c, host, m, now)
			}
			if len(c.Because) > 0 && !c.Allows(now) && c.Because[0].PinFree {
				t.Fatalf("%s is closed, and the first to have a say leaves it open: %+v", x.ID, c.Because)
			}
		}
	})
}

// through are the channels that a payment at a merchant of small can go through:
// mc0 is connected to WeChat Pay, and cards are the wallet's.
func through(m mianmi.MerchantID, by pinfree.Method) []string {
	if m == "mc0" && by == pinfree.PaymentCode {
		return []string{"wallet", "wechatpay"}
	}
	return []string{"wallet"}
}

// word is what the host makes of a payment through one channel.
type word struct {
	open, taken bool
	most        int64 // -1: none
}

func heard(layers []pinfree.Layer) word {
	w := word{true, true, -1}
	for _, l := range layers {
		switch {
		case l.Refuse:
			w.taken = false
		case l.State != pinfree.On:
			w.open = false
		case l.Limits.PerPayment.Op == pinfree.OpAtMost && (w.most < 0 || l.Limits.PerPayment.N < w.most):
			w.most = l.Limits.PerPayment.N
		}
	}
	return w
}

// agrees: the config allows, takes and lets pass what the host does through the
// most open channel of the payment. A card may be held closer by the wallet than
// the config says, for the terminal's other methods may pass elsewhere.
func agrees(t *rapid.T, c *protocol.Config, host []word, m pinfree.Method, now time.Time) {
	open, taken, most := false, false, int64(0)
	for _, w := range host {
		open, taken = open || w.open, taken || w.taken
		if w.open && most >= 0 && (w.most < 0 || w.most > most) {
			most = w.most
		}
	}
	one := m == pinfree.PaymentCode && len(host) == 1
	if c.Allows(now) != open && (m == pinfree.PaymentCode || open) || slices.Contains(c.Methods, m.String()) != taken {
		t.Fatalf("%v: config allows %v, takes %v; the host: %+v", m, c.Allows(now), c.Methods, host)
	}
	if open && (c.PerPayment == nil && one && most >= 0 || c.PerPayment != nil && (most < 0 || c.PerPayment.Minor() < most || one && c.PerPayment.Minor() > most)) {
		t.Fatalf("%v: config has the most %v, the host %d", m, c.PerPayment, most)
	}
}

// The version of a config is the newest change that concerns the terminal, and
// no change that does not; the newest tightening stays the newest when it is
// taken back.
func TestConcern(t *testing.T) {
	t.Parallel()
	at := func(minute int) time.Time { return start.Add(time.Duration(minute) * time.Minute) }
	mark := func(s merchant.Scope, epoch int64, tightened bool) settings.Mark {
		m := settings.Mark{Scope: s, Epoch: epoch, At: at(int(epoch))}
		if tightened {
			m.Tightened, m.TightenedAt = epoch, m.At
		}
		return m
	}
	s := new(settings.Snapshot).With(small())
	steps := []struct {
		name string
		mark settings.Mark
		want settings.Concern
	}{
		{"the merchant is closed", mark(merchant.OfMerchant("mc0"), 5, true), settings.Concern{Version: 5, At: at(5), Tightened: 5, TightenedAt: at(5)}},
		{"and opened", mark(merchant.OfMerchant("mc0"), 6, false), settings.Concern{Version: 6, At: at(6), Tightened: 5, TightenedAt: at(5)}},
		{"another merchant is closed", mark(merchant.OfMerchant("mc1"), 7, true), settings.Concern{Version: 6, At: at(6), Tightened: 5, TightenedAt: at(5)}},
		{"the channel is closed", mark(merchant.OfChannel("wallet"), 8, true), settings.Concern{Version: 8, At: at(8), Tightened: 8, TightenedAt: at(8)}},
		{"a channel is closed to which it is not connected", mark(merchant.OfChannel("other"), 9, true), settings.Concern{Version: 8, At: at(8), Tightened: 8, TightenedAt: at(8)}},
		{"another model is closed", mark(merchant.OfModel("md1"), 10, true), settings.Concern{Version: 8, At: at(8), Tightened: 8, TightenedAt: at(8)}},
		{"the terminal gets another name", mark(merchant.OfTerminal("tm000"), 11, false), settings.Concern{Version: 11, At: at(11), Tightened: 8, TightenedAt: at(8)}},
		{"everything is stopped", mark(merchant.Everything(), 12, true), settings.Concern{Version: 12, At: at(12), Tightened: 12, TightenedAt: at(12)}},
		{"the other channel is closed", mark(merchant.OfChannel("wechatpay"), 13, true), settings.Concern{Version: 13, At: at(13), Tightened: 13, TightenedAt: at(13)}},
	}
	site, _ := s.Site("tm000")
	if got := site.Concern(); got != (settings.Concern{Version: 1, At: start}) {
		t.Errorf("before the first change: %+v", got)
	}
	for _, step := range steps {
		s = s.With(settings.Changes{Epoch: step.mark.Epoch, Marks: []settings.Mark{step.mark}})
		site, _ := s.Site("tm000")
		if d := cmp.Diff(step.want, site.Concern()); d != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, d)
		}
	}
	s = s.With(settings.Changes{Epoch: 14, Posture: []posture.Policy{{Version: 1, Epoch: 14, Since: at(14), Terms: posture.Shipped()}}})
	site, _ = s.Site("tm000")
	if got := site.Concern(); got.Version != 14 || got.Tightened != 13 {
		t.Errorf("with another policy on terminals: %+v", got)
	}
}

// A terminal is closed as a whole when every channel of its merchant is, stopped
// until the first is free, and held to the most of the most open one; its card
// reader follows the wallet alone. A payment needs what its own channel asks for.
func TestConfigOfSeveralChannels(t *testing.T) {
	t.Parallel()
	wallet, outside := merchant.OfChannel("wallet"), merchant.OfChannel("wechatpay")
	policy := func(s merchant.Scope, open bool, most int64) merchant.Policy {
		p := merchant.Policy{Scope: s, Version: 1, Since: start, Terms: merchant.Terms{PinFree: open}}
		if most > 0 {
			a := money.Of(most, "CNY")
			p.Terms.PerPayment = &a
		}
		return p
	}
	stop := func(s merchant.Scope, minutes int) merchant.Stop {
		return merchant.Stop{ID: mianmi.StopID("es" + s.Subject), Scope: s, PlacedAt: start, Until: start.Add(time.Duration(minutes) * time.Minute)}
	}
	for name, c := range map[string]struct {
		policies               []merchant.Policy
		stops                  []merchant.Stop
		elsewhere, here, later bool // allowed at mc1, at mc0, at mc0 after a quarter of an hour
		most                   int64
	}{
		"nothing is set":                     {nil, nil, true, true, true, 0},
		"the wallet is closed":               {[]merchant.Policy{policy(wallet, false, 0)}, nil, false, true, true, 0},
		"the other is closed":                {[]merchant.Policy{policy(outside, false, 0)}, nil, true, true, true, 0},
		"both are closed":                    {[]merchant.Policy{policy(wallet, false, 0), policy(outside, false, 0)}, nil, false, false, false, 0},
		"both have a most":                   {[]merchant.Policy{policy(wallet, true, 50), policy(outside, true, 90)}, nil, true, true, true, 90},
		"one has a most":                     {[]merchant.Policy{policy(wallet, true, 50)}, nil, true, true, true, 0},
		"the closed one has no say in it":    {[]merchant.Policy{policy(wallet, true, 50), policy(outside, false, 90)}, nil, true, true, true, 50},
		"one is stopped":                     {nil, []merchant.Stop{stop(wallet, 10)}, false, true, true, 0},
		"both are stopped":                   {nil, []merchant.Stop{stop(wallet, 10), stop(outside, 30)}, false, false, true, 0},
		"one is closed and one is stopped":   {[]merchant.Policy{policy(wallet, false, 0)}, []merchant.Stop{stop(outside, 10)}, false, false, true, 0},
		"one is closed and stopped for long": {[]merchant.Policy{policy(wallet, false, 0)}, []merchant.Stop{stop(wallet, 60)}, false, true, true, 0},
	} {
		s := new(settings.Snapshot).With(small()).With(settings.Changes{Epoch: 2, Stops: c.stops, Policies: append(c.policies,
			policy(merchant.OfMerchant("mc0"), true, 0), policy(merchant.OfMerchant("mc1"), true, 0))})
		site, _ := s.Site("tm000")
		other, _ := s.Site("tm100")
		here, there := site.Config(start), other.Config(start)
		if there.Allows(start) != c.elsewhere || here.Allows(start) != c.here || here.Allows(start.Add(15*time.Minute)) != c.later {
			t.Errorf("%s: %+v, and elsewhere %+v", name, here, there)
		}
		if c.most == 0 && here.PerPayment != nil || c.most > 0 && (here.PerPayment == nil || here.PerPayment.Minor() != c.most) {
			t.Errorf("%s: at most %v, want %d", name, here.PerPayment, c.most)
		}
		for i, r := range here.Reader {
			if r.PinFree > 0 && !c.elsewhere || there.Reader[i].PinFree != r.PinFree {
				t.Errorf("%s: the reader has %+v, and elsewhere %+v", name, r, there.Reader[i])
			}
		}
		if len(here.Reader) == 0 {
			t.Errorf("%s: the reader is set to nothing", name)
		}
	}
	s := new(settings.Snapshot).With(small()).With(settings.Changes{Epoch: 7, Marks: []settings.Mark{{Scope: outside, Epoch: 7, At: start, Tightened: 7, TightenedAt: start}}})
	site, _ := s.Site("tm000")
	if site.Need("wallet").Tightened != 0 || site.Need("wechatpay").Tightened != 7 || site.NeedAll().Tightened != 7 {
		t.Errorf("need %+v, %+v, in all %+v", site.Need("wallet"), site.Need("wechatpay"), site.NeedAll())
	}
}

// A maximum in another currency leaves no PIN-free payment, on the device as at
// the host.
func TestConfigInAnotherCurrency(t *testing.T) {
	t.Parallel()
	euros := money.Of(5000, "EUR")
	s := new(settings.Snapshot).With(small()).With(settings.Changes{Epoch: 2, Policies: []merchant.Policy{
		{Scope: merchant.OfMerchant("mc0"), Version: 1, Terms: merchant.Terms{PinFree: true}},
		{Scope: merchant.OfModel("md0"), Version: 1, Terms: merchant.Terms{PinFree: true, PerPayment: &euros}}}})
	site, _ := s.Site("tm000")
	c := site.Config(start)
	if c.Allows(start) || len(c.Because) != 2 || c.Because[0].Level != "model" {
		t.Errorf("allows %v, because %+v", c.Allows(start), c.Because)
	}
}

// A policy on terminals decides lease, reports, keypad and menu, and one that
// this program cannot read fails every terminal.
func TestConfigFollowsThePolicyOnTerminals(t *testing.T) {
	t.Parallel()
	terms := posture.Shipped()
	terms.LeaseSeconds, terms.ReportSeconds, terms.MenuLocked, terms.AppMin = 120, 30, true, "1.0.0"
	terms.KeypadAbove = []money.Amount{money.Of(100000, "CNY")}
	s := new(settings.Snapshot).With(small()).With(settings.Changes{Epoch: 2, Posture: []posture.Policy{{Version: 1, Epoch: 2, Terms: terms}}})
	site, _ := s.Site("tm000")
	c := site.Config(start)
	if c.LeaseSeconds != 120 || c.ReportSeconds != 30 || c.MenuLock != "host" || c.AppMin != "1.0.0" || c.KeypadAbove == nil ||
		c.KeypadAbove.Minor() != 100000 || !c.HostEnforced {
		t.Errorf("%+v", c)
	}
	older := s.With(settings.Changes{Epoch: 3, Posture: []posture.Policy{{Version: 1, Epoch: 2, Terms: posture.Shipped()}}})
	if older.Posture().Terms.LeaseSeconds != 120 {
		t.Error("an older policy took the place of a newer one")
	}
	unread := s.With(settings.Changes{Epoch: 3, Posture: []posture.Policy{{Version: 2, Epoch: 3}}})
	if len(unread.Posture().Judge(posture.Facts{Device: safeDevice, Network: safeNetwork})) == 0 {
		t.Error("a policy that cannot be read lets terminals pass")
	}
	site, _ = unread.Site("tm000")
	config := site.Config(start)
	if _, err := config.Encode(); err != nil {
		t.Error(err)
	}
}

var (
	safeDevice  = protocol.Device{Model: "m", App: "1.0.0"}
	safeNetwork = protocol.Network{Kind: "ethernet", DNS: true, TLS: true}
)
