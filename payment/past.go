package payment

import (
	"context"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/pinfree/compare"
	"github.com/mianmi/mianmi/settings"
)

// Past is a stored payment with its instrument, for a replay.
type Past struct {
	Payment
	Instrument *payer.Instrument // as it is now; nil: none, or gone
}

// PastQuery asks for stored payments.
type PastQuery struct {
	Since time.Time // made at or after; zero: from the first
	Limit int       // at most so many, the newest
}

// History is what a replay needs of the store.
type History interface {
	// Past gives stored payments, newest first. It reads without locks, page by
	// page: a payment that changes meanwhile is given as it was at one moment.
	Past(ctx context.Context, q PastQuery) iter.Seq2[Past, error]
	Settings(ctx context.Context) (*settings.Snapshot, error)
}

// Replayer sends stored payments through two rule sets.
//
// A stored payment tells amount, method, card, time, what became of it and who
// besides the packs asked for a PIN. The facts of its terminal and merchant are
// those of today, and authentications apart from payments are not told.
type Replayer struct {
	History  History
	Query    PastQuery
	Time     time.Duration // longest time of a replay, half of it for reading; 0: as long as it takes
	Examples int           // of each kind of difference; 0: the default of compare
}

// Replay compares what a and b make of the payments, in order of their time.
// When its time is over it tells of what it has, marked as cut: of the newest
// payments, for those are read first.
func (r Replayer) Replay(ctx context.Context, a, b *pinfree.RuleSet) (compare.Report, error) {
	snap, err := r.History.Settings(ctx)
	if err != nil {
		return compare.Report{}, err
	}
	whole, cancel := r.within(ctx, r.Time)
	defer cancel()
	list, cut, err := r.read(ctx, snap)
	if err != nil {
		return compare.Report{}, err
	}
	return compare.Replay(a, b, func() (compare.Payment, error) {
		switch {
		case ctx.Err() != nil:
			return compare.Payment{}, ctx.Err()
		case whole.Err() != nil, len(list) == 0 && cut:
			return compare.Payment{}, compare.ErrEnough
		case len(list) == 0:
			return compare.Payment{}, io.EOF
		}
		p := list[0]
		list = list[1:]
		return p, nil
	}, compare.Options{Examples: r.Examples})
}

func (r Replayer) within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if r.Time == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}

// read returns the payments in order of time. cut says that time was over
// before all were read.
func (r Replayer) read(ctx context.Context, snap *settings.Snapshot) (list []compare.Payment, cut bool, err error) {
	reading, cancel := r.within(ctx, r.Time/2)
	defer cancel()
	for p, err := range r.History.Past(reading, r.Query) {
		switch {
		case reading.Err() != nil && ctx.Err() == nil:
			cut = true
		case err != nil:
			return nil, false, err
		case p.Payer != "" && p.Method != pinfree.Cash: // cash is recorded, not decided
			list = append(list, p.replayed(snap))
		}
		if cut {
			break
		}
	}
	slices.SortStableFunc(list, func(x, y compare.Payment) int { return x.At.Compare(y.At) })
	return list, cut, nil
}

// replayed is the payment as a replay takes it.
func (p *Past) replayed(snap *settings.Snapshot) compare.Payment {
	out := compare.Payment{ID: string(p.ID), At: p.CreatedAt, Payer: string(p.Payer), Amount: p.Amount, Method: p.Method, Entry: p.Entry,
		Card: card(p.Instrument), Subject: p.subject(), Layers: p.layersThen(), Result: p.result(), Can: pinfree.ByPhonePassword}
	if p.Outcome != pinfree.StepUp { // else it is what the step-up brought
		out.CVM = p.CVM
	}
	if p.State == Reversed {
		out.ReversedAt = p.StateAt
	}
	risk := ""
	if site, ok := snap.Site(p.Terminal); ok {
		out.Place, out.Can, risk = site.Place(), terminalCan(&site), site.Merchant.Facts.Risk
	}
	if slices.ContainsFunc(p.Reasons, func(w pinfree.Why) bool { return w.Reason == pinfree.NoStepUpPossible }) {
		out.Can = 0
	}
	out.Facts = p.factsThen(out.CVM, risk)
	return out
}

// factsThen are the facts of the payment. What the payer had said shows in the
// reasons: who had closed PIN-free, and which own limit was passed.
func (p *Past) factsThen(cvm pinfree.CVM, risk string) *pinfree.Facts {
	f := new(pinfree.Facts)
	gather(f, &Request{Amount: p.Amount, Method: p.Method, Entry: p.Entry, CVM: cvm}, p.Instrument, risk)
	f.Consent = consent(pinfree.On)
	f.Figures[pinfree.PayerPaymentLimit], f.Figures[pinfree.PayerCumulativeLimit] = pinfree.NoFigure, pinfree.NoFigure
	for _, w := range p.Reasons {
		switch {
		case w.Layer != pinfree.LayerPayer:
		case w.Reason == pinfree.PayerClosed, w.Reason == pinfree.PayerFrozen, w.Reason == pinfree.PayerCoolingOff:
			f.Consent = consent(pinfree.Off)
		case w.Reason == pinfree.LayerUnknown:
			f.Consent = consent(pinfree.Unknown)
		case w.Reason == pinfree.OwnPerPaymentLimit:
			f.Figures[pinfree.PayerPaymentLimit] = w.Limit
		}
	}
	return f
}

// layersThen are those besides the packs who asked for a PIN or refused then.
func (p *Past) layersThen() []pinfree.Layer {
	var out []pinfree.Layer
	for _, w := range p.Reasons {
		ofPacks := w.Rule != "" && w.Layer != pinfree.LayerPosture || w.Layer == pinfree.LayerNone || w.Layer == pinfree.LayerRegulation || w.Layer == pinfree.LayerScheme
		if !ofPacks && w.Reason < pinfree.WithinLimits {
			out = append(out, pinfree.Layer{Kind: w.Layer, ID: w.ID, Version: w.Version, State: pinfree.Off, Because: w.Reason,
				Rule: w.Rule, At: w.At, Refuse: w.Reason < pinfree.PayerFrozen})
		}
	}
	return out
}

// result is what became of the payment.
func (p *Past) result() compare.Result {
	switch p.State {
	case Approved, Reversed, Refunded, PartlyRefunded:
		return compare.Executed
	case Declined:
		switch p.Failure {
		case channel.InsufficientFunds, channel.CurrencyMismatch, channel.BalanceTooLarge, channel.CodeRefused, channel.ChannelRefused, channel.ChannelBusy:
			return compare.Declined // by the channel
		case channel.NoFailure, channel.PasswordLocked, channel.PayerStopped:
		}
		return compare.Stopped
	case StepUpRequired, Verifying, Unknown, Undoing, Expired, Refused:
		return compare.Stopped
	}
	return compare.ResultUnknown
}
