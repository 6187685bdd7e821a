package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/pinfree/compare"
	"github.com/mianmi/mianmi/pinfree/packs"
)

type rulesListCmd struct {
	PacksDir string `placeholder:"DIR" help:"Folder of rule packs (*.yaml), in place of those that are shipped." zh:"规则包所在文件夹（*.yaml），代替随附的规则包。"`
	JSON     bool   `name:"json" help:"Write the packs as JSON." zh:"以 JSON 输出规则包。"`
	Only     string `arg:"" optional:"" name:"pack" placeholder:"PACK" help:"Show this pack whole, with its conditions, limits, readings and sources." zh:"完整显示该规则包：条件、限额、所取解读与来源。"`
}

// Run lists the packs, or shows one.
func (c *rulesListCmd) Run(_ context.Context, a *app) error {
	list, usual, err := c.packs()
	if err != nil {
		return err
	}
	slices.SortFunc(list, func(x, y pinfree.Pack) int { return cmp.Compare(x.ID, y.ID) })
	if c.Only != "" {
		i := slices.IndexFunc(list, func(p pinfree.Pack) bool { return p.ID == c.Only })
		if i < 0 {
			return mianmi.InvalidField("pack", fmt.Sprintf("there is no pack %q; mianmi rules list shows those that there are", c.Only))
		}
		list = list[i : i+1]
	}
	if c.JSON {
		return a.writeJSON(listed(list, usual))
	}
	var page strings.Builder
	if c.Only != "" {
		showPack(&page, a.lang, &list[0])
	} else {
		listPacks(&page, a.lang, listed(list, usual))
	}
	_, err = fmt.Fprint(a.stdout, page.String())
	return err
}

// packs are the packs to list, and the identifiers of the usual ones.
func (c *rulesListCmd) packs() (list []pinfree.Pack, usual []string, err error) {
	if c.PacksDir != "" {
		list, err = readFolder("--packs-dir", c.PacksDir)
	} else {
		list, err = packs.Embedded()
	}
	if err != nil {
		return nil, nil, err
	}
	if _, err := pinfree.Compile(list); err != nil {
		return nil, nil, err
	}
	inForce, err := packs.Default()
	for i := range inForce {
		usual = append(usual, inForce[i].ID)
	}
	return list, usual, err
}

// listedPack is a pack in a list.
type listedPack struct {
	pinfree.Pack
	Usual bool `json:"usual"` // in force unless an operator chooses
}

func listed(list []pinfree.Pack, usual []string) []listedPack {
	out := make([]listedPack, len(list))
	for i, p := range list {
		out[i] = listedPack{p, slices.Contains(usual, p.ID)}
	}
	return out
}

// writeJSON writes a value for other programs.
func (a *app) writeJSON(v any) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// listPacks draws two lines a pack: when and what, then its name and the rest. The
// identifiers are long, so that more does not fit beside them.
func listPacks(page *strings.Builder, lang mianmi.Lang, list []listedPack) {
	table := textTable{}
	head := [...]mianmi.Text{{}, {ZH: "规则包", EN: "PACK"}, {ZH: "适用期", EN: "DATES"}, {ZH: "作用", EN: "DOES"}}
	row := make([]string, len(head))
	for i, h := range head {
		row[i] = h.In(lang)
	}
	table.add(row...)
	for i := range list {
		p := &list[i].Pack
		mark := ""
		if list[i].Usual {
			mark = "*"
		}
		table.add(mark, p.ID, dates(p), doesText(p).In(lang))
		about := say("%s · %s · %s · %s 版 · 第 %d 版编码 · %d 条限额 · %d 个来源", "%s · %s · %s · edition %s · version %d · %d limits · %d sources",
			p.Title.In(lang), p.Jurisdiction, layerText(p.Layer).In(lang), p.Edition, p.Version, len(p.Limits), len(p.Sources)).In(lang)
		if p.Reading != "" {
			about += say(" · 解读：%s", " · reading %s", p.Reading).In(lang)
		}
		table.add(about)
	}
	table.write(page)
	writeWrapped(page, "", "", say("共 %d 个规则包；* 为默认启用。mianmi rules list 规则包 可查看全文。",
		"%d packs; those with * are in force by default. mianmi rules list PACK shows one whole.", len(list)).In(lang))
}

func dates(p *pinfree.Pack) string {
	if p.Effective == (pinfree.Period{}) {
		return "–"
	}
	return strings.TrimSpace(p.Effective.From + " – " + p.Effective.To)
}

func layerText(layer string) mianmi.Text {
	switch layer {
	case "regulation":
		return mianmi.Text{ZH: "监管", EN: "regulation"}
	case "scheme":
		return mianmi.Text{ZH: "卡组织", EN: "scheme"}
	}
	return mianmi.Text{ZH: "发卡机构", EN: layer}
}

func doesText(p *pinfree.Pack) mianmi.Text {
	if p.Permits {
		return mianmi.Text{ZH: "许可", EN: "permits"}
	}
	return mianmi.Text{ZH: "仅限制", EN: "restricts"}
}

// showPack writes all that a pack says.
func showPack(page *strings.Builder, lang mianmi.Lang, p *pinfree.Pack) {
	fmt.Fprintf(page, "%s\n", p.ID)
	head := textTable{indent: "  "}
	add := func(zh, en, value string) {
		if value != "" {
			head.add(mianmi.Text{ZH: zh, EN: en}.In(lang), value)
		}
	}
	add("名称", "title", p.Title.In(lang))
	add("版本", "version", fmt.Sprint(p.Version))
	add("文本版本", "edition", p.Edition)
	add("适用期", "dates", dates(p))
	add("时区", "zone", p.Zone)
	add("层", "layer", layerText(p.Layer).In(lang))
	add("地区", "jurisdiction", p.Jurisdiction)
	does := doesText(p).In(lang)
	if p.Unlimited {
		does += mianmi.Text{ZH: "，不设限额", EN: ", without limit"}.In(lang)
	}
	add("作用", "does", does)
	add("适用条件", "when", compare.Flow(p.When))
	add("并列规则包", "beside", strings.Join(p.Beside, ", "))
	head.write(page)

	section := func(zh, en string, table textTable) {
		if len(table.rows) > 0 {
			fmt.Fprintf(page, "\n%s\n", mianmi.Text{ZH: zh, EN: en}.In(lang))
			table.write(page)
		}
	}
	section("限额", "Limits", limitRows(p, lang))
	section("计数器", "Counters", counterRows(p))
	section("解读（* 为所取）", "Readings (* is the one taken)", readingRows(p, lang))
	section("启用即保证", "Putting it in force vouches for", textRows(p.Assumes, lang))
	section("来源未定或未收入", "Left open by the sources, or not encoded", textRows(p.Open, lang))
	section("认证、应答与赔付", "Authentication, answers, compensation", beyondRows(p, lang))
	section("来源", "Sources", sourceRows(p))
}

func limitRows(p *pinfree.Pack, lang mianmi.Lang) textTable {
	table := textTable{indent: "  "}
	for i := range p.Limits {
		l := &p.Limits[i]
		table.add(l.ID, l.Title.In(lang))
		table.add("", boundText(p, l).In(lang))
		if l.When != nil {
			table.add("", mianmi.Text{ZH: "条件：", EN: "when "}.In(lang)+compare.Flow(l.When))
		}
		if len(l.Readings) > 0 {
			note := mianmi.Text{ZH: "仅限解读：", EN: "only with reading "}.In(lang) + strings.Join(l.Readings, ", ")
			if !slices.Contains(l.Readings, p.Reading) {
				note += mianmi.Text{ZH: "（未取）", EN: " (not taken)"}.In(lang)
			}
			table.add("", note)
		}
		if len(l.Sources) > 0 {
			table.add("", mianmi.Text{ZH: "来源：", EN: "written in "}.In(lang)+strings.Join(l.Sources, ", "))
		}
	}
	return table
}

// boundText says what a limit bounds, how, and what happens above it.
func boundText(p *pinfree.Pack, l *pinfree.Limit) mianmi.Text {
	if l.Always {
		return join(mianmi.Text{ZH: "不论金额", EN: "whatever the amount"}, aboveText(l), mianmi.Text{ZH: "：", EN: ": "})
	}
	on := mianmi.Text{ZH: "单笔", EN: "each payment"}
	if l.Counter != "" {
		on = say("计数器 %s", "counter %s", l.Counter)
	}
	var parts []mianmi.Text
	if l.Amount != nil {
		parts = append(parts, rangeText(l.Amount, func(n int64) mianmi.Text { return say("%[1]s", "%[1]s", money.Of(n, currencyOf(p, l))) }))
	}
	if l.Number != nil {
		parts = append(parts, rangeText(l.Number, func(n int64) mianmi.Text { return say("%d 笔", "%d payments", n) }))
	}
	out := join(on, parts[0], mianmi.Text{ZH: "：", EN: ": "})
	for _, more := range parts[1:] {
		out = join(out, more, mianmi.Text{ZH: "，且", EN: ", and "})
	}
	return join(out, aboveText(l), mianmi.Text{ZH: "；超过则", EN: "; above it "})
}

func join(a, b, with mianmi.Text) mianmi.Text {
	return mianmi.Text{ZH: a.ZH + with.ZH + b.ZH, EN: a.EN + with.EN + b.EN}
}

func aboveText(l *pinfree.Limit) mianmi.Text {
	if l.Above == "refuse" {
		return mianmi.Text{ZH: "拒绝", EN: "refuse"}
	}
	return mianmi.Text{ZH: "升级验证", EN: "step up"}
}

func rangeText(r *pinfree.Range, figure func(int64) mianmi.Text) mianmi.Text {
	comes := func(name string) mianmi.Text {
		return say("%[1]s（随付款给出）", "%[1]s (comes with the payment)", name)
	}
	atMost, below := mianmi.Text{ZH: "不超过 ", EN: "at most "}, mianmi.Text{ZH: "低于 ", EN: "below "}
	var t mianmi.Text
	switch {
	case r.AtMost != nil:
		t = join(atMost, figure(*r.AtMost), mianmi.Text{})
	case r.Below != nil:
		t = join(below, figure(*r.Below), mianmi.Text{})
	case r.AtMostOf != "":
		t = join(atMost, comes(r.AtMostOf), mianmi.Text{})
	default:
		t = join(below, comes(r.BelowOf), mianmi.Text{})
	}
	switch r.Scope {
	case "previous":
		return join(t, mianmi.Text{ZH: "（只计此前）", EN: " before this one"}, mianmi.Text{})
	case "including_current":
		return join(t, mianmi.Text{ZH: "（含本笔）", EN: ", this one included"}, mianmi.Text{})
	}
	return t
}

// currencyOf is the currency of a limit's amounts, as Compile takes it.
func currencyOf(p *pinfree.Pack, l *pinfree.Limit) money.Currency {
	list := p.When.Currencies
	if l.When != nil && len(l.When.Currencies) > 0 {
		list = l.When.Currencies
	}
	if len(list) != 1 {
		return ""
	}
	return money.Currency(list[0])
}

func counterRows(p *pinfree.Pack) textTable {
	table := textTable{indent: "  "}
	for i := range p.Counters {
		c := p.Counters[i]
		id := c.ID
		c.ID = ""
		table.add(id, compare.Flow(c))
	}
	return table
}

func readingRows(p *pinfree.Pack, lang mianmi.Lang) textTable {
	table := textTable{indent: "  "}
	for _, r := range p.Readings {
		mark := " "
		if r.ID == p.Reading {
			mark = "*"
		}
		table.add(mark+" "+r.ID, r.Text.In(lang))
	}
	return table
}

func textRows(list []mianmi.Text, lang mianmi.Lang) textTable {
	table := textTable{indent: "  "}
	for _, t := range list {
		table.add("-", t.In(lang))
	}
	return table
}

func beyondRows(p *pinfree.Pack, lang mianmi.Lang) textTable {
	table := textTable{indent: "  "}
	if p.Authentication != nil {
		table.add("authentication", compare.Flow(p.Authentication))
	}
	for _, x := range p.Answers {
		title := x.Title.In(lang)
		x.Title = mianmi.Text{}
		table.add("answer", title+" — "+compare.Flow(x))
	}
	for _, x := range p.Compensation {
		title := x.Title.In(lang)
		x.Title = mianmi.Text{}
		table.add("compensation", title+" — "+compare.Flow(x))
	}
	return table
}

func sourceRows(p *pinfree.Pack) textTable {
	table := textTable{indent: "  "}
	for _, s := range p.Sources {
		table.add(cmp.Or(s.ID, "-"), s.Title)
		table.add("", s.URL)
		table.add("", s.Read+", "+s.Quality)
	}
	return table
}
