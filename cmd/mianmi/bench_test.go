package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// The benchmark over HTTP runs: the real API, from a process of its own.
func TestBenchHTTP(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out, err := program(t, dir, "bench", "http", "--db=sqlite:"+filepath.Join(dir, "b.db"), "--payers=20", "--callers=4", "--seconds=1", "--warmup=0.1", "--ready=200").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "pin-free 100 %") || !strings.Contains(string(out), "failed 0") {
		t.Errorf("%v\n%s", err, out)
	}
}

// The comparison of payments with and without the follower of the log runs: each load
// with both, of which none fails.
func TestBenchSignals(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out, err := program(t, dir, "bench", "signals", "--db=sqlite:"+filepath.Join(dir, "b.db"), "--payers=50", "--callers=4", "--rounds=1", "--seconds=0.2", "--warmup=0.1",
		"--ready=100", "--pace=20").CombinedOutput()
	text := string(out)
	if err != nil || strings.Count(text, "failed 0") != 4 || strings.Count(text, "without round 1") != 2 || !strings.Contains(text, "with to without") {
		t.Errorf("%v\n%s", err, out)
	}
}
