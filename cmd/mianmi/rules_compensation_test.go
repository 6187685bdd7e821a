package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// The flags tell a claim; the answer is that of the pack and reading, with
// words in both languages.
func TestRulesCompensation(t *testing.T) {
	t.Parallel()
	at := []string{"--at=2026-01-01T12:00"}
	tests := []struct {
		name    string
		args    []string
		outcome string
		covered int64
		reason  string
	}{
		{"inside", []string{"--hours-before=71"}, "covered", 80_000, "within_window"},
		{"just 72 hours", append(at, "--lost-at=2026-01-04T12:00"), "covered", 80_000, "within_window"},
		{"72 hours and a second", append(at, "--lost-at=2026-01-04T12:00:01+08:00"), "not_covered", 0, "not_confirmed"},
		{"the same, confirmed", append(at, "--lost-at=2026-01-04T12:00:01+08:00", "--confirmed"), "covered", 80_000, "confirmed_after_window"},
		{"the same by the older reading", append(at, "--lost-at=2026-01-04T12:00:01+08:00", "--confirmed", "--reading=capped_2018"), "not_covered", 0, "after_window"},
		{"after the report", append(at, "--lost-at=2026-01-01T11:59:59+08:00", "--confirmed"), "not_covered", 0, "after_report"},
		{"at the report", append(at, "--lost-at=2026-01-01T12:00"), "covered", 80_000, "within_window"},
		{"the rest of the year's cap", []string{"--hours-before=1", "--paid-this-year=29500", "--reading=capped_2018"}, "covered_partially", 50_000, "annual_cap_left"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newWorld(t).run(t, append([]string{"rules", "compensation", "--json", "--amount=800"}, tt.args...)...)
			var got []struct {
				Pack, Outcome, Reason string
				Covered               struct{ Minor int64 }
				Words                 struct{ ZH, EN string }
			}
			if err := json.Unmarshal([]byte(r.stdout), &got); err != nil || r.code != exitOK || len(got) != 1 {
				t.Fatalf("status %d, %v: %s%s", r.code, err, r.stdout, r.stderr)
			}
			a := got[0]
			if a.Outcome != tt.outcome || a.Covered.Minor != tt.covered || a.Reason != tt.reason || a.Words.ZH == "" || a.Words.EN == "" ||
				a.Pack != "cn-unionpay-compensation" {
				t.Errorf("%+v", a)
			}
		})
	}
}

// The page speaks both languages, and an operator's own pack is asked as well.
func TestRulesCompensationPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shipped, err := os.ReadFile("../../pinfree/packs/cn-unionpay-compensation.yaml")
	if err != nil {
		t.Fatal(err)
	}
	own := w.file(t, "own.yaml", strings.ReplaceAll(string(shipped), "window_hours: 72", "window_hours: 48"))
	r := w.run(t, "rules", "compensation", "--amount=800", "--hours-before=60", "--lang=en", "--pack="+own)
	for _, want := range []string{"not covered", "超出 48 小时的保障期", "beyond the 48 hours of the cover"} {
		if r.code != exitOK || !strings.Contains(strings.Join(strings.Fields(r.stdout), " "), want) {
			t.Errorf("status %d, no %q in\n%s%s", r.code, want, r.stdout, r.stderr)
		}
	}
}

func TestRulesCompensationFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tests := []struct {
		status int
		named  string
		args   []string
	}{
		{exitUsage, "--at", nil},
		{exitUsage, "--at", []string{"--lost-at=2026-01-01T00:00"}},
		{exitUsage, "--at", []string{"--at=yesterday", "--lost-at=2026-01-01T00:00"}},
		{exitUsage, "--lost-at", []string{"--at=2026-01-01T00:00", "--lost-at=today"}},
		{exitUsage, "--hours-before", []string{"--hours-before=-1"}},
		{exitUsage, "--hours-before", []string{"--hours-before=1", "--at=2026-01-01T00:00"}},
		{exitUsage, "--paid-this-year", []string{"--hours-before=1", "--paid-this-year=1.001"}},
		{exitUsage, "--currency", []string{"--hours-before=1", "--currency=yuan"}},
		{exitFailed, "--pack", []string{"--hours-before=1", "--currency=EUR"}},
		{exitFailed, "--pack", []string{"--hours-before=1", "--pack=cn-unionpay-2018"}},
		{exitFailed, "--pack", []string{"--hours-before=1", "--pack=nothing"}},
		{exitFailed, "--reading", []string{"--hours-before=1", "--reading=none"}},
	}
	for _, tt := range tests {
		r := w.run(t, append([]string{"rules", "compensation", "--amount=800"}, tt.args...)...)
		if r.code != tt.status || !strings.Contains(r.stderr, tt.named) {
			t.Errorf("%v: status %d, %s%s", tt.args, r.code, r.stdout, r.stderr)
		}
	}
	if r := w.run(t, "rules", "compensation", "--amount=0", "--hours-before=1"); r.code != exitUsage || !strings.Contains(r.stderr, "--amount") {
		t.Errorf("no loss: status %d, %s", r.code, r.stderr)
	}
}
