package terminal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/rollout"
)

// Programs is what staged rollouts of programs need of the store.
type Programs interface {
	ProgramRollout(ctx context.Context, id mianmi.RolloutID) (ProgramRollout, error)
	// ProgramRolloutOf is the rollout of a version, by the text of Release; nil:
	// there is none. One that cannot be read is the zero rollout.
	ProgramRolloutOf(ctx context.Context, family, release string) (*ProgramRollout, error)
	// ProgramRolloutList is newest first.
	ProgramRolloutList(ctx context.Context, q ProgramQuery) ([]ProgramRollout, error)
	// CreateProgramRollout is a Conflict when the version has had one.
	CreateProgramRollout(ctx context.Context, r ProgramRollout, e evidence.Entry) error
	// ChangeProgramRollout locks the rollout, lets decide say what it becomes, and
	// writes that and the entry in one transaction. Nothing is written when decide fails.
	ChangeProgramRollout(ctx context.Context, id mianmi.RolloutID, decide func(ProgramRollout) (ProgramRollout, evidence.Entry, error)) error
	// ClaimProgramRollout takes a running rollout for this node and a time; false:
	// it is another node's, or not running. RestProgramRollout gives it back after a rest.
	ClaimProgramRollout(ctx context.Context, id mianmi.RolloutID, lease time.Duration) (bool, error)
	RestProgramRollout(ctx context.Context, id mianmi.RolloutID, rest time.Duration) error

	Device(ctx context.Context, id mianmi.TerminalID) (Device, error)
	Devices(ctx context.Context, after mianmi.TerminalID, limit int) ([]Device, error)
	// CountPayments counts the payments at these terminals since then, of the newest.
	CountPayments(ctx context.Context, since time.Time, at map[mianmi.TerminalID]bool, f *rollout.Figures) error
}

// ProgramQuery asks for a page of programs' rollouts, newest first.
type ProgramQuery struct {
	Family string           // empty: any
	Open   bool             // only those that run or are paused
	Before mianmi.RolloutID // the last one of the page before; empty: from the newest
	Limit  int
}

// ProgramRolledOut is a program's rollout and how far its stage is.
type ProgramRolledOut struct {
	ProgramRollout
	Figures rollout.Figures // zero once it is over
}

// MayTake reports whether this host gives a version of the program to a terminal
// now. A version that is in no rollout is everybody's; a terminal of which
// nothing is known gets none that is in one.
func (s *Service) MayTake(ctx context.Context, id mianmi.TerminalID, family, version string) (bool, error) {
	text, err := release(family, version)
	if err != nil {
		return false, err
	}
	r, err := s.records.ProgramRolloutOf(ctx, family, text)
	if err != nil || r == nil {
		return err == nil, err
	}
	d, err := s.records.Device(ctx, id)
	if errors.Is(err, mianmi.NotFound) {
		d, err = Device{}, nil
	}
	return err == nil && r.Gives(&d), err
}

// NewProgram is a version of the program and how it comes to a family of models.
type NewProgram struct {
	Family, Version string
	Plan            rollout.Plan
}

// StartProgram begins to bring a version to the terminals of a family in
// stages, best before it is published. It takes nothing from anybody and gives
// nothing to anybody whom publishing alone would not give it, so one person may.
func (s *Service) StartProgram(ctx context.Context, actor mianmi.Actor, n NewProgram) (ProgramRollout, error) {
	if !mayModel(actor) {
		return ProgramRollout{}, denied()
	}
	if _, err := release(n.Family, n.Version); err != nil {
		return ProgramRollout{}, err
	}
	if err := n.Plan.Validate(); err != nil {
		return ProgramRollout{}, err
	}
	if err := s.checkNames(ctx, &n.Plan); err != nil {
		return ProgramRollout{}, err
	}
	now := s.now()
	id, err := mianmi.NewID("ro", now, s.random)
	if err != nil {
		return ProgramRollout{}, err
	}
	r := ProgramRollout{ID: mianmi.RolloutID(id), Kind: rollout.Program, Family: n.Family, Version: n.Version, Progress: rollout.Begin(n.Plan, actor.String(), now)}
	e, err := s.programChanged(actor, &r, becomes{what: rollout.HasStarted})
	if err != nil {
		return ProgramRollout{}, err
	}
	return r, s.records.CreateProgramRollout(ctx, r, e)
}

// checkNames refuses a plan that names what is not there.
func (s *Service) checkNames(ctx context.Context, p *rollout.Plan) error {
	for i := range p.Stages {
		st, field := &p.Stages[i], fmt.Sprintf("rollout.stages[%d].", i)
		for _, id := range st.Terminals {
			if _, err := s.records.Terminal(ctx, id); err != nil {
				return asField(field+"terminals", err)
			}
		}
		for _, id := range st.Stores {
			if _, err := s.records.StoreMerchant(ctx, id); err != nil {
				return asField(field+"stores", err)
			}
		}
		for _, id := range st.Models {
			if _, err := s.records.Model(ctx, id); err != nil {
				return asField(field+"models", err)
			}
		}
	}
	return nil
}

// programChanged stamps a rollout that has changed, and makes the entry of it.
func (s *Service) programChanged(actor mianmi.Actor, r *ProgramRollout, b becomes) (evidence.Entry, error) {
	r.Changed(actor.String(), s.now())
	n := programNote{Rollout: r.ID, Family: r.Family, Version: r.Version, State: r.State.String(), Stage: r.Stage, Stages: len(r.Plan.Stages), Paused: b.paused}
	if r.Revision == 1 {
		n.Plan = &r.Plan
	}
	if r.Because != (rollout.Because{}) {
		n.Because = &r.Because
	}
	return s.entry(actor, fact{"program." + b.what, "program:" + r.Family + "/" + r.Version, n})
}

// Program returns a program's rollout with its live count.
func (s *Service) Program(ctx context.Context, actor mianmi.Actor, id mianmi.RolloutID) (ProgramRolledOut, error) {
	if !maySeePrograms(actor) {
		return ProgramRolledOut{}, denied()
	}
	r, err := s.records.ProgramRollout(ctx, id)
	if err != nil {
		return ProgramRolledOut{}, err
	}
	f, err := s.programFigures(ctx, &r)
	return ProgramRolledOut{r, f}, err
}

// Programs returns a page of programs' rollouts, newest first, without counts.
func (s *Service) Programs(ctx context.Context, actor mianmi.Actor, q ProgramQuery) ([]ProgramRollout, error) {
	if !maySeePrograms(actor) {
		return nil, denied()
	}
	n, err := pageLimit(q.Limit)
	if err != nil {
		return nil, err
	}
	q.Limit = n
	return s.records.ProgramRolloutList(ctx, q)
}

// PauseProgram keeps a rollout where it is: nobody gets the version meanwhile,
// and who runs it keeps it. Whoever may switch PIN-free off may pause.
func (s *Service) PauseProgram(ctx context.Context, actor mianmi.Actor, id mianmi.RolloutID) (ProgramRollout, error) {
	return s.changeProgram(ctx, actor, id, func(r *ProgramRollout) (becomes, error) {
		if !mayHoldPrograms(actor) {
			return becomes{}, denied()
		}
		return becomes{what: rollout.HasPaused}, r.Pause(rollout.Because{Reason: rollout.ByPerson})
	})
}

// ResumeProgram lets a paused rollout go on; its stage is judged anew from now,
// without the refusals that had paused it. After a threshold's pause the record
// says which one.
func (s *Service) ResumeProgram(ctx context.Context, actor mianmi.Actor, id mianmi.RolloutID) (ProgramRollout, error) {
	return s.changeProgram(ctx, actor, id, func(r *ProgramRollout) (becomes, error) {
		if !mayModel(actor) {
			return becomes{}, denied()
		}
		why, err := r.Resume(s.now())
		if why.Reason == rollout.ManyRefused {
			r.Excused += why.Count
		}
		return becomes{rollout.HasResumed, &why}, err
	})
}

// AdvanceProgram begins the next stage without waiting for anything; after the
// last one the rollout is finished. A paused one has to be resumed first.
func (s *Service) AdvanceProgram(ctx context.Context, actor mianmi.Actor, id mianmi.RolloutID) (ProgramRollout, error) {
	return s.changeProgram(ctx, actor, id, func(r *ProgramRollout) (becomes, error) {
		if !mayModel(actor) {
			return becomes{}, denied()
		}
		what, err := r.Advance(s.now())
		return becomes{what: what}, err
	})
}

// StopProgram ends the rollout: nobody new gets the version any more, and a
// terminal on which it waits drops it. Who runs it keeps it until something newer
// comes. It cannot be begun anew: what is put right is another version.
func (s *Service) StopProgram(ctx context.Context, actor mianmi.Actor, id mianmi.RolloutID) (ProgramRollout, error) {
	return s.changeProgram(ctx, actor, id, func(r *ProgramRollout) (becomes, error) {
		if !mayHoldPrograms(actor) {
			return becomes{}, denied()
		}
		r.Stop(rollout.Because{Reason: rollout.ByPerson})
		return becomes{what: rollout.HasStopped}, nil
	})
}

// becomes is what becomes of a rollout, and of one that goes on after a pause,
// why it had stood still.
type becomes struct {
	what   string
	paused *rollout.Because
}

// changeProgram runs how on a rollout that is open; how alters it and says what
// to record.
func (s *Service) changeProgram(ctx context.Context, actor mianmi.Actor, id mianmi.RolloutID, how func(*ProgramRollout) (becomes, error)) (ProgramRollout, error) {
	if !maySeePrograms(actor) {
		return ProgramRollout{}, denied()
	}
	var after ProgramRollout
	err := s.records.ChangeProgramRollout(ctx, id, func(before ProgramRollout) (ProgramRollout, evidence.Entry, error) {
		after = before
		if !before.State.Open() {
			return before, evidence.Entry{}, mianmi.Conflicts("rollout_over", "the rollout is over: "+before.State.String())
		}
		b, err := how(&after)
		if err != nil {
			return before, evidence.Entry{}, err
		}
		e, err := s.programChanged(actor, &after, b)
		return after, e, err
	})
	if err != nil {
		return ProgramRollout{}, err
	}
	return after, nil
}
