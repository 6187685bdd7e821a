package storetest

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/notice"
	"github.com/mianmi/mianmi/settings"
)

// routeAll sends every fact to the webhooks, as if all of them wanted it.
func routeAll(ids ...mianmi.WebhookID) func([]notice.Fact, *settings.Snapshot) [][]settings.Listener {
	return func(facts []notice.Fact, _ *settings.Snapshot) [][]settings.Listener {
		out := make([][]settings.Listener, len(facts))
		for i := range facts {
			for _, id := range ids {
				out[i] = append(out[i], settings.Listener{ID: id})
			}
		}
		return out
	}
}

// A pause keeps what happens meanwhile; resuming sends it. A receiver that says
// 410 is asked no more until somebody resumes it. Each change is recorded.
func pausedAndGone(t *testing.T, w *hookWorld) {
	ctx := t.Context()
	var status atomic.Int64
	status.Store(200)
	h := w.hook(t, w.Merchant, func(notice.Received) int { return int(status.Load()) }, "payment.*")
	p := must(w.NewPerson(ctx, 5000_00))(t)
	send(t, w.Node, notice.SenderConfig{})
	w.pay(t, p, 1)
	h.awaitMessages(t, 1)

	must(w.Webhooks.Pause(ctx, w.Manager, h.view.ID))(t)
	w.pay(t, p, 2)
	await(t, "the facts wait", func() bool { return w.queue(t, h).Waiting == 2 })
	must(w.Webhooks.Resume(ctx, w.Manager, h.view.ID))(t)
	h.awaitMessages(t, 3)

	status.Store(410)
	w.pay(t, p, 1)
	await(t, "the webhook is gone", func() bool {
		return must(w.Webhooks.Webhook(ctx, w.Manager, h.view.ID))(t).State == notice.Gone
	})
	w.pay(t, p, 1)
	status.Store(200)
	await(t, "the facts wait", func() bool { return w.queue(t, h).Waiting == 2 })
	must(w.Webhooks.Resume(ctx, w.Manager, h.view.ID))(t)
	h.awaitMessages(t, 5)
	h.complete(t, 5)

	if err := w.Webhooks.Remove(ctx, w.Manager, h.view.ID); err != nil {
		t.Fatal(err)
	}
	_, err := w.Webhooks.Webhook(ctx, w.Manager, h.view.ID)
	wantKind(t, err, mianmi.NotFound, "")
	_, err = w.Webhooks.Resume(ctx, w.Manager, h.view.ID)
	wantKind(t, err, mianmi.NotFound, "")
	var kinds []string
	for _, row := range rowsOf(t, w.rows, `SELECT type FROM entry WHERE subject = '`+string(h.view.ID)+`' ORDER BY number`) {
		kinds = append(kinds, row[0])
	}
	same(t, "entries", kinds, []string{"webhook.created", "webhook.paused", "webhook.resumed", "webhook.gone", "webhook.resumed", "webhook.removed"})
}

// While it overlaps, a receiver verifies by either secret; afterwards by the
// new one alone.
func rotatedSecret(t *testing.T, w *hookWorld) {
	ctx := t.Context()
	h := w.hook(t, w.Merchant, nil, "payment.*")
	send(t, w.Node, notice.SenderConfig{Slice: 20 * time.Millisecond})
	test := func() int64 { return must(w.Webhooks.SendTest(ctx, w.Manager, h.view.ID))(t) }
	test()
	h.awaitMessages(t, 1)
	v, fresh, err := w.Webhooks.Rotate(ctx, w.Manager, h.view.ID, time.Hour)
	if err != nil || v.Secrets != 2 || fresh == h.secret {
		t.Fatalf("rotated to %+v, %v", v, err)
	}
	test()
	h.awaitMessages(t, 2) // by the former one
	next := must(notice.NewReceiver(machine, fresh))(t)
	h.serves.Store(next)
	test()
	await(t, "a message that the new secret signs", func() bool { return next.Report().Messages == 1 })
	if v, _, err = w.Webhooks.Rotate(ctx, w.Manager, h.view.ID, 0); err != nil || v.Secrets != 1 {
		t.Fatalf("rotated to %+v, %v", v, err)
	}
	await(t, "a message that neither signs", func() bool { // a sender heeds it within a second
		test()
		return next.Report().Forged > 0
	})
	if r := h.Report(); r.Forged > 0 {
		t.Errorf("the former secret did not verify while it overlapped: %+v", r)
	}
}

// A replay sends again what happened since a time, or from a number on, under
// the numbers and identifiers of the first time.
func replayedSince(t *testing.T, w *hookWorld) {
	ctx := context.WithoutCancel(t.Context())
	k := &taker{}
	h := w.hook(t, w.Merchant, k.take, "payment.*")
	p := must(w.NewPerson(ctx, 5000_00))(t)
	send(t, w.Node, notice.SenderConfig{})
	w.pay(t, p, 3)
	h.awaitMessages(t, 3)
	second := must(w.DB.Delivery(ctx, h.view.ID, 2))(t)
	w.settled(t, h)
	if done := must(w.Webhooks.Replay(ctx, w.Manager, notice.Replay{Webhook: h.view.ID, Since: second.At}))(t); done.Count != 2 {
		t.Errorf("replayed = %+v, want the second and the third", done)
	}
	await(t, "two repeats", func() bool { return h.Report().Repeats == 2 })
	w.settled(t, h)
	if done := must(w.Webhooks.Replay(ctx, w.Manager, notice.Replay{Webhook: h.view.ID, From: 3}))(t); done.Count != 1 {
		t.Errorf("replayed = %+v, want the third", done)
	}
	await(t, "three repeats", func() bool { return h.Report().Repeats == 3 })
	if done := must(w.Webhooks.Replay(ctx, w.Manager, notice.Replay{Webhook: h.view.ID, Since: time.Now().Add(time.Hour)}))(t); done.Count != 0 {
		t.Errorf("replayed = %+v, want nothing", done)
	}
	first := map[int64]notice.Received{}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, m := range k.list {
		if f, again := first[m.Sequence]; again && (f.ID != m.ID || string(f.Body) != string(m.Body)) {
			t.Errorf("message %d was sent again as %s %s", m.Sequence, m.ID, m.Body)
		}
		first[m.Sequence] = m
	}
}
