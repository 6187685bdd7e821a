package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/support/desk"
)

// SearchOptions of a run.
type SearchOptions struct {
	DSN string
	// Payments and Cases are loaded into a database that has no payment yet;
	// one that has is searched as it is.
	Payments, Cases int
	Rounds          int           // searches of each kind
	RoundsFor       time.Duration // after which a kind gets no further search
	Clock           mianmi.Clock
	Random          io.Reader
	Log             *slog.Logger
}

// Searched is how long one kind of search took.
type Searched struct {
	Name   string  `json:"name"`
	Rounds int     `json:"rounds"`
	Rows   float64 `json:"rows"` // found, on the average
	P50ms  float64 `json:"p50_ms"`
	P95ms  float64 `json:"p95_ms"`
	Maxms  float64 `json:"max_ms"`
	Short  int     `json:"short"` // pages that were given before all of the time was searched
}

// String is one line for people.
func (s Searched) String() string {
	return fmt.Sprintf("%-64s %4d rounds  %6.1f rows  p50 %8.2f ms  p95 %8.2f ms  max %8.2f ms  to be gone on with %d", s.Name, s.Rounds, s.Rows, s.P50ms, s.P95ms, s.Maxms, s.Short)
}

// searchDays is how far back the payments lie that are loaded; the cases four
// times as far.
const searchDays = 90

// searchPage is a page as the console shows it.
const searchPage = 50

// Search loads a world of payments and cases and measures what support looks
// for in it: as the services answer, without HTTP.
func Search(ctx context.Context, o SearchOptions, tell func(Searched)) error {
	db, err := store.Open(ctx, o.DSN, store.Options{})
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // the run is over
	if _, err := db.Migrate(ctx); err != nil {
		return err
	}
	b := &searchBench{SearchOptions: o, db: db, now: o.Clock.Now().UTC().Truncate(time.Second), rnd: rand.New(rand.NewPCG(7, 11)), //nolint:gosec // a benchmark's choices
		support: mianmi.Actor{Role: mianmi.RoleSupport, ID: "bench"}, desk: &desk.Service{Parts: desk.Parts{Store: db, Clock: o.Clock}}}
	if b.payments, err = searches(ctx, db, o); err != nil {
		return err
	}
	defer b.payments.Stop()
	there, err := db.FindPayments(ctx, payment.Find{Until: b.now.Add(time.Hour), Limit: 1})
	if err != nil {
		return err
	}
	if len(there) == 0 {
		if err := b.load(ctx); err != nil {
			return err
		}
	} else if b.now = there[0].CreatedAt; b.now.IsZero() {
		return errors.New("bench: the newest payment has no time")
	}
	for _, q := range slices.Concat(paymentSearches, caseSearches) {
		f, err := b.measure(ctx, q)
		if err != nil {
			return fmt.Errorf("%s: %w", q.name, err)
		}
		tell(f)
	}
	return nil
}

// searches is a service of payments that takes none.
func searches(ctx context.Context, db *store.DB, o SearchOptions) (*payment.Service, error) {
	d, err := newParts(db, Options{Clock: o.Clock, Random: o.Random, Log: o.Log})
	if err != nil {
		return nil, err
	}
	return d.service(ctx, Options{Clock: o.Clock, Random: o.Random, Log: o.Log, Lanes: 1})
}

// searchBench is a run of Search.
type searchBench struct {
	SearchOptions
	db       *store.DB
	payments *payment.Service
	desk     *desk.Service
	support  mianmi.Actor
	now      time.Time // of the newest payment
	rnd      *rand.Rand
	short    int // pages that ended before they were full, and before the time was searched
}

// search is one kind: what is looked for follows from a payment, or a case, that
// is chosen at random.
type search struct {
	name string
	pay  func(p *payment.Payment, f *payment.Find)
	desk func(c *desk.Case, p *payment.Payment, q *desk.Query)
}

func around(p *payment.Payment, f *payment.Find, d time.Duration) {
	f.Since, f.Until = p.CreatedAt.Add(-d), p.CreatedAt.Add(d)
}

func amountOf(p *payment.Payment, f *payment.Find) { f.Min, f.Max = p.Amount.Minor(), p.Amount.Minor() }

// paymentSearches are what support and risk ask for on the phone; the time is what
// the payer remembers.
var paymentSearches = []search{
	{name: "payments: a payer's, newest", pay: func(p *payment.Payment, f *payment.Find) { f.Payer = p.Payer }},
	{name: "payments: a payer's, 72 hours back", pay: func(p *payment.Payment, f *payment.Find) {
		f.Payer, f.Since, f.Until = p.Payer, p.CreatedAt.Add(-72*time.Hour), p.CreatedAt.Add(time.Second)
	}},
	{name: "payments: a terminal's, 30 minutes around", pay: func(p *payment.Payment, f *payment.Find) {
		f.Terminal = p.Terminal
		around(p, f, 30*time.Minute)
	}},
	{name: "payments: a terminal's, amount, any time", pay: func(p *payment.Payment, f *payment.Find) {
		f.Terminal = p.Terminal
		amountOf(p, f)
	}},
	{name: "payments: a store's, a day", pay: func(p *payment.Payment, f *payment.Find) {
		f.Store = p.Store
		around(p, f, 12*time.Hour)
	}},
	{name: "payments: a merchant's, 30 minutes around, amount", pay: func(p *payment.Payment, f *payment.Find) {
		f.Merchant = p.Merchant
		around(p, f, 30*time.Minute)
		amountOf(p, f)
	}},
	{name: "payments: a merchant's, a week, amount", pay: func(p *payment.Payment, f *payment.Find) {
		f.Merchant = p.Merchant
		around(p, f, 84*time.Hour)
		amountOf(p, f)
	}},
	{name: "payments: a merchant's, amount that nobody paid, any time", pay: func(p *payment.Payment, f *payment.Find) {
		f.Merchant, f.Min, f.Max = p.Merchant, noAmount, noAmount
	}},
	{name: "payments: a merchant's, order number, any time", pay: func(p *payment.Payment, f *payment.Find) { f.Merchant, f.OrderNo = p.Merchant, p.OrderNo }},
	{name: "payments: a merchant's, refused, any time", pay: func(p *payment.Payment, f *payment.Find) {
		f.Merchant, f.Decided, f.Outcome = p.Merchant, true, pinfree.Refused
	}},
	{name: "payments: everybody's, 30 minutes around, amount", pay: func(p *payment.Payment, f *payment.Find) {
		around(p, f, 30*time.Minute)
		amountOf(p, f)
	}},
	{name: "payments: everybody's, 48 hours, amount", pay: func(p *payment.Payment, f *payment.Find) {
		around(p, f, 24*time.Hour)
		amountOf(p, f)
	}},
	{name: "payments: everybody's, 48 hours, order number", pay: func(p *payment.Payment, f *payment.Find) {
		around(p, f, 24*time.Hour)
		f.OrderNo = p.OrderNo
	}},
	{name: "payments: everybody's, 48 hours, last four digits of a phone", pay: func(p *payment.Payment, f *payment.Find) {
		around(p, f, 24*time.Hour)
		f.PhoneEnd = phoneOf(p.Payer)[len(phoneOf(""))-4:]
	}},
	{name: "payments: everybody's, 48 hours, digits that nobody has", pay: func(p *payment.Payment, f *payment.Find) {
		around(p, f, 24*time.Hour)
		f.PhoneEnd = "00000000000"
	}},
	{name: "payments: everybody's, newest", pay: func(_ *payment.Payment, f *payment.Find) { f.Since = f.Until.Add(-24 * time.Hour) }},
}

// noAmount is more than any payment that is loaded.
const noAmount = 77_777_777

var caseSearches = []search{
	{name: "cases: open in a queue", desk: func(c *desk.Case, _ *payment.Payment, q *desk.Query) { q.Queue, q.Open = c.Queue, true }},
	{name: "cases: open in a queue, assigned to nobody", desk: func(c *desk.Case, _ *payment.Payment, q *desk.Query) { q.Queue, q.Open, q.Nobody = c.Queue, true, true }},
	{name: "cases: open, of one agent", desk: func(_ *desk.Case, _ *payment.Payment, q *desk.Query) { q.Assignee, q.Open = "sf07", true }},
	{name: "cases: of one agent, over", desk: func(_ *desk.Case, _ *payment.Payment, q *desk.Query) { q.Assignee, q.State = "sf07", desk.Closed }},
	{name: "cases: of a payer", desk: func(c *desk.Case, _ *payment.Payment, q *desk.Query) { q.Payer = c.Payer }},
	{name: "cases: shared with a merchant", desk: func(_ *desk.Case, p *payment.Payment, q *desk.Query) { q.Merchant = p.Merchant }},
	{name: "cases: shared with a merchant, fraud that is over", desk: func(_ *desk.Case, p *payment.Payment, q *desk.Query) {
		q.Merchant, q.Kind, q.State = p.Merchant, desk.Fraud, desk.Closed
	}},
	{name: "cases: about a payment", desk: func(_ *desk.Case, p *payment.Payment, q *desk.Query) {
		q.Link = desk.NewLink{Kind: desk.ToPayment, Ref: string(p.ID)}
	}},
	{name: "cases: of a kind, over, a week", desk: func(c *desk.Case, _ *payment.Payment, q *desk.Query) {
		q.Kind, q.State, q.Since, q.Until = c.Kind, desk.Closed, c.OpenedAt.Add(-84*time.Hour), c.OpenedAt.Add(84*time.Hour)
	}},
	{name: "cases: of a kind, newest", desk: func(c *desk.Case, _ *payment.Payment, q *desk.Query) { q.Kind = c.Kind }},
	{name: "cases: of a kind and state that few have", desk: func(_ *desk.Case, _ *payment.Payment, q *desk.Query) {
		q.Kind, q.State = desk.Complaint, desk.WaitingBank
	}},
	{name: "cases: newest", desk: func(*desk.Case, *payment.Payment, *desk.Query) {}},
	{name: "cases: a page at a time of long ago", desk: func(c *desk.Case, _ *payment.Payment, q *desk.Query) { q.Before = c.ID }},
}

// measure runs one kind of search.
func (b *searchBench) measure(ctx context.Context, s search) (f Searched, err error) {
	var took []time.Duration
	var spent time.Duration
	rows := 0
	b.short = 0
	for len(took) < b.Rounds && spent < b.RoundsFor {
		p, c, err := b.sample(ctx)
		if err != nil {
			return f, err
		}
		began := b.Clock.Now()
		n, err := b.ask(ctx, s, p, c)
		if err != nil {
			return f, err
		}
		took = append(took, b.Clock.Now().Sub(began))
		spent += took[len(took)-1]
		rows += n
	}
	slices.Sort(took)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }
	n := len(took)
	return Searched{Name: s.name, Rounds: n, Rows: float64(rows) / float64(n), P50ms: ms(took[n/2]), P95ms: ms(took[min(n*95/100, n-1)]), Maxms: ms(took[n-1]), Short: b.short}, nil
}

func (b *searchBench) ask(ctx context.Context, s search, p *payment.Payment, c *desk.Case) (int, error) {
	if s.pay != nil {
		f := payment.Find{Until: b.now.Add(time.Second), Limit: searchPage}
		s.pay(p, &f)
		found, err := b.payments.Find(ctx, b.support, f)
		if found.Next != "" && len(found.Payments) < searchPage {
			b.short++
		}
		return len(found.Payments), err
	}
	q := desk.Query{Limit: searchPage}
	s.desk(c, p, &q)
	list, err := b.desk.Cases(ctx, b.support, q)
	return len(list), err
}

// sample chooses a payment and a case of any time.
func (b *searchBench) sample(ctx context.Context) (*payment.Payment, *desk.Case, error) {
	at := b.now.Add(-time.Duration(b.rnd.Int64N(int64((searchDays - 3) * 24 * time.Hour))))
	pays, err := b.db.FindPayments(ctx, payment.Find{Since: at.Add(-48 * time.Hour), Until: at, Limit: 1})
	if err != nil {
		return nil, nil, err
	}
	cases, err := b.db.Cases(ctx, desk.Query{Until: b.now.Add(-time.Duration(b.rnd.Int64N(int64(4*searchDays))) * 24 * time.Hour), Limit: 1})
	if err != nil {
		return nil, nil, err
	}
	if len(pays) == 0 || len(cases) == 0 {
		return nil, nil, fmt.Errorf("bench: no payment or case near %s", at.Format(time.RFC3339))
	}
	return &pays[0], &cases[0], nil
}
