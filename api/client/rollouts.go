package client

import (
	"context"
	"net/http"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
)

// RolloutPlan is how a loosening or a program comes to terminals in stages. What is nil is
// as usual.
type RolloutPlan struct {
	Stages        []RolloutStage `json:"stages"`
	AttestedMin   *int           `json:"attested_permille_min,omitzero"`
	AttestSeconds *int64         `json:"attest_seconds,omitzero"`
	SoakSeconds   *int64         `json:"soak_seconds,omitzero"`
	DeclinedMax   *int           `json:"declined_permille_max,omitzero"`
	UnknownMax    *int           `json:"unknown_permille_max,omitzero"`
	RefusedMax    *int           `json:"refused_permille_max,omitzero"` // of a program
	PaymentsMin   *int           `json:"payments_min,omitzero"`
	ByHand        bool           `json:"by_hand,omitzero"`
}

// RolloutStage says whom a stage comes to, besides those before it.
type RolloutStage struct {
	Permille  int                 `json:"permille,omitzero"`
	Terminals []mianmi.TerminalID `json:"terminals,omitzero"`
	Stores    []mianmi.StoreID    `json:"stores,omitzero"`
	Models    []mianmi.ModelID    `json:"models,omitzero"`
}

// Rollout is a loosened policy that comes to terminals in stages.
type Rollout struct {
	ID            mianmi.RolloutID  `json:"id"`
	Kind          string            `json:"kind"`
	Scope         Scope             `json:"scope"`
	State         string            `json:"state"` // running, paused, stopped, finished
	Stage         int               `json:"stage"` // from 1
	Stages        int               `json:"stages"`
	StageAt       time.Time         `json:"stage_at"`
	Terms         Terms             `json:"terms"`
	Version       int64             `json:"version"`
	FormerTerms   Terms             `json:"former_terms"`
	FormerVersion int64             `json:"former_version"`
	Plan          RolloutPlan       `json:"plan"`
	Because       *RolloutBecause   `json:"because"`
	Figures       *RolloutFigures   `json:"figures"`
	Approval      mianmi.ApprovalID `json:"approval"`
	ProposedBy    string            `json:"proposed_by"`
	StartedBy     string            `json:"started_by"`
	StartedAt     time.Time         `json:"started_at"`
	ChangedBy     string            `json:"changed_by"`
	ChangedAt     time.Time         `json:"changed_at"`
}

// RolloutBecause is why a rollout does not run.
type RolloutBecause struct {
	Reason string      `json:"reason"` // person, attested, refused, declined, unknown, closed, tightened
	Count  int         `json:"count"`
	Of     int         `json:"of"`
	Text   mianmi.Text `json:"text"`
}

// RolloutFigures are what the present stage has come to.
type RolloutFigures struct {
	Total       int   `json:"total"`
	Reached     int   `json:"reached"`
	HostAlone   int   `json:"host_alone"`
	Delivered   int   `json:"delivered"`
	Attested    int   `json:"attested"`
	Outstanding int   `json:"outstanding"`
	Payments    int   `json:"payments"`
	Declined    int   `json:"declined"`
	Unknown     int   `json:"unknown"`
	Seconds     int64 `json:"seconds"`
}

// SetPolicyInStages asks for terms that come to the scope's terminals by a plan,
// once a second person has approved both.
func (c *Client) SetPolicyInStages(ctx context.Context, s Scope, t Terms, plan RolloutPlan) (PolicyResult, error) {
	return call[PolicyResult](ctx, c, http.MethodPut, s.path("/policy"), struct {
		PinFree    bool          `json:"pin_free"`
		PerPayment *money.Amount `json:"per_payment,omitzero"`
		Methods    []string      `json:"methods,omitzero"`
		Rollout    RolloutPlan   `json:"rollout"`
	}{t.PinFree, t.PerPayment, t.Methods, plan})
}

// Rollouts lists rollouts, newest first: a merchant's, or everybody's; open:
// those that run or are paused.
func (c *Client) Rollouts(ctx context.Context, m mianmi.MerchantID, open bool, p Page) (List[Rollout], error) {
	only := ""
	if open {
		only = "true"
	}
	return call[List[Rollout]](ctx, c, http.MethodGet, "/v1/rollouts"+p.query("merchant", string(m), "open", only), nil)
}

// Rollout shows a rollout with its live count.
func (c *Client) Rollout(ctx context.Context, id mianmi.RolloutID) (Rollout, error) {
	return call[Rollout](ctx, c, http.MethodGet, "/v1/rollouts/"+seg(id), nil)
}

// RolloutOutstanding lists the terminals that the present stage waits for.
func (c *Client) RolloutOutstanding(ctx context.Context, id mianmi.RolloutID, p Page) (List[OutstandingTerminal], error) {
	return call[List[OutstandingTerminal]](ctx, c, http.MethodGet, "/v1/rollouts/"+seg(id)+"/outstanding"+p.query(), nil)
}

// PauseRollout keeps a rollout where it is.
func (c *Client) PauseRollout(ctx context.Context, id mianmi.RolloutID) (Rollout, error) {
	return c.changeRollout(ctx, id, "pause")
}

// ResumeRollout lets a paused rollout go on.
func (c *Client) ResumeRollout(ctx context.Context, id mianmi.RolloutID) (Rollout, error) {
	return c.changeRollout(ctx, id, "resume")
}

// AdvanceRollout begins the next stage, or finishes the rollout.
func (c *Client) AdvanceRollout(ctx context.Context, id mianmi.RolloutID) (Rollout, error) {
	return c.changeRollout(ctx, id, "advance")
}

// StopRollout brings the former terms back at every terminal.
func (c *Client) StopRollout(ctx context.Context, id mianmi.RolloutID) (Rollout, error) {
	return c.changeRollout(ctx, id, "stop")
}

func (c *Client) changeRollout(ctx context.Context, id mianmi.RolloutID, how string) (Rollout, error) {
	return call[Rollout](ctx, c, http.MethodPost, "/v1/rollouts/"+seg(id)+"/"+how, nil)
}
