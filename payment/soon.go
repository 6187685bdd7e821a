package payment

import (
	"context"
	"errors"

	"github.com/mianmi/mianmi"
)

// AskSoon has a channel asked at once, because somebody hints that it has news
// of a payment, or of one of its refunds. A hint sets nothing but the time of the
// next question: who forges or repeats one learns nothing and moves nothing. A
// payment that is not known is none of ours.
func (s *Service) AskSoon(ctx context.Context, id mianmi.PaymentID, r mianmi.RefundID) error {
	err := s.Books.Change(ctx, id, func(c *Change) error {
		k := c.call(r)
		if order := c.order(); k == nil && order != nil && order.Return == r {
			k = order
		}
		if k == nil {
			return nil
		}
		switch {
		case k.Task == Query, k.Task == GiveBack, k.Task == PayBack, k.stands():
			if now := s.now(); k.Due.After(now) || k.Due.IsZero() {
				k.Due = now
			}
		} // else nothing is waited for, or its time is the channel's
		return nil
	})
	if errors.Is(err, mianmi.NotFound) {
		return nil
	}
	return err
}
