package bench

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"sync"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/fleet"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/terminal"
)

// fleetWorld is a merchant with N terminals that have a key and a certificate.
type fleetWorld struct {
	merchant mianmi.MerchantID
	plan     SwarmPlan
}

const (
	terminalsAStore = 25
	// loadersAtOnce share commits where the database has several at once.
	loadersAtOnce = 16
)

// newFleetWorld makes merchant, stores, models and terminals as the console
// does. The certificates come from the installation's authority itself, and each
// key is recorded with a code of its terminal's, as by an enrolment.
func newFleetWorld(ctx context.Context, db *store.DB, o FleetOptions) (*fleetWorld, error) {
	ca, err := o.Authority(ctx, db)
	if err != nil {
		return nil, err
	}
	keys, err := secret.New(o.Random) // for codes, which nobody else is to know again
	if err != nil {
		return nil, err
	}
	d := parts{db: db, keys: keys, merchants: merchant.New(db, o.Clock, o.Random), terminals: terminal.New(db, o.Clock, o.Random)}
	first := mianmi.Actor{Role: mianmi.RoleOperator, ID: operatorOfBench}
	m, err := d.merchants.CreateMerchant(ctx, first, merchant.Merchant{Name: "bench", Currency: "CNY",
		Facts: merchant.Facts{Country: "CN", MCC: 5411, NoPIN: true, Upgraded: true, Risk: "low"}})
	if err != nil {
		return nil, fmt.Errorf("create a merchant: %w", err)
	}
	if err := d.open(ctx, first, mianmi.Actor{Role: mianmi.RoleOperator, ID: secondOpOfBench}, merchant.OfMerchant(m.ID)); err != nil {
		return nil, err
	}
	l := fleetLoader{parts: d, o: o, ca: ca, first: first}
	for _, name := range []string{"bench countertop", "bench mobile"} {
		md, err := d.terminals.CreateModel(ctx, first, terminal.Model{Name: name, Keypad: true, Display: true, Methods: allMethods})
		if err != nil {
			return nil, fmt.Errorf("create a model: %w", err)
		}
		l.models = append(l.models, md.ID)
	}
	for i := 0; i < o.Terminals; i += terminalsAStore {
		st, err := d.merchants.CreateStore(ctx, first, merchant.Store{Merchant: m.ID, Name: fmt.Sprintf("store %d", i/terminalsAStore+1), Address: "bench"})
		if err != nil {
			return nil, fmt.Errorf("create a store: %w", err)
		}
		l.stores = append(l.stores, st.ID)
	}
	w := &fleetWorld{merchant: m.ID, plan: SwarmPlan{Authority: ca.Certificate(), Terminals: make([]SwarmMachine, o.Terminals)}}
	if err := l.fill(ctx, w.plan.Terminals); err != nil {
		return nil, err
	}
	return w, db.Analyze(ctx)
}

// fleetLoader makes terminals.
type fleetLoader struct {
	parts
	o      FleetOptions
	ca     *fleet.CA
	first  mianmi.Actor
	models []mianmi.ModelID
	stores []mianmi.StoreID
}

func (l *fleetLoader) fill(ctx context.Context, into []SwarmMachine) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	next := make(chan int)
	for range loadersAtOnce {
		all.Go(func() {
			for i := range next {
				m, err := l.machine(ctx, i)
				if err != nil {
					cancel(fmt.Errorf("terminal %d: %w", i, err))
					return
				}
				into[i] = m
			}
		})
	}
	for i := range into {
		select {
		case next <- i:
		case <-ctx.Done():
		}
	}
	close(next)
	all.Wait()
	return context.Cause(ctx)
}

func (l *fleetLoader) machine(ctx context.Context, i int) (SwarmMachine, error) {
	t, err := l.terminals.Create(ctx, l.first, terminal.Terminal{Store: l.stores[i/terminalsAStore], Model: l.models[i%len(l.models)],
		Name: fmt.Sprintf("till %d", i+1)})
	if err != nil {
		return SwarmMachine{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return SwarmMachine{}, err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return SwarmMachine{}, err
	}
	now := l.o.Clock.Now()
	c, err := l.ca.IssueTerminal(l.o.Random, t.ID, csr, now)
	if err != nil {
		return SwarmMachine{}, err
	}
	e, err := l.enrolment(ctx, t.ID)
	if err != nil {
		return SwarmMachine{}, err
	}
	if err := l.terminals.AddKey(ctx, e, terminal.Key{ID: c.KeyID, Public: c.Public, Serial: c.Serial, IssuedAt: now, NotAfter: c.NotAfter}); err != nil {
		return SwarmMachine{}, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	return SwarmMachine{ID: t.ID, Key: der, Certificate: c.Certificate}, err
}

// enrolment is what a new code of the terminal's is good for.
func (l *fleetLoader) enrolment(ctx context.Context, id mianmi.TerminalID) (terminal.Enrolment, error) {
	codes := &terminal.Enrol{Records: l.db, Keys: l.keys, Clock: l.o.Clock, Random: l.o.Random}
	code, err := codes.Issue(ctx, l.first, id)
	if err != nil {
		return terminal.Enrolment{}, err
	}
	return codes.Enrolment(ctx, code.Secret)
}
