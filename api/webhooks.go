package api

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/notice"
)

func (s *Server) registerWebhooks() {
	manages := only(mianmi.RoleMerchantAdmin, mianmi.RoleOperator).keys(mianmi.ScopeWebhooks)
	sees := manages.and(mianmi.RoleSupport, mianmi.RoleAuditor)
	const one = "/v1/webhooks/{webhook}"
	add(s, route{method: "POST", path: "/v1/webhooks", name: "createWebhook", tag: "webhooks", status: 201, repeat: firstAnswer, may: manages,
		summary: "Make a webhook", about: "The secret that signs its messages (Standard Webhooks) is shown this once. Every fact of its topics is sent to it from when this is answered."}, s.createWebhook)
	add(s, route{method: "GET", path: "/v1/webhooks", name: "webhooks", tag: "webhooks", may: sees, summary: "List webhooks",
		about: "A merchant's; all, for mianmi's own people, when merchant is left out."}, s.webhooks)
	add(s, route{method: "GET", path: one, name: "webhook", tag: "webhooks", may: sees, summary: "Show a webhook", about: "With how its deliveries stand."}, s.webhook)
	add(s, route{method: "PATCH", path: one, name: "changeWebhook", tag: "webhooks", may: manages, summary: "Change a webhook",
		about: "Address, topics, or how many messages may be under way. What is left out stays; what waits goes to the new address."}, s.changeWebhook)
	add(s, route{method: "DELETE", path: one, name: "removeWebhook", tag: "webhooks", status: 204, may: manages, summary: "Remove a webhook",
		about: "What waits for it is dropped."}, s.removeWebhook)
	for _, d := range []struct {
		name, summary, about string
		do                   func(context.Context, mianmi.Actor, mianmi.WebhookID) (notice.View, error)
	}{
		{"pause", "Stop sending to a webhook", "What happens meanwhile waits, for as long as messages are tried. A message may still be sent within a second.", s.Webhooks.Pause},
		{"resume", "Go on sending to a webhook", "What has waited is sent, in order.", s.Webhooks.Resume},
	} {
		add(s, route{method: "POST", path: one + "/" + d.name, name: d.name + "Webhook", tag: "webhooks", may: manages, summary: d.summary, about: d.about},
			func(ctx context.Context, a mianmi.Actor, in *WebhookInput) (*WebhookOutput, error) {
				return oneWebhook(d.do(ctx, a, in.id()))
			})
	}
	add(s, route{method: "POST", path: one + "/secret", name: "rotateWebhookSecret", tag: "webhooks", status: 201, repeat: firstAnswer, may: manages,
		summary: "Make a new secret for a webhook", about: "Shown this once. For the overlap the former secret signs as well."}, s.rotateWebhookSecret)
	add(s, route{method: "POST", path: one + "/test", name: "testWebhook", tag: "webhooks", status: 202, repeat: firstAnswer, may: manages,
		summary: "Send a test message to a webhook", about: "Its type is webhook.test. It takes its turn among what waits."}, s.testWebhook)
	add(s, route{method: "POST", path: one + "/replay", name: "replayWebhook", tag: "webhooks", may: manages, summary: "Send messages again",
		about: "Those of facts that happened since a time, or from a sequence number on; with dead_only those alone that were given up. Identifiers and numbers are those of the first time."}, s.replayWebhook)
	add(s, route{method: "GET", path: one + "/deliveries", name: "webhookDeliveries", tag: "webhooks", may: sees, summary: "List a webhook's deliveries",
		about: "Newest first, each with its newest try."}, s.webhookDeliveries)
	add(s, route{method: "GET", path: one + "/deliveries/{number}", name: "webhookDelivery", tag: "webhooks", may: sees, summary: "Show a delivery",
		about: "With the message as it would be sent now."}, s.webhookDelivery)
}

// NewWebhook is a webhook to be made.
type NewWebhook struct {
	URL      string   `json:"url" maxLength:"1024" example:"https://example.com/mianmi" doc:"https; its query may hold a token, which is kept sealed"`
	Merchant string   `json:"merchant,omitzero" doc:"Left out: of the whole platform, for mianmi's own people"`
	Topics   []string `json:"topics,omitzero" maxItems:"64" doc:"Names of docs/webhooks.md, groups like payment.*, or *; left out: all that this webhook may have"`
	Parallel int      `json:"parallel,omitzero" minimum:"0" maximum:"256" doc:"Messages under way at once, of different subjects; 1: strictly one after the other; left out: 16"`
}

// Webhook is an address that is told of facts, without its secrets.
type Webhook struct {
	ID        string    `json:"id"`
	URL       string    `json:"url" doc:"Without its query"`
	Merchant  string    `json:"merchant,omitzero"`
	Topics    []string  `json:"topics"`
	Parallel  int       `json:"parallel"`
	State     string    `json:"state" enum:"active,paused,gone,removed" doc:"gone: the receiver answered 410; resume it to go on"`
	Secrets   int       `json:"secrets" doc:"How many sign at this moment: two while a former one overlaps"`
	Queue     Queue     `json:"queue"`
	Version   int64     `json:"version"`
	CreatedBy string    `json:"created_by"`
	CreatedAt time.Time `json:"created_at"`
	ChangedAt time.Time `json:"changed_at"`
	Secret    string    `json:"secret,omitzero" doc:"whsec_…, for verifying; in the answer that made it only"`
}

// Queue says how a webhook's deliveries stand.
type Queue struct {
	Sequence     int64      `json:"sequence" doc:"Number of the newest message"`
	Waiting      int64      `json:"waiting" doc:"At most 100000 are counted"`
	Dead         int64      `json:"dead" doc:"Given up and not replayed; at most 100000 are counted"`
	OldestAt     *time.Time `json:"oldest_at,omitzero" doc:"When the oldest of those that wait happened"`
	FailingSince *time.Time `json:"failing_since,omitzero" doc:"While the receiver fails as a whole"`
}

// WebhookOutput is one webhook.
type WebhookOutput struct{ Body Webhook }

type WebhookInput struct {
	Webhook string `path:"webhook" doc:"wh…"`
}

func (in *WebhookInput) id() mianmi.WebhookID { return mianmi.WebhookID(in.Webhook) }

func showWebhook(v *notice.View) Webhook {
	return Webhook{ID: string(v.ID), URL: v.URL, Merchant: string(v.Merchant), Topics: v.Topics.Names(), Parallel: v.Parallel, State: v.State.String(),
		Secrets: v.Secrets, Version: v.Version, CreatedBy: v.CreatedBy, CreatedAt: v.CreatedAt.UTC(), ChangedAt: v.ChangedAt.UTC(),
		Queue: Queue{Sequence: v.Queue.Numbered, Waiting: v.Queue.Waiting, Dead: v.Queue.Dead,
			OldestAt: timeOrNone(v.Queue.OldestAt), FailingSince: timeOrNone(v.Queue.FailingSince)}}
}

func oneWebhook(v notice.View, err error) (*WebhookOutput, error) {
	if err != nil {
		return nil, err
	}
	return &WebhookOutput{showWebhook(&v)}, nil
}

func (s *Server) createWebhook(ctx context.Context, a mianmi.Actor, in *struct{ Body NewWebhook }) (*WebhookOutput, error) {
	b := in.Body
	v, secret, err := s.Webhooks.Create(ctx, a, notice.NewWebhook{Merchant: mianmi.MerchantID(b.Merchant), URL: b.URL, Topics: b.Topics, Parallel: b.Parallel})
	if err != nil {
		return nil, err
	}
	out := showWebhook(&v)
	out.Secret = secret
	return &WebhookOutput{out}, nil
}

func (s *Server) webhooks(ctx context.Context, a mianmi.Actor, in *struct {
	Merchant string `query:"merchant"`
	PageInput
}) (*struct{ Body List[Webhook] }, error) {
	list, err := s.Webhooks.Webhooks(ctx, a, notice.Query{Merchant: mianmi.MerchantID(in.Merchant), After: mianmi.WebhookID(in.After), Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	return listOf(list, in.Limit, showWebhook, func(v *notice.View) string { return string(v.ID) }), nil
}

func (s *Server) webhook(ctx context.Context, a mianmi.Actor, in *WebhookInput) (*WebhookOutput, error) {
	return oneWebhook(s.Webhooks.Webhook(ctx, a, in.id()))
}

// WebhookChange is a change of a webhook; what is left out stays.
type WebhookChange struct {
	URL      *string   `json:"url,omitzero" maxLength:"1024"`
	Topics   *[]string `json:"topics,omitzero" maxItems:"64"`
	Parallel *int      `json:"parallel,omitzero" minimum:"1" maximum:"256"`
}

func (s *Server) changeWebhook(ctx context.Context, a mianmi.Actor, in *struct {
	WebhookInput
	Body WebhookChange
}) (*WebhookOutput, error) {
	return oneWebhook(s.Webhooks.Change(ctx, a, in.id(), notice.Order{URL: in.Body.URL, Topics: in.Body.Topics, Parallel: in.Body.Parallel}))
}

func (s *Server) removeWebhook(ctx context.Context, a mianmi.Actor, in *WebhookInput) (*struct{}, error) {
	return nil, s.Webhooks.Remove(ctx, a, in.id())
}

func (s *Server) rotateWebhookSecret(ctx context.Context, a mianmi.Actor, in *struct {
	WebhookInput
	Body struct {
		OverlapSeconds int64 `json:"overlap_seconds" minimum:"0" maximum:"604800" doc:"How long the former secret signs beside the new one"`
	}
}) (*WebhookOutput, error) {
	v, secret, err := s.Webhooks.Rotate(ctx, a, in.id(), time.Duration(in.Body.OverlapSeconds)*time.Second)
	if err != nil {
		return nil, err
	}
	out := showWebhook(&v)
	out.Secret = secret
	return &WebhookOutput{out}, nil
}

func (s *Server) testWebhook(ctx context.Context, a mianmi.Actor, in *WebhookInput) (*struct {
	Body struct {
		Sequence int64 `json:"sequence" doc:"Of the message"`
	}
}, error) {
	n, err := s.Webhooks.SendTest(ctx, a, in.id())
	if err != nil {
		return nil, err
	}
	out := &struct {
		Body struct {
			Sequence int64 `json:"sequence" doc:"Of the message"`
		}
	}{}
	out.Body.Sequence = n
	return out, nil
}

// ReplayBody says what is to be sent again: since, or from_sequence.
type ReplayBody struct {
	Since        *time.Time `json:"since,omitzero"`
	FromSequence int64      `json:"from_sequence,omitzero" minimum:"0"`
	DeadOnly     bool       `json:"dead_only,omitzero"`
}

// Replayed says what a replay came to.
type Replayed struct {
	Count int   `json:"count" doc:"Messages that wait to be sent again"`
	Next  int64 `json:"next,omitzero" doc:"There is more: ask again with this as from_sequence"`
}

func (s *Server) replayWebhook(ctx context.Context, a mianmi.Actor, in *struct {
	WebhookInput
	Body ReplayBody
}) (*struct{ Body Replayed }, error) {
	r := notice.Replay{Webhook: in.id(), From: in.Body.FromSequence, DeadOnly: in.Body.DeadOnly}
	if in.Body.Since != nil {
		r.Since = *in.Body.Since
	}
	done, err := s.Webhooks.Replay(ctx, a, r)
	if err != nil {
		return nil, err
	}
	return &struct{ Body Replayed }{Replayed{Count: done.Count, Next: done.Next}}, nil
}
