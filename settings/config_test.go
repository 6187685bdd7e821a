package settings_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/settings"
	"github.com/mianmi/mianmi/terminal/posture"
	"github.com/mianmi/mianmi/terminal/protocol"
)

var wallet = []string{"wallet"}

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
			c := site.Config(settings.Wanted{Channels: wallet, Now: now})
			if _, err := c.Encode(); err != nil {
				t.Fatal(err)
			}
			for _, m := range []pinfree.Method{pinfree.PaymentCode, pinfree.CardTap} {
				agrees(t, &c, site.AppendLayers(nil, settings.Asked{Channel: "wallet", Method: m, Now: now}), m, now)
			}
			if len(c.Because) > 0 && !c.Allows(now) && c.Because[0].PinFree {
				t.Fatalf("%s is closed, and the first to have a say leaves it open: %+v", x.ID, c.Because)
			}
		}
	})
}

func agrees(t *rapid.T, c *protocol.Config, layers []pinfree.Layer, m pinfree.Method, now time.Time) {
	open, taken, most := true, true, int64(-1)
	for _, l := range layers {
		switch {
		case l.Refuse:
			taken = false
		case l.State != pinfree.On:
			open = false
		case l.Limits.PerPayment.Op == pinfree.OpAtMost && (most < 0 || l.Limits.PerPayment.N < most):
			most = l.Limits.PerPayment.N
		}
	}
	if c.Allows(now) != open || slices.Contains(c.Methods, m.String()) != taken {
		t.Fatalf("%v: config allows %v, takes %v; the host: open %v, taken %v", m, c.Allows(now), c.Methods, open, taken)
	}
	if open && most >= 0 && (c.PerPayment == nil || c.PerPayment.Minor() != most) || open && most < 0 && c.PerPayment != nil {
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
		{"another channel is closed", mark(merchant.OfChannel("wechat"), 9, true), settings.Concern{Version: 8, At: at(8), Tightened: 8, TightenedAt: at(8)}},
		{"another model is closed", mark(merchant.OfModel("md1"), 10, true), settings.Concern{Version: 8, At: at(8), Tightened: 8, TightenedAt: at(8)}},
		{"the terminal gets another name", mark(merchant.OfTerminal("tm000"), 11, false), settings.Concern{Version: 11, At: at(11), Tightened: 8, TightenedAt: at(8)}},
		{"everything is stopped", mark(merchant.Everything(), 12, true), settings.Concern{Version: 12, At: at(12), Tightened: 12, TightenedAt: at(12)}},
	}
	site, _ := s.Site("tm000")
	if got := site.Concern(wallet); got != (settings.Concern{Version: 1}) {
		t.Errorf("before the first change: %+v", got)
	}
	for _, step := range steps {
		s = s.With(settings.Changes{Epoch: step.mark.Epoch, Marks: []settings.Mark{step.mark}})
		site, _ := s.Site("tm000")
		if d := cmp.Diff(step.want, site.Concern(wallet)); d != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, d)
		}
	}
	s = s.With(settings.Changes{Epoch: 13, Posture: []posture.Policy{{Version: 1, Epoch: 13, Since: at(13), Terms: posture.Shipped()}}})
	site, _ = s.Site("tm000")
	if got := site.Concern(wallet); got.Version != 13 || got.Tightened != 12 {
		t.Errorf("with another policy on terminals: %+v", got)
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
	c := site.Config(settings.Wanted{Channels: wallet, Now: start})
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
	c := site.Config(settings.Wanted{Channels: wallet, Now: start})
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
	config := site.Config(settings.Wanted{Channels: wallet, Now: start})
	if _, err := config.Encode(); err != nil {
		t.Error(err)
	}
}

var (
	safeDevice  = protocol.Device{Model: "m", App: "1.0.0"}
	safeNetwork = protocol.Network{Kind: "ethernet", DNS: true, TLS: true}
)
