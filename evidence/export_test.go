package evidence

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/mianmi/mianmi"
)

// folder reads exported tiles for tlog's own client.
type folder string

func (f folder) Height() int { return TileHeight }

func (f folder) ReadTiles(list []tlog.Tile) (out [][]byte, _ error) {
	for _, t := range list {
		b, err := os.ReadFile(filepath.Join(string(f), filepath.FromSlash(TilePath(t))))
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

func (f folder) SaveTiles([]tlog.Tile, [][]byte) {}

// readExport verifies a whole export with tlog's own reader of tiles, from the
// checkpoint to each entry in the bundles.
func readExport(t *testing.T, l *Log, dir string) (entries [][]byte) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := OpenCheckpoint(string(text), l.key.list[0].verifier)
	if err != nil {
		t.Fatal(err)
	}
	hashes := tlog.TileHashReader(tlog.Tree{N: c.Size, Hash: c.Root}, folder(dir))
	for n := int64(0); n*256 < c.Size; n++ {
		b, err := folder(dir).ReadTiles([]tlog.Tile{{H: TileHeight, L: EntriesLevel, N: n, W: int(min(256, c.Size-n*256))}})
		if err != nil {
			t.Fatal(err)
		}
		bundle, err := SplitBundle(b[0])
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, bundle...)
	}
	for i, e := range entries {
		p, err := tlog.ProveRecord(c.Size, int64(i), hashes)
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckRecord(p, c.Size, c.Root, int64(i), tlog.RecordHash(e)); err != nil {
			t.Fatalf("entry %d: %v", i, err)
		}
	}
	return entries
}

// An export is read and verified by tlog's client of tiled logs; a second one
// writes what is new and no more, and the records of batches lie beside it.
func TestExport(t *testing.T) {
	t.Parallel()
	m, l := newLog(t)
	dir := t.TempDir()
	records := [][]byte{[]byte(`{"payment":"pm1"}`), []byte(`{"payment":"pm2"}`)}
	b, err := NewBatch("payment.decided", records)
	if err != nil {
		t.Fatal(err)
	}
	m.add(t, "enb", BatchType, b, records)
	grow := func(from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			m.add(t, fmt.Sprint("en", i), "x", i, nil)
		}
		sequence(t, l)
	}
	grow(1, 300)
	first, err := l.Export(t.Context(), dir)
	if err != nil || first.Size != 300 || first.Tiles != 5 || first.Batches != 1 {
		t.Fatalf("%+v, %v", first, err) // two of hashes, one above them, two of entries
	}
	if n := len(readExport(t, l, dir)); n != 300 {
		t.Errorf("%d entries", n)
	}
	have, err := os.ReadFile(filepath.Join(dir, "records", "0"))
	if err != nil || !bytes.Equal(have, JoinRecords(records)) {
		t.Errorf("records %q, %v", have, err)
	}
	if again, err := l.Export(t.Context(), dir); err != nil || again.Tiles != 0 || again.Batches != 0 {
		t.Errorf("a second run wrote %+v, %v", again, err)
	}
	grow(300, 600)
	more, err := l.Export(t.Context(), dir)
	if err != nil || more.Size != 600 || more.Tiles != 5 {
		t.Errorf("%+v, %v", more, err) // a full and a partial tile of each kind, one above
	}
	if n := len(readExport(t, l, dir)); n != 600 {
		t.Errorf("%d entries", n)
	}
}

// A log that was set back, or has other entries, is not exported beside what it
// does not continue: the tiles that are there would fit no checkpoint.
func TestExportOfAnotherLog(t *testing.T) {
	t.Parallel()
	export := func(dir string, size, from int) error {
		m, l := newLog(t)
		for i := range size {
			m.add(t, fmt.Sprint("en", i), "x", from+i, nil)
		}
		sequence(t, l)
		_, err := l.Export(t.Context(), dir)
		return err
	}
	dir := t.TempDir()
	if err := export(dir, 300, 0); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{"shorter": export(dir, 299, 0), "other entries": export(dir, 301, 1)} {
		if mianmi.KindOf(err) != mianmi.Conflict {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := export(dir, 301, 0); err != nil {
		t.Errorf("the same, longer: %v", err)
	}
}
