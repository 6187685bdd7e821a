package demo

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
)

// Eight: terminals prove it themselves.

// enrol starts three terminals of different models, and waits until each has
// proved what it runs.
func (s *story) enrol(ctx context.Context) error {
	o := &outcome{}
	err := func() error {
		for i := range s.annex.Terminals {
			at := &s.annex.Terminals[i]
			code, err := s.operator.IssueEnrolmentCode(ctx, at.ID)
			if err != nil {
				return err
			}
			m, err := s.Machine(ctx, MachineStart{Name: strconv.Itoa(i + 1), Family: machines[i].family, Code: code.Code})
			if err != nil {
				return err
			}
			x, err := newTill(m, at)
			if err != nil {
				return err
			}
			if _, err := x.post(ctx, "/setup", "/setup", "password", operatorPassword, "again", operatorPassword); err != nil {
				return err
			}
			s.tills = append(s.tills, x)
		}
		n := 0
		_, err := eventually(ctx, func(ctx context.Context) (bool, error) {
			n = 0
			for i := range s.tills {
				got, err := s.operator.TerminalStatus(ctx, s.tills[i].at.ID)
				if err != nil {
					return false, err
				}
				if got.InForce && got.Believed {
					n++
				}
			}
			return n == len(s.tills), nil
		})
		if err != nil {
			return err
		}
		o.saw = tf("三个程序、三份证书；%d / %d 台已证实自己运行的设置", "three programs, three certificates; %d of %d have proved what they run", n, len(s.tills))
		o.must(n == len(s.tills), t("三台都应已证实", "all three should have proved it"))
		return nil
	}()
	s.step(t("安福路店启动三台不同机型的终端（各是一个进程），用一次性登记码登记，设好操作员密码", "In Anfu Road three terminals of different models start, each a process of its own; they enrol with one-time codes and get operator passwords"),
		t("签名上报后才算数", "what counts is their signed reports"), o, err)
	return err
}

// payAt lets a payer show a payment code to the scanner of a till, and returns
// the payment.
func (s *story) payAt(ctx context.Context, who *person, x *till) (client.Payment, error) {
	before, err := who.phone.PayerPayments(ctx, client.Me, "", 1)
	if err != nil {
		return client.Payment{}, err
	}
	code, err := who.phone.IssueCode(ctx, client.Me)
	if err != nil {
		return client.Payment{}, err
	}
	for _, form := range []struct{ from, path, name, value string }{
		{"/", "/pay/begin", "d", strconv.Itoa(price)},
		{"/pay", "/pay/choose", "method", "payment_code"},
		{"/pay", "/pay/read", "text", "]Q3" + code.Code}, // as scanners lead a QR code (ISO/IEC 15424)
	} {
		if _, err := x.post(ctx, form.from, form.path, form.name, form.value); err != nil {
			return client.Payment{}, err
		}
	}
	var p client.Payment
	ok, err := eventually(ctx, func(ctx context.Context) (bool, error) {
		list, err := who.phone.PayerPayments(ctx, client.Me, "", 1)
		if err != nil || len(list.Items) == 0 || len(before.Items) > 0 && list.Items[0].ID == before.Items[0].ID {
			return false, err
		}
		p = list.Items[0]
		return true, nil
	})
	if err == nil && !ok {
		err = fmt.Errorf("no payment came of it")
	}
	return p, err
}

func (s *story) tillFree(ctx context.Context) error {
	x := &s.tills[0]
	p, err := s.payAt(ctx, s.zhao, x)
	o := shown(&p)
	o.must(p.State == "approved" && p.Outcome == "pin_free" && p.Where.Terminal.ID == x.at.ID, t("应在这台终端免密通过", "should pass without a password at this terminal"))
	if err == nil {
		err = x.next(ctx)
	}
	s.step(t("赵建平在 1 号智能 POS 付 ¥18.00：收银员输入金额，扫码", "Zhao Jianping pays ¥18.00 at the smart POS: the cashier types the amount and scans the code"), t("免密通过", "taken without a password"), o, err)
	return err
}

// cutOff takes the host away from the PIN pad, and its power for a moment.
func (s *story) cutOff(ctx context.Context) error {
	x := &s.tills[2]
	x.Cut()
	err := x.PullPlug(ctx)
	o := &outcome{}
	held := func(ctx context.Context) (bool, error) {
		head, more, err := x.says(ctx)
		o.saw, o.quotes = t(head, head), []mianmi.Text{t(more, more)}
		return head == t("联系不上主机，已自动改为每笔验证", "The host cannot be reached; every payment needs the password").In(s.lang), err
	}
	ok := false
	if err == nil {
		ok, err = eventually(ctx, held)
	}
	o.must(ok, t("屏幕应说每笔都要验证", "the screen should say that every payment needs the password"))
	s.step(t("3 号密码键盘断网，又断了一次电：没有人告诉它该怎么办", "The PIN pad loses its network, and its power for a moment: nobody tells it what to do"), t("自己改为每笔都要密码", "it falls to step-up by itself"), o, err)
	return err
}

func (s *story) mend(ctx context.Context) error {
	x := &s.tills[2]
	o := &outcome{}
	before, err := s.operator.TerminalStatus(ctx, x.at.ID)
	if err == nil {
		x.Mend()
		err = s.proved(ctx, x, proof{before.Boot, true}, o)
	}
	s.step(t("网络恢复", "The network is back"), t("上报之后自动复原", "after its report it is as before"), o, err)
	return err
}

// proof is what a terminal is to prove: a setting, in a boot after this one.
type proof struct {
	boot    int64
	pinFree bool
}

// proved waits until a terminal has proved it, and says what host and screen
// make of it.
func (s *story) proved(ctx context.Context, x *till, want proof, o *outcome) error {
	var got client.TerminalStatus
	ok, err := eventually(ctx, func(ctx context.Context) (_ bool, err error) {
		got, err = s.operator.TerminalStatus(ctx, x.at.ID)
		return got.InForce && got.Boot > want.boot && got.PinFree == want.pinFree && len(got.Unsafe) == 0 && (got.Believed || !want.pinFree), err
	})
	if err != nil {
		return err
	}
	o.saw = got.Sentence
	o.must(ok, t("主机应已收到证明", "the host should have its proof"))
	head, more := "", ""
	ok, err = eventually(ctx, func(ctx context.Context) (_ bool, err error) {
		head, more, err = x.says(ctx)
		return strings.Contains(head, t("已证实", "proved").In(s.lang)) != want.pinFree && !strings.Contains(head, t("联系不上", "cannot be reached").In(s.lang)), err
	})
	o.must(ok, t("屏幕应已更新", "the screen should say so"))
	o.quotes = append(o.quotes, t("屏幕："+head+"。"+more, "the screen: "+head+". "+more))
	return err
}

// menuOff is the guides' way: menu, untick, save.
func (s *story) menuOff(ctx context.Context) error {
	x := &s.tills[0]
	o := &outcome{}
	err := func() error {
		if err := x.signIn(ctx); err != nil {
			return err
		}
		if _, err := x.post(ctx, "/menu/pin_free", "/menu/pin_free"); err != nil {
			return err
		}
		var got client.TerminalStatus
		ok, err := eventually(ctx, func(ctx context.Context) (_ bool, err error) {
			got, err = s.operator.TerminalStatus(ctx, x.at.ID)
			return len(got.Menu) > 0 && !got.Menu[0].PinFree && !got.InForce && got.Stage == "saved", err
		})
		if err != nil {
			return err
		}
		head, more, err := x.says(ctx)
		o.saw = t(head, head)
		o.quotes = append(o.quotes, t(more, more), got.Sentence)
		o.must(ok, t("主机应已收到，且终端尚未生效", "the host should have it, and the terminal should not be in force yet"))
		return err
	}()
	s.step(t("收银员在 1 号智能 POS 的菜单里去掉“小额免密”的勾，保存", "The cashier unticks PIN-free in the menu of the smart POS, and saves"),
		t("主机立即拦截；终端还差重启，尚未生效", "the host heeds it at once; the terminal is not yet in force, it needs a restart"), o, err)
	return err
}

func (s *story) menuAsks(ctx context.Context) error {
	x := &s.tills[0]
	p, err := s.payAt(ctx, s.zhao, x)
	o := shown(&p)
	o.must(p.State == "step_up_required" && len(p.Reasons) > 0, t("应要求输入密码", "should ask for the password"))
	for i := 1; i < len(p.Reasons); i++ {
		o.quotes = append(o.quotes, p.Reasons[i].Words.Cashier)
	}
	if err == nil {
		_, err = s.zhao.phone.Confirm(ctx, p.ID, password)
	}
	if err == nil {
		err = x.next(ctx)
	}
	s.step(t("赵建平在这台终端再付 ¥18.00，并在手机上输入密码", "Zhao Jianping pays ¥18.00 there once more, and types the password on the phone"), t("要求输入密码", "asks for the password"), o, err)
	return err
}

func (s *story) restart(ctx context.Context) error {
	x := &s.tills[0]
	o := &outcome{}
	before, err := s.operator.TerminalStatus(ctx, x.at.ID)
	if err == nil {
		err = x.restart(ctx)
	}
	if err == nil {
		err = s.proved(ctx, x, proof{before.Boot, false}, o)
	}
	s.step(t("重启这台终端", "The terminal restarts"), t("上报之后才算生效", "in force once its report has proved it"), o, err)
	return err
}
