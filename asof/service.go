package asof

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/pinfree"
)

// OfTerminal is what was set for a terminal, and for all that it belonged to,
// at an instant; the zero time is now. Who may see the terminal may see that.
func (s *Service) OfTerminal(ctx context.Context, actor mianmi.Actor, id mianmi.TerminalID, at time.Time) (*Answer, error) {
	if _, err := s.Terminals.Terminal(ctx, actor, id); err != nil {
		return nil, err
	}
	at, err := s.check(at)
	if err != nil {
		return nil, err
	}
	site, err := s.site(ctx, instant(at), id, s.Channel)
	if err != nil {
		return nil, err
	}
	out := &Answer{At: at, Site: site}
	if out.Rows, err = site.rows(s.Channel, pinfree.MethodUnknown, at); err != nil {
		return nil, err
	}
	return out.seenBy(actor), nil
}

// OfMerchant is what was set for a merchant, everything and the channel at an
// instant; the zero time is now. Who may see the merchant may see that.
func (s *Service) OfMerchant(ctx context.Context, actor mianmi.Actor, id mianmi.MerchantID, at time.Time) (*Answer, error) {
	if _, err := s.Merchants.Merchant(ctx, actor, id); err != nil {
		return nil, err
	}
	at, err := s.check(at)
	if err != nil {
		return nil, err
	}
	m := instant(at)
	facts, err := newest(ctx, s, m, asked{subject: string(id), question: question{ofPlaces, thing}}, readMerchant)
	if err != nil {
		return nil, err
	}
	if !facts.Source.Known() {
		return nil, mianmi.Missing("merchant")
	}
	out := &Answer{At: at, Merchant: &facts}
	var site Site
	err = s.scopes(ctx, m, &site.Policies, &site.Stops, merchant.Everything(), merchant.OfChannel(s.Channel), merchant.OfMerchant(id))
	if err != nil {
		return nil, err
	}
	out.Rows = site.scopeRows(s.Channel, id)
	return out.seenBy(actor), nil
}

// OfPayer is a payer's settings, agreements and instruments at an instant; the
// zero time is now. Who may see the payer's settings may see that.
func (s *Service) OfPayer(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, at time.Time) (*Answer, error) {
	if err := access.Allow(actor, access.PayerShow, access.Target{Payer: id}); err != nil {
		return nil, err
	}
	at, err := s.check(at)
	if err != nil {
		return nil, err
	}
	p, err := s.payer(ctx, instant(at), id, func(*Payer) bool { return false })
	if err != nil {
		return nil, err
	}
	out := &Answer{At: at, Payer: p}
	out.Rows = p.rows(at)
	return out.seenBy(actor), nil
}
