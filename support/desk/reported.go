package desk

import (
	"context"

	"github.com/mianmi/mianmi"
)

// ReportedPayment is what a payer reported of an own payment with one button.
type ReportedPayment struct {
	Kind    string // not_me: a case of fraud; anything else: a dispute
	Payment mianmi.PaymentID
	Alarm   mianmi.AlarmID // that the report became
	Text    string         // the payer's words, or those of the button
}

// OpenReported opens the payer's case about it, or finds the one that there is: see
// Open.
func (s *Service) OpenReported(ctx context.Context, actor mianmi.Actor, r ReportedPayment) (Opened, error) {
	kind := Dispute
	if r.Kind == "not_me" {
		kind = Fraud
	}
	return s.Open(ctx, actor, NewCase{Kind: kind, Category: "reported_" + r.Kind, Text: r.Text,
		Links: []NewLink{{Kind: ToPayment, Ref: string(r.Payment)}, {Kind: ToAlarm, Ref: string(r.Alarm)}}})
}
