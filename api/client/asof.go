package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
)

// AsOf is what was in force at an instant, rebuilt from the log alone.
type AsOf struct {
	At       time.Time     `json:"at"`
	Layers   []AsOfLayer   `json:"layers"`
	Packs    []AsOfPack    `json:"packs"`
	Terminal *AsOfTerminal `json:"terminal"`
	Merchant *AsOfMerchant `json:"merchant"`
	Payer    *AsOfPayer    `json:"payer"`
	Caller   *AsOfCaller   `json:"caller"`
	Decided  *AsOfDecision `json:"decided"`
	Again    *AsOfAgain    `json:"again"`
}

// AsOfEntry is the entry of the log that tells something.
type AsOfEntry struct {
	ID     mianmi.EntryID `json:"id"`
	Type   string         `json:"type"`
	Index  *int64         `json:"index"` // nil: it waits to be sequenced
	Record *int64         `json:"record"`
	At     time.Time      `json:"at"`
	By     string         `json:"by"`
	Number int64          `json:"number"` // settings epoch, or the payer's version
}

// AsOfLayer is one who had a say. Entry nil: nobody had set anything.
type AsOfLayer struct {
	Layer      string        `json:"layer"`
	ID         string        `json:"id"`
	Version    int64         `json:"version"`
	State      string        `json:"state"` // on, off, unknown
	Because    string        `json:"because"`
	Refuses    bool          `json:"refuses"`
	PerPayment *money.Amount `json:"per_payment"`
	DayAmount  *money.Amount `json:"day_amount"`
	DayCount   *int64        `json:"day_count"`
	QuietHours *QuietHours   `json:"quiet_hours"`
	Methods    *[]string     `json:"methods"`
	Rollout    string        `json:"rollout"` // by which the policy came to terminals then
	Former     bool          `json:"former"`  // it had not come to this one
	Until      *time.Time    `json:"until"`
	Since      *time.Time    `json:"since"`
	By         string        `json:"by"`
	Entry      *AsOfEntry    `json:"entry"`
	Hidden     bool          `json:"hidden"`
}

// AsOfPack is a rule pack in force.
type AsOfPack struct {
	Pack    string    `json:"pack"`
	Version int64     `json:"version"`
	Digest  string    `json:"digest"`
	Entry   AsOfEntry `json:"entry"`
}

// AsOfTerminal is a terminal with what it belonged to.
type AsOfTerminal struct {
	ID         mianmi.TerminalID `json:"id"`
	Store      mianmi.StoreID    `json:"store"`
	Model      mianmi.ModelID    `json:"model"`
	Unattended bool              `json:"unattended"`
	Purpose    string            `json:"purpose"`
	Keypad     bool              `json:"keypad"`
	Display    bool              `json:"display"`
	Entry      AsOfEntry         `json:"entry"`
	ModelEntry AsOfEntry         `json:"model_entry"`
	StoreEntry AsOfEntry         `json:"store_entry"`
	Merchant   AsOfMerchant      `json:"merchant"`
}

// AsOfMerchant is what its acquirer said of a merchant; payers do not see the facts.
type AsOfMerchant struct {
	ID      mianmi.MerchantID `json:"id"`
	Version int64             `json:"version"`
	Facts   *Facts            `json:"facts"`
	Entry   AsOfEntry         `json:"entry"`
}

// AsOfPayer is what belonged to a payer.
type AsOfPayer struct {
	ID             mianmi.PayerID   `json:"id"`
	Version        int64            `json:"version"`
	FrozenAt       *time.Time       `json:"frozen_at"`
	Hold           *Hold            `json:"hold"`
	PendingAt      *time.Time       `json:"pending_at"`
	Allowance      *AsOfAllowance   `json:"allowance"`
	VerifiableFrom *time.Time       `json:"verifiable_from"`
	Instruments    []AsOfInstrument `json:"instruments"`
	Entry          AsOfEntry        `json:"entry"`
}

// AsOfAllowance is leave for one payment, as it was granted.
type AsOfAllowance struct {
	ID        mianmi.AllowanceID `json:"id"`
	Max       money.Amount       `json:"max"`
	Merchant  mianmi.MerchantID  `json:"merchant"`
	ExpiresAt time.Time          `json:"expires_at"`
}

// AsOfInstrument is a card or device.
type AsOfInstrument struct {
	ID       mianmi.InstrumentID `json:"id"`
	Scheme   string              `json:"scheme"`
	Kind     string              `json:"kind"`
	Domestic bool                `json:"domestic"`
	Issuer   string              `json:"issuer"`
	Entry    AsOfEntry           `json:"entry"`
}

// AsOfCaller is who asked for a payment.
type AsOfCaller struct {
	Kind   string    `json:"kind"` // api_key, staff
	ID     string    `json:"id"`
	Role   string    `json:"role"`
	Scopes []string  `json:"scopes"`
	Live   bool      `json:"live"`
	Entry  AsOfEntry `json:"entry"`
}

// AsOfDecision is a payment's decision as the log has it.
type AsOfDecision struct {
	Payment  mianmi.PaymentID  `json:"payment"`
	Outcome  string            `json:"outcome"`
	Amount   money.Amount      `json:"amount"`
	Method   string            `json:"method"`
	Merchant mianmi.MerchantID `json:"merchant"`
	Store    mianmi.StoreID    `json:"store"`
	Terminal mianmi.TerminalID `json:"terminal"`
	Reasons  []Reason          `json:"reasons"`
	Basis    DecidedBy         `json:"decided_by"`
	Entry    AsOfEntry         `json:"entry"`
}

// AsOfAgain compares the decision that the settings lead to with the recorded one.
type AsOfAgain struct {
	Verdict  string   `json:"verdict"` // same, same_but_counters, different, rules_untold
	Outcome  string   `json:"outcome"`
	Counters []Reason `json:"counters"`
	Missing  []Reason `json:"missing"`
	Added    []Reason `json:"added"`
}

// PaymentAsOf shows what a payment was decided by.
func (c *Client) PaymentAsOf(ctx context.Context, id mianmi.PaymentID) (AsOf, error) {
	return call[AsOf](ctx, c, http.MethodGet, "/v1/payments/"+seg(string(id))+"/as-of", nil)
}

// TerminalAsOf shows what was set for a terminal at an instant; the zero time is now.
func (c *Client) TerminalAsOf(ctx context.Context, id mianmi.TerminalID, at time.Time) (AsOf, error) {
	return call[AsOf](ctx, c, http.MethodGet, "/v1/terminals/"+seg(string(id))+"/as-of"+atQuery(at), nil)
}

// MerchantAsOf shows what was set for a merchant at an instant; the zero time is now.
func (c *Client) MerchantAsOf(ctx context.Context, id mianmi.MerchantID, at time.Time) (AsOf, error) {
	return call[AsOf](ctx, c, http.MethodGet, "/v1/merchants/"+seg(string(id))+"/as-of"+atQuery(at), nil)
}

// PayerAsOf shows a payer's settings at an instant; the zero time is now.
func (c *Client) PayerAsOf(ctx context.Context, id mianmi.PayerID, at time.Time) (AsOf, error) {
	return call[AsOf](ctx, c, http.MethodGet, "/v1/payers/"+seg(string(id))+"/as-of"+atQuery(at), nil)
}

func atQuery(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return "?at=" + url.QueryEscape(at.UTC().Format(time.RFC3339Nano))
}
