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
