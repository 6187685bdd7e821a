package payment

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/secret"
)

// Name is what a channel over a network calls a payer towards a merchant. It is
// kept and found by a keyed digest alone, and never logged.
type Name struct {
	Channel  string
	Merchant mianmi.MerchantID
	Payer    mianmi.PayerID
	Is       string
}

// NameDigest is a Name as it is stored.
type NameDigest struct {
	Digest   []byte
	Channel  string
	Merchant mianmi.MerchantID
	Payer    mianmi.PayerID
}

// forName is the purpose of the digests of names.
const forName secret.Purpose = "channel_name"

func (s *Service) nameDigest(n Name) []byte {
	return s.Keys.Digest(forName, strings.Join([]string{n.Channel, string(n.Merchant), n.Is}, "\x00"))
}

// nameMax bounds the question who shows a code: the till waits for it.
const nameMax = 2 * time.Second

// canName reports whether a channel can be asked who shows the code.
func (c *call) canName() bool {
	return c.req.outside != nil && c.req.outside.namer != nil && c.req.Code != ""
}

// name asks the channel who shows a code, before anything is decided. It only
// finds whose settings are to be read by the transaction that decides. Where it
// can be asked, nothing passes PIN-free without its clear answer.
//
// A request that was made before is not asked about: it has its payment, under an
// identifier of its own bucket. Where its maker died before there was one, nobody
// has said whose the code is.
func (s *Service) name(ctx context.Context, c *call) error {
	o := c.req.outside
	if !c.canName() {
		return nil
	}
	o.unclear = true
	claim, err := s.Books.OrderClaim(ctx, c.ask.Key)
	if mianmi.KindOf(err) != mianmi.NotFound {
		b, none := claim.Payment.Bucket()
		if err != nil || none != nil || c.req.Member != "" {
			return nil
		}
		c.ask.Bucket = b
		return s.identify(c)
	}
	who, clear := s.ownerOf(ctx, c)
	o.unclear = !clear
	switch {
	case who == "" || who == c.req.Member:
		return nil
	case c.req.Member != "":
		o.differs = true
		return nil
	}
	o.named = true
	c.ask.Payer, c.ask.Bucket = who, who.Bucket()
	return s.identify(c)
}

// ownerOf is the payer here whose code the channel says it is; empty: nobody's
// here. It is not clear when the channel does not say, or when the name is that
// of several payers.
func (s *Service) ownerOf(ctx context.Context, c *call) (who mianmi.PayerID, clear bool) {
	o := c.req.outside
	asking, cancel := context.WithTimeout(ctx, nameMax)
	defer cancel()
	is, known, fault := o.namer.PayerOf(asking, c.ask.Merchant, c.req.Code)
	if !known {
		s.Log.WarnContext(ctx, "a channel did not say who shows a code", "channel", o.name, "merchant", string(c.ask.Merchant), "fault", fault)
		return "", false
	}
	list, err := s.Books.NamedPayers(ctx, s.nameDigest(Name{Channel: o.name, Merchant: c.ask.Merchant, Is: is}))
	switch {
	case err != nil:
		s.Log.WarnContext(ctx, "whom a channel has named could not be read", "channel", o.name, "error", err)
		return "", false
	case len(list) == 1:
		who = list[0]
	}
	return who, len(list) <= 1
}

// appendNamed adds, beside the reasons, that the channel had named the payer.
func (o *outside) appendNamed(reasons []pinfree.Why) []pinfree.Why {
	if !o.named {
		return reasons
	}
	return append(reasons, pinfree.Why{Reason: pinfree.NamedByChannel, Layer: pinfree.LayerChannel, ID: o.name})
}

func has(reasons []pinfree.Why, r pinfree.Reason) bool {
	return slices.ContainsFunc(reasons, func(w pinfree.Why) bool { return w.Reason == r })
}

// learnFrom learns a name from a payment that was paid. The merchant's word counts
// for it, where the channel did not say something else.
func (s *Service) learnFrom(ctx context.Context, p *Payment, is string) {
	if p.Payer == "" || has(p.Reasons, pinfree.NamedByChannel) || has(p.Reasons, pinfree.PayerDiffers) {
		return
	}
	if err := s.Learn(ctx, Name{Channel: p.Channel, Merchant: p.Merchant, Payer: p.Payer, Is: is}); err != nil {
		s.Log.WarnContext(ctx, "what a channel calls a payer was not noted", "payment", string(p.ID), "channel", p.Channel, "error", err)
	}
}

// Learn notes what a channel calls a payer, where it can be asked for it. The
// newest name of a payer with a merchant takes the place of the one before.
func (s *Service) Learn(ctx context.Context, n Name) error {
	if o := s.outsideOf(n.Channel, n.Merchant); o == nil || o.namer == nil || n.Is == "" {
		return nil
	}
	return s.Books.LearnName(ctx, NameDigest{Digest: s.nameDigest(n), Channel: n.Channel, Merchant: n.Merchant, Payer: n.Payer})
}
