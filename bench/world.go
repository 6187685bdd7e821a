package bench

import (
	"context"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/terminal"
)

// World is what a run needs to be there: payers with balances, terminals that
// may pay PIN-free, and payment codes.
type World struct {
	Actors    []mianmi.Actor // one API client for each merchant
	Terminals []mianmi.TerminalID
	payers    int
	run       string
}

// balance is what each payer begins with: enough for any run.
const balance = 100_000_000_00

// payerID is the n-th payer's. It is fixed, so that a loaded database serves
// several runs; its last characters spread over the buckets by the hash.
func payerID(n int) mianmi.PayerID {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n)) //nolint:gosec // not negative
	return mianmi.PayerID("py" + base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}

const loadChunk = 20_000

// load makes n payers, unless a run before has made them.
func load(ctx context.Context, db *store.DB, n int, now time.Time) error {
	have, err := db.CountPayers(ctx)
	if err != nil {
		return err
	}
	for from := have; from < n; from += loadChunk {
		list := make([]payer.Payer, 0, loadChunk)
		for i := from; i < min(n, from+loadChunk); i++ {
			list = append(list, payer.Payer{ID: payerID(i), CreatedAt: now, Version: 1, Balance: money.Of(balance, "CNY")})
		}
		if err := db.LoadPayers(ctx, list); err != nil {
			return fmt.Errorf("load payers: %w", err)
		}
	}
	return db.Analyze(ctx)
}

const (
	merchants         = 20
	terminalsEach     = 50
	codeLifeOfBench   = time.Hour
	operatorOfBench   = "bench"
	secondOpOfBench   = "bench-second"
	codePrefixOfBench = "28"
)

// newWorld makes merchants whose policy allows PIN-free, with terminals.
func newWorld(ctx context.Context, d parts, n int, run string) (*World, error) {
	first := mianmi.Actor{Role: mianmi.RoleOperator, ID: operatorOfBench}
	second := mianmi.Actor{Role: mianmi.RoleOperator, ID: secondOpOfBench}
	w := &World{payers: n, run: run}
	md, err := d.terminals.CreateModel(ctx, first, terminal.Model{Name: "bench " + run, Keypad: true, Display: true, Proof: terminal.ByHost, Methods: allMethods})
	if err != nil {
		return nil, fmt.Errorf("create a model: %w", err)
	}
	for i := range merchants {
		m, err := d.merchants.CreateMerchant(ctx, first, merchant.Merchant{Name: fmt.Sprintf("bench %s %d", run, i), Currency: "CNY",
			Facts: merchant.Facts{Country: "CN", MCC: 5411, NoPIN: true, Upgraded: true, Risk: "low"}})
		if err != nil {
			return nil, fmt.Errorf("create a merchant: %w", err)
		}
		if err := d.open(ctx, first, second, merchant.OfMerchant(m.ID)); err != nil {
			return nil, err
		}
		st, err := d.merchants.CreateStore(ctx, first, merchant.Store{Merchant: m.ID, Name: "bench", Address: "bench"})
		if err != nil {
			return nil, fmt.Errorf("create a store: %w", err)
		}
		actor := mianmi.Actor{Role: mianmi.RoleMerchantAdmin, ID: "bench", Merchant: m.ID}
		for range terminalsEach {
			t, err := d.terminals.Create(ctx, first, terminal.Terminal{Store: st.ID, Model: md.ID, Name: "bench"})
			if err != nil {
				return nil, fmt.Errorf("create a terminal: %w", err)
			}
			w.Terminals, w.Actors = append(w.Terminals, t.ID), append(w.Actors, actor)
		}
	}
	return w, nil
}

// codes makes n payment codes of payers that pick chooses, ready to be scanned.
func (w *World) codes(ctx context.Context, db *store.DB, keys *secret.Keys, n int, pick func() int, until time.Time) ([]string, error) {
	texts := make([]string, 0, n)
	r := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())) //nolint:gosec // codes of a benchmark
	for len(texts) < n {
		list := make([]payer.Code, 0, loadChunk)
		for range min(loadChunk, n-len(texts)) {
			id := payerID(pick())
			text := fmt.Sprintf("%s%03d%013d", codePrefixOfBench, id.Bucket(), r.Int64N(1e13))
			texts = append(texts, text)
			list = append(list, payer.Code{Digest: payer.CodeDigest(keys, text), Payer: id, ExpiresAt: until})
		}
		if err := db.LoadCodes(ctx, list); err != nil {
			return nil, fmt.Errorf("load codes: %w", err)
		}
	}
	return texts, nil
}

// picker chooses payers: evenly, or by Zipf's law with exponent s > 1.
func picker(n int, s float64) func() int {
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a benchmark's choice
	if s <= 1 {
		return func() int { return r.IntN(n) }
	}
	z := rand.NewZipf(r, s, 1, uint64(n-1))      //nolint:gosec // positive
	return func() int { return int(z.Uint64()) } //nolint:gosec // below n
}
