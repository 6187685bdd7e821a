package store_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/channel/channeltest"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/store/storetest"
)

// bucketWorld is a shop and two processes whose transactions keep to one bucket.
type bucketWorld struct {
	engine storetest.Engine
	rows   *sql.DB
	keys   *secret.Keys
	clock  *storetest.Clock
	a, b   *storetest.Node
	storetest.Shop
	remotes []channel.Remote // of the nodes that are made from now on
}

func newBucketWorld(t *testing.T) *bucketWorld {
	t.Helper()
	w := &bucketWorld{clock: storetest.NewClock(), engine: engine(t, "postgres", func(ctx context.Context, db *store.DB) (payment.Ledger, error) {
		return db.OneBucketLedger(ctx)
	})}
	var err error
	if w.keys, err = secret.New(rand.Reader); err != nil {
		t.Fatal(err)
	}
	w.rows = storetest.Inspect(t, w.engine.DSN)
	w.a, w.b = w.node(t, nil), w.node(t, nil)
	if w.Shop, err = w.a.NewShop(t.Context(), merchant.Facts{}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *bucketWorld) node(t *testing.T, wrap func(payment.Ledger) payment.Ledger) *storetest.Node {
	t.Helper()
	db := w.engine.Open(t)
	ledger, err := w.engine.Ledger(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	if wrap != nil {
		ledger = wrap(ledger)
	}
	n, err := storetest.NewNode(t.Context(), storetest.NodeConfig{DB: db, Keys: w.keys, Clock: w.clock, Ledger: ledger, Remotes: w.remotes})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Payments.Stop)
	return n
}

func (w *bucketWorld) person(t *testing.T) storetest.Person {
	t.Helper()
	p, err := w.a.NewPerson(t.Context(), 100_00)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// dying is the ledger of a process that ends at its next batch.
type dying struct {
	payment.Ledger
	asks []payment.Ask
}

var errDied = errors.New("the process has ended")

func (d *dying) Begin(_ context.Context, asks []payment.Ask) (payment.Batch, error) {
	d.asks = append(d.asks, asks...)
	return nil, errDied
}

// orphan leaves what a process leaves that ended between its claim and its
// decision. It returns the identifier that the number was claimed for.
func (w *bucketWorld) orphan(t *testing.T, r payment.Request) mianmi.PaymentID {
	t.Helper()
	d := &dying{}
	n := w.node(t, func(l payment.Ledger) payment.Ledger { d.Ledger = l; return d })
	if _, err := n.Payments.Authorize(t.Context(), w.Manager, r); !errors.Is(err, errDied) {
		t.Fatalf("the process that ends answered %v", err)
	}
	a := d.asks[0]
	_, err := w.rows.ExecContext(t.Context(), `INSERT INTO merchant_order (bucket, key, digest, payment) VALUES ($1, $2, $3, $4)`,
		int16(a.Key.Bucket()), a.Key[:], a.Digest[:], string(a.Payment))
	if err != nil {
		t.Fatal(err)
	}
	return a.Payment
}

func (w *bucketWorld) count(t *testing.T, query string) (n int) {
	t.Helper()
	if err := w.rows.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func (w *bucketWorld) check(t *testing.T) {
	t.Helper()
	for _, c := range slices.Concat(storetest.Invariants, storetest.Unsent) {
		if n := w.count(t, c.Query); n != 0 {
			t.Errorf("%s: %d rows", c.Name, n)
		}
	}
}

func hasCode(err error, kind mianmi.Kind, code string) bool {
	var e *mianmi.Error
	return errors.As(err, &e) && e.Kind == kind && e.Code == code
}

// A claim without payment is completed by the same request, under the
// identifier that it was made for; another request meets a conflict.
func TestOrphanIsCompleted(t *testing.T) {
	t.Parallel()
	w := newBucketWorld(t)
	p := w.person(t)
	for name, r := range map[string]payment.Request{
		"a card": p.Tap(w.Terminal, "card", 1_00),
		"cash":   {Terminal: w.Terminal, OrderNo: "cash", Amount: p.Tap("", "", 1_00).Amount, Method: pinfree.Cash},
	} {
		id := w.orphan(t, r)
		if _, err := w.b.Payments.PaymentByOrder(t.Context(), w.Manager, w.Merchant, r.OrderNo); !errors.Is(err, mianmi.NotFound) {
			t.Errorf("%s: found before it was made: %v", name, err)
		}
		other := r
		other.Amount = p.Tap("", "", 2_00).Amount
		if _, err := w.a.Payments.Authorize(t.Context(), w.Manager, other); !hasCode(err, mianmi.Conflict, "order_conflict") {
			t.Errorf("%s: another content: %v", name, err)
		}
		first, err := w.b.Payments.Authorize(t.Context(), w.Manager, r)
		if err != nil || first.ID != id || first.State != payment.Approved {
			t.Fatalf("%s: %+v, %v; want it under %s", name, first, err, id)
		}
		again, err := w.a.Payments.Authorize(t.Context(), w.Manager, r)
		if diff := cmp.Diff(first, again, cmp.AllowUnexported(first.Amount), cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("%s: the repeat: %v\n%s", name, err, diff)
		}
	}
	w.check(t)
}

// A claim without payment that was made for whom a channel had named is completed
// without asking the channel again, and never PIN-free.
func TestOrphanOfANamedPayer(t *testing.T) {
	t.Parallel()
	w := newBucketWorld(t)
	fake := &channeltest.Channel{OwnRules: true, Who: func(string) string { return "ann" }}
	w.remotes = []channel.Remote{fake}
	n, p := w.node(t, nil), w.person(t)
	if _, err := n.Payers.OpenAgreement(t.Context(), p.Actor(), p.ID, payer.AgreementInput{Merchant: w.Merchant,
		ConsentVersion: payer.ConsentText.Version, Password: storetest.PaymentPassword}); err != nil {
		t.Fatal(err)
	}
	if err := n.Payments.Learn(t.Context(), payment.Name{Channel: fake.Name(), Merchant: w.Merchant, Payer: p.ID, Is: "ann"}); err != nil {
		t.Fatal(err)
	}
	r := storetest.Code(w.Terminal, "named", 1_00, channeltest.Code(channeltest.CodeRich, 1))
	id := w.orphan(t, r)
	got, err := n.Payments.Authorize(t.Context(), w.Manager, r)
	if err != nil || got.ID != id || got.Outcome != pinfree.StepUp || got.Reasons[0].Reason != pinfree.PayerUnclear {
		t.Errorf("%+v, %v; want a step-up under %s", got, err, id)
	}
	if b, err := id.Bucket(); err != nil || b != p.ID.Bucket() {
		t.Errorf("the claim was made in bucket %v, %v: for nobody", b, err)
	}
	w.check(t)
}

// Many callers on two processes who complete one claim get one payment.
func TestOrphanRace(t *testing.T) {
	t.Parallel()
	w := newBucketWorld(t)
	p := w.person(t)
	for _, order := range []string{"r1", "r2", "r3", "r4"} {
		r := p.Tap(w.Terminal, order, 1_00)
		id := w.orphan(t, r)
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				got, err := []*storetest.Node{w.a, w.b}[i%2].Payments.Authorize(t.Context(), w.Manager, r)
				if err != nil || got.ID != id {
					t.Errorf("%s: %+v, %v; want %s", order, got, err, id)
				}
			})
		}
		all.Wait()
	}
	if n := w.count(t, `SELECT count(*) FROM journal WHERE kind = 1`); n != 4 {
		t.Errorf("%d captures of 4 payments", n)
	}
	w.check(t)
}

// A process that gives its number back while another completes the same
// request leaves it to that one: the claim stays with the payment.
func TestGivenBackWhileCompleted(t *testing.T) {
	t.Parallel()
	w := newBucketWorld(t)
	p := w.person(t)
	r := p.Tap(w.Terminal, "o1", 1_00)
	type answer struct {
		p   *payment.Payment
		err error
	}
	completed := make(chan answer, 1)
	c := w.node(t, func(l payment.Ledger) payment.Ledger {
		return &storetest.Faulty{Ledger: l, OnCommit: func(ctx context.Context, b payment.Batch, writes []payment.Write, decided evidence.Bundle) error {
			go func() {
				got, err := w.b.Payments.Authorize(context.WithoutCancel(ctx), w.Manager, r)
				completed <- answer{got, err}
			}()
			w.awaitWaiter(t) // it has found the claim and waits for the payer
			return b.Commit(ctx, writes, decided)
		}}
	})
	elsewhere := mianmi.Actor{Role: mianmi.RoleCashier, ID: "sf7", Merchant: w.Merchant, Store: "st-other"}
	if _, err := c.Payments.Authorize(t.Context(), elsewhere, r); !errors.Is(err, mianmi.Invalid) {
		t.Errorf("a cashier of another store: %v", err)
	}
	if got := <-completed; got.err != nil || got.p.State != payment.Approved {
		t.Errorf("who completes it: %+v, %v", got.p, got.err)
	}
	if n := w.count(t, `SELECT count(*) FROM merchant_order`); n != 1 {
		t.Errorf("%d claims", n)
	}
	w.check(t)
}

// awaitWaiter returns when some transaction waits for a lock.
func (w *bucketWorld) awaitWaiter(t *testing.T) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		var n int
		err := w.rows.QueryRowContext(t.Context(), `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&n)
		if err != nil {
			t.Error(err)
			return
		}
		if n > 0 {
			return
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			return
		}
	}
}

// A batch of several buckets is refused: it would be several nodes' business.
func TestOneBucketRefusesTwo(t *testing.T) {
	t.Parallel()
	db := open(t, "postgres")
	l, err := db.OneBucketLedger(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Begin(t.Context(), []payment.Ask{{Bucket: 1}, {Bucket: 2}}); err == nil {
		t.Error("a batch of two buckets was begun")
	}
}
