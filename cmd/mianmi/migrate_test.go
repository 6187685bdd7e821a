package main

import (
	"strings"
	"testing"

	"github.com/mianmi/mianmi/store/pgtest"
)

// A database that cannot be distributed is refused with the remedy before
// anything is done to it, the schema included.
func TestMigrateDistributeRefuses(t *testing.T) {
	t.Parallel()
	for name, w := range map[string]world{
		"sqlite":   newWorld(t),
		"postgres": newWorld(t, "MIANMI_DB="+pgtest.Open(t)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := w.run(t, "migrate", "--distribute")
			if got.code != exitFailed || got.stdout != "" || !strings.Contains(got.stderr, "citus") {
				t.Errorf("%+v, want a refusal that names citus and no step", got)
			}
			if after := w.run(t, "migrate"); after.code != exitOK || strings.Contains(after.stdout, ", 0 steps") {
				t.Errorf("%+v, want the schema to be new still", after)
			}
		})
	}
	for _, shards := range []string{"0", "257"} {
		if got := newWorld(t).run(t, "migrate", "--distribute", "--shards="+shards); got.code != exitUsage || !strings.Contains(got.stderr, "--shards") {
			t.Errorf("%s shards: %+v", shards, got)
		}
	}
}
