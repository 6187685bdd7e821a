package merchant

import (
	"context"

	"github.com/mianmi/mianmi"
)

// SetFromTerminal switches PIN-free of a terminal's own scope, as the terminal
// asks that its menu belongs to. Off is in force when the call returns. On
// becomes a proposal, whose identifier is returned, unless nothing of the
// terminal's own forbids it.
func (s *Service) SetFromTerminal(ctx context.Context, actor mianmi.Actor, pinFree bool) (mianmi.ApprovalID, error) {
	scope := OfTerminal(mianmi.TerminalID(actor.ID))
	res, err := s.changePolicy(ctx, actor, PolicyOrder{Scope: scope}, func(t Terms) Terms {
		t.PinFree = pinFree
		return t
	})
	if err != nil || res.Proposal == nil {
		return "", err
	}
	return res.Proposal.ID, nil
}

// ApprovalState is the name of a proposal's state at this moment.
func (s *Service) ApprovalState(ctx context.Context, id mianmi.ApprovalID) (string, error) {
	a, err := s.records.Approval(ctx, id)
	if err != nil {
		return "", err
	}
	return a.At(s.now()).String(), nil
}
