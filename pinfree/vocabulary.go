package pinfree

import (
	"slices"

	"github.com/mianmi/mianmi"
)

// Variable is a name that the conditions of packs may use in CEL.
type Variable struct {
	Name  string      // "card.kind"
	Kind  string      // "string", "int" or "bool"
	Words []string    // the only words that it can be; nil: any
	About mianmi.Text // what it tells
}

// Variables lists every name of the language, for its page and for tools that
// must be able to tell each of them.
func Variables() []Variable {
	out := make([]Variable, len(variables))
	for i, v := range variables {
		words := slices.DeleteFunc(slices.Clone(v.words), func(w string) bool { return w == "" })
		out[i] = Variable{v.name, v.kind.String(), words, aboutVariables[v.name]}
	}
	return out
}

// FigureWord is the name of a Figure and what it tells.
type FigureWord struct {
	Name  string
	About mianmi.Text
}

// FigureWords lists every figure, in the order of Figures.
func FigureWords() []FigureWord {
	out := make([]FigureWord, figureCount)
	for i := range out {
		out[i] = FigureWord{figureNames[i], aboutFigures[figureNames[i]]}
	}
	return out
}

// ClosedWords are the words that fields of a pack may have, by the field's path
// ("counters.resets"), where the list is closed.
func ClosedWords() map[string][]string {
	return map[string][]string{
		"layer": {"regulation", "scheme", "issuer"}, "sources.quality": slices.Clone(qualities),
		"counters.bucket": slices.Clone(bucketNames), "counters.counts": slices.Clone(countsNames), "counters.resets": slices.Clone(resetNames),
		"limits.above": slices.Clone(aboveNames), "limits.amount.scope": slices.Clone(scopeNames), "limits.number.scope": slices.Clone(scopeNames),
		"answers.action": slices.Clone(AnswerActions), "compensation.after_window": slices.Clone(afterWindowNames),
		"when.methods": decidedMethods(), "when.entries": {"scanned", "typed"},
	}
}

// aboutVariables and aboutFigures say what each name tells; tests keep them whole.
var aboutVariables = map[string]mianmi.Text{
	"currency":             {ZH: "付款货币（ISO 4217）", EN: "currency of the payment (ISO 4217)"},
	"method":               {ZH: "付款方式", EN: "how the payer pays"},
	"entry":                {ZH: "付款码的录入方式", EN: "how a payment code came in"},
	"cvm":                  {ZH: "付款人已主动完成的验证", EN: "verification that was done unasked"},
	"type":                 {ZH: "交易类型", EN: "kind of transaction"},
	"offline":              {ZH: "不经主机、脱机判定", EN: "decided without asking the host"},
	"risk":                 {ZH: "交易监测对本次付款的评级", EN: "what transaction monitoring says of the payment"},
	"factors":              {ZH: "付款人在升级验证之前已出示的独立要素个数", EN: "independent elements that the payer has shown before any step-up"},
	"certificate":          {ZH: "要素中包含数字证书或电子签名", EN: "one of them is a digital certificate or electronic signature"},
	"payer.consent":        {ZH: "付款人对免密的意思表示：主动开通、已关闭、默认开通且从未确认、从未用过", EN: "the payer's word on PIN-free payment: asked for it, closed it, has it by default and never confirmed, never used it"},
	"payer.contactless":    {ZH: "持卡人开启了非接触支付", EN: "the holder has contactless payment switched on"},
	"card.scheme":          {ZH: "卡组织，例如 unionpay、visa", EN: "card scheme, such as unionpay or visa"},
	"card.kind":            {ZH: "卡种", EN: "kind of card"},
	"card.domestic":        {ZH: "在终端所在国家发行；从不未知", EN: "issued in the terminal's country; never unknown"},
	"card.issuer":          {ZH: "发卡机构", EN: "who issued the card"},
	"card.activated":       {ZH: "发卡机构的自设限额对该卡已启用", EN: "the issuer's own limits are active for this card"},
	"card.listed":          {ZH: "卡号段在终端的免密名单内", EN: "the card's number range is in the terminal's no-PIN list"},
	"card.asks_pin":        {ZH: "卡片要求联机密码", EN: "the card asks for online PIN"},
	"merchant.mcc":         {ZH: "商户类别码，数字", EN: "merchant category code, a number"},
	"merchant.no_pin":      {ZH: "商户已开通免密免签；从不未知", EN: "the merchant is enabled for no-PIN payment; never unknown"},
	"merchant.upgraded":    {ZH: "商户已升级到现行限额；从不未知", EN: "the merchant is upgraded to the present limit; never unknown"},
	"merchant.risk":        {ZH: "商户风险等级", EN: "risk of the merchant"},
	"terminal.country":     {ZH: "终端所在国家或地区（ISO 3166）", EN: "country of the terminal (ISO 3166)"},
	"terminal.unattended":  {ZH: "无人值守；从不未知", EN: "nobody attends it; never unknown"},
	"terminal.purpose":     {ZH: "无人值守终端的用途，空文本表示一般用途；从不未知", EN: "purpose of an unattended terminal, the empty text for a general one; never unknown"},
	"terminal.quick_pass":  {ZH: "终端的免密服务已开启（银联 FF8054）", EN: "the terminal's no-PIN service is on (UnionPay FF8054)"},
	"mandate.registered":   {ZH: "代扣授权登记时经过认证", EN: "the mandate was registered with authentication"},
	"mandate.begun":        {ZH: "首次扣款经过认证", EN: "its first debit was authenticated"},
	"mandate.withdrawn":    {ZH: "付款人已撤回授权", EN: "the payer has withdrawn it"},
	"mandate.skipped":      {ZH: "付款人退出了本次扣款", EN: "the payer opted out of this debit"},
	"mandate.notice_hours": {ZH: "扣款前多少小时通知了付款人，0 为没有通知；从不未知", EN: "hours between the notice to the payer and the debit, 0 without one; never unknown"},
	"mandate.category":     {ZH: "扣款用途，例如 insurance_premium", EN: "what it is for, such as insurance_premium"},
}

var aboutFigures = map[string]mianmi.Text{
	"payer_payment_limit":      {ZH: "付款人自设的单笔限额", EN: "the payer's own limit per payment"},
	"payer_cumulative_limit":   {ZH: "付款人自设的累计限额", EN: "the payer's own limit in all"},
	"issuer_payment_limit":     {ZH: "发卡机构（或账户机构）自设的单笔限额", EN: "the issuer's (or firm's) own limit per payment"},
	"agreed_day_limit":         {ZH: "与付款人约定的单日限额", EN: "the limit per day agreed with the payer"},
	"reader_cvm_limit":         {ZH: "读卡器的 CVM 限额（DF8126）", EN: "the reader's CVM required limit (DF8126)"},
	"reader_transaction_limit": {ZH: "读卡器的非接触交易限额，设备未验证持有人（DF8124）", EN: "the reader's contactless transaction limit without on-device verification (DF8124)"},
	"reader_device_limit":      {ZH: "同上，设备已验证持有人（DF8125）", EN: "the same with on-device verification (DF8125)"},
	"terminal_no_pin_limit":    {ZH: "终端的免密限额（银联 FF8058）", EN: "the terminal's no-PIN limit (UnionPay FF8058)"},
}
