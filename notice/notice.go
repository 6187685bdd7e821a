// Package notice tells others what has happened: webhooks that are sent at
// least once, and in order for each subject, after any crash (docs/adr/0010).
//
// A fact is written to the outbox in the transaction that makes it so. One node
// at a time dispatches facts to the webhooks that want them; then whichever node
// holds a webhook's queue sends what waits in it. What is sent is built from the
// records, and holds identifiers and figures only. Where rows are kept, and
// which node holds what, is left to store.
package notice

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/settings"
)

// Fact is something that has happened and that somebody wants to be told of.
type Fact struct {
	At       time.Time
	Subject  string // identifier of what it happened to
	Seq      int64  // version of the subject that it made; 0: told by the entry
	Topic    Topic
	Merchant mianmi.MerchantID // of a payment; of other facts it is in the entry
	Ref      string            // the entry that records it; of a top-up, payer/key
	Entry    []byte            // as stored, for facts that an entry records
}

// Records is what this package needs of the store for webhooks themselves.
// Missing things are NotFound.
type Records interface {
	// InsertWebhook writes a webhook with an empty queue. It is a Conflict with the
	// code "too_many_webhooks" when its merchant has most of them already.
	InsertWebhook(ctx context.Context, w Webhook, e evidence.Entry, most int) error
	// ChangeWebhook locks the webhook, lets fn say what becomes of it and writes
	// that; nothing when fn returns no entry.
	ChangeWebhook(ctx context.Context, id mianmi.WebhookID, fn func(*Webhook) ([]evidence.Entry, error)) error
	Webhook(ctx context.Context, id mianmi.WebhookID) (Webhook, error)
	Webhooks(ctx context.Context, q Query) ([]Webhook, error)
	// Queue says how a webhook's deliveries stand.
	Queue(ctx context.Context, id mianmi.WebhookID) (Queue, error)
	// Deliveries lists a webhook's deliveries, newest first.
	Deliveries(ctx context.Context, q DeliveryQuery) ([]Delivery, error)
	Delivery(ctx context.Context, id mianmi.WebhookID, number int64) (Delivery, error)
	// Enqueue numbers a fact for one webhook and lets it wait to be sent.
	Enqueue(ctx context.Context, id mianmi.WebhookID, f Fact) (int64, error)
	// Replay lets deliveries wait to be sent again.
	Replay(ctx context.Context, r Replay) (Replayed, error)
	// Record reads what deliveries tell of.
	Record(ctx context.Context, list []Delivery) (Record, error)
}

// Outbox is what this package needs of the store for sending. Times are the
// database's own, so that nodes whose clocks differ agree on them.
type Outbox interface {
	// Dispatch takes at most max facts, oldest first, in a transaction that no
	// other node's can run beside, and numbers them for the webhooks that route
	// names for each. It returns how many facts it took; 0 also when another node
	// dispatches at this moment.
	Dispatch(ctx context.Context, max int, route func([]Fact, *settings.Snapshot) [][]settings.Listener) (int, error)
	// Claim makes the holder the only sender of queues that are due, for a lease.
	Claim(ctx context.Context, c Claim) ([]Claimed, error)
	// Renew reports whether the holder still had the queue and the webhook is
	// active and as it was claimed, and lengthens the lease.
	Renew(ctx context.Context, h Holding) (bool, error)
	// Due reads what waits and is due, the longest due first.
	Due(ctx context.Context, id mianmi.WebhookID, limit int) ([]Delivery, error)
	Record(ctx context.Context, list []Delivery) (Record, error)
	// Settle writes what became of tries.
	Settle(ctx context.Context, id mianmi.WebhookID, list []Tried) error
	// Postpone makes deliveries wait as long as an earlier one of their subject.
	Postpone(ctx context.Context, id mianmi.WebhookID, numbers []int64) error
	// Release gives a queue back, if the holder still has it.
	Release(ctx context.Context, r Release) error
	// Sweep gives up what has waited for too long and removes what is kept no
	// longer; it returns how many rows it changed, about limit at most.
	Sweep(ctx context.Context, s Sweep) (int, error)
}

// Parts are what a Service works with; all are required.
type Parts struct {
	Records Records
	Keys    *secret.Keys
	Clock   mianmi.Clock
	Random  io.Reader // safe for concurrent use
	Log     *slog.Logger
	// Guard refuses addresses that may not be called.
	Guard *Guard
}

// Service is all that can be done with webhooks. Every method checks the
// actor's rights; without them it answers Denied.
type Service struct{ Parts }

// New returns a Service, or an error when a part is missing.
func New(p Parts) (*Service, error) {
	if p.Records == nil || p.Keys == nil || p.Clock == nil || p.Random == nil || p.Log == nil || p.Guard == nil {
		return nil, errors.New("notice: a required part is missing")
	}
	return &Service{p}, nil
}

// now is the store's precision: what is returned is what is read back.
func (s *Service) now() time.Time { return s.Clock.Now().UTC().Truncate(time.Microsecond) }

func allow(actor mianmi.Actor, action access.Action, m mianmi.MerchantID) error {
	return access.Allow(actor, action, access.Target{Merchant: m})
}
