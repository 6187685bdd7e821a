package api

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/notice"
)

// Delivery is one fact on its way to one webhook, with its newest try.
type Delivery struct {
	Sequence   int64           `json:"sequence"`
	Type       string          `json:"type"`
	Subject    string          `json:"subject,omitzero"`
	HappenedAt time.Time       `json:"happened_at"`
	State      string          `json:"state" enum:"waiting,delivered,dead"`
	Attempts   int             `json:"attempts"`
	QueuedAt   time.Time       `json:"queued_at"`
	DueAt      *time.Time      `json:"due_at,omitzero" doc:"Of the next try, while it waits"`
	TriedAt    *time.Time      `json:"tried_at,omitzero"`
	TookMS     int64           `json:"took_ms,omitzero"`
	Status     int             `json:"status,omitzero" doc:"HTTP status of the answer; left out: there was none"`
	Fault      string          `json:"fault,omitzero" doc:"Why it failed: docs/webhooks.md"`
	Answer     string          `json:"answer,omitzero" doc:"The first 256 bytes of the answer"`
	Message    json.RawMessage `json:"message,omitzero" doc:"The body as it would be sent now; of one delivery alone"`
}

func showDelivery(d *notice.Delivery) Delivery {
	out := Delivery{Sequence: d.Number, Type: d.Topic.String(), Subject: d.Subject, HappenedAt: d.At.UTC(), State: d.State.String(), Attempts: d.Attempts,
		QueuedAt: d.QueuedAt.UTC(), TriedAt: timeOrNone(d.TriedAt), TookMS: d.Took.Milliseconds(), Status: d.Status, Fault: d.Fault.String(), Answer: d.Answer}
	if d.State == notice.Waiting {
		out.DueAt = timeOrNone(d.DueAt)
	}
	return out
}

func (s *Server) webhookDeliveries(ctx context.Context, a mianmi.Actor, in *struct {
	WebhookInput
	State string `query:"state" enum:"waiting,delivered,dead" doc:"Left out: all"`
	After int64  `query:"after" minimum:"0" doc:"next of the page before"`
	Limit int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}) (*struct{ Body List[Delivery] }, error) {
	list, err := s.Webhooks.Deliveries(ctx, a, notice.DeliveryQuery{Webhook: in.id(), State: notice.ParseDeliveryState(in.State), Before: in.After, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	return listOf(list, in.Limit, showDelivery, func(d *notice.Delivery) string { return strconv.FormatInt(d.Number, 10) }), nil
}

func (s *Server) webhookDelivery(ctx context.Context, a mianmi.Actor, in *struct {
	WebhookInput
	Number int64 `path:"number" minimum:"1" doc:"Its sequence"`
}) (*struct{ Body Delivery }, error) {
	d, m, err := s.Webhooks.Delivery(ctx, a, in.id(), in.Number)
	if err != nil {
		return nil, err
	}
	out := showDelivery(&d)
	out.Message = m.Body
	return &struct{ Body Delivery }{out}, nil
}
