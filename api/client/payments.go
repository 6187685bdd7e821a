package client

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
)

// Authorization asks for one payment.
type Authorization struct {
	Terminal   mianmi.TerminalID   `json:"terminal"`
	OrderNo    string              `json:"order_no"`
	Amount     money.Amount        `json:"amount"`
	Method     string              `json:"method"` // payment_code, card_tap, card_insert, card_swipe, cash
	Code       string              `json:"code,omitzero"`
	Entry      string              `json:"entry,omitzero"` // scanned, typed
	Instrument mianmi.InstrumentID `json:"instrument,omitzero"`
	CVM        string              `json:"cvm,omitzero"`
	Channel    string              `json:"channel,omitzero"` // with dynamic_qr
	Member     mianmi.PayerID      `json:"member,omitzero"`
}

// Payment is a payment as the API shows it.
type Payment struct {
	ID         mianmi.PaymentID    `json:"id"`
	OrderNo    string              `json:"order_no"`
	State      string              `json:"state"`
	Outcome    string              `json:"outcome"`
	Amount     money.Amount        `json:"amount"`
	Refunded   *money.Amount       `json:"refunded"`
	Method     string              `json:"method"`
	Entry      string              `json:"entry"`
	CVM        string              `json:"cvm"`
	Instrument mianmi.InstrumentID `json:"instrument"`
	Channel    *Channel            `json:"channel"`
	Payer      mianmi.PayerID      `json:"payer"`
	Where      Where               `json:"where"`
	Reasons    []Reason            `json:"reasons"`
	StepUp     *StepUp             `json:"step_up"`
	Failure    string              `json:"failure"`
	Sentence   mianmi.Text         `json:"sentence"`
	DecidedBy  DecidedBy           `json:"decided_by"`
	CreatedAt  time.Time           `json:"created_at"`
	StateAt    time.Time           `json:"state_at"`
}

// Channel is what is known from another payment system.
type Channel struct {
	Name        string `json:"name"`
	Transaction string `json:"transaction"`
	Inferred    bool   `json:"inferred"` // cvm is no more than inferred
}

// Where names the source of a payment.
type Where struct {
	Merchant struct {
		ID   mianmi.MerchantID `json:"id"`
		Name string            `json:"name"`
	} `json:"merchant"`
	Store struct {
		ID      mianmi.StoreID `json:"id"`
		Name    string         `json:"name"`
		Address string         `json:"address"`
	} `json:"store"`
	Terminal struct {
		ID   mianmi.TerminalID `json:"id"`
		Name string            `json:"name"`
	} `json:"terminal"`
}

// Reason is one reason of a decision.
type Reason struct {
	Code     int            `json:"code"`
	Name     string         `json:"name"`
	Layer    string         `json:"layer"`
	ID       string         `json:"id"`
	Version  int64          `json:"version"`
	Rule     string         `json:"rule"`
	Limit    int64          `json:"limit"`
	Actual   int64          `json:"actual"`
	Currency money.Currency `json:"currency"`
	Words    struct {
		Payer   mianmi.Text `json:"payer"`
		Cashier mianmi.Text `json:"cashier"`
		Support mianmi.Text `json:"support"`
	} `json:"words"`
}

// StepUp says how the payer can authenticate.
type StepUp struct {
	Methods   []string  `json:"methods"`
	ExpiresAt time.Time `json:"expires_at"`
	QR        string    `json:"qr"`
}

// DecidedBy says which settings were read.
type DecidedBy struct {
	Rules         string `json:"rules"`
	SettingsEpoch int64  `json:"settings_epoch"`
	PayerVersion  int64  `json:"payer_version"`
}

// Authorize asks for a payment. The same request again returns the first answer.
func (c *Client) Authorize(ctx context.Context, a Authorization) (Payment, error) {
	return call[Payment](ctx, c, http.MethodPost, "/v1/payments", a)
}

// BatchResult is a payment or the problem with it.
type BatchResult struct {
	Payment *Payment `json:"payment"`
	Problem *Problem `json:"problem"`
}

// AuthorizeBatch asks for up to 100 payments; results are in their order.
func (c *Client) AuthorizeBatch(ctx context.Context, list []Authorization) ([]BatchResult, error) {
	out, err := call[struct {
		Results []BatchResult `json:"results"`
	}](ctx, c, http.MethodPost, "/v1/payment-batches", map[string]any{"payments": list})
	return out.Results, err
}

// Question asks what a payment would meet.
type Question struct {
	Payer      mianmi.PayerID      `json:"payer,omitzero"` // or "me"; with Channel a member of the merchant, or empty
	Terminal   mianmi.TerminalID   `json:"terminal"`
	Amount     money.Amount        `json:"amount"`
	Method     string              `json:"method"`
	Entry      string              `json:"entry,omitzero"`
	Instrument mianmi.InstrumentID `json:"instrument,omitzero"`
	CVM        string              `json:"cvm,omitzero"`
	Channel    string              `json:"channel,omitzero"` // of another payment system, with payment_code or dynamic_qr
}

// DryRun is what a payment would meet now.
type DryRun struct {
	Outcome   string    `json:"outcome"`
	NeedsPIN  bool      `json:"needs_pin"`
	Methods   []string  `json:"methods"`
	Reasons   []Reason  `json:"reasons"`
	DecidedBy DecidedBy `json:"decided_by"`
}

// DryRun asks whether a payment would need a PIN, and why. It writes nothing.
func (c *Client) DryRun(ctx context.Context, q Question) (DryRun, error) {
	return call[DryRun](ctx, c, http.MethodPost, "/v1/dry-runs", q)
}

// Payment shows a payment.
func (c *Client) Payment(ctx context.Context, id mianmi.PaymentID) (Payment, error) {
	return call[Payment](ctx, c, http.MethodGet, "/v1/payments/"+seg(id), nil)
}

// PaymentByOrder finds a payment by the merchant's order number.
func (c *Client) PaymentByOrder(ctx context.Context, m mianmi.MerchantID, no string) (Payment, error) {
	return call[Payment](ctx, c, http.MethodGet, "/v1/merchants/"+seg(m)+"/orders/"+seg(no), nil)
}

type password struct {
	Password string `json:"password"`
}

// Confirm is the payer's payment password for one payment.
func (c *Client) Confirm(ctx context.Context, id mianmi.PaymentID, pin string) (Payment, error) {
	return call[Payment](ctx, c, http.MethodPost, "/v1/payments/"+seg(id)+"/confirm", password{pin})
}

// SealedPIN is a PIN encrypted at a keypad with HPKE to HostKey, the payment's
// ID as associated data.
type SealedPIN struct {
	KeyID      string `json:"key_id"`
	Enc        []byte `json:"enc"`
	Ciphertext []byte `json:"ciphertext"`
}

// ConfirmPIN sends a PIN from a terminal's keypad.
func (c *Client) ConfirmPIN(ctx context.Context, id mianmi.PaymentID, pin SealedPIN) (Payment, error) {
	return call[Payment](ctx, c, http.MethodPost, "/v1/payments/"+seg(id)+"/pin", pin)
}

// HostKey is the public key that PINs are encrypted to.
type HostKey struct {
	KeyID  string `json:"key_id"`
	Public []byte `json:"public"`
	Suite  string `json:"suite"`
	Info   string `json:"info"`
}

// HostKey fetches the key that PINs are encrypted to.
func (c *Client) HostKey(ctx context.Context) (HostKey, error) {
	return call[HostKey](ctx, c, http.MethodGet, "/v1/host-key", nil)
}

// Cancel calls off a payment that waits for the payer.
func (c *Client) Cancel(ctx context.Context, id mianmi.PaymentID) (Payment, error) {
	return call[Payment](ctx, c, http.MethodPost, "/v1/payments/"+seg(id)+"/cancel", nil)
}

// Reverse undoes an approved payment.
func (c *Client) Reverse(ctx context.Context, id mianmi.PaymentID) (Payment, error) {
	return call[Payment](ctx, c, http.MethodPost, "/v1/payments/"+seg(id)+"/reverse", nil)
}

// RefundRequest asks for money back; RefundNo makes a repeat harmless.
type RefundRequest struct {
	RefundNo string       `json:"refund_no"`
	Amount   money.Amount `json:"amount"`
	Reason   string       `json:"reason,omitzero"`
}

// Refund is money given back.
type Refund struct {
	ID       mianmi.RefundID  `json:"id"`
	Payment  mianmi.PaymentID `json:"payment"`
	RefundNo string           `json:"refund_no"`
	Amount   money.Amount     `json:"amount"`
	Reason   string           `json:"reason"`
	State    string           `json:"state"` // pending, done, failed, stalled
	At       time.Time        `json:"at"`
}

// Refund gives a part or all of a payment back.
func (c *Client) Refund(ctx context.Context, id mianmi.PaymentID, r RefundRequest) (Refund, error) {
	return call[Refund](ctx, c, http.MethodPost, "/v1/payments/"+seg(id)+"/refunds", r)
}

// Refunds lists the refunds of a payment.
func (c *Client) Refunds(ctx context.Context, id mianmi.PaymentID) ([]Refund, error) {
	l, err := call[List[Refund]](ctx, c, http.MethodGet, "/v1/payments/"+seg(id)+"/refunds", nil)
	return l.Items, err
}

// QRRequest opens an order that a terminal shows as a QR code.
type QRRequest struct {
	Terminal mianmi.TerminalID `json:"terminal"`
	OrderNo  string            `json:"order_no"`
	Amount   money.Amount      `json:"amount"`
}

// QROrder is an order behind a QR code.
type QROrder struct {
	Token     string           `json:"token"` // from OpenQR alone
	QR        string           `json:"qr"`
	OrderNo   string           `json:"order_no"`
	Amount    money.Amount     `json:"amount"`
	Where     Where            `json:"where"`
	Payment   mianmi.PaymentID `json:"payment"`
	ExpiresAt time.Time        `json:"expires_at"`
}

// OpenQR opens a QR order.
func (c *Client) OpenQR(ctx context.Context, r QRRequest) (QROrder, error) {
	return call[QROrder](ctx, c, http.MethodPost, "/v1/qr-orders", r)
}

// QROrder shows a scanned order to the payer.
func (c *Client) QROrder(ctx context.Context, token string) (QROrder, error) {
	return call[QROrder](ctx, c, http.MethodGet, "/v1/qr-orders/"+seg(token), nil)
}

// PayQR pays a scanned order with the payment password.
func (c *Client) PayQR(ctx context.Context, token, pin string) (Payment, error) {
	return call[Payment](ctx, c, http.MethodPost, "/v1/qr-orders/"+seg(token)+"/confirm", password{pin})
}

// StepUps lists the payer's payments that wait for the password. With wait (up
// to 30 s) it answers as soon as there is one.
func (c *Client) StepUps(ctx context.Context, id mianmi.PayerID, wait time.Duration) ([]Payment, error) {
	query := ""
	if wait > 0 {
		query = "?wait=" + wait.String()
	}
	l, err := call[List[Payment]](ctx, c, http.MethodGet, "/v1/payers/"+seg(id)+"/step-ups"+query, nil)
	return l.Items, err
}

// eventMax bounds one event of a stream.
const eventMax = 1 << 20

// Events calls fn with the payments that wait for the payer's password, at the
// start and after each change, until the stream ends, fn fails or ctx ends.
func (c *Client) Events(ctx context.Context, id mianmi.PayerID, fn func([]Payment) error) error {
	res, err := c.send(ctx, http.MethodGet, "/v1/payers/"+seg(id)+"/events", nil)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }() // a stream is not drained
	if res.StatusCode != http.StatusOK {
		return problem(res)
	}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, eventMax)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var l List[Payment]
		if err := json.Unmarshal([]byte(data), &l); err != nil {
			return fmt.Errorf("read an event: %w", err)
		}
		if err := fn(l.Items); err != nil {
			return err
		}
	}
	return lines.Err()
}
