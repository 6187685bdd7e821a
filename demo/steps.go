package demo

import (
	"context"
	"errors"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
)

// One: the payer closes.

func (s *story) payFree(ctx context.Context) error {
	return s.free(ctx, s.lin, s.till(), t("林晓雨在巷口咖啡愚园路店扫付款码付 ¥18.00", "Lin Xiaoyu pays ¥18.00 by payment code at the coffee bar in Yuyuan Road"))
}

func (s *story) close(ctx context.Context) error {
	got, err := s.lin.phone.ClosePinFree(ctx, client.Me, nil)
	return s.status(t("林晓雨在手机上关闭小额免密", "Lin Xiaoyu closes PIN-free payment on the phone"), "closed", got, err)
}

func (s *story) payAsks(ctx context.Context) error {
	p, err := s.asks(ctx, ask{who: s.lin, at: s.till(), reason: "payer_closed",
		what: t("同一家店、同一台终端、同样 ¥18.00 再付一次", "The same ¥18.00 once more, at the same terminal")})
	s.paid = p
	return err
}

func (s *story) confirm(ctx context.Context) error {
	o := &outcome{}
	err := func() error {
		list, err := s.lin.phone.StepUps(ctx, client.Me, 0)
		if err != nil {
			return err
		}
		o.must(len(list) == 1 && list[0].ID == s.paid.ID, t("手机上应显示这一笔待验证付款", "the phone should show this one payment waiting"))
		p, err := s.lin.phone.Confirm(ctx, s.paid.ID, password)
		if err != nil {
			return err
		}
		wrong := o.wrong
		o = shown(&p)
		o.wrong = wrong
		o.must(p.State == "approved" && p.CVM == "phone_password", t("应付款成功，验证方式为手机密码", "should be approved, verified by the password on the phone"))
		if p.State == "approved" {
			s.balance -= price
		}
		return nil
	}()
	s.step(t("林晓雨的手机弹出这笔付款，她输入支付密码", "The phone shows the payment, and Lin Xiaoyu types the payment password"),
		t("付款成功", "the payment is approved"), o, err)
	return err
}

// Two: a store and a terminal close.

func (s *story) closeStore(ctx context.Context) error {
	r, err := s.office.CloseScope(ctx, client.OfStore(s.yuyuan.ID))
	o := policy(&r)
	o.must(!r.Policy.Terms.PinFree && r.Proposal == nil, t("应立即关闭，无需审批", "should be off at once, without approval"))
	s.step(t("愚园路店关闭本店免密（一个人即可）", "The store in Yuyuan Road closes PIN-free payment (one person is enough)"), t("立即生效", "in force at once"), o, err)
	return err
}

func (s *story) storeAsks(ctx context.Context) error {
	_, err := s.asks(ctx, ask{who: s.zhao, at: s.till(), reason: "store_closed", names: s.yuyuan.Name, id: string(s.yuyuan.ID),
		what: t("赵建平（自己的免密开着）在愚园路店付 ¥18.00", "Zhao Jianping, whose own switch is on, pays ¥18.00 there")})
	return err
}

func (s *story) otherStoreFree(ctx context.Context) error {
	return s.free(ctx, s.zhao, &s.yongkang.Terminals[0], t("同一商户的永康路店不受影响", "The same merchant's store in Yongkang Road is not affected"))
}

func (s *story) closeTerminal(ctx context.Context) error {
	r, err := s.office.CloseScope(ctx, client.OfTerminal(s.yongkang.Terminals[0].ID))
	o := policy(&r)
	o.must(!r.Policy.Terms.PinFree && r.Proposal == nil, t("应立即关闭，无需审批", "should be off at once, without approval"))
	s.step(t("永康路店的一台终端单独关闭免密", "One terminal in Yongkang Road is closed by itself"), t("立即生效", "in force at once"), o, err)
	return err
}

func (s *story) terminalAsks(ctx context.Context) error {
	at := &s.yongkang.Terminals[0]
	_, err := s.asks(ctx, ask{who: s.zhao, at: at, reason: "terminal_closed", names: at.Name, id: string(at.ID),
		what: t("赵建平在这台终端付 ¥18.00", "Zhao Jianping pays ¥18.00 at that terminal")})
	return err
}

// openPlaces brings back what the chapter closed.
func (s *story) openPlaces(ctx context.Context) error {
	o := &outcome{}
	err := func() error {
		r, err := s.office.SetPolicy(ctx, client.OfStore(s.yuyuan.ID), client.Terms{PinFree: true}, nil)
		if err != nil {
			return err
		}
		o.must(r.Proposal != nil && !r.Policy.Terms.PinFree, t("放开应等待第二个人审批", "opening should wait for a second person"))
		if r.Proposal == nil {
			return nil
		}
		a, err := s.approver.Approve(ctx, r.Proposal.ID)
		if err != nil {
			return err
		}
		o.saw = tf("商户的申请 %s 已由另一位运营人员批准", "another operator approved the merchant's proposal %s", a.ID)
		o.must(a.State == "approved", t("应已审批", "should be approved"))
		return openPinFree(ctx, s.office, s.approver, client.OfTerminal(s.yongkang.Terminals[0].ID))
	}()
	s.step(t("门店和终端重新开启：商户申请，运营人员审批", "Store and terminal open again: the merchant asks, an operator approves"),
		t("须由第二个人审批后才生效", "in force only after a second person approved"), o, err)
	return err
}

// Four: the phone is lost.

func (s *story) reportLoss(ctx context.Context) error {
	got, err := s.operator.ReportLoss(ctx, s.lin.ID, new(onCallBack("LOSS-1")))
	return s.status(t("林晓雨借同事电话打给客服：手机丢了，请挂失", "Lin Xiaoyu calls support from a colleague's phone: mine is lost"), "frozen", got, err)
}

func (s *story) frozenAsks(ctx context.Context) error {
	o := &outcome{saw: t("付款码不能再生成，手机已退出登录", "no new payment codes, and the phone is logged out")}
	_, err := s.lin.phone.IssueCode(ctx, client.Me)
	o.must(problem(err).Status == 401, tf("应退出登录，实为 %v", "should be logged out, it is %v", err))
	dry, err := s.dry(ctx, price)
	if err == nil {
		o.must(dry.Outcome != "pin_free" && len(dry.Reasons) > 0 && dry.Reasons[0].Name == "payer_frozen", t("应因挂失要求验证", "should ask because of the loss report"))
		o.quotes = []mianmi.Text{dry.Reasons[0].Words.Payer}
	}
	s.step(t("捡到手机的人想用它付款", "Whoever found the phone tries to pay with it"), t("冻结：免密全部停用，登录全部失效", "frozen: nothing PIN-free any more, all sessions ended"), o, err)
	return err
}

func (s *story) reset(ctx context.Context) error {
	o := &outcome{}
	err := func() error {
		r, err := s.operator.ResetPassword(ctx, s.lin.ID, onCallBack("LOSS-1"))
		if err != nil {
			return err
		}
		_, err = s.api.RedeemReset(ctx, s.lin.Phone, r.Code, newPassword)
		if err != nil {
			return err
		}
		_, err = s.api.LoginPayer(ctx, s.lin.Phone, password)
		o.must(problem(err).Status == 401, t("旧密码应不能再登录", "the old password should not log in any more"))
		login, err := s.api.LoginPayer(ctx, s.lin.Phone, newPassword)
		if err != nil {
			return err
		}
		s.lin.phone = s.api.As(login.Token)
		o.saw = t("旧密码不能再登录，新手机用新密码登录成功", "the old password fails, the new phone logs in with the new one")
		return nil
	}()
	s.step(t("客服核实身份，发一次性重置码；林晓雨在新手机上设置新密码", "Support checks the identity and issues a one-time code; Lin Xiaoyu sets a new password on a new phone"),
		t("旧密码作废", "the old password is void"), o, err)
	return err
}

func (s *story) lift(ctx context.Context) error {
	got, err := s.operator.LiftLoss(ctx, s.lin.ID, onCallBack("LOSS-2"))
	return s.status(t("客服核实身份后解除挂失", "Support lifts the loss report after checking the identity"), "closed", got, err)
}

func onCallBack(ref string) client.Basis {
	return client.Basis{Method: "call_back", Ref: ref}
}

// Six: opening again.

func (s *story) reopenRefused(ctx context.Context) error {
	o := &outcome{}
	_, err := s.lin.phone.ReopenPinFree(ctx, client.Me, newPassword, "risk-1999-01")
	o.saw = tf("%v", "%v", err)
	o.must(problem(err).Code == "text_changed", t("应被拒绝", "should be refused"))
	s.step(t("林晓雨想重新开启，但接受的是旧版风险提示", "Lin Xiaoyu wants it open again, but has accepted an old risk text"), t("拒绝：须接受当前版本", "refused: the current text must be accepted"), o, nil)
	return nil
}

func (s *story) reopen(ctx context.Context) error {
	got, err := s.lin.phone.ReopenPinFree(ctx, client.Me, newPassword, s.texts.Risk.Version)
	if err == nil && got.Pending != nil {
		s.opensAt = got.Pending.At
	}
	return s.status(t("验证密码并接受当前风险提示后申请开启", "With the password and the current risk text"), "cooling_off", got, err)
}

func (s *story) coolingAsks(ctx context.Context) error {
	_, err := s.asks(ctx, ask{who: s.lin, at: s.till(), reason: "payer_cooling_off", what: t("冷静期还没结束就付 ¥18.00", "¥18.00 before the cooling-off is over")})
	return err
}

func (s *story) wait(ctx context.Context) error {
	s.say(t("    （等待冷静期结束：演示中为 3 秒，正式环境默认 24 小时）", "    (waiting for the cooling-off: 3 seconds here, 24 hours by default in production)"))
	if err := s.until(ctx, s.opensAt); err != nil {
		return err
	}
	got, err := s.lin.phone.Payer(ctx, client.Me)
	return s.status(t("冷静期结束", "The cooling-off is over"), "open", got.Status, err)
}

func (s *story) freeAgain(ctx context.Context) error {
	return s.free(ctx, s.lin, s.till(), t("林晓雨再付 ¥18.00", "Lin Xiaoyu pays ¥18.00 again"))
}

// till is the terminal where most of the story happens.
func (s *story) till() *Terminal { return &s.yuyuan.Terminals[0] }

func policy(r *client.PolicyResult) *outcome {
	since := ""
	if r.Policy.Since != nil {
		since = r.Policy.Since.In(shanghai).Format("15:04:05")
	}
	state := words("closed")
	if r.Policy.Terms.PinFree {
		state = words("open")
	}
	return &outcome{saw: tf(state.ZH+"，%[1]s 起（第 %[2]d 版）", state.EN+" since %[1]s (version %[2]d)", since, r.Policy.Version)}
}

// problem is what the server said went wrong; empty for any other error.
func problem(err error) client.Problem {
	if p := (*client.Problem)(nil); errors.As(err, &p) {
		return *p
	}
	return client.Problem{}
}
