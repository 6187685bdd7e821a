package bench

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel/wallet"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/terminal"
)

// Options of a run.
type Options struct {
	DSN     string
	Payers  int
	Callers int
	Length  time.Duration
	Warmup  time.Duration
	Zipf    float64 // exponent; at most 1: every payer alike
	Lanes   int
	// Single runs one transaction for each payment, the reference.
	Single bool
	// NoSequencer leaves the log's entries waiting, to see what the log costs.
	NoSequencer bool
	// NoFollower leaves the log unread for signals, to see what that costs.
	NoFollower bool
	// CodesPerSecond bounds the payment codes that are made ready before the
	// run; when they are used up the run ends early.
	CodesPerSecond int
	Clock          mianmi.Clock
	Random         io.Reader
	Log            *slog.Logger
}

// parts are the services of a run.
type parts struct {
	db        *store.DB
	keys      *secret.Keys
	merchants *merchant.Service
	terminals *terminal.Service
	rules     *pinfree.RuleSet
	sequencer *sequencer // nil: none
}

var allMethods = pinfree.Methods(0).Set(pinfree.PaymentCode).Set(pinfree.CardTap).Set(pinfree.CardInsert).
	Set(pinfree.CardSwipe).Set(pinfree.DynamicQR)

// Authorize runs callers against payment.Service in this process: payment
// codes, scanned, each used once.
func Authorize(ctx context.Context, o Options) (Figures, error) {
	db, err := store.Open(ctx, o.DSN, store.Options{ConnsMax: 100})
	if err != nil {
		return Figures{}, err
	}
	defer db.Close() //nolint:errcheck // the run is over
	if _, err := db.Migrate(ctx); err != nil {
		return Figures{}, err
	}
	d, err := newParts(db, o)
	if err != nil {
		return Figures{}, err
	}
	if err := load(ctx, db, o.Payers, o.Clock.Now()); err != nil {
		return Figures{}, err
	}
	run := strconv.FormatInt(o.Clock.Now().UnixMicro(), 36)
	w, err := newWorld(ctx, d, o.Payers, run)
	if err != nil {
		return Figures{}, err
	}
	svc, err := d.service(ctx, o)
	if err != nil {
		return Figures{}, err
	}
	defer svc.Stop()
	if err := d.startSequencer(ctx, o); err != nil {
		return Figures{}, err
	}
	defer d.sequencer.stop()
	return drive(ctx, d, w, svc, o)
}

func newParts(db *store.DB, o Options) (parts, error) {
	keys, err := secret.New(o.Random)
	if err != nil {
		return parts{}, err
	}
	rules, err := generousRules()
	return parts{db: db, keys: keys, merchants: merchant.New(db, o.Clock, o.Random), terminals: terminal.New(db, o.Clock, o.Random), rules: rules}, err
}

// open lets a scope take PIN-free payments: one person proposes, another approves.
func (d parts) open(ctx context.Context, first, second mianmi.Actor, s merchant.Scope) error {
	r, err := d.merchants.SetPolicy(ctx, first, merchant.PolicyOrder{Scope: s, Terms: merchant.Terms{PinFree: true}})
	if err != nil {
		return fmt.Errorf("propose PIN-free: %w", err)
	}
	if r.Proposal == nil {
		return nil
	}
	_, err = d.merchants.Approve(ctx, second, r.Proposal.ID)
	return err
}

func (d parts) service(ctx context.Context, o Options) (*payment.Service, error) {
	ledger, err := d.db.Ledger(ctx)
	if err != nil {
		return nil, err
	}
	cfg := payment.Config{Lanes: o.Lanes, QueueMax: 1 << 16}
	if d.db.Engine() == "sqlite" {
		cfg.Lanes = 1
	}
	if o.Single {
		ledger, cfg.BatchMax = d.db.PlainLedger(), 1
		if d.db.Engine() == "postgres" {
			cfg.Lanes = singleConns
		}
	}
	return payment.New(ctx, payment.Deps{Ledger: ledger, Books: d.db, Wallet: wallet.Wallet{}, Rules: d.rules, Keys: d.keys, Verifier: nobody{},
		Clock: o.Clock, Random: o.Random, Log: o.Log}, cfg)
}

// singleConns is how many transactions of one payment run at once.
const singleConns = 64

// nobody verifies no password: a run has no step-ups.
type nobody struct{}

func (nobody) Verify(context.Context, mianmi.PayerID, string) error { return mianmi.Unauthenticated }

// drive makes codes ready, warms up, and measures.
func drive(ctx context.Context, d parts, w *World, svc *payment.Service, o Options) (Figures, error) {
	pick := picker(o.Payers, o.Zipf)
	total := o.Length + o.Warmup
	n := int(total.Seconds() * float64(o.CodesPerSecond))
	codes, err := w.codes(ctx, d.db, d.keys, n, pick, o.Clock.Now().Add(codeLifeOfBench))
	if err != nil {
		return Figures{}, err
	}
	if err := d.db.Analyze(ctx); err != nil {
		return Figures{}, err
	}
	next := &atomic.Int64{}
	callers := &crowd{o: o, w: w, svc: svc, codes: codes, next: next}
	callers.run(ctx, o.Warmup, nil)
	return callers.measure(ctx, d)
}

// crowd is the callers of a run; each waits for its answer before it asks again.
type crowd struct {
	o     Options
	w     *World
	svc   *payment.Service
	codes []string
	next  *atomic.Int64
	lat   [][]time.Duration

	before int64 // payments with codes that were there before these
}

func (f *crowd) measure(ctx context.Context, d parts) (Figures, error) {
	db := d.db
	d.sequencer.begin()
	before, err := db.Usage(ctx)
	if err != nil {
		return Figures{}, err
	}
	var c counts
	own, server := ownCPU(), treeCPU(before.ServerPID)
	f.lat = make([][]time.Duration, f.o.Callers)
	elapsed := f.run(ctx, f.o.Length, &c)
	own, server = ownCPU()-own, treeCPU(before.ServerPID)-server
	after, err := db.Usage(ctx)
	if err != nil {
		return Figures{}, err
	}
	fig := Figures{Name: db.Engine(), Payments: c.payments.Load(), PinFree: c.pinFree.Load(), Failed: c.failed.Load()}
	if f.o.Single {
		fig.Name += " single"
	}
	var all []time.Duration
	for _, l := range f.lat {
		all = append(all, l...)
	}
	fig.finish(elapsed, all)
	per := float64(max(fig.Payments, 1))
	fig.ServiceCPU = float64(own.Microseconds()) / per
	if before.ServerPID > 0 {
		fig.DatabaseCPU = float64(server.Microseconds()) / per
	}
	fig.LogBytes, fig.DiskBytes = float64(after.Log-before.Log)/per, float64(after.Disk-before.Disk)/per
	return fig, d.sequencer.tell(&fig)
}

// run lets all callers pay for the length; counts may be nil for a warm-up.
func (f *crowd) run(ctx context.Context, length time.Duration, c *counts) time.Duration {
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	begin := f.o.Clock.Now()
	var wg sync.WaitGroup
	for i := range f.o.Callers {
		wg.Go(func() { f.caller(ctx, i, c) })
	}
	wg.Wait()
	return f.o.Clock.Now().Sub(begin)
}

func (f *crowd) caller(ctx context.Context, i int, c *counts) {
	r := rand.New(rand.NewPCG(uint64(i), 7)) //nolint:gosec // a benchmark's choice
	for ctx.Err() == nil && f.pay(ctx, r, i, f.o.Clock.Now(), c) {
	}
}

// pay makes one payment, which was to begin at a time, and reports whether there was
// a code for it.
func (f *crowd) pay(ctx context.Context, r *rand.Rand, i int, begin time.Time, c *counts) bool {
	n := f.next.Add(1) - 1
	if n >= int64(len(f.codes)) {
		return false
	}
	at := r.IntN(len(f.w.Terminals))
	p, err := f.svc.Authorize(context.WithoutCancel(ctx), f.w.Actors[at], payment.Request{
		Terminal: f.w.Terminals[at], OrderNo: f.w.run + "-" + strconv.FormatInt(f.before+n, 36), Amount: money.Of(int64(100+r.IntN(5000)), "CNY"),
		Method: pinfree.PaymentCode, Entry: pinfree.Scanned, Code: f.codes[n],
	})
	if c == nil {
		return true
	}
	f.lat[i] = append(f.lat[i], f.o.Clock.Now().Sub(begin))
	switch {
	case err != nil:
		if c.failed.Add(1) == 1 {
			f.o.Log.Error("the first failed payment", "error", err)
		}
	case p.PinFree():
		c.pinFree.Add(1)
		fallthrough
	default:
		c.payments.Add(1)
	}
	return true
}
