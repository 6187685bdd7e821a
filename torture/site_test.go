package torture

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/store/storetest"
)

// setup is what several processes know of one world.
type setup struct {
	DSN, KeysFile string
	OneBucket     bool // each transaction keeps to one bucket, as on a distributed database
	Shop          storetest.Shop
	People        []storetest.Person
	Agreements    []mianmi.AgreementID // of each person with the shop
}

// op is something that a client asks of a process.
type op struct {
	Kind     string
	Person   int
	Scope    int
	Bare     bool // at the terminal of the other model
	Order    string
	Minor    int64
	Stop     mianmi.StopID
	Password string
}

// reply is what it was answered.
type reply struct {
	Done    bool // the change was made, or the payment decided
	PinFree bool
	State   string
	Payment mianmi.PaymentID
	Stop    mianmi.StopID
	Err     string // an error that should not be
}

// site is one process: services over the database of a setup.
type site struct {
	setup
	*storetest.Node
}

// machine is the machine's clock: stops and step-ups of real processes run by it.
var machine = mianmi.ClockFunc(time.Now)

func newSite(ctx context.Context, db *store.DB, s setup, wrap func(payment.Ledger) payment.Ledger) (*site, error) {
	keys, _, err := secret.LoadOrCreate(s.KeysFile, rand.Reader)
	if err != nil {
		return nil, err
	}
	ledger, err := db.Ledger(ctx)
	if s.OneBucket {
		ledger, err = db.OneBucketLedger(ctx)
	}
	if err != nil {
		return nil, err
	}
	if wrap != nil {
		ledger = wrap(ledger)
	}
	n, err := storetest.NewNode(ctx, storetest.NodeConfig{DB: db, Keys: keys, Clock: machine, Ledger: ledger, Payer: payer.Config{NoCoolingOff: true}})
	return &site{setup: s, Node: n}, err
}

// populate makes the shop, people and agreements of a new world.
func (s *site) populate(ctx context.Context, people int) (err error) {
	s.Shop, err = s.NewShop(ctx, merchant.Facts{Country: "CN", MCC: 5812, NoPIN: true, Upgraded: true, AgreementRequired: true})
	if err != nil {
		return err
	}
	for range people {
		p, err := s.NewPerson(ctx, 1_000_000_00)
		if err != nil {
			return err
		}
		g, err := s.Payers.OpenAgreement(ctx, p.Actor(), p.ID, payer.AgreementInput{Merchant: s.Shop.Merchant,
			ConsentVersion: payer.ConsentText.Version, Password: storetest.PaymentPassword})
		if err != nil {
			return err
		}
		s.People, s.Agreements = append(s.People, p), append(s.Agreements, g.ID)
	}
	return nil
}

// scope is what a policy or stop is about, in the order of scopeNames.
func (s *site) scope(i int) merchant.Scope {
	return []merchant.Scope{merchant.Everything(), merchant.OfChannel("wallet"), merchant.OfMerchant(s.Shop.Merchant), merchant.OfStore(s.Shop.Store),
		merchant.OfModel(s.Shop.Model), merchant.OfTerminal(s.Shop.Terminal)}[i]
}

// do runs one operation to its end.
func (s *site) do(ctx context.Context, o op) (r reply) {
	var err error
	switch o.Kind {
	case "pay":
		return s.pay(ctx, o)
	case "policy off":
		_, err = s.Merchants.Close(ctx, storetest.Operator, s.scope(o.Scope))
	case "policy on":
		err = s.OpenScope(ctx, s.scope(o.Scope), merchant.Terms{PinFree: true})
	case "stop":
		var st merchant.Stop
		st, err = s.Merchants.Place(ctx, storetest.Operator, merchant.StopOrder{Scope: s.scope(o.Scope), Reason: "drill", For: time.Hour})
		r.Stop = st.ID
	case "lift stop":
		var a merchant.Approval
		if a, err = s.Merchants.Lift(ctx, storetest.Operator, o.Stop); err == nil {
			_, err = s.Merchants.Approve(ctx, storetest.Operator2, a.ID)
		}
	default:
		err = s.doPayer(ctx, o)
	}
	// A change that another one overtook did not happen.
	if r.Done = err == nil; err != nil && !errors.Is(err, mianmi.Conflict) {
		r.Err = o.Kind + ": " + err.Error()
	}
	return r
}

func (s *site) doPayer(ctx context.Context, o op) (err error) {
	p := s.People[o.Person]
	if o.Password == "" {
		o.Password = storetest.PaymentPassword
	}
	switch o.Kind {
	case "payer off":
		_, err = s.Payers.Close(ctx, p.Actor(), p.ID, payer.Basis{})
	case "payer on":
		_, err = s.Payers.Reopen(ctx, p.Actor(), p.ID, payer.ReopenInput{Password: o.Password, RiskVersion: payer.RiskText.Version})
	case "agreement off":
		_, err = s.Payers.CloseAgreement(ctx, p.Actor(), p.ID, s.Agreements[o.Person])
	case "agreement on":
		_, err = s.Payers.OpenAgreement(ctx, p.Actor(), p.ID, payer.AgreementInput{Merchant: s.Shop.Merchant,
			ConsentVersion: payer.ConsentText.Version, Password: o.Password})
	case "lose":
		_, err = s.Payers.ReportLoss(ctx, p.Actor(), p.ID, payer.Basis{})
	case "new password":
		_, err = s.Payers.ChangePassword(ctx, p.Actor(), p.ID, o.Password, otherPassword(o.Password))
	case "lift loss":
		_, err = s.Payers.LiftLoss(ctx, storetest.Support, p.ID, payer.Basis{Method: payer.ByVideo, Ref: "CASE-1"})
	case "hold":
		_, err = s.Payers.Hold(ctx, storetest.Operator, p.ID, payer.HoldOrder{Until: time.Now().Add(24 * time.Hour), Because: payer.HoldUnusual})
	case "lift hold":
		_, err = s.Payers.LiftHold(ctx, storetest.Operator, p.ID, payer.HoldLifting{Basis: payer.Basis{Method: payer.OnRiskCase, Ref: "R-1"}})
	default:
		err = errors.New("an unknown operation")
	}
	return err
}

func otherPassword(old string) string {
	if old == storetest.PaymentPassword {
		return "519372"
	}
	return storetest.PaymentPassword
}

func (s *site) pay(ctx context.Context, o op) reply {
	terminal := s.Shop.Terminal
	if o.Bare {
		terminal = s.Shop.Bare
	}
	p, err := s.Payments.Authorize(ctx, s.Shop.Manager, s.People[o.Person].Tap(terminal, o.Order, o.Minor))
	if err != nil {
		return reply{Err: err.Error()}
	}
	r := reply{Done: true, PinFree: p.PinFree(), State: p.State.String(), Payment: p.ID}
	if p.State != payment.Approved && p.State != payment.StepUpRequired {
		r.Err = "a payment is " + r.State
	}
	return r
}
