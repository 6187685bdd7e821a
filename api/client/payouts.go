package client

import (
	"context"
	"net/http"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
)

// Payout is compensation that a case gives.
type Payout struct {
	ID         mianmi.PayoutID  `json:"id"`
	Case       mianmi.CaseID    `json:"case"`
	Key        string           `json:"key"`
	Payer      mianmi.PayerID   `json:"payer"`
	Payment    mianmi.PaymentID `json:"payment"` // empty: goodwill
	From       string           `json:"from"`    // merchant, platform, guarantee
	State      string           `json:"state"`   // waiting, due, paid, refused
	Amount     money.Amount     `json:"amount"`
	Basis      string           `json:"basis"` // breach, promise, fault, goodwill
	AskedBy    string           `json:"asked_by"`
	AskedAt    time.Time        `json:"asked_at"`
	ApprovedBy string           `json:"approved_by"`
	ApprovedAt *time.Time       `json:"approved_at"`
	EndedAt    *time.Time       `json:"ended_at"`
	Failure    string           `json:"failure"`
	Refund     mianmi.RefundID  `json:"refund"`
}

// NewPayout is compensation to be ordered.
type NewPayout struct {
	Key     string           `json:"key"`
	Payment mianmi.PaymentID `json:"payment,omitempty"`
	Amount  money.Amount     `json:"amount"`
	From    string           `json:"from"`
	Basis   string           `json:"basis"`
}

// OrderPayout orders compensation of a decided case.
func (c *Client) OrderPayout(ctx context.Context, id mianmi.CaseID, n NewPayout) (Payout, error) {
	return call[Payout](ctx, c, http.MethodPost, "/v1/cases/"+seg(id)+"/payouts", n)
}

// Payouts are those of a case, oldest first.
func (c *Client) Payouts(ctx context.Context, id mianmi.CaseID) (List[Payout], error) {
	return call[List[Payout]](ctx, c, http.MethodGet, "/v1/cases/"+seg(id)+"/payouts", nil)
}

// ApprovePayout is the second person's word.
func (c *Client) ApprovePayout(ctx context.Context, id mianmi.PayoutID) (Payout, error) {
	return call[Payout](ctx, c, http.MethodPost, "/v1/payouts/"+seg(id)+"/approve", nil)
}

// RefusePayout ends one that waits.
func (c *Client) RefusePayout(ctx context.Context, id mianmi.PayoutID) (Payout, error) {
	return call[Payout](ctx, c, http.MethodPost, "/v1/payouts/"+seg(id)+"/refuse", nil)
}

// Guarantee is what compensation is paid from.
type Guarantee struct {
	Balances []money.Amount `json:"balances"`
}

// Guarantee shows the guarantee account.
func (c *Client) Guarantee(ctx context.Context) (Guarantee, error) {
	return call[Guarantee](ctx, c, http.MethodGet, "/v1/guarantee", nil)
}

// Funding is money that was put into the guarantee account.
type Funding struct {
	ID        string       `json:"id"`
	Reference string       `json:"reference"`
	Amount    money.Amount `json:"amount"`
	By        string       `json:"by"`
	At        time.Time    `json:"at"`
}

// FundGuarantee records money that the platform put into the guarantee account.
func (c *Client) FundGuarantee(ctx context.Context, reference string, amount money.Amount) (Funding, error) {
	return call[Funding](ctx, c, http.MethodPost, "/v1/guarantee/fundings", map[string]any{"reference": reference, "amount": amount})
}
