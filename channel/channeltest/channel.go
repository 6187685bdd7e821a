package channeltest

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/money"
)

// Fault is what goes wrong with one call.
type Fault uint8

const (
	NoFault   Fault = iota
	NotSent         // the call does not arrive, and nobody knows
	LostLate        // it arrives and is done; its answer is lost
	Proofless       // an error comes back that proves nothing, and nothing was done
)

// Codes that Channel takes, by their first digits; the rest is any.
const (
	CodeRich = "13"   // pays at once
	CodePoor = "1399" // has no money
	CodeSlow = "1355" // the payer is asked for a password: see Finish
)

// Channel is a payment system in memory. The zero Channel is ready; Name is
// "fake".
type Channel struct {
	// Trouble says what goes wrong with a call, by its name (charge, prepay, query,
	// undo, refund, query_refund, payer_of, ask); nil: nothing. It is called under a
	// lock.
	Trouble func(call string, p mianmi.PaymentID) Fault
	// Reached is called when a call has arrived, before it is done, without locks;
	// nil: nothing is.
	Reached func(call string, p mianmi.PaymentID)
	// Speed is its pace; zero: that of ShortPace.
	Speed channel.Pace
	// Called is the channel's name; empty: "fake".
	Called string
	// OwnRules is the word of Terms.
	OwnRules bool
	// Who is the owner of a code; empty: it does not say. Nil: the channel names
	// nobody, and who pays is "somebody".
	Who func(code string) string
	// Only is the merchant who is connected; empty: every one.
	Only mianmi.MerchantID
	// NoRefunds has every new refund fail for good.
	NoRefunds bool
	// Slack has refunds be under way until the second question.
	Slack bool

	mu      sync.Mutex
	orders  map[mianmi.PaymentID]*order
	charges map[mianmi.PaymentID]int
	codes   map[string]mianmi.PaymentID
}

var (
	_ channel.Remote  = (*Channel)(nil)
	_ channel.Namer   = (*Channel)(nil)
	_ channel.Checker = (*Channel)(nil)
)

type order struct {
	amount   money.Amount
	payer    string
	standing channel.Standing
	failure  channel.Failure
	back     int64
	refunds  map[mianmi.RefundID]*refund
}

type refund struct {
	minor    int64
	asked    int
	standing channel.Standing
}

// ShortPace suits tests whose clock is moved by hand.
func ShortPace() channel.Pace {
	return channel.Pace{Answer: 10 * time.Second, First: 5 * time.Second, Every: 5 * time.Second, GiveUp: 45 * time.Second, UndoFrom: 15 * time.Second,
		UndoWithin: 7 * 24 * time.Hour, Late: []time.Duration{time.Hour, 24 * time.Hour, 7 * 24 * time.Hour}}
}

// Name implements channel.Remote.
func (c *Channel) Name() string {
	if c.Called != "" {
		return c.Called
	}
	return "fake"
}

// Takes implements channel.Remote.
func (c *Channel) Takes(code string) bool {
	return len(code) == 18 && strings.HasPrefix(code, CodeRich)
}

// Pace implements channel.Remote.
func (c *Channel) Pace() channel.Pace {
	if c.Speed.Answer > 0 {
		return c.Speed
	}
	return ShortPace()
}

// Terms implements channel.Remote.
func (c *Channel) Terms(m mianmi.MerchantID) (channel.Terms, bool) {
	return channel.Terms{OwnRules: c.OwnRules, Names: c.Who != nil}, c.Only == "" || c.Only == m
}

// Connection implements channel.Checker: all merchants have the same.
func (c *Channel) Connection(m mianmi.MerchantID) (string, bool) {
	return "connection", c.Only == "" || c.Only == m
}

// Ask implements channel.Checker.
func (c *Channel) Ask(ctx context.Context, connection string) channel.Sign {
	switch {
	case connection != "connection":
		return channel.NotKnown
	case act(ctx, c, "ask", "", func() bool { return true }):
		return channel.Answers
	}
	return channel.Silent
}

// act does one call under its fault. do runs under the lock.
func act[A any](ctx context.Context, c *Channel, call string, p mianmi.PaymentID, do func() A) (a A) {
	if ctx.Err() != nil {
		return a
	}
	if c.Reached != nil {
		c.Reached(call, p)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	fault := NoFault
	if c.Trouble != nil {
		fault = c.Trouble(call, p)
	}
	if ctx.Err() != nil || fault == NotSent || fault == Proofless {
		return a
	}
	done := do()
	if fault == LostLate {
		return a
	}
	return done
}

func (c *Channel) order(p mianmi.PaymentID) *order { return c.orders[p] }

func (c *Channel) put(p mianmi.PaymentID, o *order) *order {
	if c.orders == nil {
		c.orders, c.charges, c.codes = map[mianmi.PaymentID]*order{}, map[mianmi.PaymentID]int{}, map[string]mianmi.PaymentID{}
	}
	o.refunds = map[mianmi.RefundID]*refund{}
	c.orders[p] = o
	return o
}

func (o *order) answer(p mianmi.PaymentID) channel.Answer {
	a := channel.Answer{Standing: o.standing, Failure: o.failure}
	if o.standing == channel.Paid || o.standing == channel.GivenBack {
		a.Transaction, a.Amount, a.Payer = "fk-"+string(p), o.amount, cmp.Or(o.payer, "somebody")
	}
	return a
}

// Charge implements channel.Remote.
func (c *Channel) Charge(ctx context.Context, r channel.Order, code string) channel.Answer {
	return act(ctx, c, "charge", r.Payment, func() channel.Answer {
		if o := c.order(r.Payment); o != nil {
			return o.answer(r.Payment)
		}
		o := c.put(r.Payment, &order{amount: r.Amount, standing: channel.Paid})
		if c.Who != nil {
			o.payer = c.Who(code)
		}
		by, used := c.codes[code]
		switch {
		case used && by != r.Payment || !c.Takes(code):
			o.standing, o.failure = channel.Unpaid, channel.CodeRefused
		case strings.HasPrefix(code, CodePoor):
			o.standing, o.failure = channel.Unpaid, channel.InsufficientFunds
		case strings.HasPrefix(code, CodeSlow):
			o.standing = channel.Waiting
		}
		c.codes[code] = r.Payment
		if o.standing == channel.Paid {
			c.charges[r.Payment]++
		}
		return o.answer(r.Payment)
	})
}

// PayerOf implements channel.Namer.
func (c *Channel) PayerOf(ctx context.Context, _ mianmi.MerchantID, code string) (name string, known bool, fault string) {
	if c.Who == nil {
		return "", false, ""
	}
	if name = act(ctx, c, "payer_of", "", func() string { return c.Who(code) }); name == "" {
		return "", false, "no answer"
	}
	return name, true, ""
}

// qrPrefix leads the QR codes of Channel.
const qrPrefix = "fake://pay/"

// Prepay implements channel.Remote.
func (c *Channel) Prepay(ctx context.Context, r channel.Order) channel.Answer {
	return act(ctx, c, "prepay", r.Payment, func() channel.Answer {
		o := c.order(r.Payment)
		if o == nil {
			o = c.put(r.Payment, &order{amount: r.Amount, standing: channel.Waiting})
		}
		a := o.answer(r.Payment)
		if o.standing == channel.Waiting {
			a.QR = qrPrefix + string(r.Payment)
		}
		return a
	})
}

// Query implements channel.Remote.
func (c *Channel) Query(ctx context.Context, r channel.Ref) channel.Answer {
	return act(ctx, c, "query", r.Payment, func() channel.Answer {
		if o := c.order(r.Payment); o != nil {
			return o.answer(r.Payment)
		}
		return channel.Answer{Fault: "no such order"}
	})
}

// Undo implements channel.Remote.
func (c *Channel) Undo(ctx context.Context, r channel.Ref) channel.Answer {
	return act(ctx, c, "undo", r.Payment, func() channel.Answer {
		o := c.order(r.Payment)
		switch {
		case o == nil: // the number is used up
			o = c.put(r.Payment, &order{standing: channel.Unpaid})
		case o.standing == channel.Waiting:
			o.standing = channel.Unpaid
		case o.standing == channel.Paid && r.Way == channel.ByCode:
			o.standing, o.back = channel.GivenBack, o.amount.Minor()
		}
		return o.answer(r.Payment)
	})
}

// Refund implements channel.Remote.
func (c *Channel) Refund(ctx context.Context, r channel.RefundOrder) channel.RefundAnswer {
	return act(ctx, c, "refund", r.Payment, func() channel.RefundAnswer {
		o := c.order(r.Payment)
		if o == nil {
			return channel.RefundAnswer{Fault: "no such order"}
		}
		f := o.refunds[r.Refund]
		if f == nil {
			f = &refund{minor: r.Amount.Minor(), standing: channel.Waiting}
			o.refunds[r.Refund] = f
			if c.NoRefunds || o.standing != channel.Paid || o.back+f.minor > o.amount.Minor() {
				f.standing = channel.Unpaid
			}
		}
		return c.settle(o, f, r.Refund)
	})
}

// settle moves the money of a refund when it is its turn.
func (c *Channel) settle(o *order, f *refund, id mianmi.RefundID) channel.RefundAnswer {
	if f.asked++; f.standing == channel.Waiting && (f.asked > 1 || !c.Slack) {
		f.standing = channel.Paid
		if o.back += f.minor; o.back == o.amount.Minor() {
			o.standing = channel.GivenBack
		}
	}
	a := channel.RefundAnswer{Standing: f.standing}
	if f.standing == channel.Paid {
		a.Transaction = "fk-" + string(id)
	}
	return a
}

// QueryRefund implements channel.Remote.
func (c *Channel) QueryRefund(ctx context.Context, r channel.RefundOrder) channel.RefundAnswer {
	return act(ctx, c, "query_refund", r.Payment, func() channel.RefundAnswer {
		if o := c.order(r.Payment); o != nil && o.refunds[r.Refund] != nil {
			return c.settle(o, o.refunds[r.Refund], r.Refund)
		}
		return channel.RefundAnswer{Fault: "no such refund"}
	})
}

// Finish ends the waiting of an order: the payer pays, or gives up.
func (c *Channel) Finish(p mianmi.PaymentID, paid bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.order(p)
	if o == nil || o.standing != channel.Waiting {
		return
	}
	o.standing, o.failure = channel.Unpaid, channel.PayerStopped
	if paid {
		o.standing, o.failure = channel.Paid, channel.NoFailure
		c.charges[p]++
	}
}

// Scan has a payer pay the order behind a QR code, if it waits.
func (c *Channel) Scan(qr string) {
	c.Finish(mianmi.PaymentID(strings.TrimPrefix(qr, qrPrefix)), true)
}

// PayLate has an order be paid after it had been ended without payment: what the
// contract forbids and networks do.
func (c *Channel) PayLate(p mianmi.PaymentID, amount money.Amount) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.order(p)
	if o == nil {
		o = c.put(p, &order{})
	}
	o.amount, o.standing, o.failure = amount, channel.Paid, channel.NoFailure
	c.charges[p]++
}

// Taken is what is kept of an order, and how often it was charged.
func (c *Channel) Taken(p mianmi.PaymentID) (minor int64, charges int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.order(p)
	if o == nil || o.standing != channel.Paid && o.standing != channel.GivenBack {
		return 0, c.charges[p]
	}
	return o.amount.Minor() - o.back, c.charges[p]
}

// Orders are the numbers of all orders.
func (c *Channel) Orders() []mianmi.PaymentID {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []mianmi.PaymentID
	for p := range c.orders {
		out = append(out, p)
	}
	return out
}

// Code is a code of the kind, the nth of its kind.
func Code(kind string, n int64) string {
	return kind + fmt.Sprintf("%0*d", 18-len(kind), n)
}
