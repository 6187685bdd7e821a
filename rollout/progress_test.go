package rollout_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/rollout"
)

var noon = time.Date(2026, 11, 30, 4, 0, 0, 0, time.UTC)

// A rollout moves as its state allows and not otherwise, and what was judged of a
// former revision moves nothing.
func TestProgress(t *testing.T) {
	t.Parallel()
	p := rollout.Begin(rollout.Usual(rollout.Stage{Permille: 100}, rollout.Stage{Permille: rollout.All}), "a", noon)
	p.Changed("a", noon)
	if _, err := p.Resume(noon); !errors.Is(err, mianmi.Conflict) {
		t.Errorf("one that runs is resumed: %v", err)
	}
	late := rollout.Figures{For: time.Hour, Reached: 10}
	j, moves := p.Judge(late)
	if !moves || j.Step != rollout.Pause || j.Why.Reason != rollout.FewAttested {
		t.Fatalf("judged %+v, %v", j, moves)
	}
	if what, err := p.Move(j, noon); err != nil || what != rollout.HasPaused || p.State != rollout.Paused || p.Because != j.Why {
		t.Errorf("%s, %v: %+v", what, err, p)
	}
	p.Changed("b", noon.Add(1))
	if _, err := p.Move(j, noon); !rollout.Quicker(err) {
		t.Errorf("what was judged before moves it: %v", err)
	}
	if _, err := p.Advance(noon); !errors.Is(err, mianmi.Conflict) || p.Pause(rollout.Because{}) == nil {
		t.Errorf("a paused one goes on: %v", err)
	}
	if why, err := p.Resume(noon.Add(time.Hour)); err != nil || why != j.Why || p.FromAt != noon.Add(time.Hour) || p.StageAt != noon || p.Because != (rollout.Because{}) {
		t.Errorf("%+v, %v: %+v", why, err, p)
	}
	good := rollout.Figures{For: time.Hour}
	j, _ = p.Judge(good)
	if what, err := p.Move(j, noon.Add(2*time.Hour)); err != nil || what != rollout.HasAdvanced || p.Stage != 1 || p.StageAt != noon.Add(2*time.Hour) || p.FromAt != p.StageAt {
		t.Errorf("%s, %v: %+v", what, err, p)
	}
	if what, err := p.Advance(noon); err != nil || what != rollout.HasFinished || p.State != rollout.Finished || p.Stage != 1 {
		t.Errorf("%s, %v: %+v", what, err, p)
	}
	if p.ChangedBy != "b" || p.StartedBy != "a" || p.Revision != 2 {
		t.Errorf("%+v", p)
	}
}

// By hand a person begins each further stage; the last one ends by itself.
func TestByHand(t *testing.T) {
	t.Parallel()
	p := rollout.Begin(rollout.Usual(rollout.Stage{Permille: 100}, rollout.Stage{Permille: rollout.All}), "a", noon)
	p.Plan.ByHand = true
	good := rollout.Figures{For: time.Hour}
	if j, moves := p.Judge(good); moves {
		t.Errorf("it goes on by itself: %+v", j)
	}
	if j, moves := p.Judge(rollout.Figures{For: time.Hour, Reached: 1}); !moves || j.Step != rollout.Pause {
		t.Errorf("it is not paused: %+v", j)
	}
	p.Stage = 1
	if j, moves := p.Judge(good); !moves || j.Step != rollout.GoOn {
		t.Errorf("the last stage does not end: %+v", j)
	}
}

// Every rollout is looked after once, over all pages, whatever becomes of one.
func TestEach(t *testing.T) {
	t.Parallel()
	var all, seen []mianmi.RolloutID
	for i := range 450 {
		all = append(all, mianmi.RolloutID(fmt.Sprintf("ro%03d", 999-i)))
	}
	bad := errors.New("bad")
	err := rollout.Each(func(before mianmi.RolloutID, limit int) ([]mianmi.RolloutID, error) {
		from := 0
		if before != "" {
			from = slices.Index(all, before) + 1
		}
		return all[from:min(from+limit, len(all))], nil
	}, func(id mianmi.RolloutID) error {
		if seen = append(seen, id); id == "ro990" {
			return bad
		}
		return nil
	})
	if !errors.Is(err, bad) || !slices.Equal(seen, all) {
		t.Errorf("%v, %d of %d", err, len(seen), len(all))
	}
	if err := rollout.Each(func(mianmi.RolloutID, int) ([]mianmi.RolloutID, error) { return nil, bad }, nil); !errors.Is(err, bad) {
		t.Errorf("%v", err)
	}
}
