package notice

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/secret"
)

// SenderParts are what a Sender works with; all but Observe are required.
type SenderParts struct {
	Outbox  Outbox
	Service *Service
	Poster  *Poster
	// Courier sends messages of another kind than Standard; a Sender of such needs one.
	Courier Courier
	// Observe is told of each try; nil: nobody is.
	Observe func(Answer)
}

// Courier knows the form of messages that are not Standard: it says where each
// goes and when it is tried again, and leaves the queue to the Sender.
type Courier interface {
	// Send makes one try. What is to be told to nobody is no fault.
	Send(ctx context.Context, w *Webhook, d *Delivery, r *Record) Answer
	// Wait is how long a message rests that has failed so often; false: it is given up.
	Wait(d *Delivery, attempts int) (time.Duration, bool)
}

// SenderConfig tunes a Sender. Zero values mean the defaults.
type SenderConfig struct {
	Schedule
	// Kind is which webhooks it sends to. Each kind has a Sender of its own, so
	// that receivers of one that hang take nothing from those of another; that of
	// Standard dispatches for all.
	Kind  Kind
	Lease time.Duration // of a queue, default 10 s: so long waits what a node that was killed had
	Poll  time.Duration // how often it looks for work, default 200 ms
	Slice time.Duration // how long a queue is sent from in a row while others wait, default 10 s
	Keep  time.Duration // how long deliveries are kept, default 14 days
	// Healthy and Failing are how many webhooks are sent to at once: those that
	// work and, apart, those that fail, so that however many of these hang, they
	// take nothing from the others. Default 64 and 16.
	Healthy, Failing int
}

func (c SenderConfig) withDefaults() SenderConfig {
	c.Schedule = c.Schedule.withDefaults()
	for _, d := range []struct {
		v    *time.Duration
		then time.Duration
	}{{&c.Lease, 10 * time.Second}, {&c.Poll, 200 * time.Millisecond}, {&c.Slice, 10 * time.Second}, {&c.Keep, 14 * 24 * time.Hour}} {
		if *d.v <= 0 {
			*d.v = d.then
		}
	}
	if c.Healthy <= 0 {
		c.Healthy = 64
	}
	if c.Failing <= 0 {
		c.Failing = 16
	}
	return c
}

// dispatchMax bounds one transaction of dispatching: about 20 ms.
const dispatchMax = 1000

// Sender dispatches facts and sends messages until Stop. Any number of nodes
// may run one on the same database.
type Sender struct {
	SenderParts
	cfg    SenderConfig
	keys   *secret.Keys
	clock  mianmi.Clock
	random io.Reader
	log    *slog.Logger

	cancel  context.CancelFunc
	loops   sync.WaitGroup // dispatching and claiming
	runners sync.WaitGroup
	wake    chan struct{} // there may be something to claim

	mu               sync.Mutex
	healthy, failing int // queues that are held
}

// StartSender returns a Sender that runs until Stop.
func StartSender(ctx context.Context, p SenderParts, c SenderConfig) (*Sender, error) {
	if p.Outbox == nil || p.Service == nil || p.Poster == nil && p.Courier == nil || c.Kind != Standard && p.Courier == nil {
		return nil, errors.New("notice: a required part is missing")
	}
	if p.Observe == nil {
		p.Observe = func(Answer) {}
	}
	s := &Sender{SenderParts: p, cfg: c.withDefaults(), keys: p.Service.Keys, clock: p.Service.Clock, random: p.Service.Random,
		log: p.Service.Log, wake: make(chan struct{}, 1)}
	ctx, s.cancel = context.WithCancel(ctx)
	if s.cfg.Kind == Standard {
		s.loops.Go(func() { s.loop(ctx, "dispatch facts", nil, s.dispatch) })
	}
	s.loops.Go(func() { s.loop(ctx, "claim queues", s.wake, s.claim) })
	return s, nil
}

// Stop ends dispatching, lets messages under way end, and gives the queues back.
func (s *Sender) Stop() {
	s.cancel()
	s.loops.Wait()
	s.runners.Wait()
}

// restMax is how long a loop rests at most while its turns fail: a database that
// is away for an hour is told of every 5 s, and found within 5 s.
const restMax = 5 * time.Second

// loop runs turn until ctx ends: at once again while it says that there is
// more, else after Poll or when it is woken. A failure is logged and does not
// end it; the rest after it is twice as long each time.
func (s *Sender) loop(ctx context.Context, name string, wake <-chan struct{}, turn func(context.Context) (more bool, err error)) {
	rest := s.cfg.Poll
	for ctx.Err() == nil {
		more, err := safely(ctx, turn)
		woken := wake
		switch {
		case err == nil && more:
			continue
		case err == nil:
			rest = s.cfg.Poll
		case ctx.Err() == nil:
			rest, woken = max(min(2*rest, restMax), s.cfg.Poll), nil
			s.log.ErrorContext(ctx, "webhooks: a turn failed; it is tried again", "turn", name, "after", rest.String(), "error", err)
		}
		t := time.NewTimer(rest)
		select {
		case <-ctx.Done():
		case <-t.C:
		case <-woken:
		}
		t.Stop()
	}
}

// safely turns a panic into an error: a fault here must not end a server that
// takes payments.
func safely(ctx context.Context, turn func(context.Context) (bool, error)) (more bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return turn(ctx)
}

func (s *Sender) dispatch(ctx context.Context) (bool, error) {
	n, err := s.Outbox.Dispatch(ctx, dispatchMax, route)
	if n > 0 {
		s.poke()
	}
	return n >= dispatchMax, err
}

func (s *Sender) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// claim takes as many queues as there is room for and starts a runner for each.
func (s *Sender) claim(ctx context.Context) (bool, error) {
	holder, err := mianmi.NewID("no", s.clock.Now(), s.random)
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	c := Claim{Kind: s.cfg.Kind, Holder: holder, Lease: s.cfg.Lease, Healthy: s.cfg.Healthy - s.healthy, Failing: s.cfg.Failing - s.failing}
	s.mu.Unlock()
	if c.Healthy <= 0 && c.Failing <= 0 {
		return false, nil
	}
	list, err := s.Outbox.Claim(ctx, c)
	if err != nil {
		return false, err
	}
	for i := range list {
		s.start(ctx, list[i], holder)
	}
	return false, nil
}

func (s *Sender) start(ctx context.Context, c Claimed, holder string) {
	s.count(c.Failures, 1)
	s.runners.Go(func() {
		defer func() {
			s.count(c.Failures, -1)
			s.poke()
		}()
		_, err := safely(ctx, func(ctx context.Context) (bool, error) { return false, s.run(ctx, c, holder) })
		if err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "webhooks: sending ended with a fault; another node goes on when the lease is over", "webhook", string(c.Webhook.ID), "error", err)
		}
	})
}

func (s *Sender) count(failures, by int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if failures > 0 {
		s.failing += by
	} else {
		s.healthy += by
	}
}

// Sweep gives up what waited for too long and removes what is kept no longer;
// more says that there is more to do.
func (s *Sender) Sweep(ctx context.Context) (more bool, err error) {
	n, err := s.Outbox.Sweep(ctx, Sweep{Life: s.cfg.Life, Keep: s.cfg.Keep, Limit: sweepMax})
	return n >= sweepMax, err
}

// sweepMax bounds one turn of a sweep, so that nobody waits for its locks.
const sweepMax = 1000

// gone ends the sending to a webhook whose receiver has said that it wants no more.
func (s *Sender) gone(ctx context.Context, id mianmi.WebhookID) error {
	now := s.Service.now()
	return s.Service.Records.ChangeWebhook(ctx, id, func(w *Webhook) ([]evidence.Entry, error) {
		if w.State != Active {
			return nil, nil
		}
		t, err := w.open(s.keys)
		if err != nil {
			return nil, err
		}
		w.State, w.Version, w.ChangedAt = Gone, w.Version+1, now
		e, err := s.Service.entry(now, mianmi.System("webhooks"), "webhook.gone", w, &t)
		return []evidence.Entry{e}, err
	})
}
