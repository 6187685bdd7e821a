package rules

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi/pinfree"
)

// A report names each limit and field that differs, once, whatever the order
// in which limits are written.
func TestDifferences(t *testing.T) {
	t.Parallel()
	was := unionpay(t)
	now := copyOf(was)
	now.Version, now.Reading = 2, ""
	now.Limits[0], now.Limits[1] = now.Limits[1], now.Limits[0]
	now.Limits[0].Amount, now.Limits[0].Above = &pinfree.Range{Below: ptr(int64(7))}, refuses
	gone := now.Limits[2].ID
	now.Limits = append(now.Limits[:2:2], pinfree.Limit{ID: "new", Always: true, Above: "step_up"})
	added := pinfree.Pack{ID: "added", Version: 4}
	var removed Difference
	got := Differences([]pinfree.Pack{was, {ID: "removed", Version: 3}}, []pinfree.Pack{now, added})
	for i, d := range got {
		if d.Limit == gone {
			removed, got = d, append(got[:i:i], got[i+1:]...)
		}
	}
	if removed.After != "" || removed.Before == "" || removed.Field != "" {
		t.Errorf("the limit that went: %+v", removed)
	}
	const id = "cn-unionpay-2018"
	want := []Difference{
		{Pack: "added", After: "version 4"},
		{Pack: id, Limit: "new", After: `{"above":"step_up","always":true,"id":"new","title":{"en":"","zh":""}}`},
		{Pack: id, Limit: "per-payment", Field: "above", Before: `"step_up"`, After: `"refuse"`},
		{Pack: id, Limit: "per-payment", Field: "amount.at_most", Before: "100000"},
		{Pack: id, Limit: "per-payment", Field: "amount.below", After: "7"},
		{Pack: id, Field: "reading", Before: `"merchant_upgraded"`},
		{Pack: id, Field: "version", Before: "1", After: "2"},
		{Pack: "removed", Before: "version 3"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("differences (-want +got):\n%s", d)
	}
}
