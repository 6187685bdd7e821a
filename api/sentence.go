package api

import (
	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
)

// declined is what the cashier reads, by failure.
var declined = map[string]mianmi.Text{
	"insufficient_funds": {ZH: "余额不足，未扣款，请换一种付款方式。", EN: "Not enough money on the account; nothing was taken. Offer another way to pay."},
	"currency_mismatch":  {ZH: "顾客账户不支持这种货币，未扣款。", EN: "The customer's account has another currency; nothing was taken."},
	"password_locked":    {ZH: "密码多次输错已锁定，未扣款，请换一种付款方式。", EN: "The password is locked after wrong tries; nothing was taken. Offer another way to pay."},
	"balance_too_large":  {ZH: "顾客账户余额将超过上限，未处理。", EN: "The customer's balance would be too large; nothing was done."},
	"code_refused":       {ZH: "付款码无效、已使用或已过期，未扣款，请顾客刷新后再扫。", EN: "The payment code is used, expired or not valid; nothing was taken. Ask for a fresh one."},
	"payer_stopped":      {ZH: "顾客没有确认付款，未扣款。", EN: "The customer did not confirm; nothing was taken."},
	"channel_refused":    {ZH: "支付渠道不受理这笔付款，未扣款，请换一种付款方式。", EN: "The payment system does not take this payment; nothing was taken. Offer another way to pay."},
	"channel_busy":       {ZH: "支付渠道暂时无法处理，未扣款，请稍后再试。", EN: "The payment system cannot answer now; nothing was taken. Try again in a moment."},
	"cancelled":          {ZH: "付款已取消，未扣款。", EN: "The payment was called off; nothing was taken."},
}

// undoing is what the cashier reads while a refusal is not yet confirmed, or when
// the channel does not say whether it gave the money back.
var undoing = map[string]mianmi.Text{
	"insufficient_funds": {ZH: "顾客余额不足，正等待支付渠道确认未扣款，可先换一种付款方式。", EN: "Not enough money; the payment system has yet to confirm that nothing was taken. Offer another way to pay."},
	"code_refused":       {ZH: "付款码无效，正等待支付渠道确认未扣款，可请顾客刷新后重新收款。", EN: "The code was not accepted; the payment system has yet to confirm that nothing was taken. Start again with a fresh code."},
	"payer_stopped":      {ZH: "顾客没有确认，正等待支付渠道确认未扣款。", EN: "The customer did not confirm; the payment system has yet to confirm that nothing was taken."},
	"channel_busy":       {ZH: "支付渠道一周没有明确答复，款项仍应退还顾客。请联系渠道核实；再次撤销即重新询问。", EN: "The payment system has given no clear answer for a week; the money is still owed to the customer. Have somebody ask it; undoing again asks anew."},
	"channel_refused":    {ZH: "支付渠道不受理，正等待其确认未扣款，可先换一种付款方式。", EN: "The payment system does not take it and has yet to confirm that nothing was taken. Offer another way to pay."},
}

// sentence is one line for the cashier.
func sentence(p *payment.Payment, reasons []Reason) Text {
	amount := p.Amount.String()
	say := func(zh, en string) Text { return Text{ZH: zh, EN: en} }
	switch p.State {
	case payment.Approved:
		switch {
		case p.Method == pinfree.Cash:
			return say("已记录现金 "+amount+"。", "Cash recorded: "+amount+".")
		case p.Outside() && p.Failure != 0:
			return say("支付渠道拒绝退回 "+amount+"，款项仍在商户处，请用其他方式退还顾客。",
				"The payment system refuses to give "+amount+" back; the merchant still has it. Return it to the customer in another way.")
		case p.Outside() && p.PinFree():
			return say("收款成功 "+amount+"，渠道未要求密码。", "Paid "+amount+"; the payment system asked for no password.")
		case p.Outside():
			return say("收款成功 "+amount+"，顾客已在手机上确认。", "Paid "+amount+"; the customer confirmed on the phone.")
		case p.PinFree():
			return say("收款成功 "+amount+"，免密通过。", "Paid "+amount+" without a PIN.")
		}
		return say("收款成功 "+amount+"，顾客已验证。", "Paid "+amount+"; the customer was verified.")
	case payment.Verifying:
		return say("请顾客在手机上输入密码确认，等待结果。", "Ask the customer to confirm on the phone, and wait.")
	case payment.Unknown:
		return say("支付渠道尚无答复，正在查询，请勿重复收款。", "The payment system has not answered and is being asked; do not take the payment again.")
	case payment.Undoing:
		if why, ok := undoing[p.Failure.String()]; ok {
			return Text(why)
		}
		return say("正在撤销，等待支付渠道确认；已付的款会退回。", "Being undone, waiting for the payment system; what was paid goes back.")
	case payment.StepUpRequired, payment.Refused:
		if len(reasons) > 0 {
			return reasons[0].Words.Cashier
		}
	case payment.Declined:
		return Text(declined[failureOf(p)])
	case payment.Expired:
		return say("验证超时，未扣款，请重新收款。", "The customer did not verify in time; nothing was taken. Start again.")
	case payment.Reversed:
		return say("已撤销，"+amount+" 已退回顾客。", "Reversed: "+amount+" went back to the customer.")
	case payment.Refunded:
		return say("已全额退款 "+amount+"。", "Refunded in full: "+amount+".")
	case payment.PartlyRefunded:
		back := Amount{Minor: p.Refunded, Currency: string(p.Amount.Currency())}.money().String()
		return say("已退款 "+back+"，原付款 "+amount+"。", "Refunded "+back+" of "+amount+".")
	}
	return say("结果未知，请查询这笔付款。", "The outcome is not known; look the payment up.")
}
