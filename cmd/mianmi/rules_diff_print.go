package main

import (
	"fmt"
	"strings"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/pinfree/compare"
)

// write draws the differences: packs, what is proved of them, payments.
func (d *difference) write(page *strings.Builder, lang mianmi.Lang) {
	d.writeStructure(page, lang)
	d.writeProof(page, lang)
	if d.Replay != nil {
		d.writeReplay(page, lang)
		d.writeExamples(page, lang)
	}
}

func (d *difference) writeStructure(page *strings.Builder, lang mianmi.Lang) {
	fmt.Fprintf(page, "%s\n", mianmi.Text{ZH: "规则包（A → B）", EN: "Packs (A → B)"}.In(lang))
	same := 0
	for i := range d.Packs {
		p := &d.Packs[i]
		switch p.Kind {
		case compare.Same:
			same++
		case compare.Added:
			writeWrapped(page, "  + ", "    ", p.ID+"  "+say("仅在 B 中，版本 %d", "only in B, version %d", p.B.Version).In(lang))
		case compare.Removed:
			writeWrapped(page, "  - ", "    ", p.ID+"  "+say("仅在 A 中，版本 %d", "only in A, version %d", p.A.Version).In(lang))
		case compare.Changed:
			writeWrapped(page, "  ~ ", "    ", p.ID+"  "+say("版本 %d → %d", "version %d → %d", p.A.Version, p.B.Version).In(lang))
			for _, c := range p.Changes {
				writeWrapped(page, "      ", "          ", c.Path+": "+orNone(c.A)+" → "+orNone(c.B))
			}
		}
	}
	fmt.Fprintf(page, "  %s\n", say("%d 个规则包相同", "%d packs are the same", same).In(lang))
}

func orNone(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

// obstaclesShown bounds a page; JSON has all of them.
const obstaclesShown = 10

func (d *difference) writeProof(page *strings.Builder, lang mianmi.Lang) {
	if d.Tightening {
		writeWrapped(page, "\n", "", mianmi.Text{ZH: "可以证明 B 不放过 A 会拦下的任何付款：启用 B 只需一人。",
			EN: "It is proved that B lets nothing pass that A stops: one person can put B in force."}.In(lang))
		return
	}
	writeWrapped(page, "\n", "", mianmi.Text{ZH: "不能证明 B 不比 A 宽松：启用 B 需要第二个人复核。原因：",
		EN: "It is not proved that B is no looser than A: a second person must approve it. Because of:"}.In(lang))
	for i, o := range d.Obstacles {
		if i == obstaclesShown {
			fmt.Fprintf(page, "  … %s\n", say("另有 %d 条，见 --json", "and %d more, with --json", len(d.Obstacles)-i).In(lang))
			break
		}
		writeWrapped(page, "  - ", "    ", strings.TrimSpace(o.Pack+" "+o.Field)+mianmi.Text{ZH: "：", EN: ": "}.In(lang)+o.Text.In(lang))
	}
}

func (d *difference) writeReplay(page *strings.Builder, lang mianmi.Lang) {
	r := d.Replay
	head := say("付款：%d 笔，%d 位付款人", "Payments: %d of %d payers", r.Payments, r.Payers).In(lang)
	if r.Payments > 0 {
		head += say("，%s 至 %s", ", %s to %s", r.From.UTC().Format("2006-01-02 15:04Z"), r.To.UTC().Format("2006-01-02 15:04Z")).In(lang)
	}
	if r.Events > 0 {
		head += say("；另有 %d 次单独认证", "; and %d authentications apart from payments", r.Events).In(lang)
	}
	if r.Cut {
		head += mianmi.Text{ZH: "；提前结束，未回放全部", EN: "; ended early, not all were replayed"}.In(lang)
	}
	writeWrapped(page, "\n", "", head)
	if d.note != "" {
		writeWrapped(page, "  ", "  ", d.note)
	}
	table := textTable{indent: "  "}
	table.add("A", "B", mianmi.Text{ZH: "笔数", EN: "payments"}.In(lang), mianmi.Text{ZH: "金额", EN: "sum"}.In(lang))
	for i := range r.Cells {
		c := &r.Cells[i]
		var sums []string
		for _, s := range c.Sums {
			sums = append(sums, s.String())
		}
		mark := ""
		if !c.Same() {
			mark = "*"
		}
		table.add(outcomeText(c.A).In(lang), outcomeText(c.B).In(lang)+mark, fmt.Sprint(c.Payments), strings.Join(sums, ", "))
		for _, cause := range c.Because {
			table.add(fmt.Sprintf("%s %s: %d", cause.Reason, cause.Rule, cause.Payments))
		}
	}
	table.write(page)
	stricter, looser := r.Differing()
	writeWrapped(page, "  ", "  ", say("B 更严 %d 笔，更宽 %d 笔，相同 %d 笔", "stricter under B: %d, looser: %d, the same: %d",
		stricter, looser, r.Payments-stricter-looser).In(lang))
	writeWrapped(page, "  ", "  ", mianmi.Text{ZH: "假定：要求验证时，实际成交的付款视为验证成功；实际被拦下的付款，若某套规则免密放行，则视为成交。",
		EN: "Taken for granted: where a PIN is asked for, payments that were made are made with it; payments that were stopped, and that one side lets pass, are made."}.In(lang))
}

func outcomeText(name string) mianmi.Text {
	o, _ := pinfree.ParseOutcome(name)
	return outcomeTexts[o]
}

func (d *difference) writeExamples(page *strings.Builder, lang mianmi.Lang) {
	if len(d.Replay.Examples) == 0 {
		return
	}
	fmt.Fprintf(page, "\n%s\n", mianmi.Text{ZH: "示例", EN: "Examples"}.In(lang))
	for i := range d.Replay.Examples {
		e := &d.Replay.Examples[i]
		writeWrapped(page, "  ", "    ", strings.TrimSpace(strings.Join([]string{e.At.UTC().Format("2006-01-02 15:04:05Z"), e.Amount.String(), e.Method, e.Payer, e.ID}, "  ")))
		d.writeSide(page, "A", d.a, &e.A, lang)
		d.writeSide(page, "B", d.b, &e.B, lang)
	}
}

func (d *difference) writeSide(page *strings.Builder, name string, set *pinfree.RuleSet, side *compare.Decided, lang mianmi.Lang) {
	text := outcomeText(side.Outcome).In(lang)
	for i, w := range side.Decision.Reasons {
		sep := mianmi.Text{ZH: "；", EN: "; "}
		if i == 0 {
			sep = mianmi.Text{ZH: "：", EN: ": "}
		}
		text += sep.In(lang) + w.WordsIn(lang, pinfree.ForSupport, set.RuleTitle(w.Rule).In(lang))
	}
	writeWrapped(page, "    "+name+"  ", "       ", text)
}
