package pinfree

import "slices"

// Variable is a name that the conditions of packs may use in CEL.
type Variable struct {
	Name  string   // "card.kind"
	Kind  string   // "string", "int" or "bool"
	Words []string // the only words that it can be; nil: any
}

// Variables lists every name of the language, for its page and for tools that
// must be able to tell each of them.
func Variables() []Variable {
	out := make([]Variable, len(variables))
	for i, v := range variables {
		out[i] = Variable{v.name, v.kind.String(), slices.Clone(v.words)}
	}
	return out
}
