package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/pinfree/compare"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/store/storetest"
)

// tapLine is a line of a log: a UnionPay tap at an upgraded merchant.
func tapLine(minute, minor int) string {
	return fmt.Sprintf(`{"id":"p%d","at":"2026-03-01T04:%02d:00Z","payer":{"id":"anna"},"amount":{"minor":%d,"currency":"CNY"},"method":"card_tap",`+
		`"card":{"instrument":"c","scheme":"unionpay","kind":"debit","domestic":true},"merchant":{"no_pin":true,"upgraded":true},`+
		`"terminal":{"country":"CN"},"result":"approved"}`+"\n", minute, minute, minor)
}

// lowered is the UnionPay pack with half its limit, as a file.
func lowered(t *testing.T, w world) string {
	t.Helper()
	text, err := os.ReadFile("../../pinfree/packs/cn-unionpay-2018.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return w.file(t, "mine.yaml", strings.NewReplacer("version: 1", "version: 2", "at_most: 100000", "at_most: 50000").Replace(string(text)))
}

// A file in the place of a shipped pack: the field that differs, the proof that
// it is a tightening, and what a log would have come to.
func TestRulesDiff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mine := lowered(t, w)
	log := w.file(t, "log.jsonl", tapLine(1, 40000)+tapLine(2, 60000)+tapLine(3, 70000)+tapLine(4, 110000))
	r := w.run(t, "rules", "diff", "usual", "usual,"+mine, "--log", log, "--json", "--examples=1")
	var got struct {
		Packs      []compare.PackDiff
		Tightening bool
		Replay     compare.Report
	}
	if err := json.Unmarshal([]byte(r.stdout), &got); err != nil || r.code != exitOK {
		t.Fatalf("status %d, %v: %s", r.code, err, r.stderr)
	}
	var changes []compare.Change
	for _, p := range got.Packs {
		changes = append(changes, p.Changes...)
	}
	want := []compare.Change{{Path: "version", A: "1", B: "2"}, {Path: "limits[per-payment].amount.at_most", A: "100000", B: "50000"}}
	if diff := cmp.Diff(want, changes); diff != "" || !got.Tightening {
		t.Errorf("tightening %v, changes (-want +got):\n%s", got.Tightening, diff)
	}
	var cells []string
	for _, c := range got.Replay.Cells {
		cells = append(cells, fmt.Sprint(c.A, " ", c.B, " ", c.Payments, " ", c.Sums))
	}
	if diff := cmp.Diff([]string{"pin_free pin_free 1 [¥400.00]", "pin_free step_up 2 [¥1300.00]", "step_up step_up 1 [¥1100.00]"}, cells); diff != "" {
		t.Errorf("cells (-want +got):\n%s", diff)
	}
	if len(got.Replay.Examples) != 1 || got.Replay.Examples[0].ID != "p2" {
		t.Errorf("examples: %+v", got.Replay.Examples)
	}
	for lang, words := range map[string][]string{
		"en": {"~ cn-unionpay-2018", "one person can put B in force", "stricter under B: 2, looser: 0, the same: 2", "limit ¥500.00"},
		"zh": {"~ cn-unionpay-2018", "启用 B 只需一人", "B 更严 2 笔，更宽 0 笔", "单笔限额 ¥500.00"},
	} {
		page := w.run(t, "rules", "diff", "usual", "usual,"+mine, "--log", log, "--lang", lang)
		if line, bad := tooWide(page.stdout); bad || page.code != exitOK || strings.Contains(page.stdout, "%!") {
			t.Errorf("%s: status %d, too wide: %q\n%s", lang, page.code, line, page.stdout)
		}
		for _, want := range words {
			if !strings.Contains(unbroken(page.stdout), unbroken(want)) {
				t.Errorf("%s: %q is not told:\n%s", lang, want, page.stdout)
			}
		}
	}
}

// Stored payments are replayed from the database as it lies there, which is
// neither made nor migrated for it.
func TestRulesDiffStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dsn := "sqlite:" + filepath.Join(w.dir, "payments.db")
	taps(t, dsn, 400_00, 600_00, 1200_00)
	r := w.run(t, "rules", "diff", "usual", "usual,"+lowered(t, w), "--stored", "--db", dsn, "--json")
	var got struct{ Replay compare.Report }
	if err := json.Unmarshal([]byte(r.stdout), &got); err != nil || r.code != exitOK {
		t.Fatalf("status %d, %v: %s", r.code, err, r.stderr)
	}
	if stricter, looser := got.Replay.Differing(); got.Replay.Payments != 3 || stricter != 1 || looser != 0 {
		t.Errorf("replay = %+v", got.Replay)
	}
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--max=1", "--lang=en"}, exitOK, "Payments: 1 of 1 payers"},
		{[]string{"--since=2026-03-02", "--lang=zh"}, exitOK, "付款：0 笔"},
		{[]string{"--since=2026-02-28T00:00:00Z"}, exitOK, "Payments: 3"},
		{[]string{"--since=1h"}, exitOK, "Payments: 0"},
		{[]string{"--since=lately"}, exitUsage, "--since"},
		{[]string{"--max=0"}, exitUsage, "--max"},
		{[]string{"--time=1ms"}, exitUsage, "--time"},
		{[]string{"--log=x"}, exitUsage, "--stored"},
		{[]string{"--db=sqlite:" + filepath.Join(w.dir, "nowhere.db")}, exitFailed, "--db"},
	} {
		r := w.run(t, append([]string{"rules", "diff", "usual", "usual", "--stored", "--db", dsn}, tt.args...)...)
		if r.code != tt.code || !strings.Contains(r.stdout+r.stderr, tt.want) || strings.Contains(r.stdout, "%!") {
			t.Errorf("%v: status %d, want %d and %q: %s%s", tt.args, r.code, tt.code, tt.want, r.stdout, r.stderr)
		}
	}
	if _, err := os.Stat(filepath.Join(w.dir, "nowhere.db")); err == nil {
		t.Error("a database was made")
	}
}

// taps makes a database with payments of one person, a minute apart.
func taps(t *testing.T, dsn string, minors ...int64) {
	t.Helper()
	ctx := t.Context()
	db, err := store.Open(ctx, dsn, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	keys, err1 := secret.New(rand.Reader)
	_, err2 := db.Migrate(ctx)
	clock := storetest.NewClock()
	n, err3 := storetest.NewNode(ctx, storetest.NodeConfig{DB: db, Keys: keys, Clock: clock, Payer: payer.Config{NoCoolingOff: true}})
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	defer n.Payments.Stop()
	shop, err1 := n.NewShop(ctx, merchant.Facts{})
	person, err2 := n.NewPerson(ctx, 5000_00)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	for i, minor := range minors {
		clock.Add(time.Minute)
		if _, err := n.Payments.Authorize(ctx, shop.Manager, person.Tap(shop.Terminal, fmt.Sprint("o", i), minor)); err != nil {
			t.Fatal(err)
		}
	}
}

// The adapter for the life of packs counts both ways and shows whole decisions.
func TestReplayerOfChanges(t *testing.T) {
	t.Parallel()
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "payments.db")
	taps(t, dsn, 400_00, 1200_00)
	db, err := store.Open(t.Context(), dsn, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	set, err := storetest.Rules()
	if err != nil {
		t.Fatal(err)
	}
	stricter, err1 := newReplayer(db).Replay(t.Context(), set, nil)
	looser, err2 := newReplayer(db).Replay(t.Context(), nil, set)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if stricter.Payments != 2 || stricter.Stricter != 1 || stricter.Looser != 0 || looser.Stricter != 0 || looser.Looser != 1 {
		t.Errorf("stricter = %+v, looser = %+v", stricter, looser)
	}
	e := stricter.Examples
	if len(e) != 1 || e[0].Payment == "" || e[0].Before.Outcome != pinfree.PinFree || e[0].After.Outcome != pinfree.StepUp || len(e[0].After.Reasons) == 0 {
		t.Errorf("examples = %+v", e)
	}
}

// A dry run of a change tells what it would have made of stored payments.
func TestDryRunReplays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dsn := "sqlite:" + filepath.Join(w.dir, "payments.db")
	taps(t, dsn, 400_00, 600_00)
	r := w.run(t, "rules", "dry-run", lowered(t, w), "--db", dsn, "--lang=en")
	if r.code != exitOK || !strings.Contains(unbroken(r.stdout), unbroken("the newest 2 payments, replayed:")) {
		t.Errorf("status %d: %s%s", r.code, r.stdout, r.stderr)
	}
}

// unbroken is a text without the breaks of its page.
func unbroken(s string) string { return strings.Join(strings.Fields(s), "") }

// Packs on one side alone, and what may be looser, are told; without a log
// nothing is said of payments.
func TestRulesDiffOfEditions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.run(t, "rules", "diff", "cn-wechat-paycode-2021", "cn-wechat-paycode-2025,eu-rts-art11", "--lang=en")
	for _, want := range []string{"- cn-wechat-paycode-2021", "+ cn-wechat-paycode-2025", "+ eu-rts-art11", "a second person must approve"} {
		if !strings.Contains(unbroken(r.stdout), unbroken(want)) || r.code != exitOK {
			t.Errorf("status %d; %q is not told:\n%s", r.code, want, r.stdout)
		}
	}
	if strings.Contains(r.stdout, "Payments") {
		t.Errorf("payments are told of without a log:\n%s", r.stdout)
	}
}

// What cannot be read is named: which side, which file, which line.
func TestRulesDiffNamesFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bad := w.file(t, "bad.yaml", "id: x\nversion: one\n")
	log := w.file(t, "log.jsonl", tapLine(1, 1)+strings.Replace(tapLine(2, 1), `"result"`, `"outcome"`, 1))
	for _, tt := range []struct {
		args []string
		code int
		want []string
	}{
		{[]string{"nope", "usual"}, exitFailed, []string{"A: ", "nope"}},
		{[]string{"usual", "usual,nope"}, exitFailed, []string{"B: ", "nope"}},
		{[]string{"usual", bad}, exitFailed, []string{"B: ", "bad.yaml:2"}},
		{[]string{"usual", t.TempDir()}, exitFailed, []string{"B: ", "no *.yaml"}},
		{[]string{"usual", "usual", "--log", "nowhere.jsonl"}, exitFailed, []string{"--log", "nowhere.jsonl"}},
		{[]string{"usual", "usual", "--log", log}, exitFailed, []string{"--log", "log.jsonl", "line 2: result"}},
		{[]string{"usual", "usual", "--examples=0"}, exitUsage, []string{"--examples"}},
		{[]string{"usual"}, exitUsage, []string{"<b>"}},
	} {
		r := w.run(t, append([]string{"rules", "diff"}, tt.args...)...)
		if r.code != tt.code {
			t.Errorf("%v: status %d, want %d: %s", tt.args, r.code, tt.code, r.stderr)
		}
		for _, want := range tt.want {
			if !strings.Contains(r.stderr, want) {
				t.Errorf("%v: told %q, want %q in it", tt.args, r.stderr, want)
			}
		}
	}
}
