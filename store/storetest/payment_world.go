package storetest

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/channel/wallet"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/notice"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/pinfree/packs"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/terminal"
)

// PaymentPassword is the payment password of every payer of a Node.
const PaymentPassword = password

// mianmi's own people.
var (
	Operator  = mianmi.Actor{Role: mianmi.RoleOperator, ID: "sf1"}
	Operator2 = mianmi.Actor{Role: mianmi.RoleOperator, ID: "sf2"}
	Support   = mianmi.Actor{Role: mianmi.RoleSupport, ID: "sf4"}
	// Backend is the wallet's back end, which creates payers.
	Backend = mianmi.Actor{Role: mianmi.RoleAPIClient, ID: "ak1", Scopes: mianmi.ScopePayers, Via: "ak1"}
)

// Clock is a clock that a test moves.
type Clock = settable

// NewClock returns a clock that stands at noon of a Sunday in Shanghai.
func NewClock() *Clock { return &settable{now: time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC)} }

// NodeConfig is what a Node is made of. DB and Keys are needed.
type NodeConfig struct {
	DB      *store.DB
	Keys    *secret.Keys
	Clock   mianmi.Clock     // default NewClock
	Random  io.Reader        // default the machine's
	Ledger  payment.Ledger   // default the fastest of DB
	Rules   *pinfree.RuleSet // default those that are shipped
	Books   payment.Books    // default DB
	Log     *slog.Logger     // default none
	Remotes []channel.Remote
	Payment payment.Config
	Payer   payer.Config
	// WebhookAllow are networks that webhooks may call though they are not public.
	WebhookAllow []netip.Prefix
}

// Node is the services of one process.
type Node struct {
	DB        *store.DB
	Keys      *secret.Keys
	Clock     mianmi.Clock
	Access    *access.Service
	Payers    *payer.Service
	Merchants *merchant.Service
	Terminals *terminal.Service
	Payments  *payment.Service
	Webhooks  *notice.Service
}

// Rules are the packs that are in force by default, compiled.
func Rules() (*pinfree.RuleSet, error) {
	list, err := packs.Default()
	if err != nil {
		return nil, err
	}
	return pinfree.Compile(list)
}

// NewNode starts the services. Stop Payments when done.
func NewNode(ctx context.Context, c NodeConfig) (*Node, error) {
	if c.Clock == nil {
		c.Clock = NewClock()
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Books == nil {
		c.Books = c.DB
	}
	var err error
	if c.Ledger == nil {
		if c.Ledger, err = c.DB.Ledger(ctx); err != nil {
			return nil, err
		}
	}
	if c.Rules == nil {
		if c.Rules, err = Rules(); err != nil {
			return nil, err
		}
	}
	// A cheap hash: who may try is under test elsewhere.
	hasher, err := c.Keys.Hasher(c.Random, secret.HasherConfig{Cost: secret.Cost{MemoryKiB: 64, Passes: 1, Lanes: 1}, WaitingMax: 1000})
	if err != nil {
		return nil, err
	}
	n := &Node{DB: c.DB, Keys: c.Keys, Clock: c.Clock,
		Access:    access.New(access.Parts{Store: c.DB, Keys: c.Keys, Hasher: hasher, Clock: c.Clock, Random: c.Random}, access.Config{}),
		Merchants: merchant.New(c.DB, c.Clock, c.Random), Terminals: terminal.New(c.DB, c.Clock, c.Random)}
	n.Payers, err = payer.New(payer.Parts{Store: c.DB, Access: n.Access, Keys: c.Keys, Hasher: hasher, Clock: c.Clock, Random: c.Random,
		FailuresMax: func(ctx context.Context) (int64, error) { return n.Payments.FailuresMax(ctx) }}, c.Payer)
	if err != nil {
		return nil, err
	}
	n.Webhooks, err = notice.New(notice.Parts{Records: c.DB, Keys: c.Keys, Clock: c.Clock, Random: c.Random, Log: c.Log,
		Guard: notice.NewGuard(c.WebhookAllow)})
	if err != nil {
		return nil, err
	}
	n.Payments, err = payment.New(ctx, payment.Deps{Ledger: c.Ledger, Books: c.Books, Wallet: wallet.Wallet{}, Remotes: c.Remotes, Rules: c.Rules, Keys: c.Keys,
		Verifier: n.Payers, Clock: c.Clock, Random: c.Random, Log: c.Log}, c.Payment)
	return n, err
}

// Shop is a merchant as payments need one, PIN-free open on every level.
type Shop struct {
	Merchant mianmi.MerchantID
	Store    mianmi.StoreID
	Model    mianmi.ModelID // keypad, display, every method
	Terminal mianmi.TerminalID
	Bare     mianmi.TerminalID // of a model that reads codes and taps alone
	Manager  mianmi.Actor      // takes payments and gives money back
}

var everyMethod = pinfree.Methods(0).Set(pinfree.PaymentCode).Set(pinfree.CardTap).Set(pinfree.CardInsert).
	Set(pinfree.CardSwipe).Set(pinfree.DynamicQR)

// Listen makes a webhook that wants to be told of everything, unless there is
// one, so that each fact is written to the outbox. Nobody sends from there.
func (n *Node) Listen(ctx context.Context) error {
	have, err := n.DB.Webhooks(ctx, notice.Query{Limit: 1})
	if err != nil || len(have) > 0 {
		return err
	}
	_, _, err = n.Webhooks.Create(ctx, Operator, notice.NewWebhook{URL: "https://receiver.example/"})
	return err
}

// NewShop makes a merchant with a store and two terminals and opens it; from
// then on somebody listens.
func (n *Node) NewShop(ctx context.Context, facts merchant.Facts) (Shop, error) {
	if err := n.Listen(ctx); err != nil {
		return Shop{}, err
	}
	return n.newShop(ctx, facts)
}

func (n *Node) newShop(ctx context.Context, facts merchant.Facts) (Shop, error) {
	var s Shop
	if facts.Country == "" {
		facts.Country, facts.MCC, facts.NoPIN, facts.Upgraded, facts.Risk = "CN", 5812, true, true, "low"
	}
	m, err := n.Merchants.CreateMerchant(ctx, Operator, merchant.Merchant{Name: "茶店", Currency: "CNY", Facts: facts})
	if err != nil {
		return s, err
	}
	st, err := n.Merchants.CreateStore(ctx, Operator, merchant.Store{Merchant: m.ID, Name: "人民路店", Address: "人民路 1 号"})
	if err != nil {
		return s, err
	}
	full, err := n.Terminals.CreateModel(ctx, Operator, terminal.Model{Name: "P2", Keypad: true, Display: true, Proof: terminal.ByHost, Methods: everyMethod})
	if err != nil {
		return s, err
	}
	bare, err := n.Terminals.CreateModel(ctx, Operator, terminal.Model{Name: "B1", Proof: terminal.ByHost,
		Methods: pinfree.Methods(0).Set(pinfree.PaymentCode).Set(pinfree.CardTap)})
	if err != nil {
		return s, err
	}
	s = Shop{Merchant: m.ID, Store: st.ID, Model: full.ID,
		Manager: mianmi.Actor{Role: mianmi.RoleMerchantAdmin, ID: "sf9", Merchant: m.ID}}
	for id, model := range map[*mianmi.TerminalID]mianmi.ModelID{&s.Terminal: full.ID, &s.Bare: bare.ID} {
		t, err := n.Terminals.Create(ctx, Operator, terminal.Terminal{Store: st.ID, Model: model, Name: "收银台"})
		if err != nil {
			return s, err
		}
		*id = t.ID
	}
	return s, n.OpenScope(ctx, merchant.OfMerchant(m.ID), merchant.Terms{PinFree: true})
}

// OpenScope sets terms with two signatures. It is a Conflict when the scope
// changed between them.
func (n *Node) OpenScope(ctx context.Context, scope merchant.Scope, terms merchant.Terms) error {
	res, err := n.Merchants.SetPolicy(ctx, Operator, merchant.PolicyOrder{Scope: scope, Terms: terms})
	if err != nil || res.Proposal == nil {
		return err
	}
	_, err = n.Merchants.Approve(ctx, Operator2, res.Proposal.ID)
	return err
}

// Person is a payer with a card and money.
type Person struct {
	ID   mianmi.PayerID
	Card mianmi.InstrumentID
}

// Actor is the person as a caller.
func (p Person) Actor() mianmi.Actor { return mianmi.Actor{Role: mianmi.RolePayer, ID: string(p.ID)} }

var phones atomic.Int64

// NewPerson makes a payer with PIN-free open, a UnionPay card and a balance in
// minor units of CNY.
func (n *Node) NewPerson(ctx context.Context, balance int64) (Person, error) {
	var p Person
	var salt [2]byte
	if _, err := rand.Read(salt[:]); err != nil {
		return p, err
	}
	phone := fmt.Sprintf("+86139%03d%05d", (int(salt[0])<<8|int(salt[1]))%1000, phones.Add(1)%100000)
	v, err := n.Payers.Create(ctx, Backend, payer.NewPayer{Phone: phone, Name: "张三", Password: PaymentPassword,
		PinFree: true, RiskVersion: payer.RiskText.Version})
	if err != nil {
		return p, err
	}
	p.ID = v.Status.Payer
	in, err := n.Payers.AddInstrument(ctx, Backend, p.ID, payer.NewInstrument{Scheme: "unionpay", Kind: "debit", Domestic: true, Last4: "0005"})
	if err != nil || balance == 0 {
		p.Card = in.ID
		return p, err
	}
	p.Card = in.ID
	_, err = n.Payments.TopUp(ctx, Operator, payment.TopUpRequest{Payer: p.ID, Key: "first", Amount: money.Of(balance, "CNY")})
	return p, err
}

// Tap is a request of the person's card at a terminal.
func (p Person) Tap(t mianmi.TerminalID, order string, minor int64) payment.Request {
	return payment.Request{Terminal: t, OrderNo: order, Amount: money.Of(minor, "CNY"), Method: pinfree.CardTap, Instrument: p.Card}
}

// Code is a request by a payment code that was scanned.
func Code(t mianmi.TerminalID, order string, minor int64, code string) payment.Request {
	return payment.Request{Terminal: t, OrderNo: order, Amount: money.Of(minor, "CNY"), Method: pinfree.PaymentCode,
		Code: code, Entry: pinfree.Scanned}
}
