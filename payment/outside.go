package payment

import (
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/settings"
)

// Outside reports whether the payment goes through a channel that is asked over a
// network. How its payer was verified is then inferred, never proved.
func (p *Payment) Outside() bool {
	return p.Channel != channel.Wallet && p.Channel != channel.Cash && p.Channel != ""
}

// outside is the channel over a network that a request goes through.
type outside struct {
	remote channel.Remote
	name   string
	// ownRules: for a payer whom nobody here knows, the channel's rules suffice.
	ownRules bool
	// namer says who shows a code; nil: nobody does.
	namer channel.Namer
	// named: the payer is whom the channel named. differs: it named another than
	// the merchant did. unclear: it can be asked, and has not said whose the code is.
	named, differs, unclear bool
}

// can is how a payer can be asked there: in the system's own app alone.
func (o *outside) can(site *settings.Site) pinfree.StepUpMethods {
	if site.Model.Display {
		return pinfree.ByDynamicQR
	}
	return 0
}

// append adds what the channel says to the layers, of which the payer's is the
// first: that it keeps a switch and counts of its own; that they suffice for a
// payer whom nobody knows, where the operator has said so; and that it is not
// clear who pays, so that nobody's settings suffice.
func (o *outside) append(layers []pinfree.Layer, unknown bool) []pinfree.Layer {
	if unknown && o.ownRules {
		layers[0] = pinfree.Layer{Kind: pinfree.LayerPayer, State: pinfree.On, Limits: pinfree.NoLimits()}
	}
	doubt := func(r pinfree.Reason) {
		layers = append(layers, pinfree.Layer{Kind: pinfree.LayerChannel, ID: o.name, State: pinfree.Unknown, Because: r})
	}
	switch {
	case o.differs:
		doubt(pinfree.PayerDiffers)
	case o.unclear:
		doubt(pinfree.PayerUnclear)
	}
	return append(layers, pinfree.Layer{Kind: pinfree.LayerChannel, ID: o.name, State: pinfree.On, Because: pinfree.ChannelKeepsOwn,
		Limits: pinfree.NoLimits()})
}

// route finds the channel that a request goes through. A code that is ours by
// its prefix stays ours, whoever else would take it.
func (s *Service) route(actor mianmi.Actor, req *Request) error {
	ours := req.Method != pinfree.PaymentCode || req.Code[:len(s.cfg.CodePrefix)] == s.cfg.CodePrefix
	for _, r := range s.Remotes {
		if req.Channel != r.Name() && (ours || !r.Takes(req.Code)) {
			continue
		}
		if req.outside = s.outsideOf(r.Name(), actor.Merchant); req.outside != nil {
			break
		}
	}
	switch {
	case req.outside == nil && req.Channel != "":
		return errNotThrough
	case req.outside == nil && req.Member != "":
		return mianmi.InvalidField("member", "a payer here, with a code or QR code of another payment system")
	case req.outside == nil && req.Method == pinfree.PaymentCode && codeBucketNo(req.Code) >= mianmi.Buckets:
		return mianmi.InvalidField("code", "a payment code has 18 digits")
	case req.Member != "" && !actor.Is(mianmi.RoleAPIClient, mianmi.RoleTerminal):
		return mianmi.Forbidden("not_allowed", "a member is named by the merchant's software or a terminal")
	}
	return nil
}

var errNotThrough = mianmi.InvalidField("channel", "this merchant takes no payments through it")

// outsideOf is the channel of the name for the merchant; nil: it takes none there.
func (s *Service) outsideOf(name string, m mianmi.MerchantID) *outside {
	for _, r := range s.Remotes {
		if terms, ok := r.Terms(m); ok && r.Name() == name {
			o := &outside{remote: r, name: name, ownRules: terms.OwnRules}
			if terms.Names {
				o.namer, _ = r.(channel.Namer)
			}
			return o
		}
	}
	return nil
}

// errMember is one answer for whoever does not exist and whoever has no agreement
// with the merchant: nobody learns who is a payer here, and nobody moves the
// counters of a stranger.
var errMember = mianmi.InvalidField("member", "no such member of this merchant")

// stranger stands for a payer whom nobody here knows: nothing can be read of it.
func stranger() *Account { return &Account{Unreadable: true} }

// through decides a payment that a channel over a network takes, if it is taken.
// Nothing is asked yet: the intent is written first.
func (j *judge) through(now time.Time, c *call, f *Facts, site *settings.Site, p *Payment) (Write, error) {
	o := c.req.outside
	p.Channel, p.Rules = o.name, j.rules.Version()
	if f.Account != nil {
		p.PayerVersion = f.Account.Version
	}
	d, allowance := j.decide(now, &c.req, f, site)
	if f.Account != nil {
		d.Reasons = o.appendNamed(d.Reasons)
	}
	p.Outcome, p.Reasons = d.Outcome, d.Reasons
	pace := o.remote.Pace()
	w := Write{Payment: p, Call: &Call{Payment: p.ID, Merchant: p.Merchant, Channel: p.Channel, Began: now, Due: now.Add(pace.Answer + pace.First)}}
	p.State = Verifying
	switch {
	case d.Outcome == pinfree.PinFree:
		w.Call.Way, w.Call.Task, w.Call.Until = channel.ByCode, Query, now.Add(pace.GiveUp)
		if a := f.Account; a != nil {
			ev := p.event(pinfree.ExecutedPinFree, now, site.Place(), nil)
			ev.Facts = &j.facts
			a.Counters, a.Dirty, w.Call.Counted = j.rules.Record(a.Counters, ev), true, true
			if allowance {
				a.Allowance, w.Call.Allowance = nil, a.Allowance
			}
		}
	case d.Outcome == pinfree.StepUp && d.By.Has(pinfree.ByDynamicQR):
		life := j.s.cfg.StepUpLife
		if p.Method == pinfree.DynamicQR {
			life = j.s.cfg.QRLife
		}
		w.Call.Way, w.Call.Task, w.Call.Until = channel.ByQR, Open, now.Add(life)
	default:
		p.State, w.Call = Refused, nil
	}
	return w, nil
}

// order is what the channel is asked to take.
func (c *Call) order(p *Payment, about string) channel.Order {
	return channel.Order{Ref: c.ref(), Store: p.Store, Terminal: p.Terminal, OrderNo: p.OrderNo, Amount: p.Amount, About: about, ExpiresAt: c.Until}
}
