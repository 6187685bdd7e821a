package terminal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/rollout"
)

// devicesPage is what one reading of terminals brings: a transaction of
// milliseconds.
const devicesPage = 2000

// devices calls fn with every terminal of the rollout's family that may have a
// program, until it says that it has enough.
func (s *Service) devices(ctx context.Context, family string, after mianmi.TerminalID, fn func(*Device) bool) error {
	for {
		list, err := s.records.Devices(ctx, after, devicesPage)
		if err != nil {
			return err
		}
		for i := range list {
			after = list[i].Terminal
			if d := &list[i]; d.Family == family && !d.Revoked && !fn(d) {
				return nil
			}
		}
		if len(list) < devicesPage {
			return nil
		}
	}
}

// programFigures counts what there is to be judged of an open rollout: payments
// at the terminals that run the version.
func (s *Service) programFigures(ctx context.Context, r *ProgramRollout) (rollout.Figures, error) {
	var f rollout.Figures
	if !r.State.Open() {
		return f, nil
	}
	f.For = max(0, s.now().Sub(r.FromAt))
	runs := map[mianmi.TerminalID]bool{}
	err := s.devices(ctx, r.Family, "", func(d *Device) bool {
		f.Total++
		if !r.reaches(d) {
			return true
		}
		f.Reached++
		switch d.Doing(r.Version) {
		case doingUnproven:
			f.HostAlone++
		case DoingRuns:
			f.Attested++
			runs[d.Terminal] = true
		case DoingWaits, DoingTrial:
			f.Delivered++
		case DoingRefused:
			f.Refused++
		case DoingNothing:
		}
		return true
	})
	if err != nil || len(runs) == 0 {
		return f, err
	}
	return f, s.records.CountPayments(ctx, r.FromAt, runs, &f)
}

// ProgramLeft is a reached terminal that does not run the version.
type ProgramLeft struct {
	Device
	Doing Doing
}

// ProgramOutstanding returns a page of the terminals that the present stage has
// come to and that do not run the version, each with how it stands.
func (s *Service) ProgramOutstanding(ctx context.Context, actor mianmi.Actor, id mianmi.RolloutID, after mianmi.TerminalID, limit int) ([]ProgramLeft, error) {
	if !maySeePrograms(actor) {
		return nil, denied()
	}
	n, err := pageLimit(limit)
	if err != nil {
		return nil, err
	}
	r, err := s.records.ProgramRollout(ctx, id)
	if err != nil || !r.State.Open() {
		return nil, err
	}
	var out []ProgramLeft
	err = s.devices(ctx, r.Family, after, func(d *Device) bool {
		if doing := d.Doing(r.Version); r.reaches(d) && doing != DoingRuns && doing != doingUnproven {
			out = append(out, ProgramLeft{*d, doing})
		}
		return len(out) < n
	})
	return out, err
}

const (
	// programLease is above what a look takes; a node that dies with it is followed
	// by another after that.
	programLease = time.Minute
	// programsAtOnce bounds one reading; a few run at a time.
	programsAtOnce = 200
)

// programRunner is who moves rollouts of programs.
var programRunner = mianmi.System("program-rollouts")

// WatchPrograms judges the rollouts that run, and pauses, advances or finishes
// them. Several nodes may do it: each takes those that no other has, and leaves
// them for rest afterwards.
func (s *Service) WatchPrograms(ctx context.Context, rest time.Duration) error {
	q := ProgramQuery{Open: true, Limit: programsAtOnce}
	var errs []error // one that cannot be looked at must not keep the others
	for {
		list, err := s.records.ProgramRolloutList(ctx, q)
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		for i := range list {
			if list[i].State != rollout.Running {
				continue
			}
			if err := s.lookAfterProgram(ctx, list[i].ID, rest); err != nil {
				errs = append(errs, fmt.Errorf("rollout %s: %w", list[i].ID, err))
			}
		}
		if len(list) < q.Limit {
			return errors.Join(errs...)
		}
		q.Before = list[len(list)-1].ID
	}
}

// lookAfterProgram judges a rollout unless another node has it.
func (s *Service) lookAfterProgram(ctx context.Context, id mianmi.RolloutID, rest time.Duration) error {
	mine, err := s.records.ClaimProgramRollout(ctx, id, programLease)
	if err != nil || !mine {
		return err
	}
	return errors.Join(s.watchProgram(ctx, id), s.records.RestProgramRollout(ctx, id, rest))
}

func (s *Service) watchProgram(ctx context.Context, id mianmi.RolloutID) error {
	judged, err := s.records.ProgramRollout(ctx, id)
	if err != nil {
		return err
	}
	f, err := s.programFigures(ctx, &judged)
	if err != nil {
		return err
	}
	f.Refused = max(0, f.Refused-judged.Excused)
	step, why := judged.Plan.Judge(f)
	if step == rollout.Wait || step == rollout.GoOn && judged.Plan.ByHand && !judged.Plan.Last(judged.Stage) {
		return nil
	}
	_, err = s.changeProgram(ctx, programRunner, id, func(r *ProgramRollout) (string, *rollout.Because, error) {
		switch {
		case r.Revision != judged.Revision: // what was judged is over
			return "", nil, errJudged
		case step == rollout.Pause:
			return r.pause(why), nil, nil
		}
		return r.advance(s.now()), nil, nil
	})
	if errors.Is(err, errJudged) || errors.Is(err, mianmi.Conflict) {
		return nil // somebody was quicker
	}
	return err
}

// errJudged says that a rollout changed after it was judged: look again.
var errJudged = errors.New("the rollout has changed since it was judged")
