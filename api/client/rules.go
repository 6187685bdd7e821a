package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/mianmi/mianmi"
)

// Rules are the rule packs in force; Packs as the API's document describes them.
type Rules struct {
	Version string            `json:"version"`
	Closed  bool              `json:"closed"`
	Packs   []json.RawMessage `json:"packs"`
}

// Rules returns the rule packs in force.
func (c *Client) Rules(ctx context.Context) (Rules, error) {
	return call[Rules](ctx, c, http.MethodGet, "/v1/rules", nil)
}

// RuleOrder is a change of the rule packs: packs in YAML to put in force, and
// identifiers of packs to withdraw.
type RuleOrder struct {
	Packs    []string `json:"packs,omitempty"`
	Withdraw []string `json:"withdraw,omitempty"`
	Note     string   `json:"note,omitempty"`
}

// RuleChange is a change of the rule packs and what became of it.
type RuleChange struct {
	ID         mianmi.RuleChangeID `json:"id"`
	State      string              `json:"state"`
	Tightening bool                `json:"tightening"`
	Packs      []PackVersion       `json:"packs"`
	BasedOn    string              `json:"based_on"`
	Note       string              `json:"note"`
	ProposedBy string              `json:"proposed_by"`
	ProposedAt time.Time           `json:"proposed_at"`
	ExpiresAt  time.Time           `json:"expires_at"`
	DecidedBy  string              `json:"decided_by"`
	DecidedAt  *time.Time          `json:"decided_at"`
}

// PackVersion is a version of a pack, or its end, as a change brought it.
type PackVersion struct {
	Change     mianmi.RuleChangeID `json:"change"`
	Pack       string              `json:"pack"`
	Version    int64               `json:"version"`
	Withdraws  bool                `json:"withdraws"`
	State      string              `json:"state"`
	Source     string              `json:"source"`
	Digest     string              `json:"digest"`
	From       *time.Time          `json:"from"`
	Until      *time.Time          `json:"until"`
	FromEpoch  int64               `json:"from_epoch"`
	UntilEpoch int64               `json:"until_epoch"`
	YAML       string              `json:"yaml"`
}

// RuleReport is what a change of the rule packs would do.
type RuleReport struct {
	Tightening  bool             `json:"tightening"`
	Obstacles   []RuleObstacle   `json:"obstacles"`
	Packs       []PackVersion    `json:"packs"`
	Differences []RuleDifference `json:"differences"`
	BasedOn     string           `json:"based_on"`
	Replay      *RuleReplay      `json:"replay"`
}

// RuleObstacle is a part of a change that may let more payments pass.
type RuleObstacle struct {
	Pack  string      `json:"pack"`
	Field string      `json:"field"`
	Text  mianmi.Text `json:"text"`
}

// RuleDifference is a field in which packs differ.
type RuleDifference struct {
	Pack   string `json:"pack"`
	Limit  string `json:"limit"`
	Field  string `json:"field"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// RuleReplay is how stored payments would have been decided.
type RuleReplay struct {
	Payments int64         `json:"payments"`
	Stricter int64         `json:"stricter"`
	Looser   int64         `json:"looser"`
	Examples []RuleExample `json:"examples"`
}

// RuleExample is a payment that would have been decided otherwise.
type RuleExample struct {
	Payment mianmi.PaymentID `json:"payment"`
	Before  string           `json:"before"`
	After   string           `json:"after"`
	Rule    string           `json:"rule"`
}

// DryRunRules says what a change of the rule packs would do.
func (c *Client) DryRunRules(ctx context.Context, o RuleOrder) (RuleReport, error) {
	return call[RuleReport](ctx, c, http.MethodPost, "/v1/rules/dry-run", o)
}

// ProposeRules changes the rule packs in force: a tightening at once, else by
// a proposal that waits for a second person.
func (c *Client) ProposeRules(ctx context.Context, o RuleOrder) (RuleChange, error) {
	return call[RuleChange](ctx, c, http.MethodPost, "/v1/rules/changes", o)
}

// RuleChange returns a change of the rule packs with their texts.
func (c *Client) RuleChange(ctx context.Context, id mianmi.RuleChangeID) (RuleChange, error) {
	return call[RuleChange](ctx, c, http.MethodGet, "/v1/rules/changes/"+seg(id), nil)
}

// RuleChanges lists changes of the rule packs, newest first, before the one
// that List.Next of the page before names; limit 0 is 50.
func (c *Client) RuleChanges(ctx context.Context, waiting bool, before string, limit int) (List[RuleChange], error) {
	q := url.Values{"waiting": {strconv.FormatBool(waiting)}}
	if before != "" {
		q.Set("before", before)
	}
	if limit > 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	return call[List[RuleChange]](ctx, c, http.MethodGet, "/v1/rules/changes?"+q.Encode(), nil)
}

// ApproveRules brings a proposal of somebody else into force.
func (c *Client) ApproveRules(ctx context.Context, id mianmi.RuleChangeID) (RuleChange, error) {
	return call[RuleChange](ctx, c, http.MethodPost, "/v1/rules/changes/"+seg(id)+"/approve", nil)
}

// RejectRules ends a proposal.
func (c *Client) RejectRules(ctx context.Context, id mianmi.RuleChangeID) (RuleChange, error) {
	return call[RuleChange](ctx, c, http.MethodPost, "/v1/rules/changes/"+seg(id)+"/reject", nil)
}

// TakeBackRules ends one's own proposal.
func (c *Client) TakeBackRules(ctx context.Context, id mianmi.RuleChangeID) (RuleChange, error) {
	return call[RuleChange](ctx, c, http.MethodPost, "/v1/rules/changes/"+seg(id)+"/take-back", nil)
}

// RulePack returns every version of a pack that has been in force, newest first.
func (c *Client) RulePack(ctx context.Context, pack string) ([]PackVersion, error) {
	out, err := call[struct {
		Versions []PackVersion `json:"versions"`
	}](ctx, c, http.MethodGet, "/v1/rules/packs/"+seg(pack), nil)
	return out.Versions, err
}
