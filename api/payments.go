package api

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/secret"
)

// PaymentOutput is one payment.
type PaymentOutput struct{ Body Payment }

type PaymentInput struct {
	ID string `path:"payment" doc:"pm…"`
}

func (s *Server) registerPayments() {
	anyone := only(allStaff...).and(mianmi.RolePayer, mianmi.RoleTerminal).keys(mianmi.ScopePay | mianmi.ScopeRead | mianmi.ScopeRefund)
	reverses := only(mianmi.RoleStoreManager, mianmi.RoleMerchantAdmin, mianmi.RoleSupport, mianmi.RoleOperator, mianmi.RoleTerminal).keys(mianmi.ScopeRefund)
	givesBack := only(mianmi.RoleStoreManager, mianmi.RoleMerchantAdmin, mianmi.RoleSupport, mianmi.RoleOperator).keys(mianmi.ScopeRefund)
	add(s, route{method: "POST", path: "/v1/dry-runs", name: "dryRun", tag: "payments", summary: "Would this payment need a PIN, and why?",
		may:   only(readers...).and(mianmi.RolePayer).keys(mianmi.ScopePayers),
		about: "Decides as a payment at this moment would be decided, and writes nothing."}, s.dryRun)
	add(s, route{method: "GET", path: "/v1/payments/{payment}", name: "payment", tag: "payments", summary: "Show a payment", may: anyone,
		about: "Any payment that the caller may see; others are not found."}, s.payment)
	add(s, route{method: "GET", path: "/v1/merchants/{merchant}/orders/{order_no}", name: "paymentByOrder", tag: "payments",
		summary: "Find a payment by order number", may: anyone, about: "How a lost answer is resolved: ask, or send the same request again."}, s.paymentByOrder)
	add(s, route{method: "POST", path: "/v1/payments/{payment}/confirm", name: "confirmPayment", tag: "payments", may: only(mianmi.RolePayer),
		summary: "Confirm with the payment password",
		about:   "The step-up on the payer's phone. A wrong password is 403 password_wrong and leaves the payment waiting; a repeat after success needs the password again."}, s.confirmPayment)
	add(s, route{method: "POST", path: "/v1/payments/{payment}/pin", name: "confirmPIN", tag: "payments", may: only(mianmi.RoleTerminal).keys(mianmi.ScopePay),
		summary: "Confirm with a PIN typed at the terminal",
		about:   "The PIN is encrypted at the keypad to the key of /v1/host-key, with the payment's id as associated data. It is opened in memory, compared and forgotten."}, s.confirmPIN)
	add(s, route{method: "POST", path: "/v1/payments/{payment}/cancel", name: "cancelPayment", tag: "payments", may: only(shopPeople...).and(mianmi.RolePayer, mianmi.RoleSupport, mianmi.RoleOperator, mianmi.RoleTerminal).keys(mianmi.ScopePay | mianmi.ScopeRefund),
		summary: "Call off a payment that waits", about: "Nothing was taken, and nothing will be. Through another payment system it is undoing until that system has said so; what was paid meanwhile goes back."}, s.cancelPayment)
	add(s, route{method: "POST", path: "/v1/payments/{payment}/reverse", name: "reversePayment", tag: "payments", may: reverses,
		summary: "Undo an approved payment", about: "The whole amount goes back and the PIN-free counters are given back. After the time for reversals: refund it. Through another payment system it is undoing until that system has said so. One that has failure channel_busy meanwhile is asked for again by the same request."}, s.reversePayment)
	add(s, route{method: "POST", path: "/v1/payments/{payment}/refunds", name: "refundPayment", tag: "payments", may: givesBack, status: 201,
		summary: "Refund a part or all", about: "refund_no makes a repeat harmless: the same again returns the first refund. Of one that is stalled it has the payment system asked again."}, s.refundPayment)
	add(s, route{method: "GET", path: "/v1/payments/{payment}/refunds", name: "refunds", tag: "payments", may: anyone,
		summary: "List the refunds of a payment", about: "At most 50."}, s.refunds)
	add(s, route{method: "GET", path: "/v1/host-key", name: "hostKey", tag: "payments", may: only(mianmi.RoleTerminal).keys(mianmi.ScopePay),
		summary: "The key that PINs are encrypted to",
		about: "HPKE (RFC 9180), base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM; info is the text in info, associated data the payment's id. " +
			"Fetch it when the terminal starts and after pin_key_unknown."}, s.hostKey)
}

// DryRunBody asks what a payment would meet.
type DryRunBody struct {
	Payer      string `json:"payer,omitzero" doc:"py…, or me. With channel: a payer here who has an agreement with the merchant; empty: one whom nobody knows"`
	Terminal   string `json:"terminal"`
	Amount     Amount `json:"amount"`
	Method     string `json:"method" enum:"payment_code,card_tap,card_insert,card_swipe,dynamic_qr"`
	Entry      string `json:"entry,omitzero" enum:"scanned,typed"`
	Instrument string `json:"instrument,omitzero"`
	CVM        string `json:"cvm,omitzero" enum:"none,cdcvm,offline_pin"`
	Channel    string `json:"channel,omitzero" doc:"With payment_code or dynamic_qr: the other payment system whose code it is. It is not asked"`
}

// DryRun is what a payment would meet now.
type DryRun struct {
	Outcome  string   `json:"outcome" enum:"refused,step_up,pin_free,authenticated"`
	NeedsPIN bool     `json:"needs_pin"`
	Methods  []string `json:"methods,omitzero" doc:"With step_up: how the payer could authenticate"`
	Reasons  []Reason `json:"reasons"`
	Basis    Basis    `json:"decided_by"`
}

func (s *Server) dryRun(ctx context.Context, a mianmi.Actor, in *struct{ Body DryRunBody }) (*struct{ Body DryRun }, error) {
	b := in.Body
	body := Authorization{Terminal: b.Terminal, Amount: b.Amount, Method: b.Method, Entry: b.Entry, Instrument: b.Instrument, CVM: b.CVM, Channel: b.Channel}
	req, err := body.request()
	if err != nil {
		return nil, err
	}
	id, err := payerID(a, b.Payer)
	if err != nil {
		return nil, err
	}
	v, err := s.Payments.DryRun(ctx, a, id, req)
	if err != nil {
		return nil, err
	}
	site, known := s.Payments.Site(ctx, req.Terminal)
	p := payment.Payment{Terminal: req.Terminal}
	if known {
		p.Merchant, p.Store = site.Merchant.ID, site.Store.ID
	}
	where := whereOf(&p, &site, known)
	out := DryRun{Outcome: v.Decision.Outcome.String(), NeedsPIN: v.Decision.Outcome == pinfree.StepUp, Methods: v.Decision.By.Names(),
		Reasons: s.reasons(ctx, v.Decision.Reasons, &where), Basis: Basis{Rules: v.Rules, SettingsEpoch: v.Epoch}}
	return &struct{ Body DryRun }{out}, nil
}

// one answers with the payment that a call returned.
func (s *Server) one(ctx context.Context, a mianmi.Actor, p *payment.Payment, err error) (*PaymentOutput, error) {
	if err != nil {
		return nil, err
	}
	return &PaymentOutput{s.showPayment(ctx, a, p)}, nil
}

func (s *Server) payment(ctx context.Context, a mianmi.Actor, in *PaymentInput) (*PaymentOutput, error) {
	p, err := s.Payments.Payment(ctx, a, mianmi.PaymentID(in.ID))
	return s.one(ctx, a, p, err)
}

func (s *Server) paymentByOrder(ctx context.Context, a mianmi.Actor, in *struct {
	Merchant string `path:"merchant"`
	OrderNo  string `path:"order_no"`
}) (*PaymentOutput, error) {
	p, err := s.Payments.PaymentByOrder(ctx, a, mianmi.MerchantID(in.Merchant), in.OrderNo)
	return s.one(ctx, a, p, err)
}

// PasswordBody carries the payment password.
type PasswordBody struct {
	Password string `json:"password" doc:"Six digits"`
}

func (s *Server) confirmPayment(ctx context.Context, a mianmi.Actor, in *struct {
	PaymentInput
	Body PasswordBody
}) (*PaymentOutput, error) {
	p, err := s.Payments.Confirm(ctx, a, mianmi.PaymentID(in.ID), in.Body.Password)
	return s.one(ctx, a, p, err)
}

// SealedPIN is a PIN encrypted at a keypad.
type SealedPIN struct {
	KeyID      string `json:"key_id" doc:"Of /v1/host-key"`
	Enc        []byte `json:"enc" doc:"HPKE's encapsulated key, base64"`
	Ciphertext []byte `json:"ciphertext" doc:"base64"`
}

func (s *Server) confirmPIN(ctx context.Context, a mianmi.Actor, in *struct {
	PaymentInput
	Body SealedPIN
}) (*PaymentOutput, error) {
	p, err := s.Payments.ConfirmPIN(ctx, a, mianmi.PaymentID(in.ID),
		secret.SealedPIN{KeyID: in.Body.KeyID, Encapsulated: in.Body.Enc, Ciphertext: in.Body.Ciphertext})
	return s.one(ctx, a, p, err)
}

func (s *Server) cancelPayment(ctx context.Context, a mianmi.Actor, in *PaymentInput) (*PaymentOutput, error) {
	p, err := s.Payments.Cancel(ctx, a, mianmi.PaymentID(in.ID))
	return s.one(ctx, a, p, err)
}

func (s *Server) reversePayment(ctx context.Context, a mianmi.Actor, in *PaymentInput) (*PaymentOutput, error) {
	p, err := s.Payments.Reverse(ctx, a, mianmi.PaymentID(in.ID))
	return s.one(ctx, a, p, err)
}

// RefundBody asks for money back.
type RefundBody struct {
	RefundNo string `json:"refund_no" doc:"The merchant's own number; makes a repeat harmless"`
	Amount   Amount `json:"amount"`
	Reason   string `json:"reason,omitzero" doc:"Shown to the payer"`
}

// Refund is money given back.
type Refund struct {
	ID       string    `json:"id"`
	Payment  string    `json:"payment"`
	RefundNo string    `json:"refund_no"`
	Amount   Amount    `json:"amount"`
	Reason   string    `json:"reason,omitzero"`
	State    string    `json:"state" enum:"pending,done,failed,stalled" doc:"pending: another payment system was asked and has not confirmed it; failed: it gave nothing back, use a new refund_no; stalled: it has not said clearly for a week, the money is still owed, and the same refund_no again has it asked anew"`
	At       time.Time `json:"at"`
}

func showRefund(r *payment.Refund) Refund {
	return Refund{ID: string(r.ID), Payment: string(r.Payment), RefundNo: r.RefundNo, Amount: amountOf(r.Amount), Reason: r.Reason, State: r.State.String(), At: r.At}
}

func (s *Server) refundPayment(ctx context.Context, a mianmi.Actor, in *struct {
	PaymentInput
	Body RefundBody
}) (*struct{ Body Refund }, error) {
	r, err := s.Payments.Refund(ctx, a, mianmi.PaymentID(in.ID),
		payment.RefundRequest{RefundNo: in.Body.RefundNo, Amount: in.Body.Amount.money(), Reason: in.Body.Reason})
	if err != nil {
		return nil, err
	}
	return &struct{ Body Refund }{showRefund(r)}, nil
}

func (s *Server) refunds(ctx context.Context, a mianmi.Actor, in *PaymentInput) (*struct{ Body List[Refund] }, error) {
	list, err := s.Payments.Refunds(ctx, a, mianmi.PaymentID(in.ID))
	if err != nil {
		return nil, err
	}
	out := List[Refund]{Items: make([]Refund, len(list))}
	for i := range list {
		out.Items[i] = showRefund(&list[i])
	}
	return &struct{ Body List[Refund] }{out}, nil
}

// HostKey is the public key that PINs are encrypted to.
type HostKey struct {
	KeyID  string `json:"key_id"`
	Public []byte `json:"public" doc:"X25519, 32 bytes, base64"`
	Suite  string `json:"suite"`
	Info   string `json:"info" doc:"HPKE's info"`
}

func (s *Server) hostKey(context.Context, mianmi.Actor, *struct{}) (*struct{ Body HostKey }, error) {
	k := s.Keys.PINKey()
	return &struct{ Body HostKey }{HostKey{KeyID: k.ID, Public: k.Public, Info: secret.PINInfo,
		Suite: "DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM"}}, nil
}
