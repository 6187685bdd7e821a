package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/store/storetest"
	"github.com/mianmi/mianmi/terminal"
)

// P1 and P3 across terminals: 200 of them, of several models, pay at two nodes
// of one database while they lose their network, reboot, start older images,
// are replaced and come back, while hints and reports are lost, repeated and
// reordered, and while two persons order OFFs and lift them. No payment that
// began after the acknowledgement of an OFF passes without a PIN, nor one at a
// terminal that has not proved the newest tightening, or whose proof is over;
// and the live count of each OFF is the truth. MIANMI_TEST_SEED replays a run.
func TestOffAcrossTerminals(t *testing.T) {
	t.Parallel()
	// SQLite under the race detector is slow: there, a glimpse.
	seeds, rounds := []uint64{20260301}, map[string]int{"sqlite": 3, "postgres": 8}
	if os.Getenv("MIANMI_TEST_FULL") != "" {
		rounds = map[string]int{"sqlite": 60, "postgres": 60}
		for s := range uint64(20) {
			seeds = append(seeds, s+1)
		}
	}
	if s, err := strconv.ParseUint(os.Getenv("MIANMI_TEST_SEED"), 10, 64); err == nil {
		seeds = []uint64{s}
	}
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			for _, seed := range seeds {
				// A test of its own, so that its database is closed before the next one's is made.
				t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) { fleetSeed(t, engine, seed, rounds[engine]) })
			}
		})
	}
}

func fleetSeed(t *testing.T, engine string, seed uint64, rounds int) {
	t.Helper()
	s := newFleetSim(t, engine, seed)
	for n := range rounds {
		s.round(n)
	}
	if s.passed == 0 || s.stopped+s.doubted == 0 {
		t.Errorf("it tells nothing: %d payments passed, %d met an OFF, %d a doubt", s.passed, s.stopped, s.doubted)
	}
	t.Logf("%d payments passed without a PIN, %d met an OFF, %d a doubt; %d OFFs, %d counts compared", s.passed, s.stopped, s.doubted, len(s.offs), s.counted)
}

const (
	simTerminals = 200
	simPeople    = 40
	simLease     = 15 * time.Minute // of the policy that is shipped
)

// fleetSim is what happens, and what has to be true of it. Times are ticks of
// one counter, so that before and after are certain, whatever runs at once.
type fleetSim struct {
	t     *testing.T
	seed  uint64
	rand  *rand.Rand // of the plan: used by one goroutine alone
	clock *storetest.Clock
	nodes [2]*storetest.Node
	tick  atomic.Int64

	shops  []simShop
	all    []*simTerminal
	scopes []merchant.Scope
	people []storetest.Person
	order  int

	offs                              []*simOff
	passed, stopped, doubted, counted int
}

type simShop struct {
	merchant mianmi.MerchantID
	stores   []mianmi.StoreID
	manager  mianmi.Actor
}

// simOff is an OFF that was acknowledged.
type simOff struct {
	scope  merchant.Scope
	stop   mianmi.StopID // empty: a policy
	began  int64
	acked  int64
	lifted int64     // when lifting it began; 0: it was not
	until  time.Time // of a stop
}

func newFleetSim(t *testing.T, engine string, seed uint64) *fleetSim {
	t.Helper()
	s := &fleetSim{t: t, seed: seed, rand: rand.New(rand.NewPCG(seed, 7)), clock: storetest.NewClock()}
	open, ctx := nodes(engine)(t), t.Context()
	keys := must(secret.New(rand.NewChaCha8([32]byte{1})))(t)
	for i := range s.nodes {
		s.nodes[i] = must(storetest.NewNode(context.WithoutCancel(ctx), storetest.NodeConfig{DB: open(), Keys: keys, Clock: s.clock,
			Payment: payment.Config{Lanes: 1}}))(t)
		t.Cleanup(s.nodes[i].Payments.Stop)
	}
	n := s.nodes[0]
	var models []terminal.Model
	for i, m := range []terminal.Model{{}, {Reboot: true}, {Reboot: true}, {}, {Proof: terminal.ByHost}} {
		m.Name, m.Keypad, m.Methods = fmt.Sprint("L", i), true, pinfree.Methods(0).Set(pinfree.CardTap)
		models = append(models, must(n.Terminals.CreateModel(ctx, storetest.Operator, m))(t))
	}
	for i := range 2 {
		m := must(n.Merchants.CreateMerchant(ctx, storetest.Operator, merchant.Merchant{Name: fmt.Sprint("商户", i), Currency: "CNY",
			Facts: merchant.Facts{Country: "CN", MCC: 5812, NoPIN: true, Upgraded: true, Risk: "low"}}))(t)
		s.must(n.OpenScope(ctx, merchant.OfMerchant(m.ID), merchant.Terms{PinFree: true}))
		shop := simShop{merchant: m.ID, manager: mianmi.Actor{Role: mianmi.RoleMerchantAdmin, ID: "sf9", Merchant: m.ID}}
		for k := range 3 {
			shop.stores = append(shop.stores, must(n.Merchants.CreateStore(ctx, storetest.Operator, merchant.Store{Merchant: m.ID, Name: fmt.Sprint("店", k)}))(t).ID)
		}
		s.shops = append(s.shops, shop)
	}
	for range simPeople {
		s.people = append(s.people, must(n.NewPerson(ctx, 10_000_00))(t))
	}
	s.all = make([]*simTerminal, simTerminals)
	s.together(simTerminals, func(i int) { s.all[i] = s.newTerminal(i, models[i%len(models)]) })
	s.scopes = []merchant.Scope{merchant.Everything()}
	for _, m := range models {
		s.scopes = append(s.scopes, merchant.OfModel(m.ID))
	}
	for _, shop := range s.shops {
		s.scopes = append(s.scopes, merchant.OfMerchant(shop.merchant))
		for _, st := range shop.stores {
			s.scopes = append(s.scopes, merchant.OfStore(st))
		}
	}
	s.together(simTerminals, func(i int) { s.all[i].sync(s) })
	return s
}

func (s *fleetSim) must(err error) {
	if err != nil {
		s.t.Helper()
		s.t.Fatalf("seed %d: %v", s.seed, err)
	}
}

// fail may be called by any goroutine.
func (s *fleetSim) fail(format string, args ...any) {
	s.t.Helper()
	s.t.Errorf("seed %d: "+format, append([]any{s.seed}, args...)...)
}

// together runs fn for each number below n, sixteen at once.
func (s *fleetSim) together(n int, fn func(int)) {
	var all sync.WaitGroup
	next := make(chan int)
	for range 16 {
		all.Go(func() {
			for i := range next {
				fn(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	all.Wait()
}

// patiently tries again what a busy database could not do: on a slow machine
// the two nodes wait for each other.
func patiently[T any](try func() (T, error)) (v T, err error) {
	for range 200 {
		if v, err = try(); !errors.Is(err, mianmi.Unavailable) {
			return v, err
		}
	}
	return v, err
}

// round lets time pass, terminals do what they do, and then payments and orders
// meet at both nodes.
func (s *fleetSim) round(n int) {
	s.clock.Add(time.Duration(s.rand.IntN(6*60)) * time.Second)
	if s.rand.IntN(6) == 0 {
		s.clock.Add(simLease / 2)
	}
	acts := s.drawActs(2 * simTerminals / 3)
	s.together(len(acts), func(i int) { acts[i].do(s) })
	s.count(n)
	s.storm(n)
	s.count(n)
}

// storm lets payments begin and end while OFFs are ordered and lifted, and other
// terminals talk to the host.
func (s *fleetSim) storm(n int) {
	orders := s.drawOrders()
	acts := s.drawActs(simTerminals / 8)
	busy := map[*simTerminal]bool{}
	for _, a := range acts {
		busy[a.of] = true
	}
	type buyer struct {
		node *storetest.Node
		at   []*simTerminal
		who  storetest.Person
		paid []simPayment
		from int
	}
	buyers := make([]buyer, 16)
	for i := range buyers {
		b := &buyers[i]
		b.node, b.who, b.from = s.nodes[s.rand.IntN(2)], s.people[s.rand.IntN(len(s.people))], s.order
		for range 5 {
			if d := s.all[s.rand.IntN(len(s.all))]; !busy[d] {
				b.at = append(b.at, d)
			}
		}
		s.order += len(b.at)
	}
	var all sync.WaitGroup
	for i := range orders {
		all.Go(func() { orders[i](s) })
	}
	all.Go(func() { s.together(len(acts), func(i int) { acts[i].do(s) }) })
	for i := range buyers {
		b := &buyers[i]
		all.Go(func() {
			for k, d := range b.at {
				p := simPayment{at: d, began: s.tick.Add(1)}
				got, err := b.node.Payments.Authorize(s.t.Context(), s.shops[d.shop].manager, b.who.Tap(d.ID, fmt.Sprintf("s-%d", b.from+k), 1_00))
				p.ended = s.tick.Add(1)
				if err != nil && !errors.Is(err, mianmi.Unavailable) {
					s.fail("round %d: pay: %v", n, err)
				}
				p.passed = err == nil && got.PinFree()
				p.refused = err != nil
				b.paid = append(b.paid, p)
			}
		})
	}
	all.Wait()
	for i := range buyers {
		for j := range buyers[i].paid {
			s.judge(n, &buyers[i].paid[j])
		}
	}
}

// drawOrders are what two persons do at once, each at a scope of their own.
func (s *fleetSim) drawOrders() []func(*fleetSim) {
	var list []func(*fleetSim)
	taken := map[merchant.Scope]bool{}
	for range s.rand.IntN(3) {
		scope := s.scopes[s.rand.IntN(len(s.scopes))]
		if s.rand.IntN(4) == 0 {
			scope = merchant.OfTerminal(s.all[s.rand.IntN(len(s.all))].ID)
		}
		node := s.nodes[s.rand.IntN(2)]
		off := &simOff{scope: scope}
		if s.rand.IntN(2) == 0 {
			off.until = s.clock.Now().Add(time.Duration(5+s.rand.IntN(40)) * time.Minute)
		}
		if taken[scope] || s.holds(scope) {
			continue
		}
		taken[scope] = true
		s.offs = append(s.offs, off)
		lost := s.rand.Uint64()
		list = append(list, func(s *fleetSim) { s.close(node, off, lost) })
	}
	for _, off := range s.offs {
		// Wide ones do not last, or nothing could pass.
		if off.acked == 0 || off.lifted != 0 || taken[off.scope] || s.rand.IntN(2) == 0 {
			continue
		}
		taken[off.scope] = true
		first, second := s.nodes[s.rand.IntN(2)], s.nodes[s.rand.IntN(2)]
		list = append(list, func(s *fleetSim) { s.lift(first, second, off) })
	}
	return list
}

// holds reports whether the scope is off already: then an OFF changes nothing.
func (s *fleetSim) holds(scope merchant.Scope) bool {
	for _, off := range s.offs {
		if off.scope == scope && off.lifted == 0 {
			return true
		}
	}
	return false
}

// close orders an OFF, and sends hints, of which some are lost and some come
// twice.
func (s *fleetSim) close(node *storetest.Node, off *simOff, chance uint64) {
	off.began = s.tick.Add(1)
	_, err := patiently(func() (struct{}, error) {
		if off.until.IsZero() {
			_, err := node.Merchants.Close(s.t.Context(), storetest.Operator, off.scope)
			return struct{}{}, err
		}
		stop, err := node.Merchants.Place(s.t.Context(), storetest.Operator, merchant.StopOrder{Scope: off.scope, Reason: "sim", For: off.until.Sub(s.clock.Now())})
		off.stop = stop.ID
		return struct{}{}, err
	})
	off.acked = s.tick.Add(1)
	if err != nil {
		s.fail("switch %s off: %v", off.scope, err)
	}
	s.hint(node, off.scope, chance)
}

// lift takes an OFF back by two persons, at whichever nodes they are.
func (s *fleetSim) lift(first, second *storetest.Node, off *simOff) {
	off.lifted = s.tick.Add(1)
	ctx := s.t.Context()
	ask := func() (*merchant.Approval, error) {
		if off.stop != "" {
			a, err := first.Merchants.Lift(ctx, storetest.Operator, off.stop)
			return &a, err
		}
		r, err := first.Merchants.SetPolicy(ctx, storetest.Operator, merchant.PolicyOrder{Scope: off.scope, Terms: merchant.Terms{PinFree: true}})
		return r.Proposal, err
	}
	a, err := patiently(ask)
	if err == nil && a != nil {
		_, err = patiently(func() (merchant.Approval, error) { return second.Merchants.Approve(ctx, storetest.Operator2, a.ID) })
	}
	if err != nil && (off.stop == "" || !errors.Is(err, mianmi.Conflict)) { // a stop that is over by itself
		s.fail("lift %s: %v", off.scope, err)
	}
}

// hint puts hints into the mail of those whom a change concerns.
func (s *fleetSim) hint(node *storetest.Node, scope merchant.Scope, chance uint64) {
	r := rand.New(rand.NewPCG(s.seed, chance))
	newest, err := node.DB.Newest(s.t.Context())
	if err != nil {
		s.fail("the newest versions for hints: %v", err)
		return
	}
	for _, d := range s.all {
		if !d.in(s, scope) {
			continue
		}
		version, _ := newest(d.ID)
		for range [...]int{0, 1, 1, 2}[r.IntN(4)] {
			d.post(version)
		}
	}
}
