package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/store"
)

// The command line tells what was in force at an instant, in both languages,
// with the entry of each setting; bad input names its field.
func TestEvidenceAsOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, "migrate")
	db, err := store.Open(t.Context(), "sqlite:"+filepath.Join(w.dir, "data", "mianmi.db"), store.Options{CacheKiB: 1024})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // the test is over
	operator := mianmi.Actor{Role: mianmi.RoleOperator, ID: "sf1"}
	s := merchant.New(db, systemClock{}, systemRandom)
	m, err := s.CreateMerchant(t.Context(), operator, merchant.Merchant{Name: "茶店", Currency: "CNY", Facts: merchant.Facts{Country: "CN"}})
	if err == nil {
		_, err = s.Place(t.Context(), operator, merchant.StopOrder{Scope: merchant.OfMerchant(m.ID), Reason: "drill", For: time.Hour})
	}
	if err != nil {
		t.Fatal(err)
	}
	for lang, want := range map[string][]string{
		"en": {"emergency stop", "emergency_stopped", "by operator:sf1", "not in the log yet", "never set: the default", "merchant_closed"},
		"zh": {"紧急停用", "尚未写入日志", "从未设置，取默认值", "全部由透明日志重建"},
	} {
		got := w.run(t, "evidence", "as-of", string(m.ID), "--lang", lang)
		for _, text := range want {
			if got.code != exitOK || !strings.Contains(bare(got.stdout), bare(text)) {
				t.Errorf("%s: status %d, no %q in %q %s", lang, got.code, text, got.stdout, got.stderr)
			}
		}
	}
	for _, args := range [][]string{{"xx1"}, {string(m.ID), "--at", "yesterday"}, {"pm1", "--at", "2026-03-01T00:00:00Z"},
		{string(m.ID), "--at", "2000-01-01T00:00:00Z"}, {"tm1"}} {
		if got := w.run(t, append([]string{"evidence", "as-of"}, args...)...); got.code != exitFailed || got.stderr == "" {
			t.Errorf("%v: status %d, %q", args, got.code, got.stderr)
		}
	}
}

// bare is a text without the places where its lines may break.
func bare(s string) string { return strings.Join(strings.Fields(s), "") }
