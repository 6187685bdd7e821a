package pack

import (
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pdf"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/receipt"
	"github.com/mianmi/mianmi/support/desk"
	"github.com/mianmi/mianmi/support/liability"
	"github.com/mianmi/mianmi/terminal"
)

func say(zh, en string) mianmi.Text { return mianmi.Text{ZH: zh, EN: en} }

func same(s string) mianmi.Text { return mianmi.Text{ZH: s, EN: s} }

var (
	paymentWords = say("发生一笔付款", "A payment was made.")
	provedWords  = say("终端证明自此刻起运行所要求的设置", "From then on the terminal proved to run the setting that was asked for.")
)

// eventsShown bounds the lines of the summary; timeline.json has all.
const eventsShown = 200

// summary is the pack on paper. Nothing that people wrote is on it: that stands
// word for word in messages.txt.
func (g *gathering) summary() ([]byte, error) {
	w := g.whole
	d := pdf.New(pdf.About{Title: "免密证据包 mianmi proof pack " + w.Number, At: w.OpenedAt})
	d.Text(20, pdf.Black, "免密支付争议证据包")
	d.Text(11, pdf.Grey, "Proof pack of a case about PIN-free payments")
	d.Gap()
	d.Rows(9.5, g.head()...)
	d.Line()
	for i := range g.paid {
		g.page(d, &g.paid[i])
		d.Line()
	}
	d.Both(13, pdf.Black, say("经过", "What happened"))
	for i, e := range g.events {
		if i == eventsShown {
			d.Both(8.5, pdf.Grey, say("其余见 timeline.json。", "The rest stands in timeline.json."))
			break
		}
		after := afterWords(&e)
		d.Rows(8.5, pdf.Row{Label: same(receipt.Short(e.At)), Value: mianmi.Text{ZH: e.Words.ZH + after.ZH, EN: e.Words.EN + after.EN}})
	}
	d.Line()
	d.Both(13, pdf.Black, say("如何核对", "How to check this"))
	d.Both(9, pdf.Black, say("离线运行 mianmi pack verify 文件名.zip --key 日志公钥：核对每个文件的摘要、每一条凭证，以及付款与变更的事实是否与凭证一致。日志公钥请向出具方公布的地址核实。",
		"Offline: mianmi pack verify FILE.zip --key KEY checks the digest of every file, every receipt, and that what is told of payments and changes is what the receipts prove. Compare the key with the one that the issuer publishes."))
	d.Both(9, pdf.Black, say("带有凭证的事实由透明日志证明；留言与附件由工单保存，日志中只有其摘要。“建议由谁承担”是系统依据记录和规则的建议，最终决定由人作出。",
		"Facts with a receipt are proved by the transparency log. Messages and attachments are kept with the case; the log holds digests of them. Who should bear an amount is what the system proposes from the records and rules; a person decides."))
	return d.Bytes()
}

func (g *gathering) head() []pdf.Row {
	w := g.whole
	rows := []pdf.Row{
		{Label: say("工单", "Case"), Value: same(w.Number + " (" + string(w.ID) + ")")},
		{Label: say("种类", "Kind"), Value: w.Kind.Words()},
		{Label: say("状态", "State"), Value: w.State.Words()},
		{Label: say("提出时间", "Opened"), Value: receipt.When(w.OpenedAt)},
	}
	if w.Payer != "" {
		rows = append(rows, pdf.Row{Label: say("付款人", "Payer"), Value: same(string(w.Payer))})
	}
	if w.Verdict != desk.NoVerdict {
		rows = append(rows, pdf.Row{Label: say("决定", "Decision"), Value: w.Verdict.Words()}, pdf.Row{Label: say("决定时间", "Decided"), Value: receipt.When(w.DecidedAt)})
	}
	if w.Award.Minor() != 0 {
		rows = append(rows, pdf.Row{Label: say("赔付", "Award"), Value: same(w.Award.String())})
	}
	for b := liability.Unclear; b <= liability.Platform && g.line.Currency != ""; b++ {
		if n := g.line.Total[b]; n > 0 {
			rows = append(rows, pdf.Row{Label: say("建议承担", "Proposed to bear"), Value: mianmi.Text{ZH: b.Words().ZH + "：" + money.Of(n, g.line.Currency).String(),
				EN: b.Words().EN + ": " + money.Of(n, g.line.Currency).String()}})
		}
	}
	return rows
}

// page tells of one payment.
func (g *gathering) page(d *pdf.Document, p *PaymentFacts) {
	amount := money.Of(p.Amount.Minor, money.Currency(p.Amount.Currency)).String()
	d.Both(13, pdf.Black, say("付款 "+amount, "Payment of "+amount))
	rows := []pdf.Row{
		{Label: say("编号", "Number"), Value: same(p.ID)},
		{Label: say("时间", "Time"), Value: receipt.When(p.At)},
		{Label: say("地点", "Place"), Value: say(fmt.Sprintf("商户 %s，终端 %s", p.Merchant, dash(p.Terminal)), fmt.Sprintf("merchant %s, terminal %s", p.Merchant, dash(p.Terminal)))},
	}
	if p.OrderNo != "" {
		rows = append(rows, pdf.Row{Label: say("商户订单号", "Order"), Value: same(p.OrderNo)})
	}
	if p.Outcome != "" {
		rows = append(rows, pdf.Row{Label: say("判定", "Decision"), Value: p.OutcomeWords()})
	}
	for _, r := range p.Reasons {
		rows = append(rows, pdf.Row{Label: say("原因", "Reason"), Value: mianmi.Text{ZH: r.Words.ZH, EN: r.Words.EN}})
	}
	rows = append(rows, layerRows(p.InForce)...)
	rows = append(rows, terminalRows(p.AtTerminal)...)
	if p.Transaction != "" {
		rows = append(rows, pdf.Row{Label: say("渠道流水号", "Number at the payment system"), Value: same(p.Channel + " " + p.Transaction)})
	}
	if p.Refunded > 0 {
		rows = append(rows, pdf.Row{Label: say("已退回", "Given back"), Value: same(money.Of(p.Refunded, money.Currency(p.Amount.Currency)).String())})
	}
	for _, s := range p.Shares {
		sum := money.Of(s.Amount.Minor, money.Currency(s.Amount.Currency)).String()
		bearer := liability.ParseBearer(s.Bearer).Words()
		rows = append(rows, pdf.Row{Label: say("建议承担", "Proposed to bear"), Value: mianmi.Text{ZH: bearer.ZH + " " + sum + "。" + s.Words.ZH, EN: bearer.EN + " " + sum + ". " + s.Words.EN}})
	}
	d.Rows(9, rows...)
}

func dash(s string) string {
	if s == "" {
		return "—"
	}
	return s
}

var states = map[string]mianmi.Text{
	pinfree.On.String():      say("免密开启", "PIN-free on"),
	pinfree.Off.String():     say("免密关闭", "PIN-free off"),
	pinfree.Unknown.String(): say("状态不明，按关闭处理", "not known, taken as off"),
}

// layerRows say what each who had a say said then.
func layerRows(list []LayerFact) (rows []pdf.Row) {
	for _, l := range list {
		kind, _ := pinfree.ParseLayerKind(l.Layer)
		v := states[l.State]
		if l.Since != nil {
			v = say(v.ZH+"，自 "+receipt.Short(*l.Since), v.EN+", since "+receipt.Short(*l.Since))
		}
		if l.Until != nil {
			v = say(v.ZH+"，至 "+receipt.Short(*l.Until), v.EN+", until "+receipt.Short(*l.Until))
		}
		rows = append(rows, pdf.Row{Label: say("· "+kind.Words().ZH, kind.Words().EN), Value: v})
	}
	if rows != nil {
		rows = append([]pdf.Row{{Label: say("付款当时生效的设置", "In force then"), Value: say("任何一层关闭即须验证", "any one of these that is off asks for authentication")}}, rows...)
	}
	return rows
}

func terminalRows(t *TerminalFact) []pdf.Row {
	if t == nil {
		return nil
	}
	rows := []pdf.Row{{Label: say("终端证明", "Proof by the terminal"), Value: say("当时未能证明其设置", "had proved no setting at that time")}}
	switch {
	case t.Proved:
		rows[0].Value = say("当时已证明其运行的设置", "had proved the setting that it ran")
	case t.Proof == terminal.ByHost.String():
		rows[0].Value = say("该机型不出具证明，设置由主机执行", "its model proves nothing; the host enforces the settings")
	}
	if t.RunFrom != nil {
		pinFree, free := "关闭", "off"
		if t.PinFree {
			pinFree, free = "开启", "on"
		}
		rows = append(rows, pdf.Row{Label: say("终端运行的设置", "Setting that it ran"),
			Value: say(fmt.Sprintf("版本 %d，免密%s，自 %s，开机序号 %d", t.Version, pinFree, receipt.Short(*t.RunFrom), t.Boot), fmt.Sprintf("version %d, PIN-free %s, from %s, boot %d", t.Version, free, receipt.Short(*t.RunFrom), t.Boot))})
	}
	for _, s := range []struct {
		zh, en string
		at     *time.Time
	}{{"下发", "delivered", t.Delivered}, {"保存", "saved", t.Saved}, {"重启", "rebooted", t.Rebooted}, {"证明", "attested", t.Attested}, {"拒绝", "refused", t.Refused}} {
		if s.at != nil {
			rows = append(rows, pdf.Row{Label: say("· "+s.zh, s.en), Value: same(receipt.Short(*s.at))})
		}
	}
	return rows
}

// afterWords say what a change left.
func afterWords(e *Event) mianmi.Text {
	s := e.Switch
	switch {
	case e.Type == desk.TypeDecided:
		v := desk.ParseVerdict(e.Verdict).Words()
		return say("（"+v.ZH+"）", " Decision: "+v.EN+".")
	case e.Type == desk.TypeMoved:
		v := desk.ParseState(e.Case).Words()
		return say("（此后："+v.ZH+"）", " After it: "+v.EN+".")
	case e.Act != "":
		v := desk.Act(e.Act).Words()
		return say("（"+v.ZH+"）", " What was done: "+v.EN+".")
	case s == nil:
		return mianmi.Text{}
	case s.FrozenAt != nil:
		return say("（此后：已冻结）", " After it: frozen.")
	case s.PinFree:
		return say("（此后：免密开启）", " After it: PIN-free on.")
	}
	return say("（此后：免密关闭）", " After it: PIN-free off.")
}

const readme = `免密支付争议证据包 / Proof pack of a case about PIN-free payments

summary.pdf      摘要（中英文）
                 the summary, in Chinese and English
case.json        工单、关联、身份核验、附件清单
                 the case, its links, identity checks and attachments
timeline.json    经过，按时间排列；receipt 指向证明该条的凭证
                 what happened, by time; receipt names the file that proves a line
payments/        每笔付款：判定及原因、当时生效的设置、终端状态、退款、建议承担
                 each payment: decision and reasons, settings in force, terminal, refunds, proposed shares
messages.txt     与付款人、商户的往来留言原文
                 what was written to and by payer and merchant, word for word
attachments/     付款人、商户的附件
                 what was attached for payer and merchant
receipts/        透明日志的凭证，可逐一离线核对
                 receipts of the transparency log, each of which can be verified offline
manifest.json    全部文件及其 SHA-256；日志、公钥与检查点
                 every file with its SHA-256; the log, its key and the checkpoint

核对 / To verify, offline:

    mianmi pack verify FILE.zip --key KEY

金额以最小货币单位（如分）计；时间为 UTC（摘要中为北京时间）。
Amounts are in minor units (cents); times are UTC (UTC+8 in the summary).
`
