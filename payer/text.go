package payer

import "github.com/mianmi/mianmi"

// Document is a text that payers accept. Each change of a word is a new
// version: the record of an acceptance names it.
type Document struct {
	Version string
	Text    mianmi.Text
}

// RiskText is what a payer accepts before PIN-free payment opens or a limit
// rises.
var RiskText = Document{Version: "risk-2026-01", Text: mianmi.Text{
	ZH: "开启小额免密后，限额以内的付款不再验证支付密码。手机、付款码或卡片一旦落入他人之手，他人可以在限额以内直接付款。" +
		"请只把付款码出示给收银员，不要把截图发给任何人；手机丢失时请立即挂失。您可以随时一步关闭小额免密，关闭不影响其他支付方式、额度和信用；" +
		"重新开启或提高限额需要验证支付密码，并经过冷静期后才生效。",
	EN: "When PIN-free payment is on, payments within your limits are taken without your payment password. Whoever gets hold of " +
		"your phone, payment code or card can pay within those limits. Show your payment code to the cashier only, never send a picture of it, " +
		"and report a lost phone at once. You can switch PIN-free payment off at any time in one step; that changes no other payment method, " +
		"limit or credit standing. Switching it on again or raising a limit needs your payment password and takes effect after a cooling-off period.",
}}

// ConsentText is what a payer accepts with an agreement (免密签约).
var ConsentText = Document{Version: "consent-2026-01", Text: mianmi.Text{
	ZH: "您同意该商户在约定的限额以内向您收款时不再逐笔验证支付密码。每笔免密付款都会通知您，并可在付款记录中查到商户、门店和终端。" +
		"您可以随时在免密签约列表中一步解约，无需商户同意，解约立即生效。",
	EN: "You agree that this merchant may charge you within the agreed limit without asking for your payment password each time. You are told of " +
		"every PIN-free payment and can see its merchant, store and terminal in your records. You can end this agreement at any time in one step from " +
		"your list of agreements, without the merchant's consent, and it ends at once.",
}}

// accepts checks that the version accepted is the current one.
func accepts(field, version string, d Document) error {
	switch version {
	case d.Version:
		return nil
	case "":
		return mianmi.InvalidField(field, "the current text must be accepted by its version")
	}
	return &mianmi.Error{Kind: mianmi.Conflict, Code: "text_changed", Field: field, Msg: "the text has changed: show the current one"}
}
