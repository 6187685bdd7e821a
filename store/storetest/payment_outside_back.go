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

// Money that a channel does not say it gave back is asked for at growing pauses,
// for about a week. Then somebody is told, nothing is asked any more, and it is
// owed as before; a hint asks once, and a person has it asked anew.
func outsideStalls(t *testing.T, d *desk) {
	c := newCounter(t, d)
	p, q := c.paid(t, c.n, c.fake, 30_00), c.paid(t, c.n, c.fake, 20_00)
	c.later(t, 5*time.Second)
	asked := map[mianmi.PaymentID]int{}
	down := true
	c.fake.Trouble = func(call string, p mianmi.PaymentID) channeltest.Fault {
		if !down || call != "refund" && call != "query_refund" {
			return channeltest.NoFault
		}
		if call == "refund" {
			asked[p]++
		}
		return channeltest.NotSent
	}
	back := payment.RefundRequest{RefundNo: "r1", Amount: money.Of(5_00, "CNY")}
	refund := func() *payment.Refund { return must(c.n.Payments.Refund(t.Context(), c.Manager, q.ID, back))(t) }
	wantState(t, must(c.n.Payments.Reverse(t.Context(), c.till, p.ID))(t), payment.Undoing)
	refund()
	told := func() int64 {
		return number(t, c.rows, `SELECT count(*) FROM outbox WHERE topic = $1`, int64(payment.TopicKept))
	}
	for i := range 60 { // more than it is asked, with the longest pause between
		if c.later(t, 6*time.Hour); i == 20 && told() != 0 {
			t.Error("somebody is told after five days")
		}
	}
	stalled := c.is(t, p.ID, payment.Undoing)
	before := asked[p.ID]
	if stalled.Failure != channel.ChannelBusy || before < 20 || before > 50 || asked[q.ID] != before || told() != 2 {
		t.Errorf("failure %v, asked %d and %d times, told %d times", stalled.Failure, before, asked[q.ID], told())
	}
	if f := must(c.n.Payments.Refunds(t.Context(), c.Manager, q.ID))(t); f[0].State != payment.RefundStalled {
		t.Errorf("the refund is %v", f[0].State)
	}
	_, err := c.n.Payments.Refund(t.Context(), c.Manager, q.ID, payment.RefundRequest{RefundNo: "r2", Amount: money.Of(15_01, "CNY")})
	wantKind(t, err, mianmi.Conflict, "refund_too_large") // the other is owed
	if err := c.n.Payments.AskSoon(t.Context(), p.ID, ""); err != nil {
		t.Fatal(err)
	}
	if c.later(t, 24*time.Hour); asked[p.ID] != before+1 || told() != 2 {
		t.Errorf("after a hint: asked %d times, told %d times", asked[p.ID], told())
	}

	down = false
	wantState(t, must(c.n.Payments.Reverse(t.Context(), c.Manager, p.ID))(t), payment.Undoing)
	if f := refund(); f.State != payment.RefundPending {
		t.Errorf("the refund is %v", f.State)
	}
	c.ask(t, c.n)
	c.is(t, p.ID, payment.Reversed)
	c.is(t, q.ID, payment.PartlyRefunded)
	c.wantTaken(t, p.ID, 0)
	c.wantTaken(t, q.ID, 15_00)
}

// An order that a channel does not say it undid is asked for at growing pauses, for
// about a week. Then somebody is told, and nothing is asked any more; a hint asks
// once. A person has it asked anew, and what was paid is refunded, for a reversal
// comes too late.
func outsideUndoStalls(t *testing.T, d *desk) {
	c := newCounter(t, d)
	db := c.engine.Open(t)
	p := c.take(t, c.scan(channeltest.CodeRich, 30_00), payment.Approved)
	q := c.take(t, payment.Request{Terminal: c.Terminal, OrderNo: order(), Amount: money.Of(20_00, "CNY"), Method: pinfree.DynamicQR, Channel: c.fake.Name()}, payment.StepUpRequired)
	asked := map[mianmi.PaymentID]int{}
	down := true
	c.fake.Trouble = func(call string, p mianmi.PaymentID) channeltest.Fault {
		if !down {
			return channeltest.NoFault
		}
		asked[p]++
		return channeltest.NotSent
	}
	wantState(t, must(c.n.Payments.Reverse(t.Context(), c.till, p.ID))(t), payment.Undoing)
	wantState(t, must(c.n.Payments.Cancel(t.Context(), c.till, q.ID))(t), payment.Undoing)
	told := func() int64 {
		return number(t, c.rows, `SELECT count(*) FROM outbox WHERE topic = $1`, int64(payment.TopicKept))
	}
	stalled := func() int64 { return must(db.StalledCalls(t.Context(), 10))(t)["fake"] }
	for i := range 60 { // more than it is asked, with the longest pause between
		if c.later(t, 6*time.Hour); i == 20 && (told() != 0 || stalled() != 0) {
			t.Error("somebody is told after five days")
		}
	}
	before := asked[p.ID]
	if got := c.is(t, p.ID, payment.Undoing); got.Failure != channel.ChannelBusy || before < 20 || before > 50 || told() != 2 || stalled() != 2 {
		t.Errorf("failure %v, asked %d times, told %d times, %d stalled", got.Failure, before, told(), stalled())
	}
	c.is(t, q.ID, payment.Undoing)
	if err := c.n.Payments.AskSoon(t.Context(), p.ID, ""); err != nil {
		t.Fatal(err)
	}
	if c.later(t, 24*time.Hour); asked[p.ID] != before+1 || told() != 2 || stalled() != 2 {
		t.Errorf("after a hint: asked %d times, told %d times, %d stalled", asked[p.ID], told(), stalled())
	}

	down = false
	wantState(t, must(c.n.Payments.Reverse(t.Context(), c.Manager, p.ID))(t), payment.Undoing)
	wantState(t, must(c.n.Payments.Cancel(t.Context(), c.Manager, q.ID))(t), payment.Undoing)
	for range 5 {
		c.later(t, time.Minute)
	}
	c.is(t, p.ID, payment.Reversed)
	c.wantTaken(t, p.ID, 0)
	c.wantTaken(t, q.ID, 0)
	if q := must(c.n.Payments.Payment(t.Context(), Operator, q.ID))(t); q.State != payment.Declined || stalled() != 0 {
		t.Errorf("the payment that nobody made is %v, %d stalled", q.State, stalled())
	}
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
