package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
)

// price is what the coffee of the story costs.
const price = 18_00

// newPassword is what the payer of the story chooses after the phone was lost.
const newPassword = "508163"

// story is told anew at each run, with two payers of its own, so that it does
// not depend on what somebody did to the others meanwhile.
type story struct {
	*loader
	*teller
	lin, zhao *person
	pos       *client.Client // of the coffee bars
	office    *client.Client
	yuyuan    *Store // its stores
	yongkang  *Store
	annex     *Store // whose terminals prove what they run
	tills     []till // of it
	run       string // leads this run's order numbers
	orders    int
	paid      client.Payment // Lin's latest PIN-free payment
	balance   int64          // what Lin should have, minor units
	opensAt   time.Time      // when Lin's reopening is in force
	stolen    client.Payment // Lin's first one, that nobody admits to have made
	theft     client.Case    // about it
	wx        *wechatStory
}

// person is a payer with the phone in hand.
type person struct {
	Payer
	name  mianmi.Text
	token string
	phone *client.Client
}

// logIn starts a session on the phone.
func (p *person) logIn(ctx context.Context, api *client.Client) error {
	s, err := api.LoginPayer(ctx, p.Phone, password)
	if err != nil {
		return fmt.Errorf("log in as %s: %w", p.Name, err)
	}
	p.token, p.phone = s.Token, api.As(s.Token)
	return nil
}

// step is one step of the story; an error ends it.
type step func(context.Context) error

func (s *story) tell(ctx context.Context) error {
	chapters := []struct {
		title mianmi.Text
		steps []step
	}{
		{t("一、付款人关闭免密", "One: the payer closes PIN-free"), []step{s.register, s.payFree, s.close, s.receipt, s.payAsks, s.confirm}},
		{t("二、门店与终端关闭免密", "Two: a store and a terminal close it"), []step{s.closeStore, s.storeAsks, s.otherStoreFree, s.closeTerminal, s.terminalAsks, s.openPlaces}},
		{t("三、经微信支付收款", "Three: a shop that takes WeChat Pay"), []step{s.wxJoin, s.wxFree, s.wxReverse, s.wxOff, s.wxQR, s.wxScan, s.wxAsks, s.wxConfirm}},
		{t("四、手机丢失", "Four: the phone is lost"), []step{s.reportLoss, s.frozenAsks, s.reset, s.lift}},
		{t("五、“这笔不是我付的”", "Five: that was not me"), []step{s.dispute, s.moneyBack, s.proofPack}},
		{t("六、重新开启", "Six: opening again"), []step{s.reopenRefused, s.reopen, s.coolingAsks, s.wait, s.freeAgain}},
		{t("七、退款、试算与对账", "Seven: refund, dry run, books"), []step{s.refund, s.dryRun, s.books}},
		{t("八、终端自己也要证明", "Eight: terminals prove it themselves"), []step{s.enrol, s.tillFree, s.cutOff, s.mend, s.menuOff, s.menuAsks, s.restart, s.annexOff, s.annexProved}},
		{t("九、两边的账", "Nine: the books of both"), []step{s.wxPaid, s.wxReversed, s.wxBooks}},
	}
	for _, c := range chapters {
		s.chapter(c.title)
		for _, do := range c.steps {
			err := do(ctx)
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case err != nil:
				return err
			case len(s.failed) > 0:
				return nil // what follows stands on this step
			}
		}
	}
	return nil
}

// register makes the two payers and lets them log in.
func (s *story) register(ctx context.Context) error {
	o := &outcome{}
	err := func() error {
		for _, c := range []struct {
			who  **person
			name mianmi.Text
		}{{&s.lin, t("林晓雨", "Lin Xiaoyu")}, {&s.zhao, t("赵建平", "Zhao Jianping")}} {
			p, err := s.loader.register(ctx, &payerCast{name: c.name, weekly: 500_00})
			if err != nil {
				return err
			}
			*c.who = &person{Payer: p, name: c.name}
			if err := (*c.who).logIn(ctx, s.api); err != nil {
				return err
			}
		}
		me, err := s.lin.phone.Payer(ctx, client.Me)
		if err != nil {
			return err
		}
		s.balance = me.Balance.Minor()
		state := words(me.Status.State)
		o.saw = t("余额 "+me.Balance.String()+"；"+state.ZH, "balance "+me.Balance.String()+"; "+state.EN)
		o.quotes = []mianmi.Text{me.Status.Sentence}
		o.must(me.Status.State == "open", t("应为已开启", "should be open"))
		return nil
	}()
	s.step(t("林晓雨、赵建平注册钱包：阅读风险提示、设置支付密码、开启免密、充值 ¥500.00", "Lin Xiaoyu and Zhao Jianping register: risk text read, password set, PIN-free on, ¥500.00 loaded"),
		t("免密已开启", "PIN-free is open"), o, err)
	return err
}

// pay lets a payer show a payment code to a terminal.
func (s *story) pay(ctx context.Context, who *person, at *Terminal) (client.Payment, error) {
	code, err := who.phone.IssueCode(ctx, client.Me)
	if err != nil {
		return client.Payment{}, err
	}
	s.orders++
	return s.pos.Authorize(ctx, client.Authorization{Terminal: at.ID, OrderNo: fmt.Sprintf("%s-%02d", s.run, s.orders),
		Amount: yuan(price), Method: "payment_code", Code: code.Code, Entry: "scanned"})
}

// free expects a payment that passes without a password.
func (s *story) free(ctx context.Context, who *person, at *Terminal, what mianmi.Text) error {
	p, err := s.pay(ctx, who, at)
	o := shown(&p)
	o.must(p.State == "approved" && p.Outcome == "pin_free", t("应免密通过", "should pass without a password"))
	if who == s.lin && p.State == "approved" {
		s.paid, s.balance = p, s.balance-price
		if s.stolen.ID == "" {
			s.stolen = p
		}
	}
	s.step(what, t("免密通过", "taken without a password"), o, err)
	return err
}

// asks expects a payment that asks for a password because of the reason, and
// names where.
func (s *story) asks(ctx context.Context, a ask) (client.Payment, error) {
	p, err := s.pay(ctx, a.who, a.at)
	o := shown(&p)
	o.must(p.State == "step_up_required", t("应要求输入密码", "should ask for the password"))
	first := client.Reason{}
	if len(p.Reasons) > 0 {
		first = p.Reasons[0]
		o.quotes = append(o.quotes, first.Words.Payer)
	}
	o.must(first.Name == a.reason, tf("首要原因应为 %s，实为 %s", "the binding reason should be %s, it is %s", a.reason, first.Name))
	o.must(a.names == "" || strings.Contains(first.Words.Payer.ZH, a.names), tf("原因中应有“%s”", "the reason should name %s", a.names))
	o.must(a.id == "" || first.ID == a.id, tf("原因应指明 %s", "the reason should name %s", a.id))
	s.step(a.what, tf("要求输入密码，原因 %s", "asks for the password, because of %s", a.reason), o, err)
	return p, err
}

// ask is a payment that should ask for a password.
type ask struct {
	who       *person
	at        *Terminal
	reason    string
	names, id string // what the reason should name; empty: nothing of its own
	what      mianmi.Text
}

// shown is a payment as the story tells it.
func shown(p *client.Payment) *outcome {
	state, where := words(p.State), fmt.Sprintf("%s · %s · %s", p.Amount, p.Where.Store.Name, p.Where.Terminal.Name)
	return &outcome{saw: t(state.ZH+"（"+p.State+"）"+where, state.EN+" · "+where),
		quotes: []mianmi.Text{p.Sentence}}
}

// status expects a payer's state.
func (s *story) status(what mianmi.Text, want string, got client.Status, err error) error {
	o := &outcome{saw: words(got.State), quotes: []mianmi.Text{got.Sentence}}
	o.must(got.State == want, tf("应为 %s", "should be %s", want))
	s.step(what, words(want), o, err)
	return err
}

// words says a state or an outcome of the API.
func words(state string) mianmi.Text {
	if text, ok := stateWords[state]; ok {
		return text
	}
	return t(state, state)
}

var stateWords = map[string]mianmi.Text{
	"pin_free":         t("免密通过", "PIN-free"),
	"step_up":          t("要求验证密码", "asks for the password"),
	"approved":         t("付款成功", "approved"),
	"step_up_required": t("等待密码", "step_up_required"),
	"partly_refunded":  t("部分退款", "partly_refunded"),
	"refused":          t("拒绝", "refused"),
	"waiting":          t("等待审批", "waiting"),
	"verifying":        t("等待微信支付", "waits for WeChat Pay"),
	"undoing":          t("正在撤销", "being undone"),
	"reversed":         t("已撤销", "reversed"),

	"open":        t("免密已开启", "PIN-free is open"),
	"closed":      t("免密已关闭", "PIN-free is closed"),
	"held":        t("暂停中", "on hold"),
	"frozen":      t("已挂失冻结", "frozen by a loss report"),
	"cooling_off": t("冷静期内，暂未生效", "in its cooling-off, not yet in force"),
}

// until waits for an instant of the server's clock.
func (s *story) until(ctx context.Context, at time.Time) error {
	timer := time.NewTimer(at.Sub(s.Clock.Now()) + 50*time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
