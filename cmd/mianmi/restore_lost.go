package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/receipt"
)

// lostSum is what the entries say that a restore takes away.
type lostSum struct {
	entries     int64
	first, last time.Time
	payments    int64
	pinFree     int64
	approved    map[string]int64 // minor units by currency
	types       map[string]int64
	offs        lines // what was closed or tightened
	byHand      lines // what closing a switch does not bring back
	outside     lines // what channels over a network hold, and the copy does not
}

// lines are the first of many things to say.
type lines struct {
	first []mianmi.Text
	all   int64
}

// linesMax bounds what is shown: the rest is counted.
const linesMax = 20

func (l *lines) add(text mianmi.Text) {
	if l.all++; len(l.first) < linesMax {
		l.first = append(l.first, text)
	}
}

func (l *lines) write(page *strings.Builder, lang mianmi.Lang) {
	for _, text := range l.first {
		writeWrapped(page, "  ", "    ", text.In(lang))
	}
	if rest := l.all - int64(len(l.first)); rest > 0 {
		writeWrapped(page, "  ", "    ", say("……另有 %d 项", "… and %d more", rest).In(lang))
	}
}

// effect is what losing an entry means.
type effect uint8

const (
	closes  effect = iota // also of a type that this program does not know
	concern               // what it is about may have been closed by it, or by another that is lost
	byHand                // is lost, and nobody can do it again but a person
	nothing               // nothing that was closed is open again
)

// effects are the types that do not simply close.
var effects = map[string]effect{
	"payer.pin_free.reopened": concern, "payer.settings.in_force": concern, "payer.allowance.granted": concern, "payer.loss.lifted": concern, "payer.hold.lifted": concern,
	"payer.agreement.opened": concern, "merchant.stop.lifted": concern, "terminal.moved": concern,
	"merchant.policy.loosened": nothing, "merchant.facts.loosened": nothing,
	"terminals.tightened": byHand, "terminals.loosened": nothing, "terminals.loosening_proposed": nothing,
	"payer.exported": nothing, "payer.erased": byHand, "payer.created": nothing, "payer.instrument.added": nothing, "payer.password.set": nothing, "payer.password.failed": nothing,
	"payer.question.asked": nothing, "payer.question.confirmed": nothing, "payer.question.denied": byHand, "payer.question.unanswered": nothing,
	"payer.password.verified": nothing, "payer.password.unlocked": nothing, "payer.password.reset_issued": nothing,
	"payer.password.locked": byHand, "payer.password.changed": byHand, "payer.password.reset": byHand,
	"merchant.created": nothing, "merchant.renamed": nothing, "merchant.channel.connected": nothing, "merchant.facts.loosening_proposed": nothing,
	"merchant.policy.loosening_proposed": nothing, "merchant.stop.lift_proposed": nothing, "merchant.approval.lapsed": nothing,
	"merchant.approval.rejected": nothing, "merchant.approval.withdrawn": nothing,
	// A stop comes with a tightening of the policy, which is done again. Where a pause is lost, the copy may go on by itself.
	"rollout.started": nothing, "rollout.advanced": nothing, "rollout.resumed": nothing, "rollout.finished": nothing, "rollout.stopped": nothing,
	"rollout.paused": byHand,
	// The same of programs; without the beginning the copy gives the version to everybody.
	"program.started": byHand, "program.paused": byHand, "program.stopped": byHand,
	"program.advanced": nothing, "program.resumed": nothing, "program.finished": nothing,
	"store.created": nothing, "store.changed": nothing,
	"model.created": nothing, "model.renamed": nothing, "terminal.created": nothing, "terminal.renamed": nothing,
	"terminal.enrolment.issued": nothing, "terminal.key.issued": nothing, "terminal.key.replaced": nothing,
	// What terminals reported: in the backup their leases are over, and they have to prove themselves anew.
	"terminal.setting.attested": nothing, "terminal.setting.fell_back": nothing, "terminal.setting.lost": nothing,
	"terminal.setting.refused": nothing, "terminal.setting.proposed": nothing, "terminal.drift.began": nothing, "terminal.drift.ended": nothing,
	"terminal.posture.changed": nothing, "terminal.report.refused": nothing, "terminal.check.reported": nothing, "terminal.check.judged": nothing,
	"staff.created": nothing, "staff.login": nothing, "staff.login_failed": nothing, "staff.locked": nothing, "staff.password.changed": byHand,
	"api_key.created": nothing, "rule.pack.proposed": nothing, "rule.pack.rejected": nothing, "rule.pack.taken_back": nothing,
	"rule.pack.lapsed": nothing, "rule.pack.in_force": byHand, "rule.pack.withdrawn": byHand,
	// A contract that the copy does not know is to be ended at its channel by a person. One that was ended there is found so.
	"contract.opened": nothing, "contract.signed": byHand, "contract.ended": nothing, "contract.ended_unannounced": nothing,
	"wechat.identity.made": nothing, "wechat.identity.changed": byHand, "wechat.serial.added": nothing,
	// A case that the copy does not know was somebody's report; what was done in it stands in other entries.
	"case.opened": byHand, "case.repeated": nothing, "case.moved": nothing, "case.assigned": nothing, "case.noted": nothing, "case.attached": nothing, "case.packed": nothing, "case.linked": nothing,
	"case.identity_checked": nothing, "case.acted": nothing, "case.decided": byHand, "case.escalated": nothing, "case.complaint": nothing,
	// Money that a case gave: a person compares with what the channel and the bank say.
	"case.payout_ordered": byHand, "case.payout_approved": byHand, "case.payout_paid": byHand, "case.payout_refused": nothing, "guarantee.funded": byHand,
	// What was found is found again when the log is followed from where the copy stood; what people made of it is not.
	"risk.rule.added": byHand, "risk.rule.promoted": byHand, "risk.rule.withdrawal_proposed": nothing, "risk.rule.kept": nothing, "risk.rule.withdrawn": byHand,
	"alarm.opened": nothing, "alarm.reported": byHand, "alarm.escalated": nothing, "alarm.acknowledged": nothing, "alarm.resolved": byHand,
	"complaint.opened": nothing, "complaint.changed": nothing, "complaint.answer.ordered": byHand, "complaint.answer.done": nothing, "complaint.answer.failed": nothing,
	"wechat.platform_key.added": byHand, "wechat.platform_key.revoked": byHand,
	"webhook.created": nothing, "webhook.resumed": nothing, "webhook.replayed": nothing, "webhook.changed": byHand, "webhook.paused": byHand,
	"webhook.removed": byHand, "webhook.gone": byHand, "webhook.secret.rotated": byHand, "log.key.changed": byHand,
	"log.set_back": nothing, "log.restored": nothing, "top_up.added": nothing,
	"payment.try_failed": nothing, "payment.verified": nothing, "payment.cancelled": nothing, "payment.expired": nothing,
	"payment.reversed": nothing, "payment.refunded": nothing, "payment.payer_asked": nothing, "payment.unclear": nothing,
	"payment.captured": nothing, "payment.undoing": nothing, "payment.declined": nothing, "payment.late": nothing, "payment.not_given_back": nothing,
	"payment.refund_pending": nothing, "payment.refund_failed": nothing, "payment.undo_stalled": byHand, "payment.return_stalled": byHand, "payment.refund_stalled": byHand,
}

func (s *lostSum) add(l *evidence.Leaf) error {
	e, err := evidence.Decode(l.Bytes)
	if err != nil {
		return err
	}
	if s.types == nil {
		s.types, s.approved = map[string]int64{}, map[string]int64{}
	}
	s.entries++
	if s.first.IsZero() || e.At.Before(s.first) {
		s.first = e.At
	}
	if e.At.After(s.last) {
		s.last = e.At
	}
	if e.Type == evidence.BatchType {
		return s.batch(l)
	}
	s.types[e.Type]++
	if e.Type == payment.TypeUndoing || e.Type == payment.TypeRefundPending { // of channels over a network alone
		s.outside.add(lineOf(&e))
	}
	switch effects[e.Type] {
	case closes:
		s.offs.add(lineOf(&e))
	case byHand:
		s.byHand.add(lineOf(&e))
	}
	return nil
}

// lineOf says what an entry records.
func lineOf(e *evidence.Entry) mianmi.Text {
	t, known := receipt.Sentence(e.Type, e.Subject, e.Actor)
	if !known {
		t = say("%s %s", "%s %s", e.Type, e.Subject)
	}
	at := e.At.Format(time.RFC3339) + "  "
	return mianmi.Text{ZH: at + t.ZH, EN: at + t.EN}
}

// batch counts the payments of a batch.
func (s *lostSum) batch(l *evidence.Leaf) error {
	for _, record := range l.Records {
		d, err := payment.ReadDecided(record)
		if err != nil {
			return err
		}
		s.payments++
		if p := (payment.Payment{Channel: d.Channel}); p.Outside() && d.State != payment.Refused {
			s.outside.add(say("%s  %s：付款 %s，%s", "%s  %s: payment %s, %s", d.At.Format(time.RFC3339), d.Channel, d.Payment, d.Amount))
		}
		if d.State == payment.Approved {
			s.approved[string(d.Amount.Currency())] += d.Amount.Minor()
		}
		if d.Outcome == pinfree.PinFree && d.Method != pinfree.Cash {
			s.pinFree++
		}
	}
	return nil
}

// tellLoss says what is lost.
func (r *restoration) tellLoss(page *strings.Builder) {
	l, lang := &r.loss, r.app.lang
	line := func(zh, en string, figures ...any) { writeWrapped(page, "", "", say(zh, en, figures...).In(lang)) }
	line("备份的日志：%d 条存证，另有 %d 条待写入", "the backup's log: %d entries, and %d more that wait for it", r.copy.head.Size, r.copy.state.Waiting)
	if l.known.Size > 0 {
		line("%s：%d 条", "%s: %d", l.what.In(lang), l.known.Size)
	}
	switch {
	case l.exact:
		line("丢失 %d 条存证", "%d entries are lost", l.entries)
	case !r.present.there:
		line("没有现有数据库，无从得知备份之后发生过什么；至少丢失 %d 条存证", "there is no present database, so nobody knows what happened after the backup; at least %d entries are lost", l.entries)
	case r.present.damage != nil:
		line("现有数据库无法完整读取（%v），无从得知备份之后发生过什么；至少丢失 %d 条存证",
			"the present database cannot be read to the end (%v), so nobody knows what happened after the backup; at least %d entries are lost", r.present.damage, l.entries)
	default:
		line("现有数据库不含已知的全部存证，无从得知备份之后还发生过什么；至少丢失 %d 条存证",
			"the present database does not have all that is known, so nobody knows what else happened after the backup; at least %d entries are lost", l.entries)
	}
	if l.forked {
		line("而且内容不同：备份不是已知日志的前段", "and they are others: the backup is no beginning of the log that is known")
	}
	if s := &l.sum; s.entries > 0 {
		line("其中能读到 %d 条，从 %s 到 %s：", "%d of them can be read, from %s to %s:", s.entries, s.first.Format(time.RFC3339), s.last.Format(time.RFC3339))
		s.tell(page, lang)
	}
}

func (s *lostSum) tell(page *strings.Builder, lang mianmi.Lang) {
	if s.payments > 0 {
		writeWrapped(page, "  ", "  ", say("付款 %d 笔，其中免密 %d 笔；已成功收款 %s（最小货币单位）", "payments: %d, of which PIN-free: %d; approved: %s, in minor units",
			s.payments, s.pinFree, amounts(s.approved)).In(lang))
	}
	t := textTable{indent: "  "}
	for _, kind := range slices.SortedFunc(maps.Keys(s.types), func(a, b string) int {
		return cmp.Or(cmp.Compare(s.types[b], s.types[a]), cmp.Compare(a, b))
	}) {
		t.add(fmt.Sprint(s.types[kind]), kind)
	}
	t.write(page)
	if s.offs.all > 0 {
		writeWrapped(page, "", "", say("其中 %d 项是关闭或收紧：", "%d of them closed or tightened something:", s.offs.all).In(lang))
		s.offs.write(page, lang)
	}
	if s.byHand.all > 0 {
		writeWrapped(page, "", "", say("以下 %d 项只能由人重做：", "%d of them only a person can do again:", s.byHand.all).In(lang))
		s.byHand.write(page, lang)
	}
	if s.outside.all > 0 {
		writeWrapped(page, "", "", say("以下 %d 项已提交外部支付渠道，恢复后的数据库没有记录，也不会再去查询。请以付款编号作为商户订单号，在该渠道逐笔核对付款和退款：",
			"%d of them were sent to payment systems outside; the copy does not know of them, and nobody will ask. Look each up there, with the payment's "+
				"identifier as the merchant's order number, for what was paid and what was given back:", s.outside.all).In(lang))
		s.outside.write(page, lang)
	}
}

func amounts(minor map[string]int64) string {
	var out []string
	for _, currency := range slices.Sorted(maps.Keys(minor)) {
		out = append(out, fmt.Sprintf("%d %s", minor[currency], currency))
	}
	return cmp.Or(strings.Join(out, ", "), "0")
}

func (r *restoration) tellRefusal() error {
	var page strings.Builder
	lang := r.app.lang
	line := func(zh, en string, figures ...any) {
		writeWrapped(&page, "", "", say(zh, en, figures...).In(lang))
	}
	line("没有恢复，也没有改动任何数据：这份备份会让日志倒退。", "Not restored, and nothing was changed: by this backup the log would go back.")
	r.tellLoss(&page)
	if r.cmd.Lose != nil {
		line("--lose 给出的是 %d，与丢失的条数不符。", "--lose says %d, which is not that number.", *r.cmd.Lose)
	}
	line("仍要恢复，请加 --lose %d。届时对所有付款关闭免密，须由两人复核才能开启；能读到的关闭操作会重做，无法完整读取时各项开关全部关闭（--keep-switches 除外）。",
		"To restore nevertheless: --lose %d. Then PIN-free payment is closed for everything until two persons open it; what was closed and can be read "+
			"is closed again, and where not all can be read every single switch is closed (but with --keep-switches).", r.loss.entries)
	_, err := fmt.Fprint(r.app.stderr, page.String())
	return err
}

func (r *restoration) tellDone() error {
	var page strings.Builder
	lang, d := r.app.lang, &r.done
	line := func(zh, en string, figures ...any) {
		writeWrapped(&page, "", "", say(zh, en, figures...).In(lang))
	}
	line("已恢复：%s", "restored: %s", r.to)
	if r.kept != "" {
		line("原数据库保留为 %s", "the former database is kept as %s", r.kept)
	}
	if r.loss.none() {
		line("没有丢失存证", "no entry is lost")
	} else {
		r.tellLoss(&page)
		line("已关闭：策略 %d 项，付款人 %d 位，签约 %d 项；重新设置：挂失 %d 项，暂停 %d 项，紧急停用 %d 项，吊销 API 密钥 %d 个、终端密钥 %d 台，停用员工 %d 人；所有会话已结束",
			"closed: %d policies, %d payers, %d agreements; done again: %d loss reports, %d holds, %d emergency stops, keys revoked of %d API clients and %d terminals, "+
				"%d accounts of staff ended; every session has ended", d.scopes, d.payers, d.agreements, d.losses, d.holds, d.stops, d.keys, d.terminals, d.staff)
		line("对所有付款的免密已关闭，须由两人复核才能开启；开启之前请按 docs/backup.md 逐项处理", "PIN-free payment is closed for everything until two persons open it; what they do first stands in docs/backup.md")
	}
	if d.skipped.all > 0 {
		line("未能重做 %d 项：", "%d could not be done again:", d.skipped.all)
		d.skipped.write(&page, lang)
	}
	if d.seen != nil {
		line("日志现有 %d 条存证，这次恢复也已记入其中", "the log has %d entries now, this restore among them", d.seen.Size)
	}
	_, err := fmt.Fprint(r.app.stdout, page.String())
	return err
}
