package storetest

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/risk"
)

// ticking is a clock that goes on by itself whenever it is asked.
type ticking struct {
	mianmi.Clock
	each time.Duration
	n    atomic.Int64
}

func (c *ticking) Now() time.Time { return c.Clock.Now().Add(time.Duration(c.n.Add(1)) * c.each) }

// A place in the log that was not written, for nothing was found on the way, is read
// again by whoever takes over: what they find, they find once.
func riskUnwritten(t *testing.T, w *riskWorld) {
	ctx := t.Context()
	if err := w.a.Leave(ctx); err != nil {
		t.Fatal(err)
	}
	parts := w.a.Parts
	parts.Clock = &ticking{Clock: w.clock, each: 30 * time.Millisecond}
	s := must(risk.New(parts))(t)
	pay := func() {
		w.orders++
		paid := must(w.node.Payments.Authorize(ctx, w.shop.Manager, w.p.Tap(w.shop.Terminal, fmt.Sprintf("R%d", w.orders), 12_00)))(t)
		if paid.State != payment.Approved {
			t.Fatalf("payment %d: %v", w.orders, paid.Reasons)
		}
		for must(w.log.Sequence(ctx))(t).Entries > 0 {
		}
		seen := s.Figures().Position
		for s.Figures().Position == seen { // it rests in between
			must(s.Follow(ctx))(t)
		}
	}
	for range 3 {
		pay()
	}
	written, seen := must(w.node.DB.FollowedTo(ctx))(t), s.Figures().Position
	if written >= seen {
		t.Errorf("written to %d, seen to %d: each place was written", written, seen)
	}
	if err := s.Leave(ctx); err != nil {
		t.Fatal(err)
	}
	w.spend(t, w.p, 2)
	w.follow(t, w.b)
	if list := w.alarms(t, risk.Query{}); len(list) != 1 || list[0].Rule != "payer_burst" || list[0].Count != 1 {
		t.Errorf("alarms: %+v", list)
	}
	if to := must(w.node.DB.FollowedTo(ctx))(t); to != w.b.Figures().Position {
		t.Errorf("at its end the log was followed to %d, and %d is written", w.b.Figures().Position, to)
	}
}
