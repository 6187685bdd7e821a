package pinfree

// Reason says why a decision is as it is. Reasons are numbered for ever: the
// numbers are in the evidence, in the API and in the books. A test checks
// that each has words in every language for every audience.
//
// The order of precedence (which one binds when several apply) is by outcome
// first (a refusal before a step-up), then by number.
type Reason uint16

const (
	NoReason Reason = 0

	// Refusals.
	IncompleteInput   Reason = 10 // a required layer, the amount or the method is missing
	MethodNotAccepted Reason = 11 // the terminal, store or merchant does not take this method
	RuleRefuses       Reason = 12 // a rule pack refuses above its limit, a PIN does not help
	NoStepUpPossible  Reason = 13 // a PIN is needed and nobody here can ask for one
	TooManyFailures   Reason = 14 // authentication failed too often in a row (RTS Article 4(3)(b))
	CodeUsed          Reason = 15 // an authentication code was used before (RTS Article 4(1))

	// Step-ups, most telling first.
	PayerFrozen         Reason = 100 // loss report
	EmergencyStopped    Reason = 101
	PayerClosed         Reason = 102 // the payer's own switch
	PayerCoolingOff     Reason = 103 // reopened, not yet in force
	AgreementClosed     Reason = 104 // closed by the payer for this merchant
	AgreementMissing    Reason = 105 // the merchant needs an agreement and there is none
	IssuerClosed        Reason = 106
	ChannelClosed       Reason = 107
	MerchantClosed      Reason = 108
	StoreClosed         Reason = 109
	ModelClosed         Reason = 110
	TerminalClosed      Reason = 111
	TerminalUnproved    Reason = 112 // not attested, or lease run out
	PostureUnsafe       Reason = 113
	RiskStepUp          Reason = 114
	CodeTyped           Reason = 115 // digits typed or entry unknown
	QuietHours          Reason = 116
	RuleAlwaysStepsUp   Reason = 117 // a rule's condition asks for a PIN whatever the amount
	RulePerPaymentLimit Reason = 118
	RuleCumulativeLimit Reason = 119 // amount since the counter's reset
	RuleCountLimit      Reason = 120 // number since the counter's reset
	OwnPerPaymentLimit  Reason = 121
	OwnDayAmountLimit   Reason = 122
	OwnDayCountLimit    Reason = 123
	PlacePerPayment     Reason = 124 // limit of merchant, store, model, terminal, agreement …
	NoRuleCovers        Reason = 125 // no rule pack covers this payment: PIN-free is nobody's permission
	CurrencyNotCovered  Reason = 126 // a limit is in another currency
	LayerUnknown        Reason = 127 // a layer's state is not known
	MethodNeedsPIN      Reason = 128 // chip and stripe always ask for the PIN

	// What a terminal has not proved (docs/adr/0009). TerminalUnproved stays for
	// what fits none of these.
	TerminalBehind       Reason = 129 // proved, but not the newest tightening; At: of that one
	TerminalLeaseOver    Reason = 130 // the last proof does not count any more; At: since when
	TerminalNeverProved  Reason = 131
	TerminalRevoked      Reason = 132 // its key was taken back; At: when
	TerminalFellBack     Reason = 133 // runs an older setting than it has proved before
	TerminalDrifted      Reason = 134 // runs what nobody asked for; At: since when
	TerminalClosedItself Reason = 135 // says that it takes no PIN-free payment: its menu, or its own checks

	PayerUnclear Reason = 136 // the channel can say whose code it is, and has not said so clearly
	PayerDiffers Reason = 137 // the merchant names one payer, and the channel whose code it is another

	// Allowed.
	WithinLimits     Reason = 200 // every layer allows it
	OneOffAllowance  Reason = 201 // the payer allowed this one in advance
	AlreadyVerified  Reason = 202 // the payer had authenticated unasked
	ConfirmedOnPhone Reason = 203 // dynamic QR, confirmed with the password
	HostAlone        Reason = 204 // beside the first: the terminal proves nothing, the setting is the host's alone
	ChannelKeepsOwn  Reason = 205 // beside the first: the channel has a switch and counts of its own for the payer, unseen here
	NamedByChannel   Reason = 206 // beside the others: the channel said whose code it was, before the charge
)
