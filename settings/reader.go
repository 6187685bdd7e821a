package settings

import (
	"sync"
	"time"

	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/pinfree/emv"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// readerSchemes are those whose parameters go into a config.
var readerSchemes = [...]string{"unionpay", "visa", "mastercard", "amex"}

// readers remembers reader parameters: terminals of one kind of place have the
// same, and computing them takes a thousand decisions. It belongs to one
// snapshot and so to one set of rules.
type readers struct {
	mu    sync.Mutex
	known map[readerKey][]protocol.Reader
}

// readerKey is all that the parameters depend on, besides the rules.
type readerKey struct {
	place    pinfree.Place
	risk     string
	currency money.Currency
	most     int64 // a PIN-free payment; -1: no maximum of a level, 0: none at all
	tap      bool  // is taken
	day      int64 // packs begin and end with a day
}

// readersMax bounds the memory: merchant categories times maxima in use.
const readersMax = 10_000

// of computes the parameters, or remembers them. A second caller at the same
// moment may compute them again: the answer is the same.
func (r *readers) of(s *Site, c *protocol.Config, now time.Time) []protocol.Reader {
	const daySeconds = 24 * 60 * 60
	key := readerKey{place: s.Place(), risk: s.Merchant.Facts.Risk, currency: s.Merchant.Currency, most: -1, day: now.Unix() / daySeconds}
	for _, m := range c.Methods {
		key.tap = key.tap || m == pinfree.CardTap.String()
	}
	switch {
	case !c.Allows(now):
		key.most = 0
	case c.PerPayment != nil:
		key.most = c.PerPayment.Minor()
	}
	r.mu.Lock()
	out, ok := r.known[key]
	r.mu.Unlock()
	if ok {
		return out
	}
	out = key.compute(s.snapshot.packs.Rules(), now)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil || len(r.known) >= readersMax {
		r.known = map[readerKey][]protocol.Reader{}
	}
	r.known[key] = out
	return out
}

// compute asks for a payer of whom no more is asked than of anybody; what
// payments here never know is not known of this one either, as in the API.
func (k *readerKey) compute(rules *pinfree.RuleSet, now time.Time) []protocol.Reader {
	facts := emv.Willing()
	facts.Risk, facts.Activated, facts.MerchantRisk = "", pinfree.NotKnown, k.risk
	layers := []pinfree.Layer{{Kind: pinfree.LayerMerchant, State: pinfree.On, Limits: pinfree.NoLimits()},
		{Kind: pinfree.LayerTerminal, State: pinfree.On, Limits: pinfree.NoLimits()}}
	switch {
	case !k.tap:
		layers[1] = notAccepted(pinfree.LayerTerminal, "", 0)
	case k.most == 0:
		layers[0].State = pinfree.Off
	case k.most > 0:
		layers[0].Limits.Currency, layers[0].Limits.PerPayment = k.currency, pinfree.AtMost(k.most)
	}
	var out []protocol.Reader
	for _, scheme := range readerSchemes {
		p, err := emv.Compute(emv.Situation{Rules: rules, At: now, Currency: k.currency, Scheme: scheme, Place: k.place, Facts: &facts, Layers: layers})
		if err != nil { // neither currency nor scheme is in doubt
			continue
		}
		line := protocol.Reader{Scheme: scheme, Currency: string(p.Currency), Kernel: p.Kernel.String(), PinFree: p.Ceiling.PinFree, TLV: p.TLV()}
		if p.UnionPay != nil {
			line.Field62 = p.UnionPay.Field62()
		}
		out = append(out, line)
	}
	return out
}
