package pinfree

import (
	"slices"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"

	"github.com/mianmi/mianmi/money"
)

// variable is a name that expressions may use. A value that is not known is
// CEL's own unknown, which makes the expression unknown unless the rest of it
// settles the matter. The amount is not among them: it is bounded by limits
// alone, so that more money is never less careful whatever a pack says.
type variable struct {
	name  string
	kind  *cel.Type
	words []string // the only values it can have; nil: any
	value func(*activation) ref.Val
}

var variables = []variable{
	{"currency", cel.StringType, nil, func(a *activation) ref.Val { return word(string(a.currency)) }},
	{"method", cel.StringType, methodNames[1:], func(a *activation) ref.Val { return word(a.facts.method.String()) }},
	{"entry", cel.StringType, entryNames[1:], func(a *activation) ref.Val { return word(a.facts.entry.String()) }},
	{"cvm", cel.StringType, cvmNames, func(a *activation) ref.Val { return word(a.facts.cvm.String()) }},
	{"type", cel.StringType, TransactionTypes, func(a *activation) ref.Val { return word(a.more.Type) }},
	{"offline", cel.BoolType, nil, func(a *activation) ref.Val { return a.more.Offline.value() }},
	{"risk", cel.StringType, Risks, func(a *activation) ref.Val { return word(a.more.Risk) }},
	{"factors", cel.IntType, nil, func(a *activation) ref.Val { return a.number(a.more.Factors, a.more.Factors > 0) }},
	{"certificate", cel.BoolType, nil, func(a *activation) ref.Val { return a.more.Certificate.value() }},
	{"payer.consent", cel.StringType, Consents, func(a *activation) ref.Val { return word(a.more.Consent) }},
	{"payer.contactless", cel.BoolType, nil, func(a *activation) ref.Val { return a.more.Contactless.value() }},
	{"card.scheme", cel.StringType, nil, func(a *activation) ref.Val { return word(a.card.Scheme) }},
	{"card.kind", cel.StringType, cardKinds, func(a *activation) ref.Val { return word(a.card.Kind) }},
	{"card.domestic", cel.BoolType, nil, func(a *activation) ref.Val { return types.Bool(a.card.Domestic) }},
	{"card.issuer", cel.StringType, nil, func(a *activation) ref.Val { return word(a.more.Issuer) }},
	{"card.activated", cel.BoolType, nil, func(a *activation) ref.Val { return a.more.Activated.value() }},
	{"card.listed", cel.BoolType, nil, func(a *activation) ref.Val { return a.more.Listed.value() }},
	{"card.asks_pin", cel.BoolType, nil, func(a *activation) ref.Val { return a.more.AsksPIN.value() }},
	{"merchant.mcc", cel.IntType, nil, func(a *activation) ref.Val { return a.number(int64(a.place.MCC), a.place.MCC > 0) }},
	{"merchant.no_pin", cel.BoolType, nil, func(a *activation) ref.Val { return types.Bool(a.place.NoPINMerchant) }},
	{"merchant.upgraded", cel.BoolType, nil, func(a *activation) ref.Val { return types.Bool(a.place.UpgradedMerchant) }},
	{"merchant.risk", cel.StringType, Risks, func(a *activation) ref.Val { return word(a.more.MerchantRisk) }},
	{"terminal.country", cel.StringType, nil, func(a *activation) ref.Val { return word(a.place.Country) }},
	{"terminal.unattended", cel.BoolType, nil, func(a *activation) ref.Val { return types.Bool(a.place.Unattended) }},
	{"terminal.purpose", cel.StringType, nil, func(a *activation) ref.Val { return known(a.place.Purpose) }},
	{"terminal.quick_pass", cel.BoolType, nil, func(a *activation) ref.Val { return a.more.QuickPass.value() }},
	{"mandate.registered", cel.BoolType, nil, func(a *activation) ref.Val { return a.more.Mandate.Registered.value() }},
	{"mandate.begun", cel.BoolType, nil, func(a *activation) ref.Val { return a.more.Mandate.Begun.value() }},
	{"mandate.withdrawn", cel.BoolType, nil, func(a *activation) ref.Val { return a.more.Mandate.Withdrawn.value() }},
	{"mandate.skipped", cel.BoolType, nil, func(a *activation) ref.Val { return a.more.Mandate.Skipped.value() }},
	{"mandate.notice_hours", cel.IntType, nil, func(a *activation) ref.Val { return a.number(a.more.Mandate.NoticeHours, true) }},
	{"mandate.category", cel.StringType, nil, func(a *activation) ref.Val { return word(a.more.Mandate.Category) }},
}

var cardKinds = []string{"debit", "credit", "quasi_credit", "prepaid"}

// unknownValue stands for whatever is not known.
var unknownValue ref.Val = types.NewUnknown(1, nil)

func (f Flag) value() ref.Val {
	switch f {
	case Yes:
		return types.True
	case No:
		return types.False
	case NotKnown:
	}
	return unknownValue
}

// word is a text as CEL has it; the empty text is unknown.
func word(s string) ref.Val {
	if s == "" {
		return unknownValue
	}
	return known(s)
}

func known(s string) ref.Val {
	if v, ok := boxed[s]; ok {
		return v
	}
	return types.String(s)
}

// boxed holds the usual words in CEL's form, so that asking for one needs no
// memory.
var boxed = func() map[string]ref.Val {
	out := map[string]ref.Val{}
	for _, list := range [][]string{methodNames, entryNames, cvmNames, TransactionTypes, Consents, Risks, cardKinds,
		{"CNY", "EUR", "GBP", "INR", "USD", "CN", "unionpay", "visa", "mastercard", "amex", "transport_fare", "parking_fee", "vending"}} {
		for _, w := range list {
			out[w] = types.String(w)
		}
	}
	return out
}()

// activation lends the facts of one payment to expressions. It is used again,
// so that evaluating does not put the Input on the heap.
type activation struct {
	facts    facts // its pointers are not set: the rest are copies
	currency money.Currency
	card     Card
	place    Place
	more     Facts
}

// ResolveName returns the value of a variable.
func (a *activation) ResolveName(name string) (any, bool) {
	i, ok := variableByName[name]
	if !ok {
		return nil, false
	}
	return variables[i].value(a), true
}

// Parent returns nil: facts stand alone.
func (a *activation) Parent() interpreter.Activation { return nil }

func (a *activation) number(n int64, ok bool) ref.Val {
	if !ok {
		return unknownValue
	}
	return types.Int(n)
}

var variableByName map[string]int

func init() {
	variableByName = make(map[string]int, len(variables))
	for i := range variables {
		variableByName[variables[i].name] = i
	}
}

var activations = sync.Pool{New: func() any { return new(activation) }}

// noFacts are those of a payment about which nothing more is known.
var noFacts Facts

// eval evaluates an expression. What cannot be evaluated (a number that
// overflows) is as good as unknown.
func (e *expression) eval(f *facts) tri {
	a, _ := activations.Get().(*activation)
	defer activations.Put(a)
	a.facts = facts{method: f.method, entry: f.entry, cvm: f.cvm}
	a.currency, a.card, a.place = *f.currency, *f.card, *f.place
	if f.more != nil {
		a.more = *f.more
	} else {
		a.more = noFacts
	}
	v, _, err := e.program.Eval(a)
	if err != nil || v == nil {
		return perhaps
	}
	if b, ok := v.(types.Bool); ok {
		return truth(bool(b))
	}
	return perhaps
}

// expression is a compiled CEL condition.
type expression struct{ program cel.Program }

// expressionMax bounds an expression; it has no loops, so this bounds its time.
const expressionMax = 1000

// environment is made at the first pack that has an expression.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	opts := []cel.EnvOption{cel.ClearMacros()}
	for i := range variables {
		opts = append(opts, cel.Variable(variables[i].name, variables[i].kind))
	}
	return cel.NewEnv(opts...)
})

// compileExpression checks an expression: its syntax, its types, and that it
// compares facts with words that they can have.
func (f *faults) compileExpression(path, text string) *expression {
	if len(text) > expressionMax {
		f.add(path, "is %d bytes long; at most %d", len(text), expressionMax)
		return nil
	}
	env, err := environment()
	if err != nil { // the variables above are wrong: no pack's fault
		panic(err)
	}
	tree, issues := env.Compile(text)
	if issues.Err() != nil {
		for _, e := range issues.Errors() {
			f.add(path, "column %d: %s; the names are those in docs/rules.md", e.Location.Column()+1, e.Message)
		}
		return nil
	}
	if !tree.OutputType().IsExactType(cel.BoolType) {
		f.add(path, "is a %s; write a condition that is true or false", tree.OutputType())
		return nil
	}
	f.checkWords(path, tree.NativeRep())
	program, err := env.Program(tree, cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		f.add(path, "%v", err)
		return nil
	}
	return &expression{program}
}

// checkWords refuses a comparison of a fact with a word that it never has.
func (f *faults) checkWords(path string, tree *ast.AST) {
	ast.PostOrderVisit(tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.CallKind {
			return
		}
		call := e.AsCall()
		if !slices.Contains([]string{operators.Equals, operators.NotEquals, operators.In, operators.OldIn}, call.FunctionName()) {
			return
		}
		var words []string
		var name string
		for _, arg := range call.Args() {
			if r, ok := tree.ReferenceMap()[arg.ID()]; ok {
				if i, ok := variableByName[r.Name]; ok && variables[i].words != nil {
					name, words = r.Name, variables[i].words
				}
			}
		}
		if words == nil {
			return
		}
		for _, s := range literals(call.Args()) {
			if !slices.Contains(words, s) {
				f.add(path, "%s is never %q; write one of %s", name, s, wordList(words))
			}
		}
	}))
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
