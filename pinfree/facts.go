package pinfree

import "math"

// Facts is what a pack may ask about a payment besides its card and place.
// Every zero field, and a nil *Facts, means that it is not known; a pack then
// restricts the payment and does not permit it.
type Facts struct {
	Type         string // kind of transaction: see TransactionTypes
	Offline      Flag   // decided without asking the host
	Consent      string // the payer's to PIN-free payment: see Consents
	Contactless  Flag   // the holder has contactless payment switched on
	Risk         string // what transaction monitoring says: see Risks
	MerchantRisk string // see Risks
	// Factors are the independent elements that the payer has shown for this
	// payment before any step-up: possession of the phone alone is 1.
	Factors     int64
	Certificate Flag // one of them is a digital certificate or electronic signature
	Issuer      string
	Activated   Flag // the issuer's own limits are active for this card
	Listed      Flag // the card's number range is in the terminal's no-PIN list
	AsksPIN     Flag // the card asks for online PIN (card transaction qualifiers)
	QuickPass   Flag // the terminal's no-PIN service is on (UnionPay FF8054)
	Mandate     Mandate
	Figures     Figures
}

// Mandate is what is known of the mandate that a debit is made under.
type Mandate struct {
	Registered  Flag   // with authentication
	Begun       Flag   // its first debit was authenticated
	Withdrawn   Flag   // by the payer
	Skipped     Flag   // the payer opted out of this debit
	NoticeHours int64  // how long before the debit the payer was told; 0: not at all
	Category    string // "insurance_premium", …; empty: unknown
}

// Flag is a yes or a no that may be unknown. The zero Flag is unknown.
type Flag uint8

const (
	NotKnown Flag = iota
	No
	Yes
)

// FlagOf returns Yes or No.
func FlagOf(b bool) Flag {
	if b {
		return Yes
	}
	return No
}

// The words that facts of a closed kind may have. A pack that asks for another
// word is refused, for it would never match.
var (
	TransactionTypes = []string{"sale", "preauth", "refund", "cash_advance"}
	// Consents: the payer asked for it; closed it; has it by default and never
	// confirmed; never used the card in this way.
	Consents = []string{"given", "closed", "default", "never_used"}
	Risks    = []string{"low", "elevated", "high"}
)

// Figure names an amount that does not stand in a pack but comes with the
// payment: a limit that the issuer or payer chose, or that is set in a terminal.
type Figure uint8

const (
	PayerPaymentLimit      Figure = iota // the payer's own, per payment
	PayerCumulativeLimit                 // the payer's own, in all
	IssuerPaymentLimit                   // the issuer's (firm's) own, per payment
	AgreedDayLimit                       // agreed with the payer, per day
	ReaderCVMLimit                       // reader CVM required limit (DF8126)
	ReaderTransactionLimit               // reader contactless transaction limit, no on-device CVM (DF8124)
	ReaderDeviceLimit                    // the same, with on-device CVM (DF8125)
	TerminalNoPINLimit                   // UnionPay FF8058
	figureCount
)

var figureNames = []string{"payer_payment_limit", "payer_cumulative_limit", "issuer_payment_limit", "agreed_day_limit",
	"reader_cvm_limit", "reader_transaction_limit", "reader_device_limit", "terminal_no_pin_limit"}

// String returns the figure's name as it stands in packs.
func (f Figure) String() string { return nameOf(figureNames, int(f)) }

// ParseFigure is the inverse of String.
func ParseFigure(s string) (Figure, bool) {
	i, ok := indexOf(figureNames, s)
	return Figure(i), ok //nolint:gosec // a table index
}

// Figures are amounts in minor units of the payment's currency, by Figure. Zero
// allows nothing, so that a figure that nobody gave is not taken for leave.
type Figures [figureCount]int64

// NoFigure says of a figure that it is known that there is no such limit.
const NoFigure = math.MaxInt64

// bound returns the bound that a figure makes.
func (f *Facts) bound(op Op, fig Figure) Bound {
	switch {
	case f == nil || f.Figures[fig] < 0:
		return Bound{Op: op}
	case f.Figures[fig] == NoFigure:
		return Unbounded()
	}
	return Bound{op, f.Figures[fig]}
}
