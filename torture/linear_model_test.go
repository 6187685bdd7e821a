package torture

import (
	"fmt"
	"strings"

	"github.com/anishathalye/porcupine"
)

const linearPeople = 3

// switches is every switch that a payment may depend on. The zero value has
// all of them on.
type switches struct {
	payerOff, frozen, agreementOff [linearPeople]bool
	policyOff                      [scopesMax]bool
	stops                          [scopesMax]int
}

// allows says whether a payment may pass PIN-free: all that concern it are on.
func (s *switches) allows(o op) bool {
	if s.payerOff[o.Person] || s.frozen[o.Person] || s.agreementOff[o.Person] {
		return false
	}
	concern := scopesMax
	if o.Bare {
		concern = fullOnly
	}
	for i := range concern {
		if s.policyOff[i] || s.stops[i] > 0 {
			return false
		}
	}
	return true
}

// after is the state that a change leaves.
func (s switches) after(o op) switches {
	switch o.Kind {
	case "payer off":
		s.payerOff[o.Person] = true
	case "payer on":
		s.payerOff[o.Person] = false
	case "agreement off":
		s.agreementOff[o.Person] = true
	case "agreement on":
		s.agreementOff[o.Person] = false
	case "lose":
		s.frozen[o.Person], s.payerOff[o.Person] = true, true
	case "lift loss":
		s.frozen[o.Person] = false
	case "policy off":
		s.policyOff[o.Scope] = true
	case "policy on":
		s.policyOff[o.Scope] = false
	case "stop":
		s.stops[o.Scope]++
	case "lift stop":
		s.stops[o.Scope]--
	}
	return s
}

// model: each payment passes PIN-free if and only if all its switches are on
// at one instant between its request and its answer.
var model = porcupine.Model{
	Init: func() any { return switches{} },
	Step: func(state, input, output any) (bool, any) {
		s, o, r := state.(switches), input.(op), output.(reply)
		if o.Kind == "pay" {
			return r.PinFree == s.allows(o), s
		}
		return true, s.after(o)
	},
	Equal: func(a, b any) bool { return a.(switches) == b.(switches) },
	DescribeOperation: func(input, output any) string {
		o, r := input.(op), output.(reply)
		if o.Kind == "pay" {
			return fmt.Sprintf("pay person %d bare %v: PIN-free %v", o.Person, o.Bare, r.PinFree)
		}
		return fmt.Sprintf("%s person %d scope %d", o.Kind, o.Person, o.Scope)
	},
}

// counted says how much a history can prove.
func counted(history []porcupine.Operation) string {
	n := map[string]int{}
	for _, h := range history {
		o, r := h.Input.(op), h.Output.(reply)
		kind := o.Kind
		if kind == "pay" {
			kind = fmt.Sprint("pay, PIN-free ", r.PinFree)
		}
		n[kind]++
	}
	return strings.TrimPrefix(fmt.Sprint(n), "map")
}
