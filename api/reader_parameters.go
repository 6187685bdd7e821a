package api

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/pinfree/emv"
)

// ReaderInput asks for the parameters of a terminal's reader.
type ReaderInput struct {
	TerminalInput
	Schemes  string `query:"schemes" doc:"Card schemes, with a comma between" default:"unionpay,visa,mastercard,amex" example:"unionpay,visa"`
	Currency string `query:"currency" doc:"ISO 4217; the merchant's by default"`
}

// ReaderParameters are the values that a terminal's EMV configuration needs.
type ReaderParameters struct {
	Terminal string         `json:"terminal"`
	At       time.Time      `json:"at" doc:"When they were computed; they change with settings, rule packs and their dates"`
	Basis    ReaderBasis    `json:"decided_by"`
	Schemes  []ReaderScheme `json:"schemes"`
}

// ReaderBasis is what the values were computed from.
type ReaderBasis struct {
	Rules         string `json:"rules,omitzero" doc:"Version of the rules in force"`
	SettingsEpoch int64  `json:"settings_epoch"`
}

// ReaderScheme is the values for one scheme's cards.
type ReaderScheme struct {
	Scheme   string        `json:"scheme" example:"unionpay"`
	Currency string        `json:"currency" example:"CNY"`
	Kernel   string        `json:"kernel" enum:"entry_point,c2,unionpay"`
	PinFree  int64         `json:"pin_free" doc:"The largest amount that needs no PIN, in minor units; 0: none"`
	Reason   *Reason       `json:"reason,omitzero" doc:"Why the PIN is asked for one minor unit more"`
	Values   []ReaderValue `json:"values"`
	TLV      string        `json:"tlv" doc:"The EMV data objects among the values, in hexadecimal"`
	Field62  string        `json:"field62,omitzero" doc:"UnionPay parameters as field 62 loads them"`
}

// ReaderValue is one parameter.
type ReaderValue struct {
	Tag   string `json:"tag" example:"DF21"`
	Title Text   `json:"title"`
	Value string `json:"value" doc:"Twelve digits of minor units, or 0 and 1 for a flag" example:"000000100001"`
	Minor *int64 `json:"minor,omitzero" doc:"The same as a number; absent for a flag"`
}

// schemesMax bounds the schemes of one request; there are fewer in the world.
const schemesMax = 20

// readerParameters computes the values for taps at a terminal, by the rules and
// settings of this moment.
func (s *Server) readerParameters(ctx context.Context, a mianmi.Actor, in *ReaderInput) (*struct{ Body ReaderParameters }, error) {
	id := mianmi.TerminalID(in.Terminal)
	if _, err := s.Terminals.Terminal(ctx, a, id); err != nil { // may this caller see it?
		return nil, err
	}
	at, err := s.Payments.AtTerminal(ctx, id, pinfree.CardTap)
	if err != nil {
		return nil, err
	}
	schemes := strings.Split(in.Schemes, ",")
	if len(schemes) > schemesMax {
		return nil, mianmi.InvalidField("schemes", "too many")
	}
	q := tapAt(&at, money.Currency(cmp.Or(in.Currency, string(at.Site.Merchant.Currency))))
	where := whereOf(&payment.Payment{Terminal: id, Merchant: at.Site.Merchant.ID, Store: at.Site.Store.ID}, &at.Site, true)
	out := ReaderParameters{Terminal: in.Terminal, At: at.At, Basis: ReaderBasis{at.Rules.Version(), at.Epoch}}
	for _, q.Scheme = range schemes {
		if !schemeName(q.Scheme) {
			return nil, mianmi.InvalidField("schemes", "want names like unionpay, with a comma between")
		}
		p, err := emv.Compute(q)
		if err != nil {
			return nil, err
		}
		out.Schemes = append(out.Schemes, s.showReader(ctx, &p, &where))
	}
	return &struct{ Body ReaderParameters }{out}, nil
}

func schemeName(name string) bool {
	return name != "" && len(name) <= 32 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == ""
}

// tapAt is a tap of a payer of whom no more is asked than of anybody. What
// payments here never know (transaction monitoring, whether the issuer's own
// limits are active) is not known of this one either, so that the reader asks
// wherever the host would.
func tapAt(at *payment.AtTerminal, c money.Currency) emv.Situation {
	facts := emv.Willing()
	facts.Risk, facts.Activated, facts.MerchantRisk = "", pinfree.NotKnown, at.Site.Merchant.Facts.Risk
	return emv.Situation{Rules: at.Rules, At: at.At, Currency: c, Place: at.Site.Place(), Facts: &facts, Layers: at.Layers}
}

func (s *Server) showReader(ctx context.Context, p *emv.Parameters, where *Where) ReaderScheme {
	out := ReaderScheme{Scheme: p.Scheme, Currency: string(p.Currency), Kernel: p.Kernel.String(), PinFree: p.Ceiling.PinFree}
	if p.Ceiling.Why != (pinfree.Why{}) {
		out.Reason = &s.reasons(ctx, []pinfree.Why{p.Ceiling.Why}, where)[0]
	}
	for _, v := range p.Values() {
		out.Values = append(out.Values, ReaderValue{Tag: v.Tag, Title: Text(v.Title), Value: v.Value, Minor: v.Amount})
	}
	out.TLV = p.TLV()
	if p.UnionPay != nil {
		out.Field62 = p.UnionPay.Field62()
	}
	return out
}
