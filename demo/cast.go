package demo

import "github.com/mianmi/mianmi"

// The example world. Streets exist, the houses and shops in them do not; phone
// numbers begin with 120, which no mobile network gives out.

type modelCast struct {
	name            string
	keypad, display bool
	methods         []string
}

type terminalCast struct {
	name    string
	model   int // of models
	purpose string
}

type storeCast struct {
	name, address string
	latE6, lonE6  int32
	terminals     []terminalCast
}

type merchantCast struct {
	name      string
	mcc       uint16
	agreement bool // PIN-free only for payers with an agreement
	least     int64
	most      int64 // minor units of its payments
	stores    []storeCast
}

type payerCast struct {
	name       mianmi.Text
	weekly     int64    // minor units that come onto the balance each week
	perPayment int64    // own limit, minor units; 0: none
	agreement  bool     // with the merchants that need one
	cards      []string // schemes of cards
}

var models = []modelCast{
	{"海棠 P2 智能 POS", true, true, []string{"payment_code", "card_tap", "card_insert", "card_swipe", "dynamic_qr"}},
	{"银杏 Q1 扫码盒", false, false, []string{"payment_code"}},
	{"云杉 K5 自助机", false, true, []string{"payment_code", "card_tap", "dynamic_qr"}},
}

var merchants = []merchantCast{
	{name: "巷口咖啡", mcc: 5814, least: 12_00, most: 58_00, stores: []storeCast{
		{"巷口咖啡愚园路店", "上海市长宁区愚园路 1288 弄 3 号", 31_221_300, 121_424_700, []terminalCast{{name: "1 号收银台"}, {name: "2 号收银台", model: 1}}},
		{"巷口咖啡永康路店", "上海市徐汇区永康路 196 号", 31_210_400, 121_453_600, []terminalCast{{name: "1 号收银台"}}},
	}},
	{name: "每日鲜生活超市", mcc: 5411, least: 15_00, most: 260_00, stores: []storeCast{
		{"每日鲜文二西路店", "杭州市西湖区文二西路 718 号", 30_283_100, 120_094_200,
			[]terminalCast{{name: "人工 1 号台"}, {name: "人工 2 号台"}, {name: "自助 3 号机", model: 2}}},
	}},
	{name: "云栖停车", mcc: 7523, agreement: true, least: 5_00, most: 30_00, stores: []storeCast{
		{"滨江天街地下车库", "杭州市滨江区江南大道 1088 号地下二层", 30_207_800, 120_209_500,
			[]terminalCast{{name: "出口 1 号闸机", model: 2, purpose: "parking_fee"}}},
	}},
}

// annex is the store whose terminals are programs of their own, which prove
// what they run.
var annex = storeCast{"巷口咖啡安福路店", "上海市徐汇区安福路 255 号", 31_215_600, 121_441_900,
	[]terminalCast{{name: "1 号智能 POS"}, {name: "2 号台式 POS", model: 1}, {name: "3 号密码键盘", model: 2}}}

// bookshop takes payments through WeChat Pay; for WeChat Pay there is a second
// mianmi, at which the same shop is called otherwise.
var (
	bookshop = merchantCast{name: "小满书店", mcc: 5942, stores: []storeCast{
		{"小满书店武康路店", "上海市徐汇区武康路 376 号", 31_208_300, 121_437_300, []terminalCast{{name: "前台收银"}}}}}
	bookshopThere = merchantCast{name: "小满书店（微信支付商户）", mcc: 5942, stores: []storeCast{
		{"小满书店武康路店", "上海市徐汇区武康路 376 号", 31_208_300, 121_437_300, []terminalCast{{name: "微信支付收款"}}}}}
)

// BookshopFacts are the name and the category code of the bookshop.
func BookshopFacts() (name string, mcc uint16) { return bookshop.name, bookshop.mcc }

// spareName is the terminal that the user may start.
const spareName = "9 号备用台式 POS"

// machineCast is a model whose terminals prove what they run.
type machineCast struct {
	modelCast
	family string
	reboot bool
}

var machines = []machineCast{
	{modelCast{"海棠 A7 安卓 POS", false, true, []string{"payment_code", "dynamic_qr", "card_tap", "card_insert", "card_swipe"}}, "android_smart", true},
	{modelCast{"银杏 D3 台式 POS", true, true, []string{"payment_code", "dynamic_qr", "card_tap", "card_insert", "card_swipe"}}, "linux_countertop", true},
	{modelCast{"云杉 E2 密码键盘", true, true, []string{"payment_code", "dynamic_qr", "card_tap", "card_insert", "card_swipe"}}, "pinpad_ecr", false},
}

// password is the payment password of everybody in this world.
const password = "283746"

var payers = []payerCast{
	{mianmi.Text{ZH: "陈明远", EN: "Chen Mingyuan"}, 6000_00, 0, true, []string{"unionpay"}},
	{mianmi.Text{ZH: "王秀兰", EN: "Wang Xiulan"}, 2500_00, 50_00, false, nil},
	{mianmi.Text{ZH: "李浩然", EN: "Li Haoran"}, 4000_00, 0, true, []string{"unionpay"}},
	{mianmi.Text{ZH: "张雨桐", EN: "Zhang Yutong"}, 2800_00, 0, false, nil},
	{mianmi.Text{ZH: "刘志强", EN: "Liu Zhiqiang"}, 3600_00, 100_00, true, []string{"unionpay"}},
	{mianmi.Text{ZH: "黄丽华", EN: "Huang Lihua"}, 1900_00, 0, false, nil},
	{mianmi.Text{ZH: "周子墨", EN: "Zhou Zimo"}, 2200_00, 0, false, []string{"unionpay"}},
	{mianmi.Text{ZH: "吴佳怡", EN: "Wu Jiayi"}, 2200_00, 0, false, nil},
	{mianmi.Text{ZH: "徐建国", EN: "Xu Jianguo"}, 1600_00, 30_00, false, nil},
	{mianmi.Text{ZH: "孙若曦", EN: "Sun Ruoxi"}, 2700_00, 0, true, nil},
	{mianmi.Text{ZH: "马文博", EN: "Ma Wenbo"}, 3400_00, 0, false, []string{"unionpay"}},
	{mianmi.Text{ZH: "何静", EN: "He Jing"}, 2300_00, 0, false, nil},
}
