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
	// leavesMax bounds a turn; the store bounds it by its bytes, too.
	leavesMax = 200
	// restMax bounds the rest after a turn: a third of the lease.
	restMax = 5 * time.Second
)

// follower is what the node that reads the log keeps in memory. All of it can be
// read again from the log.
type follower struct {
	name   string
	engine *Engine   // nil: nothing is known
	next   int64     // the leaf that the engine has to see next
	rules  ruleSet   // that the engine asks
	rest   time.Time // until when it does nothing, so that payments have the machine

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

// Follow reads the next page of the log, and reports whether there may be more.
// One node follows at a time; the others wait for its lease to end. Who takes over
// reads silently as far back as the rules remember, so that windows are as they
// were, and goes on where the other stood. After its work it rests, by Share.
func (s *Service) Follow(ctx context.Context) (more bool, err error) {
	f, began := &s.follower, s.Clock.Now()
	if began.Before(f.rest) && f.rest.Sub(began) <= restMax { // else the clock was set back
		return false, nil
	}
	position, held, err := s.Store.Follow(ctx, f.name, leaseFor)
	f.following.Store(held && err == nil)
	if err != nil || !held {
		f.engine = nil
		return false, err
	}
	f.position.Store(position)
	if more, err = s.turn(ctx, position); err != nil {
		f.engine = nil // it has seen what was not written
		return false, err
	}
	if more {
		ended := s.Clock.Now()
		f.rest = ended.Add(min(ended.Sub(began)*time.Duration(100-s.Share)/time.Duration(s.Share), restMax))
	}
	return more, nil
}

// turn reads a page of the log for signals.
func (s *Service) turn(ctx context.Context, position int64) (more bool, err error) {
	f := &s.follower
	revision, err := s.Store.RulesRevision(ctx)
	if err != nil {
		return false, err
	}
	if f.engine == nil || f.next > position || f.rules.revision != revision {
		if err := s.begin(ctx, position); err != nil {
			return false, err
		}
	}
	leaves, err := s.Store.Leaves(ctx, f.next, leavesMax)
	if err != nil || len(leaves) == 0 {
		return false, err
	}
	return true, s.read(ctx, leaves, position)
}

// Leave lets another node follow at once. It is called when Follow is called no more.
func (s *Service) Leave(ctx context.Context) error {
	s.follower.engine = nil
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

// read shows a page to the engine and writes what is found beyond the position.
func (s *Service) read(ctx context.Context, leaves []evidence.Leaf, position int64) error {
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
		if events[i].Leaf < position {
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
	next := leaves[len(leaves)-1].Index + 1
	if next > position {
		step := Step{Holder: f.name, From: position, Next: next}
		if err := errors.Join(s.fill(&step, found), s.fillReports(&step, reports)); err != nil {
			return err
		}
		if err := s.Store.Found(ctx, step); err != nil {
			return err
		}
		f.position.Store(next)
		f.findings.Add(int64(len(found)))
	}
	f.next = next
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
