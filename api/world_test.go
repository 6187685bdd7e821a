package api_test

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/api"
	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/asof"
	"github.com/mianmi/mianmi/channel/wallet"
	"github.com/mianmi/mianmi/contract"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/idempotency"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/notice"
	"github.com/mianmi/mianmi/notice/inbox"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/pinfree/packs"
	"github.com/mianmi/mianmi/receipt"
	"github.com/mianmi/mianmi/risk"
	rulepacks "github.com/mianmi/mianmi/rules"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/store/pgtest"
	"github.com/mianmi/mianmi/support"
	"github.com/mianmi/mianmi/support/desk"
	"github.com/mianmi/mianmi/support/files"
	"github.com/mianmi/mianmi/support/help"
	"github.com/mianmi/mianmi/support/liability"
	"github.com/mianmi/mianmi/support/pack"
	"github.com/mianmi/mianmi/terminal"
	"github.com/mianmi/mianmi/terminal/protocol"
	"github.com/mianmi/mianmi/wechat"
)

var engines = []string{"sqlite", "postgres"}

// onBoth runs a test on both databases.
func onBoth(t *testing.T, fn func(t *testing.T, w *world)) {
	t.Helper()
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			fn(t, newWorld(t, engine))
		})
	}
}

// clock is stepped by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// world is a server with real parts behind it, and an operator who is logged in.
type world struct {
	*parts
	t        *testing.T
	url      string
	anyone   *client.Client
	operator *client.Client
	second   *client.Client // another operator

	terminals string // where the caller is a terminal
}

// parts are what stands behind the server.
type parts struct {
	clock   *clock
	db      *store.DB
	keys    *secret.Keys
	metrics *prometheus.Registry
	server  *api.Server
	access  *access.Service
	log     *evidence.Log

	merchants *merchant.Service
	payments  api.Payments
	scanner   scanner
}

// noon is ten in the morning in Shanghai, on a day when every pack is in force.
var noon = time.Date(2026, 7, 3, 2, 0, 0, 0, time.UTC)

func newWorld(t *testing.T, engine string, instead ...api.Payments) *world {
	t.Helper()
	p := newParts(t, engine, api.Config{}, instead...)
	front := httptest.NewServer(p.server)
	t.Cleanup(front.Close)
	t.Cleanup(p.server.Stop)
	anyone, err := client.New(front.URL, client.Options{Lang: mianmi.EN})
	must(t, err)
	w := &world{parts: p, t: t, url: front.URL, anyone: anyone}
	e, err := p.access.Bootstrap(t.Context(), "root.operator", "First Operator")
	must(t, err)
	w.operator = w.login(client.Enrolment{Staff: client.Staff{Login: e.Staff.Login}, Password: e.Password, TOTP: e.TOTP})
	// As on the command line: an operator whom the first one made would not count as a second person.
	e, err = p.access.CreateStaff(t.Context(), mianmi.System("command-line"),
		access.NewStaff{Login: "second.operator", Name: "Second Operator", Role: mianmi.RoleOperator})
	must(t, err)
	w.second = w.login(client.Enrolment{Staff: client.Staff{Login: e.Staff.Login}, Password: e.Password, TOTP: e.TOTP})
	return w
}

// cheap is a hash that tests can afford.
var cheap = secret.HasherConfig{Cost: secret.Cost{MemoryKiB: 64, Passes: 1, Lanes: 1}, AtOnce: 4}

// newParts makes a server; instead takes the place of the payments behind it.
func newParts(t testing.TB, engine string, cfg api.Config, instead ...api.Payments) *parts {
	t.Helper()
	ctx := t.Context()
	p := &parts{clock: &clock{now: noon}, metrics: prometheus.NewRegistry()}
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "mianmi.db")
	if engine == "postgres" {
		dsn = pgtest.Open(t)
	}
	var err error
	p.db, err = store.Open(ctx, dsn, store.Options{ConnsMax: 8})
	must(t, err)
	t.Cleanup(func() { must(t, p.db.Close()) })
	_, err = p.db.Migrate(ctx)
	must(t, err)
	p.keys, err = secret.New(rand.Reader)
	must(t, err)
	hasher, err := p.keys.Hasher(rand.Reader, cheap)
	must(t, err)
	p.access = access.New(access.Parts{Store: p.db, Keys: p.keys, Hasher: hasher, Clock: p.clock, Random: rand.Reader}, access.Config{})
	list, err := packs.Default()
	must(t, err)
	rules, err := pinfree.Compile(list)
	must(t, err)
	payers, err := payer.New(payer.Parts{Store: p.db, Access: p.access, Keys: p.keys, Hasher: hasher, Clock: p.clock, Random: rand.Reader,
		FailuresMax: func(context.Context) (int64, error) { return rules.FailuresMax(), nil }}, payer.Config{})
	must(t, err)
	ledger, err := p.db.Ledger(ctx)
	must(t, err)
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	payments, err := payment.New(context.WithoutCancel(ctx), payment.Deps{Ledger: ledger, Books: p.db, Wallet: wallet.Wallet{}, Rules: rules, Keys: p.keys,
		Verifier: payers, Clock: p.clock, Random: rand.Reader, Log: log}, payment.Config{Lanes: 1})
	must(t, err)
	t.Cleanup(payments.Stop)
	p.payments, p.merchants = payments, merchant.New(p.db, p.clock, rand.Reader)
	if len(instead) > 0 {
		p.payments = instead[0]
	}
	cfg.Metrics = p.metrics
	if cfg.LoginsMax == 0 {
		cfg.LoginsMax = 1000
	}
	p.openLog(t)
	terminals := terminal.New(p.db, p.clock, rand.Reader)
	articles, err := help.New(nil)
	must(t, err)
	webhooks, err := notice.New(notice.Parts{Records: p.db, Keys: p.keys, Clock: p.clock, Random: rand.Reader, Log: log, Guard: notice.NewGuard(nil)})
	must(t, err)
	front, err := wechat.New(wechat.Parts{Store: p.db, Access: p.access, Payments: payments, Keys: p.keys, Guard: notice.NewGuard(nil), Clock: p.clock, Random: rand.Reader}, wechat.Config{})
	must(t, err)
	complaints, err := support.New(support.Parts{Store: p.db, Payments: payments, Keys: p.keys, Clock: p.clock, Random: rand.Reader, Log: log})
	must(t, err)
	cases, err := desk.New(desk.Parts{Store: p.db, Payers: payers, Payments: payments, Staff: p.db, Keys: p.keys, Clock: p.clock, Random: rand.Reader, Log: log, Files: p.files(t), Refunds: payments, Limits: desk.Limits{Alone: 15_00, Case: 5_000_00, Goodwill: 50_00, Day: 20_000_00}})
	must(t, err)
	signals := p.signals(t, payers, cases, log)
	past := asof.New(asof.Parts{Log: p.db, Payments: payments, Terminals: terminals, Merchants: p.merchants, Clock: p.clock, Channel: "wallet"})
	bears := &liability.Service{Cases: cases, Payments: payments, Payers: payers, AsOf: past, Terminals: terminals, Clock: p.clock}
	p.server, err = api.New(api.Deps{
		Webhooks: webhooks, Wechat: front, Complaints: complaints, Cases: cases, Risk: signals, Inbox: inboxOf(t, p.db, payments),
		Liability: bears, Packs: &pack.Service{Cases: cases, Liability: bears, AsOf: past, Payments: payments, Terminals: terminals, Records: p.db, Log: p.log},
		Contracts: contract.New(contract.Parts{Store: p.db, Payers: payers, Clock: p.clock, Random: rand.Reader, Log: log}, 0),
		Receipts:  &receipt.Service{Log: p.log, Payments: payments, Merchants: p.merchants, Terminals: terminals, Keys: p.keys}, Evidence: p.log,
		AsOf: past, Payers: payers, Access: p.access, Merchants: p.merchants, Terminals: terminals,
		Enrol: &terminal.Enrol{Records: p.db, Keys: p.keys, Clock: p.clock, Random: rand.Reader}, CA: protocol.FingerprintOf([]byte("authority")),
		Payments: p.payments, Help: articles, Once: &idempotency.Service{Store: p.db, Keys: p.keys, Clock: p.clock, Random: rand.Reader},
		Rules: rulepacks.New(rulepacks.Parts{Records: p.db, Clock: p.clock, Random: rand.Reader}), Keys: p.keys, Clock: p.clock, Random: rand.Reader, Log: log,
	}, cfg)
	must(t, err)
	return p
}

func (p *parts) signals(t testing.TB, payers *payer.Service, cases *desk.Service, log *slog.Logger) *risk.Service {
	t.Helper()
	s, err := risk.New(risk.Parts{Store: p.db, Keys: p.keys, Clock: p.clock, Random: rand.Reader, Log: log, Payers: payers, Merchants: p.merchants,
		OpenCase: func(ctx context.Context, m risk.Protection) error {
			_, err := cases.OpenDenied(ctx, desk.DeniedPayment{Payer: m.Payer, Payment: m.Payment, Alarm: m.Alarm, Finding: m.Finding})
			return err
		},
		OpenReported: func(ctx context.Context, a mianmi.Actor, r risk.ReportedCase) (risk.CaseRef, error) {
			c, err := cases.OpenReported(ctx, a, desk.ReportedPayment{Kind: r.Kind, Payment: r.Payment, Alarm: r.Alarm, Text: r.Text})
			return risk.CaseRef{ID: c.ID, Number: c.Number}, err
		}})
	must(t, err)
	return s
}

func (p *parts) files(t testing.TB) *files.Folder {
	t.Helper()
	f, err := files.New(files.Parts{Dir: t.TempDir(), Keys: p.keys, Random: rand.Reader, Scanner: &p.scanner})
	must(t, err)
	return f
}

func inboxOf(t testing.TB, db *store.DB, payments *payment.Service) *inbox.Service {
	t.Helper()
	told, err := inbox.New(db, payments)
	must(t, err)
	return told
}

func (p *parts) openLog(t testing.TB) {
	t.Helper()
	key, err := evidence.NewKey("log.example", p.keys.LogSeeds()...)
	must(t, err)
	p.log = evidence.NewLog(p.db, key, p.clock)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// get fails the test when a call failed.
func get[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		must(t, err)
		return v
	}
}

// login logs a member of staff in, half a minute later: a code serves once.
func (w *world) login(e client.Enrolment) *client.Client {
	w.t.Helper()
	w.clock.step(30 * time.Second)
	code, err := totp.GenerateCode(e.TOTP, w.clock.Now())
	must(w.t, err)
	s, err := w.anyone.LoginStaff(w.t.Context(), e.Staff.Login, e.Password, code)
	must(w.t, err)
	return w.anyone.As(s.Token)
}

// staff creates a member of staff and logs them in.
func (w *world) staff(n client.NewStaff) *client.Client {
	w.t.Helper()
	e, err := w.operator.CreateStaff(w.t.Context(), n)
	must(w.t, err)
	return w.login(e)
}

// shop is a merchant with a store and a terminal where PIN-free is open, its
// admin, and its software.
type shop struct {
	merchant client.Merchant
	store    client.Store
	terminal client.Terminal
	model    client.Model
	admin    *client.Client
	pos      *client.Client
}

func (w *world) shop(name string) *shop {
	w.t.Helper()
	ctx, t := w.t.Context(), w.t
	s := &shop{}
	s.model = get[client.Model](t)(w.operator.CreateModel(ctx, client.NewModel{Name: "N900", Keypad: true, Display: true, Proof: "host",
		Methods: []string{"payment_code", "card_tap", "card_insert", "card_swipe", "dynamic_qr"}}))
	s.merchant = get[client.Merchant](t)(w.operator.CreateMerchant(ctx, client.NewMerchant{Name: name, Currency: "CNY",
		Facts: client.Facts{Country: "CN", MCC: 5411, NoPIN: true, Upgraded: true}}))
	s.store = get[client.Store](t)(w.operator.CreateStore(ctx, s.merchant.ID, client.NewStore{Name: name + " 一店", Address: "人民路 1 号"}))
	s.terminal = get[client.Terminal](t)(w.operator.CreateTerminal(ctx, s.store.ID, client.NewTerminal{Name: "收银台 1", Model: s.model.ID}))
	r := get[client.PolicyResult](t)(w.operator.SetPolicy(ctx, client.OfMerchant(s.merchant.ID), client.Terms{PinFree: true}, nil))
	if r.Proposal == nil {
		t.Fatalf("opening PIN-free at a merchant needs no second person: %+v", r)
	}
	get[client.Approval](t)(w.second.Approve(ctx, r.Proposal.ID))
	s.admin = w.staff(client.NewStaff{Login: "admin." + string(s.merchant.ID), Name: "Admin", Role: "merchant_admin", Merchant: s.merchant.ID})
	key := get[client.APIKey](t)(s.admin.CreateAPIKey(ctx, client.NewAPIKey{Name: "pos", Merchant: s.merchant.ID,
		Scopes: []string{"pay", "refund", "tighten", "manage", "read"}}))
	s.pos = w.anyone.As(key.Token)
	return s
}

const pin = "258036"

// person is a payer with money and PIN-free open, logged in.
type person struct {
	client.Payer
	phone string
	app   *client.Client
}

func (w *world) person(phone string) *person {
	w.t.Helper()
	ctx, t := w.t.Context(), w.t
	texts := get[client.Texts](t)(w.anyone.Texts(ctx))
	p := &person{phone: phone}
	p.Payer = get[client.Payer](t)(w.operator.CreatePayer(ctx, client.NewPayer{Phone: phone, Name: "王小明", Password: pin, PinFree: true, RiskVersion: texts.Risk.Version}))
	get[client.TopUp](t)(w.operator.TopUp(ctx, p.ID, client.NewTopUp{Key: "first", Amount: money.Of(1000_00, "CNY")}))
	s := get[client.Session](t)(w.anyone.LoginPayer(ctx, phone, pin))
	p.app = w.anyone.As(s.Token)
	return p
}

// code is a fresh payment code of the payer.
func (w *world) code(p *person) string {
	w.t.Helper()
	return get[client.PaymentCode](w.t)(p.app.IssueCode(w.t.Context(), client.Me)).Code
}

// scan asks for a payment by a scanned code.
func (w *world) scan(s *shop, p *person, order string, minor int64) client.Authorization {
	w.t.Helper()
	return client.Authorization{Terminal: s.terminal.ID, OrderNo: order, Amount: money.Of(minor, "CNY"), Method: "payment_code", Entry: "scanned", Code: w.code(p)}
}

// raw sends a request as it stands.
func (w *world) raw(method, path, token, body string, headers ...string) answer {
	w.t.Helper()
	return rawTo(w.t, w.url, method, path, token, body, headers...)
}

// accessKey is a key that may do all that a merchant's software may.
func accessKey(m mianmi.MerchantID) access.NewKey {
	return access.NewKey{Name: "pos", Merchant: m, Scopes: mianmi.ScopePay | mianmi.ScopeRefund | mianmi.ScopeTighten | mianmi.ScopeManage | mianmi.ScopeRead}
}
