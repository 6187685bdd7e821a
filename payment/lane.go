package payment

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/mianmi/mianmi"
)

// call is one caller that waits for a payment.
type call struct {
	actor mianmi.Actor
	req   Request
	ask   Ask

	taken atomic.Uint32 // 0 waiting, 1 a lane has begun it, 2 the caller has gone
	done  chan struct{}
	p     *Payment
	err   error

	slot  chan struct{}           // of a payment through a channel outside; nil: none is held
	first atomic.Pointer[Payment] // as it was committed, while a channel outside is asked

	same  []*call // later calls of the batch with the same order number
	other []*call // those of same that are to be decided after an error of this one
}

const (
	callWaiting = iota
	callBegun
	callGone
)

// ErrUnknownOutcome says that the wait ended before the answer. The payment
// may have been taken: ask by order number, or repeat the same request.
var ErrUnknownOutcome = &mianmi.Error{Kind: mianmi.Unavailable, Code: "outcome_unknown", RetryAfter: time.Second,
	Msg: "no answer in time; ask by order number or repeat the same request"}

func (c *call) wait(ctx context.Context) (*Payment, error) {
	select {
	case <-c.done:
		return c.p, c.err
	case <-ctx.Done():
		if c.taken.CompareAndSwap(callWaiting, callGone) {
			c.release()
			return nil, &mianmi.Error{Kind: mianmi.Unavailable, Code: "deadline", RetryAfter: time.Second,
				Msg: "no answer in time; nothing was begun", Err: ctx.Err()}
		}
	}
	// Begun: the answer may be there at this very moment.
	select {
	case <-c.done:
		return c.p, c.err
	default:
	}
	if p := c.first.Load(); p != nil { // the channel has not answered: it is asked by the order number
		return p, nil
	}
	return nil, ErrUnknownOutcome
}

func (c *call) answer(p *Payment, err error) {
	c.p, c.err = p, err
	c.release()
	close(c.done)
}

// release gives back the call's place among those at channels outside.
func (c *call) release() {
	if c.slot != nil {
		<-c.slot
	}
}

// lane runs batches one after the other.
type lane struct {
	s     *Service
	queue chan *call
	held  []*call // OneBucket: taken from the queue, for a later batch
	busy  busy
	judge judge
}

func newLane(s *Service) *lane {
	return &lane{s: s, queue: make(chan *call, s.cfg.QueueMax), judge: judge{s: s, channel: s.Wallet.Name()}}
}

// run takes what waits, without lingering for more, until the queue is closed
// and empty.
func (l *lane) run(ctx context.Context) {
	for {
		batch := l.next()
		if batch == nil {
			return
		}
		l.serve(ctx, batch)
	}
}

// next blocks for one caller and takes all others that wait already.
func (l *lane) next() []*call {
	var batch []*call
	take := func(c *call) {
		if c.taken.CompareAndSwap(callWaiting, callBegun) {
			batch = append(batch, c)
		}
	}
	for len(batch) == 0 && len(l.held) == 0 {
		c, ok := <-l.queue
		if !ok {
			return nil
		}
		take(c)
	}
	// What is held back counts, so that the queue's bound holds for all who wait.
	for len(batch)+len(l.held) < l.s.cfg.BatchMax {
		select {
		case c, ok := <-l.queue:
			if !ok {
				return l.oneBucket(batch)
			}
			take(c)
			continue
		default:
		}
		break
	}
	return l.oneBucket(batch)
}

// oneBucket keeps the calls of one bucket and holds the others back, in
// order, where the database wants it so.
func (l *lane) oneBucket(batch []*call) []*call {
	if !l.s.cfg.OneBucket {
		return batch
	}
	all := append(l.held, batch...)
	l.held = nil
	var kept []*call
	for _, c := range all {
		if c.ask.Bucket == all[0].ask.Bucket && len(kept) < l.s.cfg.BatchMax {
			kept = append(kept, c)
		} else {
			l.held = append(l.held, c)
		}
	}
	return kept
}

// serve answers every call of the batch. A batch that lost against another
// transaction runs again; one that keeps failing is taken apart, so that one
// payment cannot fail the others.
func (l *lane) serve(ctx context.Context, batch []*call) {
	for len(batch) > 0 {
		firsts := unique(batch)
		l.serveFirsts(ctx, firsts)
		batch = others(firsts)
	}
}

// others are the calls that had to wait for the answer to an earlier one with
// the same order number but another content, and got none: the earlier one was
// an error, so the number is free, or taken as it was.
func others(firsts []*call) []*call {
	var list []*call
	for _, c := range firsts {
		list = append(list, c.other...)
	}
	return list
}

func (l *lane) serveFirsts(ctx context.Context, firsts []*call) {
	firsts = l.busy.without(firsts, l.s.Clock.Now())
	if len(firsts) == 0 {
		return
	}
	err := l.tryAll(ctx, firsts)
	switch {
	case err == nil:
	case len(firsts) > 1 && (isBusy(err) || mianmi.KindOf(err) != mianmi.Unavailable):
		l.s.Log.Error("a batch of payments failed and is taken apart", "payments", len(firsts), "error", err)
		for _, c := range firsts {
			l.serveAlone(ctx, c)
		}
	default:
		l.busy.note(firsts, err, l.s.Clock.Now())
		fail(firsts, err)
	}
}

// serveAlone answers a call of a batch that was taken apart.
func (l *lane) serveAlone(ctx context.Context, c *call) {
	one := l.busy.without([]*call{c}, l.s.Clock.Now())
	if len(one) == 0 {
		return
	}
	if err := l.tryAll(ctx, one); err != nil {
		l.busy.note(one, err, l.s.Clock.Now())
		fail(one, err)
	}
}

// batchTriesMax bounds how often a batch runs again after a loss. A batch
// whose commit was not answered runs again too: if it was committed, its
// payments are found by their order numbers.
const batchTriesMax = 4

func (l *lane) tryAll(ctx context.Context, calls []*call) error {
	var err error
	unknown := false
	for range batchTriesMax {
		if err = l.judge.batch(ctx, calls); err == nil {
			return nil
		}
		var e *mianmi.Error
		unknown = unknown || errors.As(err, &e) && e.Code == ErrUnknownOutcome.Code
		if !unknown && !errors.Is(err, mianmi.Conflict) {
			return err
		}
	}
	if unknown {
		l.s.Log.Error("the outcome of a batch is not known", "payments", len(calls), "error", err)
		return ErrUnknownOutcome
	}
	return err
}

// fail answers calls that nothing was written for. One that lost every try is
// told to come again: a Conflict would read as if the request were at fault.
func fail(calls []*call, err error) {
	if errors.Is(err, mianmi.Conflict) {
		err = &mianmi.Error{Kind: mianmi.Unavailable, Code: "lost", RetryAfter: time.Second, Err: err,
			Msg: "other changes came between each time; send the same request again"}
	}
	for _, c := range calls {
		c.answer(nil, err)
		for _, later := range c.same {
			later.answer(nil, err)
		}
	}
}

// unique keeps the first call of each order number and hangs the later ones
// on it: they are repeats, or conflicts.
func unique(batch []*call) []*call {
	first := make(map[Hash16]*call, len(batch))
	out := batch[:0]
	for _, c := range batch {
		if f, ok := first[c.ask.Key]; ok {
			f.same = append(f.same, c)
			continue
		}
		c.same, c.other = nil, nil
		first[c.ask.Key] = c
		out = append(out, c)
	}
	return out
}
