package payment

import (
	"time"

	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/settings"
)

// decide gathers who has a say and asks pinfree. It reports whether the
// payer's one-off allowance is what let the payment pass.
func (j *judge) decide(now time.Time, req *Request, f *Facts, site *settings.Site) (pinfree.Decision, bool) {
	through, o := j.channel, req.outside
	unknown := f.Account == nil // through a channel outside alone
	if unknown {
		with := *f
		with.Account = stranger()
		f = &with
	}
	a := f.Account
	in := pinfree.Input{
		Amount: req.Amount, Method: req.Method, Entry: req.Entry, CVM: req.CVM, Card: card(f.Instrument), Place: site.Place(),
		Minute: j.rules.LocalMinute(now), At: now, Rules: j.rules, Can: canStepUp(now, a, site),
	}
	j.counts = j.rules.Roll(j.counts[:0], a.Counters, subjectOf(req.Instrument), now)
	in.Counts, in.Own = j.counts, j.rules.Own(a.Counters, now)

	if o != nil {
		through, in.Can = o.name, o.can(site)
	}
	j.layers = append(j.layers[:0], payerLayer(now, a))
	if l, ok := agreementLayer(f, site); ok {
		j.layers = append(j.layers, l)
	}
	if l, ok := holdLayer(now, a); ok {
		j.layers = append(j.layers, l)
	}
	j.layers = site.AppendLayers(j.layers, settings.Asked{Channel: through, Method: req.Method, Now: now, Proven: f.Proven, Recorded: f.recorded})
	in.Facts = j.gather(now, req, f, site)
	if o != nil {
		j.layers = o.append(j.layers, unknown)
	}
	in.Layers = j.layers
	d := pinfree.Decide(in)
	if d.Outcome != pinfree.StepUp || !allows(now, a, req, site) {
		return d, false
	}
	j.layers[0] = pinfree.Layer{Kind: pinfree.LayerPayer, Version: a.Version, State: pinfree.On,
		Because: pinfree.OneOffAllowance, Limits: pinfree.NoLimits()}
	j.gatherOnce(a.Allowance)
	if with := pinfree.Decide(in); with.Outcome == pinfree.PinFree {
		return with, true
	}
	return d, false
}

// payerLayer is the payer's own word at the moment.
func payerLayer(now time.Time, a *Account) pinfree.Layer {
	l := pinfree.Layer{Kind: pinfree.LayerPayer, Version: a.Version, State: pinfree.Off}
	s := a.At(now)
	switch {
	case a.Unreadable:
		l.State, l.Because = pinfree.Unknown, pinfree.LayerUnknown
	case !a.Frozen.IsZero():
		l.Because = pinfree.PayerFrozen
	case !s.PinFree && a.Pending != nil && a.Pending.Settings.PinFree:
		l.Because = pinfree.PayerCoolingOff
	case !s.PinFree:
		l.Because = pinfree.PayerClosed
	default:
		l.State, l.Limits = pinfree.On, ownLimits(s)
	}
	return l
}

// holdLayer is the hold on the payer, if there is one: beside the payer's own
// word, so that an allowance does not speak for it.
func holdLayer(now time.Time, a *Account) (pinfree.Layer, bool) {
	h := a.Held(now)
	if h == nil {
		return pinfree.Layer{}, false
	}
	return pinfree.Layer{Kind: pinfree.LayerRisk, ID: h.By, Version: a.Version, State: pinfree.Off, Because: pinfree.RiskStepUp, Rule: ruleOf(h), At: h.Until.Unix()}, true
}

// ruleOf names the risk rule that placed a hold, as reasons do; empty: a person did.
func ruleOf(h *payer.Hold) string {
	if h.Rule == "" {
		return ""
	}
	return "risk/" + h.Rule
}

func ownLimits(s payer.Settings) pinfree.Limits {
	bound := func(n *int64) pinfree.Bound {
		if n == nil {
			return pinfree.Unbounded()
		}
		return pinfree.AtMost(*n)
	}
	return pinfree.Limits{Currency: s.Currency, PerPayment: bound(s.PerPayment), DayAmount: bound(s.DayAmount),
		DayCount: bound(s.DayCount), Quiet: pinfree.Quiet{From: s.QuietFrom, To: s.QuietTo}}
}

// agreementLayer is what the payer agreed with this merchant. Without an
// agreement there is no layer, unless the merchant's payments need one.
func agreementLayer(f *Facts, site *settings.Site) (pinfree.Layer, bool) {
	l := pinfree.Layer{Kind: pinfree.LayerAgreement, ID: string(site.Merchant.ID), State: pinfree.Off}
	g := f.Agreement
	switch {
	case g == nil && site.Merchant.Facts.AgreementRequired:
		l.Because = pinfree.AgreementMissing
	case g == nil:
		return l, false
	case !g.Open:
		l.Version, l.Because = g.Version, pinfree.AgreementClosed
	default:
		l.Version, l.State, l.Limits = g.Version, pinfree.On, pinfree.NoLimits()
		if g.PerPayment != nil {
			l.Limits.Currency, l.Limits.PerPayment = f.Account.Balance.Currency(), pinfree.AtMost(*g.PerPayment)
		}
	}
	return l, true
}

// allows reports whether the payer's one-off allowance covers the payment. A
// loss report overrides it.
func allows(now time.Time, a *Account, req *Request, site *settings.Site) bool {
	w := a.Allowance
	return w != nil && a.Frozen.IsZero() && !a.Unreadable && now.Before(w.ExpiresAt) &&
		w.Max.Currency() == req.Amount.Currency() && req.Amount.Minor() <= w.Max.Minor() &&
		(w.Merchant == "" || w.Merchant == site.Merchant.ID)
}

// canStepUp is what this terminal and this payer can do.
func canStepUp(now time.Time, a *Account, site *settings.Site) pinfree.StepUpMethods {
	if a.VerifiableFrom == nil || now.Before(*a.VerifiableFrom) {
		return 0
	}
	return terminalCan(site)
}

// terminalCan is what the terminal can do for a payer who has a password.
func terminalCan(site *settings.Site) pinfree.StepUpMethods {
	can := pinfree.ByPhonePassword
	if site.Model.Keypad {
		can |= pinfree.ByTerminalPIN
	}
	if site.Model.Display {
		can |= pinfree.ByDynamicQR
	}
	return can
}
