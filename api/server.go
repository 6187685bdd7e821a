// Package api is mianmi over HTTP: JSON under /v1, described by an OpenAPI 3.1
// document that is made from the same types.
//
// It authenticates, decodes and bounds what comes in, makes one call to one
// service, and puts the answer or the error into words. It holds no business
// rule: who may do what is said by the services, and stated here once more per
// route so that the document and the first gate agree. Listening, TLS and
// time-outs of connections are left to cmd.
package api

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/asof"
	"github.com/mianmi/mianmi/contract"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/idempotency"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/notice"
	"github.com/mianmi/mianmi/notice/inbox"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/receipt"
	"github.com/mianmi/mianmi/risk"
	"github.com/mianmi/mianmi/rules"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/settings"
	"github.com/mianmi/mianmi/support"
	"github.com/mianmi/mianmi/support/desk"
	"github.com/mianmi/mianmi/support/help"
	"github.com/mianmi/mianmi/support/liability"
	"github.com/mianmi/mianmi/support/pack"
	"github.com/mianmi/mianmi/terminal"
	"github.com/mianmi/mianmi/terminal/protocol"
	"github.com/mianmi/mianmi/wechat"
)

// Payments is what the API asks of payment.Service.
type Payments interface {
	Authorize(ctx context.Context, a mianmi.Actor, r payment.Request) (*payment.Payment, error)
	AuthorizeMany(ctx context.Context, a mianmi.Actor, rs []payment.Request) ([]payment.Result, error)
	DryRun(ctx context.Context, a mianmi.Actor, p mianmi.PayerID, r payment.Request) (payment.Preview, error)
	// Site returns a terminal with what it belongs to; for one that has just
	// taken a payment it does so without a query.
	Site(ctx context.Context, id mianmi.TerminalID) (settings.Site, bool)
	// AtTerminal is what payments by a method meet at a terminal now, before card
	// and payer have a say.
	AtTerminal(ctx context.Context, id mianmi.TerminalID, m pinfree.Method) (payment.AtTerminal, error)
	// RulesInForce are the rules that payments meet now, and RulesSeen those of
	// the newest settings that this process has seen; both may be nil.
	RulesInForce(ctx context.Context) (*pinfree.RuleSet, error)
	RulesSeen(ctx context.Context) *pinfree.RuleSet

	Payment(ctx context.Context, a mianmi.Actor, id mianmi.PaymentID) (*payment.Payment, error)
	PaymentByOrder(ctx context.Context, a mianmi.Actor, m mianmi.MerchantID, no string) (*payment.Payment, error)
	Find(ctx context.Context, a mianmi.Actor, f payment.Find) (payment.Found, error)
	Payments(ctx context.Context, a mianmi.Actor, p mianmi.PayerID, before mianmi.PaymentID, limit int) ([]payment.Payment, error)
	StepUps(ctx context.Context, a mianmi.Actor, p mianmi.PayerID) ([]payment.Payment, error)
	Watch(p mianmi.PayerID) (<-chan struct{}, func())

	Confirm(ctx context.Context, a mianmi.Actor, id mianmi.PaymentID, password string) (*payment.Payment, error)
	ConfirmPIN(ctx context.Context, a mianmi.Actor, id mianmi.PaymentID, pin secret.SealedPIN) (*payment.Payment, error)
	Cancel(ctx context.Context, a mianmi.Actor, id mianmi.PaymentID) (*payment.Payment, error)
	Reverse(ctx context.Context, a mianmi.Actor, id mianmi.PaymentID) (*payment.Payment, error)
	Refund(ctx context.Context, a mianmi.Actor, id mianmi.PaymentID, r payment.RefundRequest) (*payment.Refund, error)
	Refunds(ctx context.Context, a mianmi.Actor, id mianmi.PaymentID) ([]payment.Refund, error)
	TopUp(ctx context.Context, a mianmi.Actor, r payment.TopUpRequest) (payment.TopUp, error)

	OpenQR(ctx context.Context, a mianmi.Actor, r payment.QRRequest) (payment.QR, string, error)
	QROrder(ctx context.Context, a mianmi.Actor, token string) (*payment.QR, error)
	PayQR(ctx context.Context, a mianmi.Actor, token, password string) (*payment.Payment, error)
}

// Deps are the parts that a Server needs; all are required.
type Deps struct {
	Payers     *payer.Service
	Access     *access.Service
	Merchants  *merchant.Service
	Terminals  *terminal.Service
	Enrol      *terminal.Enrol
	CA         protocol.Fingerprint // of the authority of terminals
	Payments   Payments
	Once       *idempotency.Service
	Help       *help.Library
	Rules      *rules.Service
	Webhooks   *notice.Service
	Wechat     *wechat.Service
	Contracts  *contract.Service
	Complaints *support.Service
	Cases      *desk.Service
	Risk       *risk.Service
	Liability  *liability.Service
	Packs      *pack.Service
	Inbox      *inbox.Service
	Receipts   *receipt.Service
	Evidence   *evidence.Log
	AsOf       *asof.Service
	Keys       *secret.Keys
	Clock      mianmi.Clock
	Random     io.Reader // safe for concurrent use
	Log        *slog.Logger
}

// Config tunes a Server. Zero values mean the defaults.
type Config struct {
	// Deadline bounds one request, default 10 s. Waiting for news (long poll,
	// events) is bounded by itself.
	Deadline time.Duration
	// LoginsMax is how many logins one remote address may try in a minute, default 20.
	LoginsMax int
	// TrustedProxies are the addresses whose X-Forwarded-For is believed; none by default.
	TrustedProxies []netip.Prefix
	// QRPrefix leads the text of QR codes that a payer's phone opens, default "mianmi:".
	QRPrefix string
	// TerminalHost is where terminals find the server ("https://pay.example.com:8443"),
	// for whoever hands out enrolment codes; empty: it is not known here.
	TerminalHost string
	// Metrics receives the counters; nil: they are kept nowhere.
	Metrics prometheus.Registerer
}

func (c Config) withDefaults() Config {
	if c.Deadline <= 0 {
		c.Deadline = 10 * time.Second
	}
	if c.LoginsMax <= 0 {
		c.LoginsMax = 20
	}
	if c.QRPrefix == "" {
		c.QRPrefix = "mianmi:"
	}
	return c
}

// Server answers requests. It is an http.Handler.
type Server struct {
	Deps
	cfg     Config
	mux     *http.ServeMux
	doc     huma.API
	routes  []*route
	logins  *limiter
	metrics *metrics
	titles  atomic.Pointer[titleTable] // of the rules in force
	spec    spec

	elsewhere, otherMethod *route // what no route matches

	streams streams     // of notices
	trying  atomic.Bool // a risk rule, on the past

	stopping chan struct{} // closed by Stop
	stopOnce sync.Once

	idPrefix string // of request ids: this process
	idNext   atomic.Uint64
}

// New returns a Server, or an error that names what is missing.
func New(d Deps, c Config) (*Server, error) {
	if d.Help == nil || d.Payers == nil || d.Access == nil || d.Merchants == nil || d.Terminals == nil || d.Enrol == nil || d.Payments == nil || d.Once == nil ||
		d.Rules == nil || d.Webhooks == nil || d.Wechat == nil || d.Contracts == nil || d.Complaints == nil || d.Cases == nil || d.Risk == nil || d.Liability == nil || d.Packs == nil || d.Inbox == nil || d.Receipts == nil || d.Evidence == nil || d.AsOf == nil || d.Keys == nil || d.Clock == nil || d.Random == nil || d.Log == nil {
		return nil, errors.New("api: a required part is missing")
	}
	s := &Server{Deps: d, cfg: c.withDefaults(), mux: http.NewServeMux(),
		stopping: make(chan struct{})}
	var prefix [5]byte
	if _, err := io.ReadFull(d.Random, prefix[:]); err != nil {
		return nil, fmt.Errorf("read randomness for request ids: %w", err)
	}
	s.idPrefix = hex.EncodeToString(prefix[:])
	s.logins = newLimiter(s.cfg.LoginsMax, time.Minute)
	var err error
	if s.metrics, err = newMetrics(c.Metrics); err != nil {
		return nil, err
	}
	s.doc = newDocument(s)
	s.register()
	return s, s.spec.render(s.doc.OpenAPI())
}

// Stop ends what waits for news, long polls and streams, so that a server that
// shuts down need not wait for them. Other requests go on.
func (s *Server) Stop() { s.stopOnce.Do(func() { close(s.stopping) }) }

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

func (s *Server) register() {
	s.registerMeasured()
	s.registerPayments()
	s.registerFinding()
	s.registerQROrders()
	s.registerHelp()
	s.registerLogins()
	s.registerPayers()
	s.registerPayerSettings()
	s.registerPayerHolds()
	s.registerContracts()
	s.registerPayerPayments()
	s.registerNotices()
	s.registerMerchants()
	s.registerTerminals()
	s.registerTerminalLife()
	s.registerTerminalPast()
	s.registerSwitchOffs()
	s.registerPolicies()
	s.registerStops()
	s.registerRollouts()
	s.registerPrograms()
	s.registerTerminalPolicy()
	s.registerStaff()
	s.registerRules()
	s.registerWebhooks()
	s.registerWechat()
	s.registerComplaints()
	s.registerCases()
	s.registerPayouts()
	s.registerPayerComplaints()
	s.registerAlarms()
	s.registerReports()
	s.registerQuestions()
	s.registerRisk()
	s.registerRiskRules()
	s.registerAsOf()
	s.registerReceipts()
	s.registerHouse()
	s.elsewhere = s.prepare(route{name: "unknown", may: anybody(), wait: true})
	s.elsewhere.serve = func(c *call) { s.fail(c, mianmi.Missing("address")) }
	s.otherMethod = s.prepare(route{name: "method_not_allowed", may: anybody(), wait: true})
	s.otherMethod.serve = func(c *call) { s.fail(c, transport("method_not_allowed", "see the header Allow")) }
	s.mux.HandleFunc("/", s.unknown)
}
