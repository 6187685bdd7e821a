package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/channel/channeltest"
	"github.com/mianmi/mianmi/payment"
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

// hangsOnce are books whose first claim of calls never ends.
type hangsOnce struct {
	payment.Books
	hung   chan struct{}
	well   chan struct{}
	before atomic.Bool
}

func (b *hangsOnce) ClaimCalls(ctx context.Context, _ payment.Claim) ([]payment.Call, error) {
	if b.before.CompareAndSwap(false, true) {
		close(b.hung)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	b.well <- struct{}{}
	return nil, nil
}

// A turn of a channel that hangs holds up no other turn of it.
func TestChannelsTurnSideBySide(t *testing.T) {
	t.Parallel()
	b := &hangsOnce{hung: make(chan struct{}), well: make(chan struct{})}
	s := &services{payments: &payment.Service{Deps: payment.Deps{Books: b, Clock: systemClock{}, Remotes: []channel.Remote{&channeltest.Channel{}}}}}
	ticks := make(chan time.Time)
	ws := startWorkers(t.Context(), slog.New(slog.DiscardHandler), func(time.Duration) (<-chan time.Time, func()) { return ticks, func() {} }, asksChannels(s)...)
	ticks <- time.Time{}
	<-b.hung
	for range 3 {
		ticks <- time.Time{}
		<-b.well
	}
	ws.stop()
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
