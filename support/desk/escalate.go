package desk

import (
	"context"
	"errors"

	"github.com/mianmi/mianmi"
)

// dueMax bounds a round of deadlines.
const dueMax = 100

// Escalate tells of deadlines that come near or have passed, and returns how many
// cases it has looked at. Two nodes that do it at once tell once, for the step is
// a bit of the case that is locked.
func (s *Service) Escalate(ctx context.Context) (int, error) {
	list, err := s.Store.CasesDue(ctx, s.now(), dueMax)
	if err != nil {
		return 0, err
	}
	var faults error
	for _, id := range list {
		faults = errors.Join(faults, s.Store.ChangeCase(ctx, id, func(ch *Change) error { return s.escalate(ch) }))
	}
	return len(list), faults
}

func (s *Service) escalate(ch *Change) error {
	now, said := s.now(), ""
	for _, a := range ch.Case.alarms() {
		if !now.Before(a.at) {
			ch.Case.Escalated |= a.step
			said = a.word // the last of several is the most urgent
		}
	}
	if said == "" {
		return nil
	}
	return s.add(ch, mianmi.System("cases"), TypeEscalated, func(r *Record) { r.Deadline = said })
}
