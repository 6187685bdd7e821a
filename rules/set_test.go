package rules

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mianmi/mianmi"
)

func row(change, id string, version int64) Pack {
	yaml := fmt.Sprintf(`id: %s
version: %d
edition: "1"
layer: regulation
title: {zh: 规则, en: rule}
permits: true
sources: [{title: t, url: "https://example.org", read: "2026-01-01", quality: primary}]
when: {currencies: [CNY]}
limits: [{id: each, title: {zh: 单笔, en: each}, amount: {at_most: %d}, above: step_up}]
`, id, version, version*100)
	return Pack{Change: mianmi.RuleChangeID(change), ID: id, Version: version, YAML: yaml, Digest: digestOf(yaml), Source: API,
		From: time.Unix(1, 0).UTC(), FromEpoch: 1}
}

func over(p Pack) Pack {
	p.Until, p.UntilEpoch, p.YAML = time.Unix(2, 0).UTC(), 2, ""
	return p
}

// Whatever the order in which rows come, and however often, the set is that of
// the rows as they are in the end.
func TestSetTakesRowsInAnyOrder(t *testing.T) {
	t.Parallel()
	rows := []Pack{over(row("rc1", "a", 1)), over(row("rc2", "a", 2)), row("rc3", "a", 3), row("rc1", "b", 1), over(row("rc3", "c", 1))}
	want := new(Set).With(rows)
	if want.Fault() != nil || len(want.Rules().Packs()) != 2 || want.Packs()[0].Version != 3 {
		t.Fatalf("%v, %v", want.Fault(), want.Packs())
	}
	rapid.Check(t, func(t *rapid.T) {
		var s *Set
		list := rapid.Permutation(slices.Concat(rows, rows[:rapid.IntRange(0, len(rows)).Draw(t, "again")])).Draw(t, "order")
		for len(list) > 0 {
			n := rapid.IntRange(1, len(list)).Draw(t, "at once")
			s, list = s.With(list[:n]), list[n:]
		}
		if s.Rules().Version() != want.Rules().Version() || SetDigest(s.Packs()) != SetDigest(want.Packs()) || !s.Known() {
			t.Fatalf("in force are %v", s.Packs())
		}
	})
}

// A change of other settings compiles nothing again, and a database whose
// packs are all over is not one that never had any.
func TestSetStays(t *testing.T) {
	t.Parallel()
	var none *Set
	if none.Known() || none.Rules() != nil || none.Fault() != nil || none.Packs() != nil {
		t.Error("a database without packs has some")
	}
	s := none.With([]Pack{row("rc1", "a", 1)})
	if again := s.With(nil); again != s {
		t.Error("a set without a change is another one")
	}
	if gone := s.With([]Pack{over(row("rc1", "a", 1))}); !gone.Known() || gone.Rules() == nil || len(gone.Rules().Packs()) != 0 {
		t.Error("a database whose packs are over is not known to have had them")
	}
}

// Rows that do not go together close the set too.
func TestSetClosesOnFaultsBetweenPacks(t *testing.T) {
	t.Parallel()
	s := new(Set).With([]Pack{row("rc1", "a", 1)}).With([]Pack{row("rc2", "a", 2)})
	if s.Fault() == nil || s.Rules().RuleTitle("packs-unreadable/all").EN == "" {
		t.Errorf("one pack twice: %v", s.Fault())
	}
	other := row("rc3", "b", 1)
	other.ID = "c" // the text says b
	if s := new(Set).With([]Pack{other}); s.Fault() == nil {
		t.Error("a text under another name is taken")
	}
}
