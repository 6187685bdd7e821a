package pinfree

import "github.com/mianmi/mianmi/money"

// rules applies every pack that concerns the payment.
func (v *verdict) rules(in *Input) {
	covered := false
	concerned := "" // a pack that concerns the payment, should none permit it
	if in.Rules != nil {
		currency := in.Amount.Currency()
		f := in.facts(&currency)
		for i := range in.Rules.rules {
			p := &in.Rules.rules[i]
			applies := min(p.when.match(&f), p.inForce(in))
			if applies == no {
				continue
			}
			limited := v.pack(in, p, &f)
			if applies == yes && p.permits && (limited || p.unlimited) {
				covered = true
				v.permitted(p)
			}
			if concerned == "" && (p.permits || len(p.limits) > 0) {
				concerned = p.id
			}
		}
	}
	if !covered && !in.Method.alwaysVerified() {
		v.stepUp(Why{Reason: NoRuleCovers, Rule: concerned})
	}
}

// facts are what conditions ask about a payment.
func (in *Input) facts(currency *money.Currency) facts {
	return facts{method: in.Method, entry: in.Entry, cvm: in.CVM, currency: currency, card: &in.Card, place: &in.Place, more: in.Facts.orUnknown()}
}

// inForce says whether the payment is inside the pack's dates; without a date
// that is not known.
func (p *rules) inForce(in *Input) tri {
	if in.At.IsZero() {
		return perhaps
	}
	ms := in.At.UnixMilli()
	return truth(p.from <= ms && ms < p.to)
}

// pack applies the limits of a pack; limited is false when none of them is
// surely meant for this payment.
func (v *verdict) pack(in *Input, p *rules, f *facts) (limited bool) {
	for i := range p.limits {
		l := &p.limits[i]
		meant := yes
		if l.narrowed {
			meant = l.when.match(f)
		}
		if meant == no {
			continue
		}
		limited = limited || meant == yes
		v.rule(in, p, l)
	}
	return limited
}

// permitted names a pack without limits, should no limit be the tightest.
func (v *verdict) permitted(p *rules) {
	if v.tightest.Rule == "" {
		v.tightest = Why{Layer: p.layer, Rule: p.id, Version: p.version}
	}
}

// rule applies one limit.
func (v *verdict) rule(in *Input, p *rules, l *rule) {
	if l.always {
		v.exceeds(p, l, Why{Reason: RuleAlwaysStepsUp})
		return
	}
	minor := in.Amount.Minor()
	if l.counter < 0 {
		v.compare(p, l, measure{RulePerPaymentLimit, l.bound(in), 0, minor, l.currencyOf(in)})
		return
	}
	c := in.Counts[l.counter]
	if l.previous {
		minor = 0
	}
	v.compare(p, l, measure{RuleCumulativeLimit, l.bound(in), c.Minor, minor, l.currency})
	v.compare(p, l, measure{RuleCountLimit, l.number, c.Number, 1, ""})
}

// bound is the limit's bound on amounts, from the pack or from a figure that
// comes with the payment.
func (l *rule) bound(in *Input) Bound {
	if l.figured {
		return in.Facts.bound(l.amount.Op, l.figure)
	}
	return l.amount
}

// currencyOf is that of the limit's amounts: a figure of a limit for any
// currency comes in the payment's own.
func (l *rule) currencyOf(in *Input) money.Currency {
	if l.currency == "" {
		return in.Amount.Currency()
	}
	return l.currency
}

// measure is a figure to hold against a bound: what was counted before, and
// what this payment adds.
type measure struct {
	reason       Reason
	bound        Bound
	counted, now int64
	currency     money.Currency // of the figure; empty: a number of payments
}

// compare holds a figure against its bound: a reason when it is outside, a
// candidate for the tightest limit when it is inside.
func (v *verdict) compare(p *rules, l *rule, m measure) {
	if m.bound.Op == OpUnbounded {
		return
	}
	x, inside := within(m.bound, m.counted, m.now)
	w := Why{Reason: m.reason, Layer: p.layer, Rule: l.name, Version: p.version, Limit: m.bound.N, Actual: x, Currency: m.currency}
	switch {
	case inside:
		if !v.narrow || tighter(&w, &v.tightest) {
			v.tightest, v.narrow = w, true
		}
	case m.counted < 0:
		v.exceeds(p, l, Why{Reason: LayerUnknown})
	default:
		v.exceeds(p, l, w)
	}
}

// exceeds adds the reason, as a refusal when the limit refuses above it.
func (v *verdict) exceeds(p *rules, l *rule, w Why) {
	w.Layer, w.Rule, w.Version = p.layer, l.name, p.version
	if l.refuse {
		w.Reason = RuleRefuses
		v.refuse(w)
		return
	}
	v.stepUp(w)
}
