// Package receipt says what a verified receipt proves: in a sentence, as facts,
// and as a page of paper; and who may have which receipt.
//
// The proof itself is evidence's. What is told here is read from the bytes
// that were proved, and from nothing else.
package receipt

import (
	"fmt"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/contract"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/terminal"
)

// Told is what a receipt says.
type Told struct {
	Type     string
	Known    bool // this program knows the type
	Sentence mianmi.Text
	At       time.Time
	Subject  string
	Actor    string
	Facts    []Fact
	Data     []byte // the bytes that were proved: a record, or an entry
}

// Fact is one line below the sentence.
type Fact struct {
	Label, Value mianmi.Text
}

// Tell reads what was proved. What it cannot read it leaves out of the facts:
// the sentence and the bytes are there.
func Tell(p evidence.Proved) Told {
	e := p.Entry
	t := Told{Type: e.Type, At: e.At, Subject: e.Subject, Actor: e.Actor, Data: e.Body}
	if p.Record != nil {
		t.Type, t.Data = p.Batch.Kind, p.Record
		if d, err := payment.ReadDecided(p.Record); err == nil && p.Batch.Kind == payment.DecidedKind {
			t.At, t.Subject, t.Actor = d.At, string(d.Payment), d.Actor
			t.Facts = decidedFacts(&d)
		}
	} else {
		t.Facts = entryFacts(e)
	}
	t.Sentence, t.Known = Sentence(t.Type, t.Subject, t.Actor)
	return t
}

func say(zh, en string) mianmi.Text { return mianmi.Text{ZH: zh, EN: en} }

func same(s string) mianmi.Text { return mianmi.Text{ZH: s, EN: s} }

func onOff(on bool) mianmi.Text {
	if on {
		return say("开启", "on")
	}
	return say("关闭", "off")
}

var (
	outcomes = map[pinfree.Outcome]mianmi.Text{
		pinfree.PinFree:       say("免密通过", "passed without a PIN"),
		pinfree.StepUp:        say("要求验证密码", "a PIN or password was asked for"),
		pinfree.Refused:       say("拒绝", "refused"),
		pinfree.Authenticated: say("付款人已验证，通过", "passed, the payer had been verified"),
	}
	methods = map[pinfree.Method]mianmi.Text{
		pinfree.PaymentCode: say("付款码", "payment code"),
		pinfree.CardTap:     say("挥卡", "card, tapped"),
		pinfree.CardInsert:  say("插卡", "card, inserted"),
		pinfree.CardSwipe:   say("刷卡", "card, swiped"),
		pinfree.DynamicQR:   say("动态二维码", "dynamic QR code"),
		pinfree.Cash:        say("现金", "cash"),

		pinfree.MandateDebit: say("免密签约扣款", "charge under an agreement"),
	}
)

// Outcome is an outcome for people; empty for one that is not known.
func Outcome(o pinfree.Outcome) mianmi.Text { return outcomes[o] }

func decidedFacts(d *payment.Decided) []Fact {
	method, known := methods[d.Method]
	if !known {
		method = same(d.Method.String())
	}
	facts := []Fact{
		{say("金额", "Amount"), same(d.Amount.String())},
		{say("方式", "Method"), method},
		{say("地点", "Place"), say(fmt.Sprintf("商户 %s，门店 %s，终端 %s", d.Merchant, d.Store, d.Terminal),
			fmt.Sprintf("merchant %s, store %s, terminal %s", d.Merchant, d.Store, d.Terminal))},
	}
	if d.Payer != "" {
		facts = append(facts, Fact{say("付款人", "Payer"), same(string(d.Payer))})
	}
	if p := (payment.Payment{Channel: d.Channel}); p.Outside() {
		facts = append(facts, Fact{say("支付渠道", "Payment system"), same(d.Channel)})
	}
	if d.Method != pinfree.Cash {
		facts = append(facts, Fact{say("判定", "Decision"), outcomes[d.Outcome]})
	}
	for i, why := range d.Reasons {
		label := say("原因", "Reason")
		if i == 0 {
			label = say("决定性原因", "Binding reason")
		}
		facts = append(facts, Fact{label, say(why.WordsIn(mianmi.ZH, pinfree.ForSupport, ""), why.WordsIn(mianmi.EN, pinfree.ForSupport, ""))})
	}
	basis := fmt.Sprintf("%d", d.Epoch)
	if d.Rules != "" {
		basis = d.Rules + ", " + basis
	}
	return append(facts, Fact{say("依据（规则版本，设置纪元）", "Decided by (rules, settings epoch)"), same(basis)})
}

func entryFacts(e evidence.Entry) []Fact {
	switch {
	case strings.HasPrefix(e.Type, "payer."):
		if r, err := payer.ReadRecord(e); err == nil {
			return payerFacts(&r)
		}
	case strings.HasPrefix(e.Type, "payment."):
		if c, err := payment.ReadChanged(e); err == nil {
			return changedFacts(&c)
		}
	case strings.HasPrefix(e.Type, "merchant.policy."), strings.HasPrefix(e.Type, "merchant.stop."), strings.HasPrefix(e.Type, "rollout."):
		if r, err := merchant.ReadEntry(e); err == nil {
			return placeFacts(r)
		}
	case strings.HasPrefix(e.Type, "program."):
		if r, err := terminal.ReadEntry(e); err == nil && r.Program != nil {
			return programFacts(r.Program)
		}
	case strings.HasPrefix(e.Type, "contract."):
		if r, err := contract.ReadRecord(e); err == nil {
			return contractFacts(&r)
		}
	case e.Type == evidence.KeyChangeType:
		var b evidence.KeyChangeBody
		if e.ReadBody(&b) != nil {
			return nil
		}
		if c, err := evidence.OpenKeyChange(b.Statement); err == nil {
			return []Fact{{say("原密钥", "Old key"), same(c.Old)}, {say("新密钥", "New key"), same(c.New)}}
		}
	case e.Type == evidence.SetBackType, e.Type == evidence.RestoredType:
		var b evidence.SetBack
		if e.ReadBody(&b) == nil {
			return setBackFacts(&b)
		}
	}
	return nil
}

// verifications are how a payer was verified, for people.
var verifications = map[pinfree.CVM]mianmi.Text{
	pinfree.NoCVM:         say("未要求密码", "no password was asked for"),
	pinfree.PhonePassword: say("付款人在手机上确认", "the payer confirmed on the phone"),
	pinfree.OnlinePIN:     say("在终端输入密码", "a PIN at the terminal"),
}

// changedFacts are what an entry says of a payment besides its sentence.
func changedFacts(c *payment.Changed) (facts []Fact) {
	if c.Refund != "" {
		facts = append(facts, Fact{say("退款金额", "Refund"), same(c.Amount.String())})
	}
	if c.Inferred {
		facts = append(facts, Fact{say("验证方式（推断）", "Verification, inferred"), verifications[c.CVM]},
			Fact{say("推断依据", "Inferred from"), say("支付渠道不告知是否验证过密码，这里只由答复的快慢推断，不是证明",
				"the payment system does not say whether it asked for a password; this is inferred from how it answered, and proves nothing")})
	}
	return facts
}

func setBackFacts(b *evidence.SetBack) []Fact {
	point := func(p evidence.Point) mianmi.Text {
		if p.Size == 0 {
			return say("无", "none")
		}
		return say(fmt.Sprintf("%d 条，根 %s", p.Size, p.Root), fmt.Sprintf("%d entries, root %s", p.Size, p.Root))
	}
	lost := same(fmt.Sprint(b.Lost))
	if b.AtLeast {
		lost = say(fmt.Sprintf("至少 %d 条，此后是否还有无从得知", b.Lost), fmt.Sprintf("at least %d; nobody knows whether others followed", b.Lost))
	}
	facts := []Fact{{say("已知的最新检查点", "Newest checkpoint that was known"), point(b.Known)}, {say("副本的检查点", "Checkpoint of the copy"), point(b.Left)},
		{say("丢失的存证", "Entries that are lost"), lost}}
	if b.Forked {
		facts = append(facts, Fact{say("内容不同", "Other entries"), say("副本不是已知日志的前段", "the copy is no beginning of the log that was known")})
	}
	if b.Repeated > 0 {
		facts = append(facts, Fact{say("重新关闭的开关", "Switches closed again"), same(fmt.Sprint(b.Repeated))})
	}
	if b.KeptSwitches {
		facts = append(facts, Fact{say("各项开关", "Single switches"), say("按副本保留，备份之后关闭的可能又是开启", "as in the copy: what was closed after it may be open")})
	}
	return facts
}

func payerFacts(r *payer.Record) []Fact {
	facts := []Fact{{say("免密支付（变更前）", "PIN-free payment before"), onOff(r.Before.Settings.PinFree)},
		{say("免密支付（变更后）", "PIN-free payment after"), onOff(r.After.Settings.PinFree)}}
	add := func(zh, en string, value mianmi.Text) { facts = append(facts, Fact{say(zh, en), value}) }
	if r.After.FrozenAt != nil {
		add("挂失冻结", "Frozen by a loss report", say("是", "yes"))
	}
	if h := r.After.Hold; h != nil {
		add("免密暂停至", "On hold until", When(h.Until))
		add("暂停原因", "Why on hold", h.Because.Words())
	}
	if p := r.After.Pending; p != nil {
		add("冷静期至", "Cooling-off until", When(p.At))
	}
	s := r.After.Settings
	for _, l := range []struct {
		zh, en string
		minor  *int64
	}{{"单笔限额", "Limit per payment", s.PerPayment}, {"单日限额", "Limit per day", s.DayAmount}} {
		if l.minor != nil {
			add(l.zh, l.en, same(money.Of(*l.minor, s.Currency).String()))
		}
	}
	if s.DayCount != nil {
		add("单日笔数", "Payments per day", same(fmt.Sprint(*s.DayCount)))
	}
	if a := r.Agreement; a != nil {
		add("签约商户", "Agreement with", same(string(a.Merchant)))
	}
	if n, ok := r.Detail["contracts_unconfirmed"].(float64); ok {
		add("支付渠道（如微信）的协议", "Contracts at payment systems such as WeChat Pay", say(fmt.Sprintf("%.0f 份，此时渠道尚未确认解约", n), fmt.Sprintf("%.0f, not yet confirmed as ended at this time", n)))
	}
	if r.Document != "" {
		add("已接受的文本版本", "Text that was accepted", same(r.Document))
	}
	add("设置版本", "Version of the settings", same(fmt.Sprint(r.Version)))
	return facts
}

func contractFacts(r *contract.Record) []Fact {
	facts := []Fact{{say("付款人", "Payer"), same(string(r.Payer))}, {say("签约商户", "Agreement with"), same(string(r.Merchant))},
		{say("支付渠道", "Payment system"), same(r.Channel + ", " + r.Kind)}}
	if r.Number != "" {
		facts = append(facts, Fact{say("渠道协议号", "Number there"), same(r.Number)})
	}
	if r.EndedAt != nil {
		facts = append(facts, Fact{say("渠道解约时间", "Ended there"), When(*r.EndedAt)})
	}
	return facts
}

func placeFacts(r merchant.Recorded) []Fact {
	switch {
	case r.Policy != nil:
		facts := []Fact{{say("范围", "Scope"), same(r.Policy.Scope.String())}, {say("免密支付（变更后）", "PIN-free payment after"), onOff(r.Policy.Terms.PinFree)}}
		if m := r.Policy.Terms.PerPayment; m != nil {
			facts = append(facts, Fact{say("单笔限额", "Limit per payment"), same(m.String())})
		}
		facts = append(facts, Fact{say("策略版本", "Version of the policy"), same(fmt.Sprint(r.Policy.Version))})
		if f := r.Policy.Rollout; f != nil {
			facts = append(facts, Fact{say("分批推行", "Staged rollout"), say(fmt.Sprintf("分 %d 批；未到的终端沿用策略版本 %d", len(f.Plan.Stages), f.Former.Version),
				fmt.Sprintf("in %d stages; terminals that are not reached keep version %d", len(f.Plan.Stages), f.Former.Version))})
		}
		return facts
	case r.Stop != nil:
		return []Fact{{say("范围", "Scope"), same(r.Stop.Scope.String())}, {say("至", "Until"), When(r.Stop.Until)}}
	case r.Rollout != nil:
		s := r.Rollout
		return []Fact{{say("范围", "Scope"), same(s.Scope.String())}, {say("策略版本", "Version of the policy"), same(fmt.Sprint(s.Version))},
			stageFact(s.Stage, s.Stages)}
	}
	return nil
}

func stageFact(stage, stages int) Fact {
	return Fact{say("批次", "Stage"), say(fmt.Sprintf("第 %d 批，共 %d 批", stage+1, stages), fmt.Sprintf("%d of %d", stage+1, stages))}
}

func programFacts(s *terminal.ProgramStep) []Fact {
	return []Fact{{say("机型类别", "Family of the model"), same(s.Family)}, {say("程序版本", "Version of the program"), same(s.Version)}, stageFact(s.Stage, s.Stages)}
}

// zone is that of times for people.
var zone = time.FixedZone("UTC+8", 8*3600)

// Short is a time for people in one form for both languages.
func Short(t time.Time) string { return t.In(zone).Format("2006-01-02 15:04:05") + " UTC+8" }

// When is a time for people: of Beijing, which says so.
func When(t time.Time) mianmi.Text {
	at := t.In(zone)
	return mianmi.Text{ZH: at.Format("2006年1月2日 15:04:05") + "（北京时间）", EN: at.Format("2 January 2006, 15:04:05") + " (UTC+8)"}
}
