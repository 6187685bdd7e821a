package client

import (
	"context"
	"net/http"
	"time"

	"github.com/mianmi/mianmi"
)

// ProgramRollout is a version of the terminals' program that comes to a family
// of models in stages.
type ProgramRollout struct {
	ID        mianmi.RolloutID `json:"id"`
	Family    string           `json:"family"`
	Version   string           `json:"version"`
	State     string           `json:"state"` // running, paused, stopped, finished
	Stage     int              `json:"stage"` // from 1
	Stages    int              `json:"stages"`
	StageAt   time.Time        `json:"stage_at"`
	Plan      RolloutPlan      `json:"plan"`
	Excused   int              `json:"excused"` // refusals that a person has looked at
	Because   *RolloutBecause  `json:"because"`
	Figures   *ProgramFigures  `json:"figures"`
	StartedBy string           `json:"started_by"`
	StartedAt time.Time        `json:"started_at"`
	ChangedBy string           `json:"changed_by"`
	ChangedAt time.Time        `json:"changed_at"`
}

// ProgramFigures are what the present stage has come to.
type ProgramFigures struct {
	Total       int   `json:"total"`
	Reached     int   `json:"reached"`
	HostAlone   int   `json:"host_alone"`
	Delivered   int   `json:"delivered"`
	Running     int   `json:"running"`
	Refused     int   `json:"refused"`
	Outstanding int   `json:"outstanding"`
	Payments    int   `json:"payments"`
	Declined    int   `json:"declined"`
	Unknown     int   `json:"unknown"`
	Seconds     int64 `json:"seconds"`
}

// ProgramTerminal is a terminal that does not run the version.
type ProgramTerminal struct {
	Terminal mianmi.TerminalID `json:"terminal"`
	Name     string            `json:"name"`
	Store    mianmi.StoreID    `json:"store"`
	Runs     string            `json:"runs"`
	State    string            `json:"state"` // not_taken, waiting, trial, refused
	Reason   string            `json:"reason"`
	SeenAt   *time.Time        `json:"seen_at"`
}

// StartProgramRollout brings a version to the terminals of a family by a plan;
// best before it is published.
func (c *Client) StartProgramRollout(ctx context.Context, family, version string, plan RolloutPlan) (ProgramRollout, error) {
	return call[ProgramRollout](ctx, c, http.MethodPost, "/v1/program-rollouts", struct {
		Family  string      `json:"family"`
		Version string      `json:"version"`
		Rollout RolloutPlan `json:"rollout"`
	}{family, version, plan})
}

// ProgramRollouts lists rollouts, newest first: of a family, or of all; open:
// those that run or are paused.
func (c *Client) ProgramRollouts(ctx context.Context, family string, open bool, p Page) (List[ProgramRollout], error) {
	only := ""
	if open {
		only = "true"
	}
	return call[List[ProgramRollout]](ctx, c, http.MethodGet, "/v1/program-rollouts"+p.query("family", family, "open", only), nil)
}

// ProgramRollout shows a rollout with its live count.
func (c *Client) ProgramRollout(ctx context.Context, id mianmi.RolloutID) (ProgramRollout, error) {
	return call[ProgramRollout](ctx, c, http.MethodGet, "/v1/program-rollouts/"+seg(id), nil)
}

// ProgramRolloutOutstanding lists the reached terminals that do not run the version.
func (c *Client) ProgramRolloutOutstanding(ctx context.Context, id mianmi.RolloutID, p Page) (List[ProgramTerminal], error) {
	return call[List[ProgramTerminal]](ctx, c, http.MethodGet, "/v1/program-rollouts/"+seg(id)+"/outstanding"+p.query(), nil)
}

// PauseProgramRollout keeps a rollout where it is; nobody gets the version meanwhile.
func (c *Client) PauseProgramRollout(ctx context.Context, id mianmi.RolloutID) (ProgramRollout, error) {
	return c.changeProgram(ctx, id, "pause")
}

// ResumeProgramRollout lets a paused rollout go on.
func (c *Client) ResumeProgramRollout(ctx context.Context, id mianmi.RolloutID) (ProgramRollout, error) {
	return c.changeProgram(ctx, id, "resume")
}

// AdvanceProgramRollout begins the next stage, or finishes the rollout.
func (c *Client) AdvanceProgramRollout(ctx context.Context, id mianmi.RolloutID) (ProgramRollout, error) {
	return c.changeProgram(ctx, id, "advance")
}

// StopProgramRollout ends the rollout: nobody new gets the version any more.
func (c *Client) StopProgramRollout(ctx context.Context, id mianmi.RolloutID) (ProgramRollout, error) {
	return c.changeProgram(ctx, id, "stop")
}

func (c *Client) changeProgram(ctx context.Context, id mianmi.RolloutID, how string) (ProgramRollout, error) {
	return call[ProgramRollout](ctx, c, http.MethodPost, "/v1/program-rollouts/"+seg(id)+"/"+how, nil)
}
