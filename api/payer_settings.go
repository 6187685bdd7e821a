package api

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
)

func (s *Server) registerPayerSettings() {
	tightens := only(ownPeople...).and(mianmi.RolePayer).keys(mianmi.ScopePayers)
	loosens, identifies := only(mianmi.RolePayer), only(mianmi.RoleSupport, mianmi.RoleOperator)
	at := func(method, path, name, summary, about string, may rule) route {
		return route{method: method, path: "/v1/payers/{payer}" + path, name: name, tag: "payers", summary: summary, about: about, may: may}
	}
	add(s, at("POST", "/pin-free/close", "closePinFree", "Switch PIN-free payment off",
		"In one step. Once it has answered, no payment that is decided later passes PIN-free, and nothing else has changed. Staff may name the ground in basis.", tightens), s.closePinFree)
	once := at("POST", "/pin-free/reopen", "reopenPinFree", "Switch PIN-free payment on again",
		"Needs the payment password and the current risk text (GET /v1/texts), and is in force after the cooling-off.", loosens)
	once.repeat = firstAnswer
	add(s, once, s.reopenPinFree)
	add(s, at("PUT", "/limits", "setLimits", "Replace the own limits",
		"All of them: a limit left out is none. What is tighter is in force at once; what is looser needs the password and the risk text, and waits for the cooling-off.", loosens), s.setLimits)
	once = at("POST", "/allowance", "grantAllowance", "Allow one PIN-free payment in advance",
		"Without reopening. A new one takes the place of an older one; any tightening voids it.", loosens)
	once.repeat = firstAnswer
	add(s, once, s.grantAllowance)
	add(s, at("DELETE", "/allowance", "revokeAllowance", "Take the one-off allowance back", "In one step.", tightens), s.revokeAllowance)

	add(s, at("GET", "/agreements", "agreements", "List the agreements with merchants", "Open ones first; closed ones stay with their time. At most 500.",
		only(readers...).and(mianmi.RolePayer).keys(mianmi.ScopePayers)), s.agreements)
	once = at("POST", "/agreements", "openAgreement", "Open an agreement with a merchant",
		"Needs the payment password and the current consent text (GET /v1/texts). It does not open the payer's own switch.", loosens)
	once.repeat = firstAnswer
	add(s, once, s.openAgreement)
	add(s, at("POST", "/agreements/{agreement}/close", "closeAgreement", "End an agreement", "In one step, and at once.", tightens), s.closeAgreement)

	add(s, at("POST", "/loss/report", "reportLoss", "Report the phone or card lost",
		"Freezes everything PIN-free at once, voids payment codes, and ends all other sessions. Support may do it for the payer.", tightens), s.reportLoss)
	add(s, at("POST", "/loss/lift", "liftLoss", "End a loss report",
		"By support, after a check of identity that basis names, and once a new payment password is set. PIN-free payment stays off.", identifies), s.liftLoss)
	add(s, at("POST", "/password", "setPassword", "Set the first payment password", "Six digits.", loosens.keys(mianmi.ScopePayers)), s.setPassword)
	add(s, at("PUT", "/password", "changePassword", "Change the payment password", "The old one counts as a try. All other sessions end.", loosens), s.changePassword)
	add(s, at("POST", "/password/unlock", "unlockPassword", "Unlock the payment password", "By support, after a check of identity that basis names.", identifies), s.unlockPassword)
	once = at("POST", "/password/reset", "resetPassword", "Issue a one-time code for a new payment password",
		"By support, after a check of identity that basis names; the payer uses it at /v1/password-resets.", identifies)
	once.repeat, once.status = firstAnswer, 201
	add(s, once, s.resetPassword)
	add(s, route{method: "GET", path: "/v1/texts", name: "texts", tag: "payers", may: anybody(), summary: "The texts that payers accept",
		about: "Risk text for reopening and higher limits, consent text for agreements, each with its version."}, s.texts)
}

// Status is what the phone shows.
type Status struct {
	State       string     `json:"state" enum:"closed,cooling_off,open,held,frozen" doc:"held: open, but for a hold"`
	Sentence    Text       `json:"sentence"`
	Since       time.Time  `json:"since"`
	PinFree     bool       `json:"pin_free" doc:"In force now; false as well while held or frozen"`
	Limits      Limits     `json:"limits" doc:"In force now"`
	Pending     *Pending   `json:"pending,omitzero" doc:"What waits for its cooling-off"`
	Hold        *Hold      `json:"hold,omitzero" doc:"In force, beside any state"`
	Allowance   *Allowance `json:"allowance,omitzero"`
	HasPassword bool       `json:"has_password"`
	LockedUntil *time.Time `json:"password_locked_until,omitzero"`
	Version     int64      `json:"version"`
}

// Limits are a payer's own.
type Limits struct {
	PerPayment *Amount     `json:"per_payment,omitzero"`
	DayAmount  *Amount     `json:"day_amount,omitzero"`
	DayCount   *int64      `json:"day_count,omitzero"`
	QuietHours *QuietHours `json:"quiet_hours,omitzero" doc:"PIN-free payment is off in them"`
}

// QuietHours are a span of the payer's day; it may cross midnight.
type QuietHours struct {
	From string `json:"from" example:"22:00"`
	To   string `json:"to" example:"07:00"`
}

// Pending are settings that wait.
type Pending struct {
	PinFree bool      `json:"pin_free"`
	Limits  Limits    `json:"limits"`
	At      time.Time `json:"at" doc:"When they come into force"`
}

// Allowance is leave for one PIN-free payment.
type Allowance struct {
	ID        string    `json:"id"`
	Max       Amount    `json:"max"`
	Merchant  string    `json:"merchant,omitzero" doc:"Left out: any"`
	ExpiresAt time.Time `json:"expires_at"`
}

// StatusOutput is a payer's status.
type StatusOutput struct{ Body Status }

func showLimits(n payer.Settings) Limits {
	l := Limits{PerPayment: amountOrNone(n.PerPayment, n.Currency), DayAmount: amountOrNone(n.DayAmount, n.Currency), DayCount: n.DayCount}
	if n.QuietFrom != n.QuietTo {
		l.QuietHours = &QuietHours{From: clockText(n.QuietFrom), To: clockText(n.QuietTo)}
	}
	return l
}

func showStatus(n payer.Status) Status {
	out := Status{State: string(n.State), Sentence: textOf(n.Sentence), Since: n.Since.UTC(), PinFree: n.State == payer.Open,
		Limits: showLimits(n.Settings), Hold: showHold(n.Hold), HasPassword: n.HasPassword, LockedUntil: timeOrNone(n.LockedUntil), Version: n.Version}
	if p := n.Pending; p != nil {
		out.Pending = &Pending{PinFree: p.Settings.PinFree, Limits: showLimits(p.Settings), At: p.At.UTC()}
	}
	if l := n.Allowance; l != nil {
		out.Allowance = &Allowance{ID: string(l.ID), Max: amountOf(l.Max), Merchant: string(l.Merchant), ExpiresAt: l.ExpiresAt.UTC()}
	}
	return out
}

func (s *Server) status(n payer.Status, err error) (*StatusOutput, error) {
	if err != nil {
		return nil, err
	}
	return &StatusOutput{showStatus(n)}, nil
}

// Basis of staff who act for a payer.
type StaffBasis struct {
	Method string `json:"method" enum:"id_document,video_call,call_back,branch,risk_case,signed_request" doc:"How the identity was checked"`
	Ref    string `json:"ref" doc:"Number of the note or case; no personal data"`
}

// BasisBody names the ground on which staff act; a payer leaves it out.
type BasisBody struct {
	Basis *StaffBasis `json:"basis,omitzero"`
}

type BasisInput struct {
	PayerInput
	Body *BasisBody `required:"false"`
}

func (in *BasisInput) basis() payer.Basis {
	if in.Body == nil {
		return payer.Basis{}
	}
	return in.Body.Basis.basis()
}

func (b *StaffBasis) basis() payer.Basis {
	if b == nil {
		return payer.Basis{}
	}
	return payer.Basis{Method: payer.BasisMethod(b.Method), Ref: b.Ref}
}

// withBasis calls one of the methods that take a basis.
func (s *Server) withBasis(ctx context.Context, a mianmi.Actor, in *BasisInput,
	do func(context.Context, mianmi.Actor, mianmi.PayerID, payer.Basis) (payer.Status, error)) (*StatusOutput, error) {
	id, err := in.id(a)
	if err != nil {
		return nil, err
	}
	return s.status(do(ctx, a, id, in.basis()))
}

func (s *Server) closePinFree(ctx context.Context, a mianmi.Actor, in *BasisInput) (*StatusOutput, error) {
	return s.withBasis(ctx, a, in, s.Payers.Close)
}

func (s *Server) reportLoss(ctx context.Context, a mianmi.Actor, in *BasisInput) (*StatusOutput, error) {
	return s.withBasis(ctx, a, in, s.Payers.ReportLoss)
}

func (s *Server) liftLoss(ctx context.Context, a mianmi.Actor, in *BasisInput) (*StatusOutput, error) {
	return s.withBasis(ctx, a, in, s.Payers.LiftLoss)
}

func (s *Server) unlockPassword(ctx context.Context, a mianmi.Actor, in *BasisInput) (*StatusOutput, error) {
	return s.withBasis(ctx, a, in, s.Payers.Unlock)
}

// Reopening is what switching on needs.
type Reopening struct {
	Password    string `json:"password"`
	RiskVersion string `json:"risk_version" doc:"Of the risk text that the payer has accepted"`
}

func (s *Server) reopenPinFree(ctx context.Context, a mianmi.Actor, in *struct {
	PayerInput
	Body Reopening
}) (*StatusOutput, error) {
	id, err := in.id(a)
	if err != nil {
		return nil, err
	}
	return s.status(s.Payers.Reopen(ctx, a, id, payer.ReopenInput{Password: in.Body.Password, RiskVersion: in.Body.RiskVersion}))
}

// LimitsBody replaces the own limits.
type LimitsBody struct {
	Limits
	Password    string `json:"password,omitzero" doc:"When anything is looser than before"`
	RiskVersion string `json:"risk_version,omitzero"`
}

func (s *Server) setLimits(ctx context.Context, a mianmi.Actor, in *struct {
	PayerInput
	Body LimitsBody
}) (*StatusOutput, error) {
	id, err := in.id(a)
	if err != nil {
		return nil, err
	}
	currency, err := s.currencyOf(ctx, a, id)
	if err != nil {
		return nil, err
	}
	l, err := in.Body.Limits.payer(currency)
	if err != nil {
		return nil, err
	}
	return s.status(s.Payers.SetLimits(ctx, a, id, payer.LimitsInput{Limits: l, Password: in.Body.Password, RiskVersion: in.Body.RiskVersion}))
}

// currencyOf is the currency that a payer's limits are in; it never changes.
func (s *Server) currencyOf(ctx context.Context, a mianmi.Actor, id mianmi.PayerID) (money.Currency, error) {
	v, err := s.Payers.Show(ctx, a, id)
	return v.Balance.Currency(), err
}

func (l *Limits) payer(c money.Currency) (out payer.Limits, err error) {
	if out.PerPayment, err = minorIn("per_payment", l.PerPayment, c); err != nil {
		return out, err
	}
	if out.DayAmount, err = minorIn("day_amount", l.DayAmount, c); err != nil {
		return out, err
	}
	out.DayCount = l.DayCount
	if l.QuietHours == nil {
		return out, nil
	}
	if out.QuietFrom, err = minuteOf("quiet_hours.from", l.QuietHours.From); err != nil {
		return out, err
	}
	out.QuietFrom %= 24 * 60
	out.QuietTo, err = minuteOf("quiet_hours.to", l.QuietHours.To)
	return out, err
}

// AllowanceBody asks for leave for one PIN-free payment.
type AllowanceBody struct {
	Max      Amount `json:"max"`
	Merchant string `json:"merchant,omitzero" doc:"Left out: any"`
	Seconds  int64  `json:"seconds,omitzero" minimum:"1" maximum:"86400" doc:"Default 900"`
	Password string `json:"password"`
}

func (s *Server) grantAllowance(ctx context.Context, a mianmi.Actor, in *struct {
	PayerInput
	Body AllowanceBody
}) (*StatusOutput, error) {
	id, err := in.id(a)
	if err != nil {
		return nil, err
	}
	b := in.Body
	return s.status(s.Payers.GrantAllowance(ctx, a, id, payer.AllowanceInput{Max: b.Max.money(), Merchant: mianmi.MerchantID(b.Merchant),
		Life: time.Duration(b.Seconds) * time.Second, Password: b.Password}))
}

func (s *Server) revokeAllowance(ctx context.Context, a mianmi.Actor, in *PayerInput) (*StatusOutput, error) {
	id, err := in.id(a)
	if err != nil {
		return nil, err
	}
	return s.status(s.Payers.RevokeAllowance(ctx, a, id))
}

func (s *Server) setPassword(ctx context.Context, a mianmi.Actor, in *struct {
	PayerInput
	Body PasswordBody
}) (*StatusOutput, error) {
	id, err := in.id(a)
	if err != nil {
		return nil, err
	}
	return s.status(s.Payers.SetPassword(ctx, a, id, in.Body.Password))
}

// NewPasswordBody changes the payment password.
type NewPasswordBody struct {
	Password    string `json:"password" doc:"The present one"`
	NewPassword string `json:"new_password" doc:"Six digits"`
}

func (s *Server) changePassword(ctx context.Context, a mianmi.Actor, in *struct {
	PayerInput
	Body NewPasswordBody
}) (*StatusOutput, error) {
	id, err := in.id(a)
	if err != nil {
		return nil, err
	}
	return s.status(s.Payers.ChangePassword(ctx, a, id, in.Body.Password, in.Body.NewPassword))
}

// Reset is a one-time code for a new payment password.
type Reset struct {
	Code      string    `json:"code" doc:"Shown once"`
	ExpiresAt time.Time `json:"expires_at"`
}

func (s *Server) resetPassword(ctx context.Context, a mianmi.Actor, in *BasisInput) (*struct{ Body Reset }, error) {
	id, err := in.id(a)
	if err != nil {
		return nil, err
	}
	r, err := s.Payers.ResetPassword(ctx, a, id, in.basis())
	if err != nil {
		return nil, err
	}
	return &struct{ Body Reset }{Reset{Code: r.Code, ExpiresAt: r.ExpiresAt.UTC()}}, nil
}
