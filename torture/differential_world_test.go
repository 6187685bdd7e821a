package torture

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/store/storetest"
)

// world is one of several that get the same steps: an engine, a ledger, and
// whether a group of requests shares a transaction.
type world struct {
	t     *testing.T
	name  string
	node  *storetest.Node
	clock *storetest.Clock
	dsn   string
	gate  *gate // nil: each request for itself

	names  map[string]string // what identifiers are called
	shops  []storetest.Shop
	people []storetest.Person
	orders map[string]mianmi.PaymentID
	codes  map[string]string // digits of the codes of this sequence
	grants map[string]string // agreements and stops
}

func newWorld(t *testing.T, name, engine string, fastest, batched bool) *world {
	t.Helper()
	dsn := newDatabase(t, engine)
	db := open(t, dsn)
	w := &world{t: t, name: name, dsn: dsn, clock: storetest.NewClock(), names: map[string]string{}}
	ledger := db.PlainLedger()
	if fastest {
		var err error
		if ledger, err = db.Ledger(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	if batched {
		w.gate = &gate{Ledger: ledger}
		ledger = w.gate
	}
	var err error
	w.node, err = storetest.NewNode(context.WithoutCancel(t.Context()), storetest.NodeConfig{DB: db, Keys: newKeys(t), Clock: w.clock, Ledger: ledger,
		Payment: payment.Config{Lanes: 1}, Payer: payer.Config{NoCoolingOff: true, CodesMax: 1000, CodeLife: 10 * time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.node.Payments.Stop)
	return w
}

// gate makes a group one batch: while its first caller, the plug, holds the
// lane, all others come to wait.
type gate struct {
	payment.Ledger
	mu      sync.Mutex
	entered chan struct{} // nil: no plug is awaited
	open    chan struct{}
}

func (g *gate) Begin(ctx context.Context, asks []payment.Ask) (payment.Batch, error) {
	g.mu.Lock()
	entered, open := g.entered, g.open
	g.entered = nil
	g.mu.Unlock()
	if entered != nil {
		close(entered)
		<-open
	}
	return g.Ledger.Begin(ctx, asks)
}

// waiting is a context that tells when somebody waits on it.
type waiting struct {
	context.Context
	once sync.Once
	ch   chan struct{}
}

func (w *waiting) Done() <-chan struct{} {
	w.release()
	return w.Context.Done()
}

func (w *waiting) release() { w.once.Do(func() { close(w.ch) }) }

// single asks for one payment after the other, in the order that a batch has:
// whoever comes with the order number of one that was an error, and with other
// content, is decided after the rest.
func (w *world) single(actor mianmi.Actor, asks []purchase, reqs []payment.Request) []payment.Result {
	out := make([]payment.Result, len(reqs))
	var now, later []int
	for i := range reqs {
		now = append(now, i)
	}
	for ; len(now) > 0; now, later = later, nil {
		first := map[string]int{}
		for _, i := range now {
			f, again := first[asks[i].order]
			if again && out[f].Err != nil && reqs[f] != reqs[i] && !asks[i].malformed() {
				later = append(later, i)
				continue
			}
			if !again && !asks[i].malformed() {
				first[asks[i].order] = i
			}
			out[i].Payment, out[i].Err = w.node.Payments.Authorize(w.t.Context(), actor, reqs[i])
		}
	}
	return out
}

// group asks for all payments: as one batch, or one after the other.
func (w *world) group(actor mianmi.Actor, asks []purchase, reqs []payment.Request) []payment.Result {
	if w.gate == nil {
		return w.single(actor, asks, reqs)
	}
	ctx := w.t.Context()
	open := make(chan struct{})
	entered := make(chan struct{})
	w.gate.mu.Lock()
	w.gate.entered, w.gate.open = entered, open
	w.gate.mu.Unlock()
	var plug sync.WaitGroup
	plug.Go(func() {
		_, err := w.node.Payments.Authorize(ctx, actor, payment.Request{Terminal: "tmplug", OrderNo: "plug", Amount: money.Of(1, "CNY"), Method: pinfree.Cash})
		if !errors.Is(err, mianmi.Invalid) {
			w.t.Errorf("the plug: %v", err)
		}
	})
	<-entered
	all := &waiting{Context: ctx, ch: open}
	out, err := w.node.Payments.AuthorizeMany(all, actor, reqs)
	if err != nil {
		w.t.Error(err)
	}
	all.release()
	plug.Wait()
	return out
}

// run takes every sequence and returns what was said in each.
func (w *world) run(plans [][]step) [][]string {
	said := make([][]string, len(plans))
	for seq, steps := range plans {
		if w.begin(seq, seq%8 == 0); w.t.Failed() {
			break
		}
		for _, s := range steps {
			said[seq] = append(said[seq], w.take(s)...)
		}
	}
	return said
}

// begin makes the people of a sequence, and its shops when there are none yet.
func (w *world) begin(seq int, freshShops bool) {
	ctx := w.t.Context()
	w.orders, w.codes, w.grants, w.people = map[string]mianmi.PaymentID{}, map[string]string{}, map[string]string{}, nil
	if freshShops {
		w.shops = nil
		for i, facts := range []merchant.Facts{{}, {Country: "CN", MCC: 5812, NoPIN: true, AgreementRequired: true}} {
			s, err := w.node.NewShop(ctx, facts)
			if err != nil {
				w.t.Errorf("%s: %v", w.name, err)
				return
			}
			w.shops = append(w.shops, s)
			for what, id := range map[string]string{"merchant": string(s.Merchant), "store": string(s.Store), "model": string(s.Model),
				"terminal": string(s.Terminal), "bare": string(s.Bare)} {
				w.names[id] = fmt.Sprintf("%s-%d-%d", what, seq, i)
			}
		}
	}
	for i := range planPeopleMax {
		p, err := w.node.NewPerson(ctx, int64(300_00*(i+1)))
		if err != nil {
			w.t.Errorf("%s: %v", w.name, err)
			return
		}
		w.people = append(w.people, p)
		w.names[string(p.ID)], w.names[string(p.Card)] = fmt.Sprintf("person-%d-%d", seq, i), fmt.Sprintf("card-%d-%d", seq, i)
	}
}

// said is an answer without what chance has drawn.
func (w *world) said(p *payment.Payment, err error) string {
	if err != nil {
		var e *mianmi.Error
		if !errors.As(err, &e) || e.Kind == mianmi.Internal {
			return "internal: " + storetest.Rename(err.Error(), w.names)
		}
		return fmt.Sprintf("%v %s %s", e.Kind, e.Code, e.Field)
	}
	w.names[string(p.ID)] = "order-" + p.OrderNo
	w.orders[p.OrderNo] = p.ID
	q := *p
	q.Epoch = 0 // in the dump; a repeat of an old one shows it too
	return storetest.Rename(fmt.Sprintf("%+v", q), w.names)
}
