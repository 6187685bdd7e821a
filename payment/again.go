package payment

import (
	"slices"
	"time"

	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/settings"
)

// Again is what a payment was decided by, gathered once more by somebody who
// knows it: to see whether it leads to the same decision.
type Again struct {
	Decided    Decided
	Payer      payer.Payer // settings of PayerVersion; balance and counters are not asked
	Agreement  *payer.Agreement
	Instrument *payer.Instrument
	Site       settings.Site
	Rules      *pinfree.RuleSet
}

// Decide decides the payment once more, as at its time, as if the payer had
// paid nothing before: counters are no setting. An allowance that the payer has
// is taken as good; who knows that it was used up leaves it out.
func (g Again) Decide() pinfree.Decision {
	d, account := &g.Decided, g.account()
	req := Request{Terminal: d.Terminal, Amount: d.Amount, Method: d.Method, Entry: d.Entry, Instrument: d.Instrument, CVM: d.CVM, payer: d.Payer, outside: g.outside()}
	j := judge{rules: g.Rules, channel: d.Channel}
	out, _ := j.decide(d.At, &req, g.facts(account), &g.Site)
	if req.outside != nil {
		out.Reasons = req.outside.appendNamed(out.Reasons)
	}
	return out
}

// Layers are all who had a say besides the rules: the payer, the agreement if
// it counted, and what the site says.
func (g Again) Layers() []pinfree.Layer {
	account, o := g.account(), g.outside()
	unknown := account == nil
	if unknown {
		account = stranger()
	}
	out := []pinfree.Layer{payerLayer(g.Decided.At, account)}
	if l, ok := agreementLayer(g.facts(account), &g.Site); ok {
		out = append(out, l)
	}
	if l, ok := holdLayer(g.Decided.At, account); ok {
		out = append(out, l)
	}
	out = g.Site.AppendLayers(out, settings.Asked{Channel: g.Decided.Channel, Method: g.Decided.Method, Now: g.Decided.At, Recorded: g.proved()})
	if o != nil {
		out = o.append(out, unknown)
	}
	return out
}

// outside is the channel outside that the payment went through; nil: the wallet.
// How an operator had connected it is no setting of the log: that its own rules
// sufficed for somebody unknown shows in what passed or had other reasons not to,
// and whom it had named in the reasons.
func (g Again) outside() *outside {
	d := &g.Decided
	if p := (Payment{Channel: d.Channel}); !p.Outside() {
		return nil
	}
	unknown := slices.ContainsFunc(d.Reasons, func(w pinfree.Why) bool { return w.Layer == pinfree.LayerPayer && w.Reason == pinfree.LayerUnknown })
	return &outside{name: d.Channel, ownRules: d.Payer == "" && d.Outcome != pinfree.Refused && !unknown,
		named: has(d.Reasons, pinfree.NamedByChannel), differs: has(d.Reasons, pinfree.PayerDiffers), unclear: has(d.Reasons, pinfree.PayerUnclear)}
}

// account is the payer; nil when nobody here knew who paid.
func (g Again) account() *Account {
	if g.Decided.Payer == "" && g.outside() != nil {
		return nil
	}
	a := &Account{Payer: g.Payer}
	a.Balance, a.Counters = money.Of(0, g.Payer.Settings.Currency), pinfree.Counters{}
	return a
}

func (g Again) facts(a *Account) *Facts {
	return &Facts{Account: a, Instrument: g.Instrument, Agreement: g.Agreement, recorded: g.proved()}
}

// proved is what the terminal had proved, as the payment's own record has it: it
// is no setting, and of the reports that it follows from the log tells only
// those that changed something.
func (g Again) proved() []pinfree.Layer {
	var doubts []pinfree.Layer
	for _, w := range g.Decided.Reasons {
		if w.Layer == pinfree.LayerPosture && w.Reason != pinfree.HostAlone {
			doubts = append(doubts, pinfree.Layer{Kind: w.Layer, ID: w.ID, Version: w.Version, State: pinfree.Off, Because: w.Reason,
				Rule: w.Rule, At: w.At, Limits: pinfree.NoLimits()})
		}
	}
	if doubts != nil {
		return doubts
	}
	return []pinfree.Layer{{Kind: pinfree.LayerPosture, ID: string(g.Decided.Terminal), State: pinfree.On, Limits: pinfree.NoLimits()}}
}

// HoldLayer is the hold on a payer at an instant, if there was one.
func HoldLayer(p payer.Payer, at time.Time) (pinfree.Layer, bool) {
	return holdLayer(at, Again{Payer: p}.account())
}

// PayerLayer is what a payer's settings say at an instant.
func PayerLayer(p payer.Payer, at time.Time) pinfree.Layer {
	return payerLayer(at, Again{Payer: p}.account())
}
