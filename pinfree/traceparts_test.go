package pinfree

import (
	"reflect"
	"testing"
)

// Every part that a condition can have is traced: one that is added to the
// language and forgotten here is found.
func TestEveryPartOfAConditionIsTraced(t *testing.T) {
	t.Parallel()
	yesSir := true
	values := map[reflect.Type]any{
		reflect.TypeFor[[]string]():    []string{"7800"},
		reflect.TypeFor[*bool]():       &yesSir,
		reflect.TypeFor[[]Condition](): []Condition{{Kinds: []string{"debit"}}},
		reflect.TypeFor[string]():      "offline",
	}
	currency := yuan
	f := facts{currency: &currency, card: &Card{}, place: &Place{}, more: &noFacts}
	for i := range reflect.TypeFor[Condition]().NumField() {
		field := reflect.TypeFor[Condition]().Field(i)
		c := Condition{}
		value, known := values[field.Type]
		if !known {
			t.Fatalf("%s has a type that this test does not know", field.Name)
		}
		reflect.ValueOf(&c).Elem().Field(i).Set(reflect.ValueOf(value))
		m := new(faults).compileCondition("when", &c)
		if got := partsOf(&c, &m, &f); len(got) != 1 {
			t.Errorf("%s: %d parts in its trace", field.Name, len(got))
		}
	}
}
