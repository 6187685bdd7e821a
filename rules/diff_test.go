package rules

import (
	"slices"
	"testing"

	"github.com/mianmi/mianmi/pinfree"
)

// A report names each limit and field that differs, whatever the order in
// which limits are written, and whole packs by their versions.
func TestDifferences(t *testing.T) {
	t.Parallel()
	was := unionpay(t)
	now := copyOf(was)
	now.Version = 2
	now.Limits[0], now.Limits[1] = now.Limits[1], now.Limits[0]
	now.Limits[0].Amount, now.Limits[0].Above = &pinfree.Range{AtMost: ptr(int64(7))}, refuses
	got := Differences([]pinfree.Pack{was, {ID: "removed", Version: 3}}, []pinfree.Pack{now, {ID: "added", Version: 4}})
	for _, want := range []Difference{
		{Pack: "added", After: "version 4"},
		{Pack: "removed", Before: "version 3"},
		{Pack: was.ID, Limit: now.Limits[0].ID, Field: "above", Before: "step_up", After: "refuse"},
		{Pack: was.ID, Limit: now.Limits[0].ID, Field: "amount.at_most", Before: "100000", After: "7"},
		{Pack: was.ID, Field: "version", Before: "1", After: "2"},
	} {
		i := slices.Index(got, want)
		if i < 0 {
			t.Errorf("no %+v among %+v", want, got)
			continue
		}
		got = slices.Delete(got, i, i+1)
	}
	if len(got) > 0 {
		t.Errorf("more differences than there are: %+v", got)
	}
}
