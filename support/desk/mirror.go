package desk

import (
	"fmt"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/support"
)

// mirror writes what became of a complaint into its case, which is locked. What the
// case has heard already it knows by the keys of its notes: they hold a '/', which
// no caller's key does.
type mirror struct {
	*Service
	ch   *Change
	h    *heard
	now  time.Time
	from State    // before; NoState: it is being made
	said []string // that is new
}

func (m *mirror) key(what string) string { return string(m.h.ID) + "/" + what }

func (m *mirror) has(what string) bool {
	key := m.key(what)
	for _, list := range [][]Note{m.ch.Was.Notes, m.ch.Notes} {
		for i := range list {
			if list[i].Key == key {
				return true
			}
		}
	}
	return false
}

// note writes one thing once; false: it is there, or the case hears no more.
func (m *mirror) note(what string, audience Audience, actor, text string, at time.Time) bool {
	if m.has(what) || len(m.ch.Was.Notes)+len(m.ch.Notes) >= mirroredMax {
		return false
	}
	if r := []rune(text); len(r) > textMax {
		text = string(r[:textMax])
	}
	if err := m.ch.note(Note{Key: m.key(what), Audience: audience, Actor: actor, Text: text, At: at}); err != nil {
		return false
	}
	m.said = append(m.said, text)
	return true
}

// record fills the entry of what was heard.
func (m *mirror) record(r *Record) {
	r.Complaint, r.Seen, r.Words = m.h.ID, m.h.Version, m.digest(strings.Join(m.said, "\x00"))
	if m.from != NoState && m.from != m.ch.Case.State {
		r.From = m.from.String()
	}
}

// payer is how notes name who complained.
func (m *mirror) payer() string {
	return mianmi.Actor{Role: mianmi.RolePayer, ID: string(m.ch.Case.Payer)}.String()
}

// all goes through the complaint.
func (m *mirror) all() {
	m.note("opened", ForPayer, m.payer(), m.words(strings.TrimSpace(m.h.Title+"\n"+m.h.Text), len(m.h.Images)), m.h.At)
	over, withdrawn, news := false, false, false
	for i := range m.h.steps {
		t := &m.h.steps[i]
		if t.Opens() || m.ours(t) || !m.step(t) {
			continue
		}
		news = true
		if ends, back := t.Ends(); ends {
			over, withdrawn = true, back
		}
	}
	for _, f := range []struct {
		flag support.Flags
		what string
		text mianmi.Text
	}{
		{support.Refunded, "refunded", mianmi.Text{ZH: "渠道显示这笔款已全额退还。", EN: "The channel says that everything is given back."}},
		{support.Platform, "platform", mianmi.Text{ZH: "渠道的客服已介入。", EN: "The channel's own people have stepped in."}},
		{support.Immediate, "immediate", mianmi.Text{ZH: "渠道要求立即服务该付款人。", EN: "The channel wants this payer to be served at once."}},
	} {
		if m.h.Flags.Has(f.flag) {
			m.note(f.what, Inside, m.platform(), f.text.ZH+"\n"+f.text.EN, m.h.ChangedAt)
		}
	}
	if m.h.State == support.Processed && (m.note("over", Inside, m.platform(), "投诉在渠道已处理完毕。\nThe complaint is over at the channel.", m.h.ChangedAt) || news) {
		m.end(over, withdrawn)
	}
	m.failed()
}

func (m *mirror) platform() string { return mianmi.System(m.h.Channel).String() }

// words are the text of a step, and how many pictures hang on it.
func (m *mirror) words(text string, pictures int) string {
	if pictures > 0 {
		text += fmt.Sprintf("\n（附图 %d 张，见投诉）\n(pictures: %d, see the complaint)", pictures, pictures)
	}
	return strings.TrimSpace(text)
}

// ours reports whether a step is what this case itself has said.
func (m *mirror) ours(t *support.Step) bool {
	for i := range m.h.answers {
		if a := &m.h.answers[i]; a.Actor == teller && a.Shows(t) {
			return true
		}
	}
	return false
}

// who took a step, as notes name it: whoever ordered it here, if it was ordered here.
func (m *mirror) who(t *support.Step) string {
	for i := range m.h.answers {
		if a := &m.h.answers[i]; a.Shows(t) {
			return a.Actor.String()
		}
	}
	switch t.By {
	case support.ByPayer:
		return m.payer()
	case support.ByMerchant:
		return mianmi.Actor{Role: mianmi.RoleMerchantAdmin, ID: string(m.h.Merchant)}.String()
	case support.NoParty, support.ByPlatform:
	}
	return m.platform()
}

// step writes a step of the history, and does what follows of it; false: it is known.
func (m *mirror) step(t *support.Step) bool {
	text := m.words(t.Text, len(t.Images))
	if text == "" {
		text = stepText(t)
	}
	if !m.note("step/"+t.Number, ForPayer, m.who(t), text, t.At) {
		return false
	}
	c := &m.ch.Case
	switch {
	case t.Asks():
		m.wake(t.At)
	case t.By == support.ByMerchant, t.By == support.ByPlatform && m.h.Place == support.Wallet:
		if c.AnsweredAt.IsZero() {
			c.AnsweredAt = t.At
		}
		if c.State == WaitingMerchant {
			c.enter(InProgress, m.now, Level{})
		}
	}
	return true
}

// wake lets the payer, who wrote at that time, be answered anew.
func (m *mirror) wake(at time.Time) {
	c, l := &m.ch.Case, m.complaintLevel(&m.ch.Case)
	switch c.State {
	case Closed:
		c.enter(InProgress, m.now, l)
	case WaitingPayer:
		c.enter(InProgress, m.now, Level{})
	case NoState, Open, InProgress, WaitingMerchant, WaitingBank, Decided:
	}
	if !c.AnsweredAt.IsZero() { // a channel counts each message, not the first alone
		c.AnsweredAt, c.FirstBy = time.Time{}, at.Add(l.First)
		c.Escalated &^= warnedFirst | lateFirst
	}
}

// end ends a case whose complaint is over: when the payer says so, when it is
// decided, and when nobody here took it up. What somebody works on stays theirs.
func (m *mirror) end(byPayer, withdrawn bool) {
	c := &m.ch.Case
	untouched := c.State == Open && c.Assignee == ""
	if c.Kind != Complaint || c.State == Closed || !byPayer && !untouched && c.State != Decided {
		return
	}
	for _, o := range m.ch.Was.Complaints {
		if o.ID != m.h.ID && o.State != support.Processed {
			return // another one is open
		}
	}
	c.enter(Closed, m.now, Level{})
	if c.Verdict == NoVerdict {
		c.Verdict = Answered
		if withdrawn {
			c.Verdict = Withdrawn
		}
	}
}

// failed tells the desk of answers that did not reach the payer, whoever gave them.
func (m *mirror) failed() {
	for i := range m.h.answers {
		if a := &m.h.answers[i]; a.State == support.Failed && !again(a) {
			m.unsaid("failed/"+string(a.ID), a.Kind, a.Fault)
		}
	}
}

// unsaid tells the desk that something did not reach the payer; false: it was told.
// What the payer has not read is no answer, and is waited for in vain.
func (m *mirror) unsaid(what string, kind support.Kind, why string) bool {
	text := fmt.Sprintf("对投诉的答复未送达（%s，%s）。\nAn answer to the complaint did not get through (%s, %s).", kind, why, kind, why)
	if !m.note(what, Inside, m.platform(), text, m.now) {
		return false
	}
	c := &m.ch.Case
	if kind == support.Complete || c.State == Closed {
		return true
	}
	if c.AnsweredAt = (time.Time{}); c.State == WaitingPayer {
		c.WaitedAt = time.Time{} // nothing was waited for
		c.enter(InProgress, m.now, Level{})
	}
	return true
}

// teller is who says at channels what is written in cases.
var teller = mianmi.System("cases")

var stepTexts = map[string]mianmi.Text{
	"USER_COMFIRM_COMPLAINT":      {ZH: "付款人确认投诉已解决。", EN: "The payer says that it is settled."}, // sic
	"USER_REVOKE_COMPLAINT":       {ZH: "付款人撤回了投诉。", EN: "The payer took the complaint back."},
	"USER_APPLY_PLATFORM_SERVICE": {ZH: "付款人申请渠道客服介入。", EN: "The payer asked the channel's own people to step in."},
	"MERCHANT_CONFIRM_COMPLETE":   {ZH: "商户反馈投诉已处理完成。", EN: "The merchant says that it is settled."},
	"MERCHANT_APPROVE_REFUND":     {ZH: "商户同意退款。", EN: "The merchant agrees to give money back."},
	"MERCHANT_REFUSE_RERUND":      {ZH: "商户拒绝退款。", EN: "The merchant refuses to give money back."}, // sic
}

// stepText stands for a step that has no words.
func stepText(t *support.Step) string {
	if w, ok := stepTexts[t.What]; ok {
		return w.ZH + "\n" + w.EN
	}
	if t.What == "" {
		return "投诉有更新。\nThere is news of the complaint."
	}
	return "投诉有更新（" + t.What + "）。\nThere is news of the complaint (" + t.What + ")."
}
