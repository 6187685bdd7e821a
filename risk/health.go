package risk

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
)

// MeasureCount is how many measures of a kind are in a state.
type MeasureCount struct {
	Measure Measure
	State   MeasureState // of those that are taken: before their end
	Count   int64
}

// MeasureFigures are how the measures of the last days stand. None lasts longer than
// the seven days that are looked at.
type MeasureFigures struct {
	Counts     []MeasureCount
	Oldest     time.Time // when the longest waiting one was found; zero: none waits
	LapsedOpen int64     // that were never taken, while their alarm is not resolved
}

// Of is how many of a kind are in a state.
func (f *MeasureFigures) Of(m Measure, s MeasureState) (n int64) {
	for _, c := range f.Counts {
		if c.Measure == m && c.State == s {
			n += c.Count
		}
	}
	return n
}

// In is how many are in a state.
func (f *MeasureFigures) In(s MeasureState) (n int64) {
	for _, c := range f.Counts {
		if c.State == s {
			n += c.Count
		}
	}
	return n
}

// Acting are the measures that something is done by.
func Acting() []Measure { return []Measure{Ask, StepUp, Freeze} }

// figuresSpan is how far back figures look.
const figuresSpan = measureMax

// MeasureFigures are the figures of measures, for metrics and for a check of the deployment.
func (s *Service) MeasureFigures(ctx context.Context) (MeasureFigures, error) {
	now := s.now()
	return s.Store.MeasureFigures(ctx, now.Add(-figuresSpan), now)
}

// goneMost bounds how many measures are looked at: a check is no audit.
const goneMost = 500

// Gone are measures that were taken and have not come to their end, of which nothing
// holds: neither hold nor stop is there, and nobody has lifted it since. It looks at
// the newest 500, and is for mianmi's own people.
func (s *Service) Gone(ctx context.Context, actor mianmi.Actor) (out []Protection, err error) {
	if err := access.Allow(actor, access.AlarmShow, access.Target{}); err != nil {
		return nil, err
	}
	now, looked := s.now(), 0
	for _, m := range []Measure{StepUp, Freeze} {
		q := MeasureQuery{Measure: m, State: Taken, Limit: pageMax}
		for looked < goneMost {
			list, err := s.Store.Measures(ctx, q)
			if err != nil {
				return nil, err
			}
			for i := range list {
				p := &list[i]
				if !p.Until.After(now) {
					continue
				}
				looked++
				if holds, err := s.Store.MeasureHolds(ctx, p, now); err != nil {
					return nil, err
				} else if !holds {
					out = append(out, *p)
				}
			}
			if len(list) < pageMax || list[len(list)-1].FoundAt.Before(now.Add(-figuresSpan)) {
				break
			}
			q.Before = list[len(list)-1].ID
		}
	}
	return out, nil
}
