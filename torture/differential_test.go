package torture

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi/store/storetest"
)

// Requests that share a transaction, one transaction for each, SQLite and
// PostgreSQL: the same requests get the same answers and leave the same books.
// MIANMI_TEST_SEED replays a run.
func TestDifferential(t *testing.T) {
	t.Parallel()
	seed := uint64(20260301)
	if s, err := strconv.ParseUint(os.Getenv("MIANMI_TEST_SEED"), 10, 64); err == nil {
		seed = s
	}
	worlds := []*world{
		newWorld(t, "postgres, batches", "postgres", true, true),
		newWorld(t, "postgres, one by one", "postgres", false, false),
		newWorld(t, "sqlite, batches", "sqlite", true, true),
		newWorld(t, "sqlite, one by one", "sqlite", true, false),
	}
	plans := make([][]step, rounds(100, 6000))
	groups := map[string]int{}
	for seq := range plans {
		plans[seq] = plan(rand.New(rand.NewPCG(seed, uint64(seq))), seq)
		for _, s := range plans[seq] {
			groups[s.kind]++
		}
	}
	said := make([][][]string, len(worlds))
	var wg sync.WaitGroup
	for i, w := range worlds {
		wg.Go(func() { said[i] = w.run(plans) })
	}
	wg.Wait()
	for seq := range plans {
		for i := range worlds[1:] {
			if diff := cmp.Diff(said[0][seq], said[i+1][seq]); diff != "" {
				t.Fatalf("seed %d, sequence %d: %s (-) and %s (+) answer differently:\n%s\nsteps: %s",
					seed, seq, worlds[0].name, worlds[i+1].name, diff, fmt.Sprint(plans[seq]))
			}
		}
	}
	t.Logf("steps: %v", groups)
	var first []string
	for i, w := range worlds {
		rows := storetest.Inspect(t, w.dsn)
		for _, c := range slices.Concat(storetest.Invariants, storetest.Unsent) {
			var n int
			if err := rows.QueryRowContext(t.Context(), c.Query).Scan(&n); err != nil || n != 0 {
				t.Errorf("%s: %s: %d rows, %v", w.name, c.Name, n, err)
			}
		}
		if books, err := w.node.DB.CheckBooks(t.Context()); err != nil || !books.OK() {
			t.Errorf("%s: the books do not agree: %+v, %v", w.name, books, err)
		}
		dump := storetest.Dump(t, rows, w.names)
		if i == 0 {
			first = dump
			t.Logf("%d rows in the books", len(dump))
		} else if diff := cmp.Diff(first, dump); diff != "" {
			t.Errorf("seed %d: the books of %s (-) and %s (+) differ:\n%.4000s", seed, worlds[0].name, w.name, diff)
		}
	}
}
