package pinfree

import "github.com/mianmi/mianmi"

// wordsOf holds each reason's sentence for payer, cashier and support; words.go
// says what the placeholders are.
var wordsOf = map[Reason][3]mianmi.Text{
	IncompleteInput: {
		{ZH: "付款信息不完整，这笔付款没有进行。", EN: "Some payment details are missing; nothing was charged."},
		{ZH: "付款信息不完整，没有扣款，请重新发起。", EN: "Some payment details are missing and nothing was charged; please start the payment again."},
		{ZH: "判定所需的信息不全：缺少{layer}。", EN: "What the decision needs was not complete: missing {layer}."},
	},
	MethodNotAccepted: {
		{ZH: "{name}不支持这种付款方式，请换一种方式。", EN: "{Name} does not take this way of paying; please choose another."},
		{ZH: "本终端不支持这种付款方式，请顾客换一种方式。", EN: "This way of paying is not accepted here; please offer the customer another."},
		{ZH: "{id}（设置版本 {version}）不接受这种付款方式。", EN: "{id} (setting version {version}) does not accept this method."},
	},
	RuleRefuses: {
		{ZH: "按{name}，这笔付款不能用这种方式支付[（{actual}，限额 {limit}）]，输入密码也不行，请换一种方式。", EN: "Under {name} this payment cannot be made in this way[ ({actual}, limit {limit})], not even with a password; please pay another way."},
		{ZH: "按规则不能用这种方式收款[（{actual}，限额 {limit}）]，输密码也无效，请顾客换一种方式。", EN: "The rules do not allow this payment in this way[ ({actual}, limit {limit})], and a PIN does not help; please offer another method."},
		{ZH: "规则 {rule} 拒绝[：限额 {limit}，实际 {actual}]，验证密码无效。", EN: "Rule {rule} refuses[: limit {limit}, actual {actual}]; authentication does not help."},
	},
	NoStepUpPossible: {
		{ZH: "这笔付款需要验证密码，但这里无法输入，请换一种付款方式。", EN: "This payment needs your password or PIN, and there is no way to enter it here; please pay another way."},
		{ZH: "需要验证密码，但本终端和顾客都无法验证，请改用其他付款方式。", EN: "A password or PIN is needed, but neither this terminal nor the customer can give one; please use another method."},
		{ZH: "需要验证，但终端没有密码键盘或动态二维码，付款人也没有可用的支付密码。", EN: "Authentication was needed, but the terminal has neither keypad nor dynamic QR code and the payer no usable password."},
	},
	TooManyFailures: {
		{ZH: "密码连续输错次数过多，已暂停验证，请按提示解锁后再试。", EN: "The password was wrong too often in a row and checking is paused; please unlock it first."},
		{ZH: "顾客密码连续输错次数过多，暂时无法验证，请换一种付款方式。", EN: "The customer's password was wrong too often in a row; please use another method."},
		{ZH: "规则 {rule}：连续验证失败，不再接受验证。", EN: "Rule {rule}: authentication failed too often in a row; no further attempt is accepted."},
	},
	CodeUsed: {
		{ZH: "这个验证码已经用过，请重新获取。", EN: "This authentication code was used before; please get a new one."},
		{ZH: "顾客的验证码已经用过，请顾客重新获取。", EN: "The customer's code was used before; please ask for a new one."},
		{ZH: "规则 {rule}：验证码只能使用一次。", EN: "Rule {rule}: an authentication code is accepted only once."},
	},
	PayerFrozen: {
		{ZH: "您已挂失，免密支付全部冻结，{ask}。", EN: "You reported a loss and all PIN-free payment is frozen; {ask}."},
		{ZH: "这笔付款不能免密，{ask}。", EN: "This payment cannot go without a PIN; {ask}."},
		{ZH: "付款人已挂失，免密支付冻结（设置版本 {version}）。", EN: "The payer reported a loss; PIN-free payment is frozen (setting version {version})."},
	},
	EmergencyStopped: {
		{ZH: "为保障资金安全，免密支付已临时停用，{ask}。", EN: "PIN-free payment is stopped for now to keep your money safe; {ask}."},
		{ZH: "免密支付已紧急停用，{ask}。", EN: "PIN-free payment is under an emergency stop; {ask}."},
		{ZH: "紧急停用 {id} 生效中（版本 {version}）。", EN: "Emergency stop {id} is in force (version {version})."},
	},
	PayerClosed: {
		{ZH: "您已关闭小额免密支付，{ask}。", EN: "You have switched PIN-free payment off; {ask}."},
		{ZH: "顾客已关闭免密支付，{ask}。", EN: "The customer has switched PIN-free payment off; {ask}."},
		{ZH: "付款人已关闭小额免密（设置版本 {version}）。", EN: "The payer has PIN-free payment off (setting version {version})."},
	},
	PayerCoolingOff: {
		{ZH: "您重新开通的免密支付尚在冷静期，还未生效，{ask}。", EN: "You reopened PIN-free payment and its cooling-off is not over; {ask}."},
		{ZH: "顾客的免密支付尚未生效，{ask}。", EN: "The customer's PIN-free payment is not in force yet; {ask}."},
		{ZH: "付款人已申请重新开通，冷静期未结束（设置版本 {version}）。", EN: "The payer asked to reopen and the cooling-off is not over (setting version {version})."},
	},
	AgreementClosed: {
		{ZH: "您已关闭对这家商户的免密签约，{ask}。", EN: "You have closed your PIN-free agreement with this merchant; {ask}."},
		{ZH: "顾客已关闭对本店的免密签约，{ask}。", EN: "The customer has closed the PIN-free agreement with this shop; {ask}."},
		{ZH: "免密签约 {id} 已由付款人关闭（版本 {version}）。", EN: "Agreement {id} was closed by the payer (version {version})."},
	},
	AgreementMissing: {
		{ZH: "您没有与这家商户签约免密支付，{ask}。", EN: "You have no PIN-free agreement with this merchant; {ask}."},
		{ZH: "顾客没有与本店签约免密支付，{ask}。", EN: "The customer has no PIN-free agreement with this shop; {ask}."},
		{ZH: "该商户要求免密签约，付款人没有签约。", EN: "The merchant requires a PIN-free agreement and the payer has none."},
	},
	IssuerClosed: {
		{ZH: "{name}已关闭这张卡的免密支付，{ask}。", EN: "{Name} has switched PIN-free payment off for this card; {ask}."},
		{ZH: "发卡行要求验证，{ask}。", EN: "The card issuer asks for verification; {ask}."},
		{ZH: "发卡行 {id} 已关闭免密（版本 {version}）。", EN: "Issuer {id} has PIN-free payment off (version {version})."},
	},
	ChannelClosed: {
		{ZH: "{name}已关闭免密支付，{ask}。", EN: "{Name} has switched PIN-free payment off; {ask}."},
		{ZH: "支付渠道已关闭免密支付，{ask}。", EN: "The payment channel has PIN-free payment off; {ask}."},
		{ZH: "支付渠道 {id} 已关闭免密（版本 {version}）。", EN: "Channel {id} has PIN-free payment off (version {version})."},
	},
	MerchantClosed: {
		{ZH: "{name}已关闭免密支付，{ask}。", EN: "{Name} has switched PIN-free payment off; {ask}."},
		{ZH: "本商户已关闭免密支付，{ask}。", EN: "Your company has switched PIN-free payment off; {ask}."},
		{ZH: "商户 {id} 已关闭免密支付（设置版本 {version}）。", EN: "Merchant {id} has PIN-free payment off (setting version {version})."},
	},
	StoreClosed: {
		{ZH: "{name}已关闭免密支付，{ask}。", EN: "{Name} has switched PIN-free payment off; {ask}."},
		{ZH: "本店已关闭免密支付，{ask}。", EN: "This store has switched PIN-free payment off; {ask}."},
		{ZH: "门店 {id} 已关闭免密支付（设置版本 {version}）。", EN: "Store {id} has PIN-free payment off (setting version {version})."},
	},
	ModelClosed: {
		{ZH: "这一型号的终端已关闭免密支付，{ask}。", EN: "PIN-free payment is off on terminals of this model; {ask}."},
		{ZH: "这一型号的终端已关闭免密支付，{ask}。", EN: "PIN-free payment is off on terminals of this model; {ask}."},
		{ZH: "机型 {id} 已关闭免密支付（设置版本 {version}）。", EN: "Model {id} has PIN-free payment off (setting version {version})."},
	},
	TerminalClosed: {
		{ZH: "{name}已关闭免密支付，{ask}。", EN: "PIN-free payment is off on {name}; {ask}."},
		{ZH: "本终端已关闭免密支付，{ask}。", EN: "PIN-free payment is off on this terminal; {ask}."},
		{ZH: "终端 {id} 已关闭免密支付（设置版本 {version}）。", EN: "Terminal {id} has PIN-free payment off (setting version {version})."},
	},
	TerminalUnproved: {
		{ZH: "暂时无法确认{name}的设置，{ask}。", EN: "The settings of {name} cannot be confirmed right now; {ask}."},
		{ZH: "本终端的设置未经证实或已过期，请联网或重启；{ask}。", EN: "This terminal's settings are not proved or have run out; connect or restart it. For now {ask}."},
		{ZH: "终端 {id} 没有足够新的证明，或租约已到期。", EN: "Terminal {id} has no recent enough attestation, or its lease has run out."},
	},
	PostureUnsafe: {
		{ZH: "为保障安全，{name}暂不支持免密支付，{ask}。", EN: "For your safety PIN-free payment is not available on {name} now; {ask}."},
		{ZH: "本终端不符合安全要求：{fault}；{ask}。", EN: "This terminal is not safe enough: {fault}. For now {ask}."},
		{ZH: "终端 {id} 不满足免密要求：{fault}（规则 {rule}）。", EN: "Terminal {id} fails a requirement: {fault} (rule {rule})."},
	},
	RiskStepUp: {
		{ZH: "为保障资金安全，[{who}已将您的免密支付暂停至 {time}，]这笔付款需要确认，{ask}。", EN: "To keep your money safe[, {who} put your PIN-free payment on hold until {time}, so] this payment needs your confirmation; {ask}."},
		{ZH: "这笔付款需要顾客确认，{ask}。", EN: "This payment needs the customer's confirmation; {ask}."},
		{ZH: "风险控制要求验证[：免密支付由{who}暂停至 {time}]（设置版本 {version}）。", EN: "Risk control asks for authentication[: PIN-free payment was put on hold until {time} by {who}] (setting version {version})."},
	},
	CodeTyped: {
		{ZH: "付款码是手工输入的数字，不能免密，{ask}。", EN: "The digits of your code were typed in, so a PIN is always needed; {ask}."},
		{ZH: "手工输入的付款码一律要验证，{ask}；扫码可以更快。", EN: "A typed code always needs verification; {ask}. Scanning is quicker."},
		{ZH: "付款码为手工输入或输入方式不明，一律验证密码。", EN: "The code was typed, or how it was read is not known: always the password."},
	},
	QuietHours: {
		{ZH: "现在是您设定的免密停用时段，{ask}。", EN: "It is within the hours in which you keep PIN-free payment off; {ask}."},
		{ZH: "现在是免密停用时段，{ask}。", EN: "PIN-free payment is off at this hour; {ask}."},
		{ZH: "处于{layer}的免密停用时段（设置版本 {version}）。", EN: "Within the quiet hours of {layer} (setting version {version})."},
	},
	RuleAlwaysStepsUp: {
		{ZH: "按{name}，这类付款一律验证密码，{ask}。", EN: "Under {name} such a payment always needs a PIN; {ask}."},
		{ZH: "按规则这类付款一律验证，{ask}。", EN: "The rules always ask for a PIN here; {ask}."},
		{ZH: "规则 {rule}：满足其条件的付款一律验证，与金额无关。", EN: "Rule {rule}: payments that meet its condition always need a PIN, whatever the amount."},
	},
	RulePerPaymentLimit: {
		{ZH: "本次 {actual} {over}单笔免密限额 {limit}，{ask}。", EN: "This payment of {actual} {over} the PIN-free limit of {limit}; {ask}."},
		{ZH: "金额 {actual} {over}单笔免密限额 {limit}，{ask}。", EN: "The amount {actual} {over} the PIN-free limit of {limit}; {ask}."},
		{ZH: "规则 {rule}：单笔限额 {limit}，本次 {actual}。", EN: "Rule {rule}: limit {limit} a payment, this one {actual}."},
	},
	RuleCumulativeLimit: {
		{ZH: "免密付款累计 {actual}，{over}累计限额 {limit}，{ask}。", EN: "Your PIN-free payments come to {actual}, which {over} the limit of {limit} in all; {ask}."},
		{ZH: "顾客的免密累计金额已到限额，{ask}。", EN: "The customer's PIN-free total is used up; {ask}."},
		{ZH: "规则 {rule}：累计限额 {limit}，计入 {actual}。", EN: "Rule {rule}: cumulative limit {limit}, counted {actual}."},
	},
	RuleCountLimit: {
		{ZH: "算上这次，免密付款共 {actual}，{over}上限 {limit}，{ask}。", EN: "With this one it would be {actual} without a PIN, which {over} the limit of {limit}; {ask}."},
		{ZH: "顾客的免密次数已用完，{ask}。", EN: "The customer's PIN-free payments are used up; {ask}."},
		{ZH: "规则 {rule}：次数上限 {limit}，含本次 {actual}。", EN: "Rule {rule}: limit {limit}, with this one {actual}."},
	},
	OwnPerPaymentLimit: {
		{ZH: "本次 {actual} {over}您设定的单笔免密限额 {limit}，{ask}。", EN: "This payment of {actual} {over} the PIN-free limit of {limit} that you set; {ask}."},
		{ZH: "金额超过顾客自己设定的免密限额，{ask}。", EN: "The amount is above the customer's own PIN-free limit; {ask}."},
		{ZH: "付款人自设单笔限额 {limit}，本次 {actual}（设置版本 {version}）。", EN: "The payer's own limit is {limit} a payment, this one {actual} (setting version {version})."},
	},
	OwnDayAmountLimit: {
		{ZH: "算上这笔，今天免密付款 {actual}，{over}每日限额 {limit}，{ask}。", EN: "With this one today's PIN-free payments come to {actual}, which {over} the daily limit of {limit}; {ask}."},
		{ZH: "今天的免密金额已到限额，{ask}。", EN: "Today's PIN-free amount is used up; {ask}."},
		{ZH: "{layer}：每日限额 {limit}，含本笔 {actual}（设置版本 {version}）。", EN: "Limit of {layer}: {limit} a day, with this one {actual} (setting version {version})."},
	},
	OwnDayCountLimit: {
		{ZH: "算上这次，今天免密付款 {actual}，{over}每日上限 {limit}，{ask}。", EN: "With this one it would be {actual} without a PIN today, which {over} the daily limit of {limit}; {ask}."},
		{ZH: "今天的免密次数已用完，{ask}。", EN: "Today's PIN-free payments are used up; {ask}."},
		{ZH: "{layer}：每日上限 {limit}，含本次 {actual}（设置版本 {version}）。", EN: "Limit of {layer}: {limit} a day, with this one {actual} (setting version {version})."},
	},
	PlacePerPayment: {
		{ZH: "本次 {actual} {over}{name}的单笔免密限额 {limit}，{ask}。", EN: "This payment of {actual} {over} the PIN-free limit of {limit} at {name}; {ask}."},
		{ZH: "金额 {actual} {over}本店或本终端的免密限额 {limit}，{ask}。", EN: "The amount {actual} {over} the PIN-free limit of {limit} set here; {ask}."},
		{ZH: "{layer}：{id} 单笔限额 {limit}，本次 {actual}（设置版本 {version}）。", EN: "Limit of {layer}: {id} allows {limit} a payment, this one is {actual} (setting version {version})."},
	},
	NoRuleCovers: {
		{ZH: "这类付款不在免密范围内，{ask}。", EN: "PIN-free payment does not cover this payment; {ask}."},
		{ZH: "这类付款不在免密范围内，{ask}。", EN: "PIN-free payment does not cover this payment; {ask}."},
		{ZH: "没有规则包允许这笔付款免密。", EN: "No rule pack permits this payment without a PIN."},
	},
	CurrencyNotCovered: {
		{ZH: "免密限额不适用于这种货币，{ask}。", EN: "The PIN-free limits are not in this currency; {ask}."},
		{ZH: "免密限额不适用于这种货币，{ask}。", EN: "The PIN-free limits are not in this currency; {ask}."},
		{ZH: "{layer}的限额为其他货币，无法比较（设置版本 {version}）。", EN: "The limits of {layer} are in another currency and cannot be compared (setting version {version})."},
	},
	LayerUnknown: {
		{ZH: "暂时无法确认免密设置，{ask}。", EN: "The PIN-free settings cannot be confirmed right now; {ask}."},
		{ZH: "暂时无法确认免密设置，{ask}。", EN: "The PIN-free settings cannot be confirmed right now; {ask}."},
		{ZH: "{layer}的状态或计数未知，按验证处理。", EN: "The state or count of {layer} is not known, which is treated as step-up."},
	},
	MethodNeedsPIN: {
		{ZH: "这种付款方式一律验证密码，{ask}。", EN: "This way of paying always needs a PIN; {ask}."},
		{ZH: "插卡、刷卡和动态二维码一律验证，{ask}。", EN: "Chip, stripe and dynamic QR code always need verification; {ask}."},
		{ZH: "插卡、刷卡或动态二维码付款，一律验证。", EN: "Chip, stripe or dynamic QR code: always authenticated."},
	},
	TerminalBehind: {
		{ZH: "{name}尚未证实 {time} 的设置，{ask}。", EN: "{Name} has not confirmed the setting of {time}; {ask}."},
		{ZH: "本终端尚未证实 {time} 的设置，请联网或重启；{ask}。", EN: "This terminal has not confirmed the setting of {time}; connect or restart it. For now {ask}."},
		{ZH: "终端 {id} 已证实版本 {version}，早于 {time} 收紧的设置。", EN: "Terminal {id} has proved version {version}, which is older than the tightening of {time}."},
	},
	TerminalLeaseOver: {
		{ZH: "{name}自 {time} 起没有再证实设置，{ask}。", EN: "{Name} has not confirmed its settings since {time}; {ask}."},
		{ZH: "本终端自 {time} 起没有再证实设置，请检查网络；{ask}。", EN: "This terminal has not confirmed its settings since {time}; check its network. For now {ask}."},
		{ZH: "终端 {id} 的租约已于 {time} 到期，最后证实版本 {version}。", EN: "The lease of terminal {id} ran out at {time}; it last proved version {version}."},
	},
	TerminalNeverProved: {
		{ZH: "{name}还没有证实过自己的设置，{ask}。", EN: "{Name} has never confirmed its settings; {ask}."},
		{ZH: "本终端还没有证实过设置，请完成登记并联网；{ask}。", EN: "This terminal has never confirmed its settings; enrol and connect it. For now {ask}."},
		{ZH: "终端 {id} 从未证实过设置。", EN: "Terminal {id} has never proved a setting."},
	},
	TerminalRevoked: {
		{ZH: "暂时无法确认{name}的设置，{ask}。", EN: "The settings of {name} cannot be confirmed; {ask}."},
		{ZH: "本终端的证书已吊销，请联系管理人员；{ask}。", EN: "This terminal's certificate was revoked; call whoever manages it. For now {ask}."},
		{ZH: "终端 {id} 的证书已于 {time} 吊销。", EN: "The certificate of terminal {id} was revoked at {time}."},
	},
	TerminalFellBack: {
		{ZH: "{name}退回了较早的设置，{ask}。", EN: "{Name} went back to an older setting; {ask}."},
		{ZH: "本终端退回了较早的设置，请联网更新或重启；{ask}。", EN: "This terminal went back to an older setting; connect or restart it. For now {ask}."},
		{ZH: "终端 {id} 退回到版本 {version}，而它已证实过更新的版本。", EN: "Terminal {id} fell back to version {version} after it had proved a newer one."},
	},
	TerminalDrifted: {
		{ZH: "{name}运行的设置与要求不符，{ask}。", EN: "{Name} runs another setting than it should; {ask}."},
		{ZH: "本终端运行的设置与要求不符，请联系管理人员；{ask}。", EN: "This terminal runs another setting than it should; call whoever manages it. For now {ask}."},
		{ZH: "终端 {id} 自 {time} 起运行无人下达的设置（漂移）。", EN: "Terminal {id} runs what nobody asked for (drift) since {time}."},
	},
	TerminalClosedItself: {
		{ZH: "{name}自身已关闭免密支付，{ask}。", EN: "{Name} has PIN-free payment off by itself; {ask}."},
		{ZH: "本终端自身已关闭免密支付（菜单设置或自检），{ask}。", EN: "This terminal has PIN-free payment off by itself, by its menu or its own checks; {ask}."},
		{ZH: "终端 {id} 报告自身不做免密支付（运行版本 {version}）。", EN: "Terminal {id} reports that it takes no PIN-free payment (it runs version {version})."},
	},
	PayerUnclear: {
		{ZH: "支付渠道没有确认付款码是谁的，{ask}。", EN: "The payment system did not confirm whose payment code this is; {ask}."},
		{ZH: "支付渠道没有确认付款码是谁的，{ask}。", EN: "The payment system did not confirm whose payment code this is; {ask}."},
		{ZH: "渠道 {id} 没有明确说明付款码是谁的（没有应答，或对应多位付款人）。", EN: "Channel {id} did not say clearly whose code it was: no answer, or a name of several payers."},
	},
	PayerDiffers: {
		{ZH: "收银台登记的付款人与付款码的主人不一致，{ask}。", EN: "The till named somebody else than the owner of the payment code; {ask}."},
		{ZH: "登记的会员与付款码的主人不一致，请核对会员；{ask}。", EN: "The member is not the owner of the payment code; check the member. For now {ask}."},
		{ZH: "商户指明的会员与渠道 {id} 所说的付款码主人不一致。", EN: "The merchant named one member, and channel {id} said that the code was another's."},
	},
	HostAlone: {
		{ZH: "{name}的免密设置只由主机执行，终端自身不出具证明。", EN: "The PIN-free setting of {name} is enforced by the host alone; the terminal proves nothing itself."},
		{ZH: "本终端的免密设置只由主机执行，终端自身不出具证明。", EN: "This terminal's PIN-free setting is enforced by the host alone; the terminal proves nothing itself."},
		{ZH: "终端 {id} 的机型不出具证明，免密设置只由主机执行。", EN: "Terminal {id} is of a model that proves nothing; its PIN-free setting is enforced by the host alone."},
	},
	ChannelKeepsOwn: {
		{ZH: "您在该支付渠道的免密开关和次数由渠道自行管理，这里看不到。", EN: "That payment system keeps a PIN-free switch and counts of its own for you, which cannot be seen here."},
		{ZH: "顾客在该支付渠道的免密开关和次数由渠道自行管理，渠道仍可能要求密码。", EN: "The payment system keeps the customer's own switch and counts, and may still ask for the password."},
		{ZH: "渠道 {id} 自行管理付款人的免密开关和次数，这里看不到。", EN: "Channel {id} keeps the payer's own switch and counts, which cannot be seen here."},
	},
	NamedByChannel: {
		{ZH: "支付渠道认出付款码是您的，因此按您的免密设置办理。", EN: "The payment system said that the code was yours, so your own PIN-free settings counted."},
		{ZH: "支付渠道认出顾客是会员，因此按会员的免密设置办理。", EN: "The payment system knew the customer as a member, whose own PIN-free settings counted."},
		{ZH: "渠道 {id} 在扣款前指明了付款码的主人（会员不是由商户指明的）。", EN: "Channel {id} named the owner of the code before the charge; the merchant had named nobody."},
	},
	WithinLimits: {
		{ZH: "这笔付款在免密限额内，无需密码[（{name}：{actual}，上限 {limit}）]。", EN: "This payment was within the PIN-free limits, so no PIN was asked[ ({name}: {actual}, limit {limit})]."},
		{ZH: "免密通过，无需密码。", EN: "Approved without a PIN."},
		{ZH: "各层均允许免密，最接近的限额为 {rule}[：{actual}，上限 {limit}]。", EN: "Every layer allowed it; the tightest limit was {rule}[: {actual}, limit {limit}]."},
	},
	OneOffAllowance: {
		{ZH: "您事先允许了这一次免密付款，无需密码。", EN: "You allowed this one payment in advance, so no PIN was asked."},
		{ZH: "免密通过，无需密码。", EN: "Approved without a PIN."},
		{ZH: "付款人使用了一次性免密许可（设置版本 {version}），最接近的限额为 {rule}[：{actual}，上限 {limit}]。", EN: "The payer's one-off allowance was used (setting version {version}); the tightest limit was {rule}[: {actual}, limit {limit}]."},
	},
	AlreadyVerified: {
		{ZH: "您已验证身份。", EN: "You have verified yourself."},
		{ZH: "顾客已验证，无需再输密码。", EN: "The customer has verified; no further PIN is needed."},
		{ZH: "付款人已主动验证（密码、设备验证等），不涉及免密。", EN: "The payer had authenticated (PIN, device, password), so PIN-free did not arise."},
	},
	ConfirmedOnPhone: {
		{ZH: "您已在手机上输入密码确认。", EN: "You confirmed on your phone with your password."},
		{ZH: "顾客已在手机上确认。", EN: "The customer confirmed on the phone."},
		{ZH: "动态二维码付款，付款人已在手机上用密码确认。", EN: "Dynamic QR code, confirmed by the payer on the phone with the password."},
	},
}
