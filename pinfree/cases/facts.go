package cases

import (
	"cmp"
	"slices"

	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
)

// instrument is the card or device of every case that does not name several.
const instrument = "card"

// input is the payment of a step as the decision sees it: with what the case
// says of the world, and with the ordinary where it says nothing.
func (w *world) input(s *step) pinfree.Input {
	g, ch := &w.given, channelOf(s.Channel)
	in := pinfree.Input{
		Amount: money.Of(s.Minor, s.Currency), Method: ch.method, CVM: s.cvm(ch, &g.QPS),
		Card: w.card(s), Place: w.place(s, ch), Facts: w.facts(s, ch),
		At: w.now, Minute: w.rules.LocalMinute(w.now), Rules: w.rules,
		Can: pinfree.ByTerminalPIN | pinfree.ByPhonePassword | pinfree.ByDynamicQR, Layers: w.layers(s),
	}
	if ch.method == pinfree.PaymentCode {
		in.Entry = pinfree.Scanned
		if s.Typed {
			in.Entry = pinfree.Typed
		}
	}
	if g.Terminal.NoPIN {
		in.Can &^= pinfree.ByTerminalPIN
	}
	return in
}

// cvm is how the payer authenticated before anybody asked. A card's word on its
// device counts where the terminal honours it (FF8057).
func (s *step) cvm(ch channel, q *quickPass) pinfree.CVM {
	switch {
	case s.CTQ != nil && ch.method == pinfree.CardTap:
		if s.deviceVerified() && q.DeviceCVM != 0 {
			return pinfree.CDCVM
		}
		if q.given() {
			return pinfree.NoCVM
		}
	case s.DeviceCVM:
		return pinfree.CDCVM
	}
	if s.Unasked {
		return ch.unasked
	}
	return pinfree.NoCVM
}

// deviceVerified reads the card transaction qualifiers: byte 2 bit 8, the device
// has verified; byte 1 bit 8, the card asks for online PIN all the same.
func (s *step) deviceVerified() bool { return s.CTQ[1]&0x80 != 0 && s.CTQ[0]&0x80 == 0 }

func (w *world) card(s *step) pinfree.Card {
	c := pinfree.Card{Domestic: s.domestic(), Instrument: instrument,
		Scheme: cmp.Or(w.given.Scheme, w.usual.scheme), Kind: cmp.Or(w.given.IssuerKind, w.usual.kind, "debit")}
	if s.Card != nil && s.Card.Kind != "" {
		c.Kind = s.Card.Kind
	}
	if s.Bucket != "" {
		c.Instrument = s.Bucket
	}
	return c
}

func (w *world) place(s *step, ch channel) pinfree.Place {
	g := &w.given
	p := pinfree.Place{MCC: 5411, Country: countryOf(s.Currency), Unattended: ch.unattended || g.Terminal.Unattended,
		Purpose: ch.purpose, NoPINMerchant: !g.Merchant.Closed, UpgradedMerchant: !g.Merchant.NotUpgraded}
	if g.Currency != "" {
		p.Country = countryOf(g.Currency)
	}
	if s.Elsewhere {
		p.Country = elsewhere(g.Currency)
	}
	if p.Purpose == "" {
		p.Purpose = g.Terminal.Purpose
	}
	if s.Purpose != "" {
		p.Purpose = s.Purpose
	}
	if s.Attended != nil {
		p.Unattended = !*s.Attended
	}
	return p
}

func (w *world) facts(s *step, ch channel) *pinfree.Facts {
	g := &w.given
	f := &pinfree.Facts{
		Type: s.Type, Offline: pinfree.FlagOf(ch.offline), Consent: w.consent, Contactless: w.contactless(),
		Risk: riskOf(s.Risk), MerchantRisk: riskOf(s.MerchantRisk), Factors: 1, Certificate: pinfree.FlagOf(g.Grade == "A"),
		Issuer: cmp.Or(g.Issuer, w.usual.issuer), Activated: pinfree.FlagOf(g.Activated || w.pins >= 3), Listed: w.listed(s),
		QuickPass: pinfree.FlagOf(g.QPS.On != 0), Mandate: w.mandate(), Figures: g.figures(),
	}
	if s.Risk == "" && g.RiskBased {
		f.Risk = "" // nobody has found it to be low
	}
	if g.Grade == "A" || g.Grade == "B" {
		f.Factors = 2
	}
	if g.FactorsMet != nil {
		f.Factors = *g.FactorsMet
	}
	if s.CTQ != nil {
		f.AsksPIN = pinfree.FlagOf(s.CTQ[0]&0x80 != 0)
	}
	return f
}

// contactless is the holder's switch; a case that does not speak of it means one
// that is on, if the payer asked for PIN-free payment at all.
func (w *world) contactless() pinfree.Flag {
	if w.given.SwitchGiven || w.consent == "given" {
		return pinfree.FlagOf(w.given.Contactless)
	}
	return pinfree.NotKnown
}

// riskOf is a risk in the engine's words; nothing said is nothing unusual.
func riskOf(word string) string {
	switch word {
	case "", "low", "normal":
		return "low"
	case "not_low", "elevated":
		return "elevated"
	}
	return "high"
}

// listed says whether the card's numbers are in the terminal's list, as far as
// one is in force: table A for every card, table B for debit cards.
func (w *world) listed(s *step) pinfree.Flag {
	q, kind := &w.given.QPS, w.card(s).Kind
	credit := kind == "credit" || kind == "quasi_credit"
	if q.TableA != 1 && (q.TableB != 1 || credit) {
		return pinfree.Yes
	}
	if s.Card == nil || s.Card.Listed == nil {
		return pinfree.NotKnown
	}
	return pinfree.FlagOf(*s.Card.Listed)
}

func (w *world) mandate() pinfree.Mandate {
	m := w.given.Mandate
	out := pinfree.Mandate{
		Registered: pinfree.FlagOf(!m.Unregistered), Begun: pinfree.FlagOf(!m.NotBegun),
		Withdrawn: pinfree.FlagOf(w.withdrawn), Skipped: pinfree.FlagOf(w.skipped), Category: m.Category,
	}
	if out.Category == "" {
		out.Category = "other"
	}
	out.NoticeHours = noticeMax // nothing said of a notice: it was given in time, or not owed
	if w.notice != nil {
		out.NoticeHours = *w.notice
	}
	return out
}

// layers are those who have a say besides the rules.
func (w *world) layers(s *step) []pinfree.Layer {
	g := &w.given
	payer := layer(pinfree.LayerPayer, w.consent != "closed")
	issuer := layer(pinfree.LayerIssuer, s.Issuer != stepUp && !w.full)
	if s.Issuer == refuse || s.Issuer == "decline" {
		issuer = layer(pinfree.LayerIssuer, false)
		issuer.Refuse = true
	}
	risky := []string{"not_low", "elevated", "abnormal", "high"}
	risk := layer(pinfree.LayerRisk, !slices.Contains(risky, s.Risk))
	if g.Unmonitored {
		risk.State = pinfree.Unknown
	}
	institution := layer(pinfree.LayerChannel, true)
	if g.Uncommitted {
		institution.State = pinfree.Unknown
	}
	return []pinfree.Layer{payer, issuer, risk, institution,
		layer(pinfree.LayerMerchant, !g.Merchant.Closed), layer(pinfree.LayerTerminal, true)}
}

func layer(k pinfree.LayerKind, on bool) pinfree.Layer {
	l := pinfree.Layer{Kind: k, State: pinfree.Off, Limits: pinfree.NoLimits()}
	if on {
		l.State = pinfree.On
	}
	return l
}

// subject is whose counters the step moves.
func (w *world) subject(s *step) pinfree.Subject {
	if s.Bucket == "" {
		return pinfree.Subject{Instrument: instrument, Account: instrument}
	}
	return pinfree.Subject{Instrument: s.Bucket, Funding: s.Bucket, Account: s.Bucket}
}
