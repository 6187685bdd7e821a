package storetest

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/notice"
	"github.com/mianmi/mianmi/payment"
)

// While a message fails, the later ones of its subject are not sent; other
// subjects go on. Then all come, in order.
func subjectWaits(t *testing.T, w *hookWorld) {
	ctx := t.Context()
	p := must(w.NewPerson(ctx, 5000_00))(t)
	var broken atomic.Value
	broken.Store("")
	var tries atomic.Int64
	healed := make(chan struct{})
	h := w.hook(t, w.Merchant, func(m notice.Received) int {
		if m.Subject == broken.Load() {
			select {
			case <-healed:
			default:
				tries.Add(1)
				return 422
			}
		}
		return 200
	}, "payment.*")
	first := w.pay(t, p, 1)[0]
	broken.Store(string(first.ID))
	must(w.Payments.Refund(ctx, w.Manager, first.ID, payment.RefundRequest{RefundNo: "a", Amount: money.Of(1, "CNY")}))(t)
	must(w.Payments.Refund(ctx, w.Manager, first.ID, payment.RefundRequest{RefundNo: "b", Amount: money.Of(1, "CNY")}))(t)
	w.pay(t, p, 3)
	send(t, w.Node, notice.SenderConfig{})
	h.awaitMessages(t, 3)
	await(t, "the message is tried again", func() bool {
		return tries.Load() >= 3 && must(w.DB.Delivery(ctx, h.view.ID, 1))(t).Attempts >= 3
	})
	if h.Has(string(first.ID), 2) || h.Has(string(first.ID), 3) {
		t.Error("a later message of the subject came before the one that fails")
	}
	list := must(w.Webhooks.Deliveries(ctx, w.Manager, notice.DeliveryQuery{Webhook: h.view.ID, State: notice.Waiting}))(t)
	if len(list) != 3 || list[2].Status != 422 || list[2].Fault != notice.Rejected || list[2].Attempts < 3 || list[1].Attempts != 0 {
		t.Errorf("waiting = %+v", list)
	}
	close(healed)
	h.awaitMessages(t, 6)
	h.complete(t, 6)
}

// A message that cannot be delivered is given up in the end and lets the next
// ones of its subject pass; a replay of what was given up sends it.
func deadLetters(t *testing.T, w *hookWorld) {
	ctx := t.Context()
	p := must(w.NewPerson(ctx, 5000_00))(t)
	var healed atomic.Bool
	h := w.hook(t, w.Merchant, func(m notice.Received) int {
		if m.Version == 1 && m.Sequence == 1 && !healed.Load() {
			return 500
		}
		return 200
	}, "payment.*")
	first := w.pay(t, p, 1)[0]
	must(w.Payments.Refund(ctx, w.Manager, first.ID, payment.RefundRequest{RefundNo: "a", Amount: money.Of(1, "CNY")}))(t)
	w.pay(t, p, 1)
	send(t, w.Node, notice.SenderConfig{Schedule: notice.Schedule{Waits: []time.Duration{5 * time.Millisecond}, First: 5 * time.Millisecond, Life: 100 * time.Millisecond}})
	h.awaitMessages(t, 2)
	w.settled(t, h)
	if q := w.queue(t, h); q.Dead != 1 || q.Waiting != 0 || q.Numbered != 3 {
		t.Errorf("queue = %+v", q)
	}
	if r := h.Report(); r.Missing != 1 {
		t.Errorf("the receiver does not see the gap: %+v", r)
	}
	healed.Store(true)
	if done := must(w.Webhooks.Replay(ctx, w.Manager, notice.Replay{Webhook: h.view.ID, From: 1, DeadOnly: true}))(t); done.Count != 1 || done.Next != 0 {
		t.Errorf("replayed = %+v", done)
	}
	h.awaitMessages(t, 3)
	if r := h.Report(); r.Missing != 0 || len(r.Disordered) != 1 {
		t.Errorf("report = %+v, want all, and the one that was given up late", r)
	}
}

// Several nodes dispatch and send what four clients make; a receiver fails now
// and then. SQLite gets two nodes: more only wait for its one writer. Everything comes once, numbered without a gap, in order.
func sendersBeside(t *testing.T, w *hookWorld) {
	ctx := t.Context()
	var count atomic.Int64
	h := w.hook(t, w.Merchant, func(notice.Received) int {
		if count.Add(1)%7 == 0 {
			return 503
		}
		return 200
	}, "payment.*")
	all := w.hook(t, "", nil, "payment.*")
	nodes := []*Node{w.Node, w.node(t)}
	if !w.sqlite() {
		nodes = append(nodes, w.node(t))
	}
	for _, n := range nodes {
		send(t, n, notice.SenderConfig{Slice: 50 * time.Millisecond})
	}
	var wg sync.WaitGroup
	facts := atomic.Int64{}
	for c := range 4 {
		n := nodes[c%len(nodes)]
		p := must(w.NewPerson(ctx, 50_000_00))(t)
		wg.Go(func() {
			for range 6 {
				paid, err := n.Payments.Authorize(ctx, w.Manager, p.Tap(w.Terminal, order(), 100))
				if err == nil {
					_, err = n.Payments.Refund(ctx, w.Manager, paid.ID, payment.RefundRequest{RefundNo: "a", Amount: money.Of(10, "CNY")})
				}
				if err != nil {
					t.Error(err)
					return
				}
				facts.Add(2)
			}
		})
	}
	wg.Wait()
	for _, hook := range []*hook{h, all} {
		hook.awaitMessages(t, int(facts.Load()))
		hook.complete(t, int(facts.Load()))
		if r := hook.Report(); r.Repeats > 0 {
			t.Errorf("%d messages came twice though no node died", r.Repeats)
		}
	}
}

// A queue whose holder died is sent from by another node once its lease is
// over, and not before.
func leaseEnds(t *testing.T, w *hookWorld) {
	ctx := t.Context()
	h := w.hook(t, w.Merchant, nil, "payment.*")
	w.pay(t, must(w.NewPerson(ctx, 500_00))(t), 2)
	n := must(w.DB.Dispatch(ctx, 100, routeAll(h.view.ID)))(t)
	claim := notice.Claim{Holder: "dead", Lease: time.Hour, Healthy: 5, Failing: 5}
	claimed := must(w.DB.Claim(ctx, claim))(t)
	if n != 2 || len(claimed) != 1 || claimed[0].Webhook.ID != h.view.ID {
		t.Fatalf("dispatched %d, claimed %+v", n, claimed)
	}
	claim.Holder = "other"
	if again := must(w.node(t).DB.Claim(ctx, claim))(t); len(again) != 0 {
		t.Errorf("a queue was claimed twice: %+v", again)
	}
	hold := notice.Holding{Webhook: h.view.ID, Holder: "dead", Lease: 50 * time.Millisecond, Version: 1}
	if !must(w.DB.Renew(ctx, hold))(t) { // the last that is heard of it
		t.Error("a lease was not renewed")
	}
	send(t, w.Node, notice.SenderConfig{})
	h.awaitMessages(t, 2)
	h.complete(t, 2)
	// The dead one wakes: it has lost the queue and gives nothing back.
	hold.Lease = time.Hour
	if must(w.DB.Renew(ctx, hold))(t) {
		t.Error("a lease that was over was renewed")
	}
	if err := w.DB.Release(ctx, notice.Release{Holding: hold, Failures: 9, Wait: time.Hour}); err != nil {
		t.Error(err)
	}
	w.pay(t, must(w.NewPerson(ctx, 500_00))(t), 1)
	h.awaitMessages(t, 3)
}

// Receivers that take a connection and say nothing cost one that works neither
// messages nor time: it has its messages before the others' first tries end.
func hangingReceivers(t *testing.T, w *hookWorld) {
	release := make(chan struct{})
	dead := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(dead.Close)
	t.Cleanup(func() { close(release) })
	for range 4 {
		w.newHook(t, w.Merchant, dead.URL, "payment.*")
	}
	h := w.hook(t, w.Merchant, nil, "payment.*")
	p := must(w.NewPerson(t.Context(), 5000_00))(t)
	w.pay(t, p, 12) // enough for ten failures in a row
	sendWithin(t, w.Node, notice.SenderConfig{Healthy: 5, Failing: 2}, 2*time.Second)
	h.awaitMessages(t, 12)
	h.complete(t, 12)
	// On a machine that is busy the one that works may fail now and then, too.
	others := ` webhook <> '` + string(h.view.ID) + `'`
	await(t, "those that hang count as failing", func() bool {
		return number(t, w.rows, `SELECT count(*) FROM webhook_queue WHERE failures > 0 AND`+others) == 4
	})
	tries, rounds := `SELECT sum(attempts) FROM webhook_delivery WHERE state = 1 AND`+others, `SELECT sum(failures) FROM webhook_queue WHERE`+others
	triesBefore, roundsBefore := number(t, w.rows, tries), number(t, w.rows, rounds)
	w.pay(t, p, 12)
	h.awaitMessages(t, 24)
	more := number(t, w.rows, tries) - triesBefore
	if begun := number(t, w.rows, rounds) - roundsBefore + 4; more > begun { // each may have one that is not counted yet
		t.Errorf("receivers that fail were tried with %d messages in %d rounds", more, begun)
	}
}

// A fact whose transaction commits after later ones were dispatched is
// dispatched when it commits. SQLite has one writer: there none can be late.
func lateCommit(t *testing.T, w *hookWorld) {
	ctx := t.Context()
	if w.sqlite() {
		t.Skip("SQLite has one writer at a time")
	}
	h := w.hook(t, w.Merchant, nil, "payment.*")
	p := must(w.NewPerson(ctx, 500_00))(t)
	paid := w.pay(t, p, 1)[0]
	s := send(t, w.Node, notice.SenderConfig{})
	h.awaitMessages(t, 1)
	s.Stop()

	late, err := w.rows.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	const fact = `INSERT INTO outbox (bucket, at, subject, seq, topic, merchant, ref) SELECT bucket, state_at, id, 2, 7, merchant, '' FROM payment WHERE id = $1`
	if _, err := late.ExecContext(ctx, fact, string(paid.ID)); err != nil {
		t.Fatal(err)
	}
	w.pay(t, p, 3)
	send(t, w.Node, notice.SenderConfig{})
	h.awaitMessages(t, 4)
	if err := late.Commit(); err != nil {
		t.Fatal(err)
	}
	await(t, "the late fact", func() bool { return h.Has(string(paid.ID), 2) })
	h.complete(t, 5)
}

// What nobody tried for its life is given up, what is kept no longer goes, and
// a removed webhook leaves no rows.
func sweptDeliveries(t *testing.T, w *hookWorld) {
	ctx := t.Context()
	gone := w.hook(t, w.Merchant, nil, "payment.*")
	h := w.hook(t, w.Merchant, nil, "payment.*")
	w.pay(t, must(w.NewPerson(ctx, 500_00))(t), 3)
	must(w.Webhooks.Pause(ctx, w.Manager, h.view.ID))(t)
	must(w.DB.Dispatch(ctx, 100, routeAll(h.view.ID, gone.view.ID)))(t)
	if err := w.Webhooks.Remove(ctx, w.Manager, gone.view.ID); err != nil {
		t.Fatal(err)
	}
	sweep := notice.Sweep{Life: time.Hour, Keep: time.Hour, Limit: 2}
	for range 4 {
		must(w.DB.Sweep(ctx, sweep))(t)
	}
	for query, want := range map[string]int64{
		`SELECT count(*) FROM webhook_delivery`:                 3,
		`SELECT count(*) FROM webhook_delivery WHERE state = 1`: 3,
		`SELECT count(*) FROM webhook_queue`:                    1,
	} {
		if n := number(t, w.rows, query); n != want {
			t.Errorf("%s: %d, want %d", query, n, want)
		}
	}
	sweep.Life = 0
	for range 4 {
		must(w.DB.Sweep(ctx, sweep))(t)
	}
	list := must(w.DB.Deliveries(ctx, notice.DeliveryQuery{Webhook: h.view.ID, State: notice.Dead, Limit: 10}))(t)
	if len(list) != 3 || list[0].Fault != notice.NeverTried {
		t.Errorf("given up = %+v", list)
	}
	sweep.Keep = 0
	for range 4 {
		must(w.DB.Sweep(ctx, sweep))(t)
	}
	if n := number(t, w.rows, `SELECT count(*) FROM webhook_delivery`); n != 0 {
		t.Errorf("%d deliveries are kept", n)
	}
	if q := w.queue(t, h); q.Numbered != 3 {
		t.Errorf("the numbers begin again: %+v", q)
	}
}
