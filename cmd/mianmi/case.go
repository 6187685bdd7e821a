package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/support/desk"
)

// caseCmd is the support desk on the database itself, while servers run. The
// command line alone may open and read; who works on a case says who he is.
type caseCmd struct {
	List    caseListCmd      `cmd:"" help:"List cases, newest first." zh:"列出工单，最新的在前。"`
	Show    caseShowCmd      `cmd:"" help:"Show a case with its notes, links, identity checks and files." zh:"显示一件工单：留言、关联、身份核验与附件。"`
	Open    caseOpenCmd      `cmd:"" help:"Open a case." zh:"新建工单。"`
	Take    caseTakeCmd      `cmd:"" help:"Take a case up: it is yours, and in progress." zh:"受理工单：归到自己名下，开始处理。"`
	Note    caseNoteCmd      `cmd:"" help:"Write a note, for mianmi's own people, the payer or the merchant." zh:"写留言：内部、给付款人或给商户。"`
	Move    caseMoveCmd      `cmd:"" help:"Bring a case to another state." zh:"变更工单状态。"`
	Check   caseCheckCmd     `cmd:"" help:"Record an identity check: what was asked and whether it was passed, never an answer." zh:"登记身份核验：问了什么、是否通过，绝不记录答案。"`
	Act     caseActCmd       `cmd:"" help:"Act for the payer of a case." zh:"替工单的付款人办理。"`
	Pay     casePayCmd       `cmd:"" help:"Order compensation of a decided case." zh:"为已决定的工单提出赔付。"`
	Approve caseApproveCmd   `cmd:"" help:"Approve compensation that somebody else ordered." zh:"复核通过他人提出的赔付。"`
	Refuse  caseRefuseCmd    `cmd:"" help:"Refuse compensation that waits, or take back one's own." zh:"拒绝待复核的赔付，或撤回自己提出的。"`
	Decide  caseDecideCmd    `cmd:"" help:"Decide a case, with the reason that the payer reads." zh:"对工单作出决定，并写明付款人会看到的理由。"`
	Liable  caseLiabilityCmd `cmd:"" name:"liability" help:"Who is to bear what of a case: what happened, and a proposal for each payment with its reason; a person decides." zh:"工单由谁承担：列出经过，并对每笔付款给出建议和理由；决定由人作出。"`
	Pack    casePackCmd      `cmd:"" help:"Make the proof pack of a case: one file for a bank or a court, that anybody can verify offline." zh:"生成工单的证据包：一个文件，交给银行或法院，任何人都可离线核对。"`
}

// deskBooks shows payments to mianmi's own people, as payment.Service would.
type deskBooks struct{ db *store.DB }

func (b deskBooks) Payment(ctx context.Context, a mianmi.Actor, id mianmi.PaymentID) (*payment.Payment, error) {
	if !a.Is(mianmi.RoleSupport, mianmi.RoleRisk, mianmi.RoleOperator, mianmi.RoleAuditor, mianmi.RoleSystem) {
		return nil, mianmi.Missing("payment")
	}
	return b.db.Payment(ctx, id)
}

// caseFlag names a case.
type caseFlag struct {
	Case string `arg:"" placeholder:"CASE" help:"The case: cs…, or its number of eight letters and digits." zh:"工单：cs…，或八位编号。"`
	deskFlags
}

// deskWork is what the subcommands have.
type deskWork struct {
	*fleetWork
	desk   *desk.Service
	payers *payer.Service
	keys   *secret.Keys
}

// deskFlags are who works at the desk, and by which service levels.
type deskFlags struct {
	asStaff
	levelsFlags
}

func (a *app) onDesk(ctx context.Context, who *deskFlags, fn func(context.Context, *deskWork) error) error {
	return a.onDeskWith(ctx, who, &filesFlags{}, fn) // nothing there reads a file
}

func (a *app) onDeskWith(ctx context.Context, who *deskFlags, files *filesFlags, fn func(context.Context, *deskWork) error) error {
	levels, err := who.levels()
	if err != nil {
		return err
	}
	return a.onFleet(ctx, &who.asStaff, func(ctx context.Context, w *fleetWork) error {
		all, err := a.closer(ctx, w.db, w.actor)
		if err != nil {
			return err
		}
		keys, err := a.keys(ctx, w.db)
		if err != nil {
			return err
		}
		folder, err := files.filesFolder(a, keys)
		if err != nil {
			return err
		}
		d, err := desk.New(desk.Parts{Store: w.db, Payers: all.payers, Payments: deskBooks{w.db}, Staff: w.db, Keys: keys, Clock: a.clock, Random: a.random,
			Log: slog.New(slog.DiscardHandler), Files: folder, Levels: levels})
		if err != nil {
			return err
		}
		return fn(ctx, &deskWork{w, d, all.payers, keys})
	})
}

// on finds the case, does something to it and prints what it is then.
func (c *caseFlag) on(ctx context.Context, a *app, fn func(context.Context, *deskWork, *desk.Whole) (desk.Whole, error)) error {
	return a.onDesk(ctx, &c.deskFlags, func(ctx context.Context, w *deskWork) error {
		k, err := w.find(ctx, c.Case)
		if err != nil {
			return err
		}
		if k, err = fn(ctx, w, &k); err != nil {
			return err
		}
		return w.show(ctx, &k)
	})
}

// find reads a case by its identifier or its number.
func (w *deskWork) find(ctx context.Context, name string) (desk.Whole, error) {
	if strings.HasPrefix(name, "cs") && len(name) > 12 {
		return w.desk.Case(ctx, w.actor, mianmi.CaseID(name))
	}
	return w.desk.CaseByNumber(ctx, w.actor, name)
}

// show prints a case.
func (w *deskWork) show(ctx context.Context, k *desk.Whole) error {
	l, now := w.app.lang, w.desk.Clock.Now()
	state := k.State.Words().In(l)
	if k.Late(now) {
		state += say("（已超期）", " (late)").In(l)
	}
	award := ""
	if k.Award.Minor() != 0 {
		award = k.Award.String()
	}
	var out strings.Builder
	for _, line := range []struct{ zh, en, value string }{
		{"工单", "case", string(k.ID)}, {"编号", "number", k.Number}, {"种类", "kind", k.Kind.Words().In(l)}, {"状态", "state", state},
		{"付款人", "payer", string(k.Payer)}, {"商户", "merchant", string(k.Merchant)}, {"经办", "assignee", string(k.Assignee)},
		{"创建", "opened", moment(k.OpenedAt)}, {"答复期限", "answer by", moment(k.FirstBy)}, {"决定期限", "decide by", moment(k.DecideBy)},
		{"决定", "verdict", k.Verdict.Words().In(l)}, {"赔付", "award", award},
	} {
		if line.value != "" {
			out.WriteString(pad(mianmi.Text{ZH: line.zh, EN: line.en}.In(l), 11) + line.value + "\n")
		}
	}
	for _, n := range k.Links {
		fmt.Fprintf(&out, "%s%s %s\n", pad(say("关联", "link").In(l), 11), n.Kind, n.Ref)
	}
	for _, n := range k.Complaints {
		fmt.Fprintf(&out, "%s%s  %s %s  %s%s\n", pad(say("投诉", "complaint").In(l), 11), n.ID, n.Channel, n.Number, n.State, unsaid(&n).In(l))
	}
	for _, n := range k.Checks {
		passed := say("未通过", "not passed")
		if n.Passed {
			passed = say("通过", "passed")
		}
		fmt.Fprintf(&out, "%s%s  %s  %s: %s  %s\n", pad(say("身份核验", "check").In(l), 11), moment(n.At), n.Actor, n.Method, strings.Join(n.Asked, ", "), passed.In(l))
	}
	for _, n := range k.Notes {
		fmt.Fprintf(&out, "%s%s  %s  [%s]\n           %s\n", pad(say("留言", "note").In(l), 11), moment(n.At), n.Actor, n.Audience.Words().In(l), oneLine(n.Text))
	}
	for _, n := range k.Files {
		fmt.Fprintf(&out, "%s%s  %s  [%s]  %s  %d\n", pad(say("附件", "file").In(l), 11), moment(n.At), n.Actor, n.Audience.Words().In(l), oneLine(n.Name), n.Size)
	}
	paid, err := w.payouts(ctx, k.ID)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(w.app.stdout, out.String()+paid)
	return err
}

// unsaid is what of a case has not reached a complaint's payer.
func unsaid(c *desk.OfComplaint) mianmi.Text {
	switch {
	case c.Failed > 0:
		return say("  （%d 条答复未送达）", "  (%d answers did not get through)", c.Failed)
	case c.Ordered > 0:
		return say("  （答复发送中）", "  (an answer is on its way)")
	}
	return mianmi.Text{}
}

// oneLine keeps what people wrote from moving a terminal's cursor.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, text)
}

type caseListCmd struct {
	deskFlags
	Open    bool   `help:"Those alone that are not over." zh:"仅列出未结束的。"`
	State   string `placeholder:"STATE" enum:"opened,in_progress,waiting_payer,waiting_merchant,waiting_bank,decided,closed," default:"" help:"Those in this state alone: opened, in_progress, waiting_payer, waiting_merchant, waiting_bank, decided or closed." zh:"仅列出该状态的：opened（待受理）、in_progress（处理中）、waiting_payer、waiting_merchant、waiting_bank（等待付款人、商户、银行）、decided（已决定）、closed（已结束）。"`
	Kind    string `placeholder:"KIND" enum:"feedback,help,loss,fraud,dispute,complaint," default:"" help:"Those of this kind alone: feedback, help, loss, fraud, dispute or complaint." zh:"仅列出该种类的：feedback（意见反馈）、help（求助）、loss（挂失）、fraud（盗刷）、dispute（争议）、complaint（投诉）。"`
	Queue   string `placeholder:"QUEUE" enum:"support,risk," default:"" help:"Those of this queue alone: support or risk." zh:"仅列出该队列的：support（客服）、risk（风控）。"`
	Payer   string `placeholder:"PAYER" help:"Those of this payer (py…) alone." zh:"仅列出该付款人（py…）的。"`
	Payment string `placeholder:"PAYMENT" help:"Those about this payment (pm…) alone." zh:"仅列出与该付款（pm…）有关的。"`
	Before  string `placeholder:"CASE" help:"Go on after a page: the case that it printed last." zh:"从上一页之后继续，值为上一页最后一件工单。"`
}

// Run prints a page of cases, each on a line.
func (c *caseListCmd) Run(ctx context.Context, a *app) error {
	q := desk.Query{Kind: desk.ParseKind(c.Kind), State: desk.ParseState(c.State), Queue: desk.ParseQueue(c.Queue), Payer: mianmi.PayerID(c.Payer),
		Open: c.Open, Before: mianmi.CaseID(c.Before), Limit: fleetPageMax}
	if c.Payment != "" {
		q.Link = desk.NewLink{Kind: desk.ToPayment, Ref: c.Payment}
	}
	return a.onDesk(ctx, &c.deskFlags, func(ctx context.Context, w *deskWork) error {
		list, err := w.desk.Cases(ctx, w.actor, q)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return w.print(mianmi.Text{ZH: "没有这样的工单。\n", EN: "There is no such case.\n"})
		}
		now := w.desk.Clock.Now()
		for i := range list {
			k, late := &list[i], ""
			if k.Late(now) {
				late = say("  已超期", "  late").In(a.lang)
			}
			if _, err := fmt.Fprintf(a.stdout, "%s  %s  %s  %s  %s%s\n", k.Number, k.ID, moment(k.OpenedAt), pad(k.Kind.Words().In(a.lang), 12), k.State.Words().In(a.lang), late); err != nil {
				return err
			}
		}
		if len(list) < fleetPageMax {
			return nil
		}
		return w.print(say("下一页：--before %s\n", "Next page: --before %s\n", list[len(list)-1].ID))
	})
}

type caseShowCmd struct{ caseFlag }

// Run prints a case.
func (c *caseShowCmd) Run(ctx context.Context, a *app) error {
	return c.on(ctx, a, func(_ context.Context, _ *deskWork, k *desk.Whole) (desk.Whole, error) { return *k, nil })
}

type caseOpenCmd struct {
	deskFlags
	Kind    string   `required:"" placeholder:"KIND" enum:"feedback,help,loss,fraud,dispute" help:"What it is: feedback, help, loss, fraud or dispute." zh:"种类：feedback（意见反馈）、help（求助）、loss（挂失）、fraud（盗刷）、dispute（争议）。"`
	Payer   string   `placeholder:"PAYER" help:"The payer (py…); may be left out when a payment is named." zh:"付款人（py…）；指明付款时可省略。"`
	Payment []string `placeholder:"PAYMENT" help:"A payment (pm…) that it is about; repeatable." zh:"所涉付款（pm…），可重复。"`
	Text    string   `arg:"" placeholder:"TEXT" help:"What is reported, in the words of who reports it; no card number." zh:"反映的情况，用反映人的原话；不要写卡号。"`
}

// Run opens a case.
func (c *caseOpenCmd) Run(ctx context.Context, a *app) error {
	n := desk.NewCase{Kind: desk.ParseKind(c.Kind), Payer: mianmi.PayerID(c.Payer), Text: c.Text}
	for _, p := range c.Payment {
		n.Links = append(n.Links, desk.NewLink{Kind: desk.ToPayment, Ref: p})
	}
	return a.onDesk(ctx, &c.deskFlags, func(ctx context.Context, w *deskWork) error {
		o, err := w.desk.Open(ctx, w.actor, n)
		if err != nil {
			return err
		}
		if o.Known {
			if err := w.print(mianmi.Text{ZH: "这笔付款已有工单：\n", EN: "This payment has a case already:\n"}); err != nil {
				return err
			}
		}
		return w.show(ctx, &o.Whole)
	})
}

type caseTakeCmd struct{ caseFlag }

// Run takes a case up.
func (c *caseTakeCmd) Run(ctx context.Context, a *app) error {
	return c.on(ctx, a, func(ctx context.Context, w *deskWork, k *desk.Whole) (desk.Whole, error) {
		if w.actor.Role == mianmi.RoleSystem {
			return desk.Whole{}, mianmi.InvalidField("login", "say who takes the case up")
		}
		got, err := w.desk.Assign(ctx, w.actor, k.ID, desk.Assignment{Assignee: mianmi.StaffID(w.actor.ID), Version: k.Version})
		if err != nil || got.State != desk.Open {
			return got, err
		}
		return w.desk.Move(ctx, w.actor, k.ID, desk.Move{To: desk.InProgress, Version: got.Version})
	})
}

type caseNoteCmd struct {
	caseFlag
	To   string `default:"inside" enum:"inside,payer,merchant" help:"Who reads it: inside, payer or merchant." zh:"给谁看：inside（内部）、payer（付款人）、merchant（商户）。"`
	Text string `arg:"" placeholder:"TEXT" help:"The note; no card number." zh:"留言内容；不要写卡号。"`
}

// Run writes a note.
func (c *caseNoteCmd) Run(ctx context.Context, a *app) error {
	return c.on(ctx, a, func(ctx context.Context, w *deskWork, k *desk.Whole) (desk.Whole, error) {
		key, err := mianmi.NewID("cl", a.clock.Now(), a.random)
		if err != nil {
			return desk.Whole{}, err
		}
		return w.desk.Write(ctx, w.actor, k.ID, desk.NewNote{Key: key, Audience: desk.ParseAudience(c.To), Text: c.Text})
	})
}

type caseMoveCmd struct {
	caseFlag
	State string `arg:"" enum:"in_progress,waiting_payer,waiting_merchant,waiting_bank,closed" placeholder:"STATE" help:"in_progress, waiting_payer, waiting_merchant, waiting_bank or closed." zh:"目标状态：in_progress、waiting_payer、waiting_merchant、waiting_bank 或 closed。"`
	Why   string `placeholder:"TEXT" help:"Why, for mianmi's own people." zh:"原因，仅内部可见。"`
}

// Run brings a case to another state.
func (c *caseMoveCmd) Run(ctx context.Context, a *app) error {
	return c.on(ctx, a, func(ctx context.Context, w *deskWork, k *desk.Whole) (desk.Whole, error) {
		return w.desk.Move(ctx, w.actor, k.ID, desk.Move{To: desk.ParseState(c.State), Version: k.Version, Why: c.Why})
	})
}

type caseCheckCmd struct {
	caseFlag
	Method string   `required:"" enum:"id_document,video_call,call_back,branch,signed_request" placeholder:"METHOD" help:"id_document, video_call, call_back, branch or signed_request." zh:"方式：id_document（证件）、video_call（视频）、call_back（回拨）、branch（网点）、signed_request（签名请求）。"`
	Asked  []string `required:"" placeholder:"NAME" help:"Names of what was asked, as last_payment; never an answer." zh:"问了什么，如 last_payment；绝不写答案。"`
	Failed bool     `help:"The check was not passed." zh:"核验未通过。"`
}

// Run records an identity check.
func (c *caseCheckCmd) Run(ctx context.Context, a *app) error {
	return c.on(ctx, a, func(ctx context.Context, w *deskWork, k *desk.Whole) (desk.Whole, error) {
		return w.desk.Verify(ctx, w.actor, k.ID, desk.NewCheck{Method: c.Method, Asked: c.Asked, Passed: !c.Failed})
	})
}

type caseActCmd struct {
	caseFlag
	Act       string        `arg:"" enum:"close_pin_free,report_loss,close_agreement,hold,lift_hold,allow_once,lift_loss,unlock_password,reset_password" placeholder:"ACT" help:"close_pin_free, report_loss, close_agreement, hold; after a check: lift_hold, allow_once, lift_loss, unlock_password, reset_password." zh:"办理事项：close_pin_free（关闭免密）、report_loss（挂失）、close_agreement（关闭签约）、hold（暂停免密）；须先核验身份的：lift_hold（解除暂停）、allow_once（单次放行）、lift_loss（解除挂失）、unlock_password（解锁密码）、reset_password（重置密码）。"`
	Agreement string        `placeholder:"AGREEMENT" help:"Of close_agreement: the agreement (ag…)." zh:"close_agreement 所关的签约（ag…）。"`
	For       time.Duration `placeholder:"TIME" help:"Of hold: for how long, as 24h." zh:"hold 的时长，如 24h。"`
	Max       string        `placeholder:"AMOUNT" help:"Of allow_once: the most that the one payment may be, as 30.00." zh:"allow_once 那一笔的最高金额，如 30.00。"`
	Currency  string        `default:"CNY" placeholder:"CODE" help:"Of allow_once: its currency." zh:"allow_once 的币种。"`
	Merchant  string        `placeholder:"MERCHANT" help:"Of allow_once: at this merchant (mc…) alone." zh:"allow_once 仅限该商户（mc…）。"`
}

// Run acts for a payer.
func (c *caseActCmd) Run(ctx context.Context, a *app) error {
	return c.on(ctx, a, func(ctx context.Context, w *deskWork, k *desk.Whole) (desk.Whole, error) {
		do := desk.Do{Act: desk.Act(c.Act), Agreement: mianmi.AgreementID(c.Agreement), Merchant: mianmi.MerchantID(c.Merchant)}
		if c.For != 0 {
			do.Until = a.clock.Now().Add(c.For)
		}
		if c.Max != "" {
			var err error
			if do.Max, err = amountFlag("max", c.Max, c.Currency); err != nil {
				return desk.Whole{}, err
			}
		}
		done, err := w.desk.Do(ctx, w.actor, k.ID, do)
		if err != nil || done.Reset == nil {
			return done.Whole, err
		}
		return done.Whole, w.print(say("请把重置码告知付款人（只显示一次，%s 前有效）：%s\n", "Tell the payer this code; it is shown once, and good until %s: %s\n", moment(done.Reset.ExpiresAt), done.Reset.Code))
	})
}

// amountFlag reads an amount as people write it.
func amountFlag(field, text, currency string) (money.Amount, error) {
	c := money.Currency(currency)
	if !c.Valid() {
		return money.Amount{}, mianmi.InvalidField("currency", "want a currency's code, as CNY")
	}
	m, err := money.Parse(text, c)
	if err != nil || !m.Positive() {
		return money.Amount{}, mianmi.InvalidField(field, "want an amount above zero, as 18.00")
	}
	return m, nil
}

type caseDecideCmd struct {
	caseFlag
	Verdict  string `arg:"" enum:"upheld,partly_upheld,rejected,answered" placeholder:"VERDICT" help:"upheld, partly_upheld, rejected or answered." zh:"决定：upheld（支持）、partly_upheld（部分支持）、rejected（不支持）、answered（已答复）。"`
	Text     string `arg:"" placeholder:"TEXT" help:"The reason, for the payer." zh:"理由，付款人可见。"`
	Award    string `placeholder:"AMOUNT" help:"What the payer gets, as 18.00; left out: nothing." zh:"赔付金额，如 18.00；不写表示不赔付。"`
	Currency string `default:"CNY" placeholder:"CODE" help:"Of the award." zh:"赔付的币种。"`
}

// Run decides a case.
func (c *caseDecideCmd) Run(ctx context.Context, a *app) error {
	return c.on(ctx, a, func(ctx context.Context, w *deskWork, k *desk.Whole) (desk.Whole, error) {
		d := desk.Decision{Verdict: desk.ParseVerdict(c.Verdict), Text: c.Text, Version: k.Version}
		if c.Award != "" {
			var err error
			if d.Award, err = amountFlag("award", c.Award, c.Currency); err != nil {
				return desk.Whole{}, err
			}
		}
		return w.desk.Decide(ctx, w.actor, k.ID, d)
	})
}
