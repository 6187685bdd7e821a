package demo

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/money"
)

// weeks is how far back the history goes.
const weeks = 3

// loader makes a world.
type loader struct {
	Stage
	api      *client.Client // without a token
	logins   [2]Operator
	operator *client.Client
	approver *client.Client // the second person: another operator
	session  string         // the operator's token
	wallet   *client.Client
	world    *World
	texts    client.Texts
	models   []mianmi.ModelID
}

// enter makes two operators and logs in.
func (l *loader) enter(ctx context.Context) error {
	var err error
	for i := range l.logins {
		if l.logins[i], err = l.Operator(ctx); err != nil {
			return fmt.Errorf("make an operator: %w", err)
		}
	}
	if l.texts, err = l.api.Texts(ctx); err != nil {
		return err
	}
	return l.logIn(ctx)
}

// logIn starts the operators' sessions. A code of the one-time-password app
// is good once, and a session ends after half an hour of rest: after the
// clock has moved, the operators log in again.
func (l *loader) logIn(ctx context.Context) error {
	var tokens [len(l.logins)]string
	for i, who := range l.logins {
		code, err := totp.GenerateCode(who.TOTP, l.Clock.Now())
		if err != nil {
			return err
		}
		s, err := l.api.LoginStaff(ctx, who.Login, who.Password, code)
		if err != nil {
			return fmt.Errorf("log in as an operator: %w", err)
		}
		tokens[i] = s.Token
	}
	l.session = tokens[0]
	l.operator, l.approver = l.api.As(tokens[0]), l.api.As(tokens[1])
	return nil
}

// load makes merchants, stores, terminals, keys and payers.
func (l *loader) load(ctx context.Context) error {
	if err := l.foundation(ctx); err != nil {
		return err
	}
	for i := range merchants {
		if err := l.merchant(ctx, &merchants[i]); err != nil {
			return fmt.Errorf("merchant %s: %w", merchants[i].name, err)
		}
	}
	if err := l.annex(ctx); err != nil {
		return fmt.Errorf("store %s: %w", annex.name, err)
	}
	for i := range payers {
		if err := l.payer(ctx, &payers[i]); err != nil {
			return fmt.Errorf("payer %s: %w", payers[i].name.EN, err)
		}
	}
	return nil
}

// foundation makes the wallet's key and the models whose terminals the host believes.
func (l *loader) foundation(ctx context.Context) error {
	key, err := l.operator.CreateAPIKey(ctx, client.NewAPIKey{Name: "钱包后台 wallet", Scopes: []string{"payers"}})
	if err != nil {
		return fmt.Errorf("key of the wallet: %w", err)
	}
	l.world.WalletKey, l.wallet = key.Token, l.api.As(key.Token)
	return l.hostModels(ctx, models)
}

func (l *loader) hostModels(ctx context.Context, list []modelCast) error {
	l.models = l.models[:0]
	for _, m := range list {
		got, err := l.operator.CreateModel(ctx, client.NewModel{Name: m.name, Keypad: m.keypad, Display: m.display, Proof: "host", Methods: m.methods})
		if err != nil {
			return fmt.Errorf("model %s: %w", m.name, err)
		}
		l.models = append(l.models, got.ID)
	}
	return nil
}

// merchant makes a merchant with its keys and stores, and opens PIN-free
// payment there: the merchant asks, the other operator agrees.
func (l *loader) merchant(ctx context.Context, cast *merchantCast) error {
	m, err := l.operator.CreateMerchant(ctx, client.NewMerchant{Name: cast.name, Currency: "CNY",
		Facts: client.Facts{Country: "CN", MCC: cast.mcc, NoPIN: true, Upgraded: true, AgreementRequired: cast.agreement, Risk: "low"}})
	if err != nil {
		return err
	}
	out := Merchant{ID: m.ID, Name: m.Name}
	if err := l.furnish(ctx, &out, cast); err != nil {
		return err
	}
	l.world.Merchants = append(l.world.Merchants, out)
	return nil
}

// furnish makes keys and stores of a merchant, and opens it.
func (l *loader) furnish(ctx context.Context, m *Merchant, cast *merchantCast) (err error) {
	if m.POS, err = l.key(ctx, m.ID, "收银系统 POS", "pay", "refund", "read"); err != nil {
		return err
	}
	if m.Office, err = l.key(ctx, m.ID, "商户后台 back office", "manage", "tighten", "read"); err != nil {
		return err
	}
	office := l.api.As(m.Office)
	for i := range cast.stores {
		s, err := l.store(ctx, office, m.ID, &cast.stores[i])
		if err != nil {
			return err
		}
		m.Stores = append(m.Stores, s)
	}
	return openPinFree(ctx, office, l.approver, client.OfMerchant(m.ID))
}

// annex makes the store whose terminals are programs of their own.
func (l *loader) annex(ctx context.Context) error {
	l.models = l.models[:0]
	for _, m := range machines {
		got, err := l.operator.CreateModel(ctx, client.NewModel{Name: m.name, Keypad: m.keypad, Display: m.display, Reboot: m.reboot, Methods: m.methods})
		if err != nil {
			return fmt.Errorf("model %s: %w", m.name, err)
		}
		l.models = append(l.models, got.ID)
	}
	m := &l.world.Merchants[0]
	office := l.api.As(m.Office)
	s, err := l.store(ctx, office, m.ID, &annex)
	if err != nil {
		return err
	}
	m.Annex = &s
	spare, err := office.CreateTerminal(ctx, m.Stores[1].ID, client.NewTerminal{Name: spareName, Model: l.models[1]})
	m.Spare = &Terminal{ID: spare.ID, Name: spare.Name, Keypad: machines[1].keypad}
	return err
}

func (l *loader) key(ctx context.Context, merchant mianmi.MerchantID, name string, scopes ...string) (string, error) {
	k, err := l.operator.CreateAPIKey(ctx, client.NewAPIKey{Name: name, Merchant: merchant, Scopes: scopes})
	return k.Token, err
}

func (l *loader) store(ctx context.Context, office *client.Client, merchant mianmi.MerchantID, cast *storeCast) (Store, error) {
	s, err := office.CreateStore(ctx, merchant, client.NewStore{Name: cast.name, Address: cast.address,
		Coordinates: &client.Coordinates{LatE6: cast.latE6, LonE6: cast.lonE6}})
	if err != nil {
		return Store{}, err
	}
	out := Store{ID: s.ID, Name: s.Name}
	for _, c := range cast.terminals {
		tm, err := office.CreateTerminal(ctx, s.ID, client.NewTerminal{Name: c.name, Model: l.models[c.model],
			Unattended: c.purpose != "", Purpose: c.purpose})
		if err != nil {
			return Store{}, err
		}
		out.Terminals = append(out.Terminals, Terminal{ID: tm.ID, Name: tm.Name, Keypad: models[c.model].keypad})
	}
	return out, nil
}

// openPinFree opens a scope as the rules want it: one asks, another agrees,
// who did not make the key of the one who asks.
// When it is open already nothing happens.
func openPinFree(ctx context.Context, office, approver *client.Client, scope client.Scope) error {
	r, err := office.SetPolicy(ctx, scope, client.Terms{PinFree: true}, nil)
	if err != nil || r.Proposal == nil {
		return err
	}
	_, err = approver.Approve(ctx, r.Proposal.ID)
	return err
}

// payer makes a person with money, cards, own limits and agreements.
func (l *loader) payer(ctx context.Context, cast *payerCast) error {
	p, err := l.register(ctx, cast)
	if err != nil {
		return err
	}
	for _, scheme := range cast.cards {
		i, err := l.wallet.AddInstrument(ctx, p.ID, client.NewInstrument{Scheme: scheme, Kind: "debit", Domestic: true, Last4: "0418"})
		if err != nil {
			return err
		}
		p.Cards = append(p.Cards, i.ID)
	}
	l.world.Payers = append(l.world.Payers, p)
	if cast.perPayment == 0 && !cast.agreement {
		return nil
	}
	s, err := l.api.LoginPayer(ctx, p.Phone, password)
	if err != nil {
		return err
	}
	phone := l.api.As(s.Token)
	if cast.perPayment > 0 {
		if _, err := phone.SetLimits(ctx, client.Me, client.NewLimits{PerPayment: new(yuan(cast.perPayment))}); err != nil {
			return err
		}
	}
	if !cast.agreement {
		return nil
	}
	for i := range merchants {
		if !merchants[i].agreement {
			continue
		}
		_, err := phone.OpenAgreement(ctx, client.Me, client.NewAgreement{Merchant: l.world.Merchants[i].ID, PerPayment: new(yuan(50_00)),
			ConsentVersion: l.texts.Consent.Version, Password: password})
		if err != nil {
			return err
		}
	}
	return nil
}

// phonesMax is how often a phone number is drawn anew when it is taken.
const phonesMax = 5

// register creates a payer with PIN-free payment open and money on the balance.
func (l *loader) register(ctx context.Context, cast *payerCast) (Payer, error) {
	var p client.Payer
	var phone string
	for range phonesMax {
		digits, err := l.digits(8)
		if err != nil {
			return Payer{}, err
		}
		phone = "+86120" + digits
		p, err = l.wallet.CreatePayer(ctx, client.NewPayer{Phone: phone, Name: cast.name.In(l.Lang), Lang: t("zh", "en").In(l.Lang), Currency: "CNY",
			Password: password, PinFree: true, RiskVersion: l.texts.Risk.Version})
		if err == nil {
			break
		}
		if problem(err).Code != "phone_taken" {
			return Payer{}, err
		}
	}
	_, err := l.wallet.TopUp(ctx, p.ID, client.NewTopUp{Key: "first", Amount: yuan(cast.weekly)})
	return Payer{ID: p.ID, Name: p.Name, Phone: phone}, err
}

func (l *loader) digits(n int) (string, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(l.Random, b); err != nil {
		return "", err
	}
	for i := range b {
		b[i] = '0' + b[i]%10 // a little uneven, which a phone number may be
	}
	return string(b), nil
}

func yuan(minor int64) money.Amount { return money.Of(minor, "CNY") }

// firstDay is the midnight at which the history begins.
func firstDay(now time.Time) time.Time {
	n := now.In(shanghai).AddDate(0, 0, -7*weeks)
	return time.Date(n.Year(), n.Month(), n.Day(), 0, 0, 0, 0, shanghai)
}

// Begins is when the history begins that is loaded now.
func Begins(now time.Time) time.Time { return firstDay(now).Add(6*time.Hour + 30*time.Minute) }

// shanghai is the zone of the example world.
var shanghai = time.FixedZone("UTC+8", 8*3600)
