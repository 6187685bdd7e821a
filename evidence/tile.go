package evidence

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/mianmi/mianmi"
)

// TileHeight is that of c2sp.org/tlog-tiles: 256 hashes, or entries, a tile.
const (
	TileHeight = 8
	tileWidth  = 1 << TileHeight
)

// EntriesLevel is the level of tiles that hold entries, as tlog has it.
const EntriesLevel = -1

// TilePath is the path of a tile as c2sp.org/tlog-tiles has it:
// "tile/0/x001/067.p/12", "tile/entries/003".
func TilePath(t tlog.Tile) string {
	path, _ := strings.CutPrefix(t.Path(), "tile/"+strconv.Itoa(t.H)+"/") // tlog puts the height first
	if rest, data := strings.CutPrefix(path, "data/"); data {
		path = "entries/" + rest
	}
	return "tile/" + path
}

// ParseTilePath is the inverse of TilePath. A path that is none is NotFound.
func ParseTilePath(path string) (tlog.Tile, error) {
	rest, found := strings.CutPrefix(path, "tile/")
	if n, entries := strings.CutPrefix(rest, "entries/"); entries {
		rest = "data/" + n
	}
	t, err := tlog.ParseTilePath(fmt.Sprintf("tile/%d/%s", TileHeight, rest))
	if err != nil || !found || t.L < EntriesLevel || TilePath(t) != path {
		return tlog.Tile{}, mianmi.Missing("tile")
	}
	return t, nil
}

// Tile returns the bytes of a tile, full or partial, of the log under its
// newest checkpoint. One that the log has not reached is NotFound. A tile of
// entries holds what the log records: who may read it is the caller's to say.
func (l *Log) Tile(ctx context.Context, t tlog.Tile) ([]byte, error) {
	c, err := l.store.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	level := max(t.L, 0)
	if t.W < 1 || t.W > tileWidth || t.N < 0 || level > 7 || t.N > c.Size>>(TileHeight*level)/tileWidth ||
		t.N*tileWidth+int64(t.W) > c.Size>>(TileHeight*level) {
		return nil, mianmi.Missing("tile")
	}
	if t.L != EntriesLevel {
		return tlog.ReadTileData(t, l.hashes(ctx))
	}
	return l.bundle(ctx, t.N*tileWidth, t.W)
}

// bundle is a run of entries, each after its length in two bytes.
func (l *Log) bundle(ctx context.Context, from int64, width int) ([]byte, error) {
	var out []byte
	for left := width; left > 0; {
		leaves, err := l.store.Leaves(ctx, from, left)
		if err != nil {
			return nil, err
		}
		if len(leaves) == 0 || leaves[0].Index != from {
			return nil, fmt.Errorf("entry %d of the log is missing", from)
		}
		for _, leaf := range leaves {
			out = binary.BigEndian.AppendUint16(out, uint16(len(leaf.Bytes))) //nolint:gosec // EntryMax bounds it
			out = append(out, leaf.Bytes...)
		}
		from, left = from+int64(len(leaves)), left-len(leaves)
	}
	return out, nil
}

// SplitBundle takes a tile of entries apart.
func SplitBundle(b []byte) ([][]byte, error) {
	var out [][]byte
	for len(b) > 0 {
		if len(b) < 2 || len(b)-2 < int(binary.BigEndian.Uint16(b)) {
			return nil, mianmi.InvalidField("bundle", "is cut short")
		}
		n := 2 + int(binary.BigEndian.Uint16(b))
		out, b = append(out, b[2:n:n]), b[n:]
	}
	return out, nil
}

// Consistency proves that the log of the size to begins with the log of the
// size from (RFC 6962, section 2.1.2). Sizes that the log does not have are Invalid.
func (l *Log) Consistency(ctx context.Context, from, to int64) (tlog.TreeProof, error) {
	c, err := l.store.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	if from < 1 || from > to || to > c.Size {
		return nil, mianmi.InvalidField("from", fmt.Sprintf("want 1 <= from <= to <= %d, the size of the log", c.Size))
	}
	return tlog.ProveTree(to, from, l.hashes(ctx))
}

// Newest returns the newest checkpoint as a signed note; the empty text when the
// log has not begun.
func (l *Log) Newest(ctx context.Context) (StoredCheckpoint, error) { return l.store.Checkpoint(ctx) }
