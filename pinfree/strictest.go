package pinfree

// Strictest returns the stricter of two outcomes: a refusal before a step-up
// before PIN-free. Authenticated is the least strict, for it asks for nothing
// more.
func Strictest(a, b Outcome) Outcome { return min(a, b) }

// StrictestBound returns the bound that allows only what both allow.
func StrictestBound(a, b Bound) Bound {
	if a.Within(b) {
		return a
	}
	return b
}

// Within reports whether b allows nothing that o does not: b is at least as
// strict.
func (b Bound) Within(o Bound) bool {
	switch {
	case o.Op == OpUnbounded || !b.bounds():
		return o.Op == OpUnbounded || b.Op != OpUnbounded
	case !o.bounds() || b.Op == OpUnbounded:
		return false
	case b.N != o.N:
		// x < n+1 is x <= n for whole numbers.
		return b.N < o.N || (b.Op == OpBelow && o.Op == OpAtMost && b.N-1 == o.N)
	default:
		return b.Op == o.Op || b.Op == OpBelow
	}
}

// bounds reports whether the bound has a figure: neither nothing nor everything.
func (b Bound) bounds() bool { return b.Op == OpAtMost || b.Op == OpBelow }

// closedReason is why an Off layer of the kind asks for a PIN when it does not
// say so itself.
func (k LayerKind) closedReason() Reason {
	switch k {
	case LayerRegulation, LayerScheme:
		return RuleAlwaysStepsUp
	case LayerChannel:
		return ChannelClosed
	case LayerIssuer:
		return IssuerClosed
	case LayerPayer:
		return PayerClosed
	case LayerAgreement:
		return AgreementClosed
	case LayerStop:
		return EmergencyStopped
	case LayerMerchant:
		return MerchantClosed
	case LayerStore:
		return StoreClosed
	case LayerModel:
		return ModelClosed
	case LayerTerminal:
		return TerminalClosed
	case LayerPosture:
		return PostureUnsafe
	case LayerRisk:
		return RiskStepUp
	case LayerNone:
	}
	return LayerUnknown
}
