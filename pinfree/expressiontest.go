package pinfree

import (
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// test is one step of an expression in a form that is asked directly: a payment
// goes through dozens, and CEL's interpreter takes a microsecond for ten of
// them. Only usual forms have one; a fuzz target holds both to one answer.
type test struct {
	kind        testKind
	a, b, c     int // tests below: what is not, and, or, chosen between
	variable    variable
	compare     comparison
	number      int64
	numbers     []int64
	word        string
	words       []string
	wantedTruth tri
}

type testKind uint8

const (
	testConstant testKind = iota // wantedTruth
	testFlag                     // the variable
	testNot                      // not a
	testAnd                      // a and b
	testOr                       // a or b
	testChoose                   // if a then b else c
	testText                     // the variable compared with word
	testTextIn                   // the variable is one of words
	testNumber                   // the variable compared with number
	testNumberIn                 // the variable is one of numbers
)

type comparison uint8

const (
	equal comparison = iota
	unequal
	less
	atMost
	more
	atLeast
)

var comparisons = map[string]comparison{operators.Equals: equal, operators.NotEquals: unequal, operators.Less: less,
	operators.LessEquals: atMost, operators.Greater: more, operators.GreaterEquals: atLeast}

// mirrored is the comparison with its sides exchanged.
var mirrored = [...]comparison{equal, unequal, more, atLeast, less, atMost}

// ask says whether the facts meet test i.
func (e *expression) ask(i int, f *facts) tri {
	t := &e.tests[i]
	switch t.kind {
	case testConstant:
		return t.wantedTruth
	case testFlag:
		return f.flag(t.variable)
	case testNot:
		return e.ask(t.a, f).not()
	case testAnd:
		a := e.ask(t.a, f)
		if a == no {
			return no
		}
		return min(a, e.ask(t.b, f))
	case testOr:
		a := e.ask(t.a, f)
		if a == yes {
			return yes
		}
		return max(a, e.ask(t.b, f))
	case testChoose:
		switch e.ask(t.a, f) {
		case yes:
			return e.ask(t.b, f)
		case no:
			return e.ask(t.c, f)
		case perhaps:
		}
		return perhaps
	}
	return t.value(f)
}

// value is the truth of a test on one variable.
func (t *test) value(f *facts) tri {
	if t.kind == testText || t.kind == testTextIn {
		s, known := f.text(t.variable)
		switch {
		case !known:
			return perhaps
		case t.kind == testTextIn:
			return truth(slices.Contains(t.words, s))
		}
		return truth((s == t.word) == (t.compare == equal))
	}
	n, known := f.number(t.variable)
	switch {
	case !known:
		return perhaps
	case t.kind == testNumberIn:
		return truth(slices.Contains(t.numbers, n))
	}
	switch t.compare {
	case equal:
		return truth(n == t.number)
	case unequal:
		return truth(n != t.number)
	case less:
		return truth(n < t.number)
	case atMost:
		return truth(n <= t.number)
	case more:
		return truth(n > t.number)
	case atLeast:
		return truth(n >= t.number)
	}
	return perhaps
}

// translator turns a checked expression into tests.
type translator struct {
	tree *ast.AST
	out  []test
}

// translate returns the expression as tests; nil when a part of it has none.
func translate(tree *ast.AST) []test {
	t := translator{tree: tree}
	if _, ok := t.add(tree.Expr()); !ok {
		return nil
	}
	return t.out
}

// add appends the tests of an expression and returns the index of the last.
func (t *translator) add(e ast.Expr) (int, bool) {
	out, ok := t.test(e)
	if !ok {
		return 0, false
	}
	t.out = append(t.out, out)
	return len(t.out) - 1, true
}

func (t *translator) test(e ast.Expr) (test, bool) {
	if v, ok := named(t.tree, e); ok {
		return test{kind: testFlag, variable: v}, variables[v].kind == cel.BoolType
	}
	switch e.Kind() {
	case ast.LiteralKind:
		b, ok := e.AsLiteral().(types.Bool)
		return test{wantedTruth: truth(bool(b))}, ok
	case ast.CallKind:
		return t.call(e.AsCall())
	}
	return test{}, false
}

func (t *translator) call(c ast.CallExpr) (test, bool) {
	args := c.Args()
	joins := map[string]testKind{operators.LogicalNot: testNot, operators.LogicalAnd: testAnd, operators.LogicalOr: testOr, operators.Conditional: testChoose}
	if kind, ok := joins[c.FunctionName()]; ok && !c.IsMemberFunction() {
		out := test{kind: kind}
		for i, to := range []*int{&out.a, &out.b, &out.c}[:len(args)] {
			if *to, ok = t.add(args[i]); !ok {
				return test{}, false
			}
		}
		return out, true
	}
	if len(args) != 2 || c.IsMemberFunction() {
		return test{}, false
	}
	if c.FunctionName() == operators.In {
		return t.in(args[0], args[1])
	}
	op, ok := comparisons[c.FunctionName()]
	if !ok {
		return test{}, false
	}
	v, ok := named(t.tree, args[0])
	literal := args[1]
	if !ok {
		v, ok = named(t.tree, args[1])
		literal, op = args[0], mirrored[op]
	}
	if !ok || literal.Kind() != ast.LiteralKind {
		return test{}, false
	}
	out := test{variable: v, compare: op}
	switch value := literal.AsLiteral().(type) {
	case types.String:
		out.kind, out.word = testText, string(value)
		return out, op <= unequal && variables[v].kind == cel.StringType
	case types.Int:
		out.kind, out.number = testNumber, int64(value)
		return out, variables[v].kind == cel.IntType
	}
	return test{}, false
}

// in is a variable in a list of literals of its kind.
func (t *translator) in(e, list ast.Expr) (test, bool) {
	v, ok := named(t.tree, e)
	if !ok || list.Kind() != ast.ListKind {
		return test{}, false
	}
	out := test{kind: testTextIn, variable: v}
	if variables[v].kind == cel.IntType {
		out.kind = testNumberIn
	}
	for _, item := range list.AsList().Elements() {
		if item.Kind() != ast.LiteralKind {
			return test{}, false
		}
		switch value := item.AsLiteral().(type) {
		case types.String:
			out.words = append(out.words, string(value))
		case types.Int:
			out.numbers = append(out.numbers, int64(value))
		default:
			return test{}, false
		}
	}
	fits := variables[v].kind == cel.StringType && out.numbers == nil || variables[v].kind == cel.IntType && out.words == nil
	return out, fits
}
