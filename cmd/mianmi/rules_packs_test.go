package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// A pack of one's own is compiled beside the shipped ones; each fault of a bad
// one is told with its line and field, and the status says that it failed.
func TestRulesDryRunNamesFaults(t *testing.T) {
	t.Parallel()
	good, err := os.ReadFile("../../pinfree/packs/cn-unionpay-2018.yaml")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	if r := w.run(t, "rules", "dry-run", w.file(t, "good.yaml", string(good))); r.code != exitOK || !strings.Contains(r.stdout, "cn-unionpay-2018") {
		t.Errorf("a good pack: status %d, %s%s", r.code, r.stdout, r.stderr)
	}
	bad := strings.Replace(string(good), "layer: scheme", "layer: law", 1)
	bad = strings.Replace(bad, "above: step_up", "above: ask", 1)
	r := w.run(t, "rules", "dry-run", w.file(t, "bad.yaml", bad))
	if r.code != exitFailed {
		t.Errorf("a bad pack: status %d", r.code)
	}
	line := 1 + strings.Count(bad[:strings.Index(bad, "layer: law")], "\n")
	for _, want := range []string{fmt.Sprintf("bad.yaml:%d: layer", line), "limits[0].above"} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("told %q, want %q in it", r.stderr, want)
		}
	}
}
