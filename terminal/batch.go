package terminal

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/mianmi/mianmi"
)

// batchMax bounds what one transaction takes: some thousand rows, a tenth of a
// second in which no payment commits on SQLite.
const batchMax = 256

// waitingBatchMax bounds who waits: every terminal of a large installation that
// comes back at once. Above it a terminal is told to come later.
const waitingBatchMax = 20_000

// batcher joins callers: who comes while a transaction runs shares the next
// one. run answers each job, or returns an error and has answered none.
type batcher[A, R any] struct {
	run func(ctx context.Context, jobs []*job[A, R]) error

	mu      sync.Mutex
	waiting []*job[A, R]
	busy    bool
}

// job is one caller's question and its answer.
type job[A, R any] struct {
	ask  A
	out  R
	err  error
	done chan struct{}
}

// ask waits for the answer. The work goes on when the caller goes away.
func (b *batcher[A, R]) ask(ctx context.Context, a A) (R, error) {
	j := &job[A, R]{ask: a, done: make(chan struct{})}
	var none R
	b.mu.Lock()
	if len(b.waiting) >= waitingBatchMax {
		b.mu.Unlock()
		return none, &mianmi.Error{Kind: mianmi.Unavailable, Code: "overloaded", Msg: "too many terminals are waiting", RetryAfter: retryLater}
	}
	b.waiting = append(b.waiting, j)
	if !b.busy {
		b.busy = true
		go b.drain(context.WithoutCancel(ctx))
	}
	b.mu.Unlock()
	select {
	case <-j.done:
		return j.out, j.err
	case <-ctx.Done():
		return none, &mianmi.Error{Kind: mianmi.Unavailable, Msg: "no answer in time", RetryAfter: retryLater, Err: ctx.Err()}
	}
}

// drain runs batches until nobody waits.
func (b *batcher[A, R]) drain(ctx context.Context) {
	for {
		b.mu.Lock()
		n := min(len(b.waiting), batchMax)
		if n == 0 {
			b.busy = false
			b.mu.Unlock()
			return
		}
		batch := b.waiting[:n:n]
		b.waiting = b.waiting[n:]
		b.mu.Unlock()
		b.serve(ctx, batch)
	}
}

// serve answers a batch. One that fails as a whole is tried one by one, so that
// no terminal can keep the others from being heard.
func (b *batcher[A, R]) serve(ctx context.Context, batch []*job[A, R]) {
	err := b.safely(ctx, batch)
	if err != nil && len(batch) > 1 && mianmi.KindOf(err) != mianmi.Unavailable {
		for i := range batch {
			b.serve(ctx, batch[i:i+1])
		}
		return
	}
	for _, j := range batch {
		if err != nil {
			var none R
			j.out, j.err = none, err
		}
		close(j.done)
	}
}

// safely turns a panic into an error: what a terminal sends must not end a
// server that takes payments.
func (b *batcher[A, R]) safely(ctx context.Context, batch []*job[A, R]) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return b.run(ctx, batch)
}
