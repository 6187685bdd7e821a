package asof

import (
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/rollout"
	"github.com/mianmi/mianmi/settings"
)

// Row is one who had a say, with what it said and the entry that tells it.
type Row struct {
	Kind    pinfree.LayerKind
	ID      string // whose setting; empty for the payer's own
	Version int64
	State   pinfree.State
	Because pinfree.Reason // why not on
	Refuses bool           // it does not take the method at all

	PerPayment *money.Amount
	DayAmount  *money.Amount
	DayCount   *int64
	Quiet      *pinfree.Quiet
	Methods    *pinfree.Methods // that it takes; nil: all
	Until      time.Time        // of a stop or of what waits; zero: none

	Since  time.Time // when this came into force; zero: never set
	By     string    // mianmi.Actor.String() of who brought it into force
	Source Source    // the zero Source: nobody has set anything, the default holds
	// Rollout is, while a policy comes to terminals in stages, how far it was; nil: it
	// does not. Former says that the terminal was not reached, and the former one held.
	Rollout *merchant.Rollout
	Former  bool
	// Hidden says that whoever asks may see the state alone.
	Hidden bool
}

// rows is what a site says: for a method, or of its settings alone when the
// method is unknown.
func (s *Site) rows(channel string, m pinfree.Method, now time.Time) ([]Row, error) {
	at, err := s.at()
	if err != nil {
		return nil, err
	}
	layers := at.AppendLayers(nil, settings.Asked{Channel: channel, Method: m, Now: now})
	if m == pinfree.MethodUnknown {
		kept := layers[:0]
		for _, l := range layers {
			if !l.Refuse {
				kept = append(kept, l)
			}
		}
		layers = kept
	}
	return rowsOf(layers, s, nil, now), nil
}

// rowsOf puts beside each layer the entry that tells it.
func rowsOf(layers []pinfree.Layer, s *Site, p *Payer, now time.Time) []Row {
	out := make([]Row, 0, len(layers))
	for i := range layers {
		r := rowOf(&layers[i])
		switch {
		case layers[i].Because == pinfree.ChannelKeepsOwn, layers[i].Because == pinfree.PayerUnclear, layers[i].Because == pinfree.PayerDiffers: // nobody here has set it
		case p == nil && (r.Kind == pinfree.LayerPayer || r.Kind == pinfree.LayerAgreement || r.Kind == pinfree.LayerRisk): // nobody knew who paid
		case r.Kind == pinfree.LayerPayer:
			r.ofPayer(p, now)
		case r.Kind == pinfree.LayerAgreement:
			r.ofAgreement(p)
		case r.Kind == pinfree.LayerRisk:
			r.ofHold(p)
		case r.Kind == pinfree.LayerStop:
			r.ofStop(s.Stops)
		default:
			r.ofPlace(s)
		}
		out = append(out, r)
	}
	return out
}

func rowOf(l *pinfree.Layer) Row {
	r := Row{Kind: l.Kind, ID: l.ID, Version: l.Version, State: l.State, Because: l.Because, Refuses: l.Refuse}
	if l.State != pinfree.On {
		return r
	}
	amount := func(b pinfree.Bound) *money.Amount {
		if b.Op != pinfree.OpAtMost {
			return nil
		}
		a := money.Of(b.N, l.Limits.Currency)
		return &a
	}
	r.PerPayment, r.DayAmount = amount(l.Limits.PerPayment), amount(l.Limits.DayAmount)
	if b := l.Limits.DayCount; b.Op == pinfree.OpAtMost {
		r.DayCount = &b.N
	}
	if q := l.Limits.Quiet; q.From != q.To {
		r.Quiet = &q
	}
	return r
}

func (r *Row) from(s Source) { r.Source, r.Since, r.By = s, s.At, s.Actor }

func (r *Row) ofPayer(p *Payer, now time.Time) {
	r.from(p.Source)
	v := &p.Value
	switch {
	case !v.Frozen.IsZero():
		r.Since = v.Frozen
	case v.Pending != nil && !now.Before(v.Pending.At):
		r.Since = v.Pending.At
	default:
		r.Since = v.Since
		if v.Pending != nil {
			r.Until = v.Pending.At
		}
	}
}

func (r *Row) ofAgreement(p *Payer) {
	for i := range p.Agreements {
		if string(p.Agreements[i].Value.Merchant) == r.ID {
			r.from(p.Agreements[i].Source)
		}
	}
}

// ofHold takes what the payer's settings tell of the hold. Their entry may be a
// later one than that which placed it; the role of who did is the row's own.
func (r *Row) ofHold(p *Payer) {
	h := p.Value.Hold
	r.Source, r.Since, r.Until, r.By = p.Source, h.Since, h.Until, h.By
}

func (r *Row) ofStop(stops []Told[merchant.Stop]) {
	for i := range stops {
		if string(stops[i].Value.ID) == r.ID {
			r.from(stops[i].Source)
			r.Until = stops[i].Value.Until
		}
	}
}

// levels are the layers of policies.
var levels = map[merchant.Level]pinfree.LayerKind{
	merchant.LevelEverything: pinfree.LayerChannel, merchant.LevelChannel: pinfree.LayerChannel, merchant.LevelMerchant: pinfree.LayerMerchant,
	merchant.LevelStore: pinfree.LayerStore, merchant.LevelModel: pinfree.LayerModel, merchant.LevelTerminal: pinfree.LayerTerminal,
}

func (r *Row) ofPlace(s *Site) {
	if r.Refuses && r.Version == 0 { // what the model's machine cannot read
		r.from(s.Model.Source)
		r.Methods = &s.Model.Value.Methods
		return
	}
	for i := range s.Policies {
		p := &s.Policies[i].Value
		if levels[p.Scope.Level] != r.Kind || subjectOf(p.Scope) != r.ID {
			continue
		}
		r.from(s.Policies[i].Source)
		t := &s.Terminal.Value
		holds := p.For(rollout.Place{Terminal: t.ID, Store: t.Store, Model: t.Model})
		r.Methods, r.Rollout = holds.Terms.Methods, p.Rollout
		if holds != p { // the entry of the newer policy tells it
			r.Former, r.Since, r.By = true, holds.Since, holds.Actor
		}
	}
}

// rows is what a payer's settings and agreements say.
func (p *Payer) rows(now time.Time) []Row {
	own := rowOf(ptr(payment.PayerLayer(p.Value, now)))
	own.ofPayer(p, now)
	out := []Row{own}
	if l, ok := payment.HoldLayer(p.Value, now); ok {
		r := rowOf(&l)
		r.ofHold(p)
		out = append(out, r)
	}
	for i := range p.Agreements {
		g := &p.Agreements[i].Value
		r := Row{Kind: pinfree.LayerAgreement, ID: string(g.Merchant), Version: g.Version, State: pinfree.On}
		if !g.Open {
			r.State, r.Because = pinfree.Off, pinfree.AgreementClosed
		}
		if g.PerPayment != nil {
			r.PerPayment = ptr(money.Of(*g.PerPayment, p.Value.Settings.Currency))
		}
		r.from(p.Agreements[i].Source)
		out = append(out, r)
	}
	return out
}

func ptr[T any](v T) *T { return &v }

// scopeRows is what policies and stops say where there is no terminal to ask:
// for everything, the channel and a merchant.
func (s *Site) scopeRows(channel string, id mianmi.MerchantID) []Row {
	var out []Row
	for _, scope := range []merchant.Scope{merchant.Everything(), merchant.OfChannel(channel), merchant.OfMerchant(id)} {
		for i := range s.Stops {
			if st := &s.Stops[i]; st.Value.Scope == scope {
				r := Row{Kind: pinfree.LayerStop, ID: string(st.Value.ID), Version: merchant.StopVersion, State: pinfree.Off, Because: pinfree.EmergencyStopped}
				r.ofStop(s.Stops)
				out = append(out, r)
			}
		}
		p := merchant.Policy{Scope: scope, Terms: merchant.DefaultTerms(scope.Level)}
		var src Source
		for i := range s.Policies {
			if s.Policies[i].Value.Scope == scope {
				p, src = s.Policies[i].Value, s.Policies[i].Source
			}
		}
		if src.Known() || scope.Level == merchant.LevelMerchant {
			out = append(out, policyRow(&p, src))
		}
	}
	return out
}

func policyRow(p *merchant.Policy, src Source) Row {
	r := Row{Kind: levels[p.Scope.Level], ID: subjectOf(p.Scope), Version: p.Version, State: pinfree.On, PerPayment: p.Terms.PerPayment, Methods: p.Terms.Methods}
	if !p.Terms.PinFree {
		r.State, r.Because = pinfree.Off, pinfree.ChannelClosed
		if p.Scope.Level == merchant.LevelMerchant {
			r.Because = pinfree.MerchantClosed
		}
	}
	r.from(src)
	r.Rollout = p.Rollout
	return r
}
