package store

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Records come apart as they were put together, and a cut text is refused.
func TestRecordsComeApart(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		records := rapid.SliceOfN(rapid.SliceOf(rapid.Byte()), 1, 9).Draw(t, "records")
		var framed []byte
		for _, r := range records {
			framed = appendRecord(framed, r)
		}
		got, err := splitRecords(framed)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(records, got); diff != "" {
			t.Fatal(diff)
		}
		last := len(records[len(records)-1])
		if _, err := splitRecords(framed[:len(framed)-1-rapid.IntRange(0, last).Draw(t, "cut")]); err == nil {
			t.Fatal("a text that is cut inside a record was taken")
		}
	})
}
