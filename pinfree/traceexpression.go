package pinfree

import (
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/parser"
)

// expressionParts takes an expression apart at its outermost "and", and tells
// of each piece whether the payment meets it. The text has been compiled before.
func expressionParts(text string, f *facts) []Part {
	if text == "" {
		return nil
	}
	env, err := environment()
	if err != nil { // the variables are wrong: no pack's fault
		panic(err)
	}
	tree, issues := env.Compile(text)
	if issues.Err() != nil { // Compile would have refused the pack
		panic(issues.Err())
	}
	var out []Part
	for _, piece := range conjuncts(tree.NativeRep().Expr()) {
		words, err := parser.Unparse(piece, tree.NativeRep().SourceInfo(), parser.WrapOnColumn(expressionMax))
		if err != nil {
			return []Part{expressionPart(env, text, f)}
		}
		out = append(out, expressionPart(env, words, f))
	}
	return out
}

// conjuncts are the pieces that must all hold.
func conjuncts(e ast.Expr) []ast.Expr {
	if e.Kind() != ast.CallKind || e.AsCall().FunctionName() != operators.LogicalAnd {
		return []ast.Expr{e}
	}
	var out []ast.Expr
	for _, arg := range e.AsCall().Args() {
		out = append(out, conjuncts(arg)...)
	}
	return out
}

func expressionPart(env *cel.Env, text string, f *facts) Part {
	part := Part{Field: "cel", Want: text, Is: NotKnown}
	tree, issues := env.Compile(text)
	if issues.Err() != nil {
		return part
	}
	e, err := newExpression(env, tree)
	if err != nil {
		return part
	}
	part.Is = flagFrom(e.eval(f))
	part.Have = valuesOf(tree.NativeRep(), f)
	return part
}

// valuesOf lists the names in an expression with their values, "?" for what is
// not known.
func valuesOf(tree *ast.AST, f *facts) string {
	var names []string
	for _, r := range tree.ReferenceMap() {
		if _, ok := variableByName[r.Name]; ok && !slices.Contains(names, r.Name) {
			names = append(names, r.Name)
		}
	}
	slices.Sort(names)
	for i, name := range names {
		value := "?"
		if v := f.celValue(variableByName[name]); !types.IsUnknown(v) {
			value = fmt.Sprint(v.Value())
		}
		names[i] = name + ": " + value
	}
	return strings.Join(names, "; ")
}
