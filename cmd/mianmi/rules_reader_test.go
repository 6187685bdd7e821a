package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// readerAnswer is what a test reads of the JSON.
type readerAnswer struct {
	Rules   string
	Schemes []struct {
		Scheme, Kernel, Reason, Rule, TLV, Field62 string
		PinFree                                    int64 `json:"pin_free"`
		Words                                      struct{ ZH, EN string }
		Values                                     []struct {
			Tag, Value string
			Title      struct{ ZH, EN string }
		}
	}
}

// The flags tell terminal and packs; the values are those of each kernel, and
// what makes the limit is named.
func TestRulesReader(t *testing.T) {
	t.Parallel()
	china := []string{"--scheme=unionpay", "--no-pin-merchant", "--upgraded-merchant"}
	europe := []string{"--scheme=mastercard,visa", "--currency=EUR", "--country=DE"}
	const closed = "FF80540010FF80550010FF80560010FF80570010FF8058012000000000000FF8059012000000000000FF805A0010"
	// A phone that has verified its holder is no PIN-free payment: FF8057 stays on.
	asks := strings.Replace(closed, "FF80570010", "FF80570011", 1)
	open := func(n12 string) string {
		return "FF80540011FF80550010FF80560010FF80570011FF8058012" + n12 + "FF8059012" + n12 + "FF805A0011"
	}
	tests := []struct {
		name    string
		args    []string
		pinFree []int64
		reason  string // of the first scheme
		tlv     string // of the first scheme, a part
		field62 string
	}{
		{"China, upgraded", china, []int64{100_000}, "rule_per_payment_limit", "DF2106000000100001", open("000000100000")},
		{"China, not upgraded", china[:2], []int64{30_000}, "rule_per_payment_limit", "DF2106000000030001", open("000000030000")},
		{"China, not enabled", china[:1], []int64{0}, "rule_always_steps_up", "DF2106000000000000", asks},
		{"the terminal's own limit", append([]string{"--limit=50"}, china...), []int64{5000}, "place_per_payment_limit", "DF2106000000005001", open("000000005000")},
		{"switched off", append([]string{"--off"}, china...), []int64{0}, "terminal_closed", "DF2006999999999999DF2106000000000000", asks},
		{"no taps", append([]string{"--no-taps"}, china...), []int64{0}, "method_not_accepted", "DF2006000000000000DF2106000000000000", closed},
		{"before the pack's dates", append([]string{"--at=2018-05-31T23:59"}, china...), []int64{0}, "no_rule_covers", "DF2106000000000000", asks},
		{"the EU", europe, []int64{5000, 5000}, "rule_per_payment_limit", "DF812606000000005000", ""},
		{"the EU, its packs left out", append([]string{"--packs=cn-unionpay-2018"}, europe...), []int64{0, 0}, "no_rule_covers", "DF812606000000000000", ""},
		{"the EU, the readers' packs beside", append([]string{"--packs=eu-rts-art11,emv-kernel-c2,emv-entry-point"}, europe...),
			[]int64{5000, 5000}, "rule_per_payment_limit", "DF812606000000005000", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newWorld(t).run(t, append([]string{"rules", "reader", "--json"}, tt.args...)...)
			var got readerAnswer
			if err := json.Unmarshal([]byte(r.stdout), &got); err != nil || r.code != exitOK {
				t.Fatalf("status %d, %v: %s", r.code, err, r.stderr)
			}
			var pinFree []int64
			for _, s := range got.Schemes {
				pinFree = append(pinFree, s.PinFree)
				for _, v := range s.Values {
					if v.Title.ZH == "" || v.Title.EN == "" || v.Value == "" {
						t.Errorf("%s: %+v", s.Scheme, v)
					}
				}
			}
			first := got.Schemes[0]
			if diff := cmp.Diff(tt.pinFree, pinFree); diff != "" || first.Reason != tt.reason || first.Words.ZH == "" || first.Words.EN == "" {
				t.Errorf("%s %+v\n%s", first.Reason, first.Words, diff)
			}
			if !strings.Contains(first.TLV, tt.tlv) || first.Field62 != tt.field62 {
				t.Errorf("TLV %s\nfield 62 %s", first.TLV, first.Field62)
			}
		})
	}
}

// The page says the same to people, in the language asked for.
func TestRulesReaderPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for lang, want := range map[string][]string{
		"zh": {"免密至 ¥1000.00（含）", "DF21    000000100001  1000.01", "CVM 限额", "FF8058  000000100000", "62 域", "不免密：每次挥卡都要验证"},
		"en": {"PIN-free up to and including ¥1000.00", "CVM required limit", "FF8054  1             on", "field 62", "Not PIN-free: every tap is verified"},
	} {
		r := w.run(t, "rules", "reader", "--lang="+lang, "--scheme=unionpay,visa", "--no-pin-merchant", "--upgraded-merchant")
		for _, part := range want {
			if !strings.Contains(r.stdout, part) {
				t.Errorf("%s: no %q in\n%s%s", lang, part, r.stdout, r.stderr)
			}
		}
	}
}

// What is wrong with a flag is told with its name, before anything is computed.
func TestRulesReaderFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, arg := range []string{"--currency=yuan", "--country=China", "--mcc=54", "--domestic=maybe", "--limit=much", "--limit=-1", "--scheme=Visa",
		"--scheme=", "--merchant-risk=some", "--at=today", "--kind=Debit"} {
		r := w.run(t, "rules", "reader", arg)
		name, _, _ := strings.Cut(arg, "=")
		if r.code != exitUsage || !strings.Contains(r.stderr, name) {
			t.Errorf("%s: status %d, %s%s", arg, r.code, r.stdout, r.stderr)
		}
	}
}
