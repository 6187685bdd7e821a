package notice

import (
	"context"
	"time"
)

const (
	// failingAfter is how many tries in a row must fail for the webhook to count
	// as failing: then it is tried with one message at a time.
	failingAfter = 10
	// settleMax is how many tries are written at once; a node that is killed
	// sends them again.
	settleMax = 200
	// settleEvery is how long a try waits to be written.
	settleEvery = 50 * time.Millisecond
	// renewEvery is how often a runner sees whether the queue is still its own and
	// the webhook as it was: so long a pause or a new secret takes to be heeded.
	renewEvery = time.Second
	// loadMin and loadMax bound what is read of a queue at once.
	loadMin, loadMax = 64, 512
)

// runner sends from one queue: subjects beside each other, the messages of one
// subject one after the other.
type runner struct {
	s      *Sender
	w      Webhook
	target Target
	hold   Holding

	record  Record // of what was loaded last
	queued  [][]Delivery
	busy    map[string]bool // subjects under way
	flying  int
	results chan tried
	settled []Tried // to be written

	failures int           // rounds that failed before this one
	bad      int           // tries that failed in a row
	dry      bool          // nothing was due at the last look
	ending   bool          // nothing more is started
	quit     chan struct{} // closed with it
	failed   bool          // the webhook fails as a whole
	gone     bool
	wait     time.Duration
	renewed  time.Time
	until    time.Time // end of this slice, which begins with the first load: each slice sends something
}

// tried is what one try came to.
type tried struct {
	d      Delivery
	answer Answer
	last   bool // of its subject's chain
	none   bool // not tried: the runner ends
}

// run sends from a claimed queue until nothing is due, its slice is over, the
// webhook fails or ctx ends.
func (s *Sender) run(ctx context.Context, c Claimed, holder string) error {
	now := s.clock.Now()
	r := &runner{s: s, w: c.Webhook, failures: c.Failures, busy: map[string]bool{}, results: make(chan tried, c.Webhook.Parallel),
		hold:    Holding{Webhook: c.Webhook.ID, Holder: holder, Lease: s.cfg.Lease, Version: c.Webhook.Version},
		renewed: now, quit: make(chan struct{})}
	var err error
	if r.w.Kind == Standard {
		if r.target, err = r.w.open(s.keys); err != nil {
			return err
		}
	}
	// What has begun is finished and written after the signal to stop, too.
	work := context.WithoutCancel(ctx)
	err = r.loop(ctx, work)
	for r.flying > 0 { // after a fault: the tries that are under way still count
		r.take(<-r.results)
	}
	if err != nil {
		_ = r.settle(work) // the first fault is told
		return err
	}
	if err := r.settle(work); err != nil {
		return err
	}
	if r.gone {
		if err := s.gone(work, r.w.ID); err != nil {
			return err
		}
	}
	return r.release(work)
}

func (r *runner) loop(ctx, work context.Context) error {
	tick := time.NewTicker(settleEvery)
	defer tick.Stop()
	for {
		// One that fails is tried with one message at a time: the next is loaded
		// when that one has its answer.
		if len(r.queued) == 0 && !r.dry && !r.ending && (r.failures == 0 || r.flying == 0) {
			if err := r.load(work); err != nil {
				return err
			}
		}
		r.start(work)
		if r.flying == 0 && (r.ending || r.dry) {
			return nil
		}
		if r.flying == 0 {
			continue
		}
		select {
		case t := <-r.results:
			r.take(t)
			if len(r.settled) >= settleMax {
				if err := r.settle(work); err != nil {
					return err
				}
			}
		case <-tick.C:
			if err := r.tick(work); err != nil {
				return err
			}
		case <-ctx.Done():
			r.end()
			ctx = work // it is told once
		}
	}
}

// tick writes what is to be written, keeps the lease and ends the slice.
func (r *runner) tick(ctx context.Context) error {
	r.dry = false
	now := r.s.clock.Now()
	if !r.until.IsZero() && now.After(r.until) {
		r.end()
	}
	if since := now.Sub(r.renewed); since < 0 || since > min(renewEvery, r.hold.Lease/3) {
		ours, err := r.s.Outbox.Renew(ctx, r.hold)
		if err != nil {
			return err
		}
		if r.renewed = now; !ours {
			r.end()
		}
	}
	return r.settle(ctx)
}

// end starts nothing more. What is queued waits in the store as before.
func (r *runner) end() {
	if !r.ending {
		close(r.quit)
	}
	r.ending, r.queued = true, nil
}

// load reads what is due and not under way, and chains it by subject.
func (r *runner) load(ctx context.Context) error {
	if err := r.settle(ctx); err != nil {
		return err
	}
	limit := min(max(4*r.w.Parallel, loadMin), loadMax) + len(r.busy)
	list, err := r.s.Outbox.Due(ctx, r.w.ID, limit)
	if err != nil {
		return err
	}
	chains, behind := chain(list, r.busy)
	if r.failures > 0 {
		chains = probe(chains)
	}
	if r.dry = len(chains) == 0; r.dry {
		return r.s.Outbox.Postpone(ctx, r.w.ID, behind)
	}
	r.queued = chains
	if r.until.IsZero() {
		defer func() { r.until = r.s.clock.Now().Add(r.s.cfg.Slice) }()
	}
	var all []Delivery
	for _, c := range chains {
		all = append(all, c...)
	}
	if r.record, err = r.s.Outbox.Record(ctx, all); err != nil {
		return err
	}
	if len(behind) > 0 {
		return r.s.Outbox.Postpone(ctx, r.w.ID, behind)
	}
	return nil
}

// chain puts deliveries into chains, one a subject, each beginning with the
// first that waits of its subject and leaving none out. Those whose earlier ones
// are not due yet are behind; subjects under way are left for later.
func chain(list []Delivery, busy map[string]bool) (chains [][]Delivery, behind []int64) {
	at := map[string]int{}
	for _, d := range list {
		if busy[d.Subject] {
			continue
		}
		i, begun := at[d.Subject]
		switch {
		case !begun && d.Prev == 0:
			at[d.Subject] = len(chains)
			chains = append(chains, []Delivery{d})
		case begun && d.Prev == chains[i][len(chains[i])-1].Number:
			chains[i] = append(chains[i], d)
		default:
			behind = append(behind, d.Number)
		}
	}
	return chains, behind
}

// probe picks one message to try a failing webhook with: one that was tried
// least, for it may be a single message that the receiver cannot take.
func probe(chains [][]Delivery) [][]Delivery {
	if len(chains) == 0 {
		return nil
	}
	best := chains[0]
	for _, c := range chains[1:] {
		if c[0].Attempts < best[0].Attempts {
			best = c
		}
	}
	return [][]Delivery{best[:1]}
}

// start sends chains while there is room.
func (r *runner) start(ctx context.Context) {
	for len(r.queued) > 0 && r.flying < r.w.Parallel {
		c := r.queued[0]
		r.queued = r.queued[1:]
		r.busy[c[0].Subject] = true
		r.flying++
		go r.send(ctx, c, &r.target, r.record)
	}
}

// send tries the messages of one subject in their order, up to the first that
// fails.
func (r *runner) send(ctx context.Context, chain []Delivery, t *Target, rec Record) {
	for i := range chain {
		select {
		case <-r.quit:
			r.results <- tried{d: chain[i], last: true, none: true}
			return
		default:
		}
		a := r.try(ctx, &chain[i], t, &rec)
		last := a.Fault != NoFault || i == len(chain)-1
		r.results <- tried{d: chain[i], answer: a, last: last}
		if last {
			return
		}
	}
}

// try makes one try. A panic here must not end a server that takes payments.
func (r *runner) try(ctx context.Context, d *Delivery, t *Target, rec *Record) (a Answer) {
	defer func() {
		if p := recover(); p != nil {
			a = Answer{Fault: Unbuildable}
			r.s.log.ErrorContext(ctx, "webhooks: a message could not be sent", "webhook", string(r.w.ID), "number", d.Number, "panic", p)
		}
	}()
	if r.w.Kind != Standard {
		a = r.s.Courier.Send(ctx, &r.w, d, rec)
		r.s.Observe(a)
		return a
	}
	m, err := message(&r.w, d, rec)
	if err != nil {
		r.s.log.ErrorContext(ctx, "webhooks: a message could not be built", "webhook", string(r.w.ID), "number", d.Number, "error", err)
		return Answer{Fault: Unbuildable}
	}
	a = r.s.Poster.Post(ctx, t, m)
	r.s.Observe(a)
	return a
}

// take notes what a try came to and what follows for the webhook.
func (r *runner) take(t tried) {
	a := t.answer
	if t.last {
		r.flying--
		delete(r.busy, t.d.Subject)
	}
	if t.none {
		return
	}
	n := Tried{Number: t.d.Number, State: Delivered, Status: a.Status, Fault: a.Fault, Answer: a.Text, Took: a.Took}
	defer func() { r.settled = append(r.settled, n) }()
	switch a.Fault {
	case NoFault:
		if !r.failed {
			r.bad, r.failures = 0, 0
		}
		return
	case Unbuildable:
		n.State = Dead
		return
	}
	if r.w.Kind != Standard { // its messages go to many addresses: one that fails says nothing of the others
		var again bool
		if n.Wait, again = r.s.Courier.Wait(&t.d, t.d.Attempts+1); again {
			n.State = Waiting
		} else {
			n.State = Dead
		}
		return
	}
	switch a.Fault {
	case NoLonger:
		r.gone = true
		r.end()
	case Throttled:
		r.wait = max(r.wait, a.RetryAfter)
		r.fail()
	default:
		if r.bad++; r.bad >= failingAfter || r.failures > 0 {
			r.fail()
		}
	}
	n.State, n.Wait = Waiting, jitter(r.s.cfg.message(t.d.Attempts+1), r.s.random)
	switch {
	case r.gone:
		n.Wait = 0 // until somebody resumes it
	case r.failed:
		n.Wait = r.pause() // tried again with the webhook
	}
	if t.d.Age >= r.s.cfg.Life && !r.gone {
		n.State = Dead
	}
}

func (r *runner) fail() {
	if !r.failed {
		r.failed = true
		r.failures++
	}
	r.end()
}

// pause is how long a webhook rests that fails as a whole.
func (r *runner) pause() time.Duration {
	return max(jitter(r.s.cfg.webhook(r.failures), r.s.random), r.wait)
}

func (r *runner) settle(ctx context.Context) error {
	if len(r.settled) == 0 {
		return nil
	}
	err := r.s.Outbox.Settle(ctx, r.w.ID, r.settled)
	if err == nil {
		r.settled = r.settled[:0]
	}
	return err
}

func (r *runner) release(ctx context.Context) error {
	rel := Release{Holding: r.hold}
	if r.failed {
		rel.Failures, rel.Wait = r.failures, r.pause()
	}
	return r.s.Outbox.Release(ctx, rel)
}
