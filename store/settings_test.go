package store

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/settings"
	"github.com/mianmi/mianmi/terminal"
)

func openSettings(t *testing.T) *DB {
	t.Helper()
	db, err := Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "mianmi.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}

func addModel(t *testing.T, db *DB, id mianmi.ModelID) {
	t.Helper()
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	err := db.CreateModel(t.Context(), terminal.Model{ID: id, Name: "m", CreatedAt: now},
		evidence.Entry{ID: mianmi.EntryID("en" + id), At: now, Type: "t", Subject: string(id), Body: []byte("{}")})
	if err != nil {
		t.Fatal(err)
	}
}

// A snapshot that is new enough is given out again without reading; one that
// is too old never is.
func TestSettingsAtIsNeverOlder(t *testing.T) {
	t.Parallel()
	db := openSettings(t)
	first, err := db.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if again, err := db.settingsAt(t.Context(), first.Epoch()); err != nil || again != first {
		t.Errorf("read again: %v", err)
	}
	addModel(t, db, "md1")
	second, err := db.settingsAt(t.Context(), first.Epoch()+1)
	if err != nil || second.Epoch() != first.Epoch()+1 {
		t.Fatalf("epoch %d, %v", second.Epoch(), err)
	}
	if older, err := db.settingsAt(t.Context(), first.Epoch()); err != nil || older != second {
		t.Errorf("a newer snapshot did not serve: %v", err)
	}
	if s, err := db.settingsAt(t.Context(), second.Epoch()+1); !errors.Is(err, mianmi.Unavailable) || s != nil {
		t.Errorf("an epoch that does not exist: %v, %v", s, err)
	}
}

// Whoever asks for settings that cannot be read is told so in time, and the
// reading that others wait for goes on.
func TestSettingsAtKeepsTheDeadline(t *testing.T) {
	t.Parallel()
	db := openSettings(t)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	held := make(chan struct{})
	db.settings.loading = &settingsLoad{done: held} // a reading that takes its time
	if _, err := db.settingsAt(gone, 1); !errors.Is(err, mianmi.Unavailable) {
		t.Errorf("error = %v, want unavailable", err)
	}
	db.settings.mu.Lock()
	db.settings.loading = nil
	db.settings.mu.Unlock()
	close(held)
	if _, err := db.settingsAt(t.Context(), 1); err != nil {
		t.Error(err)
	}
	if err := db.read.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err := db.settingsAt(t.Context(), 2); !errors.Is(err, mianmi.Unavailable) || s != nil {
		t.Errorf("without a database: %v, %v", s, err)
	}
}

// Many lanes that ask at once get one snapshot, each at least as new as asked.
func TestSettingsAtIsReadOnceForAll(t *testing.T) {
	t.Parallel()
	db := openSettings(t)
	addModel(t, db, "md1")
	var epoch int64
	if err := db.read.QueryRowContext(t.Context(), ReadEpoch).Scan(&epoch); err != nil {
		t.Fatal(err)
	}
	got := make([]*settings.Snapshot, 32)
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() {
			s, err := db.settingsAt(t.Context(), epoch)
			if err != nil {
				t.Error(err)
			}
			got[i] = s
		})
	}
	all.Wait()
	for _, s := range got {
		if s != got[0] || s.Epoch() != epoch {
			t.Fatalf("several readings for one epoch")
		}
	}
}
