package screen

import (
	"strings"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/agent/link"
	"github.com/mianmi/mianmi/money"
)

// method is how a way to pay is shown.
type method struct {
	Name string
	Icon string
	Hint string
}

var methodNames = map[string]struct {
	icon       string
	name, hint mianmi.Text
}{
	"payment_code": {"scan", mianmi.Text{ZH: "扫付款码", EN: "Payment code"}, mianmi.Text{ZH: "扫描顾客手机上的付款码", EN: "Scan the customer's phone"}},
	"dynamic_qr":   {"qr", mianmi.Text{ZH: "出示二维码", EN: "Show a QR code"}, mianmi.Text{ZH: "顾客扫码并在手机上输密码", EN: "The customer scans and confirms"}},
	"card_tap":     {"tap", mianmi.Text{ZH: "挥卡或手机", EN: "Tap"}, mianmi.Text{ZH: "卡或手机靠近感应区", EN: "Card or phone near the reader"}},
	"card_insert":  {"insert", mianmi.Text{ZH: "插卡", EN: "Insert card"}, mianmi.Text{ZH: "芯片朝上插入卡槽", EN: "Chip up, into the slot"}},
	"card_swipe":   {"swipe", mianmi.Text{ZH: "刷卡", EN: "Swipe card"}, mianmi.Text{ZH: "磁条朝内刷过卡槽", EN: "Stripe inwards, through the slot"}},
	"cash":         {"cash", mianmi.Text{ZH: "现金", EN: "Cash"}, mianmi.Text{ZH: "只记录，不验证", EN: "Recorded only"}},
}

func (p speaker) method(name string) method {
	m := methodNames[name]
	return method{Name: m.name.In(p.lang), Icon: m.icon, Hint: m.hint.In(p.lang)}
}

// amount is money as people write it.
func (p speaker) amount(a money.Amount) string {
	whole, cents, some := strings.Cut(a.Decimal(), ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if some {
		whole += "." + cents
	}
	if a.Currency() == "CNY" {
		return "¥" + whole
	}
	return whole + " " + string(a.Currency())
}

// verdicts say what a check of the network found, and what to do.
var verdicts = map[link.Verdict]struct{ head, todo mianmi.Text }{
	link.Good:      {mianmi.Text{ZH: "网络正常，可以收款", EN: "The network is fine for payments"}, mianmi.Text{ZH: "已确认对方就是主机，途中没有被替换。", EN: "Whoever answers is the host; nobody stands in between."}},
	link.Slow:      {mianmi.Text{ZH: "网络较慢，收款要多等几秒", EN: "The network is slow; payments take some seconds more"}, mianmi.Text{ZH: "靠近路由器或换一种网络。", EN: "Move closer to the router, or use another network."}},
	link.Lossy:     {mianmi.Text{ZH: "网络不稳，收款可能超时", EN: "The network loses data; payments may time out"}, mianmi.Text{ZH: "超时的付款会自动查询结果，不会重复扣款。", EN: "Payments that time out are looked up; nobody is charged twice."}},
	link.OpenWiFi:  {mianmi.Text{ZH: "这是没有加密的 Wi-Fi，不安全", EN: "This Wi-Fi is open and not safe"}, mianmi.Text{ZH: "请改用加密的 Wi-Fi、网线或移动网络。", EN: "Use a protected Wi-Fi, a cable or mobile data."}},
	link.Unknown:   {mianmi.Text{ZH: "不知道这是什么网络，按不安全处理", EN: "What network this is cannot be told; it counts as unsafe"}, mianmi.Text{ZH: "请改用网线、移动网络或可识别的加密 Wi-Fi。", EN: "Use a cable, mobile data or a Wi-Fi known to be protected."}},
	link.Portal:    {mianmi.Text{ZH: "网络被登录页面拦截，不安全", EN: "A login page stands in the way; not safe"}, mianmi.Text{ZH: "不要在这个网络上收款，请换一个网络。", EN: "Take no payments here; use another network."}},
	link.OtherHost: {mianmi.Text{ZH: "应答的不是主机，有人冒充", EN: "What answers is not the host: somebody poses as it"}, mianmi.Text{ZH: "立即停止收款，换网络，并报告异常。", EN: "Stop taking payments, change the network and report it."}},
	link.NoDNS:     {mianmi.Text{ZH: "找不到主机的地址", EN: "The host's name leads nowhere"}, mianmi.Text{ZH: "检查网线、Wi-Fi 或 DNS 设置。", EN: "Check cable, Wi-Fi or DNS."}},
	link.NoAnswer:  {mianmi.Text{ZH: "主机没有应答", EN: "The host does not answer"}, mianmi.Text{ZH: "检查网线、Wi-Fi 或移动网络，稍后再试。", EN: "Check cable, Wi-Fi or mobile data, and try again."}},
}

var kinds = map[string]mianmi.Text{
	"ethernet": {ZH: "网线", EN: "cable"}, "mobile": {ZH: "移动网络", EN: "mobile data"}, "wifi": {ZH: "加密 Wi-Fi", EN: "protected Wi-Fi"},
	"wifi_open": {ZH: "未加密 Wi-Fi", EN: "open Wi-Fi"}, "local": {ZH: "本机", EN: "this machine"}, "": {ZH: "未知", EN: "not known"},
}

// details say what a check found, by its code.
var details = map[string]mianmi.Text{
	"asked_for_password":    {ZH: "已要求输入密码：免密确已关闭", EN: "It asked for the password: PIN-free is off"},
	"pin_free":              {ZH: "没有要求密码：免密为开启状态，已撤销", EN: "It asked for no password: PIN-free is on; undone"},
	"pin_free_while_closed": {ZH: "已关闭却免密通过，已撤销并上报", EN: "Passed without a PIN although it is off; undone and reported"},
	"not_reversed":          {ZH: "没能撤销，请联系客服", EN: "Could not be undone; call support"},
	"not_accepted":          {ZH: "主机设置不接受", EN: "Not accepted by the host's setting"},
	"host_unreachable":      {ZH: "联系不上主机", EN: "The host cannot be reached"},
	"no_host_key":           {ZH: "取不到密码加密公钥", EN: "The key for PINs cannot be fetched"},
	"cancelled":             {ZH: "测试被取消", EN: "The test was called off"},
	"insufficient_funds":    {ZH: "测试账户余额不足", EN: "Not enough money on the test account"},
	"":                      {ZH: "可用", EN: "Works"},
}

// states are what became of a payment.
var states = map[string]mianmi.Text{
	"approved": {ZH: "收款成功", EN: "Paid"}, "declined": {ZH: "未扣款", EN: "Not paid"}, "expired": {ZH: "已超时，未扣款", EN: "Timed out, not paid"},
	"refused": {ZH: "不能这样付款", EN: "Cannot be paid this way"}, "reversed": {ZH: "已撤销", EN: "Undone"}, "nothing": {ZH: "未扣款", EN: "Nothing charged"},
	"undoing":  {ZH: "撤销中，待确认", EN: "Being undone"},
	"refunded": {ZH: "已退款", EN: "Refunded"}, "partly_refunded": {ZH: "部分退款", EN: "Partly refunded"},
}

// cvms are how the payer was verified.
var cvms = map[string]mianmi.Text{
	"none": {ZH: "无需验证", EN: "not verified"}, "online_pin": {ZH: "终端密码", EN: "PIN at the terminal"}, "offline_pin": {ZH: "卡片密码", EN: "PIN checked by the card"},
	"cdcvm": {ZH: "顾客设备上的指纹或面容", EN: "on the customer's device"}, "phone_password": {ZH: "手机支付密码", EN: "password on the phone"},
}

// troubles are what people report, in the order of the page.
var troubles = []struct {
	Kind string
	Name mianmi.Text
}{
	{"no_pin_asked", mianmi.Text{ZH: "该要密码却没有要", EN: "No password was asked for"}},
	{"not_me", mianmi.Text{ZH: "顾客说不是本人付款", EN: "The customer did not make this payment"}},
	{"wrong_amount", mianmi.Text{ZH: "金额不对", EN: "The amount is wrong"}},
	{"device", mianmi.Text{ZH: "设备被动过或不正常", EN: "The device is damaged or was touched"}},
	{"display", mianmi.Text{ZH: "屏幕显示的和实际不一样", EN: "The screen shows something else"}},
}
