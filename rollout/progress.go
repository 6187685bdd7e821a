package rollout

import (
	"errors"
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
)

// Progress is how far a rollout is, and who last moved it. It is stored as part
// of the rollout. The zero Progress has no plan and reaches nobody.
type Progress struct {
	Plan    Plan      `json:"plan"`
	State   State     `json:"state"`
	Stage   int       `json:"stage"` // from 0
	StageAt time.Time `json:"stage_at"`
	FromAt  time.Time `json:"judged_at"`        // its figures count from here: when it began, or was resumed
	Because Because   `json:"because,omitzero"` // why it does not run

	StartedBy string    `json:"started_by"`
	StartedAt time.Time `json:"started_at"`
	ChangedBy string    `json:"changed_by"` // of the state or the stage, last
	ChangedAt time.Time `json:"changed_at"`
	Revision  int64     `json:"revision"` // raised by every change of the record
}

// Begin is the beginning of the first stage.
func Begin(p Plan, by string, now time.Time) Progress {
	return Progress{Plan: p, State: Running, StageAt: now, FromAt: now, StartedBy: by, StartedAt: now}
}

// Changed stamps a change.
func (p *Progress) Changed(by string, now time.Time) {
	p.ChangedBy, p.ChangedAt = by, now
	p.Revision++
}

// Pause keeps it where it is; a Conflict when it does not run.
func (p *Progress) Pause(why Because) error {
	if p.State != Running {
		return mianmi.Conflicts("rollout_paused", "it is paused already")
	}
	p.State, p.Because = Paused, why
	return nil
}

// Resume lets it go on, judged anew from now, and says why it had stood still; a
// Conflict when it is not paused.
func (p *Progress) Resume(now time.Time) (Because, error) {
	if p.State != Paused {
		return Because{}, mianmi.Conflicts("rollout_not_paused", "it is not paused")
	}
	why := p.Because
	p.State, p.Because, p.FromAt = Running, Because{}, now
	return why, nil
}

// What becomes of a rollout, as the last part of the type of the entry says it.
const (
	HasStarted  = "started"
	HasPaused   = "paused"
	HasResumed  = "resumed"
	HasAdvanced = "advanced"
	HasFinished = "finished"
	HasStopped  = "stopped"
)

// Advance begins the next stage, and finishes it after the last one; it says
// which. A Conflict when it does not run.
func (p *Progress) Advance(now time.Time) (what string, err error) {
	if p.State != Running {
		return "", mianmi.Conflicts("rollout_paused", "it is paused: resume it first")
	}
	if p.Plan.Last(p.Stage) {
		p.State = Finished
		return HasFinished, nil
	}
	p.Stage++
	p.StageAt, p.FromAt = now, now
	return HasAdvanced, nil
}

// Stop ends it.
func (p *Progress) Stop(why Because) { p.State, p.Because = Stopped, why }

// errJudged says that a rollout changed after it was judged: look again.
var errJudged = errors.New("the rollout has changed since it was judged")

// Judged is a stage that has to move. It belongs to the revision that was judged.
type Judged struct {
	Revision int64
	Step     Step // Pause or GoOn
	Why      Because
}

// Judge says whether a running stage has to move by itself, and how. A person
// begins each further stage where the plan says so; the last one ends by itself.
func (p *Progress) Judge(f Figures) (j Judged, moves bool) {
	step, why := p.Plan.Judge(f)
	if step == GoOn && p.Plan.ByHand && !p.Plan.Last(p.Stage) {
		step = Wait
	}
	return Judged{p.Revision, step, why}, step != Wait
}

// Move carries out what was judged, and says what that is: an error of which Quicker is true when it is
// about a former revision.
func (p *Progress) Move(j Judged, now time.Time) (what string, err error) {
	switch {
	case p.Revision != j.Revision:
		return "", errJudged
	case j.Step == Pause:
		return HasPaused, p.Pause(j.Why)
	}
	return p.Advance(now)
}

// Quicker reports whether a judged stage was not moved because somebody moved
// the rollout before.
func Quicker(err error) bool { return errors.Is(err, errJudged) || errors.Is(err, mianmi.Conflict) }

// pageMost bounds one reading of rollouts; a few run at a time.
const pageMost = 200

// Each looks after every rollout that page brings, newest first: it returns those
// that are open and come before one, at most limit. One that cannot be looked at
// does not keep the others.
func Each(page func(before mianmi.RolloutID, limit int) ([]mianmi.RolloutID, error), look func(mianmi.RolloutID) error) error {
	var errs []error
	var before mianmi.RolloutID
	for {
		list, err := page(before, pageMost)
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		for _, id := range list {
			if err := look(id); err != nil {
				errs = append(errs, fmt.Errorf("rollout %s: %w", id, err))
			}
		}
		if len(list) < pageMost {
			return errors.Join(errs...)
		}
		before = list[len(list)-1]
	}
}
