package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/support/desk"
)

// payoutFlags bound what cases give. A server and the command line take the same.
type payoutFlags struct {
	PayoutAlone    int64 `placeholder:"MINOR" default:"20000" help:"Compensation of one case, in minor units, that one person may order alone; above it a second one approves. 0: every one waits." zh:"一件工单的赔付在此金额（最小货币单位）以内可由一人办理，超过须第二人复核；0 表示每笔都须复核。"`
	PayoutCase     int64 `placeholder:"MINOR" default:"500000" help:"The most that one case gives, in minor units." zh:"一件工单赔付总额上限（最小货币单位）。"`
	PayoutGoodwill int64 `placeholder:"MINOR" default:"5000" help:"The most goodwill (without a payment) that one case gives, in minor units." zh:"一件工单善意补偿（不涉及付款）的上限（最小货币单位）。"`
	PayoutDay      int64 `placeholder:"MINOR" default:"2000000" help:"The most that one person orders in a day, in minor units of each currency." zh:"一名员工每天可提出的赔付总额上限（各币种的最小货币单位）。"`
}

func (f *payoutFlags) check() error {
	for _, n := range []int64{f.PayoutAlone, f.PayoutCase, f.PayoutGoodwill, f.PayoutDay} {
		if n < 0 || n > 1_000_000_000_000 {
			return errors.New("--payout-alone, --payout-case, --payout-goodwill, --payout-day: want 0 to 1000000000000 minor units")
		}
	}
	return nil
}

func (f *payoutFlags) limits() desk.Limits {
	return desk.Limits{Alone: f.PayoutAlone, Case: f.PayoutCase, Goodwill: f.PayoutGoodwill, Day: f.PayoutDay}
}

// payDue carries out refunds that cases give.
func payDue(s *services) worker {
	return worker{"carry out what cases give", 2 * time.Second, func(ctx context.Context) (bool, error) {
		n, err := s.cases.PayDue(ctx)
		return n > 0, err
	}}
}

// makeGood gives back what passed PIN-free after an OFF.
func makeGood(s *services) worker {
	return worker{"give back what passed after an OFF", 10 * time.Second, func(ctx context.Context) (bool, error) {
		return false, s.redress.Sweep(ctx)
	}}
}

var payoutWords = map[desk.PayoutState]mianmi.Text{
	desk.PayoutWaiting: {ZH: "待第二人复核", EN: "waiting for a second person"},
	desk.PayoutDue:     {ZH: "退款办理中（由运行中的服务完成）", EN: "due (a running server carries it out)"},
	desk.PayoutPaid:    {ZH: "已支付", EN: "paid"},
	desk.PayoutRefused: {ZH: "未执行", EN: "refused"},
}

// payout is a line about a payout.
func (w *deskWork) payout(o *desk.Payout) string {
	l := w.app.lang
	line := fmt.Sprintf("%s%s  %s  %s  %s  %s", pad(say("赔付单", "payout").In(l), 11), o.ID, o.Amount, o.Source, o.Basis, payoutWords[o.State].In(l))
	if o.Payment != "" {
		line += "  " + string(o.Payment)
	}
	if o.Failure != "" {
		line += "  (" + o.Failure + ")"
	}
	return line + "\n"
}

func (w *deskWork) payouts(ctx context.Context, id mianmi.CaseID) (string, error) {
	list, err := w.desk.Payouts(ctx, w.actor, id)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for i := range list {
		out.WriteString(w.payout(&list[i]))
	}
	return out.String(), nil
}

func (w *deskWork) printPayout(o desk.Payout, err error) error {
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(w.app.stdout, w.payout(&o))
	return err
}

type casePayCmd struct {
	caseFlag
	payoutFlags
	Payment  string `placeholder:"PAYMENT" help:"The payment (pm…) that it is for; left out: goodwill." zh:"所赔付的付款（pm…）；不写表示善意补偿。"`
	Amount   string `required:"" placeholder:"AMOUNT" help:"How much, as 18.00." zh:"金额，如 18.00。"`
	Currency string `default:"CNY" placeholder:"CODE" help:"Its currency." zh:"币种。"`
	Basis    string `required:"" enum:"breach,promise,fault,goodwill" placeholder:"BASIS" help:"Why: breach (the platform's own), promise (of a rule pack), fault (the merchant's) or goodwill." zh:"依据：breach（平台自身违约）、promise（规则包的赔付承诺）、fault（商户过错）、goodwill（善意补偿）。"`
	From     string `default:"guarantee" enum:"guarantee,merchant,platform" help:"Who bears it: guarantee (the account pays the payer's balance), merchant (the payment is refunded) or platform (refunded, and the guarantee account makes the merchant whole)." zh:"由谁承担：guarantee（准备金账户付入付款人余额）、merchant（退款，由商户承担）、platform（退款，由准备金账户补给商户）。"`
	Key      string `placeholder:"KEY" help:"Makes a repeat harmless; by default a new one." zh:"防重复的编号；默认新取一个。"`
}

// Run orders compensation.
func (c *casePayCmd) Run(ctx context.Context, a *app) error {
	if err := c.check(); err != nil {
		return err
	}
	return a.onDesk(ctx, &c.deskFlags, func(ctx context.Context, w *deskWork) error {
		w.desk.Limits = c.limits()
		k, err := w.find(ctx, c.Case)
		if err != nil {
			return err
		}
		n := desk.NewPayout{Key: c.Key, Payment: mianmi.PaymentID(c.Payment), Source: desk.ParseSource(c.From), Basis: desk.Basis(c.Basis)}
		if n.Amount, err = amountFlag("amount", c.Amount, c.Currency); err != nil {
			return err
		}
		if n.Key == "" {
			if n.Key, err = mianmi.NewID("cl", a.clock.Now(), a.random); err != nil {
				return err
			}
		}
		return w.printPayout(w.desk.Order(ctx, w.actor, k.ID, n))
	})
}

type caseApproveCmd struct {
	asStaff
	payoutFlags
	Payout string `arg:"" placeholder:"PAYOUT" help:"What waits (po…)." zh:"待复核的赔付单（po…）。"`
}

// Run approves what somebody else ordered.
func (c *caseApproveCmd) Run(ctx context.Context, a *app) error {
	if err := c.check(); err != nil {
		return err
	}
	return a.onDesk(ctx, &deskFlags{asStaff: c.asStaff}, func(ctx context.Context, w *deskWork) error {
		w.desk.Limits = c.limits()
		return w.printPayout(w.desk.Approve(ctx, w.actor, mianmi.PayoutID(c.Payout)))
	})
}

type caseRefuseCmd struct {
	asStaff
	Payout string `arg:"" placeholder:"PAYOUT" help:"What waits (po…)." zh:"待复核的赔付单（po…）。"`
}

// Run refuses what waits.
func (c *caseRefuseCmd) Run(ctx context.Context, a *app) error {
	return a.onDesk(ctx, &deskFlags{asStaff: c.asStaff}, func(ctx context.Context, w *deskWork) error {
		return w.printPayout(w.desk.Refuse(ctx, w.actor, mianmi.PayoutID(c.Payout)))
	})
}

type guaranteeCmd struct {
	Show guaranteeShowCmd `cmd:"" help:"Show its balances." zh:"显示余额。"`
	Fund guaranteeFundCmd `cmd:"" help:"Record money that the platform put there (an operator)." zh:"登记平台转入的资金（由运营人员办理）。"`
}

type guaranteeShowCmd struct{ asStaff }

// Run prints the balances.
func (c *guaranteeShowCmd) Run(ctx context.Context, a *app) error {
	return a.onDesk(ctx, &deskFlags{asStaff: c.asStaff}, func(ctx context.Context, w *deskWork) error { return w.guarantee(ctx) })
}

func (w *deskWork) guarantee(ctx context.Context) error {
	list, err := w.desk.Guarantees(ctx, w.actor)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return w.print(mianmi.Text{ZH: "准备金账户没有资金。\n", EN: "The guarantee account holds nothing.\n"})
	}
	for _, m := range list {
		if _, err := fmt.Fprintln(w.app.stdout, m); err != nil {
			return err
		}
	}
	return nil
}

type guaranteeFundCmd struct {
	asStaff
	Reference string `arg:"" placeholder:"REFERENCE" help:"Of the transfer; a repeat of it changes nothing." zh:"转账编号；重复登记不会重复入账。"`
	Amount    string `arg:"" placeholder:"AMOUNT" help:"How much, as 10000.00." zh:"金额，如 10000.00。"`
	Currency  string `default:"CNY" placeholder:"CODE" help:"Its currency." zh:"币种。"`
}

// Run records the money.
func (c *guaranteeFundCmd) Run(ctx context.Context, a *app) error {
	return a.onDesk(ctx, &deskFlags{asStaff: c.asStaff}, func(ctx context.Context, w *deskWork) error {
		m, err := amountFlag("amount", c.Amount, c.Currency)
		if err != nil {
			return err
		}
		if _, err := w.desk.Fund(ctx, w.actor, c.Reference, m); err != nil {
			return err
		}
		return w.guarantee(ctx)
	})
}
