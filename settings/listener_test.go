package settings_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/settings"
)

// A fact is wanted by the webhooks of its merchant and by those of the
// platform, as far as they ask for its topic, until they are removed; and every
// snapshot stays as it was.
func TestListeners(t *testing.T) {
	t.Parallel()
	none := new(settings.Snapshot).With(small())
	own := settings.Listener{ID: "wh1", Merchant: "mc0", Topics: 1<<1 | 1<<7}
	all := settings.Listener{ID: "wh0", Topics: 1 << 1, Paused: true}
	both := none.With(settings.Changes{Epoch: 2, Listeners: []settings.Listener{own, all}})
	removed := all
	removed.Removed = true
	one := both.With(settings.Changes{Epoch: 3, Listeners: []settings.Listener{removed}})
	for _, tt := range []struct {
		name  string
		snap  *settings.Snapshot
		m     mianmi.MerchantID
		topic uint8
		want  []settings.Listener
	}{
		{"nobody listens", none, "mc0", 1, nil},
		{"merchant and platform listen", both, "mc0", 1, []settings.Listener{all, own}},
		{"the merchant alone asks for the topic", both, "mc0", 7, []settings.Listener{own}},
		{"another merchant's fact", both, "mc1", 1, []settings.Listener{all}},
		{"a fact that is no merchant's", both, "", 1, []settings.Listener{all}},
		{"a topic that nobody asks for", both, "mc0", 2, nil},
		{"a topic above all bits", both, "mc0", 200, nil},
		{"the platform's is removed", one, "mc1", 1, nil},
		{"the merchant's goes on", one, "mc0", 1, []settings.Listener{own}},
	} {
		if d := cmp.Diff(tt.want, tt.snap.Listeners(tt.m, tt.topic)); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
		if got := tt.snap.Wants(tt.m, tt.topic); got != (len(tt.want) > 0) {
			t.Errorf("%s: wanted %v", tt.name, got)
		}
	}
}

// A scope is the merchant's whose thing it is.
func TestOwner(t *testing.T) {
	t.Parallel()
	rows := small()
	s := new(settings.Snapshot).With(rows)
	for scope, want := range map[merchant.Scope]mianmi.MerchantID{
		merchant.Everything(): "", merchant.OfChannel("wallet"): "", merchant.OfModel("md0"): "", merchant.OfMerchant("mc1"): "mc1",
		merchant.OfStore(rows.Stores[2].ID): "mc1", merchant.OfTerminal(rows.Terminals[1].ID): "mc0", merchant.OfStore("st9"): "", merchant.OfTerminal("tm9"): "",
	} {
		if got := s.Owner(scope); got != want {
			t.Errorf("%s is %q's, want %q", scope, got, want)
		}
	}
}
