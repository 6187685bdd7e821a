package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/torture"
)

// print writes what a run did, what it checked and what was broken.
func (c *tortureCmd) print(a *app, r *torture.Report) {
	var page strings.Builder
	in := func(zh, en string, figures ...any) string { return say(zh, en, figures...).In(a.lang) }
	page.WriteString("\n" + in("做了什么（%v，种子 %d）", "What was done (%v, seed %d)", r.Took.Round(time.Second), r.Seed) + "\n")
	did := textTable{indent: "  "}
	for _, f := range torture.AllFaults {
		if n := r.Faults[f]; n > 0 {
			did.add(strconv.Itoa(n), f.Text().In(a.lang))
		}
	}
	for _, row := range []struct {
		n    int64
		what mianmi.Text
	}{
		{r.Payments, mianmi.Text{ZH: "付款得到应答", EN: "payments answered"}}, {r.PinFree, mianmi.Text{ZH: "其中免密通过", EN: "of them PIN-free"}},
		{r.StepUps, mianmi.Text{ZH: "其中要求验证密码", EN: "of them asked for a password"}}, {r.Repeats, mianmi.Text{ZH: "重复或同时发送的订单号", EN: "order numbers sent again, or twice at once"}},
		{r.Refunds, mianmi.Text{ZH: "退款", EN: "refunds"}}, {r.Offs, mianmi.Text{ZH: "关闭开关或紧急停用", EN: "switches thrown off, stops placed"}},
		{r.CutOff, mianmi.Text{ZH: "请求中断，未得到应答", EN: "requests that ended without an answer"}},
		{r.Messages, mianmi.Text{ZH: "收到的事件通知", EN: "messages of the webhook"}}, {r.Again, mianmi.Text{ZH: "其中重复收到", EN: "of them again"}},
	} {
		did.add(strconv.FormatInt(row.n, 10), row.what.In(a.lang))
	}
	for _, code := range slices.Sorted(maps.Keys(r.Problems)) {
		did.add(strconv.FormatInt(r.Problems[code], 10), in("应答 %s", "answers %s", code))
	}
	did.write(&page)
	page.WriteString("  " + in("最慢的应答：%v", "slowest answer: %v", r.Slowest.Round(time.Millisecond)) + "\n\n" + in("查了什么", "What was checked") + "\n")
	broken := map[torture.Promise]bool{}
	for _, b := range r.Breaches {
		broken[b.Promise] = true
	}
	checked := textTable{indent: "  "}
	for _, p := range slices.Sorted(maps.Keys(r.Checked)) {
		word := in("成立", "held")
		switch {
		case broken[p]:
			word = in("被破坏", "BROKEN")
		case r.Checked[p] == 0:
			word = in("未查", "not checked")
		}
		checked.add(strconv.FormatInt(r.Checked[p], 10), word, p.Text().In(a.lang))
	}
	checked.write(&page)
	for _, b := range r.Breaches {
		page.WriteString("\n" + in("被破坏：%s（第 %d 轮）", "BROKEN: %s (round %d)", b.Promise.Text().In(a.lang), b.Round) + "\n    " + b.What + "\n")
	}
	if r.More > 0 {
		page.WriteString(in("另有 %d 处", "and %d more", r.More) + "\n")
	}
	verdict := in("所有承诺成立。", "Every promise held.")
	if !r.OK() {
		verdict = in("有承诺被破坏。", "A promise was broken.")
	}
	_, _ = fmt.Fprintf(a.stdout, "%s\n%s\n", page.String(), verdict)
}
