package payment_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
)

var requestFields = []string{"terminal", "order_no", "amount.minor", "amount.currency", "method", "code", "entry", "instrument", "cvm"}

// Whatever a terminal sends is decided, or refused by the field at fault
// before anything is begun; a text never comes back in an error.
func FuzzAuthorize(f *testing.F) {
	f.Add("tm1", "A-1_*", "", "ci0000000000000000000000000000", "CNY", int64(18_00), uint8(pinfree.CardTap), uint8(0), uint8(0))
	f.Add("tm1", "1", "880001234567890123", "", "CNY", int64(1), uint8(pinfree.PaymentCode), uint8(pinfree.Scanned), uint8(0))
	f.Add("tm1", "1", "882561234567890123", "", "CNY", int64(1), uint8(pinfree.PaymentCode), uint8(pinfree.Typed), uint8(0))
	f.Add("tm1", "c", "", "", "CNY", int64(1_000_000_000_000), uint8(pinfree.Cash), uint8(0), uint8(0))
	f.Add("tm2\x00", "订单", "４", "ci\xff", "cny", int64(-1), uint8(255), uint8(255), uint8(255))
	f.Add("", strings.Repeat("9", 33), strings.Repeat("9", 18), "4111111111111111", "", int64(0), uint8(5), uint8(3), uint8(1))
	c := newCounter(f, payment.Config{Lanes: 1})
	f.Cleanup(c.s.Stop)
	f.Fuzz(func(t *testing.T, terminal, no, code, instrument, currency string, minor int64, method, entry, cvm uint8) {
		r := payment.Request{Terminal: mianmi.TerminalID(terminal), OrderNo: no, Amount: money.Of(minor, money.Currency(currency)),
			Method: pinfree.Method(method), Code: code, Entry: pinfree.Entry(entry), Instrument: mianmi.InstrumentID(instrument), CVM: pinfree.CVM(cvm)}
		begun := len(c.m.sizes())
		p, err := c.s.Authorize(t.Context(), cashier, r)
		if err == nil {
			if p.OrderNo != no || p.Amount != r.Amount || p.State.String() == "" || !utf8.ValidString(p.OrderNo+terminal+instrument) {
				t.Fatalf("%+v became %+v", r, p)
			}
			if p.PinFree() && (r.Method != pinfree.CardTap || r.CVM != pinfree.NoCVM || minor > 1000_00) {
				t.Fatalf("%+v passed PIN-free", r)
			}
			return
		}
		var e *mianmi.Error
		if !errors.As(err, &e) {
			t.Fatalf("%+v: %v", r, err)
		}
		switch e.Kind {
		case mianmi.Conflict, mianmi.Unavailable: // a number used before; too many unknown codes
			return
		case mianmi.Invalid:
		default:
			t.Fatalf("%+v: %v", r, err)
		}
		if !slices.Contains(requestFields, e.Field) {
			t.Fatalf("%+v: the error names %q", r, e.Field)
		}
		for _, secret := range []string{code, instrument} {
			if len(secret) > 8 && strings.Contains(err.Error(), secret) {
				t.Fatalf("the error quotes %q: %v", secret, err)
			}
		}
		if e.Code == "" && e.Field != "terminal" && e.Field != "instrument" && e.Field != "method" && len(c.m.sizes()) != begun {
			t.Fatalf("%+v was begun and refused by %s", r, e.Field)
		}
	})
}

// What is refunded is an amount of a payment, or an error by its field.
func FuzzRefundRequest(f *testing.F) {
	f.Add("r1", "退货", "CNY", int64(1))
	f.Add("", "a\x00", "cny", int64(-1))
	f.Add(strings.Repeat("r", 33), "card 4111 1111 1111 1111", "", int64(0))
	c := newCounter(f, payment.Config{Lanes: 1})
	f.Cleanup(c.s.Stop)
	admin := mianmi.Actor{Role: mianmi.RoleMerchantAdmin, ID: "sf1", Merchant: "mc1"}
	f.Fuzz(func(t *testing.T, no, reason, currency string, minor int64) {
		r := payment.RefundRequest{RefundNo: no, Reason: reason, Amount: money.Of(minor, money.Currency(currency))}
		_, err := c.s.Refund(t.Context(), admin, "pm0000000000000000000000000000", r)
		var e *mianmi.Error
		if !errors.As(err, &e) {
			t.Fatalf("%+v: %v", r, err)
		}
		switch {
		case e.Kind == mianmi.NotFound: // good form, and no such payment
			if !utf8.ValidString(no+reason) || strings.ContainsRune(no+reason, 0) || minor <= 0 {
				t.Fatalf("%+v came to the database", r)
			}
		case e.Kind != mianmi.Invalid || !slices.Contains([]string{"refund_no", "amount", "reason"}, e.Field):
			t.Fatalf("%+v: %v", r, err)
		}
	})
}
