package bench

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/support/desk"
	"github.com/mianmi/mianmi/terminal"
)

// site is where a payment can be made.
type site struct {
	merchant mianmi.MerchantID
	store    mianmi.StoreID
	terminal mianmi.TerminalID
}

// searchWorld is what is searched, as it is loaded: a chain of 3,000 terminals
// takes three payments of ten, merchants of a hundred each half of them, small
// shops the rest. Ten payments a payer; a case for each tenth payment.
type searchWorld struct {
	*searchBench
	chain, middle, small []site
	payers               int
	recent               []mianmi.PaymentID // some, for cases to be about
}

func (b *searchBench) load(ctx context.Context) error {
	w := &searchWorld{searchBench: b, payers: max(b.Payments/10, 1)}
	for _, step := range []func(context.Context) error{w.sites, w.loadPayers, w.loadPayments, w.loadCases, b.db.Analyze} {
		if err := step(ctx); err != nil {
			return fmt.Errorf("load: %w", err)
		}
	}
	return nil
}

func (w *searchWorld) sites(ctx context.Context) (err error) {
	d, err := newParts(w.db, Options{Clock: w.Clock, Random: w.Random, Log: w.Log})
	if err != nil {
		return err
	}
	operator := mianmi.Actor{Role: mianmi.RoleOperator, ID: operatorOfBench}
	model, err := d.terminals.CreateModel(ctx, operator, terminal.Model{Name: "bench", Keypad: true, Display: true, Proof: terminal.ByHost, Methods: allMethods})
	if err != nil {
		return err
	}
	make := func(merchants, stores, terminals int) (list []site, err error) {
		for i := range merchants {
			m, err := d.merchants.CreateMerchant(ctx, operator, merchant.Merchant{Name: fmt.Sprintf("bench %d", i), Currency: "CNY",
				Facts: merchant.Facts{Country: "CN", MCC: 5411, NoPIN: true, Upgraded: true, Risk: "low"}})
			if err != nil {
				return nil, err
			}
			for range stores {
				st, err := d.merchants.CreateStore(ctx, operator, merchant.Store{Merchant: m.ID, Name: "bench", Address: "bench"})
				if err != nil {
					return nil, err
				}
				for range terminals {
					t, err := d.terminals.Create(ctx, operator, terminal.Terminal{Store: st.ID, Model: model.ID, Name: "bench"})
					if err != nil {
						return nil, err
					}
					list = append(list, site{m.ID, st.ID, t.ID})
				}
			}
		}
		return list, nil
	}
	if w.chain, err = make(1, 300, 10); err != nil {
		return err
	}
	if w.middle, err = make(20, 10, 10); err != nil {
		return err
	}
	w.small, err = make(500, 1, 2)
	return err
}

func (w *searchWorld) loadPayers(ctx context.Context) error {
	for from := 0; from < w.payers; from += loadChunk {
		var payers []payer.Payer
		var persons []payer.Person
		for i := from; i < min(w.payers, from+loadChunk); i++ {
			id := payerID(i)
			payers = append(payers, payer.Payer{ID: id, CreatedAt: w.now, Version: 1, Balance: money.Of(balance, "CNY")})
			persons = append(persons, payer.Person{Payer: id, Phone: phoneOf(id), Name: "bench"})
		}
		if err := w.db.LoadPayers(ctx, payers); err != nil {
			return err
		}
		if err := w.db.LoadPersons(ctx, persons); err != nil {
			return err
		}
	}
	return nil
}

// phoneOf is a phone number that follows from the identifier.
func phoneOf(id mianmi.PayerID) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id))
	return fmt.Sprintf("+86139%08d", h.Sum32()%1e8)
}

// reader gives the random part of identifiers.
type reader struct{ *rand.Rand }

func (r reader) Read(b []byte) (int, error) {
	var eight [8]byte
	for i := range b {
		if i%8 == 0 {
			binary.LittleEndian.PutUint64(eight[:], r.Uint64())
		}
		b[i] = eight[i%8]
	}
	return len(b), nil
}

func (w *searchWorld) site() site {
	of := w.small
	switch n := w.rnd.IntN(10); {
	case n < 3:
		of = w.chain
	case n < 8:
		of = w.middle
	}
	return of[w.rnd.IntN(len(of))]
}

// ends are how payments end, a hundred of them.
func (w *searchWorld) end() (o pinfree.Outcome, s payment.State) {
	switch n := w.rnd.IntN(100); {
	case n < 70:
		return pinfree.PinFree, payment.Approved
	case n < 97:
		return pinfree.StepUp, payment.Approved
	case n < 99:
		return pinfree.StepUp, payment.Expired
	}
	return pinfree.Refused, payment.Refused
}

func (w *searchWorld) loadPayments(ctx context.Context) error {
	step := searchDays * 24 * time.Hour / time.Duration(w.Payments)
	first := w.now.Add(-searchDays * 24 * time.Hour)
	for from := 0; from < w.Payments; from += searchChunk {
		var list []payment.Payment
		for i := from; i < min(w.Payments, from+searchChunk); i++ {
			by, at, where := payerID(w.rnd.IntN(w.payers)), first.Add(time.Duration(i)*step), w.site()
			id, err := mianmi.NewBucketID("pm", by.Bucket(), at, reader{w.rnd})
			if err != nil {
				return err
			}
			p := payment.Payment{ID: mianmi.PaymentID(id), Payer: by, Merchant: where.merchant, Store: where.store, Terminal: where.terminal,
				OrderNo: fmt.Sprintf("B%d", i), Amount: money.Of(int64(w.rnd.IntN(500_00))+1, "CNY"), Method: pinfree.PaymentCode, Entry: pinfree.Scanned,
				Channel: "wallet", Rules: "bench", Epoch: 1, PayerVersion: 1, Actor: "bench", CreatedAt: at, StateAt: at, Version: 1,
				Reasons: []pinfree.Why{{Reason: pinfree.PayerClosed, Layer: pinfree.LayerPayer, Version: 1, Decided: at.Unix()}}}
			p.Outcome, p.State = w.end()
			if list = append(list, p); w.rnd.IntN(10) == 0 {
				w.recent = append(w.recent, p.ID)
			}
		}
		if err := w.db.LoadPayments(ctx, list); err != nil {
			return err
		}
	}
	return nil
}

// searchChunk is small enough for a transaction on a disk that is busy.
const searchChunk = 4000

// openOf is how many cases of a hundred are not over.
const openOf = 2

func (w *searchWorld) loadCases(ctx context.Context) error {
	const far = 4 * searchDays * 24 * time.Hour
	step, first := far/time.Duration(max(w.Cases, 1)), w.now.Add(-far)
	for from := 0; from < w.Cases; from += searchChunk {
		var list []desk.Change
		for i := from; i < min(w.Cases, from+searchChunk); i++ {
			c, err := w.aCase(i, first.Add(time.Duration(i)*step))
			if err != nil {
				return err
			}
			list = append(list, c)
		}
		if err := w.db.LoadCases(ctx, list); err != nil {
			return err
		}
	}
	return nil
}

func (w *searchWorld) aCase(i int, at time.Time) (ch desk.Change, err error) {
	id, err := mianmi.NewID("cs", at, reader{w.rnd})
	if err != nil {
		return ch, err
	}
	c := desk.Case{ID: mianmi.CaseID(id), Number: fmt.Sprintf("%08d", i), Kind: desk.Kind(1 + w.rnd.IntN(5)), Rail: "wallet", State: desk.Closed, //nolint:gosec // small
		Queue: desk.Queue(1 + w.rnd.IntN(2)), Assignee: mianmi.StaffID(fmt.Sprintf("sf%02d", w.rnd.IntN(50))), Payer: payerID(w.rnd.IntN(w.payers)), //nolint:gosec // small
		OpenedBy: "bench", OpenedAt: at, ChangedAt: at.Add(time.Hour), AnsweredAt: at.Add(time.Minute), DecidedAt: at.Add(time.Hour), ClosedAt: at.Add(time.Hour),
		Clocks: desk.Clocks{BeganAt: at, FirstBy: at.Add(24 * time.Hour), DecideBy: at.Add(72 * time.Hour)}, Verdict: desk.Answered, Version: 3}
	if w.rnd.IntN(100) < openOf {
		c.State, c.ClosedAt, c.DecidedAt, c.Verdict = desk.State(1+w.rnd.IntN(5)), time.Time{}, time.Time{}, desk.NoVerdict //nolint:gosec // small
		if c.State == desk.Open {
			c.Assignee = ""
		}
	}
	if w.rnd.IntN(5) == 0 {
		c.Shared, c.Merchant = true, w.site().merchant
	}
	ch.Case = c
	if len(w.recent) > 0 {
		ch.Links = []desk.Link{{Kind: desk.ToPayment, Ref: string(w.recent[w.rnd.IntN(len(w.recent))]), Actor: "bench", At: at}}
	}
	return ch, nil
}
