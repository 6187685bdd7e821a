package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/mianmi/mianmi"
)

// NewWebhook is a webhook to be made.
type NewWebhook struct {
	URL      string            `json:"url"`
	Merchant mianmi.MerchantID `json:"merchant,omitzero"` // empty: of the whole platform
	Topics   []string          `json:"topics,omitzero"`   // empty: all
	Parallel int               `json:"parallel,omitzero"`
}

// Webhook is an address that is told of facts.
type Webhook struct {
	ID        mianmi.WebhookID  `json:"id"`
	URL       string            `json:"url"`
	Merchant  mianmi.MerchantID `json:"merchant"`
	Topics    []string          `json:"topics"`
	Parallel  int               `json:"parallel"`
	State     string            `json:"state"`
	Secrets   int               `json:"secrets"`
	Queue     Queue             `json:"queue"`
	Version   int64             `json:"version"`
	CreatedBy string            `json:"created_by"`
	CreatedAt time.Time         `json:"created_at"`
	ChangedAt time.Time         `json:"changed_at"`
	Secret    string            `json:"secret"` // in the answer that made it only
}

// Queue says how a webhook's deliveries stand.
type Queue struct {
	Sequence     int64      `json:"sequence"`
	Waiting      int64      `json:"waiting"`
	Dead         int64      `json:"dead"`
	OldestAt     *time.Time `json:"oldest_at"`
	FailingSince *time.Time `json:"failing_since"`
}

// CreateWebhook makes a webhook; the answer holds its secret.
func (c *Client) CreateWebhook(ctx context.Context, n NewWebhook) (Webhook, error) {
	return call[Webhook](ctx, c, http.MethodPost, "/v1/webhooks", n)
}

// Webhooks lists a merchant's webhooks; all, when merchant is empty.
func (c *Client) Webhooks(ctx context.Context, merchant mianmi.MerchantID, p Page) (List[Webhook], error) {
	return call[List[Webhook]](ctx, c, http.MethodGet, "/v1/webhooks"+p.query("merchant", string(merchant)), nil)
}

// Webhook shows a webhook.
func (c *Client) Webhook(ctx context.Context, id mianmi.WebhookID) (Webhook, error) {
	return call[Webhook](ctx, c, http.MethodGet, "/v1/webhooks/"+seg(id), nil)
}

// WebhookChange is a change of a webhook; what is nil stays.
type WebhookChange struct {
	URL      *string   `json:"url,omitzero"`
	Topics   *[]string `json:"topics,omitzero"`
	Parallel *int      `json:"parallel,omitzero"`
}

// ChangeWebhook changes a webhook.
func (c *Client) ChangeWebhook(ctx context.Context, id mianmi.WebhookID, n WebhookChange) (Webhook, error) {
	return call[Webhook](ctx, c, http.MethodPatch, "/v1/webhooks/"+seg(id), n)
}

// RemoveWebhook ends a webhook.
func (c *Client) RemoveWebhook(ctx context.Context, id mianmi.WebhookID) error {
	_, err := call[struct{}](ctx, c, http.MethodDelete, "/v1/webhooks/"+seg(id), nil)
	return err
}

// PauseWebhook stops sending.
func (c *Client) PauseWebhook(ctx context.Context, id mianmi.WebhookID) (Webhook, error) {
	return call[Webhook](ctx, c, http.MethodPost, "/v1/webhooks/"+seg(id)+"/pause", nil)
}

// ResumeWebhook sends what has waited.
func (c *Client) ResumeWebhook(ctx context.Context, id mianmi.WebhookID) (Webhook, error) {
	return call[Webhook](ctx, c, http.MethodPost, "/v1/webhooks/"+seg(id)+"/resume", nil)
}

// RotateWebhookSecret makes a new secret; for the overlap the former one signs as well.
func (c *Client) RotateWebhookSecret(ctx context.Context, id mianmi.WebhookID, overlap time.Duration) (Webhook, error) {
	return call[Webhook](ctx, c, http.MethodPost, "/v1/webhooks/"+seg(id)+"/secret", map[string]int64{"overlap_seconds": int64(overlap / time.Second)})
}

// TestWebhook sends a test message and returns its number.
func (c *Client) TestWebhook(ctx context.Context, id mianmi.WebhookID) (int64, error) {
	out, err := call[struct {
		Sequence int64 `json:"sequence"`
	}](ctx, c, http.MethodPost, "/v1/webhooks/"+seg(id)+"/test", nil)
	return out.Sequence, err
}

// Replay says what is to be sent again.
type Replay struct {
	Since        *time.Time `json:"since,omitzero"`
	FromSequence int64      `json:"from_sequence,omitzero"`
	DeadOnly     bool       `json:"dead_only,omitzero"`
}

// Replayed says what a replay came to; Next is where to go on, 0: that was all.
type Replayed struct {
	Count int   `json:"count"`
	Next  int64 `json:"next"`
}

// ReplayWebhook sends messages again.
func (c *Client) ReplayWebhook(ctx context.Context, id mianmi.WebhookID, r Replay) (Replayed, error) {
	return call[Replayed](ctx, c, http.MethodPost, "/v1/webhooks/"+seg(id)+"/replay", r)
}

// Delivery is one fact on its way to a webhook.
type Delivery struct {
	Sequence   int64           `json:"sequence"`
	Type       string          `json:"type"`
	Subject    string          `json:"subject"`
	HappenedAt time.Time       `json:"happened_at"`
	State      string          `json:"state"`
	Attempts   int             `json:"attempts"`
	QueuedAt   time.Time       `json:"queued_at"`
	DueAt      *time.Time      `json:"due_at"`
	TriedAt    *time.Time      `json:"tried_at"`
	TookMS     int64           `json:"took_ms"`
	Status     int             `json:"status"`
	Fault      string          `json:"fault"`
	Answer     string          `json:"answer"`
	Message    json.RawMessage `json:"message"`
}

// WebhookDeliveries lists deliveries, newest first; state is waiting, delivered
// or dead, empty for all.
func (c *Client) WebhookDeliveries(ctx context.Context, id mianmi.WebhookID, state string, p Page) (List[Delivery], error) {
	return call[List[Delivery]](ctx, c, http.MethodGet, "/v1/webhooks/"+seg(id)+"/deliveries"+p.query("state", state), nil)
}

// WebhookDelivery shows a delivery with its message.
func (c *Client) WebhookDelivery(ctx context.Context, id mianmi.WebhookID, number int64) (Delivery, error) {
	return call[Delivery](ctx, c, http.MethodGet, fmt.Sprintf("/v1/webhooks/%s/deliveries/%d", seg(id), number), nil)
}
