package notice

import (
	"context"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/evidence"
)

// Deliveries lists a webhook's deliveries, newest first, each with its newest try.
func (s *Service) Deliveries(ctx context.Context, actor mianmi.Actor, q DeliveryQuery) ([]Delivery, error) {
	if _, err := s.known(ctx, actor, q.Webhook, access.WebhookShow); err != nil {
		return nil, err
	}
	if q.Limit <= 0 || q.Limit > pageMax {
		q.Limit = pageMax
	}
	return s.Records.Deliveries(ctx, q)
}

// Delivery shows one delivery and the message as it would be sent now.
func (s *Service) Delivery(ctx context.Context, actor mianmi.Actor, id mianmi.WebhookID, number int64) (Delivery, Message, error) {
	w, err := s.known(ctx, actor, id, access.WebhookShow)
	if err != nil {
		return Delivery{}, Message{}, err
	}
	d, err := s.Records.Delivery(ctx, id, number)
	if err != nil {
		return Delivery{}, Message{}, err
	}
	r, err := s.Records.Record(ctx, []Delivery{d})
	if err != nil {
		return Delivery{}, Message{}, err
	}
	m, err := message(&w, &d, &r)
	return d, m, err
}

// SendTest lets a webhook be told of nothing but that it works, and returns the
// number of that message.
func (s *Service) SendTest(ctx context.Context, actor mianmi.Actor, id mianmi.WebhookID) (int64, error) {
	if _, err := s.known(ctx, actor, id, access.WebhookManage); err != nil {
		return 0, err
	}
	return s.Records.Enqueue(ctx, id, Fact{At: s.now(), Topic: Test})
}

// replayMax bounds one call: what is left is told by Replayed.Next.
const replayMax = 20_000

// Replay sends again what happened since a time, or from a number on; with
// DeadOnly what was given up alone. Messages have the identifiers and numbers of
// the first time. What waits already goes on waiting.
func (s *Service) Replay(ctx context.Context, actor mianmi.Actor, r Replay) (Replayed, error) {
	w, err := s.known(ctx, actor, r.Webhook, access.WebhookManage)
	if err != nil {
		return Replayed{}, err
	}
	if (r.From == 0) == r.Since.IsZero() || r.From < 0 {
		return Replayed{}, mianmi.InvalidField("since", "want either since or from_sequence")
	}
	r.Limit = replayMax
	err = s.Records.ChangeWebhook(ctx, w.ID, func(now *Webhook) ([]evidence.Entry, error) {
		t, err := now.open(s.Keys)
		if err != nil {
			return nil, err
		}
		e, err := s.entry(s.now(), actor, "webhook.replayed", now, &t)
		return []evidence.Entry{e}, err
	})
	if err != nil {
		return Replayed{}, err
	}
	return s.Records.Replay(ctx, r)
}
