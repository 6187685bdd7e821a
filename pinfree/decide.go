package pinfree

import (
	"cmp"
	"math"
	"math/bits"
	"slices"

	"github.com/mianmi/mianmi/money"
)

// Decide says what may happen to a payment. It is pure and total: anything
// that is missing or unknown makes it stricter.
func Decide(in Input) Decision {
	if missing := incomplete(&in); missing != nil {
		return Decision{Outcome: Refused, Reasons: missing}
	}
	var v verdict
	for i := range in.Layers {
		v.layer(&in, &in.Layers[i])
	}
	v.method(&in)
	v.rules(&in)
	return v.decision(&in)
}

// verdict collects reasons. It does not hold the Input, which would put every
// Input on the heap.
type verdict struct {
	refusals  []Why
	stepUps   []Why
	tightest  Why  // the rule limit with the least room left
	narrow    bool // tightest is set
	oneOff    *Layer
	alone     *Layer // the host's word alone keeps the terminal's setting
	elsewhere *Layer // a channel that keeps the payer's switch and counts itself
}

// incomplete names what must be there and is not; nil when all is there.
func incomplete(in *Input) []Why {
	var out []Why
	if !in.Amount.Positive() || in.Method == MethodUnknown || in.Method == Cash || in.Method.String() == "" {
		out = append(out, Why{Reason: IncompleteInput})
	}
	if len(in.Counts) != in.Rules.Counters() {
		out = append(out, Why{Reason: IncompleteInput, Layer: LayerRegulation})
	}
	var present uint32
	for i := range in.Layers {
		present |= 1 << (in.Layers[i].Kind & 31)
	}
	for _, k := range [...]LayerKind{LayerPayer, LayerMerchant, LayerTerminal} {
		if present&(1<<k) == 0 {
			out = append(out, Why{Reason: IncompleteInput, Layer: k})
		}
	}
	return out
}

func (v *verdict) refuse(w Why) { v.refusals = append(v.refusals, w) }

func (v *verdict) stepUp(w Why) {
	if v.stepUps == nil {
		v.stepUps = make([]Why, 0, 4) // seldom more, so one allocation
	}
	v.stepUps = append(v.stepUps, w)
}

// layer hears one who has a say.
func (v *verdict) layer(in *Input, l *Layer) {
	why := Why{Layer: l.Kind, ID: l.ID, Version: l.Version, Reason: l.Because, Rule: l.Rule}
	if l.At != 0 {
		why.At, why.Decided = l.At, in.At.Unix()
	}
	switch l.State {
	case On:
		if l.Kind == LayerPayer && l.Because == OneOffAllowance {
			v.oneOff = l
		}
		if l.Because == HostAlone {
			v.alone = l
		}
		if l.Because == ChannelKeepsOwn {
			v.elsewhere = l
		}
		v.limits(in, l)
	case Off:
		if l.Refuse {
			if !why.Reason.isRefusal() && !why.Reason.isStepUp() {
				why.Reason = MethodNotAccepted
			}
			v.refuse(why)
			return
		}
		if !why.Reason.isStepUp() {
			why.Reason = l.Kind.closedReason()
		}
		v.stepUp(why)
	default:
		if !why.Reason.isStepUp() {
			why.Reason = LayerUnknown
		}
		v.stepUp(why)
	}
}

// limits applies the limits of a layer that is on.
func (v *verdict) limits(in *Input, l *Layer) {
	m := &l.Limits
	why := Why{Layer: l.Kind, ID: l.ID, Version: l.Version}
	exceeds := func(r Reason, b Bound, x int64, c money.Currency) {
		w := why
		w.Reason, w.Limit, w.Actual, w.Currency = r, b.N, x, c
		if x < 0 { // how much was used is not known
			w.Reason, w.Limit, w.Actual, w.Currency = LayerUnknown, 0, 0, ""
		}
		v.stepUp(w)
	}
	amounts := m.PerPayment.Op != OpUnbounded || m.DayAmount.Op != OpUnbounded
	if amounts && m.Currency != in.Amount.Currency() {
		w := why
		w.Reason = CurrencyNotCovered
		v.stepUp(w)
		amounts = false
	}
	if minor := in.Amount.Minor(); amounts && !m.PerPayment.Allows(minor) {
		r := PlacePerPayment
		if l.Kind == LayerPayer {
			r = OwnPerPaymentLimit
		}
		exceeds(r, m.PerPayment, minor, m.Currency)
	}
	if amounts {
		if x, inside := within(m.DayAmount, in.Own.Minor, in.Amount.Minor()); !inside {
			exceeds(OwnDayAmountLimit, m.DayAmount, x, m.Currency)
		}
	}
	if x, inside := within(m.DayCount, in.Own.Number, 1); !inside {
		exceeds(OwnDayCountLimit, m.DayCount, x, "")
	}
	outside := uint(in.Minute) >= minutesPerDay //nolint:gosec // a negative minute becomes a large one
	if m.Quiet.From != m.Quiet.To && (outside || m.Quiet.Contains(in.Minute)) {
		w := why
		w.Reason = QuietHours
		v.stepUp(w)
	}
}

const minutesPerDay = 24 * 60

// within adds what was counted and what comes now, and compares. An unknown
// (negative) count and a sum that overflows are outside every bound.
func within(b Bound, counted, now int64) (sum int64, inside bool) {
	if b.Op == OpUnbounded {
		return 0, true
	}
	if counted < 0 {
		return counted, false
	}
	sum = saturate(counted, now)
	return sum, sum < math.MaxInt64 && b.Allows(sum)
}

// saturate adds two figures that are not negative; a sum that does not fit is
// the largest number.
func saturate(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// verified reports whether the payer has authenticated for this payment.
func (in *Input) verified() bool {
	if in.Method == DynamicQR {
		return in.CVM == PhonePassword
	}
	return in.CVM != NoCVM && in.CVM <= PhonePassword
}

// method applies what holds for a method whatever anybody says.
func (v *verdict) method(in *Input) {
	switch in.Method {
	case PaymentCode:
		if in.Entry != Scanned {
			v.stepUp(Why{Reason: CodeTyped})
		}
	case CardInsert, CardSwipe, DynamicQR, ATM:
		if !in.verified() {
			v.stepUp(Why{Reason: MethodNeedsPIN})
		}
	case MethodUnknown, CardTap, Cash, StaticQR, Remote, MandateDebit, DeviceWallet:
	}
}

// alwaysVerified reports whether no rule could let the method go without a PIN.
func (m Method) alwaysVerified() bool {
	return m == CardInsert || m == CardSwipe || m == DynamicQR || m == ATM
}

// possible is how a payer can authenticate, by method.
func (m Method) possible() StepUpMethods {
	switch m {
	case PaymentCode, CardTap, CardInsert, CardSwipe:
		return ByTerminalPIN | ByPhonePassword | ByDynamicQR
	case DynamicQR, StaticQR: // the payer holds the phone that scanned
		return ByPhonePassword | ByDynamicQR
	case Remote, MandateDebit, DeviceWallet:
		return ByPhonePassword
	case ATM:
		return ByTerminalPIN
	case MethodUnknown, Cash:
	}
	return 0
}

// decision puts the reasons in order and draws the outcome from them.
func (v *verdict) decision(in *Input) Decision {
	slices.SortFunc(v.refusals, compareWhy)
	slices.SortFunc(v.stepUps, compareWhy)
	if len(v.refusals) > 0 {
		return Decision{Outcome: Refused, Reasons: append(v.refusals, v.stepUps...)}
	}
	if in.verified() {
		first := Why{Reason: AlreadyVerified}
		if in.Method == DynamicQR {
			first.Reason = ConfirmedOnPhone
		}
		return Decision{Outcome: Authenticated, Reasons: prepend(first, v.stepUps)}
	}
	if len(v.stepUps) > 0 {
		by := in.Can & in.Method.possible()
		if by == 0 {
			return Decision{Outcome: Refused, Reasons: prepend(Why{Reason: NoStepUpPossible}, v.stepUps)}
		}
		return Decision{Outcome: StepUp, Reasons: v.stepUps, By: by}
	}
	why := v.tightest
	why.Reason = WithinLimits
	if v.oneOff != nil {
		why.Reason, why.ID, why.Version = OneOffAllowance, v.oneOff.ID, v.oneOff.Version
	}
	if v.alone == nil && v.elsewhere == nil {
		return Decision{Outcome: PinFree, Reasons: []Why{why}}
	}
	reasons := append(make([]Why, 0, 3), why)
	for _, l := range [...]*Layer{v.alone, v.elsewhere} {
		if l != nil {
			reasons = append(reasons, Why{Reason: l.Because, Layer: l.Kind, ID: l.ID, Version: l.Version})
		}
	}
	return Decision{Outcome: PinFree, Reasons: reasons}
}

func prepend(first Why, rest []Why) []Why {
	return append(append(make([]Why, 0, 1+len(rest)), first), rest...)
}

// compareWhy orders reasons by number and then by everything else, so that the
// order in which layers are given does not show.
func compareWhy(a, b Why) int {
	if c := cmp.Compare(a.Reason, b.Reason); c != 0 {
		return c
	}
	return cmp.Or(cmp.Compare(a.Layer, b.Layer), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Rule, b.Rule),
		cmp.Compare(a.Version, b.Version), cmp.Compare(a.Currency, b.Currency),
		cmp.Compare(a.Limit, b.Limit), cmp.Compare(a.Actual, b.Actual), cmp.Compare(a.At, b.At), cmp.Compare(a.Decided, b.Decided))
}

// tighter reports whether w leaves less room than o: the higher share of its
// limit is used up. Equal shares are told apart by name, for a stable answer.
func tighter(w, o *Why) bool {
	hi1, lo1 := bits.Mul64(uint64(w.Actual), uint64(o.Limit)) //nolint:gosec // neither is negative
	hi2, lo2 := bits.Mul64(uint64(o.Actual), uint64(w.Limit)) //nolint:gosec // neither is negative
	if hi1 != hi2 {
		return hi1 > hi2
	}
	if lo1 != lo2 {
		return lo1 > lo2
	}
	return cmp.Or(cmp.Compare(w.Rule, o.Rule), cmp.Compare(w.Currency, o.Currency)) < 0
}
