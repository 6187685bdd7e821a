package desk

import (
	"context"
	"fmt"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payment"
)

// Breach are payments of one payer that passed PIN-free although they were switched
// off, as an alarm told. Whoever calls has made sure of it from the record.
type Breach struct {
	Alarm    mianmi.AlarmID
	Payer    mianmi.PayerID
	Payments []payment.Payment
}

// UsedAfterClosing is the category of cases that the system opens of a Breach.
const UsedAfterClosing = "used_after_closing"

// redress is who gives back what passed against an OFF.
var redress = mianmi.System("redress")

// breachWords are what the payer and the desk read in such a case.
const breachWords = "这些付款在免密关闭之后仍然免密通过，属平台责任。系统已自动登记，并全额退还，费用由平台承担。\n" +
	"These payments passed PIN-free although it was switched off. That is a breach of ours: they are given back in full, at our cost, without anybody having to ask."

// breachPaymentsMax is how many payments of a breach one case takes at once.
const breachPaymentsMax = 50

// MakeGood opens a case of a breach, decides it for the payer and refunds what is
// left of the payments at the platform's cost, within Limits.Case, and Limits.Day of
// the system as of a person. It may be called again, by several nodes at once: each
// payment is refunded once. A case that a person has opened about one of the payments
// is left to people, with a note, until it is decided; then what it awards is paid.
//
// It returns the case, and why something is not refunded yet: errors that wait for a
// person (ErrNotCovered, ErrDayMax, a bound, an award that is too small).
func (s *Service) MakeGood(ctx context.Context, b Breach) (mianmi.CaseID, error) {
	c, err := s.caseOf(ctx, &b)
	if err != nil {
		return "", err
	}
	if c.OpenedBy == redress.String() && c.State != Decided && c.State != Closed {
		d := Decision{Verdict: Upheld, Award: sumOf(b.Payments), Text: breachWords, Version: c.Version}
		if c.Whole, err = s.decide(ctx, redress, c.ID, d); err != nil {
			return c.ID, err
		}
	}
	if c.State != Decided && c.State != Closed {
		return c.ID, errUndecided
	}
	done, err := s.Store.Payouts(ctx, c.ID)
	if err != nil {
		return c.ID, err
	}
	ordered := map[string]bool{}
	for i := range done {
		ordered[done[i].Key] = true
	}
	for i := range b.Payments {
		p := &b.Payments[i]
		n := NewPayout{Key: "breach-" + string(p.ID), Payment: p.ID, Source: FromPlatform, Basis: OnBreach, Amount: money.Of(p.Amount.Minor()-p.Refunded, p.Amount.Currency())}
		if ordered[n.Key] || !n.Amount.Positive() {
			continue
		}
		if _, err := s.order(ctx, redress, c.ID, n); err != nil {
			return c.ID, fmt.Errorf("give back %s: %w", p.ID, err)
		}
	}
	return c.ID, nil
}

// caseOf is the case of the breach's alarm, with all of the payments.
func (s *Service) caseOf(ctx context.Context, b *Breach) (Opened, error) {
	if len(b.Payments) == 0 || len(b.Payments) > breachPaymentsMax || b.Alarm == "" || b.Payer == "" {
		return Opened{}, mianmi.InvalidField("payments", "1 to 50 payments of a payer, with the alarm that told of them")
	}
	list, err := s.Store.Cases(ctx, Query{Link: NewLink{Kind: ToAlarm, Ref: string(b.Alarm)}, Limit: 1})
	if err != nil {
		return Opened{}, err
	}
	if len(list) > 0 {
		w, err := s.Store.Case(ctx, list[0].ID)
		if err != nil || hasAll(&w, b.Payments) {
			return Opened{Whole: w, Known: true}, err
		}
	}
	n := NewCase{Kind: Dispute, Category: UsedAfterClosing, Payer: b.Payer, Text: breachWords, Links: []NewLink{{Kind: ToAlarm, Ref: string(b.Alarm)}}}
	for i := range b.Payments {
		n.Links = append(n.Links, NewLink{Kind: ToPayment, Ref: string(b.Payments[i].ID)})
	}
	o, err := s.Open(ctx, redress, n)
	if err != nil {
		return Opened{}, err
	}
	o.Whole, err = s.Store.Case(ctx, o.ID)
	return o, err
}

func hasAll(w *Whole, list []payment.Payment) bool {
	for i := range list {
		if !linked(w, list[i].ID) {
			return false
		}
	}
	return true
}

func sumOf(list []payment.Payment) money.Amount {
	minor := int64(0)
	for i := range list {
		minor += list[i].Amount.Minor() - list[i].Refunded
	}
	return money.Of(minor, list[0].Amount.Currency())
}
