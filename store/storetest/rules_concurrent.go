package storetest

import (
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/rules"
	"github.com/mianmi/mianmi/secret"
)

// Two nodes, two operators, one proposal: it comes into force once.
func approveAtOnce(t *testing.T, nodes Nodes) {
	w, ctx := newRulesWorld(nodes), t.Context()
	other := w.on(nodes(), &repeatable{n: 1 << 20})
	w.begin(t, pack{id: "a", version: 1, atMost: 1000})
	for round := range 10 {
		version := int64(round + 2)
		c := must(w.rules.Propose(ctx, w.first, put(pack{id: "a", version: version, atMost: 1000 + version})))(t)
		var both sync.WaitGroup
		var done atomic.Int64
		for node, who := range map[*rulesWorld]mianmi.Actor{w: w.second, other: w.risk} {
			both.Go(func() {
				switch _, err := node.rules.Approve(ctx, who, c.ID); {
				case err == nil:
					done.Add(1)
				default:
					wantKind(t, err, mianmi.Conflict, "approval_decided")
				}
			})
		}
		both.Wait()
		if done.Load() != 1 {
			t.Errorf("round %d: approved %d times", round, done.Load())
		}
		other.wantLive(t, fmt.Sprintf("a@%d api", version))
	}
	if got := len(must(w.rules.History(ctx, w.first, "a"))(t)); got != 11 {
		t.Errorf("%d versions in the history, want 11", got)
	}
}

// A proposal is approved while somebody else tightens: one of them is first. If
// it is the tightening, the proposal has lapsed; the tightening always stands.
func approvalMeetsChange(t *testing.T, nodes Nodes) {
	w, ctx := newRulesWorld(nodes), t.Context()
	other := w.on(nodes(), &repeatable{n: 1 << 20})
	w.begin(t, pack{id: "a", version: 1, atMost: 1000}, pack{id: "b", version: 1, atMost: 1000})
	for round := range int64(10) {
		c := must(w.rules.Propose(ctx, w.first, put(pack{id: "a", version: round + 2, atMost: 2000 + round})))(t)
		var both sync.WaitGroup
		var approved error
		both.Go(func() { _, approved = other.rules.Approve(ctx, w.second, c.ID) })
		both.Go(func() {
			if got, err := w.rules.Propose(ctx, w.risk, put(pack{id: "b", version: round + 2, atMost: 900 - round})); err != nil || got.State != rules.InForce {
				t.Errorf("a tightening: %v %v", got.State, err)
			}
		})
		both.Wait()
		a, b := must(w.rules.Records.RuleVersions(ctx, "a"))(t)[0], must(w.rules.Records.RuleVersions(ctx, "b"))(t)[0]
		if b.Version != round+2 || !b.Live() {
			t.Errorf("round %d: the tightening is not in force: %+v", round, b)
		}
		if approved == nil && (a.Version != round+2 || a.FromEpoch > b.FromEpoch) {
			t.Errorf("round %d: approved after its basis had changed: epochs %d and %d", round, a.FromEpoch, b.FromEpoch)
		}
		if approved != nil {
			wantKind(t, approved, mianmi.Conflict, "")
			if a.Version == round+2 {
				t.Errorf("round %d: in force, and refused with %v", round, approved)
			}
		}
	}
}

// rulesNode is the services of a process that pays by the packs of the database.
func rulesNode(t *testing.T, nodes Nodes, keys *secret.Keys) *Node {
	t.Helper()
	n := must(NewNode(t.Context(), NodeConfig{DB: nodes(), Keys: keys, Payment: payment.Config{Lanes: 1}}))(t)
	t.Cleanup(n.Payments.Stop)
	return n
}

// No payment that begins after a tightening was acknowledged passes by the
// rules before it, on whichever node (P1).
func paymentsMeetTightening(t *testing.T, nodes Nodes) {
	ctx, keys := t.Context(), must(secret.New(rand.Reader))(t)
	a, b := rulesNode(t, nodes, keys), rulesNode(t, nodes, keys)
	w := newRulesWorld(nodes)
	w.begin(t, pack{id: "a", version: 1, atMost: 1000})
	shop := must(a.NewShop(ctx, merchant.Facts{}))(t)
	people := []Person{must(a.NewPerson(ctx, 1_000_000_000))(t), must(a.NewPerson(ctx, 1_000_000_000))(t)}
	var orders, passed atomic.Int64
	for round := range 5 {
		var tightened atomic.Bool
		var all sync.WaitGroup
		var late atomic.Int64
		for i, n := range []*Node{a, b} {
			all.Go(func() {
				for late.Load() < 6 {
					after := tightened.Load() // before the payment begins
					p, err := n.Payments.Authorize(ctx, shop.Manager, people[i].Tap(shop.Terminal, fmt.Sprintf("o%d", orders.Add(1)), 1000))
					switch {
					case err != nil:
						t.Error(err)
						late.Add(100)
					case after && p.Outcome == pinfree.PinFree:
						t.Errorf("round %d: a payment that began after the tightening passed by the rules before it: %+v", round, p.Reasons)
					case after:
						late.Add(1)
					case p.Outcome == pinfree.PinFree:
						passed.Add(1)
					}
				}
			})
		}
		version := int64(2*round + 2)
		must(w.rules.Propose(ctx, w.first, put(pack{id: "a", version: version, atMost: 999})))(t)
		tightened.Store(true)
		all.Wait()
		c := must(w.rules.Propose(ctx, w.first, put(pack{id: "a", version: version + 1, atMost: 1000})))(t)
		must(w.rules.Approve(ctx, w.second, c.ID))(t)
		// And a loosening is seen by all as well.
		for i, n := range []*Node{a, b} {
			p := must(n.Payments.Authorize(ctx, shop.Manager, people[i].Tap(shop.Terminal, fmt.Sprintf("o%d", orders.Add(1)), 1000)))(t)
			if p.Outcome != pinfree.PinFree || p.Reasons[0].Rule != "a/each" || p.Reasons[0].Version != version+1 {
				t.Errorf("round %d: after an approval %s by %+v", round, p.Outcome, p.Reasons[0])
			}
			passed.Add(1)
		}
	}
	if passed.Load() < 10 {
		t.Errorf("%d payments passed by the rules before", passed.Load())
	}
}

// counting is stricter than the packs below: three payments a day.
var counting = pack{id: "a", version: 2, atMost: 1000, more: `  - {id: day, title: {zh: 每日, en: a day}, counter: day, number: {scope: including_current, at_most: 3}, above: refuse}
counters:
  - {id: day, bucket: payer, counts: executed_all, resets: [calendar_day]}
`}

// A step-up that another node confirms after a change of the packs moves the
// counters of the packs that are in force, and drops none of them.
func stepUpCounts(t *testing.T, nodes Nodes) {
	ctx, keys := t.Context(), must(secret.New(rand.Reader))(t)
	a, b := rulesNode(t, nodes, keys), rulesNode(t, nodes, keys)
	w := newRulesWorld(nodes)
	w.begin(t, pack{id: "a", version: 1, atMost: 1000})
	shop := must(a.NewShop(ctx, merchant.Facts{}))(t)
	person := must(a.NewPerson(ctx, 1_000_000_000))(t)
	waits := must(b.Payments.Authorize(ctx, shop.Manager, person.Tap(shop.Terminal, "waits", 5000)))(t)
	if waits.State != payment.StepUpRequired {
		t.Fatalf("above the limit: %v", waits.State)
	}
	must(w.rules.Propose(ctx, w.first, put(counting)))(t)
	must(a.Payments.Authorize(ctx, shop.Manager, person.Tap(shop.Terminal, "one", 100)))(t)
	must(b.Payments.Confirm(ctx, person.Actor(), waits.ID, PaymentPassword))(t) // two
	must(a.Payments.Authorize(ctx, shop.Manager, person.Tap(shop.Terminal, "three", 100)))(t)
	p := must(a.Payments.Authorize(ctx, shop.Manager, person.Tap(shop.Terminal, "four", 100)))(t)
	if p.State != payment.Refused || p.Reasons[0].Rule != "a/day" || p.Reasons[0].Version != 2 {
		t.Errorf("the fourth payment of the day: %v %+v", p.State, p.Reasons)
	}
}

// So does a reversal at a node that has seen nothing of the change.
func reversalCounts(t *testing.T, nodes Nodes) {
	ctx, keys := t.Context(), must(secret.New(rand.Reader))(t)
	a, b := rulesNode(t, nodes, keys), rulesNode(t, nodes, keys)
	w := newRulesWorld(nodes)
	w.begin(t, pack{id: "a", version: 1, atMost: 1000})
	shop := must(a.NewShop(ctx, merchant.Facts{}))(t)
	person := must(a.NewPerson(ctx, 1_000_000_000))(t)
	pay := func(n *Node, order string) *payment.Payment {
		t.Helper()
		return must(n.Payments.Authorize(ctx, shop.Manager, person.Tap(shop.Terminal, order, 100)))(t)
	}
	first := pay(b, "zero")
	must(w.rules.Propose(ctx, w.first, put(counting)))(t)
	pay(a, "one")
	pay(a, "two")
	must(b.Payments.Reverse(ctx, shop.Manager, first.ID))(t)
	pay(a, "three")
	pay(a, "four") // the third, should the reversal have given one back
	if p := pay(a, "five"); p.State != payment.Refused {
		t.Errorf("the fifth payment of the day: %v %+v", p.State, p.Reasons)
	}
}
