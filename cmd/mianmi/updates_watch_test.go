package main

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/mianmi/mianmi/update"
)

// A server that finds something new in the repository, or that a rollout has
// changed, hints at it, again until that was done, and signs anew what is past half of its life, with the keys
// that are there.
func TestUpdatesWatch(t *testing.T) {
	t.Parallel()
	ctx, clock := t.Context(), &shiftedClock{machine: systemClock{}}
	repo := &update.Repository{Dir: filepath.Join(t.TempDir(), "updates"), Keys: []string{filepath.Join(t.TempDir(), "keys")}, Clock: clock, Random: rand.Reader}
	hints, fail := 0, errors.New("no broker")
	steps, away := int64(0), error(nil)
	w := &updatesWatch{repository: repo, rollouts: func(context.Context) (int64, error) { return steps, away }, log: slog.New(slog.DiscardHandler), hint: func() (int, error) {
		hints++
		return 1, fail
	}}
	turn := func(what string, want error) {
		t.Helper()
		if err := w.turn(ctx); !errors.Is(err, want) {
			t.Fatalf("%s: %v", what, err)
		}
	}
	expires := func() (timestamp time.Time) {
		t.Helper()
		for _, r := range must(repo.Standing())(t).Roles {
			if r.Role == "timestamp" {
				timestamp = r.Expires
			}
		}
		return timestamp
	}
	turn("no repository", nil)
	if err := repo.Init(); err != nil {
		t.Fatal(err)
	}
	must(w.worker(ctx))(t) // of a server that starts
	turn("nothing new", nil)
	first := expires()
	operator{t, repo}.publish("1.4.0", []byte("a program"), 4)
	turn("a program", fail)
	fail = nil
	turn("again", nil)
	turn("once", nil)
	if hints != 2 {
		t.Errorf("%d hints, want one that failed and one that did not", hints)
	}
	steps++
	turn("a step of a rollout", nil)
	turn("once more", nil)
	if hints != 3 {
		t.Errorf("%d hints after a step, want one more", hints)
	}
	away = errors.New("no database")
	turn("no database", away)
	away = nil
	turn("the database is back, and nothing has changed", nil)
	if hints != 3 {
		t.Errorf("%d hints, and nothing new", hints)
	}
	clock.JumpTo(time.Now().Add(update.TimestampLife * 2 / 3))
	elsewhere := &update.Repository{Dir: repo.Dir, Keys: []string{t.TempDir()}, Clock: clock, Random: rand.Reader}
	w.repository = elsewhere
	turn("without keys", nil)
	w.repository = repo
	turn("with keys", nil)
	if got := expires(); got.Sub(first) < update.TimestampLife/2 {
		t.Errorf("it expires at %v, at first at %v", got, first)
	}
}
