package liability

import (
	"context"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payment"
)

// WhileOff are those of a payer's payments that passed PIN-free although something
// that concerned them was off and acknowledged, by the record, with money still
// missing: the platform's own breach. What cannot be rebuilt is not among them.
func (s *Service) WhileOff(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, list []payment.Payment) (out []payment.Payment, err error) {
	var record past
	for i := range list {
		p := &list[i]
		if !p.PinFree() || p.Payer != id || p.State != payment.Approved && p.State != payment.PartlyRefunded {
			continue
		}
		if record == nil {
			if record, err = s.record(ctx, actor, id); err != nil {
				return nil, err
			}
		}
		x, err := s.fact(ctx, actor, p.ID, record, s.Clock.Now())
		if err != nil {
			return nil, err
		}
		if !x.Untold && len(x.Offs) > 0 {
			out = append(out, x.Payment)
		}
	}
	return out, nil
}
