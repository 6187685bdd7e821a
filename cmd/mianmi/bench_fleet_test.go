package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/mianmi/mianmi/bench"
)

// The benchmark of an OFF runs, with a server and the terminals as processes of
// their own, and what it prints hangs together: every terminal has fetched the
// OFF before it has proved it, by its own sight and by the host's records.
func TestBenchFleet(t *testing.T) {
	t.Parallel()
	const terminals = 20
	dir := t.TempDir()
	cmd := program(t, dir, "bench", "fleet", "--terminals=20", "--rounds=2", "--db=sqlite:"+filepath.Join(dir, "b.db"))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, &stderr)
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	var f bench.FleetFigures
	if err := json.Unmarshal(lines[len(lines)-1], &f); err != nil {
		t.Fatalf("the last line: %v\n%s", err, out)
	}
	if f.Terminals != terminals || len(f.Rounds) != 2 || f.RSSBefore == 0 || f.RSSJoined == 0 {
		t.Errorf("the run: %+v", f)
	}
	for i, r := range f.Rounds {
		for name, s := range map[string]bench.Spread{"broadcast": r.Broadcast, "delivered": r.Delivered, "attested": r.Attested,
			"delivered on record": r.DeliveredHost, "attested on record": r.AttestedHost} {
			if s.N != terminals || s.P50 > s.P99 || s.P99 > s.Last {
				t.Errorf("round %d, %s: %v", i+1, name, s)
			}
		}
		if r.Proved != terminals {
			t.Errorf("round %d: the host counts %d proofs", i+1, r.Proved)
		}
		for name, pair := range map[string][2]bench.Spread{"seen": {r.Delivered, r.Attested}, "on record": {r.DeliveredHost, r.AttestedHost}} {
			if d, a := pair[0], pair[1]; d.P50 > a.P50 || d.P99 > a.P99 || d.Last > a.Last {
				t.Errorf("round %d, %s: delivered %v, attested %v", i+1, name, d, a)
			}
		}
	}
}
