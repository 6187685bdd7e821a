// Package redress gives back by itself what passed PIN-free after an OFF: it looks
// at alarms that tell of such payments, makes sure of each from the record, and has
// the support desk refund it at the platform's cost (docs/adr/0031).
package redress

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/risk"
	"github.com/mianmi/mianmi/support/desk"
)

// Alarms is what this package asks of risk.Service.
type Alarms interface {
	Alarms(ctx context.Context, a mianmi.Actor, q risk.Query) ([]risk.Alarm, error)
}

// Payments is what it asks of payment.Service.
type Payments interface {
	Payments(ctx context.Context, a mianmi.Actor, id mianmi.PayerID, before mianmi.PaymentID, limit int) ([]payment.Payment, error)
}

// Record is what it asks of liability.Service.
type Record interface {
	WhileOff(ctx context.Context, a mianmi.Actor, id mianmi.PayerID, list []payment.Payment) ([]payment.Payment, error)
}

// Cases is what it asks of desk.Service.
type Cases interface {
	MakeGood(ctx context.Context, b desk.Breach) (mianmi.CaseID, error)
}

// Service looks after breaches. All parts are required.
type Service struct {
	Alarms   Alarms
	Payments Payments
	Record   Record
	Cases    Cases
	Log      *slog.Logger
}

// rules are those whose alarms tell of payments after an OFF.
var rules = []string{"payer_used_after_closing", "agreement_used_after_closing"}

const (
	// lookBack is how far before its alarm a payment is looked at: as far as the
	// rules' windows reach.
	lookBack = 7 * 24 * time.Hour
	// paymentsMax is how many of a payer's newest payments are looked at.
	paymentsMax = 200
)

var system = mianmi.System("redress")

// Sweep looks at each alarm that is not over. One that cannot be made good now does
// not keep the others from it.
func (s *Service) Sweep(ctx context.Context) error {
	var failed error
	for _, rule := range rules {
		q := risk.Query{Rule: rule, Unsolved: true}
		for {
			list, err := s.Alarms.Alarms(ctx, system, q)
			if err != nil {
				return err
			}
			for i := range list {
				if err := s.makeGood(ctx, &list[i]); err != nil {
					if mianmi.KindOf(err) == mianmi.Internal || mianmi.KindOf(err) == mianmi.Unavailable {
						failed = errors.Join(failed, err)
						continue
					}
					s.Log.WarnContext(ctx, "a payment after an OFF waits for a person to be given back", "alarm", list[i].ID, "error", err)
				}
			}
			if len(list) == 0 {
				break
			}
			q.Before = list[len(list)-1].ID
		}
	}
	return failed
}

func (s *Service) makeGood(ctx context.Context, a *risk.Alarm) error {
	if a.Payer == "" {
		return nil
	}
	list, err := s.Payments.Payments(ctx, system, a.Payer, "", paymentsMax)
	if err != nil {
		return err
	}
	var near []payment.Payment
	for i := range list {
		if list[i].CreatedAt.After(a.FirstAt.Add(-lookBack)) {
			near = append(near, list[i])
		}
	}
	breach, err := s.Record.WhileOff(ctx, system, a.Payer, near)
	if err != nil || len(breach) == 0 {
		return err
	}
	_, err = s.Cases.MakeGood(ctx, desk.Breach{Alarm: a.ID, Payer: a.Payer, Payments: breach[:min(len(breach), 50)]})
	return err
}
