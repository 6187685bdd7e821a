package compare_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/pinfree/compare"
	"github.com/mianmi/mianmi/pinfree/packs"
)

const shop = `
id: shop
version: 1
edition: "2025"
layer: issuer
jurisdiction: CN
title: {zh: 店, en: Shop}
effective: {from: "2025-01-01"}
zone: Asia/Shanghai
permits: true
sources: [{title: t, url: "https://example.org/", read: "2026-01-01", quality: unverified}]
when: {methods: [card_tap, payment_code], currencies: [CNY], except: [{unattended: true}]}
counters:
  - {id: day, bucket: payer, counts: executed_unauthenticated, resets: [calendar_day]}
limits:
  - {id: each, title: {zh: 单笔, en: Each}, amount: {at_most: 5000}, above: step_up}
  - {id: day, title: {zh: 单日, en: Day}, counter: day, number: {scope: previous, below: 3}, above: step_up}
answers:
  - {id: one, title: {zh: 一, en: One}, scheme: visa, code: "1A", action: switch_to_contact, when: {contact: true}}
  - {id: two, title: {zh: 二, en: Two}, scheme: visa, code: "70", action: ask_online_pin_resubmit, when: {online_pin: true}}
`

func parse(t *testing.T, text string) pinfree.Pack {
	t.Helper()
	p, err := packs.Parse("shop.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Each kind of edit to a pack is told as the field that it changed, and one
// that means nothing is not told.
func TestPacks(t *testing.T) {
	t.Parallel()
	swap := func(text, a, b string) string {
		return strings.NewReplacer(a, b, b, a).Replace(text)
	}
	tests := []struct {
		name string
		edit func(string) string
		want []compare.Change
	}{
		{"nothing", func(s string) string { return s }, nil},
		{"a bound", func(s string) string { return strings.Replace(s, "at_most: 5000", "at_most: 6000", 1) },
			[]compare.Change{{Path: "limits[each].amount.at_most", A: "5000", B: "6000"}}},
		{"an operator", func(s string) string { return strings.Replace(s, "at_most: 5000", "below: 5000", 1) },
			[]compare.Change{{Path: "limits[each].amount.at_most", A: "5000"}, {Path: "limits[each].amount.below", B: "5000"}}},
		{"a condition", func(s string) string { return strings.Replace(s, "[card_tap, payment_code]", "[card_tap]", 1) },
			[]compare.Change{{Path: "when.methods", A: "[card_tap, payment_code]", B: "[card_tap]"}}},
		{"an exception", func(s string) string { return strings.Replace(s, "unattended: true", "unattended: false", 1) },
			[]compare.Change{{Path: "when.except[0].unattended", A: "true", B: "false"}}},
		{"a date", func(s string) string {
			return strings.Replace(s, `{from: "2025-01-01"}`, `{from: "2025-01-01", to: "2026-12-31"}`, 1)
		},
			[]compare.Change{{Path: "effective.to", B: "2026-12-31"}}},
		{"a switch", func(s string) string { return strings.Replace(s, "permits: true", "permits: false", 1) },
			[]compare.Change{{Path: "permits", A: "true", B: "false"}}},
		{"the order of limits", func(s string) string {
			return swap(s, "  - {id: each, title: {zh: 单笔, en: Each}, amount: {at_most: 5000}, above: step_up}\n",
				"  - {id: day, title: {zh: 单日, en: Day}, counter: day, number: {scope: previous, below: 3}, above: step_up}\n")
		}, nil},
		{"the order of answers", func(s string) string {
			return swap(s, "{id: one, title: {zh: 一, en: One}, scheme: visa, code: \"1A\", action: switch_to_contact, when: {contact: true}}",
				"{id: two, title: {zh: 二, en: Two}, scheme: visa, code: \"70\", action: ask_online_pin_resubmit, when: {online_pin: true}}")
		},
			[]compare.Change{{Path: "answers order", A: "one, two", B: "two, one"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := compare.Packs([]pinfree.Pack{parse(t, shop)}, []pinfree.Pack{parse(t, tt.edit(shop))})
			kind := compare.Changed
			if tt.want == nil {
				kind = compare.Same
			}
			v := &compare.PackVersion{Version: 1, Edition: "2025"}
			want := []compare.PackDiff{{ID: "shop", Kind: kind, A: v, B: v, Changes: tt.want}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("diff (-want +got):\n%s", diff)
			}
		})
	}
}

// Packs on one side alone are told as such, whatever the order of the lists.
func TestPacksOnOneSide(t *testing.T) {
	t.Parallel()
	p := parse(t, shop)
	other, third := p, p
	other.ID, third.ID = "other", "third"
	got := compare.Packs([]pinfree.Pack{third, p}, []pinfree.Pack{p, other})
	var kinds []string
	for _, d := range got {
		kinds = append(kinds, d.ID+" "+string(d.Kind))
	}
	if diff := cmp.Diff([]string{"other added", "shop same", "third removed"}, kinds); diff != "" {
		t.Errorf("packs (-want +got):\n%s", diff)
	}
	if got := compare.Packs(nil, nil); got != nil {
		t.Errorf("nothing against nothing: %+v", got)
	}
}

// Every shipped pack is told in paths that are there once, and is the same as
// itself.
func TestFieldsOfShippedPacks(t *testing.T) {
	t.Parallel()
	all, err := packs.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range compare.Packs(all, slices.Clone(all)) {
		if d.Kind != compare.Same {
			t.Errorf("%s differs from itself: %+v", d.ID, d.Changes)
		}
	}
	for i := range all {
		seen := map[string]bool{}
		for _, f := range compare.Fields(&all[i]) {
			if seen[f.Path] || f.Value == "" {
				t.Errorf("%s: %q is there twice, or is empty", all[i].ID, f.Path)
			}
			seen[f.Path] = true
		}
	}
	p := parse(t, shop)
	if got, want := compare.Flow(p.When), "methods: [card_tap, payment_code], currencies: [CNY], except: [{unattended: true}]"; got != want {
		t.Errorf("in one line: %s", got)
	}
}
