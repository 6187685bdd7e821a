package main

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/store"
)

// worker is work that comes round. turn does one bounded piece and says
// whether more is left.
type worker struct {
	name  string
	every time.Duration
	turn  func(context.Context) (more bool, err error)
}

const (
	// pruneMax bounds one transaction of a sweep, so that no payment waits long.
	pruneMax = 1000
	// turnsMax bounds what a worker does in a row: what is still left then waits
	// for the next tick.
	turnsMax = 200
	// turnMax bounds one turn: a database that has fallen silent must not keep a
	// worker waiting for longer than it is silent. A turn takes milliseconds.
	turnMax = 30 * time.Second
)

// rolloutRest is how long a rollout is left alone after a look at it, by all
// nodes: a look counts terminals and reads payments.
const rolloutRest = 5 * time.Second

// programRest is the same for a program's rollout, which is a matter of hours.
const programRest = 15 * time.Second

// sweeps are the workers of every node. Several nodes may sweep one database.
func sweeps(clock mianmi.Clock, s *services, db *store.DB) []worker {
	return append(asksChannels(s), []worker{
		{"expire step-ups", time.Second, func(ctx context.Context) (bool, error) {
			n, err := s.payments.ExpireOverdue(ctx)
			return n > 0, err
		}},
		{"ask for contracts", time.Second, func(ctx context.Context) (bool, error) {
			n, err := s.contracts.Ask(ctx)
			return n > 0, err
		}},
		{"verify checks of terminals", 2 * time.Second, func(ctx context.Context) (bool, error) {
			n, err := s.terminals.VerifyChecks(ctx)
			return n > 0, err
		}},
		{"watch OFFs", 2 * time.Second, s.terminals.WatchOffs},
		{"watch rollouts", rolloutRest, func(ctx context.Context) (bool, error) {
			return false, s.merchants.WatchRollouts(ctx, rolloutRest)
		}},
		{"watch rollouts of programs", programRest, func(ctx context.Context) (bool, error) {
			return false, s.terminals.WatchPrograms(ctx, programRest)
		}},
		{"prune", 10 * time.Minute, func(ctx context.Context) (bool, error) {
			n, err := db.Prune(ctx, clock.Now(), pruneMax)
			return n >= pruneMax, err
		}},
	}...)
}

// channelTurns is how many turns of one channel may be under way: a call that
// hangs holds its own turn for as long as an answer may take (WeChat Pay: 10 s,
// twice where an undoing follows), and what falls due meanwhile is asked in
// another. A claim keeps each call to one of them. Four looks a second cost a
// database little, and what a connection makes at once it bounds itself.
const channelTurns = 4

// asksChannels are the workers of channels over a network, several for each.
func asksChannels(s *services) (list []worker) {
	for _, r := range s.payments.Remotes {
		w := worker{"ask " + r.Name(), time.Second, func(ctx context.Context) (bool, error) {
			n, err := s.payments.AskChannel(ctx, r.Name())
			return n > 0, err
		}}
		list = append(list, slices.Repeat([]worker{w}, channelTurns)...)
	}
	return list
}

// ticker gives the ticks of a worker and what ends them.
type ticker func(every time.Duration) (ticks <-chan time.Time, stop func())

// tick is the machine's ticker.
func tick(every time.Duration) (<-chan time.Time, func()) {
	t := time.NewTicker(every)
	return t.C, t.Stop
}

// workers are running until stop.
type workers struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
}

func startWorkers(ctx context.Context, log *slog.Logger, tick ticker, list ...worker) *workers {
	ctx, cancel := context.WithCancel(ctx)
	ws := &workers{cancel: cancel}
	for _, w := range list {
		ticks, stop := tick(w.every)
		ws.done.Go(func() {
			defer stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-ticks:
					w.round(ctx, log)
				}
			}
		})
	}
	return ws
}

// stop returns when every worker has ended its turn.
func (ws *workers) stop() {
	ws.cancel()
	ws.done.Wait()
}

// round takes turns while there is more. An error ends the round, not the worker.
func (w worker) round(ctx context.Context, log *slog.Logger) {
	for range turnsMax {
		more, err := w.safely(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			log.ErrorContext(ctx, "a worker failed; it goes on", "worker", w.name, "error", err)
			return
		}
		if !more {
			return
		}
	}
}

// safely turns a panic into an error: a fault in a sweep must not end a server
// that takes payments.
func (w worker) safely(ctx context.Context) (more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, turnMax)
	defer cancel()
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return w.turn(ctx)
}
