package torture

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// Kind is what happens in a history: a payment, or a change of a switch.
type Kind string

// The kinds. A payment may be concerned by every switch.
const (
	Pay          Kind = "pay"
	PayerOff     Kind = "payer off"
	PayerOn      Kind = "payer on"
	AgreementOff Kind = "agreement off"
	AgreementOn  Kind = "agreement on"
	PolicyOff    Kind = "policy off"
	PolicyOn     Kind = "policy on"
	StopPlaced   Kind = "stop placed"
	StopLifted   Kind = "stop lifted"
	LossReported Kind = "loss reported" // freezes, and switches the payer off
	LossLifted   Kind = "loss lifted"
	HoldPlaced   Kind = "hold placed"
	HoldLifted   Kind = "hold lifted"
)

// Act is one step of a history. Its times, and whether a payment passed
// PIN-free, stand beside it.
type Act struct {
	Kind   Kind
	Person int  // whose switch it is, or who pays
	Scope  int  // of a policy or stop: an index of scopeNames
	Stops  int  // how many stops were placed or lifted by it; 0 is one
	Bare   bool // a payment at the terminal of the other model
	// Limited says that limits may ask for a password too: a payment that did not
	// pass PIN-free says nothing of the switches.
	Limited bool
}

// scopeNames are what policies and stops are about, in the world of this
// package: one merchant with one store and two terminals of two models. Those
// from fullOnly on concern the full terminal alone.
var scopeNames = [scopesMax]string{"everything", "channel", "merchant", "store", "model", "terminal"}

const (
	peopleMax = 4
	scopesMax = 6
	fullOnly  = 4
)

// switches is every switch that a payment may depend on. The zero value has
// all of them on.
type switches struct {
	payerOff, frozen, held, agreementOff [peopleMax]bool
	policyOff                            [scopesMax]bool
	stops                                [scopesMax]int
}

// allows says whether a payment may pass PIN-free: all that concern it are on.
func (s *switches) allows(a Act) bool {
	if s.payerOff[a.Person] || s.frozen[a.Person] || s.held[a.Person] || s.agreementOff[a.Person] {
		return false
	}
	concern := scopesMax
	if a.Bare {
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
func (s switches) after(a Act) switches {
	switch a.Kind {
	case PayerOff:
		s.payerOff[a.Person] = true
	case PayerOn:
		s.payerOff[a.Person] = false
	case AgreementOff:
		s.agreementOff[a.Person] = true
	case AgreementOn:
		s.agreementOff[a.Person] = false
	case LossReported:
		s.frozen[a.Person], s.payerOff[a.Person] = true, true
	case LossLifted:
		s.frozen[a.Person] = false
	case HoldPlaced:
		s.held[a.Person] = true
	case HoldLifted:
		s.held[a.Person] = false
	case PolicyOff:
		s.policyOff[a.Scope] = true
	case PolicyOn:
		s.policyOff[a.Scope] = false
	case StopPlaced:
		s.stops[a.Scope] += max(1, a.Stops)
	case StopLifted:
		s.stops[a.Scope] -= max(1, a.Stops)
	case Pay:
	}
	return s
}

// history is what clients did at once, from a known state on.
type history struct {
	from switches
	ops  []porcupine.Operation // input Act, output whether it passed PIN-free
}

func (h *history) add(client int, a Act, pinFree bool, call, end time.Duration) {
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: a, Output: pinFree, Call: call.Nanoseconds(), Return: end.Nanoseconds()})
}

// checkMax bounds the search for an order of one history. Histories of a
// thousand steps take some milliseconds; one that takes longer counts as one
// that could not be checked.
const checkMax = time.Minute

// check looks for an order in which every payment passed PIN-free if and only
// if all its switches were on (only if, where limits have a say), and in which nothing stands before what had
// ended when it began (linearizability). The second value draws the history.
func (h *history) check() (porcupine.CheckResult, func(file string) error) {
	m := h.model()
	result, info := porcupine.CheckOperationsVerbose(m, h.ops, checkMax)
	return result, func(file string) error { return porcupine.VisualizePath(m, info, file) }
}

func (h *history) model() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return h.from },
		Step: func(state, input, output any) (bool, any) {
			s, a := state.(switches), input.(Act) //nolint:forcetypeassert // what add has put there
			if a.Kind == Pay {
				free, may := output.(bool), s.allows(a)
				return free == may || a.Limited && !free, s
			}
			return true, s.after(a)
		},
		Equal: func(a, b any) bool { return a.(switches) == b.(switches) }, //nolint:forcetypeassert // as above
		DescribeOperation: func(input, output any) string {
			a := input.(Act) //nolint:forcetypeassert // as above
			return a.String() + fmt.Sprintf(" %v", output)
		},
		DescribeState: func(state any) string { return fmt.Sprintf("%+v", state) },
	}
}

// String names what the act was about.
func (a Act) String() string {
	switch a.Kind {
	case Pay:
		return fmt.Sprintf("pay person %d bare %v: PIN-free", a.Person, a.Bare)
	case PolicyOff, PolicyOn, StopPlaced, StopLifted:
		return fmt.Sprintf("%s %s", a.Kind, scopeNames[a.Scope])
	}
	return fmt.Sprintf("%s person %d", a.Kind, a.Person)
}

// counted says how much a history can prove.
func (h *history) counted() string {
	n := map[string]int{}
	for _, op := range h.ops {
		a := op.Input.(Act) //nolint:forcetypeassert // as above
		kind := string(a.Kind)
		if a.Kind == Pay {
			kind = fmt.Sprint("pay, PIN-free ", op.Output)
		}
		n[kind]++
	}
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(n)) {
		parts = append(parts, fmt.Sprintf("%s: %d", k, n[k]))
	}
	return strings.Join(parts, ", ")
}

// text is the history as lines, by the time of the request.
func (h *history) text() string {
	ops := slices.Clone(h.ops)
	slices.SortFunc(ops, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	var b strings.Builder
	fmt.Fprintf(&b, "from %+v\n", h.from)
	for _, op := range ops {
		fmt.Fprintf(&b, "%12.6f %12.6f  client %d  %v %v\n", float64(op.Call)/1e9, float64(op.Return)/1e9, op.ClientId, op.Input, op.Output)
	}
	return b.String()
}
