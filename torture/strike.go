package torture

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mianmi/mianmi"
)

// Fault is what strikes in a round.
type Fault string

// The faults.
const (
	Kill         Fault = "kill"          // kill -9 of one server
	KillAll      Fault = "kill-all"      // kill -9 of all servers at once
	Pause        Fault = "pause"         // a server stands still beyond every time-out, and goes on
	Clock        Fault = "clock"         // the clock of one server is wrong
	Second       Fault = "second"        // a second server on one SQLite file
	DatabaseCut  Fault = "database-cut"  // connections to the database are reset
	DatabaseSlow Fault = "database-slow" // the way to the database is slow
	DatabaseAway Fault = "database-away" // what is sent to the database is swallowed
	DatabaseStop Fault = "database-stop" // the database crashes and is started again
	DiskFull     Fault = "disk-full"     // the database's file system has no room
)

// AllFaults are the faults in the order in which they are told.
var AllFaults = []Fault{Kill, KillAll, Pause, Clock, Second, DatabaseCut, DatabaseSlow, DatabaseAway, DatabaseStop, DiskFull}

var faultTexts = map[Fault]mianmi.Text{
	Kill:         {ZH: "强杀（kill -9）一个服务", EN: "one server killed (kill -9)"},
	KillAll:      {ZH: "同时强杀所有服务", EN: "all servers killed at once"},
	Pause:        {ZH: "一个服务暂停到所有超时之后再继续", EN: "one server paused beyond every time-out and woken"},
	Clock:        {ZH: "一个服务的时钟走错", EN: "one server with a wrong clock"},
	Second:       {ZH: "同一 SQLite 文件上的第二个服务", EN: "a second server on one SQLite file"},
	DatabaseCut:  {ZH: "数据库连接被切断", EN: "connections to the database cut"},
	DatabaseSlow: {ZH: "数据库变慢", EN: "the database slow"},
	DatabaseAway: {ZH: "数据库没有回音", EN: "the database silent"},
	DatabaseStop: {ZH: "数据库崩溃并重启", EN: "the database crashed and restarted"},
	DiskFull:     {ZH: "磁盘写满", EN: "the disk full"},
}

// Text says the fault.
func (f Fault) Text() mianmi.Text { return faultTexts[f] }

// exact reports whether the state of every switch is known after a round with
// this fault: with a server that sleeps, an off that was given up may come true
// when it wakes, and by a wrong clock a cooling-off ends at another time.
func (f Fault) exact() bool { return f != Pause && f != Clock }

func hasAny(list []Fault, any ...Fault) bool {
	return slices.ContainsFunc(list, func(f Fault) bool { return slices.Contains(any, f) })
}

// Possible are those of the faults that a run with the target and that many
// servers can do.
func Possible(faults []Fault, t *Target, nodes int) []Fault {
	return slices.DeleteFunc(slices.Clone(faults), func(f Fault) bool {
		switch f {
		case KillAll, Pause, Clock:
			return nodes < 2
		case Second:
			return !t.sqlite() || nodes > 1
		case DatabaseCut, DatabaseSlow, DatabaseAway:
			return t.sqlite()
		case DatabaseStop:
			return t.Cluster == nil
		case DiskFull:
			return t.Small == nil && !t.BoundFiles
		case Kill:
		}
		return false
	})
}

// strike is a fault with all that chance has drawn for it.
type strike struct {
	fault Fault
	node  int
	after int64         // answers before it
	more  int64         // answers after it
	delay time.Duration // between the last of those answers and it
	last  time.Duration // how long it lasts, where that is not fixed
	times int           // how often it happens in a row
	clock time.Duration
}

// killShare is how many of a hundred rounds are kills, when there are other
// faults: most of what can go wrong is a matter of the moment.
const killShare = 70

// clocks are how far a wrong clock is off: a zone's worth is what doctors find.
var clocks = [...]time.Duration{-10 * time.Minute, -time.Minute, -3 * time.Second, 3 * time.Second, time.Minute, 10 * time.Minute}

// draw chooses the strike of this round: each fault once in the order of the
// list, and then by chance.
func (s *stage) draw() strike {
	rnd := s.rand(1 << 15)
	p := strike{node: rnd.IntN(len(s.nodes)), after: 10 + rnd.Int64N(120), more: 10 + rnd.Int64N(20), delay: time.Duration(rnd.IntN(5000)) * time.Microsecond,
		last: 300*time.Millisecond + time.Duration(rnd.IntN(1500))*time.Millisecond, times: 1 + rnd.IntN(5), clock: clocks[rnd.IntN(len(clocks))]}
	kill, other := rnd.IntN(100) < killShare && slices.Contains(s.cfg.Faults, Kill), s.cfg.Faults[rnd.IntN(len(s.cfg.Faults))]
	switch {
	case s.rounds <= len(s.cfg.Faults):
		p.fault = s.cfg.Faults[s.rounds-1]
	case kill:
		p.fault = Kill
	default:
		p.fault = other
	}
	// Silence, now and then, beyond the deadline of a request.
	if p.fault == DatabaseAway && (s.rounds <= len(s.cfg.Faults) || rnd.IntN(3) == 0) {
		p.last = awayFor
	}
	return p
}

const (
	// pauseFor and awayFor are beyond every time-out of a server that
	// runs with the flags of a run: 10 s for a request, 5 s for a write that has
	// begun, 3 s for a lock, 5 s for a transaction that stands still.
	pauseFor = 12 * time.Second
	awayFor  = 23 * time.Second
	// behind is how many answers a wrong clock, a second server or one that was
	// woken gets before the round goes on.
	behind = 60
)

// strike does it, and returns when whatever was taken away is there again.
func (r *round) strike(ctx context.Context) error {
	p, n := r.plan, r.nodes[r.plan.node]
	pause(ctx, p.delay)
	switch p.fault {
	case Kill:
		n.kill()
		if len(r.nodes) > 1 { // the others go on without it for a while
			if err := r.until(ctx, r.done.Load()+p.more); err != nil {
				return err
			}
		}
		return n.start(ctx)
	case KillAll:
		var all sync.WaitGroup
		for _, n := range r.nodes {
			all.Go(n.kill)
		}
		all.Wait()
		return r.startAll(ctx)
	case Pause:
		n.pause()
		if !pause(ctx, pauseFor) {
			return ctx.Err()
		}
		if err := r.checkLocks(ctx); err != nil {
			return err
		}
		n.resume()
		if err := r.until(ctx, r.done.Load()+behind); err != nil {
			return err
		}
		n.kill() // so that nothing that was given up is left in it
		return n.start(ctx)
	case Clock:
		return r.wrongClock(ctx, n)
	case Second:
		return r.second(ctx)
	case DiskFull:
		return r.diskFull(ctx)
	}
	return r.database(ctx)
}

// standing counts transactions that have stood still for longer than a write
// may take: what they have locked, an emergency stop perhaps waits for.
const standing = `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'mianmi' AND datname = current_database()
	AND state LIKE 'idle in transaction%' AND state_change < now() - interval '8 seconds'`

// checkLocks sees that a server that stands still holds nobody up.
func (r *round) checkLocks(ctx context.Context) error {
	if r.target.sqlite() {
		return nil
	}
	rows, err := r.target.rows()
	if err != nil {
		return err
	}
	n, err := count(ctx, rows, standing)
	if err == nil {
		r.verdict.check(Recovers, n == 0, "%d transactions of the server that stands still hold their locks", n)
	}
	return errors.Join(err, rows.Close())
}

func (r *round) startAll(ctx context.Context) error {
	for _, n := range r.nodes {
		if err := n.start(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (r *round) wrongClock(ctx context.Context, n *node) error {
	for _, clock := range []time.Duration{r.plan.clock, 0} {
		n.kill()
		n.order.Clock = clock
		if err := n.start(ctx); err != nil {
			return err
		}
		if err := r.until(ctx, r.done.Load()+behind); err != nil {
			return err
		}
	}
	return nil
}

// second runs one server more for a while, and kills it.
func (r *round) second(ctx context.Context) error {
	first := r.nodes[0]
	n := &node{n: len(r.nodes), make: first.make, order: first.order}
	if err := n.start(ctx); err != nil {
		return err
	}
	defer n.kill()
	rnd := r.rand(1<<15 + 1)
	alone := &stage{cfg: r.cfg, nodes: []*node{n}, scene: r.scene, begun: r.begun, ctx: r.ctx, bounds: r.bounds, verdict: r.verdict, tally: r.tally, state: r.state}
	for i := range behind {
		w := wish{order: fmt.Sprintf("r%ds%d", r.rounds, i), person: rnd.IntN(peopleMax), method: "card_tap", minor: 1}
		got, at, err := (&round{stage: alone}).authorize(ctx, rnd, r.request(&w), false)
		if err != nil {
			r.notPaid(&w, err)
			continue
		}
		paid := r.record(&w, got)
		r.remember(1<<15, w.act(), paid.pinFree, at)
	}
	return nil
}

// roomLeft is what a full disk still takes: a few transactions, so that one of
// them is the one that does not fit.
const roomLeft = 64 << 10

func (r *round) diskFull(ctx context.Context) error {
	if r.target.BoundFiles {
		return r.filesFull(ctx)
	}
	if err := r.target.Small.Fill(roomLeft); err != nil {
		return err
	}
	pause(ctx, r.plan.last+time.Second)
	err := r.target.Small.Free()
	if err == nil && r.target.Cluster != nil {
		err = r.target.Cluster.Restart() // it ends itself when it cannot recover
	}
	return err
}

// filesFull starts the server with a bound on its files, a little above what
// they have, and lifts it while the server runs.
func (r *round) filesFull(ctx context.Context) error {
	n := r.nodes[0]
	n.kill()
	file := strings.TrimPrefix(r.target.DSN, "sqlite:")
	for _, name := range []string{file, file + "-wal"} {
		if info, err := os.Stat(name); err == nil {
			n.order.FileBytesMax = max(n.order.FileBytesMax, info.Size()+roomLeft)
		}
	}
	err := n.start(ctx)
	n.order.FileBytesMax = 0
	if err != nil {
		return err
	}
	pause(ctx, r.plan.last+time.Second)
	return n.unbind()
}

// database strikes at the way to the database, or at itself.
func (r *round) database(ctx context.Context) error {
	p, t := r.plan, r.target
	switch p.fault {
	case DatabaseCut:
		for range p.times {
			t.proxy.cut()
			pause(ctx, p.last/time.Duration(p.times))
		}
	case DatabaseSlow, DatabaseAway:
		w := slow
		if p.fault == DatabaseAway {
			w = hole
		}
		t.proxy.set(w)
		pause(ctx, p.last)
		t.proxy.set(fair)
	case DatabaseStop:
		if err := t.Cluster.Halt(); err != nil {
			return err
		}
		pause(ctx, p.last)
		return t.Cluster.Restart()
	}
	return ctx.Err()
}
