package inbox

import (
	"strings"
	"unicode/utf8"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/payment"
)

// wording is a notice before its figures and names are in it:
//
//	{who}           who did it, as the payer calls them
//	{shop} {amount} where and how much
//	{time}          when, on the payer's clock
//	{back}          what went back
//	{why}           the reason, a sentence of its own
//	{later}         from when it holds, or nothing
type wording struct{ title, words mianmi.Text }

var pinFreeWords = wording{
	mianmi.Text{ZH: "免密支付", EN: "Paid without a password"},
	mianmi.Text{ZH: "{time} 在{shop}免密支付 {amount}。{why}", EN: "{amount} at {shop}, {time}. {why}"},
}

var paymentWords = map[payment.State]wording{
	payment.Approved: {mianmi.Text{ZH: "支付成功", EN: "Paid"},
		mianmi.Text{ZH: "{time} 在{shop}支付 {amount}，已验证是你本人。", EN: "{amount} at {shop}, {time}. It was verified that it was you."}},
	payment.StepUpRequired: {mianmi.Text{ZH: "有一笔付款等你验证", EN: "A payment waits for you"},
		mianmi.Text{ZH: "{time} {shop}收款 {amount}，验证后才会扣款。{why}", EN: "{shop} asks for {amount}, {time}. Nothing is taken until you confirm. {why}"}},
	payment.Verifying: {mianmi.Text{ZH: "付款处理中", EN: "A payment is under way"},
		mianmi.Text{ZH: "{time} {shop}收款 {amount}，等待支付渠道的结果。", EN: "{shop} asks for {amount}, {time}. It waits for the payment system's answer."}},
	payment.Unknown: {mianmi.Text{ZH: "付款结果确认中", EN: "The outcome of a payment is not clear yet"},
		mianmi.Text{ZH: "{time} {shop}收款 {amount}，结果尚未确认，请勿重复付款。", EN: "{shop} asked for {amount}, {time}. Its outcome is not clear yet; do not pay again."}},
	payment.Undoing: {mianmi.Text{ZH: "付款正在撤销", EN: "A payment is being undone"},
		mianmi.Text{ZH: "{time} 在{shop}的付款 {amount} 正在撤销，已扣的款会退回。", EN: "{amount} at {shop}, {time}, is being undone. What was taken goes back to you."}},
	payment.Refused: {mianmi.Text{ZH: "付款被拒绝", EN: "A payment was refused"},
		mianmi.Text{ZH: "{time} {shop}收款 {amount} 被拒绝，没有扣款。{why}", EN: "{shop} asked for {amount}, {time}. It was refused and nothing was taken. {why}"}},
	payment.Declined: {mianmi.Text{ZH: "付款未完成", EN: "A payment did not go through"},
		mianmi.Text{ZH: "{time} {shop}收款 {amount} 未完成，没有扣款。{why}", EN: "{shop} asked for {amount}, {time}. Nothing was taken. {why}"}},
	payment.Expired: {mianmi.Text{ZH: "付款未完成", EN: "A payment did not go through"},
		mianmi.Text{ZH: "{time} {shop}收款 {amount} 未完成，没有扣款。{why}", EN: "{shop} asked for {amount}, {time}. Nothing was taken. {why}"}},
	payment.Reversed: {mianmi.Text{ZH: "付款已撤销", EN: "A payment was undone"},
		mianmi.Text{ZH: "{time} 在{shop}的付款 {amount} 已撤销，{back} 已退回。", EN: "{amount} at {shop}, {time}, was undone: {back} went back to you."}},
	payment.Refunded: {mianmi.Text{ZH: "已退款", EN: "Refunded"},
		mianmi.Text{ZH: "{time} 在{shop}的付款 {amount} 已全额退款 {back}。", EN: "{amount} at {shop}, {time}, was refunded: {back} went back to you."}},
	payment.PartlyRefunded: {mianmi.Text{ZH: "已部分退款", EN: "Refunded in part"},
		mianmi.Text{ZH: "{time} 在{shop}的付款 {amount} 已退款 {back}。", EN: "{amount} at {shop}, {time}, was refunded in part: {back} went back to you."}},
}

var failures = map[channel.Failure]mianmi.Text{
	channel.InsufficientFunds: {ZH: "余额不足。", EN: "There was not enough money."},
	channel.CurrencyMismatch:  {ZH: "账户不支持这种货币。", EN: "Your account has another currency."},
	channel.PasswordLocked:    {ZH: "支付密码多次输错，已锁定。", EN: "The payment password is locked after wrong tries."},
	channel.BalanceTooLarge:   {ZH: "余额将超过上限。", EN: "The balance would have become too large."},
	channel.CodeRefused:       {ZH: "付款码无效、已使用或已过期。", EN: "The payment code was used, had expired or was not valid."},
	channel.PayerStopped:      {ZH: "没有在手机上确认。", EN: "It was not confirmed on the phone."},
	channel.ChannelRefused:    {ZH: "支付渠道没有受理。", EN: "The payment system did not take it."},
	channel.ChannelBusy:       {ZH: "支付渠道暂时无法处理。", EN: "The payment system could not answer."},
}

var (
	notInTime   = mianmi.Text{ZH: "没有在时限内验证。", EN: "It was not confirmed in time."}
	calledOff   = mianmi.Text{ZH: "付款已取消。", EN: "It was called off."}
	unknownShop = mianmi.Text{ZH: "商户", EN: "a shop"}
	laterWords  = mianmi.Text{ZH: "放宽的部分将于 {time} 生效。", EN: "What is looser holds from {time}."}
	notMine     = mianmi.Text{ZH: "如果不是你本人操作，请立即在钱包中挂失，或联系客服。", EN: "If that was not you, report a loss in the wallet at once, or call support."}
	undoHint    = mianmi.Text{ZH: "如果不是你付的，请在钱包中报告这笔付款，或联系客服；{until} 前可以撤销。",
		EN: "If that was not you, report this payment in the wallet or call support; it can be undone until {until}."}
)

// toldOf is what an entry about a payer becomes.
type toldOf struct {
	kind     Kind
	security bool
	wording
}

// told are the types of entries that a payer is told of. A test fails when some
// type is neither here nor among those that are left out for a reason.
var told = map[string]toldOf{
	"payer.pin_free.closed": {Setting, false, wording{mianmi.Text{ZH: "小额免密已关闭", EN: "PIN-free payment is off"},
		mianmi.Text{ZH: "{who}关闭了小额免密支付，之后付款都需要验证。", EN: "{who} switched PIN-free payment off. From now on every payment asks you to confirm."}}},
	"payer.pin_free.reopened": {Setting, true, wording{mianmi.Text{ZH: "申请重新开启小额免密", EN: "PIN-free payment is to be opened again"},
		mianmi.Text{ZH: "{who}申请重新开启小额免密支付。{later}", EN: "{who} asked to open PIN-free payment again. {later}"}}},
	"payer.settings.in_force": {Setting, false, wording{mianmi.Text{ZH: "放宽的设置已生效", EN: "Looser settings are in force"},
		mianmi.Text{ZH: "冷静期已过，此前申请放宽的免密设置已生效。", EN: "The cooling-off is over: the looser PIN-free settings that were asked for hold now."}}},
	"payer.limits.changed": {Setting, false, wording{mianmi.Text{ZH: "自设限额已修改", EN: "Your own limits were changed"},
		mianmi.Text{ZH: "{who}修改了自设的免密限额。{later}", EN: "{who} changed your own PIN-free limits. {later}"}}},
	"payer.allowance.granted": {Setting, false, wording{mianmi.Text{ZH: "已允许一次免密支付", EN: "One PIN-free payment was allowed"},
		mianmi.Text{ZH: "{who}允许了一次免密支付，用过或到时即失效。", EN: "{who} allowed one PIN-free payment. It ends when it is used or its time is over."}}},
	"payer.allowance.revoked": {Setting, false, wording{mianmi.Text{ZH: "单次免密放行已收回", EN: "The one PIN-free payment was taken back"},
		mianmi.Text{ZH: "{who}收回了单次免密放行。", EN: "{who} took back the one PIN-free payment that was allowed."}}},
	"payer.loss.reported": {Loss, true, wording{mianmi.Text{ZH: "已挂失", EN: "Reported lost"},
		mianmi.Text{ZH: "{who}办理了挂失，所有免密支付立即冻结，付款都需要密码。", EN: "{who} reported a loss. Everything PIN-free was frozen at once; payments need the password."}}},
	"payer.loss.lifted": {Loss, true, wording{mianmi.Text{ZH: "挂失已解除", EN: "The loss report was lifted"},
		mianmi.Text{ZH: "{who}核实身份后解除了挂失，小额免密支付仍然关闭。", EN: "{who} lifted the loss report after a check of identity. PIN-free payment stays off."}}},
	"payer.hold.placed": {Setting, true, wording{mianmi.Text{ZH: "免密支付已暂停", EN: "PIN-free payment was put on hold"},
		mianmi.Text{ZH: "{who}暂停了免密支付，到期前每笔付款都会要求验证；你自己的设置没有改变。", EN: "{who} put PIN-free payment on hold: until that ends every payment asks for authentication. Your own settings are as they were."}}},
	"payer.hold.lifted": {Setting, true, wording{mianmi.Text{ZH: "免密支付的暂停已解除", EN: "The hold on PIN-free payment was lifted"},
		mianmi.Text{ZH: "{who}提前解除了对免密支付的暂停，你自己的设置照旧生效。", EN: "{who} lifted the hold on PIN-free payment before its end. Your own settings hold again."}}},
	"payer.question.asked": {Question, true, wording{mianmi.Text{ZH: "是你本人吗？", EN: "Was it you?"},
		mianmi.Text{ZH: "有一笔付款或操作不像你平时的习惯。请在 {until} 前答复是否本人所为；不答复，之后的付款都需要验证。", EN: "A payment or change does not look like you. Say before {until} whether it was you; without an answer, payments will ask you to confirm."}}},
	"payer.question.confirmed": {Question, true, wording{mianmi.Text{ZH: "已确认是本人", EN: "Confirmed: it was you"},
		mianmi.Text{ZH: "已凭支付密码确认是你本人所为。", EN: "It was confirmed with the payment password that it was you."}}},
	"payer.question.denied": {Question, true, wording{mianmi.Text{ZH: "已报告不是本人", EN: "Reported: it was not you"},
		mianmi.Text{ZH: "免密支付已立即暂停，客服正在核查。", EN: "PIN-free payment was put on hold at once, and a case is being looked into."}}},
	"payer.question.unanswered": {Question, true, wording{mianmi.Text{ZH: "没有收到你的答复", EN: "You did not answer"},
		mianmi.Text{ZH: "我们没有收到你的答复，付款暂时都需要验证；你仍可答复是否本人所为。", EN: "There was no answer, so payments ask you to confirm for a time. You can still say whether it was you."}}},
	"payer.agreement.opened": {Agreement, true, wording{mianmi.Text{ZH: "新的免密签约", EN: "A new PIN-free agreement"},
		mianmi.Text{ZH: "{who}开通了与{shop}的免密签约。", EN: "{who} opened a PIN-free agreement with {shop}."}}},
	"payer.agreement.closed": {Agreement, false, wording{mianmi.Text{ZH: "免密签约已解除", EN: "A PIN-free agreement was ended"},
		mianmi.Text{ZH: "{who}解除了与{shop}的免密签约。", EN: "{who} ended the PIN-free agreement with {shop}."}}},
	"payer.instrument.added": {Card, true, wording{mianmi.Text{ZH: "添加了一张卡", EN: "A card was added"},
		mianmi.Text{ZH: "{who}在你的账户中添加了一张卡。", EN: "{who} added a card to your account."}}},
	"payer.password.set": {Password, true, wording{mianmi.Text{ZH: "支付密码已设置", EN: "The payment password was set"},
		mianmi.Text{ZH: "{who}设置了支付密码。", EN: "{who} set the payment password."}}},
	"payer.password.changed": {Password, true, wording{mianmi.Text{ZH: "支付密码已修改", EN: "The payment password was changed"},
		mianmi.Text{ZH: "{who}修改了支付密码，其他登录已退出。", EN: "{who} changed the payment password. All other sessions have ended."}}},
	"payer.password.locked": {Password, true, wording{mianmi.Text{ZH: "支付密码已锁定", EN: "The payment password is locked"},
		mianmi.Text{ZH: "支付密码多次输错，已锁定。", EN: "A wrong payment password was given several times, and it is locked."}}},
	"payer.password.unlocked": {Password, true, wording{mianmi.Text{ZH: "支付密码已解锁", EN: "The payment password was unlocked"},
		mianmi.Text{ZH: "{who}核实身份后解锁了支付密码。", EN: "{who} unlocked the payment password after a check of identity."}}},
	"payer.password.reset_issued": {Password, true, wording{mianmi.Text{ZH: "已发出重置码", EN: "A reset code was issued"},
		mianmi.Text{ZH: "{who}核实身份后发出了重置支付密码的一次性代码。请不要把它告诉任何人。", EN: "{who} issued a one-time code for a new payment password after a check of identity. Tell it to nobody."}}},
	"payer.password.reset": {Password, true, wording{mianmi.Text{ZH: "支付密码已重置", EN: "The payment password was reset"},
		mianmi.Text{ZH: "已用一次性代码设置了新的支付密码。", EN: "A new payment password was set with a one-time code."}}},
}

// who are actors as a payer calls them, by role.
var who = map[string]mianmi.Text{
	"payer":          {ZH: "你", EN: "you"},
	"merchant_admin": {ZH: "商户", EN: "the merchant"},
	"support_agent":  {ZH: "客服", EN: "support"},
	"risk_analyst":   {ZH: "风控人员", EN: "the risk team"},
	"operator":       {ZH: "运营人员", EN: "the operator"},
	"api_client":     {ZH: "钱包或商户的系统", EN: "software of your wallet or a merchant"},
	"system":         {ZH: "系统", EN: "the system"},
}

func whoOf(actor string) mianmi.Text {
	if t, known := who[mianmi.RecordedRole(actor)]; known {
		return t
	}
	return mianmi.Text{ZH: "工作人员", EN: "a member of staff"}
}

// fill puts figures and names in, in one pass: what is put in is never read for
// marks again, whatever a shop calls itself.
func fill(t mianmi.Text, with map[string]mianmi.Text) mianmi.Text {
	zh, en := make([]string, 0, 2*len(with)), make([]string, 0, 2*len(with))
	for mark, v := range with {
		zh, en = append(zh, mark, v.ZH), append(en, mark, v.EN)
	}
	return mianmi.Text{ZH: strings.TrimSpace(strings.NewReplacer(zh...).Replace(t.ZH)), EN: strings.TrimSpace(strings.NewReplacer(en...).Replace(t.EN))}
}

// capital begins the English sentence with a capital letter.
func capital(t mianmi.Text) mianmi.Text {
	if t.EN != "" && t.EN[0] < utf8.RuneSelf {
		t.EN = strings.ToUpper(t.EN[:1]) + t.EN[1:]
	}
	return t
}
