package api

import (
	"context"
	"strconv"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/terminal"
)

func (s *Server) registerSwitchOffs() {
	sees := only(allStaff...).keys(mianmi.ScopeRead | mianmi.ScopeManage | mianmi.ScopePay | mianmi.ScopeTighten)
	add(s, route{method: "GET", path: "/v1/switch-offs", name: "switchOffs", tag: "terminals", may: sees, summary: "List OFFs with their live counts",
		about: "Policies that were switched off and emergency stops, newest first, each with the number of terminals that have proved it. " +
			"The host enforces an OFF from its first second; what is counted is the second lock, on the terminals themselves."}, s.switchOffs)
	add(s, route{method: "GET", path: "/v1/switch-offs/{off}", name: "switchOff", tag: "terminals", may: sees, summary: "Show an OFF with its live count",
		about: "How many terminals have proved it, how many are of models that prove nothing, and until when the others have time."}, s.switchOff)
	add(s, route{method: "GET", path: "/v1/switch-offs/{off}/outstanding", name: "outstanding", tag: "terminals", may: sees, summary: "List the terminals that an OFF waits for",
		about: "Each with what stands in the way, and since when it is offline. Until they have proved it, every payment there asks for a PIN all the same."}, s.outstanding)
}

// SwitchOff is an OFF and how far the terminals in its scope are with it.
type SwitchOff struct {
	ID          string     `json:"id" doc:"Number of the change"`
	Scope       string     `json:"scope"`
	Stop        string     `json:"stop,omitzero" doc:"The emergency stop, when it is one"`
	Actor       string     `json:"actor"`
	At          time.Time  `json:"at"`
	Until       *time.Time `json:"until,omitzero" doc:"End of an emergency stop"`
	Total       int        `json:"total" doc:"Terminals in scope now"`
	InForce     int        `json:"in_force" doc:"Those that have proved it"`
	HostAlone   int        `json:"host_alone" doc:"Those of models that prove nothing: the host enforces it, and nobody knows what they run"`
	Outstanding int        `json:"outstanding"`
	Deadline    time.Time  `json:"deadline" doc:"When those that have not proved it are escalated"`
	Late        bool       `json:"late"`
	EscalatedAt *time.Time `json:"escalated_at,omitzero"`
	State       string     `json:"state" enum:"watched,in_force,reopened,lifted,over" doc:"watched: until every terminal has proved it"`
	ClosedAt    *time.Time `json:"closed_at,omitzero"`
	Sentence    Text       `json:"sentence"`
}

// OutstandingTerminal is a terminal that an OFF waits for.
type OutstandingTerminal struct {
	Terminal string     `json:"terminal"`
	Name     string     `json:"name"`
	Store    string     `json:"store"`
	Stage    string     `json:"stage" enum:"not_enrolled,revoked,drifted,refused,fell_back,wanted,delivered,saved,rebooted"`
	Because  Text       `json:"because"`
	Offline  bool       `json:"offline" doc:"No sign of life for longer than a proof holds"`
	SeenAt   *time.Time `json:"seen_at,omitzero" doc:"Last sign of life; left out: never"`
}

// SwitchOffOutput is one OFF.
type SwitchOffOutput struct{ Body SwitchOff }

// offEpoch reads the identifier of an OFF.
func offEpoch(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return 0, mianmi.Missing("switch-off")
	}
	return n, nil
}

func showSwitchOff(w *terminal.Watched) SwitchOff {
	out := SwitchOff{ID: strconv.FormatInt(w.Epoch, 10), Scope: w.Scope, Stop: string(w.Stop), Actor: w.Actor, At: w.At, Until: timeOrNone(w.Until),
		Total: w.Total, InForce: w.InForce, HostAlone: w.HostAlone, Outstanding: w.Coverage.Outstanding(), Deadline: w.Deadline, Late: w.Late,
		EscalatedAt: timeOrNone(w.LateAt), State: w.Outcome, ClosedAt: timeOrNone(w.ClosedAt), Sentence: Text(w.Sentence(payer.Local))}
	if out.State == "" {
		out.State = "watched"
	}
	return out
}

func (s *Server) switchOffs(ctx context.Context, a mianmi.Actor, in *struct {
	Merchant string `query:"merchant" doc:"Of this merchant; mianmi's own people may leave it out"`
	Store    string `query:"store"`
	Scope    string `query:"scope" doc:"Of this very scope: store:st…, terminal:tm…, everything"`
	Watched  bool   `query:"watched" doc:"Only those that are not in force everywhere yet"`
	After    string `query:"after" doc:"next of the page before"`
	Limit    int    `query:"limit" minimum:"1" maximum:"50" default:"50"`
}) (*struct{ Body List[SwitchOff] }, error) {
	q := terminal.OffQuery{Merchant: mianmi.MerchantID(in.Merchant), Store: mianmi.StoreID(in.Store), Scope: in.Scope, Open: in.Watched, Limit: in.Limit}
	if in.Scope != "" {
		if _, err := merchant.ParseScope(in.Scope); err != nil {
			return nil, err
		}
	}
	if in.After != "" {
		var err error
		if q.Before, err = strconv.ParseInt(in.After, 10, 64); err != nil || q.Before < 1 {
			return nil, mianmi.InvalidField("after", "want next of the page before")
		}
	}
	list, err := s.Terminals.Offs(ctx, a, q)
	if err != nil {
		return nil, err
	}
	return listOf(list, in.Limit, showSwitchOff, func(w *terminal.Watched) string { return strconv.FormatInt(w.Epoch, 10) }), nil
}

// SwitchOffInput names an OFF.
type SwitchOffInput struct {
	Off string `path:"off"`
}

func (s *Server) switchOff(ctx context.Context, a mianmi.Actor, in *SwitchOffInput) (*SwitchOffOutput, error) {
	epoch, err := offEpoch(in.Off)
	if err != nil {
		return nil, err
	}
	w, err := s.Terminals.Off(ctx, a, epoch)
	if err != nil {
		return nil, err
	}
	return &SwitchOffOutput{showSwitchOff(&w)}, nil
}

func (s *Server) outstanding(ctx context.Context, a mianmi.Actor, in *struct {
	SwitchOffInput
	PageInput
}) (*struct{ Body List[OutstandingTerminal] }, error) {
	epoch, err := offEpoch(in.Off)
	if err != nil {
		return nil, err
	}
	list, err := s.Terminals.OffOutstanding(ctx, a, epoch, mianmi.TerminalID(in.After), in.Limit)
	if err != nil {
		return nil, err
	}
	return listOf(list, in.Limit, showOutstanding, func(o *terminal.LeftOut) string { return string(o.Terminal) }), nil
}

func showOutstanding(o *terminal.LeftOut) OutstandingTerminal {
	return OutstandingTerminal{Terminal: string(o.Terminal), Name: o.Name, Store: string(o.Store), Stage: o.Stage.String(),
		Because: Text(o.Because(payer.Local)), Offline: o.Offline, SeenAt: timeOrNone(o.SeenAt)}
}
