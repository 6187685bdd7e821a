package main

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/risk"
	"github.com/mianmi/mianmi/store"
)

// A measure that is gone, one that nobody takes and one that lapsed are found by the
// doctor, and told apart in the list.
func TestDoctorFindsMeasures(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, "migrate")
	w.keys(t)
	terminal, now := w.aTerminal(t), time.Now()
	file := filepath.Join(w.dir, "data", "mianmi.db")
	spoil(t, "sqlite", file, `INSERT INTO risk_alarm (id, rule, key, severity, state, says_zh, says_en, payer, terminal, payment, merchant, store, found, first_entry, last_entry,
		first_at, last_at, taken_by, resolved_by, verdict, words, reporter, said, version) VALUES ('am1', 'r', 'k', 2, 1, '', '', '', '', '', '', '', 1, 'en1', 'en1', 1, 1, '', '', '', '', '', '', 1)`)
	for state, age := range map[risk.MeasureState]time.Duration{risk.Waiting: 2 * time.Minute, risk.Taken: time.Hour, risk.Lapsed: 2 * time.Hour} {
		at := now.Add(-age)
		id := done[string](t)(mianmi.NewID("ms", at, systemRandom))
		spoil(t, "sqlite", file, fmt.Sprintf(`INSERT INTO risk_measure (id, measure, state, rule, rule_version, rule_digest, key, alarm, finding, payer, terminal, store, merchant, payment,
			found_at, until, taken_at, tries, answer) VALUES ('%s', 'freeze', %d, 'r', 0, '', 'k', 'am1', 'en%d', '', '%s', '', '', '', %d, %d, %d, 2, 0)`,
			id, state, state, terminal, at.UnixMicro(), at.Add(90*time.Minute).UnixMicro(), at.UnixMicro()))
	}
	statuses, code := w.doctor(t)
	want := map[string]string{"risk.measures": "fail", "risk.measures.waiting": "warn", "risk.measures.lapsed": "warn"}
	if d := cmp.Diff(want, not(statuses)); d != "" || code != exitFailed {
		t.Errorf("status %d, findings (-want +got):\n%s", code, d)
	}
	wantRun(t, "the one that waits", w.run(t, "risk", "measures", "--state=waiting", "--lang=en"), exitOK, "freeze", "waiting", "waits for 2m", "2 tries failed", "terminal:"+terminal)
	wantRun(t, "the one that lapsed", w.run(t, "risk", "measures", "--state=lapsed", "--alarm=am1", "--lang=zh"), exitOK, "lapsed", "失败 2 次", "am1")
	if out := w.run(t, "risk", "measures", "--payer=py1"); out.code != exitOK || out.stdout != "" {
		t.Errorf("about somebody else: %+v", out)
	}
	wantRun(t, "no such state", w.run(t, "risk", "measures", "--state=gone"), exitUsage, "state")
	wantRun(t, "no such measure", w.run(t, "risk", "measures", "--measure=tell"), exitUsage, "measure")
	db := done[*store.DB](t)(store.Open(t.Context(), "sqlite:"+file, store.Options{CacheKiB: 1024}))
	defer db.Close() //nolint:errcheck // the stop is durable when Place returns
	done[merchant.Stop](t)(merchant.New(db, systemClock{}, systemRandom).Place(t.Context(), mianmi.Actor{Role: mianmi.RoleRisk, ID: "sf0"},
		merchant.StopOrder{Scope: merchant.OfTerminal(mianmi.TerminalID(terminal)), Reason: "a test", For: time.Hour}))
	if statuses, _ = w.doctor(t); statuses["risk.measures"] != "ok" {
		t.Errorf("with its stop: %v", statuses)
	}
}
