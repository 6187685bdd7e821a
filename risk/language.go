package risk

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/checker"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
)

// parts are the parts of events that a key and distinct may name.
var parts = map[string]func(*Event) string{
	"payer":      func(e *Event) string { return string(e.Payer) },
	"instrument": func(e *Event) string { return string(e.Instrument) },
	"merchant":   func(e *Event) string { return string(e.Merchant) },
	"store":      func(e *Event) string { return string(e.Store) },
	"terminal":   func(e *Event) string { return string(e.Terminal) },
	"actor":      func(e *Event) string { return e.Actor },
}

func partNames() string {
	names := make([]string, 0, len(parts))
	for n := range parts {
		names = append(names, n)
	}
	sort.Strings(names)
	return strings.Join(names, ", ")
}

// Variable is a name that conditions may use.
type Variable struct {
	Name  string
	Kind  string // "string", "int", "bool", "list(string)"
	About mianmi.Text

	kind *cel.Type
	of   func(*Event) ref.Val
}

func text(s string) ref.Val  { return types.String(s) }
func number(n int64) ref.Val { return types.Int(n) }

// variables are what conditions may ask about an event, as e.NAME.
var variables = named([]Variable{
	{Name: "kind", kind: cel.StringType, of: func(e *Event) ref.Val { return text(string(e.Kind)) },
		About: mianmi.Text{ZH: "事件种类", EN: "kind of the event"}},
	{Name: "hour", kind: cel.IntType, of: func(e *Event) ref.Val { return number(int64(e.local().Hour())) },
		About: mianmi.Text{ZH: "当地时间的小时，0–23", EN: "hour on the payer's clock, 0 to 23"}},
	{Name: "weekday", kind: cel.IntType, of: func(e *Event) ref.Val { return number(int64(e.local().Weekday())) },
		About: mianmi.Text{ZH: "星期，0 为星期日", EN: "day of the week, 0 is Sunday"}},
	{Name: "minor", kind: cel.IntType, of: func(e *Event) ref.Val { return number(e.Amount.Minor()) },
		About: mianmi.Text{ZH: "金额，最小货币单位", EN: "amount in minor units"}},
	{Name: "currency", kind: cel.StringType, of: func(e *Event) ref.Val { return text(string(e.Amount.Currency())) },
		About: mianmi.Text{ZH: "币种", EN: "currency"}},
	{Name: "method", kind: cel.StringType, of: func(e *Event) ref.Val { return text(e.Method) },
		About: mianmi.Text{ZH: "支付方式", EN: "method of payment"}},
	{Name: "entry", kind: cel.StringType, of: func(e *Event) ref.Val { return text(e.Typed) },
		About: mianmi.Text{ZH: "付款码是扫码还是手输", EN: "how a code was read: scanned, typed"}},
	{Name: "state", kind: cel.StringType, of: func(e *Event) ref.Val { return text(e.State) },
		About: mianmi.Text{ZH: "付款状态", EN: "state of the payment then"}},
	{Name: "payer", kind: cel.StringType, of: func(e *Event) ref.Val { return text(string(e.Payer)) },
		About: mianmi.Text{ZH: "付款人编号", EN: "identifier of the payer"}},
	{Name: "merchant", kind: cel.StringType, of: func(e *Event) ref.Val { return text(string(e.Merchant)) },
		About: mianmi.Text{ZH: "商户编号", EN: "identifier of the merchant"}},
	{Name: "store", kind: cel.StringType, of: func(e *Event) ref.Val { return text(string(e.Store)) },
		About: mianmi.Text{ZH: "门店编号", EN: "identifier of the store"}},
	{Name: "terminal", kind: cel.StringType, of: func(e *Event) ref.Val { return text(string(e.Terminal)) },
		About: mianmi.Text{ZH: "终端编号", EN: "identifier of the terminal"}},
	{Name: "actor", kind: cel.StringType, of: func(e *Event) ref.Val { return text(e.Actor) },
		About: mianmi.Text{ZH: "操作者，如 cashier:sf…", EN: "who did it, as cashier:sf…"}},
	{Name: "reasons", kind: cel.ListType(cel.StringType), of: func(e *Event) ref.Val { return types.NewStringList(types.DefaultTypeAdapter, e.Reasons) },
		About: mianmi.Text{ZH: "判定原因；终端状况变化时为未通过的检查", EN: "reasons of the decision; of a terminal's posture, the checks that it fails"}},
	{Name: "limit", kind: cel.IntType, of: func(e *Event) ref.Val { return number(e.Limit) },
		About: mianmi.Text{ZH: "免密付款所受最严限额；0 表示没有", EN: "the tightest limit that a PIN-free payment stayed within; 0: none"}},
	{Name: "left", kind: cel.IntType, of: func(e *Event) ref.Val { return number(e.Left) },
		About: mianmi.Text{ZH: "距该限额还差多少", EN: "how far below that limit"}},
	{Name: "version", kind: cel.IntType, of: func(e *Event) ref.Val { return number(e.Version) },
		About: mianmi.Text{ZH: "判定所依据（或变更后）的付款人设置版本", EN: "version of the payer's settings that a decision read, or a change left"}},
	{Name: "tries", kind: cel.IntType, of: func(e *Event) ref.Val { return number(e.Tries) },
		About: mianmi.Text{ZH: "连续输错次数", EN: "wrong tries in a row"}},
})

func named(list []Variable) []Variable {
	for i := range list {
		list[i].Name = "e." + list[i].Name
	}
	return list
}

var variableByName = func() map[string]*Variable {
	out := make(map[string]*Variable, len(variables))
	for i := range variables {
		out[variables[i].Name] = &variables[i]
	}
	return out
}()

// Variables lists the names of the language, for its page.
func Variables() []Variable {
	out := slices.Clone(variables)
	for i := range out {
		out[i].Kind = out[i].kind.String()
	}
	return out
}

// figures are what a condition may ask of a window, by its measure.
var figures = map[string][]figure{
	count:    {{"count", cel.IntType, func(f *found) ref.Val { return number(f.n) }}},
	sum:      {{"sum", cel.IntType, func(f *found) ref.Val { return number(f.n) }}},
	distinct: {{"distinct", cel.IntType, func(f *found) ref.Val { return number(f.n) }}},
	last: {
		{"seen", cel.BoolType, func(f *found) ref.Val { return types.Bool(f.seen) }},
		{"kind", cel.StringType, func(f *found) ref.Val { return text(string(f.kind)) }},
		{"ago", cel.IntType, func(f *found) ref.Val { return number(f.ago) }},
		{"version", cel.IntType, func(f *found) ref.Val { return number(f.version) }},
		{"km", cel.IntType, func(f *found) ref.Val { return number(f.km) }},
	},
}

type figure struct {
	name string
	kind *cel.Type
	of   func(*found) ref.Val
}

// found are the figures of one window at one event.
type found struct {
	n       int64 // count, sum or distinct
	seen    bool  // last: there was one in the span
	kind    Kind
	ago     int64 // seconds before this event
	version int64
	km      int64 // between its store and this event's; 0: not known
}

// Bounds of an expression: its length, and what one evaluation may cost at most,
// estimated by CEL when it is compiled: there are no loops, so it can be told before,
// and nobody has to count at each event. The shipped ones cost less than 150.
const (
	expressionMax = 1000
	costMax       = 1000
)

// sizes bounds what events hold, for the estimate: a payment has some reasons, and
// texts are names and identifiers.
type sizes struct{}

// EstimateSize is the length of a text or list of an event.
func (sizes) EstimateSize(n checker.AstNode) *checker.SizeEstimate {
	if n.Type().Kind() == types.ListKind {
		return &checker.SizeEstimate{Max: 16}
	}
	return &checker.SizeEstimate{Max: 64}
}

// EstimateCallCost leaves the costs of calls to CEL.
func (sizes) EstimateCallCost(string, string, *checker.AstNode, []checker.AstNode) *checker.CallEstimate {
	return nil
}

// compile makes a condition of event and, if there are any, windows.
func (r *Rule) compile(field, source string, windows bool) (cel.Program, error) {
	if source == "" {
		return nil, nil
	}
	if len(source) > expressionMax {
		return nil, r.fault(field, fmt.Sprintf("want at most %d bytes", expressionMax))
	}
	opts := make([]cel.EnvOption, 0, len(variables)+4*len(r.Windows)+1)
	opts = append(opts, cel.ClearMacros())
	for _, v := range variables {
		opts = append(opts, cel.Variable(v.Name, v.kind))
	}
	if windows {
		for name, w := range r.Windows {
			for _, f := range figures[w.Measure] {
				opts = append(opts, cel.Variable("w."+name+"."+f.name, f.kind))
			}
		}
	}
	env, err := cel.NewEnv(opts...)
	if err != nil {
		return nil, fmt.Errorf("make the language of rules: %w", err)
	}
	tree, issues := env.Compile(source)
	if issues.Err() != nil {
		for _, e := range issues.Errors() {
			return nil, r.fault(field, fmt.Sprintf("column %d: %s", e.Location.Column()+1, e.Message))
		}
	}
	if !tree.OutputType().IsExactType(cel.BoolType) {
		return nil, r.fault(field, "is a "+tree.OutputType().String()+"; write a condition that is true or false")
	}
	cost, err := env.EstimateCost(tree, sizes{})
	if err != nil || cost.Max > costMax {
		return nil, r.fault(field, "asks for too much at each event: make it shorter")
	}
	p, err := env.Program(tree, cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, r.fault(field, oneLine(err))
	}
	return p, nil
}

// activation lends an event, and the windows of one rule, to CEL.
type activation struct {
	event *Event
	names map[string]windowName
	found []found
}

type windowName struct {
	window int
	of     func(*found) ref.Val
}

// ResolveName returns the value of a variable.
func (a *activation) ResolveName(name string) (any, bool) {
	if v := variableByName[name]; v != nil {
		return v.of(a.event), true
	}
	if n, ok := a.names[name]; ok {
		return n.of(&a.found[n.window]), true
	}
	return nil, false
}

// Parent returns nil: an event stands alone.
func (a *activation) Parent() interpreter.Activation { return nil }

// holds reports whether a condition is met. What cannot be told is not met, and
// is counted: no rule may stop the others.
func (a *activation) holds(p cel.Program, failed *int64) bool {
	if p == nil {
		return true
	}
	v, _, err := p.Eval(a)
	if err != nil {
		*failed++
		return false
	}
	return v == types.True
}

// earthKm is the mean radius of the earth (IUGG).
const earthKm = 6371

// apart is the way between two places in kilometres, by the haversine formula; 0
// when one is not known.
func apart(a, b *merchant.Coordinates) int64 {
	if a == nil || b == nil {
		return 0
	}
	rad := func(e6 int32) float64 { return float64(e6) / 1e6 * math.Pi / 180 }
	dLat, dLon := rad(b.LatE6)-rad(a.LatE6), rad(b.LonE6)-rad(a.LonE6)
	h := math.Pow(math.Sin(dLat/2), 2) + math.Cos(rad(a.LatE6))*math.Cos(rad(b.LatE6))*math.Pow(math.Sin(dLon/2), 2)
	return int64(2 * earthKm * math.Asin(math.Sqrt(min(h, 1))))
}

// seconds is a time as conditions have it.
func seconds(d time.Duration) int64 { return int64(d / time.Second) }
