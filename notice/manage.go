package notice

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/evidence"
)

// NewWebhook is a webhook to be made.
type NewWebhook struct {
	Merchant mianmi.MerchantID // empty: of the whole platform
	URL      string
	Topics   []string // empty: all
	Parallel int      // 0: 16
}

// View is a webhook as it is shown, without its secrets.
type View struct {
	Webhook
	URL     string // without its query
	Secrets int    // that sign at this moment
	Queue   Queue
}

// Create makes a webhook. The secret is shown this once. From when this
// returns, every fact of its topics is told.
func (s *Service) Create(ctx context.Context, actor mianmi.Actor, n NewWebhook) (v View, shown string, err error) {
	if err := allow(actor, access.WebhookManage, n.Merchant); err != nil {
		return View{}, "", err
	}
	now := s.now()
	w := Webhook{Merchant: n.Merchant, State: Active, Version: 1, Parallel: n.Parallel, CreatedBy: actor.String(), CreatedAt: now, ChangedAt: now}
	if w.Parallel == 0 {
		w.Parallel = parallelDefault
	}
	if len(n.Topics) == 0 {
		n.Topics = []string{"*"}
	}
	if w.Topics, err = ParseTopics(n.Topics, n.Merchant == ""); err != nil {
		return View{}, "", err
	}
	if err := s.Guard.CheckURL(n.URL); err != nil {
		return View{}, "", err
	}
	if err := checkParallel(w.Parallel); err != nil {
		return View{}, "", err
	}
	id, err := mianmi.NewID("wh", now, s.Random)
	if err != nil {
		return View{}, "", err
	}
	w.ID = mianmi.WebhookID(id)
	key, err := newSecret(s.Random)
	if err != nil {
		return View{}, "", err
	}
	t := Target{URL: n.URL, Secrets: []Secret{key}}
	if w.Target, err = t.seal(s.Keys, w.ID, s.Random); err != nil {
		return View{}, "", err
	}
	e, err := s.entry(now, actor, "webhook.created", &w, &t)
	if err != nil {
		return View{}, "", err
	}
	most := perMerchantMax
	if w.Merchant == "" {
		most = platformMax
	}
	if err := s.Records.InsertWebhook(ctx, w, e, most); err != nil {
		return View{}, "", err
	}
	return View{Webhook: w, URL: shownURL(t.URL), Secrets: 1}, key.Text(), nil
}

// Order asks for a change of a webhook; what is nil stays.
type Order struct {
	URL      *string
	Topics   *[]string
	Parallel *int
}

// Change changes address, topics or the number of messages under way. What
// waits goes to the new address.
func (s *Service) Change(ctx context.Context, actor mianmi.Actor, id mianmi.WebhookID, o Order) (View, error) {
	return s.change(ctx, actor, id, func(c *change) error {
		if o.URL != nil {
			if err := s.Guard.CheckURL(*o.URL); err != nil {
				return err
			}
			c.target.URL = *o.URL
		}
		if o.Topics != nil {
			set, err := ParseTopics(*o.Topics, c.Merchant == "")
			if err != nil {
				return err
			}
			c.Topics = set
		}
		if o.Parallel != nil {
			if err := checkParallel(*o.Parallel); err != nil {
				return err
			}
			c.Parallel = *o.Parallel
		}
		c.kind = "webhook.changed"
		return nil
	})
}

// Pause stops sending; what happens meanwhile waits. A second call changes nothing.
func (s *Service) Pause(ctx context.Context, actor mianmi.Actor, id mianmi.WebhookID) (View, error) {
	return s.change(ctx, actor, id, func(c *change) error {
		if c.State == Active {
			c.State, c.kind = Paused, "webhook.paused"
		}
		return nil
	})
}

// Resume sends what has waited. A second call changes nothing.
func (s *Service) Resume(ctx context.Context, actor mianmi.Actor, id mianmi.WebhookID) (View, error) {
	return s.change(ctx, actor, id, func(c *change) error {
		if c.State != Active {
			c.State, c.kind = Active, "webhook.resumed"
		}
		return nil
	})
}

// Remove ends a webhook and drops what waits for it.
func (s *Service) Remove(ctx context.Context, actor mianmi.Actor, id mianmi.WebhookID) error {
	_, err := s.change(ctx, actor, id, func(c *change) error {
		c.State, c.kind = Removed, "webhook.removed"
		return nil
	})
	return err
}

// overlapMax bounds how long a former secret signs beside the new one.
const overlapMax = 7 * 24 * time.Hour

// secretsMax bounds the signatures of a message.
const secretsMax = 4

// Rotate makes a new secret, shown this once. For the overlap the former one
// signs as well, so that a receiver can change over without losing a message.
func (s *Service) Rotate(ctx context.Context, actor mianmi.Actor, id mianmi.WebhookID, overlap time.Duration) (v View, shown string, err error) {
	if overlap < 0 || overlap > overlapMax {
		return View{}, "", mianmi.InvalidField("overlap_seconds", "want 0 to 604800")
	}
	v, err = s.change(ctx, actor, id, func(c *change) error {
		fresh, err := newSecret(s.Random)
		if err != nil {
			return err
		}
		keep := []Secret{fresh}
		for _, old := range c.target.live(c.now) {
			if until := c.now.Add(overlap); old.Until.IsZero() || until.Before(old.Until) {
				old.Until = until
			}
			if overlap > 0 && len(keep) < secretsMax {
				keep = append(keep, old)
			}
		}
		c.target.Secrets, c.kind, shown = keep, "webhook.secret.rotated", fresh.Text()
		return nil
	})
	return v, shown, err
}

// change is a webhook under change.
type change struct {
	*Webhook
	target Target
	now    time.Time
	kind   string // of the entry; empty: nothing changed
}

func (s *Service) change(ctx context.Context, actor mianmi.Actor, id mianmi.WebhookID, fn func(*change) error) (View, error) {
	now := s.now()
	var left View
	err := s.Records.ChangeWebhook(ctx, id, func(w *Webhook) ([]evidence.Entry, error) {
		if err := allow(actor, access.WebhookManage, w.Merchant); err != nil {
			return nil, err
		}
		if w.State == Removed || w.Kind != Standard {
			return nil, mianmi.Missing("webhook")
		}
		t, err := w.open(s.Keys)
		if err != nil {
			return nil, err
		}
		c := &change{Webhook: w, target: t, now: now}
		if err := fn(c); err != nil {
			return nil, err
		}
		left = View{Webhook: *w, URL: shownURL(c.target.URL), Secrets: len(c.target.live(now))}
		if c.kind == "" {
			return nil, nil
		}
		w.Version, w.ChangedAt = w.Version+1, now
		if w.Target, err = c.target.seal(s.Keys, w.ID, s.Random); err != nil {
			return nil, err
		}
		left.Webhook = *w
		e, err := s.entry(now, actor, c.kind, w, &c.target)
		return []evidence.Entry{e}, err
	})
	return left, err
}

// Webhook shows one webhook with its queue.
func (s *Service) Webhook(ctx context.Context, actor mianmi.Actor, id mianmi.WebhookID) (View, error) {
	w, err := s.known(ctx, actor, id, access.WebhookShow)
	if err != nil {
		return View{}, err
	}
	return s.view(ctx, &w)
}

// known reads a webhook that is not removed and that the actor may touch.
func (s *Service) known(ctx context.Context, actor mianmi.Actor, id mianmi.WebhookID, action access.Action) (Webhook, error) {
	w, err := s.Records.Webhook(ctx, id)
	if err != nil {
		return Webhook{}, err
	}
	if err := allow(actor, action, w.Merchant); err != nil {
		return Webhook{}, err
	}
	if w.State == Removed || w.Kind != Standard {
		return Webhook{}, mianmi.Missing("webhook")
	}
	return w, nil
}

func (s *Service) view(ctx context.Context, w *Webhook) (View, error) {
	t, err := w.open(s.Keys)
	if err != nil {
		return View{}, err
	}
	q, err := s.Records.Queue(ctx, w.ID)
	return View{Webhook: *w, URL: shownURL(t.URL), Secrets: len(t.live(s.now())), Queue: q}, err
}

// pageMax bounds a page of a list.
const pageMax = 200

// Webhooks lists a merchant's webhooks, or all that the actor may see.
func (s *Service) Webhooks(ctx context.Context, actor mianmi.Actor, q Query) ([]View, error) {
	if q.Merchant == "" && actor.Merchant != "" {
		q.Merchant = actor.Merchant
	}
	if err := allow(actor, access.WebhookShow, q.Merchant); err != nil {
		return nil, err
	}
	if q.Limit <= 0 || q.Limit > pageMax {
		q.Limit = pageMax
	}
	list, err := s.Records.Webhooks(ctx, q)
	if err != nil {
		return nil, err
	}
	out := make([]View, len(list))
	for i := range list {
		if out[i], err = s.view(ctx, &list[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}
