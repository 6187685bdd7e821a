package store

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/s2"
	"pgregory.net/rapid"
)

// Records come apart as they were put together, and what is cut or claims to be
// larger than any batch is refused.
func TestRecordsComeApart(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		records := rapid.SliceOfN(rapid.SliceOf(rapid.Byte()), 1, 9).Draw(t, "records")
		packed := packRecords(records)
		got, err := unpackRecords(packed)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(records, got); diff != "" {
			t.Fatal(diff)
		}
		if got, err := unpackRecords(packed[:rapid.IntRange(0, len(packed)-1).Draw(t, "cut")]); err == nil {
			t.Fatalf("a block that is cut was taken as %q", got)
		}
		framed, err := s2.Decode(nil, packed)
		if err != nil {
			t.Fatal(err)
		}
		last := len(records[len(records)-1])
		if _, err := unpackRecords(s2.Encode(nil, framed[:len(framed)-1-rapid.IntRange(0, last).Draw(t, "cut inside")])); err == nil {
			t.Fatal("a text that is cut inside a record was taken")
		}
	})
	if none, err := unpackRecords(nil); none != nil || err != nil {
		t.Errorf("NULL: %q, %v", none, err)
	}
	for _, bad := range [][]byte{{}, {0xff, 0xff, 0xff, 0xff, 0x0f}, bytes.Repeat([]byte{0xff}, 20)} {
		if got, err := unpackRecords(bad); err == nil {
			t.Errorf("%x was taken as %q", bad, got)
		}
	}
}
