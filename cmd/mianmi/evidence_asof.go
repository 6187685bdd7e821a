package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/asof"
	"github.com/mianmi/mianmi/channel/wallet"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/terminal"
)

type evidenceAsOfCmd struct {
	ID string `arg:"" placeholder:"ID" help:"A payment (pm…), terminal (tm…), merchant (mc…) or payer (py…)." zh:"付款（pm…）、终端（tm…）、商户（mc…）或付款人（py…）的标识。"`
	At string `placeholder:"TIME" help:"Instant in RFC 3339; by default now. A payment has its own." zh:"时刻（RFC 3339），默认为现在；付款以其自身时刻为准。"`
}

// Run rebuilds from the log what was in force, and tells it. It reads the
// database itself and needs no server.
func (c *evidenceAsOfCmd) Run(ctx context.Context, a *app) (err error) {
	var at time.Time
	if c.At != "" {
		if at, err = time.Parse(time.RFC3339Nano, c.At); err != nil {
			return mianmi.InvalidField("at", "want a time like 2026-03-01T12:04:31Z")
		}
	}
	db, err := a.database(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	s := a.asOf(db, plainPayments{db}, terminal.New(db, a.clock, a.random), merchant.New(db, a.clock, a.random))
	got, err := c.ask(ctx, s, at)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(a.stdout, asOfPage(a.lang, got))
	return err
}

func (c *evidenceAsOfCmd) ask(ctx context.Context, s *asof.Service, at time.Time) (*asof.Answer, error) {
	switch prefix := c.ID[:min(2, len(c.ID))]; prefix {
	case "pm":
		if !at.IsZero() {
			return nil, mianmi.InvalidField("at", "a payment has a time of its own")
		}
		return s.OfPayment(ctx, commandLine, mianmi.PaymentID(c.ID))
	case "tm":
		return s.OfTerminal(ctx, commandLine, mianmi.TerminalID(c.ID), at)
	case "mc":
		return s.OfMerchant(ctx, commandLine, mianmi.MerchantID(c.ID), at)
	case "py":
		return s.OfPayer(ctx, commandLine, mianmi.PayerID(c.ID), at)
	}
	return nil, mianmi.InvalidField("id", "want the identifier of a payment, terminal, merchant or payer: pm…, tm…, mc…, py…")
}

// asOf is what answers what was in force.
func (a *app) asOf(db *store.DB, p asof.Payments, t *terminal.Service, m *merchant.Service) *asof.Service {
	return asof.New(asof.Parts{Log: db, Payments: p, Terminals: t, Merchants: m, Clock: a.clock, Channel: wallet.Wallet{}.Name()})
}

// plainPayments reads payments without a service: whoever has the database and
// the command line may see all.
type plainPayments struct{ *store.DB }

// Payment returns a payment.
func (p plainPayments) Payment(ctx context.Context, _ mianmi.Actor, id mianmi.PaymentID) (*payment.Payment, error) {
	return p.DB.Payment(ctx, id)
}

// Entries says where the log tells of a payment.
func (p plainPayments) Entries(ctx context.Context, _ mianmi.Actor, id mianmi.PaymentID) (payment.Entries, error) {
	return p.PaymentEntries(ctx, id)
}

// Payments lists a payer's payments.
func (p plainPayments) Payments(ctx context.Context, _ mianmi.Actor, id mianmi.PayerID, before mianmi.PaymentID, limit int) ([]payment.Payment, error) {
	return p.DB.Payments(ctx, id, before, limit)
}

var layerWords = map[pinfree.LayerKind]mianmi.Text{
	pinfree.LayerChannel: {ZH: "全局/渠道", EN: "everything/channel"}, pinfree.LayerPayer: {ZH: "付款人", EN: "payer"},
	pinfree.LayerAgreement: {ZH: "免密签约", EN: "agreement"}, pinfree.LayerStop: {ZH: "紧急停用", EN: "emergency stop"},
	pinfree.LayerMerchant: {ZH: "商户", EN: "merchant"}, pinfree.LayerStore: {ZH: "门店", EN: "store"}, pinfree.LayerModel: {ZH: "机型", EN: "model"},
	pinfree.LayerTerminal: {ZH: "终端", EN: "terminal"},
}

var stateWords = map[pinfree.State]mianmi.Text{pinfree.On: {ZH: "开", EN: "on"}, pinfree.Off: {ZH: "关", EN: "off"}, pinfree.Unknown: {ZH: "未知", EN: "unknown"}}

var verdictWords = map[asof.Verdict]mianmi.Text{
	asof.Same:            {ZH: "按这些设置重新判定，结果和原因都相同", EN: "decided again by these settings: the same outcome with the same reasons"},
	asof.SameButCounters: {ZH: "按这些设置重新判定，取决于设置的原因都相同；其余取决于此前的累计金额或笔数，累计不是设置，无法重建", EN: "decided again by these settings: every reason that rests on them is the same; others rest on what had been spent before, which is no setting and is not rebuilt"},
	asof.Different:       {ZH: "按这些设置重新判定，与记录不符", EN: "decided again by these settings: not what was recorded"},
	asof.RulesUntold:     {ZH: "日志中当时没有启用过规则包，无法重新判定", EN: "no rule pack had been in force in the log, so it cannot be decided again"},
}

// asOfPage is the answer as a table.
func asOfPage(lang mianmi.Lang, a *asof.Answer) string {
	var page strings.Builder
	line := func(zh, en string, figures ...any) { writeWrapped(&page, "", "    ", say(zh, en, figures...).In(lang)) }
	line("以下为 %s 的设置，全部由透明日志重建", "In force at %s, rebuilt from the transparency log alone", a.At.UTC().Format(time.RFC3339Nano))
	if d := a.Decided; d != nil {
		line("付款 %s：%s，%s；设置纪元 %d，付款人设置版本 %d；%s", "payment %s: %s, %s; settings epoch %d, payer's version %d; %s",
			d.Value.Payment, d.Value.Amount, outcomeTexts[d.Value.Outcome].In(lang), d.Value.Epoch, d.Value.PayerVersion, placeOf(lang, d.Source))
	}
	t := textTable{}
	for i := range a.Rows {
		r := &a.Rows[i]
		t.add(layerWords[r.Kind].In(lang), orDash(r.ID), stateWords[r.State].In(lang), fmt.Sprint("v", r.Version), orDash(rowSays(lang, r)))
		t.add(rowSince(lang, r))
	}
	t.write(&page)
	if s := a.Site; s != nil && len(s.Packs) > 0 {
		line("启用的规则包 %d 个：", "%d rule packs in force:", len(s.Packs))
		t = textTable{indent: "  "}
		for i := range s.Packs {
			p := &s.Packs[i]
			t.add(fmt.Sprintf("%s@%d", p.Value.ID, p.Value.Version), p.Source.At.UTC().Format(time.RFC3339), placeOf(lang, p.Source))
		}
		t.write(&page)
	}
	if a.Again != nil {
		line("%s", "%s", verdictWords[a.Again.Verdict].In(lang))
		for _, w := range append(a.Again.Missing, a.Again.Added...) {
			page.WriteString("    " + w.Reason.String() + " " + w.ID + w.Rule + "\n")
		}
	}
	line("名称、地址、紧急停用的原因不在日志中", "Names, addresses and the reasons of emergency stops are in no entry")
	return page.String()
}

// rowSays is what else a row says: why not, and limits.
func rowSays(lang mianmi.Lang, r *asof.Row) string {
	var parts []string
	add := func(zh, en string, figures ...any) { parts = append(parts, say(zh, en, figures...).In(lang)) }
	if r.Because != pinfree.NoReason {
		parts = append(parts, r.Because.String())
	}
	for _, l := range []struct {
		zh, en string
		a      *money.Amount
	}{{"单笔 %s", "each %s", r.PerPayment}, {"每日 %s", "a day %s", r.DayAmount}} {
		if l.a != nil {
			add(l.zh, l.en, *l.a)
		}
	}
	if r.DayCount != nil {
		add("每日 %d 笔", "%d a day", *r.DayCount)
	}
	if r.Quiet != nil {
		add("停用时段 %02d:%02d–%02d:%02d", "quiet %02d:%02d–%02d:%02d", r.Quiet.From/60, r.Quiet.From%60, r.Quiet.To/60, r.Quiet.To%60)
	}
	if !r.Until.IsZero() {
		add("至 %s", "until %s", r.Until.UTC().Format(time.RFC3339))
	}
	return strings.Join(parts, "; ")
}

// rowSince is since when a row holds, by whom, and which entry tells it.
func rowSince(lang mianmi.Lang, r *asof.Row) string {
	if !r.Source.Known() {
		return mianmi.Text{ZH: "从未设置，取默认值", EN: "never set: the default"}.In(lang)
	}
	return say("自 %s，操作者 %s；", "since %s by %s; ", r.Since.UTC().Format(time.RFC3339), r.By).In(lang) + placeOf(lang, r.Source)
}

// placeOf is an entry's place in the log.
func placeOf(lang mianmi.Lang, s asof.Source) string {
	if !s.InLog() {
		return say("存证 %s（尚未写入日志）", "entry %s, not in the log yet", s.Entry).In(lang)
	}
	return say("存证 %s，日志第 %d 条", "entry %s, number %d of the log", s.Entry, s.Index).In(lang)
}
