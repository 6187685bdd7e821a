package client

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
)

// Scope is what a policy or stop is about: "everything", or "channel:wallet",
// "merchant:mc…", "store:st…", "model:md…", "terminal:tm…".
type Scope string

// Scopes of things.
const Everything Scope = "everything"

// OfMerchant is the scope of a merchant.
func OfMerchant(id mianmi.MerchantID) Scope { return Scope("merchant:" + id) }

// OfStore is the scope of a store.
func OfStore(id mianmi.StoreID) Scope { return Scope("store:" + id) }

// OfModel is the scope of a model.
func OfModel(id mianmi.ModelID) Scope { return Scope("model:" + id) }

// OfTerminal is the scope of a terminal.
func OfTerminal(id mianmi.TerminalID) Scope { return Scope("terminal:" + id) }

// path is where the scope's policy is.
func (s Scope) path(rest string) string {
	level, subject, ok := strings.Cut(string(s), ":")
	if !ok {
		return "/v1/everything" + rest
	}
	return "/v1/" + seg(level) + "s/" + seg(subject) + rest
}

// Terms are what a policy says.
type Terms struct {
	PinFree    bool          `json:"pin_free"`
	PerPayment *money.Amount `json:"per_payment,omitzero"`
	Methods    []string      `json:"methods,omitzero"` // nil: all
}

// Policy is the terms in force.
type Policy struct {
	Scope   Scope            `json:"scope"`
	Terms   Terms            `json:"terms"`
	Version int64            `json:"version"`
	Since   *time.Time       `json:"since"`
	Actor   string           `json:"actor"`
	Rollout mianmi.RolloutID `json:"rollout"` // by which it comes to terminals; empty: it holds for all
}

// PolicyResult is what became of an order.
type PolicyResult struct {
	Policy   Policy    `json:"policy"`
	Change   string    `json:"change"` // same, tightening, loosening, mixed
	Proposal *Approval `json:"proposal"`
}

// Policy shows the policy of a scope.
func (c *Client) Policy(ctx context.Context, s Scope) (Policy, error) {
	return call[Policy](ctx, c, http.MethodGet, s.path("/policy"), nil)
}

// SetPolicy asks for terms; a loosening becomes a proposal. basedOn is the
// version that was seen, or nil.
func (c *Client) SetPolicy(ctx context.Context, s Scope, t Terms, basedOn *int64) (PolicyResult, error) {
	return call[PolicyResult](ctx, c, http.MethodPut, s.path("/policy"), struct {
		PinFree    bool          `json:"pin_free"`
		PerPayment *money.Amount `json:"per_payment,omitzero"`
		Methods    []string      `json:"methods,omitzero"`
		BasedOn    *int64        `json:"based_on,omitzero"`
	}{t.PinFree, t.PerPayment, t.Methods, basedOn})
}

// CloseScope switches PIN-free payment off in a scope.
func (c *Client) CloseScope(ctx context.Context, s Scope) (PolicyResult, error) {
	return call[PolicyResult](ctx, c, http.MethodPost, s.path("/pin-free/close"), nil)
}

// Approval is a proposal and what became of it.
type Approval struct {
	ID         mianmi.ApprovalID `json:"id"`
	Scope      Scope             `json:"scope"`
	Merchant   mianmi.MerchantID `json:"merchant"`
	State      string            `json:"state"`
	Terms      *Terms            `json:"terms"`
	Rollout    *RolloutPlan      `json:"rollout"` // how the terms come to terminals
	Lift       mianmi.StopID     `json:"lift"`
	Facts      *Facts            `json:"facts"`
	Terminals  *TerminalTerms    `json:"terminals"`
	BasedOn    int64             `json:"based_on"`
	ProposedBy string            `json:"proposed_by"`
	ProposedAt time.Time         `json:"proposed_at"`
	ExpiresAt  time.Time         `json:"expires_at"`
	DecidedBy  string            `json:"decided_by"`
	DecidedAt  *time.Time        `json:"decided_at"`
}

// Approvals lists the proposals that wait: a merchant's, or everybody's.
func (c *Client) Approvals(ctx context.Context, m mianmi.MerchantID, p Page) (List[Approval], error) {
	return call[List[Approval]](ctx, c, http.MethodGet, "/v1/approvals"+p.query("merchant", string(m)), nil)
}

// Approval shows a proposal.
func (c *Client) Approval(ctx context.Context, id mianmi.ApprovalID) (Approval, error) {
	return call[Approval](ctx, c, http.MethodGet, "/v1/approvals/"+seg(id), nil)
}

// Approve brings a proposal into force, as another person.
func (c *Client) Approve(ctx context.Context, id mianmi.ApprovalID) (Approval, error) {
	return call[Approval](ctx, c, http.MethodPost, "/v1/approvals/"+seg(id)+"/approve", nil)
}

// Reject ends a proposal.
func (c *Client) Reject(ctx context.Context, id mianmi.ApprovalID) (Approval, error) {
	return call[Approval](ctx, c, http.MethodPost, "/v1/approvals/"+seg(id)+"/reject", nil)
}

// Withdraw ends one's own proposal.
func (c *Client) Withdraw(ctx context.Context, id mianmi.ApprovalID) (Approval, error) {
	return call[Approval](ctx, c, http.MethodPost, "/v1/approvals/"+seg(id)+"/withdraw", nil)
}

// Stop is an emergency stop.
type Stop struct {
	ID       mianmi.StopID `json:"id"`
	Scope    Scope         `json:"scope"`
	Reason   string        `json:"reason"`
	Live     bool          `json:"live"`
	PlacedBy string        `json:"placed_by"`
	PlacedAt time.Time     `json:"placed_at"`
	Until    time.Time     `json:"until"`
	LiftedBy string        `json:"lifted_by"`
	LiftedAt *time.Time    `json:"lifted_at"`
}

// PlaceStop stops PIN-free payment in a scope for a time, in whole seconds.
func (c *Client) PlaceStop(ctx context.Context, s Scope, reason string, d time.Duration) (Stop, error) {
	return call[Stop](ctx, c, http.MethodPost, "/v1/emergency-stops", map[string]any{"scope": s, "reason": reason, "seconds": int64(d / time.Second)})
}

// Stops lists emergency stops of a scope, or of all; live: those in force.
func (c *Client) Stops(ctx context.Context, s Scope, live bool, p Page) (List[Stop], error) {
	only := ""
	if live {
		only = "true"
	}
	return call[List[Stop]](ctx, c, http.MethodGet, "/v1/emergency-stops"+p.query("scope", string(s), "live", only), nil)
}

// LiftStop proposes the early end of a stop.
func (c *Client) LiftStop(ctx context.Context, id mianmi.StopID) (Approval, error) {
	return call[Approval](ctx, c, http.MethodPost, "/v1/emergency-stops/"+seg(id)+"/lift", nil)
}

// NewStaff is a member of staff to be created.
type NewStaff struct {
	Login    string            `json:"login"`
	Name     string            `json:"name"`
	Role     string            `json:"role"`
	Merchant mianmi.MerchantID `json:"merchant,omitzero"`
	Store    mianmi.StoreID    `json:"store,omitzero"`
}

// Staff is a member of staff.
type Staff struct {
	ID        mianmi.StaffID    `json:"id"`
	Login     string            `json:"login"`
	Name      string            `json:"name"`
	Role      string            `json:"role"`
	Merchant  mianmi.MerchantID `json:"merchant"`
	Store     mianmi.StoreID    `json:"store"`
	Active    bool              `json:"active"`
	CreatedAt time.Time         `json:"created_at"`
}

// Enrolment is what a new member of staff needs to log in.
type Enrolment struct {
	Staff    Staff  `json:"staff"`
	Password string `json:"password"`
	TOTP     string `json:"totp"`
	TOTPURL  string `json:"totp_url"`
}

// CreateStaff creates a member of staff.
func (c *Client) CreateStaff(ctx context.Context, n NewStaff) (Enrolment, error) {
	return call[Enrolment](ctx, c, http.MethodPost, "/v1/staff", n)
}

// Staff lists members of staff.
func (c *Client) Staff(ctx context.Context, m mianmi.MerchantID, p Page) (List[Staff], error) {
	return call[List[Staff]](ctx, c, http.MethodGet, "/v1/staff"+p.query("merchant", string(m)), nil)
}

// DeactivateStaff refuses every later login of a member.
func (c *Client) DeactivateStaff(ctx context.Context, id mianmi.StaffID) (Staff, error) {
	return call[Staff](ctx, c, http.MethodPost, "/v1/staff/"+seg(id)+"/deactivate", nil)
}

// ResetStaff gives a member new credentials.
func (c *Client) ResetStaff(ctx context.Context, id mianmi.StaffID) (Enrolment, error) {
	return call[Enrolment](ctx, c, http.MethodPost, "/v1/staff/"+seg(id)+"/reset", nil)
}

// NewAPIKey is an API key to be made.
type NewAPIKey struct {
	Name      string            `json:"name"`
	Merchant  mianmi.MerchantID `json:"merchant,omitzero"`
	Scopes    []string          `json:"scopes"`
	ExpiresAt *time.Time        `json:"expires_at,omitzero"`
}

// APIKey is an API key; Token is in the answer of CreateAPIKey alone.
type APIKey struct {
	ID        mianmi.KeyID      `json:"id"`
	Name      string            `json:"name"`
	Merchant  mianmi.MerchantID `json:"merchant"`
	Scopes    []string          `json:"scopes"`
	CreatedBy string            `json:"created_by"`
	CreatedAt time.Time         `json:"created_at"`
	ExpiresAt *time.Time        `json:"expires_at"`
	RevokedAt *time.Time        `json:"revoked_at"`
	Token     string            `json:"token"`
}

// CreateAPIKey makes an API key.
func (c *Client) CreateAPIKey(ctx context.Context, n NewAPIKey) (APIKey, error) {
	return call[APIKey](ctx, c, http.MethodPost, "/v1/api-keys", n)
}

// APIKeys lists API keys.
func (c *Client) APIKeys(ctx context.Context, m mianmi.MerchantID, p Page) (List[APIKey], error) {
	return call[List[APIKey]](ctx, c, http.MethodGet, "/v1/api-keys"+p.query("merchant", string(m)), nil)
}

// RevokeAPIKey ends a key.
func (c *Client) RevokeAPIKey(ctx context.Context, id mianmi.KeyID) (APIKey, error) {
	return call[APIKey](ctx, c, http.MethodPost, "/v1/api-keys/"+seg(id)+"/revoke", nil)
}

// Document is a text that payers accept.
type Document struct {
	Version string      `json:"version"`
	Text    mianmi.Text `json:"text"`
}

// Texts are the risk text and the consent text.
type Texts struct {
	Risk    Document `json:"risk"`
	Consent Document `json:"consent"`
}

// Texts returns the texts that payers accept.
func (c *Client) Texts(ctx context.Context) (Texts, error) {
	return call[Texts](ctx, c, http.MethodGet, "/v1/texts", nil)
}
