package api

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/rollout"
	"github.com/mianmi/mianmi/terminal"
)

func (s *Server) registerPrograms() {
	sees, holds, moves := only(readers...), only(ownPeople...), only(mianmi.RoleOperator)
	add(s, route{method: "POST", path: "/v1/program-rollouts", name: "startProgramRollout", tag: "terminals", status: 201, repeat: firstAnswer, may: moves,
		summary: "Bring a version of the terminals' program to a family in stages",
		about:   "Best before it is published: from then on a terminal gets the version from this server once a stage has come to it. A version that has no rollout is every terminal's at once. A version has one rollout."},
		s.startProgram)
	add(s, route{method: "GET", path: "/v1/program-rollouts", name: "programRollouts", tag: "terminals", may: sees, summary: "List staged rollouts of programs, newest first",
		about: "Without live counts."}, s.programs)
	add(s, route{method: "GET", path: "/v1/program-rollouts/{rollout}", name: "programRollout", tag: "terminals", may: sees, summary: "Show a program's staged rollout with its live count",
		about: "How many terminals the present stage has come to, how many run the version or refused it, and how payments went where it runs."}, s.program)
	add(s, route{method: "GET", path: "/v1/program-rollouts/{rollout}/outstanding", name: "programRolloutOutstanding", tag: "terminals", may: sees,
		summary: "List the reached terminals that do not run the version", about: "Each with how it stands, by its own word."}, s.programOutstanding)
	for _, d := range []struct {
		name, summary, about string
		may                  rule
		do                   func(context.Context, mianmi.Actor, mianmi.RolloutID) (terminal.ProgramRollout, error)
	}{
		{"pause", "Pause a program's staged rollout", "Nobody gets the version meanwhile, and terminals on which it waits for a restart drop it; who runs it keeps it.", holds, s.Terminals.PauseProgram},
		{"resume", "Resume a program's staged rollout", "The stage is judged anew from now, without the refusals that had paused it.", moves, s.Terminals.ResumeProgram},
		{"advance", "Begin the next stage of a program's rollout now", "Without waiting for anything; after the last stage the rollout is finished, and the version is everybody's.", moves, s.Terminals.AdvanceProgram},
		{"stop", "Stop a program's staged rollout", "For good: nobody new gets the version, and terminals on which it waits for a restart drop it. Who runs it keeps it until something newer comes.", holds, s.Terminals.StopProgram},
	} {
		add(s, route{method: "POST", path: "/v1/program-rollouts/{rollout}/" + d.name, name: d.name + "ProgramRollout", tag: "terminals", may: d.may, summary: d.summary, about: d.about},
			func(ctx context.Context, a mianmi.Actor, in *RolloutInput) (*ProgramRolloutOutput, error) {
				r, err := d.do(ctx, a, mianmi.RolloutID(in.Rollout))
				if err != nil {
					return nil, err
				}
				return &ProgramRolloutOutput{showProgram(&r)}, nil
			})
	}
}

// ProgramRollout is a version of the terminals' program that comes to a family
// of models in stages.
type ProgramRollout struct {
	ID        string          `json:"id"`
	Family    string          `json:"family" example:"linux_countertop"`
	Version   string          `json:"version" example:"1.4.0"`
	State     string          `json:"state" enum:"running,paused,stopped,finished"`
	Stage     int             `json:"stage" doc:"From 1"`
	Stages    int             `json:"stages"`
	StageAt   time.Time       `json:"stage_at" doc:"When the stage began"`
	Plan      RolloutPlan     `json:"plan"`
	Excused   int             `json:"excused,omitzero" doc:"Refusals that a person has looked at and gone on with"`
	Because   *RolloutBecause `json:"because,omitzero" doc:"Why it does not run"`
	Figures   *ProgramFigures `json:"figures,omitzero" doc:"Live, while it is running or paused; of one rollout alone"`
	StartedBy string          `json:"started_by"`
	StartedAt time.Time       `json:"started_at"`
	ChangedBy string          `json:"changed_by" doc:"Of the state or the stage, last"`
	ChangedAt time.Time       `json:"changed_at"`
}

// ProgramFigures are what the present stage has come to.
type ProgramFigures struct {
	Total       int   `json:"total" doc:"Terminals that say that they are of the family"`
	Reached     int   `json:"reached" doc:"Of them, by this stage and those before it"`
	HostAlone   int   `json:"host_alone" doc:"Of the reached ones: of models that prove nothing"`
	Delivered   int   `json:"delivered" doc:"Have it, and wait for a restart or try it"`
	Running     int   `json:"running" doc:"Run it or a newer one"`
	Refused     int   `json:"refused" doc:"Did not take it, or went back from it"`
	Outstanding int   `json:"outstanding" doc:"Do not run it yet"`
	Payments    int   `json:"payments" doc:"That have ended where it runs since the stage began or was resumed, cash apart; of the newest 10000 of all"`
	Declined    int   `json:"declined"`
	Unknown     int   `json:"unknown" doc:"Ended without a result"`
	Seconds     int64 `json:"seconds" doc:"Since the stage began or was resumed"`
}

// ProgramTerminal is a terminal that does not run the version.
type ProgramTerminal struct {
	Terminal string     `json:"terminal"`
	Name     string     `json:"name"`
	Store    string     `json:"store"`
	Runs     string     `json:"runs,omitzero" doc:"Version of the program that it runs"`
	State    string     `json:"state" enum:"not_taken,waiting,trial,refused"`
	Reason   string     `json:"reason,omitzero" doc:"Of a refusal, by its code: see docs/updates.md"`
	SeenAt   *time.Time `json:"seen_at,omitzero" doc:"Last sign of life; left out: never"`
}

// ProgramRolloutOutput is one rollout.
type ProgramRolloutOutput struct{ Body ProgramRollout }

func showProgram(r *terminal.ProgramRollout) ProgramRollout {
	plan := showPlan(&r.Plan)
	plan.RefusedMax = &r.Plan.RefusedMax // none at all may be what was asked for
	return ProgramRollout{ID: string(r.ID), Family: r.Family, Version: r.Version, State: r.State.String(), Stage: r.Stage + 1, Stages: len(r.Plan.Stages),
		StageAt: r.StageAt.UTC(), Plan: *plan, Excused: r.Excused, Because: showBecause(r.Because, &r.Plan), StartedBy: r.StartedBy,
		StartedAt: r.StartedAt.UTC(), ChangedBy: r.ChangedBy, ChangedAt: r.ChangedAt.UTC()}
}

func (s *Server) startProgram(ctx context.Context, a mianmi.Actor, in *struct {
	Body struct {
		Family  string      `json:"family" minLength:"1" maxLength:"40" example:"linux_countertop"`
		Version string      `json:"version" minLength:"1" maxLength:"40" example:"1.4.0" doc:"As it is or will be published"`
		Rollout RolloutPlan `json:"rollout"`
	}
}) (*ProgramRolloutOutput, error) {
	b := &in.Body
	r, err := s.Terminals.StartProgram(ctx, a, terminal.NewProgram{Family: b.Family, Version: b.Version, Plan: b.Rollout.over(rollout.UsualProgram())})
	if err != nil {
		return nil, err
	}
	return &ProgramRolloutOutput{showProgram(&r)}, nil
}

func (s *Server) programs(ctx context.Context, a mianmi.Actor, in *struct {
	Family string `query:"family"`
	Open   bool   `query:"open" doc:"Only those that run or are paused"`
	PageInput
}) (*struct{ Body List[ProgramRollout] }, error) {
	list, err := s.Terminals.Programs(ctx, a, terminal.ProgramQuery{Family: in.Family, Open: in.Open, Before: mianmi.RolloutID(in.After), Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	return listOf(list, in.Limit, showProgram, func(r *terminal.ProgramRollout) string { return string(r.ID) }), nil
}

func (s *Server) program(ctx context.Context, a mianmi.Actor, in *RolloutInput) (*ProgramRolloutOutput, error) {
	r, err := s.Terminals.Program(ctx, a, mianmi.RolloutID(in.Rollout))
	if err != nil {
		return nil, err
	}
	out := showProgram(&r.ProgramRollout)
	if f := &r.Figures; r.State.Open() {
		out.Figures = &ProgramFigures{Total: f.Total, Reached: f.Reached, HostAlone: f.HostAlone, Delivered: f.Delivered, Running: f.Attested, Refused: f.Refused,
			Outstanding: f.Outstanding(), Payments: f.Payments, Declined: f.Declined, Unknown: f.Unknown, Seconds: int64(f.For / time.Second)}
	}
	return &ProgramRolloutOutput{out}, nil
}

func (s *Server) programOutstanding(ctx context.Context, a mianmi.Actor, in *struct {
	RolloutInput
	PageInput
}) (*struct{ Body List[ProgramTerminal] }, error) {
	list, err := s.Terminals.ProgramOutstanding(ctx, a, mianmi.RolloutID(in.Rollout), mianmi.TerminalID(in.After), in.Limit)
	if err != nil {
		return nil, err
	}
	return listOf(list, in.Limit, showProgramTerminal, func(d *terminal.ProgramLeft) string { return string(d.Terminal) }), nil
}

func showProgramTerminal(d *terminal.ProgramLeft) ProgramTerminal {
	out := ProgramTerminal{Terminal: string(d.Terminal), Name: d.Name, Store: string(d.Store), Runs: d.App, State: d.Doing.String()}
	if d.Doing == terminal.DoingRefused {
		out.Reason = d.Update.Reason
	}
	if !d.SeenAt.IsZero() {
		at := d.SeenAt.UTC()
		out.SeenAt = &at
	}
	return out
}
