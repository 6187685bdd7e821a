package posture

import (
	"fmt"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// Facts are what a policy may ask about a terminal.
type Facts struct {
	Device   protocol.Device  `json:"device"`
	Network  protocol.Network `json:"network"`
	ClockOff time.Duration    `json:"clock_off"` // its clock before the host's; negative: behind
}

// Set is a policy made ready to be asked. It never changes.
type Set struct {
	Policy
	programs   []cel.Program
	unreadable bool
}

// Compile makes a policy ready. Its error is Invalid and names the field.
func Compile(p Policy) (*Set, error) {
	if err := p.Terms.check(); err != nil {
		return nil, err
	}
	env, err := environment()
	if err != nil { // the variables are wrong: no policy's fault
		return nil, err
	}
	s := &Set{Policy: p}
	for i, r := range p.Terms.Rules {
		program, err := compile(env, r.Unsafe)
		if err != nil {
			return nil, mianmi.InvalidField(fmt.Sprintf("rules[%d].unsafe", i), err.Error())
		}
		s.programs = append(s.programs, program)
	}
	return s, nil
}

// expressionMax bounds a condition; it has no loops, so this bounds its time.
const expressionMax = 1000

func compile(env *cel.Env, text string) (cel.Program, error) {
	if text == "" || len(text) > expressionMax {
		return nil, fmt.Errorf("want a condition of at most %d bytes", expressionMax)
	}
	tree, issues := env.Compile(text)
	if issues.Err() != nil {
		for _, e := range issues.Errors() {
			return nil, fmt.Errorf("column %d: %s; the names are those in docs/terminal-settings.md", e.Location.Column()+1, e.Message)
		}
	}
	if !tree.OutputType().IsExactType(cel.BoolType) {
		return nil, fmt.Errorf("is a %s; write a condition that is true or false", tree.OutputType())
	}
	return env.Program(tree, cel.EvalOptions(cel.OptOptimize))
}

// Variable is a name that conditions may use.
type Variable struct {
	Name  string
	Kind  string // "string", "int" or "bool"
	About mianmi.Text

	kind *cel.Type
	of   func(*Facts, *Terms) any
}

// unknownNumber stands for a number that the terminal did not give.
const unknownNumber = -1

var variables = []Variable{
	{Name: "device.model", kind: cel.StringType, of: func(f *Facts, _ *Terms) any { return f.Device.Model },
		About: mianmi.Text{ZH: "机型系列，由终端自报", EN: "family of the model, as the terminal says"}},
	{Name: "device.os", kind: cel.StringType, of: func(f *Facts, _ *Terms) any { return f.Device.OS },
		About: mianmi.Text{ZH: "操作系统", EN: "operating system"}},
	{Name: "device.firmware", kind: cel.StringType, of: func(f *Facts, _ *Terms) any { return f.Device.Firmware },
		About: mianmi.Text{ZH: "固件版本", EN: "version of the firmware"}},
	{Name: "device.app", kind: cel.StringType, of: func(f *Facts, _ *Terms) any { return f.Device.App },
		About: mianmi.Text{ZH: "终端程序版本", EN: "version of the program"}},
	{Name: "device.keypad", kind: cel.BoolType, of: func(f *Facts, _ *Terms) any { return f.Device.Keypad },
		About: mianmi.Text{ZH: "实体密码键盘可用", EN: "a physical keypad is there"}},
	{Name: "device.battery", kind: cel.IntType, of: func(f *Facts, _ *Terms) any { return battery(f) },
		About: mianmi.Text{ZH: "电量百分比；接外部电源时为 -1", EN: "battery in percent; -1 on the mains"}},
	{Name: "network.kind", kind: cel.StringType, of: func(f *Facts, _ *Terms) any { return f.Network.Kind },
		About: mianmi.Text{ZH: "网络类型：ethernet、mobile、wifi、wifi_open；空文本表示未知", EN: "ethernet, mobile, wifi, wifi_open; empty: not known"}},
	{Name: "network.dns", kind: cel.BoolType, of: func(f *Facts, _ *Terms) any { return f.Network.DNS },
		About: mianmi.Text{ZH: "主机域名解析正确", EN: "the host's name leads where it should"}},
	{Name: "network.tls", kind: cel.BoolType, of: func(f *Facts, _ *Terms) any { return f.Network.TLS },
		About: mianmi.Text{ZH: "证书链与固定公钥均相符", EN: "certificate chain and pinned key fit"}},
	{Name: "network.portal", kind: cel.BoolType, of: func(f *Facts, _ *Terms) any { return f.Network.Portal },
		About: mianmi.Text{ZH: "有登录门户在代替主机应答", EN: "something answers in the host's place"}},
	{Name: "network.rtt_ms", kind: cel.IntType, of: func(f *Facts, _ *Terms) any { return f.Network.RTTms },
		About: mianmi.Text{ZH: "往返时延中位数，毫秒；未测为 -1", EN: "median round trip in milliseconds; -1: not measured"}},
	{Name: "network.loss_pc", kind: cel.IntType, of: func(f *Facts, _ *Terms) any { return f.Network.LossPC },
		About: mianmi.Text{ZH: "探测丢失百分比；未测为 -1", EN: "percent of probes without an answer; -1: not measured"}},
	{Name: "clock_off_s", kind: cel.IntType, of: func(f *Facts, _ *Terms) any { return int64(f.ClockOff.Abs() / time.Second) },
		About: mianmi.Text{ZH: "终端时钟与主机相差的秒数，不分快慢", EN: "seconds between the terminal's clock and the host's, either way"}},
	{Name: "app_min", kind: cel.StringType, of: func(_ *Facts, t *Terms) any { return t.AppMin },
		About: mianmi.Text{ZH: "策略规定的最低程序版本", EN: "the policy's oldest program"}},
}

func battery(f *Facts) int64 {
	if f.Device.Battery == nil {
		return unknownNumber
	}
	return int64(*f.Device.Battery)
}

// Variables lists the names of the language, for its page.
func Variables() []Variable {
	out := make([]Variable, len(variables))
	for i, v := range variables {
		v.Kind = v.kind.String()
		out[i] = v
	}
	return out
}

var environment = sync.OnceValues(func() (*cel.Env, error) {
	opts := []cel.EnvOption{cel.ClearMacros(),
		// older(version, least): below it, or no version at all.
		cel.Function("older", cel.Overload("older_string_string", []*cel.Type{cel.StringType, cel.StringType}, cel.BoolType,
			cel.BinaryBinding(func(version, least ref.Val) ref.Val {
				v, ok := version.(types.String)
				l, also := least.(types.String)
				if !ok || !also {
					return types.MaybeNoSuchOverloadErr(version)
				}
				return types.Bool(older(string(v), string(l)))
			})))}
	for _, v := range variables {
		opts = append(opts, cel.Variable(v.Name, v.kind))
	}
	return cel.NewEnv(opts...)
})

// ShippedSet is the shipped policy, ready to be asked.
var ShippedSet = sync.OnceValue(func() *Set {
	s, err := Compile(Policy{Terms: Shipped()})
	if err != nil { // a test compiles it
		panic(err)
	}
	return s
})

// Ready is Compile for a policy that is stored: one that this program cannot
// read fails every terminal, with the times of the shipped one, for half of a
// policy must not be taken for the whole.
func Ready(p Policy) *Set {
	s, err := Compile(p)
	if err != nil {
		p.Terms = Shipped()
		p.Terms.Rules = nil
		return &Set{Policy: p, unreadable: true}
	}
	return s
}

// Judge returns the rules that the terminal fails, in the policy's order; none:
// it is safe. A rule that cannot be told counts as failed, and a nil Set fails
// everybody.
func (s *Set) Judge(f Facts) []string {
	if s == nil || s.unreadable {
		return []string{"policy_unreadable"}
	}
	values := make(map[string]any, len(variables))
	for _, v := range variables {
		values[v.Name] = v.of(&f, &s.Terms)
	}
	var failed []string
	for i, p := range s.programs {
		out, _, err := p.Eval(values)
		if err == nil && out == types.False {
			continue
		}
		failed = append(failed, s.Terms.Rules[i].ID)
	}
	return failed
}

// Says is what is wrong by a rule, for people; of a rule that is gone, that
// something is.
func (s *Set) Says(rule string) mianmi.Text {
	if s != nil {
		for _, r := range s.Terms.Rules {
			if r.ID == rule {
				return r.Says
			}
		}
	}
	return mianmi.Text{ZH: "系统或网络未通过检查（" + rule + "）", EN: "its software or network fails a check (" + rule + ")"}
}
