package api

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/settings"
)

// Payment is a payment as the API shows it.
type Payment struct {
	ID         string    `json:"id"`
	OrderNo    string    `json:"order_no"`
	State      string    `json:"state" enum:"step_up_required,verifying,unknown,undoing,approved,declined,expired,refused,reversed,refunded,partly_refunded"`
	Outcome    string    `json:"outcome,omitzero" enum:"refused,step_up,pin_free,authenticated" doc:"Of the decision; left out for cash, which is recorded and not decided"`
	Amount     Amount    `json:"amount"`
	Refunded   *Amount   `json:"refunded,omitzero"`
	Method     string    `json:"method" enum:"payment_code,card_tap,card_insert,card_swipe,dynamic_qr,cash,mandate_debit"`
	Entry      string    `json:"entry,omitzero" enum:"scanned,typed" doc:"How a payment code was read"`
	CVM        string    `json:"cvm" enum:"none,online_pin,offline_pin,cdcvm,phone_password" doc:"How the payer was verified in the end"`
	Instrument string    `json:"instrument,omitzero"`
	Channel    *Channel  `json:"channel,omitzero" doc:"Of a payment through another payment system"`
	Payer      string    `json:"payer,omitzero" doc:"For the payer and mianmi's own people alone"`
	Where      Where     `json:"where"`
	Reasons    []Reason  `json:"reasons" doc:"Why it was decided so, the binding reason first"`
	StepUp     *StepUp   `json:"step_up,omitzero" doc:"While the payment waits for the payer"`
	Failure    string    `json:"failure,omitzero" enum:"insufficient_funds,currency_mismatch,password_locked,balance_too_large,code_refused,payer_stopped,channel_refused,channel_busy,cancelled"`
	Sentence   Text      `json:"sentence" doc:"One line for the cashier"`
	Basis      Basis     `json:"decided_by"`
	CreatedAt  time.Time `json:"created_at"`
	StateAt    time.Time `json:"state_at"`
}

// Channel is what is known from another payment system.
type Channel struct {
	Name        string `json:"name" example:"wechatpay"`
	Transaction string `json:"transaction,omitzero" doc:"Its own number of the payment; left out in lists"`
	Inferred    bool   `json:"inferred" doc:"True: the system does not say how the payer was verified, and cvm is inferred from its answers"`
}

// Where names the source of a payment.
type Where struct {
	Merchant Named `json:"merchant"`
	Store    Place `json:"store"`
	Terminal Named `json:"terminal"`
}

// Named is a thing with its present name; the name is empty when it is not known here.
type Named struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Place is a store with its address.
type Place struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Address string `json:"address,omitzero"`
}

// Reason is one reason of a decision.
type Reason struct {
	Code     int    `json:"code" doc:"Number of the reason, the same for ever"`
	Name     string `json:"name" example:"payer_closed"`
	Layer    string `json:"layer,omitzero" doc:"Who has this say" example:"terminal"`
	ID       string `json:"id,omitzero" doc:"Which one"`
	Version  int64  `json:"version,omitzero" doc:"Of its setting"`
	Rule     string `json:"rule,omitzero" doc:"Pack and limit" example:"cn-wechat-paycode-2025/per-payment"`
	Limit    *int64 `json:"limit,omitzero" doc:"Minor units of currency, or a number of payments without one"`
	Actual   *int64 `json:"actual,omitzero"`
	Currency string `json:"currency,omitzero"`
	Words    Words  `json:"words"`
}

// Words is a reason for each who may read it.
type Words struct {
	Payer   Text `json:"payer"`
	Cashier Text `json:"cashier"`
	Support Text `json:"support"`
}

// StepUp says how the payer can authenticate for a payment.
type StepUp struct {
	Methods   []string  `json:"methods" doc:"terminal_pin, phone_password, dynamic_qr: what this terminal and this payer can do"`
	ExpiresAt time.Time `json:"expires_at"`
	QR        string    `json:"qr,omitzero" doc:"With dynamic_qr: show this as a QR code; the payer's phone opens the payment with it"`
}

// Basis says which settings were read.
type Basis struct {
	Rules         string `json:"rules,omitzero" doc:"Version of the rules in force"`
	SettingsEpoch int64  `json:"settings_epoch,omitzero"`
	PayerVersion  int64  `json:"payer_version,omitzero"`
}

// showPayment is a payment as the actor may see it.
func (s *Server) showPayment(ctx context.Context, a mianmi.Actor, p *payment.Payment) Payment {
	site, known := s.Payments.Site(ctx, p.Terminal)
	where := whereOf(p, &site, known)
	v := Payment{
		ID: string(p.ID), OrderNo: p.OrderNo, State: p.State.String(), Amount: amountOf(p.Amount),
		Method: p.Method.String(), Entry: p.Entry.String(), CVM: p.CVM.String(), Instrument: string(p.Instrument),
		Where: where, Reasons: s.reasons(ctx, p.Reasons, &where), Failure: failureOf(p),
		Basis:     Basis{Rules: p.Rules, SettingsEpoch: p.Epoch, PayerVersion: p.PayerVersion},
		CreatedAt: p.CreatedAt, StateAt: p.StateAt,
	}
	if p.Method != pinfree.Cash {
		v.Outcome = p.Outcome.String()
	}
	if p.Refunded > 0 {
		v.Refunded = &Amount{Minor: p.Refunded, Currency: string(p.Amount.Currency())}
	}
	if !a.Is(mianmi.RoleAPIClient, mianmi.RoleCashier, mianmi.RoleStoreManager, mianmi.RoleMerchantAdmin, mianmi.RoleTerminal) {
		v.Payer = string(p.Payer)
	}
	if p.Outside() {
		v.Channel = &Channel{Name: p.Channel, Transaction: p.Transaction, Inferred: true}
	}
	if p.State == payment.StepUpRequired {
		v.StepUp = &StepUp{Methods: p.StepUp.Names(), ExpiresAt: p.ExpiresAt}
		switch {
		case p.Outside():
			v.StepUp.QR = p.QR
		case p.StepUp.Has(pinfree.ByDynamicQR):
			v.StepUp.QR = s.cfg.QRPrefix + "payment:" + string(p.ID)
		}
	}
	v.Sentence = sentence(p, v.Reasons)
	return v
}

func whereOf(p *payment.Payment, site *settings.Site, known bool) Where {
	w := Where{Merchant: Named{ID: string(p.Merchant)}, Store: Place{ID: string(p.Store)}, Terminal: Named{ID: string(p.Terminal)}}
	if !known {
		return w
	}
	w.Terminal.Name = site.Terminal.Name
	if site.Merchant.ID == p.Merchant {
		w.Merchant.Name = site.Merchant.Name
	}
	if site.Store.ID == p.Store { // it may stand elsewhere by now
		w.Store.Name, w.Store.Address = site.Store.Name, site.Store.Address
	}
	return w
}

func (s *Server) reasons(ctx context.Context, whys []pinfree.Why, where *Where) []Reason {
	out := make([]Reason, len(whys))
	for i := range whys {
		w := &whys[i]
		r := Reason{Code: int(w.Reason), Name: w.Reason.String(), Layer: w.Layer.String(), ID: w.ID, Version: w.Version,
			Rule: w.Rule, Currency: string(w.Currency), Words: s.wordsOf(ctx, w, where)}
		if w.Limit != 0 || w.Actual != 0 {
			r.Limit, r.Actual = &w.Limit, &w.Actual
		}
		out[i] = r
	}
	return out
}

func (s *Server) wordsOf(ctx context.Context, w *pinfree.Why, where *Where) Words {
	name := s.nameOf(ctx, w, where)
	in := func(a pinfree.Audience) Text {
		return Text{ZH: w.WordsIn(mianmi.ZH, a, name.ZH), EN: w.WordsIn(mianmi.EN, a, name.EN)}
	}
	return Words{Payer: in(pinfree.ForPayer), Cashier: in(pinfree.ForCashier), Support: in(pinfree.ForSupport)}
}

// nameOf is what people call the thing that a reason names.
func (s *Server) nameOf(ctx context.Context, w *pinfree.Why, where *Where) mianmi.Text {
	if w.Rule != "" {
		return s.ruleTitle(ctx, w)
	}
	name := ""
	switch w.Layer {
	case pinfree.LayerMerchant, pinfree.LayerAgreement:
		name = where.Merchant.Name
	case pinfree.LayerStore:
		name = where.Store.Name
	case pinfree.LayerTerminal, pinfree.LayerPosture:
		name = where.Terminal.Name
	}
	return mianmi.Text{ZH: name, EN: name}
}

// failureOf says why a payment was declined; a payment that was called off has
// no failure of its own.
func failureOf(p *payment.Payment) string {
	if name := p.Failure.String(); name != "" {
		return name
	}
	if p.State == payment.Declined {
		return "cancelled"
	}
	return ""
}
