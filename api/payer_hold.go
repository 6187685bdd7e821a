package api

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payer"
)

func (s *Server) registerPayerHolds() {
	at := func(path, name, summary, about string, may rule) route {
		return route{method: "POST", path: "/v1/payers/{payer}" + path, name: name, tag: "payers", summary: summary, about: about, may: may}
	}
	add(s, at("/hold", "holdPayer", "Hold PIN-free payment for a time",
		"In one step. Until its end every payment asks for authentication, whatever the payer's own switch says; the switch, its cooling-off, limits, agreements and "+
			"payment codes stay as they are, and the one-off allowance does not override it. A hold that stands is made longer, never shorter.",
		only(ownPeople...).and(mianmi.RolePayer).keys(mianmi.ScopePayers)), s.holdPayer)
	add(s, at("/hold/lift", "liftHold", "End a hold before its time",
		"By support after a check of identity that basis names, by risk or the operator with a basis (a risk case is enough), or, "+
			"where the hold is answerable, by the payer with the payment password.",
		only(mianmi.RoleSupport, mianmi.RoleRisk, mianmi.RoleOperator).and(mianmi.RolePayer)), s.liftHold)
}

// Hold is a protective measure on a payer.
type Hold struct {
	Since      time.Time `json:"since"`
	Until      time.Time `json:"until" doc:"It ends by itself"`
	By         string    `json:"by" doc:"Role of who placed it" example:"risk_analyst"`
	Because    string    `json:"because" enum:"unusual,reported,case,asked,restored,signal"`
	Words      Text      `json:"words" doc:"Why"`
	Answerable bool      `json:"answerable" doc:"Whether the payer may lift it with the payment password"`
	Rule       string    `json:"rule,omitzero" doc:"The risk rule that placed it"`
}

func showHold(h *payer.Hold) *Hold {
	if h == nil {
		return nil
	}
	return &Hold{Since: h.Since.UTC(), Until: h.Until.UTC(), By: h.By, Because: string(h.Because), Words: textOf(h.Because.Words()), Answerable: h.Answerable(), Rule: h.Rule}
}

// HoldBody asks for a hold.
type HoldBody struct {
	Until   time.Time   `json:"until" doc:"One minute to 30 days ahead"`
	Because string      `json:"because" enum:"unusual,reported,case,asked"`
	Basis   *StaffBasis `json:"basis,omitzero"`
}

func (s *Server) holdPayer(ctx context.Context, a mianmi.Actor, in *struct {
	PayerInput
	Body HoldBody
}) (*StatusOutput, error) {
	id, err := in.id(a)
	if err != nil {
		return nil, err
	}
	return s.status(s.Payers.Hold(ctx, a, id, payer.HoldOrder{Until: in.Body.Until, Because: payer.HoldCause(in.Body.Because), Basis: in.Body.Basis.basis()}))
}

// HoldLiftingBody names the ground on which staff act; a payer gives the password.
type HoldLiftingBody struct {
	Basis    *StaffBasis `json:"basis,omitzero"`
	Password string      `json:"password,omitzero" doc:"The payer's own, from the payer alone"`
}

func (s *Server) liftHold(ctx context.Context, a mianmi.Actor, in *struct {
	PayerInput
	Body HoldLiftingBody
}) (*StatusOutput, error) {
	id, err := in.id(a)
	if err != nil {
		return nil, err
	}
	return s.status(s.Payers.LiftHold(ctx, a, id, payer.HoldLifting{Basis: in.Body.Basis.basis(), Password: in.Body.Password}))
}
