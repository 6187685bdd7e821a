package torture

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/secret"
)

// Operator is how one of mianmi's own people logs in.
type Operator struct{ Login, Password, TOTP string }

const (
	// paymentPassword is everybody's in this world.
	paymentPassword = "283746"
	wrongPassword   = "111999"
	// balance is what each person has at first, in minor units: more than a
	// run of days spends.
	balance = 100_000_000_00
)

// scene is what the servers are asked about: one merchant with one store and
// two terminals of two models, four people, staff, keys.
type scene struct {
	merchant            mianmi.MerchantID
	terminal, bare      mianmi.TerminalID
	scopes              [scopesMax]client.Scope
	pos, office, wallet *caller
	first, second       *caller // operators: one proposes, the other approves
	people              [peopleMax]*person
	texts               client.Texts
	pin                 secret.PINKey
	salt                string // makes names of this run unlike those of others
	peopleMade          int
}

// caller is somebody who calls, with a token that may run out.
type caller struct {
	name  string
	logIn func(context.Context, *client.Client) (string, error) // nil: an API key

	mu    sync.Mutex
	token string
}

func (c *caller) as(api *client.Client) *client.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	return api.As(c.token)
}

// renew logs in again when the token is still the one that was refused.
func (c *caller) renew(ctx context.Context, api *client.Client) error {
	if c.logIn == nil {
		return fmt.Errorf("the key of %s was refused", c.name)
	}
	token, err := c.logIn(ctx, api)
	if err != nil {
		return fmt.Errorf("log in as %s: %w", c.name, err)
	}
	c.mu.Lock()
	c.token = token
	c.mu.Unlock()
	return nil
}

// person is a payer. What it should have is the sum of what was acknowledged.
type person struct {
	n     int
	id    mianmi.PayerID
	phone *caller
	card  mianmi.InstrumentID

	mu        sync.Mutex
	agreement mianmi.AgreementID
	balance   int64
}

func (p *person) spend(minor int64) {
	p.mu.Lock()
	p.balance -= minor
	p.mu.Unlock()
}

func (p *person) has() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.balance
}

// build makes the scene over the API, on a database that holds nothing else.
func (s *stage) build(ctx context.Context, api *client.Client) error {
	sc := &scene{salt: fmt.Sprintf("%x", time.Now().UnixMicro())}
	s.scene = sc
	for _, c := range []**caller{&sc.first, &sc.second} {
		o, err := s.cfg.Operator(ctx, s.target.DSN)
		if err != nil {
			return fmt.Errorf("make an operator: %w", err)
		}
		*c = &caller{name: o.Login, logIn: staffLogin(o)}
		if err := (*c).renew(ctx, api); err != nil {
			return err
		}
	}
	var err error
	if sc.texts, err = api.Texts(ctx); err != nil {
		return fmt.Errorf("read the texts: %w", err)
	}
	if err := sc.buildShop(ctx, sc.first.as(api)); err != nil {
		return fmt.Errorf("make the shop: %w", err)
	}
	for i := range sc.people {
		if err := sc.replace(ctx, api, i); err != nil {
			return fmt.Errorf("make person %d: %w", i, err)
		}
	}
	key, err := sc.pos.as(api).HostKey(ctx)
	sc.pin = secret.PINKey{ID: key.KeyID, Public: key.Public}
	return err
}

// staffLogin logs in; a code of the one-time-password app is good once, so a
// second login within its 30 seconds waits for the next.
func staffLogin(o Operator) func(context.Context, *client.Client) (string, error) {
	return func(ctx context.Context, api *client.Client) (string, error) {
		for tries := 0; ; tries++ {
			code, err := totp.GenerateCode(o.TOTP, time.Now())
			if err != nil {
				return "", err
			}
			s, err := api.LoginStaff(ctx, o.Login, o.Password, code)
			if err == nil || tries == 3 {
				return s.Token, err
			}
			if !pause(ctx, 31*time.Second) {
				return "", err
			}
		}
	}
}

func (sc *scene) buildShop(ctx context.Context, operator *client.Client) error {
	m, err := operator.CreateMerchant(ctx, client.NewMerchant{Name: "风浪茶行 " + sc.salt, Currency: "CNY",
		Facts: client.Facts{Country: "CN", MCC: 5812, NoPIN: true, Upgraded: true, AgreementRequired: true, Risk: "low"}})
	if err != nil {
		return err
	}
	sc.merchant = m.ID
	for _, k := range []struct {
		c      **caller
		of     mianmi.MerchantID
		name   string
		scopes []string
	}{
		{&sc.pos, m.ID, "POS", []string{"pay", "refund", "read"}}, {&sc.office, m.ID, "office", []string{"manage", "tighten", "read"}},
		{&sc.wallet, "", "wallet", []string{"payers"}},
	} {
		key, err := operator.CreateAPIKey(ctx, client.NewAPIKey{Name: k.name, Merchant: k.of, Scopes: k.scopes})
		if err != nil {
			return fmt.Errorf("key of the %s: %w", k.name, err)
		}
		*k.c = &caller{name: k.name, token: key.Token}
	}
	st, err := operator.CreateStore(ctx, m.ID, client.NewStore{Name: "风浪茶行一店", Address: "海棠路 1 号"})
	if err != nil {
		return err
	}
	full, err := operator.CreateModel(ctx, client.NewModel{Name: "P2 " + sc.salt, Keypad: true, Display: true, Proof: "host",
		Methods: []string{"payment_code", "card_tap", "card_insert", "card_swipe", "dynamic_qr"}})
	if err != nil {
		return err
	}
	bare, err := operator.CreateModel(ctx, client.NewModel{Name: "B1 " + sc.salt, Proof: "host", Methods: []string{"payment_code", "card_tap"}})
	if err != nil {
		return err
	}
	for id, model := range map[*mianmi.TerminalID]mianmi.ModelID{&sc.terminal: full.ID, &sc.bare: bare.ID} {
		t, err := operator.CreateTerminal(ctx, st.ID, client.NewTerminal{Name: "收银台", Model: model})
		if err != nil {
			return err
		}
		*id = t.ID
	}
	sc.scopes = [scopesMax]client.Scope{client.Everything, "channel:wallet", client.OfMerchant(m.ID), client.OfStore(st.ID), client.OfModel(full.ID),
		client.OfTerminal(sc.terminal)}
	return nil
}

// replace puts a new person into place i, with everything open.
func (sc *scene) replace(ctx context.Context, api *client.Client, i int) error {
	sc.peopleMade++
	phone := fmt.Sprintf("+8612%09d", (time.Now().UnixMicro()/1000+int64(sc.peopleMade))%1_000_000_000)
	p, err := sc.wallet.as(api).CreatePayer(ctx, client.NewPayer{Phone: phone, Name: "浪里人", Currency: "CNY", Password: paymentPassword,
		PinFree: true, RiskVersion: sc.texts.Risk.Version})
	if err != nil {
		return err
	}
	out := &person{n: i, id: p.ID, balance: balance}
	out.phone = &caller{name: string(p.ID), logIn: func(ctx context.Context, api *client.Client) (string, error) {
		s, err := api.LoginPayer(ctx, phone, paymentPassword)
		return s.Token, err
	}}
	if _, err := sc.wallet.as(api).TopUp(ctx, p.ID, client.NewTopUp{Key: "first", Amount: yuan(balance)}); err != nil {
		return err
	}
	card, err := sc.wallet.as(api).AddInstrument(ctx, p.ID, client.NewInstrument{Scheme: "unionpay", Kind: "debit", Domestic: true, Last4: "0418"})
	if err != nil {
		return err
	}
	if err := out.phone.renew(ctx, api); err != nil {
		return err
	}
	g, err := out.phone.as(api).OpenAgreement(ctx, client.Me, sc.newAgreement())
	out.card, out.agreement = card.ID, g.ID
	sc.people[i] = out
	return err
}

func (sc *scene) newAgreement() client.NewAgreement {
	return client.NewAgreement{Merchant: sc.merchant, ConsentVersion: sc.texts.Consent.Version, Password: paymentPassword}
}

func yuan(minor int64) money.Amount { return money.Of(minor, "CNY") }

// pause waits; false when the context ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
