package storetest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/channel/channeltest"
	"github.com/mianmi/mianmi/payment"
)

// stuck is a channel whose calls of one name never come back, before or after
// they are done: a process that died there.
type stuck struct {
	*channeltest.Channel
	call string
	done bool          // they are done first
	in   chan struct{} // somebody is there
	out  chan struct{} // closed when the test is over
}

func (s *stuck) hang(call string, do func() channel.Answer) channel.Answer {
	if call != s.call {
		return do()
	}
	if s.done {
		do()
	}
	s.in <- struct{}{}
	<-s.out
	return channel.Answer{}
}

func (s *stuck) Charge(_ context.Context, o channel.Order, code string) channel.Answer {
	return s.hang("charge", func() channel.Answer { return s.Channel.Charge(context.Background(), o, code) })
}

func (s *stuck) Undo(_ context.Context, r channel.Ref) channel.Answer {
	return s.hang("undo", func() channel.Answer { return s.Channel.Undo(context.Background(), r) })
}

// A process that dies between commit and charge, between charge and the answer's
// transaction, or while it undoes, loses nothing: another goes on. Of two that
// sweep at once, one asks. Two requests with one order number are one payment.
func outsideKilled(t *testing.T, d *desk) {
	c := newCounter(t, d)
	die := func(call string, done bool) *stuck {
		s := &stuck{Channel: c.fake, call: call, done: done, in: make(chan struct{}, 8), out: make(chan struct{})}
		return s
	}
	for _, test := range []struct {
		name string
		call string
		done bool
		want payment.State
		kept int64
	}{
		{"before the charge", "charge", false, payment.Declined, 0},
		{"after the charge", "charge", true, payment.Approved, 9_00},
		{"before the undoing", "undo", false, payment.Reversed, 0},
		{"after the undoing", "undo", true, payment.Reversed, 0},
	} {
		s := die(test.call, test.done)
		dead := c.serve(t, s)
		t.Cleanup(func() { close(s.out) })
		ctx, cancel := context.WithCancel(t.Context())
		answered := make(chan *payment.Payment, 1)
		go func() {
			p, err := dead.Payments.Authorize(ctx, c.till, c.scan(channeltest.CodeRich, 9_00))
			if err != nil {
				t.Error(err)
			}
			answered <- p
		}()
		if test.call == "charge" {
			<-s.in
			cancel()
		}
		p := <-answered
		cancel()
		if test.call == "undo" {
			must(c.n.Payments.Reverse(t.Context(), c.till, p.ID))(t)
			c.clock.Add(15 * time.Second)
			go dead.Payments.AskChannel(context.WithoutCancel(t.Context()), c.fake.Name()) //nolint:errcheck // it dies
			<-s.in
		} else {
			wantState(t, p, payment.Verifying)
		}
		for range 12 { // longer than a lease, and than the channel's time to give up
			c.later(t, 15*time.Second)
		}
		c.is(t, p.ID, test.want)
		c.wantTaken(t, p.ID, test.kept)
	}
	c.oneAsks(t)
}

// oneAsks has two processes sweep at once.
func (c *counter) oneAsks(t *testing.T) {
	t.Helper()
	var mu sync.Mutex
	asked := map[mianmi.PaymentID]int{}
	c.fake.Reached = func(call string, p mianmi.PaymentID) {
		if mu.Lock(); call == "query" {
			asked[p]++
		}
		mu.Unlock()
	}
	nodes := []*Node{c.n, c.serve(t, c.fake)}
	for range 8 {
		c.take(t, c.scan(channeltest.CodeSlow, 1_00), payment.Verifying)
	}
	c.clock.Add(5 * time.Second)
	c.both(4, func(i int, _ *Node) {
		if _, err := nodes[i%2].Payments.AskChannel(t.Context(), c.fake.Name()); err != nil {
			t.Error(err)
		}
	})
	for id, n := range asked {
		if n != 1 {
			t.Errorf("payment %s was asked for %d times", id, n)
		}
	}
	if len(asked) != 8 {
		t.Errorf("%d of 8 were asked for", len(asked))
	}
	r := c.scan(channeltest.CodeRich, 2_00)
	var got attempts
	c.both(6, func(i int, _ *Node) { got.add(nodes[i%2].Payments.Authorize(t.Context(), c.till, r)) })
	got.wantErrs(t, 0, mianmi.Internal, "")
	for _, p := range got.payments {
		if p.ID != got.payments[0].ID {
			t.Error("one order number is two payments")
		}
	}
	c.wantTaken(t, got.payments[0].ID, 2_00)
}
