package notice

import (
	"time"

	"github.com/mianmi/mianmi"
)

// DeliveryState is where a delivery stands. The numbers are stored.
type DeliveryState uint8

const (
	Waiting   DeliveryState = 1
	Delivered DeliveryState = 2
	Dead      DeliveryState = 3 // given up; a replay sends it again
)

var deliveryStates = [...]string{"", "waiting", "delivered", "dead"}

// String is the state's name in the API.
func (s DeliveryState) String() string {
	if int(s) < len(deliveryStates) {
		return deliveryStates[s]
	}
	return ""
}

// ParseDeliveryState is the inverse of String; 0 for a name that is not known.
func ParseDeliveryState(name string) DeliveryState {
	for i, n := range deliveryStates {
		if n == name && i > 0 {
			return DeliveryState(i)
		}
	}
	return 0
}

// Fault says why a try failed. The numbers are stored.
type Fault uint8

const (
	NoFault     Fault = iota
	Unresolved        // the name leads nowhere
	Refused           // no connection
	BadTLS            // the certificate does not hold, or no TLS
	TimedOut          // no answer in time
	Cut               // the connection ended before the answer
	Forbidden         // the address may not be called
	Redirected        // 3xx: redirects are not followed
	Rejected          // 4xx
	Failing           // 5xx, and any other status that is no success
	Throttled         // 429, or 503 with Retry-After
	NoLonger          // 410: the receiver wants no more messages
	Unbuildable       // what it tells of is not there any more
	NeverTried        // given up while the webhook was paused or failing
)

var faultNames = [...]string{"", "unresolved", "refused", "bad_tls", "timed_out", "cut", "forbidden_address", "redirected", "rejected",
	"failing", "throttled", "gone", "unbuildable", "never_tried"}

// String is the fault's name in the API and in metrics.
func (f Fault) String() string {
	if int(f) < len(faultNames) {
		return faultNames[f]
	}
	return "unknown"
}

// Delivery is one fact on its way to one webhook, with its newest try.
type Delivery struct {
	Webhook mianmi.WebhookID
	Number  int64 // 1, 2, 3 … of the webhook
	Fact          // Merchant and Entry are not kept

	State    DeliveryState
	Attempts int
	QueuedAt time.Time
	DueAt    time.Time // of the next try, while it waits
	TriedAt  time.Time // zero: never
	Took     time.Duration
	Status   int // HTTP; 0: no answer
	Fault    Fault
	Answer   string // the beginning of it

	// Prev is the greatest lesser number that waits of the same subject; 0: none.
	Prev int64
	// Age is how long it has waited, by the database's clock.
	Age time.Duration
}

// Queue says how a webhook's deliveries stand.
type Queue struct {
	Numbered     int64 // of the newest delivery
	Waiting      int64 // at most CountMax: there may be more
	Dead         int64 // likewise
	OldestAt     time.Time
	Failures     int // rounds that failed in a row; 0: it works
	FailingSince time.Time
}

// CountMax bounds what is counted for one look at a queue.
const CountMax = 100_000

// Query asks for a page of webhooks, in the order of identifiers.
type Query struct {
	Merchant mianmi.MerchantID // empty: all
	After    mianmi.WebhookID
	Limit    int
}

// DeliveryQuery asks for a page of a webhook's deliveries, newest first.
type DeliveryQuery struct {
	Webhook mianmi.WebhookID
	State   DeliveryState // 0: all
	Before  int64         // the last number of the page before; 0: the first page
	Limit   int
}

// Replay asks for deliveries to be sent again: those that the receiver took, and
// those given up.
type Replay struct {
	Webhook  mianmi.WebhookID
	From     int64     // the first number; 0: by Since
	Since    time.Time // facts that happened then or later
	DeadOnly bool
	Limit    int
}

// Replayed says what a replay came to.
type Replayed struct {
	Count int
	Next  int64 // where to go on; 0: that was all
}

// Claim asks for queues to send from.
type Claim struct {
	Kind    Kind
	Holder  string // a text that no other holder has
	Lease   time.Duration
	Healthy int // at most so many queues of webhooks that work
	Failing int // and of those that fail
}

// Claimed is a queue that the holder has.
type Claimed struct {
	Webhook  Webhook
	Failures int
}

// Holding names a queue and who holds it.
type Holding struct {
	Webhook mianmi.WebhookID
	Holder  string
	Lease   time.Duration
	Version int64 // of the webhook that was claimed
}

// Tried is what became of one try.
type Tried struct {
	Number int64
	State  DeliveryState
	Status int
	Fault  Fault
	Answer string
	Took   time.Duration
	Wait   time.Duration // until the next try, while it waits
}

// Release gives a queue back. It is due again when its first delivery is, but
// not before Wait when the webhook fails.
type Release struct {
	Holding
	Failures int
	Wait     time.Duration
}

// Sweep bounds what is kept.
type Sweep struct {
	Life  time.Duration // how long a delivery may wait
	Keep  time.Duration // how long a delivery is kept
	Limit int
}
