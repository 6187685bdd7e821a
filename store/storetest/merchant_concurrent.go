package storetest

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
)

// concurrentChanges lets many open and close one merchant from two nodes. Each
// version is written once, an approval is approved once, and what was closed
// last stays closed.
func concurrentChanges(t *testing.T, nodes Nodes) {
	db := nodes()
	w, ctx, other := newMerchantWorld(t, db), t.Context(), nodes()
	w2 := *w
	w2.merchants = merchant.New(other, w.clock, w.random)
	scope := merchant.OfMerchant(w.merchant.ID)
	var approved, tightened atomic.Int64
	one := func(w *merchantWorld) {
		res, err := w.merchants.SetPolicy(ctx, w.admin, merchant.PolicyOrder{Scope: scope, Terms: merchant.Terms{PinFree: true}})
		if errors.Is(err, mianmi.Conflict) {
			return // too many wait
		}
		if err != nil {
			t.Error(err)
			return
		}
		if res.Proposal == nil { // it is open already
			res, err := w.merchants.Close(ctx, w.admin, scope)
			if err != nil {
				t.Error(err)
			} else if res.Change == merchant.Tightening {
				tightened.Add(1)
			}
			return
		}
		var both sync.WaitGroup
		for _, who := range []mianmi.Actor{w.admin2, w.operator} {
			both.Go(func() {
				switch _, err := w.merchants.Approve(ctx, who, res.Proposal.ID); {
				case err == nil:
					approved.Add(1)
				case !errors.Is(err, mianmi.Conflict):
					t.Error(err)
				}
			})
		}
		both.Wait()
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 5 {
				one([]*merchantWorld{w, &w2}[i%2])
			}
		})
	}
	all.Wait()
	p := must(w.merchants.Policy(ctx, w.admin, scope))(t)
	if n := approved.Load() + tightened.Load(); p.Version != n || approved.Load() == 0 || tightened.Load() == 0 {
		t.Errorf("version %d after %d approvals and %d closings: want their sum", p.Version, approved.Load(), tightened.Load())
	}
	if d := approved.Load() - tightened.Load(); (d == 1) != p.Terms.PinFree || d < 0 || d > 1 {
		t.Errorf("%d approvals, %d closings, and PIN-free is %v", approved.Load(), tightened.Load(), p.Terms.PinFree)
	}
	if got := passes(t, other, w.terminal.ID, 1, w.clock.Now()); got != p.Terms.PinFree {
		t.Errorf("a node's settings say %v, the policy %v", got, p.Terms.PinFree)
	}
}
