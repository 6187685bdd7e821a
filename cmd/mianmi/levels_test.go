package main

import (
	"testing"
	"time"

	"github.com/mianmi/mianmi/support/desk"
)

// Service levels from a flag take the place of the shipped ones, of a kind or of a
// rail alone; what cannot be read is refused, and says why.
func TestLevelsFlag(t *testing.T) {
	t.Parallel()
	f := levelsFlags{CaseLevels: []string{"loss=10m/12h", "wechatpay.complaint=8h/48h"}}
	got := must(f.levels())(t)
	for _, tt := range []struct {
		kind desk.Kind
		rail string
		want desk.Level
	}{
		{desk.Loss, "wallet", desk.Level{First: 10 * time.Minute, Decide: 12 * time.Hour}},
		{desk.Complaint, "wechatpay", desk.Level{First: 8 * time.Hour, Decide: 48 * time.Hour}},
		{desk.Complaint, "wallet", desk.LevelsDefault.Kinds[desk.Complaint]},
		{desk.Fraud, "wechatpay", desk.LevelsDefault.Kinds[desk.Fraud]},
	} {
		if l := got.Of(tt.kind, tt.rail); l != tt.want {
			t.Errorf("%s of %s: %v, want %v", tt.kind, tt.rail, l, tt.want)
		}
	}
	for _, bad := range []string{"", "loss", "loss=1h", "loss=1h/", "loss=2h/1h", "loss=0s/1h", "theft=1h/2h", ".loss=1h/2h", "loss=1h/9000h", "wechatpay.=1h/2h"} {
		if _, err := (&levelsFlags{CaseLevels: []string{bad}}).levels(); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	w := newWorld(t)
	w.run(t, "migrate")
	wantRun(t, "refused before anything begins", w.run(t, "serve", "--case-levels=loss=2h/1h", "--lang=en"), exitUsage, "--case-levels")
	opened := w.run(t, "case", "open", "--kind=feedback", "--case-levels=feedback=1h/2h", "希望默认关闭小额免密", "--lang=en")
	wantRun(t, "opened", opened, exitOK, "feedback")
}
