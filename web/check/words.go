package check

import "github.com/mianmi/mianmi"

// texts are what the page says.
var texts = map[string]mianmi.Text{
	"title":     {ZH: "核对免密凭证", EN: "Check a receipt"},
	"other":     {ZH: "English", EN: "中文"},
	"intro":     {ZH: "凭证记录一次变更或一笔付款的判定，并附有数学证明。选择凭证文件，这里会告诉您它是否完整、说明了什么。", EN: "A receipt records a change, or how a payment was decided, with a mathematical proof. Choose the file and see whether it is whole and what it says."},
	"file":      {ZH: "凭证文件（receipt.json）", EN: "Receipt file (receipt.json)"},
	"text":      {ZH: "或粘贴凭证内容", EN: "Or paste what is in it"},
	"button":    {ZH: "核对", EN: "Check"},
	"unable":    {ZH: "这个浏览器无法自行核对（需要 Ed25519 和安全连接）：提交后由服务器核对。", EN: "This browser cannot check by itself (it needs Ed25519 and a secure connection): the server will check what you submit."},
	"offline":   {ZH: "完全不信任本页面时，可离线运行 mianmi receipt verify。", EN: "If you do not want to trust this page at all, run mianmi receipt verify offline."},
	"good":      {ZH: "✓ 凭证成立", EN: "✓ The receipt holds"},
	"bad":       {ZH: "✗ 凭证不成立", EN: "✗ The receipt does not hold"},
	"misfit":    {ZH: "不符之处：", EN: "What does not fit: "},
	"here":      {ZH: "由您的浏览器核对，没有询问服务器。", EN: "Checked by your browser; no server was asked."},
	"there":     {ZH: "由服务器核对。", EN: "Checked by the server."},
	"published": {ZH: "签名公钥是本服务器公布的日志公钥，或由其依次交接而来。", EN: "The signing key is one that this server publishes for its log, or one that it handed over to."},
	"unpublished": {ZH: "注意：签名公钥不是本服务器公布的日志公钥。凭证完整，但它由谁出具，须自行核对公钥。",
		EN: "Note: the signing key is none that this server publishes for its log. The receipt is whole, but you must find out yourself whose key it is."},
	"zone":  {ZH: "（北京时间）", EN: " (UTC+8)"},
	"log":   {ZH: "日志", EN: "Log"},
	"place": {ZH: "位置", EN: "Place"},
	"of":    {ZH: "第 {n} 条，检查点共 {size} 条", EN: "entry {n} of the {size} under the checkpoint"},
	"entry": {ZH: "存证编号", EN: "Entry"}, "key": {ZH: "签名公钥", EN: "Signed by key"},
	"witness": {ZH: "见证联署", EN: "Cosigned by"}, "data": {ZH: "被证明的原始数据", EN: "The data that was proved"},
	"link": {ZH: "链接所指的内容：收到的凭证不是纸面上的那一份", EN: "the link: the receipt that came is not the one on the paper"},
}
