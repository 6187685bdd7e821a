package packs

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
)

// offer is a payment about which everything is known that the packs ask for, and
// which nothing speaks against. Tests change one thing at a time.
type offer struct {
	pinfree.Input
	facts   pinfree.Facts
	subject pinfree.Subject
}

func base(method pinfree.Method, currency money.Currency, country string, at string) *offer {
	o := &offer{
		Input: pinfree.Input{
			Amount: money.Of(100, currency), Method: method, At: instant(at), Can: pinfree.ByTerminalPIN | pinfree.ByPhonePassword,
			Card:  pinfree.Card{Scheme: "visa", Kind: "debit", Domestic: true, Instrument: "card"},
			Place: pinfree.Place{MCC: 5411, Country: country, NoPINMerchant: true, UpgradedMerchant: true},
		},
		facts: pinfree.Facts{Type: "sale", Offline: pinfree.No, Consent: "given", Contactless: pinfree.Yes, Risk: "low", MerchantRisk: "low",
			Factors: 1, Certificate: pinfree.No, Issuer: "somebank"},
		subject: pinfree.Subject{Instrument: "card"},
	}
	o.facts.Figures[pinfree.IssuerPaymentLimit] = pinfree.NoFigure
	for _, k := range []pinfree.LayerKind{pinfree.LayerPayer, pinfree.LayerMerchant, pinfree.LayerTerminal} {
		o.Layers = append(o.Layers, pinfree.Layer{Kind: k, State: pinfree.On, Limits: pinfree.NoLimits()})
	}
	return o
}

func code(at string) *offer {
	o := base(pinfree.PaymentCode, "CNY", "CN", at)
	o.Entry, o.Card, o.subject = pinfree.Scanned, pinfree.Card{}, pinfree.Subject{}
	return o
}

func remote(c money.Currency, country, at string) *offer {
	o := base(pinfree.Remote, c, country, at)
	o.Card, o.subject = pinfree.Card{}, pinfree.Subject{}
	return o
}

func unionpay(issuer, kind, at string) *offer {
	o := base(pinfree.CardTap, "CNY", "CN", at)
	o.Card.Scheme, o.Card.Kind, o.facts.Issuer = "unionpay", kind, issuer
	return o
}

func euro(at string) *offer  { return base(pinfree.CardTap, "EUR", "DE", at) }
func pound(at string) *offer { return base(pinfree.CardTap, "GBP", "GB", at) }

func vivid(at string) *offer {
	o := euro(at)
	o.facts.Issuer = "vivid"
	return o
}

// graded is a payment code with as many factors as a grade needs.
func graded(factors int64, certificate pinfree.Flag, at string) *offer {
	o := code(at)
	o.facts.Factors, o.facts.Certificate = factors, certificate
	o.facts.Figures[pinfree.AgreedDayLimit] = 2_000_000
	return o
}

// gate is a payment at an unattended terminal.
func (o *offer) gate(purpose string) *offer {
	o.Place.Unattended, o.Place.Purpose = true, purpose
	return o
}

func (o *offer) with(change func(*offer)) *offer {
	change(o)
	return o
}

func instant(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

// embeddedOnce reads the packs once for all tests.
var embeddedOnce = sync.OnceValues(Embedded)

// inForce compiles shipped packs; "id:reading" takes another reading.
func inForce(t *testing.T, names ...string) *pinfree.RuleSet {
	t.Helper()
	var take []pinfree.Pack
	for _, n := range names {
		id, reading, _ := strings.Cut(n, ":")
		take = append(take, shipped(t, id, reading))
	}
	return compiled(t, take...)
}

// counted is what stands in the counters after PIN-free payments just before.
func (o *offer) counted(rs *pinfree.RuleSet, prior ...int64) pinfree.Counters {
	var stored pinfree.Counters
	for _, minor := range prior {
		stored = rs.Record(stored, o.event(pinfree.ExecutedPinFree, minor))
	}
	return stored
}

func (o *offer) event(kind pinfree.EventKind, minor int64) pinfree.Event {
	return pinfree.Event{Kind: kind, Method: o.Method, Entry: o.Entry, Subject: o.subject, Place: o.Place, Card: o.Card,
		Facts: &o.facts, Minor: minor, Currency: o.Amount.Currency(), Decided: o.At, At: o.At}
}

func (o *offer) decide(rs *pinfree.RuleSet, stored pinfree.Counters, minor int64) pinfree.Decision {
	in := o.Input
	in.Amount, in.Rules, in.Facts = money.Of(minor, o.Amount.Currency()), rs, &o.facts
	in.Counts, in.Own = rs.Roll(nil, stored, o.subject, o.At), rs.Own(stored, o.At)
	return pinfree.Decide(in)
}
