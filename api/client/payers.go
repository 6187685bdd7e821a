package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
)

// Me stands for the payer who is logged in.
const Me mianmi.PayerID = "me"

// Session is a login; Token goes into As.
type Session struct {
	Token     string           `json:"token"`
	ID        mianmi.SessionID `json:"id"`
	Role      string           `json:"role"`
	Actor     string           `json:"actor"`
	IdleAt    time.Time        `json:"idle_at"`
	ExpiresAt time.Time        `json:"expires_at"`
}

// LoginPayer starts a session of a payer.
func (c *Client) LoginPayer(ctx context.Context, phone, pin string) (Session, error) {
	return call[Session](ctx, c, http.MethodPost, "/v1/logins/payer", map[string]string{"phone": phone, "password": pin})
}

// LoginStaff starts a session of a member of staff; code is of the
// one-time-password app.
func (c *Client) LoginStaff(ctx context.Context, login, pass, code string) (Session, error) {
	return call[Session](ctx, c, http.MethodPost, "/v1/logins/staff", map[string]string{"login": login, "password": pass, "code": code})
}

// Logout ends the session that the client calls with.
func (c *Client) Logout(ctx context.Context) error {
	_, err := call[struct{}](ctx, c, http.MethodPost, "/v1/logout", nil)
	return err
}

// EndSessions ends all sessions of the caller and says how many.
func (c *Client) EndSessions(ctx context.Context) (int, error) {
	out, err := call[struct {
		Ended int `json:"ended"`
	}](ctx, c, http.MethodDelete, "/v1/sessions", nil)
	return out.Ended, err
}

// Caller is who is calling.
type Caller struct {
	Role     string            `json:"role"`
	ID       string            `json:"id"`
	Merchant mianmi.MerchantID `json:"merchant"`
	Store    mianmi.StoreID    `json:"store"`
	Scopes   []string          `json:"scopes"`
}

// Me says as whom the client calls.
func (c *Client) Me(ctx context.Context) (Caller, error) {
	return call[Caller](ctx, c, http.MethodGet, "/v1/me", nil)
}

// NewPayer is a payer to be created.
type NewPayer struct {
	Phone       string         `json:"phone"`
	Name        string         `json:"name"`
	Lang        string         `json:"lang,omitzero"`
	Currency    money.Currency `json:"currency,omitzero"`
	Password    string         `json:"password,omitzero"`
	PinFree     bool           `json:"pin_free,omitzero"`
	RiskVersion string         `json:"risk_version,omitzero"`
}

// Payer is a payer.
type Payer struct {
	ID      mianmi.PayerID `json:"id"`
	Name    string         `json:"name"`
	Phone   string         `json:"phone"`
	Lang    string         `json:"lang"`
	Balance money.Amount   `json:"balance"`
	Status  Status         `json:"status"`
}

// Status is a payer's PIN-free state.
type Status struct {
	State       string      `json:"state"` // closed, cooling_off, open, held, frozen
	Sentence    mianmi.Text `json:"sentence"`
	Since       time.Time   `json:"since"`
	PinFree     bool        `json:"pin_free"`
	Limits      Limits      `json:"limits"`
	Pending     *Pending    `json:"pending"`
	Hold        *Hold       `json:"hold"`
	Allowance   *Allowance  `json:"allowance"`
	HasPassword bool        `json:"has_password"`
	LockedUntil *time.Time  `json:"password_locked_until"`
	Version     int64       `json:"version"`
}

// Limits are a payer's own; what is nil is no limit.
type Limits struct {
	PerPayment *money.Amount `json:"per_payment,omitzero"`
	DayAmount  *money.Amount `json:"day_amount,omitzero"`
	DayCount   *int64        `json:"day_count,omitzero"`
	QuietHours *QuietHours   `json:"quiet_hours,omitzero"`
}

// QuietHours are times of the payer's day ("22:00" to "07:00").
type QuietHours struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Pending are settings that wait for their cooling-off.
type Pending struct {
	PinFree bool      `json:"pin_free"`
	Limits  Limits    `json:"limits"`
	At      time.Time `json:"at"`
}

// Allowance is leave for one PIN-free payment.
type Allowance struct {
	ID        mianmi.AllowanceID `json:"id"`
	Max       money.Amount       `json:"max"`
	Merchant  mianmi.MerchantID  `json:"merchant"`
	ExpiresAt time.Time          `json:"expires_at"`
}

// Basis is the ground on which staff act for a payer.
type Basis struct {
	Method string `json:"method"`
	Ref    string `json:"ref"`
}

type basisBody struct {
	Basis *Basis `json:"basis,omitzero"`
}

// CreatePayer creates a payer.
func (c *Client) CreatePayer(ctx context.Context, n NewPayer) (Payer, error) {
	return call[Payer](ctx, c, http.MethodPost, "/v1/payers", n)
}

// Payer shows a payer.
func (c *Client) Payer(ctx context.Context, id mianmi.PayerID) (Payer, error) {
	return call[Payer](ctx, c, http.MethodGet, payerPath(id, ""), nil)
}

func payerPath(id mianmi.PayerID, rest string) string { return "/v1/payers/" + seg(id) + rest }

// FindPayer returns the payer with the phone number.
func (c *Client) FindPayer(ctx context.Context, phone string) (mianmi.PayerID, error) {
	out, err := call[struct {
		ID mianmi.PayerID `json:"id"`
	}](ctx, c, http.MethodPost, "/v1/payer-searches", map[string]string{"phone": phone})
	return out.ID, err
}

func (c *Client) status(ctx context.Context, method string, id mianmi.PayerID, rest string, in any) (Status, error) {
	return call[Status](ctx, c, method, payerPath(id, rest), in)
}

// ClosePinFree switches PIN-free payment off; basis is for staff.
func (c *Client) ClosePinFree(ctx context.Context, id mianmi.PayerID, basis *Basis) (Status, error) {
	return c.status(ctx, http.MethodPost, id, "/pin-free/close", basisBody{basis})
}

// ReopenPinFree switches it on again, after the cooling-off.
func (c *Client) ReopenPinFree(ctx context.Context, id mianmi.PayerID, pin, riskVersion string) (Status, error) {
	return c.status(ctx, http.MethodPost, id, "/pin-free/reopen", map[string]string{"password": pin, "risk_version": riskVersion})
}

// NewLimits replaces the own limits.
type NewLimits struct {
	PerPayment  *money.Amount `json:"per_payment,omitzero"`
	DayAmount   *money.Amount `json:"day_amount,omitzero"`
	DayCount    *int64        `json:"day_count,omitzero"`
	QuietHours  *QuietHours   `json:"quiet_hours,omitzero"`
	Password    string        `json:"password,omitzero"`
	RiskVersion string        `json:"risk_version,omitzero"`
}

// SetLimits replaces the own limits.
func (c *Client) SetLimits(ctx context.Context, id mianmi.PayerID, l NewLimits) (Status, error) {
	return c.status(ctx, http.MethodPut, id, "/limits", l)
}

// NewAllowance asks for leave for one PIN-free payment.
type NewAllowance struct {
	Max      money.Amount      `json:"max"`
	Merchant mianmi.MerchantID `json:"merchant,omitzero"`
	Seconds  int64             `json:"seconds,omitzero"`
	Password string            `json:"password"`
}

// GrantAllowance allows one PIN-free payment in advance.
func (c *Client) GrantAllowance(ctx context.Context, id mianmi.PayerID, n NewAllowance) (Status, error) {
	return c.status(ctx, http.MethodPost, id, "/allowance", n)
}

// RevokeAllowance takes it back.
func (c *Client) RevokeAllowance(ctx context.Context, id mianmi.PayerID) (Status, error) {
	return c.status(ctx, http.MethodDelete, id, "/allowance", nil)
}

// ReportLoss freezes everything PIN-free; basis is for staff.
func (c *Client) ReportLoss(ctx context.Context, id mianmi.PayerID, basis *Basis) (Status, error) {
	return c.status(ctx, http.MethodPost, id, "/loss/report", basisBody{basis})
}

// LiftLoss ends a loss report, by support.
func (c *Client) LiftLoss(ctx context.Context, id mianmi.PayerID, basis Basis) (Status, error) {
	return c.status(ctx, http.MethodPost, id, "/loss/lift", basisBody{&basis})
}

// SetPassword sets the first payment password.
func (c *Client) SetPassword(ctx context.Context, id mianmi.PayerID, pin string) (Status, error) {
	return c.status(ctx, http.MethodPost, id, "/password", password{pin})
}

// ChangePassword replaces the payment password.
func (c *Client) ChangePassword(ctx context.Context, id mianmi.PayerID, old, fresh string) (Status, error) {
	return c.status(ctx, http.MethodPut, id, "/password", map[string]string{"password": old, "new_password": fresh})
}

// UnlockPassword sets the count of wrong passwords to zero, by support.
func (c *Client) UnlockPassword(ctx context.Context, id mianmi.PayerID, basis Basis) (Status, error) {
	return c.status(ctx, http.MethodPost, id, "/password/unlock", basisBody{&basis})
}

// Reset is a one-time code for a new payment password.
type Reset struct {
	Code      string    `json:"code"`
	ExpiresAt time.Time `json:"expires_at"`
}

// ResetPassword issues a one-time code, by support.
func (c *Client) ResetPassword(ctx context.Context, id mianmi.PayerID, basis Basis) (Reset, error) {
	return call[Reset](ctx, c, http.MethodPost, payerPath(id, "/password/reset"), basisBody{&basis})
}

// RedeemReset sets a new payment password with a one-time code.
func (c *Client) RedeemReset(ctx context.Context, phone, code, fresh string) (Status, error) {
	return call[Status](ctx, c, http.MethodPost, "/v1/password-resets", map[string]string{"phone": phone, "code": code, "new_password": fresh})
}

// NewAgreement is a consent to PIN-free charges by one merchant.
type NewAgreement struct {
	Merchant       mianmi.MerchantID `json:"merchant"`
	PerPayment     *money.Amount     `json:"per_payment,omitzero"`
	ConsentVersion string            `json:"consent_version"`
	Password       string            `json:"password"`
}

// Agreement is a payer's agreement with a merchant.
type Agreement struct {
	ID             mianmi.AgreementID `json:"id"`
	Merchant       mianmi.MerchantID  `json:"merchant"`
	Open           bool               `json:"open"`
	PerPayment     *money.Amount      `json:"per_payment"`
	ConsentVersion string             `json:"consent_version"`
	Version        int64              `json:"version"`
	OpenedAt       time.Time          `json:"opened_at"`
	ClosedAt       *time.Time         `json:"closed_at"`
	Sentence       mianmi.Text        `json:"sentence"` // "closed; not yet confirmed by WeChat Pay"
	Contracts      []Contract         `json:"contracts"`
}

// OpenAgreement opens an agreement.
func (c *Client) OpenAgreement(ctx context.Context, id mianmi.PayerID, n NewAgreement) (Agreement, error) {
	return call[Agreement](ctx, c, http.MethodPost, payerPath(id, "/agreements"), n)
}

// Agreements lists a payer's agreements.
func (c *Client) Agreements(ctx context.Context, id mianmi.PayerID) ([]Agreement, error) {
	l, err := call[List[Agreement]](ctx, c, http.MethodGet, payerPath(id, "/agreements"), nil)
	return l.Items, err
}

// CloseAgreement ends an agreement.
func (c *Client) CloseAgreement(ctx context.Context, id mianmi.PayerID, agreement mianmi.AgreementID) (Agreement, error) {
	return call[Agreement](ctx, c, http.MethodPost, payerPath(id, "/agreements/"+seg(agreement)+"/close"), nil)
}

// PaymentCode is a payment code: whoever has it can pay with it.
type PaymentCode struct {
	Code      string    `json:"code"`
	ExpiresAt time.Time `json:"expires_at"`
}

// IssueCode issues a payment code.
func (c *Client) IssueCode(ctx context.Context, id mianmi.PayerID) (PaymentCode, error) {
	return call[PaymentCode](ctx, c, http.MethodPost, payerPath(id, "/codes"), nil)
}

// NewInstrument is a card or device that gets a token.
type NewInstrument struct {
	Scheme   string `json:"scheme"`
	Kind     string `json:"kind,omitzero"`
	Domestic bool   `json:"domestic,omitzero"`
	Issuer   string `json:"issuer,omitzero"`
	Last4    string `json:"last4,omitzero"`
}

// Instrument is a card or device known by a token.
type Instrument struct {
	ID        mianmi.InstrumentID `json:"id"`
	Scheme    string              `json:"scheme"`
	Kind      string              `json:"kind"`
	Domestic  bool                `json:"domestic"`
	Issuer    string              `json:"issuer"`
	Last4     string              `json:"last4"`
	CreatedAt time.Time           `json:"created_at"`
}

// AddInstrument issues a token.
func (c *Client) AddInstrument(ctx context.Context, id mianmi.PayerID, n NewInstrument) (Instrument, error) {
	return call[Instrument](ctx, c, http.MethodPost, payerPath(id, "/instruments"), n)
}

// Instruments lists a payer's cards and devices.
func (c *Client) Instruments(ctx context.Context, id mianmi.PayerID) ([]Instrument, error) {
	l, err := call[List[Instrument]](ctx, c, http.MethodGet, payerPath(id, "/instruments"), nil)
	return l.Items, err
}

// TopUp is money that came onto a balance.
type TopUp struct {
	ID      string        `json:"id"`
	Key     string        `json:"key"`
	Amount  money.Amount  `json:"amount"`
	Balance *money.Amount `json:"balance"`
	At      time.Time     `json:"at"`
}

// NewTopUp is money for a balance; Key makes a repeat harmless.
type NewTopUp struct {
	Key    string       `json:"key"`
	Amount money.Amount `json:"amount"`
	// Authenticated says that the caller has authenticated the payer for it.
	Authenticated bool `json:"authenticated,omitzero"`
}

// TopUp loads a balance.
func (c *Client) TopUp(ctx context.Context, id mianmi.PayerID, n NewTopUp) (TopUp, error) {
	return call[TopUp](ctx, c, http.MethodPost, payerPath(id, "/top-ups"), n)
}

// PayerPayments lists a payer's payments, newest first, older than before.
func (c *Client) PayerPayments(ctx context.Context, id mianmi.PayerID, before mianmi.PaymentID, limit int) (List[Payment], error) {
	q := url.Values{}
	if before != "" {
		q.Set("before", string(before))
	}
	if limit > 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	return call[List[Payment]](ctx, c, http.MethodGet, payerPath(id, "/payments?"+q.Encode()), nil)
}

// Entry is one fact of a record.
type Entry struct {
	ID      mianmi.EntryID `json:"id"`
	At      time.Time      `json:"at"`
	Type    string         `json:"type"`
	Subject string         `json:"subject"`
	Actor   string         `json:"actor"`
	Body    map[string]any `json:"body"`
}

// Entries returns a page of a payer's record.
func (c *Client) Entries(ctx context.Context, id mianmi.PayerID, p Page) (List[Entry], error) {
	return call[List[Entry]](ctx, c, http.MethodGet, payerPath(id, "/entries"+p.query()), nil)
}
