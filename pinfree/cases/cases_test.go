package cases

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/pinfree/packs"
)

// files are the cases that regulators and schemes give in their own texts, and
// our own that go on from there: other figures, other combinations of keys.
var files = []string{"../testdata/cases.json", "testdata/more.json"}

func readFile(t testing.TB, name string) []Case {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	all, err := Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func shipped(t testing.TB) (byID map[string]pinfree.Pack, answers *pinfree.RuleSet) {
	t.Helper()
	all, err := packs.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	byID = map[string]pinfree.Pack{}
	for _, p := range all {
		byID[p.ID] = p
	}
	answers, err = pinfree.Compile(slices.DeleteFunc(all, func(p pinfree.Pack) bool { return len(p.Answers) == 0 }))
	if err != nil {
		t.Fatal(err)
	}
	return byID, answers
}

// Every case passes with the limits of its own given.
func TestCheckPassesEveryCase(t *testing.T) {
	t.Parallel()
	_, answers := shipped(t)
	for _, name := range files {
		for _, c := range readFile(t, name) {
			if r := c.Check(answers); !r.OK {
				t.Error(r)
			}
		}
	}
}

// The answer to a step comes from given and the steps alone. A case under another
// name, pack, source and note passes as well, and one that expects something else
// fails at that step with the answer that it had.
func TestCheckReadsNothingFromWhatIsExpected(t *testing.T) {
	t.Parallel()
	_, answers := shipped(t)
	for _, name := range files {
		for i, raw := range rawCases(t, name) {
			for _, key := range []string{"pack", "source", "note", "reading"} {
				raw[key] = []byte(`"anything"`)
			}
			raw["id"] = []byte(`"another-name"`)
			c := oneCase(t, raw)
			if r := c.Check(answers); !r.OK {
				t.Errorf("%s, case %d: %v", name, i, r)
			}
			c.also = nil
			expected := slices.Clone(c.expect)
			for step, got := range expected {
				c.expect = slices.Clone(expected)
				if c.expect[step] = pinFree; got == pinFree {
					c.expect[step] = refuse
				}
				if r := c.Check(answers); r.OK || r.Step != step || r.Want != c.expect[step] || r.Got == r.Want {
					t.Errorf("%s, case %d expects %s at step %d: %v", name, i, c.expect[step], step, r)
				}
			}
		}
	}
}

func rawCases(t testing.TB, name string) (out []map[string]json.RawMessage) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// oneCase is the case of a file with nothing else in it.
func oneCase(t testing.TB, raw any) Case {
	t.Helper()
	text, err := json.Marshal([]any{raw})
	if err != nil {
		t.Fatal(err)
	}
	all, err := Read(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

// Every pack that is shipped passes, with its own limits, the cases that name it,
// and every pack that a case names is shipped.
func TestShippedPacksPassTheirCases(t *testing.T) {
	t.Parallel()
	byID, _ := shipped(t)
	passed := map[string]int{}
	for _, c := range readFile(t, files[0]) {
		if r := c.Try(byID); !r.OK {
			t.Error(r)
			continue
		}
		passed[c.Pack]++
	}
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		t.Logf("%-34s %2d cases passed", id, passed[id])
	}
}

// A shipped pack whose limits or conditions are changed fails one of its cases:
// the cases hold the pack, not what stands in their given.
func TestTryHoldsThePack(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, pack string
		change     func(p *pinfree.Pack)
		want       string
	}{
		{"a lower limit", "eu-rts-art11", func(p *pinfree.Pack) { *p.Limits[0].Amount.AtMost = 999 }, "want pin_free, got step_up (rule_per_payment_limit eu-rts-art11/per-payment)"},
		{"no limits", "eu-rts-art11", func(p *pinfree.Pack) { p.Limits, p.Unlimited = nil, true }, "want step_up, got pin_free"},
		{"no permission", "cn-unionpay-2018", func(p *pinfree.Pack) { p.When.Methods = []string{"remote"} }, "no_rule_covers"},
		{"later dates", "cn-wechat-paycode-2021", func(p *pinfree.Pack) { p.Effective = pinfree.Period{From: "2099-01-01"} }, "no_rule_covers"},
		{"a pack that does not compile", "eu-rts-art11", func(p *pinfree.Pack) { p.Layer = "law" }, "got error (eu-rts-art11.yaml:"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			byID, _ := shipped(t) // its own copy, for it is changed
			p := byID[tt.pack]
			tt.change(&p)
			byID[tt.pack] = p
			var lines []string
			for _, c := range readFile(t, files[0]) {
				if c.Pack == tt.pack {
					lines = append(lines, c.Try(byID).String())
				}
			}
			if all := strings.Join(lines, "\n"); !strings.Contains(all, tt.want) {
				t.Errorf("no case fails with %q:\n%s", tt.want, all)
			}
		})
	}
}

// A pack is tried in the reading that the case is about: the one of its name, or
// the one whose cumulative limits are like those of given.
func TestTryTakesTheReading(t *testing.T) {
	t.Parallel()
	byID, _ := shipped(t)
	tests := []struct{ name, id, want string }{
		{"the pack's own", "eu-11-per-tx-equal", "count"},
		{"another reset", "eu-11-4038-out-of-band-reset", "count_contactless_only"},
		{"an amount", "eu-11-4225-amount-more-than-five", "amount"},
		{"an amount of the payments before", "eu-11-amount-reading-previous", "amount_previous"},
		{"an amount with the present payment", "eu-11-amount-reading-including", "amount"},
		{"numbers said in another way", "cn-wx-2025-nine-pass", "ten_a_day"},
	}
	all := readFile(t, files[0])
	for _, tt := range tests {
		i := slices.IndexFunc(all, func(c Case) bool { return c.ID == tt.id })
		if got := all[i].take(byID[all[i].Pack]); got.Reading != tt.want {
			t.Errorf("%s: %s is tried in reading %s, want %s", tt.name, tt.id, got.Reading, tt.want)
		}
	}
}

// Without a pack of its name a case cannot be tried, and a pack that only
// restricts is tried beside leave for everything.
func TestTryWithoutPermission(t *testing.T) {
	t.Parallel()
	c := oneCase(t, map[string]any{"id": "a", "pack": "mine", "kind": "decision", "given": map[string]any{},
		"steps":  []any{map[string]any{"amount_minor": 100, "currency": "EUR", "channel": "remote"}, map[string]any{"amount_minor": 101, "currency": "EUR", "channel": "remote"}},
		"expect": []string{"pin_free", "refuse"}})
	if r := c.Try(nil); r.OK || r.Got != "error" || !strings.Contains(r.Why, "mine") {
		t.Errorf("without its pack: %v", r)
	}
	most := int64(100)
	p := c.given.newPack("mine", pinfree.Condition{Currencies: []string{"EUR"}})
	p.Limits = []pinfree.Limit{{ID: "most", Title: same("most"), Amount: &pinfree.Range{AtMost: &most}, Above: "refuse"}}
	if r := c.Try(map[string]pinfree.Pack{"mine": p}); !r.OK {
		t.Error(r)
	}
}
