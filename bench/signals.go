package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/risk"
	"github.com/mianmi/mianmi/store"
)

// SignalsOptions are those of Signals.
type SignalsOptions struct {
	Options
	Rounds int     // of each load, each with and without
	Pace   float64 // payments a second of the paced load; 0: half of what was possible without
	Share  int     // see risk.Parts
}

// SignalsPart is one measured stretch.
type SignalsPart struct {
	With     bool    `json:"follower"` // the log is read for signals
	Paced    bool    `json:"paced"`
	Round    int     `json:"round"`
	Payments int64   `json:"payments"`
	Failed   int64   `json:"failed"`
	PerSec   float64 `json:"payments_per_second"`
	P50ms    float64 `json:"p50_ms"` // paced: from when the payment was to begin
	P95ms    float64 `json:"p95_ms"`
	P99ms    float64 `json:"p99_ms"`
	CPU      float64 `json:"cpu_us_per_payment"` // of this process and the database
	Lag      int64   `json:"entries_unread"`     // at its end, of those that were followed
}

// SignalsFigures is what Signals measured.
type SignalsFigures struct {
	Engine string        `json:"engine"`
	Rules  int           `json:"rules"`
	Pace   float64       `json:"pace_per_second"`
	Parts  []SignalsPart `json:"parts"`
	// Ratios of the medians with the follower to those without.
	Throughput float64 `json:"throughput_ratio_at_maximum"`
	P50        float64 `json:"p50_ratio_paced"`
	P95        float64 `json:"p95_ratio_paced"`
	P99        float64 `json:"p99_ratio_paced"`
	CPU        float64 `json:"cpu_ratio_paced"`
}

// String is one line for people.
func (p SignalsPart) String() string {
	name, load := "without", "maximum"
	if p.With {
		name = "with"
	}
	if p.Paced {
		load = "paced"
	}
	return fmt.Sprintf("%-7s %-7s round %d  %8.0f payments/s  p50 %7.2f  p95 %7.2f  p99 %7.2f ms  CPU %6.1f us  failed %d  unread %d",
		load, name, p.Round, p.PerSec, p.P50ms, p.P95ms, p.P99ms, p.CPU, p.Failed, p.Lag)
}

// Signals measures what looking for signals costs payments: the same payments with
// the log read by the shipped rules and without, in turns (with and without first by
// turns), first as many as are possible, then at a pace. Before each stretch the log is
// read to its end, as it is on a server that is not behind.
func Signals(ctx context.Context, o SignalsOptions, tell func(SignalsPart)) (SignalsFigures, error) {
	db, err := store.Open(ctx, o.DSN, store.Options{ConnsMax: 100})
	if err != nil {
		return SignalsFigures{}, err
	}
	defer db.Close() //nolint:errcheck // the run is over
	if _, err := db.Migrate(ctx); err != nil {
		return SignalsFigures{}, err
	}
	b := &signalsBench{o: o, tell: tell, pick: picker(o.Payers, o.Zipf), figures: SignalsFigures{Engine: db.Engine(), Pace: o.Pace}}
	if b.d, err = newParts(db, o.Options); err != nil {
		return SignalsFigures{}, err
	}
	if err := load(ctx, db, o.Payers, o.Clock.Now()); err != nil {
		return SignalsFigures{}, err
	}
	if b.w, err = newWorld(ctx, b.d, o.Payers, strconv.FormatInt(o.Clock.Now().UnixMicro(), 36)); err != nil {
		return SignalsFigures{}, err
	}
	if b.svc, err = b.d.service(ctx, o.Options); err != nil {
		return SignalsFigures{}, err
	}
	defer b.svc.Stop()
	without := o.Options
	without.NoFollower = true
	if err := b.d.startSequencer(ctx, without); err != nil {
		return SignalsFigures{}, err
	}
	defer b.d.sequencer.stop()
	b.signals, err = risk.New(risk.Parts{Store: db, Keys: b.d.keys, Clock: o.Clock, Random: o.Random, Log: o.Log, Share: o.Share})
	if err != nil {
		return SignalsFigures{}, err
	}
	rules, err := risk.Shipped()
	if err != nil {
		return SignalsFigures{}, err
	}
	b.figures.Rules = len(rules)
	err = b.run(ctx)
	return b.figures, err
}

// signalsBench is a run of Signals.
type signalsBench struct {
	o       SignalsOptions
	tell    func(SignalsPart)
	d       parts
	w       *World
	svc     *payment.Service
	signals *risk.Service
	pick    func() int // payers, over the whole run: else the same ones would come again and again
	paid    int64      // codes that were used
	figures SignalsFigures
}

// run warms up, and measures at both loads.
func (b *signalsBench) run(ctx context.Context) error {
	if _, err := b.stretch(ctx, SignalsPart{Round: -1}, b.o.Warmup); err != nil { // nobody is told of it
		return err
	}
	for _, paced := range []bool{false, true} {
		if paced && b.figures.Pace == 0 {
			b.figures.Pace = b.median(false, false, func(p SignalsPart) float64 { return p.PerSec }) / 2
		}
		for i := range b.o.Rounds {
			for j := range 2 {
				p, err := b.stretch(ctx, SignalsPart{With: (i+j)%2 == 1, Paced: paced, Round: i + 1}, b.o.Length)
				if err != nil {
					return err
				}
				b.figures.Parts = append(b.figures.Parts, p)
				b.tell(p)
			}
		}
	}
	ratio := func(paced bool, of func(SignalsPart) float64) float64 {
		return b.median(true, paced, of) / max(b.median(false, paced, of), 1e-9)
	}
	f := &b.figures
	f.Throughput = ratio(false, func(p SignalsPart) float64 { return p.PerSec })
	f.P50, f.P95 = ratio(true, func(p SignalsPart) float64 { return p.P50ms }), ratio(true, func(p SignalsPart) float64 { return p.P95ms })
	f.P99, f.CPU = ratio(true, func(p SignalsPart) float64 { return p.P99ms }), ratio(true, func(p SignalsPart) float64 { return p.CPU })
	return nil
}

// median is that of a figure over the rounds.
func (b *signalsBench) median(with, paced bool, of func(SignalsPart) float64) float64 {
	var list []float64
	for _, p := range b.figures.Parts {
		if p.With == with && p.Paced == paced {
			list = append(list, of(p))
		}
	}
	if len(list) == 0 {
		return 0
	}
	slices.SortFunc(list, cmp.Compare[float64])
	return (list[(len(list)-1)/2] + list[len(list)/2]) / 2
}

// settle is how long payments run before a stretch is measured.
const settle = 500 * time.Millisecond

// stretch makes codes ready, has the log read to its end, and measures for a length.
func (b *signalsBench) stretch(ctx context.Context, p SignalsPart, length time.Duration) (SignalsPart, error) {
	perSec := float64(b.o.CodesPerSecond)
	if p.Paced {
		perSec = b.figures.Pace + 1
	}
	n := int((length + 2*settle).Seconds() * perSec)
	codes, err := b.w.codes(ctx, b.d.db, b.d.keys, n, b.pick, b.o.Clock.Now().Add(codeLifeOfBench))
	if err != nil {
		return p, err
	}
	if err := b.catchUp(ctx); err != nil {
		return p, err
	}
	follow := func() error { return nil }
	if p.With {
		follow = b.follow(ctx)
	}
	c := &crowd{o: b.o.Options, w: b.w, svc: b.svc, codes: codes, next: &atomic.Int64{}, before: b.paid}
	run := c.run
	if p.Paced {
		run = func(ctx context.Context, length time.Duration, n *counts) time.Duration {
			return c.paced(ctx, length, b.figures.Pace, n)
		}
	}
	run(ctx, settle, nil)
	err = b.measure(ctx, &p, c, func(n *counts) time.Duration { return run(ctx, length, n) })
	b.paid += int64(n)
	if stop := follow(); err == nil {
		err = stop
	}
	if err == nil && p.With {
		p.Lag, err = b.signals.Lag(ctx)
	}
	return p, err
}

// measure fills in what a stretch came to.
func (b *signalsBench) measure(ctx context.Context, p *SignalsPart, c *crowd, run func(*counts) time.Duration) error {
	usage, err := b.d.db.Usage(ctx)
	if err != nil {
		return err
	}
	var n counts
	c.lat = make([][]time.Duration, b.o.Callers)
	used := ownCPU() + treeCPU(usage.ServerPID)
	elapsed := run(&n)
	used = ownCPU() + treeCPU(usage.ServerPID) - used
	all := slices.Sorted(slices.Values(slices.Concat(c.lat...)))
	p.Payments, p.Failed = n.payments.Load(), n.failed.Load()
	p.PerSec = float64(p.Payments) / elapsed.Seconds()
	p.CPU = float64(used.Microseconds()) / float64(max(p.Payments, 1))
	if len(all) > 0 {
		p.P50ms, p.P95ms, p.P99ms = ms(all[len(all)/2]), ms(all[len(all)*95/100]), ms(all[len(all)*99/100])
	}
	return nil
}

// followEvery is how often a server looks for signals.
const followEvery = 250 * time.Millisecond

// follow looks for signals as a server does, until what it returns is called.
func (b *signalsBench) follow(ctx context.Context) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	var fault error
	done.Go(func() {
		t := time.NewTicker(followEvery)
		defer t.Stop()
		for fault == nil {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
				for more := true; more && fault == nil; {
					more, fault = b.signals.Follow(ctx)
				}
			}
		}
	})
	return func() error {
		cancel()
		done.Wait()
		if errors.Is(fault, context.Canceled) { // it was cut off
			return nil
		}
		return fault
	}
}

// catchUp reads the log to its end, with all of a processor.
func (b *signalsBench) catchUp(ctx context.Context) error {
	share := b.signals.Share
	b.signals.Share = 100
	defer func() { b.signals.Share = share }()
	for quiet := 0; quiet < 3; {
		more, err := b.signals.Follow(ctx)
		if err != nil {
			return err
		}
		lag, err := b.signals.Lag(ctx)
		switch {
		case err != nil:
			return err
		case more:
			quiet = 0
			continue
		case lag == 0:
			quiet++ // what was paid last may not be in the log yet
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(sequenceEvery):
		}
	}
	return nil
}

// paced lets payments begin at a pace, whether the ones before have ended or not.
func (f *crowd) paced(ctx context.Context, length time.Duration, perSec float64, c *counts) time.Duration {
	begin := f.o.Clock.Now()
	due := make(chan time.Time, f.o.Callers*16)
	var wg sync.WaitGroup
	for i := range f.o.Callers {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 7)) //nolint:gosec // a benchmark's choice
			for at := range due {
				f.pay(ctx, r, i, at, c)
			}
		})
	}
	each := time.Duration(float64(time.Second) / perSec)
	t := time.NewTicker(max(time.Millisecond, each))
	for at := begin; at.Sub(begin) < length && ctx.Err() == nil; {
		for now := f.o.Clock.Now(); !at.After(now) && at.Sub(begin) < length; at = at.Add(each) {
			due <- at
		}
		<-t.C
	}
	t.Stop()
	close(due)
	wg.Wait()
	return f.o.Clock.Now().Sub(begin)
}
