package main

import (
	"context"
	"strings"

	"github.com/mianmi/mianmi/pinfree"
)

// rulesExplainCmd is "mianmi rules explain": one payment, told by flags, and
// what would be decided about it. A flag that is left out means "not known",
// except that everybody who has a say besides the packs has PIN-free open.
type rulesExplainCmd struct {
	packFlags
	paymentFlags
	cardFlags
	placeFlags
	payerFlags
	mandateFlags

	Used    []string `placeholder:"N:AMOUNT" help:"What counters hold before this payment: 3:45.00 for all of them, or PACK/COUNTER=3:45.00 for one; may be given several times. 0 by default." zh:"本次付款前各计数器的值：3:45.00 表示全部计数器，规则包/计数器=3:45.00 表示其中一个；可多次给出。默认 0。"`
	Figure  []string `placeholder:"NAME=AMOUNT" help:"Figure that comes with the payment, such as issuer_payment_limit=200.00; none means that there is no such limit. May be given several times." zh:"随付款给出的限额，例如 issuer_payment_limit=200.00；none 表示没有该限额。可多次给出。"`
	Can     []string `placeholder:"WAY,…" default:"terminal_pin,phone_password,dynamic_qr" help:"How this terminal and payer can step up: terminal_pin, phone_password, dynamic_qr; or none." zh:"终端和付款人可用的升级验证方式：terminal_pin、phone_password、dynamic_qr；none 表示没有。"`
	JSON    bool     `name:"json" help:"Write the decision as JSON." zh:"以 JSON 输出判定。"`
	Support bool     `help:"Words for support alone, not for payer and cashier." zh:"只输出给客服的说明，不输出给付款人和收银员的说明。"`
}

type paymentFlags struct {
	Amount   string `required:"" placeholder:"AMOUNT" help:"Amount in units of the currency: 50.00." zh:"金额，以货币单位计：50.00。"`
	Currency string `placeholder:"CODE" default:"CNY" help:"Currency (ISO 4217)." zh:"货币代码（ISO 4217）。"`
	Method   string `required:"" placeholder:"METHOD" help:"payment_code, card_tap, card_insert, card_swipe, dynamic_qr, static_qr, remote, mandate_debit, device_wallet or atm." zh:"付款方式：payment_code、card_tap、card_insert、card_swipe、dynamic_qr、static_qr、remote、mandate_debit、device_wallet 或 atm。"`
	Entry    string `placeholder:"ENTRY" help:"How a payment code came in: scanned or typed." zh:"付款码的录入方式：scanned（扫码）或 typed（手输）。"`
	CVM      string `name:"cvm" placeholder:"CVM" default:"none" help:"Verification that was done unasked: none, online_pin, offline_pin, cdcvm or phone_password." zh:"已主动完成的验证：none、online_pin、offline_pin、cdcvm 或 phone_password。"`
	Type     string `placeholder:"TYPE" help:"Kind of transaction: sale, preauth, refund or cash_advance." zh:"交易类型：sale、preauth、refund 或 cash_advance。"`
	At       string `placeholder:"TIME" help:"When: 2026-01-31T12:00:00+08:00, or 2026-01-31T12:00 in Shanghai; now by default." zh:"时间：2026-01-31T12:00:00+08:00，或上海时间 2026-01-31T12:00；默认为现在。"`
	Offline  string `placeholder:"yes|no" help:"Decided without asking the host." zh:"是否脱机判定。"`
	Risk     string `placeholder:"RISK" help:"What transaction monitoring says: low, elevated or high." zh:"交易监测结果：low、elevated 或 high。"`
}

type cardFlags struct {
	Scheme     string `placeholder:"NAME" help:"Card scheme: unionpay, visa, …" zh:"卡组织：unionpay、visa 等。"`
	Kind       string `placeholder:"KIND" help:"Kind of card: debit, credit, quasi_credit or prepaid." zh:"卡种：debit、credit、quasi_credit 或 prepaid。"`
	Domestic   bool   `help:"Card of the terminal's country." zh:"本国发行的卡。"`
	Instrument string `placeholder:"TOKEN" default:"card" help:"Token of the card, for counters per card; empty: unknown." zh:"卡的标记，用于按卡计数；留空表示未知。"`
	Issuer     string `placeholder:"NAME" help:"Issuer of the card." zh:"发卡机构。"`
	Activated  string `placeholder:"yes|no" help:"The issuer's own limits are active for this card." zh:"发卡机构自设限额对该卡是否启用。"`
	Listed     string `placeholder:"yes|no" help:"The card's number range is in the terminal's list." zh:"卡号段是否在终端的免密名单内。"`
	AsksPIN    string `name:"asks-pin" placeholder:"yes|no" help:"The card asks for online PIN." zh:"卡片是否要求联机密码。"`
}

type placeFlags struct {
	Country          string   `placeholder:"CODE" help:"Country of the terminal (ISO 3166)." zh:"终端所在国家或地区代码（ISO 3166）。"`
	MCC              string   `name:"mcc" placeholder:"CODE" help:"Merchant category code, four digits." zh:"商户类别码，四位数字。"`
	Unattended       bool     `help:"Nobody attends the terminal." zh:"无人值守终端。"`
	Purpose          string   `placeholder:"NAME" help:"Purpose of an unattended terminal: transport_fare, parking_fee, vending." zh:"无人值守终端的用途：transport_fare、parking_fee、vending。"`
	NoPINMerchant    bool     `name:"no-pin-merchant" help:"Merchant enabled for no-PIN no-signature." zh:"已开通免密免签的商户。"`
	UpgradedMerchant bool     `help:"Merchant upgraded to the scheme's present limit." zh:"已升级到现行限额的商户。"`
	MerchantRisk     string   `placeholder:"RISK" help:"Risk of the merchant: low, elevated or high." zh:"商户风险：low、elevated 或 high。"`
	QuickPass        string   `placeholder:"yes|no" help:"The terminal's no-PIN service is on (UnionPay FF8054)." zh:"终端的免密服务是否开启（银联 FF8054）。"`
	Closed           []string `placeholder:"LAYER,…" help:"Who else has PIN-free closed: merchant, store, model, terminal, agreement, channel, issuer, emergency_stop, posture, risk." zh:"还有哪些层关闭了免密：merchant、store、model、terminal、agreement、channel、issuer、emergency_stop、posture、risk。"`
}

type payerFlags struct {
	Payer       string `placeholder:"STATE" default:"on" help:"The payer's switch: on, off, frozen, cooling_off or unknown." zh:"付款人的免密开关：on、off、frozen（已挂失）、cooling_off（冷静期）或 unknown。"`
	Consent     string `placeholder:"WORD" help:"The payer's consent: given, closed, default or never_used." zh:"付款人的同意：given（主动开通）、closed（已关闭）、default（默认开通）或 never_used（从未使用）。"`
	Contactless string `placeholder:"yes|no" help:"The holder has contactless payment switched on." zh:"持卡人是否开启非接触支付。"`
	OwnEach     string `placeholder:"AMOUNT" help:"The payer's own limit per payment." zh:"付款人自设单笔限额。"`
	OwnDay      string `placeholder:"AMOUNT" help:"The payer's own limit per day." zh:"付款人自设单日限额。"`
	OwnNumber   string `placeholder:"N" help:"The payer's own number of payments per day." zh:"付款人自设单日笔数。"`
	OwnUsed     string `placeholder:"N:AMOUNT" default:"0:0" help:"PIN-free payments of the day before this one." zh:"当日此前的免密付款。"`
	Quiet       string `placeholder:"FROM-TO" help:"The payer's quiet hours, such as 22:00-07:00." zh:"付款人的停用时段，例如 22:00-07:00。"`
	Factors     int64  `placeholder:"N" default:"0" help:"Elements that the payer has shown already; 0: unknown." zh:"付款人已出示的要素个数；0 表示未知。"`
	Certificate string `placeholder:"yes|no" help:"One of them is a digital certificate or electronic signature." zh:"其中是否包含数字证书或电子签名。"`
}

type mandateFlags struct {
	MandateRegistered string `placeholder:"yes|no" help:"The mandate was registered with authentication." zh:"代扣授权登记时是否经过认证。"`
	MandateBegun      string `placeholder:"yes|no" help:"Its first debit was authenticated." zh:"首次扣款是否经过认证。"`
	MandateWithdrawn  string `placeholder:"yes|no" help:"The payer has withdrawn it." zh:"付款人是否已撤回授权。"`
	MandateSkipped    string `placeholder:"yes|no" help:"The payer opted out of this debit." zh:"付款人是否退出本次扣款。"`
	MandateNotice     int64  `placeholder:"HOURS" default:"0" help:"How long before the debit the payer was told; 0: not at all." zh:"扣款前多少小时通知付款人；0 表示没有通知。"`
	MandateCategory   string `placeholder:"NAME" help:"What it is for: insurance_premium, …" zh:"扣款用途：insurance_premium 等。"`
}

// Validate is called by kong once every flag is set.
func (c *rulesExplainCmd) Validate() error {
	_, err := c.input()
	return err
}

// Run decides the payment and says why.
func (c *rulesExplainCmd) Run(_ context.Context, a *app) error {
	rules, err := c.compile()
	if err != nil {
		return err
	}
	in, err := c.input()
	if err != nil {
		return err
	}
	if c.At == "" {
		in.At = a.clock.Now()
	}
	in.Rules, in.Minute = rules, rules.LocalMinute(in.At)
	if in.Counts, err = c.counts(rules); err != nil {
		return err
	}
	e := explanation{rules: rules, in: in, decision: pinfree.Decide(in), traces: rules.Trace(in)}
	if c.JSON {
		return a.writeJSON(e.json())
	}
	var page strings.Builder
	e.write(&page, a.lang, c.Support)
	_, err = a.stdout.Write([]byte(page.String()))
	return err
}
