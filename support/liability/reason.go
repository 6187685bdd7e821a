package liability

import "github.com/mianmi/mianmi"

// Reason says why somebody is to bear an amount. The zero Reason is not known.
type Reason uint8

// The reasons.
const (
	Unknown          Reason = iota
	NothingMissing          // not captured, or given back
	NotSettled              // its channel has not said yet what became of it
	PaidInCash              // nobody can tell whose cash it was
	Authenticated           // PIN, password or the like was given
	NotRebuilt              // what was in force then could not be rebuilt
	PassedWhileOff          // it passed PIN-free although it was switched off: our own breach
	ReportedBefore          // it was reported, and we had not switched off yet
	TerminalUnproved        // the terminal had proved nothing, and took it PIN-free
	NoPromise               // no rule pack in force promises anything in its currency
	Promised                // covered by the promise
	NotPromised             // beyond the promise
)

var reasons = []struct {
	name  string
	words mianmi.Text
}{
	Unknown:        {"unknown", mianmi.Text{ZH: "原因不明，请人工核查。", EN: "Not known; a person has to look."}},
	NothingMissing: {"nothing_missing", mianmi.Text{ZH: "款项未被扣取，或已全部退回，没有损失。", EN: "Nothing was taken, or all of it is back: no money is missing."}},
	NotSettled:     {"not_settled", mianmi.Text{ZH: "支付渠道尚未确认这笔付款的结果，请待结果明确后再判定。", EN: "The payment system has not said yet what became of this payment. Wait for that."}},
	PaidInCash:     {"paid_in_cash", mianmi.Text{ZH: "现金付款，系统无法判断由谁支付。", EN: "Paid in cash: the records cannot tell by whom."}},
	Authenticated: {"authenticated", mianmi.Text{ZH: "这笔付款经过密码或其他方式验证。若付款人否认，须查明密码如何泄露。",
		EN: "This payment was authenticated by PIN, password or the like. If the payer denies it, find out how that came to be known."}},
	NotRebuilt: {"not_rebuilt", mianmi.Text{ZH: "无法从日志还原付款当时生效的设置，请人工核查。", EN: "What was in force at the time could not be rebuilt from the log; a person has to look."}},
	PassedWhileOff: {"passed_while_off", mianmi.Text{ZH: "免密已关闭且已确认，这笔付款仍免密通过：属平台责任，应全额退还。",
		EN: "PIN-free payment was off, and that was acknowledged, yet this payment passed without a PIN: the platform bears it, and gives all of it back."}},
	ReportedBefore: {"reported_before", mianmi.Text{ZH: "付款发生在付款人报失、报案之后，而平台尚未关闭免密：由平台承担。",
		EN: "The payment was made after the payer had reported, before PIN-free payment was switched off: the platform bears it."}},
	TerminalUnproved: {"terminal_unproved", mianmi.Text{ZH: "终端当时未能证明其设置，却免密受理：由商户承担，请核实终端由谁管理。",
		EN: "The terminal had proved no setting at the time and took the payment PIN-free: the merchant bears it. Check who runs the terminal."}},
	NoPromise:   {"no_promise", mianmi.Text{ZH: "现行规则包没有适用于这笔付款的赔付承诺，请人工判定。", EN: "No rule pack in force promises anything for this payment; a person decides."}},
	Promised:    {"promised", mianmi.Text{ZH: "在赔付承诺之内。", EN: "Inside the promise."}},
	NotPromised: {"not_promised", mianmi.Text{ZH: "超出赔付承诺的部分。", EN: "Beyond the promise."}},
}

// String is the reason's name in the API.
func (r Reason) String() string {
	if int(r) >= len(reasons) {
		r = Unknown
	}
	return reasons[r].name
}

func (r Reason) words() mianmi.Text {
	if int(r) >= len(reasons) {
		r = Unknown
	}
	return reasons[r].words
}
