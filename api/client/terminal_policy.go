package client

import (
	"context"
	"net/http"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
)

// TerminalTerms are what a policy on terminals says: the API's document tells
// units and bounds.
type TerminalTerms struct {
	LeaseSeconds    int64          `json:"lease_seconds"`
	ReportSeconds   int64          `json:"report_seconds"`
	DeadlineSeconds int64          `json:"deadline_seconds"`
	KeypadAbove     []money.Amount `json:"keypad_above"`
	MenuLocked      bool           `json:"menu_locked"`
	AppMin          string         `json:"app_min"`
	Rules           []TerminalRule `json:"rules"`
}

// TerminalRule is a condition under which a terminal is not safe.
type TerminalRule struct {
	ID     string      `json:"id"`
	Unsafe string      `json:"unsafe"` // CEL
	Says   mianmi.Text `json:"says"`
}

// TerminalPolicy is the terms that are in force for terminals.
type TerminalPolicy struct {
	Terms   TerminalTerms `json:"terms"`
	Version int64         `json:"version"` // 0: the shipped one
	Since   *time.Time    `json:"since"`
	Actor   string        `json:"actor"`
}

// TerminalPolicyResult is what became of an order.
type TerminalPolicyResult struct {
	Policy   TerminalPolicy `json:"policy"`
	Change   string         `json:"change"` // same, tightening, loosening
	Proposal *Approval      `json:"proposal"`
}

// TerminalPolicy shows the policy on terminals.
func (c *Client) TerminalPolicy(ctx context.Context) (TerminalPolicy, error) {
	return call[TerminalPolicy](ctx, c, http.MethodGet, "/v1/terminal-policy", nil)
}

// SetTerminalPolicy asks for terms, whole; what does not only ask for more
// becomes a proposal. basedOn is the version that was seen, or nil.
func (c *Client) SetTerminalPolicy(ctx context.Context, t TerminalTerms, basedOn *int64) (TerminalPolicyResult, error) {
	return call[TerminalPolicyResult](ctx, c, http.MethodPut, "/v1/terminal-policy", struct {
		TerminalTerms
		BasedOn *int64 `json:"based_on,omitzero"`
	}{t, basedOn})
}
