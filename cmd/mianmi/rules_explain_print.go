package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
)

// explanation is a decision with all that led to it.
type explanation struct {
	rules    *pinfree.RuleSet
	in       pinfree.Input
	decision pinfree.Decision
	traces   []pinfree.Trace
}

var outcomeTexts = [...]mianmi.Text{
	pinfree.Refused:       {ZH: "拒绝", EN: "refused"},
	pinfree.StepUp:        {ZH: "升级验证", EN: "step-up"},
	pinfree.PinFree:       {ZH: "免密通过", EN: "PIN-free"},
	pinfree.Authenticated: {ZH: "已验证", EN: "authenticated"},
}

// audiences are who reads a reason, in the order of the page.
var audiences = [...]struct {
	audience pinfree.Audience
	name     mianmi.Text
}{
	{pinfree.ForPayer, mianmi.Text{ZH: "付款人", EN: "payer"}},
	{pinfree.ForCashier, mianmi.Text{ZH: "收银员", EN: "cashier"}},
	{pinfree.ForSupport, mianmi.Text{ZH: "客服", EN: "support"}},
}

// write draws the explanation. The words for people stand in both languages,
// for that is what is to be checked; the rest is in lang.
func (e *explanation) write(page *strings.Builder, lang mianmi.Lang, supportOnly bool) {
	d := &e.decision
	fmt.Fprintf(page, "%s  %s  %s  %s\n", e.in.Amount, e.in.Method, e.in.At.Format("2006-01-02 15:04:05 -07:00"),
		say("规则 %s", "rules %s", e.rules.Version()).In(lang))
	line := say("判定：%s（%s）", "decision: %s (%s)", outcomeTexts[d.Outcome].In(lang), d.Outcome).In(lang)
	if d.By != 0 {
		line += say("，可用：%s", ", by %s", strings.ReplaceAll(d.By.String(), ",", ", ")).In(lang)
	}
	writeWrapped(page, "", "  ", line)
	fmt.Fprintf(page, "\n%s\n", mianmi.Text{ZH: "原因（决定性的在前）", EN: "Reasons, the binding one first"}.In(lang))
	for i := range d.Reasons {
		e.writeReason(page, lang, i, supportOnly)
	}
	e.writePacks(page, lang)
	e.writeCounters(page, lang)
}

func (e *explanation) writeReason(page *strings.Builder, lang mianmi.Lang, i int, supportOnly bool) {
	w := e.decision.Reasons[i]
	head := fmt.Sprintf("%s (%d)", w.Reason, w.Reason)
	for _, part := range []string{w.Rule, w.ID} {
		if part != "" {
			head += "  " + part
		}
	}
	if w.Version > 0 {
		head += fmt.Sprintf("  v%d", w.Version)
	}
	if w.Limit != 0 || w.Actual != 0 {
		head += "  " + figure(w.Actual, w.Currency) + " / " + figure(w.Limit, w.Currency)
	}
	writeWrapped(page, fmt.Sprintf("%2d. ", i+1), "    ", head)
	table := textTable{indent: "    "}
	for _, a := range audiences {
		if supportOnly && a.audience != pinfree.ForSupport {
			continue
		}
		text := e.words(w, a.audience)
		table.add(a.name.ZH, text.ZH)
		table.add(a.name.EN, text.EN)
	}
	for i, s := range e.rules.RuleSources(w.Rule) {
		name := ""
		if i == 0 {
			name = mianmi.Text{ZH: "来源", EN: "source"}.In(lang)
		}
		table.add(name, s.Title+" "+s.URL)
	}
	table.write(page)
}

// words are those that the payment's answer would have.
func (e *explanation) words(w pinfree.Why, a pinfree.Audience) mianmi.Text {
	title := e.rules.RuleTitle(w.Rule)
	return mianmi.Text{ZH: w.WordsIn(mianmi.ZH, a, title.ZH), EN: w.WordsIn(mianmi.EN, a, title.EN)}
}

func figure(n int64, c money.Currency) string {
	if c == "" {
		return fmt.Sprint(n)
	}
	return money.Of(n, c).String()
}

// writePacks tells of each pack whether it applies, which limits it holds
// against the payment, and of the others why they do not apply.
func (e *explanation) writePacks(page *strings.Builder, lang mianmi.Lang) {
	var others []*pinfree.Trace
	fmt.Fprintf(page, "\n%s\n", mianmi.Text{ZH: "适用的规则包", EN: "Packs that apply"}.In(lang))
	none := true
	for i := range e.traces {
		if t := &e.traces[i]; t.Applies() == pinfree.No {
			others = append(others, t)
		} else {
			none = false
			e.writePack(page, t, lang)
		}
	}
	if none {
		fmt.Fprintf(page, "  %s\n", mianmi.Text{ZH: "没有", EN: "none"}.In(lang))
	}
	if len(others) == 0 {
		return
	}
	fmt.Fprintf(page, "\n%s\n", mianmi.Text{ZH: "不适用的规则包，及原因", EN: "Packs that do not apply, and why"}.In(lang))
	table := textTable{indent: "  "}
	for _, t := range others {
		name := t.Pack
		if t.InForce == pinfree.No {
			table.add(name, e.datesOf(t, lang))
			name = ""
		}
		for _, p := range t.Parts {
			if p.Is == pinfree.No {
				table.add(name, partText(p).In(lang))
				name = ""
			}
		}
	}
	table.write(page)
}

func (e *explanation) datesOf(t *pinfree.Trace, lang mianmi.Lang) string {
	for _, p := range e.rules.Packs() {
		if p.ID == t.Pack {
			return say("适用期 %s，不含付款时间", "in force %s, not at the time of the payment", dates(&p)).In(lang)
		}
	}
	return ""
}

func partText(p pinfree.Part) mianmi.Text {
	have := cmp.Or(p.Have, "?")
	if p.Is == pinfree.NotKnown {
		return say("%s：要求 %s，未知（%s）", "%s: wants %s, not known (%s)", p.Field, p.Want, have)
	}
	return say("%s：要求 %s，实为 %s", "%s: wants %s, has %s", p.Field, p.Want, have)
}

func (e *explanation) writePack(page *strings.Builder, t *pinfree.Trace, lang mianmi.Lang) {
	does := mianmi.Text{ZH: "仅限制", EN: "only restricts"}
	switch {
	case t.Covers:
		does = mianmi.Text{ZH: "许可本次付款免密（在其限额内）", EN: "permits this payment, inside its limits"}
	case t.Permits && t.Applies() == pinfree.NotKnown:
		does = mianmi.Text{ZH: "条件未能确认：只限制，不许可", EN: "not surely meant: restricts, does not permit"}
	case t.Permits:
		does = mianmi.Text{ZH: "没有限额确定适用：不许可", EN: "no limit is surely meant: does not permit"}
	}
	writeWrapped(page, "  ", "    ", t.Pack+"  "+does.In(lang))
	for _, p := range t.Parts {
		if p.Is == pinfree.NotKnown {
			writeWrapped(page, "    ? ", "      ", partText(p).In(lang))
		}
	}
	table := textTable{indent: "    "}
	for i := range t.Limits {
		l := &t.Limits[i]
		_, id, _ := strings.Cut(l.Rule, "/")
		mark := "+"
		switch {
		case l.Meant == pinfree.No:
			mark = "-"
		case len(l.Stops) > 0:
			mark = "!"
		}
		for j, line := range limitLines(l) {
			if j > 0 {
				mark, id = "", ""
			}
			table.add(mark, id, line.In(lang))
		}
	}
	table.write(page)
}

// limitLines tell of a limit what it compared, or why it is not meant.
func limitLines(l *pinfree.LimitTrace) []mianmi.Text {
	var out []mianmi.Text
	for _, p := range l.Parts {
		if p.Is != pinfree.Yes && (l.Meant != pinfree.No || p.Is == pinfree.No) {
			out = append(out, partText(p))
		}
	}
	if l.Meant == pinfree.No {
		return out
	}
	if l.Always {
		return append(out, mianmi.Text{ZH: "不论金额", EN: "whatever the amount"})
	}
	for _, c := range l.Checks {
		out = append(out, checkText(l, c))
	}
	return out
}

func checkText(l *pinfree.LimitTrace, c pinfree.Check) mianmi.Text {
	op := map[pinfree.Op]string{pinfree.OpAtMost: "<=", pinfree.OpBelow: "<"}[c.Bound.Op]
	bound := op + " " + figure(c.Bound.N, c.Currency)
	if c.Bound.Op == pinfree.OpUnbounded {
		bound = "(none)"
	}
	if c.Figure != "" {
		bound += " (" + c.Figure + ")"
	}
	actual := figure(c.Actual, c.Currency)
	if c.Actual < 0 {
		actual = "?"
	}
	text := actual + " " + bound
	if l.Counter != "" {
		text = l.Counter + " " + text
	}
	if c.Inside {
		return say("%s：在限额内", "%s: inside", text)
	}
	if l.Refuse {
		return say("%s：不满足，拒绝", "%s: not inside, refuses", text)
	}
	return say("%s：不满足，升级验证", "%s: not inside, steps up", text)
}

func (e *explanation) writeCounters(page *strings.Builder, lang mianmi.Lang) {
	keys := e.rules.CounterKeys()
	fmt.Fprintf(page, "\n%s\n", mianmi.Text{ZH: "计数器（本次付款前）", EN: "Counters before this payment"}.In(lang))
	table := textTable{indent: "  "}
	for i, key := range keys {
		currency := cmp.Or(counterCurrency(e.rules, key), e.in.Amount.Currency())
		table.add(key, countText(e.in.Counts[i], currency).In(lang))
	}
	table.add("own", countText(e.in.Own, e.in.Amount.Currency()).In(lang))
	table.write(page)
}

func countText(c pinfree.Count, currency money.Currency) mianmi.Text {
	if c.Number < 0 || c.Minor < 0 {
		return mianmi.Text{ZH: "未知", EN: "not known"}
	}
	return say("%d 笔，%s", "%d payments, %s", c.Number, money.Of(c.Minor, currency))
}
