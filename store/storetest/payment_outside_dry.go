package storetest

import (
	"cmp"
	"testing"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
)

// dry asks what a payment through the channel would meet, and fails if the channel
// hears of it.
func (c *counter) dry(t *testing.T, who mianmi.PayerID, r payment.Request) (payment.Preview, error) {
	t.Helper()
	r.Terminal, r.Channel, r.Amount = cmp.Or(r.Terminal, c.Terminal), cmp.Or(r.Channel, c.fake.Name()), money.Of(10_00, "CNY")
	before := len(c.fake.Orders())
	got, err := c.n.Payments.DryRun(t.Context(), Support, who, r)
	if n := len(c.fake.Orders()); n != before {
		t.Errorf("the channel was asked for %d payments", n-before)
	}
	return got, err
}

// A question says what a payment through the channel would meet, for a member as
// for a payer whom nobody knows, and asks nobody.
func outsideDryRuns(t *testing.T, d *desk) {
	c := newCounter(t, d)
	p := c.person(t, 0)
	code, qr := payment.Request{Method: pinfree.PaymentCode, Entry: pinfree.Scanned}, payment.Request{Method: pinfree.DynamicQR}
	want := func(when string, who mianmi.PayerID, r payment.Request, outcome pinfree.Outcome, reason pinfree.Reason) {
		t.Helper()
		v := must(c.dry(t, who, r))(t)
		if v.Decision.Outcome != outcome || v.Decision.Reasons[0].Reason != reason {
			t.Errorf("%s: %v for %v, want %v for %v", when, v.Decision.Outcome, v.Decision.Reasons, outcome, reason)
		}
	}
	_, err := c.dry(t, p.ID, code)
	wantKind(t, err, mianmi.Invalid, "payer") // has no agreement with this merchant
	must(c.a.Payers.OpenAgreement(t.Context(), p.Actor(), p.ID, payer.AgreementInput{Merchant: c.Merchant,
		ConsentVersion: payer.ConsentText.Version, Password: PaymentPassword}))(t)
	want("a member's code", p.ID, code, pinfree.PinFree, pinfree.WithinLimits)
	want("a member's QR code", p.ID, qr, pinfree.StepUp, pinfree.MethodNeedsPIN)
	want("a code of nobody", "", code, pinfree.PinFree, pinfree.WithinLimits)
	bare := code
	bare.Terminal = c.Bare
	c.fake.OwnRules = false
	want("a code of nobody, whom the channel's rules do not suffice for", "", code, pinfree.StepUp, pinfree.LayerUnknown)
	want("where no QR code can be shown", "", bare, pinfree.Refused, pinfree.NoStepUpPossible)
	must(c.a.Payers.Close(t.Context(), p.Actor(), p.ID, noBasis))(t)
	want("a member who has closed PIN-free", p.ID, code, pinfree.StepUp, pinfree.PayerClosed)

	elsewhere := code
	elsewhere.Channel = "nobody"
	_, err = c.dry(t, "", elsewhere)
	wantKind(t, err, mianmi.Invalid, "channel")
	_, err = c.dry(t, "", payment.Request{Method: pinfree.CardTap})
	wantKind(t, err, mianmi.Invalid, "channel")
	_, err = c.n.Payments.DryRun(t.Context(), p.Actor(), "", payment.Request{Terminal: c.Terminal, Method: pinfree.DynamicQR, Channel: c.fake.Name()})
	wantKind(t, err, mianmi.Denied, "not_allowed")
}
