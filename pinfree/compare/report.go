package compare

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
)

// Report is what a replay found.
type Report struct {
	Payments int64     `json:"payments"` // decided by both
	Events   int64     `json:"events"`   // authentications apart from payments
	Payers   int       `json:"payers"`
	From     time.Time `json:"from,omitzero"` // of the first payment
	To       time.Time `json:"to,omitzero"`   // of the last one
	Cut      bool      `json:"cut"`           // ended before the log did
	// Cells count payments by what A and B made of them, the same ones included,
	// in order of the outcomes. Examples are of those that differ.
	Cells    []Cell    `json:"cells"`
	Examples []Example `json:"examples"`
}

// Cell is the payments that A and B decided in one way.
type Cell struct {
	A        string         `json:"a"` // outcome
	B        string         `json:"b"`
	Payments int64          `json:"payments"`
	Sums     []money.Amount `json:"sums"` // one for each currency
	// Because counts the binding reasons of the stricter side, most first; empty
	// when both decided the same.
	Because []Cause `json:"because,omitempty"`
}

// Same reports whether A and B decided the same.
func (c *Cell) Same() bool { return c.A == c.B }

// Ground is a reason, with the rule that it came from if there is one.
type Ground struct {
	Reason string `json:"reason"`
	Rule   string `json:"rule,omitempty"` // "pack/limit"
}

// Cause is how many payments a binding reason concerns.
type Cause struct {
	Ground
	Payments int64 `json:"payments"`
}

// Example is a payment that A and B decide differently.
type Example struct {
	ID     string       `json:"id,omitempty"`
	At     time.Time    `json:"at"`
	Payer  string       `json:"payer"`
	Amount money.Amount `json:"amount"`
	Method string       `json:"method"`
	A      Decided      `json:"a"`
	B      Decided      `json:"b"`
}

// Decided is one side's decision.
type Decided struct {
	Outcome string   `json:"outcome"`
	Because []Ground `json:"because"` // the binding one first
	// Decision is the same, whole.
	Decision pinfree.Decision `json:"-"`
}

// Differing is how many payments B decided more and less strictly than A.
func (r *Report) Differing() (stricter, looser int64) {
	for i := range r.Cells {
		a, _ := pinfree.ParseOutcome(r.Cells[i].A)
		b, _ := pinfree.ParseOutcome(r.Cells[i].B)
		switch {
		case b < a:
			stricter += r.Cells[i].Payments
		case b > a:
			looser += r.Cells[i].Payments
		}
	}
	return stricter, looser
}

type outcomes struct{ a, b pinfree.Outcome }

// cell is a Cell that grows.
type cell struct {
	payments int64
	sums     map[money.Currency]money.Amount
	because  map[Ground]int64
	examples []Example
}

// causesMax bounds the causes of a cell: a reason and a rule each, of which the
// packs in force have some hundreds.
const causesMax = 1000

func (r *replay) count(p *Payment, a, b pinfree.Decision) error {
	r.payments++
	if r.from.IsZero() {
		r.from = p.At
	}
	if p.At.After(r.to) {
		r.to = p.At
	}
	c := r.cells[outcomes{a.Outcome, b.Outcome}]
	if c == nil {
		c = &cell{sums: map[money.Currency]money.Amount{}, because: map[Ground]int64{}}
		r.cells[outcomes{a.Outcome, b.Outcome}] = c
	}
	c.payments++
	sum, there := c.sums[p.Amount.Currency()]
	if !there {
		sum = money.Of(0, p.Amount.Currency())
	}
	sum, err := sum.Add(p.Amount)
	if err != nil {
		return mianmi.InvalidField("amount", fmt.Sprintf("the sum of payment %s and those before it: %v", p.ID, err))
	}
	c.sums[p.Amount.Currency()] = sum
	if a.Outcome == b.Outcome {
		return nil
	}
	stricter := a
	if b.Outcome < a.Outcome {
		stricter = b
	}
	if ground := groundOf(stricter.Reasons[0]); len(c.because) < causesMax || c.because[ground] > 0 {
		c.because[ground]++
	}
	if len(c.examples) < r.options.Examples {
		c.examples = append(c.examples, Example{ID: p.ID, At: p.At, Payer: p.Payer, Amount: p.Amount, Method: p.Method.String(),
			A: decided(a), B: decided(b)})
	}
	return nil
}

func groundOf(w pinfree.Why) Ground { return Ground{Reason: w.Reason.String(), Rule: w.Rule} }

func decided(d pinfree.Decision) Decided {
	out := Decided{Outcome: d.Outcome.String(), Decision: d}
	for _, w := range d.Reasons {
		out.Because = append(out.Because, groundOf(w))
	}
	return out
}

func (r *replay) report() Report {
	out := Report{Payments: r.payments, Events: r.events, Payers: len(r.payers), From: r.from, To: r.to, Cut: r.cut,
		Cells: []Cell{}, Examples: []Example{}}
	keys := slices.SortedFunc(maps.Keys(r.cells), func(x, y outcomes) int {
		return cmp.Or(cmp.Compare(y.a, x.a), cmp.Compare(y.b, x.b)) // the freest first
	})
	for _, k := range keys {
		c := r.cells[k]
		one := Cell{A: k.a.String(), B: k.b.String(), Payments: c.payments}
		for _, currency := range slices.Sorted(maps.Keys(c.sums)) {
			one.Sums = append(one.Sums, c.sums[currency])
		}
		for ground, n := range c.because {
			one.Because = append(one.Because, Cause{ground, n})
		}
		slices.SortFunc(one.Because, func(x, y Cause) int {
			return cmp.Or(cmp.Compare(y.Payments, x.Payments), cmp.Compare(x.Rule, y.Rule), cmp.Compare(x.Reason, y.Reason))
		})
		out.Cells = append(out.Cells, one)
		out.Examples = append(out.Examples, c.examples...)
	}
	return out
}
