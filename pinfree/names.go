package pinfree

import "strings"

// The names below stand in the API, in packs and in the books; they never
// change. An unknown number has the empty name.

var (
	outcomeNames = []string{"refused", "step_up", "pin_free", "authenticated"}
	methodNames  = []string{"", "payment_code", "card_tap", "card_insert", "card_swipe", "dynamic_qr", "cash", "static_qr",
		"remote", "mandate_debit", "device_wallet", "atm"}
	entryNames = []string{"", "scanned", "typed"}
	cvmNames   = []string{"none", "online_pin", "offline_pin", "cdcvm", "phone_password"}
	stateNames = []string{"unknown", "on", "off"}
	layerNames = []string{"", "regulation", "scheme", "channel", "issuer", "payer", "agreement", "emergency_stop",
		"merchant", "store", "model", "terminal", "posture", "risk"}
	stepUpNames = []string{"terminal_pin", "phone_password", "dynamic_qr"} // by bit
)

func nameOf(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return ""
}

// indexOf finds a non-empty name; ok is false when there is none.
func indexOf(names []string, name string) (i int, ok bool) {
	for i, n := range names {
		if n == name && n != "" {
			return i, true
		}
	}
	return 0, false
}

// String returns "refused", "step_up", "pin_free" or "authenticated".
func (o Outcome) String() string { return nameOf(outcomeNames, int(o)) }

// ParseOutcome is the inverse of String; an unknown name is Refused and false.
func ParseOutcome(s string) (Outcome, bool) {
	i, ok := indexOf(outcomeNames, s)
	return Outcome(i), ok //nolint:gosec // a table index
}

// String returns the method's name ("payment_code"); MethodUnknown is empty.
func (m Method) String() string { return nameOf(methodNames, int(m)) }

// ParseMethod is the inverse of String; an unknown name is MethodUnknown and false.
func ParseMethod(s string) (Method, bool) {
	i, ok := indexOf(methodNames, s)
	return Method(i), ok //nolint:gosec // a table index
}

// String returns "scanned", "typed" or, when it is not known, "".
func (e Entry) String() string { return nameOf(entryNames, int(e)) }

// ParseEntry is the inverse of String: the empty text is EntryUnknown and true,
// an unknown name EntryUnknown and false.
func ParseEntry(s string) (Entry, bool) {
	i, ok := indexOf(entryNames, s)
	return Entry(i), ok || s == "" //nolint:gosec // a table index
}

// String returns the CVM's name; NoCVM is "none".
func (c CVM) String() string { return nameOf(cvmNames, int(c)) }

// ParseCVM is the inverse of String: the empty text is NoCVM and true, an
// unknown name NoCVM and false.
func ParseCVM(s string) (CVM, bool) {
	i, ok := indexOf(cvmNames, s)
	return CVM(i), ok || s == "" //nolint:gosec // a table index
}

// String returns "unknown", "on" or "off".
func (s State) String() string { return nameOf(stateNames, int(s)) }

// String returns the layer's name ("merchant"); LayerNone is empty.
func (k LayerKind) String() string { return nameOf(layerNames, int(k)) }

// ParseLayerKind is the inverse of String; an unknown name is LayerNone and false.
func ParseLayerKind(s string) (LayerKind, bool) {
	i, ok := indexOf(layerNames, s)
	return LayerKind(i), ok //nolint:gosec // a table index
}

// Has reports whether all of want are in s, and want is not empty.
func (s StepUpMethods) Has(want StepUpMethods) bool { return want != 0 && s&want == want }

// Names lists the methods' names, in a fixed order; nil when there is none.
func (s StepUpMethods) Names() []string {
	var out []string
	for i, n := range stepUpNames {
		if s&(1<<i) != 0 {
			out = append(out, n)
		}
	}
	return out
}

// String joins the names with commas ("terminal_pin,dynamic_qr").
func (s StepUpMethods) String() string { return strings.Join(s.Names(), ",") }

// ParseStepUpMethods is the inverse of String; an unknown name makes it 0 and
// false. The empty text is 0 and true.
func ParseStepUpMethods(s string) (StepUpMethods, bool) {
	if s == "" {
		return 0, true
	}
	var out StepUpMethods
	for n := range strings.SplitSeq(s, ",") {
		i, ok := indexOf(stepUpNames, n)
		if !ok {
			return 0, false
		}
		out |= 1 << i
	}
	return out, true
}

// String returns the reason's stable name ("payer_closed"), as it stands in
// the API; an unknown number is empty.
func (r Reason) String() string {
	for i := range reasonNames {
		if reasonNames[i].reason == r {
			return reasonNames[i].name
		}
	}
	return ""
}

// ParseReason is the inverse of String; an unknown name is NoReason and false.
func ParseReason(s string) (Reason, bool) {
	for i := range reasonNames {
		if reasonNames[i].name == s {
			return reasonNames[i].reason, true
		}
	}
	return NoReason, false
}

// Reasons lists every reason, in order of its number.
func Reasons() []Reason {
	out := make([]Reason, len(reasonNames))
	for i := range reasonNames {
		out[i] = reasonNames[i].reason
	}
	return out
}

// Classes of reasons by number.
const (
	firstRefusal = IncompleteInput
	firstStepUp  = PayerFrozen
	firstAllowed = WithinLimits
)

func (r Reason) isRefusal() bool { return r >= firstRefusal && r < firstStepUp }
func (r Reason) isStepUp() bool  { return r >= firstStepUp && r < firstAllowed }

var reasonNames = [...]struct {
	reason Reason
	name   string
}{
	{IncompleteInput, "incomplete_input"},
	{MethodNotAccepted, "method_not_accepted"},
	{RuleRefuses, "rule_refuses"},
	{NoStepUpPossible, "no_step_up_possible"},
	{TooManyFailures, "too_many_failures"},
	{CodeUsed, "code_used"},
	{PayerFrozen, "payer_frozen"},
	{EmergencyStopped, "emergency_stopped"},
	{PayerClosed, "payer_closed"},
	{PayerCoolingOff, "payer_cooling_off"},
	{AgreementClosed, "agreement_closed"},
	{AgreementMissing, "agreement_missing"},
	{IssuerClosed, "issuer_closed"},
	{ChannelClosed, "channel_closed"},
	{MerchantClosed, "merchant_closed"},
	{StoreClosed, "store_closed"},
	{ModelClosed, "model_closed"},
	{TerminalClosed, "terminal_closed"},
	{TerminalUnproved, "terminal_unproved"},
	{PostureUnsafe, "posture_unsafe"},
	{RiskStepUp, "risk_step_up"},
	{CodeTyped, "code_typed"},
	{QuietHours, "quiet_hours"},
	{RuleAlwaysStepsUp, "rule_always_steps_up"},
	{RulePerPaymentLimit, "rule_per_payment_limit"},
	{RuleCumulativeLimit, "rule_cumulative_limit"},
	{RuleCountLimit, "rule_count_limit"},
	{OwnPerPaymentLimit, "own_per_payment_limit"},
	{OwnDayAmountLimit, "own_day_amount_limit"},
	{OwnDayCountLimit, "own_day_count_limit"},
	{PlacePerPayment, "place_per_payment_limit"},
	{NoRuleCovers, "no_rule_covers"},
	{CurrencyNotCovered, "currency_not_covered"},
	{LayerUnknown, "layer_unknown"},
	{MethodNeedsPIN, "method_needs_pin"},
	{TerminalBehind, "terminal_behind"}, {TerminalLeaseOver, "terminal_lease_over"}, {TerminalNeverProved, "terminal_never_proved"},
	{TerminalRevoked, "terminal_revoked"}, {TerminalFellBack, "terminal_fell_back"}, {TerminalDrifted, "terminal_drifted"},
	{TerminalClosedItself, "terminal_closed_itself"}, {PayerUnclear, "payer_unclear"}, {PayerDiffers, "payer_differs"},
	{WithinLimits, "within_limits"},
	{OneOffAllowance, "one_off_allowance"},
	{AlreadyVerified, "already_verified"},
	{ConfirmedOnPhone, "confirmed_on_phone"}, {HostAlone, "host_alone"}, {ChannelKeepsOwn, "channel_keeps_own"},
	{NamedByChannel, "named_by_channel"},
}
