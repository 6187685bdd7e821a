package main

import (
	"os"
	"strings"
	"testing"
)

const publicCases = "../../pinfree/testdata/cases.json"

// someCases is a file with one case that passes, one that fails and one that cannot
// be read.
const someCases = `[
 {"id": "good", "pack": "eu-rts-art11", "kind": "decision", "given": {"currency": "EUR", "per_tx_max_minor": 900},
  "steps": [{"amount_minor": 900, "channel": "contactless"}], "expect": ["pin_free"]},
 {"id": "wrong", "pack": "eu-rts-art11", "kind": "decision", "given": {"currency": "EUR", "per_tx_max_minor": 900},
  "steps": [{"amount_minor": 900, "channel": "contactless"}, {"amount_minor": 901, "channel": "contactless"}], "expect": ["pin_free", "pin_free"]},
 {"id": "odd", "pack": "au-scheme", "kind": "decision", "given": {"currency": "EUR", "per_tx_op": "eq"},
  "steps": [{"amount_minor": 900, "channel": "contactless"}], "expect": ["pin_free"]}
]`

// The public cases all pass: a line for each and one for all, nothing else, and
// status 0.
func TestRulesCheckPasses(t *testing.T) {
	t.Parallel()
	r := newWorld(t).run(t, "rules", "check", publicCases)
	lines := strings.Split(strings.TrimSuffix(r.stdout, "\n"), "\n")
	if last := lines[len(lines)-1]; r.code != exitOK || r.stderr != "" || last != "117 passed, 0 failed" || len(lines) != 118 {
		t.Fatalf("status %d, %d lines, the last %q, and %q", r.code, len(lines), last, r.stderr)
	}
	for _, l := range lines[:117] {
		if id, ok := strings.CutPrefix(l, "ok "); !ok || strings.Contains(id, " ") {
			t.Errorf("line %q", l)
		}
	}
}

// A case that fails is told with step, wanted and given answer and the reason;
// one that cannot be read with its key and value. Both make status 1.
func TestRulesCheckTellsWhatFails(t *testing.T) {
	t.Parallel()
	const want = `ok good
FAIL wrong step 1: want pin_free, got step_up (rule_per_payment_limit given/per_tx_max_minor)
FAIL odd step 0: want pin_free, got error (given.per_tx_op: "eq" is not known; write one of le, lt)
1 passed, 2 failed
`
	const fault = `case odd: given.per_tx_op: "eq" is not known`
	w := newWorld(t)
	for _, from := range []string{"file", "standard input"} {
		a, stdout, stderr := w.app()
		args := []string{"rules", "check", "-"}
		if from == "file" {
			args[2] = w.file(t, "cases.json", someCases)
		}
		a.stdin = strings.NewReader(someCases)
		if code := run(t.Context(), args, a); code != exitFailed || stdout.String() != want || !strings.Contains(stderr.String(), fault) {
			t.Errorf("from %s: status %d\n%s%s", from, code, stdout, stderr)
		}
	}
}

// A file that holds no cases at all is told on standard error, with nothing on
// standard output that could be taken for a result.
func TestRulesCheckRefusesFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tests := []struct{ name, file, want string }{
		{"no such file", "nowhere.json", "nowhere.json"},
		{"no JSON", w.file(t, "a.json", "[{\n,"), "line 2 is not JSON"},
		{"more after the cases", w.file(t, "b.json", someCases+"x"), "line 8: there is more after the array"},
		{"two cases of one name", w.file(t, "c.json", strings.Replace(someCases, `"wrong"`, `"good"`, 1)), "case good: id: is that of cases 0 and 1"},
	}
	for _, tt := range tests {
		for _, args := range [][]string{{"rules", "check", tt.file}, {"rules", "test", "../../pinfree/packs/eu-rts-art11.yaml", tt.file}} {
			if r := w.run(t, args...); r.code != exitFailed || r.stdout != "" || !strings.Contains(r.stderr, tt.want) {
				t.Errorf("%s: status %d, %s%s", tt.name, r.code, r.stdout, r.stderr)
			}
		}
	}
}

// A pack is tried with its own limits, on the cases that name it.
func TestRulesTest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.run(t, "rules", "test", "../../pinfree/packs/eu-rts-art11.yaml", "../../pinfree/packs/eu-rts-art12.yaml", publicCases)
	if r.code != exitOK || !strings.HasSuffix(r.stdout, "\n23 passed, 0 failed\n") || !strings.Contains(r.stderr, "94 cases of other packs") {
		t.Errorf("two packs: status %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	text, err := os.ReadFile("../../pinfree/packs/eu-rts-art11.yaml")
	if err != nil {
		t.Fatal(err)
	}
	mine := strings.Replace(string(text), "amount: {at_most: 5000}", "amount: {at_most: 900}", 1)
	r = w.run(t, "rules", "test", w.file(t, "mine.yaml", mine), w.file(t, "cases.json", someCases))
	const want = `ok good
FAIL wrong step 1: want pin_free, got step_up (rule_per_payment_limit eu-rts-art11/per-payment)
1 passed, 1 failed
`
	if r.code != exitFailed || r.stdout != want {
		t.Errorf("a pack of one's own: status %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}

// What cannot be tried is told before anything is replayed.
func TestRulesTestRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const pack = "../../pinfree/packs/eu-rts-art11.yaml"
	text, err := os.ReadFile(pack)
	if err != nil {
		t.Fatal(err)
	}
	bad := w.file(t, "bad.yaml", strings.Replace(string(text), "layer: regulation", "layer: law", 1))
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"no cases", []string{pack}, "want one or more rule packs and then the case file"},
		{"a pack twice", []string{pack, pack, publicCases}, "pack eu-rts-art11 is given twice"},
		{"a pack that no case names", []string{"../../pinfree/packs/eu-rts-art4.yaml", w.file(t, "cases.json", someCases)}, "no case names eu-rts-art4 in pack"},
		{"a pack with a fault", []string{bad, publicCases}, "bad.yaml:5: layer"},
		{"cases in place of a pack", []string{publicCases, publicCases}, "cases.json:"},
	}
	for _, tt := range tests {
		r := w.run(t, append([]string{"rules", "test"}, tt.args...)...)
		if r.code != exitFailed || r.stdout != "" || !strings.Contains(r.stderr, tt.want) {
			t.Errorf("%s: status %d, %s%s", tt.name, r.code, r.stdout, r.stderr)
		}
	}
}
