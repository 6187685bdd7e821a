package payment

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/pinfree"
)

// How many elements are shown before any step-up, by what was presented.
func TestFactors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		method pinfree.Method
		entry  pinfree.Entry
		cvm    pinfree.CVM
		want   int64
	}{
		"a code that was scanned":           {pinfree.PaymentCode, pinfree.Scanned, pinfree.NoCVM, 1},
		"digits that may have been told on": {pinfree.PaymentCode, pinfree.Typed, pinfree.NoCVM, 0},
		"a code read nobody knows how":      {pinfree.PaymentCode, pinfree.EntryUnknown, pinfree.NoCVM, 0},
		"a tap":                             {pinfree.CardTap, pinfree.EntryUnknown, pinfree.NoCVM, 1},
		"a tap of a phone that was opened":  {pinfree.CardTap, pinfree.EntryUnknown, pinfree.CDCVM, 2},
		"a chip":                            {pinfree.CardInsert, pinfree.EntryUnknown, pinfree.NoCVM, 1},
		"a chip and PIN":                    {pinfree.CardInsert, pinfree.EntryUnknown, pinfree.OfflinePIN, 2},
		"a magnetic stripe":                 {pinfree.CardSwipe, pinfree.EntryUnknown, pinfree.NoCVM, 0},
		"a QR code and the password":        {pinfree.DynamicQR, pinfree.EntryUnknown, pinfree.PhonePassword, 2},
	} {
		if got := factors(c.method, c.entry, c.cvm); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// What is said later of a payment is what was said when it was decided, or
// that it is not known any more.
func TestFactsOfAPaymentBefore(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC)
	account := func(version int64, open bool) *Account {
		return &Account{Payer: payer.Payer{Version: version, Settings: payer.Settings{PinFree: open}}}
	}
	tap := Payment{Method: pinfree.CardTap, CreatedAt: at, PayerVersion: 7}
	for name, c := range map[string]struct {
		outcome pinfree.Outcome
		cvm     pinfree.CVM
		account *Account
		consent string
		factors int64
	}{
		"PIN-free, closed since":            {pinfree.PinFree, pinfree.NoCVM, account(8, false), "given", 1},
		"authenticated, as it is":           {pinfree.Authenticated, pinfree.CDCVM, account(7, false), "closed", 2},
		"authenticated, changed since":      {pinfree.Authenticated, pinfree.CDCVM, account(8, true), "", 2},
		"authenticated after the decision":  {pinfree.StepUp, pinfree.OnlinePIN, account(7, true), "given", 1},
		"authenticated, payer not readable": {pinfree.Authenticated, pinfree.CDCVM, &Account{Payer: payer.Payer{Version: 7}, Unreadable: true}, "", 2},
	} {
		p := tap
		p.Outcome, p.CVM = c.outcome, c.cvm
		got := p.facts(&Change{Payment: &p, Account: c.account, Instrument: &payer.Instrument{Issuer: "icbc"}}, "high")
		want := &pinfree.Facts{Type: "sale", Offline: pinfree.No, Consent: c.consent, Contactless: pinfree.Yes, MerchantRisk: "high",
			Factors: c.factors, Certificate: pinfree.No, Issuer: "icbc"}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}
