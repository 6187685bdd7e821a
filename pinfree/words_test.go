package pinfree

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
)

// TestEveryReasonIsNamed proves that each Reason constant has a stable name and
// is in Reasons; it reads the constants from the source.
func TestEveryReasonIsNamed(t *testing.T) {
	t.Parallel()
	f, err := parser.ParseFile(token.NewFileSet(), "reason.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	listed := map[int]bool{0: true}
	for _, r := range Reasons() {
		listed[int(r)] = true
		if back, ok := ParseReason(r.String()); !ok || back != r {
			t.Errorf("%d is named %q, which is %d", r, r.String(), back)
		}
	}
	found := 0
	ast.Inspect(f, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.INT {
			v, err := strconv.Atoi(lit.Value)
			if err != nil || !listed[v] {
				t.Errorf("reason %s has no name", lit.Value)
			}
			found++
		}
		return true
	})
	if found != len(listed) {
		t.Errorf("%d constants, %d names", found, len(listed))
	}
}

// TestWordsAreComplete proves that every reason has a finished sentence for
// every audience in both languages, with and without a display name.
func TestWordsAreComplete(t *testing.T) {
	t.Parallel()
	for _, r := range Reasons() {
		for _, a := range []Audience{ForPayer, ForCashier, ForSupport} {
			for k := LayerNone; k <= LayerRisk+1; k++ {
				for _, name := range []string{"", "老王面馆"} {
					text := Why{Reason: r, Layer: k, ID: "id1", Version: 2, Rule: "p/l", Limit: 5, Actual: 6}.Words(a, name)
					where := r.String() + " " + strconv.Itoa(int(a)) + " " + k.String()
					checkSentence(t, where+" zh", text.ZH, "。")
					checkSentence(t, where+" en", text.EN, ".")
					if !strings.ContainsFunc(text.ZH, func(c rune) bool { return unicode.Is(unicode.Han, c) }) {
						t.Errorf("%s: no Chinese in %q", where, text.ZH)
					}
					if name == "" && strings.ContainsFunc(text.EN, func(c rune) bool { return unicode.Is(unicode.Han, c) }) {
						t.Errorf("%s: Chinese in %q", where, text.EN)
					}
				}
			}
		}
	}
}

func checkSentence(t *testing.T, where, s, end string) {
	t.Helper()
	if s == "" || !strings.HasSuffix(s, end) || strings.ContainsAny(s, "{}[]") || strings.Contains(s, "  ") {
		t.Errorf("%s: %q is not a finished sentence", where, s)
	}
	if c := []rune(s)[0]; unicode.IsLower(c) && !strings.HasPrefix(s, "id1") {
		t.Errorf("%s: %q begins with a small letter", where, s)
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		why  Why
		a    Audience
		as   string
		want mianmi.Text
	}{
		{"a store without a name", Why{Reason: StoreClosed, Layer: LayerStore}, ForPayer, "", mianmi.Text{
			ZH: "这家店已关闭免密支付，请输入支付密码。", EN: "This shop has switched PIN-free payment off; please enter your payment password or PIN."}},
		{"a store with a name", Why{Reason: StoreClosed, Layer: LayerStore}, ForPayer, "老王面馆", mianmi.Text{
			ZH: "老王面馆已关闭免密支付，请输入支付密码。", EN: "老王面馆 has switched PIN-free payment off; please enter your payment password or PIN."}},
		{"an amount", Why{Reason: RulePerPaymentLimit, Limit: 300000, Actual: 300001, Currency: "CNY"}, ForPayer, "", mianmi.Text{
			ZH: "本次 ¥3000.01 超过单笔免密限额 ¥3000.00，请输入支付密码。",
			EN: "This payment of ¥3000.01 is above the PIN-free limit of ¥3000.00; please enter your payment password or PIN."}},
		{"an amount that reaches a strict limit", Why{Reason: RulePerPaymentLimit, Limit: 300000, Actual: 300000, Currency: "CNY"}, ForCashier, "", mianmi.Text{
			ZH: "金额 ¥3000.00 达到单笔免密限额 ¥3000.00，请顾客输入密码。",
			EN: "The amount ¥3000.00 reaches the PIN-free limit of ¥3000.00; please ask the customer for the password or PIN."}},
		{"a count", Why{Reason: OwnDayCountLimit, Layer: LayerPayer, Limit: 1, Actual: 2}, ForPayer, "", mianmi.Text{
			ZH: "算上这次，今天免密付款 2 笔，超过每日上限 1 笔，请输入支付密码。",
			EN: "With this one it would be 2 payments without a PIN today, which is above the daily limit of 1 payment; please enter your payment password or PIN."}},
		{"why no PIN was asked", Why{Reason: WithinLimits, Rule: "p/l", Limit: 10, Actual: 8}, ForPayer, "付款码当日免密笔数", mianmi.Text{
			ZH: "这笔付款在免密限额内，无需密码（付款码当日免密笔数：8 笔，上限 10 笔）。",
			EN: "This payment was within the PIN-free limits, so no PIN was asked (付款码当日免密笔数: 8 payments, limit 10 payments)."}},
		{"a setting of today", Why{Reason: TerminalBehind, Layer: LayerPosture, At: 1772337840, Decided: 1772338000}, ForPayer, "收银台", mianmi.Text{
			ZH: "收银台尚未证实 12:04 的设置，请输入支付密码。",
			EN: "收银台 has not confirmed the setting of 12:04; please enter your payment password or PIN."}},
		{"a setting of yesterday", Why{Reason: TerminalBehind, Layer: LayerPosture, At: 1772251440, Decided: 1772338000}, ForPayer, "", mianmi.Text{
			ZH: "这台终端尚未证实 2 月 28 日 12:04 的设置，请输入支付密码。",
			EN: "This terminal has not confirmed the setting of 12:04 on 28 February; please enter your payment password or PIN."}},
		{"a lease of last year", Why{Reason: TerminalLeaseOver, Layer: LayerPosture, ID: "tm1", Version: 7, At: 1766980800, Decided: 1772338000}, ForSupport, "", mianmi.Text{
			ZH: "终端 tm1 的租约已于 2025 年 12 月 29 日 12:00 到期，最后证实版本 7。",
			EN: "The lease of terminal tm1 ran out at 12:00 on 29 December 2025; it last proved version 7."}},
		{"what is wrong with a terminal", Why{Reason: PostureUnsafe, Layer: LayerPosture, ID: "tm1", Rule: "posture/open_wifi"}, ForCashier, "连接的是不加密的公共 Wi-Fi", mianmi.Text{
			ZH: "本终端不符合安全要求：连接的是不加密的公共 Wi-Fi；请顾客输入密码。",
			EN: "This terminal is not safe enough: 连接的是不加密的公共 Wi-Fi. For now please ask the customer for the password or PIN."}},
		{"what is wrong, for the payer", Why{Reason: PostureUnsafe, Layer: LayerPosture, Rule: "posture/open_wifi"}, ForPayer, "open", mianmi.Text{
			ZH: "为保障安全，这台终端暂不支持免密支付，请输入支付密码。",
			EN: "For your safety PIN-free payment is not available on this terminal now; please enter your payment password or PIN."}},
		{"a hold, for the payer", Why{Reason: RiskStepUp, Layer: LayerRisk, ID: "system", At: 1772338200, Decided: 1772338000}, ForPayer, "", mianmi.Text{
			ZH: "为保障资金安全，风险控制系统已将您的免密支付暂停至 12:10，这笔付款需要确认，请输入支付密码。",
			EN: "To keep your money safe, an automatic check put your PIN-free payment on hold until 12:10, so this payment needs your confirmation; please enter your payment password or PIN."}},
		{"a hold that the payer asked for, for support", Why{Reason: RiskStepUp, Layer: LayerRisk, ID: "payer", Version: 7, At: 1772424600, Decided: 1772338000}, ForSupport, "", mianmi.Text{
			ZH: "风险控制要求验证：免密支付由付款人暂停至 3 月 2 日 12:10（设置版本 7）。",
			EN: "Risk control asks for authentication: PIN-free payment was put on hold until 12:10 on 2 March by the payer (setting version 7)."}},
		{"a hold is nothing for a cashier", Why{Reason: RiskStepUp, Layer: LayerRisk, ID: "risk_analyst", At: 1772338200, Decided: 1772338000}, ForCashier, "", mianmi.Text{
			ZH: "这笔付款需要顾客确认，请顾客输入密码。", EN: "This payment needs the customer's confirmation; please ask the customer for the password or PIN."}},
		{"no limit, no brackets", Why{Reason: WithinLimits, Rule: "p"}, ForPayer, "", mianmi.Text{
			ZH: "这笔付款在免密限额内，无需密码。", EN: "This payment was within the PIN-free limits, so no PIN was asked."}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, tt.why.Words(tt.a, tt.as)); diff != "" {
				t.Error(diff)
			}
		})
	}
	if got := (Why{Reason: 9999}).Words(99, ""); got.ZH == "" || got.EN == "" {
		t.Error("a reason that is not known has no words")
	}
}

// TestNames proves that every name is read back, and that what is not a name
// becomes the strictest value.
func TestNames(t *testing.T) {
	t.Parallel()
	for m := PaymentCode; m <= StaticQR; m++ {
		if back, ok := ParseMethod(m.String()); !ok || back != m {
			t.Errorf("method %d is %q", m, m)
		}
	}
	for o := Refused; o <= Authenticated; o++ {
		if back, ok := ParseOutcome(o.String()); !ok || back != o {
			t.Errorf("outcome %d is %q", o, o)
		}
	}
	for e := EntryUnknown; e <= Typed; e++ {
		if back, ok := ParseEntry(e.String()); !ok || back != e {
			t.Errorf("entry %d is %q", e, e)
		}
	}
	for c := NoCVM; c <= PhonePassword; c++ {
		if back, ok := ParseCVM(c.String()); !ok || back != c {
			t.Errorf("CVM %d is %q", c, c)
		}
	}
	for k := LayerRegulation; k <= LayerRisk; k++ {
		if back, ok := ParseLayerKind(k.String()); !ok || back != k {
			t.Errorf("layer %d is %q", k, k)
		}
	}
	for s := range ByDynamicQR << 1 {
		if back, ok := ParseStepUpMethods(s.String()); !ok || back != s {
			t.Errorf("step-up methods %d are %q", s, s)
		}
	}
	m, ok1 := ParseMethod("")
	o, ok2 := ParseOutcome("PIN_FREE")
	c, ok3 := ParseCVM("pin")
	e, ok4 := ParseEntry("scan")
	s, ok5 := ParseStepUpMethods("terminal_pin,shout")
	k, ok6 := ParseLayerKind("")
	r, ok7 := ParseReason("")
	if ok1 || ok2 || ok3 || ok4 || ok5 || ok6 || ok7 ||
		m != MethodUnknown || o != Refused || c != NoCVM || e != EntryUnknown || s != 0 || k != LayerNone || r != NoReason {
		t.Error("a name that is not one was read")
	}
	if Method(200).String() != "" || Outcome(200).String() != "" || LayerKind(200).String() != "" || Reason(3).String() != "" {
		t.Error("a number that is not known has a name")
	}
}
