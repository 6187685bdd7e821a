package api

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/support/liability"
)

// Liability is what happened in a case, and who is to bear what.
type Liability struct {
	ReportedAt  time.Time          `json:"reported_at"`
	ProtectedAt *time.Time         `json:"protected_at,omitzero" doc:"Since when nothing of the payer's passes PIN-free; left out: it does"`
	PaidYear    []Amount           `json:"paid_this_year" doc:"What the payer's other cases of the year were given"`
	Findings    []LiabilityFinding `json:"findings"`
	Totals      []LiabilityTotal   `json:"totals" doc:"None when the payments have several currencies"`
	Events      []LiabilityEvent   `json:"events" doc:"Oldest first"`
}

// Promise is what a rule pack promises to holders of lost or stolen cards.
type Promise struct {
	Pack    string `json:"pack"`
	Version int64  `json:"version"`
	ID      string `json:"id"`
	Title   Text   `json:"title"`
}

// LiabilityFinding is a payment with who is to bear what is missing of it.
type LiabilityFinding struct {
	Payment string           `json:"payment"`
	At      time.Time        `json:"at"`
	Missing Amount           `json:"missing" doc:"Captured, and not given back"`
	Promise *Promise         `json:"promise,omitzero" doc:"What the rule packs in force promise for it; left out: nothing"`
	Shares  []LiabilityShare `json:"shares" doc:"They sum up to missing"`
}

// LiabilityShare is what one is to bear, and why.
type LiabilityShare struct {
	Bearer string        `json:"bearer" enum:"unclear,nobody,payer,cover,merchant,platform"`
	Amount Amount        `json:"amount"`
	Reason string        `json:"reason" enum:"unknown,nothing_missing,not_settled,paid_in_cash,authenticated,not_rebuilt,passed_while_off,reported_before,terminal_unproved,no_promise,promised,not_promised"`
	Words  Text          `json:"words"`
	Off    *LiabilityOff `json:"off,omitzero" doc:"Of passed_while_off"`
}

// LiabilityOff is something that was off when a payment passed.
type LiabilityOff struct {
	Layer string    `json:"layer"`
	ID    string    `json:"id,omitzero"`
	Since time.Time `json:"since"`
	Entry string    `json:"entry" doc:"en…, for a receipt"`
}

// LiabilityTotal is what one is to bear in all.
type LiabilityTotal struct {
	Bearer string `json:"bearer"`
	Amount Amount `json:"amount"`
}

// LiabilityEvent is something that happened.
type LiabilityEvent struct {
	At   time.Time `json:"at"`
	What string    `json:"what" doc:"reported, payment, terminal_proved, payout_ordered, payout_approved, payout_paid, payout_refused, or the type of an entry"`
	Ref  string    `json:"ref"`
}

func (s *Server) liability(ctx context.Context, a mianmi.Actor, in *struct {
	CaseInput
	Confirmed bool `query:"confirmed" doc:"The fraud has been confirmed"`
}) (*struct{ Body Liability }, error) {
	t, err := s.Liability.Of(ctx, a, in.id(), in.Confirmed)
	if err != nil {
		return nil, err
	}
	out := Liability{ReportedAt: t.Facts.Reported.UTC(), ProtectedAt: timeOrNone(t.Facts.Protected), PaidYear: []Amount{},
		Findings: make([]LiabilityFinding, len(t.Findings)), Totals: []LiabilityTotal{}, Events: make([]LiabilityEvent, len(t.Events))}
	for _, c := range slices.Sorted(maps.Keys(t.Facts.PaidThisYear)) {
		out.PaidYear = append(out.PaidYear, amountOf(money.Of(t.Facts.PaidThisYear[c], c)))
	}
	for i := range t.Findings {
		out.Findings[i] = showFinding(&t.Findings[i])
	}
	for b := liability.Unclear; b <= liability.Platform && t.Currency != ""; b++ {
		if n := t.Total[b]; n != 0 {
			out.Totals = append(out.Totals, LiabilityTotal{b.String(), amountOf(money.Of(n, t.Currency))})
		}
	}
	for i, e := range t.Events {
		out.Events[i] = LiabilityEvent{e.At.UTC(), e.What, e.Ref}
	}
	return &struct{ Body Liability }{out}, nil
}

func showFinding(f *liability.Finding) LiabilityFinding {
	out := LiabilityFinding{Payment: string(f.Payment), At: f.At.UTC(), Missing: amountOf(f.Open), Shares: make([]LiabilityShare, len(f.Shares))}
	if r := f.Rule; r != nil {
		out.Promise = &Promise{Pack: r.Pack, Version: r.Version, ID: r.ID, Title: textOf(r.Title)}
	}
	for i, x := range f.Shares {
		out.Shares[i] = LiabilityShare{Bearer: x.Bearer.String(), Amount: amountOf(x.Amount), Reason: x.Reason.String(), Words: textOf(x.Words)}
		if o := x.Off; o != nil {
			out.Shares[i].Off = &LiabilityOff{Layer: o.Layer.String(), ID: o.ID, Since: o.Since.UTC(), Entry: string(o.Entry)}
		}
	}
	return out
}
