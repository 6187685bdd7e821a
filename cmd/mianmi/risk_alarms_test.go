package main

import (
	"path/filepath"
	"regexp"
	"testing"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/terminal"
)

// aTerminal makes a shop with a terminal.
func (w world) aTerminal(t *testing.T) string {
	t.Helper()
	db := done[*store.DB](t)(store.Open(t.Context(), "sqlite:"+filepath.Join(w.dir, "data", "mianmi.db"), store.Options{CacheKiB: 1024}))
	defer db.Close() //nolint:errcheck // what is made is durable
	ctx, operator := t.Context(), mianmi.Actor{Role: mianmi.RoleOperator, ID: "sf0"}
	shops, machines := merchant.New(db, systemClock{}, systemRandom), terminal.New(db, systemClock{}, systemRandom)
	m := done[merchant.Merchant](t)(shops.CreateMerchant(ctx, operator, merchant.Merchant{Name: "茶店", Currency: "CNY", Facts: merchant.Facts{Country: "CN", MCC: 5812}}))
	s := done[merchant.Store](t)(shops.CreateStore(ctx, operator, merchant.Store{Merchant: m.ID, Name: "一店"}))
	k := done[terminal.Model](t)(machines.CreateModel(ctx, operator, terminal.Model{Name: "P2", Proof: terminal.ByHost, Methods: pinfree.Methods(0).Set(pinfree.PaymentCode)}))
	return string(done[terminal.Terminal](t)(machines.Create(ctx, operator, terminal.Terminal{Store: s.ID, Model: k.ID, Name: "1"})).ID)
}

// An alarm from the command line: reported, listed with who did, counted when it is
// reported again, taken up and resolved. What is wrong is named, and nothing is written.
func TestReportByCommandLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, "migrate")
	wantRun(t, "about nothing", w.run(t, "risk", "report", "device", "--lang=en"), exitFailed, "terminal", "name the terminal or the payment")
	wantRun(t, "no such terminal", w.run(t, "risk", "report", "device", "--terminal=tm0", "--lang=en"), exitFailed, "terminal", "no such terminal")
	wantRun(t, "no such kind", w.run(t, "risk", "report", "theft", "--terminal=tm0", "--lang=en"), exitUsage, "not_me")
	if out := w.run(t, "risk", "alarms"); out.stdout != "" {
		t.Fatalf("written: %s", out.stdout)
	}
	id := w.aTerminal(t)
	report := []string{"risk", "report", "device", "外壳松了", "--terminal=" + id}
	wantRun(t, "reported", w.run(t, append(report, "--lang=zh")...), exitOK, "report_device", "像是被动过手脚", "system:")
	again := w.run(t, append(report, "--lang=en")...)
	wantRun(t, "again", again, exitOK, "high", "  2  ", "reported by system:")
	alarm := regexp.MustCompile(`am[0-9a-z]+`).FindString(again.stdout)
	agent := w.member(t, "agent.one", "support_agent")
	wantRun(t, "taken up", w.as(t, agent, "risk", "acknowledge", alarm), exitOK, "acknowledged")
	wantRun(t, "resolved", w.run(t, "risk", "resolve", alarm, "harmless", "已检查"), exitOK, "resolved")
	if out := w.run(t, "risk", "alarms"); out.stdout != "" {
		t.Errorf("still open: %s", out.stdout)
	}
	wantRun(t, "among all", w.run(t, "risk", "alarms", "--all"), exitOK, alarm, "resolved")
}
