package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/mianmi/mianmi/agent/disk"
	"github.com/mianmi/mianmi/update"
)

// updatesWatch looks after the repository that terminals take programs from:
// what is new there is hinted at, and so is every step of a program's rollout, on
// every node, whoever made it; what expires soon is signed anew when its keys are
// on this machine.
type updatesWatch struct {
	repository *update.Repository
	rollouts   func(context.Context) (int64, error) // another number after each step
	hint       func() (int, error)                  // at terminals, that there is something new
	log        *slog.Logger

	seen string // stamp of the last look
}

// updatesEvery is how soon after it was published a program is hinted at.
const updatesEvery = 5 * time.Second

// worker remembers what is there now: terminals have looked by themselves.
func (w *updatesWatch) worker(ctx context.Context) (worker, error) {
	var err error
	w.seen, err = w.stamp(ctx)
	return worker{"watch updates", updatesEvery, func(ctx context.Context) (bool, error) { return false, w.turn(ctx) }}, err
}

// stamp is another one when something was published, or a rollout has changed;
// empty: there is no repository.
func (w *updatesWatch) stamp(ctx context.Context) (string, error) {
	info, err := os.Stat(filepath.Join(w.repository.Dir, "timestamp.json"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", err
	}
	changed, err := w.rollouts(ctx)
	return fmt.Sprint(info.ModTime().UnixNano(), " ", info.Size(), " ", changed), err
}

func (w *updatesWatch) turn(ctx context.Context) error {
	now, err := w.stamp(ctx)
	if err != nil || now == "" {
		return err
	}
	if now != w.seen {
		if _, err := w.hint(); err != nil {
			return err
		}
		w.seen = now
	}
	if err := w.refresh(ctx); err != nil {
		return fmt.Errorf("sign the update repository anew: %w", err)
	}
	return nil
}

// refresh signs anew what is past half of its life and can be signed here.
func (w *updatesWatch) refresh(ctx context.Context) (err error) {
	s, err := w.repository.Standing()
	if err != nil || !s.Due(w.repository.Clock.Now()) {
		return err
	}
	_, lock, err := disk.Open(w.repository.Dir)
	if err != nil {
		return err // somebody publishes: it is tried again
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	roles, err := w.repository.Refresh()
	if err == nil {
		w.log.InfoContext(ctx, "the update repository is signed anew", "roles", roles)
	}
	return err
}
