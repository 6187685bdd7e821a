package notice

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/secret"
)

// State of a webhook. The numbers are stored.
type State uint8

const (
	Active  State = 1
	Paused  State = 2 // by a person: facts wait
	Gone    State = 3 // the receiver answered 410: as Paused
	Removed State = 4
)

var stateNames = [...]string{"", "active", "paused", "gone", "removed"}

// String is the state's name in the API.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return ""
}

// Kind is the form of a webhook's messages. The numbers are stored.
type Kind uint8

const (
	Standard Kind = 0 // Standard Webhooks
	// WeChat is the queue of a merchant's notifications in WeChat Pay's form. It is
	// made with the merchant's identity there, and is no webhook to anybody: each
	// order says itself where its notification goes, and a Courier sends it.
	WeChat Kind = 1
)

// Webhook is an address that is told of facts.
type Webhook struct {
	ID        mianmi.WebhookID
	Merchant  mianmi.MerchantID // empty: of the whole platform
	Kind      Kind
	Topics    Topics
	Parallel  int // messages under way at once; 1: strictly one after the other
	State     State
	Target    []byte // sealed Target
	Version   int64
	CreatedBy string // mianmi.Actor.String()
	CreatedAt time.Time
	ChangedAt time.Time
}

// Target is where messages go and what signs them. It is stored sealed: an
// address may hold a token, too.
type Target struct {
	URL     string   `json:"url"`
	Secrets []Secret `json:"secrets"` // the newest first
}

// Secret is a key that signs messages.
type Secret struct {
	Key   []byte    `json:"key"`
	Until time.Time `json:"until,omitzero"` // no longer used then; zero: the present one
}

// secretBytes is the length of a secret: Standard Webhooks asks for 24 to 64.
const secretBytes = 32

// Text is the secret as its owner gets it, in Standard Webhooks' form.
func (s Secret) Text() string { return "whsec_" + base64.StdEncoding.EncodeToString(s.Key) }

// newSecret draws a secret.
func newSecret(random io.Reader) (Secret, error) {
	s := Secret{Key: make([]byte, secretBytes)}
	if _, err := io.ReadFull(random, s.Key); err != nil {
		return Secret{}, fmt.Errorf("read randomness for a secret: %w", err)
	}
	return s, nil
}

// live are the secrets that sign at now.
func (t *Target) live(now time.Time) []Secret {
	var out []Secret
	for _, s := range t.Secrets {
		if s.Until.IsZero() || now.Before(s.Until) {
			out = append(out, s)
		}
	}
	return out
}

// seal is what is stored of a target; it opens only for this webhook.
func (t *Target) seal(k *secret.Keys, id mianmi.WebhookID, random io.Reader) ([]byte, error) {
	text, err := json.Marshal(t)
	if err != nil {
		return nil, fmt.Errorf("encode the target of %s: %w", id, err)
	}
	return k.Seal(secret.ForWebhook, text, string(id), random)
}

// Open is the inverse of seal.
func (w *Webhook) open(k *secret.Keys) (Target, error) {
	var t Target
	text, err := k.Open(secret.ForWebhook, w.Target, string(w.ID))
	if err != nil {
		return t, fmt.Errorf("webhook %s: %w", w.ID, err)
	}
	if err := json.Unmarshal(text, &t); err != nil || len(t.Secrets) == 0 {
		return t, fmt.Errorf("the target of webhook %s is of a form that this program does not know", w.ID)
	}
	return t, nil
}

// Bounds of a webhook.
const (
	urlLenMax = 1024 // a path with a token in it
	// parallelMax bounds the connections to one receiver.
	parallelMax     = 256
	parallelDefault = 16
	// Each payment is told to every webhook of its merchant and of the platform.
	perMerchantMax = 10
	platformMax    = 20
)

// CheckURL refuses what cannot be an address that messages go to.
func (g *Guard) CheckURL(text string) error {
	bad := func(msg string) error { return mianmi.InvalidField("url", msg) }
	u, err := url.Parse(text)
	switch {
	case len(text) > urlLenMax:
		return bad("at most 1024 bytes")
	case err != nil || !u.IsAbs() || u.Hostname() == "" || u.Opaque != "":
		return bad("want https://host/path")
	case u.User != nil:
		return bad("holds a name or password: messages are signed instead")
	case u.Fragment != "" || strings.Contains(text, "#"):
		return bad("a fragment is never sent")
	case u.Scheme == "http" && !g.plain():
		return bad("want https: without it others could read the messages")
	case u.Scheme != "https" && u.Scheme != "http":
		return bad("want https://host/path")
	}
	return g.checkHost(u.Hostname())
}

// Shown is the address without its query, which may hold a token.
func shownURL(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	if u.RawQuery != "" {
		u.RawQuery = "…"
	}
	return u.Scheme + "://" + u.Host + u.EscapedPath() + strings.TrimSuffix("?"+u.RawQuery, "?")
}

func checkParallel(n int) error {
	if n < 1 || n > parallelMax {
		return mianmi.InvalidField("parallel", "want 1 to 256")
	}
	return nil
}
