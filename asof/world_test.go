package asof_test

import (
	"context"
	"crypto/rand"
	"fmt"
	mrand "math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/asof"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/rollout"
	"github.com/mianmi/mianmi/rules"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/store/pgtest"
	"github.com/mianmi/mianmi/store/storetest"
)

var engines = []string{"sqlite", "postgres"}

// world is one database with two nodes whose clocks differ, and what was done
// to it.
type world struct {
	t     *testing.T
	dsn   string
	rnd   *mrand.Rand
	clock *storetest.Clock
	nodes []*storetest.Node
	rules []*rules.Service
	log   *evidence.Log
	asof  *asof.Service

	shops  []storetest.Shop
	people []storetest.Person
	keys   []access.Key
	stops  []mianmi.StopID
	orders int
	paid   []mianmi.PaymentID
	grants map[string]mianmi.AgreementID
	rolled map[rollout.State]int
	pack   int64 // version of the pack that the story changes

	moments []moment
	payers  map[mianmi.PayerID]map[int64]said // by version
}

// late is how far the second node's clock is behind: an entry that it writes
// looks older than those before it.
const late = 1500 * time.Millisecond

func newWorld(t *testing.T, engine string, seed uint64) *world {
	t.Helper()
	w := &world{t: t, rnd: mrand.New(mrand.NewPCG(seed, 8)), clock: storetest.NewClock(), grants: map[string]mianmi.AgreementID{}, rolled: map[rollout.State]int{},
		payers: map[mianmi.PayerID]map[int64]said{}}
	w.dsn = "sqlite:" + filepath.Join(t.TempDir(), "mianmi.db")
	if engine == "postgres" {
		w.dsn = pgtest.Open(t)
	}
	keys := must(secret.New(rand.Reader))(t)
	second := mianmi.ClockFunc(func() time.Time { return w.clock.Now().Add(-late) })
	for _, clock := range []mianmi.Clock{w.clock, second} {
		db := must(store.Open(context.WithoutCancel(t.Context()), w.dsn, store.Options{ConnsMax: 6, CacheKiB: 4096}))(t)
		t.Cleanup(func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
		must(db.Migrate(t.Context()))(t)
		n := must(storetest.NewNode(context.WithoutCancel(t.Context()), storetest.NodeConfig{DB: db, Keys: keys, Clock: clock,
			Payer: payer.Config{CoolingOff: time.Hour, CodesMax: 1000}}))(t)
		t.Cleanup(n.Payments.Stop)
		w.nodes = append(w.nodes, n)
		w.rules = append(w.rules, rules.New(rules.Parts{Records: db, Clock: clock, Random: rand.Reader}))
	}
	w.log = evidence.NewLog(w.nodes[0].DB, must(evidence.NewKey("log.example", make([]byte, 32)))(t), w.clock)
	n := w.nodes[0]
	w.asof = asof.New(asof.Parts{Log: n.DB, Payments: n.Payments, Terminals: n.Terminals, Merchants: n.Merchants, Clock: w.clock, Channel: "wallet"})
	w.populate()
	return w
}

// node is one of the two.
func (w *world) node() *storetest.Node { return w.nodes[w.rnd.IntN(len(w.nodes))] }

func (w *world) populate() {
	t, ctx := w.t, w.t.Context()
	must(w.rules[0].Sync(ctx, mianmi.System("start"), rules.Start{Packs: append(shipped(t), w.nextPack())}))(t)
	for _, facts := range []merchant.Facts{{}, {Country: "CN", MCC: 5812, NoPIN: true, Upgraded: true, Risk: "low", AgreementRequired: true}} {
		w.shops = append(w.shops, must(w.nodes[0].NewShop(ctx, facts))(t))
	}
	for range 4 {
		w.people = append(w.people, must(w.nodes[0].NewPerson(ctx, 1_000_000_00))(t))
	}
	for _, s := range w.shops {
		k, _, err := w.nodes[0].Access.CreateKey(ctx, storetest.Operator, access.NewKey{Name: "till", Merchant: s.Merchant, Scopes: mianmi.ScopePay})
		if err != nil {
			t.Fatal(err)
		}
		w.keys = append(w.keys, k)
	}
}

// nextPack is the next version of a pack that limits what the others permit:
// each payment and the day's sum.
func (w *world) nextPack() rules.Text {
	w.pack++
	yaml := fmt.Sprintf(`id: house
version: %d
edition: "1"
layer: issuer
title: {zh: 本行限额, en: "house limits"}
zone: Asia/Shanghai
permits: false
sources: [{title: t, url: "https://example.org", read: "2026-01-01", quality: primary}]
when: {methods: [payment_code, card_tap], currencies: [CNY]}
counters:
  - {id: day, bucket: payer, counts: executed_unauthenticated, resets: [calendar_day]}
limits:
  - {id: each, title: {zh: 单笔, en: "each"}, amount: {at_most: %d}, above: step_up}
  - {id: day, title: {zh: 当日, en: "day"}, counter: day, amount: {scope: including_current, at_most: %d}, above: step_up}
`, w.pack, 100_00+w.rnd.Int64N(200_00), 300_00+w.rnd.Int64N(2000_00))
	return rules.Text{Name: "house.yaml", YAML: yaml, Source: rules.API}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
