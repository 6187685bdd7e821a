package storetest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/notice"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/secret"
)

// Webhooks is the contract of the outbox and of webhooks: real receivers on
// this machine, senders beside each other. open opens an empty, migrated database.
func Webhooks(t *testing.T, open func(*testing.T) Engine) {
	tests := map[string]func(*testing.T, *hookWorld){
		"everybody is told of what is theirs, and nothing else":       toldWhatIsTheirs,
		"a message shows the payment as it stood":                     paymentAsItStood,
		"what nobody listens to is not written":                       nobodyListens,
		"a subject waits for its message that fails, others go on":    subjectWaits,
		"a message that is given up lets the next pass, and replays":  deadLetters,
		"senders beside each other lose, repeat and disorder nothing": sendersBeside,
		"what a node that died was sending is sent by another":        leaseEnds,
		"receivers that hang take nothing from one that works":        hangingReceivers,
		"a fact that commits late is not passed over":                 lateCommit,
		"paused, resumed, removed, gone":                              pausedAndGone,
		"a rotated secret signs beside the former one":                rotatedSecret,
		"what happened since a time is sent again":                    replayedSince,
		"old deliveries are given up and forgotten":                   sweptDeliveries,
		"bad input names its field and writes nothing":                badWebhookInput,
		"who may do what with webhooks":                               webhookRights,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newHookWorld(t, open(t)))
		})
	}
}

// hookWorld is a shop on a database that several nodes send from. Its clock is
// the machine's: signatures and leases are about real time.
type hookWorld struct {
	*Node
	Shop
	engine Engine
	keys   *secret.Keys
	rows   *sql.DB
}

// loopback is where the receivers of tests are.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

var machine = mianmi.ClockFunc(func() time.Time { return time.Now().UTC().Truncate(time.Microsecond) })

func newHookWorld(t *testing.T, e Engine) *hookWorld {
	t.Helper()
	w := &hookWorld{engine: e, keys: must(secret.New(rand.Reader))(t), rows: Inspect(t, e.DSN)}
	w.Node = w.node(t)
	w.Shop = w.aShop(t)
	return w
}

func (w *hookWorld) sqlite() bool { return strings.HasPrefix(w.engine.DSN, "sqlite:") }

// aShop makes a shop, and lets what that told of be forgotten.
func (w *hookWorld) aShop(t *testing.T) Shop {
	t.Helper()
	s := must(w.newShop(t.Context(), merchant.Facts{}))(t)
	must(w.DB.Dispatch(t.Context(), 100, routeAll()))(t)
	return s
}

func (w *hookWorld) node(t *testing.T) *Node {
	t.Helper()
	db := w.engine.Open(t)
	n := must(NewNode(t.Context(), NodeConfig{DB: db, Keys: w.keys, Clock: machine, WebhookAllow: loopback,
		Payer: payer.Config{NoCoolingOff: true, CodesMax: 100}}))(t)
	t.Cleanup(n.Payments.Stop)
	return n
}

// quick is a schedule for tests.
var quick = notice.Schedule{Waits: []time.Duration{20 * time.Millisecond}, First: 20 * time.Millisecond, Most: 200 * time.Millisecond, Life: time.Hour}

// send starts a sender on a node; it ends with the test. It waits for an answer
// as long as a machine that is busy may take.
func send(t *testing.T, n *Node, c notice.SenderConfig) *notice.Sender {
	t.Helper()
	return sendWithin(t, n, c, time.Minute)
}

// sendWithin is send with another wait for an answer.
func sendWithin(t *testing.T, n *Node, c notice.SenderConfig, answerMax time.Duration) *notice.Sender {
	t.Helper()
	if c.Poll == 0 {
		c.Poll = 40 * time.Millisecond // more would be most of what a test does under the race detector
	}
	if len(c.Waits) == 0 {
		c.Schedule = quick
	}
	p := notice.NewPoster(notice.NewGuard(loopback), machine, notice.PosterConfig{Timeout: answerMax})
	s := must(notice.StartSender(context.WithoutCancel(t.Context()), notice.SenderParts{Outbox: n.DB, Service: n.Webhooks, Poster: p}, c))(t)
	t.Cleanup(s.Stop)
	return s
}

// hook is a webhook and its receiver.
type hook struct {
	*notice.Receiver
	view   notice.View
	secret string
	serves atomic.Pointer[notice.Receiver] // who takes what comes now
}

// hook makes a webhook of a merchant, empty: of the platform, whose receiver
// answers what take says; nil: 204.
func (w *hookWorld) hook(t *testing.T, m mianmi.MerchantID, take func(notice.Received) int, topics ...string) *hook {
	t.Helper()
	h := &hook{}
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { h.serves.Load().ServeHTTP(rw, r) }))
	t.Cleanup(s.Close)
	h.view, h.secret = w.newHook(t, m, s.URL+"/hook", topics...)
	h.Receiver = must(notice.NewReceiver(machine, h.secret))(t)
	h.Take = take
	h.serves.Store(h.Receiver)
	return h
}

func (w *hookWorld) newHook(t *testing.T, m mianmi.MerchantID, url string, topics ...string) (notice.View, string) {
	t.Helper()
	v, key, err := w.Webhooks.Create(t.Context(), Operator, notice.NewWebhook{Merchant: m, URL: url, Topics: topics})
	if err != nil {
		t.Fatal(err)
	}
	return v, key
}

// awaitMax is how long something may take where SQLite is thirty times slower,
// under the race detector on a machine that is busy.
const awaitMax = 3 * time.Minute

// await waits for what must happen.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	end := time.NewTimer(awaitMax)
	defer end.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-end.C:
			t.Fatalf("waited %v: %s", awaitMax, what)
		}
	}
}

// awaitMessages waits until a receiver has taken so many messages, as long as
// they keep coming: slow is no fault, standing still is.
func (h *hook) awaitMessages(t *testing.T, n int) {
	t.Helper()
	for have := h.Report().Messages; have < n; {
		before := have
		await(t, fmt.Sprintf("more than %d of %d messages", before, n), func() bool {
			have = h.Report().Messages
			return have > before
		})
	}
}

// settled waits until nothing of a webhook waits any more.
func (w *hookWorld) settled(t *testing.T, h *hook) {
	t.Helper()
	await(t, "all is settled", func() bool { return w.queue(t, h).Waiting == 0 })
}

// complete fails unless everything came, in order.
func (h *hook) complete(t *testing.T, messages int) {
	t.Helper()
	if r := h.Report(); !r.OK() || r.Messages != messages {
		t.Errorf("report = %+v, want %d messages", r, messages)
	}
}

// pay makes payments by a person's card: each approved, and so one fact.
func (w *hookWorld) pay(t *testing.T, p Person, n int) []*payment.Payment {
	t.Helper()
	var list []*payment.Payment
	for range n {
		list = append(list, must(w.Payments.Authorize(t.Context(), w.Manager, p.Tap(w.Terminal, fmt.Sprintf("w%d", orders.Add(1)), 100)))(t))
	}
	return list
}

func (w *hookWorld) queue(t *testing.T, h *hook) notice.Queue {
	t.Helper()
	return must(w.DB.Queue(t.Context(), h.view.ID))(t)
}
