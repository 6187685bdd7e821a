package terminal

import (
	"context"
	"errors"
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

// programLease is above what a look takes; a node that dies with it is followed
// by another after that.
const programLease = time.Minute

// programRunner is who moves rollouts of programs.
var programRunner = mianmi.System("program-rollouts")

// WatchPrograms judges the rollouts that run, and pauses, advances or finishes
// them. Several nodes may do it: each takes those that no other has, and leaves
// them for rest afterwards.
func (s *Service) WatchPrograms(ctx context.Context, rest time.Duration) error {
	return rollout.Each(func(before mianmi.RolloutID, limit int) ([]mianmi.RolloutID, error) {
		list, err := s.records.ProgramRolloutList(ctx, ProgramQuery{Open: true, Before: before, Limit: limit})
		ids := make([]mianmi.RolloutID, len(list))
		for i := range list {
			ids[i] = list[i].ID
		}
		return ids, err
	}, func(id mianmi.RolloutID) error { return s.lookAfterProgram(ctx, id, rest) })
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
	j, moves := judged.Judge(f)
	if !moves {
		return nil
	}
	_, err = s.changeProgram(ctx, programRunner, id, func(r *ProgramRollout) (becomes, error) {
		what, err := r.Move(j, s.now())
		return becomes{what: what}, err
	})
	if rollout.Quicker(err) {
		return nil
	}
	return err
}
