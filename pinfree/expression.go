package pinfree

import (
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"

	"github.com/mianmi/mianmi/money"
)

// expression is a compiled CEL condition. CEL reads it, checks it and says what
// it means; the usual forms are then asked directly (see test).
type expression struct {
	program cel.Program
	tests   []test // the last is the whole; nil: only CEL can say
}

// eval says whether the facts meet the expression.
func (e *expression) eval(f *facts) tri {
	if len(e.tests) > 0 {
		return e.ask(len(e.tests)-1, f)
	}
	return e.interpret(f)
}

// interpret lets CEL evaluate the expression. What it cannot evaluate is as good
// as unknown.
func (e *expression) interpret(f *facts) tri {
	a, _ := activations.Get().(*activation)
	defer activations.Put(a)
	a.lend(f)
	v, _, err := e.program.Eval(a)
	if err != nil || v == nil {
		return perhaps
	}
	if b, ok := v.(types.Bool); ok {
		return truth(bool(b))
	}
	return perhaps
}

// activation lends the facts of one payment to CEL. It is used again and holds
// copies, so that evaluating does not put the Input on the heap.
type activation struct {
	facts    facts // of the copies below
	currency money.Currency
	card     Card
	place    Place
	more     Facts
}

func (a *activation) lend(f *facts) {
	a.currency, a.card, a.place, a.more = *f.currency, *f.card, *f.place, *f.more
	a.facts = facts{method: f.method, entry: f.entry, cvm: f.cvm, currency: &a.currency, card: &a.card, place: &a.place, more: &a.more}
}

// ResolveName returns the value of a variable.
func (a *activation) ResolveName(name string) (any, bool) {
	v, ok := variableByName[name]
	if !ok {
		return nil, false
	}
	return a.facts.celValue(v), true
}

// Parent returns nil: facts stand alone.
func (a *activation) Parent() interpreter.Activation { return nil }

var activations = sync.Pool{New: func() any { return new(activation) }}

// expressionMax bounds the bytes of an expression and with them its time.
const expressionMax = 1000

// operatorsAllowed are all that expressions may do: compare, and join comparisons.
// Without arithmetic, functions (regular expressions, time zones, conversions)
// and loops an expression takes no longer than its text is long, cannot fail, and
// means the same for ever, whatever library evaluates it.
var operatorsAllowed = []string{operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot, operators.Conditional, operators.In,
	operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals}

// environment is made at the first pack that has an expression.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	subset := env.NewLibrarySubset().SetDisableMacros(true)
	for _, name := range operatorsAllowed {
		subset.AddIncludedFunctions(env.NewFunction(name))
	}
	opts := []cel.EnvOption{cel.StdLib(cel.StdLibSubset(subset))}
	for i := range variables {
		opts = append(opts, cel.Variable(variables[i].name, variables[i].kind))
	}
	return cel.NewCustomEnv(opts...)
})

// compileExpression checks an expression: its syntax, its types, and that it
// compares facts with words that they can have.
func (f *faults) compileExpression(path, text string) *expression {
	if len(text) > expressionMax {
		f.add(path, "is %d bytes long; at most %d", len(text), expressionMax)
		return nil
	}
	names, err := environment()
	if err != nil { // the variables are wrong: no pack's fault
		panic(err)
	}
	tree, issues := names.Compile(text)
	if issues.Err() != nil {
		for _, e := range issues.Errors() {
			what := strings.TrimSuffix(e.Message, " (in container '')")
			f.add(path, "column %d: %s; names and operators are those in docs/rules.md", e.Location.Column()+1, what)
		}
		return nil
	}
	if !tree.OutputType().IsExactType(cel.BoolType) {
		f.add(path, "is a %s; write a condition that is true or false", tree.OutputType())
		return nil
	}
	f.checkWords(path, tree.NativeRep())
	e, err := newExpression(names, tree)
	if err != nil {
		f.add(path, "%v", err)
		return nil
	}
	return e
}

// newExpression makes a checked expression ready to be asked.
func newExpression(names *cel.Env, tree *cel.Ast) (*expression, error) {
	program, err := names.Program(tree, cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, err
	}
	return &expression{program, translate(tree.NativeRep())}, nil
}

// checkWords refuses a comparison of a fact with a word that it never has.
func (f *faults) checkWords(path string, tree *ast.AST) {
	compares := []string{operators.Equals, operators.NotEquals, operators.In, operators.OldIn}
	ast.PostOrderVisit(tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.CallKind || !slices.Contains(compares, e.AsCall().FunctionName()) {
			return
		}
		for _, arg := range e.AsCall().Args() {
			v, ok := named(tree, arg)
			if !ok || variables[v].words == nil {
				continue
			}
			for _, s := range literals(e.AsCall().Args()) {
				if !slices.Contains(variables[v].words, s) {
					f.add(path, "%s is never %q; write one of %s", variables[v].name, s, wordList(variables[v].words))
				}
			}
		}
	}))
}

// named returns the variable that an expression is, if it is one.
func named(tree *ast.AST, e ast.Expr) (variable, bool) {
	r, ok := tree.ReferenceMap()[e.ID()]
	if !ok || r.Name == "" {
		return 0, false
	}
	v, ok := variableByName[r.Name]
	return v, ok
}

// literals are the texts among the arguments and in lists of them.
func literals(args []ast.Expr) (out []string) {
	for _, a := range args {
		switch a.Kind() {
		case ast.LiteralKind:
			if s, ok := a.AsLiteral().(types.String); ok {
				out = append(out, string(s))
			}
		case ast.ListKind:
			out = append(out, literals(a.AsList().Elements())...)
		}
	}
	return out
}
