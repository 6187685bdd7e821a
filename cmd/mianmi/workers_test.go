package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// A worker that fails or panics says so and takes its next turn all the same;
// what is left over is done in the same round, up to a bound.
func TestWorkersGoOn(t *testing.T) {
	t.Parallel()
	ticks := make(chan time.Time)
	turns := make(chan int)
	n := 0
	w := worker{name: "sweep", turn: func(context.Context) (bool, error) {
		n++
		turns <- n
		switch n {
		case 1:
			return true, errors.New("no luck")
		case 2:
			panic("a fault")
		case 3:
			return true, nil
		}
		return false, nil
	}}
	var logged bytes.Buffer
	ended := make(chan struct{})
	ws := startWorkers(t.Context(), slog.New(slog.NewTextHandler(&logged, nil)),
		func(time.Duration) (<-chan time.Time, func()) { return ticks, func() { close(ended) } }, w)
	for i, tick := range []bool{true, true, true, false, true} { // the third asked for the fourth
		if tick {
			ticks <- time.Time{}
		}
		if got := <-turns; got != i+1 {
			t.Fatalf("turn %d, want %d", got, i+1)
		}
	}
	ws.stop()
	<-ended
	for _, want := range []string{"worker=sweep", "no luck", "panic: a fault"} {
		if !strings.Contains(logged.String(), want) {
			t.Errorf("the log has no %q: %s", want, logged.String())
		}
	}
}

// Work without end does not keep a worker from its next tick or its stop.
func TestWorkersAreBounded(t *testing.T) {
	t.Parallel()
	n := 0
	w := worker{turn: func(context.Context) (bool, error) { n++; return true, nil }}
	w.round(t.Context(), slog.New(slog.DiscardHandler))
	if n != turnsMax {
		t.Errorf("%d turns, want %d", n, turnsMax)
	}
	ctx, cancel := context.WithCancel(t.Context())
	n = 0
	w.turn = func(context.Context) (bool, error) { n++; cancel(); return true, nil }
	w.round(ctx, slog.New(slog.DiscardHandler))
	if n != 1 {
		t.Errorf("%d turns after the stop, want 1", n)
	}
}
