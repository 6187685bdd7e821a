package api

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/risk"
)

func (s *Server) registerAlarms() {
	sees := only(readers...).and(mianmi.RoleMerchantAdmin)
	add(s, route{method: "GET", path: "/v1/alarms", name: "alarms", tag: "risk", may: sees, summary: "List alarms",
		about: "What looks wrong or was reported, newest first. There is one of a rule and key that is not resolved; what is found again is counted. A merchant sees those about its stores, terminals and people, without the payer."}, s.alarms)
	add(s, route{method: "GET", path: "/v1/alarms/{alarm}", name: "alarm", tag: "risk", may: sees, summary: "Show an alarm",
		about: "With the first and the last entry of the evidence that show it."}, s.alarm)
	add(s, route{method: "POST", path: "/v1/alarms/{alarm}/acknowledgement", name: "acknowledgeAlarm", tag: "risk", may: only(ownPeople...), summary: "Take an alarm up",
		about: "Who is told of alarms that nobody takes up in time need not be told of this one. A repeat changes nothing."}, s.acknowledgeAlarm)
	add(s, route{method: "POST", path: "/v1/alarms/{alarm}/resolution", name: "resolveAlarm", tag: "risk", may: only(ownPeople...), summary: "Resolve an alarm",
		about: "Says what it turned out to be. What is found after that is a new alarm. The note stays here; the evidence holds its digest."}, s.resolveAlarm)
}

// Alarm is something that looks wrong.
type Alarm struct {
	ID          string     `json:"id"`
	Rule        string     `json:"rule"`
	Key         string     `json:"key,omitzero" doc:"What the rule is about, for mianmi's own people"`
	Severity    string     `json:"severity" enum:"low,medium,high,critical"`
	State       string     `json:"state" enum:"open,acknowledged,resolved"`
	Says        Text       `json:"says" doc:"With the figures of the newest finding"`
	Payer       string     `json:"payer,omitzero"`
	Merchant    string     `json:"merchant,omitzero"`
	Store       string     `json:"store,omitzero"`
	Terminal    string     `json:"terminal,omitzero"`
	Payment     string     `json:"payment,omitzero" doc:"At which it was found last"`
	Reporter    string     `json:"reporter,omitzero" doc:"Who reported it (payer:py…); empty: a rule found it. A merchant sees its own people and terminals"`
	Said        string     `json:"said,omitzero" doc:"What the reporter wrote last"`
	Count       int64      `json:"count" doc:"How often it was found"`
	First       string     `json:"first" doc:"Entry of the evidence at which it began"`
	Last        string     `json:"last" doc:"Entry at which it was found last"`
	FirstAt     time.Time  `json:"first_at" doc:"When it was found first"`
	LastAt      time.Time  `json:"last_at"`
	DueAt       *time.Time `json:"due_at,omitzero" doc:"Escalated then, unless it is acknowledged"`
	EscalatedAt *time.Time `json:"escalated_at,omitzero"`
	TakenBy     string     `json:"acknowledged_by,omitzero"`
	TakenAt     *time.Time `json:"acknowledged_at,omitzero"`
	ResolvedBy  string     `json:"resolved_by,omitzero"`
	ResolvedAt  *time.Time `json:"resolved_at,omitzero"`
	Verdict     string     `json:"verdict,omitzero" enum:"fraud,fault,harmless,false_alarm,unclear,"`
	Note        string     `json:"note,omitzero" doc:"For mianmi's own people"`
	Version     int64      `json:"version"`
}

func showAlarm(a *risk.Alarm) Alarm {
	return Alarm{ID: string(a.ID), Rule: a.Rule, Key: a.Key, Severity: string(a.Severity), State: a.State.String(), Says: Text{ZH: a.Says.ZH, EN: a.Says.EN},
		Payer: string(a.Payer), Merchant: string(a.Merchant), Store: string(a.Store), Terminal: string(a.Terminal), Payment: string(a.Payment), Reporter: a.Reporter, Said: a.Said, Count: a.Count,
		First: string(a.First), Last: string(a.Last), FirstAt: a.FirstAt.UTC(), LastAt: a.LastAt.UTC(), DueAt: timeOrNone(a.DueAt),
		EscalatedAt: timeOrNone(a.EscalatedAt), TakenBy: a.TakenBy, TakenAt: timeOrNone(a.TakenAt), ResolvedBy: a.ResolvedBy,
		ResolvedAt: timeOrNone(a.ResolvedAt), Verdict: a.Verdict, Note: a.Note, Version: a.Version}
}

func (s *Server) alarms(ctx context.Context, a mianmi.Actor, in *struct {
	State    string `query:"state" enum:"open,acknowledged,resolved"`
	Unsolved bool   `query:"unsolved" doc:"Those alone that are not resolved"`
	Severity string `query:"severity" enum:"low,medium,high,critical"`
	Rule     string `query:"rule"`
	Payer    string `query:"payer" doc:"py…"`
	Merchant string `query:"merchant" doc:"mc…"`
	Terminal string `query:"terminal" doc:"tm…"`
	Before   string `query:"before" doc:"next of the page before"`
	Limit    int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}) (*struct{ Body List[Alarm] }, error) {
	list, err := s.Risk.Alarms(ctx, a, risk.Query{State: risk.ParseState(in.State), Unsolved: in.Unsolved, Severity: risk.Severity(in.Severity), Rule: in.Rule,
		Payer: mianmi.PayerID(in.Payer), Merchant: mianmi.MerchantID(in.Merchant), Terminal: mianmi.TerminalID(in.Terminal),
		Before: mianmi.AlarmID(in.Before), Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	return listOf(list, in.Limit, showAlarm, func(a *risk.Alarm) string { return string(a.ID) }), nil
}

// AlarmInput names an alarm.
type AlarmInput struct {
	Alarm string `path:"alarm" doc:"am…"`
}

func (s *Server) alarm(ctx context.Context, a mianmi.Actor, in *AlarmInput) (*struct{ Body Alarm }, error) {
	return oneAlarm(s.Risk.Alarm(ctx, a, mianmi.AlarmID(in.Alarm)))
}

func oneAlarm(a risk.Alarm, err error) (*struct{ Body Alarm }, error) {
	if err != nil {
		return nil, err
	}
	return &struct{ Body Alarm }{showAlarm(&a)}, nil
}

func (s *Server) acknowledgeAlarm(ctx context.Context, a mianmi.Actor, in *AlarmInput) (*struct{ Body Alarm }, error) {
	return oneAlarm(s.Risk.Acknowledge(ctx, a, mianmi.AlarmID(in.Alarm)))
}

func (s *Server) resolveAlarm(ctx context.Context, a mianmi.Actor, in *struct {
	AlarmInput
	Body struct {
		Verdict string `json:"verdict" enum:"fraud,fault,harmless,false_alarm,unclear"`
		Note    string `json:"note,omitzero" doc:"At most 1,000 bytes"`
	}
}) (*struct{ Body Alarm }, error) {
	return oneAlarm(s.Risk.Resolve(ctx, a, mianmi.AlarmID(in.Alarm), risk.Resolution{Verdict: in.Body.Verdict, Note: in.Body.Note}))
}
