package payment

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/pinfree"
)

// Request asks for one payment.
type Request struct {
	Terminal mianmi.TerminalID
	// OrderNo is the merchant's own, unique for the merchant: 1 to 32 of 0-9 A-Z a-z
	// _ - *. It is not searched for card numbers: of plain numbers one in ten
	// would look like one.
	OrderNo    string
	Amount     money.Amount
	Method     pinfree.Method
	Code       string              // payment code: 18 digits
	Entry      pinfree.Entry       // how the code was read
	Instrument mianmi.InstrumentID // card or device: its token
	// CVM is what the card's kernel reports as done: CDCVM with a tap,
	// OfflinePIN with a chip. Nothing else is believed from a terminal.
	CVM pinfree.CVM
	// Channel is the channel over a network that opens the QR code of a dynamic_qr;
	// empty with every other method: a code says itself whose it is.
	Channel string
	// Member is a payer here who pays with another system's code or app, and who
	// has an agreement with the merchant; empty: nobody knows who pays.
	Member mianmi.PayerID

	// Mandate is what a mandate_debit is made under.
	Mandate *Mandate

	// payer confirms on the phone (dynamic QR); set by PayQR alone.
	payer mianmi.PayerID
	// outside is the channel over a network that the payment goes through; nil: the
	// wallet, or cash. Set by route alone.
	outside *outside
}

// Mandate is a payer's agreement with the merchant, in the opening by which the
// merchant may charge. Another opening, or none, is no mandate.
type Mandate struct {
	Payer     mianmi.PayerID
	Agreement mianmi.AgreementID
	OpenedAt  time.Time
	// Reference is the merchant's own name of it: a repeat of a request has the same.
	Reference string
}

// holds reports whether the agreement, as it is now, is that opening.
func (m *Mandate) holds(a *payer.Agreement) bool {
	return a != nil && a.Open && a.ID == m.Agreement && a.OpenedAt.Equal(m.OpenedAt)
}

// ErrMandate says that the agreement was closed: nothing was taken, and nobody is
// asked for a password in its place.
var ErrMandate = mianmi.Conflicts("mandate_ended", "the agreement that this charge is made under has ended")

// Bounds of a request.
const (
	orderNoLenMax = 32
	codeLen       = 18
	// amountMax keeps every sum of a day far from the end of int64.
	amountMax = 1_000_000_000_000
)

// validate returns the first field that is wrong, in the API's names.
func (r *Request) validate() error {
	switch {
	case r.Terminal == "" || len(r.Terminal) > 64:
		return mianmi.InvalidField("terminal", "which terminal takes the payment is missing")
	case !orderNo(r.OrderNo):
		return mianmi.InvalidField("order_no", "1 to 32 characters of 0-9, A-Z, a-z, _, - and *")
	case !r.Amount.Currency().Valid():
		return mianmi.InvalidField("amount.currency", "three upper-case letters (ISO 4217)")
	case r.Amount.Minor() <= 0 || r.Amount.Minor() > amountMax:
		return mianmi.InvalidField("amount.minor", "a whole number of minor units from 1 to 1000000000000")
	case r.Entry > pinfree.Typed:
		return mianmi.InvalidField("entry", "scanned or typed")
	case r.Channel != "" && r.Method != pinfree.DynamicQR:
		return mianmi.InvalidField("channel", "only with dynamic_qr: a code says itself whose it is")
	case r.Member != "" && (!payerID(r.Member) || r.Method != pinfree.DynamicQR && r.Method != pinfree.PaymentCode):
		return mianmi.InvalidField("member", "a payer here, with a code or QR code of another payment system")
	}
	switch r.Method {
	case pinfree.PaymentCode:
		return r.validateCode()
	case pinfree.CardTap, pinfree.CardInsert, pinfree.CardSwipe:
		return r.validateCard()
	case pinfree.Cash:
		return r.validateCash()
	case pinfree.DynamicQR:
		return r.validateQR()
	case pinfree.MandateDebit:
		return r.validateMandate()
	}
	return mianmi.InvalidField("method", "one of payment_code, card_tap, card_insert, card_swipe, cash")
}

func (r *Request) validateQR() error {
	switch {
	case r.payer == "" && r.Channel == "":
		return mianmi.InvalidField("method", "a dynamic QR is opened as a QR order, which the payer confirms; or name the channel whose it is")
	case r.Channel == "":
		return nil
	case r.Code != "" || r.Instrument != "" || r.CVM != pinfree.NoCVM || r.Entry != pinfree.EntryUnknown:
		return mianmi.InvalidField("method", "a QR code of a channel needs no code, instrument or verification")
	}
	return nil
}

func (r *Request) validateMandate() error {
	switch {
	case r.Mandate == nil || !payerID(r.Mandate.Payer):
		return mianmi.InvalidField("method", "a debit under a mandate is made by the front that has the contract")
	case r.Code != "" || r.Instrument != "" || r.CVM != pinfree.NoCVM || r.Entry != pinfree.EntryUnknown:
		return mianmi.InvalidField("method", "a debit under a mandate needs no code, instrument or verification")
	}
	return nil
}

func (r *Request) validateCode() error {
	if len(r.Code) != codeLen || !digits(r.Code) {
		return mianmi.InvalidField("code", "a payment code has 18 digits")
	}
	if r.Instrument != "" {
		return mianmi.InvalidField("instrument", "a payment code needs no instrument")
	}
	if r.CVM != pinfree.NoCVM {
		return mianmi.InvalidField("cvm", "a payment code is verified on the phone")
	}
	return nil
}

func (r *Request) validateCard() error {
	if _, err := r.Instrument.Bucket(); err != nil {
		// A token of ours may hold such digits by chance, and is none.
		if payer.LooksLikeCard(string(r.Instrument)) {
			return mianmi.InvalidField("instrument", "looks like a card number, which must never be sent: send the token")
		}
		return mianmi.InvalidField("instrument", "the token of a card, as mianmi issued it")
	}
	if r.Code != "" {
		return mianmi.InvalidField("code", "a card needs no payment code")
	}
	ok := r.CVM == pinfree.NoCVM || r.CVM == pinfree.CDCVM && r.Method == pinfree.CardTap ||
		r.CVM == pinfree.OfflinePIN && r.Method == pinfree.CardInsert
	if !ok {
		return mianmi.InvalidField("cvm", "cdcvm with card_tap or offline_pin with card_insert")
	}
	return nil
}

func (r *Request) validateCash() error {
	switch {
	case r.Code != "":
		return mianmi.InvalidField("code", "cash needs no payment code")
	case r.Instrument != "":
		return mianmi.InvalidField("instrument", "cash needs no instrument")
	case r.CVM != pinfree.NoCVM:
		return mianmi.InvalidField("cvm", "cash needs no verification")
	}
	return nil
}

func orderNo(s string) bool {
	if len(s) == 0 || len(s) > orderNoLenMax {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !(c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '_' || c == '-' || c == '*') {
			return false
		}
	}
	return true
}

// payerID reports whether the text can be a payer's identifier. What cannot is
// not sent to the database, which refuses some of it with an error.
func payerID(id mianmi.PayerID) bool { return orderNo(string(id)) }

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// codeBucketNo reads the three digits after the prefix (ADR 3).
func codeBucketNo(code string) int {
	return int(code[2]-'0')*100 + int(code[3]-'0')*10 + int(code[4]-'0')
}

// Hash16 is the first 16 bytes of a SHA-256: an order's key or digest.
type Hash16 [16]byte

// Bucket is where the order's claim is kept.
func (h Hash16) Bucket() mianmi.Bucket { return mianmi.Bucket(h[0]) }

// OrderKey names the order of the merchant: where the claim of its number is.
func OrderKey(m mianmi.MerchantID, no string) Hash16 {
	var buf [128]byte
	b := append(buf[:0], "order\x00"...)
	b = append(b, m...)
	b = append(b, 0)
	b = append(b, no...)
	return short(b)
}

// digest covers what a repeat of the request must have in common with it.
func (r *Request) digest(m mianmi.MerchantID) Hash16 {
	var buf [256]byte
	b := append(buf[:0], "request\x00"...)
	for _, s := range [...]string{string(m), string(r.Terminal), r.OrderNo, string(r.Amount.Currency()),
		r.Code, string(r.Instrument), string(r.payer), r.Channel, string(r.Member)} {
		b = append(b, s...)
		b = append(b, 0)
	}
	b = binary.BigEndian.AppendUint64(b, uint64(r.Amount.Minor())) //nolint:gosec // positive
	b = append(b, byte(r.Method), byte(r.Entry), byte(r.CVM))
	if m := r.Mandate; m != nil {
		b = fmt.Appendf(b, "%s\x00%s\x00%d\x00%s", m.Payer, m.Agreement, m.OpenedAt.UnixMicro(), m.Reference)
	}
	return short(b)
}

func short(b []byte) Hash16 {
	sum := sha256.Sum256(b)
	return Hash16(sum[:16])
}
