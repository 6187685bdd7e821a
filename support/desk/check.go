package desk

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
)

// NewCheck is an identity check that was made: its method is one of
// payer.BasisMethod.
type NewCheck struct {
	Method string
	Asked  []string // names of what was asked: "last_payment", "birth_date"; never an answer
	Passed bool
}

// CheckLife is how long a passed check lets the one who made it act.
const CheckLife = 30 * time.Minute

const askedMax = 20

// Verify records an identity check that the actor made.
func (s *Service) Verify(ctx context.Context, actor mianmi.Actor, id mianmi.CaseID, n NewCheck) (Whole, error) {
	if err := access.Allow(actor, access.CaseWork, access.Target{}); err != nil {
		return Whole{}, err
	}
	switch payer.BasisMethod(n.Method) {
	case payer.ByDocument, payer.ByVideo, payer.ByCallback, payer.AtBranch, payer.BySignature:
	default:
		return Whole{}, mianmi.InvalidField("method", "want id_document, video_call, call_back, branch or signed_request")
	}
	if len(n.Asked) == 0 || len(n.Asked) > askedMax {
		return Whole{}, mianmi.InvalidField("asked", "name what was asked, 1 to 20 things")
	}
	for _, a := range n.Asked {
		if a == "" || len(a) > 40 || strings.Trim(a, "abcdefghijklmnopqrstuvwxyz_") != "" {
			return Whole{}, mianmi.InvalidField("asked", "names of what was asked: at most 40 of a-z and '_', and never an answer")
		}
	}
	return s.change(ctx, actor, id, func(ch *Change) error {
		switch {
		case ch.Case.Payer == "":
			return mianmi.Conflicts("no_payer", "the case is about no payer: link a payment first")
		case len(ch.Was.Checks) >= checksMax:
			return mianmi.Conflicts("too_many_checks", "a case has at most 50 identity checks")
		}
		ch.Checks = []Check{{N: int64(len(ch.Was.Checks)) + 1, Method: n.Method, Asked: n.Asked, Passed: n.Passed, Actor: actor.String(), At: s.now()}}
		return s.add(ch, actor, TypeChecked, func(r *Record) { r.Method, r.Asked, r.Passed = n.Method, n.Asked, &n.Passed })
	})
}

// Act is something that support does for a payer. The zero Act is nothing.
type Act string

// The acts. Those that protect need no check of identity.
const (
	CloseAll       Act = "close_pin_free"
	ReportLoss     Act = "report_loss"
	CloseAgreement Act = "close_agreement"
	Hold           Act = "hold"
	LiftHold       Act = "lift_hold"
	AllowOnce      Act = "allow_once"
	LiftLoss       Act = "lift_loss"
	Unlock         Act = "unlock_password"
	ResetPassword  Act = "reset_password"
)

var acts = []Act{CloseAll, ReportLoss, CloseAgreement, Hold, LiftHold, AllowOnce, LiftLoss, Unlock, ResetPassword}

// protects reports whether the act makes things stricter alone.
func (a Act) protects() bool {
	return a == CloseAll || a == ReportLoss || a == CloseAgreement || a == Hold
}

// Do is an act to be done.
type Do struct {
	Act       Act
	Agreement mianmi.AgreementID // of CloseAgreement
	Until     time.Time          // of Hold: a minute to payer.HoldLifeMax from now
	Max       money.Amount       // of AllowOnce: the most that the payment may be
	Merchant  mianmi.MerchantID  // of AllowOnce; empty: any
}

// check refuses what is missing, and what belongs to another act.
func (d *Do) check() error {
	switch {
	case !slices.Contains(acts, d.Act):
		return mianmi.InvalidField("act", "want close_pin_free, report_loss, close_agreement, hold, lift_hold, allow_once, lift_loss, unlock_password or reset_password")
	case (d.Act == CloseAgreement) != (d.Agreement != ""):
		return mianmi.InvalidField("agreement", "belongs to close_agreement, which needs it")
	case (d.Act == Hold) == d.Until.IsZero():
		return mianmi.InvalidField("until", "belongs to hold, which needs it")
	case (d.Act == AllowOnce) != (d.Max != money.Amount{}):
		return mianmi.InvalidField("max", "belongs to allow_once, which needs it")
	case d.Act != AllowOnce && d.Merchant != "":
		return mianmi.InvalidField("merchant", "belongs to allow_once")
	}
	return nil
}

// Done is what an act came to.
type Done struct {
	Whole
	Reset *payer.Reset // of ResetPassword: shown once
}

var errUnchecked = mianmi.Conflicts("identity_unchecked", "check the payer's identity first: your own check, passed within the last 30 minutes")

// Do acts for the payer of the case, with the actor's own rights and by the
// newest check that the actor made.
func (s *Service) Do(ctx context.Context, actor mianmi.Actor, id mianmi.CaseID, d Do) (Done, error) {
	if err := access.Allow(actor, access.CaseWork, access.Target{}); err != nil {
		return Done{}, err
	}
	if err := d.check(); err != nil {
		return Done{}, err
	}
	w, err := s.Case(ctx, actor, id)
	if err != nil {
		return Done{}, err
	}
	switch {
	case w.State == Closed:
		return Done{}, mianmi.Conflicts("case_over", "the case is over: reopen it first")
	case w.Payer == "":
		return Done{}, mianmi.Conflicts("no_payer", "the case is about no payer: link a payment first")
	}
	basis, checked := s.basis(&w, actor)
	if !checked && !d.Act.protects() {
		return Done{}, errUnchecked
	}
	var out Done
	if out.Reset, err = s.act(ctx, actor, w.Payer, d, basis); err != nil {
		return Done{}, err
	}
	// The act is done, and in the payer's own record with the case's number. If
	// this step is lost, a repeat of the act adds it.
	out.Whole, err = s.change(ctx, actor, id, func(ch *Change) error {
		return s.add(ch, actor, TypeActed, func(r *Record) { r.Act, r.Method = string(d.Act), string(basis.Method) })
	})
	return out, err
}

func (s *Service) act(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, d Do, basis payer.Basis) (reset *payer.Reset, err error) {
	switch d.Act {
	case CloseAll:
		_, err = s.Payers.Close(ctx, actor, id, basis)
	case ReportLoss:
		_, err = s.Payers.ReportLoss(ctx, actor, id, basis)
	case CloseAgreement:
		_, err = s.Payers.CloseAgreement(ctx, actor, id, d.Agreement)
	case Hold:
		_, err = s.Payers.Hold(ctx, actor, id, payer.HoldOrder{Until: d.Until, Because: payer.HoldCase, Basis: basis})
	case LiftHold:
		_, err = s.Payers.LiftHold(ctx, actor, id, payer.HoldLifting{Basis: basis})
	case AllowOnce:
		_, err = s.Payers.GrantAllowance(ctx, actor, id, payer.AllowanceInput{Max: d.Max, Merchant: d.Merchant, Basis: basis})
	case LiftLoss:
		_, err = s.Payers.LiftLoss(ctx, actor, id, basis)
	case Unlock:
		_, err = s.Payers.Unlock(ctx, actor, id, basis)
	case ResetPassword:
		var r payer.Reset
		if r, err = s.Payers.ResetPassword(ctx, actor, id, basis); err == nil {
			reset = &r
		}
	}
	return reset, err
}

// basis is the actor's own last check, when it was passed lately; else, for what
// protects, that there is a case.
func (s *Service) basis(w *Whole, actor mianmi.Actor) (payer.Basis, bool) {
	for i := len(w.Checks) - 1; i >= 0; i-- {
		if c := w.Checks[i]; c.Actor == actor.String() {
			if c.Passed && s.now().Sub(c.At) < CheckLife {
				return payer.Basis{Method: payer.BasisMethod(c.Method), Ref: w.Number}, true
			}
			break
		}
	}
	return payer.Basis{Method: payer.OnRiskCase, Ref: w.Number}, false
}
