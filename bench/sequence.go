package bench

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/risk"
)

// sequenceEvery is how often a server puts what waits into the log.
const sequenceEvery = 200 * time.Millisecond

// sequencer appends to the log while payments run, as every server does.
type sequencer struct {
	log     *evidence.Log
	signals *risk.Service // nil: nobody looks for signals
	clock   mianmi.Clock
	cancel  context.CancelFunc
	done    sync.WaitGroup

	mu      sync.Mutex
	entries int
	delays  []time.Duration // from a fact to its place in the log
	err     error
}

// startSequencer runs one until stop, unless the run is to have none. The log's
// key is no secret here: a run signs what nobody will ever check, and a later
// run on the same database goes on.
func (d *parts) startSequencer(ctx context.Context, o Options) error {
	if o.NoSequencer {
		return nil
	}
	key, err := evidence.NewKey("bench", bytes.Repeat([]byte{1}, ed25519.SeedSize))
	if err != nil {
		return err
	}
	s := &sequencer{log: evidence.NewLog(d.db, key, o.Clock), clock: o.Clock}
	if !o.NoFollower {
		if s.signals, err = risk.New(risk.Parts{Store: d.db, Keys: d.keys, Clock: o.Clock, Random: o.Random, Log: o.Log}); err != nil {
			return err
		}
	}
	ctx, s.cancel = context.WithCancel(ctx)
	s.done.Go(func() { s.run(ctx) })
	if s.signals != nil {
		s.done.Go(func() { s.follow(ctx) })
	}
	d.sequencer = s
	return nil
}

func (s *sequencer) run(ctx context.Context) {
	t := time.NewTicker(sequenceEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			for s.round(ctx) {
			}
		}
	}
}

// follow reads the log for signals, as one server does.
func (s *sequencer) follow(ctx context.Context) {
	t := time.NewTicker(sequenceEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			if _, err := s.signals.Follow(ctx); err != nil && ctx.Err() == nil {
				s.mu.Lock()
				s.err = errors.Join(s.err, err)
				s.mu.Unlock()
			}
		}
	}
}

func (s *sequencer) round(ctx context.Context) (more bool) {
	r, err := s.log.Sequence(ctx)
	at := s.clock.Now() // a receipt is there from now on
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		if ctx.Err() == nil {
			s.err = errors.Join(s.err, err)
		}
		return false
	}
	s.entries += r.Entries
	for _, f := range r.Facts {
		s.delays = append(s.delays, at.Sub(f))
	}
	return r.Entries > 0
}

// begin forgets what was before the measured part of a run.
func (s *sequencer) begin() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries, s.delays = 0, nil
}

// tell fills what the sequencer did since begin, after the callers have ended.
func (s *sequencer) tell(f *Figures) error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f.Entries = s.entries
	if n := len(s.delays); n > 0 {
		slices.Sort(s.delays)
		f.ReceiptP50ms, f.ReceiptP99ms = ms(s.delays[n/2]), ms(s.delays[n*99/100])
	}
	return s.err
}

// stop ends the rounds; nil has none.
func (s *sequencer) stop() {
	if s != nil {
		s.cancel()
		s.done.Wait()
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }
