package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/rules"
)

// Names of states for people, by their name in the API.
var ruleStates = map[string]mianmi.Text{
	"proposed":   {ZH: "待复核", EN: "waits for a second person"},
	"in_force":   {ZH: "已生效", EN: "in force"},
	"rejected":   {ZH: "已驳回", EN: "rejected"},
	"taken_back": {ZH: "已收回", EN: "taken back"},
	"lapsed":     {ZH: "已失效（规则已变动）", EN: "lapsed: the packs in force have changed"},
	"expired":    {ZH: "已过期", EN: "expired"},
	"replaced":   {ZH: "已被取代", EN: "replaced"},
	"withdrawn":  {ZH: "已撤下", EN: "withdrawn"},
}

func (a *app) ruleState(name string) string { return ruleStates[name].In(a.lang) }

// tellChange tells what became of a change, and what comes next.
func (a *app) tellChange(c *rules.Change) error {
	text := fmt.Sprintf("%s  %s  %s\n", c.ID, a.ruleState(c.State.String()), packNames(c.Packs))
	if c.State == rules.Proposed {
		text += fmt.Sprintf(mianmi.Text{ZH: "%s 前须由另一人复核：mianmi rules approve %s --login 登录名\n",
			EN: "by %s another person has to approve it: mianmi rules approve %s --login LOGIN\n"}.In(a.lang), c.ExpiresAt.Format(time.RFC3339), c.ID)
	}
	_, err := fmt.Fprint(a.stdout, text)
	return err
}

func (a *app) tellChanges(list []rules.Change) error {
	var page strings.Builder
	if len(list) == 0 {
		page.WriteString(mianmi.Text{ZH: "没有待复核的变更\n", EN: "nothing waits\n"}.In(a.lang))
	}
	t := textTable{}
	for i := range list {
		c := &list[i]
		t.add(string(c.ID), c.ProposedAt.Format(time.RFC3339), c.ProposedBy, a.ruleState(c.State.String()), packNames(c.Packs))
		if c.Note != "" {
			t.add(c.Note)
		}
	}
	t.write(&page)
	_, err := fmt.Fprint(a.stdout, page.String())
	return err
}

// tellWhole prints a change with the texts of its packs.
func (a *app) tellWhole(c *rules.Change) error {
	var page strings.Builder
	fmt.Fprintf(&page, "%s  %s  %s  %s\n", c.ID, c.ProposedAt.Format(time.RFC3339), c.ProposedBy, a.ruleState(c.State.String()))
	if c.DecidedBy != "" {
		fmt.Fprintf(&page, "%s  %s\n", c.DecidedAt.Format(time.RFC3339), c.DecidedBy)
	}
	if c.Note != "" {
		page.WriteString(c.Note + "\n")
	}
	for i := range c.Packs {
		p := &c.Packs[i]
		fmt.Fprintf(&page, "\n--- %s  %s  sha256:%s\n%s", packNames(c.Packs[i:i+1]), p.Source, p.Digest, p.YAML)
	}
	_, err := fmt.Fprint(a.stdout, page.String())
	return err
}

func (a *app) tellHistory(list []rules.Pack) error {
	var page strings.Builder
	t := textTable{}
	for i := range list {
		p := &list[i]
		until := "–"
		if !p.Until.IsZero() {
			until = p.Until.Format(time.RFC3339)
		}
		state := a.ruleState(p.State(rules.InForce))
		if p.Withdraws {
			state = a.ruleState("withdrawn")
		}
		t.add(packNames(list[i:i+1]), p.From.Format(time.RFC3339), until, state, string(p.Source), "sha256:"+p.Digest[:min(12, len(p.Digest))])
	}
	t.write(&page)
	_, err := fmt.Fprint(a.stdout, page.String())
	return err
}

// tellReport prints what a change would do, limit by limit.
func (a *app) tellReport(r *rules.Report) error {
	var page strings.Builder
	verdict := mianmi.Text{ZH: "属于收紧：一人即可启用，立即生效", EN: "a tightening: one person puts it in force, at once"}
	if !r.Tightening {
		verdict = mianmi.Text{ZH: "可能放宽：须由第二人复核", EN: "it may let more pass: a second person has to approve it"}
	}
	fmt.Fprintf(&page, "%s  %s\n", packNames(r.Parts), verdict.In(a.lang))
	t := textTable{indent: "  "}
	for _, o := range r.Obstacles {
		t.add(strings.TrimSuffix(o.Pack+"/"+o.Field, "/"), o.Text.In(a.lang))
	}
	for _, d := range r.Differences {
		name := d.Pack
		for _, part := range []string{d.Limit, d.Field} {
			if part != "" {
				name += "/" + part
			}
		}
		t.add(name, orDash(d.Before)+" → "+orDash(d.After))
	}
	t.write(&page)
	tellReplay(&page, a.lang, r.Replay)
	_, err := fmt.Fprint(a.stdout, page.String())
	return err
}

// tellReplay says what would have become of stored payments.
func tellReplay(page *strings.Builder, lang mianmi.Lang, r *rules.Replay) {
	if r == nil {
		return
	}
	writeWrapped(page, "", "", say("最近 %d 笔付款按此回放：%d 笔更严，%d 笔更宽", "the newest %d payments, replayed: %d more strictly, %d less strictly",
		r.Payments, r.Stricter, r.Looser).In(lang))
	t := textTable{indent: "  "}
	for _, e := range r.Examples {
		why := ""
		if len(e.After.Reasons) > 0 {
			why = fmt.Sprint(e.After.Reasons[0].Reason, " ", e.After.Reasons[0].Rule)
		}
		t.add(string(e.Payment), outcomeTexts[e.Before.Outcome].In(lang)+" → "+outcomeTexts[e.After.Outcome].In(lang), why)
	}
	t.write(page)
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}
