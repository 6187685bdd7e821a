package api_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi/api/client"
)

// A merchant's admin makes a webhook, sees its secret once, changes, pauses and
// removes it, and rotates the secret; a test message waits in its log with the
// body that would be sent; a repeat with the same key makes no second one.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx, s := t.Context(), w.shop("晨光超市")
		once := s.admin.Once("make-webhook-1")
		made := get[client.Webhook](t)(once.CreateWebhook(ctx, client.NewWebhook{URL: "https://example.com/hook?token=x", Merchant: s.merchant.ID, Topics: []string{"payment.*", "stop.placed"}}))
		if again := get[client.Webhook](t)(once.CreateWebhook(ctx, client.NewWebhook{URL: "https://example.com/hook?token=x", Merchant: s.merchant.ID,
			Topics: []string{"payment.*", "stop.placed"}})); again.ID != made.ID || again.Secret != made.Secret {
			t.Errorf("a repeat made %+v", again)
		}
		if made.Secret[:6] != "whsec_" || made.URL != "https://example.com/hook?…" || made.State != "active" || len(made.Topics) != 15 || made.Parallel != 16 {
			t.Errorf("made = %+v", made)
		}
		shown := get[client.Webhook](t)(s.admin.Webhook(ctx, made.ID))
		want := made
		want.Secret = ""
		if d := cmp.Diff(want, shown); d != "" {
			t.Errorf("shown (-made +shown):\n%s", d)
		}

		n := get[int64](t)(s.admin.TestWebhook(ctx, made.ID))
		one := get[client.Delivery](t)(s.admin.WebhookDelivery(ctx, made.ID, n))
		if n != 1 || one.Type != "webhook.test" || one.State != "waiting" || one.Attempts != 0 || len(one.Message) == 0 {
			t.Errorf("test message %d = %+v", n, one)
		}
		list := get[client.List[client.Delivery]](t)(s.admin.WebhookDeliveries(ctx, made.ID, "waiting", client.Page{}))
		none := get[client.List[client.Delivery]](t)(s.admin.WebhookDeliveries(ctx, made.ID, "dead", client.Page{}))
		if len(list.Items) != 1 || list.Items[0].Message != nil || len(none.Items) != 0 {
			t.Errorf("deliveries = %+v, %+v", list, none)
		}

		four := 4
		if v := get[client.Webhook](t)(s.admin.ChangeWebhook(ctx, made.ID, client.WebhookChange{Parallel: &four})); v.Parallel != 4 || len(v.Topics) != 15 || v.Version != 2 {
			t.Errorf("changed = %+v", v)
		}
		if v := get[client.Webhook](t)(s.admin.PauseWebhook(ctx, made.ID)); v.State != "paused" {
			t.Errorf("paused = %+v", v)
		}
		if v := get[client.Webhook](t)(s.admin.ResumeWebhook(ctx, made.ID)); v.State != "active" {
			t.Errorf("resumed = %+v", v)
		}
		if v := get[client.Webhook](t)(s.admin.RotateWebhookSecret(ctx, made.ID, time.Hour)); v.Secret == "" || v.Secret == made.Secret || v.Secrets != 2 {
			t.Errorf("rotated = %+v", v)
		}
		if r := get[client.Replayed](t)(s.admin.ReplayWebhook(ctx, made.ID, client.Replay{FromSequence: 1})); r.Count != 0 {
			t.Errorf("replayed what waits: %+v", r)
		}
		must(t, s.admin.RemoveWebhook(ctx, made.ID))
		_, err := s.admin.Webhook(ctx, made.ID)
		if code := client.Code(err); code != "not_found" {
			t.Errorf("a removed webhook is shown: %v", err)
		}
		if rest := get[client.List[client.Webhook]](t)(w.operator.Webhooks(ctx, s.merchant.ID, client.Page{})); len(rest.Items) != 0 {
			t.Errorf("a removed webhook is listed: %+v", rest)
		}
		_, err = s.admin.CreateWebhook(ctx, client.NewWebhook{URL: "http://169.254.169.254/", Merchant: s.merchant.ID})
		if a := w.raw(http.MethodPost, "/v1/webhooks", "", `{}`); client.Code(err) == "" || a.status != http.StatusUnauthorized {
			t.Errorf("the address of a cloud's secrets: %v; without a bearer: %d", err, a.status)
		}
	})
}
