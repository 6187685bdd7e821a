package client

import (
	"context"
	"net/http"
	"time"

	"github.com/mianmi/mianmi"
)

// RiskRule is a rule that looks for signals.
type RiskRule struct {
	ID         string         `json:"id"`
	Title      mianmi.Text    `json:"title"`
	Says       mianmi.Text    `json:"says"`
	Severity   string         `json:"severity"`
	Key        []string       `json:"key"`
	Measures   []string       `json:"measures"` // tell, ask, step_up, freeze
	For        string         `json:"for"`      // how long that holds
	Shipped    bool           `json:"shipped"`
	Stage      string         `json:"stage"` // shadow, live, withdrawn
	Version    int64          `json:"version"`
	Since      *time.Time     `json:"since"`
	By         string         `json:"by"`
	ProposedBy string         `json:"proposed_by"` // who would withdraw it
	ProposedAt *time.Time     `json:"proposed_at"`
	Found      int64          `json:"found"` // while in shadow
	LastAt     *time.Time     `json:"last_at"`
	Last       mianmi.EntryID `json:"last"`
}

// RiskRules lists the rules that look for signals.
func (c *Client) RiskRules(ctx context.Context) (List[RiskRule], error) {
	return call[List[RiskRule]](ctx, c, http.MethodGet, "/v1/risk-rules", nil)
}

// AddRiskRule adds a rule, as YAML, in shadow.
func (c *Client) AddRiskRule(ctx context.Context, yaml string) (RiskRule, error) {
	return call[RiskRule](ctx, c, http.MethodPost, "/v1/risk-rules", map[string]string{"yaml": yaml})
}

// PromoteRiskRule lets a rule raise alarms.
func (c *Client) PromoteRiskRule(ctx context.Context, rule string) (RiskRule, error) {
	return call[RiskRule](ctx, c, http.MethodPost, "/v1/risk-rules/"+seg(rule)+"/promotion", nil)
}

// WithdrawRiskRule takes a rule away, or proposes it.
func (c *Client) WithdrawRiskRule(ctx context.Context, rule string) (RiskRule, error) {
	return call[RiskRule](ctx, c, http.MethodPost, "/v1/risk-rules/"+seg(rule)+"/withdrawal", nil)
}

// KeepRiskRule refuses a proposal to withdraw a rule.
func (c *Client) KeepRiskRule(ctx context.Context, rule string) (RiskRule, error) {
	return call[RiskRule](ctx, c, http.MethodDelete, "/v1/risk-rules/"+seg(rule)+"/withdrawal", nil)
}
