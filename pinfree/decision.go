// Package pinfree decides whether a payment may pass without a PIN.
//
// Decide is pure: the same Input gives the same Decision, for ever. It knows
// no clock, no database and no randomness; everything it needs stands in the
// Input. Rule packs (package packs) are data; Compile turns them into a
// RuleSet once, at start.
//
// What it leaves to others: reading settings and counters (store), charging
// (channel), asking for the PIN (payment).
package pinfree

import (
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
)

// Outcome is what may happen to a payment. The zero Outcome refuses; the
// order is that of strictness, so the strictest of several is the smallest.
type Outcome uint8

const (
	Refused Outcome = iota // must not happen in this way; a PIN does not help
	StepUp                 // only after the payer has authenticated
	PinFree                // without a PIN
	// Authenticated: the payer has authenticated unasked (chip and PIN, CDCVM,
	// password on the phone), so the question of a PIN does not arise.
	Authenticated
)

// Method is how the payer pays. The zero Method is unknown and is refused.
type Method uint8

const (
	MethodUnknown Method = iota
	PaymentCode          // 付款码 shown by the payer, read by the merchant
	CardTap              // contactless card or device
	CardInsert           // contact chip
	CardSwipe            // magnetic stripe
	DynamicQR            // shown by the terminal, scanned by the payer, who confirms on the phone
	Cash                 // recorded, never decided
	StaticQR             // printed at the merchant, scanned by the payer
	Remote               // away from the merchant: in an app or on a page
	MandateDebit         // a debit that the merchant starts under the payer's mandate (代扣)
	DeviceWallet         // a balance kept on the payer's phone (UPI Lite)
	ATM                  // cash withdrawal; always with the PIN
)

// Methods is a set of Method.
type Methods uint16

// Set returns the set with m added.
func (s Methods) Set(m Method) Methods { return s | 1<<m }

// Has reports whether m is in the set.
func (s Methods) Has(m Method) bool { return m != MethodUnknown && s&(1<<m) != 0 }

// Entry is how a payment code came into the terminal. The zero Entry is
// unknown and is treated like typed digits: it always asks for the password.
type Entry uint8

const (
	EntryUnknown Entry = iota
	Scanned
	Typed // digits were revealed and typed: always the password (WeChat Pay, payment code rules)
)

// CVM is a cardholder verification method that has already been performed.
type CVM uint8

const (
	NoCVM         CVM = iota
	OnlinePIN         // PIN at the terminal, verified by the host
	OfflinePIN        // PIN verified by the chip
	CDCVM             // on the consumer's device
	PhonePassword     // payment password (or passkey) on the payer's phone
)

// StepUpMethods is the set of ways in which a payer can authenticate for one
// payment, given this terminal and this payer. Empty means none.
type StepUpMethods uint8

const (
	ByTerminalPIN   StepUpMethods = 1 << iota // PIN on the terminal's keypad
	ByPhonePassword                           // payment password on the payer's phone
	ByDynamicQR                               // QR shown by the terminal, confirmed on the phone
)

// Card is what the decision needs to know of a card or device.
type Card struct {
	Scheme     string // "unionpay", "visa", …; empty: unknown
	Kind       string // "debit", "credit", "quasi_credit", "prepaid"; empty: unknown
	Domestic   bool   // issued in the country of the terminal
	Instrument string // token; the bucket of per-instrument counters
}

// Place is what rules may ask about merchant and terminal.
type Place struct {
	MCC              uint16 // ISO 18245 merchant category code; 0: unknown
	Country          string // ISO 3166 alpha-2 of the terminal; empty: unknown
	Unattended       bool
	Purpose          string // of an unattended terminal: "transport_fare", "parking_fee", "vending"; empty: general
	NoPINMerchant    bool   // enabled for no-PIN no-signature ("double-free") by its acquirer
	UpgradedMerchant bool   // upgraded to the scheme's present limit (UnionPay 2018)
}

// Input is everything that a decision depends on.
type Input struct {
	Amount money.Amount
	Method Method
	Entry  Entry // payment codes
	CVM    CVM   // already performed
	Card   Card  // cards and devices
	Place  Place
	Facts  *Facts // what else packs may ask about; nil: unknown

	// At is when the payment is decided: a pack outside its effective dates
	// does not apply. With the zero time no dated pack permits anything.
	At time.Time
	// Minute is the minute of the payer's local day, 0 to 1439, for quiet hours
	// (RuleSet.LocalMinute).
	Minute int

	// Layers are all who have a say besides the rule packs, in any order.
	// Payer, Merchant and Terminal must be there, or the payment is refused.
	Layers []Layer

	// Rules are the compiled packs; nil means no rule allows PIN-free.
	Rules *RuleSet
	// Counts holds the present value of each counter of Rules, from Rules.Roll.
	Counts []Count
	// Own is the payer's PIN-free use of the present day, for own limits
	// (RuleSet.Own).
	Own Count

	// Can is what this terminal and this payer can do for a step-up.
	Can StepUpMethods
}

// Count is the present value of a counter, the current payment not included.
// A negative figure means that the value is not known; every bound on it counts
// as passed.
type Count struct {
	Number int64 // payments
	Minor  int64 // minor units
}

// Decision is the answer. The zero Decision refuses.
type Decision struct {
	Outcome Outcome
	// Reasons are all that bear on the outcome, the binding one first. A
	// PIN-free decision carries the reason that allowed it, with the tightest limit.
	Reasons []Why
	// By is how the payer may authenticate; set with StepUp alone.
	By StepUpMethods
}

// Why is one reason with its origin and figures.
type Why struct {
	Reason  Reason
	Layer   LayerKind
	ID      string // which merchant, store, terminal …; empty for payer and packs
	Version int64  // of that layer's setting
	Rule    string // "pack/limit" for rule packs, "posture/rule" for checks of a terminal
	Limit   int64  // minor units or a number of payments; 0 when there is none
	Actual  int64  // what it was compared with
	// Currency of Limit and Actual; empty when they are numbers of payments.
	Currency money.Currency
	// At is the instant that the reason speaks of ("the setting of 12:04"), and
	// Decided that of the decision, in Unix seconds; 0 when it speaks of none.
	At, Decided int64
}

// Audience is who reads a reason.
type Audience uint8

const (
	ForPayer Audience = iota
	ForCashier
	ForSupport
)

// Words puts the reason in words for the audience, in both languages. name is
// the display name of what the reason names: shop or terminal for a layer, the
// rule's title (RuleSet.RuleTitle) for a rule; empty takes a general word.
func (w Why) Words(a Audience, name string) mianmi.Text { return words(w, a, name) }
