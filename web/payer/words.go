package payer

import (
	"errors"
	"strconv"

	"github.com/mianmi/mianmi"
)

// byCode says what a payer can do about an error.
var byCode = map[string]mianmi.Text{
	"login_failed": {ZH: "手机号或支付密码不正确，或密码因多次输错已锁定。请核对后再试，或联系客服。",
		EN: "The phone number or payment password is wrong, or the password is locked after several wrong tries. Check them, or ask support."},
	"other_payer": {ZH: "商户申请的是另一位付款人的签约，您不能代签。请使用商户里登录的那个账户。",
		EN: "The merchant asked for another payer to sign, and you cannot sign for them. Use the account that is signed in at the merchant."},
	"text_changed": {ZH: "条款已更新，请重新阅读后再同意。", EN: "The terms have changed. Read them again before you agree."},
	"currency":     {ZH: "您的钱包不是人民币账户，不能签这份合约。", EN: "Your wallet is not in CNY, so it cannot sign this agreement."},
	"too_many":     {ZH: "与商户的签约数量已达上限，请先解除不用的签约。", EN: "There are as many agreements as there may be. End one that you do not need first."},
	"frozen":       {ZH: "您的账户已挂失，不能开通免密支付。请先联系客服解除挂失。", EN: "Your account is frozen after a loss report. Ask support to lift it first."},
}

// byField says what was typed wrong.
var byField = map[string]mianmi.Text{
	"phone":    {ZH: "请输入正确的手机号；中国大陆以外的号码请以 + 和国家代码开头。", EN: "Enter a phone number; outside mainland China it begins with + and the country code."},
	"password": {ZH: "支付密码是 6 位数字。", EN: "A payment password has six digits."},
}

// fault is an error in words for the payer; empty: it is none of theirs.
func fault(f frame, err error) string {
	var e *mianmi.Error
	if !errors.As(err, &e) {
		return ""
	}
	if t, ok := byCode[e.Code]; ok {
		return t.In(f.Lang)
	}
	return byField[e.Field].In(f.Lang)
}

// yuan is an amount of fen, without decimals where there are none.
func yuan(fen int64) string {
	text := strconv.FormatInt(fen/100, 10)
	if rest := fen % 100; rest != 0 {
		text += "." + strconv.FormatInt(rest/10, 10) + strconv.FormatInt(rest%10, 10)
	}
	return "¥" + text
}
