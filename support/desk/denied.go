package desk

import (
	"context"

	"github.com/mianmi/mianmi"
)

// DeniedPayment is what a payer, asked by a risk rule, said not to have done.
type DeniedPayment struct {
	Payer   mianmi.PayerID
	Payment mianmi.PaymentID // empty: it was at none
	Alarm   mianmi.AlarmID
	Finding mianmi.EntryID
}

// deniedText stands for the payer, who answered no and wrote nothing.
const deniedText = "收到“是你本人吗？”的询问，付款人答复：不是本人。\nAsked \"was it you?\", the payer answered: no."

// OpenDenied opens the payer's case of fraud about it, or finds the one that there
// is: see Open.
func (s *Service) OpenDenied(ctx context.Context, d DeniedPayment) (Opened, error) {
	links := []NewLink{{Kind: ToAlarm, Ref: string(d.Alarm)}, {Kind: ToEntry, Ref: string(d.Finding)}}
	if d.Payment != "" {
		links = append(links, NewLink{Kind: ToPayment, Ref: string(d.Payment)})
	}
	return s.Open(ctx, mianmi.Actor{Role: mianmi.RolePayer, ID: string(d.Payer)},
		NewCase{Kind: Fraud, Category: "was_it_you", Payer: d.Payer, Text: deniedText, Links: links})
}
