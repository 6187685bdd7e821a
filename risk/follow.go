package risk

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
)

const (
	// leaseFor is how long a follower that has died keeps others waiting; each turn
	// renews it, and takes well below a second.
	leaseFor = 15 * time.Second
	// leavesMax bounds a page, and with it what one transaction writes; the store bounds
	// it by its bytes, too.
	leavesMax = 64
	// workMax is how long pages are read without a rest: a tenth of the time from one
	// call to the next.
	workMax = 25 * time.Millisecond
	// restMax bounds the rest after a turn: a third of the lease.
	restMax = 5 * time.Second
	// renewEvery is how long a lease is trusted without asking: a third of it.
	renewEvery = 5 * time.Second
	// writeEvery is how long a position may wait to be written when nothing was found:
	// whoever takes over reads that again and finds nothing again.
	writeEvery = time.Second
)

// follower is what the node that reads the log keeps in memory. All of it can be
// read again from the log.
type follower struct {
	name    string
	engine  *Engine   // nil: nothing is known
	next    int64     // the leaf that the engine has to see next
	from    int64     // the leaf from which on findings count; before it all is done
	written int64     // from, as the database has it
	wrote   time.Time // when that was written
	renewed time.Time // since when the lease runs, by this node's clock; zero: there is none
	rules   ruleSet   // that the engine asks
	rest    time.Time // until when it does nothing, so that payments have the machine

	events, findings, faults, evicted, failed atomic.Int64
	position                                  atomic.Int64 // as far as this node knows
	following                                 atomic.Bool
}

// Figures are what this node has done since it began, for metrics.
type Figures struct {
	Events   int64 // read, by replays too
	Findings int64
	Faults   int64 // entries that could not be read
	Evicted  int64 // keys that were let go before their time
	Failed   int64 // conditions that could not be told
	Position int64 // the next leaf
	Follows  bool  // this node reads the log
}

// Figures returns them.
func (s *Service) Figures() Figures {
	f := &s.follower
	return Figures{Events: f.events.Load(), Findings: f.findings.Load(), Faults: f.faults.Load(), Evicted: f.evicted.Load(), Failed: f.failed.Load(),
		Position: f.position.Load(), Follows: f.following.Load()}
}

// Follow reads the next pages of the log, and reports whether there may be more.
// One node follows at a time; the others wait for its lease to end. Who takes over
// reads silently as far back as the rules remember, so that windows are as they
// were, and goes on where the other stood. After its work it rests, by Share.
func (s *Service) Follow(ctx context.Context) (more bool, err error) {
	f, began := &s.follower, s.Clock.Now()
	if began.Before(f.rest) && f.rest.Sub(began) <= restMax { // else the clock was set back
		return false, nil
	}
	if began.Before(f.renewed) || began.Sub(f.renewed) >= renewEvery {
		if held, err := s.lead(ctx, began); err != nil || !held {
			return false, err
		}
	}
	ended := began
	for page := true; page && ctx.Err() == nil && ended.Sub(began) < workMax; ended = s.Clock.Now() {
		if page, err = s.turn(ctx, ended); err != nil {
			f.engine, f.renewed = nil, time.Time{} // it has seen what was not written
			return false, err
		}
		more = more || page
	}
	if more {
		f.rest = ended.Add(min(ended.Sub(began)*time.Duration(100-s.Share)/time.Duration(s.Share), restMax))
	}
	return more, nil
}

// lead takes or keeps the lease. Where somebody else has read meanwhile, what the
// engine knows is of no use.
func (s *Service) lead(ctx context.Context, now time.Time) (held bool, err error) {
	f := &s.follower
	position, held, err := s.Store.Follow(ctx, f.name, leaseFor)
	f.following.Store(held && err == nil)
	if err != nil || !held {
		f.engine, f.renewed = nil, time.Time{}
		return false, err
	}
	if f.renewed = now; f.engine == nil || position != f.written {
		f.engine, f.from, f.written = nil, position, position
		f.position.Store(position)
	}
	return true, nil
}

// turn reads a page of the log for signals.
func (s *Service) turn(ctx context.Context, now time.Time) (more bool, err error) {
	f := &s.follower
	revision, err := s.Store.RulesRevision(ctx)
	if err != nil {
		return false, err
	}
	if f.engine == nil || f.rules.revision != revision {
		if err := s.begin(ctx, f.from); err != nil {
			return false, err
		}
	}
	leaves, err := s.Store.Leaves(ctx, f.next, leavesMax)
	if err != nil {
		return false, err
	}
	if len(leaves) == 0 {
		if f.from == f.written {
			return false, nil
		}
		return false, s.write(ctx, &Step{Next: f.from}, now)
	}
	return true, s.read(ctx, leaves, now)
}

// write writes a step and how far it came, which keeps the lease.
func (s *Service) write(ctx context.Context, step *Step, now time.Time) error {
	f := &s.follower
	step.Holder, step.From, step.Lease = f.name, f.written, leaseFor
	if err := s.Store.Found(ctx, *step); err != nil {
		return err
	}
	f.written, f.wrote, f.renewed = step.Next, now, now
	return nil
}

// Leave lets another node follow at once. It is called when Follow is called no more.
func (s *Service) Leave(ctx context.Context) error {
	s.follower.engine, s.follower.renewed = nil, time.Time{}
	s.follower.following.Store(false)
	return s.Store.Leave(ctx, s.follower.name)
}

// begin makes an engine that has to see the log from as far back as the rules
// remember.
func (s *Service) begin(ctx context.Context, position int64) error {
	rules, err := s.asked(ctx)
	if err != nil {
		return err
	}
	engine := NewEngine(rules.list)
	next := int64(0)
	if position > 0 {
		at, err := s.Store.LeafTime(ctx, position-1)
		if err != nil {
			return err
		}
		if next, err = s.leafAt(ctx, at.Add(-engine.Memory()), position); err != nil {
			return err
		}
	}
	f := &s.follower
	f.engine, f.next, f.rules = engine, next, rules
	return nil
}

// lateMax is how much later than its neighbours an entry may come into the log: a
// transaction that took that long would have been ended.
const lateMax = time.Minute

// leafAt is a leaf before all of a time or later, at most end. The log's order is
// almost that of time.
func (s *Service) leafAt(ctx context.Context, at time.Time, end int64) (int64, error) {
	at = at.Add(-lateMax)
	low, high := int64(0), end
	for low < high {
		middle := low + (high-low)/2
		t, err := s.Store.LeafTime(ctx, middle)
		if err != nil {
			return 0, err
		}
		if t.Before(at) {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, nil
}

// read shows a page to the engine and writes what is found from f.from on.
func (s *Service) read(ctx context.Context, leaves []evidence.Leaf, now time.Time) error {
	f := &s.follower
	events, faults, err := Read(ctx, s.Store, leaves)
	if err != nil {
		return err
	}
	f.faults.Add(int64(len(faults)))
	for _, fault := range faults {
		s.Log.ErrorContext(ctx, "risk: an entry of the log cannot be read, and no signal is made of it", "error", fault)
	}
	var found []Finding
	var reports []Event
	for i := range events {
		list := f.engine.Observe(events[i])
		if events[i].Leaf < f.from {
			continue
		}
		found = append(found, list...)
		if events[i].Kind == Trouble {
			reports = append(reports, events[i])
		}
	}
	f.events.Add(int64(len(events)))
	f.evicted.Store(f.engine.Evicted())
	f.failed.Store(f.engine.Failed())
	f.next = leaves[len(leaves)-1].Index + 1
	if f.next <= f.from {
		return nil
	}
	step := Step{Next: f.next}
	if err := errors.Join(s.fill(&step, found), s.fillReports(&step, reports)); err != nil {
		return err
	}
	if since := now.Sub(f.wrote); !step.empty() || since >= writeEvery || since < 0 {
		if err := s.write(ctx, &step, now); err != nil {
			return err
		}
	}
	f.from = f.next
	f.position.Store(f.next)
	f.findings.Add(int64(len(found)))
	return nil
}

// fill adds what findings become: alarms with the measures of their rules, or a
// count of what a rule in shadow saw.
func (s *Service) fill(step *Step, found []Finding) error {
	for i := range found {
		f := &found[i]
		if s.follower.rules.shadow[f.Rule.ID] {
			step.see(f)
			continue
		}
		a, err := s.alarm(f)
		if err != nil {
			return err
		}
		e, err := s.entry(mianmi.System("risk"), TypeOpened, &a)
		if err != nil {
			return err
		}
		step.Alarms, step.Entries = append(step.Alarms, a), append(step.Entries, e)
		list, err := s.protections(f, s.follower.rules.versions[f.Rule.ID])
		if err != nil {
			return err
		}
		step.Measures = append(step.Measures, list...)
	}
	return nil
}

// empty reports whether nothing was found on the way.
func (step *Step) empty() bool { return len(step.Alarms)+len(step.Measures)+len(step.Shadows) == 0 }

// see counts a finding of a rule in shadow.
func (step *Step) see(f *Finding) {
	i := slices.IndexFunc(step.Shadows, func(o Seen) bool { return o.Rule == f.Rule.ID })
	if i < 0 {
		i = len(step.Shadows)
		step.Shadows = append(step.Shadows, Seen{Rule: f.Rule.ID})
	}
	seen := &step.Shadows[i]
	seen.Count++
	seen.LastAt, seen.Last = f.Event.At, f.Event.Entry
}

// Lag is how many leaves of the log nobody has looked at yet.
func (s *Service) Lag(ctx context.Context) (int64, error) {
	size, err := s.Store.LogSize(ctx)
	if err != nil {
		return 0, err
	}
	position, err := s.Store.FollowedTo(ctx)
	if err != nil || position < 0 {
		return 0, err
	}
	return max(size-position, 0), nil
}
