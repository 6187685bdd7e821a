package evidence

import (
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"
)

// A batch stands for its records as tlog would have it, whose proofs lead from
// each record to it, and from no other.
func TestBatchIsATreeOfTlog(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		records := rapid.SliceOfN(rapid.SliceOf(rapid.Byte()), 1, 40).Draw(t, "records")
		b, err := NewBatch("x", records)
		if err != nil {
			t.Fatal(err)
		}
		root, err := tlog.TreeHash(int64(len(records)), recordTree(records))
		if err != nil {
			t.Fatal(err)
		}
		if b.Root != root || b.Count != int64(len(records)) {
			t.Fatalf("%+v, want the root %v of %d", b, root, len(records))
		}
		i := rapid.Int64Range(0, b.Count-1).Draw(t, "record")
		proof, err := ProveRecord(records, i)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Check(proof, i, records[i]); err != nil {
			t.Fatal(err)
		}
		if b.Check(proof, i, append([]byte{1}, records[i]...)) == nil {
			t.Fatal("another record was taken")
		}
	})
}

func BenchmarkNewBatch(b *testing.B) {
	records := make([][]byte, 256)
	for i := range records {
		records[i] = make([]byte, 450)
	}
	for b.Loop() {
		if _, err := NewBatch("x", records); err != nil {
			b.Fatal(err)
		}
	}
}
