package storetest

import (
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/channel/channeltest"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
)

// code opens a QR code at a channel, and has somebody pay by it there.
func (c *counter) paid(t *testing.T, n *Node, at *channeltest.Channel, minor int64) *payment.Payment {
	t.Helper()
	p := must(n.Payments.Authorize(t.Context(), c.till, payment.Request{Terminal: c.Terminal, OrderNo: order(), Amount: money.Of(minor, "CNY"),
		Method: pinfree.DynamicQR, Channel: at.Name()}))(t)
	wantState(t, p, payment.StepUpRequired)
	at.Scan(p.QR)
	return p
}

// A channel that gives money back under no number is asked under a few. Then the
// payment is what its money is, taken; somebody is told; and it is refunded by
// people when the channel does so again.
func outsideKeeps(t *testing.T, d *desk) {
	c := newCounter(t, d)
	p := c.paid(t, c.n, c.fake, 30_00)
	c.later(t, 5*time.Second)
	c.is(t, p.ID, payment.Approved)
	c.fake.NoRefunds = true
	wantState(t, must(c.n.Payments.Reverse(t.Context(), c.till, p.ID))(t), payment.Undoing)
	asked := 0
	c.fake.Reached = func(call string, _ mianmi.PaymentID) {
		if call == "refund" {
			asked++
		}
	}
	for range 20 { // more than it is asked for, with the longest pause between
		c.later(t, 10*time.Minute)
	}
	if q := c.is(t, p.ID, payment.Approved); q.Failure != channel.ChannelRefused || asked < 2 || asked > 10 {
		t.Errorf("failure %v, asked %d times", q.Failure, asked)
	}
	c.wantTaken(t, p.ID, 30_00)
	if n := number(t, c.rows, `SELECT count(*) FROM outbox WHERE subject = $1 AND topic = $2`, string(p.ID), int64(payment.TopicKept)); n != 1 {
		t.Errorf("%d messages say that the money did not go back", n)
	}
	_, err := c.n.Payments.Reverse(t.Context(), c.till, p.ID)
	wantKind(t, err, mianmi.Conflict, "not_given_back")

	c.fake.NoRefunds = false
	must(c.n.Payments.Refund(t.Context(), c.Manager, p.ID, payment.RefundRequest{RefundNo: "r1", Amount: p.Amount}))(t)
	c.ask(t, c.n)
	c.is(t, p.ID, payment.Refunded)
	c.wantTaken(t, p.ID, 0)
}

// While one channel does not answer, another is asked and heard, and so is the
// same channel about other payments.
func outsideHangs(t *testing.T, d *desk) {
	c := newCounter(t, d)
	hung := &channeltest.Channel{Called: "hung", Only: d.Merchant}
	n := c.serve(t, hung, c.fake)
	stuck, well := c.paid(t, n, hung, 1_00), c.paid(t, n, c.fake, 2_00)
	c.clock.Add(5 * time.Second)
	in, out := make(chan struct{}), make(chan struct{})
	var once sync.Once
	hung.Reached = func(_ string, p mianmi.PaymentID) {
		if p == stuck.ID {
			once.Do(func() { close(in) })
			<-out
		}
	}
	ended := make(chan error, 1)
	go func() {
		_, err := n.Payments.AskChannel(t.Context(), hung.Name())
		ended <- err
	}()
	<-in
	if got := must(n.Payments.AskChannel(t.Context(), c.fake.Name()))(t); got != 1 {
		t.Errorf("%d were due at the channel that answers", got)
	}
	c.is(t, well.ID, payment.Approved)
	beside := c.paid(t, n, hung, 3_00)
	c.clock.Add(5 * time.Second)
	if got := must(n.Payments.AskChannel(t.Context(), hung.Name()))(t); got != 1 {
		t.Errorf("%d were due beside the one that hangs", got)
	}
	c.is(t, beside.ID, payment.Approved)
	c.is(t, stuck.ID, payment.StepUpRequired)
	close(out)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	c.is(t, stuck.ID, payment.Approved)
}

// What is due at a channel and nobody asks is counted, for each channel, up to a
// limit; what was asked and what is due later is not.
func outsideOverdue(t *testing.T, d *desk) {
	c := newCounter(t, d)
	other := &channeltest.Channel{Called: "other", Only: d.Merchant}
	n := c.serve(t, other, c.fake)
	db := c.engine.Open(t)
	want := func(when string, limit int, want map[string]int64) {
		t.Helper()
		if got := must(db.OverdueCalls(t.Context(), c.clock.Now(), limit))(t); !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", when, got, want)
		}
	}
	want("nothing was asked for", 10, nil)
	p := c.paid(t, n, c.fake, 1_00)
	c.paid(t, n, c.fake, 2_00)
	c.paid(t, n, other, 3_00)
	want("due later", 10, nil)
	c.clock.Add(5 * time.Second)
	want("due", 10, map[string]int64{"fake": 2, "other": 1})
	want("up to a limit", 1, map[string]int64{"fake": 1, "other": 1})
	c.ask(t, n)
	c.is(t, p.ID, payment.Approved)
	want("one channel was asked", 10, map[string]int64{"other": 1})
}
