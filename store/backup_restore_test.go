package store_test

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/asof"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/store"
)

// An SQLite file is claimed by one process alone, whole by itself, and may then
// be replaced; who has it open notices.
func TestClaim(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "m.db")
	db, err := store.Open(t.Context(), "sqlite:"+file, store.Options{CacheKiB: 1024})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Claim(t.Context(), file); !store.InUse(err) {
		t.Fatalf("claimed while it is open: %v", err)
	}
	if db.Replaced() {
		t.Error("replaced by nobody")
	}
	other := filepath.Join(t.TempDir(), "o.db")
	if err := store.CopySQLite(t.Context(), file, other); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(other, file); err != nil {
		t.Fatal(err)
	}
	if !db.Replaced() {
		t.Error("another file is there, and nobody noticed")
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	claimed, err := store.Claim(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := claimed.Holds(t.Context()); err != nil {
		t.Errorf("read what was claimed: %v", err)
	}
	if _, err := store.Open(t.Context(), "sqlite:"+file, store.Options{BusyTimeout: 1}); err == nil {
		t.Error("opened what another has claimed")
	}
	if err := claimed.Close(); err != nil {
		t.Fatal(err)
	}
	for _, beside := range []string{"-wal", "-journal"} { // both hold parts of a database
		if _, err := os.Stat(file + beside); err == nil {
			t.Errorf("%s is beside the file", beside)
		}
	}
}

// Entries wait in the order in which they will come; one about the log is found
// by its subject; and the settings' numbers go on from where they are told.
func TestWhatARestoreWrites(t *testing.T) {
	t.Parallel()
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			db := open(t, engine)
			for _, id := range []string{"1", "2", "3"} {
				if err := writeFact(t, db, id); err != nil {
					t.Fatal(err)
				}
			}
			first, err := db.WaitingLeaves(t.Context(), -1, 2)
			if err != nil || len(first) != 2 || first[0].ID != "en1" || first[1].ID != "en2" || first[0].Index >= 0 {
				t.Fatalf("%+v %v", first, err)
			}
			log := logOf(t, db)
			e, err := log.NewSetBack(evidence.SetBackType, mianmi.System("test"), rand.Reader, evidence.SetBack{Lost: 3})
			if err == nil {
				err = db.WriteAboutLog(t.Context(), e)
			}
			if err != nil {
				t.Fatal(err)
			}
			rest, err := db.WaitingLeaves(t.Context(), first[1].Number, 10)
			if err != nil || len(rest) != 2 || rest[0].ID != "en3" || rest[1].ID != e.ID {
				t.Errorf("%+v %v", rest, err)
			}
			found, err := db.EntriesOf(t.Context(), asof.Query{Subject: evidence.SubjectOf(log.Name()), Upto: 1 << 40, Limit: 10})
			if err != nil || len(found) != 1 || found[0].ID != e.ID {
				t.Errorf("%+v %v", found, err)
			}
			for _, tt := range []struct{ least, want int64 }{{1000, 1000}, {10, 1001}} {
				if err := db.SkipEpochs(t.Context(), tt.least); err != nil {
					t.Fatal(err)
				}
				if n, err := db.Epoch(t.Context()); err != nil || n != tt.want {
					t.Errorf("epoch %d %v, want %d", n, err, tt.want)
				}
			}
			if err := db.EndEverySession(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}
