package terminal

import (
	"context"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/rollout"
)

// Reach is the terminals that a stage of a rollout has come to.
type Reach struct {
	Scope string // "merchant:mc…", "everything"
	Place Place
	Epoch int64 // of the change that began the stage
	Has   func(rollout.Place) bool
}

// reachPage is one reading of terminals, of which some are reached.
const reachPage = 1000

// ReachOutstanding returns a page of the reached terminals that have not proved
// the stage's setting.
func (s *Service) ReachOutstanding(ctx context.Context, actor mianmi.Actor, r Reach, after mianmi.TerminalID, limit int) ([]LeftOut, error) {
	if !maySee(actor, place{r.Place.Merchant, r.Place.Store}) {
		return nil, mianmi.Missing("rollout")
	}
	n, err := pageLimit(limit)
	if err != nil {
		return nil, err
	}
	var out []Outstanding
	for {
		list, err := s.records.OffOutstanding(ctx, Off{Scope: r.Scope, Epoch: r.Epoch}, after, reachPage)
		if err != nil {
			return nil, err
		}
		for i := range list {
			o := &list[i]
			if r.Has(rollout.Place{Terminal: o.Terminal, Store: o.Store, Model: o.Model}) {
				out = append(out, *o)
			}
			if after = o.Terminal; len(out) == n {
				return s.leftOut(ctx, out, r.Epoch)
			}
		}
		if len(list) < reachPage {
			return s.leftOut(ctx, out, r.Epoch)
		}
	}
}
