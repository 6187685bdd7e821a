package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/support"
)

// complaintsCmd shows what payers complain of, on the database itself, while servers
// run. It is answered in the complaint's case, or by the API.
type complaintsCmd struct {
	List complaintsListCmd `cmd:"" help:"List complaints, newest first." zh:"列出投诉，最新的在前。"`
	Show complaintsShowCmd `cmd:"" help:"Show a complaint with its case, its history and what was answered." zh:"显示一件投诉：对应的工单、协商历史与答复。"`
}

var complaintStates = map[support.State]mianmi.Text{
	support.NoState:    {ZH: "状态未知", EN: "state not known"},
	support.Pending:    {ZH: "待答复", EN: "not answered yet"},
	support.Processing: {ZH: "处理中", EN: "being processed"},
	support.Processed:  {ZH: "已处理完毕", EN: "over"},
}

var answerWords = map[support.AnswerState]mianmi.Text{
	support.Ordered: {ZH: "发送中", EN: "on its way"},
	support.Done:    {ZH: "已送达", EN: "got through"},
	support.Failed:  {ZH: "未送达", EN: "did not get through"},
}

// Refund is a running server's to make.
func (b deskBooks) Refund(context.Context, mianmi.Actor, mianmi.PaymentID, payment.RefundRequest) (*payment.Refund, error) {
	return nil, &mianmi.Error{Kind: mianmi.Unavailable, Msg: "a running server refunds"}
}

// complaints are those of the database, asked of nobody.
func (w *deskWork) complaints() (*support.Service, error) {
	a := w.app
	return support.New(support.Parts{Store: w.db, Payments: deskBooks{w.db}, Keys: w.keys, Clock: a.clock, Random: a.random, Log: slog.New(slog.DiscardHandler)})
}

type complaintsListCmd struct {
	asStaff
	Open     bool   `help:"Those alone that are not over." zh:"仅列出未处理完毕的。"`
	Merchant string `placeholder:"MERCHANT" help:"Those of this merchant (mc…) alone." zh:"仅列出该商户（mc…）的。"`
	Payment  string `placeholder:"PAYMENT" help:"Those about this payment (pm…) alone." zh:"仅列出与该付款（pm…）有关的。"`
	Before   string `placeholder:"COMPLAINT" help:"Go on after a page: the complaint that it printed last." zh:"从上一页之后继续，值为上一页最后一件投诉。"`
}

// Run prints a page of complaints, each on a line.
func (c *complaintsListCmd) Run(ctx context.Context, a *app) error {
	return a.onDesk(ctx, &deskFlags{asStaff: c.asStaff}, func(ctx context.Context, w *deskWork) error {
		s, err := w.complaints()
		if err != nil {
			return err
		}
		list, err := s.Complaints(ctx, w.actor, support.Query{Open: c.Open, Merchant: mianmi.MerchantID(c.Merchant), Payment: mianmi.PaymentID(c.Payment),
			Before: mianmi.ComplaintID(c.Before), Limit: fleetPageMax})
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return w.print(mianmi.Text{ZH: "没有这样的投诉。\n", EN: "There is no such complaint.\n"})
		}
		for i := range list {
			k := &list[i]
			if _, err := fmt.Fprintf(a.stdout, "%s  %s  %s  %s  %s\n", k.ID, moment(k.At), pad(k.Channel, 10), pad(complaintStates[k.State].In(a.lang), 16), k.Case); err != nil {
				return err
			}
		}
		if len(list) < fleetPageMax {
			return nil
		}
		return w.print(say("下一页：--before %s\n", "Next page: --before %s\n", list[len(list)-1].ID))
	})
}

type complaintsShowCmd struct {
	asStaff
	Complaint string `arg:"" placeholder:"COMPLAINT" help:"The complaint: cp…" zh:"投诉：cp…"`
}

// Run prints a complaint.
func (c *complaintsShowCmd) Run(ctx context.Context, a *app) error {
	return a.onDesk(ctx, &deskFlags{asStaff: c.asStaff}, func(ctx context.Context, w *deskWork) error {
		s, err := w.complaints()
		if err != nil {
			return err
		}
		k, steps, err := s.Complaint(ctx, w.actor, mianmi.ComplaintID(c.Complaint))
		if err != nil {
			return err
		}
		answers, err := s.Answers(ctx, w.actor, k.ID)
		if err != nil {
			return err
		}
		_, err = fmt.Fprint(a.stdout, w.complaint(&k, steps, answers))
		return err
	})
}

// complaint is one for people.
func (w *deskWork) complaint(k *support.Complaint, steps []support.Step, answers []support.Answer) string {
	l, asked := w.app.lang, ""
	if k.Asked.Minor() != 0 {
		asked = k.Asked.String()
	}
	var out strings.Builder
	line := func(zh, en, value string) {
		if value != "" {
			out.WriteString(pad(mianmi.Text{ZH: zh, EN: en}.In(l), 11) + value + "\n")
		}
	}
	line("投诉", "complaint", string(k.ID))
	line("工单", "case", string(k.Case))
	line("渠道", "channel", strings.Join([]string{k.Channel, k.Account, k.Number}, " "))
	line("状态", "state", complaintStates[k.State].In(l))
	line("商户", "merchant", string(k.Merchant))
	line("要求退款", "wants back", asked)
	line("投诉时间", "made", moment(k.At))
	line("内容", "words", oneLine(strings.TrimSpace(k.Title+" "+k.Text)))
	for _, p := range k.Payments {
		line("付款", "payment", strings.TrimSpace(fmt.Sprintf("%s %s  %s", p.Payment, p.Transaction, p.Amount)))
	}
	for i := range steps {
		line("经过", "step", fmt.Sprintf("%s  %s  %s  %s", moment(steps[i].At), steps[i].By, steps[i].What, oneLine(steps[i].Text)))
	}
	for i := range answers {
		o := &answers[i]
		line("答复", "answer", strings.TrimSpace(fmt.Sprintf("%s  %s  %s  %s  %s", moment(o.Began), o.Actor, o.Kind, answerWords[o.State].In(l), o.Fault)))
	}
	return out.String()
}
