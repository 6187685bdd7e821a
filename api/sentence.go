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

// sentence is one line for the cashier.
func sentence(p *payment.Payment, reasons []Reason) Text {
	amount := p.Amount.String()
	say := func(zh, en string) Text { return Text{ZH: zh, EN: en} }
	switch p.State {
	case payment.Approved:
		switch {
		case p.Method == pinfree.Cash:
			return say("已记录现金 "+amount+"。", "Cash recorded: "+amount+".")
		case p.PinFree():
			return say("收款成功 "+amount+"，免密通过。", "Paid "+amount+" without a PIN.")
		}
		return say("收款成功 "+amount+"，顾客已验证。", "Paid "+amount+"; the customer was verified.")
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
