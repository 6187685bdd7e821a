package payment

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/settings"
)

// Config tunes a Service. Zero values mean the defaults.
type Config struct {
	Lanes      int           // batches under way at once; default 2 (1 suits SQLite)
	BatchMax   int           // payments in one transaction; default 2,000
	QueueMax   int           // callers that may wait at a lane; default 4,096; above it: Unavailable
	StepUpLife time.Duration // how long a step-up may take; default 90 s
	QRLife     time.Duration // how long a dynamic QR may be paid; default 5 min
	// ReverseWithin is how long after it a payment may be undone as a
	// reversal (later: a refund); default 24 h.
	ReverseWithin time.Duration
	// CodePrefix leads the payment codes of the wallet, default "88": what has it
	// goes to no other channel.
	CodePrefix string
	// CallsMax is how many payments may be at channels over a network at once on
	// this node; default 256; above it: Unavailable.
	CallsMax int
	// OneBucket keeps each transaction to one bucket, for a distributed
	// database. It is set when the Ledger wants it.
	OneBucket bool
}

func (c Config) withDefaults() Config {
	def := func(n *int, d int) {
		if *n <= 0 {
			*n = d
		}
	}
	life := func(n *time.Duration, d time.Duration) {
		if *n <= 0 {
			*n = d
		}
	}
	def(&c.Lanes, 2)
	def(&c.BatchMax, 2000)
	c.BatchMax = min(c.BatchMax, evidence.RecordsMax)
	def(&c.QueueMax, 4096)
	def(&c.CallsMax, 256)
	if c.CodePrefix == "" {
		c.CodePrefix = "88"
	}
	life(&c.StepUpLife, 90*time.Second)
	life(&c.QRLife, 5*time.Minute)
	life(&c.ReverseWithin, 24*time.Hour)
	return c
}

// Verifier checks a payment password, counts failures and locks. The error of
// a wrong password is Unauthenticated; of a locked one Denied with code
// "password_locked".
type Verifier interface {
	Verify(ctx context.Context, id mianmi.PayerID, password string) error
}

// Deps are the parts that a Service needs; all but Rules and Remotes are required.
type Deps struct {
	Ledger Ledger
	Books  Books
	Wallet channel.Books
	// Remotes are the channels that are asked over a network.
	Remotes []channel.Remote
	// Rules are those of a database that has never held a pack; nil: nothing
	// passes there without a PIN. Otherwise the packs in force count, which come
	// with the settings.
	Rules    *pinfree.RuleSet
	Keys     *secret.Keys
	Verifier Verifier
	Clock    mianmi.Clock
	Random   io.Reader // safe for concurrent use
	Log      *slog.Logger
}

// Service takes payments. Make one with New; Stop ends it.
type Service struct {
	Deps
	cfg     Config
	lanes   []*lane
	watch   watchers
	guesses guesses                           // unknown codes by terminal
	slots   chan struct{}                     // one for each payment that may be at a channel outside
	latest  atomic.Pointer[settings.Snapshot] // of the newest batch; for names alone

	mu      sync.RWMutex // guards stopped against a send on a closed queue
	stopped bool
	done    sync.WaitGroup
}

// New returns a Service whose lanes run until Stop. The lanes' transactions run
// under ctx, for a batch outlives its callers.
func New(ctx context.Context, d Deps, cfg Config) (*Service, error) {
	if d.Ledger == nil || d.Books == nil || d.Wallet == nil || d.Keys == nil ||
		d.Verifier == nil || d.Clock == nil || d.Random == nil || d.Log == nil {
		return nil, errors.New("payment: a required part is missing")
	}
	cfg.OneBucket = cfg.OneBucket || d.Ledger.OneBucket()
	s := &Service{Deps: d, cfg: cfg.withDefaults()}
	s.slots = make(chan struct{}, s.cfg.CallsMax)
	for range s.cfg.Lanes {
		l := newLane(s)
		s.lanes = append(s.lanes, l)
		s.done.Go(func() { l.run(ctx) })
	}
	return s, nil
}

// Stop lets the payments that have begun finish and refuses new ones.
func (s *Service) Stop() {
	s.mu.Lock()
	if !s.stopped {
		s.stopped = true
		for _, l := range s.lanes {
			close(l.queue)
		}
	}
	s.mu.Unlock()
	s.done.Wait()
}

// Result is one answer of AuthorizeMany.
type Result struct {
	Payment *Payment
	Err     error
}

// Authorize decides one payment and, when it may pass, takes it. It returns
// when that is durable. The caller's context bounds the wait: after it, the
// outcome is unknown (code "outcome_unknown") and is asked by order number.
//
// A repeat of the same request returns the first payment; the same order
// number with another content is a Conflict ("order_conflict").
func (s *Service) Authorize(ctx context.Context, actor mianmi.Actor, req Request) (*Payment, error) {
	c, err := s.prepare(actor, req)
	if err != nil {
		return nil, err
	}
	if err := s.enqueue(ctx, c); err != nil {
		return nil, err
	}
	p, err := c.wait(ctx)
	return s.withCall(ctx, p), err
}

// requestsMax bounds AuthorizeMany.
const requestsMax = 100

// AuthorizeMany is Authorize for up to 100 requests; each has its own answer.
func (s *Service) AuthorizeMany(ctx context.Context, actor mianmi.Actor, reqs []Request) ([]Result, error) {
	if len(reqs) == 0 || len(reqs) > requestsMax {
		return nil, mianmi.InvalidField("payments", "1 to 100 payments")
	}
	calls := make([]*call, len(reqs))
	results := make([]Result, len(reqs))
	var named sync.WaitGroup // of those whose payers channels are asked for, all at once
	for i := range reqs {
		if calls[i], results[i].Err = s.prepare(actor, reqs[i]); results[i].Err != nil {
			continue
		}
		if calls[i].canName() {
			named.Go(func() { results[i].Err = s.enqueue(ctx, calls[i]) })
		} else {
			results[i].Err = s.enqueue(ctx, calls[i])
		}
	}
	named.Wait()
	for i, c := range calls {
		if results[i].Err == nil {
			p, err := c.wait(ctx)
			results[i] = Result{s.withCall(ctx, p), err}
		}
	}
	return results, nil
}

// prepare checks what can be checked without the database and finds the
// bucket that the payment belongs to.
func (s *Service) prepare(actor mianmi.Actor, req Request) (*call, error) {
	if err := req.validate(); err != nil {
		return nil, err
	}
	if err := mayPay(actor, &req); err != nil {
		return nil, err
	}
	if err := s.route(actor, &req); err != nil {
		return nil, err
	}
	c := &call{actor: actor, req: req, done: make(chan struct{})}
	c.ask.Merchant, c.ask.Terminal = actor.Merchant, req.Terminal
	c.ask.Key = OrderKey(actor.Merchant, req.OrderNo)
	c.ask.Digest = req.digest(actor.Merchant)
	switch {
	case req.Member != "":
		c.ask.Payer, c.ask.Bucket = req.Member, req.Member.Bucket()
	case req.outside != nil:
		c.ask.Bucket = c.ask.Key.Bucket()
	case req.payer != "":
		c.ask.Payer, c.ask.Bucket = req.payer, req.payer.Bucket()
	case req.Mandate != nil:
		c.ask.Payer, c.ask.Bucket = req.Mandate.Payer, req.Mandate.Payer.Bucket()
	case req.Code != "":
		if err := s.guesses.check(req.Terminal, s.Clock.Now()); err != nil {
			return nil, err
		}
		c.ask.Code = s.Keys.Digest(secret.ForPaymentCode, req.Code)
		c.ask.Bucket = mianmi.Bucket(codeBucketNo(req.Code)) //nolint:gosec // validated below 256
	case req.Instrument != "":
		c.ask.Instrument = req.Instrument
		b, err := req.Instrument.Bucket()
		if err != nil {
			return nil, err
		}
		c.ask.Bucket = b
	default:
		c.ask.Bucket = c.ask.Key.Bucket()
	}
	return c, s.identify(c)
}

// identify makes the payment's identifier, which holds its bucket.
func (s *Service) identify(c *call) error {
	id, err := mianmi.NewBucketID("pm", c.ask.Bucket, s.Clock.Now(), s.Random)
	c.ask.Payment = mianmi.PaymentID(id)
	return err
}

// mayPay says who may ask for payments: the merchant's software and staff, for
// the merchant's own terminals (which the batch checks), and a terminal for itself.
func mayPay(a mianmi.Actor, req *Request) error {
	ok := a.Is(mianmi.RoleAPIClient) && a.Scopes.Has(mianmi.ScopePay) ||
		a.Is(mianmi.RoleCashier, mianmi.RoleStoreManager, mianmi.RoleMerchantAdmin) ||
		a.Is(mianmi.RoleTerminal) && a.ID != "" && a.ID == string(req.Terminal) ||
		a.Is(mianmi.RoleSystem) && req.payer != ""
	if !ok || a.Merchant == "" {
		return mianmi.Forbidden("not_allowed", "this caller may not take payments")
	}
	return nil
}

// enqueue hands the call to its lane, when it is known as whose it is decided.
func (s *Service) enqueue(ctx context.Context, c *call) error {
	if c.req.outside != nil {
		select {
		case s.slots <- struct{}{}:
			c.slot = s.slots
		default:
			return errOverloaded
		}
	}
	err := s.name(ctx, c)
	if err == nil {
		err = s.send(c)
	}
	if err != nil {
		c.release()
	}
	return err
}

var errOverloaded = &mianmi.Error{Kind: mianmi.Unavailable, Code: "overloaded", Msg: "too many payments are waiting; nothing was begun", RetryAfter: time.Second}

func (s *Service) send(c *call) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.stopped {
		return &mianmi.Error{Kind: mianmi.Unavailable, Code: "stopping", Msg: "the server is stopping", RetryAfter: time.Second}
	}
	l := s.lanes[int(c.ask.Bucket)%len(s.lanes)]
	select {
	case l.queue <- c:
		return nil
	default:
		return errOverloaded
	}
}
