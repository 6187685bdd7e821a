package risk

import (
	"context"
	"errors"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
)

// Backtest is a rule that is tried on the log.
type Backtest struct {
	Rules []Rule
	Days  int // how far back, 1 to 31
	// Within is how long it may take; what it did not read then is left out, and the
	// result says so. 0: as long as it takes.
	Within time.Duration
	// Progress is called after each page; nil: nobody wants to know.
	Progress func(read, all int64)
}

// Tried is what a rule would have found.
type Tried struct {
	Rule     string
	Findings int64
	Keys     int64 // payers, terminals … that it would have found; counted up to 100,000
	ByDay    map[string]int64
	Examples []Example // the first ones
}

// Example is one finding of a backtest.
type Example struct {
	At    time.Time
	Key   string
	Entry mianmi.EntryID
	Says  mianmi.Text
}

// BacktestResult is what a backtest came to.
type BacktestResult struct {
	Leaves, Events, Faults int64
	Cut                    bool // it took too long: To is where it stopped
	From, To               time.Time
	Tried                  []Tried // in the order of the rules
}

// Bounds of a backtest: it reads that much of the log again, page by page, in
// memory that does not grow with it.
const (
	daysMax     = 31
	examplesMax = 10
	triedMax    = 64
	triedKeys   = 100_000
)

// Backtest asks rules about what has happened, from some days back up to now.
// Windows begin as much earlier as the rules remember. It writes nothing.
func (s *Service) Backtest(ctx context.Context, actor mianmi.Actor, b Backtest) (BacktestResult, error) {
	var r BacktestResult
	if err := access.Allow(actor, access.AlarmShow, access.Target{}); err != nil {
		return r, err
	}
	if actor.Merchant != "" {
		return r, mianmi.Forbidden("not_allowed", "a merchant tries no rules")
	}
	switch {
	case b.Days < 1 || b.Days > daysMax:
		return r, mianmi.InvalidField("days", "want 1 to 31")
	case len(b.Rules) < 1 || len(b.Rules) > triedMax:
		return r, mianmi.InvalidField("rules", "want 1 to 64")
	}
	t := trial{result: &r, places: map[string]int{}}
	var rules []*Compiled
	for i := range b.Rules {
		c, err := Compile(b.Rules[i])
		if err != nil {
			return r, err
		}
		if _, twice := t.places[c.ID]; twice {
			return r, mianmi.InvalidField("rules", c.ID+" stands there twice")
		}
		rules, t.places[c.ID] = append(rules, c), i
		r.Tried = append(r.Tried, Tried{Rule: c.ID, ByDay: map[string]int64{}})
		t.keys = append(t.keys, map[string]bool{})
	}
	size, err := s.Store.LogSize(ctx)
	if err != nil || size == 0 {
		return r, err
	}
	t.engine = NewEngine(rules)
	r.To = s.now()
	r.From = r.To.Add(-time.Duration(b.Days) * 24 * time.Hour)
	return r, s.try(ctx, &t, &b, size)
}

// trial is a backtest that runs.
type trial struct {
	result *BacktestResult
	engine *Engine
	last   time.Time      // of the events, the newest
	places map[string]int // of rules in the result
	keys   []map[string]bool
}

func (s *Service) try(ctx context.Context, t *trial, b *Backtest, size int64) error {
	began := s.Clock.Now()
	first, err := s.leafAt(ctx, t.result.From.Add(-t.engine.Memory()), size)
	if err != nil && !errors.Is(err, mianmi.NotFound) {
		return err
	}
	for next := first; next < size; {
		if b.Within > 0 && s.Clock.Now().Sub(began) >= b.Within {
			t.result.Cut, t.result.To = true, t.last
			return nil
		}
		leaves, err := s.Store.Leaves(ctx, next, leavesMax)
		if err != nil || len(leaves) == 0 {
			return err
		}
		events, faults, err := Read(ctx, s.Store, leaves)
		if err != nil {
			return err
		}
		for i := range events {
			t.take(&events[i])
		}
		t.result.Faults += int64(len(faults))
		t.result.Leaves += int64(len(leaves))
		next = leaves[len(leaves)-1].Index + 1
		if b.Progress != nil {
			b.Progress(next-first, size-first)
		}
	}
	return nil
}

func (t *trial) take(e *Event) {
	t.result.Events++
	if e.At.After(t.last) {
		t.last = e.At
	}
	found := t.engine.Observe(*e)
	if e.At.Before(t.result.From) {
		return
	}
	for i := range found {
		f := &found[i]
		n := t.places[f.Rule.ID]
		r, keys := &t.result.Tried[n], t.keys[n]
		r.Findings++
		r.ByDay[e.local().Format(time.DateOnly)]++
		if len(keys) < triedKeys {
			keys[f.Key] = true
			r.Keys = int64(len(keys))
		}
		if len(r.Examples) < examplesMax {
			r.Examples = append(r.Examples, Example{At: e.At, Key: f.Key, Entry: e.Entry, Says: f.Says()})
		}
	}
}
