package settings_test

import (
	"testing"
	"time"

	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/rollout"
	"github.com/mianmi/mianmi/settings"
)

// Where a rollout has not come, the level says what the former policy says: also
// one whose version cannot be told, and which is no default.
func TestFormerPolicyHolds(t *testing.T) {
	t.Parallel()
	for name, former := range map[string]merchant.Former{
		"another policy":             {Version: 3},
		"one of a version not known": {},
	} {
		s := new(settings.Snapshot).With(small())
		r := &merchant.Rollout{ID: "ro1", Kind: rollout.Setting, Scope: merchant.OfStore("st00"), Version: 4, Former: former, Progress: rollout.Progress{State: rollout.Running}}
		s = s.With(settings.Changes{Epoch: 2, Policies: []merchant.Policy{{Scope: merchant.OfStore("st00"), Terms: merchant.Terms{PinFree: true}, Version: 4, Rollout: r}}})
		site, ok := s.Site("tm000")
		if !ok {
			t.Fatal("no such terminal")
		}
		for _, l := range site.AppendLayers(nil, settings.Asked{Channel: "wallet", Method: pinfree.CardTap, Now: start.Add(time.Hour)}) {
			if l.Kind == pinfree.LayerStore && (l.State != pinfree.Off || l.Version != former.Version) {
				t.Errorf("%s: the store says %+v", name, l)
			}
		}
	}
}
