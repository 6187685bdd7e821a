package store_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/terminal"
)

type logClock struct{}

func (logClock) Now() time.Time { return time.Date(2026, 3, 1, 12, 4, 31, 0, time.UTC) }

func keyOf(t *testing.T, seeds ...[]byte) evidence.Key {
	t.Helper()
	key, err := evidence.NewKey("log.example", seeds...)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func logOf(t *testing.T, db *store.DB, seeds ...[]byte) *evidence.Log {
	t.Helper()
	if len(seeds) == 0 {
		seeds = [][]byte{bytes.Repeat([]byte{7}, 32)}
	}
	return evidence.NewLog(db, keyOf(t, seeds...), logClock{})
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
						written := false // before the round: what was written during it may have to wait for the next
						select {
						case <-stop:
							written = true
						default:
						}
						n, err := l.Sequence(t.Context())
						if err != nil && !errors.Is(err, mianmi.Unavailable) {
							t.Error(err)
							return
						}
						if written && n.Entries == 0 && err == nil {
							return
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
		if _, err := r.Verify(evidence.Trust{}); err != nil {
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

// The key changes while entries are sequenced: the log stays one, what is
// signed after the change is signed by the new key, and who believes the old
// key can check receipts of entries from before it and after it.
func TestKeyChangesUnderSequencers(t *testing.T) {
	t.Parallel()
	seven, eight := bytes.Repeat([]byte{7}, 32), bytes.Repeat([]byte{8}, 32)
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			db := open(t, engine)
			const entries = 30
			write := func(from, to int) {
				t.Helper()
				for i := from; i < to; i++ {
					if err := writeFact(t, db, fmt.Sprintf("%02d", i)); err != nil {
						t.Fatal(err)
					}
				}
			}
			write(0, 1)
			if _, err := logOf(t, db, seven).Sequence(t.Context()); err != nil { // the log begins with the old key
				t.Fatal(err)
			}
			var group sync.WaitGroup
			for range 2 { // nodes that have both keys
				l := logOf(t, db, eight, seven)
				group.Go(func() {
					for {
						if _, err := l.Sequence(t.Context()); err != nil && !errors.Is(err, mianmi.Unavailable) {
							t.Error(err)
							return
						}
						if s, err := l.State(t.Context()); err != nil || s.Size > entries { // the change is an entry, too
							return
						}
					}
				})
			}
			write(1, entries/2)
			l := logOf(t, db, eight, seven)
			changed, err := l.ChangeKey(t.Context(), mianmi.System("command-line"), rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = l.ChangeKey(t.Context(), mianmi.System("command-line"), rand.Reader); mianmi.KindOf(err) != mianmi.Conflict {
				t.Errorf("a change to the key in force: %v", err)
			}
			write(entries/2, entries)
			group.Wait()
			checkLog(t, db, entries+1)
			before, err := evidence.ParseKey(keyOf(t, seven).Public())
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range []mianmi.EntryID{"en00", "en29"} {
				r, err := logOf(t, db, eight).Receipt(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := r.Verify(evidence.Trust{Log: []note.Verifier{before}}); err != nil || r.Key != changed.Public {
					t.Errorf("receipt of %s, signed by %s: %v", id, r.Key, err)
				}
			}
			if err := logOf(t, db, seven).CheckKey(t.Context()); mianmi.KindOf(err) != mianmi.Conflict {
				t.Errorf("a node without the new key: %v", err)
			}
		})
	}
}

// The turn to ask a witness is one caller's, however many ask at once, and again
// somebody's after the rest; what it cosigned is never replaced by less.
func TestWitnessTurn(t *testing.T) {
	t.Parallel()
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			db := open(t, engine)
			const key = "witness.example/a"
			turns := func(rest time.Duration) (n int64) {
				var mine atomic.Int64
				var wg sync.WaitGroup
				for range 8 {
					wg.Go(func() {
						_, ours, err := db.WitnessTurn(t.Context(), key, 10, rest)
						if err != nil {
							t.Error(err)
						}
						if ours {
							mine.Add(1)
						}
					})
				}
				wg.Wait()
				return mine.Load()
			}
			if n := turns(time.Hour); n != 1 {
				t.Errorf("%d had the first turn", n)
			}
			if n := turns(0); n != 0 {
				t.Errorf("%d had a turn within the rest", n)
			}
			if list, err := db.Cosigned(t.Context()); err != nil || len(list) != 0 {
				t.Errorf("cosigned before an answer: %+v, %v", list, err)
			}
			for _, size := range []int64{5, 9, 7} {
				c := evidence.StoredCosigned{Key: key, Size: size, At: logClock{}.Now(), Note: "n\n", Line: fmt.Sprintln(size)}
				if err := db.KeepCosigned(t.Context(), c); err != nil {
					t.Fatal(err)
				}
			}
			list, err := db.Cosigned(t.Context())
			want := []evidence.StoredCosigned{{Key: key, Size: 9, At: logClock{}.Now(), Note: "n\n", Line: "9\n"}}
			if d := cmp.Diff(want, list); d != "" || err != nil {
				t.Errorf("cosigned: %s, %v", d, err)
			}
			// The same with a rest that is over at once.
			for _, when := range []string{"another witness", "after the rest"} {
				if _, mine, err := db.WitnessTurn(t.Context(), "other", 10, 0); err != nil || !mine {
					t.Errorf("%s: %v, %v", when, mine, err)
				}
			}
			// While the log rests the turn is kept for when it grows.
			if err := db.KeepCosigned(t.Context(), evidence.StoredCosigned{Key: "other", Size: 10, Note: "n\n", Line: "10\n"}); err != nil {
				t.Fatal(err)
			}
			for _, newest := range []int64{10, 11} {
				if size, mine, err := db.WitnessTurn(t.Context(), "other", newest, time.Hour); err != nil || mine != (newest > 10) || mine && size != 10 {
					t.Errorf("a log of %d entries, 10 of them cosigned: %d, %v, %v", newest, size, mine, err)
				}
			}
		})
	}
}
