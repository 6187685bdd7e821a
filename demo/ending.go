package demo

import (
	"context"
	"slices"

	"github.com/mianmi/mianmi/api/client"
)

// Seven: refund, dry run, books.

const giveBack = 5_00

func (s *story) refund(ctx context.Context) error {
	o := &outcome{}
	err := func() error {
		ask := client.RefundRequest{RefundNo: s.run + "-R1", Amount: yuan(giveBack), Reason: "换小杯"}
		r, err := s.pos.Refund(ctx, s.paid.ID, ask)
		if err != nil {
			return err
		}
		s.balance += giveBack
		again, err := s.pos.Refund(ctx, s.paid.ID, ask)
		if err != nil {
			return err
		}
		o.must(again.ID == r.ID, t("重复的退款请求应得到同一笔退款", "the same refund again should be the same refund"))
		p, err := s.pos.Payment(ctx, s.paid.ID)
		if err != nil {
			return err
		}
		wrong := o.wrong
		o = shown(&p)
		o.wrong = wrong
		o.must(p.State == "partly_refunded" && p.Refunded != nil && p.Refunded.Minor() == giveBack, t("应为部分退款 ¥5.00", "should be refunded by ¥5.00"))
		return nil
	}()
	s.step(t("咖啡店退 ¥5.00（网络抖动，请求发了两次）", "The coffee bar refunds ¥5.00, and sends the request twice"), t("只退一次", "refunded once"), o, err)
	return err
}

// dry asks what a payment by code of Lin would meet, as support.
func (s *story) dry(ctx context.Context, minor int64) (client.DryRun, error) {
	return s.operator.DryRun(ctx, client.Question{Payer: s.lin.ID, Terminal: s.till().ID, Amount: yuan(minor), Method: "payment_code", Entry: "scanned"})
}

func (s *story) dryRun(ctx context.Context) error {
	o := &outcome{}
	err := func() error {
		small, err := s.dry(ctx, price)
		if err != nil {
			return err
		}
		o.must(small.Outcome == "pin_free", t("¥18.00 应免密", "¥18.00 should need no password"))
		large, err := s.dry(ctx, 3000_00)
		if err != nil {
			return err
		}
		one, other := words(small.Outcome), words(large.Outcome)
		o.saw = t("¥18.00："+one.ZH+"；¥3000.00："+other.ZH, "¥18.00: "+one.EN+"; ¥3000.00: "+other.EN)
		for i := range large.Reasons {
			o.quotes = append(o.quotes, large.Reasons[i].Words.Support)
		}
		o.must(large.NeedsPIN && slices.ContainsFunc(large.Reasons, func(r client.Reason) bool { return r.Rule == "cn-wechat-paycode-2025/per-payment" }),
			t("¥3000.00 应因规则要求密码", "¥3000.00 should ask because of a rule"))
		return nil
	}()
	s.step(t("试算：如果付 ¥18.00、¥3000.00 会怎样？", "Dry run: what if it were ¥18.00, or ¥3000.00?"), t("前者免密，后者说明哪条规则要求密码；不产生任何付款", "the one passes, the other names the rule; nothing is written"), o, err)
	return err
}

func (s *story) books(ctx context.Context) error {
	o := &outcome{}
	err := func() error {
		me, err := s.lin.phone.Payer(ctx, client.Me)
		if err != nil {
			return err
		}
		o.must(me.Balance.Minor() == s.balance, tf("余额应为 %s", "the balance should be %s", yuan(s.balance)))
		b, err := s.Books(ctx)
		if err != nil {
			return err
		}
		o.saw = tf("林晓雨余额 %s；%d 个付款人、%d 笔扣款与分录逐一相符，差错 %d", "Lin Xiaoyu has %s; %d payers and %d captures agree with the journal, %d faults",
			me.Balance, b.Payers, b.Payments, b.Faults)
		o.must(b.Faults == 0, t("账应是平的", "the books should balance"))
		return nil
	}()
	s.step(t("对账：余额、付款、分录", "The books: balances, payments, journal"), t("一分不差", "they balance"), o, err)
	return err
}

// prepare opens the places of the story, should an earlier run have left them
// closed.
func (s *story) prepare(ctx context.Context) error {
	if err := openPinFree(ctx, s.office, s.approver, client.OfStore(s.yuyuan.ID)); err != nil {
		return err
	}
	if err := openPinFree(ctx, s.office, s.approver, client.OfStore(s.annex.ID)); err != nil {
		return err
	}
	if err := openPinFree(ctx, s.wx.office, s.approver, client.OfMerchant(s.world.Bookshop.ID)); err != nil {
		return err
	}
	for _, tm := range append(slices.Clone(s.annex.Terminals), s.yongkang.Terminals[0]) {
		if err := openPinFree(ctx, s.office, s.approver, client.OfTerminal(tm.ID)); err != nil {
			return err
		}
	}
	return nil
}
