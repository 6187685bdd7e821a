package evidence

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/mianmi/mianmi"
)

// Exported is what an export has written.
type Exported struct {
	Size    int64 // of the log under the exported checkpoint
	Tiles   int   // written in this run
	Batches int
}

// Export writes the log into a folder in the layout of c2sp.org/tlog-tiles:
// tile/<L>/<N>, tile/entries/<N> and, last of all, checkpoint, so that a reader
// never meets a checkpoint whose tiles are missing. Beside them records/<N> has
// the records of batch N, each after its length in four bytes. Full tiles never
// change: those that are there are left alone, so a second run writes what is new.
func (l *Log) Export(ctx context.Context, dir string) (Exported, error) {
	c, err := l.store.Checkpoint(ctx)
	if err != nil || c.Size == 0 {
		return Exported{}, err
	}
	if err := l.continues(ctx, dir); err != nil {
		return Exported{}, err
	}
	e := &exporter{log: l, dir: dir, out: Exported{Size: c.Size}}
	for level := 0; c.Size>>(TileHeight*level) > 0; level++ {
		if err := e.level(ctx, level, c.Size>>(TileHeight*level)); err != nil {
			return e.out, err
		}
	}
	if err := e.level(ctx, EntriesLevel, c.Size); err != nil {
		return e.out, err
	}
	if err := e.records(ctx, c.Size); err != nil {
		return e.out, err
	}
	return e.out, e.write("checkpoint", []byte(c.Note))
}

// continues refuses a folder whose export this log does not continue, since the
// log was set back or is another one: full tiles that are there would stay, and
// fit no checkpoint.
func (l *Log) continues(ctx context.Context, dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, "checkpoint")) //nolint:gosec // the operator names the folder
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	kept, err := l.ReadCheckpoint(ctx, text)
	if err != nil {
		return fmt.Errorf("the checkpoint that %s holds: %w", dir, err)
	}
	stands, err := l.Stands(ctx, kept)
	if err == nil && stands != Grown {
		err = mianmi.Conflicts("other_log", dir+" holds an export that this log does not continue: the log was set back, or is another one. Name another folder")
	}
	return err
}

type exporter struct {
	log *Log
	dir string
	out Exported
}

// level writes the tiles of a level that has count hashes, or entries.
func (e *exporter) level(ctx context.Context, level int, count int64) error {
	for n := int64(0); n*tileWidth < count; n++ {
		t := tlog.Tile{H: TileHeight, L: level, N: n, W: int(min(tileWidth, count-n*tileWidth))}
		if e.has(TilePath(t)) {
			continue
		}
		b, err := e.log.Tile(ctx, t)
		if err != nil {
			return fmt.Errorf("tile %s: %w", TilePath(t), err)
		}
		if err := e.write(TilePath(t), b); err != nil {
			return err
		}
		e.out.Tiles++
	}
	return nil
}

// records writes the records of every batch that is not there yet.
func (e *exporter) records(ctx context.Context, size int64) error {
	for at := int64(0); at < size; {
		leaves, err := e.log.store.Leaves(ctx, at, int(min(checkLeaves, size-at)))
		if err != nil {
			return err
		}
		if len(leaves) == 0 || leaves[0].Index != at {
			return fmt.Errorf("entry %d of the log is missing", at)
		}
		for _, leaf := range leaves {
			name := "records/" + strconv.FormatInt(leaf.Index, 10)
			if len(leaf.Records) == 0 || e.has(name) {
				continue
			}
			if err := e.write(name, JoinRecords(leaf.Records)); err != nil {
				return err
			}
			e.out.Batches++
		}
		at += int64(len(leaves))
	}
	return nil
}

// JoinRecords frames the records of a batch for a file: each after its length
// in four bytes, the most significant one first.
func JoinRecords(records [][]byte) []byte {
	var out []byte
	for _, r := range records {
		n := len(r)
		out = binary.BigEndian.AppendUint32(out, uint32(n)) //nolint:gosec // a record has some hundred bytes
		out = append(out, r...)
	}
	return out
}

func (e *exporter) has(name string) bool {
	_, err := os.Stat(filepath.Join(e.dir, filepath.FromSlash(name)))
	return !errors.Is(err, fs.ErrNotExist)
}

// write writes a file whole or not at all: one that is cut short would be left
// alone by the next run.
func (e *exporter) write(name string, b []byte) error {
	path := filepath.Join(e.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(b)
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return os.Rename(tmp.Name(), path)
}
