package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/terminal"
)

type logClock struct{}

func (logClock) Now() time.Time { return time.Date(2026, 3, 1, 12, 4, 31, 0, time.UTC) }

func logOf(t *testing.T, db *store.DB) *evidence.Log {
	t.Helper()
	key, err := evidence.NewKey("log.example", bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return evidence.NewLog(db, key, logClock{})
}

// writeFact writes a fact with its entry, as services do.
func writeFact(t *testing.T, db *store.DB, id string) error {
	t.Helper()
	now := logClock{}.Now()
	return db.CreateModel(t.Context(), terminal.Model{ID: mianmi.ModelID("md" + id), Name: "m", CreatedAt: now},
		evidence.Entry{ID: mianmi.EntryID("en" + id), At: now, Type: "terminal.model.created", Subject: "md" + id, Body: []byte("{}")})
}

// Many writers and many sequencers at once: at the end every entry is in the
// log once, has a receipt, and the hashes are those of the entries as stored.
func TestManySequencersMakeOneLog(t *testing.T) {
	t.Parallel()
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			db := open(t, engine)
			const writers, each, sequencers = 6, 20, 4
			var writing, sequencing sync.WaitGroup
			stop := make(chan struct{})
			for w := range writers {
				writing.Go(func() {
					for i := range each {
						if err := writeFact(t, db, fmt.Sprintf("%d-%02d", w, i)); err != nil {
							t.Error(err)
						}
					}
				})
			}
			for range sequencers {
				l := logOf(t, db)
				sequencing.Go(func() {
					for {
						n, err := l.Sequence(t.Context())
						if err != nil && !errors.Is(err, mianmi.Unavailable) {
							t.Error(err)
							return
						}
						select {
						case <-stop:
							if n == 0 && err == nil {
								return
							}
						default:
						}
					}
				})
			}
			writing.Wait()
			close(stop)
			sequencing.Wait()
			checkLog(t, db, writers*each)
		})
	}
}

// checkLog rebuilds the tree from the entries and compares.
func checkLog(t *testing.T, db *store.DB, want int) {
	t.Helper()
	l := logOf(t, db)
	leaves, err := db.Leaves(t.Context(), 0, want+1)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	var hashes []tlog.Hash
	read := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(at))
		for i, n := range at {
			out[i] = hashes[n]
		}
		return out, nil
	})
	for i, leaf := range leaves {
		if leaf.Index != int64(i) {
			t.Fatalf("leaf %d has number %d", i, leaf.Index)
		}
		more, err := tlog.StoredHashes(int64(i), leaf.Bytes, read)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, more...)
		ids = append(ids, string(leaf.ID))
		r, err := l.Receipt(t.Context(), leaf.ID)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Verify(); err != nil {
			t.Error(err)
		}
	}
	slices.Sort(ids)
	if n := len(slices.Compact(ids)); n != want || len(leaves) != want {
		t.Errorf("%d leaves, %d different, want %d", len(leaves), n, want)
	}
	stored, err := db.Hashes(t.Context(), []int64{0, tlog.StoredHashIndex(3, 2), int64(len(hashes)) - 1})
	if err != nil || stored[0] != hashes[0] || stored[2] != hashes[len(hashes)-1] {
		t.Errorf("stored hashes differ: %v", err)
	}
}
