package notice

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/secret"
)

// note is the body of facts about a webhook: all that holds after the change,
// but for its secrets. The address may hold a token, so it stands there as its
// host and a keyed digest.
type note struct {
	Merchant mianmi.MerchantID `json:"merchant,omitempty"`
	Topics   Topics            `json:"topics"`
	Parallel int               `json:"parallel"`
	State    State             `json:"state"`
	Host     string            `json:"host"`
	Address  string            `json:"address"` // hexadecimal
	Secrets  int               `json:"secrets"` // that sign
	Version  int64             `json:"version"`
}

func (s *Service) entry(now time.Time, actor mianmi.Actor, kind string, w *Webhook, t *Target) (evidence.Entry, error) {
	u, err := url.Parse(t.URL)
	if err != nil {
		return evidence.Entry{}, fmt.Errorf("webhook %s has no address", w.ID)
	}
	body, err := json.Marshal(note{Merchant: w.Merchant, Topics: w.Topics, Parallel: w.Parallel, State: w.State, Host: u.Host,
		Address: hex.EncodeToString(s.Keys.Digest(secret.ForWebhook, t.URL)), Secrets: len(t.live(now)), Version: w.Version})
	if err != nil {
		return evidence.Entry{}, fmt.Errorf("encode %s: %w", kind, err)
	}
	id, err := mianmi.NewID("en", now, s.Random)
	if err != nil {
		return evidence.Entry{}, err
	}
	return evidence.Entry{ID: mianmi.EntryID(id), At: now, Type: kind, Subject: string(w.ID), Actor: actor.String(), Body: body}, nil
}

// ReadEntry returns the webhook that an entry of this package left in force,
// without its target and origin. A type that it does not know is an error: what
// another program recorded must not be passed over.
func ReadEntry(e evidence.Entry) (Webhook, error) {
	switch e.Type {
	case "webhook.created", "webhook.changed", "webhook.paused", "webhook.resumed", "webhook.removed", "webhook.gone",
		"webhook.secret.rotated", "webhook.replayed":
	default:
		return Webhook{}, fmt.Errorf("entry %s is of type %s, which this program does not know", e.ID, e.Type)
	}
	var n note
	if err := e.ReadBody(&n); err != nil {
		return Webhook{}, err
	}
	return Webhook{ID: mianmi.WebhookID(e.Subject), Merchant: n.Merchant, Topics: n.Topics, Parallel: n.Parallel, State: n.State,
		Version: n.Version, ChangedAt: e.At}, nil
}
