package payment

import (
	"time"

	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/settings"
)

// gather fills the judge's facts for one payment, after the layers.
func (j *judge) gather(now time.Time, req *Request, f *Facts, site *settings.Site) *pinfree.Facts {
	gather(&j.facts, req, f.Instrument, site.Merchant.Facts.Risk)
	j.facts.Consent = consent(j.layers[0].State)
	s := f.Account.At(now)
	switch {
	case f.Account.Unreadable:
		return &j.facts
	case s.PerPayment == nil:
		j.facts.Figures[pinfree.PayerPaymentLimit] = pinfree.NoFigure
	case s.Currency == req.Amount.Currency():
		j.facts.Figures[pinfree.PayerPaymentLimit] = *s.PerPayment
	}
	// Payers set limits for a payment and for a day, none in all.
	j.facts.Figures[pinfree.PayerCumulativeLimit] = pinfree.NoFigure
	return &j.facts
}

// gatherOnce adds the payer's word by a one-off allowance: asked for with the
// password, for this payment, up to its amount.
func (j *judge) gatherOnce(w *payer.Allowance) {
	j.facts.Consent, j.facts.Figures[pinfree.PayerPaymentLimit] = "given", w.Max.Minor()
}

// gather fills what is known of a payment besides its card, place and payer. What
// nobody told (monitoring's word on the payment, limits that the issuer or an
// agreement for the day set, what the card and the terminal's kernel say) stays
// unknown, so that a pack that asks for it restricts. risk is the merchant's.
func gather(out *pinfree.Facts, req *Request, in *payer.Instrument, risk string) {
	*out = pinfree.Facts{
		Type: "sale", Offline: pinfree.No, Certificate: pinfree.No, // no step-up of ours uses one
		MerchantRisk: risk, Factors: factors(req.Method, req.Entry, req.CVM),
	}
	if in == nil {
		return
	}
	out.Issuer = in.Issuer
	if req.Method == pinfree.CardTap {
		out.Contactless = pinfree.Yes // or it would not have answered
	}
}

// factors counts the independent elements that the payer has shown; 0 when
// that is not known. The chip and the phone that made a code are possession,
// a CVM adds knowledge or inherence. A magnetic stripe is copied and typed
// digits are told on, so neither proves possession.
func factors(m pinfree.Method, e pinfree.Entry, cvm pinfree.CVM) int64 {
	possession := m == pinfree.CardTap || m == pinfree.CardInsert || m == pinfree.PaymentCode && e == pinfree.Scanned ||
		m == pinfree.DynamicQR // opened on the phone, in the payer's session
	switch {
	case !possession:
		return 0
	case cvm != pinfree.NoCVM:
		return 2
	}
	return 1
}

// consent is the payer's, by the state of the payer's layer. Opening always
// accepted the risk text, so what is open was asked for.
func consent(s pinfree.State) string {
	switch s {
	case pinfree.On:
		return "given"
	case pinfree.Off:
		return "closed"
	case pinfree.Unknown:
	}
	return ""
}

// facts are those of a payment that was decided before, as they were then: for
// its counters, which asked the same. Consent is known when the payment went
// PIN-free, which needed it, or when the payer's settings are the same still.
func (p *Payment) facts(c *Change, risk string) *pinfree.Facts {
	req := Request{Amount: p.Amount, Method: p.Method, Entry: p.Entry, CVM: p.CVM}
	if p.Outcome == pinfree.StepUp || p.Outside() {
		req.CVM = pinfree.NoCVM // it came after the decision
	}
	out := new(pinfree.Facts)
	gather(out, &req, c.Instrument, risk)
	switch {
	case p.Outcome == pinfree.PinFree:
		out.Consent = "given"
	case c.Account != nil && c.Account.Version == p.PayerVersion:
		out.Consent = consent(payerLayer(p.CreatedAt, c.Account).State)
	}
	return out
}
