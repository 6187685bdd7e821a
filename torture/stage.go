package torture

import (
	"context"
	"errors"
	"math/rand/v2"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/store"
)

// Config is a run.
type Config struct {
	Target *Target
	Dir    string // of the keys, and of what is kept when a promise was broken
	Nodes  int
	Seed   uint64
	Faults []Fault       // to choose from
	Rounds int           // 0: until Length is over
	Length time.Duration // 0: until Rounds are done

	// Server returns a command that serves on a free port of the loopback address,
	// with the database and clock of the order, and logs JSON to standard error.
	Server func(NodeOrder) *exec.Cmd
	// Operator makes one of mianmi's own people on the database itself.
	Operator func(ctx context.Context, dsn string) (Operator, error)
	// Log opens the transparency log of a database.
	Log func(ctx context.Context, db *store.DB) (*evidence.Log, error)
	// Tell is called with what may interest somebody who waits; nil: nobody does.
	Tell func(mianmi.Text)
}

// stage is a database with its servers and a scene, and the journal of what
// was acknowledged there.
type stage struct {
	cfg      Config
	target   *Target
	nodes    []*node
	scene    *scene
	listener *listener
	begun    time.Time
	ctx      context.Context //nolint:containedctx // of the whole run, for those who ask whether it has ended
	bounds   bounds
	answers  atomic.Int64
	verdict  *verdict
	tally    *tally
	faults   map[Fault]int
	rounds   int

	mu    sync.Mutex
	state switches // as acknowledged; exact between rounds
	stops map[mianmi.StopID]int
	paid  []*paid // in the order of their answers
	offs  []off
	facts map[fact]int // how often each was acknowledged
	kept  []evidence.Checkpoint
}

// newStage starts the servers, one after the other, and makes the scene.
func newStage(ctx context.Context, cfg Config, v *verdict, t *tally) (*stage, error) {
	s := &stage{cfg: cfg, target: cfg.Target, verdict: v, tally: t, begun: time.Now(), ctx: ctx, bounds: usualBounds, faults: map[Fault]int{},
		stops: map[mianmi.StopID]int{}, facts: map[fact]int{}}
	dsn := cfg.Target.DSN
	if !cfg.Target.sqlite() && hasAny(cfg.Faults, DatabaseCut, DatabaseSlow, DatabaseAway) {
		var err error
		if dsn, err = cfg.Target.through(ctx); err != nil {
			return nil, err
		}
	}
	for i := range cfg.Nodes {
		n := &node{n: i, make: cfg.Server, order: NodeOrder{DB: dsn, Data: cfg.Dir}}
		s.nodes = append(s.nodes, n)
		if err := n.start(ctx); err != nil {
			s.close()
			return nil, err
		}
	}
	api, _ := s.nodes[0].now()
	err := s.build(ctx, api)
	if err == nil {
		s.listener, err = listen(ctx, s.scene.first.as(api))
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// close ends the servers at once.
func (s *stage) close() {
	for _, n := range s.nodes {
		n.kill()
	}
	s.listener.close()
	s.target.stop()
}

// end lets the servers finish.
func (s *stage) end() {
	for _, n := range s.nodes {
		if err := n.stop(); err != nil {
			s.verdict.broken(Recovers, "at the end: %v", err)
		}
	}
	s.listener.close()
	s.target.stop()
}

// rand is the chance of one client in one round: the same seed draws the same
// steps, whatever the servers answer.
func (s *stage) rand(client int) *rand.Rand {
	return rand.New(rand.NewPCG(s.cfg.Seed, uint64(s.rounds)<<16|uint64(client))) //nolint:gosec // a plan, not a secret; both are positive
}

// clients of a round.
const (
	payingClients   = 6
	throwingClients = 3
	// stepsMax bounds what one client does in a round.
	stepsMax = 5000
)

// round is one strike under load.
type round struct {
	*stage
	plan    strike
	over    atomic.Bool
	done    atomic.Int64 // steps that were answered
	mu      sync.Mutex
	history history
	paid    []*paid
	free    []span // PIN-free payments
}

// span is when something happened that switches concern.
type span struct {
	act       Act
	call, end time.Duration
}

// play runs one round: load, the strike in the middle of it, load again, and
// then what must hold.
func (s *stage) play(ctx context.Context) error {
	s.rounds++
	s.verdict.mu.Lock()
	s.verdict.round = s.rounds
	s.verdict.mu.Unlock()
	r := &round{stage: s, plan: s.draw()}
	r.history.from = s.state
	var clients sync.WaitGroup
	for c := range payingClients {
		clients.Go(func() { r.paying(ctx, c) })
	}
	for c := range throwingClients {
		clients.Go(func() { r.throwing(ctx, c) })
	}
	err := r.until(ctx, r.plan.after)
	if err == nil {
		s.faults[r.plan.fault]++
		err = r.strike(ctx)
	}
	if err == nil {
		if err = r.until(ctx, r.done.Load()+r.plan.more); err == nil && !r.verdict.failed() {
			r.verdict.ok(Recovers, 1)
		}
	}
	r.over.Store(true)
	clients.Wait()
	if err != nil || ctx.Err() != nil {
		return errors.Join(err, ctx.Err())
	}
	return r.check(ctx)
}

// until waits for that many answers. When none come any more the service has
// not come back; the clients say so.
func (r *round) until(ctx context.Context, answers int64) error {
	t := time.NewTicker(time.Millisecond)
	defer t.Stop()
	last, since := r.done.Load(), time.Now()
	for r.done.Load() < answers && !r.verdict.failed() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
		switch n := r.done.Load(); {
		case n != last:
			last, since = n, time.Now()
		case time.Since(since) > comeBackMax:
			r.verdict.broken(Recovers, "no step was answered for %v", comeBackMax)
		}
	}
	return nil
}

// answered counts a step.
func (r *round) answered() { r.done.Add(1) }

// remember puts an act into the round's history, and what is known of the
// switches into the state.
func (r *round) remember(client int, a Act, pinFree bool, at asked) {
	r.mu.Lock()
	r.history.add(client, a, pinFree, at.call, at.end)
	if a.Kind == Pay && pinFree {
		r.free = append(r.free, span{act: a, call: at.call, end: at.end})
	}
	r.mu.Unlock()
	if a.Kind == Pay {
		return
	}
	r.stage.mu.Lock()
	r.state = r.state.after(a)
	r.facts[r.factOf(a)] += max(1, a.Stops)
	r.stage.mu.Unlock()
}
