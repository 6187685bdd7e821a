package posture

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/terminal/protocol"
)

func safe() Facts {
	return Facts{Device: protocol.Device{Model: "linux_countertop", OS: "linux 6.1", Firmware: "1.2.0", App: "0.4.0", Keypad: true},
		Network: protocol.Network{Kind: "ethernet", DNS: true, TLS: true, RTTms: 4}}
}

func compiled(t testing.TB, terms Terms) *Set {
	t.Helper()
	s, err := Compile(Policy{Terms: terms})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The shipped policy lets a terminal in good order pass, and each of its rules
// stops what it is there for, and that alone.
func TestShippedPolicy(t *testing.T) {
	t.Parallel()
	terms := Shipped()
	terms.AppMin = "0.3.1"
	s := compiled(t, terms)
	tests := []struct {
		name   string
		change func(*Facts)
		want   []string
	}{
		{"in good order", func(*Facts) {}, nil},
		{"a login page", func(f *Facts) { f.Network.Portal = true }, []string{"captive_portal"}},
		{"another key than the pinned one", func(f *Facts) { f.Network.TLS = false }, []string{"tls"}},
		{"a name that leads elsewhere", func(f *Facts) { f.Network.DNS = false }, []string{"dns"}},
		{"an open Wi-Fi", func(f *Facts) { f.Network.Kind = "wifi_open" }, []string{"open_wifi"}},
		{"a closed Wi-Fi", func(f *Facts) { f.Network.Kind = "wifi" }, nil},
		{"a program at the minimum", func(f *Facts) { f.Device.App = "0.3.1" }, nil},
		{"a program before the minimum", func(f *Facts) { f.Device.App = "0.3.1-rc1" }, []string{"app_old"}},
		{"a program of no version", func(f *Facts) { f.Device.App = "" }, []string{"app_old"}},
		{"a clock that is five minutes off", func(f *Facts) { f.ClockOff = -5 * time.Minute }, nil},
		{"a clock that is further off", func(f *Facts) { f.ClockOff = -301 * time.Second }, []string{"clock"}},
		{"of which nothing is known", func(f *Facts) { *f = Facts{} }, []string{"tls", "dns", "network_unknown", "app_old"}},
	}
	for _, tt := range tests {
		f := safe()
		tt.change(&f)
		if d := cmp.Diff(tt.want, s.Judge(f)); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
	for _, r := range terms.Rules {
		if s.Says(r.ID) != r.Says {
			t.Errorf("%s says %v", r.ID, s.Says(r.ID))
		}
	}
	if s.Says("gone").EN == "" || (*Set)(nil).Says("gone").ZH == "" {
		t.Error("a rule that is gone has no words")
	}
}

// What cannot be told is unsafe: without a policy, and where a condition fails
// to be evaluated.
func TestUnknownIsUnsafe(t *testing.T) {
	t.Parallel()
	if len((*Set)(nil).Judge(safe())) == 0 {
		t.Error("without a policy every terminal is safe")
	}
	later := Ready(Policy{Version: 7})
	if len(later.Judge(safe())) == 0 || later.Version != 7 || later.Terms.LeaseSeconds == 0 {
		t.Errorf("a policy that cannot be read: %+v", later)
	}
	if got := Ready(Policy{Terms: Shipped()}).Judge(safe()); got != nil {
		t.Errorf("one that can: %v", got)
	}
	terms := Shipped()
	terms.Rules = []Rule{{ID: "x", Unsafe: `1 / (device.battery + 1) > 5`, Says: terms.Rules[0].Says}} // on the mains it divides by nothing
	s := compiled(t, terms)
	if got := s.Judge(safe()); !slices.Equal(got, []string{"x"}) {
		t.Errorf("a condition that cannot be evaluated: %v", got)
	}
	full := 9
	f := safe()
	f.Device.Battery = &full
	if got := s.Judge(f); got != nil {
		t.Errorf("one that can: %v", got)
	}
}

// Bad terms name their field, and nothing of them is taken.
func TestBadTerms(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, field string
		change      func(*Terms)
	}{
		{"nothing said", "lease_seconds", func(t *Terms) { *t = Terms{} }},
		{"a lease of a week", "lease_seconds", func(t *Terms) { t.LeaseSeconds = 604800 }},
		{"one report a lease", "report_seconds", func(t *Terms) { t.ReportSeconds = t.LeaseSeconds }},
		{"a deadline at once", "deadline_seconds", func(t *Terms) { t.DeadlineSeconds = 0 }},
		{"a currency twice", "keypad_above[1]", func(t *Terms) { t.KeypadAbove = []money.Amount{money.Of(1, "CNY"), money.Of(2, "CNY")} }},
		{"a version in words", "app_min", func(t *Terms) { t.AppMin = "newest" }},
		{"a rule without a name", "rules[0]", func(t *Terms) { t.Rules[0].ID = "" }},
		{"a rule in one language", "rules[0]", func(t *Terms) { t.Rules[0].Says.ZH = "" }},
		{"a name twice", "rules[1].id", func(t *Terms) { t.Rules[1].ID = t.Rules[0].ID }},
		{"a condition that does not parse", "rules[2].unsafe", func(t *Terms) { t.Rules[2].Unsafe = "network." }},
		{"a condition on what nobody knows", "rules[2].unsafe", func(t *Terms) { t.Rules[2].Unsafe = "network.colour == 'red'" }},
		{"a number for a condition", "rules[2].unsafe", func(t *Terms) { t.Rules[2].Unsafe = "network.rtt_ms" }},
		{"a loop", "rules[2].unsafe", func(t *Terms) { t.Rules[2].Unsafe = "[1,2].all(x, x > 0)" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			terms := Shipped()
			tt.change(&terms)
			var e *mianmi.Error
			if err := terms.Validate(); !errors.As(err, &e) || e.Kind != mianmi.Invalid || e.Field != tt.field {
				t.Errorf("%v, want the field %s", err, tt.field)
			}
		})
	}
	if err := Shipped().Validate(); err != nil {
		t.Errorf("the shipped terms: %v", err)
	}
}

// Whatever counts as a tightening fails every terminal that failed before, and
// is not shorter of proof: lease, reports and deadline are no longer than they were.
func TestTighteningFailsNoFewer(t *testing.T) {
	t.Parallel()
	pool := Shipped().Rules
	terms := rapid.Custom(func(t *rapid.T) Terms {
		out := Shipped()
		out.LeaseSeconds = rapid.Int64Range(60, 3600).Draw(t, "lease")
		out.ReportSeconds = rapid.Int64Range(10, out.LeaseSeconds/2).Draw(t, "report")
		out.MenuLocked = rapid.Bool().Draw(t, "locked")
		out.AppMin = rapid.SampledFrom([]string{"", "0.3.0", "0.4.0", "1.0.0"}).Draw(t, "app")
		out.Rules = nil
		for _, r := range pool {
			if rapid.Bool().Draw(t, r.ID) {
				out.Rules = append(out.Rules, r)
			}
		}
		if n := rapid.Int64Range(0, 3).Draw(t, "screen"); n > 0 {
			out.KeypadAbove = []money.Amount{money.Of(n, "CNY")}
		}
		return out
	})
	rapid.Check(t, func(t *rapid.T) {
		before, after := terms.Draw(t, "before"), terms.Draw(t, "after")
		if rapid.Bool().Draw(t, "near") { // one part changed: else hardly any pair is a tightening
			near := before
			near.Rules = append(slices.Clone(before.Rules), Rule{ID: "more", Unsafe: "device.battery < 5", Says: pool[0].Says})
			near.AppMin = after.AppMin
			after = near
		}
		if !Tightens(before, before) {
			t.Fatal("the same terms are a loosening")
		}
		if odd := before; len(odd.Rules) > 0 && odd.AppMin != after.AppMin {
			odd.Rules = append(slices.Clone(odd.Rules), Rule{ID: "odd", Unsafe: "!older(device.app, app_min)", Says: pool[0].Says})
			turned := odd
			turned.AppMin = after.AppMin
			if Tightens(odd, turned) {
				t.Fatal("a condition that a newer program fails was counted as one that an older fails")
			}
		}
		if !Tightens(before, after) {
			return
		}
		f := safe()
		f.Network.Portal, f.Network.TLS = rapid.Bool().Draw(t, "portal"), rapid.Bool().Draw(t, "tls")
		f.Device.App = rapid.SampledFrom([]string{"0.2.9", "0.4.0", "x"}).Draw(t, "version")
		b, err := Compile(Policy{Terms: before})
		if err != nil {
			t.Fatal(err)
		}
		a, err := Compile(Policy{Terms: after})
		if err != nil {
			t.Fatal(err)
		}
		now := a.Judge(f)
		for _, rule := range b.Judge(f) {
			if !slices.Contains(now, rule) {
				t.Fatalf("%s failed before and not after", rule)
			}
		}
		if after.LeaseSeconds > before.LeaseSeconds || after.ScreenMax("CNY") > before.ScreenMax("CNY") || before.MenuLocked && !after.MenuLocked {
			t.Fatal("more is allowed")
		}
	})
}

// Terms come back as they went, and a form of a later time is not read.
func TestTermsComeBack(t *testing.T) {
	t.Parallel()
	want := Shipped()
	want.KeypadAbove = []money.Amount{money.Of(100000, "CNY")}
	b, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(money.Amount{})); d != "" {
		t.Error(d)
	}
	for _, text := range []string{"", "{}x", `{"more":1}`} {
		if _, err := Decode([]byte(text)); err == nil {
			t.Errorf("%q is read", text)
		}
	}
}
