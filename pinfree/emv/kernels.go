package emv

import (
	"strconv"

	"github.com/mianmi/mianmi"
)

// Kernel is whose parameters a terminal's reader has for a scheme.
type Kernel uint8

const (
	KernelEntryPoint Kernel = iota // limits of Entry Point (Book B): Visa and most others
	KernelC2                       // Mastercard
	KernelUnionPay                 // Entry Point's limits, and UnionPay's own parameters
)

// KernelOf returns the kernel of a scheme. A scheme that is not known has Entry
// Point's limits, whose comparison is the stricter one.
func KernelOf(scheme string) Kernel {
	switch scheme {
	case "mastercard":
		return KernelC2
	case "unionpay":
		return KernelUnionPay
	}
	return KernelEntryPoint
}

// String returns "entry_point", "c2" or "unionpay".
func (k Kernel) String() string {
	return [...]string{"entry_point", "c2", "unionpay"}[min(k, KernelUnionPay)]
}

// EntryPoint is the reader limits of Book B, in minor units. It compares with >=
// for both limits, and with > for the floor. The zero EntryPoint takes no
// payment without a CVM, and none at all.
type EntryPoint struct {
	TransactionLimit int64 `json:"transaction_limit"`
	CVMLimit         int64 `json:"cvm_limit"`
	FloorLimit       int64 `json:"floor_limit"` // 0: every payment goes online
}

// entryPoint turns the largest amounts that are inside into limits that are
// outside: up to and including X is a limit of X + 1.
func entryPoint(c Ceiling) EntryPoint {
	return EntryPoint{TransactionLimit: above(min(c.Taken, c.TakenOnDevice)), CVMLimit: above(c.PinFree)}
}

// above is the first amount outside. Nothing inside is 0, and what is above all
// that twelve digits hold is the largest amount, so that one fen of AmountMax is
// asked for too often rather than once too seldom.
func above(largest int64) int64 {
	if largest <= 0 {
		return 0
	}
	return min(largest+1, AmountMax)
}

// AsksCVM reports whether Entry Point asks for verification (Book B 3.1.1).
func (e EntryPoint) AsksCVM(minor int64) bool { return minor >= e.CVMLimit }

// Takes reports whether Entry Point lets the payment be made contactless.
func (e EntryPoint) Takes(minor int64) bool { return minor < e.TransactionLimit }

// Values lists the limits with their tags.
func (e EntryPoint) Values() []Value {
	return []Value{
		amountValue("DF20", titleTransaction, e.TransactionLimit),
		amountValue("DF21", titleCVM, e.CVMLimit),
		amountValue("DF19", titleFloor, e.FloorLimit),
	}
}

// C2 is the reader limits of Mastercard's kernel, in minor units. It compares
// with > throughout. The zero C2 takes no payment above zero.
type C2 struct {
	FloorLimit             int64 `json:"floor_limit"`              // DF8123; 0: every payment goes online
	TransactionLimit       int64 `json:"transaction_limit"`        // DF8124, no on-device CVM
	TransactionLimitDevice int64 `json:"transaction_limit_device"` // DF8125, on-device CVM
	CVMLimit               int64 `json:"cvm_limit"`                // DF8126
}

// c2 needs no correction: up to and including X is a limit of X.
func c2(c Ceiling) C2 {
	return C2{TransactionLimit: c.Taken, TransactionLimitDevice: c.TakenOnDevice, CVMLimit: c.PinFree}
}

// AsksCVM reports whether the kernel asks for verification.
func (k C2) AsksCVM(minor int64) bool { return minor > k.CVMLimit }

// Takes reports whether the kernel lets the payment be made contactless.
func (k C2) Takes(minor int64, onDevice bool) bool {
	if onDevice {
		return minor <= k.TransactionLimitDevice
	}
	return minor <= k.TransactionLimit
}

// Values lists the limits with their tags.
func (k C2) Values() []Value {
	return []Value{
		amountValue("DF8123", titleFloor, k.FloorLimit),
		amountValue("DF8124", titleTransactionNoDevice, k.TransactionLimit),
		amountValue("DF8125", titleTransactionDevice, k.TransactionLimitDevice),
		amountValue("DF8126", titleCVM, k.CVMLimit),
	}
}

// UnionPay is the quick pass parameters of a UnionPay terminal. It compares with
// <= (no PIN up to and including the limit). The zero UnionPay asks for the PIN
// each time.
type UnionPay struct {
	QuickPass        bool  `json:"quick_pass"`         // FF8054
	ListA            bool  `json:"list_a"`             // FF8055, pilot: only listed cards
	ListB            bool  `json:"list_b"`             // FF8056, domestic debit cards only when listed
	CDCVM            bool  `json:"cdcvm"`              // FF8057, honours verification on the device
	NoPINLimit       int64 `json:"no_pin_limit"`       // FF8058
	NoSignatureLimit int64 `json:"no_signature_limit"` // FF8059
	NoSignature      bool  `json:"no_signature"`       // FF805A
}

// unionPay sets flags and limits together. With PIN-free off, verification on
// the holder's device is still honoured: the terminal looks at it first, and
// closing PIN-free must not take another method away.
func unionPay(c Ceiling, lists cardLists) UnionPay {
	device := c.TakenOnDevice > 0
	if c.PinFree <= 0 {
		return UnionPay{CDCVM: device}
	}
	return UnionPay{QuickPass: true, ListA: lists.all, ListB: lists.debit && !lists.all, CDCVM: device,
		NoPINLimit: c.PinFree, NoSignatureLimit: c.PinFree, NoSignature: true}
}

// AsksPIN reports whether the terminal asks for the PIN, of a card that is in
// the lists and was not verified on the holder's device.
func (u UnionPay) AsksPIN(minor int64) bool { return !u.QuickPass || minor > u.NoPINLimit }

// Values lists the parameters with their tags.
func (u UnionPay) Values() []Value {
	return []Value{
		flagValue("FF8054", titleQuickPass, u.QuickPass),
		flagValue("FF8055", titleListA, u.ListA),
		flagValue("FF8056", titleListB, u.ListB),
		flagValue("FF8057", titleCDCVM, u.CDCVM),
		amountValue("FF8058", titleNoPIN, u.NoPINLimit),
		amountValue("FF8059", titleNoSignatureLimit, u.NoSignatureLimit),
		flagValue("FF805A", titleNoSignature, u.NoSignature),
	}
}

// Field62 writes the parameters as the acquirer's host loads them: each tag in
// ASCII, three digits of length, and the value.
func (u UnionPay) Field62() string {
	var out string
	for _, v := range u.Values() {
		out += v.Tag + n12(int64(len(v.Value)))[9:] + v.Value
	}
	return out
}

// ParseField62 reads the quick pass parameters of field 62; tags that are not
// among them are left out of account, absent ones are off. Errors are Invalid.
func ParseField62(s string) (u UnionPay, err error) {
	seen := map[string]bool{}
	for len(s) > 0 {
		if len(s) < 9 {
			return UnionPay{}, mianmi.InvalidField("62", "ends inside a tag or its length")
		}
		tag, digits := s[:6], s[6:9]
		n, err := strconv.ParseUint(digits, 10, 16)
		if err != nil || int(n) > len(s)-9 || seen[tag] {
			return UnionPay{}, mianmi.InvalidField("62", tag+" is there twice, or its length is wrong")
		}
		seen[tag] = true
		if err := u.set(tag, s[9:9+n]); err != nil {
			return UnionPay{}, err
		}
		s = s[9+n:]
	}
	return u, nil
}

func (u *UnionPay) set(tag, value string) (err error) {
	flags := map[string]*bool{"FF8054": &u.QuickPass, "FF8055": &u.ListA, "FF8056": &u.ListB, "FF8057": &u.CDCVM, "FF805A": &u.NoSignature}
	if at, ok := flags[tag]; ok {
		if value != "0" && value != "1" {
			return mianmi.InvalidField("62", tag+" is neither 0 nor 1")
		}
		*at = value == "1"
	}
	amounts := map[string]*int64{"FF8058": &u.NoPINLimit, "FF8059": &u.NoSignatureLimit}
	if at, ok := amounts[tag]; ok {
		if *at, err = ParseN12(value); err != nil {
			return mianmi.InvalidField("62", tag+" is not twelve digits")
		}
	}
	return nil
}
