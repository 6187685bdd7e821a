package storetest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/store"
)

// Engine is one implementation of payment.Ledger and payment.Books over an
// empty, migrated database.
type Engine struct {
	DSN    string
	Open   func(testing.TB) *store.DB // another handle, with memory of its own
	Ledger func(context.Context, *store.DB) (payment.Ledger, error)
}

// RunLedger is the contract of payment.Ledger and payment.Books, kept by every
// implementation, with two services on one database and concurrent callers.
func RunLedger(t *testing.T, open func(*testing.T) Engine) {
	shared := open(t)
	tests := map[string]func(*testing.T, *desk){
		"a repeat gets the first answer, other content a conflict":   repeats,
		"concurrent repeats are one payment":                         concurrentRepeats,
		"concurrent orders with one number: one content wins":        concurrentConflict,
		"an error frees the order number":                            errorFreesOrder,
		"an order number of one batch is decided call by call":       oneOrderInOneBatch,
		"a code pays once, whoever asks":                             codePaysOnce,
		"many payments of one payer in one batch leave exact books":  manyOfOnePayer,
		"a day's number holds with two services":                     dayNumberHolds,
		"a balance never goes below zero":                            balanceNeverNegative,
		"an order number that was ended is charged by nobody":        endedOrders,
		"a contract of the front stands on its agreement":            contractsOfTheFront,
		"cash is recorded and moves nothing":                         cash,
		"cards pass under the scheme's limit and after a CVM":        cards,
		"a QR order is paid once, by one payer":                      qrOrders,
		"an agreement opens and closes PIN-free at its merchant":     agreementsCount,
		"a hold asks, whatever the payer allows":                     holdAsks,
		"a one-off allowance is used once":                           allowanceOnce,
		"refunds: a part, several, too much, repeats":                refundsOf,
		"concurrent refunds never give back more than was paid":      concurrentRefunds,
		"a reversal gives the money and the counters back":           reversals,
		"a top-up is added once":                                     topUps,
		"a step-up ends by the right password":                       stepUpConfirmed,
		"five wrong passwords end the payment":                       stepUpLocked,
		"a step-up is taken back":                                    stepUpCancelled,
		"a commit whose answer is lost is found by its order number": lostAnswer,
		"counters that cannot be read ask for a PIN and stay":        unreadable,
		"what a terminal has proved counts, and nothing else":        proofCounts,
		"each payment of a batch has its own terminal's proof":       manyTerminals,
	}
	t.Run("shared database", func(t *testing.T) {
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, newDesk(t, shared))
			})
		}
	})
	booksAgree(t, shared)
	runAlone(t, open)
}

// runAlone runs what wants a database of its own: a sweep is of a whole database,
// and so are a count of rows and the rules.
func runAlone(t *testing.T, open func(*testing.T) Engine) {
	alone := map[string]func(*testing.T, *desk){
		"a step-up runs out": stepUpExpires,
		"confirm, PIN, cancel and expiry at once: exactly one wins": stepUpRaces,
		"one that cannot be expired keeps no other from it":         expiryGoesOn,
		"bad input names its field and writes nothing":              badPaymentInput,
		"a commit that fails writes nothing":                        failedCommit,
		"past payments are read newest first":                       pastPayments,
		"payments are found by what a person can say of them":       findsPayments,
		"stored payments are replayed through other rules":          replays,
		"a replay ends in time":                                     replaysEnd,
		"rules ask for issuer, merchant's risk and consent":         rulesAskFacts,
		"a top-up with authentication begins counters again":        topUpResets,
		"a counter of the account counts every card":                accountCounts,
		"the rules' number of failures locks earlier":               rulesLock,
		"test payments are looked up in the books":                  testPaymentsAreLookedUp,
		"the log tells who changed a payment and how":               changesAreTold,
		"nothing in the log names a person, erased or not":          personErased,
	}
	maps.Copy(alone, outsideTests)
	for name, test := range alone {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := open(t)
			test(t, newDesk(t, e))
			booksAgree(t, e)
		})
	}
}

// desk is a shop with two services on one database.
type desk struct {
	*Shop
	engine Engine
	keys   *secret.Keys
	clock  *Clock
	a, b   *Node
	rows   *sql.DB
}

func newDesk(t *testing.T, e Engine) *desk {
	t.Helper()
	d := &desk{engine: e, clock: NewClock(), keys: must(secret.New(rand.Reader))(t), rows: Inspect(t, e.DSN)}
	d.a, d.b = d.node(t, nil), d.node(t, nil)
	shop := must(d.a.NewShop(t.Context(), merchant.Facts{}))(t)
	d.Shop = &shop
	return d
}

// node starts another process; wrap may put a ledger of its own before the engine's.
func (d *desk) node(t *testing.T, wrap func(payment.Ledger) payment.Ledger) *Node {
	t.Helper()
	db := d.engine.Open(t)
	ledger := must(d.engine.Ledger(t.Context(), db))(t)
	if wrap != nil {
		ledger = wrap(ledger)
	}
	n := must(NewNode(t.Context(), NodeConfig{DB: db, Keys: d.keys, Clock: d.clock, Ledger: ledger,
		Payer: payer.Config{NoCoolingOff: true, CodesMax: 100}}))(t)
	t.Cleanup(n.Payments.Stop)
	return n
}

func (d *desk) person(t *testing.T, balance int64) Person {
	t.Helper()
	return must(d.a.NewPerson(t.Context(), balance))(t)
}

func (d *desk) code(t *testing.T, p Person) string {
	t.Helper()
	return must(d.b.Payers.IssueCode(t.Context(), p.Actor(), p.ID))(t).Digits
}

// pay asks the first service.
func (d *desk) pay(t *testing.T, r payment.Request) (*payment.Payment, error) {
	t.Helper()
	return d.a.Payments.Authorize(t.Context(), d.Manager, r)
}

// mustPay fails the test unless the payment is in the state.
func (d *desk) mustPay(t *testing.T, r payment.Request, want payment.State) *payment.Payment {
	t.Helper()
	p := must(d.pay(t, r))(t)
	wantState(t, p, want)
	return p
}

func (d *desk) balance(t *testing.T, p Person) int64 {
	t.Helper()
	return must(d.b.DB.Payer(t.Context(), p.ID))(t).Balance.Minor()
}

func (d *desk) wantBalance(t *testing.T, p Person, want int64) {
	t.Helper()
	if got := d.balance(t, p); got != want {
		t.Errorf("balance = %d, want %d", got, want)
	}
}

// lines counts the journal's rows of a payment.
func (d *desk) lines(t *testing.T, id mianmi.PaymentID) int64 {
	t.Helper()
	return number(t, d.rows, `SELECT count(*) FROM journal WHERE ref = $1`, string(id))
}

func (d *desk) counters(t *testing.T, p Person) string {
	t.Helper()
	var s string
	if err := d.rows.QueryRowContext(t.Context(), `SELECT counters FROM payer WHERE id = $1`, string(p.ID)).Scan(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

func wantState(t *testing.T, p *payment.Payment, want payment.State) {
	t.Helper()
	if p.State != want {
		t.Errorf("payment %s is %v (%v, %v), want %v", p.OrderNo, p.State, p.Failure, p.Reasons, want)
	}
}

var orders atomic.Int64

// order is an order number that no other case has.
func order() string { return fmt.Sprintf("o%d", orders.Add(1)) }

// both runs f for n callers at once, on the two services in turn.
func (d *desk) both(n int, f func(i int, node *Node)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			f(i, []*Node{d.a, d.b}[i%2])
		})
	}
	close(start)
	wg.Wait()
}

// attempts are the answers that concurrent callers got.
type attempts struct {
	mu       sync.Mutex
	payments []*payment.Payment
	errs     []error
}

func (a *attempts) add(p *payment.Payment, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		a.errs = append(a.errs, err)
		return
	}
	a.payments = append(a.payments, p)
}

func (a *attempts) count(match func(*payment.Payment) bool) (n int) {
	for _, p := range a.payments {
		if match(p) {
			n++
		}
	}
	return n
}

// wantErrs fails unless there are n errors, all of the kind and code.
func (a *attempts) wantErrs(t *testing.T, n int, kind mianmi.Kind, code string) {
	t.Helper()
	if len(a.errs) != n {
		t.Errorf("%d errors, want %d: %v", len(a.errs), n, errors.Join(a.errs...))
	}
	for _, err := range a.errs {
		wantKind(t, err, kind, code)
	}
}

func approved(p *payment.Payment) bool { return p.State == payment.Approved }

// booksAgree checks what holds for a database as a whole, whatever happened.
func booksAgree(t *testing.T, e Engine) {
	t.Helper()
	books := must(e.Open(t).CheckBooks(t.Context()))(t)
	if !books.OK() {
		t.Errorf("the books do not agree: %+v", books)
	}
	CheckDecided(t, e.Open(t), e.DSN)
	db := Inspect(t, e.DSN)
	for _, c := range slices.Concat(Invariants, Unsent) {
		if n := number(t, db, c.Query); n != 0 {
			t.Errorf("%s: %d rows", c.Name, n)
		}
	}
}

// Invariant is a query that counts rows that must not be there.
type Invariant struct{ Name, Query string }

// OrphanedClaim names the invariant that one case may break: a process that
// is killed between claim and decision, in the mode of one bucket a transaction.
const OrphanedClaim = "a claim has no payment"

// Invariants hold for every database at every time, a distributed one too: it
// joins by the bucket, or with what it has gathered first.
var Invariants = []Invariant{
	{"a message tells of nothing", `SELECT count(*) FROM outbox o WHERE NOT EXISTS (SELECT 1 FROM payment p WHERE p.bucket = o.bucket AND p.id = o.subject)
		AND NOT EXISTS (SELECT 1 FROM top_up u WHERE u.bucket = o.bucket AND u.id = o.subject)
		AND NOT EXISTS (SELECT 1 FROM entry e WHERE e.bucket = o.bucket AND e.id = o.ref)`},
	{"a payment has not one claim of its order", `WITH m AS MATERIALIZED (SELECT payment, count(*) AS n FROM merchant_order GROUP BY payment)
		SELECT count(*) FROM payment p LEFT JOIN m ON m.payment = p.id WHERE coalesce(m.n, 0) <> 1`},
	{OrphanedClaim, `WITH p AS MATERIALIZED (SELECT id FROM payment)
		SELECT count(*) FROM merchant_order m LEFT JOIN p ON p.id = m.payment WHERE p.id IS NULL AND m.payment <> ''`}, // of an end it is empty
	{"an order number was paid twice", `SELECT count(*) FROM (SELECT merchant, order_no FROM payment GROUP BY merchant, order_no HAVING count(*) > 1) AS d`},
	{"refunds are not what was refunded", `SELECT count(*) FROM payment p WHERE p.refunded <>
		(SELECT coalesce(sum(r.amount), 0) FROM refund r WHERE r.bucket = p.bucket AND r.payment = p.id AND r.state = 2)`},
	{"the journal has not each refund", `SELECT count(*) FROM payment p WHERE p.channel <> 'cash' AND p.refunded <>
		(SELECT coalesce(sum(j.amount), 0) FROM journal j WHERE j.bucket = p.bucket AND j.ref = p.id AND j.kind = 2)`},
	{"the journal has not each reversal", `SELECT count(*) FROM payment p WHERE p.channel <> 'cash' AND
		CASE WHEN p.state = 10 THEN p.amount ELSE 0 END <> (SELECT coalesce(sum(j.amount), 0) FROM journal j WHERE j.bucket = p.bucket AND j.ref = p.id AND j.kind = 3)`},
	{"a payment was captured twice", `SELECT count(*) FROM (SELECT ref FROM journal WHERE kind = 1 GROUP BY ref HAVING count(*) > 1) AS d`},
	{"a step-up that ended still runs", `SELECT count(*) FROM payment WHERE (state = 2) <> (expires_at IS NOT NULL)`},
	{"a balance is negative", `SELECT count(*) FROM payer WHERE balance < 0`},
}

// Unsent are invariants of a database in which somebody listens to everything
// and no sender has taken a message away: without listeners none is written.
var Unsent = []Invariant{
	{"a payment has not one message for each change", `SELECT count(*) FROM payment p WHERE p.version <>
		(SELECT count(*) FROM outbox o WHERE o.bucket = p.bucket AND o.subject = p.id)`},
	{"the newest message is not of the payment's state", `SELECT count(*) FROM payment p WHERE NOT EXISTS (
		SELECT 1 FROM outbox o WHERE o.bucket = p.bucket AND o.subject = p.id AND o.seq = p.version AND o.at = p.state_at AND o.topic =
		CASE p.state WHEN 2 THEN 2 WHEN 4 THEN 1 WHEN 5 THEN 4 WHEN 6 THEN 5 WHEN 9 THEN 3 WHEN 10 THEN 6 WHEN 11 THEN 7 WHEN 12 THEN 7
		WHEN 3 THEN 9 WHEN 7 THEN 10 WHEN 8 THEN CASE o.topic WHEN 12 THEN 12 ELSE 11 END END
		OR o.bucket = p.bucket AND o.subject = p.id AND o.seq = p.version AND o.topic IN (13, 14) AND p.state IN (4, 12))`},
	{"a payment that is under way outside is asked for by nobody", `SELECT count(*) FROM payment p WHERE p.state IN (3, 7, 8) AND NOT EXISTS (
		SELECT 1 FROM channel_call c WHERE c.bucket = p.bucket AND c.payment = p.id AND c.refund = '' AND c.due_at IS NOT NULL)`},
	{"a top-up has not one message", `SELECT count(*) FROM top_up u WHERE 1 <> (SELECT count(*) FROM outbox o WHERE o.bucket = u.bucket AND o.subject = u.id)`},
}
